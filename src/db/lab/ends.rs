//! The ends of a column's range as an index holds them. Where a condition reaches into the first or last bin of a histogram, the
//! planner asks an index for the real end (`get_actual_variable_range`) and takes it in place of the bound; hollow tables have
//! none to ask, so the bounds are set to what it would have found.

use super::LabError;
use crate::db::connect::Session;
use crate::profile::model::TableStatistics;
use crate::schema::{KeyPart, Schema, Table, TableKind, quote_identifier};

/// As statistics are read: values print alike.
const OPENING: &str = "START TRANSACTION READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL DateStyle = 'ISO, MDY'; \
     SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; \
     SET LOCAL bytea_output = 'hex'";

/// Sets the outer bounds of histograms to the least and greatest values of the session's database.
///
/// # Errors
/// [`LabError::Refused`].
pub async fn set_ends(
    session: &Session,
    schema: &Schema,
    tables: &mut [TableStatistics],
) -> Result<(), LabError> {
    let client = session.client();
    let refused = |error| LabError::refused("read the ends of indexes", &error);
    client.batch_execute(OPENING).await.map_err(refused)?;
    for statistics in tables {
        let Some(table) = schema.table(Some(&statistics.schema), &statistics.name) else {
            continue;
        };
        let columns = ordered_columns(table);
        let has_bounds = |name: &&str| {
            let column = statistics.column(name, false);
            column.is_some_and(|column| column.histogram.len() > 1)
        };
        let columns: Vec<&str> = columns.into_iter().filter(has_bounds).collect();
        if columns.is_empty() {
            continue;
        }
        let row = client
            .query_typed_one(&ends_sql(table, &columns), &[])
            .await
            .map_err(refused)?;
        for (at, name) in columns.iter().enumerate() {
            let ends: (Option<String>, Option<String>) = (row.get(at * 2), row.get(at * 2 + 1));
            let own = |column: &&mut crate::profile::model::ColumnStatistics| {
                column.column == *name && !column.inherited
            };
            let Some(column) = statistics.columns.iter_mut().find(own) else {
                continue;
            };
            if let (Some(least), Some(first)) = (ends.0, column.histogram.first_mut()) {
                *first = least;
            }
            if let (Some(most), Some(last)) = (ends.1, column.histogram.last_mut()) {
                *last = most;
            }
        }
    }
    client.batch_execute("ROLLBACK").await.map_err(refused)
}

/// Columns that lead a B-tree over all rows: what the planner asks.
fn ordered_columns(table: &Table) -> Vec<&str> {
    if table.kind != TableKind::Ordinary {
        return Vec::new();
    }
    let whole = table
        .indexes
        .iter()
        .filter(|index| index.valid && index.method == "btree" && index.predicate.is_none());
    let mut columns: Vec<&str> = whole
        .filter_map(|index| match &index.keys.first()?.part {
            // Another collation or operator class orders the values otherwise than the histogram.
            KeyPart::Column(name)
                if index.keys[0].collation.is_none() && index.keys[0].operator_class.is_none() =>
            {
                Some(name.as_str())
            }
            KeyPart::Column(_) | KeyPart::Expression(_) => None,
        })
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn ends_sql(table: &Table, columns: &[&str]) -> String {
    let from = table.name.sql();
    let end = |column: &str, direction: &str| {
        // Without the table's name the order would be that of the texts.
        format!(
            "(SELECT t.{column}::text FROM ONLY {from} t WHERE t.{column} IS NOT NULL ORDER BY t.{column} {direction} LIMIT 1)"
        )
    };
    let ends: Vec<String> = columns
        .iter()
        .map(|name| quote_identifier(name))
        .flat_map(|column| [end(&column, "ASC"), end(&column, "DESC")])
        .collect();
    format!("SELECT {}", ends.join(", "))
}
