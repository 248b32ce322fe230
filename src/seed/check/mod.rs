//! CHECK constraints: parsed from the form in which the catalog prints them, and turned into what generators obey.

pub mod atoms;
mod calls;
pub mod expression;
pub mod facts;
pub mod inline;
pub mod linear;
pub mod look_ahead;
pub mod matcher;
mod shown;
mod spelled;
mod tokens;

pub use atoms::{Atom, alternatives};
pub use expression::Expression;
pub use facts::{ColumnFacts, Facts};
pub use linear::{Linear, Relation};
pub use matcher::Matcher;
