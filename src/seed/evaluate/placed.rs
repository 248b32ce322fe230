//! Numbers in step with the row's own: times of making, serial numbers, what production's correlation says. What is the
//! same for every row is worked out once.

use crate::seed::curve::Growth;
use crate::seed::plan::ScalarSource;
use crate::seed::random::Key;

/// The purpose for which a column's key is divided.
const STRAY: u64 = 5;

/// A row's place among all, from 0 to 1, with some stray.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaceShare {
    key: Key,
    stray_key: Key,
    /// What one row is of all.
    row: f64,
    stray: f64,
}

impl PlaceShare {
    pub(super) fn new(key: Key, rows: u64, stray: f64) -> Self {
        Self {
            key,
            stray_key: key.number(STRAY),
            row: 1.0 / rows.max(1) as f64,
            stray,
        }
    }

    #[inline]
    pub(super) fn at(&self, index: u64) -> f64 {
        // Signed: the machine has no conversion of unsigned numbers.
        let mut share = (index as i64 as f64 + self.key.fraction(index)) * self.row;
        if self.stray > 0.0 {
            share += self.stray * (2.0 * self.stray_key.fraction(index) - 1.0);
            // Reflected at both ends, so that no heap of values forms there.
            share = share.abs();
            share = if share > 1.0 { 2.0 - share } else { share };
        }
        share.clamp(0.0, 1.0)
    }
}

/// [`ScalarSource::Placed`], ready for its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'p> {
    share: PlaceShare,
    low: i64,
    high: i64,
    width: f64,
    rows: u64,
    growth: Option<&'p Growth>,
    descending: bool,
    unique: bool,
}

impl<'p> Placed<'p> {
    /// `None` of any other source.
    pub(super) fn new(key: Key, source: &'p ScalarSource) -> Option<Self> {
        let ScalarSource::Placed {
            low,
            high,
            rows,
            stray,
            growth,
            descending,
            unique,
        } = source
        else {
            return None;
        };
        Some(Self {
            share: PlaceShare::new(key, *rows, *stray),
            low: *low,
            high: *high,
            width: high.saturating_sub(*low) as f64,
            rows: (*rows).max(1),
            growth: growth.as_ref(),
            descending: *descending,
            unique: *unique,
        })
    }

    #[inline]
    pub(super) fn at(&self, index: u64) -> i64 {
        // Elements of arrays have numbers of their own.
        let index = if index < self.rows {
            index
        } else {
            index % self.rows
        };
        if self.unique {
            return self.alone(index);
        }
        let mut share = self.share.at(index);
        if let Some(growth) = self.growth {
            share = growth.at(share);
        }
        if self.descending {
            share = 1.0 - share;
        }
        self.low
            .saturating_add((self.width * share) as i64)
            .min(self.high)
    }

    /// One of the numbers that are this row's alone.
    fn alone(&self, index: u64) -> i64 {
        let range = self.high.saturating_sub(self.low).max(0) as u128;
        let start = range * u128::from(index) / u128::from(self.rows);
        let next = range * u128::from(index + 1) / u128::from(self.rows);
        let step = (next - start).max(1) as u64;
        self.low
            .saturating_add(start as i64)
            .saturating_add(self.share.key.below(index, step) as i64)
    }
}
