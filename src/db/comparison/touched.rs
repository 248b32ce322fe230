//! Which tables a migration touched, and bringing their statistics up to date.

use std::collections::BTreeSet;

use crate::db::connect::{Session, describe};
use crate::diff::locks::LockMode;
use crate::diff::names::{Names, Renames, full_name};
use crate::diff::observation::StatementObservation;
use crate::schema::{Schema, Table, TableKind};

use super::CompareError;

/// Tables by OID, so that a renamed one is still the same.
pub(super) struct Touched {
    /// Quoted names as they are before.
    pub(super) before: Vec<String>,
    /// Quoted names as they are after.
    pub(super) after: Vec<String>,
    /// Canonical names: roots of partitions, as they are called afterwards.
    pub(super) relations: BTreeSet<String>,
}

/// Tables that the migration changed rows, columns or indexes of, or made.
pub(super) fn tables(
    statements: &[StatementObservation],
    old: &Schema,
    new: &Schema,
    renames: &Renames,
) -> Touched {
    let locked: BTreeSet<&str> = statements
        .iter()
        .flat_map(|statement| &statement.locks)
        .filter(|lock| lock.mode >= LockMode::RowExclusive)
        .map(|lock| lock.relation.as_str())
        .collect();
    let holds_rows =
        |table: &&Table| matches!(table.kind, TableKind::Ordinary | TableKind::Partitioned);
    let changed: BTreeSet<u32> = old
        .tables
        .iter()
        .chain(&new.tables)
        .filter(holds_rows)
        .filter(|table| locked.contains(full_name(&table.name).as_str()))
        .map(|table| table.oid)
        .collect();
    let quoted = |schema: &Schema, wanted: &dyn Fn(u32) -> bool| {
        schema
            .tables
            .iter()
            .filter(holds_rows)
            .filter(|t| wanted(t.oid))
            .map(|t| t.name.sql())
            .collect()
    };
    let made = |oid: u32| old.table_by_oid(oid).is_none();
    let names = Names {
        schema: Some(old),
        renames: Some(renames),
        ..Names::UNKNOWN
    };
    let touched = old
        .tables
        .iter()
        .filter(|table| changed.contains(&table.oid));
    Touched {
        relations: touched
            .map(|table| {
                names
                    .relation(Some(&table.name.schema), &table.name.name)
                    .name
            })
            .collect(),
        before: quoted(old, &|oid| changed.contains(&oid)),
        after: quoted(new, &|oid| changed.contains(&oid) || made(oid)),
    }
}

/// Every table of both schemas.
pub(super) fn all(old: &Schema, new: &Schema) -> Touched {
    let names = Names {
        schema: Some(old),
        renames: None,
        ..Names::UNKNOWN
    };
    let quoted = |schema: &Schema| {
        let rows = schema
            .tables
            .iter()
            .filter(|t| matches!(t.kind, TableKind::Ordinary | TableKind::Partitioned));
        rows.map(|table| table.name.sql()).collect()
    };
    let relations = old.tables.iter().map(|table| {
        names
            .relation(Some(&table.name.schema), &table.name.name)
            .name
    });
    Touched {
        before: quoted(old),
        after: quoted(new),
        relations: relations.collect(),
    }
}

/// What autovacuum does for production some time after the migration: statistics, and the visibility map that index-only
/// scans need.
pub(super) async fn vacuum_analyze(
    session: &Session,
    tables: &[String],
) -> Result<(), CompareError> {
    if tables.is_empty() {
        return Ok(());
    }
    let statement = format!("VACUUM (ANALYZE) {}", tables.join(", "));
    session
        .client()
        .batch_execute(&statement)
        .await
        .map_err(|error| CompareError::Server {
            doing: "analyzing the tables that were touched",
            reason: describe(&error),
        })
}

/// Rows of a table, with its partitions'.
pub(super) fn rows(schema: &Schema, relation: &str) -> f64 {
    let Some(table) = schema
        .tables
        .iter()
        .find(|table| full_name(&table.name) == relation)
    else {
        return 0.0;
    };
    let own = |table: &Table| table.stats.rows.unwrap_or(0.0).max(0.0);
    if table.kind == TableKind::Partitioned {
        // Its partitions are locked, and counted, themselves.
        return 0.0;
    }
    own(table)
}
