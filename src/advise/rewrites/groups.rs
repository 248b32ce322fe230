//! One look-up for each group in place of ordering all rows of all groups: the groups come from the table that the grouping
//! column refers to.

use super::Written;
use crate::schema::{Schema, Table, quote_identifier};

/// DISTINCT ON, or a window's `row_number() = 1`, as LATERAL … LIMIT.
pub(super) fn each_group(written: &Written<'_>) -> Option<String> {
    distinct_on(written).or_else(|| row_number(written))
}

/// `SELECT DISTINCT ON (g) list FROM t [WHERE …] ORDER BY g, at DESC`.
fn distinct_on(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    if !words.are(0, &["select", "distinct", "on", "("]) {
        return None;
    }
    let list = words.after_parenthesis(3)?;
    let group = words.slice(4..list - 1);
    let from = words.find_outside(list, &["from"])?;
    let source = Source::read(written, from)?;
    let order = words.find_outside(source.end, &["order"])?;
    let first = words.after_column(order + 2)?;
    if !words.are(order, &["order", "by"])
        || bare(words.slice(order + 2..first)) != bare(group)
        || !words.is(first, ",")
    {
        return None;
    }
    let end = words
        .find_outside(order, &["limit", "offset", "fetch", "for"])
        .unwrap_or_else(|| words.end());
    if end != words.end() {
        return None;
    }
    let keys = words.slice(first + 1..end);
    let columns = words.slice(list..from);
    let parent = parent(written.schema, source.table, bare(group))?;
    let condition = source.condition(words.slice(source.end..order))?;
    Some(format!(
        "SELECT each.*\nFROM {parent_name} AS groups\nCROSS JOIN LATERAL (\n  SELECT {columns}\n  FROM {from}\n  \
         WHERE {condition}{group} = groups.{key}\n  ORDER BY {keys}\n  LIMIT 1\n) AS each\nORDER BY groups.{key}",
        parent_name = parent.table,
        from = source.text,
        key = parent.key,
    ))
}

/// `SELECT list FROM (SELECT …, row_number() OVER (PARTITION BY g ORDER BY at DESC) AS n FROM t) r WHERE n = 1`.
fn row_number(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    let at = (0..words.len()).find(|at| {
        words.are(
            *at,
            &["row_number", "(", ")", "over", "(", "partition", "by"],
        )
    })?;
    let outer = words.find_outside(0, &["from"])?;
    if !words.are(outer + 1, &["(", "select"]) || at < outer {
        return None;
    }
    let close = words.after_parenthesis(outer + 1)?;
    let window = words.after_parenthesis(at + 4)?;
    let group_end = words.after_column(at + 7)?;
    let group = words.slice(at + 7..group_end);
    if !words.are(group_end, &["order", "by"]) {
        return None;
    }
    let keys = words.slice(group_end + 2..window - 1);
    let number = window + usize::from(words.is(window, "as"));
    let name = words.text(number);
    let from = (number..close).find(|at| words.is(*at, "from"))?;
    let source = Source::read(written, from)?;
    let condition = source.condition(words.slice(source.end..close - 1))?;
    let alias = words.text(close + usize::from(words.is(close, "as")));
    let filter = words.find_outside(close, &["where"])?;
    let count = match (
        words.is(filter + 2, "="),
        words.are(filter + 2, &["<", "="]),
    ) {
        (true, _) => words.text(filter + 3),
        (false, true) => words.text(filter + 4),
        (false, false) => return None,
    };
    let last = filter + 4 + usize::from(words.is(filter + 2, "<"));
    let is_first = words.is(filter + 2, "=") && count != "1";
    let named = bare(words.slice(filter + 1..words.after_column(filter + 1)?)) == name;
    let returned = (1..outer).any(|at| words.is(at, name) || words.is(at, "*"));
    if !named || is_first || returned || last != words.end() || count.parse::<u32>().is_err() {
        return None;
    }
    let parent = parent(written.schema, source.table, bare(group))?;
    let list = words.slice(1..outer);
    Some(format!(
        "SELECT {list}\nFROM {parent_name} AS groups\nCROSS JOIN LATERAL (\n  SELECT *\n  FROM {from}\n  \
         WHERE {condition}{group} = groups.{key}\n  ORDER BY {keys}\n  LIMIT {count}\n) AS {alias}",
        parent_name = parent.table,
        from = source.text,
        key = parent.key,
    ))
}

/// The only table of a FROM.
struct Source<'a> {
    table: &'a Table,
    /// With its alias.
    text: &'a str,
    /// After it.
    end: usize,
}

impl<'a> Source<'a> {
    fn read(written: &Written<'a>, from: usize) -> Option<Self> {
        let words = &written.words;
        let name_end = words.after_column(from + 1)?;
        let mut end = name_end + usize::from(words.is(name_end, "as"));
        let next = |at: usize| {
            ["where", "order", ")"]
                .iter()
                .any(|word| words.is(at, word))
        };
        if words.is_name(end) && !next(end) {
            end += 1;
        }
        if !next(end) {
            return None;
        }
        let name = words.slice(from + 1..name_end).rsplit('.').next()?;
        Some(Self {
            table: written.schema.table(None, name.trim_matches('"'))?,
            text: words.slice(from + 1..end),
            end,
        })
    }

    /// `(…) AND ` of the WHERE that follows; empty where there is none.
    fn condition(&self, rest: &str) -> Option<String> {
        if rest.is_empty() {
            return Some(String::new());
        }
        let condition = rest
            .get(..5)
            .filter(|word| word.eq_ignore_ascii_case("where"));
        condition.map(|_| format!("({}) AND ", rest[5..].trim()))
    }
}

/// Where the groups come from.
struct Parent {
    table: String,
    key: String,
}

/// The table that a column which is never NULL refers to by itself.
fn parent(schema: &Schema, table: &Table, column: &str) -> Option<Parent> {
    if !table.column(column)?.not_null {
        return None;
    }
    let key = table
        .foreign_keys
        .iter()
        .find(|key| key.columns == [column] && key.validated)?;
    let referenced = schema.table_by_oid(key.references)?;
    Some(Parent {
        table: referenced.name.sql(),
        key: quote_identifier(key.referenced_columns.first()?),
    })
}

/// A column without its qualifier and quotes.
fn bare(column: &str) -> &str {
    column
        .rsplit('.')
        .next()
        .unwrap_or(column)
        .trim()
        .trim_matches('"')
}
