//! GitLab's code quality report: a subset of Code Climate's, an array of issues.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::finding::{Finding, Severity};
use crate::report::Report;
use crate::report::impact::costliest_first;
use crate::report::place::{PROJECT_FILE, Place};
use crate::report::summary::shown;

use super::json::write_document;
use super::{Escaping, Format};

/// For merge requests of GitLab.
pub(super) const FORMAT: Format = Format {
    name: "gitlab",
    about: "GitLab's code quality report",
    escaping: Escaping::Own,
    render: |report, _, out| render(report, out),
};

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let issues: Vec<Value> = costliest_first(report, shown(report))
        .into_iter()
        .map(|found| {
            let count = seen.entry(&found.fingerprint.0).or_default();
            *count += 1;
            issue(report, found, *count)
        })
        .collect();
    write_document(&issues, out)
}

fn issue(report: &Report, found: &Finding, count: usize) -> Value {
    let place = Place::of(report, found);
    let (path, begin, end) = match &place {
        Some(place) => {
            let end = place.end.map_or(place.start.line, |end| end.line);
            (place.path(), place.start.line, end)
        }
        None => (PROJECT_FILE.to_owned(), 1, 1),
    };
    // Issues of one fingerprint would be taken for one.
    let fingerprint = match count {
        1 => found.fingerprint.0.clone(),
        more => format!("{}-{more}", found.fingerprint.0),
    };
    let query = found
        .query
        .as_ref()
        .map(|query| format!("{query}: "))
        .unwrap_or_default();
    json!({
        "description": format!("{query}{}", found.message),
        "check_name": found.rule.as_str(),
        "fingerprint": fingerprint,
        "severity": match found.severity {
            Severity::Error => "critical",
            Severity::Warning => "major",
            Severity::Info => "info",
        },
        "location": { "path": path, "lines": { "begin": begin, "end": end } },
        "content": { "body": super::in_words(found) },
    })
}
