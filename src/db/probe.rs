//! Asks the server, before a row is loaded, whether planned rows meet the CHECK constraints: a temporary copy of the
//! table takes a sample in a transaction that rolls back.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::error::{DbError, SqlState};

use super::connect::Session;
use super::copy::{Format, format_of};
use super::stored;
use crate::schema::{DataType, Schema, TypeDefinition, quote_identifier};
use crate::seed::describe::{header, key};
use crate::seed::expression::Expression;
use crate::seed::plan::{ColumnPlan, Fill, Generator, LinkChoice, TablePlan};
use crate::seed::types::binary::{HEADER, TRAILER};
use crate::seed::types::{classify, lines};
use crate::seed::{Evaluator, Refusal, SeedError, SeedPlan, staging};
use crate::source::SourceError;

/// The copy.
const PROBE: &str = "pg_temp.pgproof_probe";
/// Rows of a sample.
const SAMPLE: u64 = 300;
/// Rows of a sample where a constraint was not understood: what is refused now and then is refused before the load.
const LARGE_SAMPLE: u64 = 3000;

/// What a plan could not meet, and what the server refuses of the rest: all that stands in the way, in one answer.
pub(crate) async fn all_errors(
    session: &Session,
    schema: &Schema,
    refusal: Refusal,
) -> Vec<SeedError> {
    let Refusal {
        mut errors,
        mut sound,
    } = refusal;
    // What the server cannot be asked does not hide what is known.
    errors.extend(
        examine(session, schema, &mut sound)
            .await
            .unwrap_or_default(),
    );
    errors
}

/// Lets the server read what only it can read; what it cannot is reported. No row is tried: for a database of which the schema
/// alone is read, whose constraints may call anything.
pub(crate) async fn read_by_server(session: &Session, plan: &mut SeedPlan) -> Vec<SeedError> {
    let misread = misread(session, plan).await.into_iter();
    misread.map(|(_, mistake)| mistake.into()).collect()
}

async fn misread(session: &Session, plan: &mut SeedPlan) -> Vec<(usize, SourceError)> {
    let mut misread = stored::read_literals(session, plan)
        .await
        .err()
        .unwrap_or_default();
    misread.extend(check_expressions(session, plan).await);
    misread
}

/// Lets the server read what only it can read, and tells all that it refuses of the plan.
pub(crate) async fn examine(
    session: &Session,
    schema: &Schema,
    plan: &mut SeedPlan,
) -> Result<Vec<SeedError>, tokio_postgres::Error> {
    let misread = misread(session, plan).await;
    if misread.is_empty() {
        return check(session, schema, plan).await;
    }
    // A mistake hides nothing of what stands in the way of other tables.
    let mut sound = plan.clone();
    sound.leave_out(
        (0..sound.tables.len())
            .map(|at| misread.iter().any(|(table, _)| *table == at))
            .collect(),
    );
    let mut errors: Vec<SeedError> = misread
        .into_iter()
        .map(|(_, mistake)| mistake.into())
        .collect();
    errors.extend(check(session, schema, &sound).await?);
    Ok(errors)
}

/// Every constraint that the server refuses a sample for, of tables where that can be; with its name and what to write.
async fn check(
    session: &Session,
    schema: &Schema,
    plan: &SeedPlan,
) -> Result<Vec<SeedError>, tokio_postgres::Error> {
    let mut errors = Vec::new();
    for (index, table) in plan.tables.iter().enumerate() {
        let computed = table.is_staged();
        if table.fill == Fill::Keep
            || table.rows == 0
            || !(computed || is_asked(schema, plan, table))
        {
            continue;
        }
        let refusals = refusals(session, schema, plan, index).await?;
        errors.extend(
            refusals
                .iter()
                .map(|refusal| explain(schema, table, refusal)),
        );
    }
    Ok(errors)
}

/// Whether a generator alone might not meet what the server will ask of its values: a constraint of more than one column,
/// a type with constraints inside, values that others chose (the spec, or a parent whose column is less strict).
fn is_asked(schema: &Schema, plan: &SeedPlan, table: &TablePlan) -> bool {
    let introspected = schema.table_by_oid(table.oid);
    let checked = |name: &str| {
        let checks = introspected
            .map(|table| table.checks.as_slice())
            .unwrap_or_default();
        // A name that is part of a value is no column.
        checks
            .iter()
            .filter(|check| check.expression.contains(name))
            .any(|check| {
                let mut names = Vec::new();
                let parsed = Expression::parse(&check.expression)
                    .map(|expression| expression.columns(&mut names));
                parsed.is_err() || names.iter().any(|other| other == name)
            })
    };
    let not_null = |name: &str| {
        introspected
            .and_then(|table| table.column(name))
            .is_some_and(|column| column.not_null)
    };
    let column = |column: &ColumnPlan| {
        let class = classify(schema, &column.data_type);
        match &column.generator {
            Generator::Parent {
                link,
                table: parent,
                column: at,
                ..
            } => {
                let other = plan.tables[*parent]
                    .columns
                    .get(*at)
                    .is_none_or(|of| of.data_type != column.data_type);
                let within = matches!(table.links[*link].choice, LinkChoice::Within { .. });
                other || checked(&column.name) || (within && not_null(&column.name))
            }
            Generator::Choice(_)
            | Generator::Stored(_)
            | Generator::Constant(_)
            | Generator::Formula { .. } => column.data_type.modifier >= 0 || class.is_limited(),
            _ => class.is_limited_inside(),
        }
    };
    table.involved || !table.opaque_checks.is_empty() || table.columns.iter().any(column)
}

