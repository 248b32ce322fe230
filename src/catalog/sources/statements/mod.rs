//! pg_stat_statements as a catalog: what a database was really asked, with how often. Its texts are normalized: constants are
//! `$n`, which get values as every parameter does. Utility statements stay out, and their texts are never shown: they hold
//! passwords. <https://www.postgresql.org/docs/current/pgstatstatements.html>

mod export;
mod runnable;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::catalog::files::Files;
use crate::catalog::query::{SkipReason, Skipped};
use crate::source::{Source, SourceError};
use crate::sql::token::{Token, TokenKind, significant, tokens};
use crate::trace::event::{Statement, Statements};

/// Where statements are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementsFrom {
    /// The view of the database that pgproof was given.
    GivenDatabase,
    /// The view of the database whose URL an environment variable holds.
    Variable(String),
    /// An export of the view: CSV with a header, a JSON array, or a JSON object a line.
    File(PathBuf),
}

impl StatementsFrom {
    /// `pg_stat_statements`, `$PRODUCTION_URL`, or a file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('$') {
            _ if text == VIEW => Self::GivenDatabase,
            Some(variable) => Self::Variable(variable.to_owned()),
            None => Self::File(PathBuf::from(text)),
        }
    }
}

impl std::fmt::Display for StatementsFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::GivenDatabase => f.write_str(VIEW),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The view's name.
const VIEW: &str = "pg_stat_statements";

/// What the server shows of statements that the role may not read.
const HIDDEN: &str = "<insufficient privilege>";

/// Reads an export.
///
/// # Errors
/// A file that is neither CSV nor JSON, or has no column `query`.
pub fn read_export(root: &Path, file: &Path) -> Result<Statements, SourceError> {
    let bytes = std::fs::read(root.join(file)).map_err(|error| super::unreadable(file, error))?;
    let source = Source::decode(file, &bytes).map_err(|error| *error)?;
    Ok(Statements {
        from: file.to_path_buf(),
        rows: export::rows(&source)?,
    })
}

/// The rows of one source: read from its file, or found among what the databases held.
pub(super) fn read(
    root: &Path,
    from: &StatementsFrom,
    period: Option<Duration>,
    live: &[(StatementsFrom, Statements)],
) -> Result<Statements, SourceError> {
    if let StatementsFrom::File(file) = from {
        let mut statements = read_export(root, file)?;
        for row in &mut statements.rows {
            row.seconds = period.map(|period| period.as_secs_f64());
        }
        return Ok(statements);
    }
    let held = live.iter().find(|(source, _)| source == from);
    held.map(|(_, statements)| statements.clone())
        .ok_or_else(|| super::unreadable(Path::new(VIEW), "its database was not asked"))
}

/// Adds each statement as a source of its own; what is none of the application's is left out and counted.
pub(super) fn add(statements: &Statements, files: &mut Files) {
    let mut left_out = LeftOut::default();
    let mut names = BTreeMap::new();
    for row in merged(&statements.rows, &mut left_out) {
        let query = query_file(&row, &mut names);
        // The header takes the line before the statement and directives follow it, so that places in the text are places
        // in the export.
        let before = "\n".repeat((row.line as usize).saturating_sub(2));
        let directives = query.directives.as_deref().unwrap_or_default();
        let text = format!(
            "{before}{}{}\n{directives};\n",
            query.header, query.statement
        );
        files.sources.push(Source::new(&statements.from, text));
    }
    files.left_out.extend(left_out.told(&statements.from));
}

/// The statements as the text of a query file, the most expensive first.
#[must_use]
pub fn written(statements: &Statements) -> (String, Option<String>) {
    let mut left_out = LeftOut::default();
    let mut names = BTreeMap::new();
    let mut text = String::new();
    for row in merged(&statements.rows, &mut left_out) {
        let query = query_file(&row, &mut names);
        let separator = if text.is_empty() { "" } else { "\n" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{separator}{}{}{};",
            query.header,
            query.directives.unwrap_or_default(),
            query.statement
        );
    }
    (text, left_out.reason())
}

/// Rows that are not audited, by why.
#[derive(Debug, Default)]
struct LeftOut {
    utility: usize,
    of_the_server: usize,
    hidden: usize,
}

impl LeftOut {
    fn reason(&self) -> Option<String> {
        let parts = [
            (self.utility, "utility statements"),
            (self.of_the_server, "of the server's own catalogs"),
            (
                self.hidden,
                "of other roles, hidden (grant pg_read_all_stats to read them)",
            ),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!parts.is_empty()).then(|| format!("left out: {}", parts.join(", ")))
    }

