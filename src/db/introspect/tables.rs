//! Tables, their columns, and what hangs on them.

use tokio_postgres::Row;

use super::Build;
use crate::schema::{
    Column, ColumnStats, DataType, Identity, KeyPart, PartitionKey, PartitionOf, PartitionStrategy,
    QualifiedName, RowPolicy, Sequence, Table, TableKind, TableStats, TypeDefinition, UserType,
};
use crate::units::{Bytes, Pages};

/// A table without anything on it.
pub(super) fn table(row: &Row) -> Table {
    let kind: &str = row.get("kind");
    let parent: Option<u32> = row.get("parent");
    let bytes: i64 = row.get("bytes");
    let pages: i64 = row.get("pages");
    let rows: Option<f64> = row.get("rows");
    let pages = Pages(u64::try_from(pages).unwrap_or(0));
    let name = QualifiedName::new(row.get::<_, &str>("schema"), row.get::<_, &str>("name"));
    Table {
        kind: match kind {
            "p" => TableKind::Partitioned,
            "f" => TableKind::Foreign,
            _ => TableKind::Ordinary,
        },
        partition_of: parent.map(|parent| PartitionOf {
            parent,
            root: parent,
            bound: row.get::<_, Option<String>>("bound").unwrap_or_default(),
        }),
        partition_key: partition_key(row),
        stats: TableStats {
            rows,
            pages,
            bytes: Bytes(u64::try_from(bytes).unwrap_or(0)),
        },
        row_security: row.get("row_security"),
        ..Table::bare(row.get("oid"), name)
    }
}

/// The OID of a materialized view; `None` for what rows are inserted into.
pub(super) fn materialized_view(row: &Row) -> Option<u32> {
    let kind: &str = row.get("kind");
    (kind == "m").then(|| row.get("oid"))
}

fn partition_key(row: &Row) -> Option<PartitionKey> {
    let strategy = match row.get::<_, Option<&str>>("strategy")? {
        "r" => PartitionStrategy::Range,
        "l" => PartitionStrategy::List,
        _ => PartitionStrategy::Hash,
    };
    let columns: Vec<Option<String>> = row.get("key_columns");
    let expressions: Option<&str> = row.get("key_expressions");
    let mut expressions = expressions.map(split_list).unwrap_or_default().into_iter();
    let parts = columns
        .into_iter()
        .map(|column| match column {
            Some(name) => KeyPart::Column(name),
            None => KeyPart::Expression(expressions.next().unwrap_or_default()),
        })
        .collect();
    Some(PartitionKey { strategy, parts })
}

/// Splits `lower(a), (b || ', ')` at its outer commas.
fn split_list(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut depth, mut quote, mut start) = (0_i32, None, 0);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(text[start..at].trim().to_owned());
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(text[start..].trim().to_owned());
    parts
}

/// Partitions of partitions belong to the topmost parent.
pub(super) fn set_roots(build: &mut Build) {
    let parent_of = |build: &Build, oid: u32| {
        let table = build.at.get(&oid).map(|at| &build.tables[*at])?;
        table.partition_of.as_ref().map(|part| part.parent)
    };
    for at in 0..build.tables.len() {
        let Some(mut root) = build.tables[at]
            .partition_of
            .as_ref()
            .map(|part| part.parent)
        else {
            continue;
        };
        while let Some(parent) = parent_of(build, root) {
            root = parent;
        }
        if let Some(part) = &mut build.tables[at].partition_of {
            part.root = root;
        }
    }
}

