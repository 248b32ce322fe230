//! The report for a person at a terminal: a header, the table of queries with findings, each finding with its proof, and
//! a last line that says what follows. Reads well without colour and at 80 columns.

mod finding;
mod style;
mod table;

use std::io::{self, Write};

use crate::finding::{Finding, RuleId, Severity};
use crate::units::{Bytes, Count};

use super::excerpt::clean;
use super::summary::{
    Standing, Summary, Verdict, beside_queries, on_small_tables, plural, verdicts,
};
use super::{AuditReport, TOOL_VERSION};
use style::Palette;
pub use style::TerminalStyle;

/// Writes the report.
///
/// # Errors
/// What `out` returns.
pub fn render(report: &AuditReport, style: &TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let summary = Summary::of(report);
    let verdicts = verdicts(report);
    let beside = beside_queries(report);
    header(report, &summary, *style, out)?;
    table::render(&verdicts, &beside, *style, out)?;
    let mut page = finding::Page::new(report, *style, out);
    for verdict in &verdicts {
        page.verdict(verdict)?;
    }
    let in_full = beside.iter().filter(|found| {
        found.rule != RuleId::NotAudited && (found.severity != Severity::Info || style.verbose)
    });
    for found in in_full {
        page.finding(found)?;
    }
    page.not_audited()?;
    if !style.verbose {
        page.notes(&verdicts, &beside)?;
    }
    page.suppressed()?;
    footer(&summary, style.palette(), out)
}

fn header(
    report: &AuditReport,
    summary: &Summary,
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let palette = style.palette();
    let rows = report
        .tables
        .iter()
        .map(|table| table.rows)
        .fold(0, u64::saturating_add);
    let bytes = report
        .tables
        .iter()
        .map(|table| table.bytes.0)
        .fold(0, u64::saturating_add);
    let dataset = match &report.dataset {
        None => "a given database".to_owned(),
        Some(dataset) => {
            let scale = if dataset.scale == 1.0 {
                String::new()
            } else {
                format!(" at scale {}", dataset.scale)
            };
            let reused = if dataset.reused { "reused" } else { "new" };
            format!(
                "dataset {}{scale} ({reused})",
                dataset.fingerprint.chars().take(8).collect::<String>()
            )
        }
    };
    let runs: usize = report.runs.iter().map(|runs| runs.runs.len()).sum();
    let first = [
        format!("pgproof {TOOL_VERSION}"),
        format!("PostgreSQL {}", report.server_version),
        dataset,
    ];
    let second = [
        format!(
            "{} of {} rows, {}",
            plural(report.tables.len(), "table", "tables"),
            Count(rows as f64),
            Bytes(bytes)
        ),
        plural(Summary::of(report).queries, "query", "queries"),
        format!("{} run", plural(runs, "parameter set", "parameter sets")),
    ];
    let largest = report.tables.iter().max_by_key(|table| table.rows);
    let mut judged: Vec<String> = Vec::new();
    judged.extend(largest.map(|table| {
        format!(
            "largest table {}, {} rows",
            table.name,
            Count(table.rows as f64)
        )
    }));
    if style.verbose {
        judged.push(summary.executions());
    }
    let small = on_small_tables(report);
    if !small.is_empty() {
        let queries = plural(small.len(), "query reads", "queries read");
        judged.push(format!(
            "{queries} tables of less than 1,000 rows only, too small to judge: {}",
            some_of(&small)
        ));
    }
    let all = [&first[..], &second[..], &judged[..]];
    for facts in all.into_iter().filter(|facts| !facts.is_empty()) {
        for line in finding::lines_of_facts(&finding::joined_facts(facts), style.columns()) {
            writeln!(out, "{}", palette.quiet(clean(&line)))?;
        }
    }
    Ok(())
}

/// The first few names, and how many more there are.
fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn footer(summary: &Summary, palette: Palette, out: &mut dyn Write) -> io::Result<()> {
    let worst = match (summary.errors, summary.warnings) {
        (0, 0) => Standing::Fine,
        (0, _) => Standing::Warning,
        (_, _) => Standing::Error,
    };
    writeln!(
        out,
        "\n{} in {} ({}) after {}",
        palette.standing(worst, summary.counts()),
        plural(summary.queries, "query", "queries"),
        summary.standings(),
        summary.elapsed
    )?;
    writeln!(
        out,
        "{} {}",
        palette.strong(format_args!("exit code {}:", summary.exit_code())),
        summary.exit_reason()
    )
}

/// Findings in the order of a query's block: those that matter, and with `verbose` the notes as well.
fn told_in_full<'a>(verdict: &Verdict<'a>, style: TerminalStyle) -> Vec<&'a Finding> {
    verdict
        .findings
        .iter()
        .copied()
        .filter(|found| found.rule != RuleId::NotAudited)
        .filter(|found| found.severity != Severity::Info || style.verbose)
        .collect()
}
