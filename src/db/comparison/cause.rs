//! Names the statement that changed a plan: the migrations once more on a copy of their own, statement by statement, each
//! changed query planned again after each. Then the way back, on the same copy.

use std::time::Instant;

use crate::catalog::Query;
use crate::db::introspect;
use crate::db::migrate::{run_program, run_script};
use crate::diff::canonicalize;
use crate::diff::names::{Names, Renames};
use crate::diff::observation::StatementPlace;
use crate::diff::outcome::{Cause, Presence, QueryDiff, RunDiff, Side};
use crate::diff::report::{RoundTrip, SchemaDifference};
use crate::diff::verdict::Verdict;
use crate::migrations::{Script, Statement};
use crate::run::{QueryRuns, Run};
use crate::schema::Schema;

use super::touched::{Touched, vacuum_analyze};
use super::{CompareError, Compared, Copy, Sides, Task, rerun, runs_of, successor};

/// Where a query's comparison stands.
#[derive(Clone, Copy)]
enum List {
    /// Among all queries.
    Now,
    /// Among the old forms of those that changed or went.
    Rolling,
}

/// A changed plan whose cause is looked for.
struct Wanted<'a> {
    list: List,
    diff: usize,
    run: usize,
    query: &'a Query,
    old: Vec<Run>,
    before: String,
    after: Option<String>,
    /// After each statement: the plan's hash, `None` where it fails.
    seen: Vec<Option<String>>,
}

/// Sets the cause of every changed run, and tries the migrations' way back where all have one.
///
/// # Errors
/// [`CompareError`].
pub(super) async fn trace(
    task: &Task<'_>,
    compared: &mut Compared,
    old_runs: &[QueryRuns],
    sides: &Sides<'_>,
    tables: &Touched,
) -> Result<Option<RoundTrip>, CompareError> {
    let reversible =
        !task.migrations.is_empty() && task.migrations.iter().all(|m| m.down.is_some());
    let mut wanted = wanted(task, &mut compared.queries, old_runs);
    wanted.extend(wanted_of_old_forms(task, &compared.rolling, old_runs));
    if wanted.is_empty() && !reversible {
        return Ok(None);
    }
    let start = Instant::now();
    let copy = Copy::of(task, task.template).await?;
    let places = forward(task, &copy, &mut wanted, &sides.renames).await?;
    for looked in wanted {
        let cause = cause(&looked, &places);
        let list = match looked.list {
            List::Now => &mut compared.queries,
            List::Rolling => &mut compared.rolling,
        };
        list[looked.diff].runs[looked.run].cause = Some(cause);
    }
    let trip = if reversible {
        Some(back(task, &copy, old_runs, sides.old, tables).await?)
    } else {
        None
    };
    copy.discard().await?;
    compared.spent.migrations.0 += start.elapsed().as_secs_f64() * 1000.0;
    Ok(trip)
}

fn wanted<'a>(task: &Task<'a>, diffs: &mut [QueryDiff], old_runs: &[QueryRuns]) -> Vec<Wanted<'a>> {
    let mut found = Vec::new();
    for (n, query) in task.before.iter().enumerate() {
        let (Some(diff), Some(successor)) = (
            diffs.iter().position(|d| d.query == query.name),
            successor(task, query),
        ) else {
            continue;
        };
        let changed_text = diffs[diff].presence == Presence::Changed;
        for (at, run) in diffs[diff].runs.iter_mut().enumerate() {
            if run.verdict == Verdict::Unchanged || run.verdict == Verdict::Unstable {
                continue;
            }
            if changed_text {
                run.cause = Some(Cause::QueryText);
                continue;
            }
            found.push(Wanted::of(
                List::Now,
                (diff, at, run),
                successor,
                runs_of(old_runs, n),
            ));
        }
    }
    found
}

/// What servers of the version before send, where it fails or does more work.
fn wanted_of_old_forms<'a>(
    task: &Task<'a>,
    rolling: &[QueryDiff],
    old_runs: &[QueryRuns],
) -> Vec<Wanted<'a>> {
    let mut found = Vec::new();
    for (diff, of) in rolling.iter().enumerate() {
        let old = task
            .before
            .iter()
            .enumerate()
            .find(|(_, query)| query.name == of.query);
        let (Some((n, query)), Some(worst)) = (old, of.runs.first()) else {
            continue;
        };
        found.push(Wanted::of(
            List::Rolling,
            (diff, 0, worst),
            query,
            runs_of(old_runs, n),
        ));
    }
    found
}

