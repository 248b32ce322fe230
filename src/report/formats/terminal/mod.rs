//! The report for a person at a terminal: one screen that says what costs most and what to do, and with `verbose` before it the
//! table of queries and every finding with its proof. Reads well without colour and from 60 columns on.

mod diff;
mod explain;
mod finding;
mod growth;
mod last;
mod outlook;
mod style;
mod table;
mod trace;

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::catalog::Caller;
use crate::finding::{Measurement, RuleId};
use crate::units::{Bytes, Count};

use crate::report::excerpt::clean;
use crate::report::impact::costliest_first;
use crate::report::summary::{
    Standing, Summary, beside_queries, on_small_tables, plural, shown, verdicts,
};
use crate::report::wrapped::{Wrapped, lines};
use crate::report::{Grouping, Origin, Report, TOOL_VERSION};

use super::{Escaping, Format};
use last::Before;
pub use style::TerminalStyle;

/// For people.
pub const FORMAT: Format = Format {
    name: "terminal",
    about: "for people (default)",
    escaping: Escaping::Styled,
    render,
};

/// Writes the page that belongs to the command.
///
/// # Errors
/// What `out` returns.
pub fn render(report: &Report, style: &TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    if let (Origin::Trace, Some(traffic)) = (report.origin, &report.traffic) {
        let mut page = Wrapped::new(out, style.columns());
        trace::render(report, traffic, *style, &mut page)?;
        return page.flush();
    }
    if let Some(growth) = &report.growth {
        let mut page = Wrapped::new(out, style.columns());
        growth::render(report, growth, *style, &mut page)?;
        return page.flush();
    }
    if let Some(outlook) = &report.outlook {
        let mut page = Wrapped::new(out, style.columns());
        outlook::render(report, outlook, *style, &mut page)?;
        return page.flush();
    }
    match (report.origin, &report.comparison) {
        (Origin::Diff, Some(comparison)) => {
            let mut page = Wrapped::new(out, style.columns());
            diff::render(report, comparison, style, &mut page)?;
            page.flush()
        }
        (Origin::Explain, _) => {
            let mut page = Wrapped::new(out, style.columns());
            explain::render(report, style, &mut page)?;
            page.flush()
        }
        (Origin::Audit | Origin::Diff | Origin::Trace, _) => audit(report, style, out),
    }
}

fn audit(report: &Report, style: &TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let summary = Summary::of(report);
    let mut head = Vec::new();
    header(report, &summary, *style, &mut head)?;
    compared(report, *style, &mut head)?;
    let used = head.iter().filter(|byte| **byte == b'\n').count();
    out.write_all(&head)?;
    let everything =
        |out: &mut dyn Write| last::render(report, &summary, *style, Before::Everything, out);
    if style.verbose {
        in_full(report, *style, out)?;
        return everything(out);
    }
    if shown(report).count() <= FEW
        && report.view.top.is_none()
        && report.view.by == Grouping::Impact
    {
        // What fits on the page is shown in full at once.
        let (mut full, mut last) = (Vec::new(), Vec::new());
        in_full(report, *style, &mut full)?;
        everything(&mut last)?;
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        if used + lines(&full) + lines(&last) <= last::LINES {
            out.write_all(&full)?;
            return out.write_all(&last);
        }
    }
    last::render(report, &summary, *style, Before::Head(used), out)
}

/// More findings than this never fit on a page.
const FEW: usize = 6;

/// The table of queries and every finding with its proof.
fn in_full(report: &Report, style: TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let verdicts = verdicts(report);
    let beside = beside_queries(report);
    table::render(&verdicts, &beside, style, out)?;
    let mut page = finding::Page::new(report, style, out);
    let audited = shown(report).filter(|found| found.rule != RuleId::NotAudited);
    for found in costliest_first(report, audited) {
        page.finding(found)?;
    }
    page.not_audited()?;
    page.suppressed()
}

