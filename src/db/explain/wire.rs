//! How statements reach the server. Text that is not pgproof's own goes as one statement a message, by the extended protocol,
//! where the server itself refuses a text with several: no reader of SQL stands between a query and its transaction.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::maybe_done;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::Waited;
use super::{Access, ExplainError, Limits, NO_POSITION};
use crate::units::Millis;

/// How long past the limits that the server was given its answer may take: it enforces them itself, unless it is frozen.
const GRACE: Duration = Duration::from_secs(15);

/// What is sent at once.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// Statements of pgproof's own, by the simple protocol: constants, numbers and quoted names.
    Ours(String),
    /// One statement that holds somebody's text, by the extended protocol.
    One(String),
}

/// The first column of every row that a message returns.
pub(super) type Answer = Result<Vec<String>, Failure>;

/// Why a message has no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: tokio_postgres::Error,
    /// How long the server worked on it.
    pub(super) waited: Waited,
}

impl Failure {
    /// `before` = characters before the text that an error's position counts in.
    pub(super) fn sorted(self, before: usize) -> ExplainError {
        ExplainError::after(self.error, before, self.waited)
    }
}

/// Sends messages in their order without waiting in between: a distant server is asked once. After a failure the later ones
/// fail with the transaction, but for those that leave it.
///
/// # Errors
/// [`ExplainError::Silent`] where a given server does not answer long past its limits.
pub(super) async fn send(
    client: &Client,
    messages: &[Message],
    limits: &Limits,
) -> Result<Vec<Answer>, ExplainError> {
    let mut sending: Vec<_> = messages
        .iter()
        .map(|message| Box::pin(maybe_done(timed(client, message))))
        .collect();
    let sent_at = Instant::now();
    // Polled in order: what is polled first is sent first.
    let all = poll_fn(|context| {
        let waiting = sending
            .iter_mut()
            .filter_map(|sent| sent.as_mut().poll(context).is_pending().then_some(()))
            .count();
        if waiting == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    match limits.access {
        Access::PrivateCopy => all.await,
        Access::ReadOnly | Access::Writes => {
            answered(patience(messages.len(), limits), all).await?
        }
    }
    // The server works on one after the other.
    let mut begun = sent_at;
    let limit = (limits.statement.0 > 0.0).then_some(limits.statement);
    let mut worked = |(answered_at, answer): (Instant, Result<_, _>)| {
        let elapsed = answered_at.saturating_duration_since(begun);
        begun = answered_at;
        answer.map_err(|error| Failure {
            error,
            waited: Waited {
                elapsed: Millis(elapsed.as_secs_f64() * 1000.0),
                limit,
            },
        })
    };
    Ok(sending
        .iter_mut()
        .filter_map(|sent| sent.as_mut().take_output())
        .map(&mut worked)
        .collect())
}

/// An answer, and when it came.
async fn timed(
    client: &Client,
    message: &Message,
) -> (Instant, Result<Vec<String>, tokio_postgres::Error>) {
    let answer = answer(client, message).await;
    (Instant::now(), answer)
}

/// Every message may use its limits up; past that the server is not working but gone.
pub(super) fn patience(messages: usize, limits: &Limits) -> Duration {
    let each = Duration::from_secs_f64((limits.statement.0 + limits.lock.0).max(0.0) / 1000.0);
    each.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX))
        .saturating_add(GRACE)
}

/// Waits for a server's answer no longer than it can take. What may still run is for the session's owner to cancel.
///
/// # Errors
/// [`ExplainError::Silent`].
pub(super) async fn answered<F: Future>(
    patience: Duration,
    waiting: F,
) -> Result<F::Output, ExplainError> {
    tokio::time::timeout(patience, waiting)
        .await
        .map_err(|_| ExplainError::Silent { after: patience })
}

async fn answer(client: &Client, message: &Message) -> Result<Vec<String>, tokio_postgres::Error> {
    match message {
        Message::Ours(sql) => Ok(first_columns(client.simple_query(sql).await?)),
        Message::One(sql) => {
            let rows = client.query_typed(sql, &[]).await?;
            rows.iter()
                .map(|row| {
                    Ok(row
                        .try_get::<_, Option<Printed>>(0)?
                        .map_or_else(String::new, |text| text.0))
                })
                .collect()
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

/// The answers of the messages, or the first failure. `blamed` is the message whose text an error's position is in, behind so
/// many characters.
pub(super) fn all(
    answers: Vec<Answer>,
    blamed: Option<(usize, usize)>,
) -> Result<Vec<Vec<String>>, ExplainError> {
    let of = |(at, answer): (usize, Answer)| {
        answer.map_err(|failure| {
            let before = blamed
                .filter(|(blamed, _)| *blamed == at)
                .map_or(NO_POSITION, |(_, before)| before);
            failure.sorted(before)
        })
    };
    answers.into_iter().enumerate().map(of).collect()
}

/// A value whose binary form is its text: `text` and `json`.
struct Printed(String);

impl<'a> FromSql<'a> for Printed {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(String::from_utf8(raw.to_vec())?))
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::TEXT | Type::JSON | Type::VARCHAR | Type::NAME)
    }
}
