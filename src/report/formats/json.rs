//! The report for programs, and read back for `pgproof diff BEFORE.json AFTER.json`. `docs/schema/report.schema.json` is its
//! documentation; a test holds the two together. Keys are never renamed within a version.

use std::io::{self, Write};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::ser::{Formatter, PrettyFormatter};
use serde_json::{Map, Value};

use crate::catalog::{Caller, SkipReason};
use crate::finding::{
    Evidence, Finding, Fingerprint, Fix, Measurement, Quantity, RuleId, Severity, Suppression,
};
use crate::lab::growth::GrowthReport;
use crate::lab::outlook::Outlook;
use crate::plan::Buffers;
use crate::report::place::Place;
use crate::rules::not_audited;
use crate::run::{BoundParameter, EndedEarly, Outcome, QueryFailure, QueryRuns, Run};
use crate::run_id::{PlanChoice, SetRole};
use crate::units::{Bytes, Millis, Pages};
use crate::visible;

use crate::report::traffic::Traffic;
use crate::report::{IndexInfo, Origin, Report, Summary, TOOL_VERSION, TableInfo};

use super::{Escaping, Format};

mod diff;

pub use diff::SavedDiff;

/// The version of the shape that is written, and the only one that is read.
pub const VERSION: u64 = 1;

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

/// A table.
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

/// A finding.
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

impl SavedFailOn {
    fn of(fail_on: Option<Severity>) -> Self {
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

/// Why a file is no saved report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON at all.
    #[error("it is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// JSON of something else.
    #[error(
        "it is not a pgproof report: it has no \"version\" key; write one with `pgproof audit --format json=FILE`"
    )]
    NotAReport,
    /// Of another version.
    #[error(
        "it is a report of version {found}, and this pgproof reads version {VERSION}: write it again with this pgproof"
    )]
    OtherVersion {
        /// Its version.
        found: Value,
    },
    /// Right version, wrong content.
    #[error("it is not a valid report of version {VERSION}: {0}")]
    Invalid(serde_json::Error),
}

/// For programs.
pub const FORMAT: Format = Format {
    name: "json",
    about: "for programs, `pgproof report` and `pgproof diff`; docs/schema describes it",
    escaping: Escaping::Own,
    render: |report, _, out| render(report, out),
};

/// Writes the report.
///
/// # Errors
/// What `out` returns.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    match (report.origin, &report.comparison) {
        (Origin::Diff, Some(comparison)) => {
            write_document(&diff::document(report, comparison), out)
        }
        (Origin::Audit | Origin::Explain | Origin::Diff | Origin::Trace, _) => {
            write_document(&SavedReport::of(report), out)
        }
    }
}

/// One JSON document, indented, with nothing in it that a terminal would obey.
pub(super) fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Harmless::default());
    document
        .serialize(&mut serializer)
        .map_err(io::Error::from)?;
    writeln!(out)
}

/// JSON's own escapes for every character that a terminal would obey: the standard asks them of some only.
#[derive(Default)]
struct Harmless {
    pretty: PrettyFormatter<'static>,
}

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(visible::is_harmful) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let length = from.chars().next().map_or(0, char::len_utf8);
            let (harmful, after) = from.split_at(length);
            for unit in harmful.encode_utf16() {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = after;
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(out)
    }
}

/// Reads a report of queries that [`render`] wrote.
///
/// # Errors
/// The text is no report, or one of another version.
pub fn read(text: &str) -> Result<SavedReport, ReadError> {
    known(text)?;
    // From the text, not from a value: so that an error names line and column.
    serde_json::from_str(text).map_err(ReadError::Invalid)
}

/// What [`render`] writes.
#[derive(Debug, Clone)]
pub enum Saved {
    /// Of `audit` and `explain`.
    Queries(Box<SavedReport>),
    /// Of `diff`.
    Diff(Box<SavedDiff>),
}

/// Reads whatever [`render`] wrote.
///
/// # Errors
/// As [`read`].
pub fn read_any(text: &str) -> Result<Saved, ReadError> {
    let value = known(text)?;
    // Only a diff has two sides.
    if value.get("from").is_some() && value.get("statements").is_some() {
        let diff = serde_json::from_str(text).map_err(ReadError::Invalid)?;
        return Ok(Saved::Diff(Box::new(diff)));
    }
    let report = serde_json::from_str(text).map_err(ReadError::Invalid)?;
    Ok(Saved::Queries(Box::new(report)))
}

fn known(text: &str) -> Result<Value, ReadError> {
    let value: Value = serde_json::from_str(text).map_err(ReadError::NotJson)?;
    match value.get("version") {
        None => Err(ReadError::NotAReport),
        Some(version) if version.as_u64() != Some(VERSION) => Err(ReadError::OtherVersion {
            found: version.clone(),
        }),
        Some(_) => Ok(value),
    }
}

