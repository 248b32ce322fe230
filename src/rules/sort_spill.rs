//! `sort-spill`: a sort did not fit in work_mem and went to disk.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{Node, NodeKind};
use crate::units::{Bytes, Rows};

const ERROR_BYTES: Threshold = Threshold {
    rule: RuleId::SortSpill,
    key: "error-bytes",
    unit: ThresholdUnit::Bytes,
    default: 268_435_456.0,
    about: "size on disk from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::SortSpill,
    severity: Severity::Error,
    depth: Some(6),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a sort does not fit in work_mem and goes to disk",
    condition: "A Sort or Incremental Sort with `Sort Space Type: Disk`, in the leader or a worker. Error from error-bytes on disk, \
        else warning.",
    why: "The rows are written to temporary files and read back, in several passes when there are many. It competes with every other \
        query for the disk, and fills it when many run at once.",
    advice: "Let an index give the order, sort fewer or narrower rows, or raise work_mem for this query.",
    bad: "SELECT * FROM orders ORDER BY created_at;            -- wide rows, no index",
    good: "SELECT id, created_at FROM orders ORDER BY created_at LIMIT 100;  -- with an index on created_at",
    thresholds: &[ERROR_BYTES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sorts = context
        .executed()
        .filter(|(_, node, _)| matches!(node.kind, NodeKind::Sort | NodeKind::IncrementalSort));
    for (id, node, metrics) in sorts {
        // A LIMIT above takes few of the rows that were sorted.
        let sorted = context.plan().inputs(id).next();
        let sorted = sorted.and_then(|input| context.metrics.node(input).rows);
        let rows = sorted.or(metrics.rows).unwrap_or_default();
        let Some(spill) = Spill::of(node, rows / metrics.processes.max(1.0)) else {
            continue;
        };
        let severity = if spill.disk.0 as f64 >= context.limit(&ERROR_BYTES) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let mut evidence = context.evidence(id);
        evidence.condition = Some(node.sort_key.join(", "));
        let evidence = evidence
            .with("disk_bytes", Quantity::Bytes(spill.disk))
            .with("rows", Quantity::Rows(rows))
            .with("work_mem_bytes", Quantity::Bytes(spill.work_mem));
        let evidence = context.with_cost(evidence, id);
        let key = node.sort_key.join(", ");
        let words = Words {
            message: format!("sorting {} by {key} takes {} on disk", Rows(rows), spill.disk),
            why:
                "Rows are written to temporary files and read back; many at once fill the disk that all queries share."
                    .to_owned(),
            advice: format!(
                "Let an index give the order by {key}, or sort fewer columns and rows. In memory this sort takes about {} of work_mem{}.",
                spill.work_mem,
                if spill.parts > 1 { " in each process" } else { "" }
            ),
        };
        findings.push(context.finding(RuleId::SortSpill, severity, evidence, words));
    }
    findings
}

/// What went to disk.
struct Spill {
    /// All processes together.
    disk: Bytes,
    /// That would have kept the largest part in memory.
    work_mem: Bytes,
    /// Processes that spilled.
    parts: usize,
}

impl Spill {
    /// `rows` = sorted by each process.
    fn of(node: &Node, rows: f64) -> Option<Self> {
        let workers = node.workers.iter();
        let sorts = node
            .sort
            .iter()
            .chain(workers.filter_map(|worker| worker.sort.as_ref()));
        let spilled: Vec<_> = sorts.filter(|sort| sort.on_disk).collect();
        let disk = spilled.iter().map(|sort| sort.used.0).sum();
        let work_mem = spilled
            .iter()
            .map(|sort| in_memory(sort.used.0, rows))
            .max()?;
        Some(Self {
            disk: Bytes(disk),
            work_mem: Bytes(work_mem),
            parts: spilled.len(),
        })
    }
}

/// work_mem for a sort that took `disk` bytes: a tuple is up to twice its size on tape, because allocations are rounded up
/// to powers of two (aset.c), and each has a SortTuple of 24 bytes in an array that grows by doubling (tuplesort.c).
/// Rounded up to whole MB.
fn in_memory(disk: u64, rows: f64) -> u64 {
    const MB: u64 = 1 << 20;
    let tuples = disk.saturating_mul(2);
    let array = (rows.max(0.0) * 48.0) as u64;
    tuples.saturating_add(array).div_ceil(MB) * MB
}
