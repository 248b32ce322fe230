//! `lossy-bitmap`: a bitmap did not fit in work_mem and forgot which rows it meant.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::Total;
use crate::units::{Bytes, Count, Pages};

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::LossyBitmap,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.05,
    about: "share of the query's work below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::LossyBitmap,
    severity: Severity::Warning,
    depth: Some(5),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a bitmap does not fit in work_mem and remembers only pages",
    condition: "A Bitmap Heap Scan with `Lossy Heap Blocks`, doing min-share of the query's work.",
    why: "Of a lossy page every row is fetched and tested again.",
    advice: "Raise work_mem for this query, or find fewer rows with a better index.",
    bad: "SET work_mem = '64kB'; SELECT * FROM orders WHERE customer_id < 20000;",
    good: "SET work_mem = '4MB';  SELECT * FROM orders WHERE customer_id < 20000;",
    thresholds: &[MIN_SHARE],
    check: Check::Run(check),
};

/// Bytes of a page's entry in a bitmap (`PagetableEntry`, tidbitmap.c) with its share of the hash table.
const ENTRY_BYTES: u64 = 96;

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, node, _) in context.executed() {
        let Some(Total(lossy)) = node.lossy_heap_blocks.filter(|blocks| blocks.0 > 0) else {
            continue;
        };
        if context
            .metrics
            .share(id)
            .is_none_or(|share| share < context.limit(&MIN_SHARE))
        {
            continue;
        }
        let exact = node.exact_heap_blocks.map_or(0, |blocks| blocks.0);
        let needed = Bytes(
            lossy
                .saturating_add(exact)
                .saturating_mul(ENTRY_BYTES)
                .div_ceil(1 << 20)
                << 20,
        );
        let rechecked = node.removed.index_recheck.map_or(0.0, |rows| {
            rows.0 * node.actual.map_or(1.0, |actual| actual.loops)
        });
        let mut evidence = context.evidence(id);
        evidence.condition.clone_from(&node.conditions.recheck);
        let evidence = evidence
            .with("lossy_pages", Quantity::Pages(Pages(lossy)))
            .with("exact_pages", Quantity::Pages(Pages(exact)))
            .with("rows_rechecked_in_vain", Quantity::Rows(rechecked))
            .with("work_mem_bytes", Quantity::Bytes(needed));
        let words = Words {
            message: format!(
                "the bitmap was too large for work_mem: of {} every row was tested again, {} in vain",
                Pages(lossy),
                Count(rechecked)
            ),
            why: "A lossy page costs its fetch and a test of all its rows, wanted or not."
                .to_owned(),
            advice: format!(
                "About {needed} of work_mem keeps this bitmap exact; an index that finds fewer rows is better still."
            ),
        };
        findings.push(context.finding(
            RuleId::LossyBitmap,
            Severity::Warning,
            context.with_cost(evidence, id),
            words,
        ));
    }
    findings
}
