//! How far the statistics of a twin are from those that it was made of, in units of what several ANALYZE runs of the same rows
//! differ by.

use pgproof::profile::model::{ColumnStatistics, Profile};

/// A number of a column's statistics, how far the twin is off, and by how much ANALYZE runs differ.
#[derive(Debug)]
pub(super) struct Distance {
    pub(super) column: String,
    pub(super) what: &'static str,
    pub(super) wanted: f64,
    pub(super) found: f64,
    pub(super) noise: f64,
}

impl Distance {
    pub(super) fn ratio(&self) -> f64 {
        (self.found - self.wanted).abs() / self.noise
    }
}

/// What is compared, and what a person would not notice.
const NUMBERS: [(&str, f64); 5] = [
    ("nulls", 0.005),
    ("width", 0.5),
    ("distinct", 0.02),
    ("share of the most common", 0.01),
    ("correlation", 0.02),
];

/// Distinct values are compared by their logarithm, so that a factor is the same everywhere.
fn numbers(column: &ColumnStatistics, rows: f64) -> [Option<f64>; 5] {
    let distinct = match f64::from(column.distinct) {
        share @ ..0.0 => -share * rows,
        count => count,
    };
    let common: f32 = column.most_common.iter().map(|(_, share)| share).sum();
    [
        Some(f64::from(column.null_fraction)),
        Some(f64::from(column.average_width)),
        (distinct > 0.0).then(|| distinct.ln()),
        Some(f64::from(common)),
        column.correlation.map(f64::from),
    ]
}

/// Every number of every column of `wanted` that the twin has as well. `runs` are of the same rows as `wanted`.
pub(super) fn distances(wanted: &Profile, twin: &Profile, runs: &[Profile]) -> Vec<Distance> {
    let mut found = Vec::new();
    for table in &wanted.tables {
        for column in &table.columns {
            let of = |profile: &Profile| -> Option<[Option<f64>; 5]> {
                let mut tables = profile.tables.iter();
                let table = tables
                    .find(|other| other.name == table.name && other.schema == table.schema)?;
                let column = table.column(&column.column, column.inherited)?;
                Some(numbers(column, table.rows.unwrap_or(0.0)))
            };
            let (Some(wanted), Some(twin)) = (of(wanted), of(twin)) else {
                continue;
            };
            let runs: Vec<[Option<f64>; 5]> = runs.iter().filter_map(of).collect();
            for (at, (what, least)) in NUMBERS.into_iter().enumerate() {
                let (Some(wanted), Some(twin)) = (wanted[at], twin[at]) else {
                    continue;
                };
                let seen: Vec<f64> = runs.iter().filter_map(|run| run[at]).collect();
                let most = seen.iter().copied().fold(f64::MIN, f64::max);
                let fewest = seen.iter().copied().fold(f64::MAX, f64::min);
                found.push(Distance {
                    column: format!("{}.{}", table.name, column.column),
                    what,
                    wanted,
                    found: twin,
                    noise: (most - fewest).max(least),
                });
            }
        }
    }
    found.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    found
}

/// The quantile of sorted distances.
pub(super) fn quantile(distances: &[Distance], share: f64) -> f64 {
    let last = distances.len().saturating_sub(1);
    distances
        .get((last as f64 * share).round() as usize)
        .map_or(0.0, Distance::ratio)
}

/// As a table, the farthest last.
pub(super) fn shown(distances: &[Distance]) -> String {
    let line = |one: &Distance| {
        let Distance {
            column,
            what,
            wanted,
            found,
            noise,
        } = one;
        format!(
            "{:>8.2}  {column} {what}: {wanted:.4} wanted, {found:.4} found, noise {noise:.4}\n",
            one.ratio()
        )
    };
    distances.iter().map(line).collect()
}
