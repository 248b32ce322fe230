//! Whatever stands in a query file: the catalog never panics, every mistake can be shown, and every place in the SQL that
//! the server sees leads back to the same character of the file.

// A broken invariant fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;

use pgproof::catalog::{self, Query};
use pgproof::cli::exit::{CliError, Style, render};
use pgproof::source::Source;
use proptest::prelude::*;

/// What query files are made of, and what makes them hard.
const PIECES: &[&str] = &[
    "-- name: A :many\n",
    "-- name: B :one\n",
    "/* name: C :exec */",
    "-- name: D\n",
    "-- name:\n",
    "\n-- @param a: hot\n",
    "\n-- @param $1: 'x'\n",
    "\n-- @param a: (select 1)\n",
    "\n-- @budget time=5ms rows=1\n",
    "\n-- @calls 5/s\n",
    "\n-- @for-each A.id -> $1\n",
    "\n-- @for-each B.b -> a\n",
    "\n-- @allow seq-scan: small\n",
    "\n-- @allow x\n",
    "\n-- @skip: by hand\n",
    "\n# name: G :one\n",
    "\n-- @\n",
    "select ",
    "insert into t (a, b) values ",
    "update t set a = ",
    "delete from t ",
    "with x as (select 1) ",
    " from t ",
    " where ",
    " and ",
    " or ",
    " not ",
    " in ",
    " between ",
    " limit ",
    " offset ",
    " returning id ",
    " for update ",
    " union ",
    " as b ",
    " id ",
    " a ",
    " t.* ",
    " * ",
    "$1",
    "$2",
    "$0",
    "$99999",
    "$1x",
    "@a",
    "@ b",
    ":a",
    "::int",
    ":=",
    "a:b",
    "[1:a]",
    "sqlc.arg(a)",
    "sqlc.narg('b')",
    "sqlc.slice(c)",
    "in (sqlc.slice(c))",
    "not in (sqlc.slice('d'))",
    "sqlc.embed(t)",
    "sqlc.",
    "sqlc.arg(",
    "(",
    ")",
    "[",
    "]",
    "{",
    ",",
    ";",
    ".",
    "=",
    "<@",
    "@>",
    "@@",
    "||",
    "+",
    "-",
    "--",
    "/*",
    "*/",
    "'",
    "''",
    "'x'",
    "E'\\''",
    "\"",
    "\"q\"",
    "U&\"\\0061\"",
    "$$",
    "$t$",
    "$t$ ; $t$",
    "1",
    "1.5e3",
    "0x1F",
    "é",
    "日本",
    "\u{feff}",
    "\u{0}",
    "\r\n",
    "\n",
    "\t",
    " ",
    "\\",
    "case when ",
    " then 1 end ",
    "exists (select 1)",
    "any(",
    "lower(email)",
    "null",
    "#",
    "?",
];

fn sources(text: String) -> Vec<Source> {
    vec![Source::new("queries/a.sql", text)]
}

/// Everything that must hold of any text.
fn holds(text: &str) {
    let catalog = catalog::parse(&sources(text.to_owned()));
    catalog.queries.iter().for_each(|query| places(text, query));
    let names: HashSet<&str> = catalog
        .queries
        .iter()
        .map(|query| query.name.as_str())
        .collect();
    assert_eq!(names.len(), catalog.queries.len(), "names are unique");
    for skipped in &catalog.skipped {
        assert!(skipped.line >= 1 && !skipped.reason().is_empty() && !skipped.remedy().is_empty());
    }
    let Err(errors) = catalog.strict() else {
        return;
    };
    for error in &errors {
        assert!(
            error.span.start <= error.span.end && error.span.end <= text.len(),
            "{error} at {:?}",
            error.span
        );
        assert!(
            text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end),
            "{error}"
        );
    }
    let count = errors.len();
    let shown = render(&CliError::from(errors), Style::Plain);
    assert!(shown.matches("error:").count() >= count, "{shown}");
}

/// Verbatim characters are the same in both texts; parameters are numbered without gaps.
fn places(text: &str, query: &Query) {
    let lines: Vec<Vec<char>> = text
        .split('\n')
        .map(|line| line.chars().chain(['\n']).collect())
        .collect();
    // Each place is counted from the start: of a long statement a few hundred are looked at.
    let stride = query.sql.len() / 300 + 1;
    for (index, (offset, character)) in query.sql.char_indices().enumerate().step_by(stride) {
        let (line, column) = query.source_position(u32::try_from(index + 1).unwrap());
        let there = lines[line as usize - 1]
            .get(column as usize - 1)
            .expect("a place in the file");
        let segment = query
            .segments
            .iter()
            .rev()
            .find(|segment| segment.sql <= offset)
            .expect("a segment");
        assert!(
            !segment.verbatim || *there == character,
            "{line}:{column} is {there:?}, not {character:?}"
        );
    }
    let numbers: Vec<usize> = query
        .parameters
        .iter()
        .map(|parameter| parameter.number.into())
        .collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    assert!(text.contains(&query.source));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        holds(&text);
    }

    #[test]
    fn any_query(body in "[ -~\\n]{0,120}") {
        holds(&format!("-- name: A :many\n{body}"));
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        holds(&pieces.concat());
    }

    #[test]
    fn any_statement(pieces in prop::collection::vec(prop::sample::select(&PIECES[16..]), 0..25)) {
        holds(&format!("-- name: A :many\nselect {}\n;\n-- name: B :many\nselect 1", pieces.concat()));
    }
}

#[test]
fn statements_as_deep_as_they_are_long() {
    let deep = |open: &str, middle: &str, close: &str, times: usize| {
        format!(
            "-- name: A :many\nselect {}{middle}{};\n",
            open.repeat(times),
            close.repeat(times)
        )
    };
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("not ", "true", ""),
        ("- ", "1", ""),
        ("case when true then ", "1", " end"),
        ("(select ", "1", ")"),
        ("array[", "1", "]"),
        ("", "1", " + 1"),
        ("", "true", " and true"),
        ("", "1", "::int"),
        ("", "a", "[1]"),
        ("", "1", " union select 1"),
        ("", "1 from a", " join a on true"),
        ("f(", "1", ")"),
    ] {
        for times in [450, 1_500] {
            holds(&deep(open, middle, close, times));
        }
    }
    holds(&deep("(", "1", ")", 100_000));
    holds(&deep("", "1", " + 1", 100_000));
}

#[test]
fn a_large_catalog_is_read_in_time() {
    let text: String = (0..2_000).fold(String::new(), |mut text, index| {
        text.push_str(&format!(
            "-- name: Query{index} :many\n-- @budget time=50ms\nSELECT o.id, o.total FROM orders o JOIN customers c ON c.id = \
             o.customer_id\nWHERE c.email = @email AND o.created_at > @since ORDER BY o.created_at DESC LIMIT 50;\n\n"
        ));
        text
    });
    assert_eq!(catalog::parse(&sources(text)).queries.len(), 2_000);
}
