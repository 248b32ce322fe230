//! What the page shows of an audit or of single plans, worked out: the page's script draws and does no arithmetic of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::finding::{Evidence, Finding, Fix, Measurement, Proof, Quantity, RuleId, Severity};
use crate::report::impact::{Impact, costliest_first};
use crate::report::place::Place;
use crate::report::sizes::{
    SizedRun, Tone, exhausted, growth_basis, growths, outlook_basis, outlooks, refused,
};
use crate::report::summary::{
    Standing, Summary, Verdict, gates, is_not_audited, on_small_tables, plural, verdicts,
};
use crate::report::{Origin, Report, TOOL_VERSION, evidence, excerpt, fixes};
use crate::rules;
use crate::run::{BoundParameter, Outcome, Run};

use super::plan::DrawnPlan;
use super::words;

/// Findings that are shown first.
const FIRST: usize = 3;

/// All but the plans.
pub(super) fn head(report: &Report) -> Value {
    let summary = Summary::of(report);
    let shown: Vec<&Finding> = costliest_first(
        report,
        report
            .findings
            .iter()
            .filter(|found| report.view.shows(found)),
    );
    let number_of = |sought: &Finding| shown.iter().position(|found| std::ptr::eq(*found, sought));
    let matters = |found: &&&Finding| {
        found.suppressed.is_none() && found.severity != Severity::Info && !is_not_audited(found)
    };
    let first = shown.iter().filter(matters);
    let first = first.take(report.view.top.unwrap_or(FIRST));
    let listed: Vec<Value> = fixes::of(report)
        .iter()
        .map(|listed| fix(listed, &number_of))
        .collect();
    json!({
        "command": report.origin,
        "tool": TOOL_VERSION,
        "server": report.server_version,
        "settings": report.server_settings,
        "elapsed": report.elapsed.to_string(),
        "verdict": verdict(report, &summary),
        "dataset": report.dataset.as_ref().map(|dataset| json!({
            "fingerprint": dataset.fingerprint, "seed": dataset.seed, "scale": dataset.scale,
        })),
        "copyOf": report.copy_of,
        "tables": tables(report),
        "notes": notes(report),
        "sizes": sizes(report),
        "queries": queries(report),
        "findings": shown.iter().map(|found| finding(report, found)).collect::<Vec<_>>(),
        "first": first.filter_map(|found| number_of(found)).collect::<Vec<_>>(),
        "fixes": listed,
        "skipped": skipped(report),
        "rules": fired(&shown),
    })
}

/// How the work grows, and what the plans become at another size.
fn sizes(report: &Report) -> Value {
    let run = |run: &SizedRun<'_>| {
        let lines = run.lines.iter().map(|line| {
            let tone = match line.tone {
                Tone::Of(Standing::Error) => "error",
                Tone::Of(Standing::Warning) => "warning",
                Tone::Of(_) | Tone::Plain => "plain",
                Tone::Quiet => "quiet",
            };
            json!({ "tone": tone, "text": line.text })
        });
        json!({ "query": run.query, "parameters": run.parameters, "lines": lines.collect::<Vec<_>>() })
    };
    let runs = |runs: &[SizedRun<'_>]| runs.iter().map(run).collect::<Vec<_>>();
    let queries = plural(report.queries.len(), "query", "queries");
    let mut found = Vec::new();
    if let Some(growth) = &report.growth {
        found.push(json!({
            "title": "How the work grows",
            "basis": format!("{queries} {}", growth_basis(growth)),
            "warnings": [],
            "runs": runs(&growths(growth)),
            "same": [],
        }));
    }
    if let Some(outlook) = &report.outlook {
        let (changed, same) = outlooks(outlook);
        let refused = refused(report);
        let mut warnings = exhausted(outlook);
        if !refused.is_empty() {
            let names = refused.join(", ");
            warnings.push(format!("not planned, the server refuses them: {names}"));
        }
        found.push(json!({
            "title": "At another size",
            "basis": format!("{queries} {}", outlook_basis(outlook)),
            "warnings": warnings,
            "runs": runs(&changed),
            "same": runs(&same),
        }));
    }
    Value::Array(found)
}

