//! The page of a catalog that ran at several sizes: what grows fastest first.

use std::io::{self, Write};

use crate::finding::Severity;
use crate::lab::growth::GrowthReport;
use crate::report::excerpt::clean;
use crate::report::sizes::{growth_basis, growths};
use crate::report::summary::{Summary, plural, shown};
use crate::report::{Report, TOOL_VERSION};

use super::finding::Page;
use super::outlook;
use super::style::TerminalStyle;

/// Writes the page.
pub(super) fn render(
    report: &Report,
    growth: &GrowthReport,
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let palette = style.palette();
    let head = format!(
        "pgproof {TOOL_VERSION}, {}, {} {}",
        super::server(report),
        plural(report.queries.len(), "query", "queries"),
        growth_basis(growth)
    );
    writeln!(out, "{}", palette.quiet(clean(&head)))?;
    for run in growths(growth) {
        outlook::one(&run, style, out)?;
    }
    let mut page = Page::new(report, style, out);
    for found in shown(report).filter(|found| found.severity > Severity::Info) {
        page.finding(found)?;
    }
    super::verdict(&Summary::of(report), style, out)
}
