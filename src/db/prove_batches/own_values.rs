//! The same of a loop whose executions each write values of their own: one row each, beside one statement for all of them. The
//! values are those of rows that the table holds; rows that an INSERT would repeat are deleted first, in the same transaction, which
//! is rolled back.

use tokio_postgres::Client;

use super::writes::{Digest, run};
use super::{MOST_KEYS, rolled_back, rows};
use crate::advise::row_batches::{RowBatch, RowsOf, row_batch};
use crate::db::connect::Session;
use crate::db::explain::quote_literal;
use crate::finding::{Fix, Proof};
use crate::schema::{Schema, Table, quote_identifier};
use crate::sql::names::unquote_lower;

/// The statement that takes the loop's place, with what both take; `None` where none does the same. `form` has `$n` for every
/// value, `number` is how many executions the loop had.
pub async fn prove(session: &Session, schema: &Schema, form: &str, number: u64) -> Option<Fix> {
    let type_of = |table: &str, column: &str| {
        let column = table_of(schema, table)?.column(column)?;
        Some(column.data_type.name.clone())
    };
    let batch = row_batch(form, type_of)?;
    let table = table_of(schema, &batch.table)?;
    let client = session.client();
    rolled_back(
        client,
        "BEGIN",
        measured(client, form, &batch, table, number),
    )
    .await
}

/// The table that a statement names, with or without its schema.
fn table_of<'s>(schema: &'s Schema, named: &str) -> Option<&'s Table> {
    let (of, name) = match named.rsplit_once('.') {
        Some((of, name)) => (Some(unquote_lower(of)), name),
        None => (None, named),
    };
    schema.table(of.as_deref(), &unquote_lower(name))
}

async fn measured(
    client: &Client,
    form: &str,
    batch: &RowBatch,
    table: &Table,
    number: u64,
) -> Option<Fix> {
    let types: Vec<&str> = batch
        .columns
        .iter()
        .map(|name| Some(table.column(name)?.data_type.name.as_str()))
        .collect::<Option<_>>()?;
    let values = sampled(client, batch, number).await?;
    if values.len() < 2 {
        return None;
    }
    let arrays: Vec<String> = types.iter().map(|name| format!("{name}[]")).collect();
    let prepare = format!(
        "PREPARE pgproof_child ({}) AS {};\nPREPARE pgproof_batch ({}) AS {}",
        types.join(", "),
        form.trim_end_matches(';'),
        arrays.join(", "),
        batch.sql
    );
    client.batch_execute(&prepare).await.ok()?;
    let one_by_one: Vec<String> = values
        .iter()
        .map(|row| format!("EXECUTE pgproof_child ({})", row.join(", ")))
        .collect();
    let array = |(at, name): (usize, &&str)| {
        let elements: Vec<&str> = values.iter().map(|row| row[at].as_str()).collect();
        format!("ARRAY[{}]::{name}[]", elements.join(", "))
    };
    let arrays: Vec<String> = types.iter().enumerate().map(array).collect();
    let at_once = [format!("EXECUTE pgproof_batch ({})", arrays.join(", "))];
    // What a sequence or a clock gives differs from one run to the next: the statement's own columns are compared.
    let written: Vec<String> = batch
        .columns
        .iter()
        .map(|name| quote_identifier(name))
        .collect();
    let digest = Digest {
        table: &batch.table,
        row: format!("ROW({})", written.join(", ")),
    };
    let (before, expected) = run(client, &one_by_one, &digest).await?;
    let (after, result) = run(client, &at_once, &digest).await?;
    if result != expected || result.changed == 0 {
        return None;
    }
    Some(Fix {
        sql: batch.sql.clone(),
        proof: Some(Proof {
            before: Some(before),
            cancelled_ms: None,
            after,
            index_bytes: None,
            build_ms: None,
        }),
    })
}

/// Literals of rows that are there, in the order of the parameters; an INSERT's are gone from the table afterwards.
async fn sampled(client: &Client, batch: &RowBatch, number: u64) -> Option<Vec<Vec<String>>> {
    let texts: Vec<String> = batch
        .columns
        .iter()
        .map(|name| format!("{}::text", quote_identifier(name)))
        .collect();
    let (texts, table) = (texts.join(", "), &batch.table);
    let limit = number.clamp(2, MOST_KEYS);
    let sql = match &batch.rows {
        // The newest rows have the fewest others that point to them.
        RowsOf::Insert => format!(
            "WITH gone AS (SELECT ctid AS place FROM {table} ORDER BY ctid DESC LIMIT {limit}) \
             DELETE FROM {table} AS old USING gone WHERE old.ctid = gone.place RETURNING {texts}"
        ),
        RowsOf::Update { key } => {
            let quoted: Vec<String> = key.iter().map(|name| quote_identifier(name)).collect();
            let known: Vec<String> = quoted
                .iter()
                .map(|name| format!("{name} IS NOT NULL"))
                .collect();
            format!(
                "SELECT DISTINCT ON ({}) {texts} FROM {table} WHERE {} LIMIT {limit}",
                quoted.join(", "),
                known.join(" AND ")
            )
        }
    };
    let literal =
        |value: Option<String>| value.map_or("NULL".to_owned(), |text| quote_literal(&text));
    let found = rows(client, &sql).await?;
    Some(
        found
            .into_iter()
            .map(|row| row.into_iter().map(literal).collect())
            .collect(),
    )
}
