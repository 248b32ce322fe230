//! What ANALYZE would say if it ran again: a column's statistics drawn from all of its values, by the rows that a sample happens to
//! hold. Reads nothing and draws from the stream that it is given.
//!
//! A sample has 300 rows a unit of the statistics target, however large the table is. What becomes of its values is worked out as
//! `compute_scalar_stats` and `analyze_mcv_list` (`commands/analyze.c`) do.

use crate::profile::model::ColumnStatistics;
use crate::seed::random::Stream;

/// Rows of a sample for each unit of the statistics target (`std_typanalyze`).
pub const ROWS_OF_TARGET: u64 = 300;
/// From this share of the rows on distinct values are kept as a share.
const RELATIVE: f64 = 0.1;

/// Neighbouring values of a column, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The first of them.
    pub first: String,
    /// Rows that have one of them.
    pub rows: u64,
    /// How many there are; all have equally many rows.
    pub values: u64,
}

/// All values of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    nulls: u64,
    cells: Vec<Cell>,
    /// Rows up to the end of each cell.
    ends: Vec<u64>,
}

/// What a sample is to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its rows.
    pub rows: u64,
    /// The column's statistics target: its common values and bins.
    pub target: usize,
}

/// Rows of a sample that have one value.
#[derive(Debug, Clone, Copy)]
struct Group {
    cell: usize,
    /// Which value of the cell.
    value: u64,
    rows: u64,
}

impl Distribution {
    /// Of cells in the order of their values, and the rows without a value.
    #[must_use]
    pub fn new(nulls: u64, cells: Vec<Cell>) -> Self {
        let mut end = 0;
        let ends = cells
            .iter()
            .map(|cell| {
                end += cell.rows;
                end
            })
            .collect();
        Self { nulls, cells, ends }
    }

    /// Rows of the table.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.nulls + self.with_value()
    }

    fn with_value(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The statistics that one sample gives. What a sample of single values does not move by much (the width, frequencies of
    /// elements) stays as it is in `now`.
    #[must_use]
    pub fn draw(
        &self,
        now: &ColumnStatistics,
        sample: Sample,
        random: &mut Stream,
    ) -> ColumnStatistics {
        let all = self.rows();
        let sampled = sample.rows.min(all);
        let present = hypergeometric(all, self.with_value(), sampled, random);
        let mut drawn = now.clone();
        drawn.null_fraction = share(sampled - present, sampled);
        if present == 0 {
            drawn.distinct = 0.0;
            drawn.most_common = Vec::new();
            drawn.histogram = Vec::new();
            drawn.correlation = None;
            drawn.elements = None;
            drawn.ranges = None;
            return drawn;
        }
        let groups = self.groups(present, random);
        let counted = Counted::of(&groups, sampled, present, all);
        let mut common = common(&groups);
        let kept = if common.len() == groups.len()
            && counted.distinct > 0.0
            && common.len() <= sample.target
        {
            common.len()
        } else {
            common.truncate(sample.target);
            counted.common(&common)
        };
        common.truncate(kept);
        drawn.distinct = counted.distinct as f32;
        drawn.histogram = self.histogram(&groups, &common, sample.target);
        drawn.most_common = self.most_common(&common, sampled);
        drawn.correlation = now.correlation.map(|correlation| {
            let near = f64::from(correlation)
                + (1.0 - f64::from(correlation).powi(2)) / (present as f64).sqrt() * normal(random);
            near.clamp(-1.0, 1.0) as f32
        });
        drawn
    }

    /// The values of `present` rows, each with how many of them have it, in the order of the values.
    fn groups(&self, present: u64, random: &mut Stream) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut cell = 0;
        for row in positions(self.with_value(), present, random) {
            while self.ends.get(cell).is_some_and(|end| *end <= row) {
                cell += 1;
            }
            let Some(found) = self.cells.get(cell) else {
                break;
            };
            let before = self.ends[cell] - found.rows;
            let value = (u128::from(row - before) * u128::from(found.values)
                / u128::from(found.rows)) as u64;
            match groups.last_mut() {
                Some(last) if (last.cell, last.value) == (cell, value) => last.rows += 1,
                Some(_) | None => groups.push(Group {
                    cell,
                    value,
                    rows: 1,
                }),
            }
        }
        groups
    }

    /// Of values that share a cell only the first has a name.
    fn most_common(&self, common: &[(usize, Group)], sampled: u64) -> Vec<(String, f32)> {
        let mut named: Vec<(String, f32)> = Vec::with_capacity(common.len());
        let mut seen = std::collections::BTreeSet::new();
        for (_, group) in common {
            if seen.insert(group.cell) {
                let name = self.cells[group.cell].first.clone();
                named.push((name, share(group.rows, sampled)));
            }
        }
        named
    }

    /// Bounds of bins with equally many rows, of the values that are not among the common ones.
    fn histogram(&self, groups: &[Group], common: &[(usize, Group)], target: usize) -> Vec<String> {
        let mut left: Vec<bool> = vec![true; groups.len()];
        for (at, _) in common {
            left[*at] = false;
        }
        let others = || groups.iter().zip(&left).filter(|(_, left)| **left);
        let distinct = groups.len() - common.len();
        let bounds = distinct.min(target + 1);
        if bounds < 2 {
            return Vec::new();
        }
        let rows: u64 = others().map(|(group, _)| group.rows).sum();
        let mut histogram = Vec::with_capacity(bounds);
        let place = |bound: usize| (rows - 1) * bound as u64 / (bounds as u64 - 1);
        let mut before = 0;
        for (group, _) in others() {
            while histogram.len() < bounds && place(histogram.len()) < before + group.rows {
                histogram.push(self.cells[group.cell].first.clone());
            }
            before += group.rows;
        }
        histogram
    }
}

