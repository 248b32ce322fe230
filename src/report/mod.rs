//! Reports: one model, one file a format. Sees findings and results, never `db`.

use crate::catalog::Query;
use crate::finding::Finding;
use crate::run::QueryRuns;
use crate::units::{Bytes, Millis};

/// All that an audit found.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditReport {
    /// `15.18`.
    pub server_version: String,
    /// Planner settings that differ from the defaults.
    pub server_settings: Vec<(String, String)>,
    /// `None` where the database was given by URL.
    pub dataset: Option<DatasetInfo>,
    /// Tables with their sizes, largest first.
    pub tables: Vec<TableInfo>,
    /// Every query of the catalog that was audited.
    pub queries: Vec<Query>,
    /// Their runs, in the same order.
    pub runs: Vec<QueryRuns>,
    /// Everything found, worst first; suppressed ones too.
    pub findings: Vec<Finding>,
    /// The whole command.
    pub elapsed: Millis,
}

/// The dataset that was audited.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetInfo {
    /// Of migrations, specs, seed, scale and generator version.
    pub fingerprint: String,
    /// `[dataset] seed`.
    pub seed: u64,
    /// `[dataset] scale`.
    pub scale: f64,
    /// Whether it was there already.
    pub reused: bool,
}

/// A table's size.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInfo {
    /// For people.
    pub name: String,
    /// `reltuples`.
    pub rows: u64,
    /// Heap with TOAST and indexes.
    pub bytes: Bytes,
}
