//! What ADD COLUMN says of its column: type, default, NOT NULL and the constraints that stand in the same line. Pure.

use std::ops::Range;

use super::{Action, Word, unquote_lower};

/// What ADD COLUMN says of its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewColumn {
    /// GENERATED … STORED.
    GeneratedStored,
    /// A sequence gives each row its value: serial, IDENTITY.
    Numbered,
    /// A type with what follows it.
    Written(ColumnText),
    /// Anything else.
    Other,
}

/// A column as it is written, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnText {
    /// The type, with its collation.
    pub data_type: Range<usize>,
    /// What follows DEFAULT.
    pub default: Option<Range<usize>>,
    pub not_null: bool,
    /// In the order in which they stand.
    pub constraints: Vec<ColumnConstraint>,
}

/// A constraint in a column's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnConstraint {
    /// What follows CONSTRAINT.
    pub name: Option<String>,
    pub kind: ColumnConstraintKind,
    /// From its first word on.
    pub text: Range<usize>,
}

/// What a constraint in a column's line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnConstraintKind {
    Check,
    References,
    Unique,
    PrimaryKey,
}

pub(super) fn add_column(sql: &str, words: &[Word]) -> Action {
    let at = words
        .iter()
        .skip(1)
        .position(|w| !matches!(w.text.as_str(), "COLUMN" | "IF" | "NOT" | "EXISTS"));
    let Some((at, word)) = at.and_then(|at| Some((at + 1, words.get(at + 1)?))) else {
        return Action::Other;
    };
    let column = unquote_lower(&sql[word.span.clone()]);
    let has = |wanted: &str| words.iter().any(|word| word.text == wanted);
    let rest = &words[at + 1..];
    let definition = if has("GENERATED") && has("STORED") {
        NewColumn::GeneratedStored
    } else if has("IDENTITY")
        || rest
            .first()
            .is_some_and(|word| word.text.contains("SERIAL"))
    {
        NewColumn::Numbered
    } else {
        written(sql, rest).map_or(NewColumn::Other, NewColumn::Written)
    };
    Action::AddColumn { column, definition }
}

/// `timestamptz DEFAULT clock_timestamp() NOT NULL CHECK (…)`, in any order behind the type.
fn written(sql: &str, words: &[Word]) -> Option<ColumnText> {
    let starts = clauses(words);
    let first = starts.first().copied().unwrap_or(words.len());
    let data_type = span(words.get(..first)?)?;
    let mut found = ColumnText {
        data_type,
        default: None,
        not_null: false,
        constraints: Vec::new(),
    };
    let mut name = None;
    for (n, start) in starts.iter().copied().enumerate() {
        let clause = &words[start..starts.get(n + 1).copied().unwrap_or(words.len())];
        let kind = match (clause[0].text.as_str(), clause.len()) {
            ("DEFAULT", 2..) => {
                found.default = span(&clause[1..]);
                continue;
            }
            ("NOT", 2) => {
                found.not_null = true;
                continue;
            }
            ("NULL", 1) => continue,
            ("CONSTRAINT", 2) => {
                name = Some(unquote_lower(&sql[clause[1].span.clone()]));
                continue;
            }
            ("CHECK", _) => ColumnConstraintKind::Check,
            ("REFERENCES", _) => ColumnConstraintKind::References,
            // What follows (DEFERRABLE, USING INDEX TABLESPACE…) an index alone cannot say.
            ("UNIQUE", 1) => ColumnConstraintKind::Unique,
            ("PRIMARY", 2) => ColumnConstraintKind::PrimaryKey,
            _ => return None,
        };
        found.constraints.push(ColumnConstraint {
            name: name.take(),
            kind,
            text: span(clause)?,
        });
    }
    Some(found)
}

