//! JUnit XML, as CI servers read it: a test case a query, a failure for what fails the command, the other findings as its
//! output. What was not audited fails or is skipped, and is never a passed test.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::finding::{Finding, Severity};
use crate::report::Report;
use crate::report::summary::{Verdict, beside_queries, gates, is_not_audited, verdicts};
use crate::units::Millis;

use super::xml::{attribute, text};
use super::{Escaping, Format};

/// For CI servers.
pub(super) const FORMAT: Format = Format {
    name: "junit",
    about: "JUnit XML: a test case a query, for CI servers",
    escaping: Escaping::Own,
    render: |report, _, out| render(report, out),
};

/// What becomes of a case.
enum Outcome {
    Passed,
    /// Type, message and text.
    Failed(String, String, String),
    Skipped(String),
}

struct Case {
    class: String,
    name: String,
    time: Option<Millis>,
    outcome: Outcome,
    output: Vec<String>,
}

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let cases = cases(report);
    let failures = cases
        .iter()
        .filter(|case| matches!(case.outcome, Outcome::Failed(..)))
        .count();
    let skipped = cases
        .iter()
        .filter(|case| matches!(case.outcome, Outcome::Skipped(_)))
        .count();
    let seconds = report.elapsed.0 / 1000.0;
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\"",
        cases.len()
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"pgproof\" {counts} time=\"{seconds:.3}\">"
    )?;
    writeln!(
        out,
        "  <testsuite name=\"pgproof\" {counts} skipped=\"{skipped}\" time=\"{seconds:.3}\">"
    )?;
    cases.iter().try_for_each(|case| write_case(case, out))?;
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn cases(report: &Report) -> Vec<Case> {
    let mut cases: Vec<Case> = match &report.comparison {
        None => verdicts(report)
            .iter()
            .map(|verdict| of_query(report, verdict))
            .collect(),
        Some(comparison) => comparison
            .queries
            .iter()
            .map(|diff| {
                let of_query = |found: &&Finding| {
                    found.suppressed.is_none() && found.query.as_ref() == Some(&diff.query)
                };
                let findings: Vec<&Finding> = report.findings.iter().filter(of_query).collect();
                let class = diff.file.display().to_string();
                case(report, (class, diff.query.clone()), None, &findings)
            })
            .collect(),
    };
    let named: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let beside = beside_queries(report);
    let beside = beside.into_iter().filter(|found| {
        !found
            .query
            .as_ref()
            .is_some_and(|name| named.contains(name))
    });
    cases.extend(beside.map(|found| {
        let subject = found.query.as_ref().or(found.evidence.relation.as_ref());
        let name = match subject {
            Some(subject) => format!("{} {subject}", found.rule),
            None => format!("{} {}", found.rule, found.fingerprint.0),
        };
        case(report, ("schema".to_owned(), name), None, &[found])
    }));
    let left_out = report
        .skipped
        .iter()
        .filter(|skipped| skipped.mistake().is_none());
    cases.extend(left_out.map(|skipped| Case {
        class: skipped.file.display().to_string(),
        name: skipped.name.clone(),
        time: None,
        outcome: Outcome::Skipped(skipped.reason()),
        output: Vec::new(),
    }));
    cases
}

fn of_query(report: &Report, verdict: &Verdict<'_>) -> Case {
    let query = verdict.query;
    let class = query.file.display().to_string();
    let time = verdict.shown_run().and_then(|run| run.time());
    let named = (class, query.name.clone());
    case(report, named, time, &verdict.findings)
}

fn case(
    report: &Report,
    (class, name): (String, String),
    time: Option<Millis>,
    findings: &[&Finding],
) -> Case {
    let (failing, others): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|found| gates(report, found));
    let line = |found: &&Finding| super::short::line(report, found);
    let outcome = match (
        failing.first(),
        others.iter().find(|found| is_not_audited(found)),
    ) {
        (Some(first), _) => Outcome::Failed(
            first.rule.as_str().to_owned(),
            first.message.clone(),
            failing
                .iter()
                .map(|found| format!("{}\n{}", line(found), super::in_words(found)))
                .collect::<Vec<_>>()
                .join("\n\n"),
        ),
        (None, Some(unseen)) => Outcome::Skipped(unseen.message.clone()),
        (None, None) => Outcome::Passed,
    };
    let counts = |found: &&&Finding| found.severity != Severity::Info;
    Case {
        class,
        name,
        time,
        outcome,
        output: others.iter().filter(counts).map(line).collect(),
    }
}

fn write_case(case: &Case, out: &mut dyn Write) -> io::Result<()> {
    let mut xml = format!(
        "    <testcase classname=\"{}\" name=\"{}\"",
        attribute(&case.class),
        attribute(&case.name)
    );
    let seconds = case.time.map_or(0.0, |time| time.0 / 1000.0);
    let _ = writeln!(xml, " time=\"{seconds:.3}\">");
    match &case.outcome {
        Outcome::Passed => {}
        Outcome::Failed(kind, message, line) => {
            let _ = writeln!(
                xml,
                "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                attribute(kind),
                attribute(message),
                text(line)
            );
        }
        Outcome::Skipped(message) => {
            let _ = writeln!(xml, "      <skipped message=\"{}\"/>", attribute(message));
        }
    }
    if !case.output.is_empty() {
        let output = text(&case.output.join("\n"));
        let _ = writeln!(xml, "      <system-out>{output}</system-out>");
    }
    let _ = writeln!(xml, "    </testcase>");
    out.write_all(xml.as_bytes())
}
