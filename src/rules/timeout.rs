//! `timeout`: a query was cancelled before it ended.

use super::context::{RunContext, Words};
use super::{Check, Rule, WithoutRows, subplans};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::{self, ExpressionKind};
use crate::plan::runs::{expected_runs, is_hashed};
use crate::plan::{JoinType, NodeId, NodeKind, Plan, Relationship};
use crate::run::Outcome;
use crate::units::{Count, Rows};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::Timeout,
    severity: Severity::Error,
    depth: Some(10),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
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
    let (costliest, loops) = costliest(plan);
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
            None if changes(plan) >= MANY_ROWS => format!(
                "It is expected to change {} in one statement: change them in batches by key, each with a COMMIT of its own, outside the \
                 request.",
                Rows(changes(plan))
            ),
            None if has_anti_join_by_or(plan) => format!(
                "NOT EXISTS has an OR in its condition, which no join can be made by: {label} runs {} times. Write one NOT EXISTS for each \
                 side of the OR, joined by AND: the same rows, each an anti join.",
                Count(loops)
            ),
            None if loops > 1.0 => format!(
                "By the planner's estimate the cost is at {label}, which runs {} times for {} each. Let an index find these rows at once, or \
                 join so that it is read once; raise `[audit] timeout` to see what was measured.",
                Count(loops),
                Rows(node.estimate.rows.0)
            ),
            None if returned(plan) >= MANY_RETURNED => format!(
                "It is expected to return {} and has no LIMIT: page through them by key, or return fewer of them. The cost is at {label}.",
                Rows(returned(plan))
            ),
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
    let checks = schema.unserved_checks(schema.deleted_from(plan));
    let mut found: Vec<String> = checks
        .into_iter()
        .map(|(table, key)| format!("{} ({})", table.name, key.columns.join(", ")))
        .collect();
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

/// A write of as many rows is a batch job, whatever its plan.
const MANY_ROWS: f64 = 100_000.0;

/// Whether rows without a counterpart are looked for by an OR, so that each is compared with every row of the other side.
fn has_anti_join_by_or(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| {
        let filter = node.conditions.join_filter.as_deref().map(condition::parse);
        node.kind == NodeKind::NestedLoop
            && node.join_type == Some(JoinType::Anti)
            && filter.is_some_and(|filter| matches!(filter.kind, ExpressionKind::Or(_)))
    })
}

/// Nobody reads as many rows of one answer: where nothing runs again and again, they are what takes the time.
const MANY_RETURNED: f64 = 50_000.0;

/// The rows that a statement is expected to return.
fn returned(plan: &Plan) -> f64 {
    plan.root().estimate.rows.0
}

/// The rows that a statement is expected to change: a node that writes is planned to return none of them.
fn changes(plan: &Plan) -> f64 {
    let root = plan
        .ids()
        .find(|id| plan.node(*id).kind == NodeKind::ModifyTable);
    let input = root.and_then(|root| plan.outer(root));
    input.map_or(0.0, |input| plan.node(input).estimate.rows.0)
}

/// A subquery of less estimated cost may run for every row.
const SMALL: f64 = 100.0;

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
    let remedy = subplans::remedy(plan, subplan);
    format!(
        "{reads} is read again for each of {} or more of {}. {remedy}",
        Rows(rows),
        host.map_or_else(String::new, crate::plan::label)
    )
}

/// The node whose own estimated cost, over all the times that it runs, is highest. With how often that is.
fn costliest(plan: &Plan) -> (NodeId, f64) {
    let loops = expected_runs(plan);
    let total = |id: NodeId| plan.node(id).estimate.total_cost;
    let own = |id: NodeId| {
        let node = plan.node(id);
        let inner = plan.inner(id).filter(|_| node.kind == NodeKind::NestedLoop);
        let below = |child: &NodeId| match plan.node(*child).relationship {
            // Part of what the condition costs that asks it.
            Some(Relationship::SubPlan) => 0.0,
            _ if inner == Some(*child) => {
                let outer = plan.outer(id).map(|outer| plan.node(outer));
                total(*child) * outer.map_or(1.0, |outer| outer.estimate.rows.0.max(1.0))
            }
            _ => total(*child),
        };
        let below: f64 = node.children.iter().map(below).sum();
        (total(id) - below).max(0.0) * loops.get(id.0).copied().unwrap_or(1.0)
    };
    let found = plan
        .ids()
        .max_by(|a, b| own(*a).total_cmp(&own(*b)))
        .unwrap_or(NodeId(0));
    (found, loops.get(found.0).copied().unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    #[test]
    fn an_or_is_told_where_rows_without_a_counterpart_are_looked_for() {
        let plan = |filter: &str| {
            let text = format!(
                "Nested Loop Anti Join  (cost=0.00..9000000.00 rows=1 width=8)\n  Join Filter: {filter}\n  ->  Seq Scan on hulls h  \
                 (cost=0.00..600.00 rows=30000 width=8)\n  ->  Materialize  (cost=0.00..700.00 rows=20000 width=16)\n        ->  Seq \
                 Scan on refits r  (cost=0.00..600.00 rows=20000 width=16)\n"
            );
            parse::any(&text).unwrap().remove(0)
        };
        assert!(has_anti_join_by_or(&plan(
            "((r.keel = h.keel) OR (r.former_keel = h.keel))"
        )));
        assert!(!has_anti_join_by_or(&plan("(r.built > h.built)")));
    }

    #[test]
    fn what_runs_again_and_again_costs_so_many_times() {
        let text = "\
Update on jobs  (cost=5500000.00..5600000.00 rows=300 width=8)
  CTE due
    ->  Nested Loop  (cost=0.00..5350000.00 rows=215000 width=8)
          ->  Seq Scan on versions  (cost=0.00..20000.00 rows=36000 width=8)
          ->  Index Scan using plans_version on plans  (cost=0.30..148.00 rows=9 width=8)
                Index Cond: (version_id = versions.id)
  ->  Hash Join  (cost=9000.00..90000.00 rows=300 width=8)
        Hash Cond: (jobs.id = due.id)
        ->  Seq Scan on jobs  (cost=0.00..48000.00 rows=970000 width=8)
        ->  Hash  (cost=6000.00..6000.00 rows=300 width=8)
              ->  CTE Scan on due  (cost=0.00..6000.00 rows=300 width=8)
";
        let plan = parse::any(text).unwrap().remove(0);
        let (id, loops) = costliest(&plan);
        assert_eq!(
            (crate::plan::label(plan.node(id)), loops),
            (
                "Index Scan using plans_version on plans".to_owned(),
                36_000.0
            )
        );
    }
}
