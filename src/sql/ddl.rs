//! What a migration's statement is, read from its tokens as far as a safer form needs it. What is not recognized is
//! `Other`: nothing is guessed. Pure.

use std::ops::Range;

use squawk_lexer::{TokenKind, tokenize};

use super::condition::unquote;

mod index;
mod new_column;

pub use index::{DropText, IndexText};
pub use new_column::{ColumnConstraint, ColumnConstraintKind, ColumnText, NewColumn};

/// A statement as the migration report sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ddl {
    /// CREATE INDEX.
    CreateIndex {
        concurrently: bool,
        /** Where CONCURRENTLY would go. */
        after_index: usize,
        text: Option<IndexText>,
    },
    /// DROP INDEX.
    DropIndex {
        concurrently: bool,
        after_index: usize,
        text: DropText,
    },
    /// ALTER TABLE with its actions, and each action's text; `plain` without IF EXISTS and ONLY.
    AlterTable {
        table: String,
        plain: bool,
        actions: Vec<Action>,
        texts: Vec<Range<usize>>,
    },
    /// UPDATE without joins.
    Update {
        table: String,
        set: Range<usize>,
        condition: Option<Range<usize>>,
    },
    /// DELETE without joins.
    Delete {
        table: String,
        condition: Option<Range<usize>>,
    },
    /// REINDEX INDEX or TABLE, REFRESH MATERIALIZED VIEW: where CONCURRENTLY would go.
    CanBeConcurrent { concurrently: bool, after: usize },
    /// VACUUM FULL, CLUSTER: the table is written anew.
    Compact(Compaction),
    /// Anything else: nothing safer is known.
    Other,
}

/// Statements that write a table anew for its size or order alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compaction {
    VacuumFull,
    Cluster,
}

/// One action of ALTER TABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// ADD [CONSTRAINT name] CHECK or FOREIGN KEY.
    AddConstraint {
        name: Option<String>,
        kind: ConstraintKind,
        text: Range<usize>,
        not_valid: bool,
    },
    /// ADD [CONSTRAINT name] UNIQUE or PRIMARY KEY with its columns.
    AddKey {
        name: Option<String>,
        primary: bool,
        columns: Range<usize>,
    },
    /// ALTER COLUMN … SET NOT NULL.
    SetNotNull { column: String },
    /// ALTER COLUMN … TYPE: the type's text, and whether USING or COLLATE says more.
    ChangeType {
        column: String,
        data_type: Range<usize>,
        plain: bool,
    },
    /// ADD COLUMN.
    AddColumn {
        column: String,
        definition: NewColumn,
    },
    /// VALIDATE CONSTRAINT.
    Validate,
    /// ATTACH PARTITION with its bound.
    AttachPartition {
        partition: String,
        bound: Range<usize>,
    },
    /// ADD CONSTRAINT … EXCLUDE.
    AddExclusion,
    /// SET TABLESPACE, SET LOGGED, SET UNLOGGED, SET ACCESS METHOD: the table's files are copied.
    MoveFiles,
    /// Anything else.
    Other,
}

/// Constraints that can be added first and validated later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    Check,
    ForeignKey,
}

#[derive(Debug, Clone)]
struct Word {
    /// Upper-case; quoted identifiers and marks as they are.
    text: String,
    span: Range<usize>,
}

/// Reads a statement.
#[must_use]
pub fn read(sql: &str) -> Ddl {
    let words = words(sql);
    let text = |n: usize| words.get(n).map_or("", |word| word.text.as_str());
    match (text(0), text(1), text(2)) {
        ("CREATE", "INDEX", _) => index::create_index(sql, &words, 1),
        ("CREATE", "UNIQUE", "INDEX") => index::create_index(sql, &words, 2),
        ("DROP", "INDEX", _) => index::drop_index(sql, &words),
        ("ALTER", "TABLE", _) => alter_table(sql, &words),
        ("UPDATE", _, _) => update(sql, &words),
        ("DELETE", "FROM", _) => delete(sql, &words),
        ("REINDEX", "INDEX" | "TABLE", next) => Ddl::CanBeConcurrent {
            concurrently: next == "CONCURRENTLY",
            after: words[1].span.end,
        },
        ("REFRESH", "MATERIALIZED", "VIEW") => Ddl::CanBeConcurrent {
            concurrently: text(3) == "CONCURRENTLY",
            after: words[2].span.end,
        },
        ("VACUUM", _, _) if words.iter().any(|word| word.text == "FULL") => {
            Ddl::Compact(Compaction::VacuumFull)
        }
        ("CLUSTER", _, _) => Ddl::Compact(Compaction::Cluster),
        _ => Ddl::Other,
    }
}

