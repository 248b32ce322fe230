//! What a migration's statement is, read from its typed tree as far as a safer form needs it. What is not recognized, or
//! not understood whole, is `Other`: nothing is guessed. Pure.

use std::ops::Range;

use squawk_syntax::ast::{
    AlterColumn, AlterColumnOption, AlterDomain, AlterDomainAction, AlterTable, AlterTableAction,
    AstNode, AttachPartition, Constraint, ConstraintNameClause, ConstraintOption, Delete,
    IndexParameters, Reindex, ReindexTarget, RelationName, SetType, Stmt, Update, Vacuum,
    WhereClauseOrCurrentOf,
};

use super::names::unquote_lower;
use super::transaction::reindexes_concurrently;
use super::tree::{end, read_statement, span, span_of, start};

mod index;
mod new_column;

pub use index::{DropText, IndexText};
pub use new_column::{ColumnConstraint, ColumnConstraintKind, ColumnText, NewColumn};

/// A statement as the migration report sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ddl {
    CreateIndex {
        concurrently: bool,
        /// Where CONCURRENTLY would go.
        after_index: usize,
        text: Option<IndexText>,
    },
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
    /// ALTER DOMAIN … ADD CONSTRAINT … CHECK: the domain, the constraint's name, and its text from CHECK on.
    DomainCheck {
        domain: String,
        name: Option<String>,
        text: Range<usize>,
        not_valid: bool,
    },
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
    /// DETACH PARTITION, without CONCURRENTLY or FINALIZE.
    DetachPartition,
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

/// Reads a statement.
#[must_use]
pub fn read(sql: &str) -> Ddl {
    read_statement(sql, |statement| of_statement(sql, statement)).unwrap_or(Ddl::Other)
}

fn of_statement(sql: &str, statement: &Stmt) -> Ddl {
    let known = match statement {
        Stmt::AlterDomain(alter) => domain_check(sql, alter),
        Stmt::AlterTable(alter) => alter_table(sql, alter),
        Stmt::Cluster(_) => Some(Ddl::Compact(Compaction::Cluster)),
        Stmt::CreateIndex(create) => index::create_index(sql, create),
        Stmt::Delete(delete) => deleted(sql, delete),
        Stmt::DropIndex(drop) => Some(index::drop_index(sql, drop)),
        Stmt::Refresh(refresh) => Some(Ddl::CanBeConcurrent {
            concurrently: refresh.concurrently_token().is_some(),
            after: end(refresh.view_token()),
        }),
        Stmt::Reindex(reindex) => reindexed(reindex),
        Stmt::Update(update) => updated(sql, update),
        Stmt::Vacuum(vacuum) => is_full(vacuum).then_some(Ddl::Compact(Compaction::VacuumFull)),
        _ => None,
    };
    known.unwrap_or(Ddl::Other)
}

fn domain_check(sql: &str, alter: &AlterDomain) -> Option<Ddl> {
    let Some(AlterDomainAction::AddConstraint(add)) = alter.action() else {
        return None;
    };
    let domain = written(sql, &alter.domain_ref()?).to_owned();
    match constraint(sql, &add.constraint()?)? {
        Action::AddConstraint {
            name,
            kind: ConstraintKind::Check,
            text,
            not_valid,
        } => Some(Ddl::DomainCheck {
            domain,
            name,
            text,
            not_valid,
        }),
        _ => None,
    }
}

/// The text of a node.
fn written<'a>(sql: &'a str, node: &impl AstNode) -> &'a str {
    &sql[span(node)]
}

/// `VACUUM FULL` or `VACUUM (FULL)`, unless the option says no.
fn is_full(vacuum: &Vacuum) -> bool {
    let by_option = vacuum
        .vacuum_option_list()
        .into_iter()
        .flat_map(|list| list.vacuum_options())
        .any(|option| {
            let text = option.syntax().text().to_string().to_ascii_lowercase();
            let mut words = text.split_whitespace();
            words.next() == Some("full")
                && !matches!(words.next(), Some("false" | "off" | "0" | "no"))
        });
    vacuum.full_token().is_some() || by_option
}

fn reindexed(reindex: &Reindex) -> Option<Ddl> {
    let keyword = match reindex.reindex_target()? {
        ReindexTarget::ReindexTargetIndex(target) => target.index_token(),
        ReindexTarget::ReindexTargetTable(target) => target.table_token(),
        ReindexTarget::ReindexTargetDatabase(_)
        | ReindexTarget::ReindexTargetSchema(_)
        | ReindexTarget::ReindexTargetSystem(_) => return None,
    };
    Some(Ddl::CanBeConcurrent {
        concurrently: reindexes_concurrently(reindex),
        after: end(keyword),
    })
}

fn updated(sql: &str, update: &Update) -> Option<Ddl> {
    let simple = update.with_clause().is_none()
        && update.alias().is_none()
        && update.for_portion_of().is_none()
        && update.from_clause().is_none()
        && update.returning_clause().is_none();
    if !simple {
        return None;
    }
    Some(Ddl::Update {
        table: table_of(sql, &update.relation_name()?)?,
        set: span(&update.set_clause()?.set_column_list()?),
        condition: condition(update.where_clause_or_current_of())?,
    })
}

fn deleted(sql: &str, delete: &Delete) -> Option<Ddl> {
    let simple = delete.with_clause().is_none()
        && delete.alias().is_none()
        && delete.for_portion_of().is_none()
        && delete.using_clause().is_none()
        && delete.returning_clause().is_none();
    if !simple {
        return None;
    }
    Some(Ddl::Delete {
        table: table_of(sql, &delete.relation_name()?)?,
        condition: condition(delete.where_clause_or_current_of())?,
    })
}

