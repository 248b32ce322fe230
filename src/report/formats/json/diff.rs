//! A diff for programs. `docs/schema/diff.schema.json` is its documentation; a test holds the two together.

use serde::Deserialize;
use serde_json::json;

use crate::diff::observation::StatementObservation;
use crate::diff::outcome::QueryDiff;
use crate::diff::report::{Comparison, IndexUse, RoundTrip, SchemaDifference, Spent};
use crate::report::{Report, TOOL_VERSION};
use crate::units::Millis;

use super::{SavedFailOn, SavedFinding};

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
        "fail_on": SavedFailOn::of(whole.fail_on.from),
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

/// A diff as it is saved.
#[derive(Debug, Clone, Deserialize)]
pub struct SavedDiff {
    pub from: String,
    pub to: String,
    pub server: SavedServerVersion,
    pub layout: Option<SavedLayout>,
    pub dataset: Option<SavedCopies>,
    pub queries: Vec<QueryDiff>,
    pub rolling: Vec<QueryDiff>,
    pub statements: Vec<StatementObservation>,
    pub traffic: Vec<String>,
    pub broken: Vec<SavedBroken>,
    pub indexes: Vec<IndexUse>,
    pub round_trip: Option<RoundTrip>,
    pub safer_schema: Option<SchemaDifference>,
    /// Older ones do not say.
    #[serde(default)]
    pub fail_on: Option<SavedFailOn>,
    pub findings: Vec<SavedFinding>,
    pub spent_ms: Spent,
    pub elapsed_ms: Millis,
}

/// Of the server that the copies were on.
#[derive(Debug, Clone, Deserialize)]
pub struct SavedServerVersion {
    pub version: String,
}

/// By what the migrations were read.
#[derive(Debug, Clone, Deserialize)]
pub struct SavedLayout {
    pub name: String,
    pub because: String,
    pub without_transaction: Option<String>,
}

/// The dataset that was copied.
#[derive(Debug, Clone, Deserialize)]
pub struct SavedCopies {
    pub fingerprint: String,
    pub seed: u64,
    pub scale: f64,
}

/// A query that failed from some statement on.
#[derive(Debug, Clone, Deserialize)]
pub struct SavedBroken {
    pub statement: Option<usize>,
    pub query: String,
    pub message: String,
}

impl SavedDiff {
    /// What was compared, without what is the report's: server, dataset, findings.
    #[must_use]
    pub fn comparison(self) -> Comparison {
        let broken = self.broken.into_iter();
        let (layout, without_transaction) = match self.layout {
            None => (None, None),
            Some(layout) => (
                Some((layout.name, layout.because)),
                layout.without_transaction,
            ),
        };
        Comparison {
            from: self.from,
            to: self.to,
            layout,
            without_transaction,
            queries: self.queries,
            rolling: self.rolling,
            statements: self.statements,
            probes: self.traffic,
            broken: broken
                .map(|broken| (broken.statement, broken.query, broken.message))
                .collect(),
            indexes: self.indexes,
            round_trip: self.round_trip,
            safer_schema: self.safer_schema,
            spent: self.spent_ms,
        }
    }
}
