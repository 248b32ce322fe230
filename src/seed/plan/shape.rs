//! A distribution as statistics describe it: single values and ranges of values in their order, each with its share of the rows,
//! in step with the rows' order as far as a correlation says.

use super::quantiles::{Quantiles, gauss};

/// Single values and ranges of numbers, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape<P> {
    /// In the values' order.
    pub parts: Box<[P]>,
    /// The parts' shares.
    pub quantiles: Quantiles,
}

/// A number, or numbers from `low` to below `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberPart {
    /// The number, or the least one.
    pub low: i64,
    /// The end; `low` where this is a single number.
    pub high: i64,
    /// How many different numbers; 0 for as many as come.
    pub distinct: u64,
}

/// A text, or texts that begin like it.
#[derive(Debug, Clone, PartialEq)]
pub struct TextPart {
    /// The text, or the least one.
    pub low: Box<str>,
    /// Bytes of it that all texts of the part have.
    pub prefix: usize,
    /// Letters behind those.
    pub letters: u32,
    /// How many different texts: 1 for a single one.
    pub distinct: u64,
}

impl<P> Shape<P> {
    /// From parts with their shares and numbers of different values, for a table of so many rows and a correlation as ANALYZE
    /// measures it. Ties keep the rows' order, so that even independent values have one: the sum of the squares of the values'
    /// shares.
    #[must_use]
    pub fn new(parts: Vec<(P, f64, f64)>, rows: u64, correlation: f64) -> Self {
        let sum: f64 = parts.iter().map(|(_, share, _)| share).sum();
        let sum = sum.max(f64::MIN_POSITIVE);
        let squares =
            |(_, share, distinct): &(P, f64, f64)| (share / sum).powi(2) / distinct.max(1.0);
        let floor: f64 = parts.iter().map(squares).sum();
        let rank = ((correlation - floor) / (1.0 - floor).max(1e-9)).clamp(-1.0, 1.0);
        let mut total = 0.0;
        let sums = parts.iter().map(|(_, share, _)| {
            total += share / sum;
            total
        });
        let quantiles = Quantiles {
            sums: sums.collect(),
            rows: rows.max(1),
            gauss: gauss(rank),
            stretches: None,
            given: None,
        };
        Self {
            parts: parts.into_iter().map(|(part, ..)| part).collect(),
            quantiles,
        }
    }

    /// A row's part, and where in it the row's value lies, from 0 to below 1.
    #[must_use]
    pub fn pick(&self, row: u64, place: f64, chance: f64) -> Option<(&P, f64)> {
        let share = self.quantiles.share(row, place, chance);
        let sums = &self.quantiles.sums;
        sums.len().checked_sub(1)?;
        let at = self.quantiles.part(share);
        let before = match at {
            0 => 0.0,
            _ => sums[at - 1],
        };
        let inside = (share - before) / (sums[at] - before).max(f64::MIN_POSITIVE);
        Some((self.parts.get(at)?, inside.clamp(0.0, 1.0 - 1e-12)))
    }
}

impl NumberPart {
    /// The number that lies so far inside.
    #[must_use]
    pub fn at(&self, inside: f64) -> i64 {
        let inside = match self.distinct {
            0 => inside,
            distinct => (inside * distinct as f64).floor() / distinct as f64,
        };
        let width = self.high.saturating_sub(self.low) as f64;
        self.low.saturating_add((width * inside) as i64)
    }
}

impl TextPart {
    /// Writes the text that lies so far inside; the first of the part is its least one.
    pub fn write(&self, inside: f64, out: &mut Vec<u8>) {
        let number = (inside * self.distinct as f64) as u64;
        if number == 0 {
            out.extend_from_slice(self.low.as_bytes());
            return;
        }
        out.extend_from_slice(&self.low.as_bytes()[..self.prefix.min(self.low.len())]);
        let mut inside = number as f64 / self.distinct as f64;
        for _ in 0..self.letters {
            let letter = (inside * 26.0).floor();
            out.push(b'a' + (letter as u8).min(25));
            inside = inside * 26.0 - letter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(parts: &[(i64, i64, u64, f64)]) -> Vec<(NumberPart, f64, f64)> {
        let part = |(low, high, distinct, share): &(i64, i64, u64, f64)| {
            let part = NumberPart {
                low: *low,
                high: *high,
                distinct: *distinct,
            };
            (part, *share, (*distinct).max(1) as f64)
        };
        parts.iter().map(part).collect()
    }

    #[test]
    fn shares_and_numbers_of_values_are_met() {
        let parts = numbers(&[(0, 100, 10, 0.3), (100, 100, 1, 0.5), (100, 1_000, 3, 0.2)]);
        let shape = Shape::new(parts, 10_000, 0.0);
        let mut counts = std::collections::BTreeMap::new();
        for row in 0..10_000_u64 {
            // Even fractions in an order that has nothing to do with the rows'.
            let chance = (row.wrapping_mul(7_919) % 10_000) as f64 / 10_000.0 + 0.000_05;
            let (part, inside) = shape.pick(row, 0.5, chance).unwrap();
            *counts.entry(part.at(inside)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 10 + 3, "{counts:?}");
        let hundred: i32 = counts[&100];
        assert!((5_300..6_000).contains(&hundred), "{counts:?}");
    }

    #[test]
    fn texts_of_a_part_come_in_order() {
        let part = TextPart {
            low: "bakery".into(),
            prefix: 3,
            letters: 3,
            distinct: 400,
        };
        let text = |inside| {
            let mut out = Vec::new();
            part.write(inside, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(0.0), "bakery");
        let found: Vec<String> = (1..400)
            .map(|at| text(f64::from(at) / 400.0 + 1e-9))
            .collect();
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
        assert!(
            found
                .iter()
                .all(|text| text.starts_with("bak") && text.len() == 6)
        );
    }
}
