//! A table's rows as chunks of COPY BINARY bytes, each for one leaf: what a generating thread does. No I/O: where the
//! buffers come from and where the chunks go is the caller's.

use std::ops::{ControlFlow, Range};

use super::evaluate::{Evaluator, RowWriter};
use super::plan::SeedPlan;

/// Bytes after which a chunk is handed on, where each may go to another leaf: whoever loads begins a COPY for it.
pub const CHUNK: usize = 512 << 10;
/// The same where all rows go to one leaf: small enough that what is on its way stays in a core's cache.
const SMALL_CHUNK: usize = 128 << 10;
/// All leaves' open chunks together.
const OPEN_CHUNKS: usize = 64 << 20;

/// Rows of one leaf.
#[derive(Debug)]
pub struct Chunk {
    /// Index in the table's leaves.
    pub leaf: usize,
    /// How many rows.
    pub rows: u64,
    /// Whole rows, without COPY's header and trailer.
    pub bytes: Vec<u8>,
}

/// A row that no partition takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Homeless {
    /// Its number.
    pub row: u64,
}

/// Makes the rows of a table. `buffer` gives an empty buffer, `emit` takes a full one and says whether to go on.
///
/// # Errors
/// [`Homeless`] for the first row that belongs to no partition.
pub fn generate(
    plan: &SeedPlan,
    table: usize,
    rows: Range<u64>,
    mut buffer: impl FnMut() -> Vec<u8>,
    mut emit: impl FnMut(Chunk) -> ControlFlow<()>,
) -> Result<(), Homeless> {
    let (evaluator, writer) = (Evaluator::new(plan), RowWriter::new(plan, table));
    let leaves = plan.tables[table].leaves.len();
    let single = plan.tables[table].router.is_none();
    let limit = if single { SMALL_CHUNK } else { CHUNK.min(OPEN_CHUNKS / leaves.max(1)).max(8 << 10) };
    let mut open: Vec<Option<(u64, Vec<u8>)>> = (0..leaves).map(|_| None).collect();
    let chosen = plan.tables[table].chosen.as_ref();
    for row in rows.filter(|row| chosen.is_none_or(|chosen| chosen.contains(*row))) {
        let leaf = if single { 0 } else { evaluator.leaf(table, row).ok_or(Homeless { row })? };
        let (count, bytes) = open[leaf].get_or_insert_with(|| (0, buffer()));
        writer.write(row, bytes);
        *count += 1;
        if bytes.len() >= limit
            && let Some((rows, bytes)) = open[leaf].take()
            && emit(Chunk { leaf, rows, bytes }).is_break()
        {
            return Ok(());
        }
    }
    for (leaf, chunk) in open.into_iter().enumerate() {
        if let Some((rows, bytes)) = chunk
            && emit(Chunk { leaf, rows, bytes }).is_break()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Makes some columns of a table's rows, in this order, for a target that has no leaves.
pub fn generate_columns(
    plan: &SeedPlan,
    table: usize,
    columns: &[usize],
    mut buffer: impl FnMut() -> Vec<u8>,
    mut emit: impl FnMut(Chunk) -> ControlFlow<()>,
) {
    let evaluator = Evaluator::new(plan);
    let fields = (columns.len() as u16).to_be_bytes();
    let (mut rows, mut bytes) = (0, buffer());
    let chosen = plan.tables[table].chosen.as_ref();
    for row in (0..plan.tables[table].rows).filter(|row| chosen.is_none_or(|chosen| chosen.contains(*row))) {
        bytes.extend_from_slice(&fields);
        for column in columns {
            evaluator.write_cell(table, *column, row, &mut bytes);
        }
        rows += 1;
        if bytes.len() >= CHUNK {
            let full = std::mem::replace(&mut bytes, buffer());
            if emit(Chunk { leaf: 0, rows, bytes: full }).is_break() {
                return;
            }
            rows = 0;
        }
    }
    if rows > 0 {
        // Nothing follows, whatever the answer.
        let _ = emit(Chunk { leaf: 0, rows, bytes });
    }
}
