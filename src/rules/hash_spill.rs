//! `hash-spill`: a hash table did not fit in memory and went to disk in batches.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{HashSpace, Node, NodeId, NodeKind};
use crate::units::{Bytes, Count, Pages};

const ERROR_BYTES: Threshold = Threshold {
    rule: RuleId::HashSpill,
    key: "error-bytes",
    unit: ThresholdUnit::Bytes,
    default: 268_435_456.0,
    about: "bytes written to and read from disk from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::HashSpill,
    severity: Severity::Error,
    depth: Some(6),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a hash table does not fit in memory and goes to disk",
    condition: "A Hash with more than one batch, or a hashed Aggregate that used the disk, in the leader or a worker. Error from \
        error-bytes of temporary reads and writes on, else warning.",
    why: "Both sides of the join (or the rows to be grouped) are written to temporary files and read back. The planner often did not \
        expect it.",
    advice: "Filter before joining, hash the smaller side, or raise work_mem (times hash_mem_multiplier) for this query.",
    bad: "SELECT * FROM orders o JOIN order_items i ON i.order_id = o.id;  -- every order with its wide note",
    good: "SELECT o.id, i.product_id FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.created_at > $1;",
    thresholds: &[ERROR_BYTES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter_map(|(id, node, _)| judge(context, id, node))
        .collect()
}

fn judge(context: &RunContext<'_>, id: NodeId, node: &Node) -> Option<Finding> {
    let own = node.hash.iter();
    let spaces: Vec<&HashSpace> = own
        .chain(
            node.workers
                .iter()
                .filter_map(|worker| worker.hash.as_ref()),
        )
        .collect();
    let batches = spaces
        .iter()
        .filter(|space| spilled(&node.kind, space))
        .filter_map(|space| space.batches)
        .max()?;
    // A Hash's temporary files are counted at its join.
    let join = node.parent.filter(|_| node.kind == NodeKind::Hash);
    let temp = [Some(id), join]
        .into_iter()
        .flatten()
        .filter_map(|at| context.metrics.node(at).exclusive_temp);
    let temp = Pages(temp.map(|pages| pages.0).sum());
    let needed = spaces
        .iter()
        .filter_map(|space| needed(&node.kind, space))
        .max();
    let severity = if temp.bytes().0 as f64 >= context.limit(&ERROR_BYTES) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let rows = context.metrics.node(id).rows.unwrap_or_default();
    let what = if node.kind == NodeKind::Hash {
        "rows to join"
    } else {
        "groups"
    };
    let mut evidence = context.evidence(id);
    evidence.condition = match join {
        Some(join) => context.plan().node(join).conditions.hash.clone(),
        None => Some(node.group_key.join(", ")),
    };
    let mut evidence = evidence.with("batches", Quantity::Count(batches));
    if temp.0 > 0 {
        evidence = evidence.with("temp_bytes", Quantity::Bytes(temp.bytes()));
    }
    let evidence = evidence.with("rows", Quantity::Rows(rows));
    let evidence = match needed {
        Some(needed) => evidence.with("hash_memory_bytes", Quantity::Bytes(needed)),
        None => evidence,
    };
    let through = if temp.0 == 0 {
        "through temporary files whose size was not measured".to_owned()
    } else {
        format!("{} through temporary files", temp.bytes())
    };
    let words = Words {
        message: format!(
            "hashing {} {what} takes {batches} batches, {through}",
            Count(rows)
        ),
        why: "What does not fit is written to temporary files and read back, on the disk that all queries share."
            .to_owned(),
        advice: match needed {
            Some(needed) => format!(
                "Hash fewer or narrower rows. In one batch it takes about {needed} of hash memory (work_mem × hash_mem_multiplier)."
            ),
            None => "Hash fewer or narrower rows, or raise work_mem: the plan does not say how much memory a batch took."
                .to_owned(),
        },
    };
    Some(context.finding(
        RuleId::HashSpill,
        severity,
        context.with_cost(evidence, join.unwrap_or(id)),
        words,
    ))
}

fn spilled(kind: &NodeKind, space: &HashSpace) -> bool {
    let batches = space.batches.unwrap_or_default();
    if *kind == NodeKind::Hash {
        return batches > 1;
    }
    // An Aggregate's first batch is the one in memory.
    space.disk.is_some_and(|disk| disk.0 > 0) && batches > 0
}

/// Memory for one batch: what a batch took, times the batches; for groups what was kept and what went to disk. `None` where
/// the server did not report what was used.
fn needed(kind: &NodeKind, space: &HashSpace) -> Option<Bytes> {
    const MB: u64 = 1 << 20;
    let peak = space.peak_memory?.0;
    let bytes = if *kind == NodeKind::Hash {
        peak.saturating_mul(space.batches.unwrap_or(1))
    } else {
        peak.saturating_add(space.disk.unwrap_or_default().0.saturating_mul(2))
    };
    Some(Bytes(bytes.div_ceil(MB) * MB))
}
