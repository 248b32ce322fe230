//! A statement behind a long reader: who piles up behind it, and what `lock_timeout` with another try does about that. Every
//! try is rolled back: the statement itself runs later, once.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use crate::db::connect::{DatabaseUrl, Session};
use crate::db::lock_watch::LockWatch;
use crate::db::traffic::{Probe, Traffic, ms};
use crate::diff::blocking::{BlockedQuery, StatementSpan, Waiters, blocked_queries};
use crate::diff::locks::HeldLock;
use crate::diff::observation::{PileUp, Retries};
use crate::interrupt::Interrupt;
use crate::units::Millis;

use super::{ObserveError, execute, server};

/// How long the reader in the background keeps its transaction open.
const READER: Duration = Duration::from_millis(800);
/// The `lock_timeout` whose effect is shown.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);
/// How long the next try is put off.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the last answers of the queue are waited for. The file's transaction is open still: who waits for a row that it changed
/// would wait for ever, and in the end be one half of a deadlock.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// Tries after which one gives up: many more than the reader lasts.
const TRIES: u32 = 12;
/// How long a statement gets to begin waiting; one that does not wait by then does not need what the reader holds.
const PATIENCE: Duration = Duration::from_millis(60);

/// A statement to be tried, on a copy of its own.
pub(super) struct Rehearsal<'a> {
    pub(super) url: &'a DatabaseUrl,
    /// Where everything before the statement has run.
    pub(super) session: &'a Session,
    /// The session's process.
    pub(super) pid: i32,
    pub(super) sql: &'a str,
    /// Queries that need the table.
    pub(super) queue: &'a [Probe],
    /// The session has a transaction open.
    pub(super) in_transaction: bool,
    pub(super) interrupt: &'a Interrupt,
}

/// The statement behind a reader that has every table open. `None` where it does not have to wait.
pub(super) async fn behind_reader(
    rehearsal: &Rehearsal<'_>,
) -> Result<Option<PileUp>, ObserveError> {
    let Some(patient) = rehearse(rehearsal, Patience::Waits).await? else {
        return Ok(None);
    };
    if !patient.waited {
        return Ok(None);
    }
    let hasty = rehearse(rehearsal, Patience::Retries).await?;
    Ok(Some(PileUp {
        reader: Millis(ms(READER)),
        waited_for: patient.waited_for,
        blocked: patient.blocked,
        with_timeout: hasty.map(|hasty| Retries {
            lock_timeout: Millis(ms(LOCK_TIMEOUT)),
            pause: Millis(ms(PAUSE)),
            tries: hasty.tries,
            through: hasty.through,
            longest: hasty
                .blocked
                .first()
                .map_or(Millis(0.0), |blocked| blocked.longest),
        }),
    }))
}

/// How the statement behaves behind the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// As it is written: it waits as long as the reader reads.
    Waits,
    /// With `lock_timeout`, and again after a pause.
    Retries,
}

struct Rehearsed {
    waited: bool,
    waited_for: Option<HeldLock>,
    blocked: Vec<BlockedQuery>,
    tries: u32,
    through: bool,
}

async fn rehearse(
    rehearsal: &Rehearsal<'_>,
    patience: Patience,
) -> Result<Option<Rehearsed>, ObserveError> {
    let reader = Session::open(rehearsal.url, rehearsal.interrupt).await?;
    if !read_every_table(&reader)
        .await
        .map_err(server("opening a reader"))?
    {
        // The file's own transaction holds a table already: nobody can read it now.
        reader.close().await;
        return Ok(None);
    }
    let zero = Instant::now();
    let watch = LockWatch::start(rehearsal.url, rehearsal.pid, zero, rehearsal.interrupt).await?;
    let near = [(0..rehearsal.queue.len()).collect()];
    let traffic = Traffic::start(
        rehearsal.url,
        rehearsal.queue,
        &near,
        zero,
        rehearsal.interrupt,
    )
    .await?;
    let tried = tries(rehearsal, patience, reader, zero).await;
    let seen = traffic.stop(LAST_ANSWERS).await;
    let watched = watch.stop().await;
    let (tries, through, spans) = tried?;
    let waited_for = watched
        .waits
        .iter()
        .find(|wait| wait.pid == rehearsal.pid)
        .and_then(|own| own.relation.clone().zip(own.mode))
        .map(|(relation, mode)| HeldLock { relation, mode });
    let locks: Vec<HeldLock> = waited_for.iter().cloned().collect();
    let spans: Vec<StatementSpan> = spans
        .into_iter()
        .map(|(start_ms, end_ms)| StatementSpan {
            start_ms,
            end_ms,
            released_ms: end_ms,
            cpu_wait_ms: 0.0,
            locks: locks.clone(),
        })
        .collect();
    let waiters = Waiters {
        executions: &seen.executions,
        waits: &watched.waits,
        migration: &[rehearsal.pid],
        reads: &[],
    };
    let (blocked, _) = blocked_queries(&waiters, &spans);
    let mut blocked = blocked.concat();
    blocked.sort_by(|a, b| {
        b.longest
            .0
            .total_cmp(&a.longest.0)
            .then(a.probe.cmp(&b.probe))
    });
    Ok(Some(Rehearsed {
        waited: !through || tries > 1,
        waited_for,
        blocked,
        tries,
        through,
    }))
}

