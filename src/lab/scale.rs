//! Statistics at N times the rows: what ANALYZE would say of the same database after it grew. Lists stay, everything else
//! grows alike, with as many children a parent as before; numbered keys go on counting, and references follow their parents.

use std::collections::{BTreeMap, BTreeSet};

use crate::profile::model::{ColumnStatistics, ExtendedStatistics, IndexSize, TableStatistics};
use crate::schema::{Column, Schema, Table};

/// A table with fewer rows is a list (warehouses, categories) that does not grow with the rest.
pub const LIST_ROWS: f64 = 1000.0;
/// From this share of the rows on ANALYZE counts distinct values as a share (`compute_scalar_stats`).
const RELATIVE: f64 = 0.1;
/// Rows that ANALYZE samples with the default statistics target.
const SAMPLE: f64 = 30_000.0;

/// Statistics of a grown database.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaled {
    /// In the order in which they were given.
    pub tables: Vec<TableStatistics>,
    /// Columns whose type has no number for the last rows: `orders.id (integer)`.
    pub exhausted: Vec<String>,
}

/// How the statistics of a database grow.
#[derive(Debug, Clone)]
pub struct Growth<'a> {
    schema: &'a Schema,
    /// Statistics, with the table that has them where the schema knows it.
    tables: Vec<(&'a TableStatistics, Option<&'a Table>)>,
    /// Rows of whole tables, by the table's OID, or that of the partitioned one.
    rows: BTreeMap<u32, f64>,
}

/// What the values of a column are to its table.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    /// Counts the rows.
    Key,
    /// Points to rows of a table, which grows so many times.
    Reference(f64),
    /// Describes a row: its values stay what they are.
    Measure,
}

impl<'a> Growth<'a> {
    /// Of the statistics of a database with this schema.
    #[must_use]
    pub fn of(schema: &'a Schema, tables: &'a [TableStatistics]) -> Self {
        let known = schema.tables.iter().chain(&schema.materialized_views);
        let known: BTreeMap<(&str, &str), &Table> = known
            .map(|table| {
                (
                    (table.name.schema.as_str(), table.name.name.as_str()),
                    table,
                )
            })
            .collect();
        let found = |statistics: &'a TableStatistics| {
            let name = (statistics.schema.as_str(), statistics.name.as_str());
            (statistics, known.get(&name).copied())
        };
        let tables: Vec<_> = tables.iter().map(found).collect();
        let mut rows: BTreeMap<u32, f64> = BTreeMap::new();
        for (statistics, table) in &tables {
            // The rows of a partitioned table are its partitions'.
            if let Some(table) = table.filter(|table| table.partition_key.is_none()) {
                *rows.entry(schema.root_of(table).oid).or_default() +=
                    statistics.rows.unwrap_or(0.0);
            }
        }
        Self {
            schema,
            tables,
            rows,
        }
    }

    /// The table with the most rows, and how many it has: sizes are counted by it. `None` where no table grows.
    #[must_use]
    pub fn largest(&self) -> Option<(String, f64)> {
        let (oid, rows) = self.rows.iter().max_by(|a, b| a.1.total_cmp(b.1))?;
        let table = self.schema.table_by_oid(*oid)?;
        (*rows >= LIST_ROWS).then(|| (table.name.to_string(), *rows))
    }

    /// The tables that grow, by their OIDs; of partitions the whole.
    #[must_use]
    pub fn growing(&self) -> BTreeSet<u32> {
        let growing = self.rows.iter().filter(|(_, rows)| **rows >= LIST_ROWS);
        growing.map(|(oid, _)| *oid).collect()
    }

    /// The statistics at `factor` times the rows.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Scaled {
        self.scaled_only(factor, |_| true)
    }

    /// The same of the tables of the schema that `is_asked` names alone.
    #[must_use]
    pub fn scaled_only(&self, factor: f64, is_asked: impl Fn(&Table) -> bool) -> Scaled {
        let mut exhausted = Vec::new();
        let mut tables = Vec::with_capacity(self.tables.len());
        for (statistics, table) in &self.tables {
            if table.is_none_or(&is_asked) {
                tables.push(self.scaled_table((statistics, *table), factor, &mut exhausted));
            }
        }
        Scaled { tables, exhausted }
    }

    fn scaled_table(
        &self,
        (statistics, table): (&TableStatistics, Option<&Table>),
        factor: f64,
        exhausted: &mut Vec<String>,
    ) -> TableStatistics {
        let own = match table {
            Some(table) => self.factor_of(table, factor),
            None if statistics.rows.unwrap_or(0.0) >= LIST_ROWS => factor,
            None => 1.0,
        };
        if own == 1.0 {
            return statistics.clone();
        }
        let mut columns = Vec::with_capacity(statistics.columns.len());
        for column in &statistics.columns {
            let known = table.and_then(|table| Some((table, table.column(&column.column)?)));
            let role = known.map_or(Role::Measure, |(table, found)| {
                self.role(table, found, factor)
            });
            let grown = grown_column(column, role, statistics.rows.unwrap_or(0.0), own);
            let Some((table, found)) = known else {
                columns.push(grown);
                continue;
            };
            let (grown, is_exhausted) = within(grown, last_number(&found.data_type.name));
            if is_exhausted {
                exhausted.push(format!(
                    "{}.{} ({})",
                    table.name, found.name, found.data_type.name
                ));
            }
            columns.push(grown);
        }
        TableStatistics {
            pages: times(statistics.pages, own),
            rows: statistics.rows.map(|rows| (rows * own).round()),
            all_visible: times(statistics.all_visible, own),
            columns,
            extended: statistics
                .extended
                .iter()
                .map(|extended| grown_extended(extended, statistics.rows, own))
                .collect(),
            indexes: statistics
                .indexes
                .iter()
                .map(|index| grown_index(index, own))
                .collect(),
            ..statistics.clone()
        }
    }

    /// How many times the rows of a table grow; a partition's as those of the whole.
    fn factor_of(&self, table: &Table, factor: f64) -> f64 {
        let rows = self.rows.get(&self.schema.root_of(table).oid);
        if rows.is_some_and(|rows| *rows >= LIST_ROWS) {
            factor
        } else {
            1.0
        }
    }

    fn role(&self, table: &Table, column: &Column, factor: f64) -> Role {
        let is_it = |columns: &[String]| columns.len() == 1 && columns[0] == column.name;
        let key = table.foreign_keys.iter().find(|key| is_it(&key.columns));
        if let Some(parent) = key.and_then(|key| self.schema.table_by_oid(key.references)) {
            return Role::Reference(self.factor_of(parent, factor));
        }
        let counts = column.identity.is_some() || column.sequence.is_some();
        let is_unique = table.indexes.iter().any(|index| {
            index.unique
                && index.predicate.is_none()
                && index.key_columns() == [column.name.as_str()]
                && index.keys.len() == 1
        });
        if counts || is_unique {
            Role::Key
        } else {
            Role::Measure
        }
    }
}

