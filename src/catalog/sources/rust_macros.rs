//! SQL in Rust code: sqlx's macros where there is no `.sqlx` (`query!("…")`, `query_as!(T, "…")`, `query_scalar!("…")`), what
//! `sqlx::query("…")`, diesel's `sql_query("…")` and the clients of tokio-postgres and postgres take, and whole statements that
//! are constants or handed to functions of the project's own. With `cargo sqlx prepare` the source `sqlx` knows more.

use std::collections::BTreeSet;

use super::code::{self, Language, Placed, Value};
use super::conventions::{Convention, Found, What};
use super::placeholders::has_numbered_marks;
use super::sqlalchemy::is_statement;
use super::whole::{self, assigned_name, is_surely_a_statement};
use crate::source::Source;

pub(super) const CONVENTION: Convention = Convention {
    key: "rust",
    tool: "SQL in Rust code",
    extensions: &["rs"],
    shows,
    read,
    parts: None,
};

/// What sqlx calls them, with `_unchecked` too, and the methods of other clients.
const NAMES: [&str; 16] = [
    "sql_query",
    "query_one",
    "query_opt",
    "query_raw",
    "query_typed",
    "execute",
    "prepare",
    "prepare_cached",
    "prepare_typed",
    "simple_query",
    "query",
    "query_as",
    "query_scalar",
    "query_unchecked",
    "query_as_unchecked",
    "query_scalar_unchecked",
];

fn shows(text: &str) -> bool {
    whole::may_hold_statements(text) && !read_text(text).is_empty()
}

fn read(source: &Source) -> Vec<Found> {
    // `src/x/tests.rs`: what tests send is no query of the application's.
    let is_of_tests = source.path.ends_with("tests.rs")
        || source
            .path
            .components()
            .any(|part| part.as_os_str() == "tests");
    match is_of_tests {
        true => Vec::new(),
        false => read_text(&source.text),
    }
}

fn read_text(text: &str) -> Vec<Found> {
    let pieces = code::pieces(text, Language::Rust);
    let mut found = Vec::new();
    let mut function = String::new();
    let mut tests_end = 0;
    let mut tests: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        if at < tests_end {
            continue;
        }
        if let Some(end) = end_of_tests(&pieces, at) {
            tests_end = end;
            tests.push(at..end);
            continue;
        }
        if piece.is_word("fn") {
            function = pieces
                .get(at + 1)
                .and_then(Placed::word)
                .unwrap_or_default()
                .to_owned();
        }
        if piece.word().is_some_and(|word| NAMES.contains(&word))
            && let Some(first) = argument(&pieces, at)
        {
            match value(&pieces, first) {
                // One text may be handed over in several places.
                Some(Value::Known(text))
                    if found.iter().any(|one: &Found| one.line == text.line) => {}
                Some(Value::Known(text)) if is_statement(&text.value) => {
                    found.push(Found::statement(function.clone(), text.line, text.value));
                }
                Some(Value::Dynamic(line)) => found.push(Found::dynamic(function.clone(), line)),
                Some(Value::Known(_)) | None => {}
            }
        }
    }
    let read: BTreeSet<u32> = found.iter().map(|one| one.line).collect();
    let others = elsewhere(&pieces, &read);
    let own = others
        .into_iter()
        .filter(|(at, _)| !tests.iter().any(|range| range.contains(at)));
    found.extend(own.map(|(_, one)| one));
    // A program for two databases has each statement twice.
    found.retain(|one| match &one.what {
        What::Statement { sql, .. } => !has_numbered_marks(sql),
        What::Unknown { .. } => true,
    });
    found.sort_by_key(|one| one.line);
    found
}

