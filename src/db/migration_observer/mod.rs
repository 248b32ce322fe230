//! Applies a migration statement by statement and writes down what each did: time, locks, rewrites and full reads, WAL,
//! size, and what the catalog's queries had to wait beside it. Decides nothing about what is too much.

mod reach;
mod reader;
mod relations;
mod words;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio_postgres::error::SqlState;

use crate::diff::blocking::{BlockedQuery, StatementSpan, blocked_queries};
use crate::diff::locks::HeldLock;
use crate::diff::observation::{
    InheritedLock, PileUp, StatementObservation, StatementPlace, WorstWait,
};
use crate::interrupt::{Interrupt, Interrupted};
use crate::migrations::{Migration, Script, Statement};
use crate::source::SourceError;
use crate::sql::transaction::{BlockRule, block_rule};
use crate::units::{Bytes, Millis};

use self::reach::Reach;
use self::relations::{locks, new_files, newly_held, relations, rewritten, total};
use self::words::{affected, needs_table_alone, scanned};
use super::connect::{ConnectError, DatabaseUrl, EnvironmentFault, Session, describe};
use super::lock_watch::{Held, LockWatch, Watched};
use super::migrate::{MigrateError, run_program};
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
    let mut observer = Observer::open(url, probes, interrupt).await?;
    let mut observed = Observed::default();
    for migration in migrations {
        observer
            .run(
                &migration.version,
                &migration.up,
                probes,
                rehearsal,
                &mut observed,
            )
            .await?;
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
    let mut observer = Observer::open(url, probes, interrupt).await?;
    let mut observed = Observed::default();
    observer
        .run(version, script, probes, Rehearsal::Plain, &mut observed)
        .await?;
    Ok(observed)
}

struct Observer<'a> {
    url: &'a DatabaseUrl,
    session: Session,
    pid: i32,
    notices: Arc<Mutex<Vec<String>>>,
    minimal_wal: bool,
    reach: Reach,
    interrupt: &'a Interrupt,
}

/// The traffic beside a script.
#[derive(Clone, Copy)]
struct Beside<'a> {
    probes: &'a [Probe],
    /// For each table that the script reaches the probes that need it.
    near: &'a [Vec<usize>],
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
    inherited: Vec<InheritedLock>,
    /// Locks are read in its transaction; else from what the watch caught.
    locks_known: bool,
}

