//! The measured pass: migrations beside the catalog's queries, one statement right after the other as their tool sends them.
//! What their locks are the quiet pass knows; here is who waited for them, and how long.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::db::connect::{DatabaseUrl, Session};
use crate::db::lacking;
use crate::db::lock_watch::{LockWatch, Watched};
use crate::db::migrate::{run_program, run_script};
use crate::db::run_queue::RunQueue;
use crate::db::traffic::{Broken, LAST_ANSWERS, Probe, Seen, Traffic, backend, ms};
use crate::diff::blocking::{StatementSpan, Waiters, blocked_queries};
use crate::diff::locks::HeldLock;
use crate::diff::observation::{StatementObservation, StatementPlace, WorstWait};
use crate::interrupt::Interrupt;
use crate::migrations::{Migration, Script};
use crate::sql::transaction::{BlockRule, block_rule};
use crate::units::{Bytes, Millis};

use super::reach::Reach;
use super::relations::{locks, newly_held, relations};
use super::{ObserveError, execute, failure, runs_alone, server};

/// Catalog queries that failed from some statement on, with that statement's index.
pub type BrokenBy = Vec<(Option<usize>, Broken)>;

/// Applies migrations with the probes as traffic beside them, and adds to what [`super::inspect`] found of each statement who
/// waited for it. A script that stops nobody runs without traffic.
///
/// A file that ends in a deadlock with the traffic runs once more, beside queries that are only planned: they hold no rows.
///
/// # Errors
/// As [`super::inspect`].
pub async fn measure(
    url: &DatabaseUrl,
    migrations: &[Migration],
    probes: &[Probe],
    statements: &mut [StatementObservation],
    interrupt: &Interrupt,
) -> Result<BrokenBy, ObserveError> {
    let beside = Beside::open(url, probes, interrupt).await?;
    let mut broken = BrokenBy::new();
    let mut first = 0;
    for migration in migrations {
        let script = &migration.up;
        let Some(found) = statements.get_mut(first..first + script.statements.len()) else {
            break;
        };
        if stops_somebody(script, found) {
            let known = LocksOf::Inspected(found);
            let ran = match beside.run(script, known, probes).await? {
                Beginning::Done(ran) => ran,
                Beginning::Deadlock { at, error } => {
                    if !script.in_one_transaction() {
                        return Err(error);
                    }
                    let planned: Vec<Probe> = probes.iter().map(only_planned).collect();
                    let again = beside.run(script, known, &planned).await?.or_failed()?;
                    found[at].deadlocked = true;
                    again
                }
            };
            let failures = ran.note_in(found, &beside);
            broken.extend(
                failures
                    .into_iter()
                    .map(|(at, broken)| (at.map(|n| first + n), broken)),
            );
        } else if let Some(program) = &script.program {
            run_program(program, script, url, interrupt).await?;
        } else {
            run_script(&beside.session, script, interrupt).await?;
        }
        first += script.statements.len();
    }
    Ok(broken)
}

/// Runs a script whose statements each stand alone beside the probes: a safer form. What only the quiet pass sees (rewrites,
/// WAL, sizes) is left out.
///
/// # Errors
/// As [`measure`].
pub async fn try_script(
    url: &DatabaseUrl,
    script: &Script,
    probes: &[Probe],
    interrupt: &Interrupt,
) -> Result<Vec<StatementObservation>, ObserveError> {
    let beside = Beside::open(url, probes, interrupt).await?;
    let ran = beside.run(script, LocksOf::Own, probes).await?;
    let ran = ran.or_failed()?;
    let mut found: Vec<StatementObservation> = script
        .statements
        .iter()
        .zip(&ran.spans)
        .map(|(statement, span)| StatementObservation {
            place: StatementPlace {
                version: String::new(),
                file: script.source.path.clone(),
                line: statement.line,
                sql: statement.sql.clone(),
            },
            rows: None,
            duration: Millis(span.end_ms - span.start_ms),
            duration_cpu_wait: Millis(span.cpu_wait_ms),
            locks_held: Millis(0.0),
            locks_held_cpu_wait: Millis(0.0),
            in_transaction: false,
            locks: span.locks.clone(),
            inherited: Vec::new(),
            rewritten: Vec::new(),
            scanned: Vec::new(),
            wal: Bytes(0),
            size_change: 0,
            worst_wait: None,
            blocked: Vec::new(),
            kept_waiting: Vec::new(),
            deadlocked: false,
            pile_up: None,
            safer: None,
            extrapolation: None,
        })
        .collect();
    ran.note_in(&mut found, &beside);
    Ok(found)
}

