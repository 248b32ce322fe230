//! Ranges of which other columns are the ends.

use crate::seed::types::ScalarEncoding;

/// A range made of other columns of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The column that is its lower end.
    pub low: Option<usize>,
    /// The column that is its upper end.
    pub high: Option<usize>,
    /// Of the ends.
    pub encoding: ScalarEncoding,
    /// How far an end that no column is lies from the other one, at most; open where there is none.
    pub width: Option<i64>,
    /// Whether the upper end belongs to it.
    pub upper: UpperEnd,
}

/// Whether a range includes its upper end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpperEnd {
    Included,
    Excluded,
}
