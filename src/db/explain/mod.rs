//! EXPLAIN of a query with bound values: through PREPARE and EXECUTE, in a transaction that always rolls back, with every
//! timeout set. Chooses no values and judges no plan.

mod error;
mod statement;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Instant;

use serde_json::Value;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::db::connect::Session;
use crate::plan::{NodeKind, Plan, parse};
use crate::schema::{Schema, Table};
use crate::units::Millis;

use error::Waited;
pub use error::{ExplainError, Refusal};
pub use statement::{Prepared, TypeInfo, TypeKind, quote_literal};

/// What statements may do to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A copy that is pgproof's own and will be dropped: anything, rolled back.
    PrivateCopy,
    /// A database that was given: READ ONLY; queries that write are planned, not run.
    ReadOnly,
    /// A database that was given, with the permission to run writes and roll them back. Sequences do not roll back.
    Writes,
}

impl Access {
    /// Whether a query that writes may be executed.
    #[must_use]
    pub fn allows_writes(self) -> bool {
        match self {
            Self::PrivateCopy | Self::Writes => true,
            Self::ReadOnly => false,
        }
    }
}

/// How long a statement may take, and how its transaction is opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// `statement_timeout`.
    pub statement: Millis,
    /// `lock_timeout`.
    pub lock: Millis,
    /// What may be done.
    pub access: Access,
}

/// Which kind of plan PostgreSQL makes for a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanChoice {
    /// For the values at hand.
    Custom,
    /// For any value: what an application with prepared statements gets after five executions.
    Generic,
}

impl PlanChoice {
    /// The value of `plan_cache_mode`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "force_custom_plan",
            Self::Generic => "force_generic_plan",
        }
    }
}

/// A plan as EXPLAIN printed it and as data.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// EXPLAIN's statement object: `{"Plan": …, "Execution Time": …}`.
    pub json: Value,
    /// The same as data.
    pub plan: Plan,
}

/// How a statement is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Planned only.
    Estimate,
    /// Executed.
    Analyze,
    /// Executed, with the write-ahead log that it made.
    AnalyzeWrite,
}

impl Mode {
    fn options(self) -> &'static str {
        match self {
            Self::Estimate => "VERBOSE, SETTINGS, FORMAT JSON",
            Self::Analyze => "ANALYZE, BUFFERS, VERBOSE, SETTINGS, FORMAT JSON",
            Self::AnalyzeWrite => "ANALYZE, BUFFERS, WAL, VERBOSE, SETTINGS, FORMAT JSON",
        }
    }
}

/// Plans a prepared statement once for each set of values (text forms, `None` = NULL), in one round trip.
///
/// # Errors
/// [`ExplainError`]; where one set is refused, all are.
pub async fn estimate(
    client: &Client,
    prepared: &Prepared,
    sets: &[Vec<Option<String>>],
    choice: PlanChoice,
    limits: &Limits,
) -> Result<Vec<Explained>, ExplainError> {
    let mut body = String::new();
    for values in sets {
        let _ = write!(
            body,
            "EXPLAIN ({}) {};",
            Mode::Estimate.options(),
            prepared.execute(values)
        );
    }
    let printed = in_transaction(client, limits, choice, &body).await?;
    printed.iter().map(|text| read(text)).collect()
}

/// Executes a prepared statement once under EXPLAIN ANALYZE; what it changed is rolled back.
///
/// # Errors
/// [`ExplainError::TimedOut`] past `limits.statement`, else [`ExplainError`].
pub async fn analyze(
    client: &Client,
    prepared: &Prepared,
    values: &[Option<String>],
    choice: PlanChoice,
    limits: &Limits,
) -> Result<Explained, ExplainError> {
    let mode = if prepared.writes {
        Mode::AnalyzeWrite
    } else {
        Mode::Analyze
    };
    // Deferred constraints never fire in a transaction that rolls back: their work would go unseen.
    let constraints = if prepared.writes {
        "SET CONSTRAINTS ALL IMMEDIATE;"
    } else {
        ""
    };
    let body = format!(
        "{constraints}EXPLAIN ({}) {};",
        mode.options(),
        prepared.execute(values)
    );
    let printed = in_transaction(client, limits, choice, &body).await?;
    printed
        .last()
        .map_or(Err(ExplainError::NoPlan), |text| read(text))
}

