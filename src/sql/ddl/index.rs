//! CREATE INDEX and DROP INDEX, part by part, as far as their forms for partitioned tables need them. Pure.

use std::ops::Range;

use super::{Ddl, Word, name, unquote_lower};

/// CREATE INDEX as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexText {
    pub unique: bool,
    /// ON ONLY: of a partitioned table without its partitions.
    pub only: bool,
    /// Unquoted; `None` where the server chooses one.
    pub name: Option<String>,
    /// The table, as written.
    pub table: String,
    /// What its columns are called, INCLUDE's too: an expression by its function, or `expr`.
    pub columns: Vec<String>,
    /// What follows the table.
    pub rest: Range<usize>,
}

/// DROP INDEX as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropText {
    pub if_exists: bool,
    /// As written.
    pub names: Vec<String>,
    pub cascade: bool,
}

pub(super) fn create_index(sql: &str, words: &[Word], index: usize) -> Ddl {
    let concurrently = words
        .get(index + 1)
        .is_some_and(|word| word.text == "CONCURRENTLY");
    let text = index_text(
        sql,
        words,
        index + 1 + usize::from(concurrently),
        index == 2,
    );
    Ddl::CreateIndex {
        concurrently,
        after_index: words[index].span.end,
        text,
    }
}

fn index_text(sql: &str, words: &[Word], mut at: usize, unique: bool) -> Option<IndexText> {
    let is = |at: usize, wanted: &str| words.get(at).is_some_and(|word| word.text == wanted);
    if is(at, "IF") {
        at += 3;
    }
    let mut own = None;
    if !is(at, "ON") {
        own = Some(unquote_lower(&sql[words.get(at)?.span.clone()]));
        at += 1;
    }
    if !is(at, "ON") {
        return None;
    }
    let only = is(at + 1, "ONLY");
    let (table, at) = name(sql, words, at + 1 + usize::from(only))?;
    let rest = words.get(at)?.span.start..words.last()?.span.end;
    Some(IndexText {
        unique,
        only,
        name: own,
        table,
        columns: columns(sql, &words[at..]),
        rest,
    })
}

/// What the server calls the columns (`ChooseIndexColumnNames` in indexcmds.c): equal names get numbers.
fn columns(sql: &str, words: &[Word]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut depth, mut listed) = (0_usize, false);
    for (n, word) in words.iter().enumerate() {
        match word.text.as_str() {
            "(" => {
                // The key's own list, and INCLUDE's.
                listed = if depth == 0 {
                    found.is_empty() || words[n - 1].text == "INCLUDE"
                } else {
                    listed
                };
                depth += 1;
            }
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let begins = depth == 1 && listed && matches!(word.text.as_str(), "(" | ",");
        if !begins {
            continue;
        }
        let Some(first) = words.get(n + 1) else {
            continue;
        };
        let called = match first.text.as_str() {
            "(" => "expr".to_owned(),
            _ => unquote_lower(&sql[first.span.clone()]),
        };
        let mut numbered = called.clone();
        let mut number = 0;
        while found.contains(&numbered) {
            number += 1;
            numbered = format!("{called}{number}");
        }
        found.push(numbered);
    }
    found
}

pub(super) fn drop_index(sql: &str, words: &[Word]) -> Ddl {
    let concurrently = words.get(2).is_some_and(|word| word.text == "CONCURRENTLY");
    let mut at = 2 + usize::from(concurrently);
    let if_exists = words.get(at).is_some_and(|word| word.text == "IF");
    at += if if_exists { 2 } else { 0 };
    let mut names = Vec::new();
    while let Some((one, next)) = name(sql, words, at) {
        names.push(one);
        at = next;
        if words.get(at).is_none_or(|word| word.text != ",") {
            break;
        }
        at += 1;
    }
    let cascade = words.last().is_some_and(|word| word.text == "CASCADE");
    let after_index = words.get(1).map_or(0, |word| word.span.end);
    Ddl::DropIndex {
        concurrently,
        after_index,
        text: DropText {
            if_exists,
            names,
            cascade,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn index(sql: &str) -> IndexText {
        match read(sql) {
            Ddl::CreateIndex {
                text: Some(text), ..
            } => text,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn an_index_part_by_part() {
        let sql = "create unique index if not exists \"By Day\" on shop.events using btree (lower(region), at desc, (id + 1), (id * 2)) \
                   include (note, at) where at > '2024-01-01'";
        let found = index(sql);
        assert_eq!(
            (found.unique, found.only, found.name.as_deref()),
            (true, false, Some("By Day"))
        );
        assert_eq!(found.table, "shop.events");
        assert_eq!(
            found.columns,
            ["lower", "at", "expr", "expr1", "note", "at1"]
        );
        assert!(sql[found.rest].starts_with("using btree (lower(region)"));
        let found = index("CREATE INDEX ON ONLY events (at)");
        assert_eq!(
            (found.only, found.name, found.table.as_str()),
            (true, None, "events")
        );
        assert_eq!(found.columns, ["at"]);
    }

    #[test]
    fn every_index_that_is_dropped() {
        let Ddl::DropIndex {
            text,
            concurrently: false,
            ..
        } = read("DROP INDEX IF EXISTS a, shop.\"B\" CASCADE")
        else {
            panic!()
        };
        assert_eq!(text.names, ["a", "shop.\"B\""]);
        assert!(text.if_exists && text.cascade);
    }
}
