//! SQL for rows that go into a temporary table first: of tables with columns that the server computes from the others, or
//! with a name that psql cannot read on a line, or of which not every row has a partition.

use std::fmt::Write as _;

use super::plan::TablePlan;
use crate::schema::quote_identifier;

/// The temporary table.
pub const STAGE: &str = "pg_temp.pgproof_stage";

/// Makes the temporary table, for as long as the transaction lasts; `columns` is a column list.
#[must_use]
pub fn make(table: &TablePlan, columns: &str) -> String {
    let from = table.name.sql();
    format!(
        "CREATE TEMPORARY TABLE pgproof_stage ON COMMIT DROP AS SELECT {columns} FROM {from} WITH NO DATA"
    )
}

/// From the temporary table into another one, with what the server computes; the temporary table goes.
#[must_use]
pub fn insert(table: &TablePlan, into: &str, columns: &str) -> String {
    let (mut names, mut values) = (columns.to_owned(), columns.to_owned());
    for computed in &table.expressions {
        // Writing to a string cannot fail.
        let _ = write!(names, ", {}", quote_identifier(&computed.column));
        let _ = write!(values, ", ({})", computed.expression.text);
    }
    let filter = match table.kept_where.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", table.kept_where.join(" AND ")),
    };
    // As COPY does: an identity column takes the value that is sent.
    format!(
        "INSERT INTO {into} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {STAGE}{filter}; DROP TABLE {STAGE}"
    )
}
