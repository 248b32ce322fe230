//! The catalog as light traffic beside a migration, each execution with its time: what needs a table that the migration
//! reaches comes by every few milliseconds, each probe on a session of its own; the others seldom, on few sessions. Judges
//! nothing; what waited for what is `diff::blocking`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_postgres::error::SqlState;

use crate::diff::blocking::Execution;
use crate::interrupt::Interrupt;

use super::connect::{ConnectError, DatabaseUrl, Session, describe};

/// A catalog query as it is sent beside the migration.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The query's name.
    pub name: String,
    /// One statement, its values written into it.
    pub sql: String,
    /// Sent as EXPLAIN alone: takes the same table locks, does no work. For what takes long.
    pub plan_only: bool,
}

/// A query that stopped working while the migration ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Index among the probes.
    pub probe: usize,
    /// The server's words.
    pub message: String,
}

/// What the traffic saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every execution, in the order they ended.
    pub executions: Vec<Execution>,
    /// The first failure of each probe, with when it was.
    pub broken: Vec<(f64, Broken)>,
    /// When the server ended a probe for a deadlock: it works again, so it is not among the broken.
    pub deadlocks_ms: Vec<f64>,
}

/// Traffic that runs until it is stopped.
#[derive(Debug)]
pub struct Traffic {
    stop: tokio::sync::watch::Sender<bool>,
    sessions: Vec<tokio::task::JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
    /// Of the sessions that are open.
    processes: Processes,
    url: DatabaseUrl,
    interrupt: Interrupt,
}

/// Server processes.
type Processes = Arc<Mutex<BTreeSet<i32>>>;

/// A session of those far from the migration sends its next probe this long after the last answer.
const PAUSE: Duration = Duration::from_millis(50);
/// How many sessions send what is far from the migration: more would be load, fewer would all stand in one queue.
const FAR_SESSIONS: usize = 6;
/// How many probes near the migration have a session of their own. A rehearsal has its traffic beside the migration's, and the
/// server has fifty connections.
pub(super) const NEAR_SESSIONS: usize = 12;
/// Some probe comes by each table that the migration reaches this often: no lock of twice the time goes unseen.
const VISIT: Duration = Duration::from_millis(10);
/// A table's probes together take at most one part in so many of a processor.
const SHARE: u32 = 5;
/// Whatever a probe takes (it may have waited all that time), the next comes by after this.
const SELDOM: Duration = Duration::from_millis(50);
/// A probe near the migration is sent so often before it is asked what it takes.
const FIRST: u32 = 2;
/// Past this a probe near the migration is sent as EXPLAIN alone.
const LIGHT: Duration = Duration::from_millis(2);
/// How long the first answers, which are slow, are waited for.
const FIRST_ANSWERS: Duration = Duration::from_secs(1);
/// How long the last answers are waited for once the migration has let go of everything.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(10);