/// Plans with every parameter NULL and no value folded in, so that conditions show where each `$n` goes. Partitions are
/// not pruned: pruning by NULL would leave nothing to see.
///
/// # Errors
/// [`ExplainError`].
pub async fn generic(
    client: &Client,
    prepared: &Prepared,
    limits: &Limits,
) -> Result<Explained, ExplainError> {
    let values = vec![None; prepared.types.len()];
    let execute = prepared.execute(&values);
    let body = format!(
        "SET LOCAL enable_partition_pruning = off;EXPLAIN ({}) {execute};",
        Mode::Estimate.options()
    );
    let printed = in_transaction(client, limits, PlanChoice::Generic, &body).await?;
    printed
        .last()
        .map_or(Err(ExplainError::NoPlan), |text| read(text))
}

/// Explains within the transaction that is open; afterwards it is as it was.
///
/// # Errors
/// [`ExplainError`]; after a refusal or a time-out the transaction goes on.
pub(crate) async fn in_savepoint(
    client: &Client,
    prepared: &Prepared,
    values: &[Option<String>],
    choice: PlanChoice,
    mode: Mode,
) -> Result<Explained, ExplainError> {
    let constraints = if mode == Mode::AnalyzeWrite {
        "SET CONSTRAINTS ALL IMMEDIATE;"
    } else {
        ""
    };
    let sql = format!(
        "SAVEPOINT pgproof;SET LOCAL plan_cache_mode = {};{constraints}EXPLAIN ({}) {};\
         ROLLBACK TO SAVEPOINT pgproof;RELEASE SAVEPOINT pgproof;",
        choice.as_str(),
        mode.options(),
        prepared.execute(values)
    );
    match client.simple_query(&sql).await {
        Ok(messages) => first_columns(messages)
            .last()
            .map_or(Err(ExplainError::NoPlan), |text| read(text)),
        Err(error) => {
            let error = ExplainError::of(error, NO_POSITION);
            if matches!(error, ExplainError::Refused(_) | ExplainError::TimedOut) {
                let back = "ROLLBACK TO SAVEPOINT pgproof;RELEASE SAVEPOINT pgproof;";
                client
                    .simple_query(back)
                    .await
                    .map_err(|error| ExplainError::of(error, NO_POSITION))?;
            }
            Err(error)
        }
    }
}

/// The statements that open a transaction with its limits.
pub(crate) fn opening(limits: &Limits, choice: PlanChoice) -> String {
    let read_only = match limits.access {
        Access::PrivateCopy | Access::Writes => "",
        Access::ReadOnly => " READ ONLY",
    };
    let choice = choice.as_str();
    format!(
        "BEGIN{read_only};SET LOCAL statement_timeout = {:.0};SET LOCAL lock_timeout = {:.0};\
         SET LOCAL idle_in_transaction_session_timeout = {:.0};SET LOCAL plan_cache_mode = {choice};",
        limits.statement.0.max(1.0),
        limits.lock.0.max(1.0),
        limits.statement.0.max(1.0) + 60_000.0,
    )
}

/// Runs statements in a transaction that rolls back; the first column of every row that they return.
///
/// # Errors
/// [`ExplainError`]; the transaction is rolled back then, too.
pub(crate) async fn in_transaction(
    client: &Client,
    limits: &Limits,
    choice: PlanChoice,
    body: &str,
) -> Result<Vec<String>, ExplainError> {
    let opening = opening(limits, choice);
    let sql = format!("{opening}{body}ROLLBACK;");
    texts_within(client, &sql, NO_POSITION, Some(limits.statement)).await
}

