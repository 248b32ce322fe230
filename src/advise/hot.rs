//! Updates that an index costs their HOT: where no index holds a column that they set, the new row version needs no new index
//! entries, as long as its page has room. Pure.

use std::collections::BTreeSet;

use crate::catalog::Query;
use crate::plan::condition;
use crate::schema::{Index, KeyPart, Schema};
use crate::sql::ddl::{self, Ddl};
use crate::sql::names::unquote_lower;
use crate::sql::token::{TokenKind, significant};

use super::{IndexSpec, Part};

/// A query whose updates are no longer HOT, and the column that it sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost<'a> {
    pub query: &'a str,
    pub column: String,
}

/// The catalog's updates of columns that the index holds, and none of the table's indexes does yet.
#[must_use]
pub fn lost<'a>(index: &IndexSpec, queries: &'a [Query], schema: &Schema) -> Vec<Lost<'a>> {
    let Some(table) = schema.table_by_oid(index.table_oid) else {
        return Vec::new();
    };
    let held: BTreeSet<String> = table.indexes.iter().flat_map(of_existing).collect();
    let new: BTreeSet<String> = of_spec(index).difference(&held).cloned().collect();
    let mut found = Vec::new();
    for query in queries {
        let Ddl::Update {
            table: name, set, ..
        } = ddl::read(&query.sql)
        else {
            continue;
        };
        let (namespace, name) = match name.rsplit_once('.') {
            Some((namespace, name)) => (Some(unquote_lower(namespace)), unquote_lower(name)),
            None => (None, unquote_lower(&name)),
        };
        let updated = schema.table(namespace.as_deref(), &name);
        if updated.is_none_or(|updated| schema.root_of(updated).oid != index.table_oid) {
            continue;
        }
        let set = set_columns(&query.sql[set]);
        found.extend(
            set.into_iter()
                .find(|column| new.contains(column))
                .map(|column| Lost {
                    query: &query.name,
                    column,
                }),
        );
    }
    found
}

fn of_spec(index: &IndexSpec) -> BTreeSet<String> {
    let mut columns: BTreeSet<String> = index.include.iter().cloned().collect();
    for key in &index.keys {
        match &key.part {
            Part::Column(name) => {
                columns.insert(name.clone());
            }
            Part::Expression(text) => columns.extend(of_text(text)),
        }
    }
    columns.extend(index.predicate.iter().flat_map(|text| of_text(text)));
    columns
}

fn of_existing(index: &Index) -> Vec<String> {
    let mut columns = index.include.clone();
    for key in &index.keys {
        match &key.part {
            KeyPart::Column(name) => columns.push(name.clone()),
            KeyPart::Expression(text) => columns.extend(of_text(text)),
        }
    }
    columns.extend(index.predicate.iter().flat_map(|text| of_text(text)));
    columns
}

fn of_text(text: &str) -> Vec<String> {
    let parsed = condition::parse(text);
    let columns = parsed.columns().into_iter();
    columns.map(|(_, column)| column.to_owned()).collect()
}

/// The columns of `a = 1, (b, c) = (…), d = f(e, 2)`.
fn set_columns(set: &str) -> Vec<String> {
    let tokens: Vec<_> = significant(set);
    let mut columns = Vec::new();
    let (mut depth, mut is_target) = (0_usize, true);
    for token in tokens {
        let text = &set[token.span.clone()];
        match token.kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth = depth.saturating_sub(1),
            TokenKind::Comma if depth == 0 => is_target = true,
            TokenKind::Ident | TokenKind::QuotedIdent { .. } if is_target => {
                columns.push(unquote_lower(text));
            }
            _ if text == "=" && depth == 0 => is_target = false,
            _ => {}
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::set_columns;

    #[test]
    fn targets_of_set() {
        assert_eq!(
            set_columns("a = b + 1, \"C\" = f(d, 2), (e, g) = (SELECT h, i FROM j), k = ARRAY[l]"),
            ["a", "C", "e", "g", "k"]
        );
        assert!(set_columns("").is_empty());
    }
}
