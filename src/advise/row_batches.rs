//! A write that brings values of its own each time, as one statement for many rows: an INSERT of one row takes its rows from arrays
//! side by side, an UPDATE by key joins them. Texts only: whether they write the same is measured.

use std::ops::Range;

use super::batches::{is_name, parameters, words};
use crate::sql::names::unquote_lower;
use crate::sql::token::{Token, TokenKind};

/// A write of one row as one of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowBatch {
    /// With an array for each parameter, `$1` to `$n`, one element a row.
    pub sql: String,
    /// The table that it writes, as the statement names it.
    pub table: String,
    /// For each parameter of the statement the column that it gives a value or is compared with, unquoted.
    pub columns: Vec<String>,
    /// What tells the rows apart.
    pub rows: RowsOf,
}

/// What a write's rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsOf {
    /// New ones.
    Insert,
    /// Those that the values of these columns name.
    Update {
        /// Unquoted.
        key: Vec<String>,
    },
}

/// What differs from one execution to the next, or is not each row's own.
const NEVER: [&str; 10] = [
    "select",
    "or",
    "random",
    "nextval",
    "clock_timestamp",
    "gen_random_uuid",
    "merge",
    "with",
    "current",
    "limit",
];

/// The statement for many rows; none where it brings no values of its own, or may not be run so. `type_of` is a column's type by
/// the table's name as it is written and the column's, unquoted.
#[must_use]
pub fn row_batch(form: &str, type_of: impl Fn(&str, &str) -> Option<String>) -> Option<RowBatch> {
    let (sql, all, words) = words(form);
    if words.iter().any(|word| NEVER.contains(&word.as_str())) {
        return None;
    }
    let text = Statement {
        sql,
        all: &all,
        words: &words,
    };
    match words.first()?.as_str() {
        "insert" => insert(&text, type_of),
        "update" => update(&text, type_of),
        _ => None,
    }
}

struct Statement<'s> {
    sql: &'s str,
    all: &'s [Token],
    words: &'s [String],
}

impl Statement<'_> {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// A name with its schema: where it ends, and its text.
    fn name(&self, first: usize) -> Option<(usize, &str)> {
        let mut last = first;
        while self.word(last + 1) == "." {
            last += 2;
        }
        let end = self.all.get(last)?.span.end;
        Some((last + 1, &self.sql[self.all.get(first)?.span.start..end]))
    }

    fn text(&self, tokens: Range<usize>) -> &str {
        match (
            self.all.get(tokens.start),
            self.all.get(tokens.end.wrapping_sub(1)),
        ) {
            (Some(first), Some(last)) if tokens.start < tokens.end => {
                &self.sql[first.span.start..last.span.end]
            }
            _ => "",
        }
    }

    /// The items of a list in parentheses, and where it ends.
    fn list(&self, open: usize) -> Option<(Vec<Range<usize>>, usize)> {
        if self.word(open) != "(" {
            return None;
        }
        let (mut items, mut first, mut depth) = (Vec::new(), open + 1, 0_u32);
        for at in open + 1..self.words.len() {
            match self.word(at) {
                "(" | "[" => depth += 1,
                ")" if depth == 0 => {
                    items.push(first..at);
                    return Some((items, at + 1));
                }
                ")" | "]" => depth = depth.checked_sub(1)?,
                "," if depth == 0 => {
                    items.push(first..at);
                    first = at + 1;
                }
                _ => {}
            }
        }
        None
    }

    /// The number of the parameter that tokens are, with or without a cast.
    fn parameter(&self, tokens: &Range<usize>) -> Option<usize> {
        let token = self.all.get(tokens.start)?;
        let is_cast = self.word(tokens.start + 1) == ":" && self.word(tokens.start + 2) == ":";
        let is_alone = tokens.len() == 1 || is_cast;
        match token.kind {
            TokenKind::PositionalParam { .. } if is_alone => {
                self.word(tokens.start).strip_prefix('$')?.parse().ok()
            }
            _ => None,
        }
    }

    fn has_parameter(&self, tokens: Range<usize>) -> bool {
        self.all
            .get(tokens)
            .is_some_and(|some| !parameters(some).is_empty())
    }
}