/// Expressions of the spec that the server does not understand, each with its table's index and at its place.
async fn check_expressions(session: &Session, plan: &SeedPlan) -> Vec<(usize, SourceError)> {
    let mut errors = Vec::new();
    for (index, table) in plan.tables.iter().enumerate() {
        for computed in &table.expressions {
            let sql = format!(
                "SELECT ({}) FROM {} WHERE false",
                computed.expression.text,
                table.name.sql()
            );
            if let Err(error) = session.client().batch_execute(&sql).await {
                errors.push((
                    index,
                    computed.expression.error(super::connect::describe(&error)),
                ));
            }
        }
    }
    errors
}

/// Each constraint that is refused is dropped from the copy, or the column's type or NOT NULL that carries it, until the
/// sample is taken.
async fn refusals(
    session: &Session,
    schema: &Schema,
    plan: &SeedPlan,
    index: usize,
) -> Result<Vec<tokio_postgres::Error>, tokio_postgres::Error> {
    let table = &plan.tables[index];
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    let client = session.client();
    let create = format!(
        "BEGIN; CREATE TEMPORARY TABLE pgproof_probe (LIKE {} INCLUDING CONSTRAINTS INCLUDING GENERATED) ON COMMIT DROP; \
         SAVEPOINT pgproof_probe",
        table.name.sql()
    );
    // No right to make temporary tables: nothing is asked.
    if client.batch_execute(&create).await.is_err() {
        client.batch_execute("ROLLBACK").await?;
        return Ok(Vec::new());
    }
    let (form, rows) = match format_of(session, schema, table).await? {
        Format::Binary => ("binary", framed(&sample(plan, index))),
        Format::Text(columns) => {
            let mut lines = Vec::new();
            lines::copy_lines(&sample(plan, index), &columns, &mut lines);
            ("text", lines)
        }
    };
    let columns = columns.join(", ");
    let staged = table.is_staged();
    let target = if staged { staging::STAGE } else { PROBE };
    let copy = format!("COPY {target} ({columns}) FROM STDIN (FORMAT {form})");
    let (make, insert) = (
        staging::make(table, &columns),
        staging::insert(table, PROBE, &columns),
    );
    let stage = staged.then_some((make.as_str(), insert.as_str()));
    let rows = Bytes::from(rows);
    let mut refusals: Vec<tokio_postgres::Error> = Vec::new();
    let mut freed = BTreeSet::new();
    while let Err(refusal) = copy_sample(client, &copy, rows.clone(), stage).await {
        let without = refusal
            .as_db_error()
            .and_then(|error| without(schema, table, error))
            .filter(|without| freed.insert(without.clone()));
        refusals.push(refusal);
        let Some(without) = without else { break };
        let next = format!(
            "ROLLBACK TO pgproof_probe; ALTER TABLE pg_temp.pgproof_probe {without}; SAVEPOINT pgproof_probe"
        );
        if client.batch_execute(&next).await.is_err() {
            break;
        }
    }
    client.batch_execute("ROLLBACK").await?;
    Ok(refusals)
}

/// How the copy gets rid of what refused a row, so that it can say what else does; `None` where it cannot.
fn without(schema: &Schema, table: &TablePlan, refusal: &DbError) -> Option<String> {
    let introspected = schema.table_by_oid(table.oid);
    let of_table = |name: &&str| {
        introspected.is_some_and(|table| table.checks.iter().any(|check| check.name == *name))
    };
    if let Some(name) = refusal.constraint().filter(of_table) {
        return Some(format!("DROP CONSTRAINT {}", quote_identifier(name)));
    }
    let name = column_of(refusal)?;
    let column = quote_identifier(&name);
    let planned = &table.columns[table.column_index(&name)?].data_type;
    let base = base_type(schema, planned);
    let nullable = *refusal.code() == SqlState::NOT_NULL_VIOLATION && base.oid == planned.oid;
    Some(match nullable {
        true => format!("ALTER COLUMN {column} DROP NOT NULL"),
        false => {
            format!(
                "ALTER COLUMN {column} TYPE {}",
                base.name
                    .split_once('(')
                    .map_or(base.name.as_str(), |(n, _)| n)
            )
        }
    })
}

