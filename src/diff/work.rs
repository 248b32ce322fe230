//! How much work a plan did, in figures that do not depend on what was cached or how busy the machine was. Pure.

use serde::{Deserialize, Serialize};

use crate::plan::{Node, NodeKind, Plan};
use crate::units::Pages;

/// A plan's work; `None` where it was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Work {
    /// Shared and local blocks touched, at the root.
    pub blocks: Option<Pages>,
    /// Rows that scans read, kept or not.
    pub rows_read: Option<f64>,
    /// Temporary blocks read and written, at the root.
    pub temp_blocks: Option<Pages>,
    /// Rows that the statement returned.
    pub rows: Option<f64>,
}

impl Work {
    /// The work that a plan with measurements shows.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let root = plan.root();
        let rows_read: Vec<f64> =
            plan.nodes.iter().filter(|node| reads_rows(&node.kind)).filter_map(rows_read).collect();
        Self {
            blocks: root.buffers.map(|buffers| buffers.touched()),
            rows_read: root.actual.map(|_| rows_read.iter().sum()),
            temp_blocks: root.buffers.map(|buffers| buffers.temp()),
            rows: root.actual.map(|actual| actual.rows.0 * actual.loops),
        }
    }
}

/// `Actual Rows` is after the filter: what was read includes what was thrown away.
fn rows_read(node: &Node) -> Option<f64> {
    let actual = node.actual?;
    let removed = [node.removed.filter, node.removed.index_recheck];
    let removed: f64 = removed.into_iter().flatten().map(|rows| rows.0).sum();
    Some((actual.rows.0 + removed) * actual.loops)
}

fn reads_rows(kind: &NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::SeqScan
            | NodeKind::SampleScan
            | NodeKind::IndexScan
            | NodeKind::IndexOnlyScan
            | NodeKind::BitmapHeapScan
            | NodeKind::TidScan
            | NodeKind::TidRangeScan
            | NodeKind::ForeignScan
    )
}
