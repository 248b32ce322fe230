//! PostgreSQL's tokens with their places in the text, from squawk's lexer: dollar quotes, nested comments, E'' strings and
//! quoted identifiers end where the server ends them.

use std::ops::Range;

pub(crate) use squawk_lexer::{LiteralKind, TokenKind};

/// A token and its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Range<usize>,
}

impl Token {
    /// White space or a comment.
    pub(crate) fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Whitespace) || self.is_comment()
    }

    /// A comment of either kind.
    pub(crate) fn is_comment(&self) -> bool {
        matches!(
            self.kind,
            TokenKind::LineComment | TokenKind::BlockComment { .. }
        )
    }

    /// What is not closed before the file ends, if that is the case.
    pub(crate) fn unterminated(&self) -> Option<&'static str> {
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
}

/// Every token of the text, white space and comments too: their spans follow each other without a gap.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut start = 0;
    squawk_lexer::tokenize(text)
        .map(|token| {
            let end = start + token.len as usize;
            let span = start..end;
            start = end;
            Token {
                kind: token.kind,
                span,
            }
        })
        .collect()
}
