//! A catalog query as data: the statement, its parameters, and what its directives ask for.

use std::path::PathBuf;

use crate::finding::{Location, RuleId};
use crate::units::{Millis, Pages};

/// One query of the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Unique in the catalog.
    pub name: String,
    /// What the caller expects back.
    pub command: Command,
    /// Relative to the project.
    pub file: PathBuf,
    /// 1-based line of the `-- name:` header.
    pub header_line: u32,
    /// 1-based line of the statement's first token.
    pub line: u32,
    /// The statement as it was written, without the final `;`.
    pub source: String,
    /// The statement with every parameter as `$n`, ready for PREPARE.
    pub sql: String,
    /// For every parameter occurrence in `source`, the `$n` in `sql`: not kept; parameters in order of their number.
    pub parameters: Vec<Parameter>,
    /// SELECT, INSERT…
    pub statement: StatementKind,
    /// Whether it changes data (a data-modifying CTE or FOR UPDATE counts as well).
    pub writes: bool,
    /// `@budget`.
    pub budget: Budget,
    /// `@calls`: expected executions per second in production.
    pub calls_per_second: Option<f64>,
    /// `@for-each`.
    pub for_each: Vec<ForEach>,
    /// `@allow`.
    pub allows: Vec<Allow>,
}

impl Query {
    /// Where a finding about the query points: the statement.
    #[must_use]
    pub fn location(&self) -> Location {
        Location { file: self.file.clone(), line: self.line }
    }
}

/// sqlc's commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    One,
    Many,
    Exec,
    ExecResult,
    ExecRows,
    ExecLastId,
    CopyFrom,
    BatchExec,
    BatchMany,
    BatchOne,
}

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Values,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// From 1: `$1`.
    pub number: u16,
    /// For `@name`, `:name`, `sqlc.arg(name)`.
    pub name: Option<String>,
    /// `sqlc.narg`: NULL is a normal value.
    pub nullable: bool,
    /// `sqlc.slice`: becomes `= ANY($n)`.
    pub slice: bool,
    /// `@param`.
    pub choice: ParameterChoice,
}

/// Where a parameter's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ParameterChoice {
    /// Every kind that the data offers; the worst counts.
    #[default]
    Auto,
    /// The most common value.
    Hot,
    /// The median.
    Typical,
    /// A value of few rows.
    Rare,
    /// A value that is not there.
    Absent,
    /// A literal, as text.
    Literal(String),
    /// A subquery (without its parentheses) whose first column is the value.
    Query(String),
}

/// `@budget time=50ms buffers=2000 rows=500`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Execution time.
    pub time: Option<Millis>,
    /// Blocks touched.
    pub buffers: Option<Pages>,
    /// Rows returned or changed.
    pub rows: Option<u64>,
}

/// `@for-each ListCustomers.id -> $1`: the application runs this once per row of another query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForEach {
    /// The query whose rows drive it.
    pub parent: String,
    /// The parent's output column.
    pub column: String,
    /// The parameter that the column's value goes to.
    pub parameter: u16,
    /// 1-based line of the directive.
    pub line: u32,
}

/// `@allow seq-scan: small lookup table, 40 rows`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The rule that may speak without counting.
    pub rule: RuleId,
    /// Why.
    pub reason: String,
    /// 1-based line of the directive.
    pub line: u32,
}
