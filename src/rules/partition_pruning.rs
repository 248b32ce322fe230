//! `partition-pruning`: every partition is read although the condition is on the partition key.

use std::collections::HashSet;

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::parse;
use crate::plan::{NodeId, NodeKind};
use crate::schema::{KeyPart, Schema, Table, TableKind};
use crate::units::{Count, Pages};

const MIN_PARTITIONS: Threshold = Threshold {
    rule: RuleId::PartitionPruning,
    key: "min-partitions",
    unit: ThresholdUnit::Count,
    default: 3.0,
    about: "partitions below which it does not matter",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::PartitionPruning,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "pages read of partitions that gave nothing, below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::PartitionPruning,
    severity: Severity::Error,
    depth: Some(1),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "every partition is read although the condition is on the partition key",
    condition: "An Append over all partitions (min-partitions or more) of a table, with a condition on its partition key, where half of \
        the partitions or more gave no row and reading those took min-pages.",
    why: "The condition wraps the key, so the planner cannot tell which partitions it excludes. Each new partition makes the query slower.",
    advice: "Compare the bare key with constants or parameters of its own type.",
    bad: "SELECT count(*) FROM events WHERE date_trunc('month', happened_at) = $1;",
    good: "SELECT count(*) FROM events WHERE happened_at >= $1 AND happened_at < $1 + interval '1 month';",
    thresholds: &[MIN_PARTITIONS, MIN_PAGES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let Some(schema) = context.schema else {
        return Vec::new();
    };
    context
        .executed()
        .filter(|(_, node, _)| matches!(node.kind, NodeKind::Append | NodeKind::MergeAppend))
        .filter_map(|(id, _, _)| judge(context, schema, id))
        .collect()
}

/// The scans of partitions directly below, with the table that they are partitions of.
fn judge(context: &RunContext<'_>, schema: &Schema, append: NodeId) -> Option<Finding> {
    let plan = context.plan();
    let scans: Vec<NodeId> = plan
        .inputs(append)
        .map(|input| plan.source_of_rows(input))
        .collect();
    let tables: Vec<&Table> = scans
        .iter()
        .filter_map(|scan| context.table(plan.node(*scan)))
        .collect();
    let root = schema.root_of(tables.first()?);
    if tables.len() != scans.len()
        || tables
            .iter()
            .any(|table| schema.root_of(table).oid != root.oid)
    {
        return None;
    }
    let read: HashSet<u32> = tables.iter().map(|table| table.oid).collect();
    let all = leaves(schema, root);
    let key = &root.partition_key.as_ref()?.parts;
    let condition = scans
        .iter()
        .find_map(|scan| filter_on_key(context, *scan, key))?;
    let empty: Vec<&NodeId> = scans
        .iter()
        .filter(|scan| context.metrics.node(**scan).rows == Some(0.0))
        .collect();
    let pages: u64 = empty
        .iter()
        .filter_map(|scan| context.metrics.node(**scan).inclusive_blocks)
        .map(|pages| pages.0)
        .sum();
    let every = all as f64 >= context.limit(&MIN_PARTITIONS) && read.len() == all;
    if !every || empty.len() * 2 < all || (pages as f64) < context.limit(&MIN_PAGES) {
        return None;
    }
    let columns: Vec<&str> = key.iter().map(part_text).collect();
    let mut evidence = context.evidence(append);
    evidence.relation = Some(root.name.to_string());
    evidence.condition = Some(condition.clone());
    let evidence = evidence
        .with("partitions", Quantity::Count(all as u64))
        .with("empty_partitions", Quantity::Count(empty.len() as u64))
        .with("pages_in_vain", Quantity::Pages(Pages(pages)));
    // The Append's own pages are none: what counts is the query's.
    let whole = [
        ("query_pages", context.metrics.blocks.map(Quantity::Pages)),
        ("query_time_ms", context.metrics.total.map(Quantity::Millis)),
    ];
    let evidence = whole
        .into_iter()
        .fold(evidence, |evidence, (key, value)| match value {
            Some(value) => evidence.with(key, value),
            None => evidence,
        });
    let words = Words {
        message: format!(
            "all {} partitions of {} are read; {} of them gave nothing and cost {}",
            Count(all as f64),
            root.name,
            Count(empty.len() as f64),
            Pages(pages)
        ),
        why: "The planner cannot tell from the condition which partitions it excludes; each new partition makes the query slower.".to_owned(),
        advice: format!("Compare {} itself with constants or parameters of its type, instead of {condition}.", columns.join(", ")),
    };
    Some(context.finding(RuleId::PartitionPruning, Severity::Error, evidence, words))
}

fn part_text(part: &KeyPart) -> &str {
    match part {
        KeyPart::Column(text) | KeyPart::Expression(text) => text,
    }
}

/// Partitions that hold rows.
fn leaves(schema: &Schema, root: &Table) -> usize {
    let of_root = |table: &&Table| {
        table
            .partition_of
            .as_ref()
            .is_some_and(|part| part.root == root.oid)
    };
    schema
        .tables
        .iter()
        .filter(of_root)
        .filter(|table| table.kind != TableKind::Partitioned)
        .count()
}

/// The conjunct of the scan's conditions that names a column of the partition key.
fn filter_on_key(context: &RunContext<'_>, scan: NodeId, key: &[KeyPart]) -> Option<String> {
    let conditions = &context.plan().node(scan).conditions;
    let texts = [&conditions.filter, &conditions.index, &conditions.recheck];
    texts.into_iter().flatten().find_map(|text| {
        let parsed = parse(text);
        let on_key = |column: &str| {
            key.iter()
                .any(|part| matches!(part, KeyPart::Column(name) if name == column))
        };
        let conjunct = parsed
            .conjuncts()
            .into_iter()
            .find(|part| part.columns().iter().any(|(_, column)| on_key(column)))?;
        Some(conjunct.unqualified())
    })
}