impl<'a> Observer<'a> {
    async fn open(
        url: &'a DatabaseUrl,
        probes: &[Probe],
        interrupt: &'a Interrupt,
    ) -> Result<Self, ObserveError> {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&notices);
        let session = Session::open_noting(url, interrupt, move |notice| {
            into.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(notice.to_owned());
        })
        .await?;
        let pid = backend(&session)
            .await
            .map_err(server("reading its process id"))?;
        let level = session
            .client()
            .query_one("SELECT current_setting('wal_level')", &[])
            .await
            .map_err(server("reading wal_level"))?;
        let minimal_wal = level.get::<_, String>(0) == "minimal";
        let reach = Reach::of(&session, probes)
            .await
            .map_err(server("planning the traffic"))?;
        Ok(Self {
            url,
            session,
            pid,
            notices,
            minimal_wal,
            reach,
            interrupt,
        })
    }

    async fn execute(&self, sql: &str, doing: &'static str) -> Result<(), ObserveError> {
        self.session
            .client()
            .batch_execute(sql)
            .await
            .map_err(server(doing))
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
        let near = self
            .reach
            .near(&self.session, script)
            .await
            .map_err(server("reading what the migration reaches"))?;
        let beside = Beside {
            probes,
            near: &near,
        };
        let traffic = Traffic::start(self.url, probes, &near, zero, self.interrupt).await?;
        let result = self
            .statements(version, script, beside, rehearsal, zero)
            .await;
        let seen = traffic.stop().await;
        let watched = watch.stop().await;
        let mut ran = result?;
        for statement in &mut ran {
            if !statement.locks_known {
                let held =
                    watched.held_between(statement.span.start_ms, statement.span.released_ms);
                statement.span.locks = held
                    .into_iter()
                    .map(|(relation, mode)| HeldLock { relation, mode })
                    .collect();
            }
        }
        let spans: Vec<StatementSpan> =
            ran.iter().map(|statement| statement.span.clone()).collect();
        let ours = match script.program {
            None => vec![self.pid],
            // Its sessions are its own: whoever others wait for, and is none of the traffic.
            Some(_) => {
                let traffic: BTreeSet<i32> = seen
                    .executions
                    .iter()
                    .map(|execution| execution.pid)
                    .collect();
                let blockers = watched
                    .waits
                    .iter()
                    .flat_map(|wait| wait.blockers.iter().copied());
                blockers
                    .filter(|pid| !traffic.contains(pid))
                    .collect::<BTreeSet<i32>>()
                    .into_iter()
                    .collect()
            }
        };
        let worst: Vec<Option<WorstWait>> = spans
            .iter()
            .map(|span| worst_wait(&watched, self.pid, span))
            .collect();
        let (blocked, kept) = blocked_queries(&seen.executions, &watched.waits, &spans, &ours);
        let first = observed.statements.len();
        let in_transaction = script.in_one_transaction() && ran.len() > 1;
        for (((statement, blocked), kept), worst) in
            ran.into_iter().zip(blocked).zip(kept).zip(worst)
        {
            let observation = statement.observation(blocked, kept, in_transaction);
            // An answer that a busy machine brought late was measured longer than the lock was seen.
            let measured = observation.longest_block().0;
            let worst = worst.map(|worst| WorstWait {
                wait: Millis(worst.wait.0.max(measured)),
                ..worst
            });
            observed.statements.push(StatementObservation {
                worst_wait: worst,
                ..observation
            });
        }
        for (at_ms, broken) in seen.broken {
            let statement = spans
                .iter()
                .rposition(|span| span.start_ms <= at_ms)
                .map(|n| first + n);
            observed.broken.push((statement, broken));
        }
        Ok(())
    }

    async fn statements(
        &self,
        version: &str,
        script: &Script,
        beside: Beside<'_>,
        rehearsal: Rehearsal,
        zero: Instant,
    ) -> Result<Vec<Ran>, ObserveError> {
        self.execute(
            "SET client_min_messages = debug1; SET lock_timeout = 0",
            "preparing the session",
        )
        .await?;
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
            let inherited = if whole { inherited(&ran) } else { Vec::new() };
            let pile_up = match rehearsal {
                // Whoever waits for a lock that the file holds already would wait for the rehearsal too.
                Rehearsal::WithReader
                    if needs_table_alone(&statement.sql)
                        && inherited.is_empty()
                        && script.program.is_none() =>
                {
                    reader::behind_reader(self, statement, beside, whole).await?
                }
                Rehearsal::WithReader | Rehearsal::Plain => None,
            };
            match self
                .statement(script, statement, place, pile_up, zero)
                .await
            {
                Ok(done) => ran.push(Ran { inherited, ..done }),
                Err(error) => return Err(self.left_in(error, script, ran.len()).await),
            }
        }
        if whole {
            let committed = self.session.client().batch_execute("COMMIT").await;
            if let (Err(error), Some(last)) = (committed, script.statements.last()) {
                return Err(self
                    .left_in(self.failure(script, last, &error)?, script, ran.len())
                    .await);
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
        let own = !whole
            && script.program.is_none()
            && !script
                .statements
                .iter()
                .any(Statement::controls_transaction)
            && block_rule(&statement.sql) == BlockRule::Inside;
        if own {
            self.execute("BEGIN", "beginning a transaction").await?;
        }
        let before = relations(&self.session).await?;
        let held_before = if whole || own {
            locks(&self.session, &before).await?
        } else {
            Held::new()
        };
        let wal_before = self.wal_position().await?;
        self.drain_notices();
        let start = zero.elapsed();
        let outcome = match &script.program {
            None => self.session.client().simple_query(&statement.sql).await,
            Some(program) => {
                run_program(program, script, self.url, self.interrupt).await?;
                Ok(Vec::new())
            }
        };
        let end = zero.elapsed();
        let messages = match outcome {
            Ok(messages) => messages,
            Err(error) => return Err(self.failure(script, statement, &error)?),
        };
        let notices = self.drain_notices();
        let locks_known = whole || own;
        let held = if locks_known {
            locks(&self.session, &before).await?
        } else {
            Held::new()
        };
        let wal = self.wal_position().await?.saturating_sub(wal_before);
        let after = relations(&self.session).await?;
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
            wal: Bytes(
                wal + if self.minimal_wal {
                    new_files(&before, &after)
                } else {
                    0
                },
            ),
            size_change: total(&after) - total(&before),
            rewritten,
            pile_up,
            inherited: Vec::new(),
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
        Ok(ObserveError::Statement(failure))
    }

    /// Adds to a statement's failure what state the copy is in.
    async fn left_in(&self, error: ObserveError, script: &Script, done: usize) -> ObserveError {
        let ObserveError::Statement(mut failure) = error else {
            return error;
        };
        // Where no transaction is open the server only warns.
        let _ = self.session.client().batch_execute("ROLLBACK").await;
        let state = if script.in_one_transaction() {
            "the file's transaction was rolled back: the copy is as it was before this file"
                .to_owned()
        } else {
            let invalid = self.invalid_indexes().await.unwrap_or_default();
            let left = match invalid.as_slice() {
                [] => String::new(),
                names => format!("; it leaves the invalid index {}", names.join(", ")),
            };
            let before = match done {
                0 => "no statement of the file came before it".to_owned(),
                1 => "the statement of the file before it is committed".to_owned(),
                _ => format!("the {done} statements of the file before it are committed"),
            };
            format!("{before}{left}")
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
            .query_one(
                "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint",
                &[],
            )
            .await
            .map_err(server("reading the WAL position"))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }
}

fn server(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> ObserveError {
    move |error| ObserveError::Server {
        doing,
        reason: describe(&error),
    }
}

/// Locks that stop others and that earlier statements of the same transaction took: the strongest on each table.
fn inherited(ran: &[Ran]) -> Vec<InheritedLock> {
    let mut found: Vec<InheritedLock> = Vec::new();
    for statement in ran {
        for lock in statement
            .span
            .locks
            .iter()
            .filter(|lock| lock.mode.blocks_writes())
        {
            found.retain(|known| {
                known.lock.relation != lock.relation || known.lock.mode >= lock.mode
            });
            if !found
                .iter()
                .any(|known| known.lock.relation == lock.relation)
            {
                found.push(InheritedLock {
                    lock: lock.clone(),
                    taken_at: statement.place.line,
                });
            }
        }
    }
    found
}

/// The longest of what its locks would make a query wait.
fn worst_wait(watched: &Watched, pid: i32, span: &StatementSpan) -> Option<WorstWait> {
    let stopping = span.locks.iter().filter(|lock| lock.mode.blocks_writes());
    stopping
        .map(|lock| {
            let wait = Millis(watched.longest_stretch(pid, lock, span.start_ms, span.released_ms));
            WorstWait {
                lock: lock.clone(),
                wait,
            }
        })
        .max_by(|a, b| {
            a.wait
                .0
                .total_cmp(&b.wait.0)
                .then(a.lock.mode.cmp(&b.lock.mode))
        })
}

impl Ran {
    fn observation(
        self,
        blocked: Vec<BlockedQuery>,
        kept_waiting: Vec<BlockedQuery>,
        in_transaction: bool,
    ) -> StatementObservation {
        StatementObservation {
            place: self.place,
            rows: self.rows,
            duration: Millis(self.span.end_ms - self.span.start_ms),
            locks_held: Millis(self.span.released_ms - self.span.start_ms),
            in_transaction,
            locks: self.span.locks,
            inherited: self.inherited,
            rewritten: self.rewritten,
            scanned: self.scanned,
            wal: self.wal,
            size_change: self.size_change,
            worst_wait: None,
            blocked,
            kept_waiting,
            pile_up: self.pile_up,
            safer: None,
            extrapolation: None,
        }
    }
}
