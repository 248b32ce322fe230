//! A script split into its statements by Postgres' lexical rules: quotes, dollar quotes, nested comments, parentheses
//! (CREATE RULE) and BEGIN ATOMIC bodies keep their semicolons. Pure.

use std::ops::Range;

use crate::source::{Source, SourceError};
use crate::sql::token::{Strings, TokenKind, stream};

use super::Statement;

/// What becomes of the rows behind COPY … FROM STDIN, which a driver does not send with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyRows {
    /// A migration would be another one without them.
    Refused,
    /// A dump of a schema is one without them, too.
    PassedOver,
}

/// The statements of a part of a file.
///
/// # Errors
/// COPY … FROM STDIN, whose data would have to follow: a migration cannot carry it through a driver.
pub(super) fn split_range(
    source: &Source,
    range: Range<usize>,
) -> Result<Vec<Statement>, SourceError> {
    split(source, range, CopyRows::Refused)
}

/// The same, with what becomes of rows in the file.
///
/// # Errors
/// COPY … FROM STDIN where its rows are refused; commands of psql that run other statements.
pub(super) fn split(
    source: &Source,
    range: Range<usize>,
    rows: CopyRows,
) -> Result<Vec<Statement>, SourceError> {
    let text = &source.text[range.clone()];
    let mut splitter = Splitter {
        source,
        rows,
        rows_follow: false,
        found: Vec::new(),
        start: None,
        end: 0,
        words: Vec::new(),
        depth: 0,
        blocks: 0,
    };
    let mut line_start = true;
    let mut skip_until = 0;
    for token in stream(text, 0, Strings::Standard) {
        let span = range.start + token.span.start..range.start + token.span.end;
        if span.start < skip_until {
            continue;
        }
        let piece = &source.text[span.clone()];
        if splitter.start.is_none() && line_start && piece.starts_with('\\') {
            skip_until = source.text[span.start..]
                .find('\n')
                .map_or(source.text.len(), |n| span.start + n);
            psql_command(source, span.start..skip_until)?;
            continue;
        }
        if !matches!(token.kind, TokenKind::Whitespace) {
            line_start = false;
        }
        if piece.contains('\n') {
            line_start = true;
        }
        splitter.token(token.kind, span.clone(), piece)?;
        if splitter.rows_follow {
            // Rows are no SQL: what follows them is read anew.
            let mut found = splitter.found;
            let rest = end_of_rows(&source.text[..range.end], span.end)..range.end;
            found.extend(split(source, rest, rows)?);
            return Ok(found);
        }
    }
    splitter.finish()?;
    Ok(splitter.found)
}

/// Behind the line `\.`, or the end of the text.
fn end_of_rows(text: &str, start: usize) -> usize {
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        at += line.len();
        if line.trim_end() == "\\." {
            break;
        }
    }
    at
}

/// The part of a file as one statement, as goose's StatementBegin asks for; `None` where it holds comments alone.
pub(super) fn whole(source: &Source, range: Range<usize>) -> Option<Statement> {
    let mut span: Option<Range<usize>> = None;
    for token in stream(&source.text[range.clone()], 0, Strings::Standard) {
        let here = range.start + token.span.start..range.start + token.span.end;
        if !matches!(
            token.kind,
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. }
        ) {
            span = Some(span.map_or(here.clone(), |span| span.start..here.end));
        }
    }
    let mut span = span?;
    if source.text[span.clone()].ends_with(';') {
        span.end -= 1;
    }
    Some(statement(source, span))
}

/// Whether a text has a variable of psql's: `:name`, `:'name'`, `:"name"`, `:{?name}`.
fn is_used(text: &str, name: &str) -> bool {
    let forms = [
        format!(":{name}"),
        format!(":'{name}'"),
        format!(":\"{name}\""),
        format!(":{{?{name}}}"),
    ];
    forms.iter().any(|form| text.contains(form))
}

/// psql's own commands. Those that pg_dump writes, and others that change what psql shows, mean nothing to a server; what
/// would run other statements is refused.
fn psql_command(source: &Source, span: Range<usize>) -> Result<(), SourceError> {
    const WITHOUT_EFFECT: [&str; 19] = [
        "\\restrict",
        "\\unrestrict",
        "\\connect",
        "\\c",
        "\\echo",
        "\\qecho",
        "\\warn",
        "\\encoding",
        "\\pset",
        "\\timing",
        "\\x",
        "\\a",
        "\\t",
        "\\o",
        "\\prompt",
        "\\q",
        "\\d",
        "\\dt",
        "\\l",
    ];
    const OF_PSQL: [&str; 7] = [
        "ON_ERROR_STOP",
        "ON_ERROR_ROLLBACK",
        "QUIET",
        "ECHO",
        "VERBOSITY",
        "AUTOCOMMIT",
        "HISTFILE",
    ];
    let text = source.text[span.clone()].trim_end();
    let mut words = text.split_whitespace();
    let command = words.next().unwrap_or_default();
    let is_without_effect = |name: &str| OF_PSQL.contains(&name) || !is_used(&source.text, name);
    let sets_psql =
        matches!(command, "\\set" | "\\unset") && words.next().is_none_or(is_without_effect);
    if WITHOUT_EFFECT.contains(&command) || sets_psql {
        return Ok(());
    }
    let help = match command {
        "\\i" | "\\ir" | "\\include" | "\\include_relative" => {
            "put the files that it includes into the migrations' folder, or set migrate-cmd to a psql command"
        }
        _ => "only psql knows it: remove the line, or set migrate-cmd to a psql command",
    };
    let span = span.start..span.start + text.len();
    let message = format!("{command} is a command of psql, which a driver cannot run");
    Err(SourceError::new(source, span, message).help(help))
}

