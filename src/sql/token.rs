//! PostgreSQL's tokens with their places in the text, from squawk's lexer: dollar quotes, nested comments, E'' strings and
//! quoted identifiers end where the server ends them. Where squawk's lexer and the server's (`scan.l`) disagree, the server
//! is right: `tests/it/lexer.rs` asks it.

use std::ops::Range;

pub use squawk_lexer::{LiteralKind, TokenKind};

/// A token and its bytes.
#[derive(Debug, Clone)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is.
    pub span: Range<usize>,
}

impl Token {
    /// White space or a comment.
    #[must_use]
    pub fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Whitespace) || self.is_comment()
    }

    /// A comment of either kind.
    #[must_use]
    pub fn is_comment(&self) -> bool {
        matches!(
            self.kind,
            TokenKind::LineComment | TokenKind::BlockComment { .. }
        )
    }

    /// What is not closed before the file ends, if that is the case.
    #[must_use]
    pub fn unterminated(&self) -> Option<&'static str> {
        match self.kind {
            TokenKind::BlockComment { terminated: false } => Some("comment"),
            TokenKind::QuotedIdent {
                terminated: false, ..
            } => Some("quoted identifier"),
            TokenKind::Literal {
                kind: LiteralKind::DollarQuotedString { terminated: false },
            } => Some("dollar-quoted string"),
            TokenKind::Literal {
                kind:
                    LiteralKind::Str { terminated: false }
                    | LiteralKind::NationalStr { terminated: false }
                    | LiteralKind::ByteStr { terminated: false }
                    | LiteralKind::BitStr { terminated: false }
                    | LiteralKind::UnicodeEscStr { terminated: false }
                    | LiteralKind::EscStr { terminated: false },
            } => Some("string"),
            _ => None,
        }
    }

    /// Whether it is quoted text of any kind: a string, or a quoted identifier.
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        match self.kind {
            TokenKind::QuotedIdent { .. } => true,
            TokenKind::Literal { kind } => {
                !matches!(kind, LiteralKind::Int { .. } | LiteralKind::Numeric { .. })
            }
            _ => false,
        }
    }
}

/// What a backslash means in a string without a prefix: `standard_conforming_strings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    /// `on`: itself.
    Standard,
    /// `off`: it escapes what follows.
    Backslash,
}

/// The tokens of a text without its white space and comments.
#[must_use]
pub fn significant(text: &str) -> Vec<Token> {
    let mut all = tokens(text);
    all.retain(|token| !token.is_trivia());
    all
}

/// Every token of the text, white space and comments too: their spans follow each other without a gap.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    stream(text, 0, Strings::Standard).collect()
}

/// The tokens of the text from a byte on, one at a time: a large file's tokens are never all in memory.
#[must_use]
pub fn stream(text: &str, from: usize, strings: Strings) -> Tokens<'_> {
    Tokens {
        text,
        lexer: lexer(text, from),
        at: from,
        strings,
    }
}

/// Tokens as the server reads them.
pub struct Tokens<'a> {
    text: &'a str,
    lexer: Box<dyn Iterator<Item = squawk_lexer::Token> + 'a>,
    at: usize,
    strings: Strings,
}

impl std::fmt::Debug for Tokens<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

fn lexer(text: &str, from: usize) -> Box<dyn Iterator<Item = squawk_lexer::Token> + '_> {
    Box::new(squawk_lexer::tokenize(text.get(from..).unwrap_or_default()))
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let token = self.lexer.next()?;
        let span = self.at..self.at + token.len as usize;
        let token = match self.reading(token.kind) {
            Some(content) => self.quoted(token.kind, span.clone(), content),
            None => self.above_ascii(Token {
                kind: token.kind,
                span: span.clone(),
            }),
        };
        self.at = token.span.end;
        if token.span != span {
            self.lexer = lexer(self.text, self.at);
        }
        Some(token)
    }
}

/// What may stand in a string beside its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// `''` is a quote.
    Doubled,
    /// `\'` and `''` are quotes.
    Backslashes,
    /// A quote always ends it: bits have no quotes in them.
    Bits,
}

impl Tokens<'_> {
    /// How the server reads a string, over every line break that continues it; `None` for every other token.
    fn reading(&self, kind: TokenKind) -> Option<Content> {
        let TokenKind::Literal { kind } = kind else {
            return None;
        };
        match (kind, self.strings) {
            (LiteralKind::EscStr { .. }, _) => Some(Content::Backslashes),
            (LiteralKind::Str { .. } | LiteralKind::NationalStr { .. }, Strings::Backslash) => {
                Some(Content::Backslashes)
            }
            (
                LiteralKind::Str { .. }
                | LiteralKind::NationalStr { .. }
                | LiteralKind::UnicodeEscStr { .. },
                _,
            ) => Some(Content::Doubled),
            (LiteralKind::BitStr { .. } | LiteralKind::ByteStr { .. }, _) => Some(Content::Bits),
            _ => None,
        }
    }

    /// Every byte above ASCII belongs to an identifier, of Unicode's white space and marks too, which squawk's lexer reads as
    /// what they are.
    fn above_ascii(&self, token: Token) -> Token {
        let bytes = self.text.as_bytes();
        let own = &bytes[token.span.clone()];
        // A mark that begins a file is no part of its text.
        if token.span.start == 0 && own.starts_with("\u{feff}".as_bytes()) {
            return token;
        }
        let Some(first) = own.iter().position(|byte| !byte.is_ascii()) else {
            return token;
        };
        if first > 0 && token.kind == TokenKind::Whitespace {
            return Token {
                span: token.span.start..token.span.start + first,
                ..token
            };
        }
        if first > 0
            || matches!(
                token.kind,
                TokenKind::LineComment | TokenKind::BlockComment { .. }
            )
        {
            return token;
        }
        let continues = |byte: &&u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
        };
        let length = bytes[token.span.start..]
            .iter()
            .take_while(continues)
            .count();
        Token {
            kind: TokenKind::Ident,
            span: token.span.start..token.span.start + length,
        }
    }

    /// A string over every line break that continues it: squawk's lexer ends it at its first closing quote.
    fn quoted(&self, kind: TokenKind, span: Range<usize>, content: Content) -> Token {
        let bytes = self.text.as_bytes();
        let opening = self.text[span.clone()].find('\'').unwrap_or(0);
        let mut at = span.start + opening + 1;
        loop {
            match closing(bytes, at, content) {
                None => {
                    return Token {
                        kind: with_end(kind, false),
                        span: span.start..bytes.len(),
                    };
                }
                Some(end) => match continuation(bytes, end) {
                    Some(next) => at = next,
                    None => {
                        return Token {
                            kind: with_end(kind, true),
                            span: span.start..end,
                        };
                    }
                },
            }
        }
    }
}

