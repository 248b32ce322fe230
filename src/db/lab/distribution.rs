//! All values of a column, counted in the table: what samples of it are drawn from. A column with many values is read as some
//! thousands of cells, each with neighbouring values that are about as frequent as each other.

use tokio_postgres::Client;

use super::LabError;
use super::statistics::Column;
use crate::lab::lottery::{Cell, Distribution};
use crate::schema::{QualifiedName, quote_identifier};

/// From so many values on rare neighbours share a cell. A bound of a histogram of 100 bins moves by a hundredth of a bin and more
/// from sample to sample: cells are finer.
const CELLS: u64 = 10_000;
/// ANALYZE counts no value of more bytes (`WIDTH_THRESHOLD`); a column of such values has no statistics that a sample moves.
const WIDEST: u32 = 512;

/// Whether a column's values can be counted: they have an order, and are not long texts.
pub(super) fn is_countable(column: &Column, average_width: u32) -> bool {
    column.is_ordered() && average_width <= WIDEST
}

/// Counts a column's values in a table, with those of its children or without.
///
/// # Errors
/// [`LabError`].
pub async fn count(
    client: &Client,
    table: &QualifiedName,
    column: &str,
    inherited: bool,
) -> Result<Distribution, LabError> {
    let only = if inherited { "" } else { "ONLY " };
    let sql = include_str!("../sql/lab/distribution.sql")
        .replace("{column}", &quote_identifier(column))
        .replace("{table}", &format!("{only}{}", table.sql()))
        .replace("{cells}", &CELLS.to_string());
    let rows = client.query_typed(&sql, &[]).await;
    let rows = rows.map_err(|error| LabError::refused("count the values of a column", &error))?;
    let mut nulls = 0;
    let mut cells = Vec::with_capacity(rows.len());
    for row in &rows {
        let count = |name: &str| row.get::<_, i64>(name).unsigned_abs();
        match row.get::<_, Option<String>>("first") {
            Some(first) => cells.push(Cell {
                first,
                rows: count("rows"),
                values: count("values"),
            }),
            None => nulls = count("rows"),
        }
    }
    Ok(Distribution::new(nulls, cells))
}
