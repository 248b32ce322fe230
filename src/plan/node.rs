//! The plan tree as data: every number of EXPLAIN with its unit and with whether it is per loop or a total.
//! Holds no judgement and does no arithmetic; `metrics` does.

mod kind;
mod measured;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::words::{Operation, PartialMode, ScanDirection, Strategy};
use crate::units::{Bytes, Millis};

pub use kind::NodeKind;
pub use measured::{Buffers, HashSpace, Memoize, SortSpace, Wal, Worker};

/// A value that EXPLAIN prints as an average over the node's loops.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct PerLoop<T>(pub T);

/// A value that EXPLAIN prints as a total over all loops and workers.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Total<T>(pub T);

/// A node's place in [`Plan::nodes`]; the root is 0 and parents come before their children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub usize);

/// One statement's plan. Without nodes (`default`) it is only a parser's starting point.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Nodes in preorder.
    pub nodes: Vec<Node>,
    /// `Planning Time`.
    pub planning_ms: Option<Millis>,
    /// `Execution Time`; `None` without ANALYZE.
    pub execution_ms: Option<Millis>,
    /// Blocks used while planning.
    pub planning_buffers: Option<Buffers>,
    /// Trigger time, which is outside the node tree.
    pub triggers: Vec<Trigger>,
    /// JIT summary.
    pub jit: Option<Jit>,
    /// Settings that differ from the defaults (`SETTINGS`).
    pub settings: Vec<(String, String)>,
    /// `Query Identifier`.
    pub query_id: Option<i64>,
    /// `Query Text`, where the source of the plan gives it (auto_explain).
    pub query_text: Option<String>,
    /// Memory that planning took (`MEMORY`, from 17).
    pub planning_memory: Option<PlanningMemory>,
    /// What sending the rows would have cost (`SERIALIZE`, from 17).
    pub serialization: Option<Serialization>,
    /// What of the input was not understood: the plan is known in part only.
    pub gaps: Vec<Gap>,
    /// Top-level keys that are not known yet, kept as they came.
    pub extra: Map<String, Value>,
}

/// `Memory: used=…  allocated=…` of the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlanningMemory {
    /// In use at the end.
    pub used: Bytes,
    /// Taken from the system.
    pub allocated: Bytes,
}

/// `Serialization: time=…  output=…  format=…`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Serialization {
    /// Time for making the rows' texts or bytes; `None` with TIMING OFF.
    pub time_ms: Option<Millis>,
    /// What would have been sent.
    pub output: Bytes,
}

/// A part of a plan that the readers did not get or did not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// A line that no reader understood.
    Line {
        /// 1-based line of the input.
        line: u32,
        /// The line.
        text: String,
    },
    /// A line that was cut before its end.
    CutLine {
        /// 1-based line of the input.
        line: u32,
        /// What is left of it.
        text: String,
    },
    /// The root was not copied.
    NoBeginning,
    /// The text ends inside of the plan.
    NoEnd,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, text } => write!(f, "line {line} was not understood: {text}"),
            Self::CutLine { line, text } => write!(f, "line {line} is cut: {text}"),
            Self::NoBeginning => f.write_str("its first lines are missing"),
            Self::NoEnd => f.write_str("its end is missing"),
        }
    }
}

