//! How many rows a statement found: what it returned or changed, and behind an aggregate without groups (which answers
//! even where there is nothing) what it aggregated.

use super::node::{Node, NodeId, NodeKind, Plan};
use super::words::Strategy;

/// Rows that the statement found; `None` where it was not executed, or the plan does not tell.
#[must_use]
pub fn rows_found(plan: &Plan) -> Option<f64> {
    plan.root().actual?;
    let found = found_by(plan, NodeId(0))?;
    // A WITH query that changed rows did its work, whatever the statement made of them.
    let changed = plan
        .ids()
        .filter(|id| id.0 > 0 && plan.node(*id).kind == NodeKind::ModifyTable)
        .filter_map(|id| found_by(plan, id));
    Some(changed.fold(found, f64::max))
}

fn found_by(plan: &Plan, id: NodeId) -> Option<f64> {
    let node = plan.node(id);
    match &node.kind {
        // What was changed came from its input; with RETURNING both are the same.
        NodeKind::ModifyTable => match inserted(node) {
            Some(inserted) => Some(inserted),
            None => found_by_inputs(plan, id).or_else(|| own(node)),
        },
        NodeKind::Aggregate if node.group_key.is_empty() && is_plain(node) => {
            found_by_inputs(plan, id).or_else(|| own(node))
        }
        NodeKind::Result | NodeKind::ProjectSet => match own(node) {
            Some(0.0) => Some(0.0),
            rows => found_by_inputs(plan, id)
                .or_else(|| found_by_subqueries(plan, id))
                .or(rows),
        },
        NodeKind::Append | NodeKind::MergeAppend => found_by_inputs(plan, id).or_else(|| own(node)),
        NodeKind::CteScan => match (own(node), cte_of(plan, node)) {
            (Some(rows), Some(cte)) if rows > 0.0 && node.removed.filter.is_none() => {
                found_by(plan, cte).map(|found| found.min(rows))
            }
            (rows, _) => rows,
        },
        // One row in is one row out: it may be an aggregate's.
        NodeKind::Limit
        | NodeKind::Sort
        | NodeKind::IncrementalSort
        | NodeKind::Gather
        | NodeKind::GatherMerge
        | NodeKind::Materialize
        | NodeKind::Memoize
        | NodeKind::SubqueryScan
        | NodeKind::WindowAgg
        | NodeKind::LockRows
        | NodeKind::Unique => match own(node) {
            Some(0.0) => Some(0.0),
            rows if may_answer(plan, id) => found_by_inputs(plan, id).or(rows),
            // An average over workers prints as 0 where few of them found one.
            rows => rows,
        },
        NodeKind::Aggregate
        | NodeKind::RecursiveUnion
        | NodeKind::BitmapAnd
        | NodeKind::BitmapOr
        | NodeKind::NestedLoop
        | NodeKind::MergeJoin
        | NodeKind::HashJoin
        | NodeKind::SeqScan
        | NodeKind::SampleScan
        | NodeKind::IndexScan
        | NodeKind::IndexOnlyScan
        | NodeKind::BitmapIndexScan
        | NodeKind::BitmapHeapScan
        | NodeKind::TidScan
        | NodeKind::TidRangeScan
        | NodeKind::FunctionScan
        | NodeKind::TableFunctionScan
        | NodeKind::ValuesScan
        | NodeKind::NamedTuplestoreScan
        | NodeKind::WorkTableScan
        | NodeKind::ForeignScan
        | NodeKind::CustomScan
        | NodeKind::Group
        | NodeKind::SetOp
        | NodeKind::Hash
        | NodeKind::Unknown(_) => own(node),
    }
}

/// Whether what answers even where there is nothing stands below.
fn may_answer(plan: &Plan, id: NodeId) -> bool {
    plan.inputs(id).any(|below| {
        let node = plan.node(below);
        matches!(
            node.kind,
            NodeKind::Aggregate
                | NodeKind::Result
                | NodeKind::ProjectSet
                | NodeKind::CteScan
                | NodeKind::ModifyTable
                | NodeKind::Append
                | NodeKind::MergeAppend
        ) || may_answer(plan, below)
    })
}

/// Without groups; grouping sets with an empty set among them are `Mixed`.
fn is_plain(node: &Node) -> bool {
    node.strategy
        .as_ref()
        .is_none_or(|strategy| *strategy == Strategy::Plain)
}

/// `INSERT … ON CONFLICT`: only what was not there already.
fn inserted(node: &Node) -> Option<f64> {
    let count = |key: &str| node.extra.get(key).and_then(serde_json::Value::as_f64);
    let does_nothing = node
        .extra
        .get("Conflict Resolution")
        .and_then(serde_json::Value::as_str)
        == Some("NOTHING");
    count("Tuples Inserted").filter(|_| does_nothing)
}

