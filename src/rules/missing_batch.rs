//! `missing-batch`: rows are written one statement each. Found by the trace analysis; here stand its words and limits.

use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{RuleId, Severity};

pub(super) const MIN_CALLS: Threshold = Threshold {
    rule: RuleId::MissingBatch,
    key: "min-calls",
    unit: ThresholdUnit::Count,
    default: 5.0,
    about: "executions in one unit of work from which it counts",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::MissingBatch,
    severity: Severity::Error,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "rows are written one statement each",
    condition: "Recorded by `pgproof record` or read from logs by `pgproof trace`: one unit of work executes an INSERT, UPDATE, DELETE or \
        MERGE min-calls times and more with values of its own each time. An error where the values came from the rows of a query before \
        it, else a warning.",
    why: "Every row pays a round trip and a statement of its own, and outside a transaction a commit with its flush to disk.",
    advice: "Write them with one statement: rows of VALUES, unnest of arrays, or COPY.",
    bad: "INSERT INTO items (order_id, product_id) VALUES ($1, $2);  -- 200 times",
    good: "INSERT INTO items (order_id, product_id) SELECT * FROM unnest($1::bigint[], $2::bigint[]);",
    thresholds: &[MIN_CALLS],
    check: Check::Elsewhere,
};
