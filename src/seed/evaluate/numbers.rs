//! Numbers, dates and times: from a source, brought within the limits that the row's other columns set.

use super::placed::{PlaceShare, Placed};
use super::{At, COMMON, Evaluator};
use crate::seed::curve::Curve;
use crate::seed::infer::values::source_range;
use crate::seed::plan::{
    Allowed, Bound, ColumnPlan, Condition, Domain, Generator, Scalar, ScalarSource, Side, fractions,
};
use crate::seed::random::{Key, below, fraction};

const FIT: u64 = 4;
const STEP: u64 = 11;

impl<'p> Evaluator<'p> {
    pub(super) fn number(
        &self,
        at: At<'p>,
        column: &ColumnPlan,
        scalar: &Scalar,
        index: u64,
    ) -> i64 {
        let value = match &scalar.source {
            ScalarSource::Sequence { start, step } => {
                return sequence(*start, *step, index);
            }
            ScalarSource::Range { .. }
            | ScalarSource::LowHeavy { .. }
            | ScalarSource::Placed { .. } => free(column.key, &scalar.source, index),
            ScalarSource::Listed { values, weights } => values
                .get(weights.draw(column.key.at(index)))
                .copied()
                .unwrap_or(scalar.hard.0),
            ScalarSource::Mixed {
                values,
                weights,
                share,
                rest,
            } => {
                if column.key.number(COMMON).fraction(index) < *share {
                    values
                        .get(weights.draw(column.key.at(index)))
                        .copied()
                        .unwrap_or(scalar.hard.0)
                } else {
                    free(column.key, rest, index)
                }
            }
            ScalarSource::Histogram { .. } | ScalarSource::Shape(_) => {
                free(column.key, &scalar.source, index)
            }
            ScalarSource::Ordinal { link, start } => {
                let ordinal = self.place(at, *link).map_or(0, |place| place.ordinal);
                start.saturating_add(ordinal as i64)
            }
            ScalarSource::Digit {
                low,
                until: None,
                odometer,
            } => low.saturating_add(self.digit(at, odometer) as i64),
            ScalarSource::Digit {
                low,
                until: Some(high),
                odometer,
            } => {
                let grain = scalar.grain.max(1).unsigned_abs();
                let (digit, size) = self.digit_of_group(at, odometer);
                let steps = (span(*low, *high) / grain / size).max(1);
                let within = below(column.key.number(STEP).at(at.row), steps);
                let steps = digit.saturating_mul(steps).saturating_add(within);
                low.saturating_add_unsigned(steps.saturating_mul(grain))
            }
            ScalarSource::After { mean, .. } => {
                let (low, high) = self.limits(at, scalar);
                let low = if low == scalar.hard.0 {
                    self.start(at, scalar)
                } else {
                    low
                };
                return delayed(column.key, *mean, index, low, high, scalar.grain);
            }
            ScalarSource::Slot {
                low,
                stride,
                counter,
                divisor,
            } => {
                let number = self.count(at, *counter).ordinal;
                return low.saturating_add(((number / divisor) as i64).saturating_mul(*stride));
            }
        };
        self.within_limits(at, column, scalar, value)
    }

    /// A drawn number, brought into the column's domain, onto its grain and between its limits.
    fn within_limits(&self, at: At<'p>, column: &ColumnPlan, scalar: &Scalar, value: i64) -> i64 {
        if let Some(domain) = &scalar.domain {
            let value = self.placed_in(at, domain, value);
            return if scalar.bounds.is_empty() {
                value
            } else {
                self.fit(at, column, scalar, value)
            };
        }
        let value = grained(value, scalar.grain, scalar.hard.0);
        if scalar.bounds.is_empty() {
            value.min(scalar.hard.1).max(scalar.hard.0)
        } else {
            self.fit(at, column, scalar, value)
        }
    }

    /// A number among the parts that go with the row's other values.
    fn placed_in(&self, at: At<'p>, domain: &Domain, value: i64) -> i64 {
        let holds = |condition: &Condition| {
            let column = &at.table.columns[condition.column];
            if let Allowed::Between(low, high) = condition.values {
                return self
                    .scalar_at(at, column)
                    .is_some_and(|value| (low..high).contains(&value));
            }
            let mut cell = Vec::with_capacity(32);
            self.write(at, column, &mut cell);
            match &condition.values {
                Allowed::Cell(wanted) => **wanted == *cell,
                Allowed::NoneOf(others) => others.iter().all(|other| **other != *cell),
                Allowed::Between(..) => false,
            }
        };
        let case = domain
            .cases
            .iter()
            .find(|case| case.conditions.iter().all(holds));
        case.map_or(value, |case| domain.place(case, value))
    }

