//! Which queries the migrations can reach. The others are what they were; those that are known from an earlier run and can be
//! reached run again before the migrations too, so that both sides are measured in the same minute.

use std::collections::BTreeSet;

use crate::catalog::Query;
use crate::db::connect::Session;
use crate::diff::canonical::CanonicalPlan;
use crate::diff::effect::stays_with_its_tables;
use crate::diff::outcome::Side;
use crate::run::{Outcome, QueryRuns, Run};

use super::queries::{Pair, relations};
use super::touched::Touched;
use super::{CompareError, Copy, Sides, Task, rerun, successor};

/// What decides whether a query can be reached.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) task: &'a Task<'a>,
    /// The migrated copy.
    pub(super) after: &'a Session,
    pub(super) sides: &'a Sides<'a>,
    pub(super) touched: &'a Touched,
}

impl Reach<'_> {
    /// Whether nothing that the migration does can reach the query: it reads only, none of its tables was locked by more than a
    /// reader, no function, type or setting can be another, and its plans are what they were.
    pub(super) async fn misses(&self, pair: &Pair<'_>) -> Result<bool, CompareError> {
        let task = self.task;
        let elsewhere = |plan: &CanonicalPlan| relations(plan).is_disjoint(&self.touched.relations);
        let statements = task
            .migrations
            .iter()
            .flat_map(|migration| &migration.up.statements);
        let plain = task
            .migrations
            .iter()
            .all(|migration| migration.up.program.is_none())
            && statements
                .into_iter()
                .all(|statement| stays_with_its_tables(&statement.sql));
        if !plain
            || pair.query.writes
            || pair.query.sql != pair.successor.sql
            || task.migrations.is_empty()
        {
            return Ok(false);
        }
        let planned = rerun::plan(self.after, pair.successor, pair.runs, &task.options).await?;
        let alike = |run: &Run, plan: &crate::plan::Plan| {
            let old = Side::of(run, &self.sides.old_names());
            let new = crate::diff::canonicalize(plan, &self.sides.new_names());
            elsewhere(&old.plan) && new.hashes().shape == old.hashes.shape
        };
        let mut runs = pair.runs.iter().zip(&planned);
        Ok(runs.all(|(run, plan)| plan.as_ref().is_ok_and(|plan| alike(run, plan))))
    }

    /// Runs those of the known queries again that the migrations reach. What timed out is not waited for once more.
    pub(super) async fn run_again(
        &self,
        before: &Copy,
        known: &BTreeSet<usize>,
        runs: &mut [QueryRuns],
    ) -> Result<(), CompareError> {
        let task = self.task;
        for known in runs.iter_mut().filter(|runs| known.contains(&runs.query)) {
            task.interrupt.check()?;
            let query: &Query = &task.before[known.query];
            let pair = Pair {
                query,
                successor: successor(task, query).unwrap_or(query),
                runs: &known.runs,
            };
            let timed_out = |run: &Run| matches!(run.outcome, Outcome::TimedOut { .. });
            if known.runs.iter().any(timed_out) || self.misses(&pair).await? {
                continue;
            }
            let again = rerun::rerun(&before.session, query, &known.runs, 1, &task.options).await?;
            for (run, again) in known.runs.iter_mut().zip(again) {
                // A failure now is the server's of this moment: what is known stands.
                if let Ok(again) = again {
                    *run = again;
                }
            }
        }
        Ok(())
    }
}
