//! Which of the numbers that changed between two profiles makes a plan another one: the differences as things that can be taken
//! over one by one, and the smallest set of them that brings the other plan (delta debugging: Zeller and Hildebrandt, 2002).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::change::PlanChange;
use crate::profile::model::{ColumnStatistics, Profile, Scope, TableStatistics};

/// Something that differs between two profiles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Pages, rows and visible pages of a table.
    Size {
        /// Index in both profiles.
        table: At,
    },
    /// Pages and rows of an index.
    IndexSize {
        /// Its table.
        table: At,
        /// Its name.
        index: String,
    },
    /// A part of a column's statistics.
    Column {
        /// Its table.
        table: At,
        /// The index whose expression it is.
        index: Option<String>,
        /// Its name.
        column: String,
        /// With those of the table's children.
        inherited: bool,
        /// Which part.
        part: Part,
    },
    /// A setting of the server or the database.
    Setting {
        /// `work_mem`.
        name: String,
    },
}

/// A table in the profile of before and in that of after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    before: usize,
    after: usize,
}

/// What pg_stats says of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    NullFraction,
    AverageWidth,
    Distinct,
    MostCommon,
    Histogram,
    Correlation,
    Elements,
    Ranges,
}

const PARTS: [Part; 8] = [
    Part::NullFraction,
    Part::AverageWidth,
    Part::Distinct,
    Part::MostCommon,
    Part::Histogram,
    Part::Correlation,
    Part::Elements,
    Part::Ranges,
];

impl Part {
    fn differs(self, one: &ColumnStatistics, other: &ColumnStatistics) -> bool {
        match self {
            Self::NullFraction => one.null_fraction != other.null_fraction,
            Self::AverageWidth => one.average_width != other.average_width,
            Self::Distinct => one.distinct != other.distinct,
            Self::MostCommon => one.most_common != other.most_common,
            Self::Histogram => one.histogram != other.histogram,
            Self::Correlation => one.correlation != other.correlation,
            Self::Elements => one.elements != other.elements,
            Self::Ranges => one.ranges != other.ranges,
        }
    }

    fn take_over(self, into: &mut ColumnStatistics, from: &ColumnStatistics) {
        match self {
            Self::NullFraction => into.null_fraction = from.null_fraction,
            Self::AverageWidth => into.average_width = from.average_width,
            Self::Distinct => into.distinct = from.distinct,
            Self::MostCommon => into.most_common.clone_from(&from.most_common),
            Self::Histogram => into.histogram.clone_from(&from.histogram),
            Self::Correlation => into.correlation = from.correlation,
            Self::Elements => into.elements.clone_from(&from.elements),
            Self::Ranges => into.ranges.clone_from(&from.ranges),
        }
    }

    fn words(self, before: &ColumnStatistics, after: &ColumnStatistics) -> String {
        match self {
            Self::NullFraction => format!(
                "null_frac {} → {}",
                before.null_fraction, after.null_fraction
            ),
            Self::AverageWidth => format!(
                "avg_width {} → {}",
                before.average_width, after.average_width
            ),
            Self::Distinct => format!("n_distinct {} → {}", before.distinct, after.distinct),
            Self::MostCommon => {
                let side = |column: &ColumnStatistics| {
                    let all: f32 = column.most_common.iter().map(|(_, share)| share).sum();
                    format!(
                        "{} values with {:.1} % of the rows",
                        column.most_common.len(),
                        all * 100.0
                    )
                };
                format!("most_common_vals: {} → {}", side(before), side(after))
            }
            Self::Histogram => "histogram_bounds".to_owned(),
            Self::Correlation => {
                let side = |column: &ColumnStatistics| {
                    column
                        .correlation
                        .map_or_else(|| "none".to_owned(), |value| value.to_string())
                };
                format!("correlation {} → {}", side(before), side(after))
            }
            Self::Elements => "most_common_elems".to_owned(),
            Self::Ranges => "range histograms".to_owned(),
        }
    }
}

