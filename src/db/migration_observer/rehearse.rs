//! Rehearsals of many statements at once: each copy of the database goes through the migrations and stops before every so
//! many-th statement that needs a table alone, to try it behind a reader. No rehearsal is near the measured pass.

use std::collections::BTreeMap;

use crate::db::connect::{DatabaseUrl, Session};
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
        let many = statements.iter().filter(|s| needs_table_alone(s)).count();
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
    for (n, statement) in statements.iter().enumerate() {
        let queue = queue(statement, probes, &reach);
        if needs_table_alone(statement) && !queue.is_empty() {
            asked.insert(n, queue);
        }
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
    for found in futures_util::future::try_join_all(runs).await? {
        for (n, pile_up) in found {
            if let Some(statement) = statements.get_mut(n) {
                statement.pile_up = pile_up;
            }
        }
    }
    Ok(())
}

/// The probes that need one of the tables which the statement takes.
fn queue(statement: &StatementObservation, probes: &[Probe], reach: &Reach) -> Vec<Probe> {
    let taken = |relations: &std::collections::BTreeSet<String>| {
        let mut locks = statement
            .locks
            .iter()
            .filter(|lock| lock.mode.blocks_reads());
        locks.any(|lock| relations.contains(&lock.relation))
    };
    let near = probes.iter().zip(reach.relations());
    let near = near.filter(|(_, relations)| taken(relations));
    near.map(|(probe, _)| probe.clone()).take(QUEUE).collect()
}

/// Goes through the migrations up to the last statement that it has to rehearse.
async fn run_lane(
    url: &DatabaseUrl,
    migrations: &[Migration],
    mut mine: BTreeMap<usize, &Vec<Probe>>,
    interrupt: &Interrupt,
    steps: &Task,
) -> Result<Vec<(usize, Option<PileUp>)>, ObserveError> {
    let session = Session::open(url, interrupt).await?;
    let pid = backend(&session)
        .await
        .map_err(server("reading its process id"))?;
    let mut found = Vec::new();
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
                    return Ok(found);
                }
            }
            n += 1;
            if let Some(program) = &script.program {
                run_program(program, script, url, interrupt).await?;
            } else if let Err(error) = session.client().batch_execute(&statement.sql).await {
                return Err(failure(interrupt, script, statement, &error)?);
            }
        }
        if script.in_one_transaction() {
            execute(&session, "COMMIT", "ending a transaction").await?;
        }
    }
    session.close().await;
    Ok(found)
}
