//! A table's rows as chunks of COPY BINARY bytes, each for one leaf. No I/O: where the buffers come from and where the
//! chunks go is the caller's.

use std::ops::Range;

use super::evaluate::{Evaluator, RowWriter};
use super::plan::{RowSet, SeedPlan};

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

/// Which of a table's leaves are meant: all, or every so many-th of them from one on, so that several connections can fill
/// one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Which part, from 0.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Part {
    /// All leaves.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// Every part of so many.
    pub fn all(of: usize) -> impl Iterator<Item = Self> {
        (0..of).map(move |number| Self { number, of })
    }

    /// Whether a leaf belongs to it.
    #[inline]
    #[must_use]
    pub const fn holds(self, leaf: usize) -> bool {
        leaf % self.of == self.number
    }
}

/// A row that no partition takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingPartition {
    /// Its number.
    pub row: u64,
}

/// The chunks of a table's rows, made as they are asked for.
#[derive(Debug)]
pub struct Chunks<'p> {
    evaluator: Evaluator<'p>,
    writer: RowWriter<'p>,
    table: usize,
    rows: Range<u64>,
    chosen: Option<&'p RowSet>,
    /// Rows go to more than one leaf; those of this part's are made.
    routed: Option<Part>,
    limit: usize,
    /// Chunks that have room: one for each leaf that has come up.
    open: Vec<Option<(u64, Vec<u8>)>>,
    /// Leaves whose last chunk is out.
    closed: usize,
}

impl<'p> Chunks<'p> {
    /// Of some rows of a table.
    #[must_use]
    pub fn new(plan: &'p SeedPlan, table: usize, rows: Range<u64>) -> Self {
        Self::with(plan, RowWriter::new(plan, table), table, rows, Part::WHOLE)
    }

    /// Of all rows that go to some of a table's leaves.
    #[must_use]
    pub fn of_part(plan: &'p SeedPlan, table: usize, part: Part) -> Self {
        Self::with(
            plan,
            RowWriter::new(plan, table),
            table,
            0..plan.tables[table].rows,
            part,
        )
    }

    /// Of some columns of all rows, in this order, for a target that has no leaves.
    #[must_use]
    pub fn of_columns(plan: &'p SeedPlan, table: usize, columns: &[usize]) -> Self {
        let writer = RowWriter::of_columns(plan, table, columns);
        let all = Self::with(plan, writer, table, 0..plan.tables[table].rows, Part::WHOLE);
        Self {
            routed: None,
            limit: SMALL_CHUNK,
            ..all
        }
    }

    fn with(
        plan: &'p SeedPlan,
        writer: RowWriter<'p>,
        table: usize,
        rows: Range<u64>,
        part: Part,
    ) -> Self {
        let planned = &plan.tables[table];
        let (leaves, chosen) = (planned.leaves.len().max(1), planned.chosen.as_ref());
        let routed = planned.router.is_some().then_some(part);
        let limit = if routed.is_some() {
            CHUNK.min(OPEN_CHUNKS / leaves).max(8 << 10)
        } else {
            SMALL_CHUNK
        };
        let open = (0..leaves).map(|_| None).collect();
        Self {
            evaluator: Evaluator::new(plan),
            writer,
            table,
            rows,
            chosen,
            routed,
            limit,
            open,
            closed: 0,
        }
    }

    /// The next chunk; `buffer` gives an empty buffer. `None` when all rows are out.
    ///
    /// # Errors
    /// [`MissingPartition`] for the first row that belongs to no partition.
    pub fn next(
        &mut self,
        mut buffer: impl FnMut() -> Vec<u8>,
    ) -> Result<Option<Chunk>, MissingPartition> {
        for row in self.rows.by_ref() {
            if self.chosen.is_some_and(|chosen| !chosen.contains(row)) {
                continue;
            }
            let leaf = match self.routed {
                None => 0,
                Some(part) => match self.evaluator.leaf(self.table, row) {
                    Some(leaf) if part.holds(leaf) => leaf,
                    Some(_) => continue,
                    None => return Err(MissingPartition { row }),
                },
            };
            let (count, bytes) = self.open[leaf].get_or_insert_with(|| (0, buffer()));
            self.writer.write(row, bytes);
            *count += 1;
            if bytes.len() >= self.limit
                && let Some((rows, bytes)) = self.open[leaf].take()
            {
                return Ok(Some(Chunk { leaf, rows, bytes }));
            }
        }
        while let Some(last) = self.open.get_mut(self.closed) {
            let leaf = self.closed;
            self.closed += 1;
            if let Some((rows, bytes)) = last.take() {
                return Ok(Some(Chunk { leaf, rows, bytes }));
            }
        }
        Ok(None)
    }
}