/// How often it was tried, whether it came through, and when each try was.
type Tries = (u32, bool, Vec<(f64, f64)>);

/// Tries until the statement has what it needs, gives up, or may try once only. The reader ends in its time.
async fn tries(
    rehearsal: &Rehearsal<'_>,
    patience: Patience,
    reader: Session,
    zero: Instant,
) -> Result<Tries, ObserveError> {
    let (timeout, most) = match patience {
        Patience::Waits => (READER, 1),
        Patience::Retries => (LOCK_TIMEOUT, TRIES),
    };
    let enter = if rehearsal.in_transaction {
        "SAVEPOINT rehearsal"
    } else {
        "BEGIN"
    };
    let leave = if rehearsal.in_transaction {
        "ROLLBACK TO SAVEPOINT rehearsal; RELEASE SAVEPOINT rehearsal"
    } else {
        "ROLLBACK"
    };
    let canceller = Session::open(rehearsal.url, rehearsal.interrupt).await?;
    let mut reader = Some(reader);
    let reading = Instant::now();
    let mut spans = Vec::new();
    let through = loop {
        let enter = format!("{enter}; SET LOCAL lock_timeout = {}", timeout.as_millis());
        execute(rehearsal.session, &enter, "rehearsing").await?;
        let start = ms(zero.elapsed());
        let end = try_once(rehearsal, &canceller).await;
        spans.push((start, ms(zero.elapsed())));
        execute(rehearsal.session, leave, "ending a rehearsal").await?;
        match end? {
            TryEnd::Through => break true,
            TryEnd::GaveUp if spans.len() >= most as usize => break false,
            TryEnd::GaveUp => tokio::time::sleep(PAUSE).await,
        }
        if reading.elapsed() >= READER
            && let Some(reader) = reader.take()
        {
            reader.close().await;
        }
    };
    if let Some(reader) = reader {
        reader.close().await;
    }
    canceller.close().await;
    Ok((
        u32::try_from(spans.len()).unwrap_or(u32::MAX),
        through,
        spans,
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TryEnd {
    /// It had its locks.
    Through,
    /// `lock_timeout` ended its wait.
    GaveUp,
}

/// Runs the statement until `lock_timeout` ends it, or cancels it where it does not wait.
async fn try_once(rehearsal: &Rehearsal<'_>, canceller: &Session) -> Result<TryEnd, ObserveError> {
    let failed = server("watching a rehearsal");
    let running = rehearsal.session.client().batch_execute(rehearsal.sql);
    let mut running = std::pin::pin!(running);
    let early = tokio::select! {
        outcome = &mut running => Some(outcome),
        () = tokio::time::sleep(PATIENCE) => None,
    };
    let outcome = match early {
        Some(outcome) => outcome,
        None => {
            // In one statement: it may have its locks between two.
            let cancel = "SELECT pg_cancel_backend($1) WHERE cardinality(pg_blocking_pids($1)) = 0";
            canceller
                .client()
                .execute(cancel, &[&rehearsal.pid])
                .await
                .map_err(failed)?;
            running.await
        }
    };
    rehearsal.interrupt.check()?;
    match outcome {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(TryEnd::GaveUp),
        // Done, cancelled while it worked, or refused: it waited for nobody. Why it is refused is reported when it runs.
        Ok(()) | Err(_) => Ok(TryEnd::Through),
    }
}

/// Opens a transaction that has read from every table of the user; `false` where one cannot be had.
async fn read_every_table(reader: &Session) -> Result<bool, tokio_postgres::Error> {
    const LOCK: &str = "DO $$ DECLARE names text; BEGIN \
        SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') INTO names FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema'); \
        IF names IS NOT NULL THEN EXECUTE 'LOCK TABLE ' || names || ' IN ACCESS SHARE MODE'; END IF; END $$";
    reader
        .client()
        .batch_execute("BEGIN; SET LOCAL lock_timeout = 50")
        .await?;
    match reader.client().batch_execute(LOCK).await {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Err(error) => Err(error),
    }
}
