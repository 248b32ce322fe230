//! sqlx's macros where there is no `.sqlx`: the text in `query!("…")`, `query_as!(T, "…")`, `query_scalar!("…")`, and in
//! `sqlx::query("…")`. With `cargo sqlx prepare` the source `sqlx` knows more.

use super::code::{self, Language, Placed, Value};
use super::conventions::{Convention, Found};
use super::sqlalchemy::is_statement;
use crate::source::Source;

pub(super) const CONVENTION: Convention = Convention {
    key: "rust",
    tool: "sqlx's macros",
    extensions: &["rs"],
    shows,
    read,
};

/// What sqlx calls them; with `_unchecked` too.
const NAMES: [&str; 6] = [
    "query",
    "query_as",
    "query_scalar",
    "query_unchecked",
    "query_as_unchecked",
    "query_scalar_unchecked",
];

fn shows(text: &str) -> bool {
    text.contains("sqlx") && text.contains("query") && !read_text(text).is_empty()
}

fn read(source: &Source) -> Vec<Found> {
    read_text(&source.text)
}

fn read_text(text: &str) -> Vec<Found> {
    let pieces = code::pieces(text, Language::Rust);
    let mut found = Vec::new();
    let mut function = String::new();
    let mut tests_end = 0;
    for (at, piece) in pieces.iter().enumerate() {
        if at < tests_end {
            continue;
        }
        if let Some(end) = end_of_tests(&pieces, at) {
            tests_end = end;
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
            && let Some((Value::Known(text), _)) = code::value_at(&pieces, first)
            && is_statement(&text.value)
        {
            found.push(Found::statement(function.clone(), text.line, text.value));
        }
    }
    found
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
}
