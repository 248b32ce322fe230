//! The saved report as data: one struct for each object of the document.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::catalog::Caller;
use crate::finding::{Fingerprint, Fix, RuleId, Severity, Suppression};
use crate::lab::growth::GrowthReport;
use crate::lab::outlook::Outlook;
use crate::report::traffic::Traffic;
use crate::report::{IndexInfo, Origin};
use crate::run_id::{PlanChoice, SetRole};
use crate::units::{Bytes, Millis, Pages};

/// A report as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedReport {
    pub version: u64,
    /// Older reports are all of audits.
    #[serde(default)]
    pub command: Origin,
    pub tool: SavedTool,
    pub server: SavedServer,
    pub dataset: SavedDataset,
    pub queries: Vec<SavedQuery>,
    /// Every query of the catalog that was not audited.
    #[serde(default)]
    pub not_audited: Vec<SavedNotAudited>,
    /// Set where the audit ended before every query was seen.
    #[serde(default)]
    pub ended_early: Option<String>,
    /// Queries that did not change since they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<SavedReused>,
    /// What `--changed` left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<SavedUnchanged>,
    /// Queries beside their earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<SavedCompared>,
    /// What was sent, of a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// The catalog planned at another size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlook: Option<Outlook>,
    /// How the catalog's work grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<GrowthReport>,
    pub findings: Vec<SavedFinding>,
    pub summary: SavedSummary,
}

/// Queries that are as they were at a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedUnchanged {
    pub queries: usize,
    pub since: String,
}

/// A query beside an earlier version of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedCompared {
    pub query: String,
    pub with: String,
    pub before: Option<SavedTaken>,
    pub after: Option<SavedTaken>,
}

/// What a version of a query took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedTaken {
    pub time_ms: Millis,
    pub pages: Pages,
}

/// Queries that were not run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedReused {
    pub queries: usize,
    /// Since the first of them was measured.
    pub oldest_seconds: u64,
}

/// A query that was not audited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedNotAudited {
    pub name: String,
    pub file: String,
    pub line: u32,
    pub cause: SavedCause,
    pub reason: String,
    pub remedy: String,
}

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SavedCause {
    /// Its text.
    Mistake,
    /// The server refused it, or it failed.
    Failed,
    /// `@skip`.
    Skip,
    /// `exclude` of pgproof.toml.
    Exclude,
    /// Nobody: these are no queries of the application's.
    NoQueries,
}

/// Who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTool {
    pub name: String,
    pub version: String,
}

/// What it was measured on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedServer {
    /// `None` for a plan that came without its server.
    pub version: Option<String>,
    /// Planner settings that differ from the defaults, text by name.
    pub settings: Map<String, Value>,
}

/// The data; fingerprint, seed and scale are `None` for a database that was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedDataset {
    pub fingerprint: Option<String>,
    pub seed: Option<u64>,
    pub scale: Option<f64>,
    /// The given database of which a copy was audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<String>,
    pub tables: Vec<SavedTable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTable {
    pub name: String,
    pub rows: u64,
    pub bytes: Bytes,
    /// Its indexes and its partitions': a diff of two reports compares them by definition.
    #[serde(default)]
    pub indexes: Vec<IndexInfo>,
    #[serde(default)]
    pub partitions: Vec<String>,
}

/// A query with its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedQuery {
    pub name: String,
    pub file: String,
    pub line: u32,
    /// In characters; older reports do not say it.
    #[serde(default = "first")]
    pub column: u32,
    /// `@calls`.
    #[serde(default)]
    pub calls_per_second: Option<f64>,
    /// `@role` and `@set`.
    #[serde(default, skip_serializing_if = "Caller::is_connection")]
    pub asked_by: Caller,
    pub sql: String,
    /// Set where the server refused the query.
    pub failure: Option<SavedFailure>,
    /// How it was run, where that needs saying: why it was planned only, what it left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Worst first.
    pub runs: Vec<SavedRun>,
}

