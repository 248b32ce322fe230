//! A query file cut into blocks: a `-- name:` header, the comment lines under it, and the statement up to its `;`. A
//! statement without a header is a block, too. Blocks are handed out one at a time: a large file's tokens are never all in
//! memory.

use std::ops::Range;

use super::query::Command;
use crate::source::{Source, SourceError, nearest};
use crate::sql::token::{Strings, Token, TokenKind, stream};

/// So many times an unclosed quote may leave the rest of a file to be read again from the next header.
const MOST_RESUMED: usize = 100;

/// A query as it stands in the file, not yet understood.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// `None` where there is none, or where it is wrong: `mistake` says which.
    pub(super) header: Option<Header>,
    /// The header's comment, else the statement's first token: to point at.
    pub(super) header_span: Range<usize>,
    /// Comment lines between the header and the `;`, without their markers.
    pub(super) comments: Vec<CommentLine>,
    /// The statement's tokens, from its first to its last that is not trivia.
    pub(super) tokens: Vec<Token>,
    /// Why it cannot be read: a header without a name, a quote that is not closed.
    pub(super) mistake: Option<SourceError>,
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

/// Cuts a file and hands out its blocks. What is odd about a header is a warning; what cannot be read is its block's mistake.
pub(super) fn split(source: &Source, warnings: &mut Vec<SourceError>, take: &mut dyn FnMut(Block)) {
    let mut splitter = Splitter {
        source,
        warnings,
        take,
        block: None,
        state: State::Outside,
        trivia: Vec::new(),
        loose: Vec::new(),
        inside: Inside::default(),
        after: None,
    };
    let mut from = 0;
    for _ in 0..=MOST_RESUMED {
        match splitter.read_from(from) {
            Some(next) => from = next,
            None => break,
        }
    }
    splitter.finish();
}

/// Where the splitter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a header or a statement.
    Outside,
    /// After a header, before the statement.
    Header,
    /// In the statement.
    Statement,
}

struct Splitter<'a> {
    source: &'a Source,
    warnings: &'a mut Vec<SourceError>,
    take: &'a mut dyn FnMut(Block),
    /// What is being read.
    block: Option<Block>,
    state: State,
    /// Trivia that belongs to the statement only if another of its tokens follows.
    trivia: Vec<Token>,
    /// Comment lines that belong to the statement that follows, if it has no header.
    loose: Vec<CommentLine>,
    /// What keeps a `;` from ending the statement.
    inside: Inside,
    /// The query that ended last, until a statement without a header follows it.
    after: Option<String>,
}

/// Parentheses (CREATE RULE) and BEGIN ATOMIC bodies with the CASEs in them hold statements of their own.
#[derive(Debug, Default)]
struct Inside {
    parentheses: usize,
    bodies: usize,
    /// The word before was BEGIN.
    after_begin: bool,
}

impl Inside {
    fn token(&mut self, token: &Token, text: &str) {
        let word = |word: &str| token.kind == TokenKind::Ident && text.eq_ignore_ascii_case(word);
        match token.kind {
            TokenKind::OpenParen => self.parentheses += 1,
            TokenKind::CloseParen => self.parentheses = self.parentheses.saturating_sub(1),
            _ if self.after_begin && word("atomic") => self.bodies += 1,
            _ if self.bodies > 0 && word("case") => self.bodies += 1,
            _ if self.bodies > 0 && word("end") => self.bodies -= 1,
            _ => {}
        }
        self.after_begin = word("begin");
    }

    fn is_statement(&self) -> bool {
        self.parentheses > 0 || self.bodies > 0
    }
}

