//! Safer forms of a migration's statement: the same end, without holding the table. Only what can be run as it stands is
//! given as statements; the rest is advice. Pure.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::schema::{Index, Schema, Table, quote_identifier};
use crate::units::Millis;

use super::observation::StatementObservation;
use crate::sql::ddl::{Action, Compaction, Ddl, DropText, NewColumn, read};
use crate::sql::names::unquote_lower;

mod attach;
mod column;
mod constraint;
mod names;
mod new_column;
mod partitioned;

/// How many rows a batch changes.
const BATCH: u64 = 10_000;

/// What to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaferForm {
    /// Statements that end in the same schema, each outside a transaction of its neighbours; empty where only advice is known.
    pub statements: Vec<String>,
    /// Why it is safer, one sentence without a full stop.
    pub why: String,
}

/// A statement that works for less than this needs no other form for its own sake.
const SHORT: Millis = Millis(50.0);
/// A lock that others keep for less than this after its statement is done is no reason to split a file.
const KEPT: Millis = Millis(20.0);

/// A safer form of a statement that was seen to hurt: of what it did, not only of what it says. What was done in a moment needs
/// none of its own; a lock that the rest of its file keeps asks for a file of its own first.
#[must_use]
pub fn advised(statement: &StatementObservation, schema: &Schema) -> Option<SaferForm> {
    let sql = &statement.place.sql;
    let worked = !statement.rewritten.is_empty() || !statement.scanned.is_empty();
    let own = match read(sql) {
        Ddl::AlterTable { actions, .. } if actions == [Action::DetachPartition] => {
            safer(sql, schema)
        }
        // Widening a varchar, SET NOT NULL behind a CHECK, NOT VALID, an index on an empty table: nothing was to be done.
        Ddl::AlterTable { .. } | Ddl::CreateIndex { .. } | Ddl::CanBeConcurrent { .. }
            if !worked && statement.duration.0 < SHORT.0 =>
        {
            None
        }
        Ddl::AlterTable { .. } => safer(sql, schema).or_else(|| of_a_constrained_domain(statement)),
        _ => safer(sql, schema),
    };
    let Some(apart) = apart(statement) else {
        return own;
    };
    Some(match own {
        None => SaferForm {
            statements: vec![sql.clone()],
            why: apart,
        },
        Some(own) => SaferForm {
            why: format!("{apart}; {}", own.why),
            ..own
        },
    })
}

/// A column that rewrites its table although nothing in its line asks for that.
fn of_a_constrained_domain(statement: &StatementObservation) -> Option<SaferForm> {
    let Ddl::AlterTable { actions, .. } = read(&statement.place.sql) else {
        return None;
    };
    let adds = |action: &Action| matches!(action, Action::AddColumn { definition: NewColumn::Written(text), .. } if text.constraints.is_empty());
    let rewrites = !statement.rewritten.is_empty() && actions.iter().any(adds);
    rewrites.then(|| {
        advice(
            "a column of a domain with a CHECK or NOT NULL is written into every row: add it with the domain's base type and the check on the \
             table, NOT VALID and validated",
        )
    })
}

/// Why the statement belongs in a file of its own, where it does.
fn apart(statement: &StatementObservation) -> Option<String> {
    if !statement.in_transaction {
        return None;
    }
    let own = statement
        .locks
        .iter()
        .filter(|lock| lock.mode.blocks_writes());
    let own = own.max_by_key(|lock| lock.mode);
    let bare = |relation: &str| {
        relation
            .strip_prefix("public.")
            .unwrap_or(relation)
            .to_owned()
    };
    if let (None, Some(inherited)) = (own, statement.inherited.iter().max_by_key(|i| i.lock.mode)) {
        let what = match read(&statement.place.sql) {
            Ddl::AlterTable { actions, .. } if actions == [Action::Validate] => {
                "VALIDATE in a transaction (file) of its own: alone it reads the table while it is written to"
            }
            // What it takes itself does not show under a stronger lock.
            _ => "split the file, with this statement in a transaction (file) of its own",
        };
        return (statement.duration.0 >= KEPT.0).then(|| {
            format!(
                "{what}; here it runs under the {} on {} that line {} took",
                inherited.lock.mode,
                bare(&inherited.lock.relation),
                inherited.taken_at
            )
        });
    }
    let kept = statement.locks_held.0 - statement.duration.0;
    let own = own.filter(|_| kept >= KEPT.0 && kept >= statement.duration.0)?;
    Some(format!(
        "split the file: in a transaction (file) of its own it holds {} on {} for about {}, here for {}, until the file ends",
        own.mode,
        bare(&own.relation),
        statement.duration,
        statement.locks_held
    ))
}

