//! EXPLAIN of a query with bound values: through PREPARE and EXECUTE, in a transaction that always rolls back, with every
//! timeout set. On a given database a query is looked at before it is planned and before it runs (`db::effects`), and the
//! transaction before it ends (`given`). Chooses no values and judges no plan.

mod declared;
mod error;
mod given;
mod pretended;
mod rows;
mod statement;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tokio_postgres::Client;

use super::run_queue::Turns;
use crate::catalog::Caller;
use crate::db::connect::Session;
use crate::plan::{NodeKind, Plan, parse};
use crate::schema::{Schema, Table};
use crate::units::Millis;
use given::GivenTransaction;
use wire::Message;

pub use crate::run_id::PlanChoice;
pub(crate) use declared::outdated;
pub use error::{ExplainError, Refusal};
pub(crate) use pretended::{forget_pretended, with_pretended};
pub(crate) use rows::first_rows;
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
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// `statement_timeout`.
    pub statement: Millis,
    /// `lock_timeout`.
    pub lock: Millis,
    /// What may be done.
    pub access: Access,
    /// Statements that make the transaction a query's own caller's; `None` where the session's holds.
    pub caller: Option<Arc<str>>,
}

impl Limits {
    /// With a query's own caller.
    #[must_use]
    pub fn asked_by(self, caller: &Caller) -> Self {
        let own = (!caller.is_connection()).then(|| caller.local().into());
        Self {
            caller: own,
            ..self
        }
    }

    fn caller(&self) -> &str {
        self.caller.as_deref().unwrap_or_default()
    }
}

/// The value of `plan_cache_mode`.
const fn plan_cache_mode(choice: PlanChoice) -> &'static str {
    match choice {
        PlanChoice::Custom => "force_custom_plan",
        PlanChoice::Generic => "force_generic_plan",
    }
}

/// A plan as EXPLAIN printed it and as data.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// EXPLAIN's statement object: `{"Plan": …, "Execution Time": …}`.
    pub json: Value,
    /// The same as data.
    pub plan: Plan,
    /// The execution time, on a private copy without what the server's process waited for a processor; `None` where nothing was
    /// executed.
    pub time: Option<Millis>,
    /// What outlived the transaction on a given database, and was taken back.
    pub left_behind: Vec<String>,
}

impl Explained {
    /// Takes off its time what other work on the machine took from it.
    fn undisturbed(&mut self, before: Option<Turns>, after: Option<Turns>) {
        if let (Some(before), Some(after), Some(execution)) = (before, after, self.time) {
            let planning = self.plan.planning_ms.unwrap_or_default();
            self.time = Some(before.undisturbed(after, execution, planning));
        }
    }
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
    let explain = |values: &Vec<Option<String>>| explain(Mode::Estimate, prepared, values);
    let work = Work {
        prepared: Some(prepared),
        settings: "",
        statements: sets.iter().map(explain).collect(),
    };
    explained(rolled_back(client, limits, choice, work).await?)
}

/// The plans of statements on a private copy as texts without costs and rows, each `EXECUTE …` of a prepared statement in a
/// transaction of its own, all of them sent at once.
pub(crate) async fn outlines(
    client: &Client,
    asked: &[(&str, PlanChoice, &Limits)],
) -> Vec<Result<String, ExplainError>> {
    // What one before it left open after an error is left first.
    let message = |(execute, choice, limits): &(&str, PlanChoice, &Limits)| {
        Message::Ours(format!(
            "ROLLBACK;{}EXPLAIN (COSTS OFF) {execute};ROLLBACK",
            opening(limits, *choice)
        ))
    };
    let mut messages: Vec<Message> = asked.iter().map(message).collect();
    messages.push(Message::Ours("ROLLBACK".to_owned()));
    match wire::send(client, &messages, &OWN).await {
        Ok(answers) => answers
            .into_iter()
            .take(asked.len())
            .map(|answer| match answer {
                Ok(lines) => Ok(lines.join("\n")),
                Err(failure) => Err(failure.sorted(NO_POSITION)),
            })
            .collect(),
        Err(error) => vec![Err(error)],
    }
}

