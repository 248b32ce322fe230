//! `large-offset`: rows are read and thrown away to reach a page.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::units::{Count, Rows};

const MIN_SKIPPED: Threshold = Threshold {
    rule: RuleId::LargeOffset,
    key: "min-skipped",
    unit: ThresholdUnit::Rows,
    default: 1000.0,
    about: "rows skipped below which an OFFSET is cheap enough",
};
const FACTOR: Threshold = Threshold {
    rule: RuleId::LargeOffset,
    key: "factor",
    unit: ThresholdUnit::Ratio,
    default: 10.0,
    about: "rows read over rows given out",
};
const ERROR_SKIPPED: Threshold = Threshold {
    rule: RuleId::LargeOffset,
    key: "error-skipped",
    unit: ThresholdUnit::Rows,
    default: 100_000.0,
    about: "rows skipped from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::LargeOffset,
    severity: Severity::Error,
    depth: Some(2),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "OFFSET reads and throws away rows to reach a page",
    condition: "A Limit whose input gave factor times as many rows as the Limit did, and at least min-skipped more. Error from \
        error-skipped rows on, else warning.",
    why: "Page n costs n times page 1: every page before it is read again and thrown away.",
    advice: "Page by key: remember the last row of a page and ask for rows after it.",
    bad: "SELECT * FROM orders ORDER BY id LIMIT 20 OFFSET 100000;",
    good: "SELECT * FROM orders WHERE id > $1 ORDER BY id LIMIT 20;  -- $1: the last id of the page before",
    thresholds: &[MIN_SKIPPED, FACTOR, ERROR_SKIPPED],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, node, metrics) in context
        .executed()
        .filter(|(_, node, _)| node.kind == NodeKind::Limit)
    {
        let Some(input) = context.plan().outer(id) else {
            continue;
        };
        let (Some(given), Some(read)) = (metrics.rows, context.metrics.node(input).rows) else {
            continue;
        };
        let skipped = read - given;
        let loops = node.actual.map_or(1.0, |actual| actual.loops);
        if skipped / loops < context.limit(&MIN_SKIPPED)
            || read < given.max(1.0) * context.limit(&FACTOR)
        {
            continue;
        }
        // What is skipped costs nothing beside the rest of the statement.
        if context.takes_little(input) {
            continue;
        }
        let severity = if skipped / loops >= context.limit(&ERROR_SKIPPED) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let order = sort_key(context.plan(), input);
        let evidence = context
            .evidence(id)
            .with("rows_skipped", Quantity::Rows(skipped))
            .with("rows_given", Quantity::Rows(given));
        let words = Words {
            message: format!("OFFSET throws {} away to give {}", Rows(skipped), Count(given)),
            why: "Page n costs n times page 1, because every page before it is read again.".to_owned(),
            advice: match order {
                Some(key) => format!("Page by key: remember the last row's {key}, ask for rows after it, drop OFFSET."),
                None => {
                    "Page by key: order by a unique key, remember its last value, ask for rows after it, drop OFFSET."
                        .to_owned()
                }
            },
        };
        findings.push(context.finding(
            RuleId::LargeOffset,
            severity,
            context.with_cost(evidence, input),
            words,
        ));
    }
    findings
}

/// The order in which the rows come, where a Sort below makes it.
fn sort_key(plan: &Plan, input: NodeId) -> Option<String> {
    let sort = plan
        .subtree(input)
        .find(|id| !plan.node(*id).sort_key.is_empty())?;
    Some(plan.node(sort).sort_key.join(", "))
}