/// Takes away what plans that wrote, and were rolled back, left in their tables and in those that refer to them. On a
/// private copy only: nobody else's statements may see pages move.
///
/// # Errors
/// [`ExplainError`].
pub(crate) async fn vacuum<'a>(
    session: &Session,
    schema: &Schema,
    plans: impl Iterator<Item = &'a Plan>,
) -> Result<(), ExplainError> {
    let written = plans
        .flat_map(|plan| &plan.nodes)
        .filter(|node| node.kind == NodeKind::ModifyTable);
    let mut tables: BTreeSet<u32> = BTreeSet::new();
    for relation in written.filter_map(|node| node.relation.as_ref()) {
        let table = schema.table(relation.schema.as_deref(), &relation.name);
        tables.extend(table.map(|table| table.oid));
    }
    // ON DELETE CASCADE and its like write to the tables that refer to them.
    let refers = |table: &&Table| {
        let mut keys = table.foreign_keys.iter();
        keys.any(|key| tables.contains(&key.references))
    };
    let referring = schema.tables.iter().filter(refers);
    let children: Vec<u32> = referring.map(|table| table.oid).collect();
    tables.extend(children);
    for table in schema
        .tables
        .iter()
        .filter(|table| tables.contains(&table.oid))
    {
        // One statement a message: VACUUM runs in no transaction.
        let sql = format!("VACUUM {}", table.name.sql());
        texts(session.client(), &sql, NO_POSITION).await?;
    }
    Ok(())
}

/// For statements of ours: a position in them says nothing about the query.
pub(crate) const NO_POSITION: usize = usize::MAX;

/// Sends statements at once. After an error the transaction is left. `before` = characters before the statement of
/// interest, so that an error's position counts within it; [`NO_POSITION`] where there is none.
pub(crate) async fn texts(
    client: &Client,
    sql: &str,
    before: usize,
) -> Result<Vec<String>, ExplainError> {
    texts_within(client, sql, before, None).await
}

/// [`texts`] of which each statement may take `limit`.
pub(crate) async fn texts_within(
    client: &Client,
    sql: &str,
    before: usize,
    limit: Option<Millis>,
) -> Result<Vec<String>, ExplainError> {
    let sent = Instant::now();
    match client.simple_query(sql).await {
        Ok(messages) => Ok(first_columns(messages)),
        Err(error) => {
            let waited = Waited {
                elapsed: Millis(sent.elapsed().as_secs_f64() * 1000.0),
                limit,
            };
            let error = ExplainError::after(error, before, waited);
            if matches!(error, ExplainError::Refused(_) | ExplainError::TimedOut) {
                // Not in a transaction: a warning, no error.
                client
                    .simple_query("ROLLBACK")
                    .await
                    .map_err(|error| ExplainError::of(error, NO_POSITION))?;
            }
            Err(error)
        }
    }
}

fn first_columns(messages: Vec<SimpleQueryMessage>) -> Vec<String> {
    messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        })
        .collect()
}

/// Reads EXPLAIN's JSON; leaves out the settings that are ours.
fn read(text: &str) -> Result<Explained, ExplainError> {
    let printed: Value =
        serde_json::from_str(text).map_err(|error| ExplainError::Unreadable(error.to_string()))?;
    let Value::Array(statements) = printed else {
        return Err(ExplainError::NoPlan);
    };
    let mut json = statements.into_iter().next().ok_or(ExplainError::NoPlan)?;
    if let Some(settings) = json.get_mut("Settings").and_then(Value::as_object_mut) {
        settings.shift_remove("plan_cache_mode");
        settings.shift_remove("enable_partition_pruning");
        if settings.is_empty()
            && let Some(statement) = json.as_object_mut()
        {
            statement.shift_remove("Settings");
        }
    }
    let plans =
        parse::json_value(&json).map_err(|error| ExplainError::Unreadable(error.to_string()))?;
    let plan = plans.into_iter().next().ok_or(ExplainError::NoPlan)?;
    Ok(Explained { json, plan })
}
