//! A prepared statement with its parameters' types, and how values are written for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use tokio_postgres::Client;

use super::given::GivenTransaction;
use super::wire::{self, Message};
use super::{
    Access, ExplainError, Limits, NO_POSITION, PlanChoice, UNPRUNED, declared, explain_generic,
    opening, texts,
};
use crate::catalog::Query;
use crate::db::effects::{self, Effects};
use crate::db::run_queue::{RunQueue, Turns};
use crate::schema::quote_identifier;

/// The search path for statements of pgproof's own; what the caller's path holds is somebody's.
const OWN_PATH: &str = "SET LOCAL search_path = pg_catalog, pg_temp";
/// The caller's: of the role, the database or the URL.
const CALLERS_PATH: &str = "SET LOCAL search_path TO DEFAULT";

/// A statement that the server has parsed. On a private copy it lives in the session until [`Prepared::deallocate`]; on a given
/// database it is prepared anew in every transaction, and nothing of it stays in the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its name in the session.
    pub name: String,
    /// As it is sent to be prepared.
    sql: String,
    /// Types of `$1`, `$2`… that are written out, as far as any is; `unknown` leaves one to the server.
    declared: Vec<String>,
    lifetime: Lifetime,
    /// What makes a transaction its caller's.
    caller: Option<Arc<str>>,
    /// Of the session's backend, on a private copy.
    run_queue: RunQueue,
    /// What a rollback would not take back; looked for on a given database only.
    pub effects: Effects,
    /// What looking at it left behind on a given database, and was taken back.
    pub left_behind: Vec<String>,
    /// Of `$1`, `$2`…
    pub types: Vec<TypeInfo>,
    /// Whether executing it changes data.
    pub writes: bool,
}

/// How long the server remembers a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    Session,
    Transaction,
}

/// A parameter's type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TypeInfo {
    /// `pg_type.oid`.
    pub oid: u32,
    /// `format_type`: `character varying`, `order_status[]`.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
    /// Enum labels in sort order (of the elements, for an array).
    pub labels: Option<Vec<String>>,
    /// `format_type` of an array's elements.
    pub element: Option<String>,
}

/// What values of a type look like, as far as it matters for making one. Of an array: its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeKind {
    Boolean,
    Integer,
    Number,
    Text,
    Date,
    Timestamp,
    Time,
    Interval,
    Uuid,
    Json,
    Network,
    Enum,
    TsQuery,
    TsVector,
    Bytea,
    Other,
}

impl Prepared {
    /// Prepares `sql` and reads its parameters' types. The server refuses a text that holds several statements. On a given
    /// database it is looked at before it is planned, and its plan is searched for effects that a rollback does not take back.
    ///
    /// # Errors
    /// [`ExplainError::Refused`] with the position in `sql` where the statement is at fault; [`ExplainError::Unsafe`] where
    /// planning it alone would do what a rollback does not take back.
    pub async fn new(
        client: &Client,
        name: &str,
        sql: &str,
        writes: bool,
        limits: &Limits,
    ) -> Result<Self, ExplainError> {
        Self::recorded(client, name, sql, writes, &[], limits).await
    }

    /// The same of a query of the catalog. Where its text alone does not show a parameter's type, the one that a tool recorded is
    /// declared.
    ///
    /// # Errors
    /// As those of [`Prepared::new`].
    pub async fn of_query(
        client: &Client,
        name: &str,
        query: &Query,
        limits: &Limits,
    ) -> Result<Self, ExplainError> {
        let types = &query.recorded_types;
        Self::recorded(client, name, &query.sql, query.writes, types, limits).await
    }

    async fn recorded(
        client: &Client,
        name: &str,
        sql: &str,
        writes: bool,
        recorded: &[String],
        limits: &Limits,
    ) -> Result<Self, ExplainError> {
        let mut declared: Vec<String> = Vec::new();
        let mut first: Option<ExplainError> = None;
        loop {
            let prepared = Self {
                name: name.to_owned(),
                sql: sql.to_owned(),
                declared: declared.clone(),
                lifetime: Lifetime::Session,
                caller: limits.caller.clone(),
                run_queue: RunQueue::UNKNOWN,
                effects: Effects::default(),
                left_behind: Vec::new(),
                types: Vec::new(),
                writes,
            };
            let result = match limits.access {
                Access::PrivateCopy => prepared.on_copy(client, limits).await,
                Access::ReadOnly | Access::Writes => prepared.on_given(client, limits).await,
            };
            let refusal = match result {
                Err(ExplainError::Refused(refusal)) => refusal,
                other => return other,
            };
            let is_first = first.is_none();
            let wider = match declared::without_null_tests(sql) {
                _ if is_first && !recorded.is_empty() && declared::lacks_a_type(&refusal) => {
                    Some(recorded.to_vec())
                }
                Some(relaxed) if is_first && declared::lacks_a_type(&refusal) => {
                    // The tests alone keep the server from the type that the rest of the statement shows.
                    let name = format!("{name}_untested");
                    let known = Self::recorded(client, &name, &relaxed, writes, &[], limits);
                    let known = Box::pin(known).await;
                    match known {
                        Ok(known) => {
                            let types = known.types.iter().map(|info| info.name.clone()).collect();
                            known.deallocate(client).await?;
                            Some(types)
                        }
                        Err(_) => declared::with_text(&declared, sql, &refusal),
                    }
                }
                _ => declared::with_text(&declared, sql, &refusal),
            };
            // What is wrong with the statement as it is written says more than what is wrong with a guess.
            let error = first.take().unwrap_or(ExplainError::Refused(refusal));
            match wider {
                Some(wider) => (declared, first) = (wider, Some(error)),
                None => return Err(error),
            }
        }
    }

