//! Values and orders in the form that an index has them: a value of the column's own type, an array that contains it, no NULLS
//! LAST where there are none.

use super::Written;
use crate::plan::condition::{self, ExpressionKind};
use crate::rules::predicate::is_real_cast;

/// `value = ANY (column)` as `column @> ARRAY[value]`.
pub(super) fn containment(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    for at in 0..words.len() {
        let Some(end) = words.after_value(at) else {
            continue;
        };
        if !words.are(end, &["=", "any", "("]) {
            continue;
        }
        let Some(close) = words
            .after_column(end + 3)
            .filter(|close| words.is(*close, ")"))
        else {
            continue;
        };
        let column = words.slice(end + 3..close);
        let name = column.rsplit('.').next().unwrap_or(column);
        let Some(type_name) = type_of(written, name.trim_matches('"')) else {
            continue;
        };
        if type_name.ends_with("[]") {
            let value = words.slice(at..end);
            let text = format!("{column} @> ARRAY[{value}]::{type_name}");
            return Some(words.replaced(&[(at..close + 1, text)]));
        }
    }
    None
}

/// The type of a column that some scan of the plan has.
fn type_of(written: &Written<'_>, column: &str) -> Option<String> {
    let relations = written.plan().nodes.iter();
    relations
        .filter_map(|node| node.relation.as_ref())
        .filter_map(|relation| written.table(&relation.alias))
        .find_map(|table| table.column(column))
        .map(|column| column.data_type.name.clone())
}

/// `column::text = $1` and `column = $1::numeric` as `column = $1::bigint`.
pub(super) fn own_type(written: &Written<'_>) -> Option<String> {
    let (column, cast, own) = cast_column(written)?;
    let words = &written.words;
    for at in 0..words.len() {
        // The column's cast, as it is written.
        let end = words.after_column(at).unwrap_or(at);
        let is_column = bare(words.slice(at..end)) == column;
        if is_column && words.are(end, &[":", ":"]) && same_type(words.text(end + 2), &cast) {
            let value = end + 4;
            let after = words.after_value(value)?;
            if !words.is(end + 3, "=") {
                return None;
            }
            let text = format!("({})::{own}", words.slice(value..after));
            return Some(words.replaced(&[(end..end + 3, String::new()), (value..after, text)]));
        }
        // The value's cast.
        let is_value = is_column && words.is(end, "=");
        if is_value {
            let value = end + 1;
            let after = words.after_value(value)?;
            let casts =
                words.are(value + 1, &[":", ":"]) && same_type(words.text(value + 3), &cast);
            if casts && after == value + 4 {
                return Some(words.replaced(&[(value + 3..value + 4, own)]));
            }
        }
    }
    None
}

fn same_type(written: &str, printed: &str) -> bool {
    let name = match written.to_ascii_lowercase().as_str() {
        "int" | "int4" => "integer".to_owned(),
        "int8" => "bigint".to_owned(),
        "varchar" => "character varying".to_owned(),
        "float8" => "double precision".to_owned(),
        "decimal" => "numeric".to_owned(),
        "timestamptz" => "timestamp with time zone".to_owned(),
        other => other.to_owned(),
    };
    name == printed
}

fn bare(column: &str) -> &str {
    column
        .rsplit('.')
        .next()
        .unwrap_or(column)
        .trim_matches('"')
}

/// Name, type of the cast and own type of a column that a scan's filter casts.
fn cast_column(written: &Written<'_>) -> Option<(String, String, String)> {
    for node in &written.plan().nodes {
        let (Some(filter), Some(relation)) = (&node.conditions.filter, &node.relation) else {
            continue;
        };
        let parsed = condition::parse(filter);
        for conjunct in parsed.conjuncts() {
            let Some(comparison) = conjunct.comparison(&relation.alias) else {
                continue;
            };
            let ExpressionKind::Cast { operand, type_name } = &comparison.subject.kind else {
                continue;
            };
            let ExpressionKind::Column { name, .. } = &operand.kind else {
                continue;
            };
            let table = written.table(&relation.alias)?;
            let own = &table.column(name)?.data_type.name;
            let text_of_text = own.starts_with("character") || own == "text";
            if comparison.operator == "="
                && !text_of_text
                && (is_real_cast(comparison.subject) || type_name == "text")
            {
                return Some((name.clone(), type_name.clone(), own.clone()));
            }
        }
    }
    None
}

/// ORDER BY without NULLS FIRST and NULLS LAST, where every column that has one is never NULL.
pub(super) fn plain_nulls(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    let mut parts = Vec::new();
    for at in 0..words.len() {
        if words.is(at, "nulls") && (words.is(at + 1, "last") || words.is(at + 1, "first")) {
            parts.push((at..at + 2, String::new()));
        }
    }
    let sorts = written.plan().nodes.iter().filter(|node| {
        node.sort_key
            .iter()
            .any(|key| key.contains(" NULLS FIRST") || key.contains(" NULLS LAST"))
    });
    let mut keys = sorts.flat_map(|node| &node.sort_key);
    let never_null = |key: &String| {
        let plain = key
            .trim_end_matches(" NULLS LAST")
            .trim_end_matches(" NULLS FIRST");
        plain == key || is_never_null(written, plain.trim_end_matches(" DESC"))
    };
    (!parts.is_empty() && keys.all(never_null)).then(|| words.replaced(&parts))
}

fn is_never_null(written: &Written<'_>, key: &str) -> bool {
    let parsed = condition::parse(key);
    let Some((alias, name)) = parsed.as_column() else {
        return false;
    };
    let tables = written.plan().nodes.iter();
    let mut tables = tables
        .filter_map(|node| node.relation.as_ref())
        .filter(|relation| alias.is_none_or(|alias| relation.alias == alias))
        .filter_map(|relation| written.table(&relation.alias));
    tables.any(|table| table.column(name).is_some_and(|column| column.not_null))
}
