//! `memoize-misses`: a cache of look-ups that hardly ever finds what is asked for.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{Node, NodeId};
use crate::units::Count;

const MAX_HITS: Threshold = Threshold {
    rule: RuleId::MemoizeMisses,
    key: "max-hits",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the look-ups that the cache answers, above which it is worth its keep",
};
const MIN_LOOKUPS: Threshold = Threshold {
    rule: RuleId::MemoizeMisses,
    key: "min-lookups",
    unit: ThresholdUnit::Count,
    default: 5_000.0,
    about: "look-ups below which it does not matter",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::MemoizeMisses,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the query's work, what lies below included, below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::MemoizeMisses,
    severity: Severity::Warning,
    depth: Some(5),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a cache of look-ups hardly ever finds what is asked for",
    condition: "A Memoize of min-lookups or more that answered at most max-hits of them, with min-share of the query's work.",
    why: "The planner expected few different keys, and took a nested loop because most look-ups would cost nothing. All of them \
        cost, and the cache on top.",
    advice: "Correct the number of different values that the planner knows; where keys are evicted, give the cache more memory.",
    bad: "ALTER TABLE orders ALTER customer_id SET (n_distinct = 10);  -- there are 40,000",
    good: "ALTER TABLE orders ALTER customer_id SET (n_distinct = -0.2); ANALYZE orders;",
    thresholds: &[MAX_HITS, MIN_LOOKUPS, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter_map(|(id, node, _)| judge(context, id, node))
        .collect()
}

fn judge(context: &RunContext<'_>, id: NodeId, node: &Node) -> Option<Finding> {
    let cache = node.memoize?;
    let (hits, misses) = (cache.hits? as f64, cache.misses? as f64);
    let lookups = hits + misses;
    if lookups < context.limit(&MIN_LOOKUPS)
        || hits > lookups * context.limit(&MAX_HITS)
        || context.metrics.inclusive_share(id)? < context.limit(&MIN_SHARE)
    {
        return None;
    }
    let plan = context.plan();
    let scan = plan
        .subtree(id)
        .find(|below| plan.node(*below).kind.scans_table());
    let mut evidence = context.evidence(id);
    evidence.relation = scan.and_then(|scan| context.relation_name(plan.node(scan)));
    evidence.condition = scan.and_then(|scan| plan.node(scan).conditions.index.clone());
    let evidence = evidence
        .with("cache_hits", Quantity::Count(hits as u64))
        .with("cache_misses", Quantity::Count(misses as u64));
    let evicted = cache.evictions.is_some_and(|evictions| evictions > 0);
    let memory = cache
        .peak_memory
        .map_or_else(String::new, |bytes| format!(" of {bytes}"));
    let words = Words {
        message: format!("the cache{memory} answers {} of {} look-ups", Count(hits), Count(lookups)),
        why: "A nested loop was taken because the planner expected few different keys. Every look-up is made, and kept for nothing."
            .to_owned(),
        advice: if evicted {
            "Keys are thrown out before they come again: where they do come again, raise work_mem (times hash_mem_multiplier) for \
             this query. Where each comes once, tell the planner: ANALYZE, or ALTER COLUMN … SET (n_distinct = …)."
                .to_owned()
        } else {
            "Nearly every key comes once. Tell the planner: ANALYZE, or ALTER COLUMN … SET (n_distinct = …) on the column that is \
             looked up."
                .to_owned()
        },
    };
    Some(context.finding(
        RuleId::MemoizeMisses,
        Severity::Warning,
        context.with_cost(evidence, id),
        words,
    ))
}
