//! What a migration's statement is, read from its tokens as far as a safer form needs it. What is not recognized is
//! `Other`: nothing is guessed. Pure.

use std::ops::Range;

use squawk_lexer::{TokenKind, tokenize};

use super::condition::unquote;

/// A statement as the migration report sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ddl {
    /// CREATE INDEX.
    CreateIndex {
        concurrently: bool,
        /** Where CONCURRENTLY would go. */
        after_index: usize,
    },
    /// DROP INDEX.
    DropIndex { concurrently: bool, after_index: usize },
    /// ALTER TABLE with its actions.
    AlterTable { table: String, actions: Vec<Action> },
    /// UPDATE without joins.
    Update { table: String, set: Range<usize>, condition: Option<Range<usize>> },
    /// VACUUM, CLUSTER, ANALYZE…: nothing safer is known.
    Other,
}

/// One action of ALTER TABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// ADD [CONSTRAINT name] CHECK or FOREIGN KEY.
    AddConstraint { name: Option<String>, kind: ConstraintKind, text: Range<usize>, not_valid: bool },
    /// ADD [CONSTRAINT name] UNIQUE or PRIMARY KEY with its columns.
    AddKey { name: Option<String>, primary: bool, columns: Range<usize> },
    /// ALTER COLUMN … SET NOT NULL.
    SetNotNull { column: String },
    /// ALTER COLUMN … TYPE.
    ChangeType { column: String },
    /// ADD COLUMN.
    AddColumn { column: String, generated_stored: bool },
    /// VALIDATE CONSTRAINT.
    Validate,
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
        ("CREATE", "INDEX", _) => create_index(&words, 1),
        ("CREATE", "UNIQUE", "INDEX") => create_index(&words, 2),
        ("DROP", "INDEX", next) => {
            Ddl::DropIndex { concurrently: next == "CONCURRENTLY", after_index: words[1].span.end }
        }
        ("ALTER", "TABLE", _) => alter_table(sql, &words),
        ("UPDATE", _, _) => update(sql, &words),
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
            TokenKind::Ident => found.push(Word { text: piece.to_ascii_uppercase(), span }),
            _ => found.push(Word { text: piece.to_owned(), span }),
        }
    }
    found
}

fn create_index(words: &[Word], index: usize) -> Ddl {
    let concurrently = words.get(index + 1).is_some_and(|word| word.text == "CONCURRENTLY");
    Ddl::CreateIndex { concurrently, after_index: words[index].span.end }
}

/// A possibly qualified name at `at`, as written, and the place after it.
fn name(sql: &str, words: &[Word], at: usize) -> Option<(String, usize)> {
    let first = words.get(at)?;
    let mut end = at;
    while words.get(end + 1).is_some_and(|word| word.text == ".") && words.get(end + 2).is_some() {
        end += 2;
    }
    Some((sql[first.span.start..words[end].span.end].to_owned(), end + 1))
}

fn alter_table(sql: &str, words: &[Word]) -> Ddl {
    let mut at = 2;
    for optional in ["IF", "EXISTS", "ONLY"] {
        if words.get(at).is_some_and(|word| word.text == optional) {
            at += 1;
        }
    }
    let Some((table, mut at)) = name(sql, words, at) else { return Ddl::Other };
    if words.get(at).is_some_and(|word| word.text == "*") {
        at += 1;
    }
    let mut actions = Vec::new();
    let (mut depth, mut start) = (0_usize, at);
    for n in at..=words.len() {
        match words.get(n).map(|word| word.text.as_str()) {
            Some("(") => depth += 1,
            Some(")") => depth = depth.saturating_sub(1),
            Some(",") if depth == 0 => {
                actions.push(action(sql, &words[start..n]));
                start = n + 1;
            }
            None => actions.push(action(sql, &words[start.min(words.len())..])),
            Some(_) => {}
        }
    }
    Ddl::AlterTable { table, actions }
}

fn action(sql: &str, words: &[Word]) -> Action {
    let text = |n: usize| words.get(n).map_or("", |word| word.text.as_str());
    let written = |n: usize| words.get(n).map(|word| unquote_lower(&sql[word.span.clone()])).unwrap_or_default();
    match (text(0), text(1)) {
        ("ADD", "CONSTRAINT") => constraint(words, Some(&written(2)), 3),
        ("ADD", "CHECK" | "FOREIGN" | "UNIQUE" | "PRIMARY") => constraint(words, None, 1),
        ("ADD", _) => add_column(sql, words),
        ("VALIDATE", "CONSTRAINT") => Action::Validate,
        ("ALTER", _) => {
            let column = if text(1) == "COLUMN" { 2 } else { 1 };
            match (text(column + 1), text(column + 2), text(column + 3)) {
                ("SET", "NOT", "NULL") => Action::SetNotNull { column: written(column) },
                ("TYPE", _, _) | ("SET", "DATA", "TYPE") => Action::ChangeType { column: written(column) },
                _ => Action::Other,
            }
        }
        _ => Action::Other,
    }
}

