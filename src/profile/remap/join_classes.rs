//! Columns that hold the same values: those of foreign keys, of partitions, and those that statements compare. One map serves all
//! columns of a class, so that joins still find their rows.

use std::collections::BTreeMap;

use crate::schema::{KeyPart, Schema, Table};
use crate::sql::joins::{Join, NamedColumn};

/// Columns by table OID and name, each with its class.
pub(super) struct JoinClasses {
    at: BTreeMap<(u32, String), usize>,
    /// Which class each one was joined to.
    parent: Vec<usize>,
}

impl JoinClasses {
    /// Of a schema, and of pairs of columns that belong together besides.
    pub(super) fn of(schema: &Schema, joins: &[Join]) -> Self {
        let mut classes = Self {
            at: BTreeMap::new(),
            parent: Vec::new(),
        };
        for table in schema.tables.iter().chain(&schema.materialized_views) {
            for column in &table.columns {
                let next = classes.parent.len();
                classes.at.insert((table.oid, column.name.clone()), next);
                classes.parent.push(next);
            }
        }
        for table in &schema.tables {
            for key in &table.foreign_keys {
                for (column, referenced) in key.columns.iter().zip(&key.referenced_columns) {
                    classes.join((table.oid, column), (key.references, referenced));
                }
            }
            let parents = table.partition_of.iter().map(|part| part.parent);
            for parent in parents.chain(table.inherits.iter().copied()) {
                for column in &table.columns {
                    classes.join((table.oid, &column.name), (parent, &column.name));
                }
            }
        }
        for [one, other] in joins {
            let (one, other) = (named(schema, one), named(schema, other));
            if let (Some(one), Some(other)) = (one, other) {
                classes.join(one, other);
            }
        }
        classes
    }

    fn join(&mut self, one: (u32, &String), other: (u32, &String)) {
        let one = self.class(one.0, one.1);
        let other = self.class(other.0, other.1);
        if let (Some(one), Some(other)) = (one, other) {
            self.parent[one.max(other)] = one.min(other);
        }
    }

    /// A column's class; `None` where the schema has no such column.
    pub(super) fn class(&self, table: u32, column: &str) -> Option<usize> {
        let mut at = *self.at.get(&(table, column.to_owned()))?;
        while self.parent[at] != at {
            at = self.parent[at];
        }
        Some(at)
    }
}

/// The nearest table that has a column which a statement names.
pub(in crate::profile) fn named<'n>(
    schema: &Schema,
    named: &'n NamedColumn,
) -> Option<(u32, &'n String)> {
    named.tables.iter().find_map(|name| {
        let found = match name.as_slice() {
            [table] => schema.table(None, table),
            [schema_name, table] => schema.table(Some(schema_name), table),
            _ => None,
        }?;
        found.column(&named.column)?;
        Some((found.oid, &named.column))
    })
}

/// The column whose numbers mean nothing but the row: a key of one column that a sequence fills, or that others point to.
pub(in crate::profile) fn surrogate_key<'t>(schema: &Schema, table: &'t Table) -> Option<&'t str> {
    let primary = table.indexes.iter().find(|index| index.primary)?;
    let [key] = primary.keys.as_slice() else {
        return None;
    };
    let KeyPart::Column(name) = &key.part else {
        return None;
    };
    let column = table.column(name)?;
    let points = table
        .foreign_keys
        .iter()
        .any(|key| key.columns.contains(name));
    let is_made = column.identity.is_some() || column.sequence.is_some();
    (!points && (is_made || schema.is_referenced(table, name))).then_some(column.name.as_str())
}
