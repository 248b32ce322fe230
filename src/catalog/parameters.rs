//! Parameters as people write them (`$1`, `@name`, `:name`, `sqlc.arg(name)`) made `$n`, with a map back to the text.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::query::{Parameter, ParameterChoice, Segment};
use crate::source::{Source, SourceError, nearest};
use crate::sql::token::{LiteralKind, Token, TokenKind};

/// sqlc's functions.
const SQLC: [&str; 4] = ["arg", "narg", "slice", "embed"];

/// A statement ready for PREPARE.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) sql: String,
    pub(super) segments: Vec<Segment>,
    pub(super) parameters: Vec<Parameter>,
}

/// One place in the statement that is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Use {
    span: Range<usize>,
    what: Written,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    /// `$1`.
    Number(u16),
    /// `@name`, `:name`, `sqlc.arg(name)`.
    Name {
        name: String,
        nullable: bool,
        form: Form,
    },
    /// `sqlc.embed(table)`.
    Embed(String),
}

/// What a name is replaced with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `$n`.
    Plain,
    /// `sqlc.slice` by itself: `$n`, an array.
    Array,
    /// `IN (sqlc.slice(…))`: `= ANY($n)`.
    In,
    /// `NOT IN (sqlc.slice(…))`: `<> ALL($n)`.
    NotIn,
}

/// Rewrites a statement's tokens (first and last are not trivia).
///
/// # Errors
/// The first parameter that is wrong.
pub(super) fn rewrite(source: &Source, tokens: &[Token]) -> Result<Rewritten, Box<SourceError>> {
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.is_trivia()).collect();
    let finder = Finder {
        source,
        tokens: &significant,
    };
    let uses = finder.uses()?;
    let parameters = number(source, &uses)?;
    let span = |token: Option<&Token>| token.map_or(0..0, |token| token.span.clone());
    let statement = span(tokens.first()).start..span(tokens.last()).end;
    Ok(assemble(&source.text, statement, &uses, parameters))
}

/// Copies the statement and puts `$n` where a parameter stands.
fn assemble(
    text: &str,
    statement: Range<usize>,
    uses: &[Use],
    parameters: Vec<Parameter>,
) -> Rewritten {
    let mut sql = String::with_capacity(statement.len());
    let mut segments = Vec::with_capacity(uses.len() * 2 + 1);
    let mut done = statement.start;
    let numbers: HashMap<&str, u16> = parameters
        .iter()
        .filter_map(|parameter| Some((parameter.name.as_deref()?, parameter.number)))
        .collect();
    let copy = |sql: &mut String, segments: &mut Vec<Segment>, range: Range<usize>| {
        if !range.is_empty() {
            segments.push(Segment {
                sql: sql.len(),
                source: range.start - statement.start,
                verbatim: true,
            });
            sql.push_str(&text[range]);
        }
    };
    for each in uses {
        copy(&mut sql, &mut segments, done..each.span.start);
        segments.push(Segment {
            sql: sql.len(),
            source: each.span.start - statement.start,
            verbatim: false,
        });
        match &each.what {
            Written::Number(number) => sql.push_str(&format!("${number}")),
            Written::Embed(table) => sql.push_str(&format!("{table}.*")),
            Written::Name { name, form, .. } => {
                let number = numbers.get(name.as_str()).copied().unwrap_or(0);
                match form {
                    Form::Plain | Form::Array => sql.push_str(&format!("${number}")),
                    Form::In => sql.push_str(&format!("= ANY(${number})")),
                    Form::NotIn => sql.push_str(&format!("<> ALL(${number})")),
                }
            }
        }
        done = each.span.end;
    }
    copy(&mut sql, &mut segments, done..statement.end);
    Rewritten {
        sql,
        segments,
        parameters,
    }
}

/// Gives every parameter its number: a name the first that no `$n` of the statement has, as sqlc does. A gap is an error.
fn number(source: &Source, uses: &[Use]) -> Result<Vec<Parameter>, Box<SourceError>> {
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut taken: HashSet<u16> = HashSet::new();
    for each in uses {
        if let Written::Number(number) = &each.what
            && taken.insert(*number)
        {
            parameters.push(parameter(*number, None, false, false));
        }
    }
    let mut next = 1_u32;
    for each in uses {
        let Written::Name {
            name,
            nullable,
            form,
        } = &each.what
        else {
            continue;
        };
        let slice = *form != Form::Plain;
        if let Some(place) = places.get(name.as_str()) {
            parameters[*place].nullable |= nullable;
            parameters[*place].slice |= slice;
            continue;
        }
        while u16::try_from(next).is_ok_and(|number| taken.contains(&number)) {
            next += 1;
        }
        let Ok(number) = u16::try_from(next) else {
            return Err(Box::new(SourceError::new(
                source,
                each.span.clone(),
                "more than 65535 parameters",
            )));
        };
        next += 1;
        places.insert(name, parameters.len());
        parameters.push(parameter(number, Some(name.clone()), *nullable, slice));
    }
    parameters.sort_by_key(|parameter| parameter.number);
    match gap(source, uses, &parameters) {
        Some(error) => Err(Box::new(error)),
        None => Ok(parameters),
    }
}