    async fn on_copy(mut self, client: &Client, limits: &Limits) -> Result<Self, ExplainError> {
        let messages = [
            Message::Ours(opening(limits, PlanChoice::Custom)),
            self.preparing(),
            Message::Ours(OWN_PATH.to_owned()),
            Message::One(types_cursor(&self.name)),
            Message::One("SELECT pg_catalog.pg_backend_pid()::text".to_owned()),
            Message::Ours(self.callers_path()),
            Message::One(FETCH_TYPES.to_owned()),
            Message::Ours("ROLLBACK".to_owned()),
        ];
        let answers = wire::send(client, &messages, limits).await?;
        let answers = wire::all(answers, Some((1, self.prefix().chars().count())))?;
        self.types = types(answers.get(6))?;
        let pid = answers.get(4).and_then(|rows| rows.last()?.parse().ok());
        self.run_queue = pid.map_or(RunQueue::UNKNOWN, RunQueue::of_embedded);
        Ok(self)
    }

    /// What the session's backend has had of the processors; `None` where that is not known.
    pub(super) fn turns(&self) -> Option<Turns> {
        self.run_queue.turns()
    }

    async fn on_given(mut self, client: &Client, limits: &Limits) -> Result<Self, ExplainError> {
        self.lifetime = Lifetime::Transaction;
        self.name = unique(&self.name);
        let messages = vec![
            self.preparing(),
            Message::Ours(OWN_PATH.to_owned()),
            Message::One(types_cursor(&self.name)),
            Message::One(effects::RELATIONS.to_owned()),
            Message::Ours(self.callers_path()),
            Message::One(FETCH_TYPES.to_owned()),
            Message::Ours(OWN_PATH.to_owned()),
        ];
        let begun =
            GivenTransaction::begin(client, limits, PlanChoice::Generic, UNPRUNED, messages)
                .await?;
        let (mut transaction, answers) = begun;
        transaction.forget_later(&self.name);
        let answers = wire::all(answers, Some((0, self.prefix().chars().count())));
        let looked = match answers {
            Ok(answers) => self.look(&transaction, limits, &answers).await,
            Err(error) => Err(error),
        };
        let ended = transaction.end().await?;
        looked?;
        self.left_behind = ended.left_behind;
        Ok(self)
    }

    /// What planning it would do, then its plan, then what running it would do.
    async fn look(
        &mut self,
        transaction: &GivenTransaction<'_>,
        limits: &Limits,
        answers: &[Vec<String>],
    ) -> Result<(), ExplainError> {
        self.types = types(answers.get(5))?;
        let statement = effects::Statement {
            sql: &self.sql,
            relations: effects::relations(answers.get(3))?,
            parameters: self.types.iter().map(|info| info.oid).collect(),
            access: limits.access,
        };
        let ask = async |question: String| {
            let answers = transaction.send(&[Message::One(question)]).await?;
            Ok(wire::all(answers, None)?.pop().unwrap_or_default())
        };
        let mut search = effects::Search::new(&ask, statement);
        if let Some(reason) = search.of_planning().await? {
            return Err(ExplainError::Unsafe {
                reason: format!("planning alone would run its functions: {reason}"),
            });
        }
        let explain = [
            Message::Ours(self.callers_path()),
            Message::One(explain_generic(self)),
            Message::Ours(OWN_PATH.to_owned()),
        ];
        let answers = wire::all(transaction.send(&explain).await?, None)?;
        let plan = answers.get(1).and_then(|rows| rows.last());
        self.effects = search.of_running(plan.map_or("[]", String::as_str)).await?;
        Ok(())
    }

    /// Statements that make a transaction its caller's; empty where the session's holds.
    pub(super) fn caller(&self) -> &str {
        self.caller.as_deref().unwrap_or_default()
    }

