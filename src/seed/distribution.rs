//! How often each of many values comes, as closed formulas: Zipf's law, and the division of rows among parents that can
//! be asked in both directions (which parent has row n; which row is parent p's third) without a table in memory.

use super::random::{Key, Permutation};

/// Zipf's law over the ranks `0..size`: rank k comes in proportion to `1 / (k + 1)^exponent`.
///
/// The sums are replaced by their integral from k - 1/2 to k + 1/2, which has a closed inverse: the first rank's share
/// is a tenth too large at an exponent of 1, every other is far nearer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zipf {
    size: u64,
    /// `1 - exponent`; 0 stands for the logarithm.
    power: f64,
    low: f64,
    span: f64,
}

impl Zipf {
    /// Over `size` ranks (at least 1). `exponent` 0 is uniform; negative and non-finite ones count as 0.
    #[must_use]
    pub fn new(size: u64, exponent: f64) -> Self {
        let exponent = if exponent.is_finite() {
            exponent.max(0.0)
        } else {
            0.0
        };
        let power = if (1.0 - exponent).abs() < 1e-9 {
            0.0
        } else {
            1.0 - exponent
        };
        let size = size.max(1);
        let low = antiderivative(0.5, power);
        let span = antiderivative(size as f64 + 0.5, power) - low;
        Self {
            size,
            power,
            low,
            span,
        }
    }

    /// The rank at the quantile `fraction` (0 to 1).
    #[must_use]
    pub fn rank(&self, fraction: f64) -> u64 {
        let at = self.low + fraction * self.span;
        let x = if self.power == 0.0 {
            at.exp()
        } else {
            (at * self.power).powf(1.0 / self.power)
        };
        ((x - 0.5).max(0.0) as u64).min(self.size - 1)
    }

    /// The share of all draws that ranks below `rank` get.
    #[must_use]
    pub fn cumulative(&self, rank: u64) -> f64 {
        if rank >= self.size {
            return 1.0;
        }
        (antiderivative(rank as f64 + 0.5, self.power) - self.low) / self.span
    }
}

fn antiderivative(x: f64, power: f64) -> f64 {
    if power == 0.0 {
        x.ln()
    } else {
        x.powf(power) / power
    }
}

/// Rows divided among groups (a parent's children), computed in both directions without memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grouping {
    groups: u64,
    rows: u64,
    shape: Shape,
    /// Rows in random order; `None` keeps a group's rows together, in the order of the groups.
    scatter: Option<Permutation>,
    /// Which group has which rank.
    ranks: Option<Permutation>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// Group g's rows begin at `mean * (g + jitter * u(g))`: between 0 and twice the mean, mostly near it.
    Even {
        key: Key,
        jitter: f64,
    },
    Skewed(Zipf),
    /// Between neighbouring counts of a histogram, from the fewest to the most.
    Counted(Steps),
}

/// A histogram of counts with equal shares between neighbours: at most 32 of them, so that it needs no allocation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Steps {
    counts: [f32; STEPS],
    length: usize,
    /// The sum over all shares.
    total: f64,
}

const STEPS: usize = 32;

impl Steps {
    /// Of any number of counts: more than fit are thinned.
    fn new(counts: &[f64]) -> Self {
        let length = counts.len().clamp(2, STEPS);
        let mut kept = [0.0_f32; STEPS];
        for (at, count) in kept.iter_mut().take(length).enumerate() {
            let from = at * (counts.len().max(2) - 1) / (length - 1);
            *count = counts.get(from).copied().unwrap_or(1.0) as f32;
        }
        let mut steps = Self {
            counts: kept,
            length,
            total: 1.0,
        };
        steps.total = steps.sum_below(1.0).max(f64::MIN_POSITIVE);
        steps
    }

    /// The integral from 0 to `share`.
    fn sum_below(&self, share: f64) -> f64 {
        let buckets = (self.length - 1) as f64;
        let at = (share * buckets).clamp(0.0, buckets);
        let mut sum = 0.0;
        for bucket in 0..self.length - 1 {
            let inside = (at - bucket as f64).clamp(0.0, 1.0);
            let (low, high) = (
                f64::from(self.counts[bucket]),
                f64::from(self.counts[bucket + 1]),
            );
            sum += inside * (low + (high - low) * inside / 2.0);
        }
        sum / buckets
    }