impl SavedReport {
    /// What is saved of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let summary = Summary::of(report);
        let text = |(name, value): &(String, String)| (name.clone(), Value::String(value.clone()));
        Self {
            version: VERSION,
            command: report.origin,
            tool: SavedTool {
                name: "pgproof".to_owned(),
                version: TOOL_VERSION.to_owned(),
            },
            server: SavedServer {
                version: report.server_version.clone(),
                settings: report.server_settings.iter().map(text).collect(),
            },
            dataset: SavedDataset::of(report),
            queries: (0..report.queries.len())
                .map(|index| SavedQuery::of(report, index))
                .collect(),
            not_audited: not_audited(report),
            ended_early: report.ended_early.as_ref().map(EndedEarly::reason),
            reused: report.reused.map(|reused| SavedReused {
                queries: reused.queries,
                oldest_seconds: reused.oldest.as_secs(),
            }),
            unchanged: report.unchanged.as_ref().map(|unchanged| SavedUnchanged {
                queries: unchanged.queries,
                since: unchanged.since.clone(),
            }),
            compared: compared(report),
            traffic: report.traffic.clone(),
            outlook: report.outlook.clone(),
            growth: report.growth.clone(),
            findings: report
                .findings
                .iter()
                .map(|found| SavedFinding::of(report, found))
                .collect(),
            summary: SavedSummary {
                queries: summary.queries,
                fine: summary.fine,
                planned_only: summary.planned_only,
                not_audited: summary.not_audited,
                left_out: summary.left_out,
                executed: summary.executed,
                found_rows: summary.found_rows,
                not_proven: summary.not_proven,
                errors: summary.errors,
                warnings: summary.warnings,
                infos: summary.infos,
                suppressed: summary.suppressed,
                fail_on: Some(SavedFailOn::of(summary.fail_on.from)),
                fail_on_rules: summary.fail_on.rules.clone(),
                exit_code: Some(summary.exit_code()),
                elapsed_ms: summary.elapsed,
            },
        }
    }
}

fn compared(report: &Report) -> Vec<SavedCompared> {
    let taken = |taken: &Option<Measurement>| {
        taken.as_ref().map(|taken| SavedTaken {
            time_ms: taken.time_ms,
            pages: taken.blocks,
        })
    };
    let saved = report.compared.iter().filter_map(|compared| {
        Some(SavedCompared {
            query: report.queries.get(compared.query)?.name.clone(),
            with: compared.with.clone(),
            before: taken(&compared.before),
            after: taken(&compared.after),
        })
    });
    saved.collect()
}

/// What the catalog could not give, then what the server refused.
fn not_audited(report: &Report) -> Vec<SavedNotAudited> {
    let skipped = report.skipped.iter().map(|skipped| SavedNotAudited {
        name: skipped.name.clone(),
        file: skipped.file.display().to_string(),
        line: skipped.line,
        cause: match skipped.why {
            SkipReason::Mistake(_) | SkipReason::NoPlan(_) => SavedCause::Mistake,
            SkipReason::Asked { .. } => SavedCause::Skip,
            SkipReason::Excluded { .. } => SavedCause::Exclude,
            SkipReason::NoQueries { .. } => SavedCause::NoQueries,
        },
        reason: skipped.reason(),
        remedy: skipped.remedy(),
    });
    let failed = report.runs.iter().filter_map(|runs| {
        let (query, failure) = (report.queries.get(runs.query)?, runs.failure.as_ref()?);
        let line = match failure.position {
            Some(position) => query.source_position(position).0,
            None => query.line,
        };
        Some(SavedNotAudited {
            name: query.name.clone(),
            file: query.file.display().to_string(),
            line,
            cause: SavedCause::Failed,
            reason: failure.message.clone(),
            remedy: not_audited::remedy(failure),
        })
    });
    skipped.chain(failed).collect()
}

impl SavedDataset {
    fn of(report: &Report) -> Self {
        let dataset = report.dataset.as_ref();
        let saved = |table: &TableInfo| SavedTable {
            name: table.name.clone(),
            rows: table.rows,
            bytes: table.bytes,
            indexes: table.indexes.clone(),
            partitions: table.partitions.clone(),
        };
        Self {
            fingerprint: dataset.map(|dataset| dataset.fingerprint.clone()),
            seed: dataset.map(|dataset| dataset.seed),
            scale: dataset.map(|dataset| dataset.scale),
            copy_of: report.copy_of.clone(),
            tables: report.tables.iter().map(saved).collect(),
        }
    }
}

impl SavedQuery {
    fn of(report: &Report, index: usize) -> Self {
        let query = &report.queries[index];
        let runs: Option<&QueryRuns> = report.runs_of(index);
        Self {
            name: query.name.clone(),
            file: query.file.display().to_string(),
            line: query.line,
            column: query.column,
            calls_per_second: query.calls_per_second,
            asked_by: query.asked_by.clone(),
            sql: query.source.clone(),
            failure: runs
                .and_then(|runs| runs.failure.as_ref())
                .map(SavedFailure::of),
            notes: runs.map(|runs| runs.notes.clone()).unwrap_or_default(),
            runs: runs
                .map(|runs| runs.runs.iter().map(SavedRun::of).collect())
                .unwrap_or_default(),
        }
    }
}

