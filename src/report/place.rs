//! Where a finding points: the file, and in it the clause at fault rather than the first line of its statement.

use std::ops::Range;
use std::path::PathBuf;

use super::excerpt;
use super::{Report, summary};
use crate::catalog::Query;
use crate::finding::Finding;

/// The file that a finding about the whole project is reported in: formats that need one get it.
pub const PROJECT_FILE: &str = "pgproof.toml";

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Relative to the project.
    pub file: PathBuf,
    /// Its first character.
    pub start: Position,
    /// The character after its last, where it is known.
    pub end: Option<Position>,
}

/// A character of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Place {
    /// Of a finding; `None` for one that has no file.
    #[must_use]
    pub fn of(report: &Report, found: &Finding) -> Option<Self> {
        let location = found.location.as_ref()?;
        let whole_line = || Self {
            file: location.file.clone(),
            start: Position {
                line: location.line.max(1),
                column: 1,
            },
            end: None,
        };
        let query = found
            .query
            .as_deref()
            .and_then(|name| report.query_named(name));
        match query.filter(|(_, query)| query.file == location.file) {
            Some((index, query)) => Some(clause(report, index, query, found)),
            None => Some(whole_line()),
        }
    }

    /// `queries/orders.sql:12:7`.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{}:{}:{}",
            self.file.display(),
            self.start.line,
            self.start.column
        )
    }

    /// The file with `/` between its folders, on every system.
    #[must_use]
    pub fn path(&self) -> String {
        let parts = self.file.components();
        let parts: Vec<String> = parts
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        parts.join("/").replacen("//", "/", 1)
    }
}

/// The clause of a query, else its first word.
fn clause(report: &Report, index: usize, query: &Query, found: &Finding) -> Place {
    let failed = report
        .runs_of(index)
        .and_then(|runs| runs.failure.as_ref()?.position)
        .filter(|_| summary::is_not_audited(found));
    let range = match failed {
        Some(position) => excerpt::word_at_position(query, position),
        None => excerpt::guilty(query, found.rule, &found.evidence)
            .into_iter()
            .min_by_key(|range| range.start),
    };
    let (start, end) = match range {
        Some(range) => (
            position(query, range.start),
            Some(position(query, trimmed_end(query, &range))),
        ),
        None => (position(query, 0), None),
    };
    Place {
        file: query.file.clone(),
        start,
        end,
    }
}

fn trimmed_end(query: &Query, range: &Range<usize>) -> usize {
    let text = query.source.get(range.clone()).unwrap_or_default();
    range.start + text.trim_end().len()
}

/// Of a byte of the query's source.
fn position(query: &Query, offset: usize) -> Position {
    let before = query.source.get(..offset).unwrap_or(&query.source);
    let lines = before.matches('\n').count();
    let in_line = before.rsplit('\n').next().unwrap_or_default();
    let column = in_line.chars().count() + 1;
    let first = if lines == 0 {
        query.column.saturating_sub(1)
    } else {
        0
    };
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: query.line.saturating_add(number(lines)),
        column: number(column).saturating_add(first),
    }
}
