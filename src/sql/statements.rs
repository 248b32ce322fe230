//! A text cut into its statements at the semicolons that stand outside quotes, comments and parentheses.

use super::token::{TokenKind, tokens};

/// The statements of a text, each without its semicolon and the space around it. For text of pgproof's own making: bodies
/// of functions that are no strings (BEGIN ATOMIC) are not kept whole.
#[must_use]
pub fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for token in tokens(text) {
        match token.kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth = depth.saturating_sub(1),
            TokenKind::Semi if depth == 0 => {
                found.push(text[start..token.span.start].trim());
                start = token.span.end;
            }
            _ => {}
        }
    }
    found.push(text[start..].trim());
    found.retain(|statement| !statement.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_quotes_end_nothing() {
        assert_eq!(
            statements("CREATE INDEX \"a;b\" ON t (c) WHERE d = 'x;y';\n\nANALYZE t;;"),
            ["CREATE INDEX \"a;b\" ON t (c) WHERE d = 'x;y'", "ANALYZE t"]
        );
        assert!(statements(" ; ").is_empty());
    }
}