/// A node of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// `None` for the root.
    pub parent: Option<NodeId>,
    /// In the order that EXPLAIN prints them: InitPlans, inputs, SubPlans.
    pub children: Vec<NodeId>,
    /// What the node is to its parent.
    pub relationship: Option<Relationship>,
    /// `InitPlan 1 (returns $0)`, `SubPlan 2`, `CTE recent`.
    pub subplan_name: Option<String>,
    /// Joins only.
    pub join_type: Option<JoinType>,
    /// `Inner Unique`.
    pub inner_unique: Option<bool>,
    /// Aggregate and SetOp: `Plain`, `Sorted`, `Hashed`, `Mixed`.
    pub strategy: Option<Strategy>,
    /// Aggregate: `Simple`, `Partial`, `Finalize`.
    pub partial_mode: Option<PartialMode>,
    /// ModifyTable: `Insert`, `Update`, `Delete`, `Merge`.
    pub operation: Option<Operation>,
    /// `Parallel Aware`.
    pub parallel_aware: bool,
    /// The table, function or other relation that is scanned or modified.
    pub relation: Option<RelationRef>,
    /// Index Scan, Index Only Scan, Bitmap Index Scan.
    pub index_name: Option<String>,
    /// `Backward` for a scan that reads the index from its end.
    pub scan_direction: Option<ScanDirection>,
    /// CTE Scan.
    pub cte_name: Option<String>,
    /// All conditions, as printed.
    pub conditions: Conditions,
    /// Sort and Incremental Sort.
    pub sort_key: Vec<String>,
    /// Incremental Sort.
    pub presorted_key: Vec<String>,
    /// Aggregate and Group.
    pub group_key: Vec<String>,
    /// `VERBOSE` output list.
    pub output: Vec<String>,
    /// What the planner expected.
    pub estimate: Estimate,
    /// What happened; `None` without ANALYZE. `loops` = 0 means never executed.
    pub actual: Option<Actual>,
    /// Rows thrown away.
    pub removed: RowsRemoved,
    /// Index Only Scan: a total, not per loop.
    pub heap_fetches: Option<Total<u64>>,
    /// Index scans from 18: descents into the index, a total.
    pub index_searches: Option<Total<u64>>,
    /// Bitmap Heap Scan: pages read by exact pointers.
    pub exact_heap_blocks: Option<Total<u64>>,
    /// Bitmap Heap Scan: pages of which every row had to be rechecked.
    pub lossy_heap_blocks: Option<Total<u64>>,
    /// Sort: method, space and where (leader only; workers in `workers`).
    pub sort: Option<SortSpace>,
    /// Hash and hashed Aggregate.
    pub hash: Option<HashSpace>,
    pub memoize: Option<Memoize>,
    /// Gather and Gather Merge.
    pub workers_planned: Option<u32>,
    /// Gather and Gather Merge.
    pub workers_launched: Option<u32>,
    /// Worker details, where EXPLAIN prints them.
    pub workers: Vec<Worker>,
    /// Blocks, totals that include the children.
    pub buffers: Option<Buffers>,
    /// WAL, totals that include the children.
    pub wal: Option<Wal>,
    /// `Disabled` (18) or a cost of 1e10 and more (before).
    pub disabled: bool,
    /// Append: children pruned at run time.
    pub subplans_removed: Option<u64>,
    /// Keys that are not known yet, kept as they came.
    pub extra: Map<String, Value>,
}

/// What a node is to its parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Relationship {
    /// The only or the driving input.
    Outer,
    /// A join's second input.
    Inner,
    /// A part of Append, MergeAppend, BitmapAnd, BitmapOr or ModifyTable.
    Member,
    /// Below a Subquery Scan.
    Subquery,
    /// Run at most once, its result used as a parameter (CTEs too).
    InitPlan,
    /// Run for each row that needs it, or once where hashed.
    SubPlan,
    /// Of a newer server.
    Unknown(String),
}

/// How a join treats rows without a partner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JoinType {
    Inner,
    Left,
    Full,
    Right,
    Semi,
    Anti,
    RightSemi,
    RightAnti,
    Unknown(String),
}

/// A relation as EXPLAIN names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelationRef {
    /// With VERBOSE only.
    pub schema: Option<String>,
    /// Table, function or other name.
    pub name: String,
    /// The alias in the query; the same as `name` where none was given.
    pub alias: String,
}

impl RelationRef {
    /// Whether it is one of PostgreSQL's own catalogs and views.
    #[must_use]
    pub fn is_system(&self) -> bool {
        matches!(
            self.schema.as_deref(),
            Some("pg_catalog" | "information_schema")
        )
    }
}

/// Conditions as EXPLAIN prints them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    pub index: Option<String>,
    pub recheck: Option<String>,
    pub order_by: Option<String>,
    pub filter: Option<String>,
    pub hash: Option<String>,
    pub merge: Option<String>,
    pub join_filter: Option<String>,
    pub one_time_filter: Option<String>,
    pub tid: Option<String>,
    pub cache_key: Option<String>,
    pub conflict_filter: Option<String>,
    pub run_condition: Option<String>,
}

impl Conditions {
    /// What a join joins by: its hash or merge condition, else what it filters pairs with.
    #[must_use]
    pub fn of_join(&self) -> Option<&String> {
        let joined = self.hash.as_ref().or(self.merge.as_ref());
        joined.or(self.join_filter.as_ref())
    }

