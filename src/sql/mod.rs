//! The only home of SQL text: tokens, statements, what a statement is, names, and conditions as EXPLAIN prints them.
//! Pure: knows no server and no file. What a reader does not understand is reported as such, never guessed.

pub(crate) mod condition;
pub mod constants;
pub mod ddl;
pub mod documents;
pub(crate) mod elements;
pub mod highlight;
pub mod identifiers;
pub(crate) mod joined;
pub mod joins;
pub(crate) mod literals;
pub(crate) mod names;
pub mod normal;
pub(crate) mod null_comparison;
mod parts;
pub mod per_row;
pub mod skeleton;
pub mod statements;
pub mod together;
pub mod token;
pub mod transaction;
pub mod tree;
