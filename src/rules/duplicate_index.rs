//! `duplicate-index`: an index that another one on the same table does the work of.

use super::context::{CatalogContext, Words, finding};
use super::{Check, Rule, WithoutRows};
use crate::finding::{Evidence, Finding, Fix, Quantity, RuleId, Severity};
use crate::schema::{Index, Table, quote_identifier};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::DuplicateIndex,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "an index that another one does the work of",
    condition: "Two valid indexes of one table with the same method and WHERE, where the keys of the one are the first keys of the other, in the \
        same order and direction, and the shorter one enforces nothing.",
    why: "Both are written to by every INSERT; the planner needs only the longer one.",
    advice: "Drop the shorter one.",
    bad: "CREATE INDEX a ON orders (customer_id); CREATE INDEX b ON orders (customer_id, created_at);",
    good: "CREATE INDEX b ON orders (customer_id, created_at);",
    thresholds: &[],
    check: Check::Catalog(check),
};

fn check(context: &CatalogContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in context
        .schema
        .tables
        .iter()
        .filter(|table| table.partition_of.is_none())
    {
        for index in &table.indexes {
            if let Some(other) = table.indexes.iter().find(|other| replaces(other, index)) {
                findings.push(report(table, index, other));
            }
        }
    }
    findings
}

/// Whether `other` can do all that `index` does.
fn replaces(other: &Index, index: &Index) -> bool {
    let alike = other.oid != index.oid
        && other.valid
        && index.valid
        && other.method == index.method
        && other.predicate == index.predicate;
    if !alike
        || other.keys.len() < index.keys.len()
        || other.keys[..index.keys.len()] != index.keys[..]
    {
        return false;
    }
    // Only a B-tree finds rows by its first columns as well as an index of them alone.
    let same_keys = other.keys.len() == index.keys.len();
    if !same_keys && index.method != "btree" {
        return false;
    }
    let covers = index.include.iter().all(|column| {
        other.include.contains(column) || other.key_columns().contains(&column.as_str())
    });
    let enforces = index.unique || index.primary || index.constraint.is_some();
    let other_enforces = other.unique || other.primary || other.constraint.is_some();
    // Of two that are the same, one is kept: the one that enforces something, else the older.
    let kept = if same_keys && index.include.len() == other.include.len() {
        if enforces == other_enforces {
            other.oid < index.oid
        } else {
            other_enforces
        }
    } else {
        true
    };
    let may_go =
        !enforces || (same_keys && other.unique && index.constraint.is_none() && !index.primary);
    covers && kept && may_go
}

fn report(table: &Table, index: &Index, other: &Index) -> Finding {
    let same = index.keys.len() == other.keys.len();
    let evidence = Evidence {
        relation: Some(table.name.to_string()),
        condition: Some(format!("{} = {}", index.name, other.name)),
        ..Evidence::default()
    };
    let relation = if same {
        "has the same columns as"
    } else {
        "is the beginning of"
    };
    let words = Words {
        message: format!(
            "{} of {} {relation} {}, {}",
            index.name, table.name, other.name, index.bytes
        ),
        why: "Both are written to by every INSERT and most UPDATEs; queries need only one."
            .to_owned(),
        advice: format!(
            "Drop it, CONCURRENTLY where the table is in use: {} finds all that it finds.",
            other.name
        ),
    };
    let found = finding(
        RuleId::DuplicateIndex,
        Severity::Warning,
        None,
        None,
        evidence.with("index_bytes", Quantity::Bytes(index.bytes)),
        words,
    );
    let sql = format!(
        "DROP INDEX {}.{};",
        quote_identifier(&table.name.schema),
        quote_identifier(&index.name)
    );
    Finding {
        fix: Some(Fix { sql, proof: None }),
        ..found
    }
}
