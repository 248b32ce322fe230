//! The plan model: EXPLAIN's output as typed data, and the arithmetic on it. Knows no database and judges nothing.

pub mod condition;
pub mod node;

pub use node::{
    Actual, Buffers, Conditions, Estimate, HashSpace, Jit, JoinType, Memoize, Node, NodeId, NodeKind, PerLoop, Plan,
    RelationRef, Relationship, RowsRemoved, SortSpace, Total, Trigger, Wal, Worker,
};
