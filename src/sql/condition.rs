//! Conditions as EXPLAIN prints them, made comparable: split into conjuncts, literals and parameters as `?`, references
//! to InitPlans and SubPlans without their numbers, aliases and columns under their canonical names. Pure text.

use std::iter::Peekable;

use squawk_lexer::{LiteralKind, Token, TokenKind, tokenize};

use super::names::unquote;

/// How a condition's names are spelt canonically: `alias.column` → `alias.column`.
pub(crate) trait Spelling {
    /// The canonical alias (a partition's becomes its parent's).
    fn alias(&self, alias: &str) -> Option<String>;
    /// The canonical column of an alias (a renamed column becomes the new one).
    fn column(&self, alias: &str, column: &str) -> Option<String>;
}

/// The conjuncts of a condition, normalized, sorted and without duplicates.
pub(crate) fn conjuncts(condition: &str, spelling: &dyn Spelling) -> Vec<String> {
    let mut found: Vec<String> = split_conjunction(condition)
        .into_iter()
        .map(|conjunct| normalize(conjunct, spelling))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// One expression with literals as `?` and canonical names.
pub(crate) fn normalize(expression: &str, spelling: &dyn Spelling) -> String {
    let pieces = pieces(strip_parentheses(expression.trim()));
    let mut text = String::with_capacity(expression.len());
    let mut rest = pieces.iter().peekable();
    while let Some(piece) = rest.next() {
        match piece.kind {
            PieceKind::Literal | PieceKind::Parameter => {
                // A sign that belongs to the literal would make -5 differ from 5.
                text.push('?');
                skip_cast(&mut rest);
            }
            PieceKind::Word => match reference(piece, &mut rest) {
                Some(reference) => text.push_str(reference),
                None => push_name(&mut text, piece, &mut rest, spelling),
            },
            PieceKind::Space => text.push(' '),
            PieceKind::Mark => text.push_str(piece.text),
        }
    }
    while text.contains("?, ?") {
        text = text.replace("?, ?", "?");
    }
    text
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    Literal,
    Parameter,
    Word,
    Space,
    Mark,
}

#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    kind: PieceKind,
    text: &'a str,
}

type Rest<'p, 'a> = Peekable<std::slice::Iter<'p, Piece<'a>>>;

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut offset = 0;
    tokenize(text)
        .map(|Token { kind, len }| {
            let piece = &text[offset..offset + len as usize];
            offset += len as usize;
            let kind = match kind {
                TokenKind::Literal { .. } => PieceKind::Literal,
                TokenKind::PositionalParam { .. } => PieceKind::Parameter,
                TokenKind::Ident | TokenKind::QuotedIdent { .. } => PieceKind::Word,
                TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => {
                    PieceKind::Space
                }
                _ => PieceKind::Mark,
            };
            Piece { kind, text: piece }
        })
        .collect()
}

/// Skips `::character varying(10)[]` after a literal.
fn skip_cast(rest: &mut Rest<'_, '_>) {
    loop {
        let mut ahead = rest.clone();
        let colons = ahead.next().is_some_and(|p| p.text == ":")
            && ahead.next().is_some_and(|p| p.text == ":");
        if !colons {
            return;
        }
        skip_type(&mut ahead);
        *rest = ahead;
    }
}

fn skip_type(rest: &mut Rest<'_, '_>) {
    const CONTINUING: [&str; 11] = [
        "varying",
        "precision",
        "with",
        "without",
        "time",
        "zone",
        "to",
        "second",
        "minute",
        "hour",
        "day",
    ];
    rest.next();
    loop {
        let mut ahead = rest.clone();
        match (ahead.next().map(|p| p.text), ahead.next().map(|p| p.text)) {
            (Some("."), Some(_)) => {
                rest.next();
                rest.next();
            }
            (Some(" "), Some(word)) if CONTINUING.contains(&word) => {
                rest.next();
                rest.next();
            }
            (Some("("), _) => while rest.next().is_some_and(|p| p.text != ")") {},
            (Some("["), Some("]")) => {
                rest.next();
                rest.next();
            }
            _ => return,
        }
    }
}