fn words(sql: &str) -> Vec<Word> {
    let mut offset = 0;
    let mut found = Vec::new();
    for token in tokenize(sql) {
        let span = offset..offset + token.len as usize;
        offset = span.end;
        let piece = &sql[span.clone()];
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => {}
            TokenKind::Ident => found.push(Word {
                text: piece.to_ascii_uppercase(),
                span,
            }),
            _ => found.push(Word {
                text: piece.to_owned(),
                span,
            }),
        }
    }
    found
}

/// A possibly qualified name at `at`, as written, and the place after it.
fn name(sql: &str, words: &[Word], at: usize) -> Option<(String, usize)> {
    let first = words.get(at)?;
    let mut end = at;
    while words.get(end + 1).is_some_and(|word| word.text == ".") && words.get(end + 2).is_some() {
        end += 2;
    }
    Some((
        sql[first.span.start..words[end].span.end].to_owned(),
        end + 1,
    ))
}

fn alter_table(sql: &str, words: &[Word]) -> Ddl {
    let mut at = 2;
    for optional in ["IF", "EXISTS", "ONLY"] {
        if words.get(at).is_some_and(|word| word.text == optional) {
            at += 1;
        }
    }
    let Some((table, mut at)) = name(sql, words, at) else {
        return Ddl::Other;
    };
    if words.get(at).is_some_and(|word| word.text == "*") {
        at += 1;
    }
    let plain = words
        .get(2)
        .is_some_and(|word| !matches!(word.text.as_str(), "IF" | "ONLY"));
    let (mut actions, mut texts) = (Vec::new(), Vec::new());
    let mut add = |words: &[Word]| {
        actions.push(action(sql, words));
        texts.push(
            words.first().map_or(0, |word| word.span.start)
                ..words.last().map_or(0, |word| word.span.end),
        );
    };
    let (mut depth, mut start) = (0_usize, at);
    for n in at..=words.len() {
        match words.get(n).map(|word| word.text.as_str()) {
            Some("(") => depth += 1,
            Some(")") => depth = depth.saturating_sub(1),
            Some(",") if depth == 0 => {
                add(&words[start..n]);
                start = n + 1;
            }
            None => add(&words[start.min(words.len())..]),
            Some(_) => {}
        }
    }
    Ddl::AlterTable {
        table,
        plain,
        actions,
        texts,
    }
}

fn action(sql: &str, words: &[Word]) -> Action {
    let text = |n: usize| words.get(n).map_or("", |word| word.text.as_str());
    let written = |n: usize| {
        words
            .get(n)
            .map(|word| unquote_lower(&sql[word.span.clone()]))
            .unwrap_or_default()
    };
    match (text(0), text(1)) {
        ("ADD", "CONSTRAINT") => constraint(words, Some(&written(2)), 3),
        ("ADD", "CHECK" | "FOREIGN" | "UNIQUE" | "PRIMARY" | "EXCLUDE") => {
            constraint(words, None, 1)
        }
        ("ADD", _) => new_column::add_column(sql, words),
        ("VALIDATE", "CONSTRAINT") => Action::Validate,
        ("ATTACH", "PARTITION") => attach_partition(sql, words),
        ("SET", "TABLESPACE" | "LOGGED" | "UNLOGGED" | "ACCESS") => Action::MoveFiles,
        ("ALTER", _) => {
            let column = if text(1) == "COLUMN" { 2 } else { 1 };
            match (text(column + 1), text(column + 2), text(column + 3)) {
                ("SET", "NOT", "NULL") => Action::SetNotNull {
                    column: written(column),
                },
                ("TYPE", _, _) => change_type(written(column), words, column + 2),
                ("SET", "DATA", "TYPE") => change_type(written(column), words, column + 4),
                _ => Action::Other,
            }
        }
        _ => Action::Other,
    }
}

fn attach_partition(sql: &str, words: &[Word]) -> Action {
    match (name(sql, words, 2), words.last()) {
        (Some((partition, at)), Some(last)) if at < words.len() => Action::AttachPartition {
            partition,
            bound: words[at].span.start..last.span.end,
        },
        _ => Action::Other,
    }
}