    fn told(&self, from: &Path) -> Option<Skipped> {
        self.reason().map(|reason| Skipped {
            name: VIEW.to_owned(),
            file: from.to_path_buf(),
            line: 1,
            why: SkipReason::NoQueries { reason },
        })
    }
}

/// Rows of the same statement (of several roles, say) as one, the most expensive first; without what is not audited.
fn merged(rows: &[Statement], left_out: &mut LeftOut) -> Vec<Statement> {
    let mut merged: BTreeMap<&str, Statement> = BTreeMap::new();
    for row in rows {
        let text = row.text.trim();
        if text == HIDDEN {
            left_out.hidden += 1;
        } else if !has_a_plan(text) {
            left_out.utility += 1;
        } else if is_of_the_server(text) {
            left_out.of_the_server += 1;
        } else if let Some(seen) = merged.get_mut(text) {
            seen.calls += row.calls;
            seen.total_ms = seen.total_ms.zip(row.total_ms).map(|(a, b)| a + b);
            seen.seconds = seen.seconds.zip(row.seconds).map(|(a, b)| a.max(b));
        } else {
            merged.insert(text, row.clone());
        }
    }
    let mut merged: Vec<Statement> = merged.into_values().collect();
    let weight = |row: &Statement| row.total_ms.unwrap_or(row.calls);
    merged.sort_by(|a, b| {
        weight(b)
            .total_cmp(&weight(a))
            .then_with(|| a.text.cmp(&b.text))
    });
    merged
}

/// A statement as a query file holds it; the header and the directives end with a line break.
struct Named {
    header: String,
    directives: Option<String>,
    statement: String,
}

fn query_file(row: &Statement, taken: &mut BTreeMap<String, usize>) -> Named {
    let text = row.text.trim().trim_end_matches(';').trim_end();
    // sqlc sends its headers along.
    let (named, text) = own_header(text);
    let runnable::Runnable {
        text: statement,
        numbers,
    } = runnable::runnable(text);
    let (name, command) = named.unwrap_or_else(|| (name_of(&statement), command(&statement)));
    let count = taken.entry(name.clone()).or_default();
    *count += 1;
    let name = match *count {
        1 => name,
        n => format!("{name}-{n}"),
    };
    let seconds = row.seconds.filter(|seconds| *seconds > 0.0);
    let calls = seconds.map(|seconds| format!("-- @calls {}\n", rate(row.calls / seconds)));
    let directives: String = calls
        .into_iter()
        .chain(value_directives(&row.values, &numbers))
        .collect();
    Named {
        header: format!("-- name: {name} {command}\n"),
        directives: (!directives.is_empty()).then_some(directives),
        statement,
    }
}

/// `@param` with what was bound; values with line breaks have no place in a comment.
fn value_directives<'a>(
    values: &'a [Option<String>],
    numbers: &'a [u32],
) -> impl Iterator<Item = String> + 'a {
    numbers.iter().enumerate().filter_map(|(place, number)| {
        let value = values.get((*number as usize).checked_sub(1)?)?.as_ref()?;
        let fits = !value.contains(['\n', '\r']);
        let quoted = value.replace('\'', "''");
        fits.then(|| format!("-- @param ${}: '{quoted}'\n", place + 1))
    })
}

/// `0.002/s` → `7.2/h`: in the unit in which it is at least 1.
#[must_use]
pub fn rate(per_second: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("s", 1.0), ("min", 60.0), ("h", 3600.0)];
    let fitting = UNITS
        .iter()
        .find(|(_, seconds)| per_second * seconds >= 1.0);
    let (unit, seconds) = fitting.copied().unwrap_or(("day", 86_400.0));
    let number = per_second * seconds;
    let digits = if number >= 10.0 { 0 } else { 2 };
    // A rate of 0 is none.
    let number = format!("{number:.digits$}");
    match number.parse::<f64>() {
        Ok(read) if read > 0.0 => format!("{number}/{unit}"),
        _ => format!("0.01/{unit}"),
    }
}