/// What a sample says of the number of distinct values.
struct Counted {
    sampled: f64,
    all: f64,
    null_fraction: f64,
    /// As `n_distinct` has it.
    distinct: f64,
}

impl Counted {
    /// By the estimator of Haas and Stokes (1998) where some values were met once.
    fn of(groups: &[Group], sampled: u64, present: u64, all: u64) -> Self {
        let once = groups.iter().filter(|group| group.rows == 1).count() as f64;
        let (met, rows) = (groups.len() as f64, present as f64);
        let null_fraction = 1.0 - rows / sampled as f64;
        let all = all as f64;
        let distinct = if once == met {
            -(1.0 - null_fraction)
        } else if once == 0.0 {
            met
        } else {
            let total = all * (1.0 - null_fraction);
            let estimated = rows * met / ((rows - once) + once * rows / total);
            estimated.clamp(met, total.max(met)).round()
        };
        let distinct = if distinct > RELATIVE * all {
            -(distinct / all)
        } else {
            distinct
        };
        Self {
            sampled: sampled as f64,
            all,
            null_fraction,
            distinct,
        }
    }

    /// How many of the candidates are clearly more frequent than the values that are left.
    fn common(&self, candidates: &[(usize, Group)]) -> usize {
        let (n, total) = (self.sampled, self.all);
        if n >= total || total <= 1.0 {
            return candidates.len();
        }
        let distinct = if self.distinct < 0.0 {
            -self.distinct * total
        } else {
            self.distinct
        };
        let mut kept = candidates.len();
        let rows =
            |of: &[(usize, Group)]| of.iter().map(|(_, group)| group.rows as f64).sum::<f64>();
        let mut before = rows(&candidates[..kept.saturating_sub(1)]);
        while kept > 0 {
            let mut selectivity = (1.0 - before / n - self.null_fraction).clamp(0.0, 1.0);
            let others = distinct - (kept as f64 - 1.0);
            if others > 1.0 {
                selectivity /= others;
            }
            let own = candidates[kept - 1].1.rows as f64;
            let in_table = total * own / n;
            let variance =
                n * in_table * (total - in_table) * (total - n) / (total * total * (total - 1.0));
            if own > selectivity * n + 2.0 * variance.max(0.0).sqrt() + 0.5 {
                break;
            }
            kept -= 1;
            if kept > 0 {
                before -= candidates[kept - 1].1.rows as f64;
            }
        }
        kept
    }
}