/// `InitPlan 1).col1`, `SubPlan 2`, `hashed SubPlan 2`: numbers are positions in one plan and say nothing between two.
fn reference(word: &Piece<'_>, rest: &mut Rest<'_, '_>) -> Option<&'static str> {
    let name = match word.text {
        "InitPlan" => "InitPlan",
        "SubPlan" => "SubPlan",
        _ => return None,
    };
    let mut ahead = rest.clone();
    if ahead.next().is_some_and(|p| p.kind == PieceKind::Space)
        && ahead.next().is_some_and(|p| p.kind != PieceKind::Mark)
    {
        *rest = ahead;
        return Some(name);
    }
    None
}

fn push_name(
    text: &mut String,
    word: &Piece<'_>,
    rest: &mut Rest<'_, '_>,
    spelling: &dyn Spelling,
) {
    let mut ahead = rest.clone();
    let column = match (ahead.next(), ahead.next()) {
        (Some(dot), Some(column)) if dot.text == "." && column.kind == PieceKind::Word => {
            Some(column.text)
        }
        _ => None,
    };
    let Some(column) = column else {
        text.push_str(word.text);
        return;
    };
    *rest = ahead;
    let (alias, unquoted) = (unquote(word.text), unquote(column));
    text.push_str(
        &spelling
            .alias(&alias)
            .unwrap_or_else(|| word.text.to_owned()),
    );
    text.push('.');
    text.push_str(
        &spelling
            .column(&alias, &unquoted)
            .unwrap_or_else(|| column.to_owned()),
    );
}

/// Splits at every AND that stands outside parentheses, after peeling the parentheses around the whole.
fn split_conjunction(condition: &str) -> Vec<&str> {
    let text = strip_parentheses(condition.trim());
    let mut parts = Vec::new();
    let (mut depth, mut offset, mut start) = (0_i32, 0_usize, 0_usize);
    for token in tokenize(text) {
        let piece = &text[offset..offset + token.len as usize];
        match token.kind {
            TokenKind::OpenParen | TokenKind::OpenBracket => depth += 1,
            TokenKind::CloseParen | TokenKind::CloseBracket => depth -= 1,
            TokenKind::Ident if depth == 0 && piece == "AND" => {
                parts.push(text[start..offset].trim());
                start = offset + piece.len();
            }
            _ => {}
        }
        offset += piece.len();
    }
    parts.push(text[start..].trim());
    if parts.len() == 1 {
        parts
    } else {
        parts.into_iter().flat_map(split_conjunction).collect()
    }
}

/// Peels the parentheses that enclose the whole expression.
fn strip_parentheses(text: &str) -> &str {
    let mut text = text;
    while let Some(inner) = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        let (mut depth, mut closed_early, mut offset) = (0_i32, false, 0);
        for token in tokenize(inner) {
            match token.kind {
                TokenKind::OpenParen => depth += 1,
                TokenKind::CloseParen => depth -= 1,
                TokenKind::Literal {
                    kind: LiteralKind::Str { terminated: false },
                } => closed_early = true,
                _ => {}
            }
            closed_early |= depth < 0;
            offset += token.len as usize;
        }
        if closed_early || offset != inner.len() {
            break;
        }
        text = inner.trim();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    struct AsWritten;

    impl Spelling for AsWritten {
        fn alias(&self, _: &str) -> Option<String> {
            None
        }
        fn column(&self, _: &str, _: &str) -> Option<String> {
            None
        }
    }

    fn split(condition: &str) -> Vec<String> {
        conjuncts(condition, &AsWritten)
    }

    #[test]
    fn conjuncts_are_a_sorted_set_without_literals() {
        assert_eq!(
            split(
                "((o.status = 'paid'::text) AND (o.created_at >= '2025-01-01 00:00:00+00'::timestamp with time zone))"
            ),
            ["o.created_at >= ?", "o.status = ?"]
        );
        assert_eq!(
            split("((a = 1) AND ((b = 2) AND (a = 3)))"),
            ["a = ?", "b = ?"]
        );
        assert_eq!(split("((a = 1) OR (b = 2))"), ["(a = ?) OR (b = ?)"]);
    }

    #[test]
    fn values_and_parameters_look_alike() {
        assert_eq!(
            split("(id = ANY ('{1,2,3}'::integer[]))"),
            split("(id = ANY ($1))")
        );
        assert_eq!(split("(v = 'AND'::character varying(10))"), ["v = ?"]);
        assert_eq!(
            split("(x = ANY (ARRAY[1, 2, 3]))"),
            split("(x = ANY (ARRAY[7]))")
        );
        assert_eq!(split("(t.kind = 'a'::shop.kind)"), ["t.kind = ?"]);
        assert_eq!(split("((email)::text = 'a'::text)"), ["(email)::text = ?"]);
    }

    #[test]
    fn subplans_lose_their_numbers() {
        assert_eq!(
            split("(total > (InitPlan 1).col1)"),
            split("(total > (InitPlan 3).col1)")
        );
        assert_eq!(
            split("(NOT (hashed SubPlan 1))"),
            split("(NOT (hashed SubPlan 2))")
        );
    }

    #[test]
    fn broken_input_does_not_panic() {
        for text in [
            "",
            "(",
            ")",
            "((a = 'x)",
            "a AND",
            "$",
            "é = 'é",
            "a..b",
            "::",
            "'x'::",
            "1::numeric(",
        ] {
            let _ = split(text);
        }
    }
}
