//! SQL for tables with columns that the server computes from the others: the rows go into a temporary table first.

use super::plan::TablePlan;
use crate::schema::quote_identifier;

/// The temporary table.
pub const STAGE: &str = "pg_temp.pgproof_stage";

/// Makes the temporary table, for as long as the transaction lasts; `columns` is a column list.
#[must_use]
pub fn make(table: &TablePlan, columns: &str) -> String {
    let from = table.name.sql();
    format!("CREATE TEMPORARY TABLE pgproof_stage ON COMMIT DROP AS SELECT {columns} FROM {from} WITH NO DATA")
}

/// From the temporary table into another one, with what the server computes; the temporary table goes.
#[must_use]
pub fn insert(table: &TablePlan, into: &str, columns: &str) -> String {
    let names: Vec<String> = table.expressions.iter().map(|computed| quote_identifier(&computed.column)).collect();
    let values: Vec<String> =
        table.expressions.iter().map(|computed| format!("({})", computed.expression.text)).collect();
    format!(
        "INSERT INTO {into} ({columns}, {}) SELECT {columns}, {} FROM {STAGE}; DROP TABLE {STAGE}",
        names.join(", "),
        values.join(", ")
    )
}
