//! Asks the server, before a row is loaded, whether planned rows meet the CHECK constraints: a temporary copy of the
//! table takes a sample in a transaction that rolls back.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt;

use super::connect::Session;
use super::copy::{Format, format_of};
use crate::schema::{Schema, quote_identifier};
use crate::seed::encode::{HEADER, TRAILER};
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::{Evaluator, SeedError, SeedPlan, text};
use crate::source::SourceError;

/// Rows of a sample.
const SAMPLE: u64 = 300;

/// Every table whose sample the server refuses, of those with a constraint that is more than a limit of a column, with the constraint's name and what to write.
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
        if let Some(refusal) = refusal(session, schema, plan, index).await? {
            errors.push(explain(table, &refusal));
        }
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

async fn refusal(
    session: &Session,
    schema: &Schema,
    plan: &Arc<SeedPlan>,
    index: usize,
) -> Result<Option<tokio_postgres::Error>, tokio_postgres::Error> {
    let table = &plan.tables[index];
    let columns: Vec<String> = table.columns.iter().map(|column| quote_identifier(&column.name)).collect();
    let client = session.client();
    let create = format!(
        "BEGIN; CREATE TEMPORARY TABLE pgproof_probe (LIKE {} INCLUDING CONSTRAINTS INCLUDING GENERATED) ON COMMIT DROP",
        table.name.sql()
    );
    // No right to make temporary tables: nothing is asked.
    if client.batch_execute(&create).await.is_err() {
        client.batch_execute("ROLLBACK").await?;
        return Ok(None);
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
    let result = copy_sample(client, &copy, rows).await;
    client.batch_execute("ROLLBACK").await?;
    Ok(result.err())
}

async fn copy_sample(client: &tokio_postgres::Client, copy: &str, rows: Vec<u8>) -> Result<u64, tokio_postgres::Error> {
    let mut sink = Box::pin(client.copy_in::<_, Bytes>(copy).await?);
    sink.send(Bytes::from(rows)).await?;
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

fn explain(table: &TablePlan, error: &tokio_postgres::Error) -> SeedError {
    let refusal = error.as_db_error();
    let constraint = refusal.and_then(|refusal| refusal.constraint());
    let doubt = constraint.and_then(|name| table.doubts.iter().find(|doubt| doubt.constraint == name));
    let what = match (constraint, doubt) {
        (Some(name), Some(doubt)) => {
            format!("constraint {name} CHECK ({}) is not met by generated rows: {}", doubt.expression, doubt.reason)
        }
        (Some(name), None) => {
            let detail = refusal.and_then(|refusal| refusal.detail()).unwrap_or_default();
            format!("constraint {name} is not met by generated rows: {detail}")
        }
        (None, _) => format!("generated rows are refused: {}", super::connect::describe(error)),
    };
    SeedError::Unsolvable {
        table: table.name.to_string(),
        what,
        remedy: format!(
            "give its columns values that fit, e.g. [tables.{}.columns] column = {{ values = [\"…\"] }}",
            table.name
        ),
    }
}
