//! Covering indexes: a scan that fetches many rows by an index only to read a column or two more does not have to, if the
//! index holds them.

use std::collections::BTreeSet;

use crate::plan::condition::{self, ExpressionKind};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::schema::{Column, Index, Table};

use super::super::{IndexSpec, KeySpec};
use super::access::Access;
use super::{ancestors, btree};

/// More stored columns make the index a second table.
const MAX_STORED: usize = 3;
/// Bytes of an entry that stored columns may take.
const MAX_WIDTH: u32 = 32;
/// Fewer rows, or fewer pages, are fetched soon enough: a covering index is a luxury.
const MIN_FETCHED: f64 = 10_000.0;
const MIN_PAGES: u64 = 5_000;

/// The covering form of the index that the scan uses now.
pub(super) fn of(access: &Access<'_>) -> Option<IndexSpec> {
    let cover = access.cover.as_ref()?;
    let index = access
        .table
        .indexes
        .iter()
        .chain(cover.own_table.indexes.iter())
        .find(|index| index.name == cover.index)?;
    if index.method != "btree" || index.predicate.is_some() {
        return None;
    }
    let key_columns: BTreeSet<&str> = index.key_columns().into_iter().collect();
    let stored: Vec<&Column> = cover
        .needed
        .iter()
        .filter(|name| !key_columns.contains(name.as_str()))
        .map(|name| access.table.column(name))
        .collect::<Option<_>>()?;
    let width: u32 = stored
        .iter()
        .map(|column| {
            column
                .stats
                .as_ref()
                .map_or(u32::MAX / 8, |stats| stats.average_width)
        })
        .sum();
    if stored.is_empty() || stored.len() > MAX_STORED || width > MAX_WIDTH {
        return None;
    }
    let include = stored.iter().map(|column| column.name.clone()).collect();
    Some(IndexSpec {
        include,
        ..btree(access.table.name.clone(), access.table.oid, keys(index))
    })
}

fn keys(index: &Index) -> Vec<KeySpec> {
    index.keys.iter().map(KeySpec::of_existing).collect()
}

/// An index scan that fetches many rows, and the columns that the query needs of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cover<'a> {
    /// The table of the index: the partition, where the scan reads one.
    pub(super) own_table: &'a Table,
    /// The index's name.
    pub(super) index: String,
    /// Columns of the table that anything in the query names.
    pub(super) needed: BTreeSet<String>,
}

/// Reads a scan; `None` where it fetches few rows or is none.
pub(super) fn of_scan<'a>(
    plan: &Plan,
    scan: NodeId,
    alias: &str,
    table: &'a Table,
) -> Option<Cover<'a>> {
    let node = plan.node(scan);
    let bitmap = || {
        node.children
            .iter()
            .find_map(|child| plan.node(*child).index_name.clone())
    };
    let index = match node.kind {
        NodeKind::IndexScan => node.index_name.clone(),
        NodeKind::BitmapHeapScan => bitmap(),
        _ => None,
    }?;
    let fetched = node.actual.map(|actual| actual.rows.0 * actual.loops)?;
    let pages = node.buffers.map_or(0, |buffers| buffers.touched().0);
    if fetched < MIN_FETCHED || pages < MIN_PAGES {
        return None;
    }
    Some(Cover {
        own_table: table,
        index,
        needed: needed(plan, scan, alias, table)?,
    })
}

/// The table's columns that the plan names above the scan and in its own conditions. Nodes that hand rows on as they are
/// print whole rows, so the first node that makes rows of its own tells what is needed.
fn needed(plan: &Plan, scan: NodeId, alias: &str, table: &Table) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let node = plan.node(scan);
    let conditions = [
        &node.conditions.index,
        &node.conditions.filter,
        &node.conditions.recheck,
    ];
    conditions
        .into_iter()
        .flatten()
        .for_each(|text| add(text, alias, table, &mut found));
    let mut output = &node.output;
    for id in ancestors(plan, scan) {
        let above = plan.node(id);
        let conditions = &above.conditions;
        let texts = [
            &conditions.hash,
            &conditions.merge,
            &conditions.join_filter,
            &conditions.filter,
        ];
        texts
            .into_iter()
            .flatten()
            .for_each(|text| add(text, alias, table, &mut found));
        let keys = above.sort_key.iter().chain(&above.group_key);
        keys.for_each(|text| add(text, alias, table, &mut found));
        output = &above.output;
        if !hands_on(&above.kind) {
            break;
        }
    }
    output
        .iter()
        .for_each(|text| add(text, alias, table, &mut found));
    (!found.is_empty()).then_some(found)
}

fn hands_on(kind: &NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::Gather
            | NodeKind::GatherMerge
            | NodeKind::Append
            | NodeKind::MergeAppend
            | NodeKind::Sort
            | NodeKind::IncrementalSort
            | NodeKind::Hash
            | NodeKind::Materialize
            | NodeKind::Memoize
            | NodeKind::Limit
    )
}

fn add(text: &str, alias: &str, table: &Table, found: &mut BTreeSet<String>) {
    condition::parse(text).walk(&mut |part| {
        if let ExpressionKind::Column { qualifier, name } = &part.kind
            && qualifier
                .as_deref()
                .is_none_or(|qualifier| qualifier == alias)
            && table.column(name).is_some()
        {
            found.insert(name.clone());
        }
    });
}
