//! SARIF 2.1.0, for code scanning: every rule that fired with its page, every finding at its clause. Accepted findings are
//! results with a suppression, so that a scanner closes them instead of opening them again.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::finding::{Finding, RuleId, Severity};
use crate::report::place::{PROJECT_FILE, Place};
use crate::report::{Report, Summary, TOOL_VERSION};
use crate::rules;

use super::json::write_document;
use super::{Escaping, Format};

/// For code scanning.
pub(super) const FORMAT: Format = Format {
    name: "sarif",
    about: "SARIF 2.1.0, for code scanning",
    escaping: Escaping::Own,
    render: |report, _, out| render(report, out),
};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let summary = Summary::of(report);
    let fired: BTreeSet<RuleId> = report.findings.iter().map(|found| found.rule).collect();
    let fired: Vec<RuleId> = fired.into_iter().collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .filter(|found| report.view.shows(found))
        .map(|found| result(report, found, &fired))
        .collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pgproof",
                "version": TOOL_VERSION,
                "semanticVersion": TOOL_VERSION,
                "rules": fired.iter().map(|id| rule(*id)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.ended_early.is_none(),
                "exitCode": summary.exit_code(),
                "exitCodeDescription": summary.exit_reason(),
            }],
            "results": results,
        }],
    });
    write_document(&document, out)
}

fn rule(id: RuleId) -> Value {
    let Some(rule) = rules::find(id) else {
        return json!({ "id": id.as_str() });
    };
    let markdown = format!(
        "{}\n\n**Why.** {}\n\n**What to do.** {}\n\n```sql\n-- bad\n{}\n\n-- good\n{}\n```\n",
        rule.condition, rule.why, rule.advice, rule.bad, rule.good
    );
    json!({
        "id": id.as_str(),
        "shortDescription": { "text": rule.summary },
        "fullDescription": { "text": rule.condition },
        "help": { "text": format!("{}\n\n{}", rule.why, rule.advice), "markdown": markdown },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "tags": ["performance", "sql"] },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn result(report: &Report, found: &Finding, fired: &[RuleId]) -> Value {
    let mut result = json!({
        "ruleId": found.rule.as_str(),
        "level": level(found.severity),
        "message": { "text": super::in_words(found) },
        "locations": [location(report, found)],
        "partialFingerprints": { "pgproof/v1": found.fingerprint.0 },
        "properties": { "why": found.why, "fix": found.fix.as_ref().map(|fix| &fix.sql) },
    });
    if let Some(index) = fired.iter().position(|id| *id == found.rule) {
        result["ruleIndex"] = index.into();
    }
    if let Some(suppressed) = &found.suppressed {
        let kind = if suppressed.by == "@allow" {
            "inSource"
        } else {
            "external"
        };
        let justification = format!("{}: {}", suppressed.by, suppressed.reason);
        result["suppressions"] =
            json!([{ "kind": kind, "status": "accepted", "justification": justification }]);
    }
    result
}

fn location(report: &Report, found: &Finding) -> Value {
    let physical = match Place::of(report, found) {
        // Code scanning takes no result without a file.
        None => json!({ "artifactLocation": { "uri": PROJECT_FILE, "uriBaseId": "%SRCROOT%" } }),
        Some(place) => {
            let mut region = json!({
                "startLine": place.start.line,
                "startColumn": place.start.column,
            });
            if let Some(end) = place.end.filter(|end| *end > place.start) {
                region["endLine"] = end.line.into();
                region["endColumn"] = end.column.into();
            }
            json!({
                "artifactLocation": { "uri": uri(&place.path()), "uriBaseId": "%SRCROOT%" },
                "region": region,
            })
        }
    };
    let mut location = json!({ "physicalLocation": physical });
    if let Some(name) = &found.query {
        location["logicalLocations"] = json!([{ "name": name, "kind": "function" }]);
    }
    location
}

/// A relative path as a URI reference: what has a meaning in one is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("queries/a b#é.sql"), "queries/a%20b%23%C3%A9.sql");
    }
}
