//! Parameters of other tools made ours: `?` and `?1`, lists behind IN, backslashes before colons. By tokens, so that what stands
//! in strings and comments stays.

use crate::sql::token::{Token, TokenKind, significant, tokens};

/// Text that replaces bytes of the statement.
pub(super) type Edit = (std::ops::Range<usize>, String);

/// The statement with its edits, which are in order and do not overlap.
pub(super) fn edited(sql: &str, edits: &[Edit]) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut done = 0;
    for (range, new) in edits.iter().filter(|(range, _)| range.end <= sql.len()) {
        if range.start >= done {
            text.push_str(&sql[done..range.start]);
            text.push_str(new);
            done = range.end;
        }
    }
    text.push_str(&sql[done..]);
    text
}

/// `?` → `$1`, `$2`…; `?2` → `$2`; `??` is the operator `?`, and so is what stands before a string, `?|` and `?&`.
pub(super) fn question_marks(sql: &str) -> String {
    let all = tokens(sql);
    let mut edits: Vec<Edit> = Vec::new();
    let mut next = 0;
    let mut at = 0;
    while let Some(token) = all.get(at) {
        let text = &sql[token.span.clone()];
        at += 1;
        if text != "?" {
            continue;
        }
        if is_operator(sql, &all, at) {
            continue;
        }
        let after = all.get(at).filter(|next| next.span.start == token.span.end);
        match after.map(|next| &sql[next.span.clone()]) {
            Some("?") => {
                edits.push((token.span.start..token.span.end + 1, "?".to_owned()));
                at += 1;
            }
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                edits.push((
                    token.span.start..token.span.end + number.len(),
                    format!("${number}"),
                ));
                at += 1;
            }
            _ => {
                next += 1;
                edits.push((token.span.clone(), format!("${next}")));
            }
        }
    }
    edited(sql, &edits)
}

/// Whether a statement has `?1`: SQLite's parameters, where no tool makes them ours.
pub(super) fn has_numbered_marks(sql: &str) -> bool {
    let all = tokens(sql);
    all.windows(2).any(|pair| {
        let text = |token: &Token| &sql[token.span.clone()];
        let is_number = text(&pair[1]).bytes().all(|byte| byte.is_ascii_digit());
        text(&pair[0]) == "?" && is_number && pair[0].span.end == pair[1].span.start
    })
}

/// Whether a `?` before this place asks for a key of a document: `a ? 'key'`, `a ?| ARRAY[…]`. A parameter is never followed by
/// a string.
fn is_operator(sql: &str, all: &[Token], at: usize) -> bool {
    let next = all[at..].iter().find(|token| !token.is_trivia());
    let is_string =
        next.is_some_and(|next| next.is_quoted() && sql[next.span.clone()].starts_with('\''));
    let rest = all.get(at).map_or("", |next| &sql[next.span.start..]);
    let is_with_a_sign = rest.starts_with('&') || rest.starts_with('|') && !rest.starts_with("||");
    is_string || is_with_a_sign
}

/// The statement with `$n` for each `@name` and `:name`, to see whether it is understood: which `n` does not matter.
pub(super) fn plain_parameters(sql: &str) -> String {
    let all = tokens(sql);
    let text = |at: usize| {
        all.get(at)
            .map_or("", |token: &Token| &sql[token.span.clone()])
    };
    let mut edits: Vec<Edit> = Vec::new();
    for at in 0..all.len() {
        let mark = text(at);
        let is_a_cast = mark == ":" && (at > 0 && text(at - 1) == ":" || text(at + 1) == ":");
        let names = all
            .get(at + 1)
            .is_some_and(|next| next.kind == TokenKind::Ident);
        if (mark == "@" || mark == ":") && names && !is_a_cast {
            edits.push((all[at].span.start..all[at + 1].span.end, "$1".to_owned()));
        }
    }
    edited(sql, &edits)
}