/// The columns of `$1` to `$n`; none where one of them has none, or two.
fn in_order(mut found: Vec<(usize, String)>) -> Option<Vec<String>> {
    found.sort();
    let is_complete = found
        .iter()
        .enumerate()
        .all(|(at, (number, _))| *number == at + 1);
    (is_complete && !found.is_empty()).then(|| found.into_iter().map(|(_, name)| name).collect())
}

/// `unnest($1::bigint[], $2::text[]) AS batch (v1, v2)`.
fn arrays(
    table: &str,
    columns: &[String],
    type_of: impl Fn(&str, &str) -> Option<String>,
) -> Option<String> {
    let mut types = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let name = type_of(table, column)?;
        // An array of arrays comes apart into its elements.
        if name.ends_with(']') {
            return None;
        }
        types.push(format!("${}::{name}[]", at + 1));
    }
    let names: Vec<String> = (1..=columns.len()).map(|at| format!("v{at}")).collect();
    Some(format!(
        "unnest({}) AS batch ({})",
        types.join(", "),
        names.join(", ")
    ))
}

fn insert(
    text: &Statement<'_>,
    type_of: impl Fn(&str, &str) -> Option<String>,
) -> Option<RowBatch> {
    if text.word(1) != "into" {
        return None;
    }
    let (after_name, table) = text.name(2)?;
    let (names, after_names) = text.list(after_name)?;
    if text.word(after_names) != "values" {
        return None;
    }
    let (values, after_values) = text.list(after_names + 1)?;
    let rest = after_values..text.words.len();
    // A second row, or a value that ON CONFLICT writes.
    if text.word(after_values) == "," || text.has_parameter(rest.clone()) {
        return None;
    }
    if names.len() != values.len() {
        return None;
    }
    let (mut found, mut selected) = (Vec::new(), Vec::new());
    for (name, value) in names.iter().zip(&values) {
        match text.parameter(value) {
            Some(number) => {
                found.push((number, unquote_lower(text.text(name.clone()))));
                selected.push(format!("batch.v{number}"));
            }
            None if text.has_parameter(value.clone()) => return None,
            None => selected.push(text.text(value.clone()).to_owned()),
        }
    }
    let columns = in_order(found)?;
    // DEFAULT stands in VALUES alone.
    if selected
        .iter()
        .any(|value| value.eq_ignore_ascii_case("default"))
    {
        return None;
    }
    let head = text.text(0..after_names);
    let tail = text.text(rest);
    let sql = format!(
        "{head} SELECT {} FROM {}{}{tail}",
        selected.join(", "),
        arrays(table, &columns, type_of)?,
        if tail.is_empty() { "" } else { " " },
    );
    Some(RowBatch {
        sql,
        table: table.to_owned(),
        columns,
        rows: RowsOf::Insert,
    })
}

fn update(
    text: &Statement<'_>,
    type_of: impl Fn(&str, &str) -> Option<String>,
) -> Option<RowBatch> {
    let first = if text.word(1) == "only" { 2 } else { 1 };
    let (_, table) = text.name(first)?;
    let mut places = text.words.iter().enumerate();
    let set = places.find(|(_, word)| *word == "set")?.0;
    let condition = places.find(|(_, word)| *word == "where")?.0;
    if text.words.iter().any(|word| word == "from") {
        return None;
    }
    let (mut found, mut key, mut body) = (Vec::new(), Vec::new(), String::new());
    let mut copied = text.all.get(set)?.span.start;
    for at in parameters(text.all) {
        // `column = $n`, in the list and in the condition.
        let column = column_before(text, at)?;
        let is_last_of_cast = text.word(at + 1) == ":" && text.word(at + 2) == ":";
        let end = if is_last_of_cast { at + 3 } else { at };
        let ends_there = match text.word(end + 1) {
            "" | "," | "and" | "where" | ")" | "returning" => true,
            _ => false,
        };
        let number: usize = text.word(at).strip_prefix('$')?.parse().ok()?;
        if !ends_there || at < set {
            return None;
        }
        if at > condition {
            key.push(column.clone());
        }
        found.push((number, column));
        body.push_str(&text.sql[copied..text.all[at].span.start]);
        body.push_str(&format!("batch.v{number}"));
        copied = text.all.get(end)?.span.end;
    }
    let is_written = found.len() > key.len();
    if key.is_empty() || !is_written {
        return None;
    }
    body.push_str(&text.sql[copied..]);
    let columns = in_order(found)?;
    let from = format!("FROM {} ", arrays(table, &columns, type_of)?);
    let of_set = condition_in(&body)?;
    let head = text.text(0..set);
    let sql = format!("{head} {}{from}{}", &body[..of_set], &body[of_set..]);
    Some(RowBatch {
        sql,
        table: table.to_owned(),
        columns,
        rows: RowsOf::Update { key },
    })
}

