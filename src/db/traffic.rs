//! The catalog as light traffic beside a migration: every probe again and again on few sessions, each execution with its
//! time. Judges nothing; what waited for what is `diff::blocking`'s.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
}

/// Traffic that runs until it is stopped.
#[derive(Debug)]
pub struct Traffic {
    stop: tokio::sync::watch::Sender<bool>,
    sessions: Vec<tokio::task::JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
}

/// A session sends its next probe this long after the last answer.
const PAUSE: Duration = Duration::from_millis(50);
/// How many sessions send: more would be load, fewer would all stand in one queue.
const SESSIONS: usize = 16;

impl Traffic {
    /// Opens the sessions and begins. Times are counted from `zero`.
    ///
    /// # Errors
    /// A session that cannot be opened.
    pub async fn start(
        url: &DatabaseUrl,
        probes: &[Probe],
        zero: Instant,
        interrupt: &Interrupt,
    ) -> Result<Self, ConnectError> {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let count = SESSIONS.min(probes.len());
        let mut sessions = Vec::with_capacity(count);
        for n in 0..count {
            let session = Session::open(url, interrupt).await?;
            let own: Vec<(usize, Probe)> =
                probes.iter().cloned().enumerate().filter(|(at, _)| at % count == n).collect();
            sessions.push(tokio::spawn(send(session, own, zero, Arc::clone(&seen), stopped.clone())));
        }
        Ok(Self { stop, sessions, seen })
    }

    /// Ends the traffic once its last answers came.
    pub async fn stop(self) -> Seen {
        let _ = self.stop.send(true);
        for session in self.sessions {
            // A session that panicked has said what it saw until then.
            let _ = session.await;
        }
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn send(
    session: Session,
    probes: Vec<(usize, Probe)>,
    zero: Instant,
    seen: Arc<Mutex<Seen>>,
    stopped: tokio::sync::watch::Receiver<bool>,
) {
    let Ok(pid) = backend(&session).await else { return };
    let mut broken = vec![false; probes.len()];
    'all: loop {
        for (n, (probe, what)) in probes.iter().enumerate() {
            if *stopped.borrow() {
                break 'all;
            }
            if broken[n] {
                continue;
            }
            let start = zero.elapsed();
            let result = session.client().batch_execute(&statement(what)).await;
            let end = zero.elapsed();
            let execution = Execution { probe: *probe, pid, start_ms: ms(start), end_ms: ms(end) };
            broken[n] = result.is_err();
            note(&seen, execution, result.err().map(|error| describe(&error)));
            if broken[n] && session.client().batch_execute("ROLLBACK").await.is_err() {
                break 'all;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if broken.iter().all(|broken| *broken) {
            break;
        }
    }
    session.close().await;
}

fn note(seen: &Mutex<Seen>, execution: Execution, failure: Option<String>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match failure {
        None => seen.executions.push(execution),
        Some(message) => seen.broken.push((execution.end_ms, Broken { probe: execution.probe, message })),
    }
}

/// In a transaction that rolls back: a probe may write.
fn statement(probe: &Probe) -> String {
    let explain = if probe.plan_only { "EXPLAIN " } else { "" };
    format!("BEGIN; {explain}{}; ROLLBACK", probe.sql)
}

pub(super) async fn backend(session: &Session) -> Result<i32, tokio_postgres::Error> {
    Ok(session.client().query_one("SELECT pg_backend_pid()", &[]).await?.get(0))
}

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
