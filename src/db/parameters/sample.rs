//! Values from the data: a small sample of a table's rows, the same for the same data, kept for the whole catalog.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;

use tokio_postgres::Client;

use crate::db::explain::{ExplainError, Limits, PlanChoice, in_transaction, quote_literal};
use crate::schema::{ForeignKey, Schema, Table, TableKind, quote_identifier};
use crate::units::Millis;

/// Rows of a sample.
const ROWS: f64 = 4000.0;
/// Counting the values of a column may take so long.
const COUNTING: Millis = Millis(2_000.0);
/// Rows of a look-up.
const FOUND_ROWS: u32 = 400;

/// One row: the text form of each expression.
pub(super) type Row = Vec<Option<String>>;

/// Which end of the values in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    First,
    Last,
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// A day from the first or last moment that is one.
    Day,
    /// So many rows.
    Rows(u64),
}

/// Takes samples, each only once.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    taken: HashMap<String, Rc<Vec<Row>>>,
}

impl Sampler {
    /// Rows of a table from all over it.
    ///
    /// # Errors
    /// [`ExplainError`]: an expression that fails on some row refuses the sample.
    pub(super) async fn rows(
        &mut self,
        client: &Client,
        limits: &Limits,
        schema: &Schema,
        table: &Table,
        expressions: &[String],
    ) -> Result<Rc<Vec<Row>>, ExplainError> {
        let rows = table_rows(schema, table);
        let from = match table.kind {
            TableKind::Foreign => format!("(SELECT * FROM {} LIMIT {ROWS})", table.name.sql()),
            TableKind::Ordinary | TableKind::Partitioned => {
                // ANALYZE's count of rows differs a little from one dataset to its equal: the share must not.
                let order = rows.max(1.0).log2().round().exp2();
                let percent = (ROWS / order * 100.0).min(100.0);
                let name = table.name.sql();
                // The limit guards against figures of long ago.
                format!(
                    "(SELECT * FROM {name} TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (1) LIMIT {})",
                    ROWS * 4.0
                )
            }
        };
        self.take(client, limits, &from, expressions).await
    }

