//! The statements of a load, in the order in which they run for a table.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use tokio_postgres::error::SqlState;

use super::{LoadError, LoadReport, repeated};
use crate::db::connect::{EnvironmentFault, Session, describe};
use crate::db::copy::{CopyError, Format, copy_table, format_of};
use crate::interrupt::Interrupt;
use crate::progress::Task;
use crate::schema::{Index, Schema, Table, TableKind, quote_identifier};
use crate::seed::chunks::Part;
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::{SeedPlan, staging};
use crate::units::Millis;

/// The tables that hold a planned table's rows: its leaves; where the server routes, all of its partitions.
pub(super) fn storage<'s>(schema: &'s Schema, planned: &TablePlan) -> Vec<&'s Table> {
    storage_of(schema, planned, Part::WHOLE)
}

/// Those of a part's rows.
pub(super) fn storage_of<'s>(
    schema: &'s Schema,
    planned: &TablePlan,
    part: Part,
) -> Vec<&'s Table> {
    let holds = |table: &&Table| table.kind == TableKind::Ordinary;
    let routed = planned.leaves.iter().any(|leaf| leaf.oid == planned.oid)
        && schema
            .table_by_oid(planned.oid)
            .is_some_and(|table| table.kind == TableKind::Partitioned);
    if routed {
        let inside = |table: &&Table| {
            table
                .partition_of
                .as_ref()
                .is_some_and(|of| of.root == planned.oid)
        };
        return schema.tables.iter().filter(inside).filter(holds).collect();
    }
    let leaves = planned
        .leaves
        .iter()
        .enumerate()
        .filter(|(number, _)| part.holds(*number));
    leaves
        .filter_map(|(_, leaf)| schema.table_by_oid(leaf.oid))
        .filter(holds)
        .collect()
}

/// Into how many parts a table is divided: one that is more of all rows than a stream's share is filled by several, where
/// its leaves are known.
pub(super) fn parts(plan: &SeedPlan, table: &TablePlan, streams: usize) -> usize {
    /// Less is not worth another stream.
    const LEAST: u64 = 8 << 20;
    let weight = |table: &TablePlan| table.rows.saturating_mul(u64::from(table.width));
    let routed = table.router.is_some() && !table.is_staged();
    if !routed || weight(table) < LEAST {
        return 1;
    }
    let all: f64 = plan
        .tables
        .iter()
        .filter(|table| table.fill == Fill::Generate)
        .map(|table| weight(table) as f64)
        .sum();
    let shares = weight(table) as f64 / all * streams as f64;
    (shares.ceil() as usize).clamp(1, streams.min(table.leaves.len()).max(1))
}

/// OIDs of everything that rows go into, and their roots.
fn relations(schema: &Schema, plan: &SeedPlan) -> Vec<u32> {
    let filled = plan
        .tables
        .iter()
        .filter(|table| table.fill == Fill::Generate);
    let oids: BTreeSet<u32> = filled
        .flat_map(|table| {
            storage(schema, table)
                .into_iter()
                .map(|leaf| leaf.oid)
                .chain([table.oid])
        })
        .collect();
    oids.into_iter().collect()
}

/// Tables forget their triggers, foreign keys' too: nothing fires, and each may be truncated alone.
pub(super) async fn put_triggers_aside(
    session: &Session,
    schema: &Schema,
    plan: &SeedPlan,
) -> Result<(), LoadError> {
    let sql = "UPDATE pg_class SET relhastriggers = false WHERE oid = ANY ($1) AND relhastriggers";
    session
        .client()
        .execute(sql, &[&relations(schema, plan)])
        .await
        .map_err(|error| LoadError::refused("put triggers aside", &error))?;
    Ok(())
}

/// Sequences, triggers, the statistics of partitioned tables, and materialized views.
pub(super) async fn finish(
    session: &Session,
    schema: &Schema,
    plan: &SeedPlan,
    report: &mut LoadReport,
) -> Result<(), LoadError> {
    let client = session.client();
    let sql = "UPDATE pg_class c SET relhastriggers = true WHERE oid = ANY ($1) \
               AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid)";
    client
        .execute(sql, &[&relations(schema, plan)])
        .await
        .map_err(|error| LoadError::refused("put triggers back", &error))?;
    for table in plan
        .tables
        .iter()
        .filter(|table| table.fill == Fill::Generate)
    {
        let Some(introspected) = schema.table_by_oid(table.oid) else {
            continue;
        };
        set_sequences(session, introspected).await?;
        if introspected.kind == TableKind::Partitioned {
            let start = Instant::now();
            analyze(session, table, introspected).await?;
            report.analyze.0 += start.elapsed().as_secs_f64() * 1000.0;
        }
    }
    // What the migrations filled has no statistics yet.
    for table in plan.tables.iter().filter(|table| table.fill == Fill::Keep) {
        let sql = format!("VACUUM (FREEZE, ANALYZE) {}", table.name.sql());
        client
            .batch_execute(&sql)
            .await
            .map_err(|error| LoadError::refused("analyze", &error))?;
    }
    refresh_materialized_views(session, report).await
}

