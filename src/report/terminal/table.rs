//! The summary table: one line a query, worst first.

use std::io::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Object, Rows};
use tabled::settings::{Alignment, Modify, Padding, Style};

use crate::finding::{Finding, Severity};
use crate::report::excerpt::clean;
use crate::report::summary::{Standing, Verdict, plural};
use crate::units::Count;

use super::style::TerminalStyle;

const HEADINGS: [&str; 6] = ["", "query", "time", "pages", "rows", "findings"];
/// Padding of two columns after each of the first five.
const GAPS: usize = 2 * (HEADINGS.len() - 1);
const WIDEST_RULES: usize = 60;
/// A query's name is not cut below this.
const NARROWEST_NAME: usize = 16;

/// Writes the table and what it leaves out.
pub(super) fn render(
    verdicts: &[Verdict<'_>],
    beside: &[&Finding],
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let shown: Vec<&Verdict<'_>> =
        verdicts.iter().filter(|verdict| style.verbose || verdict.standing() != Standing::Fine).collect();
    let mut cells: Vec<(Standing, [String; 6])> =
        shown.iter().map(|verdict| (verdict.standing(), row(verdict))).collect();
    cells.extend(schema_row(beside));
    if !cells.is_empty() {
        writeln!(out)?;
        fit(&mut cells, style.columns());
        write_table(&cells, style, out)?;
    }
    let fine = verdicts.iter().filter(|verdict| verdict.standing() == Standing::Fine).count();
    if fine > 0 && !style.verbose {
        let queries = plural(fine, "query is", "queries are");
        writeln!(out, "\n{}", style.palette().quiet(format_args!("{queries} fine (--verbose lists them)")))?;
    }
    Ok(())
}

fn row(verdict: &Verdict<'_>) -> [String; 6] {
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| Count(number).to_string());
    [
        verdict.standing().as_str().to_owned(),
        clean(&verdict.query.name),
        verdict.time(),
        number(verdict.pages().map(|pages| pages.0 as f64)),
        number(verdict.rows()),
        if verdict.standing() == Standing::Failed { "did not run".to_owned() } else { verdict.rules() },
    ]
}

/// Findings about tables, indexes and migrations share one line.
fn schema_row(beside: &[&Finding]) -> Option<(Standing, [String; 6])> {
    let mut rules: Vec<&str> = Vec::new();
    for found in beside.iter().filter(|found| found.severity != Severity::Info) {
        if !rules.contains(&found.rule.as_str()) {
            rules.push(found.rule.as_str());
        }
    }
    let standing = match beside.iter().map(|found| found.severity).max() {
        Some(Severity::Error) => Standing::Error,
        Some(Severity::Warning) => Standing::Warning,
        Some(Severity::Info) | None => return None,
    };
    let cell = |text: &str| text.to_owned();
    Some((standing, [cell(standing.as_str()), cell("(schema)"), cell("-"), cell("-"), cell("-"), rules.join(", ")]))
}

/// Cuts names and wraps the findings so that a line fits.
fn fit(cells: &mut [(Standing, [String; 6])], columns: usize) {
    let width = |cells: &[(Standing, [String; 6])], column: usize| {
        let widest = cells.iter().map(|(_, row)| textwrap::core::display_width(&row[column])).max().unwrap_or(0);
        widest.max(HEADINGS[column].len())
    };
    let figures: usize = [0, 2, 3, 4].iter().map(|column| width(cells, *column)).sum();
    let left = columns.saturating_sub(figures + GAPS);
    let longest_rule = cells.iter().flat_map(|(_, row)| row[5].split(", ")).map(|id| id.len() + 1).max().unwrap_or(0);
    let name = width(cells, 1).min(left.saturating_sub(longest_rule.max(HEADINGS[5].len()))).max(NARROWEST_NAME);
    let rules = left.saturating_sub(name).clamp(longest_rule.max(1), WIDEST_RULES);
    let unbroken =
        textwrap::Options::new(rules).break_words(false).word_splitter(textwrap::WordSplitter::NoHyphenation); // an id is searched for whole
    for (_, row) in cells.iter_mut() {
        row[1] = cut(&row[1], name);
        row[5] = textwrap::wrap(&row[5], &unbroken).join("\n");
    }
}

/// At most `width` columns, with `…` where something was cut.
fn cut(text: &str, width: usize) -> String {
    if textwrap::core::display_width(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        if textwrap::core::display_width(&kept) + 2 > width {
            break;
        }
        kept.push(character);
    }
    kept + "…"
}

fn write_table(cells: &[(Standing, [String; 6])], style: TerminalStyle, out: &mut dyn Write) -> io::Result<()> {
    let palette = style.palette();
    let mut builder = Builder::default();
    builder.push_record(HEADINGS.map(|heading| palette.quiet(heading).to_string()));
    for (standing, row) in cells {
        let [severity, name, rest @ ..] = row;
        let first = [palette.standing(*standing, severity).to_string(), palette.strong(name).to_string()];
        builder.push_record(first.into_iter().chain(rest.iter().cloned()));
    }
    let mut table = builder.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::last()).with(Padding::zero()))
        .with(Modify::new(Columns::new(2..5).intersect(Rows::new(0..))).with(Alignment::right()));
    for line in table.to_string().lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
