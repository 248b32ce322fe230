//! The kinds of plan nodes, as EXPLAIN names them.

use std::fmt;

/// Every node kind of PostgreSQL 14 to 18.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NodeKind {
    Result,
    ProjectSet,
    ModifyTable,
    Append,
    MergeAppend,
    RecursiveUnion,
    BitmapAnd,
    BitmapOr,
    NestedLoop,
    MergeJoin,
    HashJoin,
    SeqScan,
    SampleScan,
    Gather,
    GatherMerge,
    IndexScan,
    IndexOnlyScan,
    BitmapIndexScan,
    BitmapHeapScan,
    TidScan,
    TidRangeScan,
    SubqueryScan,
    FunctionScan,
    TableFunctionScan,
    ValuesScan,
    CteScan,
    NamedTuplestoreScan,
    WorkTableScan,
    ForeignScan,
    CustomScan,
    Materialize,
    Memoize,
    Sort,
    IncrementalSort,
    Group,
    Aggregate,
    WindowAgg,
    Unique,
    SetOp,
    LockRows,
    Limit,
    Hash,
    /// A node of a newer server: kept, never an error.
    Unknown(String),
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl NodeKind {
    /// From EXPLAIN's name in JSON; a name that is not known is kept.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self::KNOWN
            .iter()
            .find(|kind| kind.as_str() == name)
            .cloned()
            .unwrap_or_else(|| Self::Unknown(name.to_owned()))
    }

    /// Every kind but `Unknown`.
    pub const KNOWN: &'static [Self] = &[
        Self::SeqScan,
        Self::IndexScan,
        Self::IndexOnlyScan,
        Self::BitmapHeapScan,
        Self::BitmapIndexScan,
        Self::NestedLoop,
        Self::HashJoin,
        Self::Hash,
        Self::Sort,
        Self::Aggregate,
        Self::Limit,
        Self::MergeJoin,
        Self::Materialize,
        Self::Memoize,
        Self::Gather,
        Self::GatherMerge,
        Self::Append,
        Self::MergeAppend,
        Self::Result,
        Self::ProjectSet,
        Self::ModifyTable,
        Self::RecursiveUnion,
        Self::BitmapAnd,
        Self::BitmapOr,
        Self::SampleScan,
        Self::TidScan,
        Self::TidRangeScan,
        Self::SubqueryScan,
        Self::FunctionScan,
        Self::TableFunctionScan,
        Self::ValuesScan,
        Self::CteScan,
        Self::NamedTuplestoreScan,
        Self::WorkTableScan,
        Self::ForeignScan,
        Self::CustomScan,
        Self::IncrementalSort,
        Self::Group,
        Self::WindowAgg,
        Self::Unique,
        Self::SetOp,
        Self::LockRows,
    ];

    /// EXPLAIN's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Result => "Result",
            Self::ProjectSet => "ProjectSet",
            Self::ModifyTable => "ModifyTable",
            Self::Append => "Append",
            Self::MergeAppend => "Merge Append",
            Self::RecursiveUnion => "Recursive Union",
            Self::BitmapAnd => "BitmapAnd",
            Self::BitmapOr => "BitmapOr",
            Self::NestedLoop => "Nested Loop",
            Self::MergeJoin => "Merge Join",
            Self::HashJoin => "Hash Join",
            Self::SeqScan => "Seq Scan",
            Self::SampleScan => "Sample Scan",
            Self::Gather => "Gather",
            Self::GatherMerge => "Gather Merge",
            Self::IndexScan => "Index Scan",
            Self::IndexOnlyScan => "Index Only Scan",
            Self::BitmapIndexScan => "Bitmap Index Scan",
            Self::BitmapHeapScan => "Bitmap Heap Scan",
            Self::TidScan => "Tid Scan",
            Self::TidRangeScan => "Tid Range Scan",
            Self::SubqueryScan => "Subquery Scan",
            Self::FunctionScan => "Function Scan",
            Self::TableFunctionScan => "Table Function Scan",
            Self::ValuesScan => "Values Scan",
            Self::CteScan => "CTE Scan",
            Self::NamedTuplestoreScan => "Named Tuplestore Scan",
            Self::WorkTableScan => "WorkTable Scan",
            Self::ForeignScan => "Foreign Scan",
            Self::CustomScan => "Custom Scan",
            Self::Materialize => "Materialize",
            Self::Memoize => "Memoize",
            Self::Sort => "Sort",
            Self::IncrementalSort => "Incremental Sort",
            Self::Group => "Group",
            Self::Aggregate => "Aggregate",
            Self::WindowAgg => "WindowAgg",
            Self::Unique => "Unique",
            Self::SetOp => "SetOp",
            Self::LockRows => "LockRows",
            Self::Limit => "Limit",
            Self::Hash => "Hash",
            Self::Unknown(name) => name,
        }
    }
}