/// Whether a query could have to wait for one of the statements, as far as is known.
fn stops_somebody(script: &Script, statements: &[StatementObservation]) -> bool {
    script.program.is_some()
        || statements.iter().any(|statement| {
            statement.locks.iter().any(|lock| lock.mode.blocks_writes())
                || statement.rows.is_some_and(|rows| rows > 0)
                || block_rule(&statement.place.sql) != BlockRule::Inside
        })
}

/// Where the locks of a script's statements are known from.
#[derive(Clone, Copy)]
enum LocksOf<'a> {
    /// The quiet pass.
    Inspected(&'a [StatementObservation]),
    /// Read in the transaction of each statement's own, once its time is taken.
    Own,
}

/// The same query, planned alone: it takes the same locks on tables, and none on rows.
fn only_planned(probe: &Probe) -> Probe {
    Probe {
        plan_only: true,
        ..probe.clone()
    }
}

/// How running a script beside the traffic began: a deadlock ends it.
enum Beginning {
    Done(Ran),
    Deadlock { at: usize, error: ObserveError },
}

impl Beginning {
    fn or_failed(self) -> Result<Ran, ObserveError> {
        match self {
            Self::Done(ran) => Ok(ran),
            Self::Deadlock { error, .. } => Err(error),
        }
    }
}

struct Beside<'a> {
    url: &'a DatabaseUrl,
    session: Session,
    pid: i32,
    run_queue: RunQueue,
    reach: Reach,
    interrupt: &'a Interrupt,
}

/// A script as it ran beside the traffic.
struct Ran {
    spans: Vec<StatementSpan>,
    seen: Seen,
    watched: Watched,
    /// Whose locks the traffic waited for.
    ours: Vec<i32>,
}

impl<'a> Beside<'a> {
    async fn open(
        url: &'a DatabaseUrl,
        probes: &'a [Probe],
        interrupt: &'a Interrupt,
    ) -> Result<Self, ObserveError> {
        let session = Session::open(url, interrupt).await?;
        let pid = backend(&session)
            .await
            .map_err(server("reading its process id"))?;
        let reach = Reach::of(&session, probes)
            .await
            .map_err(server("planning the traffic"))?;
        execute(&session, "SET lock_timeout = 0", "preparing the session").await?;
        Ok(Self {
            url,
            session,
            pid,
            run_queue: RunQueue::of(url, pid),
            reach,
            interrupt,
        })
    }

    async fn run(
        &self,
        script: &Script,
        known: LocksOf<'_>,
        probes: &[Probe],
    ) -> Result<Beginning, ObserveError> {
        let near = self
            .reach
            .near(&self.session, script)
            .await
            .map_err(server("reading what the migration reaches"))?;
        let zero = Instant::now();
        let watch = LockWatch::start(self.url, self.pid, zero, self.interrupt).await?;
        let traffic = Traffic::start(self.url, probes, &near, zero, self.interrupt).await?;
        let mut at = 0;
        let spans = self.statements(script, known, zero, &mut at).await;
        let seen = traffic.stop(LAST_ANSWERS).await;
        let watched = watch.stop().await;
        let ours = match script.program {
            None => vec![self.pid],
            // Its sessions are its own: whoever others wait for, and is none of the traffic.
            Some(_) => {
                let traffic: BTreeSet<i32> = seen.executions.iter().map(|e| e.pid).collect();
                let blockers = watched.waits.iter().flat_map(|wait| &wait.blockers);
                let blockers = blockers.copied().filter(|pid| !traffic.contains(pid));
                blockers.collect::<BTreeSet<i32>>().into_iter().collect()
            }
        };
        match spans {
            Ok(spans) => Ok(Beginning::Done(Ran {
                spans,
                seen,
                watched,
                ours,
            })),
            Err(error @ ObserveError::Deadlock(_)) => Ok(Beginning::Deadlock { at, error }),
            Err(error) => Err(error),
        }
    }

