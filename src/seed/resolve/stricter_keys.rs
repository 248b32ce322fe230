//! Unique keys of a child over some columns of a foreign key (`id` alone, where `(org, id)` references the parent): no two
//! children may have the same value there. Rows are planned as if the parent had that unique key, too.

use std::collections::BTreeMap;

use super::StoredRows;
use crate::schema::{ForeignKey, Index, IndexKey, KeyPart, Schema, Table};

/// The schema with those keys of parents.
pub(super) fn with(schema: &Schema, stored: &BTreeMap<u32, StoredRows>) -> Schema {
    let mut found: Vec<(u32, Vec<String>)> = Vec::new();
    for table in &schema.tables {
        for key in table
            .foreign_keys
            .iter()
            .filter(|key| key.columns.len() > 1)
        {
            for columns in table.indexes.iter().filter_map(unique_columns) {
                let Some(wanted) = of_parent(key, &columns) else {
                    continue;
                };
                let Some(parent) = schema.table_by_oid(key.references) else {
                    continue;
                };
                let is_kept = stored.get(&parent.oid).is_some_and(|rows| rows.count > 0);
                if !is_kept
                    && can_differ(parent, &wanted)
                    && !found.contains(&(parent.oid, wanted.clone()))
                {
                    found.push((parent.oid, wanted));
                }
            }
        }
    }
    let mut schema = schema.clone();
    for (parent, columns) in found {
        let table = schema.tables.iter_mut().find(|table| table.oid == parent);
        if let Some(table) = table {
            table.indexes.push(planned_key(&columns));
        }
    }
    schema
}

/// The columns of a key that holds for every row and is made of columns alone.
fn unique_columns(index: &Index) -> Option<Vec<&str>> {
    if !index.unique || index.predicate.is_some() {
        return None;
    }
    let keys = index.keys.iter();
    keys.map(|key| match &key.part {
        KeyPart::Column(name) => Some(name.as_str()),
        KeyPart::Expression(_) => None,
    })
    .collect()
}

/// The parent's columns that a key of the child is made of; `None` where it has others, or all of the foreign key.
fn of_parent(key: &ForeignKey, columns: &[&str]) -> Option<Vec<String>> {
    if columns.len() >= key.columns.len() {
        return None;
    }
    let place = |column: &&str| key.columns.iter().position(|own| own == column);
    let found = columns
        .iter()
        .map(|column| key.referenced_columns.get(place(column)?).cloned());
    found.collect()
}

/// Whether a parent's columns can be made to differ: not where they already do, nor where they point to rows of others.
fn can_differ(parent: &Table, wanted: &[String]) -> bool {
    let differs = parent
        .indexes
        .iter()
        .filter_map(unique_columns)
        .any(|columns| {
            columns
                .iter()
                .all(|column| wanted.iter().any(|w| w == column))
        });
    let points = parent
        .foreign_keys
        .iter()
        .any(|key| key.columns.iter().any(|column| wanted.contains(column)));
    !differs && !points
}

fn planned_key(columns: &[String]) -> Index {
    let keys = columns.iter().map(|column| IndexKey::column(column));
    let name = format!("what a key of another table asks of {}", columns.join(", "));
    Index {
        unique: true,
        ..Index::btree(0, &name, keys.collect())
    }
}