/// Whole statements that no known call takes, with the places of their texts.
fn elsewhere(pieces: &[Placed], read: &BTreeSet<u32>) -> Vec<(usize, Found)> {
    whole::texts(pieces, |text| {
        !read.contains(&text.line) && is_surely_a_statement(&text.value)
    })
    .into_iter()
    .map(|one| {
        let name = match assigned_name(pieces, one.at) {
            Some(name) if !name.chars().any(char::is_lowercase) => name.to_owned(),
            Some(_) | None => function_before(pieces, one.at),
        };
        let found = match one.is_part {
            true => Found::dynamic(name, one.text.line),
            false => Found::statement(name, one.text.line, one.text.value),
        };
        (one.at, found)
    })
    .collect()
}

/// The function that begins last before a place.
fn function_before(pieces: &[Placed], at: usize) -> String {
    let begins = (0..at).rev().find(|at| pieces[*at].is_word("fn"));
    let name = begins.and_then(|at| pieces.get(at + 1)?.word());
    name.unwrap_or_default().to_owned()
}

/// What an argument comes to: a text that stands there, or the one of a constant or variable with that name.
fn value(pieces: &[Placed], at: usize) -> Option<Value> {
    if let Some((Value::Known(text), _)) = code::value_at(pieces, at) {
        return Some(Value::Known(text));
    }
    let mut name = at;
    while pieces.get(name)?.is_sign('&') {
        name += 1;
    }
    let ends = pieces.get(name + 1)?;
    let is_alone = ends.is_sign(')') || ends.is_sign(',');
    is_alone.then(|| assigned(pieces, pieces[name].word()?, name))?
}

/// The value of the nearest `const NAME: &str = …` or `let name = …` above a place; dynamic where it is no whole text.
fn assigned(pieces: &[Placed], name: &str, before: usize) -> Option<Value> {
    let declares = |at: usize| {
        let words = ["const", "let", "static", "mut"];
        pieces[at].is_word(name) && words.iter().any(|word| pieces[at - 1].is_word(word))
    };
    let declared = (1..before).rev().find(|at| declares(*at))?;
    let mut at = declared + 1;
    while !pieces.get(at)?.is_sign('=') {
        if pieces[at].is_sign(';') {
            return None;
        }
        at += 1;
    }
    let line = pieces.get(at + 1)?.line;
    match code::value_at(pieces, at + 1) {
        Some((Value::Known(text), end)) if pieces.get(end)?.is_sign(';') => {
            Some(Value::Known(text))
        }
        Some(_) => Some(Value::Dynamic(line)),
        // `concatcp!("SELECT …", …)` and `format!("SELECT …")`; anything else may be no text at all.
        None => {
            let is_macro = pieces.get(at + 2).is_some_and(|sign| sign.is_sign('!'));
            let begins = (at + 3..at + 6).find_map(|inside| match code::value_at(pieces, inside) {
                Some((Value::Known(text), _)) => Some(text.value),
                Some((Value::Dynamic(_), _)) | None => None,
            });
            (is_macro && begins.is_some_and(|text| is_statement(&text)))
                .then_some(Value::Dynamic(line))
        }
    }
}

/// Where a module of tests ends that begins here: `#[cfg(test)] mod tests { … }`. What tests send is no query of the
/// application's.
fn end_of_tests(pieces: &[Placed], at: usize) -> Option<usize> {
    let is_word = |at: usize, word: &str| pieces.get(at).is_some_and(|piece| piece.is_word(word));
    let is_marked = pieces[at].is_sign('#') && is_word(at + 2, "cfg") && is_word(at + 4, "test");
    // Behind the mark, `mod`, the name and the brace.
    if !is_marked || !is_word(at + 7, "mod") || !pieces.get(at + 9)?.is_sign('{') {
        return None;
    }
    let mut depth = 0_usize;
    for (place, piece) in pieces.iter().enumerate().skip(at + 9) {
        if piece.is_sign('{') {
            depth += 1;
        } else if piece.is_sign('}') {
            depth -= 1;
            if depth == 0 {
                return Some(place + 1);
            }
        }
    }
    Some(pieces.len())
}

