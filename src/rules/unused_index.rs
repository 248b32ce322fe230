//! `unused-index`: an index that no query of the catalog uses and no constraint needs.

use std::collections::HashSet;

use super::context::{CatalogContext, Words, finding};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::schema::{Index, KeyPart, Table, quote_identifier};

const MIN_BYTES: Threshold = Threshold {
    rule: RuleId::UnusedIndex,
    key: "min-bytes",
    unit: ThresholdUnit::Bytes,
    default: 1_048_576.0,
    about: "size below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::UnusedIndex,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "an index that no query of the catalog uses, or an invalid one",
    condition: "An index of min-bytes or more that is in no plan of any catalog query, serves no constraint and no foreign key: information, \
        because the catalog may not be all there is. An invalid index: a warning.",
    why: "Every INSERT and most UPDATEs write to it, it takes memory from others, and it keeps UPDATEs from being HOT.",
    advice: "Look at pg_stat_user_indexes in production; drop it where it is not scanned there either.",
    bad: "CREATE INDEX ON orders (note);  -- no query asks for it",
    good: "DROP INDEX orders_note_idx;",
    thresholds: &[MIN_BYTES],
    check: Check::Catalog(check),
};

fn check(context: &CatalogContext<'_>) -> Vec<Finding> {
    let plans = context
        .runs
        .iter()
        .flat_map(|runs| &runs.runs)
        .map(|run| &run.plan);
    let used: HashSet<&str> = plans
        .flat_map(|plan| &plan.nodes)
        .filter_map(|node| node.index_name.as_deref())
        .collect();
    // What a query uses that did not run is not known.
    let complete = context.runs.iter().all(|runs| runs.failure.is_none());
    let mut findings = Vec::new();
    for table in &context.schema.tables {
        for index in &table.indexes {
            if !index.valid {
                findings.push(invalid(table, index));
            } else if complete && is_unused(context, table, index, &used) {
                findings.push(unused(table, index));
            }
        }
    }
    findings
}

fn is_unused(
    context: &CatalogContext<'_>,
    table: &Table,
    index: &Index,
    used: &HashSet<&str>,
) -> bool {
    let needed = index.unique
        || index.primary
        || index.constraint.is_some()
        || serves_foreign_key(table, index);
    // A partition's index belongs to its parent's; the parent's is used where one of its parts is.
    let parts = context
        .schema
        .tables
        .iter()
        .flat_map(|table| &table.indexes);
    let part_used = parts
        .filter(|part| part.parent == Some(index.oid))
        .any(|part| used.contains(part.name.as_str()));
    let large = index.bytes.0 as f64 >= context.policy.limit(&MIN_BYTES);
    !needed && large && index.parent.is_none() && !part_used && !used.contains(index.name.as_str())
}

fn serves_foreign_key(table: &Table, index: &Index) -> bool {
    table.foreign_keys.iter().any(|key| {
        index.keys.first().is_some_and(
            |part| matches!(&part.part, KeyPart::Column(name) if key.columns.contains(name)),
        )
    })
}

fn unused(table: &Table, index: &Index) -> Finding {
    let evidence = Evidence {
        relation: Some(table.name.to_string()),
        condition: Some(index.name.clone()),
        ..Evidence::default()
    };
    let words = Words {
        message: format!("no query of the catalog uses {} of {}, {}", index.name, table.name, index.bytes),
        why: "Every INSERT and most UPDATEs write to it, and it takes memory from the indexes that are used."
            .to_owned(),
        advice: format!(
            "Where pg_stat_user_indexes shows no scans in production either: {};",
            drop_index(table, index)
        ),
    };
    finding(
        RuleId::UnusedIndex,
        Severity::Info,
        None,
        None,
        evidence.with("index_bytes", Quantity::Bytes(index.bytes)),
        words,
    )
}

fn invalid(table: &Table, index: &Index) -> Finding {
    let evidence = Evidence {
        relation: Some(table.name.to_string()),
        condition: Some(index.name.clone()),
        ..Evidence::default()
    };
    let words = Words {
        message: format!(
            "{} of {} is invalid: written to by every INSERT, read by no query",
            index.name, table.name
        ),
        why: "A CREATE INDEX CONCURRENTLY that failed leaves it behind.".to_owned(),
        advice: format!(
            "{}; and create it anew, or REINDEX INDEX CONCURRENTLY it.",
            drop_index(table, index)
        ),
    };
    finding(
        RuleId::UnusedIndex,
        Severity::Warning,
        None,
        None,
        evidence.with("index_bytes", Quantity::Bytes(index.bytes)),
        words,
    )
}

fn drop_index(table: &Table, index: &Index) -> String {
    format!(
        "DROP INDEX {}.{}",
        quote_identifier(&table.name.schema),
        quote_identifier(&index.name)
    )
}
