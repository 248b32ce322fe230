//! `not-proven`: a query met no row of the data, so nothing that was measured of it counts.

use std::collections::BTreeSet;

use super::context::{QueryContext, Words};
use super::{Check, Rule};
use crate::finding::{Evidence, Finding, RuleId, Severity};
use crate::plan::condition::parse;
use crate::plan::{Node, NodeId, Plan};
use crate::run::{Outcome, Run};
use crate::schema::{Table, TableKind};
use crate::sql::null_comparison::null_comparison;

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::NotProven,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    summary: "a query finds no row in this data: neither fine nor slow, its plan proves nothing",
    condition: "The statement ran with every parameter set, and none returned or changed a row. Behind an aggregate without \
                groups, which answers even where there is nothing, the rows that it aggregates count. It stays quiet \
                where one set finds a row, where a set was cancelled at the timeout, and for queries that are only planned.",
    why: "A plan that meets no row does no work: joins never start, sorts have nothing to sort, and an index looks as if \
          it saved everything. In production the rows are there.",
    advice: "Give the data what the query looks for: `values` of the column in a seed spec, or `@param` with a value that \
             occurs. Where production finds nothing either, say so by `@allow not-proven`.",
    bad: "SELECT * FROM jobs WHERE status = 'queud' AND run_at < $1;",
    good: "SELECT * FROM jobs WHERE status = 'queued' AND run_at < $1;",
    thresholds: &[],
    check: Check::Query(check),
};

fn check(context: &QueryContext<'_>) -> Vec<Finding> {
    if !context.runs.found_nothing() {
        return Vec::new();
    }
    let completed = context
        .runs
        .custom_first()
        .filter(|run| matches!(run.outcome, Outcome::Completed { .. }));
    let runs: Vec<&Run> = completed.collect();
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    if let Some(finding) = never_true(context, first) {
        return vec![finding];
    }
    let verb = if context.query.writes {
        "changes"
    } else {
        "returns"
    };
    let tried = match (runs.len(), first.parameters.is_empty()) {
        (_, true) => String::new(),
        (1, false) => " with the values that were tried".to_owned(),
        (number, false) => format!(" with any of {number} parameter sets"),
    };
    let empty = empty_tables(context, first);
    let missing = condition(&first.plan)
        .map(|condition| format!(" {condition}"))
        .unwrap_or_default();
    let evidence = Evidence {
        run: Some(first.id.clone()),
        ..Evidence::default()
    };
    let words = Words {
        message: format!("{verb} no rows on this data{tried}: not proven"),
        why: "A plan that meets no row does no work, so that neither its time nor an index for it says anything of \
              production."
            .to_owned(),
        advice: match empty.as_slice() {
            [] => format!(
                "Give the data what the query looks for: `values` of the column in a seed spec, or `@param` with a value \
                 that occurs.{missing}"
            ),
            [table] => format!("Give {table} rows: it has none."),
            tables => format!("Give {} rows: they have none.", tables.join(" and ")),
        },
    };
    vec![context.finding(RuleId::NotProven, Severity::Warning, evidence, words)]
}

/// Tables of the plan that hold no row at all, as far as the statistics of all their partitions show.
fn empty_tables(context: &QueryContext<'_>, run: &Run) -> Vec<String> {
    let scanned = run.plan.table_scans().filter_map(|(_, node)| {
        let relation = node.relation.as_ref()?;
        let table = context
            .schema
            .table(relation.schema.as_deref(), &relation.name)?;
        Some(context.schema.root_of(table))
    });
    let is_empty = |root: &&Table| {
        let mut storage = context.schema.tables.iter().filter(|table| {
            table.kind == TableKind::Ordinary && context.schema.root_of(table).oid == root.oid
        });
        storage.all(|table| table.stats.rows == Some(0.0))
    };
    let names: BTreeSet<String> = scanned
        .filter(is_empty)
        .map(|table| table.name.to_string())
        .collect();
    names.into_iter().collect()
}

