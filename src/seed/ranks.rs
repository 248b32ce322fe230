//! Zipf's law drawn in constant time: which of many ranks a random number stands for. No powers and no logarithms, whose
//! last bits differ between machines.

use std::sync::Arc;

use super::plan::Weights;
use super::random::{below, mix};

/// The ranks `0..size`, of which k comes in proportion to `1 / (k + 1)^exponent`.
///
/// The first ranks have their exact share. The others are drawn by segments, sixteen to each doubling, whose shares are
/// exact and whose ranks come equally often.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranks {
    weights: Weights,
    /// First rank and length of each.
    segments: Arc<[(u64, u64)]>,
}

/// Ranks that are segments of their own, and the segments of each doubling after them.
const ALONE: u64 = 32;
const PER_DOUBLING: u64 = 16;
/// Segments up to this length are summed term by term.
const SUMMED: u64 = 64;

impl Ranks {
    /// Over `size` ranks (at least 1). `exponent` 0 is uniform; negative and non-finite ones count as 0.
    #[must_use]
    pub fn zipf(size: u64, exponent: f64) -> Self {
        let exponent = if exponent.is_finite() {
            exponent.max(0.0)
        } else {
            0.0
        };
        let segments: Arc<[(u64, u64)]> = segments(size.max(1)).collect();
        let shares: Vec<f64> = segments
            .iter()
            .map(|(first, length)| share(*first, *length, exponent))
            .collect();
        Self {
            weights: Weights::new(&shares),
            segments,
        }
    }

    /// The rank that 64 random bits draw.
    #[inline]
    #[must_use]
    pub fn draw(&self, bits: u64) -> u64 {
        let (first, length) = self
            .segments
            .get(self.weights.draw(bits))
            .copied()
            .unwrap_or((0, 1));
        // Within the segment by bits of its own: those before have been used.
        if length == 1 {
            first
        } else {
            first + below(mix(bits), length)
        }
    }
}

/// First rank and length of each segment.
fn segments(size: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut first = 0_u64;
    std::iter::from_fn(move || {
        let left = size.checked_sub(first).filter(|left| *left > 0)?;
        // A sixteenth of the power of two below.
        let length = if first < ALONE {
            1
        } else {
            (1 << first.ilog2()) / PER_DOUBLING
        };
        let segment = (first, length.min(left));
        first += segment.1;
        Some(segment)
    })
}

/// The sum of `1 / k^exponent` over a segment.
fn share(first: u64, length: u64, exponent: f64) -> f64 {
    let term = |rank: u64| (rank as f64 + 1.0).powf(-exponent);
    if length <= SUMMED {
        return (first..first + length).map(term).sum();
    }
    // Simpson's rule over the integral from half a rank before to half a rank after.
    let (low, width) = (first as f64 + 0.5, length as f64);
    let at = |x: f64| x.powf(-exponent);
    width / 6.0 * (at(low) + 4.0 * at(low + width / 2.0) + at(low + width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;
    use proptest::prelude::*;

    #[test]
    fn ranks_follow_the_law() {
        const DRAWN: u64 = 1_000_000;
        for (size, exponent) in [
            (150_000, 0.6),
            (150_000, 1.0),
            (5_000, 1.4),
            (40, 0.9),
            (10, 0.0),
        ] {
            let (ranks, key) = (Ranks::zipf(size, exponent), Key::new(9));
            let total: f64 = (1..=size).map(|k| (k as f64).powf(-exponent)).sum();
            let mut counts = vec![0_u64; size as usize];
            for index in 0..DRAWN {
                counts[ranks.draw(key.at(index)) as usize] += 1;
            }
            // Single hot ranks, and everything between powers of three.
            let singles = (0..size.min(20)).map(|rank| rank..rank + 1);
            let wide =
                (0..12).map(|power| 3_u64.pow(power).min(size)..3_u64.pow(power + 1).min(size));
            for range in singles.chain(wide) {
                let share: f64 = range
                    .clone()
                    .map(|rank| (rank as f64 + 1.0).powf(-exponent))
                    .sum::<f64>()
                    / total;
                let drawn = counts[range.start as usize..range.end as usize]
                    .iter()
                    .sum::<u64>() as f64;
                let expected = share * DRAWN as f64;
                // A segment that a power of three cuts spreads by a few per mille; the rest is chance.
                let allowed = 5.0 * expected.sqrt() + 0.004 * expected + 1.0;
                assert!(
                    (drawn - expected).abs() <= allowed,
                    "{size} {exponent} {range:?}: {drawn} of {expected}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn every_rank_is_below_the_size(size in prop_oneof![1_u64..300, 1..u64::MAX], exponent in 0.0_f64..3.0, bits: u64) {
            prop_assert!(Ranks::zipf(size, exponent).draw(bits) < size);
        }

        #[test]
        fn segments_follow_one_another(size in prop_oneof![1_u64..300, 1..u64::MAX]) {
            let mut next = 0_u64;
            for (first, length) in segments(size) {
                prop_assert_eq!(first, next);
                prop_assert!(length > 0);
                next += length;
            }
            prop_assert_eq!(next, size);
        }
    }
}
