//! Compares what two earlier audits wrote down. Nothing is run: no control, no cause. Pure.

use std::path::PathBuf;

use crate::run::{QueryFailure, Run};

use super::names::{Names, Renames, SavedNames};
use super::outcome::{Fate, FreshRun, Presence, QueryDiff, RunDiff, Side};
use super::verdict::Limits;

/// A query of a saved report.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedQueryRuns {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// 1-based line of its statement.
    pub line: u32,
    /// The statement.
    pub sql: String,
    /// Set where it failed.
    pub failure: Option<QueryFailure>,
    /// Its parameter sets.
    pub runs: Vec<Run>,
}

/// A catalog of a saved report.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedCatalog {
    /// Its queries.
    pub queries: Vec<SavedQueryRuns>,
    /// What it says of the names in their plans.
    pub names: SavedNames,
}

/// Compares two reports query by query, parameter set by parameter set (by label).
#[must_use]
pub fn compare(before: &SavedCatalog, after: &SavedCatalog, limits: &Limits) -> Vec<QueryDiff> {
    let names = |catalog| Names { saved: Some(catalog), ..Names::UNKNOWN };
    let (old_names, new_names) = (names(&before.names), names(&after.names));
    let pair = |old: &SavedQueryRuns| match after.queries.iter().find(|new| new.name == old.name) {
        None => empty(old, Presence::Removed),
        Some(new) => pair((old, &old_names), (new, &new_names), limits),
    };
    let mut found: Vec<QueryDiff> = before.queries.iter().map(pair).collect();
    let new = after.queries.iter().filter(|new| !before.queries.iter().any(|old| old.name == new.name));
    found.extend(new.map(|new| QueryDiff { fresh: fresh(&new.runs, &new_names), ..empty(new, Presence::New) }));
    found.sort_by_key(QueryDiff::verdict);
    found
}

fn values(run: &Run) -> impl Iterator<Item = Option<&str>> {
    run.parameters.iter().map(|parameter| parameter.value.as_deref())
}

fn fresh(runs: &[Run], names: &Names<'_>) -> Vec<FreshRun> {
    runs.iter().map(|run| FreshRun { label: run.label.clone(), side: Side::of(run, names) }).collect()
}

fn empty(query: &SavedQueryRuns, presence: Presence) -> QueryDiff {
    QueryDiff {
        query: query.name.clone(),
        file: query.file.clone(),
        line: query.line,
        presence,
        runs: Vec::new(),
        failed_before: query.failure.as_ref().filter(|_| presence != Presence::New).map(|f| f.message.clone()),
        fails_after: query.failure.as_ref().filter(|_| presence == Presence::New).map(|f| f.message.clone()),
        fresh: Vec::new(),
    }
}

fn pair(
    (old, old_names): (&SavedQueryRuns, &Names<'_>),
    (new, new_names): (&SavedQueryRuns, &Names<'_>),
    limits: &Limits,
) -> QueryDiff {
    let presence = if new.sql == old.sql { Presence::Both } else { Presence::Changed };
    let mut diff = QueryDiff { file: new.file.clone(), line: new.line, ..empty(old, presence) };
    let renames = Renames::default();
    for run in &old.runs {
        // The same values may also have been run with the generic plan.
        let alike = |new: &&Run| new.is_generic() == run.is_generic() && values(new).eq(values(run));
        let same = new.runs.iter().find(alike);
        let like = same.or_else(|| new.runs.iter().find(|new| new.label == run.label));
        let mut side = Side::of(run, old_names);
        let mut fate = match (&new.failure, like) {
            (Some(failure), _) => Fate::Failed(failure.clone()),
            (None, Some(run)) => Fate::of(run, new_names),
            // Values are chosen anew in every audit: a set that is gone says nothing.
            (None, None) => continue,
        };
        if let (None, Fate::Planned(after)) = (same, &mut fate) {
            // Other values have other results.
            (side.work.rows, after.work.rows) = (None, None);
        }
        diff.runs.push(RunDiff::judge(run, side, &fate, None, &renames, limits));
    }
    if diff.runs.is_empty() {
        diff.fails_after = new.failure.as_ref().map(|failure| failure.message.clone());
        diff.fresh = fresh(&new.runs, new_names);
    }
    diff.sorted()
}
