//! A query file cut into blocks: a `-- name:` header, the comment lines under it, and the statement up to its `;`.

use std::ops::Range;

use super::query::Command;
use crate::source::{Source, SourceError, nearest};
use crate::sql::token::{Token, TokenKind, tokens};

/// A query as it stands in the file, not yet understood.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// `None` where the header is wrong, which was told already.
    pub(super) header: Option<Header>,
    /// The header's comment, to point at.
    pub(super) header_span: Range<usize>,
    /// Comment lines between the header and the `;`, without their markers.
    pub(super) comments: Vec<CommentLine>,
    /// The statement's tokens, from its first to its last that is not trivia.
    pub(super) tokens: Vec<Token>,
    /// Whether something in it was told to be wrong, so that what follows from it is not told again.
    pub(super) broken: bool,
}

/// `-- name: ListOrders :many`.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
    pub(super) command: Command,
}

/// One line of a comment.
#[derive(Debug, Clone)]
pub(super) struct CommentLine {
    /// The text without `--` and white space around.
    pub(super) span: Range<usize>,
    /// Whether the statement has begun before it.
    pub(super) inside: bool,
}

impl Block {
    /// From the first token to the last.
    pub(super) fn statement_span(&self) -> Option<Range<usize>> {
        Some(self.tokens.first()?.span.start..self.tokens.last()?.span.end)
    }
}

/// Cuts a file. What cannot be cut is an error; the rest of the file is read on.
pub(super) fn split(source: &Source, errors: &mut Vec<SourceError>) -> Vec<Block> {
    let mut splitter = Splitter {
        source,
        errors,
        blocks: Vec::new(),
        state: State::Outside { told: false },
        trivia: vec![],
    };
    for token in tokens(&source.text) {
        if !splitter.take(token) {
            break;
        }
    }
    splitter.blocks
}

/// Where the splitter stands; the block meant is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first header; whether text there was told.
    Outside { told: bool },
    /// After a header, before the statement.
    Header,
    /// In the statement.
    Statement,
    /// After its `;`; whether more text there was told.
    Done { told: bool },
}

struct Splitter<'a> {
    source: &'a Source,
    errors: &'a mut Vec<SourceError>,
    blocks: Vec<Block>,
    state: State,
    /// Trivia that belongs to the statement only if another of its tokens follows.
    trivia: Vec<Token>,
}

impl Splitter<'_> {
    /// Takes one token; `false` where the rest of the file cannot be understood.
    fn take(&mut self, token: Token) -> bool {
        if let Some(what) = token.unterminated() {
            self.unterminated(&token, what);
            return false;
        }
        if token.is_comment() {
            self.comment(&token);
        }
        if token.is_trivia() {
            self.trivia.push(token);
        } else if token.kind == TokenKind::Semi {
            if self.state == State::Statement {
                self.state = State::Done { told: false };
            }
            self.trivia.clear();
        } else {
            self.text(token);
        }
        true
    }

    fn unterminated(&mut self, token: &Token, what: &str) {
        // The opening alone: the token reaches to the end of the file.
        let opening = token.span.start..end_of_opening(&self.source.text, &token.span);
        let error = SourceError::new(self.source, opening, format!("this {what} is not closed"));
        self.errors
            .push(error.help("everything after it was left unread"));
        if let Some(block) = self.blocks.last_mut() {
            block.broken = true;
        }
    }

    fn text(&mut self, token: Token) {
        match self.state {
            State::Header | State::Statement => {
                if let Some(block) = self.blocks.last_mut() {
                    if !block.tokens.is_empty() {
                        block.tokens.append(&mut self.trivia);
                    }
                    block.tokens.push(token);
                }
                self.trivia.clear();
                self.state = State::Statement;
            }
            State::Outside { told: false } => {
                self.state = State::Outside { told: true };
                let error = SourceError::new(self.source, token.span, "this statement has no name");
                self.errors.push(
                    error.help("write a header above it, for example `-- name: ListOrders :many`"),
                );
            }
            State::Done { told: false } => {
                self.state = State::Done { told: true };
                let name = self
                    .blocks
                    .last()
                    .and_then(|block| block.header.as_ref())
                    .map(|header| header.name.clone());
                let message = match name {
                    Some(name) => format!("a second statement under query {name}"),
                    None => "this statement has no name".to_owned(),
                };
                let error = SourceError::new(self.source, token.span, message);
                self.errors.push(error.help(
                    "every statement needs its own header, for example `-- name: ListOrders :many`",
                ));
            }
            State::Outside { told: true } | State::Done { told: true } => {}
        }
    }

    fn comment(&mut self, token: &Token) {
        let own_line = self.source.text[..token.span.start]
            .rsplit('\n')
            .next()
            .is_none_or(|line| line.trim().is_empty());
        let mut first = true;
        for span in comment_lines(&self.source.text, &token.span) {
            let text = &self.source.text[span.clone()];
            let is_header = first && own_line && self.is_header(text);
            first = false;
            if is_header {
                self.header(span, token.span.clone());
            } else {
                self.comment_line(span);
            }
        }
    }

    /// In the middle of a statement only a whole header ends it: `-- name: of the customer` may be said of a column.
    fn is_header(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix("name:") else {
            return false;
        };
        let mut words = rest.split_whitespace();
        self.state != State::Statement
            || (words.next().is_some() && words.next().is_some_and(|word| word.starts_with(':')))
    }

    fn header(&mut self, span: Range<usize>, header_span: Range<usize>) {
        let header = match read_header(self.source, span) {
            Ok(header) => Some(header),
            Err(error) => {
                self.errors.push(error);
                None
            }
        };
        let broken = header.is_none();
        self.blocks.push(Block {
            header,
            header_span,
            comments: Vec::new(),
            tokens: Vec::new(),
            broken,
        });
        self.trivia.clear();
        self.state = State::Header;
    }

    fn comment_line(&mut self, span: Range<usize>) {
        let text = &self.source.text[span.clone()];
        match (self.state, self.blocks.last_mut()) {
            (State::Header | State::Statement, Some(block)) => {
                block.comments.push(CommentLine {
                    span,
                    inside: self.state == State::Statement,
                });
            }
            (State::Outside { .. } | State::Done { .. }, _) | (_, None) => {
                let word = text.split_whitespace().next().unwrap_or_default();
                if super::directives::NAMES
                    .iter()
                    .any(|name| word.strip_prefix('@') == Some(name))
                {
                    let word_span = span.start..span.start + word.len();
                    let error = SourceError::new(
                        self.source,
                        word_span,
                        format!("`{word}` belongs to no query"),
                    );
                    self.errors
                        .push(error.help("directives stand between a query's header and its `;`"));
                }
            }
        }
    }
}

