//! What a dataset and its audit take of the disk, before a byte is written. Sums are checked against the measured peaks of
//! three schemas by `tests/it/server/space.rs`.

use std::collections::BTreeSet;
use std::fmt;

use crate::schema::{Schema, TableKind};
use crate::seed::SeedPlan;
use crate::seed::plan::Fill;
use crate::units::Bytes;

/// A database's catalogs and files that it has before its first row, beside those of each table.
const EMPTY_DATABASE: u64 = 8 << 20;
/// The log between two checkpoints, of what is not loaded but written: catalogs, migrations, statements that roll back.
const LOG: u64 = 48 << 20;

/// Bytes on the disk, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Rows.
    pub tables: Bytes,
    pub indexes: Bytes,
    /// The copy that an audit works on.
    pub copy: Bytes,
    /// The largest index of a table, which is built to prove it, with what sorting takes.
    pub proof: Bytes,
    /// The server's log.
    pub log: Bytes,
}

impl Space {
    /// What a plan's rows take.
    #[must_use]
    pub fn of(schema: &Schema, plan: &SeedPlan) -> Self {
        let made = || {
            plan.tables
                .iter()
                .filter(|table| table.fill == Fill::Generate)
        };
        let tables = sum(made().map(|table| table.stored_bytes()));
        let indexes = sum(made().map(|table| table.index_bytes()));
        let empty = EMPTY_DATABASE.saturating_add(empty_files(schema, plan));
        let dataset = tables.saturating_add(indexes).saturating_add(empty);
        // An index of two columns on the largest table: a fifth of its rows.
        let largest = made().map(|table| table.stored_bytes()).max().unwrap_or(0);
        Self {
            tables: Bytes(tables),
            indexes: Bytes(indexes.saturating_add(empty)),
            copy: Bytes(dataset),
            proof: Bytes(largest / 5),
            log: Bytes(LOG),
        }
    }

    /// What filled tables take, with their indexes and the first pages of relations that hold few rows.
    #[must_use]
    pub fn of_relations(schema: &Schema, plan: &SeedPlan) -> Bytes {
        Bytes(
            plan.stored_bytes()
                .saturating_add(empty_files(schema, plan)),
        )
    }

    /// All of it at once.
    #[must_use]
    pub fn peak(&self) -> Bytes {
        let parts = [self.tables, self.indexes, self.copy, self.proof, self.log];
        Bytes(sum(parts.iter().map(|part| part.0)))
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "takes up to {} of the disk: {} with its indexes, {} for an audit's copy, {} for the server's log and indexes \
             that are tried",
            self.peak(),
            Bytes(self.tables.0.saturating_add(self.indexes.0)),
            self.copy,
            Bytes(self.log.0.saturating_add(self.proof.0)),
        )
    }
}

fn sum(parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(0, u64::saturating_add)
}

/// Files of relations that hold few rows: a page each, and two or three for a table's maps.
fn empty_files(schema: &Schema, plan: &SeedPlan) -> u64 {
    const PAGE: u64 = 8 << 10;
    let planned: BTreeSet<u32> = plan
        .tables
        .iter()
        .filter(|table| table.made_rows() > 0)
        .map(|table| table.oid)
        .collect();
    let stored = schema
        .tables
        .iter()
        .filter(|table| table.kind == TableKind::Ordinary);
    sum(stored.map(|table| {
        let maps = if planned.contains(&schema.root_of(table).oid) {
            4
        } else {
            0
        };
        PAGE * (2 * table.indexes.len() as u64 + 1 + maps)
    }))
}
