//! `join-filter`: a join makes pairs of rows and throws most of them away.

use super::context::{RunContext, Words};
use super::predicate::{self, ServedBy};
use super::{Check, Rule, Threshold, ThresholdUnit};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::units::Count;

const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::JoinFilter,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "pairs thrown away below which it does not matter",
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
    summary: "a join makes pairs of rows and throws most of them away",
    condition: "`Rows Removed by Join Filter` over all loops at min-rows or more. Error from error-rows on, else warning.",
    why: "Every pair is made and compared: the cost is the product of both sides.",
    advice: "Give the join an equality that it can hash or look up; turn a range into a bounded one.",
    bad: "SELECT * FROM orders o JOIN customers c ON lower(c.email) = o.note OR c.id = o.customer_id;",
    good: "SELECT * FROM orders o JOIN customers c ON c.id = o.customer_id;",
    thresholds: &[MIN_ROWS, ERROR_ROWS],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, node, metrics) in context.executed() {
        let (Some(removed), Some(actual)) = (node.removed.join_filter, node.actual) else {
            continue;
        };
        let removed = removed.0 * actual.loops;
        let Some(condition) = node.conditions.join_filter.clone() else {
            continue;
        };
        if removed < context.limit(&MIN_ROWS) {
            continue;
        }
        let kept = metrics.rows.unwrap_or_default();
        let severity = if removed >= context.limit(&ERROR_ROWS) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let plan = context.plan();
        let scans = plan
            .descendants(id)
            .map(|below| plan.node(below))
            .filter(|below| below.kind.scans_table());
        let aliases: Vec<&str> = scans
            .filter_map(|scan| Some(scan.relation.as_ref()?.alias.as_str()))
            .collect();
        let serves = |alias: &&str| {
            predicate::conjuncts(&condition, alias)
                .iter()
                .any(|conjunct| matches!(conjunct.by, ServedBy::Column(_)))
        };
        let served = aliases.iter().copied().find(|alias| serves(alias));
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
            why: "The cost is the product of both sides: ten times the rows on each side, a hundred times the pairs.".to_owned(),
            advice: match served {
                Some(alias) => format!("Create an index on {alias}'s column in {condition}, so that matches are looked up."),
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
