//! Compares what two earlier audits wrote down. Nothing is run: no control, no cause; indexes are known by name alone. Pure.

use std::path::PathBuf;

use crate::run::{QueryFailure, Run};

use super::names::{Names, Renames};
use super::outcome::{Fate, Presence, QueryDiff, RunDiff, Side};
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

/// Compares two reports query by query, parameter set by parameter set (by label).
#[must_use]
pub fn compare(before: &[SavedQueryRuns], after: &[SavedQueryRuns]) -> Vec<QueryDiff> {
    let mut found: Vec<QueryDiff> = before.iter().map(|old| pair(old, after)).collect();
    let new = after.iter().filter(|new| !before.iter().any(|old| old.name == new.name));
    found.extend(new.map(|new| empty(new, Presence::New)));
    found.sort_by_key(QueryDiff::verdict);
    found
}

fn empty(query: &SavedQueryRuns, presence: Presence) -> QueryDiff {
    QueryDiff {
        query: query.name.clone(),
        file: query.file.clone(),
        line: query.line,
        presence,
        runs: Vec::new(),
        failed_before: query.failure.as_ref().filter(|_| presence != Presence::New).map(|f| f.message.clone()),
    }
}

fn pair(old: &SavedQueryRuns, after: &[SavedQueryRuns]) -> QueryDiff {
    let Some(new) = after.iter().find(|new| new.name == old.name) else { return empty(old, Presence::Removed) };
    let presence = if new.sql == old.sql { Presence::Both } else { Presence::Changed };
    let mut diff = QueryDiff { file: new.file.clone(), line: new.line, ..empty(old, presence) };
    let renames = Renames::default();
    for run in &old.runs {
        let fate = match (&new.failure, new.runs.iter().find(|new| new.label == run.label)) {
            (Some(failure), _) => Fate::Failed(failure.clone()),
            (None, Some(run)) => Fate::of(run, &Names::UNKNOWN),
            // Values are chosen anew in every audit: a set that is gone says nothing.
            (None, None) => continue,
        };
        let side = Side::of(run, &Names::UNKNOWN);
        diff.runs.push(RunDiff::judge(run, side, &fate, None, &renames, &Limits::default()));
    }
    diff.sorted()
}