fn gap(source: &Source, uses: &[Use], parameters: &[Parameter]) -> Option<SourceError> {
    let (missing, next) = (1_u16..)
        .zip(parameters)
        .find(|(expected, p)| p.number != *expected)?;
    let each = uses
        .iter()
        .find(|each| each.what == Written::Number(next.number))?;
    let message = format!("${} is used, but ${missing} is not", next.number);
    let help = format!("parameters are counted without gaps: ${missing} is the next");
    Some(SourceError::new(source, each.span.clone(), message).help(help))
}

fn parameter(number: u16, name: Option<String>, nullable: bool, slice: bool) -> Parameter {
    Parameter {
        number,
        name,
        column: None,
        nullable,
        slice,
        choice: ParameterChoice::Auto,
    }
}

/// Looks for parameters among a statement's tokens without trivia.
struct Finder<'a> {
    source: &'a Source,
    tokens: &'a [&'a Token],
}

impl Finder<'_> {
    fn uses(&self) -> Result<Vec<Use>, Box<SourceError>> {
        let mut uses: Vec<Use> = Vec::new();
        let mut index = 0;
        while index < self.tokens.len() {
            let (found, next) = match self.tokens[index].kind {
                TokenKind::PositionalParam { .. } => (self.positional(index), index + 1),
                TokenKind::At if self.at_starts_name(index) => (self.plain(index), index + 2),
                TokenKind::Colon if self.colon_starts_name(index) => (self.plain(index), index + 2),
                TokenKind::Ident if self.is_sqlc(index) => (self.sqlc(index), index + 3),
                _ => {
                    index += 1;
                    continue;
                }
            };
            let found = found.map_err(Box::new)?;
            index = index.max(next);
            // What was taken whole is not looked at again.
            while self
                .tokens
                .get(index)
                .is_some_and(|token| token.span.start < found.span.end)
            {
                index += 1;
            }
            uses.push(found);
        }
        Ok(uses)
    }

    fn text(&self, index: usize) -> &str {
        self.tokens
            .get(index)
            .map_or("", |token| &self.source.text[token.span.clone()])
    }

    fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    /// Whether nothing stands between a token and the next.
    fn adjacent(&self, index: usize) -> bool {
        match (self.tokens.get(index), self.tokens.get(index + 1)) {
            (Some(left), Some(right)) => left.span.end == right.span.start,
            _ => false,
        }
    }

    fn word(&self, index: usize, word: &str) -> bool {
        self.kind(index) == Some(TokenKind::Ident) && self.text(index).eq_ignore_ascii_case(word)
    }

    fn positional(&self, index: usize) -> Result<Use, SourceError> {
        let text = self.text(index);
        let span = self.tokens[index].span.clone();
        match text
            .strip_prefix('$')
            .and_then(|digits| digits.parse::<u16>().ok())
        {
            Some(number) if number > 0 => Ok(Use {
                span,
                what: Written::Number(number),
            }),
            Some(_) | None => {
                let error =
                    SourceError::new(self.source, span, format!("`{text}` is not a parameter"));
                Err(error.help("parameters are $1 to $65535"))
            }
        }
    }

    /// `@name` or `:name`.
    fn plain(&self, index: usize) -> Result<Use, SourceError> {
        let span = self.tokens[index].span.start..self.tokens[index + 1].span.end;
        let name = self.text(index + 1).to_owned();
        Ok(Use {
            span,
            what: Written::Name {
                name,
                nullable: false,
                form: Form::Plain,
            },
        })
    }

    /// `@name`, but neither `<@ name`, `a @@ b` nor the operator `@ -5`: the server reads operator signs that touch each
    /// other as one operator, and of those that end with `@` only comparisons and arithmetic can be meant to be two.
    fn at_starts_name(&self, index: usize) -> bool {
        if self.kind(index + 1) != Some(TokenKind::Ident) || !self.adjacent(index) {
            return false;
        }
        // `@t.balance` is the absolute value of a column: a parameter has no columns.
        if self.kind(index + 2) == Some(TokenKind::Dot) && self.adjacent(index + 1) {
            return false;
        }
        let mut first = index;
        while first > 0
            && self.adjacent(first - 1)
            && self.kind(first - 1).is_some_and(is_operator_sign)
        {
            first -= 1;
        }
        let before = match (self.tokens.get(first), self.tokens.get(index)) {
            (Some(start), Some(at)) => &self.source.text[start.span.start..at.span.start],
            _ => "",
        };
        matches!(
            before,
            "" | "=" | "<>" | "!=" | "<=" | ">=" | ">" | "+" | "-" | "*" | "/" | "%" | "||"
        )
    }

    /// `:name`, but neither a cast, an array slice, `:=` nor a JSON constructor's colon: those stand between two operands,
    /// a parameter is one.
    fn colon_starts_name(&self, index: usize) -> bool {
        if self.kind(index + 1) != Some(TokenKind::Ident) || !self.adjacent(index) {
            return false;
        }
        let Some(before) = index.checked_sub(1) else {
            return true;
        };
        match self.kind(before) {
            Some(TokenKind::Colon) => !self.adjacent(before),
            Some(
                TokenKind::Literal { .. }
                | TokenKind::PositionalParam { .. }
                | TokenKind::CloseBracket,
            ) => false,
            // `a:b` is a slice or a key with its value; `LIMIT :n` follows a keyword.
            Some(TokenKind::Ident | TokenKind::QuotedIdent { .. } | TokenKind::CloseParen) => {
                !self.adjacent(before)
            }
            _ => true,
        }
    }

    fn is_sqlc(&self, index: usize) -> bool {
        self.word(index, "sqlc")
            && self.kind(index + 1) == Some(TokenKind::Dot)
            && self.kind(index + 2) == Some(TokenKind::Ident)
            && self.kind(index + 3) == Some(TokenKind::OpenParen)
            && index.checked_sub(1).and_then(|before| self.kind(before)) != Some(TokenKind::Dot)
    }

    /// `sqlc.arg(name)` and its kin.
    fn sqlc(&self, index: usize) -> Result<Use, SourceError> {
        let function = self.text(index + 2).to_ascii_lowercase();
        if !SQLC.contains(&function.as_str()) {
            let help = match nearest(&function, SQLC) {
                Some(near) => format!("did you mean `sqlc.{near}`?"),
                None => format!(
                    "functions: {}",
                    SQLC.map(|name| format!("sqlc.{name}")).join(" ")
                ),
            };
            let span = self.tokens[index].span.start..self.tokens[index + 2].span.end;
            return Err(SourceError::new(
                self.source,
                span,
                format!("there is no `sqlc.{function}`"),
            )
            .help(help));
        }
        let name = self
            .kind(index + 4)
            .and_then(|kind| argument(kind, self.text(index + 4)));
        let closed = self.kind(index + 5) == Some(TokenKind::CloseParen);
        let (Some(name), true) = (name, closed) else {
            let end = self
                .tokens
                .get(index + 4)
                .map_or(self.tokens[index + 3].span.end, |token| token.span.end);
            let span = self.tokens[index].span.start..end;
            let error = SourceError::new(
                self.source,
                span,
                format!("`sqlc.{function}` needs one name"),
            );
            return Err(error.help(format!("write `sqlc.{function}(customer_id)`")));
        };
        let span = self.tokens[index].span.start..self.tokens[index + 5].span.end;
        Ok(match function.as_str() {
            "embed" => Use {
                span,
                what: Written::Embed(self.text(index + 4).to_owned()),
            },
            "slice" => self.slice(index, name),
            _ => Use {
                span,
                what: Written::Name {
                    name,
                    nullable: function == "narg",
                    form: Form::Plain,
                },
            },
        })
    }

    /// `IN (sqlc.slice(ids))` is taken whole: a list of unknown length is one array to the server.
    fn slice(&self, index: usize, name: String) -> Use {
        let alone = Use {
            span: self.tokens[index].span.start..self.tokens[index + 5].span.end,
            what: Written::Name {
                name: name.clone(),
                nullable: false,
                form: Form::Array,
            },
        };
        let Some(in_word) = index.checked_sub(2) else {
            return alone;
        };
        let in_parentheses = self.kind(index - 1) == Some(TokenKind::OpenParen)
            && self.kind(index + 6) == Some(TokenKind::CloseParen);
        if !in_parentheses || !self.word(in_word, "in") {
            return alone;
        }
        let not = in_word
            .checked_sub(1)
            .filter(|before| self.word(*before, "not"));
        let form = if not.is_some() { Form::NotIn } else { Form::In };
        let start = self.tokens[not.unwrap_or(in_word)].span.start;
        Use {
            span: start..self.tokens[index + 6].span.end,
            what: Written::Name {
                name,
                nullable: false,
                form,
            },
        }
    }
}

/// The name in `sqlc.arg(name)`, `sqlc.arg('name')` or `sqlc.arg("name")`.
fn argument(kind: TokenKind, text: &str) -> Option<String> {
    let name = match kind {
        TokenKind::Ident => text,
        TokenKind::QuotedIdent { uescape: false, .. } => text.trim_matches('"'),
        TokenKind::Literal {
            kind: LiteralKind::Str { .. },
        } => text.trim_matches('\''),
        _ => return None,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

/// The signs that PostgreSQL makes operators of.
fn is_operator_sign(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Slash
            | TokenKind::Minus
            | TokenKind::Eq
            | TokenKind::Gt
            | TokenKind::Lt
            | TokenKind::And
            | TokenKind::Bang
            | TokenKind::Plus
            | TokenKind::Tilde
            | TokenKind::Pound
            | TokenKind::Question
            | TokenKind::Or
            | TokenKind::Percent
            | TokenKind::Caret
            | TokenKind::Star
            | TokenKind::Backtick
            | TokenKind::At
    )
}