impl Traffic {
    /// Opens the sessions, lets each come to its first answer, and begins. Times are counted from `zero`. `near` lists for
    /// each table that the migration reaches the probes that need it; the others come by seldom.
    ///
    /// # Errors
    /// A session that cannot be opened.
    pub async fn start(
        url: &DatabaseUrl,
        probes: &[Probe],
        near: &[Vec<usize>],
        zero: Instant,
        interrupt: &Interrupt,
    ) -> Result<Self, ConnectError> {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let answered = Arc::new(AtomicUsize::new(0));
        let processes = Processes::default();
        let own: BTreeSet<usize> = near.iter().flatten().copied().collect();
        let far: Vec<usize> = (0..probes.len())
            .filter(|probe| !own.contains(probe))
            .collect();
        let lines = FAR_SESSIONS.min(far.len());
        let opened = (0..own.len() + lines).map(|_| Session::open(url, interrupt));
        let mut opened = futures_util::future::try_join_all(opened)
            .await?
            .into_iter();
        let sender = |session| Sender {
            session,
            zero,
            seen: Arc::clone(&seen),
            stopped: stopped.clone(),
            answered: Arc::clone(&answered),
            processes: Arc::clone(&processes),
        };
        let mut sessions = Vec::with_capacity(opened.len() + 1);
        let mut turns: BTreeMap<usize, Arc<Turn>> = BTreeMap::new();
        for (probe, session) in own.iter().zip(opened.by_ref()) {
            let turn = Arc::new(Turn::default());
            turns.insert(*probe, Arc::clone(&turn));
            sessions.push(tokio::spawn(sender(session).send_when_told(
                *probe,
                probes[*probe].clone(),
                turn,
            )));
        }
        for (line, session) in opened.enumerate() {
            let mine: Vec<(usize, Probe)> = far
                .iter()
                .skip(line)
                .step_by(lines)
                .map(|at| (*at, probes[*at].clone()))
                .collect();
            sessions.push(tokio::spawn(sender(session).send_in_turn(mine)));
        }
        let lanes = near.iter().map(|probes| {
            probes
                .iter()
                .filter_map(|probe| turns.get(probe))
                .cloned()
                .collect()
        });
        let begun = Instant::now();
        while answered.load(Ordering::Relaxed) < sessions.len() && begun.elapsed() < FIRST_ANSWERS {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        sessions.push(tokio::spawn(give_turns(lanes.collect(), stopped.clone())));
        Ok(Self {
            stop,
            sessions,
            seen,
            processes,
            url: url.clone(),
            interrupt: interrupt.clone(),
        })
    }

    /// Ends the traffic once its last answers came. Who still waits after `patience` waits for a lock that outlives the traffic: that
    /// answer is not waited for, and its server process is ended, which would else go on holding what it has.
    pub async fn stop(self, patience: Duration) -> Seen {
        let _ = self.stop.send(true);
        let last = tokio::time::Instant::now() + patience;
        for mut session in self.sessions {
            // A session that panicked has said what it saw until then.
            if tokio::time::timeout_at(last, &mut session).await.is_err() {
                session.abort();
            }
        }
        let left = std::mem::take(&mut *locked(&self.processes));
        if !left.is_empty() {
            end_processes(&self.url, left, &self.interrupt).await;
        }
        std::mem::take(&mut *locked(&self.seen))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends server processes and waits until they are gone. What cannot be ended shows at the statement that it then keeps waiting.
async fn end_processes(url: &DatabaseUrl, processes: BTreeSet<i32>, interrupt: &Interrupt) {
    const END: &str = "SELECT pg_terminate_backend(pid, 2000) FROM unnest($1::int[]) AS pid";
    let processes: Vec<i32> = processes.into_iter().collect();
    if let Ok(session) = Session::open(url, interrupt).await {
        let _ = session.client().query(END, &[&processes]).await;
        session.close().await;
    }
}

/// When a probe near the migration is sent.
#[derive(Debug, Default)]
struct Turn {
    /// Its session waits for its turn.
    idle: AtomicBool,
    go: Notify,
    /// What it took when it was quickest.
    quickest_us: AtomicU64,
}

/// Lets some idle probe of each table go again and again, another one each time.
async fn give_turns(lanes: Vec<Vec<Arc<Turn>>>, stopped: tokio::sync::watch::Receiver<bool>) {
    let mut due = vec![Instant::now(); lanes.len()];
    let mut next = vec![0; lanes.len()];
    while !*stopped.borrow() {
        for (lane, turns) in lanes
            .iter()
            .enumerate()
            .filter(|(_, turns)| !turns.is_empty())
        {
            if Instant::now() < due[lane] {
                continue;
            }
            let order = (0..turns.len()).map(|n| (next[lane] + n) % turns.len());
            if let Some(at) = order
                .into_iter()
                .find(|at| turns[*at].idle.swap(false, Ordering::Relaxed))
            {
                turns[at].go.notify_one();
                next[lane] = at + 1;
                let quickest = Duration::from_micros(turns[at].quickest_us.load(Ordering::Relaxed));
                due[lane] = Instant::now() + (quickest * SHARE).clamp(VISIT, SELDOM);
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// One session with what it needs to send and to note.
struct Sender {
    session: Session,
    zero: Instant,
    seen: Arc<Mutex<Seen>>,
    stopped: tokio::sync::watch::Receiver<bool>,
    /// How many sessions had an answer.
    answered: Arc<AtomicUsize>,
    /// Where its own process is noted while the session is open.
    processes: Processes,
}

impl Sender {
    /// One probe, each time that it is its turn.
    async fn send_when_told(mut self, probe: usize, what: Probe, turn: Arc<Turn>) {
        let pid = self.process().await;
        let (mut sent, mut quickest, mut plan_only) = (0_u32, Duration::MAX, what.plan_only);
        while let Ok(pid) = pid {
            let Some(took) = self.execute(pid, probe, &what.sql, plan_only).await else {
                break;
            };
            sent = sent.saturating_add(1);
            // The first answer is slow: it says nothing of the next.
            if sent >= FIRST {
                quickest = quickest.min(took);
                turn.quickest_us.store(
                    u64::try_from(quickest.as_micros()).unwrap_or(u64::MAX),
                    Ordering::Relaxed,
                );
            }
            match sent.cmp(&FIRST) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => {
                    plan_only |= quickest > LIGHT;
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                std::cmp::Ordering::Greater => {}
            }
            turn.idle.store(true, Ordering::Relaxed);
            tokio::select! {
                () = turn.go.notified() => {}
                _ = self.stopped.changed() => break,
            }
        }
        if sent < FIRST {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        self.close(pid.ok()).await;
    }

    /// Its server process, noted for as long as the session is open.
    async fn process(&self) -> Result<i32, tokio_postgres::Error> {
        let pid = backend(&self.session).await?;
        locked(&self.processes).insert(pid);
        Ok(pid)
    }

    async fn close(self, pid: Option<i32>) {
        if let Some(pid) = pid {
            locked(&self.processes).remove(&pid);
        }
        self.session.close().await;
    }

    /// Several probes, one after the other, with a pause between them.
    async fn send_in_turn(self, probes: Vec<(usize, Probe)>) {
        let mut left = probes;
        let mut first = true;
        let pid = self.process().await;
        if let Ok(pid) = pid {
            'all: while !left.is_empty() {
                let mut working = Vec::with_capacity(left.len());
                for (probe, what) in left {
                    if *self.stopped.borrow() {
                        break 'all;
                    }
                    if self
                        .execute(pid, probe, &what.sql, what.plan_only)
                        .await
                        .is_some()
                    {
                        working.push((probe, what));
                    }
                    if std::mem::take(&mut first) {
                        self.answered.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                left = working;
            }
        }
        if first {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        self.close(pid.ok()).await;
    }

    /// Sends a probe and notes what became of it: how long it took, or `None` where it failed and is not to be sent again.
    async fn execute(
        &self,
        pid: i32,
        probe: usize,
        sql: &str,
        plan_only: bool,
    ) -> Option<Duration> {
        let start = self.zero.elapsed();
        let result = rolled_back(&self.session, sql, plan_only).await;
        let end = self.zero.elapsed();
        let execution = Execution {
            probe,
            pid,
            start_ms: ms(start),
            end_ms: ms(end),
        };
        let failed = result.is_err();
        let deadlock =
            |error: &tokio_postgres::Error| error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED);
        let goes_on = {
            let mut seen = locked(&self.seen);
            match result {
                Ok(()) => {
                    seen.executions.push(execution);
                    true
                }
                Err(error) if deadlock(&error) => {
                    seen.deadlocks_ms.push(execution.end_ms);
                    seen.executions.push(execution);
                    true
                }
                Err(error) => {
                    let message = describe(&error);
                    seen.broken
                        .push((execution.end_ms, Broken { probe, message }));
                    false
                }
            }
        };
        if failed {
            // Where the connection is gone there is nothing to roll back.
            let _ = self.session.client().batch_execute("ROLLBACK").await;
        }
        goes_on.then(|| end.saturating_sub(start))
    }
}

/// In a transaction that rolls back: a probe may write. Its text is a message of its own, which the server does not split.
async fn rolled_back(
    session: &Session,
    sql: &str,
    plan_only: bool,
) -> Result<(), tokio_postgres::Error> {
    let explain = if plan_only { "EXPLAIN " } else { "" };
    let client = session.client();
    client.batch_execute("BEGIN").await?;
    client
        .execute_typed(&format!("{explain}{sql}"), &[])
        .await?;
    client.batch_execute("ROLLBACK").await
}

pub(super) async fn backend(session: &Session) -> Result<i32, tokio_postgres::Error> {
    Ok(session
        .client()
        .query_one("SELECT pg_backend_pid()", &[])
        .await?
        .get(0))
}

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
