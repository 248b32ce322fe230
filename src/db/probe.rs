//! Asks the server, before a row is loaded, whether planned rows meet the CHECK constraints: a temporary copy of the
//! table takes a sample in a transaction that rolls back.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::error::DbError;

use super::connect::Session;
use super::copy::{Format, format_of};
use super::stored;
use crate::schema::{Schema, quote_identifier};
use crate::seed::check::Expression;
use crate::seed::describe::{header, key};
use crate::seed::encode::{HEADER, TRAILER};
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::{Evaluator, Refusal, SeedError, SeedPlan, text};
use crate::source::SourceError;

/// Rows of a sample.
const SAMPLE: u64 = 300;

/// What a plan could not meet, and what the server refuses of the rest: all that stands in the way, in one answer.
pub(crate) async fn all_errors(session: &Session, schema: &Schema, refusal: Refusal) -> Vec<SeedError> {
    let Refusal { mut errors, mut sound } = refusal;
    // What the server cannot be asked does not hide what is known.
    if stored::read_literals(session, &mut sound).await.is_ok() {
        errors.extend(check(session, schema, &Arc::new(sound)).await.unwrap_or_default());
    }
    errors
}

/// Every constraint that the server refuses a sample for, of tables with one that is more than a limit of a column; with
/// its name and what to write.
pub(crate) async fn check(
    session: &Session,
    schema: &Schema,
    plan: &Arc<SeedPlan>,
) -> Result<Vec<SeedError>, tokio_postgres::Error> {
    let mut errors = Vec::new();
    for (index, table) in plan.tables.iter().enumerate() {
        // Columns that the server computes are not there yet.
        let computed = !table.expressions.is_empty();
        let asked = table.involved || !table.doubts.is_empty();
        if table.fill == Fill::Keep || table.rows == 0 || !asked || computed {
            continue;
        }
        let refusals = refusals(session, schema, plan, index).await?;
        errors.extend(refusals.iter().map(|refusal| explain(schema, table, refusal)));
    }
    Ok(errors)
}

/// Expressions of the spec that the server does not understand, each at its place.
pub(crate) async fn check_expressions(session: &Session, plan: &SeedPlan) -> Vec<SourceError> {
    let mut errors = Vec::new();
    for table in &plan.tables {
        for computed in &table.expressions {
            let sql = format!("SELECT ({}) FROM {} WHERE false", computed.expression.text, table.name.sql());
            if let Err(error) = session.client().batch_execute(&sql).await {
                errors.push(computed.expression.error(super::connect::describe(&error)));
            }
        }
    }
    errors
}

/// Each constraint that is refused is dropped from the copy, until the sample is taken.
async fn refusals(
    session: &Session,
    schema: &Schema,
    plan: &Arc<SeedPlan>,
    index: usize,
) -> Result<Vec<tokio_postgres::Error>, tokio_postgres::Error> {
    let table = &plan.tables[index];
    let columns: Vec<String> = table.columns.iter().map(|column| quote_identifier(&column.name)).collect();
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
            text::copy_lines(&sample(plan, index), &columns, &mut lines);
            ("text", lines)
        }
    };
    let copy = format!("COPY pg_temp.pgproof_probe ({}) FROM STDIN (FORMAT {form})", columns.join(", "));
    let rows = Bytes::from(rows);
    let mut refusals = Vec::new();
    while let Err(refusal) = copy_sample(client, &copy, rows.clone()).await {
        let constraint = refusal.as_db_error().and_then(|error| error.constraint()).map(quote_identifier);
        refusals.push(refusal);
        // A domain's constraint, or a column that must not be NULL: not to be dropped.
        let Some(constraint) = constraint else { break };
        let without = format!(
            "ROLLBACK TO pgproof_probe; ALTER TABLE pg_temp.pgproof_probe DROP CONSTRAINT {constraint}; \
             SAVEPOINT pgproof_probe"
        );
        if client.batch_execute(&without).await.is_err() {
            break;
        }
    }
    client.batch_execute("ROLLBACK").await?;
    Ok(refusals)
}

async fn copy_sample(client: &tokio_postgres::Client, copy: &str, rows: Bytes) -> Result<u64, tokio_postgres::Error> {
    let mut sink = Box::pin(client.copy_in::<_, Bytes>(copy).await?);
    sink.send(rows).await?;
    sink.as_mut().finish().await
}

fn sample(plan: &SeedPlan, index: usize) -> Vec<u8> {
    let rows = plan.tables[index].rows;
    let step = (rows / SAMPLE).max(1);
    let evaluator = Evaluator::new(plan);
    let mut bytes = Vec::new();
    for row in (0..rows).step_by(usize::try_from(step).unwrap_or(1)).take(SAMPLE as usize) {
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
    let doubt = constraint.and_then(|name| table.doubts.iter().find(|doubt| doubt.constraint == name));
    let what = match (constraint, doubt) {
        (Some(name), Some(doubt)) => {
            format!("constraint {name} CHECK ({}) is not met by generated rows: {}", doubt.expression, doubt.reason)
        }
        (Some(name), None) => {
            // A domain's refusal has no detail, but names the domain.
            let said = refusal.map(|refusal| refusal.detail().unwrap_or_else(|| refusal.message())).unwrap_or_default();
            format!("constraint {name} is not met by generated rows: {said}")
        }
        (None, _) => format!("generated rows are refused: {}", super::connect::describe(error)),
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
        Some(after.split_once(':').map_or(after, |(name, _)| name).to_owned())
    };
    error.column().map(str::to_owned).or_else(|| error.where_().and_then(stood))
}

/// The line that helps: for the columns of the constraint, or else for this one.
fn remedy(schema: &Schema, table: &TablePlan, constraint: Option<&str>, column: Option<String>) -> String {
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
    format!("{values}, under [{header}.columns], or leave the table empty: `rows = 0` under [{header}]")
}