/// A safer form of a statement, as the schema before it tells; `None` where none is known or needed.
#[must_use]
pub fn safer(sql: &str, schema: &Schema) -> Option<SaferForm> {
    match read(sql) {
        Ddl::CreateIndex { concurrently: false, after_index, text } => {
            let parent = text.as_ref().and_then(|text| find(schema, &text.table));
            match (&text, parent) {
                (Some(text), Some(parent)) if partitioned::is_partitioned(Some(parent)) => {
                    // Of the parent alone it is done in a moment.
                    (!text.only).then(|| partitioned::create_index(sql, text, parent, schema))
                }
                _ => Some(SaferForm {
                    statements: vec![insert(sql, after_index, " CONCURRENTLY")],
                    why:
                        "CONCURRENTLY builds the index while the table is written to; it must run outside a transaction"
                            .to_owned(),
                }),
            }
        }
        Ddl::DropIndex { concurrently: false, text, .. } => Some(drop_index(&text, schema)),
        Ddl::AlterTable { table, plain, actions, texts } => match actions.as_slice() {
            [action] => alter(sql, &table, action, schema),
            _ if plain => one_by_one(sql, &table, &actions, &texts, schema),
            _ => None,
        },
        Ddl::Update { table, set, condition } => {
            let change = format!("UPDATE {table} SET {}", &sql[set]);
            Some(in_batches(&table, &change, condition.map(|span| &sql[span]), find(schema, &table)?))
        }
        Ddl::Delete { table, condition } => {
            let change = format!("DELETE FROM {table}");
            Some(in_batches(&table, &change, condition.map(|span| &sql[span]), find(schema, &table)?))
        }
        Ddl::CanBeConcurrent { concurrently: false, after } => Some(SaferForm {
            statements: vec![insert(sql, after, " CONCURRENTLY")],
            why: "CONCURRENTLY makes the new one beside the old one, which is used until then; it must run outside a \
                  transaction"
                .to_owned(),
        }),
        Ddl::Compact(compaction) => Some(compact(compaction)),
        Ddl::DomainCheck { domain, name, text, not_valid: false } => {
            Some(domain_check(&domain, name.as_deref(), &sql[text], schema))
        }
        Ddl::CreateIndex { .. } | Ddl::DropIndex { .. } | Ddl::CanBeConcurrent { .. }
        | Ddl::DomainCheck { .. } | Ddl::Other => None,
    }
}

/// One by one: CONCURRENTLY drops no two, and nothing that hangs on them.
fn drop_index(text: &DropText, schema: &Schema) -> SaferForm {
    let of_partitioned = |written: &String| {
        let bare = constraint::bare(written);
        let parents = schema
            .tables
            .iter()
            .filter(|table| partitioned::is_partitioned(Some(table)));
        parents
            .into_iter()
            .any(|table| table.indexes.iter().any(|index| index.name == bare))
    };
    if text.names.iter().any(of_partitioned) {
        return partitioned::drop_index();
    }
    if text.cascade {
        return advice(
            "CONCURRENTLY drops nothing that hangs on an index: drop that first, then the index CONCURRENTLY, outside a \
             transaction",
        );
    }
    let exists = if text.if_exists { "IF EXISTS " } else { "" };
    SaferForm {
        statements: text.names.iter().map(|name| format!("DROP INDEX CONCURRENTLY {exists}{name}")).collect(),
        why: "CONCURRENTLY waits for readers without stopping new ones; it must run outside a transaction".to_owned(),
    }
}

