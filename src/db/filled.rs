//! Whether a database holds any row at all: what runs on empty tables proves nothing.

use std::fmt::Write as _;

use tokio_postgres::Client;

use crate::db::explain::{ExplainError, Limits, PlanChoice, in_transaction};
use crate::schema::{Schema, Table};

/// Tables that one statement asks about.
const AT_ONCE: usize = 100;

/// Whether some table has a row. Statistics tell it where they are; else the tables are asked, each for its first row.
/// A table that may not be read, or not in time, may have rows.
///
/// # Errors
/// [`ExplainError`] where the server failed.
pub async fn has_rows(
    client: &Client,
    schema: &Schema,
    limits: &Limits,
) -> Result<bool, ExplainError> {
    let counted = |table: &Table| table.stats.rows.is_some_and(|rows| rows > 0.0);
    if schema.tables.is_empty() || schema.tables.iter().any(counted) {
        return Ok(true);
    }
    let roots: Vec<&Table> = schema
        .tables
        .iter()
        .filter(|table| table.partition_of.is_none())
        .collect();
    for tables in roots.chunks(AT_ONCE) {
        let mut body = String::from("SELECT (false");
        for table in tables {
            let _ = write!(body, " OR EXISTS (SELECT FROM {})", table.name.sql());
        }
        body.push_str(")::text;");
        match in_transaction(client, limits, PlanChoice::Custom, &body).await {
            Ok(texts) if texts.first().is_some_and(|text| text == "false") => {}
            Ok(_) | Err(ExplainError::Refused(_) | ExplainError::TimedOut) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
