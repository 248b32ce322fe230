//! A list whose values come in step with the rows' order: each as often as its weight says, large ones late.

use super::given::Given;
use super::stretches::Stretches;
use crate::seed::random::Key;

/// The purposes for which a column's key is divided.
const PLACE: u64 = 7;
const CHANCE: u64 = 8;

/// A row's chance of its own within its place, and among all rows.
#[must_use]
pub fn fractions(key: Key, row: u64) -> (f64, f64) {
    (
        key.number(PLACE).fraction(row),
        key.number(CHANCE).fraction(row),
    )
}

/// Shares of a sorted list and how closely its values follow the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles {
    /// The sum of the shares up to each value, its own included.
    pub sums: Box<[f64]>,
    /// Rows of the table.
    pub rows: u64,
    /// Weight of the row's place, from -1 to 1; the rest is chance (a Gaussian copula).
    pub gauss: f64,
    /// Set where neighbouring rows have neighbouring values, or where places in the values' order are counted: it takes the
    /// place of the copula.
    pub stretches: Option<Box<Stretches>>,
    /// Set where another column of the row has a say.
    pub given: Option<Box<Given>>,
}

impl Quantiles {
    /// For values in their order with their weights, and a correlation as ANALYZE would measure it. Ties keep the order of
    /// the rows, so the correlation of a list has a floor; returned is also what can be had of it.
    #[must_use]
    pub fn new(weights: &[f64], rows: u64, correlation: f64) -> (Self, f64) {
        let sum: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let floor: f64 = weights.iter().map(|weight| (weight / sum).powi(2)).sum();
        let least = floor - (1.0 - floor);
        let had = correlation.clamp(least.min(1.0), 1.0);
        let room = 1.0 - floor;
        let rank = if room > 1e-9 {
            ((had - floor) / room).clamp(-1.0, 1.0)
        } else {
            0.0
        };
        let mut sums = Vec::with_capacity(weights.len());
        let mut total = 0.0;
        for weight in weights {
            total += weight / sum;
            sums.push(total);
        }
        let quantiles = Self {
            sums: sums.into(),
            rows: rows.max(1),
            gauss: gauss(rank),
            stretches: None,
            given: None,
        };
        (quantiles, had)
    }

    /// For `distinct` values, each as often as the others.
    #[must_use]
    pub fn even(distinct: u64, rows: u64, correlation: f64) -> Self {
        let floor = 1.0 / distinct.max(1) as f64;
        let rank = ((correlation - floor) / (1.0 - floor).max(1e-9)).clamp(-1.0, 1.0);
        Self {
            sums: Box::default(),
            rows: rows.max(1),
            gauss: gauss(rank),
            stretches: None,
            given: None,
        }
    }

    /// Which value a row has; `place` and `chance` are fractions.
    #[must_use]
    pub fn pick(&self, row: u64, place: f64, chance: f64) -> usize {
        self.part(self.share(row, place, chance))
    }

    /// Which value lies at a quantile.
    #[must_use]
    pub fn part(&self, share: f64) -> usize {
        let at = self.sums.partition_point(|sum| *sum <= share);
        at.min(self.sums.len().saturating_sub(1))
    }

    /// Whether a row has no value.
    #[must_use]
    pub fn is_absent(&self, row: u64) -> bool {
        let stretches = self.stretches.as_ref();
        stretches.is_some_and(|stretches| stretches.position(row).is_none())
    }

    /// The quantile of a row.
    #[must_use]
    pub fn share(&self, row: u64, place: f64, chance: f64) -> f64 {
        if let Some(given) = &self.given {
            return given.share(row, chance);
        }
        let stretches = self.stretches.as_ref();
        let own = stretches.and_then(|stretches| stretches.share(row, place));
        own.unwrap_or_else(|| self.of_copula(row, place, chance))
    }

    fn of_copula(&self, row: u64, place: f64, chance: f64) -> f64 {
        let position = ((row % self.rows) as f64 + place) / self.rows as f64;
        let rest = (1.0 - self.gauss * self.gauss).max(0.0).sqrt();
        normal(self.gauss * normal_quantile(position) + rest * normal_quantile(chance))
    }
}

/// The Pearson correlation of two normal variables with a rank correlation (Spearman's and Pearson's, 1907).
pub(super) fn gauss(rank: f64) -> f64 {
    2.0 * (std::f64::consts::PI * rank / 6.0).sin()
}

/// How far values of neighbouring rows lie apart in their order where a Gaussian copula ties them to the rows: the middle 80 % of
/// them, against the middle 80 % of all.
#[must_use]
pub fn copula_spread(gauss: f64) -> f64 {
    const PLACES: u32 = 40;
    /// The normal distribution's quantile at 0.9.
    const TENTH: f64 = 1.281_551_565_5;
    let rest = (1.0 - gauss * gauss).max(0.0).sqrt() * TENTH;
    let at = |place: u32| {
        let middle = gauss * normal_quantile((f64::from(place) + 0.5) / f64::from(PLACES));
        normal(middle + rest) - normal(middle - rest)
    };
    (0..PLACES).map(at).sum::<f64>() / f64::from(PLACES) / 0.8
}

/// The normal distribution's quantile (Acklam's rational approximation, within 1.2e-9).
pub(super) fn normal_quantile(share: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    let share = share.clamp(1e-12, 1.0 - 1e-12);
    let polynomial = |factors: &[f64], x: f64| factors.iter().fold(0.0, |sum, f| sum * x + f);
    let tail = |share: f64| {
        let x = (-2.0 * share.ln()).sqrt();
        polynomial(&C, x) / (polynomial(&D, x) * x + 1.0)
    };
    if share < 0.024_25 {
        tail(share)
    } else if share > 1.0 - 0.024_25 {
        -tail(1.0 - share)
    } else {
        let x = share - 0.5;
        let square = x * x;
        polynomial(&A, square) * x / (polynomial(&B, square) * square + 1.0)
    }
}

/// The normal distribution (Abramowitz and Stegun 7.1.26, within 1.5e-7).
pub(super) fn normal(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let sum = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let upper = 0.5 * sum * (-z * z).exp();
    if x >= 0.0 { 1.0 - upper } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;

    #[test]
    fn shares_hold_whatever_the_correlation() {
        for wanted in [-0.2, 0.3, 0.52, 0.9, 0.99] {
            let weights = [0.5, 0.2, 0.3];
            let rows = 60_000;
            let (quantiles, _) = Quantiles::new(&weights, rows, wanted);
            let (places, chances) = (Key::new(1), Key::new(2));
            let mut counts = [0.0; 3];
            for row in 0..rows {
                let at = quantiles.pick(row, places.fraction(row), chances.fraction(row));
                counts[at] += 1.0 / rows as f64;
            }
            for (found, weight) in counts.iter().zip(weights) {
                assert!((found - weight).abs() < 0.01, "{wanted}: {counts:?}");
            }
        }
    }

    #[test]
    fn a_list_has_a_least_correlation() {
        let (_, had) = Quantiles::new(&[0.9, 0.1], 1000, 0.0);
        assert!((had - 0.64).abs() < 1e-9, "0.82 - 0.18: {had}");
        let (_, had) = Quantiles::new(&[0.5, 0.5], 1000, 0.1);
        assert!((had - 0.1).abs() < 1e-9);
    }
}