fn header(
    report: &Report,
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
    let dataset = match (&report.dataset, &report.copy_of) {
        (None, Some(original)) => format!("a copy of {original}"),
        (None, None) => "a given database".to_owned(),
        (Some(dataset), _) => {
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
    let first = [format!("pgproof {TOOL_VERSION}"), server(report), dataset];
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
    judged.extend(asked_by(report));
    let small = on_small_tables(report);
    if !small.is_empty() {
        let queries = plural(small.len(), "query reads", "queries read");
        judged.push(format!(
            "{queries} tables of less than 1,000 rows only, too small to judge: {}",
            some_of(&small)
        ));
    }
    let reused = report.reused.map(|reused| {
        format!(
            "{} of {} unchanged: measured {} ago (--fresh measures anew)",
            reused.queries,
            plural(report.queries.len(), "query", "queries"),
            reused.age()
        )
    });
    let unchanged = report.unchanged.as_ref().map(|unchanged| {
        format!(
            "{} unchanged since {}: not audited",
            plural(unchanged.queries, "query", "queries"),
            unchanged.since
        )
    });
    let reused: Vec<String> = unchanged.into_iter().chain(reused).collect();
    let all = [&first[..], &second[..], &reused[..], &judged[..]];
    for facts in all.into_iter().filter(|facts| !facts.is_empty()) {
        for line in finding::lines_of_facts(&finding::joined_facts(facts), style.columns()) {
            writeln!(out, "{}", palette.quiet(clean(&line)))?;
        }
    }
    Ok(())
}

/// Queries with a caller of their own: `2 queries asked by role app_user, app.user_id = 42`.
fn asked_by(report: &Report) -> Vec<String> {
    let mut callers: BTreeMap<&Caller, usize> = BTreeMap::new();
    let own = report.queries.iter().map(|query| &query.asked_by);
    for caller in own.filter(|caller| !caller.is_connection()) {
        *callers.entry(caller).or_default() += 1;
    }
    const SHOWN: usize = 3;
    let more = callers.len().saturating_sub(SHOWN);
    let told = |(caller, queries): (&Caller, usize)| {
        format!("{} asked by {caller}", plural(queries, "query", "queries"))
    };
    let mut told: Vec<String> = callers.into_iter().take(SHOWN).map(told).collect();
    if more > 0 {
        told.push(format!("and by {} more", plural(more, "caller", "callers")));
    }
    told
}

/// `PostgreSQL 15.18`.
fn server(report: &Report) -> String {
    format!(
        "PostgreSQL {}",
        report.server_version.as_deref().unwrap_or("unknown")
    )
}

/// Each query beside its earlier version.
fn compared(report: &Report, style: TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let figures = |taken: &Option<Measurement>| match taken {
        Some(taken) => format!("{}, {}", taken.blocks, taken.time_ms),
        None => "not measured".to_owned(),
    };
    for compared in &report.compared {
        let Some(query) = report.queries.get(compared.query) else {
            continue;
        };
        writeln!(
            out,
            "\n{} compared with {}",
            style.palette().strong(clean(&query.name)),
            clean(&compared.with)
        )?;
        writeln!(out, "  before {}", figures(&compared.before))?;
        writeln!(out, "  now    {}", figures(&compared.after))?;
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

/// Counts, and the exit code with its reason.
fn verdict(summary: &Summary, style: TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let palette = style.palette();
    let worst = match (summary.errors, summary.warnings) {
        (0, 0) => Standing::Fine,
        (0, _) => Standing::Warning,
        (_, _) => Standing::Error,
    };
    let counts = format!(
        "{} in {} ({}) after {}",
        palette.standing(worst, summary.counts()),
        plural(summary.queries, "query", "queries"),
        summary.standings(),
        summary.elapsed
    );
    let exit = format!(
        "{} {}",
        palette.strong(format_args!("exit code {}:", summary.exit_code())),
        summary.exit_reason()
    );
    writeln!(out)?;
    for line in [counts, exit] {
        for part in lines(&line, style.columns()) {
            writeln!(out, "{part}")?;
        }
    }
    Ok(())
}
