//! What ADD COLUMN says of its column: type, default, NOT NULL and the constraints that stand in the same line. Pure.

use std::ops::Range;

use squawk_syntax::ast::{AddColumn, AstNode, Constraint, GeneratedAs, GeneratedStored, Type};

use super::{Action, constraint_name, span, span_of, start, unquote_lower, written};

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

pub(super) fn add_column(sql: &str, add: &AddColumn) -> Option<Action> {
    let definition = if generated(add).any(|kind| matches!(kind, GeneratedAs::GeneratedIdentity(_)))
        || is_serial(sql, &add.ty()?)
    {
        NewColumn::Numbered
    } else if generated(add)
        .any(|kind| matches!(&kind, GeneratedAs::GeneratedStored(g) if is_stored(sql, g)))
    {
        NewColumn::GeneratedStored
    } else {
        column_text(sql, add).map_or(NewColumn::Other, NewColumn::Written)
    };
    Some(Action::AddColumn {
        column: unquote_lower(written(sql, &add.column_name()?)),
        definition,
    })
}

fn generated(add: &AddColumn) -> impl Iterator<Item = GeneratedAs> {
    add.constraints().filter_map(|constraint| match constraint {
        Constraint::GeneratedConstraint(generated) => generated.generated_as(),
        _ => None,
    })
}

/// VIRTUAL, which is what 18 takes where neither is written, stores nothing.
fn is_stored(sql: &str, generated: &GeneratedStored) -> bool {
    generated
        .generated_kind()
        .is_some_and(|kind| written(sql, &kind).eq_ignore_ascii_case("stored"))
}

/// The names that `transformColumnDefinition` (parse_utilcmd.c) takes for a sequence's column, where they are unqualified.
fn is_serial(sql: &str, data_type: &Type) -> bool {
    let name = written(sql, data_type).to_ascii_lowercase();
    matches!(
        name.as_str(),
        "smallserial" | "serial2" | "serial" | "serial4" | "bigserial" | "serial8"
    )
}

/// `timestamptz DEFAULT clock_timestamp() NOT NULL CHECK (…)`, in any order behind the type.
fn column_text(sql: &str, add: &AddColumn) -> Option<ColumnText> {
    if add.alter_option_list().is_some() {
        return None;
    }
    let data_type = span(&add.ty()?);
    let until = add
        .collate()
        .map_or(data_type.end, |collate| span(&collate).end);
    let mut found = ColumnText {
        data_type: data_type.start..until,
        default: None,
        not_null: false,
        constraints: Vec::new(),
    };
    for constraint in add.constraints() {
        let until = span_of(constraint.syntax()).end;
        let (name, kind, begin) = match &constraint {
            Constraint::DefaultConstraint(default) => {
                found.default = Some(span(&default.expr()?));
                continue;
            }
            Constraint::NotNullConstraint(_) => {
                found.not_null = true;
                continue;
            }
            Constraint::NullConstraint(_) => continue,
            Constraint::CheckConstraint(check) => (
                check.constraint_name_clause(),
                ColumnConstraintKind::Check,
                start(check.check_token())?,
            ),
            Constraint::ReferencesConstraint(key) => (
                key.constraint_name_clause(),
                ColumnConstraintKind::References,
                start(key.references_token())?,
            ),
            Constraint::UniqueConstraint(key) => (
                key.constraint_name_clause(),
                ColumnConstraintKind::Unique,
                start(key.unique_token())?,
            ),
            Constraint::PrimaryKeyConstraint(key) => (
                key.constraint_name_clause(),
                ColumnConstraintKind::PrimaryKey,
                start(key.primary_token())?,
            ),
            Constraint::ExcludeConstraint(_)
            | Constraint::ForeignKeyConstraint(_)
            | Constraint::GeneratedConstraint(_) => return None,
        };
        let text = &sql[begin..until];
        let words = text.split_whitespace().count();
        // What follows (DEFERRABLE, USING INDEX TABLESPACE…) an index alone cannot say.
        match kind {
            ColumnConstraintKind::Unique if words > 1 => return None,
            ColumnConstraintKind::PrimaryKey if words > 2 => return None,
            _ => {}
        }
        found.constraints.push(ColumnConstraint {
            name: constraint_name(sql, name),
            kind,
            text: begin..until,
        });
    }
    Some(found)
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
        assert!(matches!(
            column("ALTER TABLE t ADD a int UNIQUE DEFERRABLE"),
            NewColumn::Other
        ));
        for sql in ["ALTER TABLE t ADD a", "ALTER TABLE t ADD COLUMN IF"] {
            assert_eq!(read(sql), Ddl::Other, "{sql}");
        }
    }
}