/// Where the clauses behind the type begin.
fn clauses(words: &[Word]) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (n, word) in words.iter().enumerate() {
        let next = || words.get(n + 1).map(|word| word.text.as_str());
        let before = n.checked_sub(1).map(|n| words[n].text.as_str());
        let begins = match word.text.as_str() {
            "(" => {
                depth += 1;
                false
            }
            ")" => {
                depth = depth.saturating_sub(1);
                false
            }
            // `NOT DEFERRABLE`, `ON DELETE SET NULL`, `DEFAULT NULL` belong to what stands before them.
            "NOT" => next() == Some("NULL"),
            "NULL" => !matches!(before, Some("NOT" | "SET" | "DEFAULT")),
            "DEFAULT" => before != Some("SET"),
            "CHECK" | "UNIQUE" | "PRIMARY" | "REFERENCES" | "CONSTRAINT" | "GENERATED" => true,
            _ => false,
        };
        if begins && depth == 0 {
            found.push(n);
        }
    }
    found
}

fn span(words: &[Word]) -> Option<Range<usize>> {
    Some(words.first()?.span.start..words.last()?.span.end)
}

#[cfg(test)]
mod tests {
    use super::super::{Ddl, read};
    use super::*;

    fn column(sql: &str) -> NewColumn {
        match read(sql) {
            Ddl::AlterTable { mut actions, .. } => match actions.remove(0) {
                Action::AddColumn { definition, .. } => definition,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn text(sql: &str) -> ColumnText {
        match column(sql) {
            NewColumn::Written(text) => text,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn types_and_defaults_are_found_as_they_are_written() {
        let sql =
            "ALTER TABLE t ADD COLUMN a double precision NOT NULL DEFAULT round(random() * 2) + 1";
        let found = text(sql);
        assert_eq!(
            (&sql[found.data_type], found.not_null),
            ("double precision", true)
        );
        assert_eq!(&sql[found.default.unwrap()], "round(random() * 2) + 1");
        let sql = "ALTER TABLE t ADD a text COLLATE \"C\" DEFAULT NULL";
        let found = text(sql);
        assert_eq!(
            (&sql[found.data_type], &sql[found.default.unwrap()]),
            ("text COLLATE \"C\"", "NULL")
        );
        assert_eq!(
            column("ALTER TABLE t ADD COLUMN IF NOT EXISTS id bigserial PRIMARY KEY"),
            NewColumn::Numbered
        );
        assert_eq!(
            column("ALTER TABLE t ADD a int GENERATED ALWAYS AS (b + 1) STORED"),
            NewColumn::GeneratedStored
        );
    }

    #[test]
    fn constraints_of_the_line_are_told_apart() {
        let sql = "ALTER TABLE t ADD COLUMN a int DEFAULT 1 CONSTRAINT small CHECK (a < 9 AND a IS NOT NULL) NOT NULL \
                   REFERENCES b (id) ON DELETE SET NULL ON UPDATE SET DEFAULT NOT DEFERRABLE UNIQUE";
        let found = text(sql);
        assert!(found.not_null);
        let constraints: Vec<_> = found
            .constraints
            .iter()
            .map(|c| (c.name.as_deref(), c.kind, &sql[c.text.clone()]))
            .collect();
        assert_eq!(
            constraints,
            [
                (
                    Some("small"),
                    ColumnConstraintKind::Check,
                    "CHECK (a < 9 AND a IS NOT NULL)"
                ),
                (
                    None,
                    ColumnConstraintKind::References,
                    "REFERENCES b (id) ON DELETE SET NULL ON UPDATE SET DEFAULT NOT DEFERRABLE"
                ),
                (None, ColumnConstraintKind::Unique, "UNIQUE"),
            ]
        );
        assert_eq!(
            text("ALTER TABLE t ADD a uuid PRIMARY KEY").constraints[0].kind,
            ColumnConstraintKind::PrimaryKey
        );
    }

    #[test]
    fn what_an_index_cannot_say_is_not_guessed() {
        for sql in [
            "ALTER TABLE t ADD a int UNIQUE DEFERRABLE",
            "ALTER TABLE t ADD a",
            "ALTER TABLE t ADD COLUMN IF",
        ] {
            let Ddl::AlterTable { actions, .. } = read(sql) else {
                panic!()
            };
            let guessed = |action: &Action| {
                matches!(
                    action,
                    Action::AddColumn {
                        definition: NewColumn::Written(_) | NewColumn::Numbered,
                        ..
                    }
                )
            };
            assert!(!actions.iter().any(guessed), "{sql}: {actions:?}");
        }
    }
}