fn verdict(report: &Report, summary: &Summary) -> Value {
    let worst = match (summary.errors, summary.warnings) {
        (0, 0) => "fine",
        (0, _) => "warning",
        (_, _) => "error",
    };
    let queries = match report.origin {
        Origin::Audit | Origin::Explain | Origin::Trace => json!({
            "in": plural(summary.queries, "query", "queries"),
            "standings": summary.standings(),
            "executions": summary.executions(),
        }),
        Origin::Diff => json!({}),
    };
    json!({
        "worst": worst,
        "counts": summary.counts(),
        "of": queries,
        "exit_code": summary.exit_code(),
        "exit_reason": summary.exit_reason(),
        "suppressed": summary.suppressed,
    })
}

fn tables(report: &Report) -> Vec<Value> {
    let tables = report.tables.iter().map(|table| {
        json!({
            "name": table.name,
            "rows": table.rows,
            "bytes": table.bytes,
            "indexes": table.indexes,
            "partitions": table.partitions.len(),
        })
    });
    tables.collect()
}

/// What a reader should know of the audit as a whole.
fn notes(report: &Report) -> Vec<String> {
    let small = on_small_tables(report);
    let notes = [
        report.ended_early.as_ref().map(|ended| ended.reason()),
        report.unchanged.as_ref().map(|unchanged| {
            format!(
                "{} unchanged since {}: not audited",
                plural(unchanged.queries, "query", "queries"),
                unchanged.since
            )
        }),
        report.reused.map(|reused| {
            format!(
                "{} of {} unchanged: measured {} ago",
                reused.queries,
                plural(report.queries.len(), "query", "queries"),
                reused.age()
            )
        }),
        (!small.is_empty()).then(|| {
            format!(
                "{} tables of less than 1,000 rows only, too small to judge: {}",
                plural(small.len(), "query reads", "queries read"),
                small.join(", ")
            )
        }),
    ];
    let compared = report.compared.iter().filter_map(|compared| {
        let figures = |taken: &Option<Measurement>| match taken {
            Some(taken) => format!("{}, {}", taken.blocks, taken.time_ms),
            None => "not measured".to_owned(),
        };
        Some(format!(
            "{} compared with {}: {} before, {} now",
            report.queries.get(compared.query)?.name,
            compared.with,
            figures(&compared.before),
            figures(&compared.after)
        ))
    });
    notes.into_iter().flatten().chain(compared).collect()
}

/// One line each, in the catalog's order.
fn queries(report: &Report) -> Vec<Value> {
    let verdicts = verdicts(report);
    let by_name: BTreeMap<&str, &Verdict<'_>> = verdicts
        .iter()
        .map(|verdict| (verdict.query.name.as_str(), verdict))
        .collect();
    let row = |query: &crate::catalog::Query| {
        let verdict = by_name.get(query.name.as_str())?;
        let run = verdict.shown_run();
        let time = run.and_then(|run| match run.outcome {
            Outcome::TimedOut { after } => Some(after),
            Outcome::Completed { .. } | Outcome::Estimated => run.time(),
        });
        Some(json!({
            "name": query.name,
            "file": query.file.display().to_string(),
            "line": query.line,
            "sql": query.source,
            "standing": standing(verdict.standing()),
            "calls": query.calls_per_second,
            "asked_by": (!query.asked_by.is_connection()).then(|| query.asked_by.to_string()),
            "time": verdict.time(),
            "ms": time,
            "pages": verdict.pages(),
            "rows": verdict.rows(),
            "with_fix": verdict.time_with_fix().map(|time| time.to_string()),
            "sets": verdict.runs.map_or(0, |runs| runs.runs.len()),
        }))
    };
    report.queries.iter().filter_map(row).collect()
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::NotAudited => "not audited",
        Standing::PlannedOnly => "planned only",
        Standing::Fine | Standing::NotProven | Standing::Warning | Standing::Error => {
            standing.as_str()
        }
    }
}