    /// Rows in which an expression has a value.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub(super) async fn rows_with(
        &mut self,
        client: &Client,
        limits: &Limits,
        table: &Table,
        expressions: &[String],
        conditions: &[(String, String)],
    ) -> Result<Rc<Vec<Row>>, ExplainError> {
        let mut condition = String::new();
        for (expression, value) in conditions {
            let and = if condition.is_empty() { "" } else { " AND " };
            let _ = write!(condition, "{and}({expression}) = {}", quote_literal(value));
        }
        let from = format!(
            "(SELECT * FROM {} WHERE {condition} LIMIT {FOUND_ROWS})",
            table.name.sql()
        );
        self.take(client, limits, &from, expressions).await
    }

    /// The values that most rows have, in this order; none where counting takes too long.
    ///
    /// # Errors
    /// [`ExplainError`] where the server failed.
    pub(super) async fn most_frequent(
        &mut self,
        client: &Client,
        limits: &Limits,
        table: &Table,
        expression: &str,
    ) -> Result<Vec<String>, ExplainError> {
        let body = format!(
            "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(counted.value)), '[]')::pg_catalog.text FROM (\
             SELECT ({expression})::pg_catalog.text AS value FROM {} WHERE ({expression}) IS NOT NULL GROUP BY 1 \
             ORDER BY pg_catalog.count(*) DESC, ({expression})::pg_catalog.text COLLATE \"C\" LIMIT 100) AS counted;",
            table.name.sql()
        );
        self.column(client, limits, body).await
    }

    /// The first column of what a query returns, without NULLs; nothing where it takes longer than counting may.
    async fn column(
        &mut self,
        client: &Client,
        limits: &Limits,
        body: String,
    ) -> Result<Vec<String>, ExplainError> {
        let limits = Limits {
            statement: Millis(limits.statement.0.min(COUNTING.0)),
            ..limits.clone()
        };
        let found = super::group::tolerated(self.answer(client, &limits, body).await)?;
        let values = found.iter().flat_map(|rows| rows.iter());
        Ok(values
            .filter_map(|row| row.first().cloned().flatten())
            .collect())
    }

    /// The value behind which an end of an expression's values lies; `None` where there is none, or looking takes too long.
    ///
    /// # Errors
    /// [`ExplainError`] where the server failed.
    pub(super) async fn tail(
        &mut self,
        client: &Client,
        limits: &Limits,
        table: &Table,
        expression: &str,
        (end, tail): (End, Tail),
    ) -> Result<Option<String>, ExplainError> {
        if table.kind == TableKind::Foreign {
            return Ok(None);
        }
        let (direction, sign) = match end {
            End::First => ("ASC", '+'),
            End::Last => ("DESC", '-'),
        };
        let (value, condition, offset) = match tail {
            Tail::Day => (
                format!("(found.value {sign} interval '1 day')"),
                format!(" AND pg_catalog.isfinite({expression})"),
                0,
            ),
            Tail::Rows(rows) => ("(found.value)".to_owned(), String::new(), rows),
        };
        let body = format!(
            "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array({value}::pg_catalog.text)), '[]')::pg_catalog.text FROM (\
             SELECT ({expression}) AS value FROM {} WHERE ({expression}) IS NOT NULL{condition} ORDER BY ({expression}) {direction} \
             OFFSET {offset} LIMIT 1) AS found;",
            table.name.sql()
        );
        let values = self.column(client, limits, body).await?;
        Ok(values.into_iter().next())
    }

    /// A value of a referenced key that no row points to; `None` where each has one, or looking takes too long.
    ///
    /// # Errors
    /// [`ExplainError`] where the server failed.
    pub(super) async fn without_rows(
        &mut self,
        client: &Client,
        limits: &Limits,
        table: &Table,
        key: &ForeignKey,
    ) -> Result<Option<String>, ExplainError> {
        let ([own], [other]) = (&key.columns[..], &key.referenced_columns[..]) else {
            return Ok(None);
        };
        let (own, other) = (quote_identifier(own), quote_identifier(other));
        let body = format!(
            "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(free.value)), '[]')::pg_catalog.text FROM (\
             SELECT parent.{other}::pg_catalog.text AS value FROM {} AS parent \
             WHERE NOT EXISTS (SELECT FROM {} AS child WHERE child.{own} = parent.{other}) \
             ORDER BY parent.{other}::pg_catalog.text COLLATE \"C\" LIMIT 1) AS free;",
            key.referenced_table.sql(),
            table.name.sql()
        );
        let values = self.column(client, limits, body).await?;
        Ok(values.into_iter().next())
    }

    async fn take(
        &mut self,
        client: &Client,
        limits: &Limits,
        from: &str,
        expressions: &[String],
    ) -> Result<Rc<Vec<Row>>, ExplainError> {
        let columns: Vec<String> = expressions
            .iter()
            .map(|expression| format!("({expression})::pg_catalog.text"))
            .collect();
        let columns = columns.join(", ");
        let body = format!(
            "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array({columns})), '[]')::pg_catalog.text \
             FROM {from} AS sample"
        );
        self.answer(client, limits, body).await
    }

    /// The rows that a query of ours prints as one JSON array of arrays.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub(super) async fn answer(
        &mut self,
        client: &Client,
        limits: &Limits,
        body: String,
    ) -> Result<Rc<Vec<Row>>, ExplainError> {
        if let Some(rows) = self.taken.get(&body) {
            return Ok(Rc::clone(rows));
        }
        let answer = in_transaction(client, limits, PlanChoice::Custom, &body).await?;
        let text = answer.first().map_or("[]", String::as_str);
        let rows: Vec<Row> = serde_json::from_str(text)
            .map_err(|error| ExplainError::Unreadable(error.to_string()))?;
        let rows = Rc::new(rows);
        self.taken.insert(body, Rc::clone(&rows));
        Ok(rows)
    }
}

/// Rows of a table: of its partitions where it has none of its own.
pub(super) fn table_rows(schema: &Schema, table: &Table) -> f64 {
    match table.kind {
        TableKind::Partitioned => {
            let partitions = schema.tables.iter().filter(|part| {
                part.kind != TableKind::Partitioned
                    && part
                        .partition_of
                        .as_ref()
                        .is_some_and(|of| of.root == table.oid)
            });
            partitions.filter_map(|part| part.stats.rows).sum()
        }
        TableKind::Ordinary | TableKind::Foreign => table.stats.rows.unwrap_or(0.0),
    }
}
