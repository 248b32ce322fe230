//! `cartesian-join`: every row of one side is paired with every row of the other.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::parse;
use crate::plan::{NodeId, NodeKind, Plan};
use crate::units::{Count, Rows};

const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::CartesianJoin,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "pairs below which it does not matter",
};
const ERROR_ROWS: Threshold = Threshold {
    rule: RuleId::CartesianJoin,
    key: "error-rows",
    unit: ThresholdUnit::Rows,
    default: 1_000_000.0,
    about: "pairs from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::CartesianJoin,
    severity: Severity::Error,
    depth: Some(2),
    is_work_of_each_call: true,
    summary: "every row of one side is paired with every row of the other",
    condition: "A Nested Loop without a join condition whose inner side does not depend on the outer row, with more than one row on each \
        side and min-rows pairs. Error from error-rows on, else warning.",
    why: "The result is the product of both sides: double both and it is four times as large.",
    advice: "Write the join condition. Where the product is wanted, build it once.",
    bad: "SELECT * FROM orders o, customers c WHERE o.status = 'open';",
    good: "SELECT * FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'open';",
    thresholds: &[MIN_ROWS, ERROR_ROWS],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let mut findings = Vec::new();
    for (id, node, metrics) in context
        .executed()
        .filter(|(_, node, _)| node.kind == NodeKind::NestedLoop)
    {
        let (Some(outer), Some(inner)) = (plan.outer(id), plan.inner(id)) else {
            continue;
        };
        let (Some(pairs), Some(outer_rows)) = (metrics.rows, context.metrics.node(outer).rows)
        else {
            continue;
        };
        let inner_rows = plan.node(inner).actual.map_or(0.0, |actual| actual.rows.0);
        let product = node.conditions.join_filter.is_none() && !depends_on_others(plan, inner);
        if !product || outer_rows <= 1.0 || inner_rows <= 1.0 || pairs < context.limit(&MIN_ROWS) {
            continue;
        }
        let severity = if pairs >= context.limit(&ERROR_ROWS) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let sides = [outer, inner].map(|side| first_relation(context, side));
        let mut evidence = context.evidence(id);
        evidence.relation = sides[1].clone();
        evidence.condition = Some(
            sides
                .iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(" x "),
        );
        let evidence = evidence
            .with("pairs", Quantity::Rows(pairs))
            .with("outer_rows", Quantity::Rows(outer_rows))
            .with("inner_rows", Quantity::Rows(inner_rows));
        let [left, right] = sides.map(|side| side.unwrap_or_else(|| "a subquery".to_owned()));
        let words = Words {
            message: format!(
                "{} from {left} times {} from {right} make {} pairs: no condition joins them",
                Rows(outer_rows),
                Rows(inner_rows),
                Count(pairs)
            ),
            why: "The result is the product of both sides: double both and it is four times as large.".to_owned(),
            advice: format!(
                "Write the condition that joins {left} with {right}; where the product is wanted, bound both sides."
            ),
        };
        findings.push(context.finding(
            RuleId::CartesianJoin,
            severity,
            context.with_cost(evidence, id),
            words,
        ));
    }
    findings
}

/// Whether a condition below names a relation from outside: then the inner side is looked up by the outer row.
fn depends_on_others(plan: &Plan, inner: NodeId) -> bool {
    let own: Vec<&str> = plan
        .subtree(inner)
        .filter_map(|id| Some(plan.node(id).relation.as_ref()?.alias.as_str()))
        .collect();
    plan.subtree(inner).any(|id| {
        let node = plan.node(id);
        let conditions = &node.conditions;
        let texts = [
            &conditions.index,
            &conditions.filter,
            &conditions.join_filter,
            &conditions.hash,
            &conditions.merge,
            &conditions.tid,
            &conditions.cache_key,
            &conditions.one_time_filter,
        ];
        let from_outside = |text: &String| {
            parse(text)
                .columns()
                .iter()
                .any(|(qualifier, _)| qualifier.is_some_and(|name| !own.contains(&name)))
        };
        let called = node
            .extra
            .get("Function Call")
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned);
        texts
            .into_iter()
            .flatten()
            .chain(called.as_ref())
            .any(from_outside)
            || node.kind == NodeKind::Memoize
    })
}

fn first_relation(context: &RunContext<'_>, side: NodeId) -> Option<String> {
    context
        .plan()
        .subtree(side)
        .find_map(|id| context.relation_name(context.plan().node(id)))
}