/// Executes a prepared statement once under EXPLAIN ANALYZE; what it changed is rolled back.
///
/// # Errors
/// [`ExplainError::TimedOut`] past `limits.statement`, [`ExplainError::Unsafe`] for a statement whose effects a rollback does
/// not take back, else [`ExplainError`].
pub async fn analyze(
    client: &Client,
    prepared: &Prepared,
    values: &[Option<String>],
    choice: PlanChoice,
    limits: &Limits,
) -> Result<Explained, ExplainError> {
    prepared.may_run()?;
    let mode = if prepared.writes {
        Mode::AnalyzeWrite
    } else {
        Mode::Analyze
    };
    // Deferred constraints never fire in a transaction that rolls back: their work would go unseen.
    let settings = if prepared.writes {
        "SET CONSTRAINTS ALL IMMEDIATE;"
    } else {
        ""
    };
    let work = Work {
        prepared: Some(prepared),
        settings,
        statements: vec![explain(mode, prepared, values)],
    };
    let before = prepared.turns();
    let done = rolled_back(client, limits, choice, work).await?;
    let after = prepared.turns();
    let mut explained = explained(done)?.pop().ok_or(ExplainError::NoPlan)?;
    explained.undisturbed(before, after);
    Ok(explained)
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
    let work = Work {
        prepared: Some(prepared),
        settings: UNPRUNED,
        statements: vec![explain_generic(prepared)],
    };
    explained(rolled_back(client, limits, PlanChoice::Generic, work).await?)?
        .pop()
        .ok_or(ExplainError::NoPlan)
}

const UNPRUNED: &str = "SET LOCAL enable_partition_pruning = off;";

fn explain(mode: Mode, prepared: &Prepared, values: &[Option<String>]) -> String {
    format!("EXPLAIN ({}) {}", mode.options(), prepared.execute(values))
}

fn explain_generic(prepared: &Prepared) -> String {
    explain(Mode::Estimate, prepared, &vec![None; prepared.types.len()])
}

fn explained(done: Done) -> Result<Vec<Explained>, ExplainError> {
    let mut plans = Vec::with_capacity(done.answers.len());
    for answer in &done.answers {
        let text = answer.last().ok_or(ExplainError::NoPlan)?;
        plans.push(read(text)?);
    }
    if let Some(last) = plans.last_mut() {
        last.left_behind = done.left_behind;
    }
    Ok(plans)
}

/// Explains within the transaction that is open, after statements of pgproof's own; afterwards it is as it was.
///
/// # Errors
/// [`ExplainError`]; after a refusal or a time-out the transaction goes on.
pub(crate) async fn in_savepoint(
    client: &Client,
    prepared: &Prepared,
    values: &[Option<String>],
    choice: PlanChoice,
    mode: Mode,
    first: &str,
) -> Result<Explained, ExplainError> {
    let constraints = if mode == Mode::AnalyzeWrite {
        "SET CONSTRAINTS ALL IMMEDIATE;"
    } else {
        ""
    };
    let messages = [
        Message::Ours(format!(
            "SAVEPOINT pgproof;SET LOCAL plan_cache_mode = {};{}{constraints}{first}",
            plan_cache_mode(choice),
            prepared.caller()
        )),
        Message::One(explain(mode, prepared, values)),
        Message::Ours("ROLLBACK TO SAVEPOINT pgproof;RELEASE SAVEPOINT pgproof;".to_owned()),
    ];
    let before = prepared.turns();
    let answers = wire::send(client, &messages, &OWN).await?;
    let after = prepared.turns();
    let answers = wire::all(answers, None)?;
    let text = answers.get(1).and_then(|rows| rows.last());
    let mut explained = text.map_or(Err(ExplainError::NoPlan), |text| read(text))?;
    explained.undisturbed(before, after);
    Ok(explained)
}

/// For what runs on copies alone, whose transaction has its limits already.
const OWN: Limits = Limits {
    statement: Millis(0.0),
    lock: Millis(0.0),
    access: Access::PrivateCopy,
    caller: None,
};

/// The statements that open a transaction with its limits.
pub(crate) fn opening(limits: &Limits, choice: PlanChoice) -> String {
    // A given database's session is read only by default: writes are asked for.
    let access = match limits.access {
        Access::PrivateCopy => "",
        Access::Writes => " READ WRITE",
        Access::ReadOnly => " READ ONLY",
    };
    let choice = plan_cache_mode(choice);
    format!(
        "BEGIN{access};SET LOCAL statement_timeout = {:.0};SET LOCAL lock_timeout = {:.0};\
         SET LOCAL idle_in_transaction_session_timeout = {:.0};SET LOCAL plan_cache_mode = {choice};{}",
        limits.statement.0.max(1.0),
        limits.lock.0.max(1.0),
        limits.statement.0.max(1.0) + 60_000.0,
        limits.caller(),
    )
}

/// Work for a transaction of its own.
struct Work<'a> {
    /// What the statements execute.
    prepared: Option<&'a Prepared>,
    /// Of pgproof's own.
    settings: &'a str,
    /// Each is one statement.
    statements: Vec<String>,
}

/// What came of it.
struct Done {
    /// The first column of every row, by statement.
    answers: Vec<Vec<String>>,
    left_behind: Vec<String>,
}

