//! `query-rewrite`: another form of a query that returns the same rows for a fraction of the work. The advisor finds it;
//! here stand its words and limits.

use crate::finding::{RuleId, Severity};

use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};

/// Pages that another form must save.
pub const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::QueryRewrite,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 100.0,
    about: "another form is advised only if it saves at least so many pages a call, or most of a long time",
};

/// Share of the work that may be left.
pub const MAX_SHARE: Threshold = Threshold {
    rule: RuleId::QueryRewrite,
    key: "max-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "another form is advised only if at most this share of the pages is left",
};

/// The rule.
pub const RULE: Rule = Rule {
    id: RuleId::QueryRewrite,
    severity: Severity::Error,
    depth: Some(0),
    is_work_of_each_call: true,
    without_rows: WithoutRows::NoWorse,
    summary: "another form of the query returns the same rows for a fraction of the work",
    condition: "A form that is known to be planned better (a range for a date's function, UNION for an OR across tables, NOT \
                EXISTS for NOT IN, several of them for an OR in one, one look-up for each group, a bound beside a keyset's OR, an array's @>, a value of the \
                column's own type, no NULLS LAST on a NOT NULL column) was run on a private copy with every parameter set, \
                returned the same rows, and left at most max-share of the pages (by at least min-pages), or a fifth of a long time.",
    why: "The indexes are there; the query's form keeps the planner from them. Its work grows with the table.",
    advice: "Write the query in the form that the finding shows. It has what was measured before and after.",
    bad: "SELECT count(*) FROM orders WHERE date(placed_at) = $1;",
    good: "SELECT count(*) FROM orders WHERE placed_at >= $1::date AND placed_at < $1::date + 1;",
    thresholds: &[MIN_PAGES, MAX_SHARE],
    check: Check::Elsewhere,
};
