//! Measures what a loop costs beside one statement for all of its keys: both run in one snapshot on a private copy, with keys from
//! the column that gave the loop's values, and their rows are compared key by key, as multisets. What may not be run twice, or
//! returns other rows, is refused.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};

pub mod own_values;
pub mod returned;
pub mod writes;

use super::connect::Session;
use super::explain::quote_literal;
use crate::advise::batches::{Batch, Form, batches};
use crate::finding::{Fix, Measurement, Proof};
use crate::plan::parse;
use crate::schema::quote_identifier;
use crate::units::{Millis, Pages};

/// A loop as it is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Looped {
    /// The statement with `$1` for the key and every other value in it.
    pub sql: String,
    /// Where its keys come from: table, column, and the column's type.
    pub keys: KeyColumn,
    /// How many keys the loop had.
    pub number: u64,
}

/// A column whose values are a loop's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Schema and name.
    pub table: (String, String),
    /// Unquoted.
    pub column: String,
    /// As `format_type` prints it.
    pub type_name: String,
}

/// More keys say nothing that these do not.
const MOST_KEYS: u64 = 200;
/// A statement that takes longer is not measured.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The batched statement runs so often; its median counts.
const RUNS: usize = 3;

/// The rows of each key.
type Rows = BTreeMap<String, Vec<Vec<Option<String>>>>;

/// The statement that takes a loop's place, with what both take; `None` where none returns the same rows.
pub async fn prove(session: &Session, looped: &Looped) -> Option<Fix> {
    let client = session.client();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    rolled_back(client, begin, measured(client, looped)).await
}

/// What is measured within a transaction, which is rolled back.
async fn rolled_back(
    client: &Client,
    begin: &str,
    measured: impl Future<Output = Option<Fix>>,
) -> Option<Fix> {
    let begin = format!(
        "{begin}; SET LOCAL statement_timeout = {}",
        TIMEOUT.as_millis()
    );
    client.batch_execute(&begin).await.ok()?;
    let found = measured.await;
    // What a refused statement left is gone with the transaction.
    let _ = client.batch_execute("ROLLBACK").await;
    let _ = client.batch_execute("DEALLOCATE ALL").await;
    found
}

async fn measured(client: &Client, looped: &Looped) -> Option<Fix> {
    let keys = keys(client, looped).await?;
    if keys.len() < 2 {
        return None;
    }
    let type_name = &looped.keys.type_name;
    let prepare = format!(
        "PREPARE pgproof_child ({type_name}) AS {}",
        looped.sql.trim_end_matches(';')
    );
    client.batch_execute(&prepare).await.ok()?;
    let (before, rows) = the_loop(client, &keys).await?;
    for batch in batches(&looped.sql, type_name) {
        client.batch_execute("SAVEPOINT pgproof").await.ok()?;
        if let Some(after) = the_batch(client, &batch, &keys, type_name, &rows).await {
            return Some(Fix {
                sql: batch.sql,
                proof: Some(Proof {
                    before: Some(before),
                    cancelled_ms: None,
                    after,
                    index_bytes: None,
                    build_ms: None,
                }),
            });
        }
        let undo = "ROLLBACK TO SAVEPOINT pgproof";
        client.batch_execute(undo).await.ok()?;
    }
    None
}

async fn keys(client: &Client, looped: &Looped) -> Option<Vec<String>> {
    let column = quote_identifier(&looped.keys.column);
    let (schema, table) = &looped.keys.table;
    let sql = format!(
        "SELECT key::text FROM (SELECT DISTINCT {column} AS key FROM {}.{} WHERE {column} IS NOT NULL LIMIT {}) AS keys",
        quote_identifier(schema),
        quote_identifier(table),
        looped.number.clamp(2, MOST_KEYS)
    );
    let rows = rows(client, &sql).await?;
    let first = |row: Vec<Option<String>>| row.into_iter().next().flatten();
    Some(rows.into_iter().filter_map(first).collect())
}

