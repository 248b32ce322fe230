//! The statements of a load, in the order in which they run for a table.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::{LoadError, LoadReport};
use crate::db::connect::{EnvironmentFault, Session, describe};
use crate::db::copy::{CopyError, copy_table};
use crate::interrupt::Interrupt;
use crate::progress::Task;
use crate::schema::{Schema, Table, TableKind, quote_identifier};
use crate::seed::SeedPlan;
use crate::seed::plan::{Fill, TablePlan};
use crate::units::Millis;

/// OIDs of everything that rows go into, and their roots.
fn relations(plan: &SeedPlan) -> Vec<u32> {
    let filled = plan.tables.iter().filter(|table| table.fill == Fill::Generate);
    let oids: BTreeSet<u32> =
        filled.flat_map(|table| table.leaves.iter().map(|leaf| leaf.oid).chain([table.oid])).collect();
    oids.into_iter().collect()
}

/// Tables forget their triggers, foreign keys' too: nothing fires, and each may be truncated alone.
pub(super) async fn put_triggers_aside(session: &Session, plan: &SeedPlan) -> Result<(), LoadError> {
    let sql = "UPDATE pg_class SET relhastriggers = false WHERE oid = ANY ($1) AND relhastriggers";
    session
        .client()
        .execute(sql, &[&relations(plan)])
        .await
        .map_err(|error| LoadError::refused("put triggers aside", &error))?;
    Ok(())
}

/// Sequences, triggers, the statistics of partitioned tables, and a checkpoint.
pub(super) async fn finish(
    session: &Session,
    schema: &Schema,
    plan: &SeedPlan,
    report: &mut LoadReport,
) -> Result<(), LoadError> {
    let client = session.client();
    let sql = "UPDATE pg_class c SET relhastriggers = true WHERE oid = ANY ($1) \
               AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid)";
    client.execute(sql, &[&relations(plan)]).await.map_err(|error| LoadError::refused("put triggers back", &error))?;
    for table in plan.tables.iter().filter(|table| table.fill == Fill::Generate) {
        let Some(introspected) = schema.table_by_oid(table.oid) else { continue };
        set_sequences(session, introspected).await?;
        if introspected.kind == TableKind::Partitioned {
            let start = Instant::now();
            analyze(session, table, introspected).await?;
            report.analyze.0 += start.elapsed().as_secs_f64() * 1000.0;
        }
    }
    client.batch_execute("CHECKPOINT").await.map_err(|error| LoadError::refused("checkpoint", &error))
}

/// A partitioned table: its own statistics; where its leaves could not be frozen, they are vacuumed.
async fn analyze(session: &Session, plan: &TablePlan, table: &Table) -> Result<(), LoadError> {
    let frozen = plan.leaves.iter().all(|leaf| leaf.oid != table.oid);
    let statement = if frozen { "ANALYZE" } else { "VACUUM (FREEZE, ANALYZE)" };
    session
        .client()
        .batch_execute(&format!("{statement} {}", table.name.sql()))
        .await
        .map_err(|error| LoadError::refused("analyze", &error))
}

async fn set_sequences(session: &Session, table: &Table) -> Result<(), LoadError> {
    for column in &table.columns {
        let Some(sequence) = &column.sequence else { continue };
        let sql = format!(
            "SELECT setval('{}', greatest((SELECT max({}) FROM {})::bigint, \
             (SELECT seqmin FROM pg_sequence WHERE seqrelid = '{0}'::regclass)))",
            sequence.sql().replace('\'', "''"),
            quote_identifier(&column.name),
            table.name.sql(),
        );
        session
            .client()
            .batch_execute(&sql)
            .await
            .map_err(|error| LoadError::refused("set a sequence past its column", &error))?;
    }
    Ok(())
}

