//! What a plan's load takes: bytes on disk, and time on the machine where loads were measured.

use super::{Fill, SeedPlan, TablePlan};
use crate::units::Millis;

/// Index entries of a row, by what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexEntries {
    /// In the order in which rows come.
    pub ordered: u32,
    /// Of numbers, times and the like, in no order.
    pub numbers: u32,
    /// Of texts, whose comparison is the collation's, and of several entries a row.
    pub texts: u32,
}

/// What the parts of a load take, in milliseconds.
struct Costs {
    /// Connections, the look at the schema, sequences.
    once: f64,
    /// A table's files, its indexes and keys, ANALYZE.
    pub(super) table: f64,
    /// A partition's, beyond the first.
    partition: f64,
    bytes_per_millisecond: f64,
    /// An index entry of each kind.
    ordered: f64,
    number: f64,
    text: f64,
    /// A row that a foreign key looks up.
    pub(super) key: f64,
}

impl SeedPlan {
    /// Bytes of all made rows on disk, with their indexes, roughly.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        let made = self
            .tables
            .iter()
            .filter(|table| table.fill == Fill::Generate);
        made.fold(0, |sum: u64, table| {
            sum.saturating_add(table.stored_bytes())
                .saturating_add(table.index_bytes())
        })
    }

    /// How long the load takes on the machine where costs were measured, roughly: from loads of two cores (`scripts/announced`),
    /// between 3,700 rows in 371 tables and 30 million in 17, indexes, keys and ANALYZE included. One stream's COPY and what makes
    /// its rows keep two cores busy; more streams share them.
    #[must_use]
    pub fn expected_time(&self) -> Millis {
        const COSTS: Costs = Costs {
            once: 200.0,
            table: 10.5,
            partition: 3.1,
            bytes_per_millisecond: 105_000.0,
            ordered: 0.000_3,
            number: 0.000_45,
            text: 0.001_7,
            key: 0.000_3,
        };
        self.costs(&COSTS)
    }

    /// How long it takes to fill tables whose indexes and foreign keys are there already, in one session of a server that
    /// writes its log: each row goes into each index, and each key is looked up.
    #[must_use]
    pub fn expected_time_in_place(&self) -> Millis {
        const COSTS: Costs = Costs {
            once: 100.0,
            table: 12.0,
            partition: 2.0,
            bytes_per_millisecond: 58_000.0,
            ordered: 0.000_6,
            number: 0.005_2,
            text: 0.005_2,
            key: 0.003_6,
        };
        self.costs(&COSTS)
    }

    fn costs(&self, costs: &Costs) -> Millis {
        let mut made = self
            .tables
            .iter()
            .filter(|table| table.fill == Fill::Generate && table.rows > 0)
            .peekable();
        if made.peek().is_none() {
            return Millis(0.0);
        }
        let time = made.fold(costs.once, |time, table| {
            let entries = &table.index_entries;
            let of_a_row = f64::from(entries.ordered) * costs.ordered
                + f64::from(entries.numbers) * costs.number
                + f64::from(entries.texts) * costs.text
                + table.links.len() as f64 * costs.key;
            time + costs.table
                + costs.partition * table.leaves.len().saturating_sub(1) as f64
                + table.stored_bytes() as f64 / costs.bytes_per_millisecond
                + table.made_rows() as f64 * of_a_row
        });
        Millis(time)
    }
}

impl TablePlan {
    /// Bytes on disk, without indexes, roughly.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.made_rows()
            .saturating_mul(u64::from(self.stored_width))
    }

    /// Bytes of its indexes on disk, roughly.
    #[must_use]
    pub fn index_bytes(&self) -> u64 {
        self.made_rows().saturating_mul(u64::from(self.index_width))
    }
}
