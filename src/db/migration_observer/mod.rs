//! Applies migrations under observation, in three passes on copies of their own. [`inspect`] runs them quietly, statement by
//! statement, and writes down what each did: time, locks, rewrites and full reads, WAL, size. [`measure`] runs them beside the
//! catalog's queries, with nothing of pgproof's between the statements, and writes down who waited for whom. [`rehearse`]
//! tries those that need a table alone behind a reader. Decides nothing about what is too much.

mod inspect;
mod measure;
mod reach;
mod reader;
mod rehearse;
mod relations;
mod words;

use tokio_postgres::error::SqlState;

use crate::diff::observation::StatementObservation;
use crate::interrupt::{Interrupt, Interrupted};
use crate::migrations::{Migration, Script, Statement};
use crate::source::SourceError;
use crate::sql::transaction::{BlockRule, block_rule};

use super::connect::{ConnectError, DatabaseUrl, EnvironmentFault, Session, describe};
use super::migrate::MigrateError;

pub use measure::{BrokenBy, measure, try_script};
pub use rehearse::{Lanes, rehearse};

/// Why a migration could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A statement failed: the user's file is at fault.
    #[error(transparent)]
    Statement(#[from] SourceError),
    /// The same, because of the rows that are there: those of another dataset may do.
    #[error(transparent)]
    Unfit(SourceError),
    /// The server ended a statement because it and a query of the traffic waited for each other.
    #[error(transparent)]
    Deadlock(SourceError),
    /// The server cannot be talked to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server failed.
    #[error("the server failed while {doing}: {reason}")]
    Server { doing: &'static str, reason: String },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<MigrateError> for ObserveError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Statement(error) => Self::Statement(error),
            MigrateError::Connect(error) => Self::Connect(error),
            MigrateError::Interrupted(error) => Self::Interrupted(error),
            other @ (MigrateError::History { .. } | MigrateError::Environment { .. }) => {
                Self::Server {
                    doing: "applying a migration",
                    reason: other.to_string(),
                }
            }
        }
    }
}

/// Applies migrations to the database of `url` with nothing beside them: one observation a statement, in order.
///
/// # Errors
/// [`ObserveError::Statement`] with file, line and the state in which the copy is left.
pub async fn inspect(
    url: &DatabaseUrl,
    migrations: &[Migration],
    interrupt: &Interrupt,
) -> Result<Vec<StatementObservation>, ObserveError> {
    let inspector = inspect::Inspector::open(url, interrupt).await?;
    let mut found = Vec::new();
    for migration in migrations {
        found.extend(inspector.script(&migration.version, &migration.up).await?);
    }
    Ok(found)
}

/// Applies one script as [`inspect`] does: a way back.
///
/// # Errors
/// As [`inspect`].
pub async fn inspect_script(
    url: &DatabaseUrl,
    version: &str,
    script: &Script,
    interrupt: &Interrupt,
) -> Result<Vec<StatementObservation>, ObserveError> {
    let inspector = inspect::Inspector::open(url, interrupt).await?;
    inspector.script(version, script).await
}

/// Whether the server refuses the statement in a transaction.
fn runs_alone(sql: &str) -> bool {
    block_rule(sql) == BlockRule::Outside
}

fn server(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> ObserveError {
    move |error| ObserveError::Server {
        doing,
        reason: describe(&error),
    }
}

async fn execute(session: &Session, sql: &str, doing: &'static str) -> Result<(), ObserveError> {
    session
        .client()
        .batch_execute(sql)
        .await
        .map_err(server(doing))
}

/// The error of a statement, as the user's mistake or the server's.
fn failure(
    interrupt: &Interrupt,
    script: &Script,
    statement: &Statement,
    error: &tokio_postgres::Error,
) -> Result<ObserveError, ObserveError> {
    interrupt.check()?;
    if EnvironmentFault::of(error).is_some() {
        return Err(ObserveError::Server {
            doing: "applying a migration",
            reason: describe(error),
        });
    }
    let mut failure = SourceError::new(&script.source, statement.span.clone(), describe(error));
    if error.code() == Some(&SqlState::ACTIVE_SQL_TRANSACTION) && script.in_one_transaction() {
        failure = failure
            .help("its tool runs this file in one transaction; give the statement a file of its own without one");
    }
    // A real history's rows were often made to fit by hand before the constraint came.
    const UNFIT_ROWS: [SqlState; 10] = [
        SqlState::NOT_NULL_VIOLATION,
        SqlState::CHECK_VIOLATION,
        SqlState::FOREIGN_KEY_VIOLATION,
        SqlState::UNIQUE_VIOLATION,
        SqlState::EXCLUSION_VIOLATION,
        // Of a column's new type.
        SqlState::INVALID_TEXT_REPRESENTATION,
        SqlState::INVALID_DATETIME_FORMAT,
        SqlState::DATETIME_FIELD_OVERFLOW,
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        SqlState::STRING_DATA_RIGHT_TRUNCATION,
    ];
    let unfit = error.code().is_some_and(|code| UNFIT_ROWS.contains(code));
    if unfit {
        failure = failure.help(
            "the dataset's rows do not fit: where production's are made to fit by hand between two migrations, \
             `[diff] after.\"VERSION\" = \"backfill.sql\"` in pgproof.toml runs that step; where they fit by what a column \
             refers to, `references = \"table.column\"` in the seeds says so",
        );
    }
    let deadlock = error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED);
    Ok(match (deadlock, unfit) {
        (true, _) => ObserveError::Deadlock(failure),
        (false, true) => ObserveError::Unfit(failure),
        (false, false) => ObserveError::Statement(failure),
    })
}