/// Where the condition begins in what follows the table's name.
fn condition_in(body: &str) -> Option<usize> {
    let (sql, all, words) = words(body);
    let at = words.iter().position(|word| word == "where")?;
    let shift = body.len() - body.trim_start().len();
    debug_assert!(sql.len() <= body.len());
    Some(all.get(at)?.span.start + shift)
}

/// The column that `=` compares with or gives the parameter at a place.
fn column_before(text: &Statement<'_>, parameter: usize) -> Option<String> {
    let sign = parameter.checked_sub(1)?;
    let column = parameter.checked_sub(2)?;
    let is_column = text.word(sign) == "=" && is_name(text.all.get(column)?);
    is_column.then(|| unquote_lower(text.text(column..column + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of(_: &str, column: &str) -> Option<String> {
        let name = match column {
            "tags" => "text[]",
            "at" => "timestamp with time zone",
            "unknown" => return None,
            name if name.ends_with("id") => "bigint",
            _ => "text",
        };
        Some(name.to_owned())
    }

    #[test]
    fn an_insert_of_one_row_takes_its_rows_from_arrays() {
        let found = row_batch(
            "INSERT INTO shop.items (order_id, \"Note\", at) VALUES ($2, $1::text, now()) ON CONFLICT DO NOTHING",
            type_of,
        )
        .unwrap();
        assert_eq!(
            found.sql,
            "INSERT INTO shop.items (order_id, \"Note\", at) SELECT batch.v2, batch.v1, now() FROM unnest($1::text[], \
             $2::bigint[]) AS batch (v1, v2) ON CONFLICT DO NOTHING"
        );
        assert_eq!(found.columns, ["Note", "order_id"]);
        assert_eq!(found.rows, RowsOf::Insert);
    }

    #[test]
    fn an_update_with_values_of_its_own_joins_them_by_its_key() {
        let found = row_batch(
            "UPDATE items AS i SET note = $1, seen = true WHERE i.id = $2 AND NOT deleted",
            type_of,
        )
        .unwrap();
        assert_eq!(
            found.sql,
            "UPDATE items AS i SET note = batch.v1, seen = true FROM unnest($1::text[], $2::bigint[]) AS batch (v1, v2) WHERE i.id \
             = batch.v2 AND NOT deleted"
        );
        assert_eq!(
            found.rows,
            RowsOf::Update {
                key: vec!["id".to_owned()]
            }
        );
    }

    #[test]
    fn what_has_no_rows_of_its_own_is_refused() {
        for sql in [
            "INSERT INTO items (id) VALUES ($1), ($2)",
            "INSERT INTO items (id, note) VALUES ($1, lower($2))",
            "INSERT INTO items (id, note) VALUES ($1, DEFAULT)",
            "INSERT INTO items (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET note = $2",
            "INSERT INTO items (id) SELECT $1",
            "INSERT INTO items VALUES ($1)",
            "INSERT INTO items (id, tags) VALUES ($1, $2)",
            "INSERT INTO items (id, unknown) VALUES ($1, $2)",
            "INSERT INTO items (id, token) VALUES ($1, gen_random_uuid())",
            "UPDATE items SET seen = true WHERE id = $1",
            "UPDATE items SET note = $1",
            "UPDATE items SET count = count + $1 WHERE id = $2",
            "UPDATE items SET note = $1 WHERE id > $2",
            "UPDATE items SET note = $1 FROM orders WHERE items.id = $2",
            "DELETE FROM items WHERE id = $1",
        ] {
            assert_eq!(row_batch(sql, type_of), None, "{sql}");
        }
    }
}
