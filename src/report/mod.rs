//! Reports: one model that every judging command fills, one file a format that reads it. Sees findings and results, never
//! `db`; judges nothing.
//!
//! A format is one file in `formats` and one line in [`formats::FORMATS`].

mod clauses;
mod diff_words;
mod evidence;
mod excerpt;
pub mod fixes;
pub mod formats;
pub mod impact;
mod node_details;
pub mod output;
pub mod place;
mod plan_tree;
pub mod progress;
mod redact;
pub mod restore;
pub mod rule_pages;
pub mod seeding;
pub mod sizes;
pub mod summary;
pub mod traffic;
pub mod wrapped;

pub use formats::{Format, json, markdown, terminal};
pub use output::{Output, ReportError, validate, write_all};
pub use plan_tree::plan_tree;
pub use redact::{redact, redact_findings, redact_run};
pub use summary::Summary;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::advise::changes::Changes;
use crate::catalog::{Query, Skipped};
use crate::diff::report::Comparison;
use crate::finding::{FailOn, Finding, Measurement, RuleId, Severity};
use crate::lab::growth::GrowthReport;
use crate::lab::outlook::Outlook;
use crate::run::{EndedEarly, QueryRuns};
use crate::units::{Bytes, Millis};

use traffic::Traffic;

/// The version that reports name as their maker.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The command that made a report: which page its readers expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A catalog was audited.
    #[default]
    Audit,
    /// Single plans were explained.
    Explain,
    /// Two sides were compared.
    Diff,
    /// What an application sent was recorded, or read from logs.
    Trace,
}

/// Which findings are shown; what counts for the exit code is not touched by it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// No more than this many of the costliest.
    pub top: Option<usize>,
    /// Only these rules; all where it is empty.
    pub rules: Vec<RuleId>,
    /// Only from this severity up.
    pub severity: Option<Severity>,
    /// How findings are grouped.
    pub by: Grouping,
}

/// What findings are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// Not at all: the costliest first.
    #[default]
    Impact,
    /// The statement that fixes them.
    Index,
    /// The query that they are about.
    Query,
    /// The table that they are about.
    Table,
}

impl View {
    /// Whether a finding is shown.
    #[must_use]
    pub fn shows(&self, found: &Finding) -> bool {
        (self.rules.is_empty() || self.rules.contains(&found.rule))
            && self.severity.is_none_or(|least| found.severity >= least)
    }
}

/// All that a command found, and what it stands on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The command.
    pub origin: Origin,
    /// `15.18`; `None` for a plan that came without its server.
    pub server_version: Option<String>,
    /// Planner settings that differ from the defaults.
    pub server_settings: Vec<(String, String)>,
    /// `None` where the database was given by URL.
    pub dataset: Option<DatasetInfo>,
    /// The given database of which a copy was audited: `shop at db:5432`.
    pub copy_of: Option<String>,
    /// Tables with their sizes, largest first.
    pub tables: Vec<TableInfo>,
    /// Every query of the catalog that was audited.
    pub queries: Vec<Query>,
    /// Their runs, in the same order.
    pub runs: Vec<QueryRuns>,
    /// What the catalog holds beside them, and why it was not audited.
    pub skipped: Vec<Skipped>,
    /// Set where the audit ended before every query was seen.
    pub ended_early: Option<EndedEarly>,
    /// Everything found, worst first; suppressed ones too.
    pub findings: Vec<Finding>,
    /// What their fixes come to for the schema.
    pub changes: Changes,
    /// Queries that did not change since they were measured; `None` where there are none.
    pub reused: Option<Reused>,
    /// What `--changed` left out.
    pub unchanged: Option<Unchanged>,
    /// Queries beside their earlier versions.
    pub compared: Vec<Compared>,
    /// The severity from which findings fail the audit; `None`: none does.
    pub fail_on: FailOn,
    /// Both sides of a diff.
    pub comparison: Option<Box<Comparison>>,
    /// What was sent, of a trace.
    pub traffic: Option<Traffic>,
    /// The catalog planned at another size, where that was asked for instead of running it.
    pub outlook: Option<Outlook>,
    /// How the catalog's work grows, where it ran at several sizes.
    pub growth: Option<GrowthReport>,
    /// What of it is shown.
    pub view: View,
    /// The whole command.
    pub elapsed: Millis,
}

/// Queries that are as they were at a revision, and were not audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// How many.
    pub queries: usize,
    /// The revision, as people name it.
    pub since: String,
}

/// A query beside an earlier version of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Index of the query.
    pub query: usize,
    /// What the earlier version is called: `HEAD`, or a query of the catalog.
    pub with: String,
    /// The worst run of each; `None` where it failed, did not finish, or was planned only.
    pub before: Option<Measurement>,
    /// Of the query as it is now.
    pub after: Option<Measurement>,
}

/// Queries that were not run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reused {
    /// How many.
    pub queries: usize,
    /// How long ago the first of them was measured.
    pub oldest: Duration,
}

impl Reused {
    /// `12 min`.
    #[must_use]
    pub fn age(&self) -> String {
        let seconds = self.oldest.as_secs();
        match seconds {
            0..60 => "less than a minute".to_owned(),
            60..3_600 => format!("{} min", seconds / 60),
            3_600..86_400 => hours_or_days(seconds / 3_600, "hour"),
            _ => hours_or_days(seconds / 86_400, "day"),
        }
    }
}

fn hours_or_days(count: u64, unit: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// The dataset that was audited.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetInfo {
    /// Of migrations, specs, seed, scale and generator version.
    pub fingerprint: String,
    /// `[dataset] seed`.
    pub seed: u64,
    /// `[dataset] scale`.
    pub scale: f64,
    /// Whether it was there already.
    pub reused: bool,
}

/// A table's size.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInfo {
    /// For people.
    pub name: String,
    /// `reltuples`.
    pub rows: u64,
    /// Heap with TOAST and indexes.
    pub bytes: Bytes,
    /// Its indexes and its partitions', by name.
    pub indexes: Vec<IndexInfo>,
    /// Its partitions' names.
    pub partitions: Vec<String>,
}

/// An index, so that two reports can tell whether they mean the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexInfo {
    pub name: String,
    /// Method, keys, INCLUDE and predicate, without name and table.
    pub definition: String,
}

impl Report {
    /// Runs of the query at `index` of `queries`; `None` where nothing was seen of it.
    #[must_use]
    pub fn runs_of(&self, index: usize) -> Option<&QueryRuns> {
        // They are in the same order; only a report made by hand has gaps.
        match self.runs.get(index) {
            Some(runs) if runs.query == index => Some(runs),
            Some(_) | None => self.runs.iter().find(|runs| runs.query == index),
        }
    }

    /// A query with its place in `queries`, by name.
    #[must_use]
    pub fn query_named(&self, name: &str) -> Option<(usize, &Query)> {
        self.queries
            .iter()
            .enumerate()
            .find(|(_, query)| query.name == name)
    }
}
