//! What is saved of a report.

use serde_json::{Map, Value};

use super::VERSION;
use super::saved::{
    SavedBuffers, SavedCause, SavedCompared, SavedDataset, SavedFailOn, SavedFailure, SavedFinding,
    SavedNotAudited, SavedOutcome, SavedParameter, SavedPlace, SavedQuery, SavedReport,
    SavedReused, SavedRun, SavedServer, SavedSummary, SavedTable, SavedTaken, SavedTool,
    SavedUnchanged, whole,
};
use crate::catalog::SkipReason;
use crate::finding::{Evidence, Finding, Measurement, Quantity};
use crate::plan::Buffers;
use crate::report::place::Place;
use crate::report::{Report, Summary, TOOL_VERSION, TableInfo};
use crate::rules::not_audited;
use crate::run::{BoundParameter, EndedEarly, Outcome, QueryFailure, QueryRuns, Run};
use crate::units::Millis;

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

pub(super) fn compared(report: &Report) -> Vec<SavedCompared> {
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
pub(super) fn not_audited(report: &Report) -> Vec<SavedNotAudited> {
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
    pub(super) fn of(report: &Report) -> Self {
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
    pub(super) fn of(report: &Report, index: usize) -> Self {
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
    pub(super) fn of(failure: &QueryFailure) -> Self {
        Self {
            message: failure.message.clone(),
            code: failure.code.clone(),
            position: failure.position,
            hint: failure.hint.clone(),
        }
    }
}

impl SavedRun {
    pub(super) fn of(run: &Run) -> Self {
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
    pub(super) fn of(parameter: &BoundParameter) -> Self {
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
    pub(super) fn of(buffers: &Buffers) -> Self {
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
    pub(in crate::report::formats) fn of(report: &Report, found: &Finding) -> Self {
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
pub(super) fn evidence(evidence: &Evidence) -> Map<String, Value> {
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
pub(super) fn units(evidence: &Evidence) -> Map<String, Value> {
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
