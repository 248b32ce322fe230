//! The advisor: indexes that could serve the catalog ([`candidates`]), which of the measured ones to advise ([`select`]),
//! how they are written ([`ddl`]) and reported ([`findings`]). Builds and measures nothing itself: `db::prove` does.

pub mod batches;
pub mod candidates;
pub mod changes;
pub mod ddl;
pub mod findings;
#[cfg(test)]
mod given_effect;
pub mod hot;
pub mod memory;
pub mod planned;
pub mod policies;
pub mod rewrites;
pub mod row_batches;
pub mod select;
pub mod set;
pub mod statistics;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::Query;
use crate::finding::Measurement;
use crate::rules::{Policy, Threshold};
use crate::run::{QueryRuns, Run};
use crate::schema::{IndexKey, KeyPart, QualifiedName, Schema};
use crate::units::{Bytes, Millis, Pages};

pub use candidates::candidates;
pub use findings::{drop_answered, findings, tell_of_trials, unproven};
pub use memory::MemoryTrial;
pub use select::{proposals, select};

/// An index that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IndexSpec {
    /// The table; for a partition its topmost parent.
    pub table: QualifiedName,
    /// Its OID.
    pub table_oid: u32,
    /// btree, GIN…
    pub method: Method,
    /// Key parts in order.
    pub keys: Vec<KeySpec>,
    /// Columns that are only stored.
    pub include: Vec<String>,
    /// Partial index: WHERE.
    pub predicate: Option<String>,
    /// Further indexes that are good only together with this one: of an OR each side needs its own.
    pub beside: Vec<IndexSpec>,
}

impl IndexSpec {
    /// It and those beside it.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.beside)
    }
}

/// An access method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Method {
    Btree,
    Gin,
    Gist,
    Brin,
}

/// The operator class of `pg_trgm` that serves patterns without a fixed beginning.
pub const TRIGRAMS: &str = "gin_trgm_ops";
/// The one that also gives the order of similarity.
pub const TRIGRAMS_IN_ORDER: &str = "gist_trgm_ops";

impl Method {
    /// As CREATE INDEX names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Btree => "btree",
            Self::Gin => "gin",
            Self::Gist => "gist",
            Self::Brin => "brin",
        }
    }
}

/// One part of an index key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeySpec {
    /// A column's name or an expression.
    pub part: Part,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST, where it is not the direction's default.
    pub nulls: NullsOrder,
    /// Where it is not the default.
    pub operator_class: Option<String>,
    /// Where it is not the column's.
    pub collation: Option<String>,
}

impl KeySpec {
    /// A part of an existing index.
    #[must_use]
    pub fn of_existing(key: &IndexKey) -> Self {
        Self {
            part: match &key.part {
                KeyPart::Column(name) => Part::Column(name.clone()),
                KeyPart::Expression(text) => Part::Expression(bare(text)),
            },
            descending: key.descending,
            nulls: NullsOrder::of(key.descending, key.nulls_first),
            operator_class: key.operator_class.clone(),
            collation: key.collation.clone(),
        }
    }

    /// Whether NULLs come first when it is read forwards.
    #[must_use]
    pub fn nulls_first(&self) -> bool {
        match self.nulls {
            NullsOrder::Default => self.descending,
            NullsOrder::First => true,
            NullsOrder::Last => false,
        }
    }
}

/// Where NULLs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NullsOrder {
    /// Last for ascending, first for descending keys.
    Default,
    First,
    Last,
}

impl NullsOrder {
    /// From what the catalog says of a key.
    #[must_use]
    pub fn of(descending: bool, nulls_first: bool) -> Self {
        match (descending, nulls_first) {
            (true, true) | (false, false) => Self::Default,
            (false, true) => Self::First,
            (true, false) => Self::Last,
        }
    }
}

/// What a key part is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// Unquoted.
    Column(String),
    /// As it is deparsed, without qualifiers.
    Expression(String),
}

impl KeySpec {
    /// Ascending, everything default.
    #[must_use]
    pub fn plain(part: Part) -> Self {
        Self {
            part,
            descending: false,
            nulls: NullsOrder::Default,
            operator_class: None,
            collation: None,
        }
    }
}

impl Part {
    /// Whether an existing index's part is the same.
    #[must_use]
    pub fn is(&self, other: &KeyPart) -> bool {
        match (self, other) {
            (Self::Column(own), KeyPart::Column(name)) => own == name,
            (Self::Expression(own), KeyPart::Expression(text)) => bare(own) == bare(text),
            (Self::Column(_), KeyPart::Expression(_))
            | (Self::Expression(_), KeyPart::Column(_)) => false,
        }
    }
}

/// An expression without the parentheses around it.
fn bare(text: &str) -> String {
    crate::plan::condition::parse(text).text
}

/// How much the advised indexes may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdviceBudget {
    /// On disk, together.
    pub bytes: Option<Bytes>,
    /// How many.
    pub count: Option<usize>,
    /// For building and measuring candidates.
    pub time: Option<Duration>,
}

/// What is audited: what candidates, proofs and findings are about.
#[derive(Clone, Copy)]
pub struct Audited<'a> {
    /// The catalog.
    pub queries: &'a [Query],
    /// Its runs.
    pub runs: &'a [QueryRuns],
    /// The database's schema.
    pub schema: &'a Schema,
    /// The limits that hold for a query.
    pub policy_for: &'a dyn Fn(&Query) -> Policy,
}

