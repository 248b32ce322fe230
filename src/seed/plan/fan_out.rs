//! How many children a parent has, as a histogram of counts: which of the parents a row points to, when as many rows as parents
//! between two counts need lie in their order.

use super::NumberPart;
use crate::seed::random::{Key, Permutation};

/// A histogram of counts over the parents that have children.
#[derive(Debug, Clone, PartialEq)]
pub struct FanOut {
    /// The share of all children that the parents up to the end of each step have; the steps have as many parents each.
    sums: Box<[f64]>,
    key: Key,
}

impl FanOut {
    /// `counts` are the mean numbers of children of equally many parents, from the fewest to the most. `None` where there are none.
    #[must_use]
    pub fn new(key: Key, counts: &[f64]) -> Option<Self> {
        let total: f64 = counts.iter().sum();
        if total <= 0.0 {
            return None;
        }
        let mut sum = 0.0;
        let sums = counts.iter().map(|count| {
            sum += count / total;
            sum
        });
        Some(Self {
            sums: sums.collect(),
            key,
        })
    }

    /// The parent of a row that lies at `inside` (0 to below 1) among the children of the parents of a range, of which
    /// `part.distinct` have children.
    #[must_use]
    pub fn parent(&self, part: &NumberPart, inside: f64) -> i64 {
        let width = part.high.abs_diff(part.low).max(1);
        let filled = match part.distinct {
            0 => width,
            some => some.min(width),
        };
        let rank = ((self.quantile(inside) * filled as f64) as u64).min(filled - 1);
        let order = Permutation::new(self.key.number(part.low.unsigned_abs()), width);
        part.low.saturating_add_unsigned(order.apply(rank))
    }

    /// The share of the parents with children that come before the parent of this child.
    fn quantile(&self, inside: f64) -> f64 {
        let last = self.sums.len() - 1;
        let step = self.sums.partition_point(|sum| *sum <= inside).min(last);
        let before = if step == 0 { 0.0 } else { self.sums[step - 1] };
        let within = (inside - before) / (self.sums[step] - before).max(f64::MIN_POSITIVE);
        (step as f64 + within.clamp(0.0, 1.0)) / self.sums.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn parents_have_as_many_children_as_the_histogram_says() {
        let fan_out = FanOut::new(Key::new(1), &[1.0, 1.5, 2.0, 4.0]).unwrap();
        let part = NumberPart {
            low: 100,
            high: 10_100,
            distinct: 7_500,
        };
        // A quarter each of the 7,500 parents with children.
        let rows = (7_500.0 * (1.0 + 1.5 + 2.0 + 4.0) / 4.0) as u64;
        let mut children: BTreeMap<i64, u64> = BTreeMap::new();
        for row in 0..rows {
            let inside = (row as f64 + 0.5) / rows as f64;
            *children.entry(fan_out.parent(&part, inside)).or_default() += 1;
        }
        assert!(children.keys().all(|parent| (100..10_100).contains(parent)));
        let childless = 1.0 - children.len() as f64 / 10_000.0;
        assert!((childless - 0.25).abs() < 0.005, "{childless}");
        let mut counts: Vec<u64> = children.into_values().collect();
        counts.sort_unstable();
        let at = |share: f64| counts[((counts.len() - 1) as f64 * share) as usize];
        assert_eq!([at(0.1), at(0.3), at(0.6), at(0.9)], [1, 1, 2, 4]);
    }
}