/// The lines of a comment without markers and white space; empty ones are left out.
fn comment_lines(text: &str, span: &Range<usize>) -> Vec<Range<usize>> {
    let comment = &text[span.clone()];
    let inner = comment.strip_prefix("--").or_else(|| {
        comment
            .strip_prefix("/*")
            .and_then(|c| c.strip_suffix("*/"))
    });
    let inner = inner.unwrap_or_default();
    let mut start = span.start + 2;
    let mut lines = Vec::new();
    for line in inner.split('\n') {
        // Block comments often have a star before each line.
        let trimmed = line.trim_start();
        let trimmed = trimmed.strip_prefix('*').unwrap_or(trimmed).trim_start();
        let line_start = start + line.len() - trimmed.len();
        let trimmed = trimmed.trim_end();
        if !trimmed.is_empty() {
            lines.push(line_start..line_start + trimmed.len());
        }
        start += line.len() + 1;
    }
    lines
}

/// Reads `name: ListOrders :many`.
fn read_header(source: &Source, span: Range<usize>) -> Result<Header, SourceError> {
    const EXAMPLE: &str = "write `-- name: ListOrders :many`";
    let text = &source.text[span.clone()];
    let rest = text.strip_prefix("name:").unwrap_or(text);
    let words: Vec<&str> = rest.split_whitespace().collect();
    // A word is a part of `text`, so its place is the distance between the two.
    let place = |word: &str| {
        let start = span.start + (word.as_ptr() as usize - text.as_ptr() as usize);
        start..start + word.len()
    };
    let error = |at: Range<usize>, message: String, help: String| {
        Err(SourceError::new(source, at, message).help(help))
    };
    let (name, command) = match words.as_slice() {
        [] => return error(span, "this header has no name".into(), EXAMPLE.into()),
        [name] if name.starts_with(':') => {
            return error(span, "this header has no name".into(), EXAMPLE.into());
        }
        [name] => {
            let help =
                format!("write what the caller expects back, for example `-- name: {name} :many`");
            return error(place(name), format!("query {name} has no command"), help);
        }
        [name, command] => (*name, *command),
        [name, _, extra, ..] => {
            let message = format!("unexpected `{extra}` in the header of query {name}");
            return error(place(extra), message, EXAMPLE.into());
        }
    };
    if !name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    {
        let help = "names are made of letters, digits, `_` and `-`".into();
        return error(place(name), format!("`{name}` is not a query name"), help);
    }
    let Some(known) = command.strip_prefix(':').and_then(Command::from_word) else {
        let word = command.trim_start_matches(':');
        let help = match nearest(word, Command::ALL.iter().map(|(word, _)| *word)) {
            Some(near) => format!("did you mean `:{near}`?"),
            None => format!(
                "commands: {}",
                Command::ALL
                    .iter()
                    .map(|(word, _)| format!(":{word}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        };
        return error(
            place(command),
            format!("unknown command `{command}` of query {name}"),
            help,
        );
    };
    Ok(Header {
        name: name.to_owned(),
        name_span: place(name),
        command: known,
    })
}

/// Where the opening of an unclosed token ends: `'`, `E'`, `$tag$`, `/*`.
fn end_of_opening(text: &str, span: &Range<usize>) -> usize {
    let token = &text[span.clone()];
    let length = match token.strip_prefix('$').and_then(|rest| rest.find('$')) {
        Some(tag) => tag + 2,
        None => token
            .find(['\'', '"', '*'])
            .map_or(token.len(), |quote| quote + 1),
    };
    span.start + length
}