impl std::fmt::Debug for Audited<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audited")
            .field("queries", &self.queries.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Audited<'a> {
    /// A run of a query.
    #[must_use]
    pub fn run(&self, query: usize, run: usize) -> Option<&'a Run> {
        self.runs
            .iter()
            .find(|runs| runs.query == query)?
            .runs
            .get(run)
    }

    /// A limit of `missing-index` for a query.
    fn limit(&self, query: usize, threshold: &Threshold) -> f64 {
        self.queries.get(query).map_or(threshold.default, |query| {
            (self.policy_for)(query).limit(threshold)
        })
    }
}

/// A node of an executed plan that an index could serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// Index of the query in the catalog.
    pub query: usize,
    /// Index of the run in its `QueryRuns::runs`.
    pub run: usize,
    /// The scan; the root for an index that serves a foreign key's check.
    pub node: usize,
}

/// An index worth building to see what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The index.
    pub index: IndexSpec,
    /// Where it was asked for.
    pub sites: Vec<Site>,
}

/// What building a candidate showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The index.
    pub index: IndexSpec,
    /// The names that it, and those beside it, should get.
    pub names: Vec<String>,
    /// On disk.
    pub bytes: Bytes,
    /// How long it took to build.
    pub build: Millis,
    /// What it did to the queries whose plans changed to use it.
    pub effects: Vec<Effect>,
    /// The places that asked for it.
    pub sites: Vec<Site>,
    /// What it costs the catalog's writes to its table.
    pub writes: Vec<WriteCost>,
}

#[cfg(test)]
impl Trial {
    /// An index that was built in no time and helped nobody yet.
    fn bare(index: IndexSpec) -> Self {
        Self {
            index,
            names: Vec::new(),
            bytes: crate::units::Bytes(0),
            build: crate::units::Millis(0.0),
            effects: Vec::new(),
            sites: Vec::new(),
            writes: Vec::new(),
        }
    }
}

/// What an index costs a statement that writes to its table: the medians of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WriteCost {
    /// Index of the query in the catalog.
    pub query: usize,
    /// Pages touched, without and with the index.
    pub pages: (Pages, Pages),
    /// Write-ahead log, without and with the index.
    pub wal: (Bytes, Bytes),
}

/// What an index did to one run of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Index of the query in the catalog.
    pub query: usize,
    /// Index of the run in its `QueryRuns::runs`.
    pub run: usize,
    /// Without the index; `None` where the statement did not finish.
    pub before: Option<Measurement>,
    /// With it.
    pub after: Measurement,
    /// The fastest run without and with it, which noise moves least; `None` where the statement did not finish.
    pub fastest: Option<(Millis, Millis)>,
    /// Time in foreign keys' checks, before and after, where the index is for them.
    pub checks: Option<(Millis, Millis)>,
    /// Of a statement that writes: the pages that it reads to find its rows, before and after. What writing them takes no index
    /// saves.
    pub reading: Option<(Pages, Pages)>,
}

impl Effect {
    /// The pages that an index can save, without and with it; `None` where the statement did not finish.
    #[must_use]
    pub fn pages(&self) -> Option<(f64, f64)> {
        let before = self.before.as_ref()?;
        let (without, with) = self.reading.unwrap_or((before.blocks, self.after.blocks));
        Some((without.0 as f64, with.0 as f64))
    }

    /// The same with times that do not contradict the verdict: where the medians got slower and the fastest runs faster, the
    /// machine had other work in between, and the fastest are shown.
    #[must_use]
    pub fn settled(mut self) -> Self {
        if let (Some(before), Some((without, with))) = (&mut self.before, self.fastest)
            && with.0 < without.0
            && self.after.time_ms.0 > before.time_ms.0
        {
            (before.time_ms, self.after.time_ms) = (without, with);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Effect;
    use crate::finding::Measurement;
    use crate::units::{Millis, Pages};

    fn times(medians: (f64, f64), fastest: (f64, f64)) -> (f64, f64) {
        let taken = |time: f64, pages: u64| Measurement {
            time_ms: Millis(time),
            blocks: Pages(pages),
            temp_blocks: Pages(0),
            rows: 1.0,
        };
        let effect = Effect {
            query: 0,
            run: 0,
            before: Some(taken(medians.0, 9000)),
            after: taken(medians.1, 4),
            fastest: Some((Millis(fastest.0), Millis(fastest.1))),
            checks: None,
            reading: None,
        };
        let settled = effect.settled();
        (
            settled.before.map_or(0.0, |before| before.time_ms.0),
            settled.after.time_ms.0,
        )
    }

    #[test]
    fn a_proof_by_the_fastest_runs_shows_them_where_the_medians_say_the_opposite() {
        assert_eq!(times((82.0, 333.0), (70.0, 20.0)), (70.0, 20.0));
        assert_eq!(times((82.0, 33.0), (70.0, 20.0)), (82.0, 33.0));
        // Nothing says that it got faster.
        assert_eq!(times((82.0, 333.0), (70.0, 90.0)), (82.0, 333.0));
    }
}