/// The kind of a string, closed or not.
fn with_end(kind: TokenKind, terminated: bool) -> TokenKind {
    let TokenKind::Literal { kind } = kind else {
        return kind;
    };
    let kind = match kind {
        LiteralKind::EscStr { .. } => LiteralKind::EscStr { terminated },
        LiteralKind::NationalStr { .. } => LiteralKind::NationalStr { terminated },
        LiteralKind::BitStr { .. } => LiteralKind::BitStr { terminated },
        LiteralKind::ByteStr { .. } => LiteralKind::ByteStr { terminated },
        LiteralKind::Str { .. } => LiteralKind::Str { terminated },
        LiteralKind::UnicodeEscStr { .. } => LiteralKind::UnicodeEscStr { terminated },
        other => other,
    };
    TokenKind::Literal { kind }
}

/// The byte after the quote that closes a string whose content begins at `at`; `None` where none does.
fn closing(bytes: &[u8], mut at: usize, content: Content) -> Option<usize> {
    loop {
        match (bytes.get(at)?, content) {
            (b'\\', Content::Backslashes) => at += 2,
            (b'\'', Content::Backslashes | Content::Doubled)
                if bytes.get(at + 1) == Some(&b'\'') =>
            {
                at += 2;
            }
            (b'\'', _) => return Some(at + 1),
            (_, _) => at += 1,
        }
    }
}

/// Where the content goes on after a closing quote: `whitespace_with_newline` and another quote in `scan.l`.
fn continuation(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut line_break = false;
    loop {
        match bytes.get(at)? {
            b'\n' | b'\r' => {
                line_break = true;
                at += 1;
            }
            b' ' | b'\t' | b'\x0b' | b'\x0c' => at += 1,
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                let rest = &bytes[at..];
                // A comment without a line break after it ends the text, not the string.
                at += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
            }
            b'\'' if line_break => return Some(at + 1),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_ascii_is_an_identifier() {
        // A byte order mark, a blank that does not break, a sign: none parts a prefix from its name.
        for letter in ["\u{feff}", "\u{a0}", "€", "é"] {
            let text = format!("a {letter}b'x'");
            let spans: Vec<&str> = tokens(&text)
                .into_iter()
                .map(|token| &text[token.span])
                .collect();
            assert_eq!(
                spans,
                ["a", " ", &format!("{letter}b"), "'x'"],
                "{letter:?}"
            );
        }
    }

    fn texts(sql: &str, strings: Strings) -> Vec<&str> {
        stream(sql, 0, strings)
            .filter(|token| !token.is_trivia())
            .map(|token| &sql[token.span])
            .collect()
    }

    #[test]
    fn an_escape_string_goes_on_over_a_line_break() {
        let sql = "E'a'\n'b\\'\n'; z' ; y";
        assert_eq!(
            texts(sql, Strings::Standard),
            ["E'a'\n'b\\'\n'", ";", "z", "' ; y"]
        );
        let sql = "e'a' -- it goes on\n\t'\\'' ; y";
        assert_eq!(
            texts(sql, Strings::Standard),
            ["e'a' -- it goes on\n\t'\\''", ";", "y"]
        );
        // On one line they are two strings, of which the second is a plain one.
        assert_eq!(
            texts("E'a' '\\' ; y", Strings::Standard),
            ["E'a'", "'\\'", ";", "y"]
        );
        assert_eq!(
            texts("E'a' /* no */\n'\\' ; y", Strings::Standard),
            ["E'a'", "'\\'", ";", "y"]
        );
        assert_eq!(texts("E'a\\", Strings::Standard), ["E'a\\"]);
    }

    #[test]
    fn without_standard_strings_every_string_has_escapes() {
        let sql = "'a\\'; z' ; c";
        assert_eq!(texts(sql, Strings::Backslash), ["'a\\'; z'", ";", "c"]);
        assert_eq!(texts(sql, Strings::Standard), ["'a\\'", ";", "z", "' ; c"]);
    }

    #[test]
    fn bits_have_no_quotes_in_them() {
        assert_eq!(
            texts("x'1F'';' ; B'0'\n'1'';' ; z", Strings::Standard),
            ["x'1F'", "';'", ";", "B'0'\n'1'", "';'", ";", "z"]
        );
    }

    #[test]
    fn spans_follow_each_other_without_a_gap() {
        let sql = "select E'é'\n'\\'é', U&'\\0061' uescape '!', $a$;$a$ /* /* */ */ -- x";
        let mut end = 0;
        for token in tokens(sql) {
            assert_eq!(token.span.start, end);
            end = token.span.end;
            assert!(sql.is_char_boundary(end));
        }
        assert_eq!(end, sql.len());
    }
}
