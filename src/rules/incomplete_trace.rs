//! `incomplete-trace`: a recording or a log does not hold all that was sent. Found by the trace analysis; here stand its words.

use super::{Check, Rule, WithoutRows};
use crate::finding::{RuleId, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::IncompleteTrace,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a recording or a log does not hold all that was sent",
    condition: "Settings of the server leave statements or their values out (log_min_duration_statement above 0, sampling, \
        log_parameter_max_length), lines of a log are missing, cut off or in a language that is not known, or bytes of a connection were \
        not understood.",
    why: "What is not there cannot be judged: that no loop was found does not say that there is none.",
    advice: "Log every statement for the time of the trace: log_min_duration_statement = 0, log_statement = none, log_duration = off, \
        log_parameter_max_length = -1, and sampling off; or record the application.",
    bad: "log_min_duration_statement = 200ms",
    good: "log_min_duration_statement = 0",
    thresholds: &[],
    check: Check::Elsewhere,
};
