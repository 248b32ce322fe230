//! The rules: one file each, and one line in `rule_list`, besides `mod`. A rule is metadata and a plain function from what it may look at to
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
pub mod own_constants;
pub mod predicate;
mod scans;
mod subplans;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod thresholds;
pub mod traffic;
mod unproven;

pub mod bypassed_policies;
mod cartesian_join;
mod disabled_node;
mod duplicate_index;
mod duplicate_query;
mod filtered_index_scan;
pub mod grows_with_table;
mod hash_spill;
mod heap_fetches;
mod incomplete_trace;
mod io_bound;
mod jit_overhead;
mod join_filter;
mod large_offset;
mod leading_wildcard;
mod lock_wait;
mod loop_in_function;
mod lossy_bitmap;
mod low_index_efficiency;
mod materialize_spill;
mod memoize_misses;
mod missing_batch;
pub mod missing_index;
pub mod n_plus_one;
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
pub mod slow_query;
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
pub mod unstable_plan;
mod unused_index;
mod worker_skew;
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
    /// How near to the root cause its findings are: lower explains higher. `None` explains nothing and follows from nothing.
    pub depth: Option<u8>,
    /// Whether its harm is the work of every call, so that it is weighed by calls. Budgets and limits are the author's word,
    /// and stay what they are.
    pub is_work_of_each_call: bool,
    /// What its findings say of a query that met no row.
    pub without_rows: WithoutRows,
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

/// What a finding says of a query that met no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutRows {
    /// What it says of others: it reads the text, the schema, what an application sent, or two plans.
    Counts,
    /// It reads what an execution showed, which would be another one where rows are: it stands under `not-proven`.
    UnderNotProven,
    /// A fix that was built and measured saves that much, whatever the query finds: it stands alone, no worse than `not-proven`.
    NoWorse,
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
pub const ALL: &[&Rule] = {
    macro_rules! rules {
        ($($file:ident $name:ident $id:literal;)+) => { &[$(&$file::RULE,)+] };
    }
    crate::rule_list::for_each_rule!(rules)
};

/// A rule by its id; `None` for an id that has no rule yet.
#[must_use]
pub fn find(id: RuleId) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}