impl<'a> Wanted<'a> {
    fn of(
        list: List,
        (diff, at, run): (usize, usize, &RunDiff),
        query: &'a Query,
        runs: &[Run],
    ) -> Self {
        let old = runs
            .iter()
            .filter(|old| old.label == run.label && old.parameters == run.parameters);
        Self {
            list,
            diff,
            run: at,
            query,
            old: old.take(1).cloned().collect(),
            before: run.before.hashes.full.clone(),
            after: run.after.as_ref().map(|side| side.hashes.full.clone()),
            seen: Vec::new(),
        }
    }
}

async fn forward(
    task: &Task<'_>,
    copy: &Copy,
    wanted: &mut [Wanted<'_>],
    renames: &Renames,
) -> Result<Vec<StatementPlace>, CompareError> {
    let mut places = Vec::new();
    for migration in task.migrations {
        for statement in &migration.up.statements {
            task.interrupt.check()?;
            if statement.controls_transaction() {
                continue;
            }
            again(task, copy, &migration.up, statement).await?;
            places.push(StatementPlace {
                version: migration.version.clone(),
                file: migration.up.source.path.clone(),
                line: statement.line,
                sql: statement.sql.clone(),
            });
            if wanted.is_empty() {
                continue;
            }
            let schema = introspect::schema(&copy.session).await?;
            for looked in wanted.iter_mut() {
                let names = Names {
                    schema: Some(&schema),
                    renames: Some(renames),
                    ..Names::UNKNOWN
                };
                let plans =
                    rerun::plan(&copy.session, looked.query, &looked.old, &task.options).await?;
                let hash = plans
                    .into_iter()
                    .next()
                    .and_then(Result::ok)
                    .map(|plan| canonicalize(&plan, &names).hashes().full);
                looked.seen.push(hash);
            }
        }
    }
    Ok(places)
}

/// One statement of a migration once more.
pub(super) async fn again(
    task: &Task<'_>,
    copy: &Copy,
    script: &Script,
    statement: &Statement,
) -> Result<(), CompareError> {
    if let Some(program) = &script.program {
        return Ok(run_program(program, script, copy.url(), task.interrupt).await?);
    }
    copy.session
        .client()
        .batch_execute(&statement.sql)
        .await
        .map_err(|error| CompareError::Server {
            doing: "applying the migration once more",
            reason: crate::db::connect::describe(&error),
        })
}

/// The statement from which on the plan is what it is afterwards; else the first that changed it; else the statistics.
fn cause(looked: &Wanted<'_>, places: &[StatementPlace]) -> Cause {
    let differs = |hash: &Option<String>| hash.as_ref() != Some(&looked.before);
    let settled = looked
        .seen
        .iter()
        .rposition(|hash| *hash != looked.after)
        .map_or(0, |last| last + 1);
    let reaches = settled < looked.seen.len() && looked.seen.get(settled).is_some_and(differs);
    let at = if reaches {
        Some(settled)
    } else {
        looked.seen.iter().position(differs)
    };
    match at.and_then(|at| places.get(at)) {
        Some(place) => Cause::Statement {
            place: place.clone(),
        },
        None => Cause::Statistics,
    }
}

/// Applies the way back and compares schema and plans with those before.
async fn back(
    task: &Task<'_>,
    copy: &Copy,
    old_runs: &[QueryRuns],
    old: &Schema,
    tables: &Touched,
) -> Result<RoundTrip, CompareError> {
    let mut trip = RoundTrip::default();
    for migration in task.migrations.iter().rev() {
        let Some(down) = &migration.down else {
            continue;
        };
        if let Err(error) = run_script(&copy.session, down, task.interrupt).await {
            task.interrupt.check()?;
            trip.failure = Some(error.to_string());
            return Ok(trip);
        }
    }
    let schema = introspect::schema(&copy.session).await?;
    trip.schema = SchemaDifference::between(old, &schema);
    let there = |table: &&String| {
        schema
            .tables
            .iter()
            .any(|known| known.name.sql() == **table)
    };
    let tables: Vec<String> = tables.before.iter().filter(there).cloned().collect();
    vacuum_analyze(&copy.session, &tables).await?;
    let names = Names {
        schema: Some(&schema),
        renames: None,
        ..Names::UNKNOWN
    };
    let old_names = Names {
        schema: Some(old),
        renames: None,
        ..Names::UNKNOWN
    };
    for (n, query) in task.before.iter().enumerate() {
        let runs = runs_of(old_runs, n);
        let plans = rerun::plan(&copy.session, query, runs, &task.options).await?;
        let same = runs.iter().zip(&plans).all(|(run, plan)| {
            let before = Side::of(run, &old_names).hashes.shape;
            plan.as_ref()
                .is_ok_and(|plan| canonicalize(plan, &names).hashes().shape == before)
        });
        if !same {
            trip.changed_plans.push(query.name.clone());
        }
    }
    Ok(trip)
}
