//! A transaction on a database that somebody else owns. It is looked at when it begins and before it ends: it must be the same
//! one, it must still be read only, and what outlives it is found, released and reported. Nothing of pgproof's stays in the
//! session, so that a pooler may hand each transaction to another one.

use serde::Deserialize;
use tokio_postgres::Client;

use super::wire::{self, Answer, Message};
use super::{Access, ExplainError, Limits, PlanChoice, opening};
use crate::schema::quote_identifier;

/// Where the transaction stands. Every name is qualified: the search path is the caller's.
const STATE: &str = "SELECT pg_catalog.json_build_array(\
     pg_catalog.date_part('epoch', pg_catalog.now()), \
     pg_catalog.pg_backend_pid(), \
     pg_catalog.current_setting('transaction_read_only'), \
     pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text, \
     ARRAY(SELECT pg_catalog.json_build_array(l.classid::pg_catalog.int8, l.objid::pg_catalog.int8, l.objsubid, l.mode) \
           FROM pg_catalog.pg_locks l \
           WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()), \
     ARRAY(SELECT s.name FROM pg_catalog.pg_prepared_statements s \
           WHERE NOT pg_catalog.starts_with(s.name, 'pgproof_')))::pg_catalog.text";

/// The transaction's state as the server prints it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct State {
    /// `now()`: when the transaction began.
    began: f64,
    backend: i32,
    read_only: String,
    /// Set once it wrote.
    number: Option<String>,
    advisory_locks: Vec<AdvisoryLock>,
    prepared: Vec<String>,
}

/// A key of `pg_advisory_lock` as `pg_locks` splits it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct AdvisoryLock {
    high: i64,
    low: i64,
    /// 1: one key of 64 bits; 2: two keys of 32 bits.
    form: i16,
    mode: String,
}

impl AdvisoryLock {
    fn key(&self) -> String {
        // pg_locks shows the halves unsigned.
        let signed = |half: i64| half as u32 as i32;
        match self.form {
            1 => ((self.high << 32) | self.low).to_string(),
            _ => format!("{}, {}", signed(self.high), signed(self.low)),
        }
    }

    /// Releases it however often it was taken.
    fn release(&self) -> String {
        let shared = if self.mode == "ShareLock" {
            "_shared"
        } else {
            ""
        };
        let key = self.key();
        format!(
            "WITH RECURSIVE released(it) AS (SELECT pg_catalog.pg_advisory_unlock{shared}({key}) \
             UNION ALL SELECT pg_catalog.pg_advisory_unlock{shared}({key}) FROM released WHERE it) \
             SELECT pg_catalog.count(*) FROM released"
        )
    }
}

/// An open transaction.
pub(super) struct GivenTransaction<'c> {
    client: &'c Client,
    limits: Limits,
    began: State,
    /// Statements to forget at its end.
    prepared: Vec<String>,
}

/// What the work of a transaction came to.
#[derive(Debug)]
pub(super) struct Ended {
    /// What outlived it: for people.
    pub(super) left_behind: Vec<String>,
}

impl<'c> GivenTransaction<'c> {
    /// Begins, with every limit set, and sends the first messages at once.
    ///
    /// # Errors
    /// Where the transaction cannot begin; what becomes of the messages is in their answers.
    pub(super) async fn begin(
        client: &'c Client,
        limits: &Limits,
        choice: PlanChoice,
        settings: &str,
        messages: Vec<Message>,
    ) -> Result<(Self, Vec<Answer>), ExplainError> {
        let mut sent = vec![
            Message::Ours(format!("{}{settings}", opening(limits, choice))),
            Message::One(STATE.to_owned()),
            Message::Ours("SAVEPOINT pgproof".to_owned()),
        ];
        let opened = sent.len();
        sent.extend(messages);
        let mut answers = wire::send(client, &sent, limits).await?;
        let rest = answers.split_off(opened);
        let transaction = |began| Self {
            client,
            limits: limits.clone(),
            began,
            prepared: Vec::new(),
        };
        match wire::all(answers, None).and_then(|answers| state(answers.get(1))) {
            Ok(began) => Ok((transaction(began), rest)),
            Err(error) => {
                let leave = [Message::Ours("ROLLBACK".to_owned())];
                let _ = wire::send(client, &leave, limits).await?;
                Err(error)
            }
        }
    }

