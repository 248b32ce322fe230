//! Which statement made a query's plan, work or result another: from what a replay of the migrations saw after each. Pure.

use std::collections::BTreeSet;

use super::canonical::{CanonicalPlan, OperatorKind};
use super::change::Change;
use super::effect::changes_rows;
use super::locks::LockMode;
use super::observation::StatementObservation;
use super::outcome::{Cause, RunDiff};
use super::work::Work;

/// What two plans are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signature {
    /// The plan's hash, of what its indexes are.
    pub hash: String,
    /// What its indexes are called: another name is no other plan, and yet a statement gave it.
    pub index_names: String,
}

/// A query at one point of the replay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// What makes the plan the same; `None` where the query fails.
    pub plan: Option<Signature>,
    /// What it did; `None` where it was only planned.
    pub work: Option<Work>,
}

/// What a replay saw of one query.
#[derive(Debug, Clone)]
pub struct Replayed<'a> {
    /// The statements, in order.
    pub statements: &'a [StatementObservation],
    /// Before the first of them.
    pub before: Seen,
    /// At the end, once the tables were analyzed.
    pub after: Seen,
    /// After each statement, as far as the replay came.
    pub seen: Vec<Seen>,
    /// Names of all indexes at the beginning and after each statement.
    pub indexes: &'a [BTreeSet<String>],
    /// Names of all tables, and of all columns as `table.column`, likewise.
    pub names: &'a [BTreeSet<String>],
    /// The tables that the query uses.
    pub reads: &'a BTreeSet<String>,
    /// Statistics of a table of its were made anew from a sample.
    pub sampled: bool,
    /// The query's own text is another, too.
    pub text_changed: bool,
}

/// Why the plan, or the work of the same plan, is another; `None` where nothing shows.
#[must_use]
pub fn plan_cause(replayed: &Replayed<'_>, run: &RunDiff) -> Option<Cause> {
    let (before, after) = (&replayed.before, &replayed.after);
    if before.plan == after.plan {
        if replayed.text_changed {
            return Some(Cause::QueryText);
        }
        if let Some(cause) = place(replayed, by_rename(replayed, run)) {
            return Some(cause);
        }
        let same_result = !run.changes_result();
        return match same_result {
            true => place(replayed, by_work(replayed)).or_else(|| without_statement(replayed)),
            // The same plan over other rows: the result says why.
            false => None,
        };
    }
    let at = by_plan(replayed).or_else(|| by_index(replayed, run));
    place(replayed, at).or_else(|| match replayed.text_changed {
        true => Some(Cause::QueryText),
        false => without_statement(replayed),
    })
}

/// Why the query returns another number of rows.
#[must_use]
pub fn result_cause(replayed: &Replayed<'_>) -> Option<Cause> {
    let rows = |seen: &Seen| seen.work.and_then(|work| work.rows);
    let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 0.5,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let after = rows(&replayed.after);
    let settled = replayed
        .seen
        .iter()
        .rposition(|seen| !same(rows(seen), after))
        .map_or(0, |last| last + 1);
    let before = rows(&replayed.before);
    let differs = |at: usize| {
        replayed
            .seen
            .get(at)
            .is_some_and(|seen| !same(rows(seen), before))
    };
    // Where it fails in between, it returns nothing by which another result could be recognized.
    let runs = rows(&replayed.after).is_some();
    let is_seen = |at: usize| differs(at) && (rows(&replayed.seen[at]).is_some() || !runs);
    let all = 0..replayed.seen.len();
    let at = differs(settled).then_some(settled);
    let at = at.or_else(|| all.clone().find(|at| is_seen(*at)));
    let at = at.or_else(|| all.clone().find(|at| differs(*at)));
    place(replayed, at).or_else(|| place(replayed, only_change_of_rows(replayed)))
}

/// The statement that gave a table or a column of the plan its name.
fn by_rename(replayed: &Replayed<'_>, run: &RunDiff) -> Option<usize> {
    let gave = |at: usize, ends: &dyn Fn(&str, bool) -> bool| {
        let (before, after) = (&replayed.names[at], &replayed.names[at + 1]);
        let came = after.difference(before).any(|name| ends(name, true));
        came && before.difference(after).any(|name| ends(name, false))
    };
    let steps = 0..replayed.names.len().saturating_sub(1);
    run.changes.iter().find_map(|change| match change {
        Change::TableRenamed { from, to } => steps
            .clone()
            .rfind(|at| gave(*at, &|name, new| name == if new { to } else { from })),
        Change::ColumnRenamed { from, to, .. } => {
            let (from, to) = (format!(".{from}"), format!(".{to}"));
            steps.clone().rfind(|at| {
                gave(*at, &|name, new| {
                    name.ends_with(if new { &to } else { &from })
                })
            })
        }
        _ => None,
    })
}

