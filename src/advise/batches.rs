//! A statement that is executed once a key, rewritten to one for all keys: `= ANY` where its rows stand for themselves, a LATERAL
//! join where a LIMIT, an order or an aggregate holds for each key. Texts only: whether they return the same is measured.

use std::ops::Range;

use crate::sql::token::{Token, TokenKind, significant};

/// A statement for all keys; its first column says whose the row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// With `$1` for the array of keys.
    pub sql: String,
    /// What its first column is.
    pub form: Form,
}

/// A statement that writes, for all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteBatch {
    /// With `$1` for the array of keys.
    pub sql: String,
    /// The table that it writes, as the statement names it.
    pub table: String,
}

/// How a statement is made one for all keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `= ANY ($1)`: the first column is the key.
    Any,
    /// `unnest($1) WITH ORDINALITY … LATERAL`: the first column is the key's place in the array, from 1.
    Lateral,
}

/// Words for which rows do not stand for themselves: each key has its own.
const OF_EACH_KEY: [&str; 17] = [
    "limit",
    "offset",
    "fetch",
    "order",
    "group",
    "having",
    "distinct",
    "union",
    "intersect",
    "except",
    "over",
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "array_agg",
];
/// What differs from one execution to the next, or locks.
const NEVER: [&str; 9] = [
    "random",
    "nextval",
    "clock_timestamp",
    "gen_random_uuid",
    "update",
    "share",
    "insert",
    "delete",
    "into",
];

/// The rewrites of a statement with one `$1`, the plainer first; none where it may not be run for many.
#[must_use]
pub fn batches(sql: &str, type_name: &str) -> Vec<Batch> {
    let (sql, all, words) = words(sql);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let begins = words
        .first()
        .is_some_and(|word| word == "select" || word == "with");
    let keys = parameters(&all);
    if !begins || has(&NEVER) || keys.is_empty() || keys.iter().any(|at| words[*at] != "$1") {
        return Vec::new();
    }
    let mut found = Vec::new();
    if !has(&OF_EACH_KEY) {
        found.extend(any(sql, &all, &words, &keys));
    }
    found.push(lateral(sql, &all, &keys, type_name));
    found
}

/// Words of writes whose rows are not each key's own.
const NOT_OF_ONE_KEY: [&str; 10] = [
    "select",
    "or",
    "limit",
    "current",
    "random",
    "nextval",
    "clock_timestamp",
    "gen_random_uuid",
    "merge",
    "insert",
];

/// An UPDATE or DELETE by one key as one for all keys; none where it may not be run for many.
#[must_use]
pub fn write_batch(sql: &str) -> Option<WriteBatch> {
    let (sql, all, words) = words(sql);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let mut first = match (word(0), word(1)) {
        ("update", _) => 1,
        ("delete", "from") => 2,
        _ => return None,
    };
    if word(first) == "only" {
        first += 1;
    }
    let mut last = first;
    while word(last + 1) == "." {
        last += 2;
    }
    let table = &sql[all.get(first)?.span.start..all.get(last)?.span.end];
    let keys = parameters(&all);
    let [key] = keys.as_slice() else { return None };
    let is_one_keys = words[*key] == "$1"
        && word(key.checked_sub(1)?) == "="
        && column(&all, &words, key - 1).is_some()
        && !words
            .iter()
            .any(|word| NOT_OF_ONE_KEY.contains(&word.as_str()));
    if !is_one_keys {
        return None;
    }
    let parameter = parameter(&all, &words, *key)?;
    Some(WriteBatch {
        sql: format!(
            "{}ANY ($1){}",
            &sql[..parameter.start],
            &sql[parameter.end..]
        ),
        table: table.to_owned(),
    })
}

/// A statement without its end, its tokens, and each as a word in small letters.
pub(super) fn words(sql: &str) -> (&str, Vec<Token>, Vec<String>) {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let all: Vec<Token> = significant(sql);
    let words = all
        .iter()
        .map(|token| sql[token.span.clone()].to_ascii_lowercase())
        .collect();
    (sql, all, words)
}

/// Which tokens are parameters.
pub(super) fn parameters(all: &[Token]) -> Vec<usize> {
    let is_one = |at: &usize| matches!(all[*at].kind, TokenKind::PositionalParam { .. });
    (0..all.len()).filter(is_one).collect()
}

/// Where a parameter stands, with its cast: of `$1::INTEGER`, as drivers write it, the array has its own type.
fn parameter(all: &[Token], words: &[String], key: usize) -> Option<Range<usize>> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let is_cast = word(key + 1) == ":" && word(key + 2) == ":";
    let last = if is_cast { key + 3 } else { key };
    Some(all[key].span.start..all.get(last)?.span.end)
}

/// `SELECT author_id, … WHERE author_id = ANY ($1)`.
fn any(sql: &str, all: &[Token], words: &[String], keys: &[usize]) -> Option<Batch> {
    let [key] = keys else { return None };
    let selects = words.iter().filter(|word| *word == "select").count();
    // A condition of an OR holds for other rows, too; one of a sub-select is another key's.
    if selects != 1 || words.first()? != "select" || words.iter().any(|word| word == "or") {
        return None;
    }
    if words.get(key.checked_sub(1)?)? != "=" {
        return None;
    }
    let first = column(all, words, key - 1)?;
    let column = &sql[all[first].span.start..all[key - 2].span.end];
    let after_select = all[0].span.end;
    let parameter = parameter(all, words, *key)?;
    Some(Batch {
        sql: format!(
            "{} {column},{}ANY ($1){}",
            &sql[..after_select],
            &sql[after_select..parameter.start],
            &sql[parameter.end..]
        ),
        form: Form::Any,
    })
}

