//! Why no plan could be made, or not of every table.

use crate::seed::plan::SeedPlan;
use crate::source::SourceError;

/// What keeps row counts from being planned, of one table or of no one in particular.
pub(super) const UNSETTLED: &str =
    "the row counts of tables that reference each other do not settle";

/// Why no plan could be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SeedError {
    /// A mistake in a spec file.
    #[error(transparent)]
    Spec(#[from] SourceError),
    /// A constraint or type that generation cannot meet alone.
    #[error("table {table}: {what}; {remedy}")]
    Unsolvable {
        table: String,
        /// The constraint or column, and what stands in the way.
        what: String,
        /// The line to write.
        remedy: String,
    },
    /// Tables that reference each other lower each other's rows again in every pass, and none of them is known to be the last.
    #[error("{UNSETTLED}; write `rows` for each of them in the spec")]
    Unsettled,
    /// An option names a table that is not there.
    #[error("there is no table {name}{}", .near.as_ref().map(|near| format!(" (did you mean {near}?)")).unwrap_or_default())]
    UnknownTable {
        /// As given.
        name: String,
        /// The nearest one.
        near: Option<String>,
    },
}

/// What cannot be planned, and what can.
#[derive(Debug)]
pub struct Refusal {
    /// Every mistake and every constraint that cannot be met.
    pub errors: Vec<SeedError>,
    /// The plan of all other tables: those that are refused, and those that point to them, have no rows here.
    pub sound: SeedPlan,
}

impl SeedError {
    /// The table whose rows cannot be made.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Unsolvable { table, .. } => Some(table),
            Self::Spec(_) | Self::Unsettled | Self::UnknownTable { .. } => None,
        }
    }

    /// Whether it costs one table its rows, and is no mistake of the spec or the options.
    #[must_use]
    pub fn is_of_a_table(&self) -> bool {
        self.table().is_some()
    }
}
