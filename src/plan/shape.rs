//! A plan's shape: access paths, join methods and their order, without values and numbers. Two parameter sets of one
//! shape need only one execution. Members of one Append that look alike count once, so pruning makes no new shape.

use super::{Node, NodeId, NodeKind, Plan, ScanDirection, Strategy};

/// The shape as text: equal where the plans do the same things in the same order.
#[must_use]
pub fn shape(plan: &Plan) -> String {
    shape_of(plan, NodeId(0))
}

fn shape_of(plan: &Plan, id: NodeId) -> String {
    let node = plan.node(id);
    let mut members: Vec<String> = node
        .children
        .iter()
        .map(|child| shape_of(plan, *child))
        .collect();
    if matches!(node.kind, NodeKind::Append | NodeKind::MergeAppend) {
        members.sort();
        members.dedup();
    }
    let in_partition = node.parent.is_some_and(|parent| {
        matches!(
            plan.node(parent).kind,
            NodeKind::Append | NodeKind::MergeAppend | NodeKind::BitmapHeapScan
        )
    });
    format!("{}[{}]", label(node, in_partition), members.join(","))
}

fn label(node: &Node, in_partition: bool) -> String {
    let relation = node
        .relation
        .as_ref()
        .map_or("", |relation| relation.name.as_str());
    let index = node.index_name.as_deref().unwrap_or_default();
    // Partitions and their indexes differ in name only.
    let (relation, index) = if in_partition {
        ("", "")
    } else {
        (relation, index)
    };
    let join = node
        .join_type
        .as_ref()
        .map(|join| format!("{join:?}"))
        .unwrap_or_default();
    let strategy = node.strategy.as_ref().map_or("", Strategy::as_str);
    let direction = node
        .scan_direction
        .as_ref()
        .filter(|direction| **direction == ScanDirection::Backward)
        .map_or("", ScanDirection::as_str);
    // An index that serves two conditions of a query is used otherwise than one that serves the first of them.
    let terms = node
        .conditions
        .index
        .as_ref()
        .map_or(0, |text| super::condition::parse(text).conjuncts().len());
    format!(
        "{} {join}{strategy}{direction} {relation} {index} {terms}",
        node.kind
    )
}
