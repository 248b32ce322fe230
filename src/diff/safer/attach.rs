//! `ATTACH PARTITION` without the scan: a CHECK that says the same as the bound, validated first, which ATTACH trusts. Pure.

use squawk_lexer::{TokenKind, tokenize};

use crate::schema::{KeyPart, PartitionStrategy, Schema, Table, quote_identifier};

use super::super::ddl::unquote_lower;
use super::{SaferForm, find};

/// The form; as advice alone where the bound is no condition on one column.
pub(super) fn attach(sql: &str, parent: &str, partition: &str, bound: &str, schema: &Schema) -> Option<SaferForm> {
    let known = find(schema, parent)?;
    let why = "a validated CHECK of the partition's bound lets ATTACH skip the scan that it does while nobody can use the partition; \
               indexes that the parent has and the partition lacks are built in ATTACH too: build them first, CONCURRENTLY"
        .to_owned();
    let condition = condition(known, bound);
    let Some(condition) = condition else { return Some(SaferForm { statements: Vec::new(), why }) };
    let bare = unquote_lower(partition.rsplit('.').next().unwrap_or(partition));
    let name = quote_identifier(&format!("{bare}_bound_for_now"));
    let mut first = checked(partition, &name, &condition);
    let mut last = vec![format!("ALTER TABLE {partition} DROP CONSTRAINT {name}")];
    // The default partition is read as well, for rows that now belong elsewhere.
    let default = |table: &&Table| {
        table.partition_of.as_ref().is_some_and(|of| of.parent == known.oid && of.bound.eq_ignore_ascii_case("DEFAULT"))
    };
    if let Some(default) = schema.tables.iter().find(default) {
        let table = default.name.sql();
        first.extend(checked(&table, &name, &format!("NOT ({condition})")));
        last.push(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"));
    }
    first.push(sql.to_owned());
    first.extend(last);
    Some(SaferForm { statements: first, why })
}

fn checked(table: &str, name: &str, condition: &str) -> Vec<String> {
    vec![
        format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"),
        format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),
    ]
}

/// What the bound says of the key's only column; `None` for several columns, expressions, NULLs, and hashes.
fn condition(parent: &Table, bound: &str) -> Option<String> {
    let key = parent.partition_key.as_ref()?;
    let [KeyPart::Column(column)] = key.parts.as_slice() else { return None };
    let column = quote_identifier(column);
    let groups = groups(bound)?;
    match (key.strategy, groups.as_slice()) {
        (PartitionStrategy::Range, [from, to]) => {
            let unbounded = |text: &str| ["MINVALUE", "MAXVALUE"].iter().any(|word| text.eq_ignore_ascii_case(word));
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