/// Values that were met more than once, the most frequent first, each with its place among all.
fn common(groups: &[Group]) -> Vec<(usize, Group)> {
    let mut common: Vec<(usize, Group)> = groups
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, group)| group.rows > 1)
        .collect();
    // Of equally frequent ones the first in the order of the values stays the first.
    common.sort_by_key(|(_, group)| std::cmp::Reverse(group.rows));
    common
}

fn share(part: u64, whole: u64) -> f32 {
    (part as f64 / whole.max(1) as f64) as f32
}

/// Sorted numbers below `bound`, none of them twice. Ordered uniform numbers are sums of exponential ones (Devroye 1986, chapter V);
/// those that come twice are drawn again.
fn positions(bound: u64, count: u64, random: &mut Stream) -> Vec<u64> {
    if count * 2 > bound {
        // Fewer are left out.
        let mut left_out = positions(bound, bound - count, random)
            .into_iter()
            .peekable();
        let is_in = |place: &u64| left_out.next_if_eq(place).is_none();
        return (0..bound).filter(is_in).collect();
    }
    let mut sum = 0.0;
    let sums: Vec<f64> = (0..count)
        .map(|_| {
            sum += exponential(random);
            sum
        })
        .collect();
    let whole = sum + exponential(random);
    let place = |sum: &f64| ((sum / whole * bound as f64) as u64).min(bound - 1);
    let mut places: Vec<u64> = sums.iter().map(place).collect();
    places.dedup();
    while (places.len() as u64) < count {
        let missing = count - places.len() as u64;
        places.extend((0..missing).map(|_| random.below(bound)));
        places.sort_unstable();
        places.dedup();
    }
    places
}

fn exponential(random: &mut Stream) -> f64 {
    -(1.0 - random.fraction()).ln()
}

/// By Box and Muller.
fn normal(random: &mut Stream) -> f64 {
    (2.0 * exponential(random)).sqrt() * (std::f64::consts::TAU * random.fraction()).cos()
}