/// Why a query's plan is another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Culprits {
    /// The query's name.
    pub query: String,
    /// What its values stand for.
    pub parameters: String,
    /// What the plan changes.
    pub change: PlanChange,
    /// The smallest set of differences that brings it, in words.
    pub differences: Vec<String>,
    /// How often the statement was planned to find them.
    pub plans: usize,
}

/// Two profiles beside each other.
#[derive(Debug, Clone)]
pub struct Pair<'p> {
    before: &'p Profile,
    after: &'p Profile,
    differences: Vec<Difference>,
}

/// What is planned with: statistics, and settings by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// Of every table of the profile of before.
    pub tables: Vec<TableStatistics>,
    /// Of the server, overridden by the database's.
    pub settings: BTreeMap<String, String>,
}

impl<'p> Pair<'p> {
    /// Tables, columns and indexes that only one profile has are no differences: nothing can be taken over.
    #[must_use]
    pub fn new(before: &'p Profile, after: &'p Profile) -> Self {
        let mut differences = Vec::new();
        for (at, table) in before.tables.iter().enumerate() {
            let is_it = |other: &TableStatistics| {
                (&other.schema, &other.name) == (&table.schema, &table.name)
            };
            if let Some(other) = after.tables.iter().position(is_it) {
                let place = At {
                    before: at,
                    after: other,
                };
                of_table(place, table, &after.tables[other], &mut differences);
            }
        }
        let (old, new) = (settings(before), settings(after));
        let names = old
            .iter()
            .filter(|(name, value)| new.get(*name).is_some_and(|other| other != *value));
        differences.extend(names.map(|(name, _)| Difference::Setting { name: name.clone() }));
        Self {
            before,
            after,
            differences,
        }
    }

    /// How many differences there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.differences.len()
    }

    /// The profile of before with some of the differences taken over.
    #[must_use]
    pub fn mixture(&self, taken: &[usize]) -> Mixture {
        let mut tables = self.before.tables.clone();
        let mut own = settings(self.before);
        let new = settings(self.after);
        for difference in taken.iter().filter_map(|at| self.differences.get(*at)) {
            match difference {
                Difference::Setting { name } => {
                    own.extend(new.get(name).map(|value| (name.clone(), value.clone())));
                }
                Difference::Size { table } => {
                    let from = &self.after.tables[table.after];
                    let into = &mut tables[table.before];
                    (into.pages, into.rows, into.all_visible) =
                        (from.pages, from.rows, from.all_visible);
                }
                Difference::IndexSize { table, index } => {
                    let from = self.after.tables[table.after]
                        .indexes
                        .iter()
                        .find(|found| found.name == *index);
                    let into = tables[table.before]
                        .indexes
                        .iter_mut()
                        .find(|found| found.name == *index);
                    if let (Some(into), Some(from)) = (into, from) {
                        (into.pages, into.rows) = (from.pages, from.rows);
                    }
                }
                Difference::Column {
                    table,
                    index,
                    column,
                    inherited,
                    part,
                } => {
                    let key = (index.as_deref(), column.as_str(), *inherited);
                    let from = column_of(&self.after.tables[table.after], key);
                    if let (Some(into), Some(from)) =
                        (column_of_mut(&mut tables[table.before], key), from)
                    {
                        part.take_over(into, from);
                    }
                }
            }
        }
        Mixture {
            tables,
            settings: own,
        }
    }

    /// The table and the column of a difference between columns; `None` of other differences.
    #[must_use]
    pub fn column(&self, at: usize) -> Option<(&'p TableStatistics, &str)> {
        match &self.differences[at] {
            Difference::Column {
                table,
                index: None,
                column,
                ..
            } => Some((self.tables(*table).0, column)),
            Difference::Column { .. }
            | Difference::Setting { .. }
            | Difference::Size { .. }
            | Difference::IndexSize { .. } => None,
        }
    }

    /// A difference for people: `public.orders.status: null_frac 0 → 0.4`.
    #[must_use]
    pub fn words(&self, at: usize) -> String {
        match &self.differences[at] {
            Difference::Setting { name } => {
                let value = |profile| settings(profile).remove(name).unwrap_or_default();
                format!("{name} {} → {}", value(self.before), value(self.after))
            }
            Difference::Size { table } => {
                let (before, after) = self.tables(*table);
                let rows = |table: &TableStatistics| {
                    table
                        .rows
                        .map_or_else(|| "unknown".to_owned(), |rows| rows.to_string())
                };
                format!(
                    "{}: {} → {} pages, {} → {} rows, {} → {} all-visible pages",
                    before.qualified_name(),
                    before.pages,
                    after.pages,
                    rows(before),
                    rows(after),
                    before.all_visible,
                    after.all_visible
                )
            }
            Difference::IndexSize { table, index } => {
                let (before, after) = self.tables(*table);
                let pages = |table: &TableStatistics| {
                    let found = table.indexes.iter().find(|found| found.name == *index);
                    found.map_or(0, |found| found.pages)
                };
                format!(
                    "index {index} of {}: {} → {} pages",
                    before.qualified_name(),
                    pages(before),
                    pages(after)
                )
            }
            Difference::Column {
                table,
                index,
                column,
                inherited,
                part,
            } => {
                let (before, after) = self.tables(*table);
                let key = (index.as_deref(), column.as_str(), *inherited);
                let what = match (column_of(before, key), column_of(after, key)) {
                    (Some(before), Some(after)) => part.words(before, after),
                    (_, _) => String::new(),
                };
                format!("{}.{column}: {what}", before.qualified_name())
            }
        }
    }

    fn tables(&self, at: At) -> (&'p TableStatistics, &'p TableStatistics) {
        (&self.before.tables[at.before], &self.after.tables[at.after])
    }
}

