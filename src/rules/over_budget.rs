//! `over-budget`: a query breaks the `@budget` that its author wrote.

use super::context::{QueryContext, Words, Work, heaviest_in_words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::run::{Outcome, Run};
use crate::units::{Count, Millis, Rows};

const TIME_MARGIN: Threshold = Threshold {
    rule: RuleId::OverBudget,
    key: "time-margin",
    unit: ThresholdUnit::Ratio,
    default: 0.25,
    about: "part of the time budget that the fastest run must be over it to be an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::OverBudget,
    severity: Severity::Error,
    depth: Some(9),
    is_work_of_each_call: false,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a query breaks its @budget",
    condition: "With `@budget time=… buffers=… rows=…`: the fastest run took longer than `time`, or a run touched more pages than \
        `buffers`, or returned or changed more rows than `rows`, for any parameter set. A time that is over by no more than \
        time-margin, and nothing else, is a warning: another day, or another machine, may hold it.",
    why: "The budget is what the author promised for production volumes.",
    advice: "Fix the node that takes the time, or raise the budget knowingly.",
    bad: "-- @budget time=50ms buffers=2000\nSELECT * FROM orders WHERE lower(email) = $1;",
    good: "CREATE INDEX ON orders (lower(email));",
    thresholds: &[TIME_MARGIN],
    check: Check::Query(check),
};

/// One broken limit.
struct Broken {
    what: &'static str,
    /// Used over allowed: the worst speaks first.
    factor: f64,
    sentence: String,
    measures: [(&'static str, Quantity); 2],
}

fn check(context: &QueryContext<'_>) -> Vec<Finding> {
    let mut worst: Option<(&Run, Vec<Broken>)> = None;
    for run in context.runs.custom_first() {
        // What plans for the values break is no fault of the generic plan.
        if run.is_generic() && worst.is_some() {
            break;
        }
        let mut broken = broken_limits(context, run);
        broken.sort_by(|a, b| b.factor.total_cmp(&a.factor));
        let factor = |broken: &[Broken]| broken.first().map_or(0.0, |limit| limit.factor);
        if factor(&broken) > worst.as_ref().map_or(0.0, |(_, so_far)| factor(so_far)) {
            worst = Some((run, broken));
        }
    }
    worst
        .into_iter()
        .map(|(run, broken)| finding(context, run, broken))
        .collect()
}

fn broken_limits(context: &QueryContext<'_>, run: &Run) -> Vec<Broken> {
    let budget = &context.query.budget;
    let mut broken = Vec::new();
    let Outcome::Completed { samples } = &run.outcome else {
        return broken;
    };
    let fastest = samples
        .iter()
        .map(|sample| sample.execution.0)
        .fold(f64::INFINITY, f64::min);
    if let Some(Millis(limit)) = budget
        .time
        .filter(|limit| fastest.is_finite() && fastest > limit.0)
    {
        broken.push(Broken {
            what: "time",
            factor: fastest / limit.max(f64::MIN_POSITIVE),
            sentence: format!(
                "takes {} at best, its budget is {}",
                Millis(fastest),
                Millis(limit)
            ),
            measures: [
                ("time_ms", Quantity::Millis(Millis(fastest))),
                ("budget_time_ms", Quantity::Millis(Millis(limit))),
            ],
        });
    }
    let least = samples.iter().map(|sample| sample.blocks).min();
    if let (Some(limit), Some(pages)) = (budget.buffers, least)
        && pages > limit
    {
        broken.push(Broken {
            what: "buffers",
            factor: pages.0 as f64 / limit.0.max(1) as f64,
            sentence: format!("touches {pages}, its budget is {}", Count(limit.0 as f64)),
            measures: [
                ("query_pages", Quantity::Pages(pages)),
                ("budget_pages", Quantity::Pages(limit)),
            ],
        });
    }
    if let (Some(limit), Some(rows)) = (budget.rows, run.rows())
        && rows > limit as f64
    {
        broken.push(Broken {
            what: "rows",
            factor: rows / limit.max(1) as f64,
            sentence: format!(
                "returns {}, its budget is {}",
                Rows(rows),
                Count(limit as f64)
            ),
            measures: [
                ("rows", Quantity::Rows(rows)),
                ("budget_rows", Quantity::Rows(limit as f64)),
            ],
        });
    }
    broken
}

fn finding(context: &QueryContext<'_>, run: &Run, broken: Vec<Broken>) -> Finding {
    let mut evidence = Evidence {
        run: Some(run.id.clone()),
        ..Evidence::default()
    };
    let sentences: Vec<&str> = broken.iter().map(|limit| limit.sentence.as_str()).collect();
    let message = format!("{} ({})", sentences.join("; "), run.id);
    let limits: Vec<&str> = broken.iter().map(|limit| limit.what).collect();
    let margin = 1.0 + context.limit(&TIME_MARGIN);
    let narrow = broken
        .iter()
        .all(|limit| limit.what == "time" && limit.factor <= margin);
    // The worst of the limits says where to look.
    let work = match limits.first() {
        Some(&"time") => Work::Time,
        Some(_) | None => Work::Pages,
    };
    let other = match work {
        Work::Time => Work::Pages,
        Work::Pages => Work::Time,
    };
    let place = heaviest_in_words(&run.plan, work)
        .or_else(|| heaviest_in_words(&run.plan, other))
        .unwrap_or_else(|| "the node that does the work".to_owned());
    let advice = format!(
        "Begin at {place}, or raise `{}` in @budget knowingly.",
        limits.join("`, `")
    );
    for limit in broken {
        for (key, quantity) in limit.measures {
            evidence = evidence.with(key, quantity);
        }
    }
    let severity = if narrow {
        Severity::Warning
    } else {
        Severity::Error
    };
    let why = "The budget says what the callers can bear; past it they wait, time out or retry."
        .to_owned();
    context.finding(
        RuleId::OverBudget,
        severity,
        evidence,
        Words {
            message,
            why,
            advice,
        },
    )
}
