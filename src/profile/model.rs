//! What the planner knows of a database: sizes, statistics of columns, and settings, in the text form of the columns' types.

use crate::schema::QualifiedName;

/// The statistics of a database.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// The major version of the server that they were read from.
    pub server_major: u32,
    /// [`Schema::digest`] of the schema that they are of, where it was read.
    ///
    /// [`Schema::digest`]: crate::schema::Schema::digest
    pub schema: Option<String>,
    /// The day on which it was read, in days since 2000-01-01: the real one, or for a remapped profile one of the seven from
    /// [`Self::DAY`] on.
    pub day: i64,
    /// What the planner was set to, ordered by scope and name.
    pub settings: Vec<Setting>,
    /// Ordered by schema and name.
    pub tables: Vec<TableStatistics>,
    /// What pg_stat_statements counted, most frequent first.
    pub statements: Vec<StatementCalls>,
    /// What could not be read, a sentence each.
    pub not_read: Vec<String>,
}

impl Profile {
    /// The day of a remapped profile on which it was read, in days since 2000-01-01, a Saturday. It has the weekday of the real
    /// one, so the real one adds up to six days.
    pub const DAY: i64 = 7 * 52;
}

/// A setting of the planner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// Whom it holds for.
    pub scope: Scope,
    /// `work_mem`.
    pub name: String,
    /// As SHOW prints it: `64MB`.
    pub value: String,
}

/// Whom a setting holds for; a later one overrides those before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Server,
    /// ALTER DATABASE … SET.
    Database,
    /// ALTER ROLE … SET, in every database.
    Role(String),
    /// ALTER ROLE … IN DATABASE … SET.
    RoleInDatabase(String),
}

/// A table, partition, partitioned table or materialized view.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableStatistics {
    pub schema: String,
    pub name: String,
    /// `pg_class.relpages`.
    pub pages: u64,
    /// `pg_class.reltuples`; `None` where the table was never vacuumed or analysed.
    pub rows: Option<f64>,
    /// `pg_class.relallvisible`.
    pub all_visible: u64,
    /// In the order of their names; a column whose table has children may stand here twice.
    pub columns: Vec<ColumnStatistics>,
    /// In the order of their names.
    pub indexes: Vec<IndexSize>,
    /// In the order of their names.
    pub extended: Vec<ExtendedStatistics>,
    /// What statistics do not say, measured in samples of the rows.
    pub probed: Probed,
}

impl TableStatistics {
    /// Where it is.
    #[must_use]
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(self.schema.as_str(), self.name.as_str())
    }

    /// A column's statistics, with those of its table's children or without.
    #[must_use]
    pub fn column(&self, name: &str, inherited: bool) -> Option<&ColumnStatistics> {
        let mut columns = self.columns.iter();
        columns.find(|column| column.column == name && column.inherited == inherited)
    }
}

/// What a probe measured of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probed {
    /// How many of this table's rows other tables' rows have.
    pub fan_outs: Vec<FanOut>,
    /// How values lie on pages.
    pub localities: Vec<Locality>,
    /// Columns that depend on each other.
    pub joints: Vec<Joint>,
}

/// How many rows of this table point to each row of a parent.
#[derive(Debug, Clone, PartialEq)]
pub struct FanOut {
    /// The referencing column.
    pub column: String,
    pub parent: QualifiedName,
    /// The column that is pointed to.
    pub referenced: String,
    /// Share of the parents without a child.
    pub childless: f64,
    /// Mean numbers of children of equally many parents each, of those that have some, from the fewest to the most.
    pub children: Vec<f64>,
}

/// How a column's values lie on pages.
#[derive(Debug, Clone, PartialEq)]
pub struct Locality {
    pub column: String,
    /// Different values on a page, divided by those of as many rows taken anywhere.
    pub distinct: f64,
    /// How far apart the values of a page are in the values' order, divided by the same of as many rows taken anywhere.
    pub spread: f64,
}

/// Which values two columns have together.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// The columns, with the bins that their values are sorted into.
    pub axes: [Axis; 2],
    /// A bin of each column, and the share of the rows that have both; the others are as frequent as independence makes them.
    pub cells: Vec<(usize, usize, f64)>,
}

/// The bins of a column: each common value is one, and what lies between two neighbouring bounds is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub column: String,
    /// Values with a bin of their own.
    pub common: Vec<String>,
    /// Bounds of the bins of all other values, in order.
    pub bounds: Vec<String>,
}

