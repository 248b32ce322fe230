//! Why a statement could not be explained: the server's own words about the statement, or trouble with the server.

use tokio_postgres::error::{DbError, ErrorPosition, Severity, SqlState};

use crate::run::QueryFailure;
use crate::units::Millis;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The server refuses the statement or its values, or could not run it this time. The session goes on.
    #[error("the server refuses the statement: {}", .0.message)]
    Refused(Box<Refusal>),
    /// Cancelled at the timeout that was set for it, or by an interrupt, which whoever interrupts knows.
    #[error("the statement was cancelled at its timeout")]
    TimedOut,
    /// The connection is gone, or the server is.
    #[error("the server was lost while a query was explained: {0}")]
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
    /// It is to be measured, and nobody is connected yet: whoever asks connects and asks again.
    #[error("it is not known, and no database is open to measure it in")]
    NoSession,
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

impl Refusal {
    /// Whether the server is at fault rather than the statement: resources (53), an operator (57), the system (58), a bug (XX).
    #[must_use]
    pub fn is_of_the_server(&self) -> bool {
        ["53", "57", "58", "XX"]
            .iter()
            .any(|class| self.code.starts_with(class))
    }
}

/// How long a statement ran, and how long it was allowed to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Waited {
    pub(crate) elapsed: Millis,
    /// `None` where it is not known.
    pub(crate) limit: Option<Millis>,
}

impl Waited {
    /// Where nobody looked at the clock.
    const UNKNOWN: Self = Self {
        elapsed: Millis(0.0),
        limit: None,
    };
}

impl ExplainError {
    /// Whether the statement ends so wherever it runs on the same data: it is refused, or takes longer than it may.
    #[must_use]
    pub fn is_of_the_statement(&self) -> bool {
        match self {
            Self::Refused(refusal) => !refusal.is_of_the_server(),
            Self::TimedOut => true,
            Self::Server(_)
            | Self::Unreadable(_)
            | Self::Unsafe { .. }
            | Self::LeftTransaction(_)
            | Self::Silent { .. }
            | Self::NoSession
            | Self::NoPlan => false,
        }
    }

    /// Sorts an error of the driver; `before` = characters sent before the statement.
    pub(crate) fn of(error: tokio_postgres::Error, before: usize) -> Self {
        Self::after(error, before, Waited::UNKNOWN)
    }

    /// [`Self::of`] where the time is known that the statement took, so that its timeout is distinguished from a cancellation.
    pub(crate) fn after(error: tokio_postgres::Error, before: usize, waited: Waited) -> Self {
        let Some(refused) = error.as_db_error() else {
            return Self::Server(error);
        };
        if ends_the_session(refused) {
            return Self::Server(error);
        }
        let message = if *refused.code() == SqlState::QUERY_CANCELED {
            match cancelled(refused.message(), waited) {
                None => return Self::TimedOut,
                Some(message) => message,
            }
        } else {
            refused.message().to_owned()
        };
        let position = match refused.position() {
            Some(ErrorPosition::Original(at)) => {
                (*at).checked_sub(u32::try_from(before).unwrap_or(u32::MAX))
            }
            Some(ErrorPosition::Internal { .. }) | None => None,
        };
        Self::Refused(Box::new(Refusal {
            message,
            detail: refused.detail().map(ToOwned::to_owned),
            code: refused.code().code().to_owned(),
            position: position.filter(|at| *at > 0),
            hint: refused.hint().map(ToOwned::to_owned),
            constraint: refused.constraint().map(ToOwned::to_owned),
        }))
    }
}

/// 08 connection, 57P0x: shut down, crashed, starting up; and whatever the server calls fatal.
fn ends_the_session(refused: &DbError) -> bool {
    let fatal = matches!(
        refused.parsed_severity(),
        Some(Severity::Fatal | Severity::Panic)
    );
    let code = refused.code().code();
    fatal || code.starts_with("08") || code.starts_with("57P")
}

/// Part of a limit after which a statement that was cancelled is taken to have reached it: clocks differ a little.
const REACHED: f64 = 0.95;

/// Who else cancelled a statement (57014), in words; `None` where it was the limit that was set for it. The server's messages
/// are in its own language, so time tells where it is known.
fn cancelled(message: &str, waited: Waited) -> Option<String> {
    let by_timeout = message.contains("statement timeout");
    let by_request = message.contains("user request");
    let Waited { elapsed, limit } = waited;
    match limit {
        Some(limit) if elapsed.0 >= limit.0 * REACHED && !by_request => None,
        Some(limit) if by_timeout => Some(format!(
            "cancelled after {elapsed} by a statement_timeout below pgproof's own of {limit}: a function, the role, the database \
             or a pooler sets it"
        )),
        Some(_) => Some(format!(
            "cancelled after {elapsed} by somebody else (pg_cancel_backend, an administrator or a pooler): {message}"
        )),
        None if by_request => Some(format!("cancelled by somebody else: {message}")),
        None => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cancelled_after(milliseconds: f64, message: &str) -> Option<String> {
        let waited = Waited {
            elapsed: Millis(milliseconds),
            limit: Some(Millis(30_000.0)),
        };
        cancelled(message, waited)
    }

    #[test]
    fn only_the_limit_that_was_set_is_a_timeout() {
        assert_eq!(
            cancelled_after(30_010.0, "canceling statement due to statement timeout"),
            None
        );
        // The words of a server in another language.
        assert_eq!(
            cancelled_after(30_010.0, "storniere Anfrage wegen Zeitüberschreitung"),
            None
        );
        let early = cancelled_after(167.0, "canceling statement due to user request");
        assert!(
            early.as_deref().is_some_and(|text| text
                .starts_with("cancelled after 167 ms by somebody else (pg_cancel_backend")),
            "{early:?}"
        );
        // At the very end, too, when the server says who it was.
        assert!(cancelled_after(29_999.0, "canceling statement due to user request").is_some());
        let lower = cancelled_after(1_000.0, "canceling statement due to statement timeout");
        assert!(
            lower
                .as_deref()
                .is_some_and(|text| text.contains("below pgproof's own of 30.00 s")),
            "{lower:?}"
        );
        assert_eq!(cancelled("canceling statement", Waited::UNKNOWN), None);
    }
}