/// How many of `drawn` out of `all` are among `marked` ones.
fn hypergeometric(all: u64, marked: u64, drawn: u64, random: &mut Stream) -> u64 {
    /// From here on the normal distribution is as good.
    const MANY: f64 = 40.0;
    let other = all - marked;
    let (least, most) = (drawn.saturating_sub(other), drawn.min(marked));
    if least == most {
        return least;
    }
    let share = marked as f64 / all as f64;
    let mean = drawn as f64 * share;
    let rest = (all - drawn) as f64 / (all as f64 - 1.0);
    let deviation = (mean * (1.0 - share) * rest).sqrt();
    if mean > MANY && drawn as f64 - mean > MANY && deviation > MANY.sqrt() {
        let near = (mean + deviation * normal(random)).round();
        return (near.max(0.0) as u64).clamp(least, most);
    }
    if marked > other {
        // The rarer side is counted: its steps are few.
        return drawn - hypergeometric(all, other, drawn, random);
    }
    // Each of the marked ones is drawn or not, with what is left of the draws and of all.
    let (mut found, mut draws_left, mut left) = (0, drawn, all);
    if marked <= drawn {
        for _ in 0..marked {
            if random.below(left) < draws_left {
                found += 1;
                draws_left -= 1;
            }
            left -= 1;
        }
        return found;
    }
    let mut marked_left = marked;
    for _ in 0..drawn {
        if random.below(left) < marked_left {
            found += 1;
            marked_left -= 1;
        }
        left -= 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;

    const SAMPLE: Sample = Sample {
        rows: 30_000,
        target: 100,
    };

    fn cell(first: &str, rows: u64, values: u64) -> Cell {
        Cell {
            first: first.to_owned(),
            rows,
            values,
        }
    }

    fn now() -> ColumnStatistics {
        ColumnStatistics {
            correlation: Some(0.5),
            ..ColumnStatistics::default()
        }
    }

    #[test]
    fn one_row_in_ten_thousand_is_missed_as_often_as_the_formula_says() {
        // 2 million rows, 200 of them with a value.
        let rare = Distribution::new(1_999_800, vec![cell("x", 200, 1)]);
        let key = Key::new(1);
        let draws = 10_000_u64;
        let missed = (0..draws)
            .filter(|draw| {
                rare.draw(&now(), SAMPLE, &mut key.stream(*draw))
                    .null_fraction
                    == 1.0
            })
            .count();
        let (seen, formula) = (
            missed as f64 / draws as f64,
            (1.0_f64 - 0.0001).powi(30_000),
        );
        println!(
            "missed in {:.2} %, by the formula {:.2} %",
            seen * 100.0,
            formula * 100.0
        );
        assert!((seen - formula).abs() < 0.02, "{seen} against {formula}");
    }

    #[test]
    fn a_sample_of_all_rows_is_the_table() {
        let cells = vec![cell("a", 70, 1), cell("b", 5, 1), cell("c", 20, 20)];
        let whole = Sample {
            rows: 100,
            target: 3,
        };
        let drawn = Distribution::new(5, cells).draw(&now(), whole, &mut Key::new(2).stream(0));
        assert_eq!(drawn.null_fraction, 0.05);
        let common: Vec<(&str, f32)> = drawn
            .most_common
            .iter()
            .map(|(value, share)| (value.as_str(), *share))
            .collect();
        assert_eq!(common, [("a", 0.7), ("b", 0.05)]);
        assert_eq!(drawn.histogram.len(), 4);
    }

    #[test]
    fn a_key_is_unique_in_every_sample() {
        let key = Distribution::new(
            0,
            vec![
                cell("1", 500_000, 500_000),
                cell("500001", 500_000, 500_000),
            ],
        );
        for draw in 0..20 {
            let drawn = key.draw(&now(), SAMPLE, &mut Key::new(3).stream(draw));
            assert_eq!((drawn.distinct, drawn.most_common.len()), (-1.0, 0));
            assert_eq!(drawn.histogram.len(), 101);
        }
    }

    #[test]
    fn few_values_are_all_common() {
        let cells = vec![
            cell("done", 900_000, 1),
            cell("new", 90_000, 1),
            cell("open", 10_000, 1),
        ];
        let status = Distribution::new(0, cells);
        let drawn = status.draw(&now(), SAMPLE, &mut Key::new(4).stream(0));
        assert_eq!((drawn.distinct, drawn.most_common.len()), (3.0, 3));
        assert!((drawn.most_common[2].1 - 0.01).abs() < 0.003);
        assert!(drawn.histogram.is_empty());
    }

    #[test]
    fn counts_have_the_mean_and_the_spread_of_samples() {
        for (all, marked, drawn) in [
            (1_000_000, 100_000, 30_000),
            (1_000_000, 999_900, 30_000),
            (1_000_000, 300, 30_000),
            (40_000, 20_000, 30_000),
        ] {
            let key = Key::new(5);
            let counts: Vec<f64> = (0..4_000)
                .map(|at| hypergeometric(all, marked, drawn, &mut key.stream(at)) as f64)
                .collect();
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance = counts
                .iter()
                .map(|count| (count - mean).powi(2))
                .sum::<f64>()
                / counts.len() as f64;
            let share = marked as f64 / all as f64;
            let expected = drawn as f64 * share;
            let spread = expected * (1.0 - share) * (all - drawn) as f64 / (all - 1) as f64;
            assert!(
                (mean - expected).abs() < spread.sqrt() * 0.1,
                "{mean} of {expected}"
            );
            assert!(
                (variance / spread - 1.0).abs() < 0.12,
                "{variance} of {spread}"
            );
        }
        assert_eq!(hypergeometric(10, 0, 5, &mut Key::new(6).stream(0)), 0);
        assert_eq!(hypergeometric(10, 10, 5, &mut Key::new(6).stream(0)), 5);
        assert_eq!(hypergeometric(10, 4, 10, &mut Key::new(6).stream(0)), 4);
    }
}