fn finding(report: &Report, found: &Finding) -> Value {
    let query = found
        .query
        .as_deref()
        .and_then(|name| report.query_named(name));
    let impact = Impact::of(report, found);
    let marks: Vec<[usize; 2]> = query.map_or_else(Vec::new, |(_, query)| {
        excerpt::guilty(query, found.rule, &found.evidence)
            .iter()
            .filter_map(|part| words::range(&query.source, part))
            .collect()
    });
    json!({
        "id": found.fingerprint,
        "rule": found.rule,
        "severity": found.severity,
        "query": found.query,
        "place": Place::of(report, found).map(|place| place.to_text()),
        "about": found.evidence.relation,
        "message": found.message,
        "why": found.why,
        "advice": found.advice,
        "cost": impact.per_call.filter(|time| time.0 > 0.0).map(|time| time.to_string()),
        "calls": impact.calls_per_second,
        "gates": gates(report, found),
        "run": found.evidence.run,
        "node": found.evidence.node,
        "node_label": found.evidence.node_label,
        "condition": found.evidence.condition,
        "numbers": evidence::at_the_node(found),
        "marks": marks,
        "fix": found.fix.as_ref().map(fixed),
        "calls_in_turn": calls_in_turn(found.rule, &found.evidence),
        "suppressed": found.suppressed,
        "symptoms": found.symptoms.iter().map(|symptom| json!({
            "rule": symptom.rule,
            "severity": symptom.severity,
            "message": symptom.message,
            "run": symptom.evidence.run,
            "node": symptom.evidence.node,
        })).collect::<Vec<_>>(),
    })
}

fn fixed(fix: &Fix) -> Value {
    json!({
        "sql": words::statement(&fix.sql),
        "size": evidence::size(fix),
        "proof": fix.proof.as_ref().map(proof),
    })
}

fn proof(proof: &Proof) -> Value {
    let side = |measured: &Measurement| {
        json!({
            "ms": measured.time_ms,
            "time": measured.time_ms.to_string(),
            "pages": measured.blocks,
            "temporary": measured.temp_blocks,
        })
    };
    json!({
        "words": evidence::proven(proof),
        "before": proof.before.as_ref().map(side),
        "cancelled_ms": proof.cancelled_ms,
        "cancelled": proof.cancelled_ms.map(|limit| limit.to_string()),
        "after": side(&proof.after),
        "build": proof.build_ms.map(|time| time.to_string()),
    })
}

/// A query that another one's rows drive, as a sequence of messages.
fn calls_in_turn(rule: RuleId, evidence: &Evidence) -> Option<Value> {
    if rule != RuleId::NPlusOne {
        return None;
    }
    let (source, parameter) = evidence.condition.as_deref()?.rsplit_once(" -> ")?;
    let (parent, column) = source.rsplit_once('.')?;
    let Some(Quantity::Rows(calls)) = evidence.get("calls") else {
        return None;
    };
    let time = |key: &str| match evidence.get(key) {
        Some(Quantity::Millis(time)) => Some(*time),
        Some(_) | None => None,
    };
    let trips = [
        ("at_0_1_ms", "same host"),
        ("at_0_5_ms", "same zone"),
        ("at_1_ms", "same region"),
        ("at_5_ms", "another region"),
    ];
    let trips: Vec<Value> = trips
        .iter()
        .filter_map(|(key, place)| {
            let time = time(key)?;
            Some(json!({ "place": place, "ms": time, "time": time.to_string() }))
        })
        .collect();
    Some(json!({
        "parent": parent,
        "column": column,
        "parameter": parameter,
        "calls": calls,
        "each": time("time_each_ms").map(|time| time.to_string()),
        "trips": trips,
    }))
}