    /// Each condition that the node has.
    pub fn iter(&self) -> impl Iterator<Item = &String> {
        let Self {
            index,
            recheck,
            order_by,
            filter,
            hash,
            merge,
            join_filter,
            one_time_filter,
            tid,
            cache_key,
            conflict_filter,
            run_condition,
        } = self;
        [
            index,
            recheck,
            order_by,
            filter,
            hash,
            merge,
            join_filter,
            one_time_filter,
            tid,
            cache_key,
            conflict_filter,
            run_condition,
        ]
        .into_iter()
        .flatten()
    }
}

/// The planner's expectation for one loop.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// Cost before the first row.
    pub startup_cost: f64,
    /// Cost of all rows.
    pub total_cost: f64,
    /// Rows out of the node, after its filter.
    pub rows: PerLoop<f64>,
    /// Average bytes a row.
    pub width: u64,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Actual {
    /// Until the first row; `None` with TIMING OFF.
    pub startup: Option<PerLoop<Millis>>,
    /// Until the last row; `None` with TIMING OFF.
    pub total: Option<PerLoop<Millis>>,
    /// Rows out of the node, after its filter. Whole numbers before 18.
    pub rows: PerLoop<f64>,
    /// Times it ran, over all processes; 0 = never executed.
    pub loops: f64,
}

/// Rows thrown away, averages per loop without decimals.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowsRemoved {
    /// `Rows Removed by Filter`.
    pub filter: Option<PerLoop<f64>>,
    /// `Rows Removed by Index Recheck`.
    pub index_recheck: Option<PerLoop<f64>>,
    /// `Rows Removed by Join Filter`.
    pub join_filter: Option<PerLoop<f64>>,
    /// `Conflicting Tuples` and the like are in `extra`.
    pub conflict_filter: Option<PerLoop<f64>>,
}

/// One trigger's calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// `RI_ConstraintTrigger_c_16432` or the user's.
    pub name: String,
    /// Foreign keys.
    pub constraint: Option<String>,
    /// The table it fired on.
    pub relation: Option<String>,
    /// Total.
    pub time_ms: Option<Millis>,
    /// Total.
    pub calls: f64,
}

impl Trigger {
    /// Whether it is the referencing table's own: it looks a new value up among the referenced rows, by their key. The
    /// others search the referencing rows (`RI_ConstraintTrigger_c_…` checks, `…_a_…` acts).
    #[must_use]
    pub fn looks_up_the_referenced(&self) -> bool {
        self.name.starts_with("RI_ConstraintTrigger_c_")
    }
}

/// Just-in-time compilation.
#[derive(Debug, Clone, PartialEq)]
pub struct Jit {
    /// Functions compiled.
    pub functions: u64,
    /// All phases.
    pub total_ms: Option<Millis>,
}

impl Plan {
    /// The topmost node. A plan has at least one node: the parser refuses others.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Ids in preorder.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }
}

impl Estimate {
    /// The rows that were expected of one loop; `None` where EXPLAIN (COSTS OFF) or a mask left the estimate out.
    #[must_use]
    pub fn expected_rows(&self) -> Option<PerLoop<f64>> {
        let is_known = self.total_cost > 0.0 || self.rows.0 > 0.0 || self.width > 0;
        is_known.then_some(self.rows)
    }
}

impl Node {
    /// A node of which nothing is known but its kind.
    #[must_use]
    pub fn of_kind(kind: NodeKind) -> Self {
        Self {
            kind,
            parent: None,
            children: Vec::new(),
            relationship: None,
            subplan_name: None,
            join_type: None,
            inner_unique: None,
            strategy: None,
            partial_mode: None,
            operation: None,
            parallel_aware: false,
            relation: None,
            index_name: None,
            scan_direction: None,
            cte_name: None,
            conditions: Conditions::default(),
            sort_key: Vec::new(),
            presorted_key: Vec::new(),
            group_key: Vec::new(),
            output: Vec::new(),
            estimate: Estimate::default(),
            actual: None,
            removed: RowsRemoved::default(),
            heap_fetches: None,
            index_searches: None,
            exact_heap_blocks: None,
            lossy_heap_blocks: None,
            sort: None,
            hash: None,
            memoize: None,
            workers_planned: None,
            workers_launched: None,
            workers: Vec::new(),
            buffers: None,
            wal: None,
            disabled: false,
            subplans_removed: None,
            extra: Map::new(),
        }
    }

    /// Whether it ran at least once; `None` without ANALYZE.
    #[must_use]
    pub fn executed(&self) -> Option<bool> {
        self.actual.map(|actual| actual.loops > 0.0)
    }
}
