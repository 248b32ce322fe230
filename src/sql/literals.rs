//! The values that a statement itself says: what is not among them came from a parameter, or was computed.

use std::collections::BTreeSet;

use super::token::{LiteralKind, Token, TokenKind, tokens};

/// Every literal's value, without its quotes.
#[must_use]
pub(crate) fn literals(sql: &str) -> BTreeSet<String> {
    tokens(sql)
        .iter()
        .filter_map(|token| value(token, &sql[token.span.clone()]))
        .collect()
}

fn value(token: &Token, text: &str) -> Option<String> {
    let TokenKind::Literal { kind } = token.kind else {
        return None;
    };
    match kind {
        LiteralKind::Str { .. }
        | LiteralKind::EscStr { .. }
        | LiteralKind::UnicodeEscStr { .. }
        | LiteralKind::NationalStr { .. }
        | LiteralKind::BitStr { .. }
        | LiteralKind::ByteStr { .. } => {
            let open = text.find('\'')?;
            let inner = text.get(open + 1..)?.strip_suffix('\'')?;
            Some(inner.replace("''", "'"))
        }
        LiteralKind::DollarQuotedString { .. } => {
            let tag = text.get(1..)?.find('$')? + 2;
            text.get(tag..text.len().checked_sub(tag)?)
                .map(str::to_owned)
        }
        LiteralKind::Int { .. } | LiteralKind::Numeric { .. } => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::literals;

    #[test]
    fn only_what_is_written_as_a_value() {
        let found = literals(
            "SELECT a5, 'it''s', 12, 0.5, $1, $q$x'y$q$ FROM t WHERE \"Q\" = E'z' -- 'comment'",
        );
        let expected = ["0.5", "12", "it's", "x'y", "z"];
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            expected
        );
        assert!(literals("SELECT 'open").is_empty());
    }
}
