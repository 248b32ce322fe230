//! The page of a catalog that was planned at another size: what changes there, then the costs of all that stays.

use std::io::{self, Write};

use crate::lab::outlook::{NOT_RUN, Outlook};
use crate::report::excerpt::clean;
use crate::report::sizes::{SizedRun, Tone, exhausted, outlook_basis, outlooks, refused};
use crate::report::summary::{Standing, plural};
use crate::report::{Report, TOOL_VERSION};

use super::style::TerminalStyle;

/// Writes the page.
pub(super) fn render(
    report: &Report,
    outlook: &Outlook,
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let palette = style.palette();
    let head = format!(
        "pgproof {TOOL_VERSION}, {}, {} {}",
        super::server(report),
        plural(report.queries.len(), "query", "queries"),
        outlook_basis(outlook)
    );
    writeln!(out, "{}", palette.quiet(clean(&head)))?;
    for text in exhausted(outlook) {
        writeln!(out, "{}", palette.standing(Standing::Error, clean(&text)))?;
    }
    let (changed, same) = outlooks(outlook);
    for run in &changed {
        one(run, style, out)?;
    }
    if !same.is_empty() {
        writeln!(out, "\nthe same plan up to there")?;
    }
    for run in &same {
        let lines: Vec<&str> = run.lines.iter().map(|line| line.text.as_str()).collect();
        writeln!(
            out,
            "  {}, {}: {}",
            clean(run.query),
            clean(run.parameters),
            clean(&lines.join("; "))
        )?;
    }
    let refused = refused(report);
    if !refused.is_empty() {
        writeln!(
            out,
            "\nnot planned, the server refuses them: {}",
            clean(&refused.join(", "))
        )?;
    }
    let count = plural(outlook.runs.len(), "plan", "plans");
    writeln!(
        out,
        "\n{} of {count} change; {NOT_RUN}, in {}",
        changed.len(),
        report.elapsed
    )
}

/// One query, a line for each thing there is to say.
pub(super) fn one(run: &SizedRun<'_>, style: TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let palette = style.palette();
    writeln!(
        out,
        "\n{}  {}",
        palette.strong(clean(run.query)),
        clean(run.parameters)
    )?;
    for line in &run.lines {
        let text = clean(&line.text);
        match line.tone {
            Tone::Of(standing) => writeln!(out, "  {}", palette.standing(standing, text))?,
            Tone::Quiet => writeln!(out, "  {}", palette.quiet(text))?,
            Tone::Plain => writeln!(out, "  {text}")?,
        }
    }
    Ok(())
}
