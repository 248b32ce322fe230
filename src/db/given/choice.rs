//! Which tables are filled, which are left alone, which are emptied. Pure: knows no connection.

use std::collections::{BTreeMap, BTreeSet};

use super::{Existing, GivenError, Stored};
use crate::db::connect::DatabaseUrl;
use crate::schema::{QualifiedName, Schema, Table};
use crate::seed::resolve::is_seeded;
use crate::seed::spec::RowsSpec;
use crate::seed::{Options, Spec};

/// How a note on a trigger ends.
pub(super) const FIRES: &str = " fires for its rows";

/// A table that holds rows and gets more.
#[derive(Debug)]
pub(in crate::db) struct Appended {
    pub oid: u32,
    pub name: QualifiedName,
    /// How many it holds.
    pub rows: u64,
}

/// The decision.
#[derive(Debug)]
pub(super) struct Choice {
    /// Rows that stay and are pointed to.
    pub stored: Stored,
    /// Rows in tables that get more.
    pub rows_there: u64,
    pub kept: Vec<QualifiedName>,
    pub emptied: Vec<QualifiedName>,
    pub appended: Vec<Appended>,
    pub notes: Vec<String>,
}

impl Choice {
    /// A table with rows is filled only where a spec or `--rows` names it (every one, where none is named): others hold
    /// what the migrations put there.
    pub(super) fn of(
        schema: &Schema,
        spec: &Spec,
        options: &Options,
        mut stored: Stored,
        existing: Existing,
        url: &DatabaseUrl,
    ) -> Result<Self, GivenError> {
        let seeded: Vec<&Table> = schema
            .tables
            .iter()
            .filter(|table| is_seeded(table))
            .collect();
        let database = || format!("database \"{}\"", url.database());
        if seeded.is_empty() {
            return Err(GivenError::NoTables {
                database: database(),
            });
        }
        stored.retain(|_, rows| rows.count > 0);
        let named = tables_where(&seeded, spec, options, |_| true);
        let holding: Vec<&Table> = seeded
            .iter()
            .copied()
            .filter(|table| stored.contains_key(&table.oid))
            .collect();
        let mut targets: Vec<&Table> = holding
            .iter()
            .copied()
            .filter(|table| named.contains(&table.oid))
            .collect();
        if named.is_empty() && (existing != Existing::Refuse || holding.len() == seeded.len()) {
            targets = holding;
        }
        // A table that is asked to have no rows keeps those that are there; only --replace empties it.
        if existing != Existing::Replace {
            let unwanted = tables_where(&targets, spec, options, |rows| rows == Some(0));
            targets.retain(|table| !unwanted.contains(&table.oid));
        }
        let mut choice = Self {
            stored,
            rows_there: 0,
            kept: Vec::new(),
            emptied: Vec::new(),
            appended: Vec::new(),
            notes: Vec::new(),
        };
        match existing {
            Existing::Refuse if targets.is_empty() => {}
            Existing::Refuse => {
                let tables = targets.iter().map(|table| table.name.clone()).collect();
                return Err(GivenError::HoldsRows {
                    database: database(),
                    tables,
                });
            }
            Existing::Append => {
                for table in targets {
                    let rows = choice
                        .stored
                        .remove(&table.oid)
                        .map_or(0, |rows| rows.count);
                    choice.rows_there += rows;
                    choice.appended.push(Appended {
                        oid: table.oid,
                        name: table.name.clone(),
                        rows,
                    });
                }
            }
            Existing::Replace => choice.empty(schema, &targets),
        }
        for table in seeded {
            match choice.stored.contains_key(&table.oid) {
                true => choice.kept.push(table.name.clone()),
                false => choice.note_triggers(table),
            }
        }
        Ok(choice)
    }

    /// Rows that reference emptied ones go with them.
    fn empty(&mut self, schema: &Schema, targets: &[&Table]) {
        let children = children(schema);
        let mut open: Vec<u32> = targets.iter().map(|table| table.oid).collect();
        let mut emptied: BTreeSet<u32> = BTreeSet::new();
        while let Some(oid) = open.pop() {
            if emptied.insert(oid) {
                open.extend(children.get(&oid).into_iter().flatten());
            }
        }
        for table in schema
            .tables
            .iter()
            .filter(|table| emptied.contains(&table.oid))
        {
            self.stored.remove(&table.oid);
            self.emptied.push(table.name.clone());
        }
    }

    fn note_triggers(&mut self, table: &Table) {
        if !table.insert_triggers.is_empty() {
            self.notes.push(format!(
                "{}: trigger {}{FIRES}",
                table.name,
                table.insert_triggers.join(", ")
            ));
        }
    }
}

/// Tables that somebody asked rows for, in such a number (`None` for one that depends on a parent).
fn tables_where(
    tables: &[&Table],
    spec: &Spec,
    options: &Options,
    of: impl Fn(Option<u64>) -> bool,
) -> BTreeSet<u32> {
    let asked = |table: &Table| {
        let qualified = format!("{}.{}", table.name.schema, table.name.name);
        let is = |name: &str| name == table.name.name || name == qualified;
        let by_option = options
            .table_rows
            .iter()
            .find(|(name, _)| is(name))
            .map(|(_, rows)| Some(*rows));
        let mut specs = spec.tables.iter().filter(|spec| is(&spec.name.text));
        by_option.or_else(|| {
            specs.find_map(|spec| match spec.rows.as_ref()? {
                RowsSpec::Count(rows) => Some(Some(*rows)),
                RowsSpec::Per { .. } => Some(None),
            })
        })
    };
    tables
        .iter()
        .filter(|table| asked(table).is_some_and(&of))
        .map(|table| table.oid)
        .collect()
}

/// For each table (a partition counts as its root) the tables that reference it.
fn children(schema: &Schema) -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for table in &schema.tables {
        for key in &table.foreign_keys {
            let Some(parent) = schema.table_by_oid(key.references) else {
                continue;
            };
            children
                .entry(schema.root_of(parent).oid)
                .or_default()
                .push(schema.root_of(table).oid);
        }
    }
    children
}
