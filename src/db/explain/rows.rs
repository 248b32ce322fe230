//! The first rows of a prepared statement as text, whatever its columns' types are.

use std::pin::pin;

use futures_util::StreamExt;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::given::GivenTransaction;
use super::wire::{self, Message};
use super::{Access, ExplainError, Limits, NO_POSITION, PlanChoice, Prepared, opening};

/// Columns by name, in their order.
pub(crate) type NamedRow = Vec<(String, Option<String>)>;

/// Executes the statement in a transaction that rolls back, and returns the first rows. The rest of them is thrown away
/// unread.
///
/// # Errors
/// [`ExplainError`]; [`ExplainError::Unsafe`] for a statement whose effects a rollback does not take back.
pub(crate) async fn first_rows(
    client: &Client,
    prepared: &Prepared,
    values: &[Option<String>],
    limits: &Limits,
    most: usize,
) -> Result<Vec<NamedRow>, ExplainError> {
    prepared.may_run()?;
    let choice = PlanChoice::Custom;
    // Only its text form is the same for every type: the simple protocol, with a statement of quoted values alone.
    let execute = prepared.execute(values);
    match limits.access {
        Access::PrivateCopy => {
            let open = [Message::Ours(opening(limits, choice))];
            wire::all(wire::send(client, &open, limits).await?, None)?;
            let row = first(client, &execute, most).await;
            let leave = [Message::Ours("ROLLBACK".to_owned())];
            wire::all(wire::send(client, &leave, limits).await?, None)?;
            row
        }
        Access::ReadOnly | Access::Writes => {
            let messages = vec![prepared.preparing()];
            let begun = GivenTransaction::begin(client, limits, choice, "", messages).await?;
            let (mut transaction, answers) = begun;
            transaction.forget_later(&prepared.name);
            let row = match wire::all(answers, None) {
                Ok(_) => {
                    let patience = wire::patience(1, limits);
                    wire::answered(patience, first(client, &execute, most)).await?
                }
                Err(error) => Err(error),
            };
            transaction.end().await?;
            row
        }
    }
}

async fn first(client: &Client, execute: &str, most: usize) -> Result<Vec<NamedRow>, ExplainError> {
    let failed = |error| ExplainError::of(error, NO_POSITION);
    let messages = client.simple_query_raw(execute).await.map_err(failed)?;
    let mut messages = pin!(messages);
    let mut found: Vec<NamedRow> = Vec::new();
    while let Some(message) = messages.next().await {
        if let SimpleQueryMessage::Row(row) = message.map_err(failed)?
            && found.len() < most
        {
            let value = |at: usize| row.get(at).map(str::to_owned);
            let names = row.columns().iter().enumerate();
            found.push(
                names
                    .map(|(at, column)| (column.name().to_owned(), value(at)))
                    .collect(),
            );
        }
    }
    Ok(found)
}