    async fn statements(
        &self,
        script: &Script,
        known: LocksOf<'_>,
        zero: Instant,
        at: &mut usize,
    ) -> Result<Vec<StatementSpan>, ObserveError> {
        let groups = script.transactions();
        let whole = script.in_one_transaction();
        if whole {
            execute(&self.session, "BEGIN", "beginning a transaction").await?;
        }
        let mut spans: Vec<StatementSpan> = Vec::with_capacity(groups.len());
        // What the process had waited for a processor when each statement began.
        let mut begun: Vec<f64> = Vec::with_capacity(groups.len());
        for (n, statement) in script.statements.iter().enumerate() {
            self.interrupt.check()?;
            *at = n;
            let waited_before = self.run_queue.waited().0;
            let span = match (known, &script.program) {
                (LocksOf::Own, None) if block_rule(&statement.sql) == BlockRule::Inside => {
                    self.own(script, n, zero).await?
                }
                (LocksOf::Own | LocksOf::Inspected(_), _) => {
                    let (start_ms, end_ms) = self.one(script, n, zero).await?;
                    let locks = match known {
                        LocksOf::Inspected(found) => found.get(n).map(|found| found.locks.clone()),
                        LocksOf::Own => None,
                    };
                    StatementSpan {
                        start_ms,
                        end_ms,
                        released_ms: end_ms,
                        cpu_wait_ms: self.run_queue.waited().0 - waited_before,
                        locks: locks.unwrap_or_default(),
                    }
                }
            };
            begun.push(waited_before);
            spans.push(span);
            // A COMMIT of the script's own ends its transaction here.
            if groups[n].is_some() && groups.get(n + 1) != Some(&groups[n]) {
                let released = Moment::of(self, zero);
                release(&mut spans, &begun, &groups, groups[n], released);
            }
        }
        if whole {
            let committed = self.session.client().batch_execute("COMMIT").await;
            if let (Err(error), Some(last)) = (committed, script.statements.last()) {
                return Err(failure(self.interrupt, script, last, &error)?);
            }
            if let Some(last) = groups.last().copied().flatten() {
                let released = Moment::of(self, zero);
                release(&mut spans, &begun, &groups, Some(last), released);
            }
        }
        Ok(spans)
    }

    /// One statement as its tool sends it: when it was sent and when it was done.
    async fn one(
        &self,
        script: &Script,
        n: usize,
        zero: Instant,
    ) -> Result<(f64, f64), ObserveError> {
        let statement = &script.statements[n];
        let done = lacking::is_done_already(&self.session, &statement.sql).await;
        let start_ms = ms(zero.elapsed());
        let outcome = match &script.program {
            None if done => Ok(()),
            None => self.session.client().batch_execute(&statement.sql).await,
            Some(program) => {
                run_program(program, script, self.url, self.interrupt).await?;
                Ok(())
            }
        };
        let end_ms = ms(zero.elapsed());
        match outcome {
            Ok(()) => Ok((start_ms, end_ms)),
            Err(error) => {
                let failure = failure(self.interrupt, script, statement, &error);
                // Where no transaction is open the server only warns.
                let _ = self.session.client().batch_execute("ROLLBACK").await;
                Err(failure?)
            }
        }
    }

    /// In a transaction of its own, whose locks are read before it ends; the time of that is taken off.
    async fn own(
        &self,
        script: &Script,
        n: usize,
        zero: Instant,
    ) -> Result<StatementSpan, ObserveError> {
        let known = relations(&self.session).await?;
        let waited_before = self.run_queue.waited().0;
        execute(&self.session, "BEGIN", "beginning a transaction").await?;
        let (start_ms, end_ms) = self.one(script, n, zero).await?;
        let cpu_wait_ms = self.run_queue.waited().0 - waited_before;
        let held = locks(&self.session, &known).await?;
        let read_ms = ms(zero.elapsed());
        execute(&self.session, "COMMIT", "ending a transaction").await?;
        Ok(StatementSpan {
            start_ms,
            end_ms,
            released_ms: end_ms + ms(zero.elapsed()) - read_ms,
            cpu_wait_ms,
            locks: newly_held(&crate::db::lock_watch::Held::new(), held),
        })
    }
}

