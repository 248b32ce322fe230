//! `worker-skew`: one process of a parallel plan does nearly all of its work.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{Node, NodeId, NodeKind, Plan};
use crate::units::Millis;

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::WorkerSkew,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.75,
    about: "share of the time of all processes that the busiest one has to take",
};

const MIN_LOST: Threshold = Threshold {
    rule: RuleId::WorkerSkew,
    key: "min-lost-time",
    unit: ThresholdUnit::Millis,
    default: 100.0,
    about: "time that an even distribution would save at least",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::WorkerSkew,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "one process of a parallel plan does nearly all of the work, the others wait for it",
    condition: "A Gather or Gather Merge with at least two workers, below which one process (a worker or the leader) takes min-share \
                of the time of all, so that an even distribution would save min-lost-time. It stays quiet where the workers \
                were not launched (workers-not-launched), and where EXPLAIN shows no workers (it does with VERBOSE).",
    why: "The plan was chosen because its work would be shared. It takes as long as its slowest process, and the others hold their \
          memory and their places meanwhile.",
    advice: "Find out what keeps the work together: one partition, one key of a join, a subplan that only some rows need.",
    bad: "SELECT sum(slow(payload)) FROM events_by_tenant;  -- one partition has nearly all rows",
    good: "SELECT sum(slow(payload)) FROM events_by_day;  -- partitions of about one size",
    thresholds: &[MIN_SHARE, MIN_LOST],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let gathers = context
        .executed()
        .filter(|(_, node, _)| matches!(node.kind, NodeKind::Gather | NodeKind::GatherMerge));
    gathers
        .filter_map(|(id, node, _)| judge(context, id, node))
        .collect()
}

fn judge(context: &RunContext<'_>, gather: NodeId, node: &Node) -> Option<Finding> {
    let plan = context.plan();
    // Run again and again, workers are a few rows apart each time.
    let ran_once = node.actual.is_some_and(|actual| actual.loops == 1.0);
    if !ran_once || node.workers_launched? < 2 {
        return None;
    }
    let shared = plan.outer(gather)?;
    let times = process_times(plan.node(shared))?;
    let all: f64 = times.iter().sum();
    let (busiest, longest) = times
        .iter()
        .enumerate()
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let lost = longest - all / times.len() as f64;
    if *longest < all * context.limit(&MIN_SHARE) || lost < context.limit(&MIN_LOST) {
        return None;
    }
    let who = match busiest {
        0 => "the leader".to_owned(),
        worker => format!("worker {}", worker - 1),
    };
    let evidence = context
        .evidence(gather)
        .with("busiest_ms", Quantity::Millis(Millis(*longest)))
        .with("all_processes_ms", Quantity::Millis(Millis(all)))
        .with("lost_ms", Quantity::Millis(Millis(lost)));
    let words = Words {
        message: format!(
            "{who} takes {} of the {} that {} processes work: the others wait for it",
            Millis(*longest),
            Millis(all),
            times.len()
        ),
        why: "The plan was chosen because its work would be shared. It takes as long as its slowest process.".to_owned(),
        advice: advice(plan, shared).to_owned(),
    };
    Some(context.finding(
        RuleId::WorkerSkew,
        Severity::Warning,
        context.with_cost(evidence, gather),
        words,
    ))
}

/// The time of each process in a node, the leader's first; `None` where the workers are not shown.
fn process_times(node: &Node) -> Option<Vec<f64>> {
    let time = |actual: crate::plan::Actual| Some(actual.total?.0.0 * actual.loops);
    let all = time(node.actual?)?;
    let workers: Vec<f64> = node
        .workers
        .iter()
        .filter_map(|worker| time(worker.actual?))
        .collect();
    if workers.len() < 2 {
        return None;
    }
    let leader = (all - workers.iter().sum::<f64>()).max(0.0);
    Some(std::iter::once(leader).chain(workers).collect())
}

