//! Texts that are surely a statement, wherever code hands them: to a method of the project's own, into a list of statements to
//! prepare, or nowhere in the file that names them. Prose that happens to parse (`delete from cart`) is none.

use std::collections::BTreeSet;

use super::code::{self, Piece, Placed, Text, Value};
use super::placeholders::plain_parameters;
use super::sqlalchemy::is_statement;

/// Words in the name of a call whose texts a person reads.
const TELLS: [&str; 3] = ["error", "message", "assert"];
/// Words that the name of such a call, or of one that makes another text, begins with.
const TELLS_FIRST: [&str; 14] = [
    "log", "info", "debug", "warn", "trace", "fail", "msg", "err", "wrap", "print", "panic",
    "expect", "throw", "raise",
];
/// Words that the name of a call begins with which makes another text.
const FORMATS: [&str; 3] = ["sprint", "format", "concat"];
/// Such names.
const MAKES: [&str; 6] = [
    "join",
    "replace",
    "replaceall",
    "replacen",
    "contains",
    "fmt",
];

/// A text and the piece where it stands.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) at: usize,
    pub(super) text: Text,
    /// Whether its name is put together with other texts.
    pub(super) is_part: bool,
}

/// Whether a text is a statement and nothing else: it is understood whole, and has what prose has not: a parameter, a
/// comparison, or several lines. Its parameters are `$1`, `@name` or `:name`.
pub(super) fn is_surely_a_statement(sql: &str) -> bool {
    let begins = is_statement(after_comments(sql));
    let sql = sql.trim().trim_end_matches(';');
    let is_no_prose = sql.contains(['\n', '$', '=', '*', '@', '(', '<', '>']);
    begins && is_no_prose && crate::sql::tree::is_understood(&plain_parameters(sql))
}

/// A statement's text from its first word on; sqlc's own header begins none.
pub(super) fn after_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("--") {
        if comment.trim_start().starts_with("name:") {
            return "";
        }
        rest = comment
            .split_once('\n')
            .map_or("", |(_, after)| after)
            .trim_start();
    }
    rest
}

/// Whether there is anything to look for, so that no other file is read piece by piece: the first word of a statement behind a
/// quotation mark, or behind a comment of SQL.
pub(super) fn may_hold_statements(text: &str) -> bool {
    const WORDS: [&str; 6] = ["select", "with", "insert", "update", "delete", "merge"];
    let lower = text.to_ascii_lowercase();
    let begins = |at: usize| {
        let before = lower[..at].trim_end();
        let line = before.rsplit('\n').next().unwrap_or(before).trim_start();
        before.ends_with(['"', '\'', '`', '#', '(']) || line.starts_with("--")
    };
    WORDS
        .iter()
        .any(|word| lower.match_indices(word).any(|(at, _)| begins(at)))
}

/// Texts that `is_one` takes for statements, and that stand alone.
pub(super) fn texts(pieces: &[Placed], is_one: impl Fn(&Text) -> bool) -> Vec<Whole> {
    let parts = parts_of_texts(pieces);
    let mut found: Vec<Whole> = Vec::new();
    let mut end = 0;
    for at in 0..pieces.len() {
        if at < end || !matches!(pieces[at].piece, Piece::Text(_)) {
            continue;
        }
        let Some((value, after)) = code::value_at(pieces, at) else {
            continue;
        };
        end = after;
        let is_joined = at > 0 && (pieces[at - 1].is_sign('+') || pieces[at - 1].is_sign('%'));
        let Value::Known(text) = value else { continue };
        if is_joined
            || !is_statement(after_comments(&text.value))
            || is_told(pieces, at)
            || !is_one(&text)
        {
            continue;
        }
        let is_part = assigned_name(pieces, at).is_some_and(|name| parts.contains(name));
        found.push(Whole { at, text, is_part });
    }
    found
}