    /// Moves a value into the limits that other columns set, spread over the source's own width.
    fn fit(&self, at: At<'p>, column: &ColumnPlan, scalar: &Scalar, value: i64) -> i64 {
        let (low, high) = self.limits(at, scalar);
        let mut value = value;
        if value < low || value > high {
            let width = source_width(&scalar.source);
            let high = high.min(low.saturating_add(width)).max(low);
            value = low + below(column.key.number(FIT).at(at.row), span(low, high)) as i64;
            value = grained(value, scalar.grain, low);
        }
        for bound in scalar
            .bounds
            .iter()
            .filter(|bound| bound.side == Side::Differs)
        {
            if self.bound_value(at, bound) == Some(value) {
                value = if value < high { value + 1 } else { value - 1 };
            }
        }
        value
    }

    fn limits(&self, at: At<'p>, scalar: &Scalar) -> (i64, i64) {
        let (mut low, mut high) = scalar
            .domain
            .as_ref()
            .map_or(scalar.hard, |domain| domain.ends);
        for bound in &scalar.bounds {
            let Some(other) = self.bound_value(at, bound) else {
                continue;
            };
            match bound.side {
                Side::AtLeast => low = low.max(other),
                Side::AtMost => high = high.min(other),
                Side::Differs => {}
            }
        }
        (low, high)
    }

    /// From where a row's later times go on when the earlier ones are NULL: where these would lie.
    fn start(&self, at: At<'p>, scalar: &Scalar) -> i64 {
        let lower = scalar
            .bounds
            .iter()
            .filter(|bound| bound.side == Side::AtLeast);
        let starts = lower.map(|bound| match &*bound.terms {
            [term] if (term.times, term.per) == (1, 1) => {
                let column = self.arm(at, &at.table.columns[term.column]);
                match &column.generator {
                    Generator::Scalar(other) => self
                        .number(at, column, other, self.draw(at, column))
                        .saturating_add(bound.offset),
                    _ => source_range(scalar).0,
                }
            }
            _ => source_range(scalar).0,
        });
        starts.max().map_or(scalar.hard.0, |start| {
            start.clamp(scalar.hard.0, scalar.hard.1)
        })
    }

