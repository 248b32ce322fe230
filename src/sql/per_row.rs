//! Calls in a condition that do not depend on the row: written as `(SELECT f())` the server makes them once for a statement.

use std::ops::Range;

use super::names::unquote_lower;
use super::token::{Token, TokenKind, significant};

/// A call of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// As it is written, arguments included.
    pub text: String,
    /// An argument names a column of the row.
    pub of_row: bool,
    span: Range<usize>,
}

/// The calls of functions that `is_called` names (in lower case, without schema), outside of subqueries; of a call inside
/// another one the inner.
#[must_use]
pub fn calls(condition: &str, columns: &[&str], is_called: impl Fn(&str) -> bool) -> Vec<Call> {
    let tokens: Vec<Token> = significant(condition);
    let text = |at: usize| {
        tokens
            .get(at)
            .map_or("", |token| &condition[token.span.clone()])
    };
    let is_name = |at: usize| {
        tokens.get(at).is_some_and(|token| {
            matches!(token.kind, TokenKind::Ident | TokenKind::QuotedIdent { .. })
        })
    };
    let mut found: Vec<Call> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if text(at) == "(" && text(at + 1).eq_ignore_ascii_case("select") {
            at = closing(&tokens, condition, at) + 1;
            continue;
        }
        if is_name(at) && text(at + 1) == "(" && is_called(&unquote_lower(text(at))) {
            let mut first = at;
            while first >= 2 && text(first - 1) == "." && is_name(first - 2) {
                first -= 2;
            }
            let last = closing(&tokens, condition, at + 1);
            let names_column = |inner: usize| {
                is_name(inner)
                    && text(inner + 1) != "("
                    && columns.contains(&unquote_lower(text(inner)).as_str())
            };
            let span = tokens[first].span.start..tokens[last].span.end;
            let of_row = (at + 2..last).any(names_column)
                || (at + 2..last).any(|inner| text(inner).eq_ignore_ascii_case("select"));
            found.push(Call {
                text: condition[span.clone()].to_owned(),
                of_row,
                span,
            });
            if !of_row {
                at = last + 1;
                continue;
            }
        }
        at += 1;
    }
    found
}

/// The condition with each call that is the same for every row in a subquery of its own.
#[must_use]
pub fn once_a_statement(condition: &str, calls: &[Call]) -> String {
    let (mut text, mut from) = (String::with_capacity(condition.len() + 16), 0);
    for call in calls.iter().filter(|call| !call.of_row) {
        text.push_str(&condition[from..call.span.start]);
        text.push_str("(SELECT ");
        text.push_str(&call.text);
        text.push(')');
        from = call.span.end;
    }
    text.push_str(&condition[from..]);
    text
}

/// The token that closes the parenthesis at `open`; the last one where none does.
fn closing(tokens: &[Token], condition: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match &condition[token.span.clone()] {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(condition: &str) -> String {
        let known = |name: &str| matches!(name, "tenant" | "current_setting" | "is_member");
        once_a_statement(condition, &calls(condition, &["tenant_id", "team"], known))
    }

    #[test]
    fn what_is_the_same_for_every_row_is_asked_once() {
        assert_eq!(
            rewritten("(tenant_id = auth.tenant())"),
            "(tenant_id = (SELECT auth.tenant()))"
        );
        assert_eq!(
            rewritten(
                "tenant_id = (NULLIF(current_setting('app.t'::text, true), ''::text))::bigint"
            ),
            "tenant_id = (NULLIF((SELECT current_setting('app.t'::text, true)), ''::text))::bigint"
        );
        assert_eq!(
            rewritten("is_member(team, tenant()) AND lower('tenant()') = 'x'"),
            "is_member(team, (SELECT tenant())) AND lower('tenant()') = 'x'"
        );
    }

    #[test]
    fn what_is_asked_once_already_or_depends_on_the_row_stays() {
        for condition in [
            "(tenant_id = ( SELECT auth.tenant() AS tenant))",
            "is_member(team)",
            "tenant_id = ANY (ARRAY[1, 2])",
            "team IN (SELECT t FROM teams WHERE owner = tenant())",
        ] {
            assert_eq!(rewritten(condition), condition);
        }
    }
}
