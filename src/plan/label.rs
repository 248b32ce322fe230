//! A node in one line, as EXPLAIN's text format names it: `Parallel Seq Scan on orders o`.

use super::node::{JoinType, Node, NodeKind, RelationRef};
use super::words::{Operation, PartialMode, ScanDirection, Strategy};
use crate::schema::quote_identifier;

/// The node's name in words: what it does, with what index, on which relation.
#[must_use]
pub fn label(node: &Node) -> String {
    let mut text = String::new();
    if node.parallel_aware {
        text.push_str("Parallel ");
    }
    text.push_str(&name(node));
    if node.scan_direction == Some(ScanDirection::Backward) {
        text.push_str(" Backward");
    }
    if let Some(index) = &node.index_name {
        text.push_str(if node.kind == NodeKind::BitmapIndexScan {
            " on "
        } else {
            " using "
        });
        text.push_str(&quote_identifier(index));
    }
    if let Some(relation) = &node.relation {
        text.push_str(" on ");
        text.push_str(&relation_label(relation));
    }
    text
}

/// `orders o`; the schema is left out where it is `public`, the alias where it is the name.
#[must_use]
pub fn relation_label(relation: &RelationRef) -> String {
    let mut text = match relation.schema.as_deref() {
        None | Some("public" | "pg_catalog") => String::new(),
        Some(schema) => format!("{}.", quote_identifier(schema)),
    };
    // VALUES lists and the like bear names that are no identifiers.
    text.push_str(&if relation.name.starts_with('*') {
        format!("\"{}\"", relation.name)
    } else {
        quote_identifier(&relation.name)
    });
    if relation.alias != relation.name {
        text.push(' ');
        text.push_str(&quote_identifier(&relation.alias));
    }
    text
}

/// What the node does, in EXPLAIN's words.
fn name(node: &Node) -> String {
    match &node.kind {
        NodeKind::Aggregate => aggregate(node),
        NodeKind::ModifyTable => node
            .operation
            .as_ref()
            .map_or("ModifyTable", Operation::as_str)
            .to_owned(),
        NodeKind::SetOp => match (
            &node.strategy,
            node.extra
                .get("Command")
                .and_then(serde_json::Value::as_str),
        ) {
            (Some(Strategy::Hashed), Some(command)) => {
                format!("HashSetOp {command}")
            }
            (_, Some(command)) => format!("SetOp {command}"),
            (_, None) => "SetOp".to_owned(),
        },
        NodeKind::NestedLoop | NodeKind::HashJoin | NodeKind::MergeJoin => join(node),
        NodeKind::CustomScan => match node
            .extra
            .get("Custom Plan Provider")
            .and_then(serde_json::Value::as_str)
        {
            Some(provider) => format!("Custom Scan ({provider})"),
            None => "Custom Scan".to_owned(),
        },
        kind => kind.as_str().to_owned(),
    }
}

fn aggregate(node: &Node) -> String {
    let base = match node.strategy {
        Some(Strategy::Hashed) => "HashAggregate",
        Some(Strategy::Sorted) => "GroupAggregate",
        Some(Strategy::Mixed) => "MixedAggregate",
        Some(Strategy::Plain | Strategy::Unknown(_)) | None => "Aggregate",
    };
    match &node.partial_mode {
        Some(mode @ (PartialMode::Partial | PartialMode::Finalize)) => {
            format!("{} {base}", mode.as_str())
        }
        Some(PartialMode::Simple | PartialMode::Unknown(_)) | None => base.to_owned(),
    }
}

fn join(node: &Node) -> String {
    let kind = match &node.join_type {
        None | Some(JoinType::Inner) => return node.kind.as_str().to_owned(),
        Some(JoinType::Left) => "Left",
        Some(JoinType::Full) => "Full",
        Some(JoinType::Right) => "Right",
        Some(JoinType::Semi) => "Semi",
        Some(JoinType::Anti) => "Anti",
        Some(JoinType::RightSemi) => "Right Semi",
        Some(JoinType::RightAnti) => "Right Anti",
        Some(JoinType::Unknown(name)) => name,
    };
    let base = if node.kind == NodeKind::HashJoin {
        "Hash"
    } else {
        node.kind.as_str().trim_end_matches(" Join")
    };
    format!("{base} {kind} Join")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(schema: Option<&str>, name: &str, alias: &str) -> Option<RelationRef> {
        Some(RelationRef {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
            alias: alias.to_owned(),
        })
    }

    #[test]
    fn labels_read_like_explain() {
        let mut scan = Node::of_kind(NodeKind::SeqScan);
        scan.relation = relation(Some("public"), "orders", "o");
        assert_eq!(label(&scan), "Seq Scan on orders o");
        scan.parallel_aware = true;
        scan.relation = relation(Some("Shop"), "order", "order");
        assert_eq!(label(&scan), "Parallel Seq Scan on \"Shop\".\"order\"");

        let mut index = Node::of_kind(NodeKind::IndexScan);
        index.relation = relation(None, "orders", "orders");
        index.index_name = Some("orders_pkey".to_owned());
        index.scan_direction = Some(ScanDirection::Backward);
        assert_eq!(
            label(&index),
            "Index Scan Backward using orders_pkey on orders"
        );

        let mut bitmap = Node::of_kind(NodeKind::BitmapIndexScan);
        bitmap.index_name = Some("i".to_owned());
        assert_eq!(label(&bitmap), "Bitmap Index Scan on i");

        let mut join = Node::of_kind(NodeKind::HashJoin);
        join.join_type = Some(JoinType::Left);
        assert_eq!(label(&join), "Hash Left Join");
        join.kind = NodeKind::NestedLoop;
        assert_eq!(label(&join), "Nested Loop Left Join");
        join.kind = NodeKind::MergeJoin;
        join.join_type = Some(JoinType::RightAnti);
        assert_eq!(label(&join), "Merge Right Anti Join");

        let mut aggregate = Node::of_kind(NodeKind::Aggregate);
        aggregate.strategy = Some(Strategy::Hashed);
        aggregate.partial_mode = Some(PartialMode::Partial);
        assert_eq!(label(&aggregate), "Partial HashAggregate");
    }
}