    fn cumulative(&self, share: f64) -> f64 {
        self.sum_below(share) / self.total
    }
}

/// A row's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub group: u64,
    /// Which of the group's rows, from 0.
    pub ordinal: u64,
    /// How many rows the group has.
    pub count: u64,
}

/// How a grouping lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A group's rows together, groups in order: written with their parent.
    ByGroup,
    /// In random order: written over the parents' whole life.
    Scattered,
}

/// How alike the groups of a covering division are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evenness {
    /// From one row to twice the mean.
    Natural,
    /// The same size, but for one row.
    Exact,
}

impl Grouping {
    /// `rows` rows over `groups` groups (at least 1). `limit` is the most that a group may hold; the skew is lowered
    /// until it fits. `None` where `rows` is more than `groups * limit`.
    #[must_use]
    pub fn new(
        key: Key,
        groups: u64,
        rows: u64,
        skew: f64,
        order: Order,
        limit: u64,
    ) -> Option<Self> {
        let groups = groups.max(1);
        if u128::from(rows) > u128::from(groups) * u128::from(limit) {
            return None;
        }
        let scatter = match order {
            Order::ByGroup => None,
            Order::Scattered => Some(Permutation::new(key.derive("scatter"), rows.max(1))),
        };
        let ranks = (skew > 0.0).then(|| Permutation::new(key.derive("ranks"), groups));
        let even = |jitter| Self {
            groups,
            rows,
            shape: Shape::Even {
                key: key.derive("jitter"),
                jitter,
            },
            scatter,
            ranks: None,
        };
        let mut exponent = skew;
        while exponent > 0.01 {
            let skewed = Self {
                groups,
                rows,
                shape: Shape::Skewed(Zipf::new(groups, exponent)),
                scatter,
                ranks,
            };
            if skewed.start(1).saturating_add(1) <= limit {
                return Some(skewed);
            }
            exponent *= 0.8;
        }
        let mean = rows as f64 / groups as f64;
        // A group's largest size is mean * (1 + jitter), rounded up.
        let room = if mean > 0.0 {
            (limit as f64 - 1.0) / mean - 1.0
        } else {
            1.0
        };
        Some(even(room.clamp(0.0, 1.0)))
    }

    /// As many rows for each group as a histogram of counts says, scaled to `rows` in all; which group has how many is
    /// random. `None` where a group would have more than `limit`.
    #[must_use]
    pub fn counted(
        key: Key,
        groups: u64,
        rows: u64,
        counts: &[f64],
        order: Order,
        limit: u64,
    ) -> Option<Self> {
        let groups = groups.max(1);
        let scatter = match order {
            Order::ByGroup => None,
            Order::Scattered => Some(Permutation::new(key.derive("scatter"), rows.max(1))),
        };
        let ranks = Some(Permutation::new(key.derive("ranks"), groups));
        let grouping = Self {
            groups,
            rows,
            shape: Shape::Counted(Steps::new(counts)),
            scatter,
            ranks,
        };
        (grouping.most() <= limit).then_some(grouping)
    }

    /// `rows` rows over `groups` groups, scattered and even, so that no group is empty where there are enough rows.
    #[must_use]
    pub fn covering(key: Key, groups: u64, rows: u64, evenness: Evenness) -> Self {
        let groups = groups.max(1);
        let mean = rows as f64 / groups as f64;
        let jitter = match evenness {
            Evenness::Natural if mean > 1.0 => 1.0 - 1.0 / mean,
            Evenness::Natural | Evenness::Exact => 0.0,
        };
        let scatter = Some(Permutation::new(key.derive("scatter"), rows.max(1)));
        Self {
            groups,
            rows,
            shape: Shape::Even {
                key: key.derive("jitter"),
                jitter,
            },
            scatter,
            ranks: None,
        }
    }

    /// How many groups.
    #[must_use]
    pub const fn groups(&self) -> u64 {
        self.groups
    }

    /// Whether each of them has a row.
    #[must_use]
    pub const fn covers_all(&self) -> bool {
        matches!(self.shape, Shape::Even { .. }) && self.groups <= self.rows
    }