/// What a domain is made of, at the bottom.
fn base_type<'s>(schema: &'s Schema, data_type: &'s DataType) -> &'s DataType {
    let mut at = data_type;
    while let Some(TypeDefinition::Domain { base, .. }) =
        schema.user_type(at.oid).map(|found| &found.definition)
    {
        at = base;
    }
    at
}

/// Sends the sample; `stage` makes the table in which it waits for what the server computes, and takes it from there.
async fn copy_sample(
    client: &tokio_postgres::Client,
    copy: &str,
    rows: Bytes,
    stage: Option<(&str, &str)>,
) -> Result<(), tokio_postgres::Error> {
    if let Some((make, _)) = stage {
        client.batch_execute(make).await?;
    }
    let mut sink = Box::pin(client.copy_in::<_, Bytes>(copy).await?);
    sink.send(rows).await?;
    sink.as_mut().finish().await?;
    match stage {
        Some((_, insert)) => client.batch_execute(insert).await,
        None => Ok(()),
    }
}

fn sample(plan: &SeedPlan, index: usize) -> Vec<u8> {
    let table = &plan.tables[index];
    let (rows, most) = (
        table.rows,
        if table.opaque_checks.is_empty() {
            SAMPLE
        } else {
            LARGE_SAMPLE
        },
    );
    let step = (rows / most).max(1);
    let evaluator = Evaluator::new(plan);
    let mut bytes = Vec::new();
    for row in (0..rows)
        .step_by(usize::try_from(step).unwrap_or(1))
        .take(most as usize)
    {
        evaluator.write_row(index, row, &mut bytes);
    }
    bytes
}

fn framed(rows: &[u8]) -> Vec<u8> {
    [HEADER.as_slice(), rows, TRAILER.as_slice()].concat()
}

fn explain(schema: &Schema, table: &TablePlan, error: &tokio_postgres::Error) -> SeedError {
    let refusal = error.as_db_error();
    let constraint = refusal.and_then(|refusal| refusal.constraint());
    let opaque_check = constraint.and_then(|name| {
        table
            .opaque_checks
            .iter()
            .find(|opaque_check| opaque_check.constraint == name)
    });
    let what = match (constraint, opaque_check) {
        (Some(name), Some(opaque_check)) => {
            format!(
                "constraint {name} CHECK ({}) is not met by generated rows: {}",
                opaque_check.expression, opaque_check.reason
            )
        }
        (Some(name), None) => {
            // A domain's refusal has no detail, but names the domain.
            let said = refusal
                .map(|refusal| refusal.detail().unwrap_or_else(|| refusal.message()))
                .unwrap_or_default();
            format!("constraint {name} is not met by generated rows: {said}")
        }
        (None, _) => format!(
            "generated rows are refused: {}",
            super::connect::describe(error)
        ),
    };
    SeedError::Unsolvable {
        table: table.name.to_string(),
        what,
        remedy: remedy(schema, table, constraint, refusal.and_then(column_of)),
    }
}

/// The column that an error is about: its own word, or where in COPY's data it stood.
fn column_of(error: &DbError) -> Option<String> {
    let stood = |context: &str| {
        let (_, after) = context.lines().next()?.split_once(", column ")?;
        Some(
            after
                .split_once(':')
                .map_or(after, |(name, _)| name)
                .to_owned(),
        )
    };
    error
        .column()
        .map(str::to_owned)
        .or_else(|| error.where_().and_then(stood))
}

/// The line that helps: for the columns of the constraint, or else for this one.
fn remedy(
    schema: &Schema,
    table: &TablePlan,
    constraint: Option<&str>,
    column: Option<String>,
) -> String {
    let header = header(&table.name);
    let name = constraint.unwrap_or_default();
    let expression = schema
        .table_by_oid(table.oid)
        .and_then(|introspected| introspected.checks.iter().find(|check| check.name == name))
        .and_then(|check| Expression::parse(&check.expression).ok());
    let mut names = Vec::new();
    match expression {
        Some(expression) => expression.columns(&mut names),
        None => names.extend(column),
    }
    let lines: BTreeSet<String> = names
        .iter()
        .filter(|name| table.column_index(name).is_some())
        .map(|name| format!("`{} = {{ values = [\"…\"] }}`", key(name)))
        .collect();
    let lines: Vec<String> = lines.into_iter().collect();
    let values = match lines.is_empty() {
        true => "give its columns values that fit".to_owned(),
        false => format!("write values that fit, {}", lines.join(" or ")),
    };
    format!(
        "{values}, under [{header}.columns], or leave the table empty: `rows = 0` under [{header}]"
    )
}
