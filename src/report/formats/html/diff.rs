//! What the page shows of a diff: verdicts, plans side by side, migrations on a line of time.

use serde_json::{Value, json};
use similar::{DiffTag, TextDiff};

use super::words;
use crate::diff::blocking::BlockedQuery;
use crate::diff::canonical::display_relation;
use crate::diff::locks::HeldLock;
use crate::diff::observation::StatementObservation;
use crate::diff::outcome::{FreshRun, QueryDiff, RunDiff, Side};
use crate::diff::report::{Comparison, SchemaDifference};
use crate::report::diff_words::{
    blocked_sentence, cause_sentences, deadlock_sentence, extrapolation_sentence, index_sentence,
    kept, kept_sentence, locks_phrase, measured_sentence, outside_sentence, pile_up_sentence,
    standing, statement_facts, worst_sentence,
};

/// Everything but the findings.
pub(super) fn comparison(report: &Comparison) -> Value {
    let statements = report.statements.iter().enumerate();
    json!({
        "from": report.from,
        "to": report.to,
        "layout": report.layout,
        "queries": report.queries.iter().map(query).collect::<Vec<_>>(),
        "rolling": report.rolling.iter().map(query).collect::<Vec<_>>(),
        "statements": statements.map(|(at, done)| statement(report, at, done)).collect::<Vec<_>>(),
        "indexes": report.indexes.iter().map(index_sentence).collect::<Vec<_>>(),
        "outside": outside_sentence(report),
        "safer_schema": report.safer_schema.as_ref().map(difference),
        "way_back": report.round_trip.as_ref().map(|trip| json!({
            "clean": trip.is_clean(),
            "failure": trip.failure,
            "schema": difference(&trip.schema),
            "plans": trip.changed_plans,
        })),
    })
}

fn difference(schema: &SchemaDifference) -> Value {
    json!({ "same": schema.is_none(), "missing": schema.missing, "left_over": schema.left_over })
}

fn query(diff: &QueryDiff) -> Value {
    json!({
        "name": diff.query,
        "file": diff.file.display().to_string(),
        "line": diff.line,
        "verdict": diff.verdict(),
        "standing": standing(diff),
        "failed_before": diff.failed_before,
        "fails_after": diff.fails_after,
        "runs": diff.runs.iter().map(run).collect::<Vec<_>>(),
        "fresh": diff.fresh.iter().map(fresh).collect::<Vec<_>>(),
    })
}

fn fresh(fresh: &FreshRun) -> Value {
    json!({ "label": fresh.id.to_string(), "figures": figures(&fresh.side), "tree": fresh.side.tree })
}

fn run(run: &RunDiff) -> Value {
    let parameters = run.parameters.iter().map(|parameter| {
        let name = parameter.name.clone();
        let name = name.unwrap_or_else(|| format!("${}", parameter.number));
        let value = parameter.value.as_deref().unwrap_or("NULL");
        format!("{name} = {value}")
    });
    let changes = run.changes.iter();
    let changes = changes.map(|change| json!({ "name": change.name(), "text": change.describe() }));
    json!({
        "label": run.id.to_string(),
        "parameters": parameters.collect::<Vec<_>>(),
        "verdict": run.verdict,
        "words": run.verdict.as_str(),
        "changes": changes.collect::<Vec<_>>(),
        "causes": cause_sentences(run),
        "before": figures(&run.before),
        "after": run.after.as_ref().map(figures),
        "until_analyze": run.before_analyze.as_ref().map(|state| {
            let changes: Vec<String> = state.changes.iter().map(|change| change.describe()).collect();
            format!("{}: {}", state.verdict.as_str(), changes.join("; "))
        }),
        "lines": beside_each_other(&run.before.tree, run.after.as_ref().map_or(&[], |side| &side.tree)),
    })
}

fn figures(side: &Side) -> Value {
    json!({
        "ms": side.time,
        "time": side.time.map(|time| time.to_string()),
        "timed_out": side.timed_out,
        "pages": side.work.blocks,
        "rows_read": side.work.rows_read,
        "temporary": side.work.temp_blocks,
        "rows": side.work.rows,
    })
}

/// Lines of both plans that belong together, and whether they differ.
fn beside_each_other(before: &[String], after: &[String]) -> Vec<Value> {
    let slices = |lines: &[String]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let (old, new) = (slices(before), slices(after));
    let diff = TextDiff::from_lines(&old, &new);
    let mut lines = Vec::new();
    for op in diff.ops() {
        let (old, new) = (&before[op.old_range()], &after[op.new_range()]);
        let same = op.tag() == DiffTag::Equal;
        for at in 0..old.len().max(new.len()) {
            lines.push(json!([old.get(at), new.get(at), same]));
        }
    }
    lines
}

fn statement(report: &Comparison, at: usize, done: &StatementObservation) -> Value {
    let waiting = |blocked: &BlockedQuery| {
        json!({
            "query": report.probes.get(blocked.probe),
            "executions": blocked.executions,
            "ms": blocked.longest,
            "time": blocked.longest.to_string(),
        })
    };
    let sentences = [
        locks_phrase(done),
        worst_sentence(done),
        kept(done).map(|kept| kept_sentence(kept, &report.probes, &done.place)),
        deadlock_sentence(done),
        done.pile_up.as_ref().and_then(pile_up_sentence),
        done.extrapolation.as_ref().map(extrapolation_sentence),
    ];
    let blocked = done.blocked.iter();
    let blocked = blocked.map(|query| blocked_sentence(query, &report.probes, &done.place));
    let broken = report
        .broken
        .iter()
        .filter(|(statement, ..)| *statement == Some(at));
    json!({
        "label": done.place.label(),
        "version": done.place.version,
        "sql": words::statement(&done.place.sql),
        "ms": done.duration,
        "time": done.duration.to_string(),
        "held_ms": done.locks_held,
        "held": done.locks_held.to_string(),
        "in_transaction": done.in_transaction,
        "locks": done.locks.iter().map(lock).collect::<Vec<_>>(),
        "under": done.inherited.iter().map(|inherited| lock(&inherited.lock)).collect::<Vec<_>>(),
        "waiting": done.blocked.iter().map(waiting).collect::<Vec<_>>(),
        "facts": statement_facts(done),
        "sentences": blocked.take(5).chain(sentences.into_iter().flatten()).collect::<Vec<_>>(),
        "broken": broken.map(|(_, query, message)| format!("{query} fails from here on: {message}")).collect::<Vec<_>>(),
        "safer": done.safer.as_ref().map(|safer| json!({
            "why": safer.form.why,
            "sql": words::script(&safer.form.statements),
            "measured": measured_sentence(safer, done),
        })),
    })
}

fn lock(held: &HeldLock) -> Value {
    json!({
        "mode": held.mode.as_str(),
        "table": display_relation(&held.relation),
        "stops": match (held.mode.blocks_reads(), held.mode.blocks_writes()) {
            (true, _) => "reads and writes",
            (false, true) => "writes",
            (false, false) => "",
        },
    })
}
