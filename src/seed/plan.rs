//! What will be made, decided before a row is made: pure data. For every table how many rows, for every column which
//! generator; the rows then follow from the numbers alone.

use super::distribution::{Grouping, Zipf};
use super::encode::ScalarEncoding;
use super::generators::regex::Pattern;
use super::generators::{Locale, TextGenerator};
use super::infer::types::TypeClass;
use super::random::{Key, Permutation};
use crate::schema::{DataType, QualifiedName};

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

/// One table.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its name.
    pub name: QualifiedName,
    /// Rows to make; for a table that keeps its rows, the rows that it has.
    pub rows: u64,
    /// Whether rows are made at all.
    pub fill: Fill,
    /// Columns that get a value, in `attnum` order; generated ones are left out.
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
    pub doubts: Vec<Doubt>,
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
    /// The rows that are made, where a subset is wanted: all others are left out.
    pub chosen: Option<RowSet>,
}

/// Some of a table's rows, a bit a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet {
    words: Box<[u64]>,
    count: u64,
}

impl RowSet {
    /// Of `rows` rows none.
    #[must_use]
    pub fn none_of(rows: u64) -> Self {
        // A plan of more rows than memory has bits fails to be allocated, not to be counted.
        let words = usize::try_from(rows.div_ceil(64)).unwrap_or(usize::MAX);
        Self { words: vec![0; words].into(), count: 0 }
    }

    /// Adds a row; says whether it is new.
    pub fn insert(&mut self, row: u64) -> bool {
        let Some(word) = self.words.get_mut((row / 64) as usize) else { return false };
        let bit = 1 << (row % 64);
        let new = *word & bit == 0;
        *word |= bit;
        self.count += u64::from(new);
        new
    }

    /// Whether a row is in it.
    #[inline]
    #[must_use]
    pub fn contains(&self, row: u64) -> bool {
        self.words.get((row / 64) as usize).is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// How many rows.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// No row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
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
    /// Its name.
    pub name: QualifiedName,
}

/// One column.
#[derive(Debug, Clone)]
pub struct ColumnPlan {
    /// Unquoted.
    pub name: String,
    /// Its type.
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
pub struct Doubt {
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
}

/// When a column is NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Nulls {
    /// Never.
    Never,
    /// Always.
    Always,
    /// For this share of the rows, at random.
    Share { share: f64, key: Key },
    /// Where the foreign key has no parent row (a root of a tree, a childless share).
    WithLink(usize),
}

/// Which of a column's values a row gets: an index that the generator turns into a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Draw {
    /// The row's own number: as many values as rows, as far as the generator can tell them apart.
    Row,
    /// One of `distinct` values, each as often as the others.
    Uniform { distinct: u64 },
    /// Some values more often than others.
    Zipf(Zipf),
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
    Mixed { common: Choice, share: f64, rest: Box<Generator> },
    /// The cells of rows that are there already, with their lengths.
    Stored(Box<[Box<[u8]>]>),
    /// The value of a column of the parent row; `recode` where its type is another number type.
    Parent { link: usize, table: usize, column: usize, recode: Option<ScalarEncoding> },
    /// Random bytes of a kind.
    Uuid,
    /// `inet` or `cidr`.
    Inet { cidr: bool },
    /// `macaddr` (6) or `macaddr8` (8).
    Mac { bytes: u8 },
    /// `bytea` of a length between these.
    Bytes { min: u32, max: u32 },
    /// `bit(n)` and `bit varying`.
    Bits { min: u32, max: u32 },
    /// Points and figures made of coordinates.
    Geometry(Geometry),
    /// An array of the element generator's values.
    Array { element: Box<ColumnPlan>, element_type: u32, min: u32, max: u32 },
    /// A row type.
    Composite { fields: Vec<(u32, ColumnPlan)> },
    /// A range of the subtype's values.
    Range { low: Box<ColumnPlan>, encoding: ScalarEncoding, width: i64 },
    /// Several ranges of the subtype's values.
    Multirange { low: Box<ColumnPlan>, encoding: ScalarEncoding, width: i64 },
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
}