/// `-- name: GetAuthor :one` at the beginning of the text.
fn own_header(text: &str) -> (Option<(String, &'static str)>, &str) {
    let Some((line, rest)) = text.split_once('\n') else {
        return (None, text);
    };
    let Some(words) = line.trim().strip_prefix("-- name:") else {
        return (None, text);
    };
    let mut words = words.split_whitespace();
    let is_name = |name: &&str| {
        name.chars()
            .all(|c| c.is_alphanumeric() || "_-.".contains(c))
    };
    let Some(name) = words.next().filter(is_name) else {
        return (None, text);
    };
    let command = match words.next() {
        Some(":one") => ":one",
        Some(word) if word.starts_with(":exec") => ":exec",
        _ => ":many",
    };
    (Some((name.to_owned(), command)), rest.trim_start())
}

/// What the statement does and to which table, and the first digits of its text's hash.
#[must_use]
pub fn name_of(statement: &str) -> String {
    let words = words(statement);
    let verb = words
        .iter()
        .find(|word| VERBS.contains(&word.as_str()))
        .map_or("query", String::as_str);
    let after = match verb {
        "insert" | "merge" => "into",
        "update" => "update",
        _ => "from",
    };
    let table = words
        .iter()
        .skip_while(|word| *word != after)
        .skip(1)
        .find(|word| !["only", "lateral"].contains(&word.as_str()));
    let plain = |word: &String| word.chars().all(|c| c.is_alphanumeric() || c == '_');
    let hash = Sha256::digest(statement.as_bytes());
    let digits: String = hash
        .iter()
        .take(3)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match table.filter(|table| plain(table) && !VERBS.contains(&table.as_str())) {
        Some(table) => format!("{verb}-{table}-{digits}"),
        None => format!("{verb}-{digits}"),
    }
}

const VERBS: [&str; 6] = ["select", "insert", "update", "delete", "merge", "values"];

fn command(statement: &str) -> &'static str {
    let words = words(statement);
    let writes = words
        .iter()
        .any(|word| ["insert", "update", "delete", "merge"].contains(&word.as_str()));
    if writes && !words.iter().any(|word| word == "returning") {
        ":exec"
    } else {
        ":many"
    }
}

/// Names and keywords in lower case; of a qualified name the last part.
fn words(statement: &str) -> Vec<String> {
    let significant: Vec<Token> = significant(statement);
    let mut words = Vec::new();
    for (index, token) in significant.iter().enumerate() {
        let text = &statement[token.span.clone()];
        let word = match token.kind {
            TokenKind::Ident => text.to_lowercase(),
            TokenKind::QuotedIdent { .. } => text.trim_matches('"').to_lowercase(),
            _ => continue,
        };
        let qualified = index > 0 && significant[index - 1].kind == TokenKind::Dot;
        if qualified {
            words.pop();
        }
        words.push(word);
    }
    words
}

/// Whether it is a statement that EXPLAIN takes.
#[must_use]
pub fn has_a_plan(text: &str) -> bool {
    let first = tokens(text)
        .into_iter()
        .find(|token| !token.is_trivia() && token.kind != TokenKind::OpenParen);
    first.is_some_and(|token| {
        let word = text[token.span].to_lowercase();
        word == "with" || word == "table" || VERBS.contains(&word.as_str())
    })
}