/// The statement from which on the plan is what it is afterwards; else the first that changed it.
fn by_plan(replayed: &Replayed<'_>) -> Option<usize> {
    let hash = |seen: &Seen| seen.plan.as_ref().map(|plan| plan.hash.clone());
    // What was made and then renamed is there since it was made.
    let only_renamed = hash(&replayed.before) == hash(&replayed.after);
    let is_other = |seen: &Seen, than: &Seen| match only_renamed {
        true => seen.plan != than.plan,
        false => hash(seen) != hash(than),
    };
    let differs = |seen: &Seen| is_other(seen, &replayed.before);
    let settled = replayed
        .seen
        .iter()
        .rposition(|seen| is_other(seen, &replayed.after))
        .map_or(0, |last| last + 1);
    if replayed.seen.get(settled).is_some_and(differs) {
        return Some(settled);
    }
    // Statements between which the query fails (a table that is made anew) say nothing where it has a plan in the end.
    let runs = replayed.after.plan.is_some();
    let is_seen = |seen: &Seen| differs(seen) && (seen.plan.is_some() || !runs);
    replayed
        .seen
        .iter()
        .position(is_seen)
        .or_else(|| replayed.seen.iter().position(differs))
}

/// The statement that made an index which only the new plan has, or took one away which only the old plan had: the planner
/// may come to it only once there are statistics.
fn by_index(replayed: &Replayed<'_>, run: &RunDiff) -> Option<usize> {
    let old = index_names(&run.before.plan);
    let new = run
        .after
        .as_ref()
        .map(|after| index_names(&after.plan))
        .unwrap_or_default();
    let steps = replayed.indexes.windows(2);
    let changes = |pair: &[BTreeSet<String>]| {
        let made = new
            .difference(&old)
            .any(|name| !pair[0].contains(name) && pair[1].contains(name));
        let gone = old
            .difference(&new)
            .any(|name| pair[0].contains(name) && !pair[1].contains(name));
        made || gone
    };
    let found: Vec<usize> = steps
        .enumerate()
        .filter(|(_, pair)| changes(pair))
        .map(|(at, _)| at)
        .collect();
    found.last().copied()
}

fn index_names(plan: &CanonicalPlan) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    plan.root.each(&mut |operator| {
        if let OperatorKind::Scan(scan) = &operator.kind {
            let indexes = scan.access.iter().flat_map(|access| &access.indexes);
            found.extend(indexes.map(|index| index.name.clone()));
        }
    });
    found
}

/// The statement with which the same plan's work left what it was before for good.
fn by_work(replayed: &Replayed<'_>) -> Option<usize> {
    let before = replayed.before.work?;
    let other = |seen: &Seen| {
        seen.work
            .is_some_and(|work| !work.is_within_noise_of(&before))
    };
    let last = replayed.seen.last()?;
    if !other(last) {
        return None;
    }
    let settled = replayed.seen.iter().rposition(|seen| !other(seen));
    Some(settled.map_or(0, |at| at + 1))
}

/// The one statement that changed rows of the query's tables, where there is only one.
fn only_change_of_rows(replayed: &Replayed<'_>) -> Option<usize> {
    let changes = |statement: &StatementObservation| {
        changes_rows(&statement.place.sql)
            && statement.locks.iter().any(|lock| {
                lock.mode >= LockMode::RowExclusive && replayed.reads.contains(&lock.relation)
            })
    };
    let mut found = replayed
        .statements
        .iter()
        .enumerate()
        .filter(|(_, s)| changes(s));
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at),
        (None | Some(_), _) => None,
    }
}

/// Statistics: of one statement where one alone changed rows that they are of.
fn without_statement(replayed: &Replayed<'_>) -> Option<Cause> {
    let came_to_the_end = replayed.seen.len() >= replayed.statements.len();
    if !came_to_the_end {
        return None;
    }
    place(replayed, only_change_of_rows(replayed))
        .or_else(|| replayed.sampled.then_some(Cause::Statistics))
}

fn place(replayed: &Replayed<'_>, at: Option<usize>) -> Option<Cause> {
    let statement = replayed.statements.get(at?)?;
    Some(Cause::Statement {
        place: statement.place.clone(),
    })
}
