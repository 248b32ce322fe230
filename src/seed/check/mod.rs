//! CHECK constraints: parsed from the form in which the catalog prints them, and turned into what a generator can
//! obey.

pub mod expression;
pub mod facts;

pub use expression::Expression;
pub use facts::{Comparison, Facts, Operand};