/// Materialized views show the new rows; in the order in which they were made, for one may read another. One that the rows
/// break (its unique index, say) stays empty, and is reported.
async fn refresh_materialized_views(
    session: &Session,
    report: &mut LoadReport,
) -> Result<(), LoadError> {
    let sql = "SELECT oid::regclass::text, format('REFRESH MATERIALIZED VIEW %s; ANALYZE %1$s', oid::regclass) \
               FROM pg_class WHERE relkind = 'm' ORDER BY oid";
    let views = session
        .client()
        .query(sql, &[])
        .await
        .map_err(|error| LoadError::refused("look for materialized views", &error))?;
    for view in views {
        let refreshed = session.client().batch_execute(view.get(1)).await;
        match refreshed {
            Ok(()) => {}
            Err(error) if EnvironmentFault::of(&error).is_none() => {
                let name: String = view.get(0);
                report.notes.push(format!(
                    "materialized view {name} is empty, because these rows cannot be in it: {}",
                    describe(&error)
                ));
            }
            Err(error) => {
                return Err(LoadError::refused("refresh a materialized view", &error));
            }
        }
    }
    Ok(())
}

/// A partitioned table: its own statistics; where its leaves could not be frozen, they are vacuumed.
async fn analyze(session: &Session, plan: &TablePlan, table: &Table) -> Result<(), LoadError> {
    let frozen = plan.leaves.iter().all(|leaf| leaf.oid != table.oid);
    let statement = if frozen {
        "ANALYZE"
    } else {
        "VACUUM (FREEZE, ANALYZE)"
    };
    session
        .client()
        .batch_execute(&format!("{statement} {}", table.name.sql()))
        .await
        .map_err(|error| LoadError::refused("analyze", &error))
}

async fn set_sequences(session: &Session, table: &Table) -> Result<(), LoadError> {
    for column in &table.columns {
        let Some(sequence) = &column.sequence else {
            continue;
        };
        let last = sequence.last_of(&column.name, &table.name);
        let sql = sequence.set_to_farther(&last, &sequence.start.to_string());
        session
            .client()
            .batch_execute(&sql)
            .await
            .map_err(|error| LoadError::refused("set a sequence past its column", &error))?;
    }
    Ok(())
}

/// Empties a table's leaves, or a part of them, and fills them, in one transaction: no WAL, frozen rows.
pub(super) async fn copy(
    session: &Session,
    schema: &Schema,
    plan: &Arc<SeedPlan>,
    (table, part): (usize, Part),
    task: &Task,
    interrupt: &Interrupt,
) -> Result<u64, LoadError> {
    let planned = &plan.tables[table];
    let columns: Vec<String> = planned
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    let columns = columns.join(", ");
    let is_leaf = |oid: u32| {
        schema
            .table_by_oid(oid)
            .is_some_and(|leaf| leaf.kind == TableKind::Ordinary)
    };
    let stored = storage_of(schema, planned, part);
    // Partitions that could hold rows are not there: there are no rows.
    if stored.is_empty() {
        return Ok(0);
    }
    let leaves: Vec<u32> = stored.iter().map(|leaf| leaf.oid).collect();
    let refused = |error: &tokio_postgres::Error| LoadError::Rows {
        table: planned.name.to_string(),
        reason: describe(error),
        fault: EnvironmentFault::of(error),
    };
    let client = session.client();
    let begin = match planned.there {
        0 => truncation(&stored),
        _ => "BEGIN".to_owned(),
    };
    client
        .batch_execute(&begin)
        .await
        .map_err(|error| refused(&error))?;
    // After TRUNCATE, which makes every index anew.
    let sql = "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = ANY ($1) AND indisready";
    client
        .execute(sql, &[&leaves])
        .await
        .map_err(|error| refused(&error))?;
    let format = format_of(session, schema, planned)
        .await
        .map_err(|error| refused(&error))?;
    let form = if matches!(format, Format::Binary) {
        "binary"
    } else {
        "text"
    };
    let staged = planned.is_staged();
    if staged {
        client
            .batch_execute(&staging::make(planned, &columns))
            .await
            .map_err(|error| refused(&error))?;
    }
    let statement = |leaf: usize| {
        if staged {
            return format!(
                "COPY {} ({columns}) FROM STDIN (FORMAT {form})",
                staging::STAGE
            );
        }
        let leaf = &planned.leaves[leaf];
        let freeze = if is_leaf(leaf.oid) && planned.there == 0 {
            ", FREEZE"
        } else {
            ""
        };
        format!(
            "COPY {} ({columns}) FROM STDIN (FORMAT {form}{freeze})",
            leaf.name.sql()
        )
    };
    let sent = |rows| task.advance(rows);
    let copied = copy_table(
        format, session, plan, table, part, statement, sent, interrupt,
    )
    .await;
    let rows = copied.map_err(|error| {
        let fault = match &error {
            CopyError::Server(error) => EnvironmentFault::of(error),
            CopyError::MissingPartition(_) => None,
        };
        LoadError::Rows {
            table: planned.name.to_string(),
            reason: error.to_string(),
            fault,
        }
    })?;
    interrupt.check()?;
    if staged {
        client
            .batch_execute(&staging::insert(planned, &planned.name.sql(), &columns))
            .await
            .map_err(|error| refused(&error))?;
    }
    client
        .batch_execute("COMMIT")
        .await
        .map_err(|error| refused(&error))?;
    if planned.kept_where.is_empty() {
        return Ok(rows);
    }
    let sql = format!("SELECT count(*) FROM {}", planned.name.sql());
    let kept = client.query_one(&sql, &[]).await;
    let kept: i64 = kept.map_err(|error| refused(&error))?.get(0);
    Ok(kept.unsigned_abs().saturating_sub(planned.there))
}

