//! What will be made, decided before a row is made: pure data. For every table how many rows, for every column which
//! generator; the rows then follow from the numbers alone.

mod costs;
mod domain;
mod fan_out;
mod given;
mod links;
mod quantiles;
mod row_set;
mod scalar;
mod shape;
mod span;
mod stretches;
mod text;
mod weights;

use super::distribution::Grouping;
use super::expression::Formula;
use super::random::{Key, Permutation};
use super::ranks::Ranks;
use super::types::{Geometry, ScalarEncoding, System};
use super::wishes::Wish;
use crate::schema::{DataType, QualifiedName};
use crate::units::{Bytes, Count, Millis};

pub use costs::IndexEntries;
pub use domain::{Allowed, Case as DomainCase, Condition, Domain};
pub use fan_out::FanOut;
pub use given::{Given, Together};
pub use links::{GroupDigit, Link, LinkChoice, Pair, Router, RouterNode, RouterTarget, Split};
pub use quantiles::{Quantiles, copula_spread, fractions};
pub use row_set::RowSet;
pub use scalar::{Bound, Counter, Odometer, Placement, Scalar, ScalarSource, Side, Term};
pub use shape::{NumberPart, Shape, TextPart};
pub use span::{Span, UpperEnd};
pub use stretches::{Cut, Inside, Stretches};
pub use text::{Case, JsonContent, JsonMember, JsonShape, Piece, Text, TextSource};
pub use weights::Weights;

/// A whole dataset.
#[derive(Debug, Clone)]
pub struct SeedPlan {
    /// `[dataset] seed`.
    pub seed: u64,
    /// In the order in which they can be filled where foreign keys are there already.
    pub tables: Vec<TablePlan>,
    /// Constants of types that only the server can read: it turns them into cells before the load.
    pub literals: Vec<Literal>,
    /// What a person should know before the load: counts that were lowered to fit a constraint, and the like.
    pub notes: Vec<String>,
    /// What the spec asks of columns.
    pub wishes: Vec<Wish>,
    /// Notes on wishes that planned rows miss: for who looks at the plan alone, for after a load the table is looked at.
    pub predicted: Vec<String>,
}

/// Constants of a spec whose cells are not known yet: the column's generator is a [`Choice`] with as many empty cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// Index of the table.
    pub table: usize,
    /// Index of the column.
    pub column: usize,
    /// `format_type`.
    pub type_name: String,
    /// In text form.
    pub texts: Vec<String>,
    /// Where they stand.
    pub place: super::spec::Place,
}

#[derive(Debug, Clone)]
pub struct TablePlan {
    /// `pg_class.oid`.
    pub oid: u32,
    pub name: QualifiedName,
    /// Rows to make; for a table that keeps its rows, the rows that it has.
    pub rows: u64,
    /// Rows that the migrations inserted, beside which the others are made.
    pub there: u64,
    /// Whether rows are made at all.
    pub fill: Fill,
    /// SQL conditions of the rows that are kept, of those that are made: of hash partitions that are not there.
    pub kept_where: Vec<String>,
    /// Columns that get a value, in `attnum` order, then those of a formula; generated ones are left out.
    pub columns: Vec<ColumnPlan>,
    /// Foreign keys: which parent row a row points to.
    pub links: Vec<Link>,
    /// Where the rows go: the table, or the partitions that hold its rows.
    pub leaves: Vec<Leaf>,
    /// Which leaf a row goes to; `None` where there is only one.
    pub router: Option<Router>,
    /// Kinds of rows.
    pub variants: Option<Variants>,
    /// Constraints that were not understood: the server is asked before the load.
    pub opaque_checks: Vec<OpaqueCheck>,
    /// Some constraint is more than a list, a limit or a length of one column: the server is asked as well.
    pub involved: bool,
    /// Columns that the server computes from the others while it loads; they are not among `columns`.
    pub expressions: Vec<Computed>,
    /// Bytes of a row in COPY BINARY, roughly.
    pub width: u32,
    /// Bytes of a row in the table on disk, roughly.
    pub stored_width: u32,
    /// Bytes of a row in all of the table's indexes, roughly.
    pub index_width: u32,
    /// What a row puts into them.
    pub index_entries: IndexEntries,
    /// The rows that are made, where a subset is wanted: all others are left out.
    pub chosen: Option<RowSet>,
}

/// Whether a table is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Its rows are made.
    Generate,
    /// It holds rows that the migrations made: they are used and kept.
    Keep,
}

/// A relation that stores rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// `pg_class.oid`.
    pub oid: u32,
    pub name: QualifiedName,
}

#[derive(Debug, Clone)]
pub struct ColumnPlan {
    /// Unquoted.
    pub name: String,
    pub data_type: DataType,
    /// Names its randomness.
    pub key: Key,
    /// When it is NULL.
    pub nulls: Nulls,
    /// Which of its values a row gets.
    pub draw: Draw,
    /// How that value is made.
    pub generator: Generator,
    /// Text forms and weights, where the values come from a list: for describing the plan.
    pub choices: Option<Box<[(String, f64)]>>,
    /// What is different in some of the table's variants.
    pub arms: Option<Box<Arms>>,
}

