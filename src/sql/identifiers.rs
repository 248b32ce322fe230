//! The names that a statement holds, whatever they stand for: keywords, too, since only the grammar tells them apart.

use super::names::unquote_lower;
use super::token::{TokenKind, tokens};

/// Every word outside of strings and comments, as the catalog would keep it, and those of dollar-quoted bodies.
pub fn identifiers(sql: &str) -> impl Iterator<Item = String> + '_ {
    let mut found = Vec::new();
    collect(sql, &mut found, Depth::Statement);
    found.into_iter()
}

/// A body may hold a body; what is deeper is somebody's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Statement,
    Body,
}

fn collect(sql: &str, found: &mut Vec<String>, depth: Depth) {
    for token in tokens(sql) {
        let text = &sql[token.span.clone()];
        if matches!(token.kind, TokenKind::Ident | TokenKind::QuotedIdent { .. }) {
            found.push(unquote_lower(text));
        } else if depth == Depth::Statement
            && let Some(body) = dollar_quoted(text)
        {
            collect(body, found, Depth::Body);
        }
    }
}

fn dollar_quoted(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let tag = &text[..rest.find('$')? + 2];
    text.strip_prefix(tag)?.strip_suffix(tag)
}

/// What kind of object a statement makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Table,
    /// On a table: an index, or extended statistics.
    Index,
    /// Between a table and what it calls: a trigger, a rule, a policy.
    Trigger,
    /// From other objects: a view, a function.
    Definition,
}

/// An object that a statement makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub kind: Kind,
    /// Without its schema; of an index without a name its table's.
    pub name: String,
    /// Every word of the statement.
    pub words: Vec<String>,
}

impl Made {
    /// `None` of a statement that makes nothing that a query could name.
    #[must_use]
    pub fn of(sql: &str) -> Option<Self> {
        let words: Vec<String> = identifiers(sql).collect();
        if words.first().map(String::as_str) != Some("create") {
            return renamed(sql, words);
        }
        let (kind, at) = words
            .iter()
            .enumerate()
            .find_map(|(at, word)| Some((kind(word)?, at)))?;
        let is_noise = |word: &str| {
            [
                "concurrently",
                "if",
                "not",
                "exists",
                "on",
                "only",
                "view",
                "table",
            ]
            .contains(&word)
        };
        let first = words[at + 1..].iter().find(|word| !is_noise(word))?;
        Some(Self {
            kind,
            name: qualified_end(sql, first),
            words,
        })
    }
}

/// `ALTER TABLE … RENAME TO name` makes a name, too.
fn renamed(sql: &str, words: Vec<String>) -> Option<Made> {
    let is_rename = words.iter().any(|word| word == "rename") && words.first()? == "alter";
    let table = words.get(1).is_some_and(|word| word == "table");
    let name = words.last().filter(|_| is_rename)?.clone();
    let kind = if table { Kind::Table } else { Kind::Definition };
    Some(Made {
        kind,
        name: qualified_end(sql, &name),
        words,
    })
}

fn kind(word: &str) -> Option<Kind> {
    match word {
        "table" => Some(Kind::Table),
        "index" | "statistics" => Some(Kind::Index),
        "trigger" | "rule" | "policy" => Some(Kind::Trigger),
        "view" | "function" | "procedure" | "aggregate" | "type" | "domain" | "sequence" => {
            Some(Kind::Definition)
        }
        _ => None,
    }
}

/// `orders` of `shop.orders`, where the statement says it so.
fn qualified_end(sql: &str, first: &str) -> String {
    let mut real = tokens(sql).into_iter().filter(|token| !token.is_trivia());
    let mut name = first.to_owned();
    while let Some(token) = real.next() {
        if unquote_lower(&sql[token.span]) != name {
            continue;
        }
        while let Some(dot) = real.next() {
            let next = real.next().filter(|_| sql[dot.span].starts_with('.'));
            match next {
                Some(part) => name = unquote_lower(&sql[part.span]),
                None => return name,
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_statement_makes_has_a_name() {
        let made = |sql| Made::of(sql).map(|made| (made.kind, made.name));
        let expect = |kind, name: &str| Some((kind, name.to_owned()));
        assert_eq!(
            made("CREATE UNLOGGED TABLE IF NOT EXISTS a.\"B\" ()"),
            expect(Kind::Table, "B")
        );
        assert_eq!(
            made("create unique index concurrently i on t (c)"),
            expect(Kind::Index, "i")
        );
        assert_eq!(
            made("CREATE INDEX ON ONLY s.t (c)"),
            expect(Kind::Index, "t")
        );
        assert_eq!(
            made("CREATE MATERIALIZED VIEW v AS SELECT 1"),
            expect(Kind::Definition, "v")
        );
        assert_eq!(made("ALTER TABLE t RENAME TO u"), expect(Kind::Table, "u"));
        assert_eq!(made("INSERT INTO t VALUES (1)"), None);
    }

    #[test]
    fn names_are_found_in_statements_and_bodies() {
        let sql = "CREATE FUNCTION f() RETURNS int AS $b$ SELECT n FROM \"Line\" -- stops\n $b$ LANGUAGE sql /* trips */";
        let found: Vec<String> = identifiers(sql).collect();
        for name in ["f", "n", "Line"] {
            assert!(found.contains(&name.to_owned()), "{name} in {found:?}");
        }
        assert!(!found.iter().any(|name| name == "stops" || name == "trips"));
        assert_eq!(
            identifiers("SELECT 'a b', $1").collect::<Vec<_>>(),
            ["select"]
        );
    }
}