/// A row of `pg_stats`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnStatistics {
    /// The column's name; for an expression of an index, the name that the index gives it.
    pub column: String,
    /// Whether the rows of the table's children were counted.
    pub inherited: bool,
    /// Share of NULLs.
    pub null_fraction: f32,
    /// Average bytes of a value.
    pub average_width: u32,
    /// `n_distinct` as it is stored: a count, or minus the share of the rows; 0 where it is not known.
    pub distinct: f32,
    /// Values and their share of all rows, most frequent first.
    pub most_common: Vec<(String, f32)>,
    /// Bounds of bins with equally many rows, without the most common values.
    pub histogram: Vec<String>,
    /// Physical order against logical order, -1 to 1; `None` for types without an order.
    pub correlation: Option<f32>,
    /// Whether its times are production's own: a constant of the repository holds them in their place. All others are
    /// relative to [`Profile::DAY`].
    pub is_anchored: bool,
    /// Of arrays and text search vectors.
    pub elements: Option<ElementStatistics>,
    pub ranges: Option<RangeStatistics>,
}

impl ColumnStatistics {
    /// Whether there is a value in them.
    #[must_use]
    pub fn has_values(&self) -> bool {
        let elements = self
            .elements
            .iter()
            .flat_map(|elements| &elements.most_common);
        let ranges = self.ranges.iter().flat_map(|ranges| &ranges.bounds);
        !self.most_common.is_empty()
            || !self.histogram.is_empty()
            || elements.count() + ranges.count() > 0
    }
}

/// Statistics of the elements of arrays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElementStatistics {
    /// Elements and the share of the non-NULL rows that hold them, in the order of the elements.
    pub most_common: Vec<(String, f32)>,
    /// `most_common_elem_freqs` beyond the elements: least and greatest frequency, and the share of rows with a NULL element.
    pub frequency_bounds: Vec<f32>,
    /// `elem_count_histogram`, the average as its last entry.
    pub counts: Vec<f32>,
}

/// Statistics of ranges; PostgreSQL 17 and later show them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeStatistics {
    /// Lengths of ranges that are not empty, as numbers.
    pub lengths: Vec<String>,
    /// Share of empty ranges.
    pub empty_fraction: Option<f32>,
    /// Ranges made of the histograms of lower and upper bounds.
    pub bounds: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct IndexSize {
    /// Its name, in its table's schema.
    pub name: String,
    /// `pg_class.relpages`.
    pub pages: u64,
    /// `pg_class.reltuples`; `None` where it was never counted.
    pub rows: Option<f64>,
    /// Statistics of the expressions that it indexes.
    pub expressions: Vec<ColumnStatistics>,
}

/// What CREATE STATISTICS collected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExtendedStatistics {
    pub schema: String,
    pub name: String,
    /// Whether the rows of the table's children were counted.
    pub inherited: bool,
    /// The columns, in the order of their numbers, then the expressions as printed.
    pub parts: Vec<String>,
    /// How many of the parts are columns.
    pub columns: usize,
    /// Distinct combinations of parts.
    pub distinct: Vec<DistinctCombinations>,
    /// How far one part follows from others.
    pub dependencies: Vec<Dependency>,
    /// Combinations of all parts, most frequent first.
    pub most_common: Vec<CommonCombination>,
    /// Statistics of the expressions, named by the expressions.
    pub expressions: Vec<ColumnStatistics>,
}

/// Distinct combinations of some parts of extended statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct DistinctCombinations {
    /// Which parts, counted from 0.
    pub parts: Vec<usize>,
    /// How many combinations, in the convention of `n_distinct`.
    pub distinct: f64,
}

/// A functional dependency.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// Which parts decide, counted from 0.
    pub from: Vec<usize>,
    /// Which part follows.
    pub to: usize,
    /// Share of the rows for which it does.
    pub degree: f64,
}

/// A combination of values of all parts of extended statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonCombination {
    /// A value a part; `None` for NULL.
    pub values: Vec<Option<String>>,
    /// Share of the rows.
    pub frequency: f64,
    /// Share that independent columns would have.
    pub base_frequency: f64,
}

/// A statement of pg_stat_statements.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementCalls {
    /// Normalized by the server.
    pub text: String,
    /// Executions a second; `None` where it is not known since when they were counted.
    pub per_second: Option<f64>,
    /// Executions.
    pub calls: f64,
    /// Milliseconds of one execution.
    pub mean_ms: Option<f64>,
}