/// Where the text stands: behind `query!(`, `query_as!(T,`, `query_as::<_, T>(`.
fn argument(pieces: &[Placed], at: usize) -> Option<usize> {
    let mut next = at + 1;
    let is_macro = pieces.get(next)?.is_sign('!');
    if is_macro {
        next += 1;
    } else if pieces.get(next)?.is_sign(':') {
        while !pieces.get(next)?.is_sign('(') {
            next += 1;
        }
    }
    if !pieces.get(next)?.is_sign('(') {
        return None;
    }
    next += 1;
    let takes_type = is_macro
        && pieces[at]
            .word()
            .is_some_and(|word| word.starts_with("query_as"));
    if takes_type {
        while !pieces.get(next)?.is_sign(',') {
            next += 1;
        }
        next += 1;
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_that_is_handed_over_is_its_text() {
        let code = "use sqlx;\nasync fn last(db: &Pool) {\n  const QUERY: &str = r#\"\nSELECT max(id) FROM t\"#;\n  sqlx::query_scalar(QUERY).fetch_one(db)\n}\n\
                    fn built() {\n  let query = format!(\"SELECT {} FROM t\", x);\n  sqlx::query(&query);\n}\n\
                    fn given(text: &str) { sqlx::query(text); }";
        let found = read(&Source::new("a.rs", code));
        let shown: Vec<_> = found
            .iter()
            .map(|one| {
                (
                    one.name.as_str(),
                    matches!(one.what, super::super::conventions::What::Statement { .. }),
                )
            })
            .collect();
        assert_eq!(shown, [("last", true), ("built", false)]);
        assert_eq!(read(&Source::new("src/a/tests.rs", code)), []);
    }

    #[test]
    fn what_is_written_for_sqlite_is_left_out() {
        let code = "async fn berth(db: &Database) {\n  match db {\n    Database::Postgres(c) => c.query_one(\"SELECT id FROM berths WHERE pier = $1\", &[]).await,\n\
                    Database::Sqlite(c) => c.query(\"SELECT id FROM berths WHERE pier = ?1\", []),\n  }\n}\n\
                    fn tags(c: &Client) { c.execute(\"DELETE FROM berths WHERE tags ? '1'\", &[]); }";
        let lines: Vec<u32> = read(&Source::new("a.rs", code))
            .iter()
            .map(|one| one.line)
            .collect();
        assert_eq!(lines, [3, 7]);
    }

    #[test]
    fn macros_and_functions_are_read() {
        let code = "async fn get(db: &Pool) {\n  sqlx::query_as!(User, r#\"\n    SELECT id AS \"id!\" FROM users WHERE id = $1\"#, id);\n}\n\
                    fn set() { sqlx::query_scalar::<_, i64>(\"UPDATE a SET b = 1\"); query(name); }\n// query!(\"SELECT 2\")\n\
                    #[cfg(test)]\nmod tests { fn a() { query!(\"SELECT 3\"); } }\nfn last() { query!(\"SELECT 4\"); }";
        assert!(shows(code));
        let found = read(&Source::new("a.rs", code));
        assert_eq!(
            found
                .iter()
                .map(|one| (one.name.as_str(), one.line))
                .collect::<Vec<_>>(),
            [("get", 3), ("set", 5), ("last", 9)]
        );
    }

    #[test]
    fn other_clients_and_constants_for_other_files_are_read() {
        let code = "pub const BY_CODE: &str = \"SELECT id FROM harbours WHERE code = $1\";\nconst COLUMNS: &str = \"id, code\";\n\
                    async fn free(client: &Client) {\n  client.query_one(\"SELECT count(*) FROM berths\", &[]).await;\n\
                    \x20 diesel::sql_query(\"DELETE FROM berths WHERE id = $1\").execute(conn);\n  pool.execute(&statement).await;\n}\n";
        assert!(shows(code));
        let found = read(&Source::new("a.rs", code));
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.line))
            .collect();
        assert_eq!(shown, [("BY_CODE", 1), ("free", 4), ("free", 5)]);
    }
}
