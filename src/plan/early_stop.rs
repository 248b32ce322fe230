//! Which nodes may have been left before their last row: their counts say how far somebody read, not how much there is.

use std::collections::HashMap;

use super::node::{JoinType, Node, NodeId, NodeKind, Plan, Relationship};
use super::words::Strategy;

/// For every node, whether something above it may have stopped reading early.
pub(super) fn may_have_stopped(plan: &Plan) -> Vec<bool> {
    let mut stopped = vec![false; plan.nodes.len()];
    mark(plan, &mut stopped);
    // A CTE stands before its readers in preorder: what they do is known only now.
    let mut readers: HashMap<&str, Vec<NodeId>> = HashMap::new();
    for id in plan.ids() {
        if let Some(name) = plan.node(id).cte_name.as_deref() {
            readers.entry(name).or_default().push(id);
        }
    }
    for id in plan.ids() {
        let Some(name) = plan.node(id).cte() else {
            continue;
        };
        let of_cte = readers.get(name).map_or(&[][..], Vec::as_slice);
        stopped[id.0] = !of_cte.is_empty() && of_cte.iter().all(|reader| stopped[reader.0]);
    }
    mark(plan, &mut stopped);
    stopped
}

/// Top down; CTEs keep what they have.
fn mark(plan: &Plan, stopped: &mut [bool]) {
    for id in plan.ids() {
        let node = plan.node(id);
        let Some(parent) = node.parent else { continue };
        if node.cte().is_some() {
            continue;
        }
        stopped[id.0] = if node.is_subplan() {
            stops_after_a_row(plan.node(parent), node)
        } else {
            input_stops(plan, plan.node(parent), stopped[parent.0], node)
        };
    }
}

/// EXISTS and scalar subqueries read one row; a hashed SubPlan reads all.
fn stops_after_a_row(parent: &Node, node: &Node) -> bool {
    let hashed = node.subplan_name.as_deref().is_some_and(|name| {
        let text = format!("hashed {name}");
        let conditions = &parent.conditions;
        [
            &conditions.filter,
            &conditions.join_filter,
            &conditions.one_time_filter,
        ]
        .into_iter()
        .flatten()
        .chain(&parent.output)
        .any(|expression| expression.contains(&text))
    });
    !hashed && node.actual.is_none_or(|actual| actual.rows.0 <= 1.0)
}

/// Whether `input` may be cut short by `parent`, which itself may be (`parent_stops`).
fn input_stops(plan: &Plan, parent: &Node, parent_stops: bool, input: &Node) -> bool {
    let is_inner = input.relationship == Some(Relationship::Inner);
    match &parent.kind {
        NodeKind::Limit => parent_stops || reached(parent),
        // The side that ends first ends the join.
        NodeKind::MergeJoin => true,
        NodeKind::NestedLoop if is_inner => {
            let first_match_is_enough =
                matches!(parent.join_type, Some(JoinType::Semi | JoinType::Anti))
                    || parent.inner_unique == Some(true);
            // Where the join is left early, only its last loop is cut.
            first_match_is_enough
                || (parent_stops && input.actual.is_none_or(|actual| actual.loops < 2.0))
        }
        NodeKind::HashJoin if is_inner => false,
        NodeKind::HashJoin => parent_stops || hash_is_empty(plan, parent),
        // These read all before they give out the first row.
        NodeKind::Sort
        | NodeKind::Hash
        | NodeKind::BitmapHeapScan
        | NodeKind::BitmapAnd
        | NodeKind::BitmapOr => false,
        NodeKind::ModifyTable => false,
        NodeKind::Aggregate | NodeKind::SetOp => {
            parent.strategy == Some(Strategy::Sorted) && parent_stops
        }
        NodeKind::WindowAgg => parent_stops || parent.conditions.run_condition.is_some(),
        NodeKind::NestedLoop
        | NodeKind::Result
        | NodeKind::ProjectSet
        | NodeKind::Append
        | NodeKind::MergeAppend
        | NodeKind::RecursiveUnion
        | NodeKind::SeqScan
        | NodeKind::SampleScan
        | NodeKind::Gather
        | NodeKind::GatherMerge
        | NodeKind::IndexScan
        | NodeKind::IndexOnlyScan
        | NodeKind::BitmapIndexScan
        | NodeKind::TidScan
        | NodeKind::TidRangeScan
        | NodeKind::SubqueryScan
        | NodeKind::FunctionScan
        | NodeKind::TableFunctionScan
        | NodeKind::ValuesScan
        | NodeKind::CteScan
        | NodeKind::NamedTuplestoreScan
        | NodeKind::WorkTableScan
        | NodeKind::ForeignScan
        | NodeKind::CustomScan
        | NodeKind::Materialize
        | NodeKind::Memoize
        | NodeKind::IncrementalSort
        | NodeKind::Group
        | NodeKind::Unique
        | NodeKind::LockRows
        | NodeKind::Unknown(_) => parent_stops,
    }
}

/// A Limit that gave out fewer rows than it may has read its input to the end.
fn reached(limit: &Node) -> bool {
    // Without an estimate it is unknown how many it needed: it may have got them.
    limit.actual.is_none_or(|actual| {
        actual.rows.0 >= limit.estimate.expected_rows().map_or(0.0, |rows| rows.0)
    })
}

/// An empty hash table ends the join before its outer side was read (`ExecHashJoinImpl`), outer joins aside.
fn hash_is_empty(plan: &Plan, join: &Node) -> bool {
    let ends = !matches!(
        join.join_type,
        Some(JoinType::Left | JoinType::Full | JoinType::Anti)
    );
    let inner = join
        .children
        .iter()
        .map(|child| plan.node(*child))
        .find(|child| child.kind == NodeKind::Hash);
    ends && inner
        .and_then(|hash| hash.actual)
        .is_some_and(|actual| actual.rows.0 == 0.0)
}
