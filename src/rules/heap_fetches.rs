//! `heap-fetches`: an Index Only Scan has to look at the table all the same.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::units::{Count, Rows};

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::HeapFetches,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.25,
    about: "heap fetches over rows",
};
const MIN_FETCHES: Threshold = Threshold {
    rule: RuleId::HeapFetches,
    key: "min-fetches",
    unit: ThresholdUnit::Count,
    default: 100.0,
    about: "heap fetches below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::HeapFetches,
    severity: Severity::Warning,
    depth: Some(5),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "an Index Only Scan looks at the table all the same",
    condition: "An Index Only Scan whose heap fetches are min-share of the rows that it read and at least min-fetches. Not of a table that \
        the statement itself writes: its executions before were rolled back and leave such pages.",
    why: "Rows on pages that are not marked all-visible must be looked up in the table, at random.",
    advice: "VACUUM the table, and more often: lower its autovacuum_vacuum_scale_factor (and insert_scale_factor).",
    bad: "UPDATE orders SET note = note; SELECT count(*) FROM orders WHERE customer_id = 7;",
    good: "VACUUM orders;               SELECT count(*) FROM orders WHERE customer_id = 7;",
    thresholds: &[MIN_SHARE, MIN_FETCHES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, node, metrics) in context.executed() {
        let (Some(fetches), Some(read)) = (node.heap_fetches, metrics.rows_read) else {
            continue;
        };
        let fetches = fetches.0 as f64;
        if fetches < context.limit(&MIN_FETCHES) || fetches < read * context.limit(&MIN_SHARE) {
            continue;
        }
        // Its own executions, which are rolled back, took the marks away.
        if context.is_written(node) {
            continue;
        }
        let relation = context
            .relation_name(node)
            .unwrap_or_else(|| "the table".to_owned());
        let mut evidence = context.evidence(id);
        evidence.condition.clone_from(&node.conditions.index);
        let evidence = evidence
            .with("heap_fetches", Quantity::Count(fetches as u64))
            .with("rows_read", Quantity::Rows(read));
        let words = Words {
            message: if fetches <= read {
                format!("the Index Only Scan fetched {} of {} from {relation} itself", Count(fetches), Rows(read))
            } else {
                // Rows that another transaction deleted are fetched, too, and given out by no scan.
                format!("the Index Only Scan fetched {} from {relation} itself", Rows(fetches))
            },
            why: "Pages that changed since the last VACUUM are not marked all-visible: their rows are looked up in the table, at random.".to_owned(),
            advice: format!("VACUUM {relation}; keep it so: ALTER TABLE {relation} SET (autovacuum_vacuum_scale_factor = 0.02);"),
        };
        findings.push(context.finding(
            RuleId::HeapFetches,
            Severity::Warning,
            context.with_cost(evidence, id),
            words,
        ));
    }
    findings
}
