//! Rows in another order than that of their values: the table is cut into stretches of neighbouring rows, and each stretch takes
//! some contiguous parts of the values' order. Every place in that order is taken by exactly one row, so what is counted along it
//! (children of a parent) comes out exactly, and how many parts a stretch takes decides how far the values of one page lie apart.

use super::quantiles::normal_quantile;
use crate::seed::random::{Key, Permutation};

/// Most cells: 8 bytes each.
const MOST_CELLS: u64 = 65_536;

/// A bijection between the rows that have a value and the places in the values' order.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretches {
    rows: u64,
    /// How many stretches.
    count: u64,
    /// Parts of the values' order that a stretch takes.
    parts: u64,
    inside: Inside,
    /// Share of the rows that have a value.
    present: f64,
    key: Key,
    /// Where the part of a stretch begins in the values' order, by `stretch * parts + part`.
    starts: Box<[u64]>,
    /// Rows that have a value.
    filled: u64,
}

/// How rows are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    /// How many stretches.
    pub stretches: u64,
    /// What each of them takes, and in which order.
    pub inside: Inside,
}

/// The rows of a stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inside {
    /// Their values rise.
    Rising,
    /// They take so many parts of the values' order, in an order by chance.
    Mixed(u64),
}

impl Cut {
    /// No more cells than rows and memory have room for.
    fn cells(self, rows: u64) -> (u64, u64) {
        let stretches = self.stretches.clamp(1, MOST_CELLS.min(rows.max(1)));
        let room = (MOST_CELLS / stretches).min((rows / stretches).max(1));
        match self.inside {
            Inside::Rising => (stretches, 1),
            Inside::Mixed(parts) => (stretches, parts.clamp(1, room)),
        }
    }
}

impl Stretches {
    /// For a table of so many rows, of which a share has a value. `gauss` is the weight of a stretch's place against chance, as in
    /// a Gaussian copula: 1 keeps the order, 0 has none.
    #[must_use]
    pub fn new(key: Key, rows: u64, present: f64, cut: Cut, gauss: f64) -> Self {
        let (stretches, parts) = cut.cells(rows);
        let mut made = Self {
            rows: rows.max(1),
            count: stretches,
            parts,
            inside: cut.inside,
            present: present.clamp(0.0, 1.0),
            key,
            starts: Box::default(),
            filled: 0,
        };
        let rest = (1.0 - gauss * gauss).max(0.0).sqrt();
        let scores = key.derive("scores");
        let score = |cell: u64| {
            let place = ((cell / parts) as f64 + 0.5) / stretches as f64;
            gauss * normal_quantile(place) + rest * normal_quantile(scores.fraction(cell))
        };
        let mut order: Vec<(f64, u64)> = (0..stretches * parts)
            .map(|cell| (score(cell), cell))
            .collect();
        order.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut starts = vec![0; order.len()];
        let mut total = 0;
        for (_, cell) in order {
            starts[cell as usize] = total;
            let filled = made.filled_of(cell / parts);
            total +=
                made.part_start(filled, cell % parts + 1) - made.part_start(filled, cell % parts);
        }
        made.starts = starts.into();
        made.filled = total;
        made
    }

    /// A row's place in the values' order; `None` for a row without a value.
    #[must_use]
    pub fn position(&self, row: u64) -> Option<u64> {
        let row = row % self.rows;
        let stretch = ((u128::from(row) + 1) * u128::from(self.count) - 1) / u128::from(self.rows);
        let stretch = (stretch as u64).min(self.count - 1);
        let first = self.first(stretch);
        let length = self.first(stretch + 1) - first;
        let moved = match self.inside {
            Inside::Rising => row - first,
            Inside::Mixed(_) => {
                Permutation::new(self.key.number(stretch), length.max(1)).apply(row - first)
            }
        };
        let filled = self.filled_of(stretch);
        if moved >= filled {
            return None;
        }
        // The part in which the row's number lies: the inverse of `part_start`.
        let part = ((u128::from(moved) + 1) * u128::from(self.parts) - 1) / u128::from(filled);
        let part = (part as u64).min(self.parts - 1);
        let start = self.starts.get((stretch * self.parts + part) as usize)?;
        Some(start + moved - self.part_start(filled, part))
    }

    /// Where a row lies among those that have a value, from 0 to below 1.
    #[must_use]
    pub fn share(&self, row: u64, within: f64) -> Option<f64> {
        let position = self.position(row)?;
        Some((position as f64 + within) / self.filled.max(1) as f64)
    }

    fn first(&self, stretch: u64) -> u64 {
        (u128::from(self.rows) * u128::from(stretch) / u128::from(self.count)) as u64
    }

    /// Rows of a stretch that have a value; over all stretches as many as the share says.
    fn filled_of(&self, stretch: u64) -> u64 {
        let before = |stretch: u64| (self.first(stretch) as f64 * self.present) as u64;
        before(stretch + 1) - before(stretch)
    }

    fn part_start(&self, filled: u64, part: u64) -> u64 {
        (u128::from(filled) * u128::from(part) / u128::from(self.parts)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_place_is_taken_once(rows in 1_u64..3_000, stretches in 1_u64..80, parts in 1_u64..40, present in 0.0_f64..1.0, gauss in -1.0_f64..1.0) {
            let made = Stretches::new(Key::new(3), rows, present, Cut { stretches, inside: if parts == 1 { Inside::Rising } else { Inside::Mixed(parts) } }, gauss);
            let mut taken: Vec<u64> = (0..rows).filter_map(|row| made.position(row)).collect();
            taken.sort_unstable();
            let all: Vec<u64> = (0..made.filled).collect();
            prop_assert_eq!(taken, all);
            prop_assert!((made.filled as f64 - rows as f64 * present).abs() < 1.0 + 1e-6);
        }
    }

    #[test]
    fn neighbours_lie_near_each_other_in_a_stretch_and_far_apart_in_many_parts() {
        let spread = |cut: Cut| {
            let made = Stretches::new(Key::new(5), 100_000, 1.0, cut, 0.0);
            let pages = (0..1_000_u64).map(|page| {
                let mut places: Vec<u64> = (page * 100..(page + 1) * 100)
                    .filter_map(|row| made.position(row))
                    .collect();
                places.sort_unstable();
                (places[90] - places[10]) as f64 / 80_000.0
            });
            pages.sum::<f64>() / 1_000.0
        };
        let near = spread(Cut {
            stretches: 20,
            inside: Inside::Mixed(1),
        });
        assert!((near - 0.05).abs() < 0.01, "{near}");
        let far = spread(Cut {
            stretches: 200,
            inside: Inside::Mixed(200),
        });
        assert!(far > 0.9, "{far}");
    }
}
