//! What EXPLAIN says of a node's memory, cache, workers and blocks.

use serde::{Deserialize, Serialize};

use super::Actual;
use crate::units::{Bytes, Millis, Pages};

/// A sort's memory or disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortSpace {
    /// `quicksort`, `top-N heapsort`, `external merge`…
    pub method: String,
    /// `Sort Space Used`.
    pub used: Bytes,
    /// `Sort Space Type` = Disk.
    pub on_disk: bool,
}

/// A hash table's memory and batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HashSpace {
    /// `Hash Buckets`.
    pub buckets: Option<u64>,
    /// `Hash Batches`, or `HashAgg Batches`: more than 1 (Hash) or more than 0 (Aggregate) means disk.
    pub batches: Option<u64>,
    /// `Original Hash Batches`.
    pub original_batches: Option<u64>,
    /// `Peak Memory Usage`.
    pub peak_memory: Option<Bytes>,
    /// `Disk Usage` of a hashed Aggregate.
    pub disk: Option<Bytes>,
    /// `Planned Partitions` of a hashed Aggregate.
    pub planned_partitions: Option<u64>,
}

/// A cache of inner rows under a nested loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memoize {
    pub hits: Option<u64>,
    pub misses: Option<u64>,
    pub evictions: Option<u64>,
    pub overflows: Option<u64>,
    pub peak_memory: Option<Bytes>,
}

/// One worker's part.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// From 0.
    pub number: u32,
    /// Its own times, rows and loops.
    pub actual: Option<Actual>,
    /// Its own sort.
    pub sort: Option<SortSpace>,
    /// Its own hash table.
    pub hash: Option<HashSpace>,
    /// Its own blocks.
    pub buffers: Option<Buffers>,
}

/// Blocks (8 kB pages) by kind, and time spent on I/O where `track_io_timing` is on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Buffers {
    pub shared_hit: u64,
    pub shared_read: u64,
    pub shared_dirtied: u64,
    pub shared_written: u64,
    pub local_hit: u64,
    pub local_read: u64,
    pub local_dirtied: u64,
    pub local_written: u64,
    pub temp_read: u64,
    pub temp_written: u64,
    pub shared_read_ms: Option<Millis>,
    pub shared_write_ms: Option<Millis>,
    pub temp_read_ms: Option<Millis>,
    pub temp_write_ms: Option<Millis>,
}

/// Write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wal {
    pub records: u64,
    pub full_page_images: u64,
    pub bytes: Bytes,
}

impl Buffers {
    /// Shared and local blocks touched: the measure of work that does not depend on what was cached.
    #[must_use]
    pub fn touched(&self) -> Pages {
        Pages(self.shared_hit + self.shared_read + self.local_hit + self.local_read)
    }

    /// Temporary blocks read and written.
    #[must_use]
    pub fn temp(&self) -> Pages {
        Pages(self.temp_read + self.temp_written)
    }
}
