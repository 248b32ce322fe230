//! A diff for programs. `docs/schema/diff.schema.json` is its documentation; a test holds the two together.

use std::io::{self, Write};

use serde_json::json;

use crate::diff::outcome::QueryDiff;
use crate::diff::report::DiffReport;
use crate::finding::Finding;

/// The version of the document's shape.
pub const VERSION: u64 = 1;

/// Writes the report.
///
/// # Errors
/// What `out` returns.
pub fn render(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let broken: Vec<serde_json::Value> = report
        .broken
        .iter()
        .map(|(statement, query, message)| json!({ "statement": statement, "query": query, "message": message }))
        .collect();
    let document = json!({
        "version": VERSION,
        "tool": { "name": "pgproof", "version": super::TOOL_VERSION },
        "from": report.from,
        "to": report.to,
        "server": { "version": report.server_version },
        "layout": report.layout.as_ref().map(|(layout, because)| json!({
            "name": layout, "because": because, "without_transaction": report.without_transaction,
        })),
        "dataset": report.dataset.as_ref().map(|(fingerprint, seed, scale)| json!({ "fingerprint": fingerprint, "seed": seed, "scale": scale })),
        "queries": report.queries.iter().map(query).collect::<Vec<_>>(),
        "rolling": report.rolling.iter().map(query).collect::<Vec<_>>(),
        "statements": report.statements,
        "traffic": report.probes,
        "broken": broken,
        "indexes": report.indexes,
        "round_trip": report.round_trip,
        "safer_schema": report.safer_schema,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "spent_ms": report.spent,
        "elapsed_ms": report.elapsed,
    });
    serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
    writeln!(out)
}

/// Its verdict first.
fn query(diff: &QueryDiff) -> serde_json::Value {
    let mut value = json!({ "verdict": diff.verdict() });
    if let (Some(object), Ok(serde_json::Value::Object(fields))) =
        (value.as_object_mut(), serde_json::to_value(diff))
    {
        object.extend(fields);
    }
    value
}

fn finding(finding: &Finding) -> serde_json::Value {
    json!({
        "rule": finding.rule,
        "severity": finding.severity,
        "query": finding.query,
        "file": finding.location.as_ref().map(|location| location.file.clone()),
        "line": finding.location.as_ref().map(|location| location.line),
        "message": finding.message,
        "why": finding.why,
        "advice": finding.advice,
        "evidence": super::json::evidence(&finding.evidence),
        "fingerprint": finding.fingerprint,
        "suppressed": finding.suppressed,
    })
}
