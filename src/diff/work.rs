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
    /// Whether the plan was executed.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        *self != Self::default()
    }

    /// The work that a plan with measurements shows.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let root = plan.root();
        let rows_read: Vec<f64> = plan
            .nodes
            .iter()
            .filter(|node| reads_rows(&node.kind))
            .filter_map(rows_read)
            .collect();
        Self {
            blocks: root.buffers.map(|buffers| buffers.touched()),
            rows_read: root.actual.map(|_| rows_read.iter().sum()),
            temp_blocks: root.buffers.map(|buffers| buffers.temp()),
            rows: root.actual.map(|actual| actual.rows.0 * actual.loops),
        }
    }
}

/// Blocks and rows that the same plan on the same data differs by from run to run: hint bits, workers' shares, the visibility
/// map, a catalog that is larger by a page. As a share and at least so many. Far below what a verdict counts.
const NOISE: f64 = 0.02;
const NOISE_FLOOR: f64 = 32.0;

impl Work {
    /// Whether the other is what the same plan may do on the same data. Rows that are returned, and whether it spills, are not
    /// left to chance.
    #[must_use]
    pub fn is_within_noise_of(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= (a.max(b) * NOISE).max(NOISE_FLOOR);
        let both = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => near(a, b),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let pages = |pages: Option<Pages>| pages.map(|pages| pages.0 as f64);
        let spills = |work: &Self| work.temp_blocks.is_some_and(|blocks| blocks.0 > 0);
        self.rows == other.rows
            && spills(self) == spills(other)
            && both(pages(self.blocks), pages(other.blocks))
            && both(pages(self.temp_blocks), pages(other.temp_blocks))
            && both(self.rows_read, other.rows_read)
    }
}

/// `Actual Rows` is after the filter: what was read includes what was thrown away. The server tells the mean of the
/// processes that shared a scan, rounded, and how many there were is chance: of such a sum three digits are printed, for no
/// more of them is true.
fn rows_read(node: &Node) -> Option<f64> {
    let actual = node.actual?;
    let removed = [node.removed.filter, node.removed.index_recheck];
    let removed: f64 = removed.into_iter().flatten().map(|rows| rows.0).sum();
    let read = (actual.rows.0 + removed) * actual.loops;
    Some(if node.parallel_aware && read >= 1.0 {
        three_digits(read)
    } else {
        read
    })
}

fn three_digits(number: f64) -> f64 {
    let unit = 10_f64.powi((number.log10().floor() as i32 - 2).max(0));
    (number / unit).round() * unit
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 200,000 rows, read by two workers and the leader or by one of them less.
    #[test]
    fn rows_of_a_shared_scan_do_not_depend_on_who_shared_it() {
        let read = |rows: f64, loops: f64| {
            let scan = format!(
                r#"[{{"Plan": {{"Node Type": "Seq Scan", "Parallel Aware": true, "Relation Name": "orders", "Alias": "orders",
                "Startup Cost": 0, "Total Cost": 1, "Plan Rows": 1, "Plan Width": 4, "Actual Startup Time": 0,
                "Actual Total Time": 1, "Actual Rows": {rows}, "Actual Loops": {loops}, "Rows Removed by Filter": 7}}}}]"#
            );
            Work::of(&crate::plan::parse::json(&scan).unwrap().remove(0)).rows_read
        };
        assert_eq!(read(66_660.0, 3.0), Some(200_000.0));
        assert_eq!(read(66_659.67, 3.0), Some(200_000.0));
        assert_eq!(read(99_993.0, 2.0), Some(200_000.0));
        assert_eq!(read(400.0, 2.0), Some(814.0));
    }

    #[test]
    fn noise_is_a_few_blocks_or_rows_and_never_another_result_or_a_spill() {
        let work = |blocks, rows_read, temp, rows| Work {
            blocks: Some(Pages(blocks)),
            rows_read: Some(rows_read),
            temp_blocks: Some(Pages(temp)),
            rows: Some(rows),
        };
        let kept = work(1_000, 50_000.0, 0, 20.0);
        assert!(work(1_030, 50_900.0, 0, 20.0).is_within_noise_of(&kept));
        assert!(work(40, 3.0, 0, 1.0).is_within_noise_of(&work(9, 3.0, 0, 1.0)));
        assert!(!work(1_040, 50_000.0, 0, 20.0).is_within_noise_of(&kept));
        assert!(!work(1_000, 52_000.0, 0, 20.0).is_within_noise_of(&kept));
        assert!(!work(1_000, 50_000.0, 0, 21.0).is_within_noise_of(&kept));
        assert!(!work(1_000, 50_000.0, 2, 20.0).is_within_noise_of(&kept));
        assert!(!Work::default().is_within_noise_of(&kept));
    }

    #[test]
    fn noise_ends_at_32_pages_and_at_two_of_a_hundred() {
        let is_noise = |one: u64, other: u64| {
            let work = |pages| Work {
                blocks: Some(Pages(pages)),
                ..Work::default()
            };
            work(one).is_within_noise_of(&work(other))
        };
        assert!(is_noise(1_000, 1_032) && !is_noise(1_000, 1_033));
        // The share is of the larger one.
        assert!(is_noise(9_800, 10_000) && !is_noise(9_799, 10_000));
    }
}
