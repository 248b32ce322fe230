//! The last part of a comparison, on copies of their own and all at once: statements behind readers, which mostly wait; causes,
//! which are plans; safer forms, which mostly write.

use std::time::Instant;

use crate::db::connect::DatabaseUrl;
use crate::db::migration_observer::{Lanes, rehearse};
use crate::db::traffic::Probe;
use crate::diff::observation::StatementObservation;
use crate::run::QueryRuns;
use crate::units::Millis;

use super::touched::Touched;
use super::{CompareError, Compared, Copy, Sides, Task, cause, rewritten};

/// What the comparison of the queries found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) old_runs: &'a [QueryRuns],
    pub(super) sides: &'a Sides<'a>,
    pub(super) touched: &'a Touched,
}

/// Adds pile-ups, causes and safer forms. Each that fails costs its own part of the report.
///
/// # Errors
/// [`CompareError::Interrupted`].
pub(super) async fn run(
    task: &Task<'_>,
    compared: &mut Compared,
    probes: &[Probe],
    found: &Found<'_>,
) -> Result<(), CompareError> {
    let mut rehearsed = compared.statements.clone();
    let mut replaced = compared.statements.clone();
    let start = Instant::now();
    let readers = async {
        let done = behind_readers(task, &mut rehearsed, probes).await;
        (done, Millis(start.elapsed().as_secs_f64() * 1000.0))
    };
    let causes = cause::trace(task, compared, found.old_runs, found.sides, found.touched);
    let safer = rewritten::prove_safer_forms(task, &mut replaced, probes, found.sides.new);
    let ((readers, rehearsals), causes, safer) = tokio::join!(readers, causes, safer);
    compared.spent.rehearsals = rehearsals;
    let observed = rehearsed.into_iter().zip(replaced);
    for (statement, (rehearsed, replaced)) in compared.statements.iter_mut().zip(observed) {
        statement.pile_up = rehearsed.pile_up;
        statement.safer = replaced.safer;
    }
    if let Err(error) = readers {
        error.costs(task, "no statement is rehearsed behind a reader")?;
    }
    match causes {
        Ok(trip) => compared.round_trip = trip,
        Err(error) => error.costs(task, "no further causes are named")?,
    }
    match safer {
        Ok(difference) => compared.safer_schema = difference,
        Err(error) => error.costs(task, "no further safer forms are measured")?,
    }
    Ok(())
}

/// What needs a table alone, tried behind a reader: several at once, each on a copy of its own.
async fn behind_readers(
    task: &Task<'_>,
    statements: &mut [StatementObservation],
    probes: &[Probe],
) -> Result<(), CompareError> {
    let many = Lanes::wanted(statements);
    let mut copies = Vec::with_capacity(many);
    for _ in 0..many {
        copies.push(Copy::of(task, task.template).await?);
    }
    let urls: Vec<DatabaseUrl> = copies.iter().map(|copy| copy.url().clone()).collect();
    let lanes = Lanes {
        urls: &urls,
        progress: task.progress,
        interrupt: task.interrupt,
    };
    rehearse(&lanes, task.migrations, probes, statements).await?;
    for copy in copies {
        copy.discard().await?;
    }
    Ok(())
}