/// Whether it reads system catalogs alone: monitoring, psql's `\d`, drivers that ask for types.
#[must_use]
pub fn is_of_the_server(text: &str) -> bool {
    let words = words(text);
    if words.is_empty() {
        return true;
    }
    if words.iter().any(|word| word.starts_with(VIEW)) {
        return true;
    }
    let tables = words
        .windows(2)
        .filter(|pair| ["from", "join", "into", "update"].contains(&pair[0].as_str()))
        .map(|pair| pair[1].as_str());
    let mut reads = tables.filter(|table| *table != "select").peekable();
    let lower = text.to_lowercase();
    if reads.peek().is_none() {
        // Drivers ask for these when they connect, and pools whether the connection lives.
        const ASKED: [&str; 6] = [
            "set_config",
            "version",
            "current_schema",
            "current_schemas",
            "current_database",
            "current_setting",
        ];
        let asks = words
            .iter()
            .any(|word| ASKED.contains(&word.as_str()) || word.starts_with("pg_"));
        return asks || (words[0] == "select" && !text.contains('('));
    }
    let of_information_schema = lower.contains("information_schema.");
    reads.all(|table| table.starts_with("pg_") || of_information_schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, calls: f64, total_ms: f64) -> Statement {
        Statement {
            text: text.to_owned(),
            calls,
            total_ms: Some(total_ms),
            seconds: Some(3600.0),
            line: 1,
            values: Vec::new(),
        }
    }

    fn of(rows: Vec<Statement>) -> Statements {
        Statements {
            from: PathBuf::from("statements.csv"),
            rows,
        }
    }

    #[test]
    fn the_most_expensive_comes_first_with_its_rate() {
        let statements = of(vec![
            row("SELECT * FROM shop.\"Order\" WHERE id = $1", 7200.0, 10.0),
            row("INSERT INTO visits (at) VALUES ($1)", 36.0, 900.0),
            row(
                "-- name: GetAuthor :one\nSELECT id FROM authors WHERE id = $1",
                1.0,
                1.0,
            ),
        ]);
        let (text, left_out) = written(&statements);
        assert_eq!(left_out, None);
        let headers: Vec<&str> = text.lines().filter(|line| line.starts_with("--")).collect();
        assert_eq!(
            headers,
            [
                "-- name: insert-visits-b7c831 :exec",
                "-- @calls 36/h",
                "-- name: select-order-393b64 :many",
                "-- @calls 2.00/s",
                "-- name: GetAuthor :one",
                "-- @calls 1.00/h",
            ]
        );
        let read = crate::catalog::parse(&[Source::new("statements.sql", text)]);
        assert_eq!((read.queries.len(), read.skipped.len()), (3, 0));
        assert_eq!(read.warnings, []);
        assert_eq!(read.queries[1].calls_per_second, Some(2.0));
    }

    #[test]
    fn one_statement_of_two_roles_is_one() {
        let statements = of(vec![
            row("SELECT 1 FROM a WHERE b = $1", 3.0, 1.0),
            row("SELECT 1 FROM a WHERE b = $1", 4.0, 2.0),
        ]);
        let merged = merged(&statements.rows, &mut LeftOut::default());
        assert_eq!(merged.len(), 1);
        assert_eq!((merged[0].calls, merged[0].total_ms), (7.0, Some(3.0)));
    }

    #[test]
    fn what_is_none_of_the_applications_is_counted_and_its_text_kept_to_itself() {
        let statements = of(vec![
            row("ALTER ROLE app PASSWORD 's3cret'", 1.0, 1.0),
            row(
                "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_namespace n ON true",
                1.0,
                1.0,
            ),
            row("SELECT table_name FROM information_schema.tables", 1.0, 1.0),
            row("SELECT pg_catalog.set_config($1, $2, $3)", 1.0, 1.0),
            row("SELECT $1", 1.0, 1.0),
            row(HIDDEN, 1.0, 1.0),
            row("SELECT a FROM b JOIN pg_settings ON true", 1.0, 1.0),
            row("SELECT close_month($1)", 1.0, 1.0),
        ]);
        let mut files = Files::default();
        add(&statements, &mut files);
        assert_eq!(files.sources.len(), 2);
        let [left_out] = &files.left_out[..] else {
            panic!("{:?}", files.left_out)
        };
        assert_eq!(
            left_out.reason(),
            "left out: 1 utility statements, 4 of the server's own catalogs, 1 of other roles, hidden (grant \
             pg_read_all_stats to read them)"
        );
    }

    #[test]
    fn places_in_the_text_are_places_in_the_export() {
        let mut files = Files::default();
        let at = Statement {
            line: 7,
            ..row("SELECT a\nFROM b", 1.0, 1.0)
        };
        add(&of(vec![at]), &mut files);
        let read = crate::catalog::parse(&files.sources);
        assert_eq!(read.queries[0].line, 7);
    }

    #[test]
    fn rates_are_in_the_unit_that_fits() {
        let shown = [120.0, 2.5, 0.5, 0.001, 0.00002, 1e-9].map(rate);
        assert_eq!(
            shown,
            [
                "120/s", "2.50/s", "30/min", "3.60/h", "1.73/day", "0.01/day"
            ]
        );
    }

    #[test]
    fn where_statements_are_read_from_is_one_word() {
        for text in [
            "pg_stat_statements",
            "$PRODUCTION_URL",
            "exports/statements.csv",
        ] {
            assert_eq!(StatementsFrom::parse(text).to_string(), text);
        }
        assert_eq!(
            StatementsFrom::parse("$PRODUCTION_URL"),
            StatementsFrom::Variable("PRODUCTION_URL".to_owned())
        );
    }

    #[test]
    fn what_was_bound_is_a_choice_of_the_parameter() {
        let kept = Statement {
            values: vec![
                Some("it's".to_owned()),
                None,
                Some("two\nlines".to_owned()),
                Some("-7".to_owned()),
            ],
            ..row(
                "SELECT a FROM b WHERE c = $1 AND d = $2 AND e = $3 AND f = $4",
                1.0,
                1.0,
            )
        };
        let (text, _) = written(&of(vec![kept]));
        assert!(
            text.contains("-- @param $1: 'it''s'\n-- @param $4: '-7'\nSELECT"),
            "{text}"
        );
    }
}