fn change_type(column: String, words: &[Word], at: usize) -> Action {
    let rest = words.get(at..).unwrap_or_default();
    let type_words = rest
        .iter()
        .take_while(|word| !matches!(word.text.as_str(), "USING" | "COLLATE"))
        .count();
    match rest.get(..type_words).unwrap_or_default() {
        [] => Action::Other,
        [first, ..] => {
            let data_type = first.span.start..rest[type_words - 1].span.end;
            Action::ChangeType {
                column,
                data_type,
                plain: type_words == rest.len(),
            }
        }
    }
}

fn constraint(words: &[Word], name: Option<&str>, at: usize) -> Action {
    let (Some(first), Some(last)) = (words.get(at), words.last()) else {
        return Action::Other;
    };
    let not_valid = words
        .windows(2)
        .any(|pair| pair[0].text == "NOT" && pair[1].text == "VALID");
    let span = first.span.start..last.span.end;
    let checked = |kind| Action::AddConstraint {
        name: name.map(str::to_owned),
        kind,
        text: span.clone(),
        not_valid,
    };
    let key = |primary: bool, at: usize| {
        let open = words
            .iter()
            .skip(at)
            .position(|word| word.text == "(")
            .map(|n| n + at);
        let close = words.iter().rposition(|word| word.text == ")");
        match (open, close) {
            // What follows the columns (INCLUDE, DEFERRABLE…) an index alone cannot say.
            (Some(open), Some(close)) if close + 1 == words.len() && open == at => {
                let columns = words[open].span.start..words[close].span.end;
                Action::AddKey {
                    name: name.map(str::to_owned),
                    primary,
                    columns,
                }
            }
            _ => Action::Other,
        }
    };
    match first.text.as_str() {
        "CHECK" => checked(ConstraintKind::Check),
        "FOREIGN" => checked(ConstraintKind::ForeignKey),
        "UNIQUE" => key(false, at + 1),
        "PRIMARY" => key(true, at + 2),
        "EXCLUDE" => Action::AddExclusion,
        _ => Action::Other,
    }
}

fn update(sql: &str, words: &[Word]) -> Ddl {
    let at = usize::from(words.get(1).is_some_and(|word| word.text == "ONLY")) + 1;
    let Some((table, at)) = name(sql, words, at) else {
        return Ddl::Other;
    };
    if words.get(at).is_none_or(|word| word.text != "SET") {
        return Ddl::Other;
    }
    let mut depth = 0_usize;
    let mut condition = None;
    for (n, word) in words.iter().enumerate().skip(at + 1) {
        match word.text.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "FROM" | "RETURNING" if depth == 0 => return Ddl::Other,
            "WHERE" if depth == 0 => condition = Some(n),
            _ => {}
        }
    }
    let (Some(first), Some(last)) = (words.get(at + 1), words.last()) else {
        return Ddl::Other;
    };
    let end = condition.map_or(last.span.end, |n| words[n - 1].span.end);
    let condition = condition
        .and_then(|n| words.get(n + 1))
        .map(|word| word.span.start..last.span.end);
    Ddl::Update {
        table,
        set: first.span.start..end,
        condition,
    }
}

fn delete(sql: &str, words: &[Word]) -> Ddl {
    let at = 2 + usize::from(words.get(2).is_some_and(|word| word.text == "ONLY"));
    let Some((table, at)) = name(sql, words, at) else {
        return Ddl::Other;
    };
    let end = words.last().map_or(0, |word| word.span.end);
    match words.get(at).map(|word| word.text.as_str()) {
        None => Ddl::Delete {
            table,
            condition: None,
        },
        Some("WHERE") if !words[at..].iter().any(|word| word.text == "RETURNING") => {
            match words.get(at + 1) {
                Some(first) => Ddl::Delete {
                    table,
                    condition: Some(first.span.start..end),
                },
                None => Ddl::Other,
            }
        }
        Some(_) => Ddl::Other,
    }
}

