//! Two columns that depend on each other: which values the one has where the other has some. Both keep their own shares.

use super::quantiles::{Quantiles, fractions};
use crate::seed::random::Key;

/// What another column's value says of this one's.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The other column's randomness.
    key: Key,
    /// The other column's order.
    other: Quantiles,
    /// To which bin each of the other column's parts belongs.
    bins: Box<[usize]>,
    /// For each bin the parts of this column with their conditional shares.
    rows: Box<[Conditional]>,
}

/// A distribution over intervals of this column's order.
#[derive(Debug, Clone, PartialEq)]
struct Conditional {
    /// The sum of the shares up to each interval, its own included.
    sums: Box<[f64]>,
    /// Where each begins and ends in this column's own order.
    intervals: Box<[(f64, f64)]>,
}

/// Shares of two columns' bins together.
#[derive(Debug, Clone, PartialEq)]
pub struct Together<'a> {
    /// To which bin each part of the other column belongs.
    pub other_bins: &'a [usize],
    /// To which bin each part of this column belongs.
    pub bins: &'a [usize],
    /// Bins of the other column and of this one with the share of the rows that have both.
    pub cells: &'a [(usize, usize, f64)],
}

/// Turns of the fit; margins that can be met are met to a thousandth long before.
const TURNS: usize = 30;

impl Given {
    /// `own` is this column's order, `other` the other's, whose randomness `key` names. `None` where there is nothing to tell.
    #[must_use]
    pub fn new(
        key: Key,
        other: &Quantiles,
        own: &Quantiles,
        together: &Together<'_>,
    ) -> Option<Self> {
        let (of_other, of_own) = (shares(&other.sums), shares(&own.sums));
        if together.other_bins.len() != of_other.len() || together.bins.len() != of_own.len() {
            return None;
        }
        let margin = |bins: &[usize], shares: &[f64]| {
            let mut margin = vec![0.0; bins.iter().max().map_or(0, |most| most + 1)];
            for (bin, share) in bins.iter().zip(shares) {
                margin[*bin] += share;
            }
            margin
        };
        let rows = margin(together.other_bins, &of_other);
        let columns = margin(together.bins, &of_own);
        let table = fitted(&rows, &columns, together.cells);
        let rows = table.iter().map(|shares| {
            let parts = together.bins.iter().zip(&of_own).enumerate();
            let parts = parts.filter_map(|(part, (bin, share))| {
                let share = shares[*bin] * share / columns[*bin].max(f64::MIN_POSITIVE);
                let start = if part == 0 { 0.0 } else { own.sums[part - 1] };
                (share > 0.0).then_some((share, (start, own.sums[part])))
            });
            let (weights, intervals): (Vec<f64>, Vec<(f64, f64)>) = parts.unzip();
            let total: f64 = weights.iter().sum();
            let mut sum = 0.0;
            let sums = weights.iter().map(|weight| {
                sum += weight / total.max(f64::MIN_POSITIVE);
                sum
            });
            Conditional {
                sums: sums.collect(),
                intervals: intervals.into(),
            }
        });
        Some(Self {
            key,
            other: other.clone(),
            bins: together.other_bins.into(),
            rows: rows.collect(),
        })
    }

    /// This column's place in its own order. `own` is by chance: a place that followed the rows would not be independent of the
    /// other column, which may follow them as well.
    pub(super) fn share(&self, row: u64, own: f64) -> f64 {
        let (place, chance) = fractions(self.key, row);
        let part = self.other.part(self.other.share(row, place, chance));
        let conditional = self.bins.get(part).and_then(|bin| self.rows.get(*bin));
        let Some(conditional) = conditional.filter(|found| !found.sums.is_empty()) else {
            return own;
        };
        let at = conditional.sums.partition_point(|sum| *sum <= own);
        let at = at.min(conditional.sums.len() - 1);
        let before = if at == 0 {
            0.0
        } else {
            conditional.sums[at - 1]
        };
        let inside = (own - before) / (conditional.sums[at] - before).max(f64::MIN_POSITIVE);
        let (start, end) = conditional.intervals[at];
        start + (end - start) * inside.clamp(0.0, 1.0 - 1e-9)
    }
}

fn shares(sums: &[f64]) -> Vec<f64> {
    let before = std::iter::once(&0.0).chain(sums);
    sums.iter()
        .zip(before)
        .map(|(sum, before)| sum - before)
        .collect()
}

/// A table of shares with these margins: the cells that are known, what is left of the margins spread over all cells, and the whole
/// fitted by turns (iterative proportional fitting, Deming and Stephan 1940).
fn fitted(rows: &[f64], columns: &[f64], cells: &[(usize, usize, f64)]) -> Vec<Vec<f64>> {
    let mut table = vec![vec![0.0; columns.len()]; rows.len()];
    let (mut left, mut below) = (rows.to_vec(), columns.to_vec());
    for (row, column, share) in cells {
        if let (Some(of_row), Some(of_column)) = (left.get_mut(*row), below.get_mut(*column)) {
            table[*row][*column] += share;
            *of_row -= share;
            *of_column -= share;
        }
    }
    let rest: f64 = below.iter().map(|share| share.max(0.0)).sum();
    for (row, shares) in table.iter_mut().enumerate() {
        for (column, share) in shares.iter_mut().enumerate() {
            *share += left[row].max(0.0) * below[column].max(0.0) / rest.max(f64::MIN_POSITIVE);
        }
    }
    for _ in 0..TURNS {
        for (shares, wanted) in table.iter_mut().zip(rows) {
            let sum: f64 = shares.iter().sum();
            scale(shares.iter_mut(), wanted / sum.max(f64::MIN_POSITIVE));
        }
        for (column, wanted) in columns.iter().enumerate() {
            let sum: f64 = table.iter().map(|shares| shares[column]).sum();
            let of_column = table.iter_mut().map(|shares| &mut shares[column]);
            scale(of_column, wanted / sum.max(f64::MIN_POSITIVE));
        }
    }
    table
}

fn scale<'s>(shares: impl Iterator<Item = &'s mut f64>, factor: f64) {
    shares.for_each(|share| *share *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_columns_keep_their_shares_and_know_each_other() {
        let rows = 50_000;
        let (other, _) = Quantiles::new(&[0.6, 0.3, 0.1], rows, 0.0);
        let (own, _) = Quantiles::new(&[0.5, 0.4, 0.1], rows, 0.0);
        // The rarest of the one has the rarest of the other alone.
        let together = Together {
            other_bins: &[0, 1, 2],
            bins: &[0, 1, 2],
            cells: &[(2, 2, 0.1), (0, 0, 0.5)],
        };
        let (key, mine) = (Key::new(1), Key::new(2));
        let given = Given::new(key, &other, &own, &together).unwrap();
        let own = Quantiles {
            given: Some(Box::new(given)),
            ..own
        };
        let mut counts = [[0.0_f64; 3]; 3];
        for row in 0..rows {
            let of = |quantiles: &Quantiles, key| {
                let (place, chance) = fractions(key, row);
                quantiles.pick(row, place, chance)
            };
            counts[of(&other, key)][of(&own, mine)] += 1.0 / rows as f64;
        }
        let column = |at: usize| counts.iter().map(|row| row[at]).sum::<f64>();
        for (at, wanted) in [0.5, 0.4, 0.1].into_iter().enumerate() {
            assert!((column(at) - wanted).abs() < 0.01, "{counts:?}");
        }
        assert!(counts[2][2] > 0.095 && counts[2][0] < 0.003, "{counts:?}");
        assert!((counts[0][0] - 0.5).abs() < 0.01, "{counts:?}");
    }
}
