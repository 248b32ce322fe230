//! `stale-statistics`: the planner is wrong about the size of a whole table.

use super::context::{RunContext, Words};
use super::scans;
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::NodeKind;
use crate::units::Rows;

const MIN_FACTOR: Threshold = Threshold {
    rule: RuleId::StaleStatistics,
    key: "min-factor",
    unit: ThresholdUnit::Ratio,
    default: 3.0,
    about: "how many times the rows of the whole table differ from what was expected",
};
const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::StaleStatistics,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "rows, expected or read, below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::StaleStatistics,
    severity: Severity::Warning,
    depth: Some(2),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "the planner is wrong about the size of a whole table",
    condition: "A Seq Scan without a filter, read to its end, of min-rows or more (expected or read) whose count is min-factor times off. \
        Nothing is estimated there but rows a page: the statistics are old, or the table is bloated.",
    why: "Every plan for the table starts from that number: joins, sorts and memory are chosen for a table of another size.",
    advice: "ANALYZE the table; after bulk loads and deletes do it in the same job, and let autovacuum come more often.",
    bad: "COPY readings FROM …;  -- and queries at once",
    good: "COPY readings FROM …; ANALYZE readings;",
    thresholds: &[MIN_FACTOR, MIN_ROWS],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for scan in scans::all(context) {
        let is_whole = scan.node.kind == NodeKind::SeqScan
            && scan.parts.len() == 1
            && scan.node.conditions.filter.is_none()
            && !context.metrics.node(scan.id).may_have_stopped;
        // Each process is expected to read its part; how many there would be is guessed too.
        let processes = context.metrics.node(scan.id).processes;
        // The audit runs the statement several times: what rolls back leaves pages of dead rows.
        if context.is_written(scan.node) {
            continue;
        }
        let Some(expected) = scan.node.estimate.expected_rows().filter(|_| is_whole) else {
            continue;
        };
        let (expected, came) = (expected.0, scan.rows / scan.passes.max(1.0));
        let factor = expected.max(came).max(1.0) / expected.min(came).max(1.0);
        if processes > 1.0
            || factor < context.limit(&MIN_FACTOR)
            || expected.max(came) < context.limit(&MIN_ROWS)
        {
            continue;
        }
        let relation = context
            .relation_name(scan.node)
            .unwrap_or_else(|| "the table".to_owned());
        let bloat = if expected > came {
            format!(
                " Where that changes nothing, its pages are mostly empty: VACUUM FULL or pg_repack {relation}."
            )
        } else {
            String::new()
        };
        let words = Words {
            message: format!(
                "{relation} has {}, the planner expects {}",
                Rows(came),
                Rows(expected)
            ),
            why: "No condition is estimated here: its statistics are from another time, and every plan for it starts from them.".to_owned(),
            advice: format!("ANALYZE {relation};{bloat}"),
        };
        let evidence = context
            .evidence(scan.id)
            .with("expected_rows", Quantity::Rows(expected))
            .with("actual_rows", Quantity::Rows(came));
        findings.push(context.finding(RuleId::StaleStatistics, Severity::Warning, evidence, words));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn found(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    fn scan(expected: u32, came: u32, filter: &str) -> String {
        format!(
            "Seq Scan on readings  (cost=0.0..900.0 rows={expected} width=12) (actual time=0.1..31.0 rows={came} loops=1)\n{filter}\
             Execution Time: 40.0 ms\n"
        )
    }

    #[test]
    fn a_table_of_another_size() {
        let grown = found(&scan(9_000, 400_000, ""));
        assert_eq!(grown.len(), 1);
        assert_eq!(
            grown[0].message,
            "readings has 400,000 rows, the planner expects 9,000 rows"
        );
        assert_eq!(grown[0].advice, "ANALYZE readings;");
        assert!(
            found(&scan(400_000, 9_000, ""))[0]
                .advice
                .contains("VACUUM FULL")
        );
    }

    #[test]
    fn what_a_condition_lets_through_is_no_size() {
        let filter = "  Filter: (unit = 5)\n  Rows Removed by Filter: 10\n";
        assert_eq!(found(&scan(9_000, 400_000, filter)), []);
        assert_eq!(found(&scan(300_000, 400_000, "")), []);
        assert_eq!(found(&scan(10, 400, "")), []);
    }

    #[test]
    fn a_table_has_three_times_the_rows_and_ten_thousand() {
        let number = |expected, came| found(&scan(expected, came, "")).len();
        assert_eq!((number(5_000, 15_000), number(5_000, 14_999)), (1, 0));
        assert_eq!((number(3_000, 10_000), number(3_000, 9_999)), (1, 0));
    }
}
