//! The quiet pass: each statement's own time, locks, rewrites, full reads, WAL and size, with no traffic that could add to them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio_postgres::error::SqlState;

use crate::db::connect::{DatabaseUrl, Session};
use crate::db::lacking;
use crate::db::lock_watch::{Held, LockWatch};
use crate::db::migrate::run_program;
use crate::db::run_queue::RunQueue;
use crate::db::traffic::{backend, ms};
use crate::diff::locks::HeldLock;
use crate::diff::observation::{InheritedLock, StatementObservation, StatementPlace, WorstWait};
use crate::interrupt::Interrupt;
use crate::migrations::{Script, Statement};
use crate::sql::transaction::sets_alone;
use crate::units::{Bytes, Millis};

use super::relations::{Relations, locks, new_files, newly_held, relations, rewritten, total};
use super::words::{affected, scanned};
use super::{ObserveError, execute, failure, runs_alone, server};

pub(super) struct Inspector<'a> {
    url: &'a DatabaseUrl,
    session: Session,
    pid: i32,
    run_queue: RunQueue,
    notices: Arc<Mutex<Vec<String>>>,
    wal_level: WalLevel,
    interrupt: &'a Interrupt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WalLevel {
    /// New files are not logged.
    Minimal,
    Replica,
}

/// How the locks of a statement are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// In the transaction that holds it with others.
    InTransaction,
    /// In a transaction of its own, which changes nothing for it.
    InOwnTransaction,
    /// By looks from another session: it runs in no transaction of ours.
    FromOutside,
}

/// What is there as a script begins, and what it has done so far.
struct Progressed<'a> {
    script: &'a Script,
    /// Nobody uses what the script makes itself.
    known: &'a Relations,
    /// As the last statement left them.
    before: Relations,
}

/// What a statement did, apart from its place.
struct Done {
    rows: Option<u64>,
    took: Millis,
    /// Of that, waiting for a processor.
    cpu_wait: Millis,
    locks: Vec<HeldLock>,
    /// The longest stretch that a look from outside saw.
    stretch: Option<WorstWait>,
    after: Relations,
    scanned: Vec<String>,
    wal: Bytes,
}

impl<'a> Inspector<'a> {
    pub(super) async fn open(
        url: &'a DatabaseUrl,
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
        let wal_level = match level.get::<_, &str>(0) {
            "minimal" => WalLevel::Minimal,
            _ => WalLevel::Replica,
        };
        Ok(Self {
            url,
            session,
            pid,
            run_queue: RunQueue::of(url, pid),
            notices,
            wal_level,
            interrupt,
        })
    }

    /// Applies a script as its tool does.
    pub(super) async fn script(
        &self,
        version: &str,
        script: &Script,
    ) -> Result<Vec<StatementObservation>, ObserveError> {
        execute(
            &self.session,
            "SET client_min_messages = debug1; SET lock_timeout = 0",
            "preparing the session",
        )
        .await?;
        let groups = script.transactions();
        let known = relations(&self.session).await?;
        let mut so_far = Progressed {
            script,
            known: &known,
            before: known.clone(),
        };
        if script.in_one_transaction() {
            execute(&self.session, "BEGIN", "beginning a transaction").await?;
        }
        let mut found: Vec<StatementObservation> = Vec::new();
        for (statement, group) in script.statements.iter().zip(&groups) {
            self.interrupt.check()?;
            let together = |of: &Option<usize>| group.is_some() && of == group;
            let earlier = found.iter().zip(&groups).filter(|(_, of)| together(of));
            let inherited = inherited(earlier.map(|(earlier, _)| earlier));
            let ran = match sets_alone(&statement.sql) {
                true => self.set(&so_far, statement).await,
                false => self.statement(&so_far, statement, *group).await,
            };
            let done = match ran {
                Ok(done) => done,
                Err(error) => return Err(self.left_in(error, script, found.len()).await),
            };
            let members = script.statements.iter().zip(&groups);
            let members =
                members.filter(|(other, of)| together(of) && !other.controls_transaction());
            let in_transaction = members.count() > 1;
            let place = StatementPlace {
                version: version.to_owned(),
                file: script.source.path.clone(),
                line: statement.line,
                sql: statement.sql.clone(),
            };
            found.push(StatementObservation {
                inherited,
                in_transaction,
                rewritten: rewritten(&known, &so_far.before, &done.after),
                size_change: total(&done.after) - total(&so_far.before),
                ..done.observation(place)
            });
            so_far.before = match statement.controls_transaction() {
                // A rollback takes relations away, too.
                true => relations(&self.session).await?,
                false => done.after,
            };
        }
        if script.in_one_transaction() {
            let committed = self.session.client().batch_execute("COMMIT").await;
            if let (Err(error), Some(last)) = (committed, script.statements.last()) {
                let error = failure(self.interrupt, script, last, &error)?;
                return Err(self.left_in(error, script, found.len()).await);
            }
        }
        hold_to_the_end(&mut found, &groups);
        Ok(found)
    }

