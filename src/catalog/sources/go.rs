//! SQL in Go code: texts handed to database/sql, pgx, sqlx, GORM and bun, alone or by the name of a constant or of a variable
//! that is assigned once; and wherever a whole statement is handed to methods of the project's own. Constants that are made of
//! constants are known, too. What a builder or `fmt.Sprintf` puts together is named, not guessed.
//! <https://pkg.go.dev/database/sql>, <https://pkg.go.dev/github.com/jackc/pgx/v5>

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::code::{self, Language, Lines, Piece, Placed, Text, Value};
use super::conventions::{Convention, Found};
use super::placeholders::{lists, question_marks};
use super::sqlalchemy::is_statement;
use super::whole::{self, after_comments, is_surely_a_statement};
use crate::source::Source;

pub(super) const CONVENTION: Convention = Convention {
    key: "go",
    tool: "SQL in Go code",
    extensions: &["go"],
    // A wrapper of the project's own takes most statements in files that import no driver.
    shows: |text| !statements(text).is_empty(),
    read: |source| match is_test(source) {
        true => Vec::new(),
        false => statements(&source.text),
    },
    parts: Some(|source| match is_test(source) {
        true => BTreeSet::new(),
        false => whole::parts_of_texts(&code::pieces(&source.text, Language::Go)),
    }),
};

fn is_test(source: &Source) -> bool {
    source.path.to_string_lossy().ends_with("_test.go")
}

/// Drivers of PostgreSQL, and those of other databases: what a file with only the latter holds is theirs.
fn is_of_another_database(text: &str) -> bool {
    const OWN: [&str; 3] = ["jackc/pgx", "lib/pq", "driver/postgres"];
    const OTHERS: [&str; 6] = [
        "go-sql-driver/mysql",
        "mattn/go-sqlite3",
        "modernc.org/sqlite",
        "ClickHouse/clickhouse-go",
        "gorm.io/driver/sqlite",
        "gocql/gocql",
    ];
    let imports = |drivers: &[&str]| drivers.iter().any(|driver| text.contains(driver));
    imports(&OTHERS) && !imports(&OWN)
}

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
    if is_generated || !whole::may_hold_statements(text) || is_of_another_database(text) {
        return Vec::new();
    }
    let pieces = code::pieces(text, Language::Go);
    let file = File::of(&pieces);
    let mut found = Statements::default();
    for at in 0..pieces.len() {
        if let Some(statement) = file.call(at) {
            found.add(statement);
        }
    }
    for (name, text) in &file.constants {
        found.add_all(file.of_constant(name, text));
    }
    for function in &file.functions {
        found.add_all(file.handed_in(function, &found.lines));
    }
    found.add_all(file.listed(&found.lines));
    found.all.sort_by_key(|one| one.line);
    found.all
}

/// Each text once: it may be handed over in several places.
#[derive(Default)]
struct Statements {
    all: Vec<Found>,
    lines: BTreeSet<u32>,
}

impl Statements {
    fn add(&mut self, statement: Found) {
        if self.lines.insert(statement.line) {
            self.all.push(statement);
        }
    }

