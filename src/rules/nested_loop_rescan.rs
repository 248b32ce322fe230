//! `nested-loop-rescan`: the inner side of a nested loop is read again from the start for every outer row.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{Node, NodeId, NodeKind};
use crate::units::{Count, Rows};

const MIN_LOOPS: Threshold = Threshold {
    rule: RuleId::NestedLoopRescan,
    key: "min-loops",
    unit: ThresholdUnit::Count,
    default: 2.0,
    about: "times that the inner side is read",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::NestedLoopRescan,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the query's work that the inner side does",
};
const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::NestedLoopRescan,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "rows read on the inner side over all loops below which it does not matter",
};
const ERROR_ROWS: Threshold = Threshold {
    rule: RuleId::NestedLoopRescan,
    key: "error-rows",
    unit: ThresholdUnit::Rows,
    default: 1_000_000.0,
    about: "rows read on the inner side over all loops from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::NestedLoopRescan,
    severity: Severity::Error,
    depth: Some(5),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "the inner side of a nested loop is read again for every outer row",
    condition: "A Nested Loop whose inner side ran min-loops times or more, read min-rows rows, did half of the join's and min-share of \
        the query's work, and is a Seq Scan or throws away ten times the rows that it keeps; not under Memoize or Materialize. Error \
        from error-rows on, else warning.",
    why: "The cost is outer rows times inner table: it grows with both.",
    advice: "Index the inner side's join column; where there is one, find out why the planner expected fewer outer rows.",
    bad: "SELECT * FROM orders o LEFT JOIN LATERAL (SELECT * FROM order_items i WHERE i.order_id = o.id) i ON true;  -- no index",
    good: "CREATE INDEX ON order_items (order_id);",
    thresholds: &[MIN_LOOPS, MIN_SHARE, MIN_ROWS, ERROR_ROWS],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter(|(_, node, _)| node.kind == NodeKind::NestedLoop)
        .filter_map(|(id, _, _)| judge(context, id))
        .collect()
}

fn judge(context: &RunContext<'_>, join: NodeId) -> Option<Finding> {
    let plan = context.plan();
    let inner = plan.inner(join)?;
    let scan = reread_scan(context, inner)?;
    let node = plan.node(scan);
    let actual = node.actual?;
    let loops = actual.loops / context.metrics.node(scan).processes;
    let read = context.metrics.node(scan).rows_read?;
    let removed = node.removed.filter.map_or(0.0, |rows| rows.0);
    let wasteful =
        node.kind == NodeKind::SeqScan || (removed >= 10.0 * actual.rows.0 && removed >= 100.0);
    let share = context.metrics.inclusive_share(inner)?;
    let of_join = share
        / context
            .metrics
            .inclusive_share(join)?
            .max(f64::MIN_POSITIVE);
    let much =
        loops >= context.limit(&MIN_LOOPS) && read >= context.limit(&MIN_ROWS) && of_join >= 0.5;
    if !wasteful || !much || share < context.limit(&MIN_SHARE) {
        return None;
    }
    Some(report(context, join, node, read, loops))
}

/// The scan that is done anew in every loop: not behind a cache or a copy.
fn reread_scan(context: &RunContext<'_>, inner: NodeId) -> Option<NodeId> {
    let plan = context.plan();
    let mut at = inner;
    loop {
        let kind = &plan.node(at).kind;
        if matches!(
            kind,
            NodeKind::Materialize | NodeKind::Memoize | NodeKind::Hash | NodeKind::Sort
        ) {
            return None;
        }
        if kind.scans_table() {
            return Some(at);
        }
        at = plan.outer(at)?;
    }
}

fn report(context: &RunContext<'_>, join: NodeId, scan: &Node, read: f64, loops: f64) -> Finding {
    let relation = context
        .relation_name(scan)
        .unwrap_or_else(|| "the inner side".to_owned());
    let kept = scan
        .actual
        .map_or(0.0, |actual| actual.rows.0 * actual.loops);
    let severity = if read >= context.limit(&ERROR_ROWS) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut evidence = context.evidence(join);
    evidence.relation = context.relation_name(scan);
    evidence.condition = scan
        .conditions
        .filter
        .clone()
        .or_else(|| context.plan().node(join).conditions.join_filter.clone());
    let evidence = evidence
        .with("loops", Quantity::Count(loops as u64))
        .with("rows_read", Quantity::Rows(read))
        .with("rows_kept", Quantity::Rows(kept));
    let words = Words {
        message: format!(
            "{relation} is read {} times, once for each outer row: {} in all, {} kept",
            Count(loops),
            Rows(read),
            Count(kept)
        ),
        why: "The cost is outer rows times inner table: it grows with both.".to_owned(),
        advice: match &evidence.condition {
            Some(condition) => format!("Create an index on {relation} that serves {condition}."),
            None => format!("Give the join a condition on {relation} that an index serves."),
        },
    };
    context.finding(
        RuleId::NestedLoopRescan,
        severity,
        context.with_cost(evidence, join),
        words,
    )
}