/// Whether a token can be a column's name.
pub(super) fn is_name(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Ident | TokenKind::QuotedIdent { .. })
}

/// Where the column before a sign begins: `authors.id`.
fn column(all: &[Token], words: &[String], sign: usize) -> Option<usize> {
    let is_name_at = |at: usize| is_name(&all[at]);
    let mut first = sign.checked_sub(1).filter(|at| is_name_at(*at))?;
    while first >= 2 && words[first - 1] == "." && is_name_at(first - 2) {
        first -= 2;
    }
    // What stands before it must end a condition or begin one.
    let before = first.checked_sub(1).map(|at| words[at].as_str());
    matches!(before, Some("where" | "and" | "on" | "(")).then_some(first)
}

/// The statement itself, once for each key.
fn lateral(sql: &str, all: &[Token], keys: &[usize], type_name: &str) -> Batch {
    let mut body = String::new();
    let mut copied = 0;
    for key in keys {
        let place = &all[*key].span;
        body.push_str(&sql[copied..place.start]);
        body.push_str("batch.key");
        copied = place.end;
    }
    body.push_str(&sql[copied..]);
    Batch {
        sql: format!(
            "SELECT batch.place, found.* FROM unnest($1::{type_name}[]) WITH ORDINALITY AS batch (key, place) CROSS JOIN LATERAL ({body}) AS found"
        ),
        form: Form::Lateral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<(String, Form)> {
        batches(sql, "bigint")
            .into_iter()
            .map(|batch| (batch.sql, batch.form))
            .collect()
    }

    #[test]
    fn rows_that_stand_for_themselves_are_asked_for_with_any() {
        let found = texts("SELECT name FROM authors a WHERE a.id = $1 AND active;");
        assert_eq!(
            found[0],
            (
                "SELECT a.id, name FROM authors a WHERE a.id = ANY ($1) AND active".to_owned(),
                Form::Any
            )
        );
        assert_eq!(found[1].1, Form::Lateral);
    }

    #[test]
    fn a_cast_of_the_key_is_the_arrays_business() {
        let found = texts("SELECT a.name FROM authors a WHERE a.id = $1::INTEGER AND a.active");
        assert_eq!(
            found[0].0,
            "SELECT a.id, a.name FROM authors a WHERE a.id = ANY ($1) AND a.active"
        );
    }

    #[test]
    fn what_holds_for_each_key_is_lateral() {
        let found = texts("SELECT id FROM posts WHERE author_id = $1 ORDER BY at DESC LIMIT 3");
        assert_eq!(
            found,
            [(
                "SELECT batch.place, found.* FROM unnest($1::bigint[]) WITH ORDINALITY AS batch (key, place) CROSS JOIN LATERAL (SELECT \
                 id FROM posts WHERE author_id = batch.key ORDER BY at DESC LIMIT 3) AS found"
                    .to_owned(),
                Form::Lateral
            )]
        );
        assert_eq!(
            texts("SELECT count(*) FROM posts WHERE author_id = $1").len(),
            1
        );
        assert_eq!(
            texts("SELECT 1 FROM posts WHERE author_id = $1 OR pinned").len(),
            1
        );
    }

    #[test]
    fn a_write_by_one_key_is_one_by_all() {
        let found = |sql| write_batch(sql).map(|batch| (batch.sql, batch.table));
        assert_eq!(
            found("UPDATE shop.posts p SET seen = true WHERE p.id = $1::bigint AND NOT seen;"),
            Some((
                "UPDATE shop.posts p SET seen = true WHERE p.id = ANY ($1) AND NOT seen".to_owned(),
                "shop.posts".to_owned()
            ))
        );
        assert_eq!(
            found("DELETE FROM ONLY \"Items\" WHERE cart = $1 RETURNING id")
                .unwrap()
                .1,
            "\"Items\""
        );
        for sql in [
            "UPDATE posts SET rank = $1 WHERE id = 3",
            "UPDATE posts SET rank = $2 WHERE id = $1",
            "DELETE FROM posts WHERE id = $1 OR pinned",
            "DELETE FROM posts WHERE id IN (SELECT post FROM seen WHERE reader = $1)",
            "UPDATE posts SET token = gen_random_uuid() WHERE id = $1",
            "SELECT a FROM posts WHERE id = $1",
        ] {
            assert_eq!(found(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_may_not_run_for_many_is_refused() {
        for sql in [
            "SELECT a FROM b WHERE c = $1 FOR UPDATE",
            "SELECT random() FROM b WHERE c = $1",
            "DELETE FROM b WHERE c = $1",
            "SELECT a FROM b WHERE c = $1 AND d = $2",
            "SELECT a FROM b",
        ] {
            assert_eq!(texts(sql), [], "{sql}");
        }
    }
}