/// The name that a text is given where it stands: `const NAME = "…"`, `NAME: &str = "…"`, `String name = "…"`.
pub(super) fn assigned_name(pieces: &[Placed], at: usize) -> Option<&str> {
    let mut before = at;
    while before > 0 && pieces[before - 1].is_sign('(') {
        before -= 1;
    }
    let mut equals = before.checked_sub(1)?;
    if !pieces[equals].is_sign('=') {
        return None;
    }
    // Go's `:=`; a type between the name and the sign: `NAME: &'static str =`, `NAME: string =`, `name string =`.
    let mut candidate = None;
    for _ in 0..6 {
        let Some(previous) = equals.checked_sub(1) else {
            break;
        };
        equals = previous;
        match &pieces[equals].piece {
            Piece::Word(word) if is_type(word) => {}
            Piece::Word(word) => {
                candidate = Some(word.as_str());
                // `NAME: Type =`: the name stands before the colon.
                let is_behind_a_colon = equals > 1 && pieces[equals - 1].is_sign(':');
                if !is_behind_a_colon {
                    break;
                }
            }
            Piece::Sign(':' | '&' | '\'' | '<' | '>' | '[' | ']') => {}
            Piece::Sign(_) | Piece::Text(_) => break,
        }
    }
    candidate
}

fn is_type(word: &str) -> bool {
    matches!(
        word,
        "string" | "str" | "String" | "static" | "Final" | "LiteralString"
    )
}

/// Names of texts that others are made of: beside a `+`, formatted, filled into a template, or added to.
pub(super) fn parts_of_texts(pieces: &[Placed]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let sign = |at: usize, sign: char| pieces.get(at).is_some_and(|piece| piece.is_sign(sign));
    for (at, piece) in pieces.iter().enumerate() {
        match &piece.piece {
            Piece::Word(word) => {
                let beside_plus = sign(at + 1, '+') || at > 0 && pieces[at - 1].is_sign('+');
                let filled = sign(at + 1, '%');
                let has_method = sign(at + 1, '.')
                    && pieces
                        .get(at + 2)
                        .and_then(Placed::word)
                        .is_some_and(|word| {
                            matches!(
                                word,
                                "format"
                                    | "formatted"
                                    | "replace"
                                    | "concat"
                                    | "push_str"
                                    | "append"
                                    | "replaceAll"
                            )
                        });
                if beside_plus || filled || has_method || is_formatted(pieces, at) {
                    names.insert(word.clone());
                }
            }
            Piece::Text(text) => {
                let words = text
                    .holes
                    .iter()
                    .flat_map(|hole| hole.split(|c: char| !c.is_alphanumeric() && c != '_'));
                names.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
            }
            Piece::Sign(_) => {}
        }
    }
    names
}

/// The place of the name of the innermost call around a place; `None` where it is in none.
fn call_around(pieces: &[Placed], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for before in (1..at).rev() {
        let piece = &pieces[before];
        if piece.is_sign(')') {
            depth += 1;
        } else if piece.is_sign('(') && depth > 0 {
            depth -= 1;
        } else if piece.is_sign('(') {
            // Rust's macros: `format!(…)`.
            let is_macro = pieces[before - 1].is_sign('!');
            return before.checked_sub(if is_macro { 2 } else { 1 });
        } else if piece.is_sign('{') || piece.is_sign('}') || piece.is_sign(';') {
            return None;
        }
    }
    None
}

/// A call's name, and what stands before its dot.
fn names(pieces: &[Placed], call: usize) -> (String, &str) {
    let name = pieces[call].word().unwrap_or_default();
    let of = call
        .checked_sub(2)
        .filter(|_| pieces[call - 1].is_sign('.'))
        .and_then(|at| pieces[at].word());
    (name.to_ascii_lowercase(), of.unwrap_or_default())
}

/// Whether the innermost call around a word is one that formats.
pub(super) fn is_formatted(pieces: &[Placed], at: usize) -> bool {
    call_around(pieces, at).is_some_and(|call| {
        let (name, _) = names(pieces, call);
        makes_a_text(&name)
    })
}

