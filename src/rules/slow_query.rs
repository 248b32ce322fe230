//! `slow-query`: every execution took longer than the limit.

use super::context::{QueryContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit};
use crate::catalog::Command;
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::run::{Outcome, Run};
use crate::units::Millis;

const MAX_TIME: Threshold = Threshold {
    rule: RuleId::SlowQuery,
    key: "max-time",
    unit: ThresholdUnit::Millis,
    default: 1000.0,
    about: "longest execution that is acceptable",
};
const ONE_FACTOR: Threshold = Threshold {
    rule: RuleId::SlowQuery,
    key: "one-factor",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "part of max-time that a query for one row (:one) may take",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::SlowQuery,
    severity: Severity::Error,
    summary: "a query takes longer than the limit",
    condition: "The fastest of a parameter set's runs took longer than max-time (times one-factor for :one queries). One slow \
        run is noise and says nothing.",
    why: "A query holds its connection while it runs. At a pool of 20 connections, 20 of these at once stop every other request.",
    advice: "Look at the finding that names the node; where there is none, the query does too much work for one request.",
    bad: "SELECT customer_id, sum(total) FROM orders GROUP BY 1;  -- on every page view",
    good: "SELECT customer_id, total FROM order_totals;           -- kept by a job",
    thresholds: &[MAX_TIME, ONE_FACTOR],
    check: Check::Query(check),
};

fn check(context: &QueryContext<'_>) -> Vec<Finding> {
    let mut limit = context.limit(&MAX_TIME);
    if context.query.command == Command::One {
        limit *= context.limit(&ONE_FACTOR);
    }
    let slowest = context.runs.runs.iter().filter_map(|run| Some((run, fastest(run)?)));
    let Some((run, time)) = slowest.max_by(|a, b| a.1.0.total_cmp(&b.1.0)).filter(|(_, time)| time.0 > limit) else {
        return Vec::new();
    };
    let evidence = Evidence { run: Some(run.label.clone()), ..Evidence::default() }
        .with("time_ms", Quantity::Millis(time))
        .with("max_time_ms", Quantity::Millis(Millis(limit)));
    let words = Words {
        message: format!("takes {time} at best ({}), the limit is {}", run.label, Millis(limit)),
        why: "It holds its connection for all that time; enough of them at once leave no connection for anyone else."
            .to_owned(),
        advice: "Mend the node that takes the time (see the plan), or move the work out of the request.".to_owned(),
    };
    vec![context.finding(RuleId::SlowQuery, Severity::Error, evidence, words)]
}

/// The fastest sample: what the query takes when nothing disturbs it.
fn fastest(run: &Run) -> Option<Millis> {
    match &run.outcome {
        Outcome::Completed { samples } => {
            samples.iter().map(|sample| sample.execution).min_by(|a, b| a.0.total_cmp(&b.0))
        }
        Outcome::TimedOut { .. } | Outcome::Estimated => None,
    }
}
