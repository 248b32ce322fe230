//! `duplicate-query`: one unit of work asks the same question again and again. Found by the trace analysis; here stand its words
//! and limits.

use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{RuleId, Severity};

pub(super) const MIN_CALLS: Threshold = Threshold {
    rule: RuleId::DuplicateQuery,
    key: "min-calls",
    unit: ThresholdUnit::Count,
    default: 5.0,
    about: "executions in one unit of work from which it counts",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::DuplicateQuery,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "one unit of work asks the same again and again",
    condition: "Recorded by `pgproof record` or read from logs by `pgproof trace`: one request, job, transaction or burst of a session \
        executes a query min-calls times and more, and at most a fifth of the executions have values that did not come before. Quiet for \
        what comes at longer intervals, as polling does.",
    why: "The answer was there already: each further execution pays a round trip, planning and a snapshot for it.",
    advice: "Keep the row for the length of the request, or pass it on.",
    bad: "SELECT * FROM settings WHERE tenant_id = 7;  -- 40 times in one request",
    good: "SELECT * FROM settings WHERE tenant_id = 7;  -- once, kept with the request",
    thresholds: &[MIN_CALLS],
    check: Check::Elsewhere,
};