fn makes_a_text(name: &str) -> bool {
    FORMATS.iter().any(|word| name.starts_with(word)) || MAKES.contains(&name)
}

/// Whether a text is told to a person: `log.Info(…)`, `errors.New(…)`, `assertEquals(…)`.
fn is_told(pieces: &[Placed], at: usize) -> bool {
    const OF: [&str; 6] = ["errors", "log", "logger", "logging", "console", "slog"];
    call_around(pieces, at).is_some_and(|call| {
        let (name, of) = names(pieces, call);
        TELLS.iter().any(|word| name.contains(word))
            || TELLS_FIRST.iter().any(|word| name.starts_with(word))
            || makes_a_text(&name)
            || OF.contains(&of)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::sources::code::{Language, pieces};

    fn lines(code: &str, language: Language) -> Vec<u32> {
        texts(&pieces(code, language), |text| {
            is_surely_a_statement(&text.value)
        })
        .into_iter()
        .filter(|one| !one.is_part)
        .map(|one| one.text.line)
        .collect()
    }

    #[test]
    fn statements_are_told_from_prose_and_from_pieces() {
        for (sql, expected) in [
            ("SELECT id FROM harbours WHERE code = $1", true),
            ("delete from berths where harbour = @harbour", true),
            ("update berths set free = :free", true),
            ("with a as (select 1 as x) select x from a;", true),
            ("\n-- the newest\nselect id\nfrom harbours", true),
            ("select a file", false),
            ("delete from cart", false),
            ("Select the harbours from this list = the one below", false),
            ("SELECT id FROM harbours WHERE", false),
            ("with a as (select 1 as x), ", false),
            ("CREATE TABLE a (b int)", false),
        ] {
            assert_eq!(is_surely_a_statement(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_text_is_read_wherever_it_is_handed_but_not_to_a_person() {
        let code = "package a\nvar list = []entry{\n  {&s.one, \"SELECT a FROM b WHERE c = $1\"},\n}\n\
                    func f(ctx context.Context) {\n  own.Ask(ctx, \"DELETE FROM b WHERE c = $1\", id)\n\
                    \x20 return errors.New(ctx, \"SELECT a FROM b WHERE c = $1\")\n  base := `SELECT a FROM b\nWHERE c = $1`\n  run(base + tail)\n}\n";
        assert_eq!(lines(code, Language::Go), [3, 6]);
        let code = "const BASE: &str = \"SELECT a FROM b WHERE c = 1\";\nconst ONE: &str = \"SELECT a FROM b WHERE c = 2\";\n\
                    fn f() { ask(ONE); log::info!(\"SELECT a FROM b WHERE c = 3\"); format!(\"{} x\", BASE); }\n";
        assert_eq!(lines(code, Language::Rust), [2]);
    }

    #[test]
    fn the_name_of_a_text_is_the_one_that_it_is_given() {
        let name = |code: &str, language| {
            let all = pieces(code, language);
            let at = all
                .iter()
                .position(|piece| matches!(piece.piece, Piece::Text(_)))
                .unwrap();
            assigned_name(&all, at).map(str::to_owned)
        };
        assert_eq!(name("q := \"x\"", Language::Go).as_deref(), Some("q"));
        assert_eq!(
            name("const q string = \"x\"", Language::Go).as_deref(),
            Some("q")
        );
        assert_eq!(
            name("const Q: &'static str = \"x\";", Language::Rust).as_deref(),
            Some("Q")
        );
        assert_eq!(
            name("static final String Q = \"x\";", Language::Java).as_deref(),
            Some("Q")
        );
        assert_eq!(
            name("const q: string = (\"x\")", Language::JavaScript).as_deref(),
            Some("q")
        );
        assert_eq!(name("ask(\"x\")", Language::Go), None);
    }
}
