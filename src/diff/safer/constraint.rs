//! Safer forms of constraints: added NOT VALID and validated later, or from an index that was built CONCURRENTLY. Pure.

use super::column::mentions;
use super::{SaferForm, find, names, partitioned};
use crate::schema::{Schema, Table, quote_identifier};
use crate::sql::ddl::ConstraintKind;
use crate::sql::names::unquote_lower;

const LATER: &str =
    "NOT VALID holds the table for a moment only; VALIDATE then reads it while it is written to";

/// ADD CHECK, ADD FOREIGN KEY; `text` from that word on.
pub(super) fn add(
    table: &str,
    name: Option<&str>,
    kind: ConstraintKind,
    text: &str,
    schema: &Schema,
) -> SaferForm {
    let known = find(schema, table);
    let bare = bare(table);
    let name = name.map_or_else(
        || match kind {
            ConstraintKind::Check => check_name(&bare, text, known),
            ConstraintKind::ForeignKey => names::constraint(&bare, known, &listed(text), "fkey"),
        },
        str::to_owned,
    );
    match (kind, known) {
        (ConstraintKind::ForeignKey, Some(parent)) if partitioned::is_partitioned(known) => {
            partitioned::foreign_key(table, parent, &name, text, schema)
        }
        (ConstraintKind::Check | ConstraintKind::ForeignKey, _) => SaferForm {
            statements: validated_later(table, &name, text),
            why: LATER.to_owned(),
        },
    }
}

/// First for new rows, then for those that are there.
pub(super) fn validated_later(table: &str, name: &str, text: &str) -> Vec<String> {
    let name = quote_identifier(name);
    vec![
        format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text} NOT VALID"),
        format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),
    ]
}

/// A CHECK's name has a column in it where it is about one (`AddRelationNewConstraints` in heap.c).
fn check_name(bare: &str, text: &str, known: Option<&Table>) -> String {
    let columns = known
        .iter()
        .flat_map(|table| &table.columns)
        .filter(|column| mentions(text, &column.name));
    match columns.collect::<Vec<_>>().as_slice() {
        [one] => names::constraint(bare, known, &[&one.name], "check"),
        _ => names::constraint(bare, known, &[""; 0], "check"),
    }
}

/// The columns in the first parentheses.
fn listed(text: &str) -> Vec<String> {
    let inside = text
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(inside, _)| inside);
    inside
        .split(',')
        .map(|column| unquote_lower(column.trim()))
        .collect()
}

/// ADD UNIQUE, ADD PRIMARY KEY with its columns in parentheses.
pub(super) fn add_key(
    table: &str,
    name: Option<&str>,
    primary: bool,
    columns: &str,
    schema: &Schema,
) -> SaferForm {
    let known = find(schema, table);
    let (kind, label) = if primary {
        ("PRIMARY KEY", "pkey")
    } else {
        ("UNIQUE", "key")
    };
    let listed = listed(columns);
    let named: &[String] = if primary { &[] } else { &listed };
    let chosen = || match known {
        Some(known) => names::relation(known, named, label, schema),
        None => names::constraint(&bare(table), None, named, label),
    };
    let name = name.map_or_else(chosen, str::to_owned);
    // A primary key's columns become NOT NULL, which reads the table unless it is known already.
    let nullable = listed
        .iter()
        .filter(|_| primary)
        .filter_map(|column| set_not_null(table, column, known));
    let mut statements: Vec<String> = nullable.flat_map(|form| form.statements).collect();
    if let Some(parent) = known.filter(|_| partitioned::is_partitioned(known)) {
        return partitioned::add_key(
            (table, parent),
            (&name, kind, label),
            (columns, &listed),
            statements,
            schema,
        );
    }
    statements.extend(key_with_index(table, &name, kind, columns));
    SaferForm {
        statements,
        why: "the index is built while the table is written to; the constraint then takes it over in a moment"
            .to_owned(),
    }
}

/// The index first.
pub(super) fn key_with_index(table: &str, name: &str, kind: &str, columns: &str) -> Vec<String> {
    let name = quote_identifier(name);
    vec![
        format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {columns}"),
        format!("ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {name}"),
    ]
}

/// SET NOT NULL; `None` where it holds already.
pub(super) fn set_not_null(table: &str, column: &str, known: Option<&Table>) -> Option<SaferForm> {
    // A primary key's column is so already.
    if known
        .and_then(|table| table.column(column))
        .is_some_and(|column| column.not_null)
    {
        return None;
    }
    let quoted = quote_identifier(column);
    let name = format!("{column}_not_null_for_now");
    let mut statements = validated_later(table, &name, &format!("CHECK ({quoted} IS NOT NULL)"));
    statements.push(format!(
        "ALTER TABLE {table} ALTER COLUMN {quoted} SET NOT NULL"
    ));
    statements.push(format!(
        "ALTER TABLE {table} DROP CONSTRAINT {}",
        quote_identifier(&name)
    ));
    Some(SaferForm {
        statements,
        why: "SET NOT NULL trusts a validated CHECK and does not read the table; VALIDATE reads it while it is written to".to_owned(),
    })
}

/// A table's name without its schema, as the catalog keeps it.
pub(super) fn bare(table: &str) -> String {
    unquote_lower(table.rsplit('.').next().unwrap_or(table))
}