fn times(pages: u64, factor: f64) -> u64 {
    (pages as f64 * factor).ceil() as u64
}

fn grown_index(index: &IndexSize, factor: f64) -> IndexSize {
    IndexSize {
        // The metapage stays one.
        pages: times(index.pages.saturating_sub(1), factor) + 1,
        rows: index.rows.map(|rows| (rows * factor).round()),
        ..index.clone()
    }
}

/// Combinations that are many beside the rows grow with them; few stay.
fn grown_extended(
    extended: &ExtendedStatistics,
    rows: Option<f64>,
    factor: f64,
) -> ExtendedStatistics {
    let mut grown = extended.clone();
    let relative = rows.unwrap_or(0.0) * RELATIVE;
    for combinations in &mut grown.distinct {
        if combinations.distinct > relative {
            combinations.distinct = (combinations.distinct * factor).round();
        }
    }
    grown
}

fn grown_column(column: &ColumnStatistics, role: Role, rows: f64, own: f64) -> ColumnStatistics {
    let mut grown = column.clone();
    match role {
        Role::Key => grown.histogram = stretched(&column.histogram, own),
        Role::Reference(parent) => {
            grown.distinct = grown_distinct(column.distinct, rows, own, parent);
            grown.histogram = stretched(&column.histogram, parent);
            grown.most_common = thinned(&column.most_common, parent, !column.histogram.is_empty());
        }
        Role::Measure => {}
    }
    grown
}

/// `n_distinct` where the values grow `values` times, and the rows `own` times.
fn grown_distinct(distinct: f32, rows: f64, own: f64, values: f64) -> f32 {
    let distinct = f64::from(distinct);
    let count = if distinct < 0.0 {
        -distinct * rows
    } else {
        distinct
    };
    let (count, rows) = (count * values, rows * own);
    // Where it was a share before, and the values grow with the rows, it is the same share.
    let share = count / rows.max(1.0);
    let grown = if share > RELATIVE {
        -share.min(1.0)
    } else {
        count.round()
    };
    grown as f32
}

/// Bounds of numbers, each moved as far from the first as the range grows; other bounds stay.
fn stretched(bounds: &[String], factor: f64) -> Vec<String> {
    let numbers: Option<Vec<i128>> = bounds.iter().map(|bound| bound.parse().ok()).collect();
    let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else {
        return bounds.to_vec();
    };
    let first = numbers[0];
    let moved = numbers.iter().map(|number| {
        let distance = number.saturating_sub(first) as f64 * factor;
        first.saturating_add(distance.round() as i128).to_string()
    });
    moved.collect()
}