/// Executes the statement once a key, each in a round trip of its own.
async fn the_loop(client: &Client, keys: &[String]) -> Option<(Measurement, Rows)> {
    let execute = |key: &String| format!("EXECUTE pgproof_child ({})", quote_literal(key));
    // The first of a session plans, and reads what is not in memory.
    rows(client, &execute(keys.first()?)).await?;
    let mut found = Rows::new();
    let begun = Instant::now();
    for key in keys {
        let mut of_key = rows(client, &execute(key)).await?;
        of_key.sort();
        found.insert(key.clone(), of_key);
    }
    let time_ms = Millis(begun.elapsed().as_secs_f64() * 1_000.0);
    let (mut blocks, mut temp_blocks) = (Pages(0), Pages(0));
    for key in keys {
        let (touched, temp) = pages(client, &execute(key)).await?;
        blocks = Pages(blocks.0 + touched.0);
        temp_blocks = Pages(temp_blocks.0 + temp.0);
    }
    let number: usize = found.values().map(Vec::len).sum();
    let measurement = Measurement {
        time_ms,
        blocks,
        temp_blocks,
        rows: number as f64,
    };
    Some((measurement, found))
}

/// Executes the batched statement; `None` where its rows are not the loop's.
async fn the_batch(
    client: &Client,
    batch: &Batch,
    keys: &[String],
    type_name: &str,
    expected: &Rows,
) -> Option<Measurement> {
    let prepare = format!("PREPARE pgproof_batch ({type_name}[]) AS {}", batch.sql);
    client.batch_execute(&prepare).await.ok()?;
    let literals: Vec<String> = keys.iter().map(|key| quote_literal(key)).collect();
    let execute = format!(
        "EXECUTE pgproof_batch (ARRAY[{}]::{type_name}[])",
        literals.join(", ")
    );
    let mut times = Vec::new();
    let mut number = 0;
    for _ in 0..RUNS {
        let begun = Instant::now();
        let all = rows(client, &execute).await?;
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        number = all.len();
        if by_key(all, batch.form, keys) != *expected {
            return None;
        }
    }
    times.sort_by(f64::total_cmp);
    let (blocks, temp_blocks) = pages(client, &execute).await?;
    client
        .batch_execute("DEALLOCATE pgproof_batch")
        .await
        .ok()?;
    Some(Measurement {
        time_ms: Millis(times[times.len() / 2]),
        blocks,
        temp_blocks,
        rows: number as f64,
    })
}

/// The first column is the key, or its place among the keys.
fn by_key(all: Vec<Vec<Option<String>>>, form: Form, keys: &[String]) -> Rows {
    let mut found: Rows = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
    for mut row in all {
        if row.is_empty() {
            continue;
        }
        let first = row.remove(0).unwrap_or_default();
        let key = match form {
            Form::Any => Some(first),
            Form::Lateral => first
                .parse::<usize>()
                .ok()
                .and_then(|place| keys.get(place.checked_sub(1)?).cloned()),
        };
        found.entry(key.unwrap_or_default()).or_default().push(row);
    }
    found.values_mut().for_each(|rows| rows.sort());
    found
}

async fn rows(client: &Client, sql: &str) -> Option<Vec<Vec<Option<String>>>> {
    let messages = client.simple_query(sql).await.ok()?;
    let mut rows = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            let value = |at| row.get(at).map(str::to_owned);
            rows.push((0..row.len()).map(value).collect());
        }
    }
    Some(rows)
}

async fn pages(client: &Client, execute: &str) -> Option<(Pages, Pages)> {
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {execute}");
    let plan = rows(client, &sql).await?;
    let text = plan.into_iter().next()?.into_iter().next()??;
    let plan = parse::json(&text).ok()?.pop()?;
    let buffers = plan.root().buffers.unwrap_or_default();
    Some((buffers.touched(), buffers.temp()))
}
