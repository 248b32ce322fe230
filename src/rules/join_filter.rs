//! `join-filter`: a join makes pairs of rows and throws most of them away.

use std::collections::BTreeSet;

use super::context::{RunContext, Words};
use super::predicate::{self, ServedBy};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};

use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::{Expression, ExpressionKind, parse};
use crate::plan::{Node, NodeId, NodeKind};
use crate::units::Count;

const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::JoinFilter,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "pairs thrown away below which it does not matter",
};
const WARNING_ROWS: Threshold = Threshold {
    rule: RuleId::JoinFilter,
    key: "warning-rows",
    unit: ThresholdUnit::Rows,
    default: 50_000.0,
    about: "pairs thrown away below which it is information: they are compared in milliseconds",
};
const ERROR_ROWS: Threshold = Threshold {
    rule: RuleId::JoinFilter,
    key: "error-rows",
    unit: ThresholdUnit::Rows,
    default: 1_000_000.0,
    about: "pairs thrown away from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::JoinFilter,
    severity: Severity::Error,
    depth: Some(3),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a join makes pairs of rows and throws most of them away",
    condition: "`Rows Removed by Join Filter` over all loops at min-rows or more, or as many removed after an outer join by an OR of both sides. Error from error-rows on, else warning.",
    why: "Every pair is made and compared: the cost is the product of both sides.",
    advice: "Give the join an equality that it can hash or look up; turn a range into a bounded one.",
    bad: "SELECT * FROM orders o JOIN customers c ON lower(c.email) = o.note OR c.id = o.customer_id;",
    good: "SELECT * FROM orders o JOIN customers c ON c.id = o.customer_id;",
    thresholds: &[MIN_ROWS, WARNING_ROWS, ERROR_ROWS],
    check: Check::Run(check),
};

const UNION: &str = "Write one SELECT for each side of the OR and join them with UNION: each then finds its rows by an index of \
    its own table. As one condition it can be judged only after the join.";

/// Pairs that a join threw away, over all loops, by what: its own condition, or an OR over both sides that an outer join judges
/// after it.
fn thrown_away(node: &Node) -> Option<(f64, String)> {
    let loops = node.actual?.loops;
    if let (Some(removed), Some(condition)) =
        (node.removed.join_filter, &node.conditions.join_filter)
    {
        return Some((removed.0 * loops, condition.clone()));
    }
    let condition = node
        .conditions
        .filter
        .as_ref()
        .filter(|condition| node.kind.is_join() && or_of_two_relations(condition))?;
    Some((node.removed.filter?.0 * loops, condition.clone()))
}

/// Whether a condition has an OR whose sides are about different relations.
fn or_of_two_relations(condition: &str) -> bool {
    parse(condition).conjuncts().into_iter().any(|conjunct| {
        let ExpressionKind::Or(sides) = &conjunct.kind else {
            return false;
        };
        let relations: BTreeSet<&str> = sides
            .iter()
            .flat_map(Expression::columns)
            .filter_map(|(qualifier, _)| qualifier)
            .collect();
        let one_each = sides.iter().all(|side| {
            let own: BTreeSet<_> = side.columns().into_iter().map(|(alias, _)| alias).collect();
            own.len() == 1
        });
        relations.len() > 1 && one_each
    })
}

/// Whether comparing takes a small share of the statement: pairs that are thrown away at once cost nothing.
fn is_cheap(context: &RunContext<'_>, id: NodeId) -> bool {
    const SHARE: f64 = 0.05;
    let metrics = context.metrics.node(id);
    let own = metrics.exclusive.zip(context.metrics.total);
    own.is_some_and(|(own, total)| total.0 > 0.0 && own.0 < total.0 * SHARE)
}

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, node, metrics) in context.executed() {
        let Some((removed, condition)) = thrown_away(node) else {
            continue;
        };
        if removed < context.limit(&MIN_ROWS) || is_cheap(context, id) {
            continue;
        }
        let kept = metrics.rows.unwrap_or_default();
        let severity = if removed >= context.limit(&ERROR_ROWS) {
            Severity::Error
        } else if removed >= context.limit(&WARNING_ROWS) {
            Severity::Warning
        } else {
            Severity::Info
        };
        let plan = context.plan();
        let scans = plan
            .descendants(id)
            .map(|below| plan.node(below))
            .filter(|below| below.kind.scans_table());
        let aliases: Vec<&str> = scans
            .filter_map(|scan| Some(scan.relation.as_ref()?.alias.as_str()))
            .collect();
        // A hash join looks nothing up.
        let looks_up = node.kind == NodeKind::NestedLoop;
        let foreign: BTreeSet<&str> = plan
            .descendants(id)
            .map(|below| plan.node(below))
            .filter(|below| below.kind == NodeKind::ForeignScan)
            .filter_map(|below| Some(below.relation.as_ref()?.alias.as_str()))
            .collect();
        let serves = |alias: &&str| {
            looks_up
                && !foreign.contains(alias)
                && predicate::conjuncts(&condition, alias)
                    .iter()
                    .any(|conjunct| matches!(conjunct.by, ServedBy::Column(_)))
        };
        let served = aliases.iter().copied().find(|alias| serves(alias));
        let existing = plan
            .inner(id)
            .and_then(|inner| index_that_serves(context, inner, &condition));
        let mut evidence = context.evidence(id);
        evidence.condition = Some(condition.clone());
        let evidence = evidence
            .with("pairs_removed", Quantity::Rows(removed))
            .with("rows_kept", Quantity::Rows(kept));
        let words = Words {
            message: format!("the join compares {} pairs by {condition} and keeps {}",
                Count(removed + kept),
                metrics.row_count.map_or_else(|| Count(kept).to_string(), |count| count.to_string())
            ),
            why: match node.conditions.hash.as_ref().or(node.conditions.merge.as_ref()) {
                Some(matched) => format!("Rows that match by {matched} are paired first, and most pairs fail the other condition."),
                None => "The cost is the product of both sides: ten times the rows on each side, a hundred times the pairs.".to_owned(),
            },
            advice: match served {
                _ if or_of_two_relations(&condition) => UNION.to_owned(),
                _ if looks_up && existing.is_some() => format!(
                    "{} serves the condition. The planner expected so few rows on the other side that it did not use it: fix that \
                     estimate (ANALYZE, extended statistics on the columns that are filtered together), or filter the other side first.",
                    existing.unwrap_or_default()
                ),
                Some(alias) => format!("Create an index on {alias}'s column in {}, so that matches are looked up.", context.spelled(&condition)),
                None => "Give the join an equality between plain columns that it can hash, split an OR into a UNION, or bound a range.".to_owned(),
            },
        };
        findings.push(context.finding(
            RuleId::JoinFilter,
            severity,
            context.with_cost(evidence, id),
            words,
        ));
    }
    findings
}

/// The index of the repeated side whose first column the condition compares with the other side.
fn index_that_serves(context: &RunContext<'_>, inner: NodeId, condition: &str) -> Option<String> {
    let plan = context.plan();
    plan.subtree(inner).find_map(|id| {
        let node = plan.node(id);
        let (table, alias) = (context.table(node)?, &node.relation.as_ref()?.alias);
        let found = predicate::index_that_serves(table, alias, condition)?;
        Some(format!("{} on {}", found.name, table.name))
    })
}
