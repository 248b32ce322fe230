//! A diff for programs. `docs/schema/diff.schema.json` is its documentation; a test holds the two together.

use serde_json::json;

use crate::diff::outcome::QueryDiff;
use crate::diff::report::Comparison;
use crate::report::{Report, TOOL_VERSION};

use super::SavedFinding;

/// The version of the document's shape.
pub(super) const VERSION: u64 = 1;

/// What is written of a diff.
pub(super) fn document(whole: &Report, report: &Comparison) -> serde_json::Value {
    let broken: Vec<serde_json::Value> = report
        .broken
        .iter()
        .map(|(statement, query, message)| json!({ "statement": statement, "query": query, "message": message }))
        .collect();
    json!({
        "version": VERSION,
        "tool": { "name": "pgproof", "version": TOOL_VERSION },
        "from": report.from,
        "to": report.to,
        "server": { "version": whole.server_version.as_deref().unwrap_or_default() },
        "layout": report.layout.as_ref().map(|(layout, because)| json!({
            "name": layout, "because": because, "without_transaction": report.without_transaction,
        })),
        "dataset": whole.dataset.as_ref().map(|dataset| json!({
            "fingerprint": dataset.fingerprint, "seed": dataset.seed, "scale": dataset.scale,
        })),
        "queries": report.queries.iter().map(query).collect::<Vec<_>>(),
        "rolling": report.rolling.iter().map(query).collect::<Vec<_>>(),
        "statements": report.statements,
        "traffic": report.probes,
        "broken": broken,
        "indexes": report.indexes,
        "round_trip": report.round_trip,
        "safer_schema": report.safer_schema,
        "findings": whole.findings.iter().map(|found| SavedFinding::of(whole, found)).collect::<Vec<_>>(),
        "spent_ms": report.spent,
        "elapsed_ms": whole.elapsed,
    })
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
