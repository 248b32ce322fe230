//! `ATTACH PARTITION` without the scan: a CHECK that says the same as the bound, validated first, which ATTACH trusts. Pure.

use squawk_lexer::{TokenKind, tokenize};

use crate::diff::names::index_definition;
use crate::schema::{Index, KeyPart, PartitionStrategy, Schema, Table, quote_identifier};

use super::{SaferForm, constraint, find, names, partitioned};
use crate::sql::names::unquote_lower;

/// The form; as advice alone where the bound is no condition on one column.
pub(super) fn attach(
    sql: &str,
    parent: &str,
    partition: &str,
    bound: &str,
    schema: &Schema,
) -> Option<SaferForm> {
    let known = find(schema, parent)?;
    let why = "a validated CHECK of the partition's bound lets ATTACH skip the scan that it does while nobody can use the partition; \
               indexes that the parent has and the partition lacks are built in ATTACH too: it takes over those that were built \
               before, CONCURRENTLY"
        .to_owned();
    let condition = condition(known, bound);
    let Some(condition) = condition else {
        return Some(SaferForm {
            statements: Vec::new(),
            why,
        });
    };
    let bare = unquote_lower(partition.rsplit('.').next().unwrap_or(partition));
    let name = format!("{bare}_bound_for_now");
    let quoted = quote_identifier(&name);
    let mut first = find(schema, partition)
        .map_or_else(Vec::new, |part| indexes(partition, part, known, schema));
    first.extend(constraint::validated_later(
        partition,
        &name,
        &format!("CHECK ({condition})"),
    ));
    let mut last = vec![format!("ALTER TABLE {partition} DROP CONSTRAINT {quoted}")];
    // The default partition is read as well, for rows that now belong elsewhere.
    let default = |table: &&Table| {
        table
            .partition_of
            .as_ref()
            .is_some_and(|of| of.parent == known.oid && of.bound.eq_ignore_ascii_case("DEFAULT"))
    };
    if let Some(default) = schema.tables.iter().find(default) {
        let table = default.name.sql();
        first.extend(constraint::validated_later(
            &table,
            &name,
            &format!("CHECK (NOT ({condition}))"),
        ));
        last.push(format!("ALTER TABLE {table} DROP CONSTRAINT {quoted}"));
    }
    first.push(sql.to_owned());
    first.extend(last);
    Some(SaferForm {
        statements: first,
        why,
    })
}

/// The parent's indexes and keys that a partition lacks.
fn indexes(written: &str, part: &Table, parent: &Table, schema: &Schema) -> Vec<String> {
    // Its own partitions would need theirs first.
    if partitioned::is_partitioned(Some(part)) {
        return Vec::new();
    }
    let is = |index: &Index| {
        (
            index_definition(index, str::to_owned),
            index.constraint.is_some(),
            index.primary,
        )
    };
    let lacks = |index: &&Index| !part.indexes.iter().any(|own| is(own) == is(index));
    let mut statements = Vec::new();
    for index in parent.indexes.iter().filter(lacks) {
        let Some((_, rest)) = index.definition.split_once(" USING ") else {
            continue;
        };
        let columns: Vec<&str> = index.keys.iter().map(|key| called(&key.part)).collect();
        let (kind, label) = match (index.primary, index.constraint.is_some()) {
            (true, _) => ("PRIMARY KEY", "pkey"),
            (false, true) => ("UNIQUE", "key"),
            (false, false) => (
                if index.unique {
                    "UNIQUE INDEX"
                } else {
                    "INDEX"
                },
                "idx",
            ),
        };
        let named = if index.primary {
            &[]
        } else {
            columns.as_slice()
        };
        let name = names::relation(part, named, label, schema);
        if index.constraint.is_none() {
            let name = quote_identifier(&name);
            statements.push(format!(
                "CREATE {kind} CONCURRENTLY {name} ON {written} USING {rest}"
            ));
            continue;
        }
        let rest = rest.split_once(' ').map_or(rest, |(_, keys)| keys);
        statements.extend(constraint::key_with_index(written, &name, kind, rest));
    }
    statements
}

/// As the server calls an index's column.
fn called(part: &KeyPart) -> &str {
    match part {
        KeyPart::Column(name) => name,
        KeyPart::Expression(text) => match text.split_once('(') {
            Some((function, _)) if !function.is_empty() => function,
            _ => "expr",
        },
    }
}

/// What the bound says of the key's only column; `None` for several columns, expressions, NULLs, and hashes.
fn condition(parent: &Table, bound: &str) -> Option<String> {
    let key = parent.partition_key.as_ref()?;
    let [KeyPart::Column(column)] = key.parts.as_slice() else {
        return None;
    };
    let column = quote_identifier(column);
    let groups = groups(bound)?;
    match (key.strategy, groups.as_slice()) {
        (PartitionStrategy::Range, [from, to]) => {
            let unbounded = |text: &str| {
                ["MINVALUE", "MAXVALUE"]
                    .iter()
                    .any(|word| text.eq_ignore_ascii_case(word))
            };
            let mut parts = vec![format!("{column} IS NOT NULL")];
            if !unbounded(from) {
                parts.push(format!("{column} >= {from}"));
            }
            if !unbounded(to) {
                parts.push(format!("{column} < {to}"));
            }
            Some(parts.join(" AND "))
        }
        (PartitionStrategy::List, [values]) if !values.to_ascii_uppercase().contains("NULL") => {
            Some(format!("{column} IS NOT NULL AND {column} IN ({values})"))
        }
        (PartitionStrategy::Range | PartitionStrategy::List | PartitionStrategy::Hash, _) => None,
    }
}

/// What stands in the outermost parentheses, group by group; `None` for `DEFAULT`.
fn groups(bound: &str) -> Option<Vec<&str>> {
    let (mut offset, mut depth, mut begin) = (0, 0_usize, 0);
    let mut found = Vec::new();
    for token in tokenize(bound) {
        let span = offset..offset + token.len as usize;
        offset = span.end;
        match token.kind {
            TokenKind::OpenParen => {
                if depth == 0 {
                    begin = span.end;
                }
                depth += 1;
            }
            TokenKind::CloseParen => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    found.push(bound[begin..span.start].trim());
                }
            }
            _ => {}
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_group_by_group() {
        assert_eq!(
            groups("FOR VALUES FROM ('2024-01-01') TO (('a' || ')'))"),
            Some(vec!["'2024-01-01'", "('a' || ')')"])
        );
        assert_eq!(groups("FOR VALUES IN ('a', 'b')"), Some(vec!["'a', 'b'"]));
        assert_eq!(groups("DEFAULT"), None);
    }
}
