//! `slow-serialization`: making the rows' text costs more than finding the rows.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::NodeId;
use crate::units::Millis;

const MIN_TIME: Threshold = Threshold {
    rule: RuleId::SlowSerialization,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 100.0,
    about: "time for making the rows' text below which it does not matter",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::SlowSerialization,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "that time as a part of the execution",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::SlowSerialization,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "making the rows' text costs more than finding the rows",
    condition: "`Serialization: time` of EXPLAIN (SERIALIZE), from 17 on, is min-time or more and min-share of the execution.",
    why: "Large values are fetched from TOAST, decompressed and printed for every row, whether the client reads them or not.",
    advice: "Select the columns that are used; fetch large values by key for the rows that are shown.",
    bad: "SELECT * FROM documents WHERE folder_id = $1;  -- with their bodies",
    good: "SELECT id, title, updated_at FROM documents WHERE folder_id = $1;",
    thresholds: &[MIN_TIME, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    judge(context).into_iter().collect()
}

fn judge(context: &RunContext<'_>) -> Option<Finding> {
    let plan = context.plan();
    let serialization = plan.serialization?;
    let (Millis(spent), Millis(execution)) = (serialization.time_ms?, plan.execution_ms?);
    if spent < context.limit(&MIN_TIME) || spent < execution * context.limit(&MIN_SHARE) {
        return None;
    }
    let evidence = context
        .evidence(NodeId(0))
        .with("time_ms", Quantity::Millis(Millis(spent)))
        .with("query_time_ms", Quantity::Millis(Millis(execution)))
        .with("result_bytes", Quantity::Bytes(serialization.output));
    let words = Words {
        message: format!(
            "making the text of {} takes {} of {}",
            serialization.output,
            Millis(spent),
            Millis(execution)
        ),
        why: "Large values are fetched from TOAST, decompressed and printed for every row; the network comes on top.".to_owned(),
        advice: "Select the columns that are used, and fetch large values by key for the rows that are shown; binary results spare \
                 printing numbers and dates."
            .to_owned(),
    };
    Some(context.finding(
        RuleId::SlowSerialization,
        Severity::Warning,
        evidence,
        words,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn found(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    fn sent(milliseconds: f64) -> String {
        format!(
            "Seq Scan on documents  (cost=0.0..90.0 rows=900 width=900) (actual time=0.1..21.0 rows=900 loops=1)\n\
             Planning Time: 0.2 ms\nSerialization: time={milliseconds:.3} ms  output=91000kB  format=text\nExecution Time: 440.0 ms\n"
        )
    }

    #[test]
    fn rows_that_are_found_sooner_than_printed() {
        let large = found(&sent(400.0));
        assert_eq!(large.len(), 1);
        assert!(
            large[0]
                .message
                .starts_with("making the text of 89 MB takes 400 ms of 440 ms"),
            "{}",
            large[0].message
        );
        assert_eq!(found(&sent(60.0)), []);
    }

    #[test]
    fn printing_takes_half_of_the_time_and_a_tenth_of_a_second() {
        assert_eq!(
            (found(&sent(220.0)).len(), found(&sent(219.9)).len()),
            (1, 0)
        );
        let short = |milliseconds| found(&sent(milliseconds).replace("440.0", "150.0")).len();
        assert_eq!((short(100.0), short(99.9)), (1, 0));
    }
}