/// A column in the variants of its table.
#[derive(Debug, Clone)]
pub struct Arms {
    /// For each variant 0 for the column itself, else 1 + an index of `plans`.
    pub of: Box<[u16]>,
    /// The other plans.
    pub plans: Box<[ColumnPlan]>,
}

/// A column that is SQL over the row's other columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    /// Unquoted.
    pub column: String,
    /// What the spec says, and where.
    pub expression: super::spec::Place,
}

/// A constraint that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaqueCheck {
    /// Its name.
    pub constraint: String,
    /// As the catalog prints it.
    pub expression: String,
    /// What was not understood.
    pub reason: String,
}

/// Rows of several kinds: constraints that say "either … or …" are met one way or the other.
#[derive(Debug, Clone)]
pub struct Variants {
    /// Names the draw.
    pub key: Key,
    /// How often each comes.
    pub weights: Weights,
    /// The one of row 0, with which a tree begins.
    pub root: Option<usize>,
    /// For each the links that must lead to a row, of those that may lead to none; `None` for one that no row is of. A row for
    /// which one of them leads nowhere is of the next variant. Empty where no link is like that.
    pub needed: Box<[Option<Box<[usize]>>]>,
}

/// When a column is NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Nulls {
    Never,
    Always,
    /// For this share of the rows, at random.
    Share {
        share: f64,
        key: Key,
    },
    /// From this row on.
    From {
        row: u64,
    },
    /// Where the foreign key has no parent row (a root of a tree, a childless share).
    WithLink(usize),
}

/// Which of a column's values a row gets: an index that the generator turns into a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Draw {
    /// The row's own number: as many values as rows, as far as the generator can tell them apart.
    Row,
    /// One of `distinct` values, each as often as the others.
    Uniform { distinct: u64 },
    /// One of `distinct` values, each of which comes: as often as the others, to one row more or less.
    Every { order: Permutation, distinct: u64 },
    /// Some values more often than others.
    Zipf(Ranks),
    /// One of `distinct` values in step with the rows' order.
    Following {
        quantiles: Box<Quantiles>,
        distinct: u64,
    },
    /// Decided by the value of another column (its index in the table): equal ones give equal ones.
    Dependent { column: usize, distinct: u64 },
}

/// How a value is made.
#[derive(Debug, Clone)]
pub enum Generator {
    /// A number, date or time.
    Scalar(Scalar),
    /// Text of any kind, and the types whose binary form is text.
    Text(Text),
    /// One of a list.
    Choice(Choice),
    /// One of a list for this share of the rows, else what `rest` makes.
    Mixed {
        common: Choice,
        share: f64,
        rest: Box<Generator>,
    },
    /// These in the first rows, what `rest` makes in the others: values that queries name of a column whose values all differ.
    Named {
        cells: Box<[Box<[u8]>]>,
        rest: Box<Generator>,
    },
    /// The cells of rows that are there already, with their lengths.
    Stored(Box<[Box<[u8]>]>),
    /// The value of a column of the parent row; `recode` where its type is another number type.
    Parent {
        link: usize,
        table: usize,
        column: usize,
        recode: Option<ScalarEncoding>,
    },
    /// Of this column's own value and another column's the smaller or the larger, in the order of their bytes: two
    /// columns of a type without numbers that keep an order.
    Extreme {
        own: Box<Generator>,
        other: Box<ColumnPlan>,
        end: End,
    },
    /// What another column of the row holds.
    Copy { column: usize },
    /// Random bytes of a kind.
    Uuid,
    /// `inet` or `cidr`.
    Inet {
        cidr: bool,
        /// Set where every row has an address of its own.
        unique: Option<Permutation>,
    },
    /// `macaddr` (6) or `macaddr8` (8).
    Mac { bytes: u8 },
    /// `bytea` of a length between these.
    Bytes { min: u32, max: u32 },
    /// `bit(n)` and `bit varying`.
    Bits { min: u32, max: u32 },
    /// Points and figures made of coordinates.
    Geometry(Geometry),
    /// An array of the element generator's values.
    Array {
        element: Box<ColumnPlan>,
        element_type: u32,
        min: u32,
        max: u32,
    },
    /// A row type.
    Composite { fields: Vec<(u32, ColumnPlan)> },
    /// A range of the subtype's values.
    Range {
        low: Box<ColumnPlan>,
        encoding: ScalarEncoding,
        width: i64,
    },
    /// A range of which other columns are the ends.
    Span(Span),
    /// Several ranges of the subtype's values.
    Multirange {
        low: Box<ColumnPlan>,
        encoding: ScalarEncoding,
        width: i64,
    },
    /// `tsvector` of some words.
    TextSearch,
    /// A json document of a plausible shape; `jsonb` has a version byte.
    Json { binary: bool, shape: JsonShape },
    /// `tsquery` of one word.
    TextQuery,
    /// `hstore` of some pairs.
    Pairs,
    /// `tid`, `pg_snapshot`, `cube`.
    System(System),
    /// The same bytes for every row, with their length.
    Constant(Box<[u8]>),
    /// Integer arithmetic over other columns.
    Formula {
        formula: Formula,
        encoding: ScalarEncoding,
    },
}

