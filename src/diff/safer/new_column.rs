//! Safer forms of ADD COLUMN: the column by itself, its values in batches where each row's is another, and the constraints of its line
//! one by one. Pure.

use squawk_lexer::{TokenKind, tokenize};

use super::constraint::{self, bare, set_not_null};
use super::{SaferForm, batches, find, names};
use crate::schema::{Schema, Table, quote_identifier};
use crate::sql::ddl::{ColumnConstraintKind, ColumnText, ConstraintKind};

/// `None` where the column is added in a moment as it is.
pub(super) fn add(
    sql: &str,
    table: &str,
    column: &str,
    text: &ColumnText,
    schema: &Schema,
) -> Option<SaferForm> {
    let data_type = &sql[text.data_type.clone()];
    let default = text.default.clone().map(|span| &sql[span]);
    let filled = default.filter(|default| differs_by_row(default));
    if filled.is_none() && text.constraints.is_empty() {
        return None;
    }
    let (mut statements, why) = match filled {
        Some(default) => {
            // A primary key's columns are NOT NULL anyway.
            let form = with_default(
                table,
                column,
                data_type,
                default,
                text.not_null,
                find(schema, table)?,
            );
            if form.statements.is_empty() {
                return Some(form);
            }
            (form.statements, Some(form.why))
        }
        None => {
            let default = default
                .map(|default| format!(" DEFAULT {default}"))
                .unwrap_or_default();
            let not_null = if text.not_null { " NOT NULL" } else { "" };
            let quoted = quote_identifier(column);
            (
                vec![format!(
                    "ALTER TABLE {table} ADD COLUMN {quoted} {data_type}{default}{not_null}"
                )],
                None,
            )
        }
    };
    for own in &text.constraints {
        let named = own.name.as_deref();
        statements.extend(constraint_of(
            table,
            column,
            named,
            own.kind,
            &sql[own.text.clone()],
            text.not_null,
            schema,
        ));
    }
    let apart = "a constraint in the column's line reads the table or builds its index while nobody can use it: add the column, then the \
                 constraint NOT VALID and validate it, or its index CONCURRENTLY";
    let why = match (why, text.constraints.is_empty()) {
        (Some(why), true) => why,
        (Some(why), false) => format!("{why}; {apart}"),
        (None, _) => apart.to_owned(),
    };
    Some(SaferForm { statements, why })
}

fn constraint_of(
    table: &str,
    column: &str,
    name: Option<&str>,
    kind: ColumnConstraintKind,
    text: &str,
    not_null: bool,
    schema: &Schema,
) -> Vec<String> {
    let quoted = quote_identifier(column);
    let known = find(schema, table);
    let chosen = |label: &str| {
        Some(name.map_or_else(
            || names::constraint(&bare(table), known, &[column], label),
            str::to_owned,
        ))
    };
    let columns = format!("({quoted})");
    let form = match kind {
        ColumnConstraintKind::Check => constraint::add(
            table,
            chosen("check").as_deref(),
            ConstraintKind::Check,
            text,
            schema,
        ),
        ColumnConstraintKind::References => {
            let text = format!("FOREIGN KEY {columns} {text}");
            constraint::add(
                table,
                chosen("fkey").as_deref(),
                ConstraintKind::ForeignKey,
                &text,
                schema,
            )
        }
        ColumnConstraintKind::Unique => constraint::add_key(table, name, false, &columns, schema),
        ColumnConstraintKind::PrimaryKey => {
            let mut form = constraint::add_key(table, name, true, &columns, schema);
            if not_null {
                let held =
                    set_not_null(table, column, None).map_or(0, |form| form.statements.len());
                form.statements.drain(..held);
            }
            form
        }
    };
    form.statements
}

/// The default first for new rows, the old ones in batches.
fn with_default(
    table: &str,
    column: &str,
    data_type: &str,
    default: &str,
    not_null: bool,
    known: &Table,
) -> SaferForm {
    let quoted = quote_identifier(column);
    let fill = batches(
        table,
        &format!("UPDATE {table} SET {quoted} = DEFAULT"),
        Some(&format!("{quoted} IS NULL")),
        known,
    );
    let why = "a default that differs from row to row rewrites the table: set it for new rows first, then fill the others in \
               batches"
        .to_owned();
    let Some(fill) = fill else {
        return SaferForm {
            statements: Vec::new(),
            why,
        };
    };
    let mut statements = vec![
        format!("ALTER TABLE {table} ADD COLUMN {quoted} {data_type}"),
        format!("ALTER TABLE {table} ALTER COLUMN {quoted} SET DEFAULT {default}"),
        fill,
    ];
    if not_null {
        statements.extend(
            set_not_null(table, column, None)
                .into_iter()
                .flat_map(|form| form.statements),
        );
    }
    SaferForm { statements, why }
}

/// Functions, and types that are written like one, that give one statement one value.
const STEADY: [&str; 20] = [
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_setting",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "numeric",
    "decimal",
    "varchar",
    "char",
    "character",
    "varying",
    "bit",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
    "coalesce",
];

/// Whether a default calls a function that may give each row another value: such a column is written into every row.
fn differs_by_row(default: &str) -> bool {
    let mut offset = 0;
    let mut called: Option<String> = None;
    for token in tokenize(default) {
        let piece = &default[offset..offset + token.len as usize];
        offset += token.len as usize;
        match token.kind {
            TokenKind::OpenParen
                if called
                    .as_deref()
                    .is_some_and(|name| !STEADY.contains(&name)) =>
            {
                return true;
            }
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => {}
            TokenKind::Ident => called = Some(piece.to_lowercase()),
            _ => called = None,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_that_are_the_same_for_every_row() {
        for steady in [
            "7",
            "'a'",
            "now()",
            "'1.50'::numeric(10, 2)",
            "CURRENT_TIMESTAMP",
            "(1 + 2)",
            "now() + '1 day'",
        ] {
            assert!(!differs_by_row(steady), "{steady}");
        }
        for other in [
            "random()",
            "gen_random_uuid ()",
            "nextval('s')",
            "'a' || clock_timestamp()",
            "ceil(random() * 9)",
        ] {
            assert!(differs_by_row(other), "{other}");
        }
    }
}
