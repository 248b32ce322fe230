//! The plan model: EXPLAIN's output as typed data, and the arithmetic on it. Knows no database and judges nothing.

pub mod condition;
mod early_stop;
mod exclusive;
pub mod label;
pub mod metrics;
pub mod node;
pub mod parse;
mod reached;
mod rows;
pub mod runs;
pub mod shape;
pub mod walk;
pub mod words;

pub use label::label;
pub use metrics::{Metrics, NodeMetrics};
pub use node::{
    Actual, Buffers, Conditions, Estimate, Gap, HashSpace, Jit, JoinType, Memoize, Node, NodeId,
    NodeKind, PerLoop, Plan, PlanningMemory, RelationRef, Relationship, RowsRemoved, Serialization,
    SortSpace, Total, Trigger, Wal, Worker,
};
pub use parse::PlanParseError;
pub use reached::rows_found;
pub use rows::RowCount;
pub use words::{Operation, PartialMode, ScanDirection, Strategy};
