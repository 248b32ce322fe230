//! SQL in JavaScript and TypeScript: texts handed to node-postgres, pg-promise, Knex, Sequelize, TypeORM and Prisma's raw
//! methods, tagged templates whose holes are values (postgres.js, slonik, Prisma's `$queryRaw`), and whole statements that are
//! constants or handed to functions of the project's own. Holes that may be any part of a statement are named, not guessed.
//! <https://node-postgres.com/features/queries>, <https://github.com/porsager/postgres>

use std::collections::BTreeSet;

use super::code::{self, HOLE, Language, Piece, Placed, Text, Value};
use super::conventions::{Convention, Found};
use super::java::method_before;
use super::placeholders::{lists, question_marks};
use super::sqlalchemy::is_statement;
use super::whole::{self, assigned_name, is_surely_a_statement};
use crate::source::Source;

pub(super) const CONVENTION: Convention = Convention {
    key: "javascript",
    tool: "SQL in JavaScript code",
    extensions: &["ts", "js", "mjs", "cjs", "mts", "cts"],
    shows: |text| whole::may_hold_statements(text) && !statements(text).is_empty(),
    read: |source| match is_test(source) {
        true => Vec::new(),
        false => statements(&source.text),
    },
    parts: None,
};

/// Methods whose first argument is a statement.
const METHODS: [&str; 14] = [
    "query",
    "raw",
    "any",
    "many",
    "manyOrNone",
    "none",
    "one",
    "oneOrNone",
    "result",
    "unsafe",
    "execute",
    "queryObject",
    "$queryRawUnsafe",
    "$executeRawUnsafe",
];

/// Tags whose holes are parameters.
const TAGS: [&str; 5] = ["sql", "$queryRaw", "$executeRaw", "SQL", "tx"];

/// `orders.test.ts`, `orders.spec.js`.
fn is_test(source: &Source) -> bool {
    let name = source
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    name.contains(".test.") || name.contains(".spec.")
}

fn statements(text: &str) -> Vec<Found> {
    // PgTyped's are read as PgTyped's; a bundle is nobody's source.
    let is_a_bundle = text.lines().any(|line| line.len() > LONGEST_LINE);
    let is_none_here = text.contains("@pgtyped") || !whole::may_hold_statements(text);
    if is_none_here || is_a_bundle || is_of_another_database(text) {
        return Vec::new();
    }
    let pieces = code::pieces(text, Language::JavaScript);
    let mut found: Vec<Found> = Vec::new();
    let mut read = BTreeSet::new();
    for at in 1..pieces.len() {
        if let Some(one) = tagged(&pieces, at).or_else(|| handed(&pieces, at))
            && read.insert(one.line)
        {
            found.push(one);
        }
    }
    let others = whole::texts(&pieces, |text| {
        !read.contains(&text.line) && is_surely_a_statement(&numbered(&text.value))
    });
    found.extend(others.into_iter().map(|one| {
        let name = name_at(&pieces, one.at);
        match one.is_part {
            true => Found::dynamic(name, one.text.line),
            false => Found::statement(name, one.text.line, numbered(&one.text.value)),
        }
    }));
    found.sort_by_key(|one| one.line);
    found
}

/// A line that no person wrote.
const LONGEST_LINE: usize = 2000;

/// What a file with drivers of other databases alone sends is theirs.
fn is_of_another_database(text: &str) -> bool {
    const OTHERS: [&str; 6] = [
        "mysql2",
        "better-sqlite3",
        "sqlite3",
        "'mssql'",
        "@clickhouse/",
        "duckdb",
    ];
    const OWN: [&str; 4] = ["'pg'", "\"pg\"", "postgres", "pg-promise"];
    let names = |words: &[&str]| words.iter().any(|word| text.contains(word));
    names(&OTHERS) && !names(&OWN)
}

/// `pool.query('…')`, `query('…')` of the project's own.
fn handed(pieces: &[Placed], at: usize) -> Option<Found> {
    let word = pieces[at].word()?;
    let is_call = METHODS.contains(&word)
        && (pieces[at - 1].is_sign('.') || word == "query")
        && pieces.get(at + 1)?.is_sign('(');
    if !is_call {
        return None;
    }
    // node-postgres takes `{ text: '…', values }` too.
    let is_an_object = pieces.get(at + 2)?.is_sign('{')
        && pieces.get(at + 3)?.is_word("text")
        && pieces.get(at + 4)?.is_sign(':');
    let first = if is_an_object { at + 5 } else { at + 2 };
    let begins =
        matches!(&pieces.get(first)?.piece, Piece::Text(text) if is_statement(&text.value));
    match code::value_at(pieces, first)?.0 {
        Value::Known(text) if begins => Some(of_text(name_at(pieces, at), &text)),
        Value::Dynamic(line) if begins => Some(Found::dynamic(name_at(pieces, at), line)),
        Value::Known(_) | Value::Dynamic(_) => None,
    }
}

