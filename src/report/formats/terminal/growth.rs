//! The page of a catalog that ran at several sizes: what grows fastest first.

use std::io::{self, Write};

use crate::finding::Severity;
use crate::lab::change::ChangeKind;
use crate::lab::growth::{Class, CliffLimit, GrowthReport, Prediction, RunGrowth};
use crate::lab::outlook::rounded;
use crate::report::excerpt::clean;
use crate::report::summary::{Standing, Summary, plural, shown};
use crate::report::{Report, TOOL_VERSION};
use crate::units::{Count, Millis};

use super::finding::Page;
use super::outlook::change_in_words;
use super::style::TerminalStyle;

/// Writes the page.
pub(super) fn render(
    report: &Report,
    growth: &GrowthReport,
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let palette = style.palette();
    let sizes: Vec<String> = growth
        .sizes
        .iter()
        .map(|rows| Count(*rows).to_string())
        .collect();
    let head = format!(
        "pgproof {TOOL_VERSION}, {}, {} run with {} rows of {}, looked ahead to {}",
        super::server(report),
        plural(report.queries.len(), "query", "queries"),
        sizes.join(" / "),
        growth.table,
        Count(growth.to)
    );
    writeln!(out, "{}", palette.quiet(clean(&head)))?;
    let mut runs: Vec<&RunGrowth> = growth.runs.iter().collect();
    let order = |run: &RunGrowth| run.exponent.map_or(-1.0, |exponent| exponent.value);
    runs.sort_by(|a, b| order(b).total_cmp(&order(a)));
    for run in runs {
        one(run, &growth.table, style, out)?;
    }
    let mut page = Page::new(report, style, out);
    for found in shown(report).filter(|found| found.severity > Severity::Info) {
        page.finding(found)?;
    }
    super::verdict(&Summary::of(report), style, out)
}

fn one(run: &RunGrowth, table: &str, style: TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let palette = style.palette();
    let standing = match run.class {
        Class::Constant | Class::Sublinear => Standing::Fine,
        Class::Linear => Standing::Warning,
        Class::Superlinear => Standing::Error,
    };
    let pages: Vec<String> = run
        .points
        .iter()
        .map(|point| Count(point.pages.0 as f64).to_string())
        .collect();
    let exponent = match run.exponent {
        Some(exponent) => format!(
            "k = {:.2} ({:.2} to {:.2})",
            exponent.value, exponent.low, exponent.high
        ),
        None => "too few pages to tell, constant so far".to_owned(),
    };
    writeln!(
        out,
        "\n{}  {}",
        palette.strong(clean(&run.query)),
        clean(&run.parameters)
    )?;
    let law = format!(
        "{}: {exponent}; pages {}",
        run.class.words(),
        pages.join(" / ")
    );
    writeln!(out, "  {}", palette.standing(standing, law))?;
    if let Some(predicted) = run.predicted {
        writeln!(
            out,
            "  at {} rows while the plan stays: {}",
            Count(predicted.rows),
            expected(&predicted)
        )?;
    }
    if let Some(cliff) = run.cliff {
        let limit = match cliff.limit {
            CliffLimit::Pages(pages) => pages.to_string(),
            CliffLimit::Time(time) => time.to_string(),
        };
        let text = format!(
            "passes {limit} at about {} rows of {}",
            Count(rounded(cliff.rows)),
            clean(table)
        );
        writeln!(out, "  {}", palette.standing(Standing::Error, text))?;
    }
    for change in run
        .changes
        .iter()
        .filter(|change| change.change.kind == ChangeKind::Access)
    {
        writeln!(out, "  {}", clean(&change_in_words(change, table)))?;
    }
    if let Some(confirmation) = run.confirmation {
        let text = format!(
            "confirmed at {} rows: the smaller sizes said {}, measured {} and {}",
            Count(confirmation.measured.rows),
            expected(&confirmation.predicted),
            confirmation.measured.pages,
            confirmation.measured.time_ms
        );
        writeln!(out, "  {}", palette.quiet(text))?;
    }
    Ok(())
}

/// `12,000 to 14,000 pages, 40 ms to 90 ms`.
fn expected(predicted: &Prediction) -> String {
    format!(
        "{} to {} pages, {} to {}",
        Count(predicted.pages.low),
        Count(predicted.pages.high),
        Millis(predicted.time_ms.low),
        Millis(predicted.time_ms.high)
    )
}