/// Empties a table's leaves and fills them, in one transaction: no WAL, frozen rows.
pub(super) async fn copy(
    session: &Session,
    schema: &Schema,
    plan: &Arc<SeedPlan>,
    table: usize,
    task: &Task,
    interrupt: &Interrupt,
) -> Result<u64, LoadError> {
    let planned = &plan.tables[table];
    let columns: Vec<String> = planned.columns.iter().map(|column| quote_identifier(&column.name)).collect();
    let columns = columns.join(", ");
    let is_leaf = |oid: u32| schema.table_by_oid(oid).is_some_and(|leaf| leaf.kind == TableKind::Ordinary);
    let leaves: Vec<u32> = planned.leaves.iter().map(|leaf| leaf.oid).filter(|oid| is_leaf(*oid)).collect();
    let refused = |error: &tokio_postgres::Error| LoadError::Rows {
        table: planned.name.to_string(),
        reason: describe(error),
        fault: EnvironmentFault::of(error),
    };
    let client = session.client();
    client.batch_execute(&truncation(planned, schema)).await.map_err(|error| refused(&error))?;
    // After TRUNCATE, which makes every index anew.
    let sql = "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = ANY ($1) AND indisready";
    client.execute(sql, &[&leaves]).await.map_err(|error| refused(&error))?;
    let statement = |leaf: usize| {
        let leaf = &planned.leaves[leaf];
        let freeze = if is_leaf(leaf.oid) { ", FREEZE" } else { "" };
        format!("COPY {} ({columns}) FROM STDIN (FORMAT binary{freeze})", leaf.name.sql())
    };
    let sent = |rows| task.advance(rows);
    let rows =
        copy_table(session, plan, table, 0..planned.rows, statement, sent, interrupt).await.map_err(|error| {
            let fault = match &error {
                CopyError::Server(error) => EnvironmentFault::of(error),
                CopyError::Homeless(_) | CopyError::Stopped => None,
            };
            LoadError::Rows { table: planned.name.to_string(), reason: error.to_string(), fault }
        })?;
    interrupt.check()?;
    client.batch_execute("COMMIT").await.map_err(|error| refused(&error))?;
    Ok(rows)
}

/// BEGIN and TRUNCATE: of leaves only; where the server routes, of the whole tree.
fn truncation(planned: &TablePlan, schema: &Schema) -> String {
    let names: Vec<String> = planned
        .leaves
        .iter()
        .map(|leaf| match schema.table_by_oid(leaf.oid).map(|table| table.kind) {
            Some(TableKind::Partitioned) => leaf.name.sql(),
            _ => format!("ONLY {}", leaf.name.sql()),
        })
        .collect();
    format!("BEGIN; TRUNCATE {}", names.join(", "))
}

/// Builds an index that was put aside; it checks uniqueness and exclusion.
pub(super) async fn build_index(session: &Session, table: &Table, name: &str) -> Result<(), LoadError> {
    let sql = format!("REINDEX INDEX {}.{}", quote_identifier(&table.name.schema), quote_identifier(name));
    session.client().batch_execute(&sql).await.map_err(|error| LoadError::Constraint {
        table: table.name.to_string(),
        object: format!("index {name}"),
        reason: describe(&error),
        fault: EnvironmentFault::of(&error),
    })
}

/// Lets the server prove a foreign key over all rows.
pub(super) async fn validate_foreign_key(session: &Session, table: &Table, name: &str) -> Result<(), LoadError> {
    let failed = |error: &tokio_postgres::Error| LoadError::Constraint {
        table: table.name.to_string(),
        object: format!("foreign key {name}"),
        reason: describe(error),
        fault: EnvironmentFault::of(error),
    };
    let sql = "UPDATE pg_constraint SET convalidated = false WHERE conrelid = $1 AND conname = $2 AND contype = 'f' \
               AND NOT EXISTS (SELECT FROM pg_constraint above WHERE above.oid = pg_constraint.conparentid \
                               AND above.conrelid = pg_constraint.conrelid)";
    session.client().execute(sql, &[&table.oid, &name]).await.map_err(|error| failed(&error))?;
    let sql = format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", table.name.sql(), quote_identifier(name));
    session.client().batch_execute(&sql).await.map_err(|error| failed(&error))
}

/// Statistics of a table that holds rows of its own. Its rows are frozen, so VACUUM reads next to nothing: it gives back
/// the empty pages with which 16 and later extend a table, and which would count as not all-visible.
pub(super) async fn analyze_leaf(session: &Session, table: &Table) -> Result<(), LoadError> {
    session
        .client()
        .batch_execute(&format!("VACUUM (ANALYZE) {}", table.name.sql()))
        .await
        .map_err(|error| LoadError::refused("analyze", &error))
}

/// Milliseconds since an instant, added up.
pub(super) fn add(total: &mut Millis, since: Instant) {
    total.0 += since.elapsed().as_secs_f64() * 1000.0;
}