    fn bound_value(&self, at: At<'p>, bound: &Bound) -> Option<i64> {
        // Nearly all bounds are another column and a distance, which need no wide division.
        if let [term] = &*bound.terms
            && (term.times, term.per) == (1, 1)
        {
            return Some(
                self.scalar_at(at, &at.table.columns[term.column])?
                    .saturating_add(bound.offset),
            );
        }
        let mut sum = i128::from(bound.offset);
        for term in &bound.terms {
            let other = self.scalar_at(at, &at.table.columns[term.column])?;
            let (scaled, per) = (
                i128::from(other) * i128::from(term.times),
                i128::from(term.per),
            );
            // Towards the inside of the limit.
            sum += match bound.side {
                Side::AtLeast => -((-scaled).div_euclid(per)),
                Side::AtMost | Side::Differs => scaled.div_euclid(per),
            };
        }
        Some(sum.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

/// The number at a place of a sequence, past whose end it begins again.
#[inline]
pub(super) fn sequence(start: i64, step: i64, index: u64) -> i64 {
    start.wrapping_add((index as i64).wrapping_mul(step))
}

/// One of `span` numbers from `low` on.
#[inline]
pub(super) fn uniform(key: Key, low: i64, span: u64, index: u64) -> i64 {
    low.wrapping_add(below(key.at(index), span) as i64)
}

/// More often small than large.
#[inline]
pub(super) fn heavy(key: Key, (low, high): (i64, i64), curve: &Curve, index: u64) -> i64 {
    let share = curve.at(fraction(key.at(index)));
    low.saturating_add(((high.saturating_sub(low) as f64 + 1.0) * share) as i64)
        .min(high)
}

/// A number some time after `low`.
#[inline]
pub(super) fn delayed(key: Key, mean: i64, index: u64, low: i64, high: i64, grain: i64) -> i64 {
    // Exponential: most changes come soon.
    let delay = (-(1.0 - fraction(key.at(index))).ln() * mean as f64) as i64;
    // What would come too late comes somewhere in between, so that no heap of values forms at the end.
    let room = high.saturating_sub(low);
    let delay = if delay > room {
        delay.rem_euclid(room.max(0).saturating_add(1))
    } else {
        delay
    };
    grained(low.saturating_add(delay), grain, low)
}

/// A number that depends on nothing but its index.
fn free(key: Key, source: &ScalarSource, index: u64) -> i64 {
    match source {
        ScalarSource::Range {
            low,
            high,
            unique: None,
        } => uniform(key, *low, span(*low, *high), index),
        ScalarSource::Range {
            low,
            unique: Some(order),
            ..
        } => low.wrapping_add(order.apply(index) as i64),
        ScalarSource::LowHeavy { low, high, curve } => heavy(key, (*low, *high), curve, index),
        ScalarSource::Placed { .. } => {
            Placed::new(key, source).map_or(0, |placed| placed.at(index))
        }
        ScalarSource::Histogram { bounds, placed } => {
            let share = match placed {
                None => fraction(key.at(index)),
                Some(placement) => {
                    let share = PlaceShare::new(key, placement.rows, placement.stray).at(index);
                    if placement.descending {
                        1.0 - share
                    } else {
                        share
                    }
                }
            };
            let buckets = bounds.len().saturating_sub(1);
            let bucket = ((share * buckets as f64) as usize).min(buckets.saturating_sub(1));
            let inside = share * buckets as f64 - bucket as f64;
            match (bounds.get(bucket), bounds.get(bucket + 1)) {
                (Some(low), Some(high)) => {
                    low.saturating_add((high.saturating_sub(*low) as f64 * inside) as i64)
                }
                (only, _) => only.copied().unwrap_or(0),
            }
        }
        ScalarSource::Shape(shape) => {
            let (place, chance) = fractions(key, index);
            let found = shape.pick(index, place, chance);
            found.map_or(0, |(part, inside)| part.at(inside))
        }
        ScalarSource::Listed { values, weights } => values
            .get(weights.draw(key.at(index)))
            .copied()
            .unwrap_or(0),
        ScalarSource::Mixed { rest, .. } => free(key, rest, index),
        ScalarSource::Sequence { start, step } => sequence(*start, *step, index),
        ScalarSource::Ordinal { start, .. } => *start,
        ScalarSource::Digit { low, .. } | ScalarSource::Slot { low, .. } => *low,
        ScalarSource::After { .. } => 0,
    }
}

/// The multiple of `grain` below a value; the one above where that would be less than `least`.
fn grained(value: i64, grain: i64, least: i64) -> i64 {
    if grain <= 1 {
        return value;
    }
    let down = value.div_euclid(grain).saturating_mul(grain);
    if down < least {
        down.saturating_add(grain)
    } else {
        down
    }
}

/// How many integers from `low` to `high`; at most 2^64 - 1.
pub(super) fn span(low: i64, high: i64) -> u64 {
    high.wrapping_sub(low) as u64 + u64::from(high.wrapping_sub(low) as u64 != u64::MAX)
}

fn source_width(source: &ScalarSource) -> i64 {
    match source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => high.saturating_sub(*low),
        ScalarSource::After { mean, .. } => mean.saturating_mul(2),
        ScalarSource::Listed { values, .. } => {
            let low = values.iter().copied().min().unwrap_or(0);
            values
                .iter()
                .copied()
                .max()
                .unwrap_or(0)
                .saturating_sub(low)
        }
        ScalarSource::Mixed { rest, .. } => source_width(rest),
        ScalarSource::Histogram { bounds, .. } => match (bounds.first(), bounds.last()) {
            (Some(low), Some(high)) => high.saturating_sub(*low),
            _ => 0,
        },
        ScalarSource::Shape(shape) => match (shape.parts.first(), shape.parts.last()) {
            (Some(first), Some(last)) => last.high.saturating_sub(first.low),
            _ => 0,
        },
        ScalarSource::Sequence { .. }
        | ScalarSource::Ordinal { .. }
        | ScalarSource::Digit { .. }
        | ScalarSource::Slot { .. } => i64::MAX / 4,
    }
}
