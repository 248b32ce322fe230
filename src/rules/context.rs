//! What a rule may look at. A rule gets one of these and returns findings; it sees nothing else.

use crate::catalog::Query;
use crate::run::{QueryRuns, Run};
use crate::schema::Schema;

use super::thresholds::{Policy, Threshold};

/// For a rule that reads one plan.
#[derive(Debug, Clone, Copy)]
pub struct RunContext<'a> {
    /// The query; `None` for a plan that came alone (`pgproof explain -`).
    pub query: Option<&'a Query>,
    /// The run whose plan is judged.
    pub run: &'a Run,
    /// `None` for a plan that came alone.
    pub schema: Option<&'a Schema>,
    /// The limits that hold for the query.
    pub policy: &'a Policy,
}

impl RunContext<'_> {
    /// A limit in its threshold's unit.
    #[must_use]
    pub fn limit(&self, threshold: &Threshold) -> f64 {
        self.policy.limit(threshold)
    }
}

/// For a rule that compares a query's runs.
#[derive(Debug, Clone, Copy)]
pub struct QueryContext<'a> {
    /// The query.
    pub query: &'a Query,
    /// All that was seen of it.
    pub runs: &'a QueryRuns,
    /// The database's schema.
    pub schema: &'a Schema,
    /// The limits that hold for the query.
    pub policy: &'a Policy,
}

/// For a rule that reads the catalog as a whole: N+1, unused indexes, foreign keys.
#[derive(Debug, Clone, Copy)]
pub struct CatalogContext<'a> {
    /// Every query that was audited.
    pub queries: &'a [Query],
    /// Their runs; `QueryRuns::query` indexes `queries`.
    pub runs: &'a [QueryRuns],
    /// The database's schema.
    pub schema: &'a Schema,
    /// The limits that hold where no query is meant.
    pub policy: &'a Policy,
}
