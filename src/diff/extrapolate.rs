//! How long a statement takes on more rows than were seeded, from its durations at two scales, and how sure that is. Pure.

use serde::{Deserialize, Serialize};

use crate::units::Millis;

use super::significance::median;

/// A duration at a number of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Rows of the tables that the statement touches.
    pub rows: f64,
    /// What it took.
    pub duration: Millis,
}

/// An expected duration with its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extrapolation {
    /// At so many rows.
    pub rows: f64,
    /// Through both points by a line: what work proportional to rows takes.
    #[serde(rename = "expected_ms")]
    pub expected: Millis,
    /// The lowest that two points with their noise allow.
    #[serde(rename = "low_ms")]
    pub low: Millis,
    /// The highest.
    #[serde(rename = "high_ms")]
    pub high: Millis,
    /// How often the smaller scale was measured.
    pub repeats: u32,
    /// Between the quickest and the slowest of these repeats, as a share of the middle one and at least 15 %: both
    /// measurements are allowed to be off by so much. What production's machine does otherwise is not in it.
    #[serde(rename = "spread_share")]
    pub spread: f64,
}

/// Repeats that follow each other agree better than runs some minutes apart: a rewrite of the same table takes a seventh more or
/// less then, on a machine that does other things as well.
const LEAST_NOISE: f64 = 0.15;
const NOISE_FLOOR_MS: f64 = 2.0;

/// Extends measurements at two scales to `rows`: several at the small one, whose spread is taken for the noise of all, and one
/// at the large one. `None` where the scales are too near to each other, or the statement is so short that its duration says
/// nothing of rows.
#[must_use]
pub fn extrapolate(
    small_rows: f64,
    small: &[Millis],
    large: Point,
    rows: f64,
) -> Option<Extrapolation> {
    let durations: Vec<f64> = small.iter().map(|duration| duration.0).collect();
    let (a, b) = (median(&durations), large.duration.0);
    let apart = small_rows > 0.0 && large.rows >= small_rows * 1.5 && rows >= large.rows;
    let usable = apart && a.is_finite() && b.is_finite() && b >= 5.0 * NOISE_FLOOR_MS;
    if !usable {
        return None;
    }
    let (least, most) = durations
        .iter()
        .fold((a, a), |(least, most), ms| (least.min(*ms), most.max(*ms)));
    let spread = if a > 0.0 {
        ((most - least) / a).max(LEAST_NOISE)
    } else {
        LEAST_NOISE
    };
    let noise = |ms: f64| (ms * spread).max(NOISE_FLOOR_MS);
    let line = |a: f64, b: f64| {
        let slope = ((b - a) / (large.rows - small_rows)).max(0.0);
        b + slope * (rows - large.rows)
    };
    // A power through both points: sorts and cold caches grow faster than rows.
    let power = |a: f64, b: f64| {
        let exponent = ((b / a.max(0.001)).ln() / (large.rows / small_rows).ln()).clamp(0.0, 2.0);
        b * (rows / large.rows).powf(exponent)
    };
    let expected = line(a, b);
    let corners = [
        (a + noise(a), b - noise(b)),
        (a - noise(a), b + noise(b)),
        (a, b),
    ];
    let all = corners
        .iter()
        .flat_map(|(a, b)| [line(a.max(0.0), *b), power(a.max(0.1), *b)]);
    let (low, high) = all.fold((expected, expected), |(low, high), ms| {
        (low.min(ms), high.max(ms))
    });
    let low = low.max(b.min(expected));
    let repeats = u32::try_from(small.len()).unwrap_or(u32::MAX);
    Some(Extrapolation {
        rows,
        expected: Millis(expected),
        low: Millis(low),
        high: Millis(high),
        repeats,
        spread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rows: f64, ms: f64) -> Point {
        Point {
            rows,
            duration: Millis(ms),
        }
    }

    fn small(durations: &[f64]) -> Vec<Millis> {
        durations.iter().map(|ms| Millis(*ms)).collect()
    }

    #[test]
    fn work_in_proportion_to_rows_extends_by_a_line() {
        let found = extrapolate(1e5, &small(&[100.0; 3]), at(4e5, 400.0), 4e6).unwrap();
        assert!((found.expected.0 - 4000.0).abs() < 1.0, "{found:?}");
        assert!(
            found.low.0 < 4000.0 && found.high.0 > 4000.0 && found.high.0 < 8_000.0,
            "{found:?}"
        );
        assert_eq!((found.repeats, found.spread), (3, LEAST_NOISE));
    }

    #[test]
    fn repeats_that_differ_more_promise_less() {
        let steady = extrapolate(1e5, &small(&[95.0, 100.0, 104.0]), at(4e5, 400.0), 4e6).unwrap();
        let restless =
            extrapolate(1e5, &small(&[80.0, 100.0, 130.0]), at(4e5, 400.0), 4e6).unwrap();
        assert!((restless.spread - 0.5).abs() < 1e-9, "{restless:?}");
        assert_eq!(steady.expected, restless.expected);
        assert!(
            restless.low.0 < steady.low.0 && restless.high.0 > steady.high.0,
            "{steady:?} {restless:?}"
        );
        // A large run that was off by as much as the repeats were still has the truth within the bounds.
        for off in [0.7, 1.3] {
            let found = extrapolate(
                1e5,
                &small(&[80.0, 100.0, 130.0]),
                at(4e5, 400.0 * off),
                4e6,
            )
            .unwrap();
            assert!(
                (found.low.0..=found.high.0).contains(&4000.0),
                "{off}: {found:?}"
            );
        }
    }

    #[test]
    fn a_statement_without_work_extends_to_nothing() {
        assert_eq!(extrapolate(1e5, &small(&[1.0; 3]), at(4e5, 1.2), 4e6), None);
        assert_eq!(
            extrapolate(100.0, &small(&[50.0; 3]), at(101.0, 60.0), 4e6),
            None
        );
        assert_eq!(extrapolate(1e5, &[], at(4e5, 400.0), 4e6), None);
    }

    #[test]
    fn a_constant_duration_stays() {
        let found = extrapolate(1e5, &small(&[50.0; 3]), at(4e5, 50.0), 4e6).unwrap();
        assert!(
            (found.expected.0 - 50.0).abs() < 1.0 && found.high.0 < 400.0,
            "{found:?}"
        );
    }

    #[test]
    fn noise_is_a_seventh_at_least_and_short_durations_are_all_noise() {
        let found = extrapolate(1e5, &small(&[100.0; 3]), at(4e5, 400.0), 4e6).unwrap();
        assert_eq!(found.spread, 0.15);
        assert!(extrapolate(1e5, &small(&[9.0; 3]), at(4e5, 10.0), 4e6).is_some());
        assert_eq!(
            extrapolate(1e5, &small(&[9.0; 3]), at(4e5, 9.99), 4e6),
            None
        );
        assert!(extrapolate(1e5, &small(&[90.0; 3]), at(150_000.0, 100.0), 4e6).is_some());
        assert_eq!(
            extrapolate(1e5, &small(&[90.0; 3]), at(149_999.0, 100.0), 4e6),
            None
        );
    }
}
