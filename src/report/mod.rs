//! Reports: one model, one file a format. Sees findings and results, never `db`; judges nothing.
//!
//! A format is one file and one line in [`output::FORMATS`].

mod clauses;
pub mod diff_json;
pub mod diff_markdown;
pub mod diff_terminal;
mod diff_words;
mod evidence;
mod excerpt;
pub mod json;
pub mod markdown;
pub mod output;
mod plan_tree;
pub mod progress;
mod redact;
pub mod rule_pages;
pub mod seeding;
pub mod summary;
pub mod terminal;

pub use output::{Format, Output, ReportError, validate, write_all};
pub use plan_tree::plan_tree;
pub use redact::{redact, redact_findings, redact_run};
pub use summary::Summary;

use serde::{Deserialize, Serialize};

use crate::catalog::{Query, Skipped};
use crate::finding::{Finding, Severity};
use crate::run::{EndedEarly, QueryRuns};
use crate::units::{Bytes, Millis};

/// The version that reports name as their maker.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// All that an audit found.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditReport {
    /// `15.18`.
    pub server_version: String,
    /// Planner settings that differ from the defaults.
    pub server_settings: Vec<(String, String)>,
    /// `None` where the database was given by URL.
    pub dataset: Option<DatasetInfo>,
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
    /// The severity from which findings fail the audit; `None`: none does.
    pub fail_on: Option<Severity>,
    /// The whole command.
    pub elapsed: Millis,
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
    /// Its name.
    pub name: String,
    /// Method, keys, INCLUDE and predicate, without name and table.
    pub definition: String,
}

impl AuditReport {
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