/// Shares of the most common values where there are `factor` times as many values. By Zipf's law with exponent s the k-th of n
/// values has a share of k^-s over the sum of all: that falls with n^(s-1), and does not where s is 1 or more.
fn thinned(most_common: &[(String, f32)], factor: f64, has_histogram: bool) -> Vec<(String, f32)> {
    let exponent = zipf_exponent(most_common).clamp(0.0, 1.0);
    let share = factor.powf(exponent - 1.0);
    let grown = most_common
        .iter()
        .map(|(value, frequency)| (value.clone(), (f64::from(*frequency) * share) as f32));
    // A value that a sample holds once or twice is not a common one; it is one of the histogram's.
    let is_seen =
        |(_, frequency): &(String, f32)| !has_histogram || f64::from(*frequency) * SAMPLE >= 2.0;
    grown.filter(is_seen).collect()
}

/// The slope of log share over log rank, by least squares; 0 of less than three values.
fn zipf_exponent(most_common: &[(String, f32)]) -> f64 {
    let points = most_common
        .iter()
        .enumerate()
        .filter(|(_, (_, share))| *share > 0.0);
    let points: Vec<(f64, f64)> = points
        .map(|(rank, (_, share))| ((rank as f64 + 1.0).ln(), f64::from(*share).ln()))
        .collect();
    if points.len() < 3 {
        return 0.0;
    }
    let count = points.len() as f64;
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (x, y) = (x / count, y / count);
    let (mut together, mut own) = (0.0, 0.0);
    for point in &points {
        together += (point.0 - x) * (point.1 - y);
        own += (point.0 - x).powi(2);
    }
    if own > 0.0 { -together / own } else { 0.0 }
}

/// The last number of a type; `None` of those that end nowhere near.
fn last_number(data_type: &str) -> Option<i128> {
    match data_type {
        "smallint" => Some(i128::from(i16::MAX)),
        "integer" => Some(i128::from(i32::MAX)),
        "bigint" => Some(i128::from(i64::MAX)),
        _ => None,
    }
}

/// Bounds that a column's type can hold, and whether some were beyond it.
fn within(mut column: ColumnStatistics, limit: Option<i128>) -> (ColumnStatistics, bool) {
    let Some(limit) = limit else {
        return (column, false);
    };
    let mut is_exhausted = false;
    for bound in &mut column.histogram {
        if bound.parse::<i128>().is_ok_and(|number| number > limit) {
            *bound = limit.to_string();
            is_exhausted = true;
        }
    }
    (column, is_exhausted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(shares: &[f32]) -> Vec<(String, f32)> {
        let values = shares.iter().enumerate();
        values.map(|(at, share)| (at.to_string(), *share)).collect()
    }

    #[test]
    fn bounds_of_numbers_grow_from_their_first() {
        let bounds = ["1", "51", "101"].map(str::to_owned);
        assert_eq!(stretched(&bounds, 4.0), ["1", "201", "401"]);
        let texts = ["a", "b"].map(str::to_owned);
        assert_eq!(stretched(&texts, 4.0), texts);
    }

    #[test]
    fn distinct_values_of_a_reference_follow_the_parent() {
        // Five children a parent, both grow.
        assert_eq!(grown_distinct(-0.2, 1e6, 4.0, 4.0), -0.2);
        assert_eq!(grown_distinct(40_000.0, 1e6, 4.0, 4.0), 160_000.0);
        // The parent is a list.
        assert_eq!(grown_distinct(12.0, 1e6, 4.0, 1.0), 12.0);
        assert_eq!(grown_distinct(-0.2, 1e4, 100.0, 1.0), 2000.0);
    }

    #[test]
    fn hot_keys_stay_hot_and_noise_thins_out() {
        let zipf: Vec<f32> = (1..=50).map(|rank| 0.2 / rank as f32).collect();
        let grown = thinned(&common(&zipf), 16.0, true);
        assert!((grown[0].1 - 0.2).abs() < 0.001, "{grown:?}");
        let flat = vec![0.0001; 50];
        assert_eq!(thinned(&common(&flat), 16.0, true).len(), 0);
        assert!((thinned(&common(&flat), 4.0, false)[0].1 - 0.000_025).abs() < 1e-7);
    }

    #[test]
    fn a_type_that_ends_is_told() {
        let column = ColumnStatistics {
            histogram: vec!["1".to_owned(), "9000000000".to_owned()],
            ..ColumnStatistics::default()
        };
        let (within_integer, exhausted) = within(column.clone(), last_number("integer"));
        assert!(exhausted && within_integer.histogram[1] == "2147483647");
        assert!(!within(column, last_number("bigint")).1);
    }
}