/// An identifier as the catalog keeps it: lower-case unless quoted.
pub(crate) fn unquote_lower(identifier: &str) -> String {
    if identifier.starts_with('"') {
        unquote(identifier)
    } else {
        identifier.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_with_and_without_concurrently() {
        let read = |sql: &str| match read(sql) {
            Ddl::CreateIndex {
                concurrently,
                after_index,
                ..
            }
            | Ddl::DropIndex {
                concurrently,
                after_index,
                ..
            } => (concurrently, sql[..after_index].to_owned()),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            read("create unique index i on t (a)"),
            (false, "create unique index".to_owned())
        );
        assert!(read("CREATE /* x */ INDEX CONCURRENTLY ON t (a)").0);
        assert_eq!(
            read("DROP INDEX IF EXISTS i"),
            (false, "DROP INDEX".to_owned())
        );
    }

    #[test]
    fn actions_of_alter_table() {
        let Ddl::AlterTable {
            table,
            actions,
            plain: false,
            ..
        } = read(
            "ALTER TABLE IF EXISTS shop.\"Order\" ADD CONSTRAINT c CHECK (a > 0 AND b IN (1, 2)), ALTER a SET NOT NULL, \
             ALTER COLUMN b TYPE bigint, ADD COLUMN x text, ADD UNIQUE (a, b), ADD FOREIGN KEY (a) REFERENCES t NOT VALID",
        )
        else {
            panic!()
        };
        assert_eq!(table, "shop.\"Order\"");
        let kinds: Vec<String> = actions
            .iter()
            .map(|a| {
                format!("{a:?}")
                    .split([' ', '{'])
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(
            kinds,
            [
                "AddConstraint",
                "SetNotNull",
                "ChangeType",
                "AddColumn",
                "AddKey",
                "AddConstraint"
            ]
        );
        assert!(matches!(
            &actions[5],
            Action::AddConstraint {
                not_valid: true,
                kind: ConstraintKind::ForeignKey,
                ..
            }
        ));
    }

    #[test]
    fn types_are_found_as_they_are_written() {
        let action = |sql: &str| match read(sql) {
            Ddl::AlterTable { mut actions, .. } => actions.remove(0),
            other => panic!("{other:?}"),
        };
        let sql = "ALTER TABLE t ALTER COLUMN a SET DATA TYPE numeric(12, 2)";
        let Action::ChangeType {
            data_type,
            plain: true,
            ..
        } = action(sql)
        else {
            panic!()
        };
        assert_eq!(&sql[data_type], "numeric(12, 2)");
        let sql = "ALTER TABLE t ALTER a TYPE int USING a::int";
        assert!(matches!(
            action(sql),
            Action::ChangeType { plain: false, .. }
        ));
    }

    #[test]
    fn deletes_and_rebuilds() {
        let sql = "DELETE FROM shop.events WHERE at < now() - interval '1 year'";
        let Ddl::Delete {
            table,
            condition: Some(condition),
        } = read(sql)
        else {
            panic!()
        };
        assert_eq!(
            (table.as_str(), &sql[condition]),
            ("shop.events", "at < now() - interval '1 year'")
        );
        assert_eq!(read("DELETE FROM a USING b WHERE a.id = b.id"), Ddl::Other);
        assert_eq!(
            read("vacuum (full, analyze) a"),
            Ddl::Compact(Compaction::VacuumFull)
        );
        assert_eq!(read("VACUUM (ANALYZE) a"), Ddl::Other);
        assert_eq!(
            read("REINDEX INDEX CONCURRENTLY i"),
            Ddl::CanBeConcurrent {
                concurrently: true,
                after: 13
            }
        );
        assert_eq!(
            read("REFRESH MATERIALIZED VIEW v"),
            Ddl::CanBeConcurrent {
                concurrently: false,
                after: 25
            }
        );
    }

    #[test]
    fn updates_with_and_without_condition() {
        let sql = "UPDATE orders SET a = (SELECT 1 WHERE true), b = 2 WHERE a IS NULL";
        let Ddl::Update {
            table,
            set,
            condition,
        } = read(sql)
        else {
            panic!()
        };
        assert_eq!(
            (table.as_str(), &sql[set], &sql[condition.unwrap()]),
            ("orders", "a = (SELECT 1 WHERE true), b = 2", "a IS NULL")
        );
        assert_eq!(read("UPDATE a SET x = 1 FROM b"), Ddl::Other);
    }

    #[test]
    fn broken_statements_are_other() {
        for sql in [
            "",
            "ALTER",
            "ALTER TABLE",
            "ALTER TABLE t ADD",
            "UPDATE t",
            "UPDATE t SET",
            "DROP INDEX",
            "CREATE INDEX",
            "ALTER TABLE t ADD CONSTRAINT",
        ] {
            let _ = read(sql);
        }
    }
}