fn add_column(sql: &str, words: &[Word]) -> Action {
    let at = words.iter().skip(1).position(|w| !matches!(w.text.as_str(), "COLUMN" | "IF" | "NOT" | "EXISTS"));
    let Some(word) = at.and_then(|at| words.get(at + 1)) else { return Action::Other };
    let generated_stored = words.iter().any(|w| w.text == "GENERATED") && words.iter().any(|w| w.text == "STORED");
    Action::AddColumn { column: unquote_lower(&sql[word.span.clone()]), generated_stored }
}

fn constraint(words: &[Word], name: Option<&str>, at: usize) -> Action {
    let (Some(first), Some(last)) = (words.get(at), words.last()) else { return Action::Other };
    let not_valid = words.windows(2).any(|pair| pair[0].text == "NOT" && pair[1].text == "VALID");
    let span = first.span.start..last.span.end;
    let checked = |kind| Action::AddConstraint { name: name.map(str::to_owned), kind, text: span.clone(), not_valid };
    let key = |primary: bool, at: usize| {
        let open = words.iter().skip(at).position(|word| word.text == "(").map(|n| n + at);
        let close = words.iter().rposition(|word| word.text == ")");
        match (open, close) {
            // What follows the columns (INCLUDE, DEFERRABLE…) an index alone cannot say.
            (Some(open), Some(close)) if close + 1 == words.len() && open == at => {
                let columns = words[open].span.start..words[close].span.end;
                Action::AddKey { name: name.map(str::to_owned), primary, columns }
            }
            _ => Action::Other,
        }
    };
    match first.text.as_str() {
        "CHECK" => checked(ConstraintKind::Check),
        "FOREIGN" => checked(ConstraintKind::ForeignKey),
        "UNIQUE" => key(false, at + 1),
        "PRIMARY" => key(true, at + 2),
        _ => Action::Other,
    }
}

fn update(sql: &str, words: &[Word]) -> Ddl {
    let at = usize::from(words.get(1).is_some_and(|word| word.text == "ONLY")) + 1;
    let Some((table, at)) = name(sql, words, at) else { return Ddl::Other };
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
    let (Some(first), Some(last)) = (words.get(at + 1), words.last()) else { return Ddl::Other };
    let end = condition.map_or(last.span.end, |n| words[n - 1].span.end);
    let condition = condition.and_then(|n| words.get(n + 1)).map(|word| word.span.start..last.span.end);
    Ddl::Update { table, set: first.span.start..end, condition }
}

/// An identifier as the catalog keeps it: lower-case unless quoted.
pub(super) fn unquote_lower(identifier: &str) -> String {
    if identifier.starts_with('"') { unquote(identifier) } else { identifier.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_with_and_without_concurrently() {
        let read = |sql: &str| match read(sql) {
            Ddl::CreateIndex { concurrently, after_index } | Ddl::DropIndex { concurrently, after_index } => {
                (concurrently, sql[..after_index].to_owned())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(read("create unique index i on t (a)"), (false, "create unique index".to_owned()));
        assert!(read("CREATE /* x */ INDEX CONCURRENTLY ON t (a)").0);
        assert_eq!(read("DROP INDEX IF EXISTS i"), (false, "DROP INDEX".to_owned()));
    }

    #[test]
    fn actions_of_alter_table() {
        let Ddl::AlterTable { table, actions } = read(
            "ALTER TABLE IF EXISTS shop.\"Order\" ADD CONSTRAINT c CHECK (a > 0 AND b IN (1, 2)), ALTER a SET NOT NULL, \
             ALTER COLUMN b TYPE bigint, ADD COLUMN x text, ADD UNIQUE (a, b), ADD FOREIGN KEY (a) REFERENCES t NOT VALID",
        ) else {
            panic!()
        };
        assert_eq!(table, "shop.\"Order\"");
        let kinds: Vec<String> =
            actions.iter().map(|a| format!("{a:?}").split([' ', '{']).next().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["AddConstraint", "SetNotNull", "ChangeType", "AddColumn", "AddKey", "AddConstraint"]);
        assert!(matches!(&actions[5], Action::AddConstraint { not_valid: true, kind: ConstraintKind::ForeignKey, .. }));
    }

    #[test]
    fn updates_with_and_without_condition() {
        let sql = "UPDATE orders SET a = (SELECT 1 WHERE true), b = 2 WHERE a IS NULL";
        let Ddl::Update { table, set, condition } = read(sql) else { panic!() };
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
