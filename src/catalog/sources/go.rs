//! SQL in Go code: texts handed to database/sql, pgx, sqlx, GORM and bun, alone or by the name of a constant or of a variable
//! that is assigned once. What a builder or `fmt.Sprintf` puts together is named, not guessed.
//! <https://pkg.go.dev/database/sql>, <https://pkg.go.dev/github.com/jackc/pgx/v5>

use std::collections::BTreeMap;
use std::ops::Range;

use super::code::{self, Language, Piece, Placed, Text, Value};
use super::conventions::{Convention, Found};
use super::placeholders::question_marks;
use super::sqlalchemy::is_statement;

pub(super) const CONVENTION: Convention = Convention {
    key: "go",
    tool: "SQL in Go code",
    extensions: &["go"],
    shows: |text| {
        let drivers = [
            "\"database/sql\"",
            "jackc/pgx",
            "jmoiron/sqlx",
            "lib/pq",
            "gorm.io/",
            "uptrace/bun",
        ];
        drivers.iter().any(|driver| text.contains(driver)) && !statements(text).is_empty()
    },
    read: |source| {
        let is_test = source.path.to_string_lossy().ends_with("_test.go");
        if is_test {
            Vec::new()
        } else {
            statements(&source.text)
        }
    },
};

/// Methods that take a statement, after a context and a destination at most.
const METHODS: [&str; 29] = [
    "Query",
    "QueryContext",
    "QueryRow",
    "QueryRowContext",
    "Queryx",
    "QueryxContext",
    "QueryRowx",
    "QueryRowxContext",
    "Exec",
    "ExecContext",
    "ExecOne",
    "MustExec",
    "MustExecContext",
    "NamedExec",
    "NamedExecContext",
    "NamedQuery",
    "NamedQueryContext",
    "Get",
    "GetContext",
    "Select",
    "SelectContext",
    "Prepare",
    "PrepareContext",
    "Preparex",
    "PreparexContext",
    "PrepareNamed",
    "PrepareNamedContext",
    "Queue",
    "Raw",
];

/// A statement is the third argument at the latest: `GetContext(ctx, &row, statement, …)`.
const LAST_PLACE: usize = 3;

fn statements(text: &str) -> Vec<Found> {
    let is_generated = text.lines().take(5).any(|line| {
        line.starts_with("// Code generated ") && line.trim_end().ends_with("DO NOT EDIT.")
    });
    if is_generated {
        return Vec::new();
    }
    let pieces = code::pieces(text, Language::Go);
    let file = File::of(&pieces);
    let mut found: Vec<Found> = Vec::new();
    let mut read: Vec<u32> = Vec::new();
    for at in 0..pieces.len() {
        let Some(statement) = file.call(at) else {
            continue;
        };
        // One text may be handed over in several places.
        if !read.contains(&statement.line) {
            read.push(statement.line);
            found.push(statement);
        }
    }
    for (name, text) in &file.constants {
        if !read.contains(&text.line) && is_statement(after_comments(&text.value)) {
            found.push(match file.is_part_of_a_text(name) {
                true => Found::dynamic(*name, text.line),
                false => of_text(name, text),
            });
        }
    }
    found.sort_by_key(|one| one.line);
    found
}

/// A file's functions, and the texts that it gives names outside of them.
struct File<'a> {
    pieces: &'a [Placed],
    functions: Vec<Function<'a>>,
    constants: BTreeMap<&'a str, Text>,
}

struct Function<'a> {
    name: &'a str,
    range: Range<usize>,
}

impl<'a> File<'a> {
    fn of(pieces: &'a [Placed]) -> Self {
        let mut functions: Vec<Function> = Vec::new();
        let mut constants = BTreeMap::new();
        let mut depth = 0_usize;
        for (at, piece) in pieces.iter().enumerate() {
            match &piece.piece {
                Piece::Sign('{') => depth += 1,
                Piece::Sign('}') => depth = depth.saturating_sub(1),
                Piece::Word(word) if word == "func" && depth == 0 => {
                    if let Some(last) = functions.last_mut() {
                        last.range.end = at;
                    }
                    functions.push(Function {
                        name: function_name(pieces, at).unwrap_or_default(),
                        range: at..pieces.len(),
                    });
                }
                Piece::Word(name) if depth == 0 => {
                    if let Some(Value::Known(text)) = assigned(pieces, at) {
                        constants.insert(name.as_str(), text);
                    }
                }
                Piece::Word(_) | Piece::Sign(_) | Piece::Text(_) => {}
            }
        }
        Self {
            pieces,
            functions,
            constants,
        }
    }

