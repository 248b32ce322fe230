//! Whether one set of times is slower than another beyond chance: an exact one-sided permutation test on the means of
//! interleaved runs. Pure and without random numbers: every split is counted.

/// Fewer runs a side can never be significant.
pub const MINIMUM_RUNS: usize = 7;

/// How the times of two sides compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowdown {
    /// Median before, in ms.
    pub before_ms: f64,
    /// Median after, in ms.
    pub after_ms: f64,
    /// Share of all splits of the pooled times in which the second half is slower by at least as much.
    pub p: f64,
}

/// Tests whether `after` is slower than `before`; `None` with fewer than [`MINIMUM_RUNS`] a side, or more than 12 (the
/// number of splits would explode).
#[must_use]
pub fn slowdown(before: &[f64], after: &[f64]) -> Option<Slowdown> {
    let enough = |times: &[f64]| (MINIMUM_RUNS..=12).contains(&times.len());
    if !enough(before) || !enough(after) {
        return None;
    }
    let mut pooled: Vec<f64> = before.iter().chain(after).copied().collect();
    if pooled.iter().any(|time| !time.is_finite()) {
        return None;
    }
    // Of equal sums the same number of terms is added in every split, so rounding must not decide.
    pooled.sort_by(f64::total_cmp);
    let observed: f64 = after.iter().sum();
    let tolerance = observed.abs() * 1e-12;
    let mut count = Splits {
        at_least: 0,
        all: 0,
        target: observed - tolerance,
    };
    count.choose(&pooled, after.len(), 0.0);
    Some(Slowdown {
        before_ms: median(before),
        after_ms: median(after),
        p: count.at_least as f64 / count.all as f64,
    })
}

impl Slowdown {
    /// How many times as long it takes.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.after_ms / self.before_ms.max(f64::MIN_POSITIVE)
    }

    /// `facts`: at least 10 % and 1 ms slower, and not by chance.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.p < 0.01
            && self.after_ms >= self.before_ms * 1.1
            && self.after_ms - self.before_ms >= 1.0
    }
}

struct Splits {
    at_least: u64,
    all: u64,
    target: f64,
}

impl Splits {
    /// Every way to choose `left` of `times`, with the sum so far.
    fn choose(&mut self, times: &[f64], left: usize, sum: f64) {
        if left == 0 {
            self.all += 1;
            self.at_least += u64::from(sum >= self.target);
            return;
        }
        let Some((first, rest)) = times.split_first() else {
            return;
        };
        self.choose(rest, left - 1, sum + first);
        if rest.len() >= left {
            self.choose(rest, left, sum);
        }
    }
}

/// The middle value; the mean of the two middle ones.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: [f64; 7] = [10.0, 10.4, 9.8, 10.1, 10.2, 9.9, 10.3];

    #[test]
    fn a_clear_slowdown_counts() {
        let slow = FAST.map(|time| time * 1.5);
        let found = slowdown(&FAST, &slow).unwrap();
        assert!(found.counts(), "{found:?}");
        // 1 of C(14, 7) splits.
        assert!((found.p - 1.0 / 3432.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn the_same_times_do_not() {
        let found = slowdown(&FAST, &FAST).unwrap();
        assert!(!found.counts() && found.p >= 0.5, "{found:?}");
    }

    #[test]
    fn a_small_but_certain_slowdown_does_not() {
        let slow = FAST.map(|time| time + 0.9);
        assert!(!slowdown(&FAST, &slow).unwrap().counts());
    }

    #[test]
    fn one_outlier_does_not() {
        let mut once = FAST;
        once[3] = 500.0;
        assert!(!slowdown(&FAST, &once).unwrap().counts());
    }

    #[test]
    fn too_few_runs_say_nothing() {
        assert_eq!(slowdown(&FAST[..6], &FAST), None);
    }

    #[test]
    fn a_slowdown_is_a_tenth_and_a_millisecond_and_hardly_chance() {
        let counts = |before_ms, after_ms, p| {
            let found = Slowdown {
                before_ms,
                after_ms,
                p,
            };
            found.counts()
        };
        assert!(counts(1_000.0, 1_100.0, 0.0099) && !counts(1_000.0, 1_100.0, 0.01));
        assert!(!counts(1_000.0, 1_099.9, 0.001));
        assert!(counts(5.0, 6.0, 0.001) && !counts(5.0, 5.99, 0.001));
    }

    #[test]
    fn so_few_or_so_many_runs_are_counted() {
        let same = [10.0; 13];
        assert!(slowdown(&same[..7], &same[..7]).is_some());
        assert!(slowdown(&same[..12], &same[..7]).is_some());
        assert_eq!(slowdown(&same, &same[..7]), None);
    }
}
