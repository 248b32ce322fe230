//! `timeout`: a query was cancelled before it ended.

use super::context::{RunContext, Words};
use super::{Check, Rule};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, NodeKind, Operation, Plan, Relationship};
use crate::run::Outcome;
use crate::units::Rows;

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::Timeout,
    severity: Severity::Error,
    depth: Some(10),
    is_work_of_each_call: false,
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
        message: format!("was cancelled after {after} ({})", context.run.id),
        why: "In production it would hold its connection, its snapshot and its locks at least as long.".to_owned(),
        advice: match repeated {
            Some(subplan) => repeated_in_words(plan, subplan),
            None if !searched_by_checks(context).is_empty() => checks_in_words(context),
            None => format!(
                "By the planner's estimate the cost is at {label} ({}). Start there, or raise `[audit] timeout` to see what was measured.",
                Rows(node.estimate.rows.0)
            ),
        },
    };
    vec![context.finding(RuleId::Timeout, Severity::Error, evidence, words)]
}

/// Deleting what is planned for less is not what takes so long: the checks of foreign keys are, and no plan shows them.
const CHEAP: f64 = 10_000.0;

/// `table (columns)` of every foreign key without index that a deleted row is searched by, further tables that the delete
/// cascades to included.
fn searched_by_checks(context: &RunContext<'_>) -> Vec<String> {
    let Some(schema) = context.schema else {
        return Vec::new();
    };
    let plan = context.plan();
    if plan.root().estimate.total_cost > CHEAP {
        return Vec::new();
    }
    let deletes = plan.nodes.iter().filter(|node| {
        node.kind == NodeKind::ModifyTable && node.operation == Some(Operation::Delete)
    });
    let mut reached: Vec<u32> = deletes
        .filter_map(|node| context.table(node))
        .map(|table| schema.root_of(table).oid)
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(parent) = reached.get(at).copied() {
        at += 1;
        for table in schema
            .tables
            .iter()
            .filter(|table| table.partition_of.is_none())
        {
            for key in table
                .foreign_keys
                .iter()
                .filter(|key| key.references == parent)
            {
                let has_rows = table.stats.pages.0 > 0 || table.partition_key.is_some();
                if has_rows && !table.finds_by(&key.columns) {
                    found.push(format!("{} ({})", table.name, key.columns.join(", ")));
                }
                if key.definition.contains("ON DELETE CASCADE") && !reached.contains(&table.oid) {
                    reached.push(table.oid);
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

fn checks_in_words(context: &RunContext<'_>) -> String {
    const SHOWN: usize = 5;
    let all = searched_by_checks(context);
    let mut shown = all[..all.len().min(SHOWN)].join(", ");
    if all.len() > SHOWN {
        shown.push_str(&format!(" and {} more", all.len() - SHOWN));
    }
    format!(
        "Its plan is cheap (estimated cost {:.0}): what takes long are checks of foreign keys. For each deleted row these are read \
         whole, for want of an index: {shown}. Create an index on each of these columns.",
        context.plan().root().estimate.total_cost
    )
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