    /// Whether a constant is put together with other texts: beside a `+`, or as an argument of `fmt.Sprintf` and its like.
    fn is_part_of_a_text(&self, name: &str) -> bool {
        let mut used = self
            .functions
            .iter()
            .flat_map(|function| function.range.clone())
            .filter(|at| self.pieces[*at].word() == Some(name));
        used.any(|at| {
            let is_beside_plus =
                self.sign(at + 1, '+') || at > 0 && self.pieces[at - 1].is_sign('+');
            is_beside_plus || self.is_formatted(at)
        })
    }

    /// Whether the innermost call around a word is one that formats.
    fn is_formatted(&self, at: usize) -> bool {
        let mut depth = 0_usize;
        for before in (1..at).rev() {
            let piece = &self.pieces[before];
            if piece.is_sign(')') {
                depth += 1;
            } else if piece.is_sign('(') && depth > 0 {
                depth -= 1;
            } else if piece.is_sign('(') {
                return self.pieces[before - 1]
                    .word()
                    .is_some_and(|word| word.starts_with("Sprint"));
            } else if piece.is_sign('{') || piece.is_sign('}') {
                return false;
            }
        }
        false
    }

    /// The statement of the call whose method stands here.
    fn call(&self, at: usize) -> Option<Found> {
        let method = self.pieces[at].word()?;
        let is_call = METHODS.contains(&method)
            && at > 0
            && self.pieces[at - 1].is_sign('.')
            && self.sign(at + 1, '(');
        let function = self
            .functions
            .iter()
            .find(|function| function.range.contains(&at))
            .filter(|_| is_call)?;
        let mut unknown = None;
        for argument in arguments(self.pieces, at + 1).into_iter().take(LAST_PLACE) {
            match self.value(argument.clone(), function, at) {
                Some(Value::Known(text)) if is_statement(after_comments(&text.value)) => {
                    return Some(of_text(function.name, &text));
                }
                Some(Value::Known(_)) => return None,
                Some(Value::Dynamic(line)) => unknown = unknown.or(Some(line)),
                None => {}
            }
        }
        unknown.map(|line| Found::dynamic(function.name, line))
    }

    /// What an argument comes to; `None` where nothing says that it is a statement.
    fn value(&self, argument: Range<usize>, function: &Function, call: usize) -> Option<Value> {
        let line = self.pieces.get(argument.start)?.line;
        if let Some((value, end)) = code::value_at(self.pieces, argument.start) {
            let is_whole = end >= argument.end;
            return match value {
                Value::Known(text) if is_whole => Some(Value::Known(text)),
                Value::Known(_) | Value::Dynamic(_) => self
                    .begins_statement(argument)
                    .then_some(Value::Dynamic(line)),
            };
        }
        let name = self.pieces[argument.start].word()?;
        if argument.len() > 1 {
            let before = function.range.start..call;
            let names_one = argument.clone().any(|at| {
                let word = self.pieces[at].word();
                word.is_some_and(|word| self.local(word, before.clone(), line).is_some())
            });
            let is_statement = names_one || self.begins_statement(argument);
            return is_statement.then_some(Value::Dynamic(line));
        }
        self.local(name, function.range.start..call, line)
            .or_else(|| self.constants.get(name).cloned().map(Value::Known))
    }

    /// A variable of a function: known where one text is assigned to it, and nothing else.
    fn local(&self, name: &str, before: Range<usize>, line: u32) -> Option<Value> {
        let places: Vec<usize> = before
            .clone()
            .filter(|at| self.pieces[*at].is_word(name) && is_assigned(self.pieces, *at))
            .collect();
        let mut of_statements = false;
        for at in &places {
            let end = (*at + 60).min(before.end);
            of_statements |= self.begins_statement(*at..end);
        }
        match places.as_slice() {
            [] => None,
            [at] => match assigned(self.pieces, *at) {
                Some(Value::Known(text)) => Some(Value::Known(text)),
                Some(Value::Dynamic(_)) | None => of_statements.then_some(Value::Dynamic(line)),
            },
            _ => of_statements.then_some(Value::Dynamic(line)),
        }
    }