fn table_of(sql: &str, relation: &RelationName) -> Option<String> {
    Some(written(sql, &relation.relation_name_ref()?).to_owned())
}

/// The condition's place, `Some(None)` where there is none; `None` for a cursor's row.
#[expect(
    clippy::option_option,
    reason = "a missing clause and an unfit one differ"
)]
fn condition(clause: Option<WhereClauseOrCurrentOf>) -> Option<Option<Range<usize>>> {
    match clause {
        None => Some(None),
        Some(WhereClauseOrCurrentOf::WhereClause(clause)) => Some(Some(span(&clause.expr()?))),
        Some(WhereClauseOrCurrentOf::WhereCurrentOf(_)) => None,
    }
}

fn alter_table(sql: &str, alter: &AlterTable) -> Option<Ddl> {
    let relation = alter.table_relation_name()?;
    let actions: Vec<AlterTableAction> = alter.actions().collect();
    Some(Ddl::AlterTable {
        table: written(sql, &relation.table_name_ref()?).to_owned(),
        plain: alter.if_exists().is_none() && relation.only_token().is_none(),
        texts: actions.iter().map(span).collect(),
        actions: actions
            .iter()
            .map(|action| of_action(sql, action).unwrap_or(Action::Other))
            .collect(),
    })
}

fn of_action(sql: &str, action: &AlterTableAction) -> Option<Action> {
    match action {
        AlterTableAction::AddColumn(add) => new_column::add_column(sql, add),
        AlterTableAction::AddConstraint(add) => constraint(sql, &add.constraint()?),
        AlterTableAction::AlterColumn(alter) => alter_column(sql, alter),
        AlterTableAction::AttachPartition(attach) => attach_partition(sql, attach),
        AlterTableAction::DetachPartition(detach) => detach
            .detach_partition_option()
            .is_none()
            .then_some(Action::DetachPartition),
        AlterTableAction::SetAccessMethod(_)
        | AlterTableAction::SetLogged(_)
        | AlterTableAction::SetTablespace(_)
        | AlterTableAction::SetUnlogged(_) => Some(Action::MoveFiles),
        AlterTableAction::ValidateConstraint(_) => Some(Action::Validate),
        _ => None,
    }
}

fn alter_column(sql: &str, alter: &AlterColumn) -> Option<Action> {
    let column = unquote_lower(written(sql, &alter.column_name_ref()?));
    match alter.option()? {
        AlterColumnOption::SetNotNull(_) => Some(Action::SetNotNull { column }),
        AlterColumnOption::SetType(set) => change_type(column, &set),
        _ => None,
    }
}

fn change_type(column: String, set: &SetType) -> Option<Action> {
    Some(Action::ChangeType {
        column,
        data_type: span(&set.ty()?),
        plain: set.using_expr().is_none() && set.collate().is_none(),
    })
}

fn attach_partition(sql: &str, attach: &AttachPartition) -> Option<Action> {
    let partition = attach.table_name_ref()?;
    let (name, whole) = (span(&partition), span(attach));
    let behind = &sql[name.end..whole.end];
    let bound = whole.end - behind.trim_start().len()..whole.end;
    (!bound.is_empty()).then(|| Action::AttachPartition {
        partition: sql[name].to_owned(),
        bound,
    })
}

/// The name that follows CONSTRAINT.
fn constraint_name(sql: &str, clause: Option<ConstraintNameClause>) -> Option<String> {
    let name = clause?.constraint_name()?;
    Some(unquote_lower(written(sql, &name)))
}

fn is_not_valid(options: impl Iterator<Item = ConstraintOption>) -> bool {
    options
        .into_iter()
        .any(|option| matches!(option, ConstraintOption::NotValid(_)))
}

fn constraint(sql: &str, constraint: &Constraint) -> Option<Action> {
    let until = span_of(constraint.syntax()).end;
    match constraint {
        Constraint::CheckConstraint(check) => Some(Action::AddConstraint {
            name: constraint_name(sql, check.constraint_name_clause()),
            kind: ConstraintKind::Check,
            text: start(check.check_token())?..until,
            not_valid: is_not_valid(check.constraint_options()),
        }),
        Constraint::ForeignKeyConstraint(key) => Some(Action::AddConstraint {
            name: constraint_name(sql, key.constraint_name_clause()),
            kind: ConstraintKind::ForeignKey,
            text: start(key.foreign_token())?..until,
            not_valid: is_not_valid(key.constraint_options()),
        }),
        Constraint::UniqueConstraint(key) if key.constraint_options().next().is_none() => {
            Some(Action::AddKey {
                name: constraint_name(sql, key.constraint_name_clause()),
                primary: false,
                columns: columns_alone(&key.index_parameters()?)?,
            })
        }
        Constraint::PrimaryKeyConstraint(key) if key.constraint_options().next().is_none() => {
            Some(Action::AddKey {
                name: constraint_name(sql, key.constraint_name_clause()),
                primary: true,
                columns: columns_alone(&key.index_parameters()?)?,
            })
        }
        Constraint::ExcludeConstraint(_) => Some(Action::AddExclusion),
        _ => None,
    }
}

/// The key's columns where nothing else is said: INCLUDE and the like an index alone cannot say.
fn columns_alone(parameters: &IndexParameters) -> Option<Range<usize>> {
    let columns = parameters.column_list()?;
    (span(&columns) == span(parameters) && columns.without_overlaps().is_none())
        .then(|| span(&columns))
}

#[cfg(test)]
mod tests;