fn insert(sql: &str, at: usize, text: &str) -> String {
    format!("{}{text}{}", &sql[..at], &sql[at..])
}

fn find<'a>(schema: &'a Schema, written: &str) -> Option<&'a Table> {
    match written.rsplit_once('.') {
        Some((namespace, name)) => {
            schema.table(Some(&unquote_lower(namespace)), &unquote_lower(name))
        }
        None => schema.table(None, &unquote_lower(written)),
    }
}

/// Several actions in one statement hold the table for all of them: each gets a statement of its own, in its safer form.
fn one_by_one(
    sql: &str,
    table: &str,
    actions: &[Action],
    texts: &[Range<usize>],
    schema: &Schema,
) -> Option<SaferForm> {
    let forms: Vec<Option<SaferForm>> = actions
        .iter()
        .map(|action| alter(sql, table, action, schema))
        .collect();
    let first = forms.iter().flatten().next()?.why.clone();
    if let Some(advice) = forms
        .iter()
        .flatten()
        .find(|form| form.statements.is_empty())
    {
        return Some(advice.clone());
    }
    let statements = forms
        .into_iter()
        .zip(texts)
        .flat_map(|(form, text)| match form {
            Some(form) => form.statements,
            None => vec![format!("ALTER TABLE {table} {}", &sql[text.clone()])],
        });
    Some(SaferForm {
        statements: statements.collect(),
        why: format!("each action by itself; {first}"),
    })
}

fn alter(sql: &str, table: &str, action: &Action, schema: &Schema) -> Option<SaferForm> {
    match action {
        Action::AddConstraint {
            not_valid: true, ..
        }
        | Action::Validate
        | Action::Other => None,
        Action::AddConstraint {
            name,
            kind,
            text,
            not_valid: false,
        } => Some(constraint::add(
            table,
            name.as_deref(),
            *kind,
            &sql[text.clone()],
            schema,
        )),
        Action::AddKey {
            name,
            primary,
            columns,
        } => Some(constraint::add_key(
            table,
            name.as_deref(),
            *primary,
            &sql[columns.clone()],
            schema,
        )),
        Action::SetNotNull { column } => {
            constraint::set_not_null(table, column, find(schema, table))
        }
        Action::ChangeType {
            column,
            data_type,
            plain,
        } => Some(column::change_type(
            table,
            column,
            &sql[data_type.clone()],
            *plain,
            find(schema, table),
        )),
        Action::AttachPartition { partition, bound } => {
            attach::attach(sql, table, partition, &sql[bound.clone()], schema)
        }
        Action::DetachPartition => Some(SaferForm {
            statements: vec![format!("{sql} CONCURRENTLY")],
            why: "CONCURRENTLY detaches the partition while the table is read and written to; it must run outside a transaction, \
                  and takes no table with a default partition"
                .to_owned(),
        }),
        Action::AddExclusion => Some(advice(
            "PostgreSQL builds an exclusion constraint's index under a lock that stops writes, and has no form without it: \
             add it while the table is small, in a quiet hour, or to a new table that is filled beside the old one",
        )),
        Action::MoveFiles => Some(advice(
            "the table's files are copied while nobody can use it, and no SQL does it otherwise: pg_repack moves a table \
             beside its traffic (--tablespace), or a new table is filled in batches and takes the old one's name",
        )),
        Action::AddColumn {
            definition: NewColumn::Numbered,
            ..
        } => Some(advice(
            "numbering the rows rewrites the table: add a plain bigint column and a sequence, set nextval as its default for new \
             rows, number the others in batches, and make it IDENTITY or NOT NULL at the end",
        )),
        Action::AddColumn {
            column,
            definition: NewColumn::GeneratedStored,
        } => Some(SaferForm {
            statements: Vec::new(),
            why: format!(
                "add {} as a plain column, keep it by a trigger and fill it in batches: a stored generated column rewrites the \
                 table under its strongest lock",
                quote_identifier(column)
            ),
        }),
        Action::AddColumn {
            column,
            definition: NewColumn::Written(text),
        } => new_column::add(sql, table, column, text, schema),
        Action::AddColumn {
            definition: NewColumn::Other,
            ..
        } => None,
    }
}

