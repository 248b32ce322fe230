//! Rows from a generating thread into COPY: raw binary data in large recycled buffers, bounded on the way. Which table,
//! which transaction and what else happens is the caller's.

use std::ops::{ControlFlow, Range};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::CopyInSink;

use super::connect::{Session, describe};
use crate::interrupt::Interrupt;
use crate::schema::Schema;
use crate::seed::chunks::{self, CHUNK, Chunk, Homeless};
use crate::seed::encode::{HEADER, TRAILER};
use crate::seed::infer::types::{TypeClass, classify};
use crate::seed::plan::TablePlan;
use crate::seed::{SeedPlan, text};

/// Chunks on their way between the generator and the connection.
const IN_FLIGHT: usize = 4;

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
        let recycled = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // Room for the row that crosses the limit.
        recycled.unwrap_or_else(|| Vec::with_capacity(CHUNK + (64 << 10)))
    }

    fn lend(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { bytes, pool: self.clone() })
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
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut buffers = self.pool.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < 2 * IN_FLIGHT {
            buffers.push(bytes);
        }
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
    Homeless(Homeless),
    /// The runtime shuts down.
    #[error("pgproof is shutting down")]
    Stopped,
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
    if !session.client().query_one(sql, &[&table.oid]).await?.get::<_, bool>(0) {
        return Ok(Format::Binary);
    }
    let columns = table.columns.iter().map(|column| (classify(schema, &column.data_type), column.data_type.oid));
    Ok(Format::Text(columns.collect()))
}

/// Generates the rows of a table and copies them, in a form that the table takes, with the statements that `statement`
/// makes for each leaf; they must name the form. `sent` hears how many rows have gone out.
#[allow(clippy::too_many_arguments)]
pub(crate) async fn copy_table(
    format: Format,
    session: &Session,
    plan: &Arc<SeedPlan>,
    table: usize,
    rows: Range<u64>,
    statement: impl Fn(usize) -> String,
    sent: impl FnMut(u64),
    interrupt: &Interrupt,
) -> Result<u64, CopyError> {
    let binary = matches!(format, Format::Binary);
    let pool = Pool::default();
    let (sender, chunks) = mpsc::channel::<Chunk>(IN_FLIGHT);
    let generator = {
        let (plan, pool, interrupt) = (Arc::clone(plan), pool.clone(), interrupt.clone());
        tokio::task::spawn_blocking(move || {
            chunks::generate(
                &plan,
                table,
                rows,
                || pool.take(),
                |mut chunk| {
                    if let Format::Text(columns) = &format {
                        let mut lines = pool.take();
                        text::copy_lines(&chunk.bytes, columns, &mut lines);
                        chunk.bytes = lines;
                    }
                    hand_over(&sender, &interrupt, chunk)
                },
            )
        })
    };
    send(session, pool, binary, chunks, generator, statement, sent).await
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
    let pool = Pool::default();
    let (sender, chunks) = mpsc::channel::<Chunk>(IN_FLIGHT);
    let generator = {
        let (plan, pool, interrupt, columns) = (Arc::clone(plan), pool.clone(), interrupt.clone(), columns.to_vec());
        tokio::task::spawn_blocking(move || {
            let hand_over = |chunk| hand_over(&sender, &interrupt, chunk);
            chunks::generate_columns(&plan, table, &columns, || pool.take(), hand_over);
            Ok(())
        })
    };
    send(session, pool, true, chunks, generator, |_leaf| statement.to_owned(), sent).await
}

fn hand_over(sender: &mpsc::Sender<Chunk>, interrupt: &Interrupt, chunk: Chunk) -> ControlFlow<()> {
    let stop = interrupt.is_set() || sender.blocking_send(chunk).is_err();
    if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Sends chunks as they come, each with its leaf's statement. Where the generator stopped because of the interrupt, fewer
/// rows than planned have gone out: the caller looks at the interrupt before it commits.
async fn send(
    session: &Session,
    pool: Pool,
    binary: bool,
    mut chunks: mpsc::Receiver<Chunk>,
    generator: JoinHandle<Result<(), Homeless>>,
    statement: impl Fn(usize) -> String,
    mut sent: impl FnMut(u64),
) -> Result<u64, CopyError> {
    let mut open: Option<(usize, Pin<Box<CopyInSink<Bytes>>>)> = None;
    let mut total = 0;
    while let Some(chunk) = chunks.recv().await {
        let other = open.as_ref().is_none_or(|(leaf, _)| *leaf != chunk.leaf);
        if other {
            if let Some((_, sink)) = open.take() {
                total += finish(sink, binary).await?;
            }
            let sink = session.client().copy_in::<_, Bytes>(&statement(chunk.leaf)).await?;
            let mut sink = Box::pin(sink);
            if binary {
                sink.feed(Bytes::from_static(HEADER)).await?;
            }
            open = Some((chunk.leaf, sink));
        }
        if let Some((_, sink)) = &mut open {
            let mut rest = pool.lend(chunk.bytes);
            while rest.len() > MESSAGE {
                sink.feed(rest.split_to(MESSAGE)).await?;
            }
            sink.send(rest).await?;
            sent(chunk.rows);
        }
    }
    match generator.await {
        Ok(Ok(())) => {}
        Ok(Err(homeless)) => return Err(CopyError::Homeless(homeless)),
        // Its panic is ours: what has gone out is not the whole table.
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_) => return Err(CopyError::Stopped),
    }
    if let Some((_, sink)) = open.take() {
        total += finish(sink, binary).await?;
    }
    Ok(total)
}

async fn finish(mut sink: Pin<Box<CopyInSink<Bytes>>>, binary: bool) -> Result<u64, tokio_postgres::Error> {
    if binary {
        sink.send(Bytes::from_static(TRAILER)).await?;
    }
    sink.as_mut().finish().await
}
