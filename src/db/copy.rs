//! Rows into COPY as they are made: raw binary data in large recycled buffers, bounded on the way. Which table, which
//! transaction and what else happens is the caller's.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::connect::{Session, describe};
use crate::interrupt::Interrupt;
use crate::schema::Schema;
use crate::seed::SeedPlan;
use crate::seed::chunks::{CHUNK, Chunks, MissingPartition, Part};
use crate::seed::plan::TablePlan;
use crate::seed::types::binary::{HEADER, TRAILER};
use crate::seed::types::{TypeClass, classify, lines};

/// Buffers that are kept for the next chunks.
const SPARE: usize = 4;

/// Bytes of a CopyData message. The server reads a message whole before it looks at it: one that fits into the socket's
/// buffer arrives while the one before is being worked on.
const MESSAGE: usize = 64 << 10;

/// Buffers that go round: from the generator to the connection and back.
#[derive(Debug, Clone, Default)]
struct Pool {
    buffers: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pool {
    fn take(&self) -> Vec<u8> {
        let recycled = self
            .buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        // Room for the row that crosses the limit.
        recycled.unwrap_or_else(|| Vec::with_capacity(CHUNK + (64 << 10)))
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < SPARE {
            buffers.push(bytes);
        }
    }

    fn lend(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent {
            bytes,
            pool: self.clone(),
        })
    }
}

/// A buffer that goes back to its pool when the connection has sent it.
struct Lent {
    bytes: Vec<u8>,
    pool: Pool,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}

/// Why rows did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// The server refused a row or went away.
    #[error("{}", describe(.0))]
    Server(#[from] tokio_postgres::Error),
    /// A row that no partition takes.
    #[error("row {} belongs to no partition", .0.row)]
    MissingPartition(MissingPartition),
}

/// The form in which rows are sent.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    /// COPY … (FORMAT binary).
    Binary,
    /// COPY … (FORMAT text), for tables with a type that has no binary input; the columns' types.
    Text(Arc<[(TypeClass, u32)]>),
}

/// The form that a table takes: a single column of a type without a `receive` function keeps all of them from binary.
pub(crate) async fn format_of(
    session: &Session,
    schema: &Schema,
    table: &TablePlan,
) -> Result<Format, tokio_postgres::Error> {
    let sql = "SELECT EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND t.typreceive = 0)";
    if !session
        .client()
        .query_one(sql, &[&table.oid])
        .await?
        .get::<_, bool>(0)
    {
        return Ok(Format::Binary);
    }
    let columns = table
        .columns
        .iter()
        .map(|column| (classify(schema, &column.data_type), column.data_type.oid));
    Ok(Format::Text(columns.collect()))
}

/// Generates the rows of a table's leaves and copies them, in a form that the table takes, with the statements that `statement`
/// makes for each leaf; they must name the form. `sent` hears how many rows have gone out.
#[allow(clippy::too_many_arguments)]
pub(crate) async fn copy_table(
    format: Format,
    session: &Session,
    plan: &Arc<SeedPlan>,
    table: usize,
    part: Part,
    statement: impl Fn(usize) -> String,
    sent: impl FnMut(u64),
    interrupt: &Interrupt,
) -> Result<u64, CopyError> {
    send(
        session,
        &format,
        Chunks::of_part(plan, table, part),
        statement,
        sent,
        interrupt,
    )
    .await
}

/// Generates some columns of a table and copies them with one statement.
pub(crate) async fn copy_columns(
    session: &Session,
    plan: &Arc<SeedPlan>,
    table: usize,
    columns: &[usize],
    statement: &str,
    sent: impl FnMut(u64),
    interrupt: &Interrupt,
) -> Result<u64, CopyError> {
    let chunks = Chunks::of_columns(plan, table, columns);
    send(
        session,
        &Format::Binary,
        chunks,
        |_leaf| statement.to_owned(),
        sent,
        interrupt,
    )
    .await
}

/// Sends chunks as they are made, each with its leaf's statement: while the connection writes one and the server works on
/// those before, the next is made here. After an interrupt fewer rows than planned have gone out: the caller looks at it
/// before it commits.
async fn send(
    session: &Session,
    format: &Format,
    mut chunks: Chunks<'_>,
    statement: impl Fn(usize) -> String,
    mut sent: impl FnMut(u64),
    interrupt: &Interrupt,
) -> Result<u64, CopyError> {
    let binary = matches!(format, Format::Binary);
    let pool = Pool::default();
    let mut open: Option<(usize, Pin<Box<CopyInSink<Bytes>>>)> = None;
    let mut total = 0;
    while !interrupt.is_set()
        && let Some(chunk) = chunks
            .next(|| pool.take())
            .map_err(CopyError::MissingPartition)?
    {
        let other = open.as_ref().is_none_or(|(leaf, _)| *leaf != chunk.leaf);
        if other {
            if let Some((_, sink)) = open.take() {
                total += finish(sink, binary).await?;
            }
            let sink = session
                .client()
                .copy_in::<_, Bytes>(&statement(chunk.leaf))
                .await?;
            let mut sink = Box::pin(sink);
            if binary {
                sink.feed(Bytes::from_static(HEADER)).await?;
            }
            open = Some((chunk.leaf, sink));
        }
        if let Some((_, sink)) = &mut open {
            let mut rest = match format {
                Format::Binary => pool.lend(chunk.bytes),
                Format::Text(columns) => {
                    let mut lines = pool.take();
                    lines::copy_lines(&chunk.bytes, columns, &mut lines);
                    pool.give_back(chunk.bytes);
                    pool.lend(lines)
                }
            };
            while rest.len() > MESSAGE {
                sink.feed(rest.split_to(MESSAGE)).await?;
            }
            sink.feed(rest).await?;
            sent(chunk.rows);
        }
    }
    if let Some((_, sink)) = open.take() {
        total += finish(sink, binary).await?;
    }
    Ok(total)
}

async fn finish(
    mut sink: Pin<Box<CopyInSink<Bytes>>>,
    binary: bool,
) -> Result<u64, tokio_postgres::Error> {
    if binary {
        sink.send(Bytes::from_static(TRAILER)).await?;
    }
    sink.as_mut().finish().await
}