    fn add_all(&mut self, statements: impl IntoIterator<Item = Found>) {
        statements.into_iter().for_each(|one| self.add(one));
    }
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

/// What becomes of a constant in its file.
#[derive(Default)]
struct Uses {
    /// The program puts it together with what is not known.
    is_filled_in: bool,
    /// It is joined with texts that are known: what they come to is read itself.
    is_joined: bool,
    /// It is handed over as it is.
    is_alone: bool,
}

/// Whether a text goes on with a statement that others begin.
fn begins_with_a_clause(text: &str) -> bool {
    const CLAUSES: [&str; 14] = [
        "where",
        "and",
        "or",
        "join",
        "left",
        "inner",
        "from",
        "set",
        "order",
        "group",
        "limit",
        "returning",
        "on",
        "values",
    ];
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    let first = words.find(|word| !word.is_empty()).unwrap_or_default();
    CLAUSES
        .iter()
        .any(|clause| first.eq_ignore_ascii_case(clause))
}

/// Whether a text is surely a statement, with any of the placeholders of Go's libraries.
fn is_sure(text: &Text) -> bool {
    filled_in(&text.value).is_none() && is_surely_a_statement(&numbered(&text.value))
}

impl<'a> File<'a> {
    fn of(pieces: &'a [Placed]) -> Self {
        let mut functions: Vec<Function> = Vec::new();
        let mut given: BTreeMap<&str, usize> = BTreeMap::new();
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
                    if let Some(value) = value_of_assignment(pieces, at) {
                        given.insert(name.as_str(), value);
                    }
                }
                Piece::Word(_) | Piece::Sign(_) | Piece::Text(_) => {}
            }
        }
        let mut file = Self {
            pieces,
            functions,
            constants: BTreeMap::new(),
        };
        // Constants of constants of constants: a chain is as long as people write it.
        const LONGEST_CHAIN: usize = 6;
        for _ in 0..LONGEST_CHAIN {
            let known: Vec<(&str, Text)> = given
                .iter()
                .filter(|(name, _)| !file.constants.contains_key(*name))
                .filter_map(|(name, at)| match file.joined(*at)? {
                    (Value::Known(text), _) => Some((*name, text)),
                    (Value::Dynamic(_), _) => None,
                })
                .collect();
            if known.is_empty() {
                break;
            }
            file.constants.extend(known);
        }
        file
    }

    /// What the texts and constants that `+` joins from a place on come to, and where they end. `None` where no text and no
    /// constant begins.
    fn joined(&self, at: usize) -> Option<(Value, usize)> {
        let line = self.pieces.get(at)?.line;
        let mut whole: Option<Text> = None;
        let mut next = at;
        loop {
            let operand = match &self.pieces.get(next)?.piece {
                Piece::Text(text) => Some(text.clone()),
                Piece::Word(name) => self.constants.get(name.as_str()).cloned(),
                Piece::Sign('(') if next == at => return code::value_at(self.pieces, at),
                Piece::Sign(_) => None,
            };
            let joined = match (whole.take(), operand) {
                (None, operand) => operand?,
                (Some(text), None) => return Some((Value::Dynamic(text.line), next)),
                (Some(mut text), Some(more)) => {
                    // A constant's text stands elsewhere.
                    let stands_here = |at: usize| matches!(self.pieces[at].piece, Piece::Text(_));
                    // A constant's text stands elsewhere.
                    let between = match next >= 2 && stands_here(next) && stands_here(next - 2) {
                        true => Lines::Kept,
                        false => Lines::None,
                    };
                    code::join(&mut text, &more, between);
                    text
                }
            };
            whole = Some(joined);
            next += 1;
            if !self.sign(next, '+') {
                break;
            }
            next += 1;
        }
        let mut text = whole?;
        // A method of the text, a part of it.
        if ['.', '(', '['].iter().any(|sign| self.sign(next, *sign)) {
            return Some((Value::Dynamic(line), next));
        }
        // A text of constants stands where it is put together; one text alone where it is.
        if next > at + 1 && !matches!(self.pieces[at].piece, Piece::Text(_)) {
            text.line = line;
        }
        Some((Value::Known(text), next))
    }

    /// A constant as a statement of its own: at its own place, or named where the program puts it together with others.
    fn of_constant(&self, name: &str, text: &Text) -> Option<Found> {
        if !is_statement(after_comments(&text.value)) {
            return None;
        }
        let uses = self.uses(name);
        if uses.is_filled_in {
            Some(Found::dynamic(name, text.line))
        } else if uses.is_joined && !uses.is_alone {
            None
        } else {
            Some(Found {
                is_constant: true,
                ..of_text(name, text)
            })
        }
    }

    /// Where a constant is put together with other texts: beside a `+`, or as an argument of `fmt.Sprintf` and its like.
    fn uses(&self, name: &str) -> Uses {
        let mut uses = Uses::default();
        for (at, piece) in self.pieces.iter().enumerate() {
            if piece.word() != Some(name) || is_assigned(self.pieces, at) {
                continue;
            }
            let is_beside_plus =
                self.sign(at + 1, '+') || at > 0 && self.pieces[at - 1].is_sign('+');
            let is_known = self
                .function_at(at)
                .is_none_or(|function| self.is_known_in(at, function));
            if whole::is_formatted(self.pieces, at) || is_beside_plus && !is_known {
                uses.is_filled_in = true;
            } else if is_beside_plus {
                uses.is_joined = true;
            } else {
                uses.is_alone = true;
            }
        }
        uses
    }

    /// Whether what a constant is joined with in a function is known, too.
    fn is_known_in(&self, at: usize, function: &Function) -> bool {
        let mut first = at;
        while first > function.range.start + 1 && self.pieces[first - 1].is_sign('+') {
            first -= 2;
        }
        matches!(self.joined(first), Some((Value::Known(_), end)) if end > at)
    }

    fn function_at(&self, at: usize) -> Option<&Function<'a>> {
        self.functions
            .iter()
            .find(|function| function.range.contains(&at))
    }

    /// Statements that a function hands to methods of the project's own, or keeps.
    fn handed_in(&self, function: &Function, read: &BTreeSet<u32>) -> Vec<Found> {
        let range = function.range.clone();
        let lines = match (self.pieces.get(range.start), self.pieces.get(range.end - 1)) {
            (Some(first), Some(last)) => first.line..=last.line,
            _ => return Vec::new(),
        };
        let is_named_already = read.range(lines).next().is_some();
        whole::texts(&self.pieces[range], is_sure)
            .into_iter()
            .map(|one| (one.is_part || self.is_continued(function, one.at), one))
            .filter(|(is_part, _)| !is_part || !is_named_already)
            .map(|(is_part, one)| match is_part {
                true => Found::dynamic(function.name, one.text.line),
                false => of_text(function.name, &one.text),
            })
            .collect()
    }

    /// Whether a text only begins a statement: `q := builder.New("UPDATE t SET a = 1")`, and further on `q.B("WHERE id = ?")`. `at` is its
    /// place in the function.
    fn is_continued(&self, function: &Function, at: usize) -> bool {
        let pieces = &self.pieces[function.range.clone()];
        let is_call_part =
            |piece: &Placed| piece.word().is_some() || piece.is_sign('.') || piece.is_sign('(');
        let Some(equals) = (0..at).rev().find(|before| !is_call_part(&pieces[*before])) else {
            return false;
        };
        let is_handed_over = at > 0 && pieces[at - 1].is_sign('(');
        if !is_handed_over || !pieces[equals].is_sign('=') {
            return false;
        }
        let mut names = pieces[..equals].iter().rev();
        let name = names
            .find(|piece| !piece.is_sign(':'))
            .and_then(Placed::word);
        let Some(name) = name else {
            return false;
        };
        pieces[at..].windows(5).any(|call| {
            let clause = match &call[4].piece {
                Piece::Text(text) => begins_with_a_clause(&text.value),
                Piece::Word(_) | Piece::Sign(_) => false,
            };
            clause && call[0].is_word(name) && call[1].is_sign('.') && call[3].is_sign('(')
        })
    }

    /// Statements in the lists and structures of a file: `var statements = map[string]string{"last": "SELECT …"}`.
    fn listed(&self, read: &BTreeSet<u32>) -> Vec<Found> {
        whole::texts(self.pieces, |text| {
            !read.contains(&text.line) && is_sure(text)
        })
        .into_iter()
        .filter(|one| !one.is_part && self.function_at(one.at).is_none())
        .map(|one| of_text(self.given_name(one.at), &one.text))
        .collect()
    }

    /// The package's name that is being given a value at a place.
    fn given_name(&self, at: usize) -> &str {
        let mut depth = 0_i32;
        for before in (0..at).rev() {
            match &self.pieces[before].piece {
                Piece::Sign('}') => depth += 1,
                Piece::Sign('{') => depth -= 1,
                Piece::Word(name) if depth < 0 && self.sign(before + 1, '=') => return name,
                Piece::Word(_) | Piece::Sign(_) | Piece::Text(_) => {}
            }
        }
        ""
    }

    /// The statement of the call whose method stands here.
    fn call(&self, at: usize) -> Option<Found> {
        let method = self.pieces[at].word()?;
        let is_call = METHODS.contains(&method)
            && at > 0
            && self.pieces[at - 1].is_sign('.')
            && self.sign(at + 1, '(');
        let function = self.function_at(at).filter(|_| is_call)?;
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
        if let Some((value, end)) = self.joined_in(&argument, function, call) {
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

    /// As [`Self::joined`], where no variable of the function takes a constant's name.
    fn joined_in(
        &self,
        argument: &Range<usize>,
        function: &Function,
        call: usize,
    ) -> Option<(Value, usize)> {
        let first = &self.pieces[argument.start];
        let is_a_name_alone = first.word().is_some() && argument.len() == 1;
        let is_shadowed = first.word().is_some_and(|name| {
            let line = first.line;
            self.local(name, function.range.start..call, line).is_some()
        });
        (!is_a_name_alone && !is_shadowed)
            .then(|| self.joined(argument.start))
            .flatten()
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
            [at] => {
                let value = value_of_assignment(self.pieces, *at).and_then(|at| self.joined(at));
                match value {
                    Some((Value::Known(text), _)) => Some(Value::Known(text)),
                    Some((Value::Dynamic(_), _)) | None => {
                        of_statements.then_some(Value::Dynamic(line))
                    }
                }
            }
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

/// Where the value begins that a name is given here.
fn value_of_assignment(pieces: &[Placed], at: usize) -> Option<usize> {
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
    let is_plain =
        sign(next, '=') && !sign(next + 1, '=') && !(at > 0 && pieces[at - 1].is_sign('.'));
    is_plain.then_some(next + 1)
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

fn of_text(name: &str, text: &Text) -> Found {
    match filled_in(&text.value) {
        Some(verb) => Found::template(name, text.line, verb),
        None => Found::statement(name, text.line, numbered(&text.value)),
    }
}

/// The verb of `fmt` that a template is filled in at. Behind a `%` of a pattern it is none, and `%` computes between columns.
fn filled_in(sql: &str) -> Option<&'static str> {
    let is_pattern = sql.contains("'%") || sql.contains("%'");
    ["%s", "%v", "%d", "%q"]
        .into_iter()
        .find(|verb| !is_pattern && sql.contains(verb))
}

/// sqlx and GORM write `?`, which beside `$1` is an operator of JSON, and GORM `IN @ids` for a list.
fn numbered(sql: &str) -> String {
    let is_numbered = sql
        .as_bytes()
        .windows(2)
        .any(|two| two[0] == b'$' && two[1].is_ascii_digit());
    if is_numbered {
        return sql.to_owned();
    }
    lists(&question_marks(sql))
}

#[cfg(test)]
mod tests;