/// BEGIN and TRUNCATE of the tables that hold the rows; ONLY, for others may inherit from them.
fn truncation(stored: &[&Table]) -> String {
    let names: Vec<String> = stored
        .iter()
        .map(|table| format!("ONLY {}", table.name.sql()))
        .collect();
    format!("BEGIN; TRUNCATE {}", names.join(", "))
}

/// Builds an index that was put aside; it checks uniqueness and exclusion. As many processes help as there are `idle`
/// streams: more than cores would stand in each other's way. Returns how many rows had to go because they repeat its key.
pub(super) async fn build_index(
    session: &Session,
    schema: &Schema,
    table: &Table,
    index: &Index,
    idle: usize,
) -> Result<u64, LoadError> {
    let failed = |error: &tokio_postgres::Error| LoadError::Constraint {
        table: table.name.to_string(),
        object: format!("index {}", index.name),
        reason: describe(error),
        fault: EnvironmentFault::of(error),
    };
    let helpers = format!(
        "SET max_parallel_maintenance_workers = {}",
        idle.min(MOST_HELPERS)
    );
    let build = format!(
        "REINDEX INDEX {}.{}",
        quote_identifier(&table.name.schema),
        quote_identifier(&index.name)
    );
    let client = session.client();
    client
        .batch_execute(&helpers)
        .await
        .map_err(|error| failed(&error))?;
    let Err(refused) = client.batch_execute(&build).await else {
        return Ok(0);
    };
    let is_repeated = refused.code() == Some(&SqlState::UNIQUE_VIOLATION);
    if !is_repeated || repeated::is_referenced(schema, table) {
        return Err(failed(&refused));
    }
    let removed = repeated::remove(session, table, index).await;
    let removed = removed.map_err(|error| failed(&error))?;
    client
        .batch_execute(&build)
        .await
        .map_err(|error| failed(&error))?;
    Ok(removed)
}

/// `max_worker_processes` and `max_parallel_workers` are 8 where nobody sets them: one index takes no more.
const MOST_HELPERS: usize = 7;

/// Lets the server prove a foreign key over all rows.
pub(super) async fn validate_foreign_key(
    session: &Session,
    table: &Table,
    name: &str,
) -> Result<(), LoadError> {
    let failed = |error: &tokio_postgres::Error| LoadError::Constraint {
        table: table.name.to_string(),
        object: format!("foreign key {name}"),
        reason: describe(error),
        fault: EnvironmentFault::of(error),
    };
    let sql = "UPDATE pg_constraint SET convalidated = false WHERE conrelid = $1 AND conname = $2 AND contype = 'f' \
               AND NOT EXISTS (SELECT FROM pg_constraint above WHERE above.oid = pg_constraint.conparentid \
                               AND above.conrelid = pg_constraint.conrelid)";
    session
        .client()
        .execute(sql, &[&table.oid, &name])
        .await
        .map_err(|error| failed(&error))?;
    let sql = format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {}",
        table.name.sql(),
        quote_identifier(name)
    );
    session
        .client()
        .batch_execute(&sql)
        .await
        .map_err(|error| failed(&error))
}

/// Statistics of a table that holds rows of its own. Where its rows are frozen, VACUUM reads next to nothing: it gives
/// back the empty pages with which 16 and later extend a table, and which would count as not all-visible.
pub(super) async fn analyze_leaf(session: &Session, table: &Table) -> Result<(), LoadError> {
    session
        .client()
        .batch_execute(&format!("VACUUM (FREEZE, ANALYZE) {}", table.name.sql()))
        .await
        .map_err(|error| LoadError::refused("analyze", &error))
}

/// Milliseconds since an instant, added up.
pub(super) fn add(total: &mut Millis, since: Instant) {
    total.0 += since.elapsed().as_secs_f64() * 1000.0;
}
