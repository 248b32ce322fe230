//! Names as PostgreSQL chooses them where a statement gives none: a safer form ends in the same schema, names too. Pure.

use crate::schema::{Schema, Table};

/// `NAMEDATALEN` - 1.
const MAX_NAME: usize = 63;

/// `orders_customer_id_idx`: both parts cut in turn until they fit (`makeObjectName` in indexcmds.c).
fn chosen(table: &str, columns: &[impl AsRef<str>], label: &str) -> String {
    let columns = columns
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join("_");
    let overhead = label.len() + 1 + usize::from(!columns.is_empty());
    let room = MAX_NAME.saturating_sub(overhead);
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > room {
        if first > second {
            first -= 1;
        } else {
            second -= 1;
        }
    }
    match columns.is_empty() {
        true => format!("{}_{label}", clip(table, first)),
        false => format!("{}_{}_{label}", clip(table, first), clip(&columns, second)),
    }
}

/// The same for a relation, with a number where the name is taken (`ChooseRelationName`).
pub(super) fn relation(
    table: &Table,
    columns: &[impl AsRef<str>],
    label: &str,
    schema: &Schema,
) -> String {
    let taken = |name: &str| {
        let tables = schema
            .tables
            .iter()
            .filter(|other| other.name.schema == table.name.schema);
        tables.into_iter().any(|other| {
            other.name.name == name || other.indexes.iter().any(|index| index.name == name)
        })
    };
    numbered(&table.name.name, columns, label, taken)
}

/// The same for a CHECK or foreign key (`ChooseConstraintName` in pg_constraint.c); `table` without its schema.
pub(super) fn constraint(
    table: &str,
    known: Option<&Table>,
    columns: &[impl AsRef<str>],
    label: &str,
) -> String {
    let taken = |name: &str| {
        known.is_some_and(|known| {
            known.checks.iter().any(|check| check.name == name)
                || known.foreign_keys.iter().any(|key| key.name == name)
                || known
                    .indexes
                    .iter()
                    .any(|index| index.constraint.as_deref() == Some(name))
        })
    };
    numbered(table, columns, label, taken)
}

fn numbered(
    table: &str,
    columns: &[impl AsRef<str>],
    label: &str,
    taken: impl Fn(&str) -> bool,
) -> String {
    let with = |number: u32| match number {
        0 => chosen(table, columns, label),
        number => chosen(table, columns, &format!("{label}{number}")),
    };
    (0..)
        .map(with)
        .find(|name| !taken(name))
        .unwrap_or_else(|| with(0))
}

/// At most so many bytes, whole characters.
fn clip(text: &str, mut bytes: usize) -> &str {
    while !text.is_char_boundary(bytes) {
        bytes -= 1;
    }
    &text[..bytes]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_as_the_server_cuts_them() {
        assert_eq!(chosen("orders", &["a", "b"], "idx"), "orders_a_b_idx");
        assert_eq!(chosen("orders", &[""; 0], "pkey"), "orders_pkey");
        let long = chosen(&"t".repeat(60), &["c".repeat(40)], "key");
        assert_eq!(
            (long.len(), long),
            (63, format!("{}_{}_key", "t".repeat(29), "c".repeat(29)))
        );
        assert_eq!(
            chosen(&"ä".repeat(40), &["a"], "idx")
                .chars()
                .filter(|c| *c == 'ä')
                .count(),
            28
        );
    }
}
