//! `planning-memory`: the planner takes much memory for a statement.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};

const MIN_BYTES: Threshold = Threshold {
    rule: RuleId::PlanningMemory,
    key: "min-bytes",
    unit: ThresholdUnit::Bytes,
    default: 16_777_216.0,
    about: "memory of the planner below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::PlanningMemory,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "the planner takes much memory for a statement",
    condition: "`Memory: used` of EXPLAIN (MEMORY), from 17 on, is min-bytes or more.",
    why: "Every connection that plans it takes as much, beside work_mem, and nothing limits it. Partitions and their indexes are what \
        most of it goes to.",
    advice: "Name the partition key in the query, have fewer partitions, prepare the statement.",
    bad: "SELECT * FROM events WHERE actor = $1;  -- four thousand partitions are planned",
    good: "SELECT * FROM events WHERE actor = $1 AND at >= $2 AND at < $3;",
    thresholds: &[MIN_BYTES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let Some(memory) = plan
        .planning_memory
        .filter(|memory| memory.used.0 as f64 >= context.limit(&MIN_BYTES))
    else {
        return Vec::new();
    };
    let scans = plan.table_scans().count();
    let evidence = Evidence {
        run: Some(context.run.id.clone()),
        ..Evidence::default()
    }
    .with("planning_bytes", Quantity::Bytes(memory.used));
    let evidence = match plan.planning_ms {
        Some(time) => evidence.with("planning_ms", Quantity::Millis(time)),
        None => evidence,
    };
    let time = plan
        .planning_ms
        .map_or_else(String::new, |time| format!(" and {time}"));
    let words = Words {
        message: format!("planning takes {} of memory{time}, for a plan of {}", memory.used, plural(scans)),
        why: "Every connection that plans the statement takes as much, and no setting limits it.".to_owned(),
        advice: "Name the partition key, so that other partitions are not planned; have fewer of them; prepare the statement, so that it \
                 is planned once."
            .to_owned(),
    };
    vec![context.finding(RuleId::PlanningMemory, Severity::Warning, evidence, words)]
}

fn plural(scans: usize) -> String {
    match scans {
        1 => "1 scan".to_owned(),
        number => format!("{number} scans"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn findings(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    fn of_partitions(kilobytes: u32) -> String {
        format!(
            "Index Only Scan using readings_5_pkey on readings_5 readings  (cost=0.15..8.30 rows=1 width=4) (actual time=0.008..0.008 rows=0 \
             loops=1)\n  Index Cond: (unit = 5)\nPlanning:\n  Memory: used={kilobytes}kB  allocated=24712kB\nPlanning Time: 600.638 ms\n\
             Execution Time: 173.946 ms\n"
        )
    }

    #[test]
    fn a_thousand_partitions_take_memory_to_plan() {
        let found = findings(&of_partitions(22_770));
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .message
                .starts_with("planning takes 22 MB of memory and 601 ms"),
            "{}",
            found[0].message
        );
        assert_eq!(findings(&of_partitions(1_681)).len(), 0);
    }

    #[test]
    fn sixteen_megabytes_are_much() {
        let number = |kilobytes| findings(&of_partitions(kilobytes)).len();
        assert_eq!((number(16_384), number(16_383)), (1, 0));
    }
}