/// A statement without parameters whose condition the planner finds to be true of no row: no data make a difference.
fn never_true(context: &QueryContext<'_>, run: &Run) -> Option<Finding> {
    let is_false = |node: &Node| node.conditions.one_time_filter.as_deref() == Some("false");
    if !run.parameters.is_empty() || !run.plan.nodes.iter().any(is_false) {
        return None;
    }
    let words = match null_comparison(&context.query.sql) {
        Some(comparison) => Words {
            message: format!("its condition is true of no row: {comparison}"),
            why: "A comparison with NULL is neither true nor false, whatever the row holds."
                .to_owned(),
            advice: format!(
                "Write {} IS {}NULL.",
                comparison.split(' ').next().unwrap_or_default(),
                if comparison.contains(" = ") {
                    ""
                } else {
                    "NOT "
                }
            ),
        },
        None => Words {
            message: "its condition is true of no row: the planner reads nothing".to_owned(),
            why: "Its constants, or a constraint of the table, leave nothing that could meet it."
                .to_owned(),
            advice: "Look for conditions that exclude each other.".to_owned(),
        },
    };
    let evidence = Evidence {
        run: Some(run.id.clone()),
        ..Evidence::default()
    };
    Some(context.finding(RuleId::NotProven, Severity::Warning, evidence, words))
}

/// What no row met: the condition of the first scan that ran and gave out nothing.
fn condition(plan: &Plan) -> Option<String> {
    let empty = |actual: crate::plan::Actual| actual.loops > 0.0 && actual.rows.0 == 0.0;
    plan.table_scans()
        .filter(|(_, node)| node.actual.is_some_and(empty))
        .find_map(|(id, node)| {
            let conditions = &node.conditions;
            let condition = conditions
                .filter
                .as_ref()
                .or(conditions.index.as_ref())
                .or(conditions.recheck.as_ref())?;
            let name = &node.relation.as_ref()?.name;
            Some(match parse(condition).has_subplan() {
                true => by_subquery(plan, id, name),
                false => format!("Look at {condition} on {name}."),
            })
        })
}

/// Of a condition that asks a subquery EXPLAIN prints no more than the subquery's number.
fn by_subquery(plan: &Plan, id: NodeId, name: &str) -> String {
    let mut asked: Vec<&str> = plan
        .descendants(id)
        .filter_map(|below| plan.node(below).relation.as_ref())
        .map(|relation| relation.name.as_str())
        .collect();
    asked.sort_unstable();
    asked.dedup();
    match asked.as_slice() {
        [] => format!("No row of {name} passes the condition that asks a subquery."),
        _ => format!(
            "No row of {name} passes the condition that asks {}: give some of its rows a match there, and leave some without one.",
            asked.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse as plans;

    #[test]
    fn a_subquery_is_named_by_its_tables() {
        let text = "Seq Scan on members  (actual time=9.0..9.0 rows=0 loops=1)\n  Filter: (NOT (hashed SubPlan 1))\n\
            \x20 Rows Removed by Filter: 800\n  SubPlan 1\n\
            \x20   ->  Seq Scan on loans  (actual time=0.1..4.0 rows=9000 loops=1)\nExecution Time: 9.2 ms\n";
        let plan = plans::any(text).unwrap().remove(0);
        assert_eq!(
            condition(&plan).as_deref(),
            Some(
                "No row of members passes the condition that asks loans: give some of its rows a match there, and leave some without one."
            )
        );
    }

    #[test]
    fn a_plain_condition_is_shown() {
        let text = "Seq Scan on loans  (actual time=9.0..9.0 rows=0 loops=1)\n  Filter: (branch = 400)\n\
            \x20 Rows Removed by Filter: 800\nExecution Time: 9.2 ms\n";
        let plan = plans::any(text).unwrap().remove(0);
        assert_eq!(
            condition(&plan).as_deref(),
            Some("Look at (branch = 400) on loans.")
        );
    }
}
