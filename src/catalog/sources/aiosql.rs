//! aiosql, and the like of it (anosql, goyesql): `-- name: get_user(id)^` with what comes back as a sign behind the name.
//! <https://nackjicholson.github.io/aiosql/defining-sql-queries.html>

use super::conventions::{Convention, Found, What};
use super::headers::{comment, sections};
use super::placeholders::lists;
use crate::source::Source;
use crate::sql::token::{TokenKind, tokens};

pub(super) const CONVENTION: Convention = Convention {
    key: "aiosql",
    tool: "aiosql",
    extensions: &["sql"],
    shows,
    read,
    parts: None,
};

/// Signs behind a name, and what they say comes back.
const SIGNS: [(&str, &str); 6] = [
    ("<!", "one"),
    ("*!", "exec"),
    ("^", "one"),
    ("$", "one"),
    ("!", "exec"),
    ("#", "exec"),
];

fn header(line: &str) -> Option<&str> {
    comment(line)?.strip_prefix("name:")
}

/// Headers without a command of sqlc's.
fn shows(text: &str) -> bool {
    let mut headers = text
        .lines()
        .filter_map(|line| header(line.trim()))
        .peekable();
    headers.peek().is_some() && headers.all(|rest| !rest.contains(" :"))
}

fn read(source: &Source) -> Vec<Found> {
    let mut found = Vec::new();
    for section in sections(source, header) {
        let written = section.header.split('(').next().unwrap_or_default();
        let written = written.split_whitespace().next().unwrap_or_default();
        // The sign stands behind the parameters where they are named.
        let signs = section.header.rsplit(')').next().unwrap_or_default();
        let sign = SIGNS
            .iter()
            .find(|(sign, _)| written.ends_with(sign) || signs.trim().ends_with(sign));
        let name = written.trim_end_matches(['<', '!', '*', '^', '$', '#']);
        for (line, sql) in section.statements() {
            let mut one = match placeholder(sql) {
                Some(filled) => Found::template(name, line, filled),
                None => Found::statement(name, line, lists(sql)),
            };
            if let (Some((_, word)), What::Statement { command, .. }) = (sign, &mut one.what) {
                *command = word;
            }
            found.push(one);
        }
    }
    found
}

/// `%s`, `%order%`: what a program fills in. The operator has a blank behind it, or a value close before it.
fn placeholder(sql: &str) -> Option<&str> {
    let all = tokens(sql);
    let at = (0..all.len()).find(|at| {
        let fills = &sql[all[*at].span.clone()] == "%"
            && all
                .get(at + 1)
                .is_some_and(|next| next.kind == TokenKind::Ident);
        let before = at.checked_sub(1).map(|before| &all[before]);
        fills
            && before.is_none_or(|before| {
                before.is_trivia() || matches!(before.kind, TokenKind::OpenParen | TokenKind::Comma)
            })
    })?;
    let closes = all
        .get(at + 2)
        .filter(|token| &sql[token.span.clone()] == "%");
    let end = closes.unwrap_or(&all[at + 1]).span.end;
    Some(&sql[all[at].span.start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_fills_in_is_no_statement() {
        assert_eq!(
            placeholder("SELECT 1 FROM t ORDER BY %order% LIMIT 1"),
            Some("%order%")
        );
        assert_eq!(placeholder("SELECT 1 WHERE %s"), Some("%s"));
        assert_eq!(placeholder("WITH a AS (%query%) SELECT 1"), Some("%query%"));
        assert_eq!(placeholder("SELECT count(%s) FROM t"), Some("%s"));
        assert_eq!(
            placeholder("SELECT a % b, a%b, (a)%b, '%s' FROM t -- %s"),
            None
        );
    }

    #[test]
    fn names_signs_and_lists_are_read() {
        let text = "-- name: all_users\n-- Everyone.\nSELECT id\nFROM users;\n\n--name: get_user(id)^\nSELECT 1 WHERE id = :id;\n\
                    -- name: many*!\nDELETE FROM users WHERE id IN :ids\n";
        assert!(shows(text));
        assert!(!shows("-- name: A :many\nSELECT 1;"));
        let found = read(&Source::new("q.sql", text));
        let shown: Vec<_> = found
            .iter()
            .map(|found| match &found.what {
                What::Statement { sql, command } => {
                    (found.name.as_str(), found.line, sql.as_str(), *command)
                }
                What::Unknown { message, .. } => {
                    (found.name.as_str(), found.line, message.as_str(), "")
                }
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("all_users", 3, "SELECT id\nFROM users", "many"),
                ("get_user", 7, "SELECT 1 WHERE id = :id", "one"),
                (
                    "many",
                    9,
                    "DELETE FROM users WHERE id IN (sqlc.slice('ids'))",
                    "exec"
                ),
            ]
        );
    }
}
