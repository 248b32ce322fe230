//! The rules: one file each, listed in [`ALL`]. A rule is metadata and a plain function from what it may look at to
//! findings. Rules do no I/O, print nothing and never import each other.

pub mod blocking_migration;
mod causes;
mod conflict_storm;
pub mod context;
#[cfg(test)]
mod given_plan;
pub mod immutability;
mod judge;
mod load;
pub mod predicate;
pub mod said;
mod scans;
pub mod tables;
pub mod thresholds;

pub mod bypassed_policies;
mod cartesian_join;
mod disabled_node;
mod duplicate_index;
mod filtered_index_scan;
mod hash_spill;
mod heap_fetches;
mod io_bound;
mod jit_overhead;
mod join_filter;
mod large_offset;
mod leading_wildcard;
mod lock_wait;
mod lossy_bitmap;
mod low_index_efficiency;
mod materialize_spill;
mod memoize_misses;
pub mod missing_index;
mod n_plus_one;
mod nested_loop_rescan;
pub mod not_audited;
mod not_proven;
mod over_budget;
mod parameter_cliff;
mod partition_pruning;
pub mod per_row_policy;
pub mod plan_regression;
mod planning_memory;
mod planning_overhead;
pub mod query_rewrite;
mod repeated_lateral;
mod repeated_subplan;
mod row_misestimate;
mod seq_scan;
mod slow_query;
mod slow_serialization;
mod sort_spill;
mod stale_statistics;
mod statistics;
mod timeout;
mod top_n_sort;
mod trigger_time;
mod unbounded_result;
mod unindexable_predicate;
mod unindexed_foreign_key;
mod unused_index;
mod workers_not_launched;
mod wrong_order_index;

pub use context::{CatalogContext, QueryContext, RunContext};
pub use judge::{allow, judge, judge_alone, settle};
pub use load::weigh;
pub use tables::name_tables;
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
    /// One plan, and the whole catalog and schema.
    RunAndCatalog(
        fn(&RunContext<'_>) -> Vec<Finding>,
        fn(&CatalogContext<'_>) -> Vec<Finding>,
    ),
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
    &hash_spill::RULE,
    &filtered_index_scan::RULE,
    &wrong_order_index::RULE,
    &nested_loop_rescan::RULE,
    &join_filter::RULE,
    &repeated_subplan::RULE,
    &cartesian_join::RULE,
    &lossy_bitmap::RULE,
    &heap_fetches::RULE,
    &large_offset::RULE,
    &unbounded_result::RULE,
    &unindexable_predicate::RULE,
    &leading_wildcard::RULE,
    &partition_pruning::RULE,
    &workers_not_launched::RULE,
    &jit_overhead::RULE,
    &unindexed_foreign_key::RULE,
    &parameter_cliff::RULE,
    &planning_overhead::RULE,
    &unused_index::RULE,
    &duplicate_index::RULE,
    &plan_regression::RULE,
    &blocking_migration::RULE,
    &not_audited::RULE,
    &query_rewrite::RULE,
    &low_index_efficiency::RULE,
    &trigger_time::RULE,
    &disabled_node::RULE,
    &memoize_misses::RULE,
    &materialize_spill::RULE,
    &repeated_lateral::RULE,
    &lock_wait::RULE,
    &io_bound::RULE,
    &planning_memory::RULE,
    &top_n_sort::RULE,
    &conflict_storm::RULE,
    &stale_statistics::RULE,
    &slow_serialization::RULE,
    &not_proven::RULE,
    &bypassed_policies::RULE,
    &per_row_policy::RULE,
];

/// A rule by its id; `None` for an id that has no rule yet.
#[must_use]
pub fn find(id: RuleId) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}
