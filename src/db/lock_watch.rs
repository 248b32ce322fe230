//! A second session that reads, every few milliseconds, who waits for a lock and for whom, and what one session holds.
//! Judges nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::diff::blocking::Wait;
use crate::diff::locks::{HeldLock, LockMode};
use crate::interrupt::Interrupt;

use super::connect::{ConnectError, DatabaseUrl, Session};
use super::traffic::ms;

const INTERVAL: Duration = Duration::from_millis(5);

/// Locks by relation, the strongest mode each.
pub(super) type Held = BTreeMap<String, LockMode>;

/// A lock that was seen. The server looked some time between question and answer.
#[derive(Debug)]
struct Caught {
    asked_ms: f64,
    answered_ms: f64,
    lock: HeldLock,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Watched {
    /// Everybody who waited, each time that it was looked.
    pub waits: Vec<Wait>,
    /// What the watched session held, as far as it was caught.
    held: Vec<Caught>,
    /// When it was looked.
    looks: Vec<f64>,
}

impl Watched {
    /// What the watched session was seen to hold between two times, by looks that were over then.
    pub(super) fn held_between(&self, from_ms: f64, to_ms: f64) -> Held {
        let mut found = Held::new();
        for Caught {
            asked_ms,
            answered_ms,
            lock,
        } in &self.held
        {
            if *asked_ms >= from_ms && *answered_ms <= to_ms {
                let mode = found.entry(lock.relation.clone()).or_insert(lock.mode);
                *mode = (*mode).max(lock.mode);
            }
        }
        found
    }

    /// For how long at most a session held a lock, or stood in the queue for it, without a break between two times: whoever
    /// comes then waits for it. The whole time where nobody looked in between.
    pub(super) fn longest_stretch(
        &self,
        pid: i32,
        lock: &HeldLock,
        from_ms: f64,
        to_ms: f64,
    ) -> f64 {
        let held = self.held.iter();
        let held = held
            .filter(|held| held.lock.relation == lock.relation && held.lock.mode.blocks_writes());
        let asked = self.waits.iter().filter(|wait| {
            wait.pid == pid
                && wait.relation.as_ref() == Some(&lock.relation)
                && wait.mode.is_some_and(|mode| mode.blocks_writes())
        });
        let mut caught: Vec<f64> = held
            .map(|held| held.asked_ms)
            .chain(asked.map(|wait| wait.at_ms))
            .collect();
        caught.retain(|at| (from_ms..=to_ms).contains(at));
        caught.sort_by(f64::total_cmp);
        if caught.is_empty() {
            return to_ms - from_ms;
        }
        let (mut longest, mut begin, mut inside) = (0.0_f64, from_ms, false);
        for look in self
            .looks
            .iter()
            .copied()
            .filter(|look| (from_ms..=to_ms).contains(look))
        {
            let now = caught.binary_search_by(|at| at.total_cmp(&look)).is_ok();
            if inside || now {
                longest = longest.max(look - begin);
            }
            if !now {
                begin = look;
            }
            inside = now;
        }
        if inside {
            longest.max(to_ms - begin)
        } else {
            longest
        }
    }
}

/// A watch that runs until it is stopped.
#[derive(Debug)]
pub struct LockWatch {
    stop: tokio::sync::watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    watched: Arc<Mutex<Watched>>,
}

/// Table names come from a catalog snapshot of the query's own: a table that is being dropped still has its row there.
const LOOK: &str = "SELECT l.pid, l.mode, l.granted, n.nspname || '.' || c.relname, \
    CASE WHEN l.granted THEN '{}'::int[] ELSE pg_blocking_pids(l.pid) END, c.relkind IN ('i', 'I') \
    FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation AND l.locktype IN ('relation', 'tuple') AND c.relkind IN ('r', 'p', 'm', 'v', 'i', 'I') \
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE (NOT l.granted OR (l.pid = $1 AND l.locktype = 'relation' AND c.oid >= 16384)) AND l.pid <> pg_backend_pid() \
    AND (l.database IS NULL OR l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

fn note(rows: &[tokio_postgres::Row], (asked_ms, answered_ms): (f64, f64), into: &Mutex<Watched>) {
    let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
    into.looks.push(asked_ms);
    for row in rows {
        let (pid, mode): (i32, String) = (row.get(0), row.get(1));
        let (granted, relation): (bool, Option<String>) = (row.get(2), row.get(3));
        let mode = LockMode::parse(&mode).filter(|_| relation.is_some());
        // What it holds on indexes stops nobody whom the lock on their table lets pass: it is a concurrent statement.
        let is_index = row.get::<_, Option<bool>>(5).unwrap_or(false);
        match (granted, relation, mode) {
            (true, Some(_), Some(_)) if is_index => {}
            (true, Some(relation), Some(mode)) => {
                into.held.push(Caught {
                    asked_ms,
                    answered_ms,
                    lock: HeldLock { relation, mode },
                });
            }
            (true, _, _) => {}
            (false, relation, mode) => {
                into.waits.push(Wait {
                    at_ms: asked_ms,
                    pid,
                    relation,
                    mode,
                    blockers: row.get(4),
                });
            }
        }
    }
}

impl LockWatch {
    /// Begins to look. `pid` is the session whose locks are noted; times are counted from `zero`.
    ///
    /// # Errors
    /// A session that cannot be opened.
    pub async fn start(
        url: &DatabaseUrl,
        pid: i32,
        zero: Instant,
        interrupt: &Interrupt,
    ) -> Result<Self, ConnectError> {
        let session = Session::open(url, interrupt).await?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let watched = Arc::new(Mutex::new(Watched::default()));
        let into = Arc::clone(&watched);
        let task = tokio::spawn(async move {
            // Planning it each time would cost more than running it.
            let Ok(look) = session.client().prepare(LOOK).await else {
                return;
            };
            while !*stopped.borrow() {
                let asked_ms = ms(zero.elapsed());
                let Ok(rows) = session.client().query(&look, &[&pid]).await else {
                    break;
                };
                note(&rows, (asked_ms, ms(zero.elapsed())), &into);
                tokio::time::sleep(INTERVAL).await;
            }
            session.close().await;
        });
        Ok(Self {
            stop,
            task,
            watched,
        })
    }