    /// Whether one of these pieces is a text that begins as a statement does.
    fn begins_statement(&self, range: Range<usize>) -> bool {
        self.pieces[range].iter().any(|piece| match &piece.piece {
            Piece::Text(text) => is_statement(after_comments(&text.value)),
            Piece::Word(_) | Piece::Sign(_) => false,
        })
    }

    fn sign(&self, at: usize, sign: char) -> bool {
        self.pieces.get(at).is_some_and(|piece| piece.is_sign(sign))
    }
}

/// `func Name(`, `func (r *Repo) Name(`.
fn function_name(pieces: &[Placed], func: usize) -> Option<&str> {
    let after = func + 1;
    if !pieces.get(after)?.is_sign('(') {
        return pieces[after].word();
    }
    let close = (after..pieces.len()).find(|at| pieces[*at].is_sign(')'))?;
    pieces.get(close + 1)?.word()
}

/// Whether a name is given a value here: `x :=`, `x =`, `x +=`, `x, err :=`.
fn is_assigned(pieces: &[Placed], at: usize) -> bool {
    let sign = |at: usize, sign| {
        pieces
            .get(at)
            .is_some_and(|piece: &Placed| piece.is_sign(sign))
    };
    if at > 0 && pieces[at - 1].is_sign('.') {
        return false;
    }
    let mut next = at + 1;
    while sign(next, ',')
        && pieces
            .get(next + 1)
            .is_some_and(|piece| piece.word().is_some())
    {
        next += 2;
    }
    let next = match pieces.get(next) {
        Some(piece) if piece.is_sign(':') || piece.is_sign('+') => next + 1,
        // `const x string = …`.
        Some(piece) if piece.is_word("string") && next == at + 1 => next + 1,
        _ => next,
    };
    sign(next, '=') && !sign(next + 1, '=')
}

/// The text that a name is given here.
fn assigned(pieces: &[Placed], at: usize) -> Option<Value> {
    let sign = |at: usize, sign| {
        pieces
            .get(at)
            .is_some_and(|piece: &Placed| piece.is_sign(sign))
    };
    let mut next = at + 1;
    if pieces
        .get(next)
        .is_some_and(|piece| piece.is_word("string"))
        || sign(next, ':')
    {
        next += 1;
    }
    let plain = sign(next, '=') && !(at > 0 && pieces[at - 1].is_sign('.'));
    plain
        .then(|| code::value_at(pieces, next + 1))
        .flatten()
        .map(|(value, _)| value)
}

/// The places of a call's arguments, from its parenthesis on.
fn arguments(pieces: &[Placed], open: usize) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let (mut depth, mut start) = (0_usize, open + 1);
    for (at, piece) in pieces.iter().enumerate().skip(open) {
        match piece.piece {
            Piece::Sign('(' | '[' | '{') => depth += 1,
            Piece::Sign(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    if start < at {
                        all.push(start..at);
                    }
                    break;
                }
            }
            Piece::Sign(',') if depth == 1 => {
                all.push(start..at);
                start = at + 1;
            }
            Piece::Sign(_) | Piece::Word(_) | Piece::Text(_) => {}
        }
    }
    all
}

/// sqlx and GORM write `?`, which beside `$1` is an operator of JSON.
fn of_text(name: &str, text: &Text) -> Found {
    if let Some(verb) = ["%s", "%v", "%d", "%q"]
        .iter()
        .find(|verb| text.value.contains(**verb))
    {
        let in_pattern = text.value.contains("'%") || text.value.contains("%'");
        if !in_pattern {
            return Found::template(name, text.line, verb);
        }
    }
    let is_numbered = text
        .value
        .as_bytes()
        .windows(2)
        .any(|two| two[0] == b'$' && two[1].is_ascii_digit());
    let sql = if is_numbered {
        text.value.clone()
    } else {
        question_marks(&text.value)
    };
    Found::statement(name, text.line, sql)
}

