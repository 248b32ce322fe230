//! `slow-query`: every execution took longer than the limit.

use super::context::{QueryContext, Words, heaviest_in_words};
use super::{Check, Rule, Threshold, ThresholdUnit};
use crate::catalog::Command;
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
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

const MARGIN: Threshold = Threshold {
    rule: RuleId::SlowQuery,
    key: "margin",
    unit: ThresholdUnit::Ratio,
    default: 0.25,
    about: "part of the limit that the fastest run must be over it",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::SlowQuery,
    severity: Severity::Error,
    summary: "a query takes longer than the limit",
    condition: "The fastest of a parameter set's runs took longer than max-time (times one-factor for :one queries). One slow \
        run is noise and says nothing. So is what is over the limit by less than margin.",
    why: "A query holds its connection while it runs. At a pool of 20 connections, 20 of these at once stop every other request.",
    advice: "Look at the finding that names the node; where there is none, the query does too much work for one request.",
    bad: "SELECT customer_id, sum(total) FROM orders GROUP BY 1;  -- on every page view",
    good: "SELECT customer_id, total FROM order_totals;           -- kept by a job",
    thresholds: &[MAX_TIME, ONE_FACTOR, MARGIN],
    check: Check::Query(check),
};

fn check(context: &QueryContext<'_>) -> Vec<Finding> {
    let mut limit = context.limit(&MAX_TIME);
    if context.query.command == Command::One {
        limit *= context.limit(&ONE_FACTOR);
    }
    let slow = context
        .runs
        .runs
        .iter()
        .filter_map(|run| Some((run, run.fastest()?)));
    let past = limit * (1.0 + context.limit(&MARGIN));
    let slow = slow.filter(|(_, time)| time.0 > past);
    // What plans for the values break is no fault of the generic plan.
    let Some((run, time)) = slow.max_by(|a, b| {
        (!a.0.is_generic())
            .cmp(&!b.0.is_generic())
            .then(a.1.0.total_cmp(&b.1.0))
    }) else {
        return Vec::new();
    };
    let evidence = Evidence {
        run: Some(run.label.clone()),
        ..Evidence::default()
    }
    .with("time_ms", Quantity::Millis(time))
    .with("max_time_ms", Quantity::Millis(Millis(limit)));
    let place =
        heaviest_in_words(&run.plan).unwrap_or_else(|| "the node that takes the time".to_owned());
    let words = Words {
        message: format!("takes {time} at best ({}), the limit is {}", run.label, Millis(limit)),
        why: "It holds its connection for all that time; enough of them at once leave no connection for anyone else."
            .to_owned(),
        advice: format!("Begin at {place}, or move the work out of the request."),
    };
    vec![context.finding(RuleId::SlowQuery, Severity::Error, evidence, words)]
}
