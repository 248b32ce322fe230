//! Statements that come through and leave something else than was meant. Pure.

use std::collections::BTreeSet;

use crate::sql::ddl::{Ddl, read};
use crate::sql::token::{TokenKind, tokens};

use super::observation::{StatementObservation, StatementPlace};

/// A trap and the statement that walks into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    pub place: StatementPlace,
    pub kind: TrapKind,
}

/// What is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrapKind {
    /// CREATE INDEX CONCURRENTLY IF NOT EXISTS: a try that failed leaves an invalid index, which the next takes for done.
    SkipsInvalidIndex { index: String },
    /// Row security is on and no policy lets a row through: whoever does not own the table sees none.
    NoPolicy { table: String },
}

/// The traps of a migration. `without_policy` are tables, as `schema.name`, on which row security is on in the end and no policy.
#[must_use]
pub fn traps(statements: &[StatementObservation], without_policy: &BTreeSet<String>) -> Vec<Trap> {
    let mut found = Vec::new();
    for statement in statements {
        let place = &statement.place;
        let kinds = [
            skips_invalid_index(&place.sql),
            no_policy(statement, without_policy),
        ];
        found.extend(kinds.into_iter().flatten().map(|kind| Trap {
            place: place.clone(),
            kind,
        }));
    }
    found
}

fn has(sql: &str, sought: &[&str]) -> bool {
    let known = tokens(sql).into_iter();
    let words: Vec<String> = known
        .filter(|token| token.kind == TokenKind::Ident)
        .map(|token| sql[token.span].to_ascii_uppercase())
        .collect();
    words.windows(sought.len()).any(|words| words == sought)
}

fn skips_invalid_index(sql: &str) -> Option<TrapKind> {
    let Ddl::CreateIndex {
        concurrently: true,
        text: Some(text),
        ..
    } = read(sql)
    else {
        return None;
    };
    let index = text.name?;
    has(sql, &["IF", "NOT", "EXISTS"]).then_some(TrapKind::SkipsInvalidIndex { index })
}

fn no_policy(
    statement: &StatementObservation,
    without_policy: &BTreeSet<String>,
) -> Option<TrapKind> {
    let sql = &statement.place.sql;
    if !has(sql, &["ENABLE", "ROW", "LEVEL", "SECURITY"]) {
        return None;
    }
    let Ddl::AlterTable { table, .. } = read(sql) else {
        return None;
    };
    let bare = crate::sql::names::unquote_lower(table.rsplit('.').next().unwrap_or(&table));
    let mut open = without_policy.iter();
    let table = open.find(|name| name.rsplit('.').next() == Some(bare.as_str()))?;
    Some(TrapKind::NoPolicy {
        table: table.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_try_skips_an_invalid_index() {
        let found = skips_invalid_index("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_day ON t (a)");
        let index = "by_day".to_owned();
        assert_eq!(found, Some(TrapKind::SkipsInvalidIndex { index }));
        for quiet in [
            "CREATE INDEX CONCURRENTLY by_day ON t (a)",
            "CREATE INDEX IF NOT EXISTS by_day ON t (a)",
            "CREATE TABLE IF NOT EXISTS t (a int)",
        ] {
            assert_eq!(skips_invalid_index(quiet), None, "{quiet}");
        }
    }
}