/// By what hands out the work.
fn advice(plan: &Plan, shared: NodeId) -> &'static str {
    let has = |kind: &NodeKind| plan.subtree(shared).any(|id| plan.node(id).kind == *kind);
    if has(&NodeKind::Append) {
        "One part of the Append has most of the work, and a part that is not parallel in itself is one process's: divide that \
         partition, or let its scan be parallel (parallel_workers of the partition, min_parallel_table_scan_size)."
    } else if has(&NodeKind::NestedLoop) {
        "Pages are handed out evenly, and a few of their rows have most of the join's inner rows: join from the other side, or treat that \
         key in a query of its own."
    } else {
        "Pages are handed out evenly, and a few of them hold the rows that cost: let an index find these rows, so that none else are read."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    /// Two workers and a leader, who take so many milliseconds each.
    fn of_times(leader: f64, workers: [f64; 2]) -> Vec<Finding> {
        let mean = (leader + workers[0] + workers[1]) / 3.0;
        let longest = leader.max(workers[0]).max(workers[1]);
        let text = format!(
            "Gather  (cost=1000.00..9000.00 rows=10 width=8) (actual time=0.5..{longest:.3} rows=10 loops=1)\n\
             \x20 Workers Planned: 2\n\
             \x20 Workers Launched: 2\n\
             \x20 ->  Parallel Append  (cost=0.00..8000.00 rows=4 width=8) (actual time=0.1..{mean:.3} rows=3 loops=3)\n\
             \x20       Worker 0:  actual time=0.1..{:.3} rows=3 loops=1\n\
             \x20       Worker 1:  actual time=0.1..{:.3} rows=3 loops=1\n\
             \x20       ->  Seq Scan on large  (cost=0.00..7000.00 rows=9 width=8) (actual time=0.1..{mean:.3} rows=3 loops=3)\n\
             Execution Time: {longest:.3} ms\n",
            workers[0], workers[1]
        );
        given_plan::findings(check, &text)
    }

    #[test]
    fn one_process_that_does_all_is_found() {
        let found = of_times(2.0, [900.0, 4.0]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].message.starts_with("worker 0 takes 900 ms"),
            "{}",
            found[0].message
        );
        assert!(
            found[0].advice.contains("divide that"),
            "{}",
            found[0].advice
        );
        assert!(
            of_times(900.0, [4.0, 2.0])[0]
                .message
                .starts_with("the leader")
        );
    }

    /// As PostgreSQL 15 printed it: nearly all rows are in one partition, whose scan is not parallel.
    #[test]
    fn a_partition_of_one_process_is_found() {
        let text = "\
Finalize Aggregate  (cost=15206.20..15206.22 rows=1 width=8) (actual time=2867.098..2879.209 rows=1 loops=1)
  ->  Gather  (cost=15206.19..15206.20 rows=2 width=8) (actual time=39.872..2879.188 rows=3 loops=1)
        Workers Planned: 2
        Workers Launched: 2
        ->  Partial Aggregate  (cost=15206.19..15206.20 rows=1 width=8) (actual time=973.251..973.254 rows=1 loops=3)
              Worker 0:  actual time=36.614..36.617 rows=1 loops=1
              Worker 1:  actual time=2843.556..2843.558 rows=1 loops=1
              ->  Parallel Append  (cost=0.00..11456.19 rows=250000 width=4) (actual time=0.009..86.176 rows=200000 loops=3)
                    Worker 0:  actual time=0.008..0.980 rows=6000 loops=1
                    Worker 1:  actual time=0.013..256.811 rows=588119 loops=1
                    ->  Seq Scan on public.ev1 ev_1  (cost=0.00..10206.19 rows=588119 width=4) (actual time=0.012..157.021 rows=588119 loops=1)
                    ->  Seq Scan on public.ev2 ev_2  (cost=0.00..105.00 rows=6000 width=4) (actual time=0.007..0.671 rows=6000 loops=1)
Execution Time: 2879.249 ms
";
        let found = given_plan::findings(check, text);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .message
                .starts_with("worker 1 takes 2.84 s of the 2.92 s that 3 processes work"),
            "{}",
            found[0].message
        );
    }

    #[test]
    fn an_even_share_and_little_time_are_quiet() {
        assert_eq!(of_times(300.0, [310.0, 290.0]).len(), 0);
        // The leader collects rows: the workers share the rest.
        assert_eq!(of_times(5.0, [300.0, 320.0]).len(), 0);
        assert_eq!(of_times(1.0, [60.0, 1.0]).len(), 0);
    }
}
