//! An input with anything in it: finds where plans begin, gives each to the reader of its format, and goes on behind it.

use super::frame::Line;
use super::json::json;
use super::repair::{self, Extent};
use super::text;
use super::{Format, Found, PlanParseError, Plans, Reading, json_value, line_number, xml, yaml};
use crate::plan::node::Gap;

/// Reads every plan among the lines.
pub(super) fn read(lines: &[Line<'_>]) -> Reading {
    let mut reading = Reading::default();
    // A bracket that never closes leads to the end of the input: there is no point in trying the next one.
    let mut json_may_come = true;
    let mut at = 0;
    while at < lines.len() {
        let text = lines[at].text.trim_start();
        at = if text.starts_with(['[', '{']) && json_may_come {
            let piece = json_piece(&lines[at..]);
            json_may_come = piece.ended;
            piece.report(lines[at].index, &mut reading);
            at + piece.lines
        } else if xml::begins(text) {
            let (plans, taken) = value_piece(Format::Xml, lines, at);
            report(plans, lines[at].index, &mut reading);
            at + taken
        } else if yaml::begins(text) {
            let (plans, taken) = value_piece(Format::Yaml, lines, at);
            report(plans, lines[at].index, &mut reading);
            at + taken
        } else if text::begins(text) || text::begins_part(text) {
            let (plan, next) = text::read(lines, at);
            if let Some(plan) = plan {
                reading.plans.push(Found {
                    line: line_number(lines[at].index),
                    plan,
                });
            }
            next.max(at + 1)
        } else {
            if text::is_lost(text) {
                not_understood(&lines[at], &mut reading);
            }
            at + 1
        };
    }
    if let Some(server) = other_server(lines) {
        reading = Reading {
            plans: Vec::new(),
            unread: vec![server],
        };
    }
    if reading.plans.is_empty() && reading.unread.is_empty() {
        reading.unread.extend(what_else(lines));
    }
    reading
}

/// Counts a line of a plan that belongs to no plan that was read.
fn not_understood(line: &Line<'_>, reading: &mut Reading) {
    let number = line_number(line.index);
    if let Some(PlanParseError::NotUnderstood { count, .. }) = reading.unread.last_mut() {
        *count += 1;
        return;
    }
    reading.unread.push(PlanParseError::NotUnderstood {
        line: number,
        count: 1,
        text: line.text.trim().to_owned(),
    });
}

/// Plans of other systems look like PostgreSQL's at a glance: MySQL's trees have one blank behind the arrow and no widths.
fn other_server(lines: &[Line<'_>]) -> Option<PlanParseError> {
    let is_mysql = |text: &str| {
        let tree = text.trim_start_matches(['|', ' ', '\t']);
        let of_tree = tree.strip_prefix("-> ").is_some_and(|rest| {
            !rest.starts_with(' ')
                && (rest.contains("(cost=")
                    || rest.contains("(actual time=")
                    || rest.contains("row(s)"))
                && !rest.contains("width=")
        });
        of_tree || text.contains("\"query_block\"")
    };
    let server = |text: &str| {
        if is_mysql(text) {
            Some("MySQL or MariaDB")
        } else if text.trim_start().starts_with("Plan hash value:") {
            Some("Oracle Database")
        } else if text.contains("http://schemas.microsoft.com/sqlserver/") {
            Some("Microsoft SQL Server")
        } else {
            None
        }
    };
    lines.iter().find_map(|line| {
        Some(PlanParseError::OtherServer {
            line: line_number(line.index),
            server: server(&line.text)?,
        })
    })
}

fn report(plans: Plans, index: usize, reading: &mut Reading) {
    let line = line_number(index);
    match plans {
        Ok(plans) => reading
            .plans
            .extend(plans.into_iter().map(|plan| Found { line, plan })),
        // JSON or YAML of something else.
        Err(PlanParseError::NoPlan) => {}
        Err(error) => reading.unread.push(error),
    }
}

/// What a bracket at the beginning of a line led to.
struct JsonPiece {
    plans: Plans,
    lines: usize,
    ended: bool,
    /// It has the words of a plan.
    is_plan: bool,
}

impl JsonPiece {
    fn report(&self, index: usize, reading: &mut Reading) {
        // A bracket at the beginning of a line may be anything.
        if self.plans.is_err() && !self.is_plan {
            return;
        }
        let plans = self.plans.clone().map_err(|error| match error {
            PlanParseError::Malformed {
                format,
                line,
                reason,
            } => {
                let line = line.map_or(line_number(index), |line| {
                    line.saturating_add(line_number(index)) - 1
                });
                PlanParseError::Malformed {
                    format,
                    line: Some(line),
                    reason,
                }
            }
            other => other,
        });
        report(plans, index, reading);
    }
}

fn json_piece(lines: &[Line<'_>]) -> JsonPiece {
    // Only what the value takes is put together: a log may hold thousands of them.
    let (text, ended) = match repair::extent(lines.iter().map(|line| &*line.text)) {
        Extent::Whole { line, end } => {
            let mut text = joined(&lines[..line]);
            text.push_str(&lines[line].text[..end]);
            (text, true)
        }
        Extent::Truncated => (joined(lines), false),
    };
    let value = text.trim_start();
    let mut plans = json(value);
    if plans.is_err() {
        let whole = repair::without_breaks_in_strings(value);
        let repaired = if ended {
            Some(whole)
        } else {
            repair::closed(&whole)
        };
        // The first error is about the text as it was given.
        if let Some(Ok(mut read)) = repaired.map(|text| json(&text)) {
            if let Some(last) = read.last_mut().filter(|_| !ended) {
                last.gaps.push(Gap::NoEnd);
            }
            plans = Ok(read);
        }
    }
    // Without a plan, an unclosed bracket is but a bracket.
    let taken = if ended || plans.is_ok() {
        value.matches('\n').count() + 1
    } else {
        1
    };
    let is_plan = value.contains("\"Plan\"") || value.contains("\"Node Type\"");
    JsonPiece {
        plans,
        lines: taken,
        ended,
        is_plan,
    }
}

fn value_piece(format: Format, lines: &[Line<'_>], at: usize) -> (Plans, usize) {
    let read = match format {
        Format::Xml => xml::read(&lines[at..]),
        Format::Yaml | Format::Json => yaml::read(&lines[at..]),
    };
    let is_cut = read.is_cut;
    let plans = read
        .value
        .map_err(|reason| (read.fails_at, reason))
        .and_then(|value| {
            json_value(&value).map_err(|error| match error {
                PlanParseError::Malformed { reason, .. } => (0, reason),
                PlanParseError::NoPlan => (usize::MAX, String::new()),
                other => (0, other.to_string()),
            })
        });
    let plans = plans.map(|mut plans| {
        if let Some(last) = plans.last_mut().filter(|_| is_cut) {
            last.gaps.push(Gap::NoEnd);
        }
        plans
    });
    let plans = plans.map_err(|(line, reason)| {
        if line == usize::MAX {
            return PlanParseError::NoPlan;
        }
        PlanParseError::Malformed {
            format,
            line: Some(line_number(lines[at].index + line)),
            reason,
        }
    });
    (plans, read.lines.max(1))
}

/// A value that a reader made of lines.
pub(super) struct ValuePiece {
    /// The value, or what is wrong.
    pub(super) value: Result<serde_json::Value, String>,
    /// Its end is missing.
    pub(super) is_cut: bool,
    /// Where it went wrong, counted from the first line.
    pub(super) fails_at: usize,
    /// Lines taken.
    pub(super) lines: usize,
}

/// The lines with their breaks.
pub(super) fn joined(lines: &[Line<'_>]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.text.len() + 1).sum());
    for line in lines {
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// What the input is instead: an error of the server, a statement.
fn what_else(lines: &[Line<'_>]) -> Option<PlanParseError> {
    let first = lines.iter().find(|line| !line.text.trim().is_empty())?;
    for line in lines {
        if let Some((_, message)) = line.text.split_once("ERROR:") {
            return Some(PlanParseError::Refused {
                line: line_number(line.index),
                message: message.trim().to_owned(),
            });
        }
    }
    let word = first
        .text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_end_matches('(')
        .to_ascii_lowercase();
    let begins_statements = [
        "select", "with", "insert", "update", "delete", "merge", "explain", "values", "table",
        "execute", "create",
    ];
    begins_statements
        .contains(&word.as_str())
        .then(|| PlanParseError::Statement {
            line: line_number(first.index),
        })
}