    /// Ends the watch.
    pub async fn stop(self) -> Watched {
        let _ = self.stop.send(true);
        // What was seen until a panic is still there.
        let _ = self.task.await;
        std::mem::take(&mut *self.watched.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_stretch_goes_from_the_last_look_without_the_lock_to_the_first_without_it() {
        let lock = |mode| HeldLock {
            relation: "public.orders".to_owned(),
            mode,
        };
        let strong = lock(LockMode::AccessExclusive);
        let looks: Vec<f64> = (0..10).map(|n| f64::from(n) * 5.0).collect();
        let wait = |at_ms| Wait {
            at_ms,
            pid: 1,
            relation: Some("public.orders".to_owned()),
            mode: Some(LockMode::AccessExclusive),
            blockers: vec![7],
        };
        // Weak at 5; asked for at 10 and 15, held at 20; again at 40.
        let caught = |asked_ms, lock| Caught {
            asked_ms,
            answered_ms: asked_ms + 2.0,
            lock,
        };
        let held = vec![
            caught(5.0, lock(LockMode::RowExclusive)),
            caught(20.0, strong.clone()),
            caught(40.0, strong.clone()),
        ];
        let watched = Watched {
            waits: vec![wait(10.0), wait(15.0)],
            held,
            looks,
        };
        let longest = |from, to| watched.longest_stretch(1, &strong, from, to);
        assert!((longest(0.0, 45.0) - 20.0).abs() < 1e-9, "from 5 to 25");
        assert!(
            (longest(0.0, 22.0) - 17.0).abs() < 1e-9,
            "from 5 to the end"
        );
        assert!(
            (longest(18.0, 22.0) - 4.0).abs() < 1e-9,
            "from the beginning to the end"
        );
        assert!((longest(26.0, 29.0) - 3.0).abs() < 1e-9, "nobody looked");
        let modes = |from, to| {
            watched
                .held_between(from, to)
                .into_values()
                .collect::<Vec<_>>()
        };
        assert_eq!(modes(0.0, 22.0), [LockMode::AccessExclusive]);
        assert_eq!(
            modes(0.0, 21.0),
            [LockMode::RowExclusive],
            "what the next statement may have taken is not this one's"
        );
    }
}