impl SavedFailure {
    fn of(failure: &QueryFailure) -> Self {
        Self {
            message: failure.message.clone(),
            code: failure.code.clone(),
            position: failure.position,
            hint: failure.hint.clone(),
        }
    }
}

impl SavedRun {
    fn of(run: &Run) -> Self {
        Self {
            label: run.id.to_string(),
            role: run.id.set.role,
            plan_choice: run.id.plan,
            outcome: match run.outcome {
                Outcome::Completed { .. } => SavedOutcome::Completed,
                Outcome::TimedOut { .. } => SavedOutcome::TimedOut,
                Outcome::Estimated => SavedOutcome::Estimated,
            },
            parameters: run.parameters.iter().map(SavedParameter::of).collect(),
            time_ms: run.time(),
            timeout_ms: match run.outcome {
                Outcome::TimedOut { after } => Some(after),
                Outcome::Completed { .. } | Outcome::Estimated => None,
            },
            planning_ms: run.planning(),
            rows: run.rows(),
            buffers: run.plan.root().buffers.as_ref().map(SavedBuffers::of),
            plan: run.explain_json.clone(),
        }
    }
}

impl SavedParameter {
    fn of(parameter: &BoundParameter) -> Self {
        Self {
            number: parameter.number,
            name: parameter.name.clone(),
            type_name: parameter.type_name.clone(),
            value: parameter.value.clone(),
            column: parameter.column.clone(),
        }
    }
}

impl SavedBuffers {
    fn of(buffers: &Buffers) -> Self {
        Self {
            hit: buffers.shared_hit + buffers.local_hit,
            read: buffers.shared_read + buffers.local_read,
            dirtied: buffers.shared_dirtied + buffers.local_dirtied,
            written: buffers.shared_written + buffers.local_written,
            temp_read: buffers.temp_read,
            temp_written: buffers.temp_written,
        }
    }
}

impl SavedFinding {
    pub(super) fn of(report: &Report, found: &Finding) -> Self {
        Self {
            rule: found.rule,
            severity: found.severity,
            query: found.query.clone(),
            file: found
                .location
                .as_ref()
                .map(|place| place.file.display().to_string()),
            line: found.location.as_ref().map(|place| place.line),
            place: Place::of(report, found).map(|place| SavedPlace {
                line: place.start.line,
                column: place.start.column,
                end_line: place.end.map(|end| end.line),
                end_column: place.end.map(|end| end.column),
            }),
            message: found.message.clone(),
            why: found.why.clone(),
            advice: found.advice.clone(),
            evidence: evidence(&found.evidence),
            units: units(&found.evidence),
            fix: found.fix.clone(),
            fingerprint: found.fingerprint.clone(),
            suppressed: found.suppressed.clone(),
            symptoms: found
                .symptoms
                .iter()
                .map(|symptom| Self::of(report, symptom))
                .collect(),
        }
    }
}

/// Names first, then numbers. A number that is none (an infinite ratio) is left out.
fn evidence(evidence: &Evidence) -> Map<String, Value> {
    let names = [
        (
            "run",
            evidence
                .run
                .as_ref()
                .map(|run| Value::from(run.to_string())),
        ),
        ("node", evidence.node.map(|node| Value::from(node.0))),
        ("node_label", evidence.node_label.clone().map(Value::from)),
        ("relation", evidence.relation.clone().map(Value::from)),
        ("condition", evidence.condition.clone().map(Value::from)),
    ];
    let names = names
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let numbers = evidence
        .measures
        .iter()
        .filter_map(|measure| Some((measure.key.to_string(), quantity(&measure.quantity)?)));
    names.chain(numbers).collect()
}

/// What each number counts, so that a report that is read back shows it as the first one did.
fn units(evidence: &Evidence) -> Map<String, Value> {
    let measures = evidence.measures.iter();
    let unit = |quantity: &Quantity| match quantity {
        Quantity::Rows(_) => "rows",
        Quantity::Pages(_) => "pages",
        Quantity::Bytes(_) => "bytes",
        Quantity::Millis(_) => "ms",
        Quantity::Ratio(_) => "ratio",
        Quantity::Count(_) => "count",
        Quantity::Text(_) => "text",
    };
    measures
        .map(|measure| {
            (
                measure.key.to_string(),
                Value::from(unit(&measure.quantity)),
            )
        })
        .collect()
}

fn quantity(quantity: &Quantity) -> Option<Value> {
    match quantity {
        Quantity::Rows(number) | Quantity::Ratio(number) | Quantity::Millis(Millis(number)) => {
            whole(*number)
        }
        Quantity::Pages(pages) => Some(Value::from(pages.0)),
        Quantity::Bytes(bytes) => Some(Value::from(bytes.0)),
        Quantity::Count(count) => Some(Value::from(*count)),
        Quantity::Text(text) => Some(Value::from(text.clone())),
    }
}

/// A whole number without its `.0`, as most readers expect of rows; `None` where it is not finite.
fn whole(number: f64) -> Option<Value> {
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
