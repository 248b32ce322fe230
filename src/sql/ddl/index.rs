//! CREATE INDEX and DROP INDEX, part by part, as far as their forms for partitioned tables need them. Pure.

use std::ops::Range;

use squawk_syntax::ast::{AstNode, CreateIndex, DropBehavior, DropIndex, PartitionItem};

use super::{Ddl, end, span, span_of, unquote_lower, written};
use crate::sql::token::tokens;

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

pub(super) fn create_index(sql: &str, create: &CreateIndex) -> Option<Ddl> {
    Some(Ddl::CreateIndex {
        concurrently: create.concurrently_token().is_some(),
        after_index: end(create.index_token()),
        text: index_text(sql, create),
    })
}

fn index_text(sql: &str, create: &CreateIndex) -> Option<IndexText> {
    let relation = create.table_relation_name()?;
    let whole = span_of(create.syntax());
    let until = create.semicolon_token().map_or(whole.end, |semicolon| {
        usize::from(semicolon.text_range().start())
    });
    let behind = span(&relation).end;
    let rest = sql[behind..until].trim();
    let begin = behind + (sql[behind..until].len() - sql[behind..until].trim_start().len());
    Some(IndexText {
        unique: create.unique_token().is_some(),
        only: relation.only_token().is_some(),
        name: create
            .index()
            .map(|index| unquote_lower(written(sql, &index))),
        table: written(sql, &relation.table_name_ref()?).to_owned(),
        columns: columns(sql, create),
        rest: begin..begin + rest.len(),
    })
}

/// What the server calls the columns (`ChooseIndexColumnNames` in indexcmds.c): equal names get numbers.
fn columns(sql: &str, create: &CreateIndex) -> Vec<String> {
    let key = create.partition_item_list();
    let included = create
        .index_include_clause()
        .and_then(|clause| clause.partition_item_list());
    let mut found: Vec<String> = Vec::new();
    for item in key
        .into_iter()
        .chain(included)
        .flat_map(|list| list.partition_items())
    {
        let called = called(sql, &item);
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

/// A column by its name, a function by its own, any other expression `expr`.
fn called(sql: &str, item: &PartitionItem) -> String {
    let text = written(sql, item);
    match tokens(text).into_iter().find(|token| !token.is_trivia()) {
        Some(first) if !text[first.span.clone()].starts_with('(') => {
            unquote_lower(&text[first.span])
        }
        Some(_) | None => "expr".to_owned(),
    }
}

pub(super) fn drop_index(sql: &str, drop: &DropIndex) -> Ddl {
    Ddl::DropIndex {
        concurrently: drop.concurrently_token().is_some(),
        after_index: end(drop.index_token()),
        text: DropText {
            if_exists: drop.if_exists().is_some(),
            names: drop
                .index_refs()
                .map(|index| written(sql, &index).to_owned())
                .collect(),
            cascade: matches!(drop.drop_behavior(), Some(DropBehavior::Cascade(_))),
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
