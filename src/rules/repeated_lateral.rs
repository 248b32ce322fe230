//! `repeated-lateral`: the inner side of a join computes an aggregate anew for every outer row.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, NodeKind, Relationship};
use crate::units::Count;

const MIN_LOOPS: Threshold = Threshold {
    rule: RuleId::RepeatedLateral,
    key: "min-loops",
    unit: ThresholdUnit::Count,
    default: 1_000.0,
    about: "executions below which it does not matter",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::RepeatedLateral,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "share of the query's work below which it does not matter",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::RepeatedLateral,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 10_000.0,
    about: "pages of all executions below which it does not matter",
};
const ERROR_PAGES: Threshold = Threshold {
    rule: RuleId::RepeatedLateral,
    key: "error-pages",
    unit: ThresholdUnit::Pages,
    default: 100_000.0,
    about: "pages of all executions from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::RepeatedLateral,
    severity: Severity::Error,
    depth: Some(2),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "an aggregate is computed anew for every row of a join",
    condition: "A nested loop whose inner side is an aggregate of min-loops executions or more, with min-share of the query's work and \
        min-pages in all. Error from error-pages on, else warning. A look-up of a few rows (LIMIT) is none.",
    why: "LATERAL runs for each row on its left. One pass with GROUP BY reads every row once.",
    advice: "Join a subquery with GROUP BY, unless few rows are on the left.",
    bad: "SELECT c.*, t.n FROM customers c, LATERAL (SELECT count(*) n FROM orders o WHERE o.customer_id = c.id) t;",
    good: "SELECT c.*, t.n FROM customers c LEFT JOIN (SELECT customer_id, count(*) n FROM orders GROUP BY 1) t ON t.customer_id = c.id;",
    thresholds: &[MIN_LOOPS, MIN_SHARE, MIN_PAGES, ERROR_PAGES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let joins = plan
        .ids()
        .filter(|id| plan.node(*id).kind == NodeKind::NestedLoop);
    joins
        .filter_map(|join| {
            let inner = plan
                .inputs(join)
                .find(|id| plan.node(*id).relationship == Some(Relationship::Inner))
                .or_else(|| plan.inputs(join).nth(1))?;
            judge(context, join, inner)
        })
        .collect()
}

/// The aggregate at the top of an inner side; `None` where it is something else.
fn aggregate(context: &RunContext<'_>, inner: NodeId) -> Option<NodeId> {
    let plan = context.plan();
    let mut at = inner;
    loop {
        match plan.node(at).kind {
            NodeKind::Aggregate => return Some(at),
            NodeKind::SubqueryScan | NodeKind::Result => at = plan.inputs(at).next()?,
            _ => return None,
        }
    }
}

fn judge(context: &RunContext<'_>, join: NodeId, inner: NodeId) -> Option<Finding> {
    let plan = context.plan();
    let id = aggregate(context, inner)?;
    let loops = plan.node(id).actual?.loops;
    let metrics = context.metrics.node(id);
    let pages = metrics.inclusive_blocks?;
    if loops < context.limit(&MIN_LOOPS)
        || (pages.0 as f64) < context.limit(&MIN_PAGES)
        || context.metrics.inclusive_share(id)? < context.limit(&MIN_SHARE)
    {
        return None;
    }
    let severity = if pages.0 as f64 >= context.limit(&ERROR_PAGES) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let scan = plan
        .subtree(id)
        .find(|below| plan.node(*below).kind.scans_table());
    let mut evidence = context.evidence(id);
    evidence.relation = scan.and_then(|scan| context.relation_name(plan.node(scan)));
    evidence.condition = scan.and_then(|scan| {
        let own = &plan.node(scan).conditions;
        own.index.clone().or_else(|| own.filter.clone())
    });
    let mut evidence = evidence
        .with("loops", Quantity::Count(loops as u64))
        .with("pages", Quantity::Pages(pages));
    let mut message = format!(
        "an aggregate is computed {} times, once for each outer row of {}, {pages} in all",
        Count(loops),
        crate::plan::label(plan.node(join))
    );
    if let (Some(time), Some(total)) = (metrics.inclusive, context.metrics.total) {
        message.push_str(&format!(", {time} of {total}"));
        evidence = evidence
            .with("time_ms", Quantity::Millis(time))
            .with("query_time_ms", Quantity::Millis(total));
    }
    let words = Words {
        message,
        why: "It is an N+1 inside the database: each row on the left pays for a search of its own.".to_owned(),
        advice: "Join a subquery that groups by the column and reads the table once; LATERAL is for few rows on the left, or for the \
                 first few of each."
            .to_owned(),
    };
    Some(context.finding(RuleId::RepeatedLateral, severity, evidence, words))
}
