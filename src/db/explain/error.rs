//! Why a statement could not be explained: the server's own words about the statement, or trouble with the server.

use tokio_postgres::error::{ErrorPosition, SqlState};

use crate::run::QueryFailure;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The server refuses the statement or its values.
    #[error("the server refuses the statement: {}", .0.message)]
    Refused(Box<Refusal>),
    /// Cancelled: at the timeout, or by an interrupt, which whoever interrupts knows.
    #[error("the statement was cancelled at its timeout")]
    TimedOut,
    /// The connection or the server is at fault.
    #[error("the server failed while a query was explained: {0}")]
    Server(#[source] tokio_postgres::Error),
    /// EXPLAIN's output is not what it should be.
    #[error("EXPLAIN's output cannot be read: {0}; please report this with the server's version")]
    Unreadable(String),
    /// A given database: a rollback would not take back what the statement does.
    #[error("not run on a given database: {reason}")]
    Unsafe {
        /// `it calls pg_advisory_lock, which …`.
        reason: String,
    },
    /// A given database: the transaction is not the one that pgproof began.
    #[error(
        "the statement left its read-only transaction ({0}): pgproof sends nothing more to this server; please report this"
    )]
    LeftTransaction(String),
    /// A given server that does not answer although every limit has passed.
    #[error(
        "the server has not answered for {} s, past every limit that it was given: it is stopped, or the network is",
        .after.as_secs()
    )]
    Silent {
        /// How long it was waited for.
        after: std::time::Duration,
    },
    /// EXPLAIN printed nothing.
    #[error(
        "EXPLAIN printed no plan: the statement is a utility command or a rule rewrites it to nothing"
    )]
    NoPlan,
}

/// What the server says about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `column "totl" does not exist`.
    pub message: String,
    /// `Key (id)=(5) already exists.`
    pub detail: Option<String>,
    /// SQLSTATE.
    pub code: String,
    /// Character position in the statement, from 1.
    pub position: Option<u32>,
    /// The server's hint.
    pub hint: Option<String>,
    /// The constraint at fault.
    pub constraint: Option<String>,
}

impl ExplainError {
    /// Sorts an error of the driver; `before` = characters sent before the statement.
    pub(crate) fn of(error: tokio_postgres::Error, before: usize) -> Self {
        let Some(refused) = error.as_db_error() else {
            return Self::Server(error);
        };
        let code = refused.code();
        if *code == SqlState::QUERY_CANCELED {
            return Self::TimedOut;
        }
        // 08 connection, 53 resources, 57 operator intervention, 58 system, XX internal.
        if ["08", "53", "57", "58", "XX"]
            .iter()
            .any(|class| code.code().starts_with(class))
        {
            return Self::Server(error);
        }
        let position = match refused.position() {
            Some(ErrorPosition::Original(at)) => {
                (*at).checked_sub(u32::try_from(before).unwrap_or(u32::MAX))
            }
            Some(ErrorPosition::Internal { .. }) | None => None,
        };
        Self::Refused(Box::new(Refusal {
            message: refused.message().to_owned(),
            detail: refused.detail().map(ToOwned::to_owned),
            code: code.code().to_owned(),
            position: position.filter(|at| *at > 0),
            hint: refused.hint().map(ToOwned::to_owned),
            constraint: refused.constraint().map(ToOwned::to_owned),
        }))
    }
}

impl From<Refusal> for QueryFailure {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal.detail {
            Some(detail) => format!("{}: {}", refusal.message, detail.trim_end_matches('.')),
            None => refusal.message,
        };
        Self {
            message,
            code: Some(refusal.code),
            position: refusal.position,
            hint: refusal.hint,
        }
    }
}