    /// How the rows lie.
    #[must_use]
    pub const fn order(&self) -> Order {
        if self.scatter.is_some() {
            Order::Scattered
        } else {
            Order::ByGroup
        }
    }

    /// The most rows that a group can have.
    #[must_use]
    pub fn most(&self) -> u64 {
        let mean = self.rows as f64 / self.groups as f64;
        match self.shape {
            Shape::Even { jitter, .. } => {
                (mean * (1.0 + jitter)).ceil() as u64 + u64::from(jitter > 0.0)
            }
            Shape::Skewed(_) => self.start(1) + 1,
            Shape::Counted(steps) => {
                let last = steps.counts[steps.length - 1];
                (f64::from(last) * mean / steps.total).ceil() as u64 + 1
            }
        }
    }

    /// The fewest rows that a group can have.
    #[must_use]
    pub fn least(&self) -> u64 {
        let mean = self.rows as f64 / self.groups as f64;
        match self.shape {
            Shape::Even { jitter, .. } => (mean * (1.0 - jitter)) as u64,
            Shape::Skewed(_) | Shape::Counted(_) => 0,
        }
    }

    /// Where `row` belongs.
    #[must_use]
    pub fn place(&self, row: u64) -> Place {
        let position = self.scatter.map_or(row, |scatter| scatter.apply(row));
        let mut rank = self.guess(position).min(self.groups - 1);
        while rank > 0 && self.start(rank) > position {
            rank -= 1;
        }
        while rank + 1 < self.groups && self.start(rank + 1) <= position {
            rank += 1;
        }
        let start = self.start(rank);
        Place {
            group: self.ranks.map_or(rank, |ranks| ranks.apply(rank)),
            ordinal: position - start,
            count: self.start(rank + 1).max(position + 1) - start,
        }
    }

    /// How many rows `group` has.
    #[must_use]
    pub fn count(&self, group: u64) -> u64 {
        let rank = self.ranks.map_or(group, |ranks| ranks.invert(group));
        self.start(rank + 1) - self.start(rank)
    }

    /// The row of a group's `ordinal`th member, which must be below its count.
    #[must_use]
    pub fn row_of(&self, group: u64, ordinal: u64) -> u64 {
        let rank = self.ranks.map_or(group, |ranks| ranks.invert(group));
        let position = self.start(rank) + ordinal;
        self.scatter
            .map_or(position, |scatter| scatter.invert(position))
    }

    fn start(&self, rank: u64) -> u64 {
        if rank == 0 {
            return 0;
        }
        if rank >= self.groups {
            return self.rows;
        }
        let rows = self.rows as f64;
        let at = match self.shape {
            // Exact, so that a full table fits.
            Shape::Even { jitter: 0.0, .. } => {
                return (u128::from(self.rows) * u128::from(rank) / u128::from(self.groups)) as u64;
            }
            Shape::Even { key, jitter } => {
                rows * ((rank as f64 + jitter * key.fraction(rank)) / self.groups as f64)
            }
            Shape::Skewed(zipf) => rows * zipf.cumulative(rank),
            Shape::Counted(steps) => rows * steps.cumulative(rank as f64 / self.groups as f64),
        };
        (at as u64).min(self.rows)
    }

    fn guess(&self, position: u64) -> u64 {
        let share = position as f64 / self.rows.max(1) as f64;
        match self.shape {
            Shape::Even { .. } => (share * self.groups as f64) as u64,
            Shape::Skewed(zipf) => zipf.rank(share),
            Shape::Counted(steps) => {
                // Halving: the sum has no closed inverse worth writing.
                let (mut low, mut high) = (0.0, 1.0);
                for _ in 0..40 {
                    let middle = (low + high) / 2.0;
                    if steps.cumulative(middle) <= share {
                        low = middle
                    } else {
                        high = middle
                    }
                }
                (low * self.groups as f64) as u64
            }
        }
    }
}