/// Runs statements in a transaction that rolls back.
async fn rolled_back(
    client: &Client,
    limits: &Limits,
    choice: PlanChoice,
    work: Work<'_>,
) -> Result<Done, ExplainError> {
    let statements = work.statements.into_iter().map(Message::One);
    if limits.access == Access::PrivateCopy {
        let mut messages = vec![Message::Ours(format!(
            "{}{}",
            opening(limits, choice),
            work.settings
        ))];
        messages.extend(statements);
        messages.push(Message::Ours("ROLLBACK".to_owned()));
        let mut answers = wire::all(wire::send(client, &messages, limits).await?, None)?;
        answers.remove(0);
        answers.pop();
        return Ok(Done {
            answers,
            left_behind: Vec::new(),
        });
    }
    let mut messages: Vec<Message> = work.prepared.map(Prepared::preparing).into_iter().collect();
    let before = messages.len();
    messages.extend(statements);
    let begun = GivenTransaction::begin(client, limits, choice, work.settings, messages).await?;
    let (mut transaction, answers) = begun;
    if let Some(prepared) = work.prepared {
        transaction.forget_later(&prepared.name);
    }
    let answers = wire::all(answers, None);
    let ended = transaction.end().await?;
    Ok(Done {
        answers: answers?.split_off(before),
        left_behind: ended.left_behind,
    })
}

/// Reads values from the data: one statement in a transaction that rolls back; the first column of every row that it
/// returns. Every scan begins at the beginning: the same data gives the same values.
///
/// # Errors
/// [`ExplainError`]; the transaction is rolled back then, too. On a given database [`ExplainError::Unsafe`] where a rollback
/// does not take back what it does.
pub(crate) async fn in_transaction(
    client: &Client,
    limits: &Limits,
    choice: PlanChoice,
    statement: &str,
) -> Result<Vec<String>, ExplainError> {
    // Synchronized and parallel scans would begin anywhere: the same data, other rows.
    const SETTINGS: &str =
        "SET LOCAL synchronize_seqscans = off;SET LOCAL max_parallel_workers_per_gather = 0;";
    let prepared = match limits.access {
        Access::PrivateCopy => None,
        Access::ReadOnly | Access::Writes => {
            let prepared =
                Prepared::new(client, "pgproof_values", statement, false, limits).await?;
            prepared.may_run()?;
            Some(prepared)
        }
    };
    let text = match &prepared {
        Some(prepared) => prepared.execute(&[]),
        None => statement.to_owned(),
    };
    let work = Work {
        prepared: prepared.as_ref(),
        settings: SETTINGS,
        statements: vec![text],
    };
    let done = rolled_back(client, limits, choice, work).await?;
    Ok(done.answers.into_iter().flatten().collect())
}

/// Statements on a private copy, one after the other in a transaction that rolls back; the first column of every row of the
/// last one.
///
/// # Errors
/// [`ExplainError`]; the transaction is rolled back then, too.
pub(crate) async fn together(
    client: &Client,
    limits: &Limits,
    settings: &str,
    statements: Vec<String>,
) -> Result<Vec<String>, ExplainError> {
    let limits = Limits {
        access: Access::PrivateCopy,
        ..limits.clone()
    };
    let work = Work {
        prepared: None,
        settings,
        statements,
    };
    let mut done = rolled_back(client, &limits, PlanChoice::Custom, work).await?;
    Ok(done.answers.pop().unwrap_or_default())
}

/// Asks the catalogs of a given database: one statement in a transaction that rolls back; the first column of every row.
///
/// # Errors
/// [`ExplainError`].
pub(crate) async fn asked(
    client: &Client,
    limits: &Limits,
    question: &str,
) -> Result<Vec<String>, ExplainError> {
    let work = Work {
        prepared: None,
        settings: "SET LOCAL search_path = pg_catalog, pg_temp;",
        statements: vec![question.to_owned()],
    };
    let done = rolled_back(client, limits, PlanChoice::Custom, work).await?;
    Ok(done.answers.into_iter().flatten().collect())
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
    let sent = wire::send(client, &[Message::Ours(sql.to_owned())], &OWN).await?;
    match wire::all(sent, Some((0, before))) {
        Ok(answers) => Ok(answers.into_iter().flatten().collect()),
        Err(error) => {
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
    of_json(json)
}

/// What EXPLAIN printed some time ago, as data again.
pub(crate) fn of_json(json: Value) -> Result<Explained, ExplainError> {
    let plans =
        parse::json_value(&json).map_err(|error| ExplainError::Unreadable(error.to_string()))?;
    let plan = plans.into_iter().next().ok_or(ExplainError::NoPlan)?;
    Ok(Explained {
        json,
        time: plan.execution_ms,
        plan,
        left_behind: Vec::new(),
    })
}