fn of_table(
    table: At,
    before: &TableStatistics,
    after: &TableStatistics,
    differences: &mut Vec<Difference>,
) {
    let size = |table: &TableStatistics| (table.pages, table.rows, table.all_visible);
    if size(before) != size(after) {
        differences.push(Difference::Size { table });
    }
    of_columns(table, None, (&before.columns, &after.columns), differences);
    for index in &before.indexes {
        let Some(other) = after.indexes.iter().find(|other| other.name == index.name) else {
            continue;
        };
        if (index.pages, index.rows) != (other.pages, other.rows) {
            differences.push(Difference::IndexSize {
                table,
                index: index.name.clone(),
            });
        }
        of_columns(
            table,
            Some(&index.name),
            (&index.expressions, &other.expressions),
            differences,
        );
    }
}

fn of_columns(
    table: At,
    index: Option<&String>,
    (before, after): (&[ColumnStatistics], &[ColumnStatistics]),
    differences: &mut Vec<Difference>,
) {
    for column in before {
        let is_it = |other: &&ColumnStatistics| {
            other.column == column.column && other.inherited == column.inherited
        };
        let Some(other) = after.iter().find(is_it) else {
            continue;
        };
        let parts = PARTS.into_iter().filter(|part| part.differs(column, other));
        differences.extend(parts.map(|part| Difference::Column {
            table,
            index: index.cloned(),
            column: column.column.clone(),
            inherited: column.inherited,
            part,
        }));
    }
}

/// An expression's statistics are its index's.
type ColumnKey<'k> = (Option<&'k str>, &'k str, bool);

fn column_of<'t>(
    table: &'t TableStatistics,
    (index, name, inherited): ColumnKey<'_>,
) -> Option<&'t ColumnStatistics> {
    let columns = match index {
        Some(index) => {
            &table
                .indexes
                .iter()
                .find(|found| found.name == index)?
                .expressions
        }
        None => &table.columns,
    };
    columns
        .iter()
        .find(|column| column.column == name && column.inherited == inherited)
}

fn column_of_mut<'t>(
    table: &'t mut TableStatistics,
    (index, name, inherited): ColumnKey<'_>,
) -> Option<&'t mut ColumnStatistics> {
    let columns = match index {
        Some(index) => {
            &mut table
                .indexes
                .iter_mut()
                .find(|found| found.name == index)?
                .expressions
        }
        None => &mut table.columns,
    };
    columns
        .iter_mut()
        .find(|column| column.column == name && column.inherited == inherited)
}