/// What a json document looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonShape {
    /// Some members out of a common list, and these in any case.
    Object { keys: Box<[String]> },
    /// A list of words.
    Array { min: u32, max: u32 },
    /// A word.
    Text,
    /// A number.
    Number,
    /// true or false.
    Bool,
}

/// Types of the system and of extensions with a form of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Tid,
    Snapshot,
    Cube,
    Int2Vector,
    OidVector,
    JsonPath,
}

/// Geometric types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Geometry {
    Point,
    Line,
    Segment,
    Box,
    Path,
    Polygon,
    Circle,
}

/// A number's source, form and limits.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// How it is laid out.
    pub encoding: ScalarEncoding,
    /// Where it comes from.
    pub source: ScalarSource,
    /// What it must not go below or above, whatever the source says.
    pub hard: (i64, i64),
    /// Only multiples of this, counted from zero; 1 for all.
    pub grain: i64,
    /// Other columns of the row that it must not go below or above.
    pub bounds: Vec<Bound>,
}

/// Where a number comes from.
#[derive(Debug, Clone)]
pub enum ScalarSource {
    /// `start + index * step`.
    Sequence { start: i64, step: i64 },
    /// Uniform from `low` to `high`; `unique` gives every index its own.
    Range { low: i64, high: i64, unique: Option<Permutation> },
    /// More small values than large ones: `low + (high - low) * u^exponent`.
    LowHeavy { low: i64, high: i64, exponent: f64 },
    /// In step with the row's number, from `low` to `high`.
    Placed { low: i64, high: i64, rows: u64, stray: f64, growth: f64, descending: bool, unique: bool },
    /// One of a list, by weight.
    Listed { values: Box<[i64]>, weights: Weights },
    /// One of a list for this share of the rows, else what `rest` makes.
    Mixed { values: Box<[i64]>, weights: Weights, share: f64, rest: Box<ScalarSource> },
    /// Between neighbouring bounds of a histogram, each pair as often as the others; in step with the row's number where
    /// `placed` says so.
    Histogram { bounds: Box<[i64]>, placed: Option<Placement> },
    /// `start` + which child of its parent the row is.
    Ordinal { link: usize, start: i64 },
    /// A digit of the number that the row has within a unique key (see [`Odometer`]).
    Digit { low: i64, odometer: Odometer },
    /// `low` to `mean` units past the column that bounds it from below.
    After { mean: i64 },
    /// The row's place in its group, `stride` apart: what must not overlap.
    Slot { low: i64, stride: i64, counter: Counter, divisor: u64 },
}

/// A value's place in row order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Rows of the table.
    pub rows: u64,
    /// See [`super::distribution::stray_for_correlation`].
    pub stray: f64,
    /// Large values first.
    pub descending: bool,
}

/// The part of a row's number, within a group of rows that must differ, that one column of a unique key shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odometer {
    /// Where the number comes from.
    pub counter: Counter,
    /// Product of the sizes of the digits before this one.
    pub divisor: u64,
    /// Size of this digit.
    pub size: u64,
    /// Scatters the digit's values, differently for each group.
    pub key: Key,
    /// Zipf's exponent of the digit's values (only where it is the key's only digit).
    pub skew: f64,
}

/// What an odometer counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Counter {
    /// Children of one parent, by the grouped link.
    Link(usize),
    /// All rows, in a scattered order.
    Rows(Permutation),
    /// All rows, in their own.
    Row,
}

/// A limit that other columns of the row set: a sum of them and a constant. Where one of them is NULL there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Which side.
    pub side: Side,
    /// The constant.
    pub offset: i64,
    /// The columns.
    pub terms: Box<[Term]>,
}

/// A column's part of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Index in the table's columns.
    pub column: usize,
    /// Multiplies it: coefficient, and its units to this column's.
    pub times: i64,
    /// Divides it.
    pub per: i64,
}

/// Which side a bound limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    AtLeast,
    AtMost,
    Differs,
}

/// Text and its limits.
#[derive(Debug, Clone)]
pub struct Text {
    /// What it reads like.
    pub source: TextSource,
    /// The first byte of the binary form (1 for `jsonb` and `ltree`).
    pub version: Option<u8>,
    /// Fewest characters.
    pub min_chars: u32,
    /// Most characters; 0 for no limit.
    pub max_chars: u32,
    /// Set where every index must give another text.
    pub unique: Option<Permutation>,
    /// Names, places.
    pub locale: &'static Locale,
    /// All lower or upper case.
    pub case: Case,
    /// Bytes of an average text; 0 leaves them to the source.
    pub width: u32,
}

