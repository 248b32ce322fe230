//! `loop-in-function`: a function executes a statement again and again within one statement of the client's. Found by the trace
//! analysis; here stand its words and limits.

use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{RuleId, Severity};

pub(super) const MIN_CALLS: Threshold = Threshold {
    rule: RuleId::LoopInFunction,
    key: "min-calls",
    unit: ThresholdUnit::Count,
    default: 5.0,
    about: "executions within one statement of the client's from which it counts",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::LoopInFunction,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a function executes a statement again and again",
    condition: "Seen by `pgproof record` on the embedded server, or in logs with auto_explain.log_nested_statements: one statement of the \
        client's makes a function, a trigger or a policy's function execute one statement of its body min-calls times and more. Quiet \
        where it is the same number, 20 at most, for each of several calls: a fixed number of steps. Quiet for what the server itself \
        executes for foreign keys.",
    why: "The number of executions grows with the rows that the function goes through: each starts the executor and takes a snapshot, and none \
        of them can be joined by hash or merge.",
    advice: "Let one statement do it for all rows: join the loop's query, or INSERT … SELECT and UPDATE … FROM; of a trigger for each row make \
        one for each statement, which reads its transition table.",
    bad: "FOR o IN SELECT id FROM orders LOOP SELECT sum(price) INTO s FROM lines WHERE order_id = o.id; … END LOOP;",
    good: "SELECT o.id, sum(l.price) FROM orders o JOIN lines l ON l.order_id = o.id GROUP BY o.id;",
    thresholds: &[MIN_CALLS],
    check: Check::Elsewhere,
};