/// The end of a transaction.
#[derive(Clone, Copy)]
struct Moment {
    at_ms: f64,
    /// What the migration's process had waited for a processor by then.
    cpu_waited_ms: f64,
}

impl Moment {
    fn of(beside: &Beside<'_>, zero: Instant) -> Self {
        Self {
            at_ms: ms(zero.elapsed()),
            cpu_waited_ms: beside.run_queue.waited().0,
        }
    }
}

/// Sets when the locks of a transaction were released. `begun` is what the process had waited for a processor when each
/// statement began.
fn release(
    spans: &mut [StatementSpan],
    begun: &[f64],
    groups: &[Option<usize>],
    group: Option<usize>,
    released: Moment,
) {
    let members = spans.iter_mut().zip(begun).zip(groups);
    for ((span, begun), _) in members.filter(|(_, of)| **of == group) {
        span.released_ms = released.at_ms;
        span.cpu_wait_ms = released.cpu_waited_ms - begun;
    }
}

impl Ran {
    /// Adds to each statement who waited for it; returns the queries that failed, by the statement that ran.
    fn note_in(self, statements: &mut [StatementObservation], beside: &Beside<'_>) -> BrokenBy {
        let waiters = Waiters {
            executions: &self.seen.executions,
            waits: &self.watched.waits,
            migration: &self.ours,
            reads: beside.reach.relations(),
        };
        let (blocked, kept) = blocked_queries(&waiters, &self.spans);
        let noted = statements
            .iter_mut()
            .zip(&self.spans)
            .zip(blocked)
            .zip(kept);
        for (((statement, span), blocked), kept) in noted {
            // Never shorter than the quiet pass took, whose times the report shows for each statement.
            let held = span.released_ms - span.start_ms;
            if held > statement.locks_held.0 {
                statement.locks_held = Millis(held);
                statement.locks_held_cpu_wait = Millis(span.cpu_wait_ms);
            }
            statement.blocked = blocked;
            statement.kept_waiting = kept;
            let alone = !statement.in_transaction && runs_alone(&statement.place.sql);
            // An answer that a busy machine brought late was measured longer than the lock was seen.
            let mut measured = statement.longest_block().0;
            if !alone {
                measured = measured.max(statement.locks_held.0);
            }
            statement.worst_wait =
                worst_wait(&self.watched, beside.pid, span, alone.then_some(Looks)).map(|worst| {
                    WorstWait {
                        wait: Millis(worst.wait.0.max(measured)),
                        ..worst
                    }
                });
        }
        let by_time = |at_ms: f64| self.spans.iter().rposition(|span| span.start_ms <= at_ms);
        // Whichever side the server cancels for the deadlock, it is over with the statement that asked for the table.
        let deadlocks = self.seen.deadlocks_ms.iter();
        for at in deadlocks.filter_map(|at_ms| by_time(*at_ms)) {
            if let Some(statement) = statements.get_mut(at) {
                statement.deadlocked = true;
            }
        }
        let broken = self.seen.broken.into_iter();
        broken
            .map(|(at_ms, broken)| (by_time(at_ms), broken))
            .collect()
    }
}

/// A statement outside a transaction takes and gives up locks as it goes: only looks at the server know when.
#[derive(Clone, Copy)]
struct Looks;

/// The longest of what its locks would make a query wait: from when it asks for them until they are released.
fn worst_wait(
    watched: &Watched,
    pid: i32,
    span: &StatementSpan,
    looks: Option<Looks>,
) -> Option<WorstWait> {
    let stopping = span.locks.iter().filter(|lock| lock.mode.blocks_writes());
    let waits = stopping.map(|lock: &HeldLock| WorstWait {
        lock: lock.clone(),
        wait: Millis(match looks {
            Some(Looks) => watched.longest_stretch(pid, lock, span.start_ms, span.released_ms),
            None => span.released_ms - span.start_ms,
        }),
    });
    waits.max_by(|a, b| {
        let by_time = a.wait.0.total_cmp(&b.wait.0);
        by_time.then(a.lock.mode.cmp(&b.lock.mode))
    })
}
