//! One execution of a statement, as a proxy or a log shows it, and the sums that pg_stat_statements keeps.

use std::path::PathBuf;
use std::sync::Arc;

use super::value::Value;

/// An execution, in the order of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The connection that it came through, counted from 0.
    pub session: u64,
    /// The statement as the client sent it; a simple query may hold several.
    pub text: Arc<str>,
    /// Whether the client's driver kept values apart from the text.
    pub values: Values,
    /// Those that were bound; of a text that holds its values those of its constants, where they are not read from it.
    pub parameters: Vec<Value>,
    /// Their text, where values are kept; `None` for NULL, and for what has no text that is known.
    pub kept: Vec<Option<String>>,
    /// The session's clock when it was sent: messages so far.
    pub sent: u64,
    /// When its answer was complete; 0 where none was seen.
    pub done: u64,
    /// What came back: one for each statement of a simple query that returns rows.
    pub results: Vec<Rows>,
    /// Whether the server refused it.
    pub failed: bool,
    /// Whether it fetches more rows of an execution before it.
    pub continues: bool,
    /// When it began, in microseconds of one clock for all sessions; `None` where that is not known.
    pub at: Option<i64>,
    /// How long it took, in microseconds.
    pub took: Option<u64>,
    /// `application_name`, where it is known.
    pub application: Option<Arc<str>>,
    /// What the client did it for, where a trace says so: the span that it belongs to.
    pub unit: Option<Arc<str>>,
}

impl Executed {
    /// Of which nothing is known but what was sent.
    #[must_use]
    pub fn sent(session: u64, text: Arc<str>, values: Values, sent: u64) -> Self {
        Self {
            session,
            text,
            values,
            parameters: Vec::new(),
            kept: Vec::new(),
            sent,
            done: 0,
            results: Vec::new(),
            failed: false,
            continues: false,
            at: None,
            took: None,
            application: None,
            unit: None,
        }
    }

    /// Its last result.
    #[must_use]
    pub fn rows(&self) -> Option<&Rows> {
        self.results.last()
    }
}

/// Rows that came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// Their columns.
    pub columns: Arc<[Column]>,
    /// By column; of the first rows alone, where there are many.
    pub values: Vec<Vec<Value>>,
    /// All of them.
    pub count: u64,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As the client sees it.
    pub name: String,
    /// The table's OID and the attribute's number; 0 where it is an expression.
    pub origin: (u32, i16),
    /// Its type's OID.
    pub type_oid: u32,
    /// 0 for text, 1 for binary.
    pub format: i16,
}

/// Where a statement's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Bound to `$n`: constants in the text are the author's.
    Bound,
    /// The same, but what is read does not hold them: whether they differ from one execution to the next is not known.
    Unknown,
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
    /// What was bound to each `$n` once, where that was kept.
    pub values: Vec<Option<String>>,
}

/// Rows of one view, and what they are named by in the reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Statements {
    /// A file, or the view's name.
    pub from: PathBuf,
    /// Its rows.
    pub rows: Vec<Statement>,
}
