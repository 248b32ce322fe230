//! Canonical plans and their work as files that are kept beside the queries: one file a query, sorted, without times, so
//! that a review shows which plans a change touches. Pure: what is read and written where is the command line's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::canonical::{CANONICAL_VERSION, CanonicalPlan};
use super::names::{Names, Renames};
use super::outcome::{Fate, Presence, QueryDiff, RunDiff, Side};
use super::verdict::Limits;
use super::work::Work;
use crate::catalog::Query;
use crate::run::{BoundParameter, Outcome, QueryRuns, Run};
use crate::run_id::{PlanChoice, RunId, SetRole};

/// Version of the files' shape.
pub const VERSION: u32 = 1;

/// What the plans depend on: plans of unlike headers do not compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// [`CANONICAL_VERSION`].
    pub canonical_version: u32,
    /// PostgreSQL's major version.
    pub server_major: u32,
    /// Planner settings that differ from the server's defaults.
    pub settings: BTreeMap<String, String>,
    /// `[dataset] seed`.
    pub seed: u64,
    /// `[dataset] scale`.
    pub scale: f64,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

impl Header {
    /// Of what runs now.
    #[must_use]
    pub fn new(
        server_major: u32,
        settings: BTreeMap<String, String>,
        seed: u64,
        scale: f64,
        rows: BTreeMap<String, u64>,
    ) -> Self {
        Self {
            version: VERSION,
            canonical_version: CANONICAL_VERSION,
            server_major,
            settings,
            seed,
            scale,
            rows,
        }
    }

    /// What makes plans of the two incomparable, each said. A table that only one of them has does not.
    #[must_use]
    pub fn unlike(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut differ = |what: &str, then: String, now: String| {
            if then != now {
                found.push(format!("{what} was {then} and is {now}"));
            }
        };
        differ(
            "the snapshot's version",
            self.version.to_string(),
            now.version.to_string(),
        );
        differ(
            "the plans' canonical form",
            self.canonical_version.to_string(),
            now.canonical_version.to_string(),
        );
        differ(
            "PostgreSQL",
            self.server_major.to_string(),
            now.server_major.to_string(),
        );
        differ("dataset.seed", self.seed.to_string(), now.seed.to_string());
        differ(
            "dataset.scale",
            self.scale.to_string(),
            now.scale.to_string(),
        );
        let default = || "the default".to_owned();
        let names: std::collections::BTreeSet<&String> =
            self.settings.keys().chain(now.settings.keys()).collect();
        for name in names {
            let of = |header: &Self| header.settings.get(name).cloned().unwrap_or_else(default);
            differ(name, of(self), of(now));
        }
        for (table, rows) in &self.rows {
            if let Some(other) = now.rows.get(table) {
                differ(
                    &format!("rows of {table}"),
                    rows.to_string(),
                    other.to_string(),
                );
            }
        }
        found
    }
}

/// One query's plans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuerySnapshot {
    /// Its name.
    pub query: String,
    /// Its statement as the catalog has it.
    pub sql: String,
    /// The server's words where it failed.
    pub failure: Option<String>,
    /// Its parameter sets, by label.
    pub runs: Vec<RunSnapshot>,
}

/// One parameter set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSnapshot {
    /// `hot customer_id`.
    pub label: String,
    /// What its parameter set stands for.
    #[serde(default)]
    pub role: SetRole,
    /// What its plan was made for.
    #[serde(default)]
    pub plan_choice: PlanChoice,
    /// The values: a comparison runs with the same ones.
    pub parameters: Vec<SavedValue>,
    /// It was planned only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// What it did.
    pub work: Work,
    /// The plan, for people.
    pub plan: Vec<String>,
    /// The same for the comparison.
    pub tree: CanonicalPlan,
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedValue {
    /// From 1.
    pub number: u16,
    #[serde(rename = "type")]
    pub type_name: String,
    /// Text form; `None` = NULL.
    pub value: Option<String>,
}

/// A parameter set to run again.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Which of the query's runs it repeats.
    pub id: RunId,
    /// The values.
    pub parameters: Vec<BoundParameter>,
    /// Planned only.
    pub estimated: bool,
}

impl From<&Run> for Asked {
    fn from(run: &Run) -> Self {
        let estimated = matches!(run.outcome, Outcome::Estimated);
        Self {
            id: run.id.clone(),
            parameters: run.parameters.clone(),
            estimated,
        }
    }
}

impl QuerySnapshot {
    /// Of a query that ran.
    #[must_use]
    pub fn of(query: &Query, runs: &QueryRuns, names: &Names<'_>) -> Self {
        let value = |parameter: &BoundParameter| SavedValue {
            number: parameter.number,
            type_name: parameter.type_name.clone(),
            value: parameter.value.clone(),
        };
        let run = |run: &Run| {
            let side = Side::of(run, names);
            RunSnapshot {
                label: run.id.to_string(),
                role: run.id.set.role,
                plan_choice: run.id.plan,
                parameters: run.parameters.iter().map(value).collect(),
                estimated: !matches!(run.outcome, Outcome::Completed { .. }),
                work: if matches!(run.outcome, Outcome::Completed { .. }) {
                    side.work
                } else {
                    Work::default()
                },
                plan: side.tree,
                tree: side.plan,
            }
        };
        let mut runs_of: Vec<RunSnapshot> = runs.runs.iter().map(run).collect();
        runs_of.sort_by(|a, b| a.label.cmp(&b.label));
        Self {
            query: query.name.clone(),
            sql: query.source.clone(),
            failure: runs.failure.as_ref().map(|failure| failure.message.clone()),
            runs: runs_of,
        }
    }