pub(super) fn add_columns(build: &mut Build, rows: &[Row], types: &[UserType]) {
    for row in rows {
        let Some(table) = build.table(row) else {
            continue;
        };
        let type_oid: u32 = row.get("type_oid");
        let expression: Option<String> = row.get("expression");
        let generated: bool = row.get("generated");
        let not_null: bool = row.get("not_null");
        let identity: &str = row.get("identity");
        table.columns.push(Column {
            name: row.get("name"),
            number: row.get("number"),
            data_type: DataType {
                oid: type_oid,
                modifier: row.get("type_modifier"),
                name: row
                    .get::<_, Option<String>>("type_name")
                    .unwrap_or_default(),
            },
            not_null: not_null || domain_is_not_null(types, type_oid),
            default: expression.clone().filter(|_| !generated),
            identity: match identity {
                "a" => Some(Identity::Always),
                "d" => Some(Identity::ByDefault),
                _ => None,
            },
            generated: expression.filter(|_| generated),
            sequence: None,
            stats: None,
        });
    }
}

/// A domain, or one that it is built on, takes no NULL.
fn domain_is_not_null(types: &[UserType], oid: u32) -> bool {
    let Ok(at) = types.binary_search_by_key(&oid, |user_type| user_type.oid) else {
        return false;
    };
    match &types[at].definition {
        TypeDefinition::Domain { base, not_null, .. } => {
            *not_null || domain_is_not_null(types, base.oid)
        }
        TypeDefinition::Enum(_)
        | TypeDefinition::Composite(_)
        | TypeDefinition::Array(_)
        | TypeDefinition::Range(_)
        | TypeDefinition::Multirange(_)
        | TypeDefinition::Base => false,
    }
}

pub(super) fn add_sequences(build: &mut Build, rows: &[Row]) {
    for row in rows {
        let number: i32 = row.get("number");
        let Some(table) = build.table(row) else {
            continue;
        };
        if let Some(column) = table
            .columns
            .iter_mut()
            .find(|column| i32::from(column.number) == number)
        {
            let (schema, name): (&str, &str) = (row.get("schema"), row.get("name"));
            column.sequence = Some(Sequence {
                name: QualifiedName::new(schema, name),
                start: row.get("seqstart"),
                step: row.get("seqincrement"),
                least: row.get("seqmin"),
                most: row.get("seqmax"),
            });
        }
    }
}

pub(super) fn add_statistics(build: &mut Build, rows: &[Row]) {
    for row in rows {
        let name: &str = row.get("column_name");
        let Some(table) = build.table(row) else {
            continue;
        };
        let Some(column) = table.columns.iter_mut().find(|column| column.name == name) else {
            continue;
        };
        let most_common: Option<Vec<String>> = row.get("most_common");
        let frequencies: Option<Vec<f64>> = row.get("frequencies");
        let width: i32 = row.get("average_width");
        column.stats = Some(ColumnStats {
            null_fraction: row.get("null_fraction"),
            distinct: row.get("distinct_values"),
            most_common: most_common
                .into_iter()
                .flatten()
                .zip(frequencies.into_iter().flatten())
                .collect(),
            histogram: row
                .get::<_, Option<Vec<String>>>("histogram")
                .unwrap_or_default(),
            correlation: row.get("correlation"),
            average_width: u32::try_from(width).unwrap_or(0),
        });
    }
}

pub(super) fn add_attachments(build: &mut Build, rows: &[Row]) {
    for row in rows {
        let parent: Option<u32> = row.get("parent");
        let text: Option<String> = row.get("text");
        let kind: &str = row.get("kind");
        let Some(table) = build.table(row) else {
            continue;
        };
        match (kind, parent, text) {
            ("parent", Some(parent), _) => table.inherits.push(parent),
            ("statistics", _, Some(definition)) => table.extended_statistics.push(definition),
            ("trigger", _, Some(name)) => table.insert_triggers.push(name),
            // It was written by the query.
            ("policy", _, Some(json)) => {
                table
                    .policies
                    .extend(serde_json::from_str::<RowPolicy>(&json).ok());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_at_outer_commas() {
        assert_eq!(split_list("lower(a)"), ["lower(a)"]);
        assert_eq!(
            split_list("f(a, b), ((c || ', ('::text) || \"d,)\")"),
            ["f(a, b)", "((c || ', ('::text) || \"d,)\")"]
        );
    }
}