    /// What changes settings alone, with nothing asked before or after it: SET TRANSACTION has to come before any query.
    async fn set(
        &self,
        so_far: &Progressed<'_>,
        statement: &Statement,
    ) -> Result<Done, ObserveError> {
        let waited_before = self.run_queue.waited().0;
        let start = Instant::now();
        let done = self.session.client().batch_execute(&statement.sql).await;
        if let Err(error) = done {
            return Err(failure(self.interrupt, so_far.script, statement, &error)?);
        }
        Ok(Done {
            rows: None,
            took: Millis(ms(start.elapsed())),
            cpu_wait: Millis(self.run_queue.waited().0 - waited_before),
            locks: Vec::new(),
            stretch: None,
            after: so_far.before.clone(),
            scanned: Vec::new(),
            wal: Bytes(0),
        })
    }

    async fn statement(
        &self,
        so_far: &Progressed<'_>,
        statement: &Statement,
        group: Option<usize>,
    ) -> Result<Done, ObserveError> {
        let reading = match group {
            Some(_) => Reading::InTransaction,
            None if so_far.script.program.is_some() || runs_alone(&statement.sql) => {
                Reading::FromOutside
            }
            None => Reading::InOwnTransaction,
        };
        match self.run(so_far, statement, reading).await {
            Ok(done) => Ok(done),
            Err(Refused::InTransaction) => {
                execute(&self.session, "ROLLBACK", "leaving a transaction").await?;
                let again = self.run(so_far, statement, Reading::FromOutside).await;
                again.map_err(|refused| refused.into_error(so_far.script, statement))
            }
            Err(Refused::Other(error)) => Err(error),
        }
    }

    async fn run(
        &self,
        so_far: &Progressed<'_>,
        statement: &Statement,
        reading: Reading,
    ) -> Result<Done, Refused> {
        let held_before = match reading {
            Reading::InTransaction => locks(&self.session, so_far.known).await?,
            Reading::InOwnTransaction => {
                execute(&self.session, "BEGIN", "beginning a transaction").await?;
                Held::new()
            }
            Reading::FromOutside => Held::new(),
        };
        let zero = Instant::now();
        let watch = match reading {
            Reading::FromOutside => {
                let watch = LockWatch::start(self.url, self.pid, zero, self.interrupt).await;
                Some(watch.map_err(ObserveError::from)?)
            }
            Reading::InTransaction | Reading::InOwnTransaction => None,
        };
        let wal_before = self.wal_position().await?;
        self.drain_notices();
        let done = lacking::is_done_already(&self.session, &statement.sql).await;
        let waited_before = self.run_queue.waited().0;
        let start = zero.elapsed();
        let outcome = match &so_far.script.program {
            None if done => Ok(Vec::new()),
            None => self.session.client().simple_query(&statement.sql).await,
            Some(program) => {
                let ran = run_program(program, so_far.script, self.url, self.interrupt).await;
                ran.map_err(ObserveError::from)?;
                Ok(Vec::new())
            }
        };
        let end = zero.elapsed();
        let cpu_wait = Millis(self.run_queue.waited().0 - waited_before);
        let watched = match watch {
            Some(watch) => Some(watch.stop().await),
            None => None,
        };
        let messages = match outcome {
            Ok(messages) => messages,
            Err(error) if reading == Reading::InOwnTransaction && needs_none(&error) => {
                return Err(Refused::InTransaction);
            }
            Err(error) => {
                return Err(failure(self.interrupt, so_far.script, statement, &error)?.into());
            }
        };
        let notices = self.drain_notices();
        let wal = self.wal_position().await?.saturating_sub(wal_before);
        let held = match &watched {
            None => newly_held(&held_before, locks(&self.session, so_far.known).await?),
            Some(watched) => newly_held(&Held::new(), watched.held_between(ms(start), ms(end)))
                .into_iter()
                .filter(|lock| so_far.known.values().any(|old| old.name == lock.relation))
                .collect(),
        };
        let after = relations(&self.session).await?;
        let scanned = self
            .of_known(so_far.known, &after, scanned(&notices))
            .await?;
        if reading == Reading::InOwnTransaction {
            let committed = self.session.client().batch_execute("COMMIT").await;
            if let Err(error) = committed {
                return Err(failure(self.interrupt, so_far.script, statement, &error)?.into());
            }
        }
        let stretch = watched.as_ref().and_then(|watched| {
            let stopping = held.iter().filter(|lock| lock.mode.blocks_writes());
            let stretches = stopping.map(|lock| WorstWait {
                lock: lock.clone(),
                wait: Millis(watched.longest_stretch(self.pid, lock, ms(start), ms(end))),
            });
            stretches.max_by(|a, b| a.wait.0.total_cmp(&b.wait.0))
        });
        let new_files = match self.wal_level {
            WalLevel::Minimal => new_files(&so_far.before, &after),
            WalLevel::Replica => 0,
        };
        Ok(Done {
            rows: affected(&statement.sql, &messages),
            took: Millis(ms(end) - ms(start)),
            cpu_wait,
            locks: held,
            stretch,
            scanned,
            wal: Bytes(wal + new_files),
            after,
        })
    }