    /// The same with kept figures where the plan is as it was kept and its work is within noise of it: data that did not
    /// change yields files that did not.
    #[must_use]
    pub fn settled(mut self, kept: &Self) -> Self {
        for run in &mut self.runs {
            let same = |old: &&RunSnapshot| {
                (&old.label, &old.parameters, old.estimated)
                    == (&run.label, &run.parameters, run.estimated)
                    && old.tree == run.tree
                    && run.work.is_within_noise_of(&old.work)
            };
            if let Some(old) = kept.runs.iter().find(same) {
                *run = old.clone();
            }
        }
        self
    }

    /// The file: what a reviewer reads on lines of its own, the tree for the comparison on one.
    ///
    /// # Errors
    /// What serde says; never for a value of this type.
    pub fn render(&self) -> Result<String, serde_json::Error> {
        use serde_json::to_string;
        let mut text = format!(
            "{{\n  \"query\": {},\n  \"sql\": {},\n",
            to_string(&self.query)?,
            to_string(&self.sql)?
        );
        text.push_str(&format!(
            "  \"failure\": {},\n  \"runs\": [",
            to_string(&self.failure)?
        ));
        for (n, run) in self.runs.iter().enumerate() {
            text.push_str(if n == 0 { "\n    {\n" } else { ",\n    {\n" });
            text.push_str(&format!(
                "      \"label\": {},\n      \"role\": {},\n      \"plan_choice\": {},\n      \"parameters\": [",
                to_string(&run.label)?,
                to_string(&run.role)?,
                to_string(&run.plan_choice)?
            ));
            let values = run
                .parameters
                .iter()
                .map(|value| Ok(format!("\n        {}", to_string(value)?)));
            text.push_str(
                &values
                    .collect::<Result<Vec<_>, serde_json::Error>>()?
                    .join(","),
            );
            text.push_str(if run.parameters.is_empty() {
                "],\n"
            } else {
                "\n      ],\n"
            });
            if run.estimated {
                text.push_str("      \"estimated\": true,\n");
            }
            text.push_str(&format!(
                "      \"work\": {},\n      \"plan\": [\n",
                to_string(&run.work)?
            ));
            let lines = run
                .plan
                .iter()
                .map(|line| Ok(format!("        {}", to_string(line)?)));
            text.push_str(
                &lines
                    .collect::<Result<Vec<_>, serde_json::Error>>()?
                    .join(",\n"),
            );
            text.push_str(&format!(
                "\n      ],\n      \"tree\": {}\n    }}",
                to_string(&run.tree)?
            ));
        }
        text.push_str(if self.runs.is_empty() {
            "]\n}\n"
        } else {
            "\n  ]\n}\n"
        });
        Ok(text)
    }

    /// Its parameter sets, to be run again.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let bound = |value: &SavedValue| BoundParameter {
            number: value.number,
            name: None,
            type_name: value.type_name.clone(),
            value: value.value.clone(),
            column: None,
        };
        self.runs
            .iter()
            .map(|run| Asked {
                id: RunId::of_label(&run.label, run.role, run.plan_choice),
                parameters: run.parameters.iter().map(bound).collect(),
                estimated: run.estimated,
            })
            .collect()
    }

    /// Compares it with what became of its parameter sets; `query` is the catalog's now, `None` where it is gone.
    #[must_use]
    pub fn compare(&self, query: Option<&Query>, fates: &[Fate], limits: &Limits) -> QueryDiff {
        let presence = match query {
            None => Presence::Removed,
            Some(query) if query.source == self.sql => Presence::Both,
            Some(_) => Presence::Changed,
        };
        let renames = Renames::default();
        let runs = self
            .runs
            .iter()
            .zip(self.asked())
            .zip(fates)
            .map(|((run, asked), fate)| {
                let side = Side {
                    work: run.work,
                    ..Side::of_plan(run.tree.clone())
                };
                RunDiff::judge_set(&asked, side, fate, None, &renames, limits)
            });
        QueryDiff {
            query: self.query.clone(),
            file: query.map(|query| query.file.clone()).unwrap_or_default(),
            line: query.map_or(1, |query| query.line),
            presence,
            runs: runs.collect(),
            failed_before: self.failure.clone(),
            fails_after: None,
            fresh: Vec::new(),
        }
        .sorted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let rows = [("orders".to_owned(), 100)].into();
        Header::new(
            15,
            [("work_mem".to_owned(), "4MB".to_owned())].into(),
            42,
            1.0,
            rows,
        )
    }

    #[test]
    fn every_difference_is_said() {
        assert_eq!(header().unlike(&header()), Vec::<String>::new());
        let mut now = Header {
            server_major: 18,
            scale: 0.5,
            ..header()
        };
        now.settings = [("jit".to_owned(), "off".to_owned())].into();
        now.rows = [("orders".to_owned(), 50), ("returns".to_owned(), 7)].into();
        assert_eq!(
            header().unlike(&now),
            [
                "PostgreSQL was 15 and is 18",
                "dataset.scale was 1 and is 0.5",
                "jit was the default and is off",
                "work_mem was 4MB and is the default",
                "rows of orders was 100 and is 50",
            ]
        );
    }
}