/// Those of the server with the database's over them; a role's are not everybody's.
fn settings(profile: &Profile) -> BTreeMap<String, String> {
    let holds = profile
        .settings
        .iter()
        .filter(|setting| matches!(setting.scope, Scope::Server | Scope::Database));
    holds
        .map(|setting| (setting.name.clone(), setting.value.clone()))
        .collect()
}

/// The smallest set of `0..count` for which `flips` is true, in the sense that none of its members can be left out; empty where it
/// is not true of all of them.
///
/// # Errors
/// Those of `flips`.
pub async fn smallest<E>(
    count: usize,
    mut flips: impl AsyncFnMut(&[usize]) -> Result<bool, E>,
) -> Result<Vec<usize>, E> {
    let mut left: Vec<usize> = (0..count).collect();
    if left.is_empty() || !flips(&left).await? {
        return Ok(Vec::new());
    }
    let mut parts = 2;
    while left.len() > 1 {
        let size = left.len().div_ceil(parts);
        let chunks: Vec<Vec<usize>> = left.chunks(size).map(<[usize]>::to_vec).collect();
        let mut found = None;
        for chunk in &chunks {
            if flips(chunk).await? {
                found = Some((chunk.clone(), 2));
                break;
            }
        }
        if found.is_none() && chunks.len() > 2 {
            for chunk in &chunks {
                let others: Vec<usize> = left
                    .iter()
                    .copied()
                    .filter(|at| !chunk.contains(at))
                    .collect();
                if flips(&others).await? {
                    found = Some((others, (parts - 1).max(2)));
                    break;
                }
            }
        }
        match found {
            Some((fewer, next)) => (left, parts) = (fewer, next),
            None if parts >= left.len() => break,
            None => parts = (parts * 2).min(left.len()),
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::Setting;

    fn profile(rows: f64, null_fraction: f32, work_mem: &str) -> Profile {
        let column = ColumnStatistics {
            column: "status".to_owned(),
            null_fraction,
            ..ColumnStatistics::default()
        };
        let table = TableStatistics {
            schema: "public".to_owned(),
            name: "orders".to_owned(),
            rows: Some(rows),
            columns: vec![column],
            ..TableStatistics::default()
        };
        let setting = Setting {
            scope: Scope::Server,
            name: "work_mem".to_owned(),
            value: work_mem.to_owned(),
        };
        Profile {
            settings: vec![setting],
            tables: vec![table],
            ..Profile::default()
        }
    }

    #[test]
    fn differences_are_taken_over_one_by_one() {
        let (before, after) = (profile(1e3, 0.0, "4MB"), profile(1e6, 0.5, "64MB"));
        let pair = Pair::new(&before, &after);
        let words: Vec<String> = (0..pair.count()).map(|at| pair.words(at)).collect();
        assert_eq!(
            words,
            [
                "orders: 0 → 0 pages, 1000 → 1000000 rows, 0 → 0 all-visible pages",
                "orders.status: null_frac 0 → 0.5",
                "work_mem 4MB → 64MB"
            ]
        );
        let mixed = pair.mixture(&[1]);
        assert_eq!(
            (
                mixed.tables[0].rows,
                mixed.tables[0].columns[0].null_fraction
            ),
            (Some(1e3), 0.5)
        );
        assert_eq!(mixed.settings["work_mem"], "4MB");
        let all = pair.mixture(&[0, 1, 2]);
        assert_eq!(
            (all.tables, all.settings),
            (after.tables.clone(), settings(&after))
        );
        assert_eq!(Pair::new(&before, &before).count(), 0);
    }

    #[tokio::test]
    async fn the_smallest_set_is_found() {
        for culprits in [vec![7], vec![3, 150], vec![0, 99, 199]] {
            let mut asked = 0;
            let found = smallest(200, async |set: &[usize]| {
                asked += 1;
                Ok::<_, ()>(culprits.iter().all(|culprit| set.contains(culprit)))
            });
            assert_eq!(found.await, Ok(culprits.clone()));
            assert!(asked < 250, "{asked} questions");
        }
        assert_eq!(
            smallest(9, async |_: &[usize]| Ok::<_, ()>(false)).await,
            Ok(Vec::new())
        );
    }
}
