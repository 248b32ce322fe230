//! The catalog: query files read into [`Query`]s. Reads files, knows no database.

pub mod query;

pub use query::{Allow, Budget, Command, ForEach, Parameter, ParameterChoice, Query, StatementKind};
