//! What was sent: how much, what it says of loops, and where the time went.

use std::io::{self, Write};

use crate::report::excerpt::clean;
use crate::report::impact::costliest_first;
use crate::report::summary::{Summary, plural, shown};
use crate::report::traffic::Traffic;
use crate::report::wrapped::below;
use crate::report::{Grouping, Report, TOOL_VERSION};
use crate::units::Millis;

use super::finding::{Page, lines_of_facts};
use super::style::TerminalStyle;

/// Writes the page.
pub(super) fn render(
    report: &Report,
    traffic: &Traffic,
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let palette = style.palette();
    for line in lines_of_facts(&head(traffic), style.columns()) {
        writeln!(out, "{}", palette.quiet(clean(&line)))?;
    }
    let mut page = Page::new(report, style, out);
    let mut findings = costliest_first(report, shown(report));
    findings.truncate(report.view.top.unwrap_or(usize::MAX));
    match report.view.by {
        Grouping::Impact | Grouping::Index => {}
        Grouping::Query => findings.sort_by_key(|found| found.query.clone()),
        Grouping::Table => findings.sort_by_key(|found| found.evidence.relation.clone()),
    }
    for found in findings {
        page.finding(found)?;
    }
    page.suppressed()?;
    slowest(traffic, style, out)?;
    let summary = Summary::of(report);
    writeln!(out)?;
    let counts = format!(
        "{} in {}{}",
        summary.counts(),
        plural(
            usize::try_from(traffic.statements).unwrap_or(usize::MAX),
            "statement",
            "statements"
        ),
        if traffic.inconclusive.is_empty() {
            ""
        } else {
            ", inconclusive"
        }
    );
    let exit = format!(
        "{} {}",
        palette.strong(format_args!("exit code {}:", summary.exit_code())),
        summary.exit_reason()
    );
    writeln!(out, "{}", palette.strong(counts))?;
    writeln!(out, "{exit}")
}

/// `pgproof 0.1.0 · server.log · 12,345 executions of 87 statements in 14 sessions over 3.2 min`.
fn head(traffic: &Traffic) -> String {
    const SHOWN: usize = 3;
    let mut from: Vec<String> = traffic.from.iter().take(SHOWN).cloned().collect();
    if traffic.from.len() > SHOWN {
        from.push(format!("{} files more", traffic.from.len() - SHOWN));
    }
    let over = traffic
        .span_ms
        .map(|span| format!(" over {span}"))
        .unwrap_or_default();
    let number =
        |number: u64, one, many| plural(usize::try_from(number).unwrap_or(usize::MAX), one, many);
    let mut text = format!(
        "pgproof {TOOL_VERSION} · {} · {} of {} in {}{over}",
        from.join(", "),
        number(traffic.executions, "execution", "executions"),
        number(traffic.statements, "statement", "statements"),
        number(traffic.sessions, "session", "sessions"),
    );
    if traffic.passed_over > 0 {
        text.push_str(&format!(
            " · {} between pgproof:off and pgproof:on",
            number(traffic.passed_over, "execution", "executions")
        ));
    }
    text
}

fn slowest(traffic: &Traffic, style: TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    if traffic.slowest.is_empty() {
        return Ok(());
    }
    let palette = style.palette();
    writeln!(out, "\n{}", palette.strong("Where the time went"))?;
    for slow in &traffic.slowest {
        let mean = Millis(slow.total_ms.0 / slow.executions.max(1) as f64);
        let facts = format!(
            "{:>4.0} %  {} in {} of {mean} each, the longest {}: ",
            slow.share * 100.0,
            slow.total_ms,
            plural(
                usize::try_from(slow.executions).unwrap_or(usize::MAX),
                "execution",
                "executions"
            ),
            slow.longest_ms
        );
        let text = format!("{} {}", slow.query, slow.statement);
        for line in below(&facts, 8, &clean(&text), style.columns()) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