impl Splitter<'_> {
    /// Reads to the end (`None`), or to a quote that hides a header: where to go on.
    fn read_from(&mut self, from: usize) -> Option<usize> {
        let source = self.source;
        let mut skip_until = from;
        for token in stream(&source.text, from, Strings::Standard) {
            if token.span.start < skip_until {
                continue;
            }
            if let Some(end) = self.hash_header(&token) {
                skip_until = end;
                continue;
            }
            let unclosed = token.unterminated();
            let hidden = (unclosed.is_some() || token.is_quoted())
                .then(|| hidden_header(&source.text, &token.span))
                .flatten();
            // A comment may hold a whole query that somebody took out; a string that does is one that was not closed.
            if let Some(what) = unclosed.or(hidden.and(Some("quote"))) {
                self.unterminated(&token, what, hidden);
                return hidden;
            }
            self.token(token);
        }
        None
    }

    fn token(&mut self, token: Token) {
        if token.is_comment() {
            self.comment(&token);
        }
        if token.is_trivia() {
            if self.state == State::Statement {
                self.trivia.push(token);
            }
        } else if token.kind == TokenKind::Semi && !self.inside.is_statement() {
            // A header without a statement is told where its block ends.
            if self.state != State::Outside {
                self.end_block();
            }
            self.state = State::Outside;
        } else {
            self.text(token);
        }
    }

    fn unterminated(&mut self, token: &Token, what: &str, resumed: Option<usize>) {
        // The opening alone: the token reaches to the end of the file.
        let opening = token.span.start..end_of_opening(&self.source.text, &token.span);
        let help = match resumed {
            Some(_) => "everything after it up to the next header was left unread",
            None => "everything after it was left unread",
        };
        let error = SourceError::new(
            self.source,
            opening.clone(),
            format!("this {what} is not closed"),
        )
        .help(help);
        let block = self
            .block
            .get_or_insert_with(|| Block::new(None, opening, None));
        block.mistake.get_or_insert(error);
        self.end_block();
        self.state = State::Outside;
    }

    fn text(&mut self, token: Token) {
        if self.state == State::Outside {
            let mut block = Block::new(None, token.span.clone(), None);
            block.comments = std::mem::take(&mut self.loose);
            self.warn_of_second(token.span.clone());
            self.block = Some(block);
        }
        self.inside
            .token(&token, &self.source.text[token.span.clone()]);
        if let Some(block) = &mut self.block {
            if !block.tokens.is_empty() {
                block.tokens.append(&mut self.trivia);
            }
            block.tokens.push(token);
        }
        self.trivia.clear();
        self.state = State::Statement;
    }

    fn end_block(&mut self) {
        self.trivia.clear();
        self.inside = Inside::default();
        if let Some(block) = self.block.take() {
            self.after = block.header.as_ref().map(|header| header.name.clone());
            (self.take)(block);
        }
    }

    fn finish(&mut self) {
        self.end_block();
        self.warn_of_loose();
    }

    /// `# name: ListOrders :many`, as other databases write comments; in PostgreSQL `#` is an operator, never at the
    /// beginning of a statement. The end of the line, if it is one.
    fn hash_header(&mut self, token: &Token) -> Option<usize> {
        if token.kind != TokenKind::Pound || self.state == State::Statement {
            return None;
        }
        let (text, start) = (&self.source.text, token.span.start);
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = &text[start + 1..end];
        if !begins_line(text, start) || !line.trim_start().starts_with("name:") {
            return None;
        }
        let trimmed = line.trim();
        let from = start + 1 + (line.len() - line.trim_start().len());
        self.header(from..from + trimmed.len(), start..end);
        Some(end)
    }

    fn comment(&mut self, token: &Token) {
        let own_line = begins_line(&self.source.text, token.span.start);
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
        match text.strip_prefix("name:") {
            None => false,
            Some(rest) => self.state != State::Statement || is_whole(rest),
        }
    }

    fn header(&mut self, span: Range<usize>, header_span: Range<usize>) {
        self.end_block();
        self.warn_of_loose();
        self.block = Some(match read_header(self.source, span, self.warnings) {
            Ok(header) => Block::new(Some(header), header_span, None),
            Err(error) => Block::new(None, header_span, Some(error)),
        });
        self.state = State::Header;
    }

    fn comment_line(&mut self, span: Range<usize>) {
        match (self.state, &mut self.block) {
            (State::Header | State::Statement, Some(block)) => {
                block.comments.push(CommentLine {
                    span,
                    inside: self.state == State::Statement,
                });
            }
            (State::Outside, _) | (_, None) => self.loose.push(CommentLine {
                span,
                inside: false,
            }),
        }
    }

    /// A statement that follows a query's `;`: its header may be missing, or the `;` too much.
    fn warn_of_second(&mut self, span: Range<usize>) {
        if let Some(name) = self.after.take() {
            let message = format!("a second statement under query {name}, read by itself");
            self.warnings
                .push(SourceError::new(self.source, span, message).help(
                    "every statement needs its own header, for example `-- name: ListOrders :many`",
                ));
        }
    }

    /// Directives that no statement followed.
    fn warn_of_loose(&mut self) {
        for line in std::mem::take(&mut self.loose) {
            let text = &self.source.text[line.span.clone()];
            let word = text.split_whitespace().next().unwrap_or_default();
            let name = word
                .strip_prefix('@')
                .map(|name| name.trim_end_matches(':'));
            if name.is_some_and(|name| super::directives::NAMES.contains(&name)) {
                let word_span = line.span.start..line.span.start + word.len();
                let error = SourceError::new(
                    self.source,
                    word_span,
                    format!("`{word}` belongs to no query"),
                );
                self.warnings
                    .push(error.help("directives stand between a query's header and its `;`"));
            }
        }
    }
}

