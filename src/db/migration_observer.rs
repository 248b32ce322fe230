//! Applies a migration statement by statement and writes down what each did: time, locks, rewrites and full reads, WAL,
//! size, and what the catalog's queries had to wait beside it. Decides nothing about what is too much.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use crate::diff::blocking::{StatementSpan, blocked_queries};
use crate::diff::locks::{HeldLock, LockMode};
use crate::diff::migrations::{Migration, Script, Statement};
use crate::diff::observation::{PileUp, StatementObservation, StatementPlace};
use crate::interrupt::{Interrupt, Interrupted};
use crate::source::SourceError;
use crate::units::{Bytes, Millis};

use super::connect::{ConnectError, DatabaseUrl, EnvironmentFault, Session, describe};
use super::lock_watch::{Held, LockWatch};
use super::traffic::{Broken, Probe, Traffic, backend, ms};

/// Why a migration could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A statement failed: the user's file is at fault.
    #[error(transparent)]
    Statement(#[from] SourceError),
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

/// What beside the statements themselves is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// Only the statements.
    Plain,
    /// Before each statement that needs a table alone: the same behind a long reader, given up again.
    WithReader,
}

/// Everything that was seen of a migration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// In order.
    pub statements: Vec<StatementObservation>,
    /// Catalog queries that failed from some statement on, with that statement's index.
    pub broken: Vec<(Option<usize>, Broken)>,
}

/// How long the reader in the background keeps its transaction open.
const READER: Duration = Duration::from_millis(1500);
/// The `lock_timeout` whose effect is shown.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a statement gets to begin waiting; one that does not wait by then does not need what the reader holds.
const PATIENCE: Duration = Duration::from_millis(60);

/// Applies migrations to the database of `url`, with the probes as traffic beside them.
///
/// # Errors
/// [`ObserveError::Statement`] with file, line and the state in which the copy is left.
pub async fn observe(
    url: &DatabaseUrl,
    migrations: &[Migration],
    probes: &[Probe],
    rehearsal: Rehearsal,
    interrupt: &Interrupt,
) -> Result<Observed, ObserveError> {
    let mut observer = Observer::open(url, interrupt).await?;
    let mut observed = Observed::default();
    for migration in migrations {
        observer.run(&migration.version, &migration.up, probes, rehearsal, &mut observed).await?;
    }
    Ok(observed)
}

/// Applies one script as [`observe`] does: for a safer form, or a way back.
///
/// # Errors
/// As [`observe`].
pub async fn observe_script(
    url: &DatabaseUrl,
    version: &str,
    script: &Script,
    probes: &[Probe],
    interrupt: &Interrupt,
) -> Result<Observed, ObserveError> {
    let mut observer = Observer::open(url, interrupt).await?;
    let mut observed = Observed::default();
    observer.run(version, script, probes, Rehearsal::Plain, &mut observed).await?;
    Ok(observed)
}

struct Observer<'a> {
    url: &'a DatabaseUrl,
    session: Session,
    pid: i32,
    notices: Arc<Mutex<Vec<String>>>,
    minimal_wal: bool,
    interrupt: &'a Interrupt,
}

/// A statement as it ran, before it is known who waited for it.
struct Ran {
    place: StatementPlace,
    span: StatementSpan,
    rows: Option<u64>,
    rewritten: Vec<String>,
    scanned: Vec<String>,
    wal: Bytes,
    size_change: i64,
    pile_up: Option<PileUp>,
    /// Locks are read in its transaction; else from what the watch caught.
    locks_known: bool,
}

/// A relation's file and size.
#[derive(Debug, Clone, PartialEq)]
struct Relation {
    name: String,
    kind: char,
    file: u32,
    bytes: i64,
}

/// By OID.
type Relations = HashMap<u32, Relation>;

