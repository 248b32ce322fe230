//! What is known of queries that did not change: their runs, kept by the text of the query, its directives, and the queries
//! that it takes values from. Names and places in files are not among what a run depends on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog::Query;
use crate::db::explain;
use crate::db::parameters::ParameterSet;
use crate::results::{Key, Results, hash_of};
use crate::run::{BoundParameter, Outcome, QueryFailure, QueryRuns, Run};
use crate::run_id::{PlanChoice, RunId, SetId};

/// Queries whose runs are known.
#[derive(Debug, Default)]
pub struct Known {
    pub(super) done: BTreeMap<usize, QueryRuns>,
    pub(super) normal: BTreeMap<usize, ParameterSet>,
    /// How long ago each was measured.
    ages: BTreeMap<usize, Duration>,
}

impl Known {
    /// What the results hold of a catalog.
    #[must_use]
    pub fn of(queries: &[Query], results: &Results) -> Self {
        let mut known = Self::default();
        for query in 0..queries.len() {
            let found = key(queries, query, results).and_then(|key| results.find::<Kept>(&key));
            let Some(found) = found else { continue };
            let Some(runs) = found.value.runs(query) else {
                continue;
            };
            known.ages.insert(query, found.age);
            known.done.insert(query, runs);
            known
                .normal
                .extend(found.value.normal.map(|set| (query, set)));
        }
        known
    }

    /// How many of the first `queries` are known, and how long ago the oldest of them was measured; `None` where none is.
    #[must_use]
    pub fn oldest_of(&self, queries: usize) -> Option<(usize, Duration)> {
        let ages = self.ages.range(..queries).map(|(_, age)| *age);
        Some((ages.clone().count(), ages.max()?))
    }

    /// Which are known.
    pub fn queries(&self) -> impl Iterator<Item = usize> {
        self.done.keys().copied()
    }

    /// How many are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.done.len()
    }
}

/// A query's runs as they are kept: plans are read again from what EXPLAIN printed.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    runs: Vec<KeptRun>,
    failure: Option<QueryFailure>,
    notes: Vec<String>,
    /// What its children take values from.
    normal: Option<ParameterSet>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptRun {
    set: SetId,
    plan: PlanChoice,
    parameters: Vec<BoundParameter>,
    explain: Value,
    outcome: Outcome,
}

impl Kept {
    fn of(runs: &QueryRuns, normal: Option<&ParameterSet>) -> Self {
        let kept = runs.runs.iter().map(|run| KeptRun {
            set: run.id.set.clone(),
            plan: run.id.plan,
            parameters: run.parameters.clone(),
            explain: run.explain_json.clone(),
            outcome: run.outcome.clone(),
        });
        Self {
            runs: kept.collect(),
            failure: runs.failure.clone(),
            notes: runs.notes.clone(),
            normal: normal.cloned(),
        }
    }

    fn runs(&self, query: usize) -> Option<QueryRuns> {
        let runs = self.runs.iter().map(|kept| {
            let explained = explain::of_json(kept.explain.clone()).ok()?;
            Some(Run {
                id: RunId {
                    set: kept.set.clone(),
                    plan: kept.plan,
                },
                parameters: kept.parameters.clone(),
                plan: explained.plan,
                explain_json: explained.json,
                outcome: kept.outcome.clone(),
            })
        });
        Some(QueryRuns {
            query,
            runs: runs.collect::<Option<_>>()?,
            failure: self.failure.clone(),
            notes: self.notes.clone(),
        })
    }
}

/// Keeps what was seen of a query, where it is the query's own: not what a server in trouble made of it, nor what its parents
/// could not give.
pub(super) fn keep(
    queries: &[Query],
    runs: &QueryRuns,
    normal: &BTreeMap<usize, ParameterSet>,
    results: &Results,
) {
    let Some(key) = key(queries, runs.query, results) else {
        return;
    };
    let given = parents(queries, runs.query).all(|parent| normal.contains_key(&parent));
    if given && runs.failure.as_ref().is_none_or(is_of_the_statement) {
        results.keep(&key, &Kept::of(runs, normal.get(&runs.query)));
    }
}

/// Classes of errors that the same statement meets on the same data every time: not supported, bad data, a broken constraint,
/// a mistake in the statement.
fn is_of_the_statement(failure: &QueryFailure) -> bool {
    let code = failure.code.as_deref().unwrap_or_default();
    ["0A", "22", "23", "42"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// The result of one measurement of a query, so that what is measured beside it stands as long as it does.
#[must_use]
pub fn digest(runs: &QueryRuns) -> String {
    // A map without its own text cannot be; were it one, nothing would be known of it.
    let text = serde_json::to_string(&Kept::of(runs, None)).unwrap_or_default();
    hash_of([text.as_str()])
}

/// `None` where queries take their values from each other in a circle: which of them comes first is the catalog's order.
fn key(queries: &[Query], query: usize, results: &Results) -> Option<Key> {
    let text = described(queries, query, &mut Vec::new())?;
    Some(results.key("runs", &[&text]))
}

fn parents(queries: &[Query], query: usize) -> impl Iterator<Item = usize> {
    let named = |name: &str| queries.iter().position(|other| other.name == name);
    let driven = queries.get(query).map_or(&[][..], |query| &query.for_each);
    driven.iter().filter_map(move |each| named(&each.parent))
}

/// Everything of a query that its runs depend on.
fn described(queries: &[Query], at: usize, below: &mut Vec<usize>) -> Option<String> {
    if below.contains(&at) {
        return None;
    }
    let Query {
        name: _,
        command,
        file: _,
        header_line: _,
        line: _,
        column: _,
        source: _,
        sql,
        segments: _,
        parameters,
        statement,
        writes,
        budget,
        calls_per_second: _,
        asked_by,
        for_each,
        allows: _,
        recorded_types,
    } = queries.get(at)?;
    let mut text = format!(
        "{command:?} {statement:?} {writes} {parameters:?} {budget:?} {asked_by:?} {recorded_types:?} {sql:?}"
    );
    below.push(at);
    for each in for_each {
        let parent = queries.iter().position(|other| other.name == each.parent);
        let parent = match parent {
            Some(parent) => described(queries, parent, below)?,
            None => "absent".to_owned(),
        };
        text.push_str(&format!(
            " {} {:?} {:?} {parent:?}",
            each.parameter, each.parent, each.column
        ));
    }
    below.pop();
    Some(text)
}
