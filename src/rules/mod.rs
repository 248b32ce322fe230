//! The rules: one file each, listed in [`ALL`]. A rule is metadata and a plain function from what it may look at to
//! findings. Rules do no I/O, print nothing and never import each other.

mod causes;
pub mod context;
mod judge;
pub mod predicate;
pub mod thresholds;

mod large_offset;
pub mod missing_index;
mod n_plus_one;
mod over_budget;
mod row_misestimate;
mod seq_scan;
mod slow_query;
mod sort_spill;
mod timeout;

pub use context::{CatalogContext, QueryContext, RunContext};
pub use judge::{judge, judge_alone, settle};
pub use thresholds::{Policy, Threshold, ThresholdUnit};

use crate::finding::{Finding, RuleId, Severity};

/// A rule as it is listed, explained and run.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its identity.
    pub id: RuleId,
    /// The highest severity that it gives.
    pub severity: Severity,
    /// One line: what it flags.
    pub summary: &'static str,
    /// When exactly it fires, and when it stays quiet.
    pub condition: &'static str,
    /// Why it hurts at production scale.
    pub why: &'static str,
    /// What to do.
    pub advice: &'static str,
    /// SQL that it flags.
    pub bad: &'static str,
    /// SQL that it does not.
    pub good: &'static str,
    /// Its limits.
    pub thresholds: &'static [Threshold],
    /// How it looks.
    pub check: Check,
}

/// What a rule's function reads.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// One plan.
    Run(fn(&RunContext<'_>) -> Vec<Finding>),
    /// One query with all its runs.
    Query(fn(&QueryContext<'_>) -> Vec<Finding>),
    /// The whole catalog and schema.
    Catalog(fn(&CatalogContext<'_>) -> Vec<Finding>),
    /// Found elsewhere: the advisor, the trace analysis, the diff.
    Elsewhere,
}

/// The registry: it drives `pgproof rules`, the configuration's validation, the docs and every report's metadata.
pub const ALL: &[&Rule] = &[
    &seq_scan::RULE,
    &missing_index::RULE,
    &n_plus_one::RULE,
    &slow_query::RULE,
    &over_budget::RULE,
    &timeout::RULE,
    &row_misestimate::RULE,
    &sort_spill::RULE,
    &large_offset::RULE,
];

/// A rule by its id; `None` for an id that has no rule yet.
#[must_use]
pub fn find(id: RuleId) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}