fn fix(listed: &fixes::ListedFix<'_>, number_of: &dyn Fn(&Finding) -> Option<usize>) -> Value {
    let findings = listed.findings.iter();
    let proof_words = listed.fix.proof.as_ref().map(evidence::proven);
    json!({
        "sql": words::statement(&listed.text()),
        "rewrite": listed.is_rewrite(),
        "queries": listed.queries(),
        "findings": findings.filter_map(|found| number_of(found)).collect::<Vec<_>>(),
        "saves": proof_words.into_iter().flatten().collect::<Vec<_>>(),
        "proof": listed.fix.proof.as_ref().map(proof),
        "size": listed.bytes().map(|bytes| bytes.to_string()),
        "prices": listed.write_prices(),
    })
}

fn skipped(report: &Report) -> Vec<Value> {
    let skipped = report.skipped.iter().map(|skipped| {
        json!({
            "name": skipped.name,
            "place": format!("{}:{}", skipped.file.display(), skipped.line),
            "left_out": skipped.mistake().is_none(),
            "reason": skipped.reason(),
            "remedy": skipped.remedy(),
        })
    });
    skipped.collect()
}

/// The page of every rule that fired.
fn fired(findings: &[&Finding]) -> BTreeMap<&'static str, Value> {
    let mut pages = BTreeMap::new();
    let symptoms = findings.iter().flat_map(|found| &found.symptoms);
    for id in findings
        .iter()
        .map(|found| found.rule)
        .chain(symptoms.map(|symptom| symptom.rule))
    {
        let Some(rule) = rules::find(id) else {
            continue;
        };
        pages.entry(id.as_str()).or_insert_with(|| {
            json!({
                "summary": rule.summary,
                "condition": rule.condition,
                "why": rule.why,
                "advice": rule.advice,
                "bad": words::statement(rule.bad),
                "good": words::statement(rule.good),
            })
        });
    }
    pages
}

/// One query's colours, parameter sets and plans.
pub(super) fn query(report: &Report, index: usize) -> Value {
    let query = &report.queries[index];
    let runs = report.runs_of(index);
    json!({
        "inks": words::inks(&query.source),
        "failure": runs.and_then(|runs| runs.failure.as_ref()).map(|failure| json!({
            "message": failure.message, "code": failure.code, "hint": failure.hint,
        })),
        "notes": runs.map(|runs| runs.notes.clone()).unwrap_or_default(),
        "runs": runs.map_or_else(Vec::new, |runs| runs.runs.iter().map(run).collect()),
    })
}

fn run(run: &Run) -> Value {
    let (outcome, time) = match (&run.outcome, run.time()) {
        (Outcome::Completed { .. }, Some(time)) => ("ran", time.to_string()),
        (Outcome::TimedOut { after }, _) => ("cancelled", format!("> {after}")),
        (Outcome::Completed { .. } | Outcome::Estimated, _) => ("planned only", "-".to_owned()),
    };
    let buffers = run.plan.root().buffers;
    let planning = run.planning().or(run.plan.planning_ms);
    json!({
        "label": run.id.to_string(),
        "outcome": outcome,
        "time": time,
        "planning": planning.map(|time| time.to_string()),
        "rows": run.rows(),
        "pages": buffers.map(|buffers| buffers.touched()),
        "temporary": buffers.map(|buffers| buffers.temp()),
        "parameters": run.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "plan": DrawnPlan::of(&run.plan),
    })
}

fn parameter(parameter: &BoundParameter) -> Value {
    json!({
        "name": parameter.name.clone().unwrap_or_else(|| format!("${}", parameter.number)),
        "value": parameter.value,
        "type": parameter.type_name,
        "column": parameter.column,
    })
}