    /// Full reads of tables that were there before the script, and held rows.
    async fn of_known(
        &self,
        known: &Relations,
        after: &Relations,
        scanned: Vec<String>,
    ) -> Result<Vec<String>, ObserveError> {
        const CONSTRAINED: &str = "SELECT conrelid FROM pg_constraint WHERE conname = $1";
        let holds_rows = |table: u32| known.get(&table).is_some_and(|table| table.main > 0);
        let mut found = Vec::with_capacity(scanned.len());
        for what in scanned {
            let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
            let keep = if let Some(index) = what.strip_prefix("building index ") {
                let mut of = after
                    .values()
                    .filter(|relation| bare(&relation.name) == index);
                of.any(|index| index.table.is_some_and(holds_rows))
            } else if let Some(table) = what.strip_prefix("table ") {
                let mut named = known.iter().filter(|(_, known)| bare(&known.name) == table);
                named.any(|(oid, _)| holds_rows(*oid))
                    || !after.values().any(|relation| bare(&relation.name) == table)
            } else if let Some(key) = what.strip_prefix("foreign key ") {
                let rows = self.session.client().query(CONSTRAINED, &[&key]).await;
                let rows = rows.map_err(server("reading a constraint's table"))?;
                rows.is_empty() || rows.iter().any(|row| holds_rows(row.get(0)))
            } else {
                true
            };
            if keep {
                found.push(what);
            }
        }
        Ok(found)
    }

    fn drain_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to a statement's failure what state the copy is in.
    async fn left_in(&self, error: ObserveError, script: &Script, done: usize) -> ObserveError {
        let is_unfit = matches!(error, ObserveError::Unfit(_));
        let (ObserveError::Statement(mut failure)
        | ObserveError::Unfit(mut failure)
        | ObserveError::Deadlock(mut failure)) = error
        else {
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
        match is_unfit {
            true => ObserveError::Unfit(failure),
            false => ObserveError::Statement(failure),
        }
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

/// Why a statement did not run.
enum Refused {
    /// It ends its transaction itself, or takes none.
    InTransaction,
    Other(ObserveError),
}

impl From<ObserveError> for Refused {
    fn from(error: ObserveError) -> Self {
        Self::Other(error)
    }
}

impl Refused {
    fn into_error(self, script: &Script, statement: &Statement) -> ObserveError {
        match self {
            Self::Other(error) => error,
            Self::InTransaction => ObserveError::Statement(crate::source::SourceError::new(
                &script.source,
                statement.span.clone(),
                "the statement cannot run in a transaction",
            )),
        }
    }
}

/// DO and CALL with a COMMIT inside, REINDEX of a partitioned table, CLUSTER of every table.
fn needs_none(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(code) if *code == SqlState::ACTIVE_SQL_TRANSACTION
            || *code == SqlState::INVALID_TRANSACTION_TERMINATION
    )
}

/// Locks that stop others and that earlier statements of the same transaction took: the strongest on each table.
fn inherited<'a>(earlier: impl Iterator<Item = &'a StatementObservation>) -> Vec<InheritedLock> {
    let mut found: Vec<InheritedLock> = Vec::new();
    for statement in earlier {
        let stopping = statement
            .locks
            .iter()
            .filter(|lock| lock.mode.blocks_writes());
        for lock in stopping {
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

/// A lock is held until its transaction ends: by the time of the statement that took it and of those after it.
fn hold_to_the_end(found: &mut [StatementObservation], groups: &[Option<usize>]) {
    for n in 0..found.len() {
        let after = groups.iter().enumerate().skip(n + 1);
        let together = after.filter(|(_, of)| groups[n].is_some() && **of == groups[n]);
        let later = together.map(|(at, _)| (found[at].duration.0, found[at].duration_cpu_wait.0));
        let (later, waited) = later.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let statement = &mut found[n];
        statement.locks_held = Millis(statement.duration.0 + later);
        statement.locks_held_cpu_wait = Millis(statement.duration_cpu_wait.0 + waited);
        if statement.worst_wait.is_none() {
            let stopping = statement
                .locks
                .iter()
                .filter(|lock| lock.mode.blocks_writes());
            statement.worst_wait = stopping.max_by_key(|lock| lock.mode).map(|lock| WorstWait {
                lock: lock.clone(),
                wait: statement.locks_held,
            });
        }
    }
}

impl Done {
    fn observation(&self, place: StatementPlace) -> StatementObservation {
        StatementObservation {
            place,
            rows: self.rows,
            duration: self.took,
            duration_cpu_wait: self.cpu_wait,
            locks_held: self.took,
            locks_held_cpu_wait: self.cpu_wait,
            in_transaction: false,
            locks: self.locks.clone(),
            inherited: Vec::new(),
            rewritten: Vec::new(),
            scanned: self.scanned.clone(),
            wal: self.wal,
            size_change: 0,
            worst_wait: self.stretch.clone(),
            blocked: Vec::new(),
            kept_waiting: Vec::new(),
            deadlocked: false,
            pile_up: None,
            safer: None,
            extrapolation: None,
        }
    }
}
