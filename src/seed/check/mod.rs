//! CHECK constraints, turned into what generators obey: which alternatives an expression has, and what each says of a column.
//! Nothing is computed here: see `expression::value`.

pub mod atoms;
mod calls;
mod comparisons;
pub mod facts;
pub mod inline;
pub mod linear;
pub mod look_ahead;
pub mod matcher;
mod patterns;
mod quantified;
mod truths;

pub use atoms::{Atom, alternatives};
pub use facts::{ColumnFacts, Facts, Nullability};
pub use linear::Linear;
pub use matcher::Matcher;
