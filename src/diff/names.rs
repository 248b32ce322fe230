//! What names mean in one of the databases that are compared: which table a partition belongs to, what an index is, and
//! how a renamed table or column is called afterwards. Pure: reads introspected schemas only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::{Index, KeyPart, QualifiedName, Schema, Table};

use super::canonical::IndexIdentity;

/// Tables and columns that a migration renamed: the same object (by OID and column number) under another name. Only
/// copies of one dataset can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Renames {
    /// Old and new table name.
    pub tables: Vec<(String, String)>,
    /// New table name, old and new column name.
    pub columns: Vec<(String, String, String)>,
}

impl Renames {
    /// What is called differently in `after`, which must be a migrated copy of `before`.
    #[must_use]
    pub fn between(before: &Schema, after: &Schema) -> Self {
        let mut renames = Self::default();
        for old in &before.tables {
            let Some(new) = after.table_by_oid(old.oid) else {
                continue;
            };
            if old.name != new.name {
                renames
                    .tables
                    .push((full_name(&old.name), full_name(&new.name)));
            }
            for column in &old.columns {
                let renamed = new
                    .columns
                    .iter()
                    .find(|c| c.number == column.number && c.name != column.name);
                if let Some(renamed) = renamed {
                    renames.columns.push((
                        full_name(&new.name),
                        column.name.clone(),
                        renamed.name.clone(),
                    ));
                }
            }
        }
        renames
    }

    /// The name that a table has afterwards.
    #[must_use]
    pub fn table<'a>(&'a self, name: &'a str) -> &'a str {
        self.tables
            .iter()
            .find(|(old, _)| old == name)
            .map_or(name, |(_, new)| new)
    }

    /// The name that a column has afterwards; `table` by its new name.
    #[must_use]
    pub fn column<'a>(&'a self, table: &str, column: &'a str) -> &'a str {
        self.columns
            .iter()
            .find(|(of, old, _)| of == table && old == column)
            .map_or(column, |(_, _, new)| new)
    }
}

/// `schema.name`, unquoted: a key, not SQL.
#[must_use]
pub fn full_name(name: &QualifiedName) -> String {
    format!("{}.{}", name.schema, name.name)
}

/// What is known of the names in a plan.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The schema that the plan was made in; `None` for a plan from a file.
    pub schema: Option<&'a Schema>,
    /// For the plan before the migration: how things are called afterwards.
    pub renames: Option<&'a Renames>,
    /// What a file says of the names in its plans, where there is no schema.
    pub saved: Option<&'a SavedNames>,
}

/// What a saved report says of the names in its plans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SavedNames {
    /// Definitions of indexes by name.
    pub indexes: BTreeMap<String, String>,
    /// Root tables of partitions, both as `schema.name`.
    pub partitions: BTreeMap<String, String>,
}

/// A relation under its canonical name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalRelation {
    /// `schema.name` of the root table, or the bare name.
    pub name: String,
    /// Whether it is a partition of that table.
    pub partition: bool,
}

impl<'a> Names<'a> {
    /// Nothing is known.
    pub const UNKNOWN: Names<'static> = Names {
        schema: None,
        renames: None,
        saved: None,
    };

    fn table(&self, schema: Option<&str>, name: &str) -> Option<&'a Table> {
        self.schema?.table(schema, name)
    }

    pub fn relation(&self, schema: Option<&str>, name: &str) -> CanonicalRelation {
        let Some(table) = self.table(schema, name) else {
            let name = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
            if let Some(root) = self.saved.and_then(|saved| saved.partitions.get(&name)) {
                return CanonicalRelation {
                    name: root.clone(),
                    partition: true,
                };
            }
            return CanonicalRelation {
                name: self.renamed_table(&name),
                partition: false,
            };
        };
        let root = self.schema.map_or(table, |all| all.root_of(table));
        CanonicalRelation {
            name: self.renamed_table(&full_name(&root.name)),
            partition: table.partition_of.is_some(),
        }
    }

    fn renamed_table(&self, name: &str) -> String {
        self.renames
            .map_or_else(|| name.to_owned(), |renames| renames.table(name).to_owned())
    }

    /// The canonical name of a column of a canonical relation.
    pub(super) fn column(&self, relation: &str, column: &str) -> String {
        self.renames.map_or_else(
            || column.to_owned(),
            |renames| renames.column(relation, column).to_owned(),
        )
    }

    pub(super) fn index(
        &self,
        schema: Option<&str>,
        relation: Option<&str>,
        index: &str,
    ) -> IndexIdentity {
        let table = relation.and_then(|name| self.table(schema, name));
        let found = match table {
            Some(table) => table
                .indexes
                .iter()
                .find(|i| i.name == index)
                .map(|i| (table, i)),
            None => self.index_anywhere(index),
        };
        let saved = || {
            self.saved
                .and_then(|saved| saved.indexes.get(index).cloned())
        };
        let definition = found
            .map(|(table, found)| self.definition(table, found))
            .or_else(saved);
        IndexIdentity {
            definition,
            name: index.to_owned(),
        }
    }

    fn index_anywhere(&self, name: &str) -> Option<(&'a Table, &'a Index)> {
        self.schema?.tables.iter().find_map(|table| {
            table
                .indexes
                .iter()
                .find(|index| index.name == name)
                .map(|index| (table, index))
        })
    }

    /// Method, keys, INCLUDE, predicate and uniqueness, under canonical column names.
    pub fn definition(&self, table: &Table, index: &Index) -> String {
        let root = self.schema.map_or(table, |all| all.root_of(table));
        let relation = self.renamed_table(&full_name(&root.name));
        index_definition(index, |column| self.column(&relation, column))
    }
}

/// An index without its name and table: `unique btree (customer_id, created_at DESC) include (total) where (…)`.
pub(super) fn index_definition(index: &Index, column: impl Fn(&str) -> String) -> String {
    let keys: Vec<String> = index
        .keys
        .iter()
        .map(|key| {
            let mut text = match &key.part {
                KeyPart::Column(name) => column(name),
                KeyPart::Expression(expression) => expression.clone(),
            };
            for extra in [&key.collation, &key.operator_class].into_iter().flatten() {
                text.push(' ');
                text.push_str(extra);
            }
            if key.descending {
                text.push_str(" DESC");
            }
            // Only a departure from the direction's default is part of the name, as Postgres prints it.
            match (key.descending, key.nulls_first) {
                (true, false) => text.push_str(" NULLS LAST"),
                (false, true) => text.push_str(" NULLS FIRST"),
                (true, true) | (false, false) => {}
            }
            text
        })
        .collect();
    let mut text = String::new();
    if index.unique {
        text.push_str("unique ");
    }
    text.push_str(&format!("{} ({})", index.method, keys.join(", ")));
    if index.nulls_not_distinct {
        text.push_str(" nulls not distinct");
    }
    if !index.include.is_empty() {
        let include: Vec<String> = index.include.iter().map(|name| column(name)).collect();
        text.push_str(&format!(" include ({})", include.join(", ")));
    }
    if let Some(predicate) = &index.predicate {
        text.push_str(&format!(" where {predicate}"));
    }
    text
}
