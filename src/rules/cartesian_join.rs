//! `cartesian-join`: every row of one side is paired with every row of the other.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::{ExpressionKind, parse};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::schema::QualifiedName;
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
    without_rows: WithoutRows::UnderNotProven,
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
        let together = same_parent(context, outer, inner);
        let sides = match &together {
            Some(siblings) => siblings.relations.clone().map(Some),
            None => [outer, inner].map(|side| first_relation(context, side)),
        };
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
        let words = if let Some(Siblings { parent, .. }) = together {
            Words {
                message: format!(
                    "{} with rows of {left} times {} of {right}, both of the same row of {parent}, make {}",
                    Rows(outer_rows),
                    Rows(inner_rows),
                    Rows(pairs)
                ),
                why: "Two lists of one parent multiply each other: each row of the one comes back with every row of the other."
                    .to_owned(),
                advice: format!(
                    "Ask for {left} and {right} separately, or aggregate one of them by its key before the join (json_agg, array_agg)."
                ),
            }
        } else {
            Words {
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
            }
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

/// Two tables whose rows belong to the same row of a third.
struct Siblings {
    relations: [String; 2],
    parent: String,
}

/// A foreign key's column that is compared with one value: then the planner needs no condition between the tables, and shows none.
struct Pinned {
    relation: String,
    parent: QualifiedName,
    value: String,
    rows: f64,
}

/// Whether both sides have rows of the same parent, by foreign keys to one table that are compared with one value.
fn same_parent(context: &RunContext<'_>, outer: NodeId, inner: NodeId) -> Option<Siblings> {
    let left = pinned(context, outer);
    let right = pinned(context, inner);
    let pairs = left.iter().flat_map(|one| {
        let alike = move |other: &&Pinned| one.parent == other.parent && one.value == other.value;
        right.iter().find(alike).map(|other| (one, other))
    });
    let (one, other) = pairs.max_by(|a, b| a.0.rows.total_cmp(&b.0.rows))?;
    Some(Siblings {
        relations: [one.relation.clone(), other.relation.clone()],
        parent: one.parent.to_string(),
    })
}

fn pinned(context: &RunContext<'_>, side: NodeId) -> Vec<Pinned> {
    let plan = context.plan();
    let mut found = Vec::new();
    for id in plan.subtree(side) {
        let node = plan.node(id);
        let (Some(table), Some(relation)) = (context.table(node), &node.relation) else {
            continue;
        };
        let conditions = &node.conditions;
        let texts = [&conditions.index, &conditions.recheck, &conditions.filter];
        for text in texts.into_iter().flatten() {
            let parsed = parse(text);
            for conjunct in parsed.conjuncts() {
                let compared = conjunct
                    .comparison(&relation.alias)
                    .filter(|compared| compared.operator == "=");
                let Some(compared) = compared else { continue };
                let ExpressionKind::Column { name, .. } = &compared.subject.kind else {
                    continue;
                };
                let is_value = matches!(
                    compared.other.without_casts().kind,
                    ExpressionKind::Constant(Some(_)) | ExpressionKind::Parameter(_)
                );
                let mut keys = table.foreign_keys.iter();
                let key = keys.find(|key| key.columns.len() == 1 && key.columns[0] == *name);
                if let Some(key) = key.filter(|_| is_value) {
                    found.push(Pinned {
                        relation: table.name.to_string(),
                        parent: key.referenced_table.clone(),
                        value: compared.other.text.clone(),
                        rows: node.actual.map_or(0.0, |actual| actual.rows.0),
                    });
                }
            }
        }
    }
    found
}