    /// A statement of this name is forgotten at the end.
    pub(super) fn forget_later(&mut self, name: &str) {
        self.prepared.push(name.to_owned());
    }

    /// Sends further messages.
    ///
    /// # Errors
    /// [`ExplainError::Silent`].
    pub(super) async fn send(&self, messages: &[Message]) -> Result<Vec<Answer>, ExplainError> {
        wire::send(self.client, messages, &self.limits).await
    }

    /// Rolls back. Looks first whether the transaction is still the one that began and still read only, and what outlives it.
    ///
    /// # Errors
    /// [`ExplainError::LeftTransaction`] where it ended by itself or became another.
    pub(super) async fn end(self) -> Result<Ended, ExplainError> {
        let look = [
            Message::Ours("ROLLBACK TO SAVEPOINT pgproof".to_owned()),
            Message::One(STATE.to_owned()),
        ];
        let looked =
            wire::all(self.send(&look).await?, None).and_then(|answers| state(answers.get(1)));
        let mut leave = Vec::new();
        let mut left_behind = Vec::new();
        if let Ok(now) = &looked {
            for lock in now
                .advisory_locks
                .iter()
                .filter(|lock| !self.began.advisory_locks.contains(lock))
            {
                left_behind.push(format!(
                    "advisory lock {} was still held and was released",
                    lock.key()
                ));
                leave.push(Message::Ours(lock.release()));
            }
            for name in now
                .prepared
                .iter()
                .filter(|name| !self.began.prepared.contains(name))
            {
                left_behind.push(format!(
                    "prepared statement \"{name}\" was still there and was forgotten"
                ));
                leave.push(Message::Ours(format!(
                    "DEALLOCATE {}",
                    quote_identifier(name)
                )));
            }
        }
        for name in &self.prepared {
            leave.push(Message::Ours(format!(
                "DEALLOCATE {}",
                quote_identifier(name)
            )));
        }
        leave.push(Message::Ours("ROLLBACK".to_owned()));
        // A statement that was never prepared cannot be forgotten; the last message leaves in any case.
        let left = self.send(&leave).await?.pop();
        self.judge(looked)?;
        if let Some(Err(failure)) = left {
            return Err(failure.sorted(super::NO_POSITION));
        }
        Ok(Ended { left_behind })
    }

    fn judge(&self, now: Result<State, ExplainError>) -> Result<(), ExplainError> {
        let left = |how: &str| Err(ExplainError::LeftTransaction(how.to_owned()));
        let now = match now {
            Ok(now) => now,
            // There is no savepoint where there is no transaction, or another one.
            Err(ExplainError::Refused(refusal)) => return left(&refusal.message),
            Err(error) => return Err(error),
        };
        if (now.began, now.backend) != (self.began.began, self.began.backend) {
            return left("another one began");
        }
        match self.limits.access {
            Access::ReadOnly if now.read_only != "on" => left("it was made writable"),
            Access::ReadOnly if now.number.is_some() => left("it wrote, although it was read only"),
            Access::ReadOnly | Access::Writes | Access::PrivateCopy => Ok(()),
        }
    }
}

fn state(answer: Option<&Vec<String>>) -> Result<State, ExplainError> {
    let text = answer
        .and_then(|rows| rows.last())
        .map_or("null", String::as_str);
    serde_json::from_str(text).map_err(|error| ExplainError::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_keys_are_read() {
        let text = r#"[1764400000.123456, 4711, "on", null, [[0, 42, 1, "ExclusiveLock"], [4294967295, 7, 2, "ShareLock"], [4294967295, 4294967295, 1, "ExclusiveLock"]], ["app_statement"]]"#;
        let state = state(Some(&vec![text.to_owned()])).unwrap();
        assert_eq!((state.backend, state.read_only.as_str()), (4711, "on"));
        let keys: Vec<String> = state.advisory_locks.iter().map(AdvisoryLock::key).collect();
        assert_eq!(keys, ["42", "-1, 7", "-1"]);
        assert!(
            state.advisory_locks[1]
                .release()
                .contains("unlock_shared(-1, 7)")
        );
        assert_eq!(state.prepared, ["app_statement"]);
    }
}