/// Letters' case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    AsIs,
    Lower,
    Upper,
}

/// What a text reads like.
#[derive(Debug, Clone)]
pub enum TextSource {
    /// One of the registered generators.
    Registered(&'static TextGenerator),
    /// Texts that a regular expression matches.
    Pattern(Box<Pattern>),
    /// Other columns of the row, and what stands between them.
    Template(Box<[Piece]>),
    /// Between neighbouring bounds of a histogram: the lower bound and some letters.
    Bounds(Box<[Box<str>]>),
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it stands.
    Text(Box<str>),
    /// The text form of a column (its index in the table); its class and type.
    Column { column: usize, class: TypeClass, type_oid: u32 },
}

/// One of a list of finished cells, by weight.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Length and bytes of each.
    pub cells: Box<[Box<[u8]>]>,
    /// How often each comes.
    pub weights: Weights,
    /// Every index has its own cell (index modulo the list's length, scattered).
    pub unique: Option<Permutation>,
    /// Set where the list is a digit of a unique key.
    pub odometer: Option<Odometer>,
}

/// How often each of n things comes, drawn in constant time (Walker 1977, the alias method).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    /// Threshold of 2^32 and the alias for each slot; empty for one or no thing.
    slots: Box<[(u32, u32)]>,
}

impl Weights {
    /// From weights of any sum; negative and non-finite ones count as 0, all zero as equal.
    #[must_use]
    pub fn new(weights: &[f64]) -> Self {
        let clean: Vec<f64> = weights.iter().map(|w| if w.is_finite() { w.max(0.0) } else { 0.0 }).collect();
        let sum: f64 = clean.iter().sum();
        let count = clean.len();
        let mut scaled: Vec<f64> =
            if sum > 0.0 { clean.iter().map(|w| w / sum * count as f64).collect() } else { vec![1.0; count] };
        let mut slots: Vec<(u32, u32)> = (0..count as u32).map(|slot| (u32::MAX, slot)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..count).partition(|&slot| scaled[slot] < 1.0);
        while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
            slots[low] = ((scaled[low] * f64::from(u32::MAX)) as u32, high as u32);
            scaled[high] -= 1.0 - scaled[low];
            if scaled[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Self { slots: slots.into() }
    }

    /// Which thing 64 random bits draw.
    #[inline]
    #[must_use]
    pub fn draw(&self, bits: u64) -> usize {
        let slot = super::random::below(bits, self.slots.len() as u64) as usize;
        match self.slots.get(slot) {
            Some(&(threshold, alias)) => {
                // The low bits decide within the slot; `below` used the high ones.
                if (bits as u32) < threshold || alias as usize == slot { slot } else { alias as usize }
            }
            None => 0,
        }
    }

    /// How many things.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Nothing to draw.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// A foreign key: which parent row a row points to.
#[derive(Debug, Clone)]
pub struct Link {
    /// Index of the parent in the plan.
    pub parent: usize,
    /// Rows of the parent.
    pub parent_rows: u64,
    /// Names its randomness.
    pub key: Key,
    /// How a parent row is chosen.
    pub choice: LinkChoice,
    /// Share of rows without a parent.
    pub null_share: f64,
    /// Another link of the table whose parent row this one must not be.
    pub avoid: Option<usize>,
    /// Parent rows that a CHECK rules out, sorted: the next one is taken.
    pub skip: Box<[u64]>,
    /// Where a CHECK allows some parent rows alone, these.
    pub only: Box<[u64]>,
}

/// How a parent row is chosen.
#[derive(Debug, Clone)]
pub enum LinkChoice {
    /// All alike.
    Uniform,
    /// A few parents have most children.
    Skewed { zipf: Zipf, ranks: Permutation },
    /// One child a parent, at most.
    OneToOne(Permutation),
    /// As many children for each parent as the grouping says.
    Grouped(Grouping),
    /// A row before this one of the same table: a tree.
    Earlier { roots: u64 },
    /// The row before this one of the same table; the first has none, or the last in a ring.
    Previous { ring: bool },
    /// A row before this one among those of the same table whose link `shared` points to the same row.
    EarlierWithin { shared: usize },
    /// The row's digit within a unique key.
    Digit(Odometer),
    /// The smaller and the larger of an unordered pair of different parent rows.
    PairLow(Permutation),
    /// See `PairLow`.
    PairHigh(Permutation),
    /// A row of the parent whose own link `parent_link` points to the row that is reached from this row along `path`
    /// (a link of this table, then one of its parent, and so on): two foreign keys that share a column (a tenant). The
    /// parent's link is grouped. With `counter`, rows that are counted together take different ones.
    Within { path: Box<[usize]>, parent_link: usize, counter: Option<Counter> },
}

/// Which leaf a row goes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Router {
    /// The nodes; 0 is the root.
    pub nodes: Vec<RouterNode>,
}

/// One partitioned level.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterNode {
    /// The partition key's column, as an index in the table's columns.
    pub column: usize,
    /// How it is split.
    pub split: Split,
    /// Where to go where nothing else fits.
    pub default: Option<RouterTarget>,
}