    /// The search path is the caller's again, who may have set one.
    fn callers_path(&self) -> String {
        format!("{CALLERS_PATH};{}", self.caller())
    }

    fn prefix(&self) -> String {
        let name = quote_identifier(&self.name);
        if self.declared.is_empty() {
            format!("PREPARE {name} AS ")
        } else {
            format!("PREPARE {name} ({}) AS ", self.declared.join(", "))
        }
    }

    /// The message that prepares it: the server takes it as one statement or refuses it.
    pub(super) fn preparing(&self) -> Message {
        Message::One(format!("{}{}", self.prefix(), self.sql))
    }

    /// Whether it may be executed.
    ///
    /// # Errors
    /// [`ExplainError::Unsafe`] with what it would do.
    pub fn may_run(&self) -> Result<(), ExplainError> {
        match self.effects.first() {
            Some(reason) => Err(ExplainError::Unsafe { reason }),
            None => Ok(()),
        }
    }

    /// `EXECUTE name('5', NULL)`. Without casts: the server reads each literal as its parameter's type, while
    /// `'NZ'::character` would mean `character(1)`.
    #[must_use]
    pub fn execute(&self, values: &[Option<String>]) -> String {
        let name = quote_identifier(&self.name);
        if self.types.is_empty() {
            return format!("EXECUTE {name}");
        }
        let value = |i: usize| {
            values
                .get(i)
                .and_then(Option::as_ref)
                .map_or_else(|| "NULL".to_owned(), |v| quote_literal(v))
        };
        let values: Vec<String> = (0..self.types.len()).map(value).collect();
        format!("EXECUTE {name}({})", values.join(", "))
    }

    /// Forgets it.
    ///
    /// # Errors
    /// [`ExplainError::Server`].
    pub async fn deallocate(self, client: &Client) -> Result<(), ExplainError> {
        match self.lifetime {
            Lifetime::Transaction => Ok(()),
            Lifetime::Session => texts(
                client,
                &format!("DEALLOCATE {}", quote_identifier(&self.name)),
                NO_POSITION,
            )
            .await
            .map(drop),
        }
    }
}

/// A name that no other pgproof has given: behind a pooler sessions are shared.
fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}_{}_{count}", std::process::id())
}

fn types(answer: Option<&Vec<String>>) -> Result<Vec<TypeInfo>, ExplainError> {
    let json = answer
        .and_then(|rows| rows.last())
        .map_or("[]", String::as_str);
    serde_json::from_str(json).map_err(|error| ExplainError::Unreadable(error.to_string()))
}

/// Parsed under pgproof's own search path and read under the caller's, which decides how types are called.
const FETCH_TYPES: &str = "FETCH ALL FROM pgproof_types";

fn types_cursor(name: &str) -> String {
    format!(
        "DECLARE pgproof_types NO SCROLL CURSOR FOR SELECT coalesce(json_agg(json_build_object('oid', t.oid::bigint, 'name', format_type(t.oid, NULL), \
           'element', CASE WHEN e.oid <> t.oid THEN format_type(e.oid, NULL) END, \
           'labels', (SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = b.oid), \
           'kind', CASE \
             WHEN b.typtype = 'e' THEN 'enum' \
             WHEN b.typname IN ('int2', 'int4', 'int8') THEN 'integer' \
             WHEN b.typname IN ('json', 'jsonb') THEN 'json' \
             WHEN b.typname = 'date' THEN 'date' \
             WHEN b.typname IN ('timestamp', 'timestamptz') THEN 'timestamp' \
             WHEN b.typname IN ('time', 'timetz') THEN 'time' \
             WHEN b.typname IN ('uuid', 'tsquery', 'tsvector', 'bytea') THEN b.typname \
             WHEN b.typcategory = 'B' THEN 'boolean' WHEN b.typcategory = 'N' THEN 'number' \
             WHEN b.typcategory = 'S' THEN 'text' WHEN b.typcategory = 'T' THEN 'interval' \
             WHEN b.typcategory = 'I' THEN 'network' WHEN b.typname = 'citext' THEN 'text' \
             ELSE 'other' END) ORDER BY p.n), '[]')::text \
         FROM pg_prepared_statements s \
         CROSS JOIN LATERAL unnest(s.parameter_types::oid[]) WITH ORDINALITY AS p (type, n) \
         JOIN pg_type t ON t.oid = p.type \
         JOIN pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END \
         JOIN pg_type b ON b.oid = CASE WHEN e.typtype = 'd' THEN e.typbasetype ELSE e.oid END \
         WHERE s.name = {}",
        quote_literal(name)
    )
}

/// A string literal, right whatever `standard_conforming_strings` says.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"a\'b"), r"E'a\\''b'");
    }
}
