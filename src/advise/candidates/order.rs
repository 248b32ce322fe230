//! The order that is wanted of a scan's rows: by a Sort above it, or by the index that a Limit reads along.

use crate::plan::condition;
use crate::plan::{NodeId, NodeKind, Plan};
use crate::schema::{Schema, Table};

use super::super::{KeySpec, NullsOrder, Part};
use super::access::part_of;
use super::ancestors;

/// An order, and whether only its first rows are wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) keys: Vec<KeySpec>,
    pub(super) limited: bool,
}

/// The order wanted of the rows of `scan`, where all of its keys are the table's.
pub(super) fn of_scan(
    plan: &Plan,
    scan: NodeId,
    alias: &str,
    table: &Table,
    schema: &Schema,
) -> Option<Order> {
    let mut below = scan;
    for id in ancestors(plan, scan) {
        let node = plan.node(id);
        match node.kind {
            NodeKind::Sort | NodeKind::IncrementalSort => {
                let keys: Option<Vec<KeySpec>> = node
                    .sort_key
                    .iter()
                    .map(|text| key(text, alias, table, schema))
                    .collect();
                return Some(Order {
                    keys: upright(keys?),
                    limited: is_limited(plan, id),
                });
            }
            NodeKind::Limit => {
                return Some(Order {
                    keys: along_index(plan, scan, table)?,
                    limited: true,
                });
            }
            NodeKind::Gather
            | NodeKind::GatherMerge
            | NodeKind::Append
            | NodeKind::MergeAppend
            | NodeKind::SubqueryScan
            | NodeKind::Result
            | NodeKind::Memoize
            | NodeKind::Materialize
            | NodeKind::LockRows => {}
            // Only a join's driving side hands its order on.
            NodeKind::NestedLoop | NodeKind::HashJoin | NodeKind::MergeJoin => {
                if node.children.first() != Some(&below) {
                    return None;
                }
            }
            _ => return None,
        }
        below = id;
    }
    None
}

fn is_limited(plan: &Plan, sort: NodeId) -> bool {
    for id in ancestors(plan, sort) {
        match plan.node(id).kind {
            NodeKind::Limit => return true,
            NodeKind::Gather
            | NodeKind::GatherMerge
            | NodeKind::SubqueryScan
            | NodeKind::Result
            | NodeKind::LockRows => {}
            _ => return false,
        }
    }
    false
}

/// The order in which an index scan without a Sort above it hands out its rows.
fn along_index(plan: &Plan, scan: NodeId, table: &Table) -> Option<Vec<KeySpec>> {
    let node = plan.node(scan);
    let name = node.index_name.as_deref()?;
    if !matches!(node.kind, NodeKind::IndexScan | NodeKind::IndexOnlyScan) {
        return None;
    }
    let definition = |table: &Table| {
        table
            .indexes
            .iter()
            .find(|index| index.name == name)
            .cloned()
    };
    let index = definition(table)?;
    let keys = index.keys.iter().map(|key| {
        let part = match &key.part {
            crate::schema::KeyPart::Column(name) => Part::Column(name.clone()),
            crate::schema::KeyPart::Expression(text) => {
                Part::Expression(condition::parse(text).text)
            }
        };
        let nulls = nulls(key.descending, key.nulls_first);
        KeySpec {
            part,
            descending: key.descending,
            nulls,
            operator_class: key.operator_class.clone(),
        }
    });
    Some(keys.collect())
}

fn nulls(descending: bool, first: bool) -> NullsOrder {
    match (descending, first) {
        (true, true) | (false, false) => NullsOrder::Default,
        (false, true) => NullsOrder::First,
        (true, false) => NullsOrder::Last,
    }
}

/// `o.placed_at DESC NULLS LAST` as a key of the table's.
fn key(text: &str, alias: &str, table: &Table, schema: &Schema) -> Option<KeySpec> {
    let (text, nulls_first) = match (
        text.strip_suffix(" NULLS FIRST"),
        text.strip_suffix(" NULLS LAST"),
    ) {
        (Some(rest), _) => (rest, Some(true)),
        (None, Some(rest)) => (rest, Some(false)),
        (None, None) => (text, None),
    };
    let (text, descending) = match text.strip_suffix(" DESC") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    if text.contains(" USING ") || text.contains(" COLLATE ") {
        return None;
    }
    let expression = condition::parse(text);
    let columns = expression.columns();
    if columns.is_empty()
        || !columns
            .iter()
            .all(|(qualifier, _)| qualifier.is_none_or(|qualifier| qualifier == alias))
    {
        return None;
    }
    let part = part_of(&expression, table, schema)?;
    let nulls = nulls(descending, nulls_first.unwrap_or(descending));
    Some(KeySpec {
        part,
        descending,
        nulls,
        operator_class: None,
    })
}

/// An order that is descending throughout is the ascending one read backwards.
fn upright(mut keys: Vec<KeySpec>) -> Vec<KeySpec> {
    let plain_descending = |key: &KeySpec| key.descending && key.nulls == NullsOrder::Default;
    if keys.iter().all(plain_descending) {
        for key in &mut keys {
            key.descending = false;
        }
    }
    keys
}
