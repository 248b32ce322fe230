//! Where numbers come from, and what limits them.

use super::{Domain, NumberPart, Shape, Weights};
use crate::seed::curve::{Curve, Growth};
use crate::seed::random::{Key, Permutation};
use crate::seed::types::ScalarEncoding;

/// A number's source, form and limits.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// How it is laid out.
    pub encoding: ScalarEncoding,
    /// Where it comes from.
    pub source: ScalarSource,
    /// What it must not go below or above, whatever the source says.
    pub hard: (i64, i64),
    /// Only multiples of this, counted from zero; 1 for all.
    pub grain: i64,
    /// Other columns of the row that it must not go below or above.
    pub bounds: Vec<Bound>,
    /// The parts of its range in which it may lie, where some are missing.
    pub domain: Option<Box<Domain>>,
}

/// Where a number comes from.
#[derive(Debug, Clone)]
pub enum ScalarSource {
    /// `start + index * step`.
    Sequence { start: i64, step: i64 },
    /// Uniform from `low` to `high`; `unique` gives every index its own.
    Range {
        low: i64,
        high: i64,
        unique: Option<Permutation>,
    },
    /// More small values than large ones: `low + (high - low) * curve(u)`.
    LowHeavy { low: i64, high: i64, curve: Curve },
    /// In step with the row's number, from `low` to `high`.
    Placed {
        low: i64,
        high: i64,
        rows: u64,
        stray: f64,
        growth: Option<Growth>,
        descending: bool,
        unique: bool,
    },
    /// One of a list, by weight.
    Listed {
        values: Box<[i64]>,
        weights: Weights,
    },
    /// One of a list for this share of the rows, else what `rest` makes.
    Mixed {
        values: Box<[i64]>,
        weights: Weights,
        share: f64,
        rest: Box<ScalarSource>,
    },
    /// Between neighbouring bounds of a histogram, each pair as often as the others; in step with the row's number where
    /// `placed` says so.
    Histogram {
        bounds: Box<[i64]>,
        placed: Option<Placement>,
    },
    /// As a profile describes it.
    Shape(Box<Shape<NumberPart>>),
    /// `start` + which child of its parent the row is.
    Ordinal { link: usize, start: i64 },
    /// A digit of the number that the row has within a unique key (see [`Odometer`]).
    Digit {
        low: i64,
        /// Numbers count from `low` on; times lie anywhere between `low` and this one.
        until: Option<i64>,
        odometer: Odometer,
    },
    /// `mean` units on average past the column that bounds it from below; `range` is where it would lie without that.
    After { mean: i64, range: (i64, i64) },
    /// The row's place in its group, `stride` apart: what must not overlap.
    Slot {
        low: i64,
        stride: i64,
        counter: Counter,
        divisor: u64,
    },
}

/// A value's place in row order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Rows of the table.
    pub rows: u64,
    /// See [`crate::seed::distribution::stray_for_correlation`].
    pub stray: f64,
    /// Large values first.
    pub descending: bool,
}

/// The part of a row's number, within a group of rows that must differ, that one column of a unique key shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odometer {
    /// Where the number comes from.
    pub counter: Counter,
    /// Product of the sizes of the digits before this one.
    pub divisor: u64,
    /// Size of this digit.
    pub size: u64,
    /// Scatters the digit's values, differently for each group.
    pub key: Key,
    /// Zipf's exponent of the digit's values (only where it is the key's only digit).
    pub skew: f64,
}

/// What an odometer counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Counter {
    /// Children of one parent, by the grouped link.
    Link(usize),
    /// All rows, in a scattered order.
    Rows(Permutation),
    /// All rows, in their own.
    Row,
}

/// A limit that other columns of the row set: a sum of them and a constant. Where one of them is NULL there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub side: Side,
    /// The constant.
    pub offset: i64,
    /// The columns.
    pub terms: Box<[Term]>,
}

/// A column's part of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Index in the table's columns.
    pub column: usize,
    /// Multiplies it: coefficient, and its units to this column's.
    pub times: i64,
    /// Divides it.
    pub per: i64,
}

/// Which side a bound limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    AtLeast,
    AtMost,
    Differs,
}
