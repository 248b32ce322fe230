//! The summary table: one line a query, worst first.

use std::io::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding, Style};

use crate::finding::{Finding, RuleId, Severity};
use crate::report::excerpt::clean;
use crate::report::summary::{Standing, Verdict, plural};
use crate::units::Count;

use super::style::TerminalStyle;

const HEADINGS: [&str; 7] = ["", "query", "time", "with fix", "pages", "rows", "findings"];
const NAME: usize = 1;
const WITH_FIX: usize = 3;
const RULES: usize = 6;
/// Columns between columns.
const GAP: usize = 2;
const WIDEST_RULES: usize = 60;
/// A query's name is not cut below this.
const NARROWEST_NAME: usize = 16;
/// What fixes would give is left out below this: it is reported with each finding.
const ROOM_FOR_FIXES: usize = 90;

/// Columns that a narrow page goes without, the first of them first.
const DROPPED: [usize; 3] = [5, 4, 2];

/// A line of the table.
struct Row {
    standing: Standing,
    cells: [String; HEADINGS.len()],
}

/// Writes the table and what it leaves out.
pub(super) fn render(
    verdicts: &[Verdict<'_>],
    beside: &[&Finding],
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_shown = |verdict: &&Verdict<'_>| style.verbose || verdict.standing() != Standing::Fine;
    let mut rows: Vec<Row> = verdicts
        .iter()
        .filter(is_shown)
        .map(row)
        .chain(schema_row(beside))
        .collect();
    if !rows.is_empty() {
        let with_fixes = style.columns() >= ROOM_FOR_FIXES
            && rows.iter().any(|row| !row.cells[WITH_FIX].is_empty());
        let mut columns: Vec<usize> = (0..HEADINGS.len())
            .filter(|column| with_fixes || *column != WITH_FIX)
            .collect();
        for dropped in DROPPED {
            if least_width(&rows, &columns) > style.columns() {
                columns.retain(|column| *column != dropped);
            }
        }
        writeln!(out)?;
        fit(&mut rows, &columns, style.columns());
        write_table(&rows, &columns, style, out)?;
    }
    let fine = verdicts
        .iter()
        .filter(|verdict| verdict.standing() == Standing::Fine)
        .count();
    if fine > 0 && !style.verbose {
        let queries = plural(fine, "query is", "queries are");
        writeln!(
            out,
            "\n{}",
            style
                .palette()
                .quiet(format_args!("{queries} fine (--verbose lists them)"))
        )?;
    }
    Ok(())
}

fn row(verdict: &Verdict<'_>) -> Row {
    let number = |number: Option<f64>| {
        number.map_or_else(|| "-".to_owned(), |number| Count(number).to_string())
    };
    let standing = verdict.standing();
    let cells = [
        standing.as_str().to_owned(),
        clean(&verdict.query.name),
        verdict.time(),
        verdict
            .time_with_fix()
            .map(|time| time.to_string())
            .unwrap_or_default(),
        number(verdict.pages().map(|pages| pages.0 as f64)),
        number(verdict.rows()),
        verdict.rules(),
    ];
    Row { standing, cells }
}

/// Findings about tables, indexes and migrations share one line.
fn schema_row(beside: &[&Finding]) -> Option<Row> {
    let mut rules: Vec<&str> = Vec::new();
    let beside: Vec<&&Finding> = beside
        .iter()
        .filter(|found| found.rule != RuleId::NotAudited)
        .collect();
    for found in beside
        .iter()
        .filter(|found| found.severity != Severity::Info)
    {
        if !rules.contains(&found.rule.as_str()) {
            rules.push(found.rule.as_str());
        }
    }
    let standing = match beside.iter().map(|found| found.severity).max() {
        Some(Severity::Error) => Standing::Error,
        Some(Severity::Warning) => Standing::Warning,
        Some(Severity::Info) | None => return None,
    };
    let cells = [
        standing.as_str(),
        "(schema)",
        "-",
        "",
        "-",
        "-",
        &rules.join(", "),
    ]
    .map(str::to_owned);
    Some(Row { standing, cells })
}

fn width(rows: &[Row], column: usize) -> usize {
    let widest = rows
        .iter()
        .map(|row| textwrap::core::display_width(&row.cells[column]))
        .max()
        .unwrap_or(0);
    widest.max(HEADINGS[column].len())
}

/// The longest rule's id: it is searched for whole, and so never broken.
fn longest_id(rows: &[Row]) -> usize {
    let ids = rows.iter().flat_map(|row| row.cells[RULES].split(", "));
    ids.map(|id| id.len() + 1)
        .max()
        .unwrap_or(0)
        .max(HEADINGS[RULES].len())
}

/// What figures and the gaps between the columns take.
fn taken(rows: &[Row], columns: &[usize]) -> usize {
    let figures = columns
        .iter()
        .filter(|column| **column != NAME && **column != RULES);
    figures.map(|column| width(rows, *column)).sum::<usize>() + GAP * (columns.len() - 1)
}

fn least_width(rows: &[Row], columns: &[usize]) -> usize {
    taken(rows, columns) + NARROWEST_NAME + longest_id(rows)
}

/// Cuts names and wraps the findings so that a line fits.
fn fit(rows: &mut [Row], columns: &[usize], room: usize) {
    let left = room.saturating_sub(taken(rows, columns));
    let longest_id = longest_id(rows);
    let name = width(rows, NAME)
        .min(left.saturating_sub(longest_id))
        .max(NARROWEST_NAME);
    let unbroken = textwrap::Options::new(
        left.saturating_sub(name)
            .clamp(longest_id, WIDEST_RULES.max(longest_id)),
    )
    .break_words(false)
    .word_splitter(textwrap::WordSplitter::NoHyphenation); // an id is searched for whole
    for row in rows.iter_mut() {
        row.cells[NAME] = cut(&row.cells[NAME], name);
        row.cells[RULES] = textwrap::wrap(&row.cells[RULES], &unbroken).join("\n");
    }
}

/// At most `width` columns, with `…` where something was cut.
pub(super) fn cut(text: &str, width: usize) -> String {
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

fn write_table(
    rows: &[Row],
    columns: &[usize],
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let palette = style.palette();
    let mut builder = Builder::default();
    builder.push_record(
        columns
            .iter()
            .map(|column| palette.quiet(HEADINGS[*column]).to_string()),
    );
    for row in rows {
        builder.push_record(
            columns
                .iter()
                .map(|column| match (*column, &row.cells[*column]) {
                    (0, cell) => palette.standing(row.standing, cell).to_string(),
                    (NAME, cell) => palette.strong(cell).to_string(),
                    (WITH_FIX, cell) if !cell.is_empty() => palette.good(cell).to_string(),
                    (_, cell) => cell.clone(),
                }),
        );
    }
    let figures = Columns::new(NAME + 1..columns.len() - 1);
    let mut table = builder.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, GAP, 0, 0))
        .with(Modify::new(Columns::last()).with(Padding::zero()))
        .with(Modify::new(figures).with(Alignment::right()));
    for line in table.to_string().lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
