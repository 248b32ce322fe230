//! What the caller of a resolution decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::profile::model::Profile;
use crate::seed::clock::Clock;
use crate::seed::generators::Locale;
use crate::sql::constants::Constant;
use crate::sql::joins::Join;

/// What the caller decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// `[dataset] seed`.
    pub seed: u64,
    /// `[dataset] scale`: multiplies every count of 1000 rows and more.
    pub scale: f64,
    /// Rows of a table that no spec names.
    pub default_rows: DefaultRows,
    /// Rows of every table, whatever the spec says.
    pub all_rows: Option<u64>,
    /// Rows of single tables, whatever the spec says; by name.
    pub table_rows: BTreeMap<String, u64>,
    /// Names and places.
    pub locale: &'static Locale,
    /// Bytes that all tables and indexes together come to: sets the scale.
    pub target_bytes: Option<u64>,
    /// Only this share of the rows, with every row that they point to.
    pub subset: Option<f64>,
    /// The dataset's "now": where inferred times end.
    pub clock: Clock,
    /// What the catalog's queries say of the data.
    pub constants: Vec<Constant>,
    /// The columns that each of them compares with each other.
    pub joins: Vec<Vec<Join>>,
    /// OIDs of tables that stay empty, since their rows cannot be made.
    pub left_empty: BTreeSet<u32>,
    /// Statistics of production, which the rows shall have where the spec says nothing else.
    pub profile: Option<Arc<Profile>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 42,
            scale: 1.0,
            default_rows: DefaultRows::Fixed(1000),
            all_rows: None,
            table_rows: BTreeMap::new(),
            locale: Locale::default_locale(),
            target_bytes: None,
            subset: None,
            clock: Clock::default(),
            constants: Vec::new(),
            joins: Vec::new(),
            left_empty: BTreeSet::new(),
            profile: None,
        }
    }
}

/// Rows of tables that nobody counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultRows {
    /// As many in each.
    Fixed(u64),
    /// By the table's role, times this.
    ByRole(f64),
    /// By the table's role, so that all tables and indexes come to this many bytes, if that is no absurd number of rows.
    Fitted(u64),
    /// The same, as somebody asked for: however many rows that takes.
    Asked(u64),
}

/// Rows that a table holds already: kept, and pointed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredRows {
    /// How many.
    pub count: u64,
    /// By column name: every row's cell in COPY BINARY's form, with its length.
    pub cells: BTreeMap<String, Vec<Box<[u8]>>>,
}