/// A text with the parameters of its library; what pg-promise writes into it as it is has no text yet.
fn of_text(name: String, text: &Text) -> Found {
    let sql = numbered(&text.value);
    match sql.contains("$(") {
        true => Found::dynamic(name, text.line),
        false => Found::statement(name, text.line, sql),
    }
}

/// `` sql`…` ``, `` prisma.$queryRaw<User[]>`…` ``.
fn tagged(pieces: &[Placed], at: usize) -> Option<Found> {
    let Piece::Text(text) = &pieces[at].piece else {
        return None;
    };
    let tag = tag_before(pieces, at)?;
    if !TAGS.contains(&tag) || !is_statement(&text.value) {
        return None;
    }
    let name = name_at(pieces, at);
    let found = match with_parameters(text) {
        Some(sql) => Found::statement(name, text.line, sql),
        None => Found::dynamic(name, text.line),
    };
    Some(found)
}

/// The word that a template stands behind, over a type in angle brackets and a call: `` sql.type(user)`…` ``.
fn tag_before(pieces: &[Placed], at: usize) -> Option<&str> {
    let mut before = at.checked_sub(1)?;
    if pieces[before].is_sign('>') {
        let mut depth = 0_i32;
        loop {
            depth +=
                i32::from(pieces[before].is_sign('>')) - i32::from(pieces[before].is_sign('<'));
            before = before.checked_sub(1)?;
            if depth <= 0 {
                break;
            }
        }
    } else if pieces[before].is_sign(')') {
        while !pieces[before].is_sign('(') {
            before = before.checked_sub(1)?;
        }
        let is_slonik = pieces.get(before.checked_sub(3)?)?.is_word("sql");
        return is_slonik.then_some("sql");
    }
    let word = pieces[before].word()?;
    let is_slonik = word == "unsafe" && before > 1 && pieces[before - 2].is_word("sql");
    // `Piece::Word` begins at letters; the lexer reads `$queryRaw` as a sign and a word.
    let is_prismas = before > 0 && pieces[before - 1].is_sign('$');
    match word {
        "queryRaw" if is_prismas => Some("$queryRaw"),
        "executeRaw" if is_prismas => Some("$executeRaw"),
        _ if is_slonik => Some("sql"),
        word => Some(word),
    }
}

/// The text with `$n` in its holes, where each is surely a value: a plain expression behind a comparison, a comma of VALUES, a
/// parenthesis, LIMIT or OFFSET.
fn with_parameters(text: &Text) -> Option<String> {
    let mut sql = String::with_capacity(text.value.len());
    let mut parts = text.value.split(HOLE);
    sql.push_str(parts.next()?);
    for (number, (rest, code)) in parts.zip(&text.holes).enumerate() {
        if !is_value(code) || !takes_value(&sql) {
            return None;
        }
        sql.push_str(&format!("${}", number + 1));
        sql.push_str(rest);
    }
    is_surely_or_short(&sql).then_some(sql)
}

fn is_surely_or_short(sql: &str) -> bool {
    crate::sql::tree::is_understood(sql.trim().trim_end_matches(';'))
}

/// `id`, `user.id`, `filter.limit ?? 10`: no call that makes a part of a statement.
fn is_value(code: &str) -> bool {
    const MAKERS: [&str; 8] = [
        "sql", "Prisma.", "Sql", "join(", "raw(", "where", "order", "column",
    ];
    let is_table = code.chars().next().is_some_and(char::is_uppercase);
    !is_table && !MAKERS.iter().any(|maker| code.contains(maker)) && !code.contains('`')
}

/// Whether only a value can stand behind this text.
fn takes_value(sql: &str) -> bool {
    let before = sql.trim_end();
    let last = before
        .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_word = [
        "limit", "offset", "like", "ilike", "between", "then", "else",
    ]
    .contains(&last.as_str());
    let is_sign = before.ends_with(['=', '<', '>', '~', '|', '+', '-', '*', '/'])
        && !before.ends_with("select *");
    // `(` and `,` begin values in VALUES and in calls, and columns elsewhere.
    let lower = before.to_ascii_lowercase();
    let is_listed = before.ends_with(['(', ','])
        && (lower.contains("values") || lower.ends_with("any(") || lower.ends_with("in ("));
    is_word || is_sign || is_listed
}

