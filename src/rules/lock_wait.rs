//! `lock-wait`: a statement waited for somebody else's lock.

use super::context::{RunContext, Words, pages_in_words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, RuleId, Severity};
use crate::plan::{Node, NodeId, NodeKind, label};
use crate::units::Millis;

const MIN_TIME: Threshold = Threshold {
    rule: RuleId::LockWait,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 500.0,
    about: "time below which it is no wait",
};
const TIME_PER_PAGE: Threshold = Threshold {
    rule: RuleId::LockWait,
    key: "time-per-page",
    unit: ThresholdUnit::Millis,
    default: 10.0,
    about: "time that a page may take on the slowest disk",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::LockWait,
    severity: Severity::Error,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a statement waited for somebody else's lock",
    condition: "A node that writes or locks rows took min-time by itself, and more than time-per-page for each page that it touched, \
        without what its triggers and reads took.",
    why: "Nothing was computed: another transaction held the row. Whoever comes next waits behind both.",
    advice: "Keep transactions short, lock rows in one order, and take jobs with FOR UPDATE SKIP LOCKED.",
    bad: "BEGIN; UPDATE accounts SET balance = 0 WHERE id = 5; -- and then a call to somebody's service",
    good: "UPDATE accounts SET balance = 0 WHERE id = 5; -- COMMIT at once",
    thresholds: &[MIN_TIME, TIME_PER_PAGE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter(|(_, node, _)| matches!(node.kind, NodeKind::ModifyTable | NodeKind::LockRows))
        .filter_map(|(id, node, _)| judge(context, id, node))
        .collect()
}

fn judge(context: &RunContext<'_>, id: NodeId, node: &Node) -> Option<Finding> {
    let metrics = context.metrics.node(id);
    let (time, pages) = (metrics.exclusive?, metrics.exclusive_blocks?);
    // BEFORE triggers run inside of the node.
    let triggers = context.plan().triggers.iter();
    let within: f64 = triggers
        .filter_map(|trigger| trigger.time_ms)
        .map(|time| time.0)
        .sum();
    let reading = node
        .buffers
        .and_then(|buffers| buffers.shared_read_ms)
        .map_or(0.0, |time| time.0);
    let waited = Millis(time.0 - within - reading);
    let at_most = pages.0 as f64 * context.limit(&TIME_PER_PAGE);
    if waited.0 < context.limit(&MIN_TIME).max(at_most) {
        return None;
    }
    let evidence = context.evidence(id);
    let words = Words {
        message: format!(
            "{} took {waited} for {}: it waited for a lock",
            label(node),
            pages_in_words(pages)
        ),
        why: "Another transaction held the rows. It computed nothing meanwhile, and held its own locks.".to_owned(),
        advice: "Find who holds it: log_lock_waits = on, or pg_blocking_pids() while it waits. Keep transactions short, lock rows in one \
                 order, take jobs with FOR UPDATE SKIP LOCKED, and set lock_timeout."
            .to_owned(),
    };
    Some(context.finding(
        RuleId::LockWait,
        Severity::Error,
        context.with_cost(evidence, id),
        words,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn findings(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    const WAITED: &str = "\
Update on countries  (cost=0.00..1.63 rows=0 width=0) (actual time=1007.774..1007.775 rows=0.00 loops=1)
  Buffers: shared hit=3
  ->  Seq Scan on countries  (cost=0.00..1.63 rows=1 width=38) (actual time=0.008..0.017 rows=1.00 loops=1)
        Filter: (code = 'country 3'::text)
        Rows Removed by Filter: 49
        Buffers: shared hit=1
Planning Time: 0.377 ms
Execution Time: 1007.849 ms
";

    #[test]
    fn time_without_pages_is_a_wait() {
        let found = findings(WAITED);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].message,
            "Update on countries took 1.01 s for 2 pages (16 kB): it waited for a lock"
        );
    }

    #[test]
    fn a_row_that_nobody_holds_is_written_at_once() {
        let at_once = WAITED
            .replace("1007.774..1007.775", "0.039..0.039")
            .replace("1007.849", "0.051");
        assert_eq!(findings(&at_once).len(), 0);
    }

    #[test]
    fn what_a_trigger_takes_is_no_wait() {
        let trigger = WAITED.replace(
            "Planning Time",
            "Trigger slow: time=1005.000 calls=1\nPlanning Time",
        );
        assert_eq!(findings(&trigger).len(), 0);
    }

    #[test]
    fn a_wait_is_half_a_second_and_ten_milliseconds_a_page() {
        let waited = |milliseconds: f64, pages: u32| {
            let text = format!(
                "Update on countries  (cost=0.00..1.63 rows=0 width=0) (actual time=0.1..{milliseconds:.3} rows=0.00 loops=1)\n\
                 \x20 Buffers: shared hit={pages}\nExecution Time: {milliseconds:.3} ms\n"
            );
            findings(&text).len()
        };
        assert_eq!((waited(500.0, 1), waited(499.9, 1)), (1, 0));
        assert_eq!((waited(1000.0, 100), waited(999.9, 100)), (1, 0));
    }
}