fn statement(source: &Source, span: Range<usize>) -> Statement {
    let (line, _) = source.line_column(span.start);
    Statement {
        sql: source.text[span.clone()].to_owned(),
        span,
        line,
    }
}

struct Splitter<'a> {
    source: &'a Source,
    rows: CopyRows,
    /// Whether the statement that just ended is followed by its rows.
    rows_follow: bool,
    found: Vec<Statement>,
    start: Option<usize>,
    end: usize,
    /// The statement's words so far, upper-case, while they can still tell something.
    words: Vec<String>,
    /// Open parentheses.
    depth: usize,
    /// Open BEGIN ATOMIC and the CASEs within it.
    blocks: usize,
}

impl Splitter<'_> {
    fn token(
        &mut self,
        kind: TokenKind,
        span: Range<usize>,
        piece: &str,
    ) -> Result<(), SourceError> {
        match kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => {
                return Ok(());
            }
            TokenKind::Semi if self.depth == 0 && self.blocks == 0 => return self.finish(),
            TokenKind::OpenParen => self.depth += 1,
            TokenKind::CloseParen => self.depth = self.depth.saturating_sub(1),
            TokenKind::Ident => self.word(piece),
            _ => self.words.push(String::new()),
        }
        self.start.get_or_insert(span.start);
        self.end = span.end;
        Ok(())
    }

    fn word(&mut self, piece: &str) {
        let word = piece.to_ascii_uppercase();
        let previous = self.words.last().map_or("", String::as_str);
        match word.as_str() {
            "ATOMIC" if previous == "BEGIN" => self.blocks += 1,
            "CASE" if self.blocks > 0 => self.blocks += 1,
            "END" if self.blocks > 0 => self.blocks -= 1,
            _ => {}
        }
        self.words.push(word);
    }

    fn finish(&mut self) -> Result<(), SourceError> {
        let words = std::mem::take(&mut self.words);
        (self.depth, self.blocks) = (0, 0);
        let Some(start) = self.start.take() else {
            return Ok(());
        };
        let span = start..self.end;
        let copies_in = words.first().is_some_and(|word| word == "COPY")
            && words
                .windows(2)
                .any(|pair| pair[0] == "FROM" && pair[1] == "STDIN");
        if copies_in && self.rows == CopyRows::PassedOver {
            self.rows_follow = true;
            return Ok(());
        }
        if copies_in {
            return Err(SourceError::new(
                self.source,
                span,
                "COPY … FROM STDIN cannot run as a migration",
            )
            .help("write the rows as INSERT … VALUES, or leave them to the seeds"));
        }
        self.found.push(statement(self.source, span));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(source: &Source) -> Result<Vec<Statement>, SourceError> {
        split_range(source, 0..source.text.len())
    }

    fn texts(sql: &str) -> Vec<(u32, String)> {
        let source = Source::new("m.sql", sql);
        split(&source)
            .unwrap()
            .into_iter()
            .map(|s| (s.line, s.sql))
            .collect()
    }

    #[test]
    fn semicolons_in_quotes_comments_and_bodies_do_not_split() {
        let sql = "-- a; b\nINSERT INTO t VALUES ('x;y', E'\\';', $$;$$, $f$;$f$, \"a;b\"); /* ; /* ; */ ; */\n\
                   CREATE RULE r AS ON INSERT TO t DO (DELETE FROM u; DELETE FROM v);;\n\
                   CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\nSELECT 3";
        let found = texts(sql);
        let lines: Vec<u32> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5], "{found:#?}");
        assert!(found[2].1.ends_with("SELECT 2; END"));
    }

    #[test]
    fn psql_commands_are_skipped_and_copy_data_is_refused() {
        assert_eq!(
            texts("\\restrict x;y\nSELECT 1;\n\\connect - me\n"),
            [(2, "SELECT 1".to_owned())]
        );
        for (sql, message) in [
            (
                "SELECT 1;\n\\i other.sql\n",
                "m.sql:2: \\i is a command of psql, which a driver cannot run",
            ),
            (
                "\\set schema shop\nSET search_path = :schema;",
                "m.sql:1: \\set is a command of psql, which a driver cannot run",
            ),
        ] {
            let error = split(&Source::new("m.sql", sql)).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(texts("\\set ON_ERROR_STOP on\nSELECT 1;").len(), 1);
        assert_eq!(texts("\\set schema shop\nSELECT 1;").len(), 1);
        let source = Source::new("m.sql", "SELECT 1;\nCOPY t (a) FROM stdin;\n1\n\\.\n");
        let error = split(&source).unwrap_err();
        assert_eq!(
            error.to_string(),
            "m.sql:2: COPY … FROM STDIN cannot run as a migration"
        );
    }

    #[test]
    fn the_rows_of_a_dump_may_be_passed_over() {
        let sql = "CREATE TABLE t (a text);\nCOPY public.t (a) FROM stdin;\nO'Brien; x\n\\N\n\\.\n\nSELECT 'a;b';\nCOPY t FROM stdin;\n\\.\n";
        let source = Source::new("m.sql", sql);
        let found = super::split(&source, 0..sql.len(), CopyRows::PassedOver).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.line, one.sql.as_str()))
            .collect();
        assert_eq!(found, [(1, "CREATE TABLE t (a text)"), (7, "SELECT 'a;b'")]);
    }

    #[test]
    fn broken_text_is_kept_as_it_is() {
        for sql in [
            "'",
            "$$",
            "/*",
            "(((;",
            "\u{feff}SELECT 1;",
            ";;;",
            "BEGIN ATOMIC",
            "é;é",
        ] {
            let source = Source::new("m.sql", sql);
            let _ = split(&source);
        }
        assert_eq!(texts("\u{feff}SELECT 1;"), [(1, "SELECT 1".to_owned())]);
    }
}
