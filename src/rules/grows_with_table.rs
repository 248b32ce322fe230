//! `grows-with-table`: a query that is asked often does work that grows with its tables. The growth is measured at several sizes
//! elsewhere (`lab::growth`); here stand the words.

use super::context::{Words, finding as plain, pages_in_words};
use super::{Check, Policy, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::catalog::{Command, Query};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::lab::growth::{Class, CliffLimit, RunGrowth};
use crate::lab::outlook::rounded;
use crate::plan::NodeKind;
use crate::run::Run;
use crate::units::{Count, Pages};

const MIN_EXPONENT: Threshold = Threshold {
    rule: RuleId::GrowsWithTable,
    key: "min-exponent",
    unit: ThresholdUnit::Ratio,
    default: 0.8,
    about: "exponent from which on work counts as growing with the table: 1 is in proportion to it",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::GrowsWithTable,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "pages that the query touches at the size that was asked for",
};
const MIN_CALLS: Threshold = Threshold {
    rule: RuleId::GrowsWithTable,
    key: "min-calls",
    unit: ThresholdUnit::Count,
    default: 1.0,
    about: "calls a second (`@calls`) from which on a query is one that is asked often",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::GrowsWithTable,
    severity: Severity::Error,
    depth: None,
    is_work_of_each_call: true,
    without_rows: WithoutRows::Counts,
    summary: "a query's work grows with its tables",
    condition: "`pgproof growth` ran the query at several sizes, and the pages that it touches grow with the rows of the largest \
                table with an exponent of at least min-exponent, to min-pages or more at the size that was asked for. An error \
                where the query is asked often: `@calls` of at least min-calls a second, a query for one row (:one), or one with \
                a LIMIT. Of others it is a note: a report reads what it reports on.",
    why: "What takes milliseconds today takes seconds when there are a hundred times as many rows, and nothing in between says so.",
    advice: "Let an index find the rows that the query returns, or keep what it counts in a table of its own.",
    bad: "SELECT count(*) FROM orders WHERE customer_id = $1;  -- :one; every order of the customer, more each day",
    good: "SELECT orders FROM customer_totals WHERE customer_id = $1;",
    thresholds: &[MIN_EXPONENT, MIN_PAGES, MIN_CALLS],
    check: Check::Elsewhere,
};

/// A finding where a query's growth is one to act on, or to know of. `run` is the one at the largest size that was measured.
#[must_use]
pub fn finding(query: &Query, growth: &RunGrowth, run: &Run, policy: &Policy) -> Option<Finding> {
    let exponent = growth.exponent?.value;
    let last = growth.points.last()?;
    let expected = growth
        .predicted
        .map_or(last.pages.0 as f64, |predicted| predicted.pages.high);
    if exponent < policy.limit(&MIN_EXPONENT) || expected < policy.limit(&MIN_PAGES) {
        return None;
    }
    let severity = if is_asked_often(query, run, policy) {
        Severity::Error
    } else {
        Severity::Info
    };
    let severity = policy.severity(RuleId::GrowsWithTable, severity)?;
    let mut evidence = Evidence {
        run: Some(run.id.clone()),
        ..Evidence::default()
    }
    .with("exponent", Quantity::Ratio(exponent))
    .with("query_pages", Quantity::Pages(last.pages))
    .with("rows_of_largest_table", Quantity::Rows(last.rows));
    if let Some(predicted) = growth.predicted {
        evidence = evidence
            .with(
                "predicted_pages",
                Quantity::Pages(Pages(predicted.pages.high as u64)),
            )
            .with(
                "predicted_rows_of_largest_table",
                Quantity::Rows(predicted.rows),
            );
    }
    let words = Words {
        message: message(growth, exponent),
        why: format!(
            "{}: it touched {} at {} rows of the largest table.",
            growth.class.words(),
            pages_in_words(last.pages),
            Count(last.rows)
        ),
        advice: advice(growth.class).to_owned(),
    };
    Some(plain(
        RuleId::GrowsWithTable,
        severity,
        Some(query.name.clone()),
        Some(query.location()),
        evidence,
        words,
    ))
}

fn is_asked_often(query: &Query, run: &Run, policy: &Policy) -> bool {
    let calls = query.calls_per_second.unwrap_or(0.0);
    calls >= policy.limit(&MIN_CALLS)
        || query.command == Command::One
        || run.plan.root().kind == NodeKind::Limit
}

fn message(growth: &RunGrowth, exponent: f64) -> String {
    let mut message = format!("its pages grow with the table to the power of {exponent:.2}");
    if let Some(predicted) = growth.predicted {
        message.push_str(&format!(
            ": {} to {} pages at {} rows",
            Count(predicted.pages.low),
            Count(predicted.pages.high),
            Count(predicted.rows)
        ));
    }
    if let Some(cliff) = growth.cliff {
        let limit = match cliff.limit {
            CliffLimit::Pages(pages) => pages_in_words(pages),
            CliffLimit::Time(time) => time.to_string(),
        };
        message.push_str(&format!(
            "; it passes {limit} at about {} rows",
            Count(rounded(cliff.rows))
        ));
    }
    message
}

const fn advice(class: Class) -> &'static str {
    match class {
        Class::Superlinear => {
            "Find the join or subquery that runs again for each row of a growing side, and give it an index or turn it into one join."
        }
        Class::Constant | Class::Sublinear | Class::Linear => {
            "Let an index find the rows that are returned, or keep what is counted in a table of its own."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::growth::{Exponent, Point};
    use crate::plan::parse;
    use crate::units::Millis;

    fn run() -> Run {
        let text = "Aggregate  (cost=0.00..1.00 rows=1 width=4)\n";
        let plan = parse::any(text).unwrap().remove(0);
        Run::given(plan, text.to_owned())
    }

    fn query(command: Command) -> Query {
        let mut query = Query::of_text("q".to_owned(), "q.sql".into(), 1, "SELECT 1".to_owned());
        query.command = command;
        query
    }

    fn growth(exponent: f64, pages: u64) -> RunGrowth {
        RunGrowth {
            query: "q".to_owned(),
            parameters: "typical".to_owned(),
            points: vec![Point {
                rows: 1e6,
                pages: Pages(pages),
                temp_pages: Pages(0),
                time_ms: Millis(5.0),
            }],
            exponent: Some(Exponent {
                value: exponent,
                low: exponent,
                high: exponent,
            }),
            class: Class::of(exponent),
            predicted: None,
            cliff: None,
            changes: Vec::new(),
            confirmation: None,
        }
    }

    #[test]
    fn what_is_asked_often_must_not_grow() {
        let policy = Policy::default();
        let severity = |command, exponent, pages| {
            finding(&query(command), &growth(exponent, pages), &run(), &policy)
                .map(|found| found.severity)
        };
        assert_eq!(severity(Command::One, 1.0, 5000), Some(Severity::Error));
        assert_eq!(severity(Command::Many, 1.0, 5000), Some(Severity::Info));
        assert_eq!(
            severity(Command::One, 0.3, 5000),
            None,
            "slower than the table"
        );
        assert_eq!(severity(Command::One, 1.0, 500), None, "few pages");
    }

    #[test]
    fn growth_is_told_from_its_limits_on() {
        let told = |exponent, pages, calls: Option<f64>| {
            let mut query = query(Command::Many);
            query.calls_per_second = calls;
            finding(&query, &growth(exponent, pages), &run(), &Policy::default())
                .map(|found| found.severity)
        };
        assert!(told(0.8, 1_000, None).is_some());
        assert_eq!(told(0.799, 1_000, None), None);
        assert_eq!(told(0.8, 999, None), None);
        assert_eq!(told(1.0, 5_000, Some(1.0)), Some(Severity::Error));
        assert_eq!(told(1.0, 5_000, Some(0.99)), Some(Severity::Info));
    }
}
