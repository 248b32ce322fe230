//! `missing-index`: an index that was built and measured. The advisor finds it; here stand its words and limits.

use crate::finding::{RuleId, Severity};

use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};

/// Pages that an index must save.
pub const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::MissingIndex,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 500.0,
    about: "an index is advised only if it saves at least so many pages a call",
};

/// Share of the pages that may be left.
pub const MAX_SHARE: Threshold = Threshold {
    rule: RuleId::MissingIndex,
    key: "max-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "an index is advised only if at most this share of the pages is left",
};

/// Time that a foreign key's check must save.
pub const MIN_CHECK_TIME: Threshold = Threshold {
    rule: RuleId::MissingIndex,
    key: "min-check-time",
    unit: ThresholdUnit::Millis,
    default: 5.0,
    about: "an index for a foreign key's checks is advised only if it saves at least this time a call",
};

/// The rule.
pub const RULE: Rule = Rule {
    id: RuleId::MissingIndex,
    severity: Severity::Error,
    depth: Some(0),
    is_work_of_each_call: true,
    without_rows: WithoutRows::NoWorse,
    summary: "an index that does not exist would save most of the query's work, as building it showed",
    condition: "Candidates come from the executed plans: columns that equal something, then the order's or the range's, \
                join columns, constant conditions as partial indexes. Each is built on a private copy of the data in a \
                transaction that rolls back, and the queries run with it. It fires when the pages touched fall to \
                max-share or less, by at least min-pages, and the time is not worse. It stays quiet when an existing \
                index does the same, when the condition keeps much of the table, and when the planner does not use the \
                index. Of overlapping indexes the smallest that does the work is advised, once for the whole catalog.",
    why: "Without the index every call reads the table's other rows to find its few. The work grows with the table: ten \
          times the rows, ten times the pages for every call, until it does not fit in memory.",
    advice: "Create the index (CONCURRENTLY on a table that is in use) in a migration. The finding has the complete \
             statement, with what was measured before and after.",
    bad: "SELECT * FROM payments WHERE provider = $1 AND status = 'failed' ORDER BY created_at DESC LIMIT 100;",
    good: "CREATE INDEX ON payments (provider, status, created_at);",
    thresholds: &[MIN_PAGES, MAX_SHARE, MIN_CHECK_TIME],
    check: Check::Elsewhere,
};
