//! What a changed plan means: decided by blocks, rows read and temporary files, never by cost or by one time. Pure.

use serde::{Deserialize, Serialize};

use crate::units::Pages;

use super::change::Change;
use super::work::Work;

/// The verdict on one query with one parameter set, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It fails, does not finish, or returns something else.
    Error,
    /// Much more work.
    MajorRegression,
    /// More work.
    Regression,
    /// The same work, and slower beyond chance.
    Slower,
    /// The unchanged copy differs as well: says nothing.
    Unstable,
    /// Another plan, about the same work.
    Neutral,
    /// Less work.
    Improvement,
    /// Much less work.
    MajorImprovement,
    /// The same plan, the same work.
    Unchanged,
}

impl Verdict {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::MajorRegression => "major regression",
            Self::Regression => "regression",
            Self::Slower => "slower, same work",
            Self::Unstable => "unstable",
            Self::Neutral => "changed, neutral",
            Self::Improvement => "improvement",
            Self::MajorImprovement => "major improvement",
            Self::Unchanged => "unchanged",
        }
    }

    /// A regression of any size.
    #[must_use]
    pub fn is_regression(self) -> bool {
        matches!(self, Self::Regression | Self::MajorRegression)
    }

    /// An improvement of any size.
    #[must_use]
    pub fn is_improvement(self) -> bool {
        matches!(self, Self::Improvement | Self::MajorImprovement)
    }
}

/// From where on more work is a regression: 1.2 times the blocks and 128 more, or twice the rows and 10 000 more. Major: twice, and
/// as many more as 1000 pages hold of common rows, so that a narrow table's full scan counts as much as a wide one's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Blocks after over blocks before.
    pub blocks_factor: f64,
    /// And at least so many blocks more.
    pub blocks_more: f64,
    /// Rows read after over before.
    pub rows_factor: f64,
    /// And at least so many rows more.
    pub rows_more: f64,
    /// From this factor on a change in blocks is major.
    pub major_factor: f64,
    /// And from so many blocks on.
    pub major_more: f64,
    /// From so many rows more on a change in rows read by [`Self::major_factor`] is major.
    pub major_rows_more: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blocks_factor: 1.2,
            blocks_more: 128.0,
            rows_factor: 2.0,
            rows_more: 10_000.0,
            major_factor: 2.0,
            major_more: 1000.0,
            major_rows_more: 80_000.0,
        }
    }
}

/// How much more work one side does, by the dimension that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Past the limits for the worse.
    Worse { major: bool },
    /// Past the limits for the better.
    Better { major: bool },
    /// Within the limits.
    Same,
}

/// Compares two amounts of work. Blocks decide; rows read and temporary blocks where blocks do not say otherwise.
#[must_use]
pub fn direction(before: &Work, after: &Work, limits: &Limits) -> Direction {
    let blocks = |work: &Work| work.blocks.map(|pages| pages.0 as f64);
    let by_blocks = past(
        blocks(before),
        blocks(after),
        limits.blocks_factor,
        limits.blocks_more,
    );
    let major = |a, b| past(a, b, limits.major_factor, limits.major_more);
    let major_rows = |a, b| past(a, b, limits.major_factor, limits.major_rows_more);
    let temp = |work: &Work| work.temp_blocks.map(|Pages(n)| n > 0);
    let spills = matches!((temp(before), temp(after)), (Some(false), Some(true)));
    let stops_spilling = matches!((temp(before), temp(after)), (Some(true), Some(false)));
    let more_rows = past(
        before.rows_read,
        after.rows_read,
        limits.rows_factor,
        limits.rows_more,
    );
    let fewer_rows = past(
        after.rows_read,
        before.rows_read,
        limits.rows_factor,
        limits.rows_more,
    );
    let fewer_blocks = past(
        blocks(after),
        blocks(before),
        limits.blocks_factor,
        limits.blocks_more,
    );
    if by_blocks || (more_rows && !fewer_blocks) {
        Direction::Worse {
            major: major(blocks(before), blocks(after))
                || major_rows(before.rows_read, after.rows_read),
        }
    } else if spills {
        Direction::Worse { major: false }
    } else if fewer_blocks || fewer_rows {
        Direction::Better {
            major: major(blocks(after), blocks(before))
                || major_rows(after.rows_read, before.rows_read),
        }
    } else if stops_spilling {
        Direction::Better { major: false }
    } else {
        Direction::Same
    }
}

/// Whether `b` is past `a` by the factor and by the amount; never for what was not measured.
fn past(a: Option<f64>, b: Option<f64>, factor: f64, more: f64) -> bool {
    matches!((a, b), (Some(a), Some(b)) if b >= a * factor && b - a >= more)
}

/// The verdict on one parameter set, before times are looked at.
#[must_use]
pub fn judge(before: &Work, after: &Work, changes: &[Change], limits: &Limits) -> Verdict {
    if changes.iter().any(Change::is_error) {
        return Verdict::Error;
    }
    if changes.contains(&Change::Finishes) {
        return Verdict::MajorImprovement;
    }
    match direction(before, after, limits) {
        Direction::Worse { major: true } => Verdict::MajorRegression,
        Direction::Worse { major: false } => Verdict::Regression,
        Direction::Better { major: true } => Verdict::MajorImprovement,
        Direction::Better { major: false } => Verdict::Improvement,
        Direction::Same if changes.is_empty() => Verdict::Unchanged,
        Direction::Same => Verdict::Neutral,
    }
}