impl<'a> Observer<'a> {
    async fn open(url: &'a DatabaseUrl, interrupt: &'a Interrupt) -> Result<Self, ObserveError> {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&notices);
        let session = Session::open_noting(url, interrupt, move |notice| {
            into.lock().unwrap_or_else(PoisonError::into_inner).push(notice.to_owned());
        })
        .await?;
        let pid = backend(&session).await.map_err(server("reading its process id"))?;
        let level = session
            .client()
            .query_one("SELECT current_setting('wal_level')", &[])
            .await
            .map_err(server("reading wal_level"))?;
        let minimal_wal = level.get::<_, String>(0) == "minimal";
        Ok(Self { url, session, pid, notices, minimal_wal, interrupt })
    }

    async fn execute(&self, sql: &str, doing: &'static str) -> Result<(), ObserveError> {
        self.session.client().batch_execute(sql).await.map_err(server(doing))
    }

    async fn run(
        &mut self,
        version: &str,
        script: &Script,
        probes: &[Probe],
        rehearsal: Rehearsal,
        observed: &mut Observed,
    ) -> Result<(), ObserveError> {
        let zero = Instant::now();
        let watch = LockWatch::start(self.url, self.pid, zero, self.interrupt).await?;
        let traffic = Traffic::start(self.url, probes, zero, self.interrupt).await?;
        // Let every session come to its first answer: a plan that is made for the first time is slow.
        if !probes.is_empty() {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let result = self.statements(version, script, probes, rehearsal, zero).await;
        let seen = traffic.stop().await;
        let watched = watch.stop().await;
        let mut ran = result?;
        for statement in &mut ran {
            if !statement.locks_known {
                let held = watched.held_between(statement.span.start_ms, statement.span.released_ms);
                statement.span.locks = held.into_iter().map(|(relation, mode)| HeldLock { relation, mode }).collect();
            }
        }
        let spans: Vec<StatementSpan> = ran.iter().map(|statement| statement.span.clone()).collect();
        let mut blocked = blocked_queries(&seen.executions, &watched.waits, &spans, self.pid).into_iter();
        let first = observed.statements.len();
        let in_transaction = script.in_one_transaction() && ran.len() > 1;
        for statement in ran {
            let blocked = blocked.next().unwrap_or_default();
            observed.statements.push(statement.observation(blocked, in_transaction));
        }
        for (at_ms, broken) in seen.broken {
            let statement = spans.iter().rposition(|span| span.start_ms <= at_ms).map(|n| first + n);
            observed.broken.push((statement, broken));
        }
        Ok(())
    }

    async fn statements(
        &self,
        version: &str,
        script: &Script,
        probes: &[Probe],
        rehearsal: Rehearsal,
        zero: Instant,
    ) -> Result<Vec<Ran>, ObserveError> {
        self.execute("SET client_min_messages = debug1; SET lock_timeout = 0", "preparing the session").await?;
        let whole = script.in_one_transaction();
        if whole {
            self.execute("BEGIN", "beginning a transaction").await?;
        }
        let mut ran: Vec<Ran> = Vec::new();
        for statement in &script.statements {
            self.interrupt.check()?;
            let place = StatementPlace {
                version: version.to_owned(),
                file: script.source.path.clone(),
                line: statement.line,
                sql: statement.sql.clone(),
            };
            let pile_up = match rehearsal {
                Rehearsal::WithReader if needs_table_alone(&statement.sql) => {
                    self.behind_reader(statement, probes, whole).await?
                }
                Rehearsal::WithReader | Rehearsal::Plain => None,
            };
            match self.statement(script, statement, place, pile_up, zero).await {
                Ok(done) => ran.push(done),
                Err(error) => return Err(self.left_in(error, script, ran.len()).await),
            }
        }
        if whole {
            let committed = self.session.client().batch_execute("COMMIT").await;
            if let (Err(error), Some(last)) = (committed, script.statements.last()) {
                return Err(self.left_in(self.failure(script, last, &error)?, script, ran.len()).await);
            }
            let released = ms(zero.elapsed());
            for statement in &mut ran {
                statement.span.released_ms = released;
            }
        }
        Ok(ran)
    }

    /// Runs one statement; in a transaction of its own where that is the same, so that its locks can be read before they go.
    async fn statement(
        &self,
        script: &Script,
        statement: &Statement,
        place: StatementPlace,
        pile_up: Option<PileUp>,
        zero: Instant,
    ) -> Result<Ran, ObserveError> {
        let whole = script.in_one_transaction();
        let own =
            !whole && !script.statements.iter().any(Statement::controls_transaction) && !runs_alone(&statement.sql);
        if own {
            self.execute("BEGIN", "beginning a transaction").await?;
        }
        let before = self.relations().await?;
        let held_before = if whole || own { self.locks(&before).await? } else { Held::new() };
        let wal_before = self.wal_position().await?;
        self.drain_notices();
        let start = zero.elapsed();
        let outcome = self.session.client().simple_query(&statement.sql).await;
        let end = zero.elapsed();
        let messages = match outcome {
            Ok(messages) => messages,
            Err(error) => return Err(self.failure(script, statement, &error)?),
        };
        let notices = self.drain_notices();
        let locks_known = whole || own;
        let held = if locks_known { self.locks(&before).await? } else { Held::new() };
        let wal = self.wal_position().await?.saturating_sub(wal_before);
        let after = self.relations().await?;
        if own {
            let committed = self.session.client().batch_execute("COMMIT").await;
            if let Err(error) = committed {
                return Err(self.failure(script, statement, &error)?);
            }
        }
        let rewritten = rewritten(&before, &after);
        Ok(Ran {
            place,
            span: StatementSpan {
                start_ms: ms(start),
                end_ms: ms(end),
                released_ms: if own { ms(zero.elapsed()) } else { ms(end) },
                locks: newly_held(&held_before, held),
            },
            rows: affected(&statement.sql, &messages),
            scanned: scanned(&notices),
            wal: Bytes(wal + if self.minimal_wal { new_files(&before, &after) } else { 0 }),
            size_change: total(&after) - total(&before),
            rewritten,
            pile_up,
            locks_known,
        })
    }

    fn drain_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The error of a statement, as the user's mistake or the server's.
    fn failure(
        &self,
        script: &Script,
        statement: &Statement,
        error: &tokio_postgres::Error,
    ) -> Result<ObserveError, ObserveError> {
        self.interrupt.check()?;
        if EnvironmentFault::of(error).is_some() {
            return Err(ObserveError::Server { doing: "applying a migration", reason: describe(error) });
        }
        let mut failure = SourceError::new(&script.source, statement.span.clone(), describe(error));
        if error.code() == Some(&SqlState::ACTIVE_SQL_TRANSACTION) && script.in_one_transaction() {
            failure = failure
                .help("its tool runs this file in one transaction; give the statement a file of its own without one");
        }
        Ok(ObserveError::Statement(failure))
    }

    /// Adds to a statement's failure what state the copy is in.
    async fn left_in(&self, error: ObserveError, script: &Script, done: usize) -> ObserveError {
        let ObserveError::Statement(mut failure) = error else { return error };
        // Where no transaction is open the server only warns.
        let _ = self.session.client().batch_execute("ROLLBACK").await;
        let state = if script.in_one_transaction() {
            "the file's transaction was rolled back: the copy is as it was before this file".to_owned()
        } else {
            let invalid = self.invalid_indexes().await.unwrap_or_default();
            let left = match invalid.as_slice() {
                [] => String::new(),
                names => format!("; it leaves the invalid index {}", names.join(", ")),
            };
            format!("the {done} statements of the file before it are committed{left}")
        };
        failure.message = format!("{}; {state}", failure.message);
        ObserveError::Statement(failure)
    }

    async fn invalid_indexes(&self) -> Result<Vec<String>, tokio_postgres::Error> {
        let rows = self
            .session
            .client()
            .query("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid AND indexrelid >= 16384 ORDER BY 1", &[])
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn wal_position(&self) -> Result<u64, ObserveError> {
        let row = self
            .session
            .client()
            .query_one("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint", &[])
            .await
            .map_err(server("reading the WAL position"))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    /// Tables and indexes of the user with their files and sizes.
    async fn relations(&self) -> Result<Relations, ObserveError> {
        const QUERY: &str = "SELECT c.oid, n.nspname || '.' || c.relname, c.relkind::text, pg_relation_filenode(c.oid), \
            CASE WHEN c.relkind = 'i' THEN pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END \
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
            WHERE c.relkind IN ('r', 'm', 'i', 'p') AND c.oid >= 16384 AND n.nspname <> 'pg_toast'";
        let rows = self.session.client().query(QUERY, &[]).await.map_err(server("reading sizes"))?;
        Ok(rows
            .iter()
            .map(|row| {
                let kind: String = row.get(2);
                let relation = Relation {
                    name: row.get(1),
                    kind: kind.chars().next().unwrap_or('?'),
                    file: row.get::<_, Option<u32>>(3).unwrap_or(0),
                    // A relation that another session drops meanwhile has no size.
                    bytes: row.get::<_, Option<i64>>(4).unwrap_or(0),
                };
                (row.get::<_, u32>(0), relation)
            })
            .collect())
    }

    /// What this session holds on tables that were there before.
    async fn locks(&self, known: &Relations) -> Result<Held, ObserveError> {
        const QUERY: &str =
            "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted";
        let rows = self.session.client().query(QUERY, &[]).await.map_err(server("reading locks"))?;
        let mut held = BTreeMap::new();
        for row in rows {
            let (oid, mode): (u32, String) = (row.get(0), row.get(1));
            let table = known.get(&oid).filter(|relation| relation.kind != 'i');
            if let (Some(relation), Some(mode)) = (table, LockMode::parse(&mode)) {
                let strongest = held.entry(relation.name.clone()).or_insert(mode);
                *strongest = (*strongest).max(mode);
            }
        }
        Ok(held)
    }

    /// The statement behind a reader that has every table open: who piles up behind it, and how `lock_timeout` helps.
    /// It is cancelled while it waits, so it changes nothing. `None` where it does not have to wait.
    async fn behind_reader(
        &self,
        statement: &Statement,
        probes: &[Probe],
        whole: bool,
    ) -> Result<Option<PileUp>, ObserveError> {
        let Some(first) = self.attempt(statement, probes, whole, READER).await? else { return Ok(None) };
        let second = self.attempt(statement, probes, whole, LOCK_TIMEOUT).await?;
        let longest =
            |blocked: &[crate::diff::blocking::BlockedQuery]| blocked.first().map_or(Millis(0.0), |b| b.longest);
        Ok(Some(PileUp {
            reader: Millis(ms(READER)),
            waited_for: first.waited_for,
            blocked: first.blocked,
            longest_with_timeout: second.map(|second| longest(&second.blocked)),
            lock_timeout: Millis(ms(LOCK_TIMEOUT)),
        }))
    }

    async fn attempt(
        &self,
        statement: &Statement,
        probes: &[Probe],
        whole: bool,
        timeout: Duration,
    ) -> Result<Option<Attempt>, ObserveError> {
        let reader = Session::open(self.url, self.interrupt).await?;
        if !read_every_table(&reader).await.map_err(server("opening a reader"))? {
            // The file's own transaction holds a table already: nobody can read it now.
            reader.close().await;
            return Ok(None);
        }
        let zero = Instant::now();
        let watch = LockWatch::start(self.url, self.pid, zero, self.interrupt).await?;
        let traffic = Traffic::start(self.url, probes, zero, self.interrupt).await?;
        let enter = if whole { "SAVEPOINT rehearsal" } else { "BEGIN" };
        let leave = if whole { "ROLLBACK TO SAVEPOINT rehearsal; RELEASE SAVEPOINT rehearsal" } else { "ROLLBACK" };
        self.execute(&format!("{enter}; SET LOCAL lock_timeout = {}", timeout.as_millis()), "rehearsing").await?;
        let start = ms(zero.elapsed());
        let waited = self.wait_or_cancel(&statement.sql, &watch, start).await;
        let end = ms(zero.elapsed());
        self.execute(leave, "ending a rehearsal").await?;
        let seen = traffic.stop().await;
        let watched = watch.stop().await;
        reader.close().await;
        waited?;
        let own = watched.waits.iter().find(|wait| wait.pid == self.pid);
        let Some(own) = own else { return Ok(None) };
        let waited_for = own.relation.clone().zip(own.mode).map(|(relation, mode)| HeldLock { relation, mode });
        let span = StatementSpan {
            start_ms: start,
            end_ms: end,
            released_ms: end,
            locks: waited_for.iter().cloned().collect(),
        };
        let blocked = blocked_queries(&seen.executions, &watched.waits, &[span], self.pid).pop().unwrap_or_default();
        Ok(Some(Attempt { waited_for, blocked }))
    }

    /// Runs the statement until `lock_timeout` ends it, or cancels it where it did not begin to wait.
    async fn wait_or_cancel(&self, sql: &str, watch: &LockWatch, start_ms: f64) -> Result<(), ObserveError> {
        let running = self.session.client().batch_execute(sql);
        let mut running = std::pin::pin!(running);
        tokio::select! {
            _ = &mut running => return Ok(()),
            () = tokio::time::sleep(PATIENCE) => {}
        }
        if !watch.is_waiting_since(self.pid, start_ms) {
            let canceller = Session::open(self.url, self.interrupt).await?;
            let cancelled = canceller.client().execute("SELECT pg_cancel_backend($1)", &[&self.pid]).await;
            cancelled.map_err(server("cancelling a rehearsal"))?;
            canceller.close().await;
        }
        // Its error is expected: it was made to give up.
        let _ = running.await;
        self.interrupt.check().map_err(ObserveError::from)
    }
}

struct Attempt {
    waited_for: Option<HeldLock>,
    blocked: Vec<crate::diff::blocking::BlockedQuery>,
}

fn server(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> ObserveError {
    move |error| ObserveError::Server { doing, reason: describe(&error) }
}

/// Opens a transaction that has read from every table of the user; `false` where one cannot be had.
async fn read_every_table(reader: &Session) -> Result<bool, tokio_postgres::Error> {
    const LOCK: &str = "DO $$ DECLARE names text; BEGIN \
        SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') INTO names FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema'); \
        IF names IS NOT NULL THEN EXECUTE 'LOCK TABLE ' || names || ' IN ACCESS SHARE MODE'; END IF; END $$";
    reader.client().batch_execute("BEGIN; SET LOCAL lock_timeout = 50").await?;
    match reader.client().batch_execute(LOCK).await {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Ran {
    fn observation(
        self,
        blocked: Vec<crate::diff::blocking::BlockedQuery>,
        in_transaction: bool,
    ) -> StatementObservation {
        StatementObservation {
            place: self.place,
            rows: self.rows,
            duration: Millis(self.span.end_ms - self.span.start_ms),
            locks_held: Millis(self.span.released_ms - self.span.start_ms),
            in_transaction,
            locks: self.span.locks,
            rewritten: self.rewritten,
            scanned: self.scanned,
            wal: self.wal,
            size_change: self.size_change,
            blocked,
            pile_up: self.pile_up,
            safer: None,
            extrapolation: None,
        }
    }
}

/// Locks that are new, or stronger than before.
fn newly_held(before: &Held, after: Held) -> Vec<HeldLock> {
    after
        .into_iter()
        .filter(|(relation, mode)| before.get(relation).is_none_or(|old| old < mode))
        .map(|(relation, mode)| HeldLock { relation, mode })
        .collect()
}

/// Tables with a new file.
fn rewritten(before: &Relations, after: &Relations) -> Vec<String> {
    let mut names: Vec<String> = before
        .iter()
        .filter(|(_, relation)| relation.kind != 'i' && relation.bytes > 0)
        .filter(|(oid, relation)| after.get(oid).is_some_and(|new| new.file != relation.file))
        .map(|(_, relation)| relation.name.clone())
        .collect();
    names.sort();
    names
}

/// With `wal_level = minimal` a new file is not logged; on a server with replicas all of it is.
fn new_files(before: &Relations, after: &Relations) -> u64 {
    after
        .iter()
        .filter(|(oid, relation)| before.get(oid).is_none_or(|old| old.file != relation.file))
        .map(|(_, relation)| u64::try_from(relation.bytes).unwrap_or(0))
        .sum()
}

fn total(relations: &Relations) -> i64 {
    relations.values().map(|relation| relation.bytes).sum()
}

/// What the server's debug messages say that it read in full.
fn scanned(notices: &[String]) -> Vec<String> {
    let quoted = |text: &str| text.split('"').nth(1).map(str::to_owned);
    let mut found = Vec::new();
    for notice in notices {
        let told = if notice.starts_with("verifying table") {
            quoted(notice).map(|table| format!("table {table}"))
        } else if notice.starts_with("validating foreign key constraint") {
            quoted(notice).map(|name| format!("foreign key {name}"))
        } else if notice.starts_with("building index") {
            quoted(notice).filter(|name| !name.starts_with("pg_toast")).map(|name| format!("building index {name}"))
        } else {
            None
        };
        found.extend(told);
    }
    found.sort();
    found.dedup();
    found
}

fn affected(sql: &str, messages: &[SimpleQueryMessage]) -> Option<u64> {
    let first = sql.split_whitespace().next().unwrap_or("").to_ascii_uppercase();
    if !matches!(first.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "WITH" | "COPY") {
        return None;
    }
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    })
}

/// Statements that PostgreSQL refuses in a transaction, or that end theirs themselves.
fn runs_alone(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().take(8).map(str::to_ascii_uppercase).collect();
    let first = words.first().map_or("", String::as_str);
    words.iter().any(|word| word == "CONCURRENTLY")
        || matches!(first, "VACUUM" | "CALL" | "DO" | "REINDEX" | "CLUSTER")
        || matches!(
            (first, words.get(1).map_or("", String::as_str)),
            ("CREATE" | "DROP", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION") | ("ALTER", "SYSTEM" | "SUBSCRIPTION")
        )
}

/// Statements that may need a table alone, and do nothing before they have it.
fn needs_table_alone(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().take(4).map(str::to_ascii_uppercase).collect();
    let word = |n: usize| words.get(n).map_or("", String::as_str);
    matches!(
        (word(0), word(1)),
        ("ALTER", "TABLE" | "INDEX" | "VIEW" | "MATERIALIZED")
            | ("DROP", "TABLE" | "VIEW" | "TRIGGER")
            | ("TRUNCATE" | "LOCK", _)
    ) || (word(0) == "DROP" && word(1) == "INDEX" && word(2) != "CONCURRENTLY")
}
