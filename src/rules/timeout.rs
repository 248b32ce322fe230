//! `timeout`: a query was cancelled before it ended.

use super::context::{RunContext, Words};
use super::{Check, Rule};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, Plan, Relationship};
use crate::run::Outcome;
use crate::units::Rows;

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::Timeout,
    severity: Severity::Error,
    summary: "a query did not end within the audit's timeout",
    condition: "The statement was cancelled at `[audit] timeout`. A cancelled statement gives no measured plan: the node that is \
        named is the one that the planner expects to cost most.",
    why: "In production it would hold its connection, its snapshot and its locks at least as long.",
    advice: "Look at the node with the highest estimated cost; give the audit more time to see the real one.",
    bad: "SELECT * FROM orders o, order_items i WHERE o.note = i.note;",
    good: "SELECT * FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.id = $1;",
    thresholds: &[],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let Outcome::TimedOut { after } = context.run.outcome else {
        return Vec::new();
    };
    let plan = context.plan();
    let costliest = costliest(plan);
    let node = plan.node(costliest);
    let label = crate::plan::label(node);
    let mut evidence = context.evidence(costliest);
    evidence.condition = None;
    evidence.relation = None;
    let evidence = evidence
        .with("timeout_ms", Quantity::Millis(after))
        .with("estimated_rows", Quantity::Rows(node.estimate.rows.0))
        .with(
            "estimated_cost",
            Quantity::Count(plan.root().estimate.total_cost as u64),
        );
    let repeated = plan.ids().find(|id| {
        let node = plan.node(*id);
        node.relationship == Some(Relationship::SubPlan)
            && !is_hashed(plan, *id)
            && node.estimate.total_cost > SMALL
    });
    let words = Words {
        message: format!("was cancelled after {after} ({})", context.run.label),
        why: "In production it would hold its connection, its snapshot and its locks at least as long.".to_owned(),
        advice: match repeated {
            Some(subplan) => repeated_in_words(plan, subplan),
            None => format!(
                "By the planner's estimate the cost is at {label} ({}). Start there, or raise `[audit] timeout` to see what was measured.",
                Rows(node.estimate.rows.0)
            ),
        },
    };
    vec![context.finding(RuleId::Timeout, Severity::Error, evidence, words)]
}

/// A subquery of less estimated cost may run for every row.
const SMALL: f64 = 100.0;

/// Whether the node above keeps a subquery's rows in a hash table, and so runs it once.
fn is_hashed(plan: &Plan, subplan: NodeId) -> bool {
    let node = plan.node(subplan);
    let (Some(name), Some(parent)) = (&node.subplan_name, node.parent) else {
        return false;
    };
    let host = plan.node(parent);
    let hashed = format!("hashed {name}");
    let conditions = [&host.conditions.filter, &host.conditions.join_filter];
    conditions
        .into_iter()
        .flatten()
        .chain(&host.output)
        .any(|text| text.contains(&hashed))
}

/// `NOT IN (SELECT …)` is the usual one: its list is read again for every row where it does not fit in memory.
fn repeated_in_words(plan: &Plan, subplan: NodeId) -> String {
    let node = plan.node(subplan);
    let host = node.parent.map(|parent| plan.node(parent));
    let rows = host.map_or(0.0, |host| host.estimate.rows.0);
    let reads = plan
        .subtree(subplan)
        .map(|id| plan.node(id))
        .find(|below| below.kind.scans_table())
        .map_or_else(|| "a subquery".to_owned(), crate::plan::label);
    let negated = host
        .and_then(|host| host.conditions.filter.as_deref())
        .is_some_and(|filter| filter.contains("NOT (SubPlan") || filter.contains("<> ALL"));
    let remedy = if negated {
        "NOT IN (SELECT …) is no join, and its list is larger than work_mem: write NOT EXISTS."
    } else {
        "Join what it selects (GROUP BY in a subquery, or LATERAL), so that it is read once."
    };
    format!(
        "{reads} is read again for each of {} or more of {}. {remedy}",
        Rows(rows),
        host.map_or_else(String::new, crate::plan::label)
    )
}

/// The node whose own estimated cost is highest.
fn costliest(plan: &Plan) -> NodeId {
    let own = |id: &NodeId| {
        let below: f64 = plan
            .inputs(*id)
            .map(|input| plan.node(input).estimate.total_cost)
            .sum();
        plan.node(*id).estimate.total_cost - below
    };
    plan.ids()
        .max_by(|a, b| own(a).total_cmp(&own(b)))
        .unwrap_or(NodeId(0))
}