fn own(node: &Node) -> Option<f64> {
    let actual = node.actual?;
    let rows = actual.rows.0 * actual.loops;
    if rows > 0.0 {
        return Some(rows);
    }
    // Before 18 an average below a half prints as 0; the workers print their own.
    let of_workers = node
        .workers
        .iter()
        .filter_map(|worker| worker.actual)
        .map(|actual| actual.rows.0 * actual.loops);
    Some(of_workers.sum())
}

/// The sum over its inputs; `None` where it has none.
fn found_by_inputs(plan: &Plan, id: NodeId) -> Option<f64> {
    sum(plan, plan.inputs(id))
}

/// `SELECT (SELECT count(*) …)`, `SELECT EXISTS (…)`, `min()` by an index: what the subqueries found.
fn found_by_subqueries(plan: &Plan, id: NodeId) -> Option<f64> {
    let subqueries = plan.node(id).children.iter().copied();
    sum(
        plan,
        subqueries.filter(|child| plan.node(*child).cte().is_none()),
    )
}

fn sum(plan: &Plan, ids: impl Iterator<Item = NodeId>) -> Option<f64> {
    ids.filter_map(|id| found_by(plan, id))
        .fold(None, |sum, found| Some(sum.unwrap_or(0.0) + found))
}

fn cte_of(plan: &Plan, scan: &Node) -> Option<NodeId> {
    let name = scan.cte_name.as_deref()?;
    plan.ids().find(|id| plan.node(*id).cte() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::rows_found;
    use crate::plan::parse;

    /// A node's JSON with what it has below.
    fn node(kind: &str, rows: u32, more: &str, below: &[String]) -> String {
        format!(
            r#"{{"Node Type": "{kind}", "Actual Rows": {rows}, "Actual Loops": 1, "Parent Relationship": "Outer"{more}, "Plans": [{}]}}"#,
            below.join(", ")
        )
    }

    fn found(root: &str) -> Option<f64> {
        let text = format!(r#"[{{"Plan": {root}, "Execution Time": 1.0}}]"#);
        rows_found(&parse::json(&text).unwrap().remove(0))
    }

    const PLAIN: &str = r#", "Strategy": "Plain""#;

    #[test]
    fn an_aggregate_of_nothing_found_nothing() {
        let scan = |rows| node("Seq Scan", rows, "", &[]);
        assert_eq!(found(&node("Aggregate", 1, PLAIN, &[scan(0)])), Some(0.0));
        assert_eq!(found(&node("Aggregate", 1, PLAIN, &[scan(7)])), Some(7.0));
        let grouped = r#", "Strategy": "Hashed", "Group Key": ["a"]"#;
        assert_eq!(
            found(&node("Aggregate", 3, grouped, &[scan(70)])),
            Some(3.0)
        );
        let gathered = node("Gather", 2, "", &[node("Aggregate", 1, PLAIN, &[scan(0)])]);
        assert_eq!(
            found(&node(
                "Limit",
                1,
                "",
                &[node("Aggregate", 1, PLAIN, &[gathered])]
            )),
            Some(0.0)
        );
    }

    /// One row of five workers prints as 0 rows each.
    #[test]
    fn what_is_gathered_was_found() {
        let scan =
            node("Seq Scan", 0, "", &[]).replace("\"Actual Loops\": 1", "\"Actual Loops\": 5");
        assert_eq!(
            found(&node("Gather", 1, "", std::slice::from_ref(&scan))),
            Some(1.0)
        );
        assert_eq!(found(&node("Gather", 0, "", &[scan])), Some(0.0));
    }

    #[test]
    fn a_subquery_in_the_target_list_is_what_was_looked_for() {
        let of = |rows| {
            let scan = node("Index Scan", rows, "", &[])
                .replace("\"Outer\"", r#""InitPlan", "Subplan Name": "InitPlan 1""#);
            found(&node("Result", 1, "", &[scan]))
        };
        assert_eq!((of(0), of(1)), (Some(0.0), Some(1.0)));
        assert_eq!(
            found(&node("Result", 1, "", &[])),
            Some(1.0),
            "SELECT now()"
        );
    }

    #[test]
    fn a_write_found_what_it_changed() {
        let scan = |rows| node("Seq Scan", rows, "", &[]);
        assert_eq!(found(&node("ModifyTable", 0, "", &[scan(2)])), Some(2.0));
        let conflict =
            r#", "Conflict Resolution": "NOTHING", "Tuples Inserted": 0, "Conflicting Tuples": 1"#;
        let row = node("Result", 1, "", &[]);
        assert_eq!(found(&node("ModifyTable", 0, conflict, &[row])), Some(0.0));
    }

    #[test]
    fn an_estimate_found_nothing_that_is_known() {
        assert_eq!(found(r#"{"Node Type": "Seq Scan", "Plan Rows": 5}"#), None);
    }
}
