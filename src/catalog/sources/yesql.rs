//! HugSQL and yesql of Clojure: `-- :name users-by-id :? :1` or `-- name: users-by-id`, with `:id`, `?`, and HugSQL's typed
//! parameters (`:v:id`, `:v*:ids`, `:i:column`). <https://www.hugsql.org>

use super::conventions::{Convention, Found, What};
use super::headers::{comment, sections};
use super::placeholders::{Edit, edited, question_marks};
use crate::source::Source;
use crate::sql::token::{Token, TokenKind, significant};

pub(super) const CONVENTION: Convention = Convention {
    key: "yesql",
    tool: "HugSQL or yesql",
    extensions: &["sql"],
    shows,
    read,
    parts: None,
};

fn header(line: &str) -> Option<&str> {
    let comment = comment(line)?;
    comment
        .strip_prefix(":name ")
        .or_else(|| comment.strip_prefix("name:"))
}

fn shows(text: &str) -> bool {
    text.lines()
        .any(|line| comment(line.trim()).is_some_and(|comment| comment.starts_with(":name ")))
}

fn read(source: &Source) -> Vec<Found> {
    let mut found = Vec::new();
    for section in sections(source, header) {
        let mut words = section.header.split_whitespace();
        let name = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let command =
            if words.iter().any(|word| [":1", ":one"].contains(word)) || name.ends_with("<!") {
                Some("one")
            } else if words
                .iter()
                .any(|word| [":!", ":n", ":execute", ":affected"].contains(word))
                || name.ends_with('!')
            {
                Some("exec")
            } else {
                None
            };
        let name = name.trim_end_matches(['<', '!', '*']);
        for (line, sql) in section.statements() {
            let mut one = match typed(sql) {
                Some(sql) => Found::statement(name, line, question_marks(&sql)),
                None => Found::dynamic(name, line),
            };
            if let (Some(word), What::Statement { command, .. }) = (command, &mut one.what) {
                *command = word;
            }
            found.push(one);
        }
    }
    found
}

/// `:v:id` → `:id`, `IN (:v*:ids)` → a list; `None` where a parameter is a name or a piece of SQL.
fn typed(sql: &str) -> Option<String> {
    let all: Vec<Token> = significant(sql);
    // Code in comments (`--~ (if …)`, `/*~ … ~*/`) makes the text.
    if sql.contains("--~") || sql.contains("/*~") {
        return None;
    }
    let text = |at: usize| {
        all.get(at)
            .map_or("", |token: &Token| &sql[token.span.clone()])
    };
    let mut edits: Vec<Edit> = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if text(at) != ":" || text(at + 1) == ":" || (at > 0 && text(at - 1) == ":") {
            at += 1;
            continue;
        }
        let kind = text(at + 1).to_ascii_lowercase();
        let star = text(at + 2) == "*";
        let second = if star { at + 3 } else { at + 2 };
        if text(second) != ":" || text(second + 1) == ":" || !touches(&all, at, second) {
            // Names of Clojure may have a dash.
            let end = dashed(&all, at + 1, sql);
            if end > at + 1 {
                edits.push((
                    all[at].span.start..all[end].span.end,
                    plain(sql, &all, at + 1, end),
                ));
            }
            at = end + 1;
            continue;
        }
        let end = dashed(&all, second + 1, sql);
        let (from, to) = (all[at].span.start, all.get(end)?.span.end);
        let name = plain(sql, &all, second + 1, end);
        match (kind.as_str(), star) {
            ("v" | "value", false) => edits.push((from..to, name)),
            ("v" | "value", true) => edits.push((
                from..to,
                format!("sqlc.slice('{}')", name.trim_start_matches(':')),
            )),
            _ => return None,
        }
        at = end + 1;
    }
    Some(edited(sql, &edits))
}

/// `:user-id` → `:user_id`.
fn plain(sql: &str, all: &[Token], from: usize, to: usize) -> String {
    let name = &sql[all[from].span.start..all[to].span.end];
    format!(":{}", name.replace('-', "_"))
}

/// The last token of a name that may have dashes.
fn dashed(all: &[Token], from: usize, sql: &str) -> usize {
    let mut end = from.min(all.len().saturating_sub(1));
    while all
        .get(end + 1)
        .is_some_and(|dash| &sql[dash.span.clone()] == "-")
        && all
            .get(end + 2)
            .is_some_and(|word| word.kind == TokenKind::Ident)
        && touches(all, end, end + 2)
    {
        end += 2;
    }
    end
}

fn touches(all: &[Token], from: usize, to: usize) -> bool {
    (from..to).all(|at| match (all.get(at), all.get(at + 1)) {
        (Some(left), Some(right)) => left.span.end == right.span.start,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_parameters_become_ours_and_names_are_left_out() {
        assert_eq!(
            typed("SELECT a::text FROM t WHERE id = :v:user-id AND b = :b-c AND c IN (:v*:ids)")
                .as_deref(),
            Some(
                "SELECT a::text FROM t WHERE id = :user_id AND b = :b_c AND c IN (sqlc.slice('ids'))"
            )
        );
        assert_eq!(typed("SELECT :i:column FROM t"), None);
        let text = "-- :name user-by-id :? :1\n-- :doc One.\nSELECT 1 FROM t WHERE id = :id\n\n-- :name drop! :!\nDELETE FROM t WHERE a = ?";
        assert!(shows(text));
        let found = read(&Source::new("q.sql", text));
        assert_eq!(
            found
                .iter()
                .map(|one| (one.name.as_str(), one.line))
                .collect::<Vec<_>>(),
            [("user-by-id", 3), ("drop", 6)]
        );
        assert_eq!(
            found[1].what,
            What::Statement {
                sql: "DELETE FROM t WHERE a = $1".to_owned(),
                command: "exec"
            }
        );
    }
}
