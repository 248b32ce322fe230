//! Whether a query that does the same work became slower. Times are taken from before, after and control in turn, so that what
//! else a machine does falls on all alike; and what looks slower must do so again, later and over new connections: a
//! server's process that shares its core with another program stays slow as long as that runs.

use super::rerun::{NAME, choice, refused, values};
use super::{CompareError, Copy, Task, runs_of, successor};
use crate::catalog::Query;
use crate::db::connect::Session;
use crate::db::explain::{self, ExplainError, Limits, Prepared};
use crate::diff::outcome::QueryDiff;
use crate::diff::significance::{MINIMUM_RUNS, Slowdown, slowdown};
use crate::diff::snapshot::Asked;
use crate::diff::verdict::Verdict;
use crate::run::{QueryRuns, Run};
use crate::units::Millis;

/// Longer ones would cost more time than their verdict is worth.
const LONGEST: Millis = Millis(1_500.0);
/// How often the same must be found once more.
const CONFIRMATIONS: usize = 2;

/// The three copies, and the query as each has it.
pub(super) struct Contest<'a> {
    /// Before, after and control.
    pub(super) sessions: [&'a Session; 3],
    pub(super) query: &'a Query,
    pub(super) successor: &'a Query,
    pub(super) limits: Limits,
}

impl Contest<'_> {
    /// How much slower it is after than before. `None` where it is not, or where the copy that did not change is as slow: then
    /// it is not the migration.
    ///
    /// # Errors
    /// The server's failure.
    pub(super) async fn slowdown(&self, run: &Run) -> Result<Option<Slowdown>, ExplainError> {
        if run.time().is_none_or(|time| time.0 > LONGEST.0) {
            return Ok(None);
        }
        let mut prepared = Vec::new();
        for (session, query) in
            self.sessions
                .into_iter()
                .zip([self.query, self.successor, self.query])
        {
            match Prepared::new(
                session.client(),
                NAME,
                &query.sql,
                query.writes,
                &self.limits,
            )
            .await
            {
                Ok(ready) => prepared.push((session, ready)),
                Err(error) => return refused(error).map(|_| None),
            }
        }
        let [before, after, control] = self.in_turn(&prepared, &Asked::from(run)).await?;
        for (session, prepared) in prepared {
            prepared.deallocate(session.client()).await?;
        }
        let against_control = slowdown(&control, &after).filter(Slowdown::counts);
        Ok(slowdown(&before, &after).filter(|found| found.counts() && against_control.is_some()))
    }

    /// Times of before, after and control; fewer where one was refused.
    async fn in_turn(
        &self,
        prepared: &[(&Session, Prepared)],
        run: &Asked,
    ) -> Result<[Vec<f64>; 3], ExplainError> {
        let values = values(run);
        let mut times: [Vec<f64>; 3] = Default::default();
        for round in 0..MINIMUM_RUNS {
            // Another one begins each round, and each follows both others: who runs first finds colder caches.
            let mut order: Vec<usize> = (0..prepared.len())
                .map(|n| (n + round) % prepared.len())
                .collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for n in order {
                let (session, prepared) = &prepared[n];
                match explain::analyze(
                    session.client(),
                    prepared,
                    &values,
                    choice(run),
                    &self.limits,
                )
                .await
                {
                    Ok(explained) => times[n].extend(explained.time.map(|time| time.0)),
                    Err(error) => {
                        refused(error)?;
                        return Ok(times);
                    }
                }
            }
        }
        Ok(times)
    }
}

/// Measures once more what looked slower; what does so again is [`Verdict::Slower`]. `queries` are those of before, with runs
/// in the order of `old_runs`.
///
/// # Errors
/// The server's failure.
pub(super) async fn confirm(
    task: &Task<'_>,
    [before, after, control]: [&Copy; 3],
    old_runs: &[QueryRuns],
    queries: &mut [QueryDiff],
) -> Result<(), CompareError> {
    for turn in 0..CONFIRMATIONS {
        let suspects = task.before.iter().zip(queries.iter_mut()).enumerate();
        for (n, (query, diff)) in suspects {
            let Some(successor) = successor(task, query) else {
                continue;
            };
            for (found, run) in diff.runs.iter_mut().zip(runs_of(old_runs, n)) {
                let Some(seen) = found.slowdown else { continue };
                task.interrupt.check()?;
                let before = Session::open(before.url(), task.interrupt).await?;
                let after = Session::open(after.url(), task.interrupt).await?;
                let control = Session::open(control.url(), task.interrupt).await?;
                let sessions = [&before, &after, &control];
                let again = Contest {
                    sessions,
                    query,
                    successor,
                    limits: task.options.limits_of(query),
                }
                .slowdown(run)
                .await?;
                // The weakest evidence is what is reported.
                found.slowdown = again.map(|again| {
                    if again.ratio() < seen.ratio() {
                        again
                    } else {
                        seen
                    }
                });
                if turn + 1 == CONFIRMATIONS && found.slowdown.is_some() {
                    found.verdict = Verdict::Slower;
                }
                for session in [before, after, control] {
                    session.close().await;
                }
            }
        }
    }
    Ok(())
}
