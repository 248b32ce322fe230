//! `io-bound`: a query waits for the disk for most of its time.

use super::context::{RunContext, Words, pages_in_words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, NodeKind, Plan, label};
use crate::units::{Millis, Pages};

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::IoBound,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "share of the execution that is spent in reads",
};
const MIN_TIME: Threshold = Threshold {
    rule: RuleId::IoBound,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 100.0,
    about: "time in reads below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::IoBound,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a query waits for the disk for most of its time",
    condition: "Reads of pages took min-share of the execution and at least min-time, as track_io_timing has measured. Of a parallel \
        plan each process counts by its share.",
    why: "The pages were in no cache. How long it takes depends on the disk and on who else uses it.",
    advice: "Read fewer pages: an index that holds the columns, rows that stand in the order of the index. Else more memory.",
    bad: "SELECT * FROM orders WHERE created_at > $1;  -- each row on a page of its own, none of them in the cache",
    good: "CLUSTER orders USING orders_created_at_idx;",
    thresholds: &[MIN_SHARE, MIN_TIME],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    judge(context).into_iter().collect()
}

/// Time in reads and pages read of a node alone, as wall time of its processes.
fn own_reads(context: &RunContext<'_>, id: NodeId) -> Option<(f64, u64)> {
    let plan = context.plan();
    let of = |id: NodeId| {
        let buffers = plan.node(id).buffers?;
        Some((buffers.shared_read_ms?.0, buffers.shared_read))
    };
    let (time, pages) = of(id)?;
    let below = plan.node(id).children.iter().filter_map(|child| of(*child));
    let (below_time, below_pages) = below.fold((0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let processes = context.metrics.node(id).processes.max(1.0);
    let own = (time - below_time).max(0.0) / processes;
    Some((own, pages.saturating_sub(below_pages)))
}

fn judge(context: &RunContext<'_>) -> Option<Finding> {
    let plan = context.plan();
    let total = plan.execution_ms?;
    let reads: Vec<(NodeId, f64, u64)> = plan
        .ids()
        .filter_map(|id| own_reads(context, id).map(|(time, pages)| (id, time, pages)))
        .collect();
    let time: f64 = reads.iter().map(|(_, time, _)| time).sum();
    let pages = Pages(reads.iter().map(|(_, _, pages)| pages).sum());
    if time < context.limit(&MIN_TIME) || time < total.0 * context.limit(&MIN_SHARE) {
        return None;
    }
    let (worst, ..) = *reads.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let evidence = context
        .evidence(worst)
        .with("read_ms", Quantity::Millis(Millis(time)))
        .with("read_pages", Quantity::Pages(pages));
    let words = Words {
        message: format!(
            "{} of {total} are spent in reading {}, {} each, most of it at {}",
            Millis(time),
            pages_in_words(pages),
            Millis(time / pages.0.max(1) as f64),
            label(plan.node(worst))
        ),
        why: "The pages were in no cache: the time depends on the disk, and on who else uses it."
            .to_owned(),
        advice: remedy(plan, worst).to_owned(),
    };
    Some(context.finding(
        RuleId::IoBound,
        Severity::Warning,
        context.with_cost(evidence, worst),
        words,
    ))
}

fn remedy(plan: &Plan, worst: NodeId) -> &'static str {
    match plan.node(worst).kind {
        NodeKind::IndexScan => {
            "An index scan reads one page after the other, in the index's order: let the index hold the columns (INCLUDE), or CLUSTER \
             the table by it, so that the rows of one range stand together."
        }
        NodeKind::BitmapHeapScan => {
            "Raise effective_io_concurrency, so that pages are asked for ahead; or CLUSTER the table, so that the rows stand together."
        }
        _ => {
            "Read fewer pages, or keep the table in memory (shared_buffers, pg_prewarm after a restart)."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn findings(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    /// The first run after a restart, with the operating system's cache dropped.
    const COLD: &str = "\
Aggregate  (cost=15908.77..15908.78 rows=1 width=32) (actual time=169.408..169.410 rows=1.00 loops=1)
  Buffers: shared hit=5990 read=3735
  I/O Timings: shared read=116.715
  ->  Index Scan using orders_customer_id_idx on orders  (cost=0.29..15793.79 rows=45992 width=6) (actual time=0.189..156.768 rows=45995.00 loops=1)
        Index Cond: (customer_id < 1500)
        Index Searches: 1
        Buffers: shared hit=5990 read=3735
        I/O Timings: shared read=116.715
Planning Time: 2.186 ms
Execution Time: 169.505 ms
";

    #[test]
    fn reads_that_take_most_of_the_time_are_told() {
        let found = findings(COLD);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .message
                .starts_with("117 ms of 170 ms are spent in reading 3,735 pages"),
            "{}",
            found[0].message
        );
        assert!(
            found[0]
                .message
                .ends_with("at Index Scan using orders_customer_id_idx on orders")
        );
    }

    #[test]
    fn the_second_run_reads_nothing() {
        let warm = COLD
            .replace("  I/O Timings: shared read=116.715\n", "")
            .replace("hit=5990 read=3735", "hit=9725")
            .replace("169.408..169.410", "52.388..52.390")
            .replace("0.189..156.768", "0.021..36.560")
            .replace("169.505", "52.470");
        assert_eq!(findings(&warm).len(), 0);
    }

    #[test]
    fn reads_take_half_of_the_time_and_a_tenth_of_a_second() {
        let number = |reads: &str, execution: &str| {
            let text = COLD
                .replace("=116.715", reads)
                .replace("169.505", execution);
            findings(&text).len()
        };
        assert_eq!(
            (number("=100.0", "190.0"), number("=99.9", "190.0")),
            (1, 0)
        );
        assert_eq!(
            (number("=100.0", "200.0"), number("=100.0", "200.1")),
            (1, 0)
        );
    }
}
