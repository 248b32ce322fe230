//! The statements that fill a given database, in order.

use std::fmt::Write as _;
use std::time::Instant;

use super::cycles::Broken;
use super::{GivenError, Intent, Triggers};
use crate::db::connect::{EnvironmentFault, Session, describe};
use crate::db::copy::{self, CopyError, Format};
use crate::db::load::LoadReport;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Task, Unit};
use crate::schema::{QualifiedName, Table, quote_identifier};
use crate::seed::chunks::Part;
use crate::seed::describe::header;
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::{SeedPlan, staging};
use crate::units::Millis;

/// How long a lock may be waited for that somebody else holds.
const LOCK_TIMEOUT: &str = "30s";

/// Everything from BEGIN to ANALYZE.
pub(super) async fn run(
    session: &Session,
    intent: &Intent,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<LoadReport, GivenError> {
    let mut report = LoadReport::default();
    let start = Instant::now();
    begin(session, intent).await?;
    let disabled = match intent.triggers {
        Triggers::Fire => Vec::new(),
        Triggers::Disable => disable_triggers(session, intent).await?,
    };
    let rows = progress.task("Loading rows", Unit::Rows, Some(intent.plan.total_rows()));
    // Rows that triggers add take numbers that no row has.
    if filled(&intent.plan)
        .iter()
        .any(|table| has_triggers(intent, *table))
    {
        for table in filled(&intent.plan) {
            advance_sequences(session, intent, table).await?;
        }
    }
    for table in filled(&intent.plan) {
        rows.doing(intent.plan.tables[table].name.to_string());
        report.rows += copy_rows(session, intent, table, &rows, interrupt).await?;
    }
    for late in &intent.broken {
        let name = intent.plan.tables[late.table].name.to_string();
        rows.doing(format!("{name}: keys that point to later tables"));
        set_late_columns(session, intent, late, interrupt).await?;
    }
    for table in filled(&intent.plan) {
        set_sequences(session, intent, table).await?;
    }
    for enable in &disabled {
        // Checks that wait for the end of the transaction stand in the way of ALTER TABLE.
        run_sql(session, "SET CONSTRAINTS ALL IMMEDIATE", || {
            "check the constraints".to_owned()
        })
        .await?;
        run_sql(session, enable, || "enable the triggers again".to_owned()).await?;
    }
    interrupt.check()?;
    run_sql(session, "COMMIT", || "commit".to_owned()).await?;
    drop(rows);
    report.copy = Millis(start.elapsed().as_secs_f64() * 1000.0);
    analyze(session, intent, progress, interrupt, &mut report).await?;
    Ok(report)
}

/// Indexes of the tables that get rows, in their order.
fn filled(plan: &SeedPlan) -> Vec<usize> {
    (0..plan.tables.len())
        .filter(|table| plan.tables[*table].fill == Fill::Generate && plan.tables[*table].rows > 0)
        .collect()
}

async fn run_sql(
    session: &Session,
    sql: &str,
    action: impl Fn() -> String,
) -> Result<(), GivenError> {
    session
        .client()
        .batch_execute(sql)
        .await
        .map_err(|error| GivenError::refused(action(), &error))
}

/// Opens the transaction, empties what is to be emptied, and looks once more whether the rest is as it was.
async fn begin(session: &Session, intent: &Intent) -> Result<(), GivenError> {
    // A commit that is on disk: VACUUM marks no page all-visible before that.
    let opening = format!(
        "BEGIN; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL synchronous_commit = on; SET CONSTRAINTS ALL DEFERRED"
    );
    run_sql(session, &opening, || "begin".to_owned()).await?;
    if !intent.emptied.is_empty() {
        let names: Vec<String> = intent.emptied.iter().map(QualifiedName::sql).collect();
        let sql = format!("TRUNCATE {}", names.join(", "));
        run_sql(session, &sql, || "empty the tables".to_owned()).await?;
    }
    for table in filled(&intent.plan)
        .into_iter()
        .map(|table| &intent.plan.tables[table])
    {
        if intent.appended.contains(&table.name) {
            continue;
        }
        // Nobody else writes there until the commit.
        let sql = format!(
            "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
            table.name.sql()
        );
        run_sql(session, &sql, || format!("lock table {}", table.name)).await?;
        let question = format!("SELECT EXISTS (SELECT FROM {})", table.name.sql());
        let row = session.client().query_one(&question, &[]).await;
        let row = row.map_err(|error| {
            GivenError::refused(format!("look into table {}", table.name), &error)
        })?;
        if row.get::<_, bool>(0) {
            let database = format!("database \"{}\"", session.url().database());
            return Err(GivenError::HoldsRows {
                database,
                tables: vec![table.name.clone()],
            });
        }
    }
    Ok(())
}

/// Disables the triggers of the tables that are filled; returns the statements that make each of them as it was.
async fn disable_triggers(session: &Session, intent: &Intent) -> Result<Vec<String>, GivenError> {
    let action = || "disable the triggers".to_owned();
    let tables: Vec<u32> = filled(&intent.plan)
        .into_iter()
        .map(|table| intent.plan.tables[table].oid)
        .collect();
    let sql = "SELECT pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::pg_catalog.regclass, tgname), \
                      pg_catalog.format('ALTER TABLE %s ENABLE %s TRIGGER %I', tgrelid::pg_catalog.regclass, \
                             CASE tgenabled WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' ELSE '' END, tgname) \
               FROM pg_catalog.pg_trigger WHERE tgrelid OPERATOR(pg_catalog.=) ANY ($1) AND NOT tgisinternal \
               AND tgenabled OPERATOR(pg_catalog.<>) 'D'";
    let found = session.client().query(sql, &[&tables]).await;
    let found = found.map_err(|error| GivenError::refused(action(), &error))?;
    let mut enable = Vec::with_capacity(found.len());
    for row in found {
        run_sql(session, row.get(0), action).await?;
        enable.push(row.get(1));
    }
    Ok(enable)
}

/// Rows of one table, into the table itself: the server routes to partitions and fires what belongs there.
async fn copy_rows(
    session: &Session,
    intent: &Intent,
    table: usize,
    task: &Task,
    interrupt: &Interrupt,
) -> Result<u64, GivenError> {
    let planned = &intent.plan.tables[table];
    let by_triggers =
        !intent.appended.contains(&planned.name) && holds_rows(session, planned).await;
    let refused = |error: CopyError| copy_refused(intent, planned, &error, by_triggers);
    let late = intent.broken.iter().find(|late| late.table == table);
    let sent = |rows| task.advance(rows);
    let now: Vec<usize> = (0..planned.columns.len())
        .filter(|at| late.is_none_or(|late| !late.columns.contains(at)))
        .collect();
    let columns = names(planned, &now).join(", ");
    let staged = planned.is_staged();
    let target = if staged {
        staging::STAGE.to_owned()
    } else {
        planned.name.sql()
    };
    let action = || format!("fill table {}", planned.name);
    if staged {
        run_sql(session, &staging::make(planned, &columns), action).await?;
    }
    let copied = match late {
        None => {
            let format = copy::format_of(session, &intent.schema, planned).await;
            let format = format.map_err(|error| GivenError::refused(action(), &error))?;
            let form = if matches!(format, Format::Binary) {
                "binary"
            } else {
                "text"
            };
            let statement = |_leaf| format!("COPY {target} ({columns}) FROM STDIN (FORMAT {form})");
            copy::copy_table(
                format,
                session,
                &intent.plan,
                table,
                Part::WHOLE,
                statement,
                sent,
                interrupt,
            )
            .await
        }
        Some(_) => {
            let statement = copy_statement(&target, planned, &now);
            copy::copy_columns(
                session,
                &intent.plan,
                table,
                &now,
                &statement,
                sent,
                interrupt,
            )
            .await
        }
    };
    let rows = copied.map_err(refused)?;
    if staged {
        run_sql(
            session,
            &staging::insert(planned, &planned.name.sql(), &columns),
            action,
        )
        .await?;
    }
    Ok(rows)
}

/// Whether a table that was empty when the plan was made holds rows by now.
async fn holds_rows(session: &Session, planned: &TablePlan) -> bool {
    let sql = format!("SELECT EXISTS (SELECT FROM {})", planned.name.sql());
    // What cannot be asked here is reported by the COPY that follows.
    session
        .client()
        .query_one(&sql, &[])
        .await
        .is_ok_and(|row| row.get(0))
}

fn copy_refused(
    intent: &Intent,
    planned: &TablePlan,
    error: &CopyError,
    by_triggers: bool,
) -> GivenError {
    let (mut reason, fault) = match error {
        CopyError::Server(error) => (describe(error), EnvironmentFault::of(error)),
        CopyError::MissingPartition(_) => (error.to_string(), None),
    };
    if by_triggers && fault.is_none() {
        let _ = write!(
            reason,
            "; triggers of other tables have written rows there: leave the table to them, `rows = 0` under [{}]",
            header(&planned.name)
        );
    }
    let triggers = intent
        .schema
        .table_by_oid(planned.oid)
        .map(|table| table.insert_triggers.as_slice())
        .unwrap_or_default();
    // A trigger may refuse rows, or change them to what a constraint refuses.
    if !by_triggers && fault.is_none() && intent.triggers == Triggers::Fire && !triggers.is_empty()
    {
        let _ = write!(
            reason,
            "; trigger {} of the table fires for each row and may refuse or change it: --disable-triggers fills the table \
             without it, where the role owns the table",
            triggers.join(", ")
        );
    }
    GivenError::Refused {
        action: format!("fill table {}", planned.name),
        reason,
        fault,
    }
}

fn names(planned: &TablePlan, columns: &[usize]) -> Vec<String> {
    columns
        .iter()
        .map(|at| quote_identifier(&planned.columns[*at].name))
        .collect()
}

fn copy_statement(target: &str, planned: &TablePlan, columns: &[usize]) -> String {
    format!(
        "COPY {target} ({}) FROM STDIN (FORMAT binary)",
        names(planned, columns).join(", ")
    )
}

/// Columns that had to wait for their parents: through a temporary table, found again by the primary key.
async fn set_late_columns(
    session: &Session,
    intent: &Intent,
    late: &Broken,
    interrupt: &Interrupt,
) -> Result<(), GivenError> {
    let planned = &intent.plan.tables[late.table];
    let action = || format!("set the late keys of table {}", planned.name);
    let target = planned.name.sql();
    let columns: Vec<usize> = late.key.iter().chain(&late.columns).copied().collect();
    let list = names(planned, &columns).join(", ");
    let make = format!(
        "CREATE TEMP TABLE pgproof_late ON COMMIT DROP AS SELECT {list} FROM {target} WITH NO DATA"
    );
    run_sql(session, &make, action).await?;
    let statement = copy_statement("pg_temp.pgproof_late", planned, &columns);
    copy::copy_columns(
        session,
        &intent.plan,
        late.table,
        &columns,
        &statement,
        |_| {},
        interrupt,
    )
    .await
    .map_err(|error| copy_refused(intent, planned, &error, false))?;
    let set: Vec<String> = names(planned, &late.columns)
        .iter()
        .map(|name| format!("{name} = late.{name}"))
        .collect();
    let found: Vec<String> = names(planned, &late.key)
        .iter()
        .map(|name| format!("rows.{name} = late.{name}"))
        .collect();
    let update = format!(
        "UPDATE {target} AS rows SET {} FROM pg_temp.pgproof_late AS late WHERE {}; DROP TABLE pg_temp.pgproof_late",
        set.join(", "),
        found.join(" AND ")
    );
    run_sql(session, &update, action).await
}

fn has_triggers(intent: &Intent, table: usize) -> bool {
    let table = intent.schema.table_by_oid(intent.plan.tables[table].oid);
    table.is_some_and(|table| !table.insert_triggers.is_empty())
}

/// Each sequence goes to where its column's rows will end.
async fn advance_sequences(
    session: &Session,
    intent: &Intent,
    table: usize,
) -> Result<(), GivenError> {
    let planned = &intent.plan.tables[table];
    let columns = intent
        .schema
        .table_by_oid(planned.oid)
        .map(|table: &Table| table.columns.as_slice());
    for column in columns.unwrap_or_default() {
        let (Some(sequence), Some(last)) = (&column.sequence, planned.last_counted(&column.name))
        else {
            continue;
        };
        let reached = format!("(SELECT last_value FROM {})", sequence.name.sql());
        let sql = sequence.set_to_farther(&last.to_string(), &reached);
        run_sql(session, &sql, || format!("set sequence {}", sequence.name)).await?;
    }
    Ok(())
}

/// Each sequence goes on after its column's last value.
async fn set_sequences(session: &Session, intent: &Intent, table: usize) -> Result<(), GivenError> {
    let planned = &intent.plan.tables[table];
    let columns = intent
        .schema
        .table_by_oid(planned.oid)
        .map(|table: &Table| table.columns.as_slice());
    for column in columns.unwrap_or_default() {
        let Some(sequence) = &column.sequence else {
            continue;
        };
        // A sequence that others draw from too may be further on already.
        let reached = format!("(SELECT last_value FROM {})", sequence.name.sql());
        let sql = sequence.set_to_farther(&sequence.last_of(&column.name, &planned.name), &reached);
        run_sql(session, &sql, || format!("set sequence {}", sequence.name)).await?;
    }
    Ok(())
}

/// Statistics and the visibility map: what autovacuum would come round to.
async fn analyze(
    session: &Session,
    intent: &Intent,
    progress: &Progress,
    interrupt: &Interrupt,
    report: &mut LoadReport,
) -> Result<(), GivenError> {
    let start = Instant::now();
    let tables = filled(&intent.plan);
    let task = progress.task("Analyzing", Unit::Steps, Some(tables.len() as u64));
    for planned in tables.into_iter().map(|table| &intent.plan.tables[table]) {
        task.doing(planned.name.to_string());
        let sql = format!("VACUUM (ANALYZE) {}", planned.name.sql());
        session
            .client()
            .batch_execute(&sql)
            .await
            .map_err(|error| GivenError::Afterwards {
                action: format!("analyze table {}", planned.name),
                reason: describe(&error),
            })?;
        interrupt.check()?;
        task.advance(1);
    }
    report.analyze = Millis(start.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}
