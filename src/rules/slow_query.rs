//! `slow-query`: every execution took longer than the limit.

use super::context::{QueryContext, Words, Work, heaviest_in_words};
use super::{Check, Policy, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::catalog::{Command, Query};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::run::Run;
use crate::units::{Millis, Rows};

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
    depth: Some(9),
    is_work_of_each_call: false,
    without_rows: WithoutRows::UnderNotProven,
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

/// The longest time that is acceptable: the query's own `@budget`, else the rule's limit.
#[must_use]
pub fn longest_acceptable(query: &Query, policy: &Policy) -> Millis {
    query
        .budget
        .time
        .unwrap_or_else(|| Millis(policy.limit(&MAX_TIME)))
}

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
        let usual = |run: &Run| !run.id.is_of_a_wide_range();
        usual(a.0)
            .cmp(&usual(b.0))
            .then((!a.0.is_generic()).cmp(&!b.0.is_generic()))
            .then(a.1.0.total_cmp(&b.1.0))
    }) else {
        return Vec::new();
    };
    let evidence = Evidence {
        run: Some(run.id.clone()),
        ..Evidence::default()
    }
    .with("time_ms", Quantity::Millis(time))
    .with("max_time_ms", Quantity::Millis(Millis(limit)));
    let words = Words {
        message: format!("takes {time} at best ({}), the limit is {}", run.id, Millis(limit)),
        why: "It holds its connection for all that time; enough of them at once leave no connection for anyone else."
            .to_owned(),
        advice: advice(run),
    };
    vec![context.finding(RuleId::SlowQuery, Severity::Error, evidence, words)]
}

fn advice(run: &Run) -> String {
    /// A write of as many rows is a batch job, whatever its plan.
    const MANY: f64 = 10_000.0;
    if let Some(rows) = run.rows_written().filter(|rows| *rows >= MANY) {
        return format!(
            "It changes {} in one statement: change them in batches by key, each with a COMMIT of its own, outside the request.",
            Rows(rows)
        );
    }
    let place = heaviest_in_words(&run.plan, Work::Time)
        .unwrap_or_else(|| "the node that takes the time".to_owned());
    format!("Begin at {place}, or move the work out of the request.")
}

#[cfg(test)]
mod tests {
    use crate::finding::{Finding, RuleId};
    use crate::rules::given_plan::judged;

    fn slow(findings: &[Finding]) -> &Finding {
        let all = findings
            .iter()
            .flat_map(|found| std::iter::once(found).chain(&found.symptoms));
        let mut slow = all.filter(|found| found.rule == RuleId::SlowQuery);
        slow.next().unwrap()
    }

    #[test]
    fn what_explains_the_time_stands_above_it() {
        let findings = judged(
            "Index Scan using parcels_sent on parcels  (cost=0.43..9000.00 rows=20000 width=80) (actual time=9.100..7421.300 rows=20000 loops=1)\n  \
             Index Cond: (sent > '2025-03-01'::date)\n  Buffers: shared hit=90 read=21000\n  I/O Timings: shared read=7300.000\n\
             Execution Time: 7460.200 ms\n",
        );
        let rules: Vec<RuleId> = findings.iter().map(|found| found.rule).collect();
        assert_eq!(rules, [RuleId::IoBound]);
        assert_eq!(findings[0].symptoms[0].rule, RuleId::SlowQuery);
    }

    #[test]
    fn it_points_at_the_time_and_not_at_the_pages() {
        let findings = judged(
            "Nested Loop  (cost=0.00..1000.00 rows=50 width=8) (actual time=0.100..6100.000 rows=9000000 loops=1)\n  Buffers: shared hit=5010\n  \
             ->  Seq Scan on lanes  (cost=0.00..20.00 rows=3000 width=4) (actual time=0.010..1.000 rows=3000 loops=1)\n        Buffers: shared hit=10\n  \
             ->  Materialize  (cost=0.00..500.00 rows=3000 width=4) (actual time=0.001..0.400 rows=3000 loops=3000)\n        Buffers: shared hit=5000\n        \
             ->  Seq Scan on ports  (cost=0.00..400.00 rows=3000 width=4) (actual time=0.010..12.000 rows=3000 loops=1)\n              \
             Buffers: shared hit=5000\nExecution Time: 6150.000 ms\n",
        );
        let advice = &slow(&findings).advice;
        assert!(
            advice.starts_with("Begin at Nested Loop (80 % of its time)"),
            "{advice}"
        );
    }

    #[test]
    fn a_trigger_takes_time_that_no_node_shows() {
        let findings = judged(
            "Update on crates  (cost=0.43..8.45 rows=0 width=0) (actual time=30.000..30.000 rows=0 loops=1)\n  \
             ->  Index Scan using crates_pkey on crates  (cost=0.43..8.45 rows=700 width=10) (actual time=0.050..2.000 rows=700 loops=1)\n        \
             Index Cond: (id < 700)\nTrigger log_crate: time=2900.000 calls=700\nExecution Time: 2950.000 ms\n",
        );
        let advice = &slow(&findings).advice;
        assert!(
            advice.starts_with("Begin at the trigger log_crate (98 % of its time)"),
            "{advice}"
        );
    }

    #[test]
    fn a_write_of_many_rows_is_a_job_for_batches() {
        let findings = judged(
            "Update on crates  (cost=0.00..8000.00 rows=0 width=0) (actual time=4000.000..4000.000 rows=0 loops=1)\n  \
             ->  Seq Scan on crates  (cost=0.00..8000.00 rows=120000 width=10) (actual time=0.050..90.000 rows=120000 loops=1)\n\
             Execution Time: 4010.000 ms\n",
        );
        let advice = &slow(&findings).advice;
        assert!(
            advice.starts_with("It changes 120,000 rows in one statement"),
            "{advice}"
        );
    }

    #[test]
    fn a_plan_without_its_summary_ran_all_the_same() {
        let findings = judged(
            "Sort  (cost=1.00..2.00 rows=10 width=4) (actual time=2500.000..2600.000 rows=10 loops=1)\n  Sort Key: a\n  \
             ->  Seq Scan on t  (cost=0.00..1.00 rows=10 width=4) (actual time=0.010..20.000 rows=10 loops=1)\n",
        );
        assert!(slow(&findings).message.starts_with("takes 2.60 s"));
        let planned = judged("Seq Scan on t  (cost=0.00..90000.00 rows=10 width=4)\n");
        assert!(planned.iter().all(|found| found.rule != RuleId::SlowQuery));
    }
}
