//! Planning at sizes that no disk holds: statistics scaled to N times the rows, the files of hollow tables, the sizes at which
//! plans change. Pure: `db::lab` has the server's part.
//!
//! A *hollow* table has a schema, statistics and the length of its files, and no rows. The planner asks for nothing else.

pub mod btree;
pub mod change;
pub mod extended;
pub mod growth;
pub mod lottery;
pub mod outlook;
pub mod scale;
pub mod unstable;
pub mod why;
