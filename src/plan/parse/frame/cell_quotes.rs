//! The quotes of a CSV cell: of a line alone (psql's CSV, pgAdmin's copies) or of a whole value over many lines.

use super::super::text;
use super::{Line, is_heading};

/// Lines without the quotes around their cells.
pub(super) fn unquoted(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    // Aligned tables quote nothing.
    if lines.iter().any(|line| super::is_ruler(&line.text)) {
        return lines;
    }
    let first = lines
        .iter()
        .map(|line| line.text.trim())
        .find(|text| !text.is_empty() && !is_heading(text))
        .unwrap_or_default();
    let has_cells = first.starts_with('"') || first.starts_with("QUERY PLAN,\"");
    let has_heading = lines
        .iter()
        .any(|line| is_heading(&line.text) || line.text.starts_with("QUERY PLAN,"));
    let is_quoted =
        |line: &Line<'_>| line.text.starts_with('"') || line.text.starts_with("QUERY PLAN,\"");
    // Without a heading, a cell that has a plan's line in it tells.
    let has_quoted_line = || {
        lines.iter().any(|line| {
            line.text
                .trim_end()
                .strip_prefix('"')
                .and_then(|inside| inside.strip_suffix('"'))
                .is_some_and(text::is_figure_line)
        })
    };
    if !(has_cells || has_heading || has_quoted_line()) || !lines.iter().any(is_quoted) {
        return lines;
    }
    let mut within = false;
    lines
        .into_iter()
        .map(|line| {
            let text = line.text.as_ref();
            if !within && is_heading(text) {
                return line;
            }
            let (before, cell) = match text.strip_prefix("QUERY PLAN,") {
                Some(cell) if !within => ("QUERY PLAN,", cell),
                Some(_) | None => ("", text),
            };
            if !within && !opens(cell) {
                return line;
            }
            let (bare, still_within) = without_quotes(cell, within);
            within = still_within;
            let text = format!("{before}{bare}");
            line.with(text)
        })
        .collect()
}

/// Whether a line begins a quoted cell: one that ends with it, or a plan's beginning.
fn opens(line: &str) -> bool {
    let Some(inside) = line.strip_prefix('"') else {
        return false;
    };
    let text = inside.trim_start();
    let closes = inside.trim_end().ends_with('"') && !inside.contains("\": ");
    closes || text.starts_with(['[', '{', '<']) || text.starts_with("- ") || text::begins(text)
}

/// The text with doubled quotes made one and single ones left out; whether a cell is still open at its end.
fn without_quotes(text: &str, mut within: bool) -> (String, bool) {
    let mut bare = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if within && chars.peek() == Some(&'"') => {
                chars.next();
                bare.push('"');
            }
            '"' => within = !within,
            other => bare.push(other),
        }
    }
    (bare, within)
}