/// What flips between a dataset and its unchanged, re-analyzed copy says nothing about the migration. Errors stay.
#[must_use]
pub fn steady(verdict: Verdict, control: Verdict, after_like_control: bool) -> Verdict {
    let control_flips = !matches!(control, Verdict::Unchanged | Verdict::Neutral);
    match verdict {
        Verdict::Error => Verdict::Error,
        Verdict::Unchanged => Verdict::Unchanged,
        _ if control_flips || after_like_control => Verdict::Unstable,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(blocks: u64, rows_read: f64, temp: u64) -> Work {
        Work {
            blocks: Some(Pages(blocks)),
            rows_read: Some(rows_read),
            temp_blocks: Some(Pages(temp)),
            rows: None,
        }
    }

    fn verdict(before: Work, after: Work) -> Verdict {
        judge(&before, &after, &[], &Limits::default())
    }

    #[test]
    fn both_the_factor_and_the_amount_must_be_passed() {
        assert_eq!(
            verdict(work(4, 1.0, 0), work(40, 1.0, 0)),
            Verdict::Unchanged
        );
        assert_eq!(
            verdict(work(10_000, 1.0, 0), work(10_500, 1.0, 0)),
            Verdict::Unchanged
        );
        assert_eq!(
            verdict(work(1000, 1.0, 0), work(1300, 1.0, 0)),
            Verdict::Regression
        );
        assert_eq!(
            verdict(work(1000, 1.0, 0), work(2100, 1.0, 0)),
            Verdict::MajorRegression
        );
        assert_eq!(
            verdict(work(2100, 1.0, 0), work(1000, 1.0, 0)),
            Verdict::MajorImprovement
        );
    }

    /// Each limit holds at its value and not one below.
    #[test]
    fn limits_are_met_at_their_value() {
        let blocks = |before, after| verdict(work(before, 1.0, 0), work(after, 1.0, 0));
        // 1.2 times; 128 more is met.
        assert_eq!(blocks(1000, 1199), Verdict::Unchanged);
        assert_eq!(blocks(1000, 1200), Verdict::Regression);
        assert_eq!(blocks(1200, 1000), Verdict::Improvement);
        assert_eq!(blocks(1199, 1000), Verdict::Unchanged);
        // 128 more; 1.2 times is met.
        assert_eq!(blocks(100, 227), Verdict::Unchanged);
        assert_eq!(blocks(100, 228), Verdict::Regression);
        // Major: twice, and 1000 more.
        assert_eq!(blocks(1000, 1999), Verdict::Regression);
        assert_eq!(blocks(1000, 2000), Verdict::MajorRegression);
        assert_eq!(blocks(900, 1899), Verdict::Regression);
        assert_eq!(blocks(900, 1900), Verdict::MajorRegression);
        let rows = |before, after| verdict(work(10, before, 0), work(10, after, 0));
        // Twice the rows, and 10 000 more.
        assert_eq!(rows(10_001.0, 20_001.0), Verdict::Unchanged);
        assert_eq!(rows(10_001.0, 20_002.0), Verdict::Regression);
        assert_eq!(rows(5_000.0, 14_999.0), Verdict::Unchanged);
        assert_eq!(rows(5_000.0, 15_000.0), Verdict::Regression);
        // Major by rows: 80 000 more.
        assert_eq!(rows(1_000.0, 80_999.0), Verdict::Regression);
        assert_eq!(rows(1_000.0, 81_000.0), Verdict::MajorRegression);
    }

    #[test]
    fn temporary_files_and_rows_read_count_too() {
        assert_eq!(
            verdict(work(10, 1.0, 0), work(10, 1.0, 1)),
            Verdict::Regression
        );
        assert_eq!(
            verdict(work(10, 5000.0, 0), work(10, 20_000.0, 0)),
            Verdict::Regression
        );
        assert_eq!(
            verdict(work(10, 20_000.0, 0), work(10, 5000.0, 0)),
            Verdict::Improvement
        );
    }

    #[test]
    fn a_narrow_table_read_in_full_is_as_bad_as_a_wide_one() {
        let by_index = work(67, 10.0, 0);
        let in_full = work(541, 100_000.0, 0);
        assert_eq!(verdict(by_index, in_full), Verdict::MajorRegression);
        assert_eq!(verdict(in_full, by_index), Verdict::MajorImprovement);
        assert_eq!(
            verdict(work(541, 70_000.0, 0), work(541, 150_000.0, 0)),
            Verdict::MajorRegression
        );
        assert_eq!(
            verdict(work(541, 50_000.0, 0), work(541, 120_000.0, 0)),
            Verdict::Regression
        );
    }

    #[test]
    fn blocks_decide_over_rows_read() {
        assert_eq!(
            verdict(work(9000, 10_000.0, 0), work(30, 40_000.0, 0)),
            Verdict::MajorImprovement
        );
    }

    #[test]
    fn what_was_not_measured_decides_nothing() {
        let estimate = Work::default();
        assert_eq!(
            judge(
                &work(10, 1.0, 0),
                &estimate,
                &[Change::ParallelOn],
                &Limits::default()
            ),
            Verdict::Neutral
        );
    }

    #[test]
    fn a_control_that_flips_makes_it_unstable() {
        assert_eq!(
            steady(Verdict::MajorRegression, Verdict::Regression, false),
            Verdict::Unstable
        );
        assert_eq!(
            steady(Verdict::MajorRegression, Verdict::Neutral, false),
            Verdict::MajorRegression
        );
        assert_eq!(
            steady(Verdict::Error, Verdict::Regression, false),
            Verdict::Error
        );
    }
}
