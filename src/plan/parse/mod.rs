//! Readers of EXPLAIN's output in every form in which people have it: one file a format, all into the same [`Plan`]s.
//! Refuse nothing that a server printed: nodes and keys that are not known are kept. Do no arithmetic.

mod draft;
mod frame;
mod json;
mod log;
mod pieces;
mod repair;
mod scalar;
mod text;
mod xml;
mod yaml;

use std::fmt;

use super::Plan;

pub use json::{json, json_value};

/// Why a text holds no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanParseError {
    /// It looks like a format of EXPLAIN and is not, or has a value of the wrong type.
    #[error("the plan is not EXPLAIN's {format}: {reason}")]
    Malformed {
        /// Which it looks like.
        format: Format,
        /// 1-based line of the input, where it is known.
        line: Option<u32>,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing in it is a plan.
    #[error("there is no plan in the input")]
    NoPlan,
    /// SQL instead of its plan.
    #[error("this is a statement, not its plan")]
    Statement {
        /// 1-based line of the input.
        line: u32,
    },
    /// What the server said instead of a plan.
    #[error("the server refused the statement: {message}")]
    Refused {
        /// 1-based line of the input.
        line: u32,
        message: String,
    },
    /// A plan of another database system.
    #[error("this is a plan of {server}, not of PostgreSQL")]
    OtherServer {
        /// 1-based line of the input.
        line: u32,
        /// Its name.
        server: &'static str,
    },
    /// Lines of a plan outside of any plan that was read.
    #[error("{count} lines of a plan were not understood, the first is {text:?}")]
    NotUnderstood {
        /// 1-based line of the first of them.
        line: u32,
        /// How many follow each other.
        count: usize,
        /// The first.
        text: String,
    },
    /// Deeper than any planner makes.
    #[error("the plan is nested deeper than {limit} levels; no server prints such a plan")]
    TooDeep { limit: usize },
}

impl PlanParseError {
    /// The line of the input that it is about, from 1.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Malformed { line, .. } => *line,
            Self::Statement { line }
            | Self::Refused { line, .. }
            | Self::OtherServer { line, .. }
            | Self::NotUnderstood { line, .. } => Some(*line),
            Self::NoPlan | Self::TooDeep { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::OtherServer { .. } => {
                "pgproof reads plans of PostgreSQL and of the servers that are built on it"
            }
            Self::Malformed { .. } | Self::NoPlan | Self::NotUnderstood { .. } => {
                "give the whole output of EXPLAIN (ANALYZE, BUFFERS) in any of its formats, as psql, a log of auto_explain or \
                 another client shows it"
            }
            Self::Statement { .. } => {
                "run it with EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) in front, and give what the server answers"
            }
            Self::Refused { .. } => {
                "fix the statement, and give the output of EXPLAIN once the server answers with a plan"
            }
            Self::TooDeep { .. } => "give the output of EXPLAIN as the server printed it",
        }
    }
}

/// The formats of EXPLAIN that have a grammar of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `FORMAT JSON`.
    Json,
    /// `FORMAT XML`.
    Xml,
    /// `FORMAT YAML`.
    Yaml,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::Yaml => "YAML",
        })
    }
}

/// A plan and where it stood.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// 1-based line of the input where it begins.
    pub line: u32,
    pub plan: Plan,
}

/// All that an input held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// In the order of the input.
    pub plans: Vec<Found>,
    /// What looked like a plan and could not be read.
    pub unread: Vec<PlanParseError>,
}

/// Reads every plan of a text: EXPLAIN's output in any format, several statements, psql's frames, logs of auto_explain.
#[must_use]
pub fn read(text: &str) -> Reading {
    let text = text.trim_start_matches('\u{feff}');
    // The common case first: the output of FORMAT JSON and nothing else, without a copy of it.
    let body = text.trim();
    if body.starts_with(['[', '{'])
        && let Ok(plans) = json(body)
    {
        let before = &text[..text.len() - text.trim_start().len()];
        let line = line_number(before.matches('\n').count());
        return Reading {
            plans: plans.into_iter().map(|plan| Found { line, plan }).collect(),
            unread: Vec::new(),
        };
    }
    if let Some(reading) = log::read(text) {
        return reading;
    }
    if let Some(plans) = frame::json_of_python(text).and_then(|value| json(&value).ok()) {
        return Reading {
            plans: plans
                .into_iter()
                .map(|plan| Found { line: 1, plan })
                .collect(),
            unread: Vec::new(),
        };
    }
    pieces::read(&frame::lines(text))
}

/// The plans of a text.
///
/// # Errors
/// Text that holds no plan in a form that is known.
pub fn any(text: &str) -> Plans {
    let mut reading = read(text);
    if reading.plans.is_empty() {
        return Err(if reading.unread.is_empty() {
            PlanParseError::NoPlan
        } else {
            reading.unread.swap_remove(0)
        });
    }
    Ok(reading.plans.into_iter().map(|found| found.plan).collect())
}

/// From a line's index.
fn line_number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// What every reader of one format returns: at least one plan, each with at least one node.
pub type Plans = Result<Vec<Plan>, PlanParseError>;
