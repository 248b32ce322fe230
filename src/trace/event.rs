//! One execution of a statement, as a proxy or a log shows it, and the sums that pg_stat_statements keeps.

use std::path::PathBuf;
use std::sync::Arc;

/// An execution, in the order of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The connection that it came through, counted from 0.
    pub session: u64,
    /// The statement as the client sent it.
    pub text: Arc<str>,
    /// Whether the client's driver kept values apart from the text.
    pub values: Values,
}

/// Where a statement's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Bound to `$n`: constants in the text are the author's.
    Bound,
    /// In the text, where the driver or the author wrote them.
    InText,
}

/// One row of pg_stat_statements.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Normalized.
    pub text: String,
    /// Executions.
    pub calls: f64,
    /// Time of all of them, in milliseconds.
    pub total_ms: Option<f64>,
    /// How long the view has counted them.
    pub seconds: Option<f64>,
    /// The row's line in the export; 1 where it came from a server.
    pub line: u32,
}

/// Rows of one view, and what they are named by in the reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Statements {
    /// A file, or the view's name.
    pub from: PathBuf,
    /// Its rows.
    pub rows: Vec<Statement>,
}