/// `IN :ids` and `IN @ids` → `IN (sqlc.slice('ids'))`, for tools that put a list there; those in parentheses stay as they are.
pub(super) fn lists(sql: &str) -> String {
    let all: Vec<Token> = significant(sql);
    let text = |at: usize| {
        all.get(at)
            .map_or("", |token: &Token| &sql[token.span.clone()])
    };
    let edits: Vec<Edit> = (0..all.len())
        .filter(|at| text(*at).eq_ignore_ascii_case("in") && matches!(text(at + 1), ":" | "@"))
        .filter(|at| {
            all.get(at + 2)
                .is_some_and(|name| name.kind == TokenKind::Ident)
        })
        .map(|at| {
            let range = all[at + 1].span.start..all[at + 2].span.end;
            (range, format!("(sqlc.slice('{}'))", text(at + 2)))
        })
        .collect();
    edited(sql, &edits)
}

/// `IN $1` → `= ANY($1)`, `NOT IN $1` → `<> ALL($1)`, for drivers that write a list there themselves.
pub(super) fn numbered_lists(sql: &str) -> String {
    let all: Vec<Token> = significant(sql);
    let text = |at: usize| {
        all.get(at)
            .map_or("", |token: &Token| &sql[token.span.clone()])
    };
    let mut edits: Vec<Edit> = Vec::new();
    for at in 0..all.len() {
        if !text(at).eq_ignore_ascii_case("in") || !text(at + 1).starts_with('$') {
            continue;
        }
        let negated = at > 0 && text(at - 1).eq_ignore_ascii_case("not");
        let start = if negated {
            all[at - 1].span.start
        } else {
            all[at].span.start
        };
        let operator = if negated { "<> ALL" } else { "= ANY" };
        edits.push((
            start..all[at + 1].span.end,
            format!("{operator}({})", text(at + 1)),
        ));
    }
    edited(sql, &edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_are_numbered_outside_of_strings() {
        assert_eq!(
            question_marks("SELECT '?' -- ?\nFROM t WHERE a = ? AND b IN (?, ?)"),
            "SELECT '?' -- ?\nFROM t WHERE a = $1 AND b IN ($2, $3)"
        );
        assert_eq!(
            question_marks("SELECT ?2, ?1 WHERE d ?? 'x'"),
            "SELECT $2, $1 WHERE d ? 'x'"
        );
        assert_eq!(
            question_marks(
                "SELECT a ? 'key', a ?| ARRAY['b'], ?||'c' FROM t WHERE d = ? AND a ?& ?"
            ),
            "SELECT a ? 'key', a ?| ARRAY['b'], $1||'c' FROM t WHERE d = $2 AND a ?& $3"
        );
    }

    #[test]
    fn a_list_that_the_driver_writes_is_an_array() {
        assert_eq!(
            numbered_lists("SELECT a FROM t WHERE b IN $1 AND c NOT IN $2 AND d IN ($3)"),
            "SELECT a FROM t WHERE b = ANY($1) AND c <> ALL($2) AND d IN ($3)"
        );
    }

    #[test]
    fn names_become_numbers_and_casts_and_operators_stay() {
        assert_eq!(
            plain_parameters("SELECT a::text, b @> c FROM t WHERE d = @d AND e = :e AND f = '@g'"),
            "SELECT a::text, b @> c FROM t WHERE d = $1 AND e = $1 AND f = '@g'"
        );
    }

    #[test]
    fn a_list_behind_in_gets_its_parentheses() {
        assert_eq!(
            lists(
                "SELECT 1 FROM t WHERE a IN :ids AND b NOT IN :more AND c IN (:x) AND d::int = 1"
            ),
            "SELECT 1 FROM t WHERE a IN (sqlc.slice('ids')) AND b NOT IN (sqlc.slice('more')) AND c IN (:x) AND d::int = 1"
        );
        assert_eq!(
            lists("DELETE FROM t WHERE a in @ids"),
            "DELETE FROM t WHERE a in (sqlc.slice('ids'))"
        );
    }
}
