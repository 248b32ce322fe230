//! A saved report as the report that it was, so that every format can be made of it later.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::formats::json::{
    SavedCause, SavedCompared, SavedDiff, SavedFailOn, SavedFinding, SavedNotAudited, SavedOutcome,
    SavedQuery, SavedReport, SavedRun, SavedTaken,
};
use super::{Compared, DatasetInfo, Origin, Report, Reused, TableInfo, Unchanged};
use crate::catalog::{Query, SkipReason, Skipped};
use crate::finding::{
    Evidence, FailOn, Finding, Location, Measure, Measurement, Quantity, Severity,
};
use crate::plan::{NodeId, Plan, parse};
use crate::run::{BoundParameter, EndedEarly, Outcome, QueryFailure, QueryRuns, Run, Sample};
use crate::run_id::RunId;
use crate::source::{Source, SourceError};
use crate::units::{Bytes, Millis, Pages};

/// A plan of a saved report that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{query}: the plan of {run} cannot be read: {reason}")]
pub struct RestoreError {
    pub query: String,
    pub run: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The whole report. `read` makes a query of its saved text.
///
/// # Errors
/// A plan that is none.
pub fn restore(
    saved: SavedReport,
    read: &dyn Fn(&SavedQuery) -> Query,
) -> Result<Report, RestoreError> {
    let dataset = match (saved.dataset.fingerprint, saved.dataset.seed) {
        (Some(fingerprint), Some(seed)) => Some(DatasetInfo {
            fingerprint,
            seed,
            scale: saved.dataset.scale.unwrap_or(1.0),
            reused: true,
        }),
        (_, _) => None,
    };
    let tables = saved.dataset.tables.into_iter().map(|table| TableInfo {
        name: table.name,
        rows: table.rows,
        bytes: table.bytes,
        indexes: table.indexes,
        partitions: table.partitions,
    });
    let settings = saved.server.settings.into_iter();
    let runs = saved.queries.iter().enumerate().map(query_runs);
    let ids = RunIds::of(&saved.queries);
    Ok(Report {
        origin: saved.command,
        server_version: saved.server.version,
        server_settings: settings
            .map(|(name, value)| (name, text_of(&value)))
            .collect(),
        dataset,
        copy_of: saved.dataset.copy_of,
        tables: tables.collect(),
        runs: runs.collect::<Result<_, _>>()?,
        queries: saved.queries.iter().map(read).collect(),
        skipped: saved
            .not_audited
            .into_iter()
            .filter(|skipped| skipped.cause != SavedCause::Failed)
            .map(skipped)
            .collect(),
        ended_early: saved.ended_early.map(ended_early),
        findings: saved
            .findings
            .into_iter()
            .map(|found| finding(found, &ids))
            .collect(),
        fail_on: FailOn {
            from: saved
                .summary
                .fail_on
                .map_or(Some(Severity::Error), SavedFailOn::severity),
            rules: saved.summary.fail_on_rules,
        },
        elapsed: saved.summary.elapsed_ms,
        compared: compared(&saved.compared, &saved.queries),
        traffic: saved.traffic,
        outlook: saved.outlook,
        growth: saved.growth,
        reused: saved.reused.map(|reused| Reused {
            queries: reused.queries,
            oldest: Duration::from_secs(reused.oldest_seconds),
        }),
        unchanged: saved.unchanged.map(|unchanged| Unchanged {
            queries: unchanged.queries,
            since: unchanged.since,
        }),
        ..Report::default()
    })
}

/// A diff. The plans are no part of what is saved: its trees are, for people.
#[must_use]
pub fn restore_diff(mut saved: SavedDiff) -> Report {
    let findings = std::mem::take(&mut saved.findings);
    let dataset = saved.dataset.take().map(|dataset| DatasetInfo {
        fingerprint: dataset.fingerprint,
        seed: dataset.seed,
        scale: dataset.scale,
        reused: true,
    });
    Report {
        origin: Origin::Diff,
        server_version: Some(std::mem::take(&mut saved.server.version)),
        dataset,
        findings: findings
            .into_iter()
            .map(|found| finding(found, &RunIds::default()))
            .collect(),
        fail_on: saved
            .fail_on
            .map_or(Some(Severity::Error), SavedFailOn::severity)
            .into(),
        elapsed: saved.elapsed_ms,
        comparison: Some(Box::new(saved.comparison())),
        ..Report::default()
    }
}

/// Time and pages are what is saved of a version.
fn compared(saved: &[SavedCompared], queries: &[SavedQuery]) -> Vec<Compared> {
    let taken = |taken: &Option<SavedTaken>| {
        taken.as_ref().map(|taken| Measurement {
            time_ms: taken.time_ms,
            blocks: taken.pages,
            temp_blocks: Pages(0),
            rows: 0.0,
        })
    };
    let restored = saved.iter().filter_map(|version| {
        Some(Compared {
            query: queries
                .iter()
                .position(|query| query.name == version.query)?,
            with: version.with.clone(),
            before: taken(&version.before),
            after: taken(&version.after),
        })
    });
    restored.collect()
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn query_runs((index, saved): (usize, &SavedQuery)) -> Result<QueryRuns, RestoreError> {
    // A plan that was left out of the report shows nothing; the findings stand.
    let runs = saved.runs.iter().filter(|run| !run.plan.is_null());
    let restored = |saved_run: &SavedRun| {
        run(saved_run).map_err(|reason| RestoreError {
            query: saved.name.clone(),
            run: saved_run.label.clone(),
            reason,
        })
    };
    Ok(QueryRuns {
        query: index,
        runs: runs.map(restored).collect::<Result<_, _>>()?,
        failure: saved.failure.as_ref().map(|failure| QueryFailure {
            message: failure.message.clone(),
            code: failure.code.clone(),
            position: failure.position,
            hint: failure.hint.clone(),
        }),
        notes: saved.notes.clone(),
    })
}

/// A run with the plan that it had.
///
/// # Errors
/// Why its plan cannot be read.
pub fn run(saved: &SavedRun) -> Result<Run, String> {
    let plan = plan(&saved.plan)?;
    let buffers = plan.root().buffers.unwrap_or_default();
    let sample = |execution| Sample {
        execution,
        planning: saved.planning_ms.or(plan.planning_ms).unwrap_or_default(),
        blocks: buffers.touched(),
        temp_blocks: buffers.temp(),
    };
    let outcome = match (saved.outcome, saved.time_ms) {
        (SavedOutcome::Completed, time) => Outcome::Completed {
            samples: time.map(sample).into_iter().collect(),
        },
        (SavedOutcome::TimedOut, _) => Outcome::TimedOut {
            after: saved.timeout_ms.unwrap_or_default(),
        },
        (SavedOutcome::Estimated, _) => Outcome::Estimated,
    };
    let parameters = saved.parameters.iter().map(|parameter| BoundParameter {
        number: parameter.number,
        name: parameter.name.clone(),
        type_name: parameter.type_name.clone(),
        value: parameter.value.clone(),
        column: parameter.column.clone(),
    });
    Ok(Run {
        id: run_id(saved),
        parameters: parameters.collect(),
        plan,
        explain_json: saved.plan.clone(),
        outcome,
    })
}

/// EXPLAIN's JSON, or the text of a plan that was given as text.
fn plan(saved: &Value) -> Result<Plan, String> {
    let none = || "it holds no plan".to_owned();
    if let Value::String(text) = saved {
        let found = parse::read(text).plans.into_iter().next();
        return found.map(|found| found.plan).ok_or_else(none);
    }
    let plans = parse::json_value(saved).map_err(|error| error.to_string())?;
    plans.into_iter().next().ok_or_else(none)
}

fn skipped(saved: SavedNotAudited) -> Skipped {
    let after = |prefix: &str| {
        saved
            .reason
            .strip_prefix(prefix)
            .unwrap_or(&saved.reason)
            .to_owned()
    };
    let why = match saved.cause {
        SavedCause::Mistake | SavedCause::Failed => {
            let place = Source::new(&saved.file, "");
            SkipReason::Mistake(
                SourceError::new(&place, 0..0, saved.reason.clone()).help(saved.remedy),
            )
        }
        SavedCause::Skip => SkipReason::Asked {
            reason: after("`@skip`: "),
        },
        SavedCause::Exclude => SkipReason::Excluded {
            pattern: after("`exclude` names ").trim_matches('"').to_owned(),
        },
        SavedCause::NoQueries => SkipReason::NoQueries {
            reason: saved.reason.clone(),
        },
    };
    Skipped {
        name: saved.name,
        file: saved.file.into(),
        line: saved.line,
        why,
    }
}

fn ended_early(reason: String) -> EndedEarly {
    if reason == EndedEarly::Interrupted.reason() {
        return EndedEarly::Interrupted;
    }
    let lost = EndedEarly::ServerLost {
        reason: String::new(),
    };
    let reason = reason
        .strip_prefix(&lost.reason())
        .map(str::to_owned)
        .unwrap_or(reason);
    EndedEarly::ServerLost { reason }
}

/// Identities of the saved runs: a finding names its run by the label.
#[derive(Default)]
struct RunIds(HashMap<(String, String), RunId>);

impl RunIds {
    fn of(queries: &[SavedQuery]) -> Self {
        let of = |query: &SavedQuery| {
            let run = |run: &SavedRun| ((query.name.clone(), run.label.clone()), run_id(run));
            query.runs.iter().map(run).collect::<Vec<_>>()
        };
        Self(queries.iter().flat_map(of).collect())
    }

    /// Of a run that the file does not describe the label is all that is known.
    fn get(&self, query: Option<&str>, label: &str) -> RunId {
        let key = (query.unwrap_or_default().to_owned(), label.to_owned());
        let known = self.0.get(&key).cloned();
        known.unwrap_or_else(|| RunId::shown_as(label))
    }
}

fn run_id(saved: &SavedRun) -> RunId {
    RunId::of_label(&saved.label, saved.role, saved.plan_choice)
}

fn finding(saved: SavedFinding, ids: &RunIds) -> Finding {
    let location = saved.file.map(|file| Location {
        file: PathBuf::from(file),
        line: saved.line.unwrap_or(1),
    });
    Finding {
        rule: saved.rule,
        severity: saved.severity,
        location,
        message: saved.message,
        why: saved.why,
        advice: saved.advice,
        evidence: evidence(saved.evidence, &saved.units, &|label| {
            ids.get(saved.query.as_deref(), label)
        }),
        query: saved.query,
        fix: saved.fix,
        fingerprint: saved.fingerprint,
        suppressed: saved.suppressed,
        symptoms: saved
            .symptoms
            .into_iter()
            .map(|symptom| finding(symptom, ids))
            .collect(),
    }
}

/// Names, then the numbers in the order of their units, which is the order in which they were found.
fn evidence(
    mut saved: Map<String, Value>,
    units: &Map<String, Value>,
    run: &dyn Fn(&str) -> RunId,
) -> Evidence {
    let mut text = |key: &str| saved.remove(key).map(|value| text_of(&value));
    let (label, node_label) = (text("run"), text("node_label"));
    let (relation, condition) = (text("relation"), text("condition"));
    let node = saved
        .remove("node")
        .and_then(|node| node.as_u64())
        .and_then(|node| usize::try_from(node).ok())
        .map(NodeId);
    let order: HashMap<&str, usize> = units.keys().map(String::as_str).zip(0..).collect();
    let mut measures: Vec<(usize, Measure)> = saved
        .into_iter()
        .map(|(key, value)| {
            let at = order.get(key.as_str()).copied().unwrap_or(usize::MAX);
            let unit = units.get(&key).and_then(Value::as_str);
            let quantity = quantity(&key, &value, unit);
            let key = Cow::Owned(key);
            (at, Measure { key, quantity })
        })
        .collect();
    measures.sort_by_key(|(at, _)| *at);
    Evidence {
        run: label.as_deref().map(run),
        node,
        node_label,
        relation,
        condition,
        measures: measures.into_iter().map(|(_, measure)| measure).collect(),
    }
}

/// A number with its unit; older reports say it by the key's ending alone.
fn quantity(key: &str, value: &Value, unit: Option<&str>) -> Quantity {
    let Some(number) = value.as_f64() else {
        return Quantity::Text(text_of(value));
    };
    let by_ending = || match key.rsplit('_').next() {
        Some("ms") => "ms",
        Some("bytes") => "bytes",
        Some("pages") => "pages",
        Some("rows") => "rows",
        Some("factor" | "ratio" | "share") => "ratio",
        Some(_) | None => "count",
    };
    match unit.unwrap_or_else(by_ending) {
        "ms" => Quantity::Millis(Millis(number)),
        "bytes" => Quantity::Bytes(Bytes(number as u64)),
        "pages" => Quantity::Pages(Pages(number as u64)),
        "rows" => Quantity::Rows(number),
        "ratio" => Quantity::Ratio(number),
        _ => Quantity::Count(number as u64), // "count"; units that are added later are numbers still
    }
}
