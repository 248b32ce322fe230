//! Rehearsals of many statements at once: each copy of the database goes through the migrations and stops before every so
//! many-th statement that needs a table alone, to try it behind a reader. No rehearsal is near the measured pass.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::connect::{DatabaseUrl, Session};
use crate::db::lacking;
use crate::db::migrate::run_program;
use crate::db::traffic::{Probe, backend};
use crate::diff::observation::{PileUp, StatementObservation};
use crate::interrupt::Interrupt;
use crate::migrations::Migration;
use crate::progress::{Progress, Task, Unit};

use super::reach::Reach;
use super::reader::{self, Rehearsal};
use super::{ObserveError, execute, failure, server};

/// How many probes stand in the queue of a rehearsal.
const QUEUE: usize = 4;

/// Copies to rehearse on, each as the dataset is before the migrations.
pub struct Lanes<'a> {
    /// One a lane.
    pub urls: &'a [DatabaseUrl],
    /// Events.
    pub progress: &'a Progress,
    /// Stops everything.
    pub interrupt: &'a Interrupt,
}

impl Lanes<'_> {
    /// The most copies that are worth making for a migration's statements: none where none has to be rehearsed.
    #[must_use]
    pub fn wanted(statements: &[StatementObservation]) -> usize {
        const MOST: usize = 4;
        /// A migration that works so long costs more on another copy than a rehearsal there saves.
        const LONG_MS: f64 = 5_000.0;
        let alone = statements.iter().filter(|s| needs_table_alone(s));
        let many = alone.map(taken_alone).collect::<BTreeSet<_>>().len();
        let works: f64 = statements.iter().map(|s| s.duration.0).sum();
        many.min(if works > LONG_MS { 1 } else { MOST })
    }
}

/// Takes a lock that a reader keeps it waiting for, and that no statement before it holds already.
fn needs_table_alone(statement: &StatementObservation) -> bool {
    statement
        .strongest_lock()
        .is_some_and(|lock| lock.mode.blocks_reads())
        && !super::runs_alone(&statement.place.sql)
        // Whoever waits for a lock that the file holds already would wait for the rehearsal too.
        && statement.inherited.is_empty()
}

/// Rehearses every statement that needs a table alone which the probes use.
///
/// # Errors
/// As [`super::measure`].
pub async fn rehearse(
    lanes: &Lanes<'_>,
    migrations: &[Migration],
    probes: &[Probe],
    statements: &mut [StatementObservation],
) -> Result<(), ObserveError> {
    let Some(first) = lanes.urls.first() else {
        return Ok(());
    };
    let session = Session::open(first, lanes.interrupt).await?;
    let reach = Reach::of(&session, probes)
        .await
        .map_err(server("planning the traffic"))?;
    session.close().await;
    let mut asked: BTreeMap<usize, Vec<Probe>> = BTreeMap::new();
    let mut same: BTreeMap<BTreeSet<String>, Vec<usize>> = BTreeMap::new();
    for (n, statement) in statements.iter().enumerate() {
        let queue = queue(statement, probes, &reach);
        if !needs_table_alone(statement) || queue.is_empty() {
            continue;
        }
        let others = same.entry(taken_alone(statement)).or_default();
        // What waits for the same tables waits as long, and makes the same queries wait.
        if others.is_empty() {
            asked.insert(n, queue);
        }
        others.push(n);
    }
    if asked.is_empty() {
        return Ok(());
    }
    let steps = lanes.progress.task(
        "Rehearsing locks behind a reader",
        Unit::Steps,
        Some(asked.len() as u64),
    );
    let many = lanes.urls.len();
    let runs = lanes.urls.iter().enumerate().map(|(lane, url)| {
        let mine: BTreeMap<usize, &Vec<Probe>> = asked
            .iter()
            .skip(lane)
            .step_by(many)
            .map(|(n, queue)| (*n, queue))
            .collect();
        run_lane(url, migrations, mine, lanes.interrupt, &steps)
    });
    // A lane that fails costs what it had still to rehearse, and nothing of what was seen.
    let mut failed = None;
    for (found, ended) in futures_util::future::join_all(runs).await {
        for (n, pile_up) in found {
            if let Some(statement) = statements.get_mut(n) {
                statement.pile_up = pile_up;
            }
        }
        failed = failed.or(ended.err());
    }
    for others in same.values() {
        let Some((first, later)) = others.split_first() else {
            continue;
        };
        let pile_up = statements[*first].pile_up.clone();
        for n in later {
            statements[*n].pile_up.clone_from(&pile_up);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The tables that nobody can read while the statement holds them.
fn taken_alone(statement: &StatementObservation) -> BTreeSet<String> {
    let locks = statement.locks.iter();
    let alone = locks.filter(|lock| lock.mode.blocks_reads());
    alone.map(|lock| lock.relation.clone()).collect()
}

/// The probes that need one of the tables which the statement takes.
fn queue(statement: &StatementObservation, probes: &[Probe], reach: &Reach) -> Vec<Probe> {
    let alone = taken_alone(statement);
    let taken = |relations: &BTreeSet<String>| !relations.is_disjoint(&alone);
    let near = probes.iter().zip(reach.relations());
    let near = near.filter(|(_, relations)| taken(relations));
    near.map(|(probe, _)| probe.clone()).take(QUEUE).collect()
}

/// By the statement's number.
type PileUps = Vec<(usize, Option<PileUp>)>;

/// Goes through the migrations up to the last statement that it has to rehearse: what was seen, and how it ended.
async fn run_lane(
    url: &DatabaseUrl,
    migrations: &[Migration],
    mine: BTreeMap<usize, &Vec<Probe>>,
    interrupt: &Interrupt,
    steps: &Task,
) -> (PileUps, Result<(), ObserveError>) {
    let mut found = Vec::new();
    let ended = rehearse_each(url, migrations, mine, interrupt, steps, &mut found).await;
    (found, ended)
}

async fn rehearse_each(
    url: &DatabaseUrl,
    migrations: &[Migration],
    mut mine: BTreeMap<usize, &Vec<Probe>>,
    interrupt: &Interrupt,
    steps: &Task,
    found: &mut PileUps,
) -> Result<(), ObserveError> {
    let session = Session::open(url, interrupt).await?;
    let pid = backend(&session)
        .await
        .map_err(server("reading its process id"))?;
    let mut n = 0;
    for migration in migrations {
        let script = &migration.up;
        let groups = script.transactions();
        if script.in_one_transaction() {
            execute(&session, "BEGIN", "beginning a transaction").await?;
        }
        for (statement, group) in script.statements.iter().zip(groups) {
            interrupt.check()?;
            if let Some(queue) = mine.remove(&n) {
                steps.doing(format!(
                    "{}:{}",
                    script.source.path.display(),
                    statement.line
                ));
                let rehearsal = Rehearsal {
                    url,
                    session: &session,
                    pid,
                    sql: &statement.sql,
                    queue,
                    in_transaction: group.is_some(),
                    interrupt,
                };
                found.push((n, reader::behind_reader(&rehearsal).await?));
                steps.advance(1);
                if mine.is_empty() {
                    session.close().await;
                    return Ok(());
                }
            }
            n += 1;
            if let Some(program) = &script.program {
                run_program(program, script, url, interrupt).await?;
                continue;
            }
            let sql = lacking::left_to_do(&session, &statement.sql).await;
            if let Err(error) = session.client().batch_execute(&sql).await {
                return Err(failure(interrupt, script, statement, &error)?);
            }
        }
        if script.in_one_transaction() {
            execute(&session, "COMMIT", "ending a transaction").await?;
        }
    }
    session.close().await;
    Ok(())
}
