//! Powers of a fraction, read from a table: what the library's `powf` takes most of a cell's time for. The table is the
//! same on every machine, where the last bits of `powf` are not.

use std::sync::Arc;

/// `x^exponent` over 0 to 1 as straight pieces: never decreasing, exact at the ends, within a thousandth between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    points: Arc<[f32; POINTS + 1]>,
}

/// Pieces; the last point stands twice, so that the end needs no case of its own.
const PIECES: usize = 256;
const POINTS: usize = PIECES + 1;

impl Curve {
    /// `exponent` must be greater than 0.
    #[must_use]
    pub fn power(exponent: f64) -> Self {
        let point = |at: usize| (at.min(PIECES) as f64 / PIECES as f64).powf(exponent) as f32;
        Self {
            points: Arc::new(std::array::from_fn(point)),
        }
    }

    /// Where `share` (0 to 1) is taken.
    #[inline]
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        let position = share * PIECES as f64;
        let piece = (position as usize).min(PIECES);
        let (low, high) = (
            f64::from(self.points[piece]),
            f64::from(self.points[piece + 1]),
        );
        low + (high - low) * (position - piece as f64)
    }
}

/// More rows the later: 0 is even over time, 1 puts three quarters into the second half.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    rate: f64,
    curve: Curve,
}

impl Growth {
    /// `None` where nothing grows.
    #[must_use]
    pub fn new(rate: f64) -> Option<Self> {
        (rate > 0.0).then(|| Self {
            rate,
            curve: Curve::power(1.0 / (1.0 + rate)),
        })
    }

    /// As the spec has it.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Where in time the row lies that has this place among all rows.
    #[inline]
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        self.curve.at(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_follow_their_power() {
        for exponent in [0.5, 2.0 / 3.0, 1.0, 2.5] {
            let curve = Curve::power(exponent);
            let mut before = 0.0;
            for step in 0..=10_000 {
                let share = f64::from(step) / 10_000.0;
                let (read, exact) = (curve.at(share), share.powf(exponent));
                // Below the first point of a steep beginning the line lies under the curve.
                let near = if share < 0.01 { 0.04 } else { 0.001 };
                assert!(
                    (read - exact).abs() < near,
                    "{share}^{exponent}: {read}, not {exact}"
                );
                assert!(read >= before && read <= 1.0, "{share}^{exponent}");
                before = read;
            }
            assert_eq!((curve.at(0.0), curve.at(1.0)), (0.0, 1.0));
        }
    }

    #[test]
    fn growth_puts_more_rows_late() {
        let growth = Growth::new(1.0).unwrap();
        assert!(
            (growth.at(0.25) - 0.5).abs() < 0.001,
            "a quarter of the rows lies in the first half"
        );
        assert_eq!(Growth::new(0.0), None);
    }
}
