//! Which tables a migration touched, and bringing their statistics up to date where the migration made them say less.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::connect::{Session, describe};
use crate::diff::effect::changes_rows;
use crate::diff::locks::LockMode;
use crate::diff::names::{Names, Renames, full_name};
use crate::diff::observation::StatementObservation;
use crate::schema::{Schema, Table, TableKind, quote_identifier};

use super::CompareError;

/// Tables by OID, so that a renamed one is still the same.
pub(super) struct Touched {
    /// What to analyze as it is before: quoted names, some with the columns that alone are new.
    pub(super) before: Vec<String>,
    /// What to analyze as it is after.
    pub(super) after: Vec<String>,
    /// Canonical names of every table that a statement locked more than a reader does: roots of partitions, as they are called
    /// afterwards.
    pub(super) relations: BTreeSet<String>,
    /// Canonical names of those whose whole statistics are made anew: what they are depends on ANALYZE's sample.
    pub(super) sampled: BTreeSet<String>,
}

/// What of a table has to be analyzed.
enum Outdated {
    Whole,
    /// These columns, by number: all others have what they had.
    Columns(BTreeSet<i16>),
}

fn holds_rows(table: &&Table) -> bool {
    matches!(table.kind, TableKind::Ordinary | TableKind::Partitioned)
}

/// Tables that the migration changed rows, columns or indexes of, or made. Statistics that still hold are left as they are: in
/// production, too, nothing analyzes a table for a new column's or an index's sake, and another sample can change a plan by chance.
pub(super) fn tables(
    statements: &[StatementObservation],
    old: &Schema,
    new: &Schema,
    renames: &Renames,
) -> Touched {
    let locked = |wanted: &dyn Fn(&StatementObservation) -> bool| -> BTreeSet<u32> {
        let names: BTreeSet<&str> = statements
            .iter()
            .filter(|statement| wanted(statement))
            .flat_map(|statement| &statement.locks)
            .filter(|lock| lock.mode >= LockMode::RowExclusive)
            .map(|lock| lock.relation.as_str())
            .collect();
        let all = old.tables.iter().chain(&new.tables).filter(holds_rows);
        all.filter(|table| names.contains(full_name(&table.name).as_str()))
            .map(|table| table.oid)
            .collect()
    };
    let touched = locked(&|_| true);
    let shifted = locked(&|statement| changes_rows(&statement.place.sql));
    let outdated: BTreeMap<u32, Outdated> = touched
        .iter()
        .filter_map(|oid| Some((*oid, outdated(*oid, &shifted, old, new)?)))
        .collect();
    let is_old = |oid: u32| old.table_by_oid(oid).is_some();
    let of = |schema: &Schema| -> Vec<String> {
        let tables = schema.tables.iter().filter(holds_rows);
        tables
            .filter_map(|table| analyzed(table, outdated.get(&table.oid)?))
            .collect()
    };
    let made = new
        .tables
        .iter()
        .filter(holds_rows)
        .filter(|table| !is_old(table.oid));
    let names = Names {
        schema: Some(old),
        renames: Some(renames),
        ..Names::UNKNOWN
    };
    let canonical = |wanted: &dyn Fn(u32) -> bool| -> BTreeSet<String> {
        let tables = old.tables.iter().filter(|table| wanted(table.oid));
        tables
            .map(|table| {
                names
                    .relation(Some(&table.name.schema), &table.name.name)
                    .name
            })
            .collect()
    };
    let mut after = of(new);
    after.extend(made.map(|table| table.name.sql()));
    after.sort();
    after.dedup();
    Touched {
        relations: canonical(&|oid| touched.contains(&oid)),
        sampled: canonical(&|oid| matches!(outdated.get(&oid), Some(Outdated::Whole))),
        before: of(old),
        after,
    }
}

/// What of a table that was there before has to be analyzed; `None` where its statistics still hold.
fn outdated(oid: u32, shifted: &BTreeSet<u32>, old: &Schema, new: &Schema) -> Option<Outdated> {
    if shifted.contains(&oid) {
        return Some(Outdated::Whole);
    }
    let (was, is) = (old.table_by_oid(oid)?, new.table_by_oid(oid)?);
    let changed = is.columns.iter().filter(|column| {
        let same = was.columns.iter().find(|c| c.number == column.number);
        same.is_none_or(|same| same.data_type.name != column.data_type.name)
    });
    let columns: BTreeSet<i16> = changed.map(|column| column.number).collect();
    (!columns.is_empty()).then_some(Outdated::Columns(columns))
}

fn analyzed(table: &Table, outdated: &Outdated) -> Option<String> {
    let name = table.name.sql();
    match outdated {
        Outdated::Whole => Some(name),
        Outdated::Columns(numbers) => {
            let columns = table.columns.iter().filter(|c| numbers.contains(&c.number));
            let columns: Vec<String> = columns.map(|c| quote_identifier(&c.name)).collect();
            (!columns.is_empty()).then(|| format!("{name} ({})", columns.join(", ")))
        }
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
        let rows = schema.tables.iter().filter(holds_rows);
        rows.map(|table| table.name.sql()).collect()
    };
    let relations: BTreeSet<String> = old
        .tables
        .iter()
        .map(|table| {
            names
                .relation(Some(&table.name.schema), &table.name.name)
                .name
        })
        .collect();
    Touched {
        before: quoted(old),
        after: quoted(new),
        sampled: relations.clone(),
        relations,
    }
}

/// What autovacuum does for production some time after the migration: statistics, and the visibility map that index-only
/// scans need.
pub(super) async fn vacuum_analyze(
    session: &Session,
    tables: &[String],
) -> Result<(), CompareError> {
    maintain(session, "VACUUM (ANALYZE)", tables).await
}

/// New statistics from another sample.
pub(super) async fn analyze(session: &Session, tables: &[String]) -> Result<(), CompareError> {
    maintain(session, "ANALYZE", tables).await
}

async fn maintain(session: &Session, what: &str, tables: &[String]) -> Result<(), CompareError> {
    if tables.is_empty() {
        return Ok(());
    }
    let statement = format!("{what} {}", tables.join(", "));
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
