//! Compares what two earlier audits wrote down. Nothing is run: no control, no cause. Pure.

use std::path::PathBuf;

use crate::run::{QueryFailure, Run};

use super::names::{Names, Renames, SavedNames};
use super::outcome::{Fate, FreshRun, Presence, QueryDiff, RunDiff, Side};
use super::verdict::Limits;

/// A query of a saved report.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedQueryRuns {
    pub name: String,
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
    pub queries: Vec<SavedQueryRuns>,
    /// What it says of the names in their plans.
    pub names: SavedNames,
}

/// Compares two reports query by query, parameter set by parameter set (by label).
#[must_use]
pub fn compare(before: &SavedCatalog, after: &SavedCatalog, limits: &Limits) -> Vec<QueryDiff> {
    let names = |catalog| Names {
        saved: Some(catalog),
        ..Names::UNKNOWN
    };
    let (old_names, new_names) = (names(&before.names), names(&after.names));
    let pair = |old: &SavedQueryRuns| match after.queries.iter().find(|new| new.name == old.name) {
        None => empty(old, Presence::Removed),
        Some(new) => pair((old, &old_names), (new, &new_names), limits),
    };
    let mut found: Vec<QueryDiff> = before.queries.iter().map(pair).collect();
    let new = after
        .queries
        .iter()
        .filter(|new| !before.queries.iter().any(|old| old.name == new.name));
    found.extend(new.map(|new| QueryDiff {
        fresh: fresh(&new.runs, &new_names),
        ..empty(new, Presence::New)
    }));
    found.sort_by_key(QueryDiff::verdict);
    found
}

fn values(run: &Run) -> impl Iterator<Item = Option<&str>> {
    run.parameters
        .iter()
        .map(|parameter| parameter.value.as_deref())
}

fn fresh(runs: &[Run], names: &Names<'_>) -> Vec<FreshRun> {
    runs.iter()
        .map(|run| FreshRun {
            id: run.id.clone(),
            side: Side::of(run, names),
        })
        .collect()
}

fn empty(query: &SavedQueryRuns, presence: Presence) -> QueryDiff {
    QueryDiff {
        query: query.name.clone(),
        file: query.file.clone(),
        line: query.line,
        presence,
        runs: Vec::new(),
        failed_before: query
            .failure
            .as_ref()
            .filter(|_| presence != Presence::New)
            .map(|f| f.message.clone()),
        fails_after: query
            .failure
            .as_ref()
            .filter(|_| presence == Presence::New)
            .map(|f| f.message.clone()),
        fresh: Vec::new(),
    }
}