/// The constant that a text is given to, else the function around it, else the name that it or its function is given.
fn name_at(pieces: &[Placed], at: usize) -> String {
    if let Some(name) =
        assigned_name(pieces, at).filter(|name| name.chars().any(char::is_uppercase))
    {
        return name.to_owned();
    }
    let method = method_before(pieces, at);
    if !method.is_empty() {
        return method;
    }
    let declares = |at: &usize| {
        ["const", "let", "var", "function"]
            .iter()
            .any(|word| pieces[*at].is_word(word))
    };
    let declared = (0..at).rev().find(declares);
    let name = declared.and_then(|at| pieces.get(at + 1)?.word());
    name.unwrap_or_default().to_owned()
}

/// Knex and Sequelize write `?` and `:name`, which beside `$1` are operators; pg-promise `$(name)`.
fn numbered(sql: &str) -> String {
    let is_numbered = sql
        .as_bytes()
        .windows(2)
        .any(|two| two[0] == b'$' && two[1].is_ascii_digit());
    match is_numbered {
        true => sql.to_owned(),
        false if sql.contains("$(") => of_pg_promise(sql),
        false => lists(&question_marks(sql)),
    }
}

/// pg-promise's `$(name)` → `@name`, and its lists `$(ids:csv)` → `sqlc.slice('ids')`. What it writes as it is (`:raw`, `:name`)
/// stays, and is no parameter.
/// <https://vitaly-t.github.io/pg-promise/formatting.html>
fn of_pg_promise(sql: &str) -> String {
    let (mut text, mut rest) = (String::with_capacity(sql.len()), sql);
    while let Some((before, after)) = rest.split_once("$(") {
        text.push_str(before);
        let Some((inside, after)) = after.split_once(')') else {
            text.push_str("$(");
            rest = after;
            continue;
        };
        let (name, how) = inside.split_once(':').unwrap_or((inside, ""));
        let name = name.trim();
        let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        match how.trim() {
            "" | "json" if is_plain => text.push_str(&format!("@{name}")),
            "csv" | "list" if is_plain => text.push_str(&format!("sqlc.slice('{name}')")),
            _ => text.push_str(&format!("$({inside})")),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_calls_and_tags_are_read_and_built_ones_are_named() {
        let code = "import { pool } from '../db';\nexport const FREE = `\n  SELECT id FROM berths WHERE harbour = $1`;\n\
                    export async function berths(id: string): Promise<Berth[]> {\n  const { rows } = await pool.query('SELECT id FROM berths WHERE id = $1', [id]);\n\
                    \x20 await knex.raw('UPDATE berths SET free = ? WHERE id = ?', [true, id]);\n  await pool.query(`SELECT * FROM ${table}`);\n\
                    \x20 await sql`SELECT id FROM berths WHERE harbour = ${id} LIMIT ${n}`;\n  await prisma.$queryRaw<Row[]>`SELECT id FROM berths WHERE ${condition}`;\n\
                    \x20 await client.query({ text: 'DELETE FROM berths WHERE id = $1', values: [id] });\n\
                    \x20 console.log('SELECT id FROM berths WHERE id = 1'); cache.one('key');\n}\n";
        assert!((CONVENTION.shows)(code));
        let found = (CONVENTION.read)(&Source::new("q.ts", code));
        let statement = |name: &str, line, sql: &str| Found::statement(name, line, sql.to_owned());
        assert_eq!(
            found,
            [
                statement("FREE", 3, "\n  SELECT id FROM berths WHERE harbour = $1"),
                statement("berths", 5, "SELECT id FROM berths WHERE id = $1"),
                statement("berths", 6, "UPDATE berths SET free = $1 WHERE id = $2"),
                Found::dynamic("berths", 7),
                statement(
                    "berths",
                    8,
                    "SELECT id FROM berths WHERE harbour = $1 LIMIT $2"
                ),
                Found::dynamic("berths", 9),
                statement("berths", 10, "DELETE FROM berths WHERE id = $1"),
            ]
        );
    }

    #[test]
    fn names_of_pg_promise_are_parameters() {
        assert_eq!(
            numbered(
                "SELECT a FROM b WHERE c = $(c) AND d IN ($(ids:csv)) AND e = $(e:json) ORDER BY $(f:raw)"
            ),
            "SELECT a FROM b WHERE c = @c AND d IN (sqlc.slice('ids')) AND e = @e ORDER BY $(f:raw)"
        );
    }

    #[test]
    fn tests_and_bundles_are_left_out() {
        let code = "pool.query('SELECT id FROM berths WHERE id = $1')";
        for path in ["a.test.ts", "b.spec.js"] {
            assert_eq!((CONVENTION.read)(&Source::new(path, code)), [], "{path}");
        }
        let bundle = format!("{code};{}", "x".repeat(LONGEST_LINE));
        assert_eq!(statements(&bundle), []);
    }
}