/// A statement's text from its first word on; sqlc's own header begins none.
fn after_comments(text: &str) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_that_is_put_together_with_others_is_no_statement() {
        let code = "package a\nimport \"database/sql\"\nconst (\n  base = `SELECT * FROM jobs WHERE deleted_at IS NULL`\n  \
                    whole = `SELECT id FROM jobs`\n  joined = `SELECT 1 FROM jobs`\n)\n\
                    func page() { q := fmt.Sprintf(paged, base, filter); run(q); use(whole); run(joined + tail) }\n";
        let shown: Vec<_> = statements(code)
            .into_iter()
            .map(|one| {
                (
                    one.name,
                    matches!(one.what, super::super::conventions::What::Statement { .. }),
                )
            })
            .collect();
        let expected = [("base", false), ("whole", true), ("joined", false)];
        assert_eq!(shown, expected.map(|(name, is)| (name.to_owned(), is)));
    }
    use crate::source::Source;

    fn found(code: &str) -> Vec<(String, u32, Option<String>)> {
        statements(code)
            .into_iter()
            .map(|one| {
                let sql = match one.what {
                    super::super::conventions::What::Statement { sql, .. } => Some(sql),
                    super::super::conventions::What::Unknown { .. } => None,
                };
                (one.name, one.line, sql)
            })
            .collect()
    }

    fn known(name: &str, line: u32, sql: &str) -> (String, u32, Option<String>) {
        (name.to_owned(), line, Some(sql.to_owned()))
    }

    fn named(name: &str, line: u32) -> (String, u32, Option<String>) {
        (name.to_owned(), line, None)
    }

    #[test]
    fn texts_of_calls_are_read_by_hand_or_by_name() {
        let code = "package a\nimport \"database/sql\"\nconst byCity = `\n  SELECT id FROM users WHERE city = $1`\n\
                    func (r *Repo) Users(ctx context.Context) {\n  r.db.QueryContext(ctx, byCity, city)\n\
                    \x20 c.Query(\"page\")\n  r.db.GetContext(ctx, &u, \"SELECT a \" +\n    \"FROM b WHERE c = ?\", c)\n}\n\
                    func Remove(db *sql.DB) error {\n  q := \"DELETE FROM users WHERE id = $1\"\n  _, err := db.Exec(q, id)\n  return err\n}\n";
        assert!((CONVENTION.shows)(code));
        assert_eq!(
            found(code),
            [
                known("Users", 4, "\n  SELECT id FROM users WHERE city = $1"),
                known("Users", 8, "SELECT a \nFROM b WHERE c = $1"),
                known("Remove", 12, "DELETE FROM users WHERE id = $1"),
            ]
        );
    }

    #[test]
    fn what_is_put_together_is_named_at_its_call() {
        let code = "package a\nfunc List(db DB, city string) {\n  q := \"SELECT id FROM users\"\n  if city != \"\" {\n    q += \" WHERE city = $1\"\n  }\n\
                    \x20 db.Query(q, city)\n  db.Query(fmt.Sprintf(\"SELECT a FROM %s\", t))\n  db.Query(\"SELECT a FROM \" + t)\n\
                    \x20 query, args, _ := builder.ToSql()\n  db.Query(query, args...)\n  cache.Get(key)\n}\n\
                    const template = \"SELECT a FROM %s\"\nconst pattern = \"SELECT a FROM b WHERE c LIKE '%s'\"\n";
        assert_eq!(
            found(code),
            [
                named("List", 7),
                named("List", 8),
                named("List", 9),
                named("template", 14),
                known("pattern", 15, "SELECT a FROM b WHERE c LIKE '%s'"),
            ]
        );
    }

    #[test]
    fn what_a_tool_generated_or_a_test_sends_is_read_where_it_comes_from() {
        let generated = "// Code generated by sqlc. DO NOT EDIT.\npackage a\nfunc A(db DB) { db.Query(\"SELECT 1 FROM a\") }\n";
        assert_eq!(found(generated), []);
        assert_eq!(
            found("package a\nconst a = `-- name: A :one\nSELECT 1 FROM a`\n"),
            []
        );
        let source = Source::new(
            "a_test.go",
            "package a\nfunc A(db DB) { db.Query(\"SELECT 1 FROM a\") }\n",
        );
        assert_eq!((CONVENTION.read)(&source), []);
    }

    #[test]
    fn broken_code_is_read_to_its_end() {
        for code in [
            "func",
            "func (",
            "x.Query(",
            "x.Query(q",
            "x.Query(\"SELECT 1",
            "const x =",
            "}",
            ".Get(,",
        ] {
            let _ = statements(code);
        }
    }
}
