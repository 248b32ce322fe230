//! Constants that stand in the repository: they are public, and the map leaves them where they are.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::{KeyPart, Schema, Table};
use crate::sql::constants::{Constant, ValueHint};
use crate::sql::literals::literals;
use crate::sql::token::{TokenKind, tokens};

/// Texts by table OID and column.
pub(super) type Anchors = BTreeMap<(u32, String), BTreeSet<String>>;

/// Of the schema's expressions and the catalog's statements.
pub(super) fn of(schema: &Schema, constants: &[Constant]) -> Anchors {
    let mut anchors = Anchors::new();
    for table in schema.tables.iter().chain(&schema.materialized_views) {
        of_table(schema, table, &mut anchors);
    }
    for constant in constants {
        of_constant(schema, constant, &mut anchors);
    }
    anchors
}

fn of_table(schema: &Schema, table: &Table, anchors: &mut Anchors) {
    let checks = table.checks.iter().map(|check| check.expression.as_str());
    let predicates = table
        .indexes
        .iter()
        .filter_map(|index| index.predicate.as_deref());
    for expression in checks.chain(predicates) {
        let texts = literals(expression);
        for column in mentioned(table, expression) {
            add(anchors, table.oid, &column, &texts);
        }
    }
    for column in &table.columns {
        if let Some(default) = &column.default {
            add(anchors, table.oid, &column.name, &literals(default));
        }
    }
    let Some(partition) = &table.partition_of else {
        return;
    };
    let key = schema
        .table_by_oid(partition.parent)
        .and_then(|parent| parent.partition_key.as_ref());
    for part in key.iter().flat_map(|key| &key.parts) {
        if let KeyPart::Column(column) = part {
            add(anchors, table.oid, column, &literals(&partition.bound));
        }
    }
}

/// Columns of a table that an expression names.
fn mentioned(table: &Table, expression: &str) -> Vec<String> {
    let names: BTreeSet<String> = tokens(expression)
        .into_iter()
        .filter_map(|token| {
            let text = &expression[token.span.clone()];
            match token.kind {
                TokenKind::Ident => Some(text.to_lowercase()),
                TokenKind::QuotedIdent { .. } => Some(text.trim_matches('"').replace("\"\"", "\"")),
                _ => None,
            }
        })
        .collect();
    let columns = table.columns.iter().map(|column| &column.name);
    columns
        .filter(|name| names.contains(*name))
        .cloned()
        .collect()
}

fn of_constant(schema: &Schema, constant: &Constant, anchors: &mut Anchors) {
    let text = match &constant.said {
        ValueHint::Has(text)
        | ValueHint::Excludes(text)
        | ValueHint::Lies(_, text)
        | ValueHint::Element(text) => text.clone(),
        // What stands before the first wildcard decides which texts match.
        ValueHint::Like(pattern) => {
            let end = pattern.find(['%', '_']).unwrap_or(pattern.len());
            pattern[..end].to_owned()
        }
        ValueHint::Contains(_)
        | ValueHint::Member(_)
        | ValueHint::LiesOfNow(_)
        | ValueHint::IsNull
        | ValueHint::IsPresent => return,
    };
    if text.is_empty() {
        return;
    }
    let table = constant.tables.iter().find_map(|name| {
        let (table, schema_name) = match name.as_slice() {
            [table] => (table, None),
            [schema_name, table] => (table, Some(schema_name.as_str())),
            _ => return None,
        };
        let found = schema.table(schema_name, table)?;
        found.column(&constant.column).map(|_| found.oid)
    });
    if let Some(oid) = table {
        add(anchors, oid, &constant.column, &[text].into());
    }
}

fn add(anchors: &mut Anchors, table: u32, column: &str, texts: &BTreeSet<String>) {
    let known = anchors.entry((table, column.to_owned())).or_default();
    known.extend(texts.iter().cloned());
}
