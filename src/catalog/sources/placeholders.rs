//! Parameters of other tools made ours: `?` and `?1`, lists behind IN, backslashes before colons. By tokens, so that what stands
//! in strings and comments stays.

use crate::sql::token::{Token, TokenKind, tokens};

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

/// `?` → `$1`, `$2`…; `?2` → `$2`; `??` is the operator `?`.
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

/// `IN :ids` → `IN (sqlc.slice('ids'))`, for tools that put a list there; those in parentheses stay as they are.
pub(super) fn lists(sql: &str) -> String {
    let all: Vec<Token> = tokens(sql)
        .into_iter()
        .filter(|token| !token.is_trivia())
        .collect();
    let text = |at: usize| {
        all.get(at)
            .map_or("", |token: &Token| &sql[token.span.clone()])
    };
    let edits: Vec<Edit> = (0..all.len())
        .filter(|at| text(*at).eq_ignore_ascii_case("in") && text(at + 1) == ":")
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
    }

    #[test]
    fn a_list_behind_in_gets_its_parentheses() {
        assert_eq!(
            lists(
                "SELECT 1 FROM t WHERE a IN :ids AND b NOT IN :more AND c IN (:x) AND d::int = 1"
            ),
            "SELECT 1 FROM t WHERE a IN (sqlc.slice('ids')) AND b NOT IN (sqlc.slice('more')) AND c IN (:x) AND d::int = 1"
        );
    }
}
