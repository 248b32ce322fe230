//! SQL in Python code: texts handed to the cursors and connections of psycopg, asyncpg, aiopg, databases and Django, and whole
//! statements that are constants or handed to functions of the project's own. What an f-string or `.format` makes is named.
//! <https://www.psycopg.org/psycopg3/docs/basic/params.html>, <https://magicstack.github.io/asyncpg/current/api/index.html>

use std::collections::BTreeSet;

use super::code::{self, Language, Piece, Placed, Text, Value};
use super::conventions::{Convention, Found};
use super::placeholders::{lists, question_marks};
use super::sqlalchemy::is_statement;
use super::whole::{self, assigned_name, is_surely_a_statement};
use crate::source::Source;

pub(super) const CONVENTION: Convention = Convention {
    key: "python",
    tool: "SQL in Python code",
    extensions: &["py"],
    shows: |text| whole::may_hold_statements(text) && !statements(text).is_empty(),
    read: |source| match is_test(source) {
        true => Vec::new(),
        false => statements(&source.text),
    },
    parts: None,
};

/// Methods whose first argument is a statement.
const METHODS: [&str; 13] = [
    "execute",
    "executemany",
    "fetch",
    "fetchrow",
    "fetchval",
    "fetch_one",
    "fetch_all",
    "fetch_val",
    "iterate",
    "raw",
    "mogrify",
    "read_sql",
    "read_sql_query",
];

/// `test_orders.py`, `conftest.py`.
fn is_test(source: &Source) -> bool {
    let name = source
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    name.starts_with("test_") || name.ends_with("_test.py") || name == "conftest.py"
}

fn statements(text: &str) -> Vec<Found> {
    if !whole::may_hold_statements(text) || is_of_another_database(text) {
        return Vec::new();
    }
    let pieces = code::pieces(text, Language::Python);
    let mut found: Vec<Found> = Vec::new();
    let mut read = BTreeSet::new();
    for at in 1..pieces.len() {
        let is_call = pieces[at]
            .word()
            .is_some_and(|word| METHODS.contains(&word))
            && pieces[at - 1].is_sign('.')
            && pieces.get(at + 1).is_some_and(|next| next.is_sign('('));
        if !is_call {
            continue;
        }
        let function = function_before(&pieces, at);
        match code::value_at(&pieces, at + 2) {
            Some((Value::Known(text), _))
                if is_statement(&text.value) && read.insert(text.line) =>
            {
                found.push(of_text(function, &text));
            }
            Some((Value::Dynamic(line), _))
                if begins_statement(&pieces, at + 2) && read.insert(line) =>
            {
                found.push(Found::dynamic(function, line));
            }
            Some(_) | None => {}
        }
    }
    let others = whole::texts(&pieces, |text| {
        !read.contains(&text.line) && is_surely_a_statement(&numbered(&text.value))
    });
    // SQLAlchemy's own texts are another source.
    let others = others
        .into_iter()
        .filter(|one| !is_handed_to_text(&pieces, one.at));
    found.extend(others.map(|one| {
        let name = match assigned_name(&pieces, one.at) {
            Some(name) if name.chars().any(char::is_uppercase) => name.to_owned(),
            Some(_) | None => function_before(&pieces, one.at),
        };
        match one.is_part {
            true => Found::dynamic(name, one.text.line),
            false => of_text(name, &one.text),
        }
    }));
    found.sort_by_key(|one| one.line);
    found
}

/// What a file with drivers of other databases alone sends is theirs.
fn is_of_another_database(text: &str) -> bool {
    const OWN: [&str; 6] = [
        "psycopg",
        "asyncpg",
        "aiopg",
        "pg8000",
        "sqlalchemy",
        "django",
    ];
    const OTHERS: [&str; 6] = [
        "import sqlite3",
        "aiosqlite",
        "pymysql",
        "clickhouse",
        "duckdb",
        "snowflake",
    ];
    let names = |words: &[&str]| words.iter().any(|word| text.contains(word));
    names(&OTHERS) && !names(&OWN)
}

