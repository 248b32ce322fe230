//! The same of a loop that writes: both forms run on the private copy, one after the other, each is rolled back, and what they make
//! of the table and how many rows they change is compared.

use std::time::Instant;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Looped, keys, pages, rolled_back, rows};
use crate::advise::batches::write_batch;
use crate::db::connect::Session;
use crate::db::explain::quote_literal;
use crate::finding::{Fix, Measurement, Proof};
use crate::units::{Millis, Pages};

/// What of a table is compared.
pub(super) struct Digest<'a> {
    /// As the statement names it.
    pub(super) table: &'a str,
    /// An expression over its row, which is called `written`.
    pub(super) row: String,
}

/// What a form of the write did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) changed: u64,
    /// How many rows the table has then, and a sum over them.
    table: Vec<Option<String>>,
}

/// The statement that takes a loop's place, with what both take; `None` where none does the same.
pub async fn prove(session: &Session, looped: &Looped) -> Option<Fix> {
    let client = session.client();
    rolled_back(client, "BEGIN", measured(client, looped)).await
}

async fn measured(client: &Client, looped: &Looped) -> Option<Fix> {
    let batch = write_batch(&looped.sql)?;
    let keys = keys(client, looped).await?;
    if keys.len() < 2 {
        return None;
    }
    let type_name = &looped.keys.type_name;
    let child = looped.sql.trim_end_matches(';');
    let prepare = format!(
        "PREPARE pgproof_child ({type_name}) AS {child};\n\
         PREPARE pgproof_batch ({type_name}[]) AS {}",
        batch.sql
    );
    client.batch_execute(&prepare).await.ok()?;
    let literals: Vec<String> = keys.iter().map(|key| quote_literal(key)).collect();
    let one_by_one: Vec<String> = literals
        .iter()
        .map(|key| format!("EXECUTE pgproof_child ({key})"))
        .collect();
    let at_once = [format!(
        "EXECUTE pgproof_batch (ARRAY[{}]::{type_name}[])",
        literals.join(", ")
    )];
    let digest = Digest {
        table: &batch.table,
        row: "written".to_owned(),
    };
    let (before, expected) = run(client, &one_by_one, &digest).await?;
    let (after, result) = run(client, &at_once, &digest).await?;
    if result != expected || result.changed == 0 {
        return None;
    }
    Some(Fix {
        sql: batch.sql,
        proof: Some(Proof {
            before: Some(before),
            cancelled_ms: None,
            after,
            index_bytes: None,
            build_ms: None,
        }),
    })
}

/// Runs statements three times over the same rows: to warm up, for the time and the result, and for the pages.
pub(super) async fn run(
    client: &Client,
    statements: &[String],
    compared: &Digest<'_>,
) -> Option<(Measurement, Outcome)> {
    client.batch_execute("SAVEPOINT pgproof").await.ok()?;
    for statement in statements {
        changed(client, statement).await?;
    }
    back(client).await?;
    let begun = Instant::now();
    let mut number = 0;
    for statement in statements {
        number += changed(client, statement).await?;
    }
    let time_ms = Millis(begun.elapsed().as_secs_f64() * 1_000.0);
    let digest = format!(
        "SELECT count(*), sum(hashtextextended(({})::text, 0)::numeric) FROM {} AS written",
        compared.row, compared.table
    );
    let table = rows(client, &digest).await?.pop()?;
    back(client).await?;
    let (mut blocks, mut temp_blocks) = (Pages(0), Pages(0));
    for statement in statements {
        let (touched, temp) = pages(client, statement).await?;
        blocks = Pages(blocks.0 + touched.0);
        temp_blocks = Pages(temp_blocks.0 + temp.0);
    }
    back(client).await?;
    let measurement = Measurement {
        time_ms,
        blocks,
        temp_blocks,
        rows: number as f64,
    };
    let outcome = Outcome {
        changed: number,
        table,
    };
    Some((measurement, outcome))
}

async fn back(client: &Client) -> Option<()> {
    let undo = "ROLLBACK TO SAVEPOINT pgproof";
    client.batch_execute(undo).await.ok()
}

/// Executes a statement: how many rows it changed.
async fn changed(client: &Client, sql: &str) -> Option<u64> {
    let messages = client.simple_query(sql).await.ok()?;
    let complete = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::CommandComplete(number) => Some(*number),
        _ => None,
    };
    messages.iter().find_map(complete)
}