/// The server's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFailure {
    pub message: String,
    pub code: Option<String>,
    pub position: Option<u32>,
    pub hint: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SavedOutcome {
    Completed,
    TimedOut,
    Estimated,
}

/// One parameter set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedRun {
    pub label: String,
    #[serde(default)]
    pub role: SetRole,
    #[serde(default)]
    pub plan_choice: PlanChoice,
    pub outcome: SavedOutcome,
    pub parameters: Vec<SavedParameter>,
    /// Median execution time; after a timeout `None`.
    pub time_ms: Option<Millis>,
    /// After how long it was cancelled.
    #[serde(default)]
    pub timeout_ms: Option<Millis>,
    pub planning_ms: Option<Millis>,
    #[serde(serialize_with = "whole_option")]
    pub rows: Option<f64>,
    pub buffers: Option<SavedBuffers>,
    /// EXPLAIN's own output.
    pub plan: Value,
}

/// A value that a run had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedParameter {
    pub number: u16,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub type_name: String,
    pub value: Option<String>,
    pub column: Option<String>,
}

/// Pages of 8 kB at the root of the plan; shared and local ones together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedBuffers {
    pub hit: u64,
    pub read: u64,
    pub dirtied: u64,
    pub written: u64,
    pub temp_read: u64,
    pub temp_written: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedFinding {
    pub rule: RuleId,
    pub severity: Severity,
    pub query: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    /// The clause at fault: its first character, and the one after its last.
    #[serde(default)]
    pub place: Option<SavedPlace>,
    pub message: String,
    pub why: String,
    pub advice: String,
    /// Names and numbers by key.
    pub evidence: Map<String, Value>,
    /// What each number of the evidence counts.
    #[serde(default)]
    pub units: Map<String, Value>,
    pub fix: Option<Fix>,
    pub fingerprint: Fingerprint,
    pub suppressed: Option<Suppression>,
    pub symptoms: Vec<SavedFinding>,
}

/// A stretch of the finding's file, lines and columns from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlace {
    pub line: u32,
    pub column: u32,
    pub end_line: Option<u32>,
    pub end_column: Option<u32>,
}

/// Counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedSummary {
    pub queries: usize,
    #[serde(default)]
    pub fine: usize,
    #[serde(default)]
    pub planned_only: usize,
    #[serde(default)]
    pub not_audited: usize,
    #[serde(default)]
    pub left_out: usize,
    #[serde(default)]
    pub executed: usize,
    #[serde(default)]
    pub found_rows: usize,
    #[serde(default)]
    pub not_proven: usize,
    pub errors: usize,
    pub warnings: usize,
    pub infos: usize,
    pub suppressed: usize,
    /// `error`, `warning` or `never`; older reports do not say it.
    #[serde(default)]
    pub fail_on: Option<SavedFailOn>,
    /// Rules whose warnings fail the command as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fail_on_rules: Vec<RuleId>,
    #[serde(default)]
    pub exit_code: Option<u8>,
    pub elapsed_ms: Millis,
}

/// From which severity on findings fail the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SavedFailOn {
    Never,
    Info,
    Warning,
    Error,
}

/// A whole number without its `.0`, as most readers expect of rows; `None` where it is not finite.
pub(super) fn whole(number: f64) -> Option<Value> {
    /// Beyond 2^53 not every whole number is a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Some(Value::from(number as i64));
    }
    serde_json::Number::from_f64(number).map(Value::Number)
}

fn whole_option<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    number.and_then(whole).serialize(serializer)
}

impl SavedFailOn {
    pub(super) fn of(fail_on: Option<Severity>) -> Self {
        match fail_on {
            None => Self::Never,
            Some(Severity::Info) => Self::Info,
            Some(Severity::Warning) => Self::Warning,
            Some(Severity::Error) => Self::Error,
        }
    }

    /// `None` where none does.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Never => None,
            Self::Info => Some(Severity::Info),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// The column of a statement that begins its line.
fn first() -> u32 {
    1
}