impl Block {
    fn new(
        header: Option<Header>,
        header_span: Range<usize>,
        mistake: Option<SourceError>,
    ) -> Self {
        Self {
            header,
            header_span,
            comments: Vec::new(),
            tokens: Vec::new(),
            mistake,
        }
    }
}

/// Whether nothing but white space stands before it in its line.
fn begins_line(text: &str, at: usize) -> bool {
    text[..at]
        .rsplit('\n')
        .next()
        .is_none_or(|line| line.trim().is_empty())
}

/// Whether the words after `name:` are a name and a command.
fn is_whole(rest: &str) -> bool {
    let mut words = rest.split_whitespace();
    words.next().is_some_and(|word| !word.starts_with(':'))
        && words.next().is_some_and(|word| word.starts_with(':'))
        && words.next().is_none_or(|word| word == "*/")
}

/// Where a line within a token is a whole header: the token was not meant to reach so far.
fn hidden_header(text: &str, span: &Range<usize>) -> Option<usize> {
    let token = text.get(span.clone())?;
    let mut at = token.find('\n')? + 1;
    for line in token[at..].split_inclusive('\n') {
        let trimmed = line.trim_start();
        let inner = trimmed
            .strip_prefix("--")
            .or_else(|| trimmed.strip_prefix("/*"));
        let rest = inner.and_then(|inner| inner.trim_start().strip_prefix("name:"));
        if rest.is_some_and(is_whole) {
            return Some(span.start + at);
        }
        at += line.len();
    }
    None
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

/// Signs that end a name in aiosql's files, and what they say is expected back.
const SIGNS: [(&str, Command); 6] = [
    ("<!", Command::One),
    ("*!", Command::Exec),
    ("^", Command::One),
    ("$", Command::One),
    ("!", Command::Exec),
    ("#", Command::Exec),
];

/// Reads `name: ListOrders :many`. Without a name it is no header; what else is odd about it is a warning.
fn read_header(
    source: &Source,
    span: Range<usize>,
    warnings: &mut Vec<SourceError>,
) -> Result<Header, SourceError> {
    const EXAMPLE: &str = "write `-- name: ListOrders :many`";
    let text = &source.text[span.clone()];
    let rest = text.strip_prefix("name:").unwrap_or(text);
    let mut words = rest.split_whitespace();
    // A word is a part of `text`, so its place is the distance between the two.
    let place = |word: &str| {
        let start = span.start + (word.as_ptr() as usize - text.as_ptr() as usize);
        start..start + word.len()
    };
    let Some(written) = words.next().filter(|name| !name.starts_with(':')) else {
        return Err(SourceError::new(source, span, "this header has no name").help(EXAMPLE));
    };
    let sign = SIGNS
        .iter()
        .find_map(|(sign, command)| Some((written.strip_suffix(sign)?, *command)));
    let (name, signed) = match sign {
        Some((name, command)) => (name, Some(command)),
        None => (written, None),
    };
    let is_letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_letter) {
        let error = SourceError::new(
            source,
            place(written),
            format!("`{written}` is not a query name"),
        );
        return Err(error.help("names are made of letters, digits, `_`, `-` and `.`"));
    }
    let command = match (words.next(), signed) {
        (Some(word), _) => command(source, name, word, place(word), warnings),
        (None, Some(command)) => command,
        (None, None) => {
            let help =
                format!("write what the caller expects back, for example `-- name: {name} :many`");
            warnings.push(
                SourceError::new(
                    source,
                    place(name),
                    format!("query {name} has no command: read as `:many`"),
                )
                .help(help),
            );
            Command::Many
        }
    };
    if let Some(extra) = words.next() {
        let message = format!("unexpected `{extra}` in the header of query {name}");
        warnings.push(SourceError::new(source, place(extra), message).help(EXAMPLE));
    }
    Ok(Header {
        name: name.to_owned(),
        name_span: place(name),
        command,
    })
}

/// What the caller expects back; an unknown word is read as `:many`, and told.
fn command(
    source: &Source,
    name: &str,
    word: &str,
    place: Range<usize>,
    warnings: &mut Vec<SourceError>,
) -> Command {
    if let Some(known) = word.strip_prefix(':').and_then(Command::from_word) {
        return known;
    }
    let bare = word.trim_start_matches(':');
    let help = match nearest(bare, Command::ALL.iter().map(|(word, _)| *word)) {
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
    let message = format!("unknown command `{word}` of query {name}: read as `:many`");
    warnings.push(SourceError::new(source, place, message).help(help));
    Command::Many
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