fn is_handed_to_text(pieces: &[Placed], at: usize) -> bool {
    let mut open = at;
    while open > 0 && pieces[open - 1].is_sign('(') {
        open -= 1;
        if open > 0 && pieces[open - 1].is_word("text") {
            return true;
        }
    }
    false
}

fn begins_statement(pieces: &[Placed], at: usize) -> bool {
    match pieces.get(at).map(|placed| &placed.piece) {
        Some(Piece::Text(text)) => is_statement(&text.value),
        Some(Piece::Sign('(')) => begins_statement(pieces, at + 1),
        Some(Piece::Word(_) | Piece::Sign(_)) | None => false,
    }
}

/// The function that begins last before a place.
fn function_before(pieces: &[Placed], at: usize) -> String {
    let begins = (0..at).rev().find(|at| pieces[*at].is_word("def"));
    let name = begins.and_then(|at| pieces.get(at + 1)?.word());
    name.unwrap_or_default().to_owned()
}

fn of_text(name: String, text: &Text) -> Found {
    Found::statement(name, text.line, numbered(&text.value))
}

/// psycopg's `%s` → `$1`, `%(name)s` → `@name`, and `%%` → `%` beside them.
fn numbered(sql: &str) -> String {
    if !sql.contains("%s") && !sql.contains("%(") {
        // A wrapper that writes `?` for every database.
        return lists(&question_marks(sql));
    }
    let (mut text, mut rest, mut next) = (String::with_capacity(sql.len()), sql, 0);
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let named = after
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(")s"));
        rest = if let Some(after) = after.strip_prefix('s') {
            next += 1;
            text.push_str(&format!("${next}"));
            after
        } else if let Some((name, after)) = named {
            text.push('@');
            text.push_str(name);
            after
        } else {
            text.push('%');
            after.strip_prefix('%').unwrap_or(after)
        };
    }
    text.push_str(rest);
    listed(&text)
}

/// psycopg2 writes a tuple behind IN: `IN $1` is `= ANY($1)`.
fn listed(sql: &str) -> String {
    lists(&super::placeholders::numbered_lists(sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_cursors_and_connections_are_read_and_built_ones_are_named() {
        let code = "import psycopg\nFREE = \"\"\"\n  SELECT id FROM berths\n  WHERE free AND name LIKE 'a%%' AND harbour = %s\"\"\"\n\
                    async def berths(conn, table):\n    await conn.fetch('SELECT id FROM berths WHERE harbour = $1', 1)\n\
                    \x20   cur.execute(\"UPDATE berths SET free = %(free)s WHERE id IN %(ids)s\", {})\n    cur.execute(f\"SELECT 1 FROM {table}\")\n\
                    \x20   log.info('SELECT id FROM berths WHERE harbour = 1')\n    session.execute(text('SELECT 1 FROM berths WHERE id = :id'))\n";
        assert!((CONVENTION.shows)(code));
        let found = (CONVENTION.read)(&Source::new("q.py", code));
        assert_eq!(
            found,
            [
                Found::statement(
                    "FREE",
                    3,
                    "\n  SELECT id FROM berths\n  WHERE free AND name LIKE 'a%' AND harbour = $1"
                        .to_owned()
                ),
                Found::statement(
                    "berths",
                    6,
                    "SELECT id FROM berths WHERE harbour = $1".to_owned()
                ),
                Found::statement(
                    "berths",
                    7,
                    "UPDATE berths SET free = @free WHERE id IN (sqlc.slice('ids'))".to_owned()
                ),
                Found::dynamic("berths", 8),
            ]
        );
        assert_eq!((CONVENTION.read)(&Source::new("app/test_a.py", code)), []);
        assert!(!(CONVENTION.shows)(
            "import sqlite3\ndb.execute('SELECT a FROM b WHERE c = 1')"
        ));
    }
}
