//! Workflow commands of GitHub Actions: an annotation a finding, at its clause, costliest first because a step shows only the
//! first few. The step's summary is the Markdown report, which the command line appends where the runner asks for it.

use std::io::{self, Write};

use crate::finding::{Finding, Severity};
use crate::report::Report;
use crate::report::impact::costliest_first;
use crate::report::place::Place;
use crate::report::summary::{Summary, plural, shown};

use super::{Escaping, Format};

/// For GitHub Actions.
pub(super) const FORMAT: Format = Format {
    name: "github",
    about: "annotations of GitHub Actions, and the step's summary",
    escaping: Escaping::Visible,
    render: |report, _, out| render(report, out),
};

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for found in costliest_first(report, shown(report)) {
        writeln!(out, "{}", annotation(report, found))?;
    }
    let summary = Summary::of(report);
    let queries = report
        .comparison
        .as_ref()
        .map_or(summary.queries, |comparison| comparison.queries.len());
    writeln!(
        out,
        "{} in {}; exit code {}: {}",
        summary.counts(),
        plural(queries, "query", "queries"),
        summary.exit_code(),
        summary.exit_reason()
    )
}

fn annotation(report: &Report, found: &Finding) -> String {
    let command = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = Vec::new();
    if let Some(place) = Place::of(report, found) {
        properties.push(format!("file={}", property(&place.path())));
        properties.push(format!("line={}", place.start.line));
        // Columns of a stretch of several lines are ignored with an error.
        match place.end.filter(|end| end.line == place.start.line) {
            Some(end) => {
                properties.push(format!("endLine={}", end.line));
                properties.push(format!("col={}", place.start.column));
                properties.push(format!("endColumn={}", end.column));
            }
            None => properties.push(format!("col={}", place.start.column)),
        }
    }
    let title = match &found.query {
        Some(query) => format!("{} {query}", found.rule),
        None => found.rule.to_string(),
    };
    properties.push(format!("title={}", property(&title)));
    format!(
        "::{command} {}::{}",
        properties.join(","),
        data(&super::in_words(found))
    )
}

/// A command ends with its line.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property also ends with a comma or a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_begins_another_command() {
        assert_eq!(data("50 %\n::error::x"), "50 %25%0A::error::x");
        assert_eq!(property("a,b:c"), "a%2Cb%3Ac");
    }
}
