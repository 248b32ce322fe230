//! A statement's words with their places: enough to cut a part out and put another in its place. Whether what comes out
//! means the same is for the server to show.

use std::ops::Range;

use crate::sql::token::{LiteralKind, Token, TokenKind, significant};

/// A statement without its white space and comments.
pub(super) struct Words<'a> {
    pub(super) sql: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Words<'a> {
    pub(super) fn of(sql: &'a str) -> Self {
        let tokens = significant(sql);
        Self { sql, tokens }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A word's text; empty past the end.
    pub(super) fn text(&self, at: usize) -> &'a str {
        self.tokens
            .get(at)
            .map_or("", |token| &self.sql[token.span.clone()])
    }

    pub(super) fn is(&self, at: usize, word: &str) -> bool {
        self.text(at).eq_ignore_ascii_case(word)
    }

    /// Whether words follow each other from a place on.
    pub(super) fn are(&self, at: usize, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(offset, word)| self.is(at + offset, word))
    }

    /// The text of a range of words.
    pub(super) fn slice(&self, words: Range<usize>) -> &'a str {
        if words.is_empty() || words.end > self.len() {
            return "";
        }
        &self.sql[self.tokens[words.start].span.start..self.tokens[words.end - 1].span.end]
    }

    /// The statement with ranges of words replaced; they must not overlap and must be in order.
    pub(super) fn replaced(&self, parts: &[(Range<usize>, String)]) -> String {
        let mut text = String::with_capacity(self.sql.len() + 64);
        let mut from = 0;
        for (words, new) in parts {
            if words.is_empty() || words.end > self.len() {
                continue;
            }
            let before = &self.sql[from..self.tokens[words.start].span.start];
            // What is cut out leaves no gap.
            text.push_str(if new.is_empty() {
                before.trim_end()
            } else {
                before
            });
            text.push_str(new);
            from = self.tokens[words.end - 1].span.end;
        }
        text.push_str(&self.sql[from..]);
        text
    }

    /// The place after the parenthesis that closes the one at `open`.
    pub(super) fn after_parenthesis(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in open..self.len() {
            match self.text(at) {
                "(" => depth += 1,
                ")" => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The first of some words outside of parentheses, from a place on.
    pub(super) fn find_outside(&self, from: usize, words: &[&str]) -> Option<usize> {
        let mut depth = 0_usize;
        for at in from..self.len() {
            match self.text(at) {
                "(" => depth += 1,
                ")" => depth = depth.checked_sub(1)?,
                _ if depth == 0 && words.iter().any(|word| self.is(at, word)) => return Some(at),
                _ => {}
            }
        }
        None
    }

    /// Whether a word stands anywhere.
    pub(super) fn has(&self, word: &str) -> bool {
        (0..self.len()).any(|at| self.is(at, word))
    }

    /// Whether a word is a name, quoted or not.
    pub(super) fn is_name(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            matches!(token.kind, TokenKind::Ident | TokenKind::QuotedIdent { .. })
        })
    }

    fn is_value(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            matches!(
                token.kind,
                TokenKind::Literal {
                    kind: LiteralKind::Str { .. }
                        | LiteralKind::EscStr { .. }
                        | LiteralKind::Int { .. }
                        | LiteralKind::Numeric { .. }
                } | TokenKind::PositionalParam { .. }
            )
        })
    }

    /// `date '2024-01-01'`: the types that stand before a literal. Any other name before one is a keyword.
    fn is_type_of_time(&self, at: usize) -> bool {
        ["date", "timestamp", "timestamptz", "time", "interval"]
            .iter()
            .any(|name| self.is(at, name))
    }

    /// The place after a parameter or a literal with its casts (`$1::date`, `date '2024-01-01'`).
    pub(super) fn after_value(&self, at: usize) -> Option<usize> {
        let mut end = if self.is_value(at) {
            at + 1
        } else if self.is_type_of_time(at) && self.is_value(at + 1) {
            at + 2
        } else {
            return None;
        };
        while self.are(end, &[":", ":"]) && self.is_name(end + 2) {
            end += 3;
        }
        Some(end)
    }

    /// The place after a column (`o.placed_at`).
    pub(super) fn after_column(&self, at: usize) -> Option<usize> {
        if !self.is_name(at) {
            return None;
        }
        let mut end = at + 1;
        while self.is(end, ".") && self.is_name(end + 1) {
            end += 2;
        }
        Some(end)
    }

    /// Where the statement ends, without a semicolon.
    pub(super) fn end(&self) -> usize {
        let last = self.len();
        if last > 0 && self.is(last - 1, ";") {
            last - 1
        } else {
            last
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn words_know_their_places() {
        let words = Words::of("SELECT a.b -- c\n FROM t WHERE f(x, (y)) = $1::date OR z");
        let open = (0..words.len()).find(|at| words.is(*at, "(")).unwrap();
        assert_eq!(words.text(words.after_parenthesis(open).unwrap()), "=");
        assert_eq!(words.find_outside(0, &["y"]), None);
        let value = (0..words.len()).find(|at| words.is(*at, "$1")).unwrap();
        assert_eq!(words.text(words.after_value(value).unwrap()), "OR");
        assert_eq!(words.slice(1..words.after_column(1).unwrap()), "a.b");
        assert_eq!(
            words.replaced(&[(1..4, "c".to_owned())]),
            "SELECT c -- c\n FROM t WHERE f(x, (y)) = $1::date OR z"
        );
    }

    #[test]
    fn a_keyword_before_a_value_is_not_part_of_it() {
        let words = Words::of("SELECT 1 FROM t WHERE $1 = ANY (a) AND at = date '2024-01-01'");
        let keyword = (0..words.len()).find(|at| words.is(*at, "where")).unwrap();
        assert_eq!(words.after_value(keyword), None);
        let literal = (0..words.len()).find(|at| words.is(*at, "date")).unwrap();
        assert_eq!(words.after_value(literal), Some(literal + 2));
    }

    #[test]
    fn what_is_not_closed_has_no_end() {
        assert_eq!(Words::of("SELECT (a").after_parenthesis(1), None);
        assert_eq!(Words::of("").find_outside(0, &["where"]), None);
    }
}
