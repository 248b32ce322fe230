//! How long a statement takes on more rows than were seeded, from its durations at two scales, and how sure that is. Pure.

use serde::Serialize;

use crate::units::Millis;

/// A duration at a number of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Rows of the tables that the statement touches.
    pub rows: f64,
    /// What it took.
    pub duration: Millis,
}

/// An expected duration with its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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
}

/// Timer, scheduling and planning noise of one execution, as a share and at least so many ms: what single executions of the
/// sample's migrations differed by on a busy machine with two cores.
const NOISE: f64 = 0.25;
const NOISE_FLOOR_MS: f64 = 2.0;

/// Extends two measurements to `rows`. `None` where the scales are too near to each other, or the statement is so short
/// that its duration says nothing of rows.
#[must_use]
pub fn extrapolate(small: Point, large: Point, rows: f64) -> Option<Extrapolation> {
    let (a, b) = (small.duration.0, large.duration.0);
    let apart = small.rows > 0.0 && large.rows >= small.rows * 1.5 && rows >= large.rows;
    let usable = apart && a.is_finite() && b.is_finite() && b >= 5.0 * NOISE_FLOOR_MS;
    if !usable {
        return None;
    }
    let noise = |ms: f64| (ms * NOISE).max(NOISE_FLOOR_MS);
    let line = |a: f64, b: f64| {
        let slope = ((b - a) / (large.rows - small.rows)).max(0.0);
        b + slope * (rows - large.rows)
    };
    // A power through both points: sorts and cold caches grow faster than rows.
    let power = |a: f64, b: f64| {
        let exponent = ((b / a.max(0.001)).ln() / (large.rows / small.rows).ln()).clamp(0.0, 2.0);
        b * (rows / large.rows).powf(exponent)
    };
    let expected = line(a, b);
    let corners = [(a + noise(a), b - noise(b)), (a - noise(a), b + noise(b)), (a, b)];
    let all = corners.iter().flat_map(|(a, b)| [line(a.max(0.0), *b), power(a.max(0.1), *b)]);
    let (low, high) = all.fold((expected, expected), |(low, high), ms| (low.min(ms), high.max(ms)));
    Some(Extrapolation { rows, expected: Millis(expected), low: Millis(low.max(b.min(expected))), high: Millis(high) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rows: f64, ms: f64) -> Point {
        Point { rows, duration: Millis(ms) }
    }

    #[test]
    fn work_in_proportion_to_rows_extends_by_a_line() {
        let found = extrapolate(at(100_000.0, 100.0), at(400_000.0, 400.0), 4_000_000.0).unwrap();
        assert!((found.expected.0 - 4000.0).abs() < 1.0, "{found:?}");
        assert!(found.low.0 < 4000.0 && found.high.0 > 4000.0 && found.high.0 < 12_000.0, "{found:?}");
    }

    #[test]
    fn a_statement_without_work_extends_to_nothing() {
        assert_eq!(extrapolate(at(100_000.0, 1.0), at(400_000.0, 1.2), 4e6), None);
        assert_eq!(extrapolate(at(100.0, 50.0), at(101.0, 60.0), 4e6), None);
    }

    #[test]
    fn a_constant_duration_stays() {
        let found = extrapolate(at(100_000.0, 50.0), at(400_000.0, 50.0), 4_000_000.0).unwrap();
        assert!((found.expected.0 - 50.0).abs() < 1.0 && found.high.0 < 400.0, "{found:?}");
    }
}