fn pair(
    (old, old_names): (&SavedQueryRuns, &Names<'_>),
    (new, new_names): (&SavedQueryRuns, &Names<'_>),
    limits: &Limits,
) -> QueryDiff {
    let presence = if new.sql == old.sql {
        Presence::Both
    } else {
        Presence::Changed
    };
    let mut diff = QueryDiff {
        file: new.file.clone(),
        line: new.line,
        ..empty(old, presence)
    };
    let renames = Renames::default();
    for run in &old.runs {
        // The same values may also have been run with the generic plan.
        let alike =
            |new: &&Run| new.is_generic() == run.is_generic() && values(new).eq(values(run));
        let same = new.runs.iter().find(alike);
        let like = same.or_else(|| new.runs.iter().find(|new| new.id == run.id));
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
        diff.runs
            .push(RunDiff::judge(run, side, &fate, None, &renames, limits));
    }
    if diff.runs.is_empty() {
        diff.fails_after = new.failure.as_ref().map(|failure| failure.message.clone());
        diff.fresh = fresh(&new.runs, new_names);
    }
    diff.sorted()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::verdict::Verdict;
    use crate::plan::parse;
    use crate::run::{BoundParameter, Outcome, Sample};
    use crate::run_id::{PlanChoice, RunId, SetRole};
    use crate::units::{Millis, Pages};

    fn run(label: &str, value: &str, kind: &str, blocks: u64) -> Run {
        let document = json!([{ "Planning Time": 0.1, "Execution Time": 5.0, "Plan": {
            "Node Type": kind, "Relation Name": "orders", "Schema": "public", "Alias": "orders", "Startup Cost": 0.0,
            "Total Cost": 9.0, "Plan Rows": 10, "Plan Width": 8, "Actual Startup Time": 0.1, "Actual Total Time": 5.0,
            "Actual Rows": 10, "Actual Loops": 1, "Shared Hit Blocks": blocks, "Shared Read Blocks": 0,
            "Temp Read Blocks": 0, "Temp Written Blocks": 0,
        } }]);
        let sample = Sample {
            execution: Millis(5.0),
            planning: Millis(0.1),
            blocks: Pages(blocks),
            temp_blocks: Pages(0),
        };
        let parameter = BoundParameter {
            number: 1,
            name: None,
            type_name: "text".to_owned(),
            value: Some(value.to_owned()),
            column: None,
        };
        Run {
            id: RunId::of_label(
                label,
                SetRole::Varied,
                match label.starts_with("generic") {
                    true => PlanChoice::Generic,
                    false => PlanChoice::Custom,
                },
            ),
            parameters: vec![parameter],
            plan: parse::json_value(&document).unwrap().remove(0),
            explain_json: document,
            outcome: Outcome::Completed {
                samples: vec![sample],
            },
        }
    }

    fn timed_out(label: &str, kind: &str) -> Run {
        let document = json!([{ "Plan": { "Node Type": kind, "Relation Name": "orders", "Schema": "public", "Alias": "orders",
            "Startup Cost": 0.0, "Total Cost": 9.0, "Plan Rows": 10, "Plan Width": 8 } }]);
        let plan = parse::json_value(&document).unwrap().remove(0);
        let outcome = Outcome::TimedOut {
            after: Millis(30_000.0),
        };
        Run {
            plan,
            explain_json: document,
            outcome,
            ..run(label, "x", kind, 1)
        }
    }

    fn catalog(runs: Vec<Run>) -> SavedCatalog {
        let query = SavedQueryRuns {
            name: "ByStatus".to_owned(),
            file: PathBuf::from("queries/orders.sql"),
            line: 2,
            sql: "SELECT id FROM orders WHERE status = $1".to_owned(),
            failure: None,
            runs,
        };
        SavedCatalog {
            queries: vec![query],
            names: SavedNames::default(),
        }
    }

    /// What became of each set: label, verdict, names of the changes.
    fn judged(before: Vec<Run>, after: Vec<Run>) -> Vec<(String, Verdict, Vec<&'static str>)> {
        let mut diffs = compare(&catalog(before), &catalog(after), &Limits::default());
        let runs = diffs.remove(0).runs;
        let names = |run: &RunDiff| run.changes.iter().map(|change| change.name()).collect();
        runs.iter()
            .map(|run| (run.id.to_string(), run.verdict, names(run)))
            .collect()
    }

    /// The same values with a plan of their own and with the generic one, whichever comes first.
    #[test]
    fn a_report_against_itself_differs_in_nothing() {
        let custom = || run("hot status", "done", "Seq Scan", 9_000);
        let generic = || run("generic plan, hot status", "done", "Index Scan", 90_000);
        let rare = || run("rare status", "lost", "Index Scan", 3);
        let (a, b, late) = (
            vec![custom(), generic(), rare()],
            vec![generic(), custom()],
            vec![timed_out("hot", "Seq Scan")],
        );
        for runs in [a, b, late] {
            let found = judged(runs.clone(), runs.clone());
            assert_eq!(found.len(), runs.len());
            for (label, verdict, changes) in found {
                assert_eq!(
                    (verdict, changes),
                    (Verdict::Unchanged, Vec::new()),
                    "{label}"
                );
            }
        }
    }

    #[test]
    fn each_plan_is_compared_with_its_like() {
        let before = vec![
            run("generic plan, hot status", "done", "Index Scan", 90_000),
            run("hot status", "done", "Seq Scan", 9_000),
        ];
        let after = vec![
            run("hot status", "done", "Seq Scan", 9_000),
            run("generic plan, hot status", "done", "Index Scan", 9_000),
        ];
        let found = judged(before, after);
        assert_eq!(
            found,
            [
                (
                    "generic plan, hot status".to_owned(),
                    Verdict::MajorImprovement,
                    Vec::new()
                ),
                ("hot status".to_owned(), Verdict::Unchanged, Vec::new())
            ]
        );
    }

    #[test]
    fn what_ends_at_the_timeout_is_an_error_from_then_on_and_an_improvement_when_it_ends_in_time() {
        let quick = || vec![run("hot", "x", "Index Scan", 9)];
        let late = || vec![timed_out("hot", "Seq Scan")];
        let verdict_of = |before, after| {
            let (_, verdict, changes) = judged(before, after).remove(0);
            (verdict, changes)
        };
        assert_eq!(
            verdict_of(quick(), late()),
            (Verdict::Error, vec!["times-out", "scan-method-changed"])
        );
        assert_eq!(
            verdict_of(late(), quick()),
            (
                Verdict::MajorImprovement,
                vec!["finishes", "scan-method-changed"]
            )
        );
        assert_eq!(
            verdict_of(late(), vec![timed_out("hot", "Index Scan")]),
            (Verdict::Neutral, vec!["scan-method-changed"])
        );
    }
}