/// The `ordinal`th of `count` different numbers below `size`, drawn by Zipf's law at the group's own `fraction`:
/// the members take one stratum of the distribution each, and a step of one keeps them apart.
#[must_use]
pub fn distinct_rank(size: u64, exponent: f64, ordinal: u64, count: u64, fraction: f64) -> u64 {
    let count = count.clamp(1, size.max(1));
    let room = size.max(1) - count + 1;
    let quantile = (ordinal as f64 + fraction) / count as f64;
    ordinal.min(count - 1) + Zipf::new(room, exponent).rank(quantile)
}

/// How far a value strays from its place in row order, as a share of all rows on each side, for a given
/// `pg_stats.correlation`: the correlation of x and x + noise is `1 / sqrt(1 + var(noise) / var(x))`.
#[must_use]
pub fn stray_for_correlation(correlation: f64) -> f64 {
    let rho = correlation.abs().clamp(1e-3, 1.0);
    ((1.0 / (rho * rho) - 1.0).max(0.0)).sqrt() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(grouping: &Grouping, rows: u64, limit: u64) {
        let mut counts = vec![0; grouping.groups() as usize];
        for row in 0..rows {
            let place = grouping.place(row);
            assert_eq!(grouping.row_of(place.group, place.ordinal), row);
            assert!(
                place.ordinal < place.count && place.count <= limit,
                "{place:?} limit {limit}"
            );
            assert_eq!(place.count, grouping.count(place.group));
            counts[place.group as usize] += 1;
        }
        for (group, count) in counts.iter().enumerate() {
            assert_eq!(grouping.count(group as u64), *count);
        }
    }

    proptest! {
        #[test]
        fn groupings_divide_all_rows(
            groups in 1_u64..200, mean in 0.0_f64..9.0, skew in 0.0_f64..1.5, scattered: bool, spare in 0_u64..20, seed: u64
        ) {
            let rows = (groups as f64 * mean) as u64;
            let limit = rows / groups + 1 + spare;
            let order = if scattered { Order::Scattered } else { Order::ByGroup };
            let grouping = Grouping::new(Key::new(seed), groups, rows, skew, order, limit).unwrap();
            check(&grouping, rows, limit);
        }

        #[test]
        fn distinct_ranks_are_distinct(size in 1_u64..500, part in 0.0_f64..1.0, exponent in 0.0_f64..1.5, fraction in 0.0_f64..1.0) {
            let count = ((size as f64 * part) as u64).max(1);
            let mut ranks: Vec<u64> = (0..count).map(|i| distinct_rank(size, exponent, i, count, fraction)).collect();
            ranks.dedup();
            prop_assert_eq!(ranks.len() as u64, count);
            prop_assert!(ranks.iter().all(|rank| *rank < size));
        }
    }

    #[test]
    fn counts_follow_their_histogram() {
        let counts = [0.0, 0.0, 1.0, 2.0, 40.0];
        for order in [Order::ByGroup, Order::Scattered] {
            let grouping =
                Grouping::counted(Key::new(4), 400, 2_300, &counts, order, u64::MAX).unwrap();
            check(&grouping, 2_300, 45);
            let none = (0..400).filter(|group| grouping.count(*group) == 0).count();
            assert!(
                (100..=180).contains(&none),
                "a quarter has none, and some of the next quarter: {none}"
            );
        }
    }

    #[test]
    fn zipf_shares_are_near_the_discrete_law() {
        for exponent in [0.5, 0.8, 1.0, 1.2] {
            let size = 150_000;
            let zipf = Zipf::new(size, exponent);
            let total: f64 = (1..=size).map(|k| (k as f64).powf(-exponent)).sum();
            assert!(
                (zipf.cumulative(1) * total - 1.0).abs() < 0.15,
                "{exponent}: {}",
                zipf.cumulative(1) * total
            );
            for rank in [0, 1, 10, 1000, size - 1] {
                let middle = (zipf.cumulative(rank) + zipf.cumulative(rank + 1)) / 2.0;
                assert_eq!(zipf.rank(middle), rank, "{exponent}");
            }
        }
    }

    #[test]
    fn no_group_takes_more_than_it_can() {
        assert!(Grouping::new(Key::new(1), 10, 101, 0.0, Order::ByGroup, 10).is_none());
        let full = Grouping::new(Key::new(1), 10, 100, 0.8, Order::ByGroup, 10).unwrap();
        check(&full, 100, 10);
    }
}