/// A domain's check reads every table that has a column of it.
fn domain_check(domain: &str, name: Option<&str>, text: &str, schema: &Schema) -> SaferForm {
    /// Before, VALIDATE of a domain's constraint stops writes to each table while it reads it.
    const READS_BESIDE_WRITES: u32 = 18;
    match name.filter(|_| schema.server.major() >= READS_BESIDE_WRITES) {
        Some(name) => {
            let name = quote_identifier(name);
            SaferForm {
                statements: vec![
                    format!("ALTER DOMAIN {domain} ADD CONSTRAINT {name} {text} NOT VALID"),
                    format!("ALTER DOMAIN {domain} VALIDATE CONSTRAINT {name}"),
                ],
                why: "NOT VALID checks new values from then on and reads nothing; VALIDATE then reads the tables while they are written to"
                    .to_owned(),
            }
        }
        None => advice(
            "add the domain's check NOT VALID, which holds for new values and reads nothing; VALIDATE stops writes to each table while it \
             reads it, so run it in a quiet hour, or put the check on the tables, NOT VALID and validated",
        ),
    }
}

/// What is known in words alone.
fn advice(why: &str) -> SaferForm {
    SaferForm {
        statements: Vec::new(),
        why: why.to_owned(),
    }
}

fn compact(compaction: Compaction) -> SaferForm {
    advice(match compaction {
        Compaction::VacuumFull => {
            "no SQL gives a table's space back without holding it: plain VACUUM makes the space free for new rows and stops nobody; \
             pg_repack or pg_squeeze write the table anew beside its traffic and hold it for a moment at the end"
        }
        Compaction::Cluster => {
            "no SQL puts a table's rows in order without holding it: pg_repack (--order-by) or pg_squeeze do it beside its traffic and \
             hold it for a moment at the end; rows that come later are in no order again, so a covering index may serve better"
        }
    })
}

/// An UPDATE or DELETE of a table with a single integer key, a key range and a transaction at a time.
fn in_batches(table: &str, change: &str, condition: Option<&str>, known: &Table) -> SaferForm {
    let why = format!(
        "batches of {BATCH} keys, each with its own COMMIT, hold few rows for a short time, and can be stopped"
    );
    SaferForm {
        statements: batches(table, change, condition, known)
            .into_iter()
            .collect(),
        why,
    }
}

/// The statement that does it; `None` without such a key.
fn batches(table: &str, change: &str, condition: Option<&str>, known: &Table) -> Option<String> {
    let [key] = known.primary_key()[..] else {
        return None;
    };
    let integer = known
        .column(key)
        .is_some_and(|c| matches!(c.data_type.name.as_str(), "bigint" | "integer" | "smallint"));
    if !integer
        || known
            .indexes
            .iter()
            .any(|index: &Index| index.primary && index.keys.len() != 1)
    {
        return None;
    }
    let key = quote_identifier(key);
    let also = condition
        .map(|condition| format!(" AND ({condition})"))
        .unwrap_or_default();
    Some(format!(
        "DO $batches$\nDECLARE\n  next_key bigint := (SELECT min({key}) FROM {table});\n  last_key bigint := (SELECT max({key}) FROM {table});\n\
         BEGIN\n  WHILE next_key <= last_key LOOP\n    {change}\n      WHERE {key} >= next_key AND {key} < next_key + {BATCH}{also};\n\
         \x20   COMMIT;\n    next_key := next_key + {BATCH};\n  END LOOP;\nEND\n$batches$"
    ))
}
