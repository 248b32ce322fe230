//! The order that is wanted of a scan's rows: by a Sort above it, or by the index that a Limit reads along.

use crate::plan::condition::{self, Expression, ExpressionKind};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::schema::{Schema, Table};

use super::super::{KeySpec, NullsOrder};
use super::access::part_of;
use super::ancestors;

/// An order, and which of its rows are wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) keys: Vec<KeySpec>,
    pub(super) wanted: Wanted,
}

/// What a query uses of rows in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The first few: LIMIT, max, min.
    First,
    /// The first of each group: DISTINCT ON.
    FirstOfEach,
    /// All.
    All,
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
                    wanted: wanted(plan, id),
                });
            }
            NodeKind::Limit => {
                return Some(Order {
                    keys: along_index(plan, scan, table)?,
                    wanted: Wanted::First,
                });
            }
            NodeKind::Aggregate if node.group_key.is_empty() => {
                return Some(Order {
                    keys: vec![extreme(&node.output, alias, table, schema)?],
                    wanted: Wanted::First,
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

/// The column of `max(column)` or `min(column)`, where that is all that an aggregate computes.
fn extreme(output: &[String], alias: &str, table: &Table, schema: &Schema) -> Option<KeySpec> {
    let [only] = output else {
        return None;
    };
    match condition::parse(only).kind {
        ExpressionKind::Call {
            function,
            arguments,
        } if matches!(function.as_str(), "max" | "min") => {
            let [argument] = arguments.as_slice() else {
                return None;
            };
            key(&argument.text, alias, table, schema)
        }
        _ => None,
    }
}

/// The first expression by which a limited sort orders the rows of a scan.
pub(super) fn nearest_first(plan: &Plan, scan: NodeId) -> Option<Expression> {
    let sort = ancestors(plan, scan).find(|id| plan.node(*id).kind == NodeKind::Sort)?;
    let first = plan.node(sort).sort_key.first()?;
    (wanted(plan, sort) == Wanted::First).then(|| condition::parse(first))
}

fn wanted(plan: &Plan, sort: NodeId) -> Wanted {
    for id in ancestors(plan, sort) {
        let node = plan.node(id);
        match node.kind {
            NodeKind::Limit => return Wanted::First,
            // `row_number() … <= 10`: it ends where the condition does.
            NodeKind::WindowAgg if node.conditions.run_condition.is_some() => {
                return Wanted::First;
            }
            NodeKind::Unique => return Wanted::FirstOfEach,
            NodeKind::Gather
            | NodeKind::GatherMerge
            | NodeKind::SubqueryScan
            | NodeKind::Result
            | NodeKind::LockRows => {}
            _ => return Wanted::All,
        }
    }
    Wanted::All
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
    Some(index.keys.iter().map(KeySpec::of_existing).collect())
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
    let (text, collation) = match text.rsplit_once(" COLLATE ") {
        Some((text, name)) => (text.trim_start_matches('('), Some(unquoted(name))),
        None => (text, None),
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
    let nulls = NullsOrder::of(descending, nulls_first.unwrap_or(descending));
    Some(KeySpec {
        part,
        descending,
        nulls,
        operator_class: None,
        collation,
    })
}

/// A collation's name as the catalog has it.
fn unquoted(name: &str) -> String {
    name.trim_end_matches(')').trim_matches('"').to_owned()
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
