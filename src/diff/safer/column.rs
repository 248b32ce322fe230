//! Safer forms of what rewrites a table for one column: a column beside the old one, filled in batches, then swapped. Pure.

use squawk_lexer::{TokenKind, tokenize};

use crate::schema::{KeyPart, Table, quote_identifier};

use super::{SaferForm, batches};
use crate::sql::names::unquote_lower;

/// `ALTER COLUMN … TYPE`. With statements where the schema shows that nothing but CHECKs, NOT NULL and a default hang on
/// the column; else as advice.
pub(super) fn change_type(
    table: &str,
    column: &str,
    data_type: &str,
    plain: bool,
    known: Option<&Table>,
) -> SaferForm {
    let quoted = quote_identifier(column);
    let advice = format!(
        "add a column of the new type, fill it in batches while a trigger keeps it in step with {quoted}, then swap the names"
    );
    let statements = known.filter(|known| plain && stands_alone(column, known));
    let statements = statements
        .and_then(|known| swap(table, column, data_type, known))
        .unwrap_or_default();
    SaferForm {
        statements,
        why: advice,
    }
}

/// No index, foreign key, identity or generated column needs it.
fn stands_alone(column: &str, known: &Table) -> bool {
    let Some(own) = known.column(column) else {
        return false;
    };
    let in_index = known.indexes.iter().any(|index| {
        let in_key = |part: &KeyPart| match part {
            KeyPart::Column(name) => name == column,
            KeyPart::Expression(expression) => mentions(expression, column),
        };
        index.keys.iter().any(|key| in_key(&key.part))
            || index.include.iter().any(|name| name == column)
            || index
                .predicate
                .as_deref()
                .is_some_and(|predicate| mentions(predicate, column))
    });
    let in_foreign_key = known
        .foreign_keys
        .iter()
        .any(|key| mentions(&key.definition, column));
    let generates = known
        .columns
        .iter()
        .filter_map(|c| c.generated.as_deref())
        .any(|text| mentions(text, column));
    let plain = own.identity.is_none() && own.generated.is_none() && own.sequence.is_none();
    plain
        && !in_index
        && !in_foreign_key
        && !generates
        && known.partition_of.is_none()
        && known.exclusions.is_empty()
}

fn swap(table: &str, column: &str, data_type: &str, known: &Table) -> Option<Vec<String>> {
    let own = known.column(column)?;
    let (old, new) = (
        quote_identifier(column),
        quote_identifier(&format!("{column}_new")),
    );
    let bare = unquote_lower(table.rsplit('.').next().unwrap_or(table));
    let keep = quote_identifier(&format!("{bare}_{column}_keep"));
    let fill = batches(
        table,
        &format!("UPDATE {table} SET {new} = {old}::{data_type}"),
        None,
        known,
    )?;
    let mut statements = vec![
        format!("ALTER TABLE {table} ADD COLUMN {new} {data_type}"),
        format!(
            "CREATE FUNCTION {keep}() RETURNS trigger LANGUAGE plpgsql AS \
             $keep$ BEGIN NEW.{new} := NEW.{old}::{data_type}; RETURN NEW; END $keep$"
        ),
        format!(
            "CREATE TRIGGER {keep} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW{} EXECUTE FUNCTION {keep}()",
            where_it_differs(&old, &new, data_type)
        ),
        fill,
    ];
    // In one transaction, so that nobody sees the table between two names.
    let mut last = vec![format!("DROP TRIGGER {keep} ON {table}")];
    if own.not_null {
        let name = quote_identifier(&format!("{column}_not_null_for_now"));
        statements.push(format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({new} IS NOT NULL) NOT VALID"
        ));
        statements.push(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"));
        last.push(format!(
            "ALTER TABLE {table} ALTER COLUMN {new} SET NOT NULL"
        ));
        last.push(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"));
    }
    let checks: Vec<_> = known
        .checks
        .iter()
        .filter(|check| mentions(&check.expression, column))
        .collect();
    for check in &checks {
        let name = quote_identifier(&format!("{}_new", check.name));
        let expression = with_column(&check.expression, column, &new);
        statements.push(format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({expression}) NOT VALID"
        ));
        if check.validated {
            statements.push(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"));
        }
    }
    last.extend(
        own.default
            .iter()
            .map(|text| format!("ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT {text}")),
    );
    last.push(format!("ALTER TABLE {table} DROP COLUMN {old}"));
    last.push(format!("ALTER TABLE {table} RENAME COLUMN {new} TO {old}"));
    last.extend(checks.iter().map(|check| {
        let (from, to) = (
            quote_identifier(&format!("{}_new", check.name)),
            quote_identifier(&check.name),
        );
        format!("ALTER TABLE {table} RENAME CONSTRAINT {from} TO {to}")
    }));
    statements.push(format!(
        "DO $swap$\nBEGIN\n  {};\nEND\n$swap$",
        last.join(";\n  ")
    ));
    statements.push(format!("DROP FUNCTION {keep}()"));
    Some(statements)
}

/// A condition under which the batches, which set the new column themselves, do not call the trigger's function for each row;
/// nothing where values that are equal may still be different (`1.0` and `1.00`, `0` and `-0`).
fn where_it_differs(old: &str, new: &str, data_type: &str) -> String {
    const EQUAL_IS_THE_SAME: [&str; 13] = [
        "smallint",
        "integer",
        "int",
        "bigint",
        "int2",
        "int4",
        "int8",
        "uuid",
        "boolean",
        "date",
        "timestamp",
        "timestamptz",
        "timestamp with time zone",
    ];
    let is_plain = EQUAL_IS_THE_SAME.contains(&data_type.to_ascii_lowercase().as_str());
    match is_plain {
        true => format!(" WHEN (NEW.{new} IS DISTINCT FROM NEW.{old}::{data_type})"),
        false => String::new(),
    }
}

/// Whether an expression names the column.
pub(super) fn mentions(expression: &str, column: &str) -> bool {
    let mut found = false;
    each_word(expression, |piece, identifier| {
        found |= identifier && unquote_lower(piece) == column
    });
    found
}

/// An expression with another column in the place of one.
fn with_column(expression: &str, column: &str, other: &str) -> String {
    let mut text = String::with_capacity(expression.len());
    each_word(expression, |piece, identifier| {
        text.push_str(if identifier && unquote_lower(piece) == column {
            other
        } else {
            piece
        });
    });
    text
}

fn each_word(expression: &str, mut visit: impl FnMut(&str, bool)) {
    let mut offset = 0;
    for token in tokenize(expression) {
        let piece = &expression[offset..offset + token.len as usize];
        offset += token.len as usize;
        visit(
            piece,
            piece.starts_with('"') || matches!(token.kind, TokenKind::Ident),
        );
    }
}