/// How a level is split.
#[derive(Debug, Clone, PartialEq)]
pub enum Split {
    /// Sorted by the first value; each from the first (included) to the second (excluded).
    Range(Vec<(i64, i64, RouterTarget)>),
    /// Encoded cells (with length); NULL is a cell too.
    List(Vec<(Box<[u8]>, RouterTarget)>),
}

/// A leaf's index, or a further level's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterTarget {
    Leaf(usize),
    Node(usize),
}

impl SeedPlan {
    /// A table's index by OID.
    #[must_use]
    pub fn table_index(&self, oid: u32) -> Option<usize> {
        self.tables.iter().position(|table| table.oid == oid)
    }

    /// Rows that will be made.
    #[must_use]
    pub fn total_rows(&self) -> u64 {
        self.tables.iter().filter(|table| table.fill == Fill::Generate).map(TablePlan::made_rows).sum()
    }
}

impl SeedPlan {
    /// Bytes of all made rows on disk, with their indexes, roughly.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        let made = self.tables.iter().filter(|table| table.fill == Fill::Generate);
        made.fold(0, |sum: u64, table| sum.saturating_add(table.stored_bytes()).saturating_add(table.index_bytes()))
    }
}

impl TablePlan {
    /// How many rows are made, or kept.
    #[must_use]
    pub fn made_rows(&self) -> u64 {
        self.chosen.as_ref().map_or(self.rows, RowSet::len)
    }

    /// Bytes on disk, without indexes, roughly.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.made_rows().saturating_mul(u64::from(self.stored_width))
    }

    /// Bytes of its indexes on disk, roughly.
    #[must_use]
    pub fn index_bytes(&self) -> u64 {
        self.made_rows().saturating_mul(u64::from(self.index_width))
    }

    /// The last number that a counting column comes to; `None` for every other column.
    #[must_use]
    pub fn last_counted(&self, name: &str) -> Option<i64> {
        let Generator::Scalar(scalar) = &self.columns.get(self.column_index(name)?)?.generator else { return None };
        let ScalarSource::Sequence { start, step } = scalar.source else { return None };
        let rows = i64::try_from(self.rows).ok()?.checked_sub(1)?;
        let unit = super::encode::power_of_ten(scalar.encoding.decimals()) as i64;
        Some(start.saturating_add(rows.saturating_mul(step)) / unit)
    }

    /// A column's index by name.
    #[must_use]
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_obeyed() {
        let weights = Weights::new(&[0.5, 0.3, 0.15, 0.05, 0.0]);
        let key = Key::new(3);
        let mut counts = [0_u32; 5];
        for index in 0..1_000_000 {
            counts[weights.draw(key.at(index))] += 1;
        }
        for (count, share) in counts.iter().zip([0.5, 0.3, 0.15, 0.05, 0.0]) {
            assert!((f64::from(*count) / 1e6 - share).abs() < 0.003, "{counts:?}");
        }
        assert_eq!(counts[4], 0);
        assert_eq!(Weights::new(&[7.0]).draw(u64::MAX), 0);
    }
}
