//! Plans with their findings beside the nodes, and what to do about each below.

use std::io::{self, Write};

use crate::catalog::Query;
use crate::finding::Finding;
use crate::report::summary::{Summary, shown};
use crate::report::{Report, plan_tree};
use crate::run::{BoundParameter, Outcome, Run};

use super::finding::Page;
use super::style::TerminalStyle;

/// A statement is cut beyond this in a heading.
const LONGEST_STATEMENT: usize = 80;

/// Writes every query with every run, worst first; then what no run's plan shows.
pub(super) fn render(
    report: &Report,
    style: &TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (index, query) in report.queries.iter().enumerate() {
        let runs: &[Run] = report.runs_of(index).map_or(&[], |runs| &runs.runs);
        let findings: Vec<&Finding> = shown(report)
            .filter(|found| found.query.as_ref() == Some(&query.name))
            .collect();
        writeln!(out, "{}", heading(report, query))?;
        for run in runs {
            writeln!(out, "\n{}", with(run))?;
            let is_of_run = |found: &&&Finding| found.evidence.run.as_ref() == Some(&run.id);
            let of_run: Vec<&Finding> = findings.iter().filter(is_of_run).copied().collect();
            plan_tree(&run.plan, &of_run, style.columns(), out)?;
            let mut page = Page::new(report, *style, out);
            for found in of_run {
                page.finding(found)?;
            }
        }
        let is_beside = |found: &&&Finding| {
            runs.iter()
                .all(|run| Some(&run.id) != found.evidence.run.as_ref())
        };
        let mut page = Page::new(report, *style, out);
        for found in findings.iter().filter(is_beside) {
            page.finding(found)?;
        }
        writeln!(out)?;
    }
    let summary = Summary::of(report);
    super::verdict(&summary, *style, out)
}

/// `ListOrders  queries/orders.sql:12`, and the statement where only a plan was given.
fn heading(report: &Report, query: &Query) -> String {
    let place = format!("{}  {}:{}", query.name, query.file.display(), query.line);
    if report.server_version.is_some() || query.source.is_empty() {
        return place;
    }
    let words: String = query
        .source
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let cut = if words.chars().count() > LONGEST_STATEMENT {
        "…"
    } else {
        ""
    };
    let words: String = words.chars().take(LONGEST_STATEMENT).collect();
    format!("{place}\n{words}{cut}")
}

/// `hot customer_id: $1 = 4711, limit = 20`, and how it ended where it did not run to its end.
fn with(run: &Run) -> String {
    let value = |parameter: &BoundParameter| {
        let name = parameter
            .name
            .clone()
            .unwrap_or_else(|| format!("${}", parameter.number));
        format!("{name} = {}", parameter.value.as_deref().unwrap_or("NULL"))
    };
    let values: Vec<String> = run.parameters.iter().map(value).collect();
    let ended = match &run.outcome {
        Outcome::Completed { .. } => String::new(),
        Outcome::TimedOut { after } => {
            format!(" (cancelled after {after}: the plan is the estimate)")
        }
        Outcome::Estimated => " (only planned)".to_owned(),
    };
    let parted = if values.is_empty() { "" } else { ": " };
    format!("{}{parted}{}{ended}", run.id, values.join(", "))
}
