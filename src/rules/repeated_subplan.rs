//! `repeated-subplan`: a subquery is run once for every row.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows, subplans};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, Relationship, label};
use crate::units::Count;

const MIN_LOOPS: Threshold = Threshold {
    rule: RuleId::RepeatedSubplan,
    key: "min-loops",
    unit: ThresholdUnit::Count,
    default: 1000.0,
    about: "executions below which it does not matter",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::RepeatedSubplan,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the query's work below which it does not matter",
};
const ERROR_PAGES: Threshold = Threshold {
    rule: RuleId::RepeatedSubplan,
    key: "error-pages",
    unit: ThresholdUnit::Pages,
    default: 50_000.0,
    about: "pages that all executions touch from which it is an error",
};

const MIN_TIME: Threshold = Threshold {
    rule: RuleId::RepeatedSubplan,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 1_000.0,
    about: "time of all executions from which fewer than min-loops matter too, where it is most of the query's",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::RepeatedSubplan,
    severity: Severity::Error,
    depth: Some(2),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a subquery is run once for every row",
    condition: "A SubPlan that is not hashed, with min-loops executions or more, or with several that take min-time and most of \
        the query's time, doing min-share of the query's work. Error from error-pages touched on, else warning.",
    why: "It is an N+1 inside the database: the planner cannot turn it into a join.",
    advice: "Join an aggregate instead, or use LATERAL with an index on the correlated column; write NOT EXISTS for NOT IN.",
    bad: "SELECT p.*, (SELECT count(*) FROM order_items i WHERE i.product_id = p.id) FROM products p;",
    good: "SELECT p.*, n FROM products p LEFT JOIN (SELECT product_id, count(*) n FROM order_items GROUP BY 1) i ON i.product_id = p.id;",
    thresholds: &[MIN_LOOPS, MIN_SHARE, ERROR_PAGES, MIN_TIME],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let subplans = context
        .executed()
        .filter(|(_, node, _)| node.relationship == Some(Relationship::SubPlan));
    subplans
        .filter(|(id, _, _)| {
            !plan
                .ancestors(*id)
                .any(|above| plan.node(above).relationship == Some(Relationship::SubPlan))
        })
        .filter_map(|(id, _, _)| judge(context, id))
        .collect()
}

/// Few executions that are long: what is paid for each row is the same fault.
fn takes_most_of_the_time(context: &RunContext<'_>, id: NodeId, loops: f64) -> bool {
    /// Below this the subquery is run for a handful of rows.
    const SEVERAL: f64 = 10.0;
    let time = context.metrics.node(id).inclusive;
    loops >= SEVERAL
        && time.is_some_and(|time| time.0 >= context.limit(&MIN_TIME))
        && context
            .metrics
            .inclusive_time_share(id)
            .is_some_and(|share| share > 0.5)
}

fn judge(context: &RunContext<'_>, id: NodeId) -> Option<Finding> {
    let plan = context.plan();
    let node = plan.node(id);
    // A hashed SubPlan runs once.
    let loops = node.actual?.loops;
    let is_often = loops >= context.limit(&MIN_LOOPS);
    if !(is_often || takes_most_of_the_time(context, id, loops))
        || context.metrics.inclusive_share(id)? < context.limit(&MIN_SHARE)
    {
        return None;
    }
    let metrics = context.metrics.node(id);
    let pages = metrics.inclusive_blocks;
    let large = pages.is_some_and(|pages| pages.0 as f64 >= context.limit(&ERROR_PAGES));
    let severity = if large {
        Severity::Error
    } else {
        Severity::Warning
    };
    let name = node
        .subplan_name
        .clone()
        .unwrap_or_else(|| "a subquery".to_owned());
    let scan = plan
        .subtree(id)
        .find(|below| plan.node(*below).kind.scans_table());
    let host = node
        .parent
        .map(|parent| label(plan.node(parent)))
        .unwrap_or_default();
    let mut evidence = context.evidence(id);
    evidence.relation = scan.and_then(|scan| context.relation_name(plan.node(scan)));
    evidence.condition = scan.and_then(|scan| {
        let conditions = &plan.node(scan).conditions;
        conditions
            .index
            .clone()
            .or_else(|| conditions.recheck.clone())
            .or_else(|| conditions.filter.clone())
    });
    let mut evidence = evidence.with("loops", Quantity::Count(loops as u64));
    let mut message = format!(
        "{name} is run {} times, once for each row of {host}",
        Count(loops)
    );
    if let Some(pages) = pages {
        message.push_str(&format!(", {pages} in all"));
        evidence = evidence.with("pages", Quantity::Pages(pages));
    }
    if let (Some(time), Some(total)) = (metrics.inclusive, context.metrics.total) {
        message.push_str(&format!(", {time} of {total}"));
        evidence = evidence
            .with("time_ms", Quantity::Millis(time))
            .with("query_time_ms", Quantity::Millis(total));
    }
    let words = Words {
        message,
        why: "It is an N+1 inside the database: each row pays for a subquery of its own, and the planner cannot make it a join.".to_owned(),
        advice: subplans::remedy(plan, id).to_owned(),
    };
    Some(context.finding(RuleId::RepeatedSubplan, severity, evidence, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn findings(loops: u32, per_loop_ms: f64) -> Vec<Finding> {
        let all = f64::from(loops) * per_loop_ms;
        let text = format!(
            "Seq Scan on shops s  (actual time=1.0..{:.3} rows={loops} loops=1)\n  SubPlan 1\n    ->  Index Scan using visits_shop on \
             visits v  (actual time=0.1..{per_loop_ms:.3} rows=900 loops={loops})\n          Index Cond: (shop_id = s.id)\n",
            all + 20.0
        );
        given_plan::findings(check, &text)
    }

    #[test]
    fn few_executions_count_where_they_take_the_time() {
        assert_eq!(findings(400, 50.0).len(), 1, "20 s in 400 executions");
        assert_eq!(findings(400, 0.1).len(), 0, "40 ms in 400 executions");
        assert_eq!(findings(2, 900.0).len(), 0, "two rows");
        assert_eq!(findings(1_500, 0.1).len(), 1, "many executions");
    }
}
