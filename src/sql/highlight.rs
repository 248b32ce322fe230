//! What each part of a statement is, for whoever colours it. A word is a keyword only where the grammar reads it as one: a
//! column may be called `status` or `name`.

use std::collections::HashSet;
use std::ops::Range;

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::AstNode;

use super::token::{LiteralKind, TokenKind, tokens};
use super::tree::read_statement;

/// What a part of a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Names, operators, white space.
    Plain,
    /// Of the grammar.
    Keyword,
    /// A string of any kind.
    Text,
    Number,
    Comment,
    /// `$1`, `:name`, `@name`.
    Parameter,
}

/// The whole statement as parts that follow each other without a gap; neighbours of one kind are one part. Of what the
/// grammar does not understand no word is a keyword.
#[must_use]
pub fn parts(sql: &str) -> Vec<(Ink, Range<usize>)> {
    let keywords = keywords(sql);
    let mut parts: Vec<(Ink, Range<usize>)> = Vec::new();
    let mut prefix_end = None;
    for token in tokens(sql) {
        let follows_prefix = prefix_end == Some(token.span.start);
        prefix_end =
            matches!(token.kind, TokenKind::Colon | TokenKind::At).then_some(token.span.end);
        let mut span = token.span.clone();
        let ink = match token.kind {
            TokenKind::Ident if follows_prefix && !is_cast(sql, span.start) => {
                // The sign before the name belongs to it.
                if let Some((_, before)) = parts.last_mut() {
                    before.end -= 1;
                    span.start -= 1;
                }
                Ink::Parameter
            }
            TokenKind::Ident if keywords.contains(&span.start) => Ink::Keyword,
            TokenKind::PositionalParam { .. } => Ink::Parameter,
            TokenKind::LineComment | TokenKind::BlockComment { .. } => Ink::Comment,
            TokenKind::Literal {
                kind: LiteralKind::Int { .. } | LiteralKind::Numeric { .. },
            } => Ink::Number,
            TokenKind::Literal { .. } => Ink::Text,
            _ => Ink::Plain,
        };
        match parts.last_mut() {
            Some((last, range)) if *last == ink => range.end = span.end,
            _ => parts.push((ink, span)),
        }
    }
    parts.retain(|(_, range)| !range.is_empty());
    parts
}

/// `::name`.
fn is_cast(sql: &str, name: usize) -> bool {
    sql[..name].ends_with("::")
}

/// Where the grammar's keywords begin.
fn keywords(sql: &str) -> HashSet<usize> {
    let found = read_statement(sql, |statement| {
        let words = statement.syntax().descendants_with_tokens();
        words
            .filter_map(|element| element.into_token())
            .filter(|token| token.kind().is_keyword())
            .filter(|token| !token.parent().is_some_and(|parent| is_name(parent.kind())))
            .map(|token| usize::from(token.text_range().start()))
            .collect()
    });
    found.unwrap_or_default()
}

/// A column's, a table's, an alias's: the grammar has a kind for each, and they are known by how they end.
fn is_name(kind: SyntaxKind) -> bool {
    let kind = format!("{kind:?}");
    kind == "NAME_REF" || kind.ends_with("_NAME") || kind.ends_with("_NAME_REF")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inks(sql: &str) -> Vec<(Ink, &str)> {
        let parts = parts(sql);
        let spans: Vec<&str> = parts.iter().map(|(_, span)| &sql[span.clone()]).collect();
        assert_eq!(spans.concat(), sql);
        let kinds = parts.iter().map(|(ink, _)| *ink);
        kinds
            .zip(spans)
            .filter(|(ink, _)| *ink != Ink::Plain)
            .collect()
    }

    #[test]
    fn words_are_what_the_grammar_makes_of_them() {
        assert_eq!(
            inks("SELECT name, 'from' FROM parcels -- FROM\n WHERE status = $1 LIMIT 20"),
            [
                (Ink::Keyword, "SELECT"),
                (Ink::Text, "'from'"),
                (Ink::Keyword, "FROM"),
                (Ink::Comment, "-- FROM"),
                (Ink::Keyword, "WHERE"),
                (Ink::Parameter, "$1"),
                (Ink::Keyword, "LIMIT"),
                (Ink::Number, "20"),
            ]
        );
    }

    #[test]
    fn named_parameters_are_parameters_and_casts_are_not() {
        assert_eq!(
            inks("weight > :least AND code = @code AND a::text = ''"),
            [
                (Ink::Parameter, ":least"),
                (Ink::Parameter, "@code"),
                (Ink::Text, "''"),
            ]
        );
    }

    #[test]
    fn any_text_is_taken_whole() {
        for sql in ["", ":", "@é", "'open", "SELEC é FROM", "a ::b", ":a:b"] {
            inks(sql);
        }
    }
}
