//! Which parent row a row points to, and which leaf it goes to.

use super::Counter;
use super::End;
use super::FanOut;
use super::Odometer;
use super::Weights;
use super::{NumberPart, Shape};
use crate::seed::distribution::Grouping;
use crate::seed::random::{Key, Permutation};
use crate::seed::ranks::Ranks;

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

impl Link {
    /// Whether the choice itself leaves rows without a parent, as many as the share says.
    #[must_use]
    pub fn knows_its_nulls(&self) -> bool {
        match &self.choice {
            LinkChoice::Shape { shape, .. } => shape.quantiles.stretches.is_some(),
            LinkChoice::Uniform
            | LinkChoice::Skewed { .. }
            | LinkChoice::OneToOne(_)
            | LinkChoice::Grouped(_)
            | LinkChoice::Earlier { .. }
            | LinkChoice::Previous { .. }
            | LinkChoice::EarlierWithin { .. }
            | LinkChoice::Listed { .. }
            | LinkChoice::Digit(_)
            | LinkChoice::Pair(_)
            | LinkChoice::Within { .. } => false,
        }
    }
}

/// How a parent row is chosen.
#[derive(Debug, Clone)]
pub enum LinkChoice {
    /// All alike.
    Uniform,
    /// A few parents have most children.
    /// `order` says which parent has which rank.
    Skewed { ranks: Ranks, order: Permutation },
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
    /// A kind of parent rows by weight, and one of the rows of that kind: the spec says how often each value comes.
    Listed {
        weights: Weights,
        rows: Box<[Box<[u64]>]>,
    },
    /// As a profile describes it, by the parents' row numbers; `fan_out` where it knows how many children parents have.
    Shape {
        shape: Box<Shape<NumberPart>>,
        fan_out: Option<Box<FanOut>>,
    },
    /// The row's digit within a unique key.
    Digit(Odometer),
    /// One end of an unordered pair of different parent rows.
    Pair(Pair),
    /// A row of the parent whose own link `parent_link` points to the row that is reached from this row along `path`
    /// (a link of this table, then one of its parent, and so on): two foreign keys that share a column (a tenant). The
    /// parent's link is grouped. Where the parent is a subtype, it is its supertype's link, `down` from which (table and
    /// link, from the parent upwards) each row has one of the subtype. `under` (table and link, from
    /// the row that is reached downwards) leads from a supertype's row to its subtype's. With `digit`, rows that are
    /// counted together take different ones.
    Within {
        path: Box<[usize]>,
        under: Box<[(usize, usize)]>,
        parent_link: usize,
        down: Box<[(usize, usize)]>,
        digit: Option<GroupDigit>,
    },
}

/// An end of a pair of different parent rows.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// Which pair a row has.
    pub order: Permutation,
    /// The smaller or the larger.
    pub end: End,
    /// The referenced column, whose values are compared where they do not rise with the rows.
    pub by: Option<usize>,
}

/// The part of a row's number within a unique key that says which row of a group it points to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupDigit {
    /// Where the number comes from.
    pub counter: Counter,
    /// Product of the sizes of the digits before this one.
    pub divisor: u64,
    /// How many of a group's rows count: as many as the smallest group has, so that the next digit can go on; the last
    /// digit takes all (`u64::MAX`).
    pub size: u64,
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
