//! `timeout`: a query was cancelled before it ended.

use super::context::{RunContext, Words};
use super::{Check, Rule};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, Plan};
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
    let words = Words {
        message: format!("was cancelled after {after} ({})", context.run.label),
        why: "In production it would hold its connection, its snapshot and its locks at least as long.".to_owned(),
        advice: format!(
            "By the planner's estimate the cost is at {label} ({}). Start there, or raise `[audit] timeout` to see what was measured.",
            Rows(node.estimate.rows.0)
        ),
    };
    vec![context.finding(RuleId::Timeout, Severity::Error, evidence, words)]
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
