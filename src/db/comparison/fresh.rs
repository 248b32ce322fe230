//! Queries that have nothing to be compared with (new ones, those that failed before, those that take other parameters now)
//! as they run after the migration, with values of their own.

use crate::catalog::Query;
use crate::db::audit::run_catalog;
use crate::diff::outcome::{FreshRun, Presence, QueryDiff, Side};

use super::{CompareError, Copy, Sides, Task};

/// Runs them and adds what they do to their entries.
///
/// # Errors
/// The server's failure; a query's own is in its entry.
pub(super) async fn run(
    task: &Task<'_>,
    after: &Copy,
    diffs: &mut [QueryDiff],
    sides: &Sides<'_>,
) -> Result<(), CompareError> {
    let lonely = |diff: &QueryDiff| {
        diff.presence != Presence::Removed
            && diff.runs.is_empty()
            && task.after.iter().any(|q| q.name == diff.query)
    };
    let names: Vec<String> = diffs
        .iter()
        .filter(|diff| lonely(diff))
        .map(|diff| diff.query.clone())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let asked = |query: &&Query| names.contains(&query.name);
    let parents: Vec<&str> = task
        .after
        .iter()
        .filter(asked)
        .flat_map(|q| q.for_each.iter().map(|each| each.parent.as_str()))
        .collect();
    // A parent runs for the values that it hands down.
    let queries: Vec<Query> = task
        .after
        .iter()
        .filter(|query| asked(query) || parents.contains(&query.name.as_str()))
        .cloned()
        .collect();
    let ran = run_catalog(
        &after.session,
        sides.new,
        &queries,
        &task.options,
        task.progress,
        task.interrupt,
    )
    .await?;
    for runs in ran {
        let Some(query) = queries.get(runs.query) else {
            continue;
        };
        let Some(diff) = diffs
            .iter_mut()
            .find(|diff| diff.query == query.name && lonely(diff))
        else {
            continue;
        };
        diff.fails_after = runs.failure.map(|failure| failure.message);
        let fresh = |run: &crate::run::Run| FreshRun {
            id: run.id.clone(),
            side: Side::of(run, &sides.new_names()),
        };
        diff.fresh = runs.runs.iter().map(fresh).collect();
    }
    Ok(())
}