/// The first or the last in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Least,
    Most,
}

/// One of a list of finished cells, by weight.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Length and bytes of each.
    pub cells: Box<[Box<[u8]>]>,
    /// How often each comes.
    pub weights: Weights,
    /// Set where they come in step with the rows' order.
    pub quantiles: Option<Box<Quantiles>>,
    /// Every index has its own cell (index modulo the list's length, scattered).
    pub unique: Option<Permutation>,
    /// Set where the list is a digit of a unique key.
    pub odometer: Option<Odometer>,
}

impl SeedPlan {
    /// No tables.
    #[must_use]
    pub fn empty(seed: u64) -> Self {
        Self {
            seed,
            tables: Vec::new(),
            literals: Vec::new(),
            notes: Vec::new(),
            wishes: Vec::new(),
            predicted: Vec::new(),
        }
    }

    /// Leaves these tables without rows, and with them those that point to them.
    pub fn leave_out(&mut self, mut tables: Vec<bool>) {
        tables.resize(self.tables.len(), false);
        loop {
            let hit = |at: &usize| {
                !tables[*at]
                    && self.tables[*at]
                        .links
                        .iter()
                        .any(|link| tables[link.parent])
            };
            let more: Vec<usize> = (0..tables.len()).filter(hit).collect();
            if more.is_empty() {
                break;
            }
            more.iter().for_each(|at| tables[*at] = true);
        }
        for (table, _) in self
            .tables
            .iter_mut()
            .zip(tables)
            .filter(|(_, left_out)| *left_out)
        {
            table.rows = 0;
        }
    }

    /// A table's index by OID.
    #[must_use]
    pub fn table_index(&self, oid: u32) -> Option<usize> {
        self.tables.iter().position(|table| table.oid == oid)
    }

    /// The grouping of the rows among which [`LinkChoice::Within`] chooses.
    #[must_use]
    pub fn grouping_within(
        &self,
        parent: usize,
        parent_link: usize,
        down: &[(usize, usize)],
    ) -> Option<&Grouping> {
        let top = match down.last() {
            Some((table, link)) => self.tables[*table].links[*link].parent,
            None => parent,
        };
        match &self.tables[top].links.get(parent_link)?.choice {
            LinkChoice::Grouped(grouping) => Some(grouping),
            _ => None,
        }
    }

    /// The rows that the groups of [`SeedPlan::grouping_within`] stand for, in order; empty for all rows.
    #[must_use]
    pub fn only_within(
        &self,
        parent: usize,
        parent_link: usize,
        down: &[(usize, usize)],
    ) -> &[u64] {
        let top = match down.last() {
            Some((table, link)) => self.tables[*table].links[*link].parent,
            None => parent,
        };
        self.tables[top]
            .links
            .get(parent_link)
            .map_or(&[], |link| &link.only)
    }

    /// Rows that will be made.
    #[must_use]
    pub fn total_rows(&self) -> u64 {
        self.tables
            .iter()
            .filter(|table| table.fill == Fill::Generate)
            .map(TablePlan::made_rows)
            .sum()
    }
}

impl SeedPlan {
    /// What a person should know who sees the plan and not what becomes of it.
    pub fn all_notes(&self) -> impl Iterator<Item = &String> {
        self.notes.iter().chain(&self.predicted)
    }

    /// What will be loaded, in a line; `pace` is what the load takes here for each millisecond that is expected.
    #[must_use]
    pub fn summary(&self, pace: f64) -> String {
        let made = self
            .tables
            .iter()
            .filter(|table| table.fill == Fill::Generate);
        let (tables, bytes) = made.fold((0, 0_u64), |(n, bytes), table| {
            (n + 1, bytes.saturating_add(table.stored_bytes()))
        });
        format!(
            "making {} rows in {tables} {}, {}; about {}",
            Count(self.total_rows() as f64),
            if tables == 1 { "table" } else { "tables" },
            Bytes(bytes),
            Millis(self.expected_time().0 * pace)
        )
    }
}

impl TablePlan {
    /// Whether rows go into a temporary table first, from which the server takes them.
    #[must_use]
    pub fn is_staged(&self) -> bool {
        !self.expressions.is_empty() || !self.kept_where.is_empty()
    }

    /// How many rows are made, or kept.
    #[must_use]
    pub fn made_rows(&self) -> u64 {
        self.chosen.as_ref().map_or(self.rows, RowSet::len)
    }

    /// The last number that a counting column comes to; `None` for every other column.
    #[must_use]
    pub fn last_counted(&self, name: &str) -> Option<i64> {
        let Generator::Scalar(scalar) = &self.columns.get(self.column_index(name)?)?.generator
        else {
            return None;
        };
        let ScalarSource::Sequence { start, step } = scalar.source else {
            return None;
        };
        let rows = i64::try_from(self.rows).ok()?.checked_sub(1)?;
        let unit = super::types::binary::power_of_ten(scalar.encoding.decimals()) as i64;
        Some(start.saturating_add(rows.saturating_mul(step)) / unit)
    }

    /// A column's index by name.
    #[must_use]
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}
