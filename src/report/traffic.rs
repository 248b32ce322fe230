//! What was sent to a database, as it was recorded or read from logs: counts and the statements that take the time.

use serde::{Deserialize, Serialize};

use crate::units::Millis;

/// Executions that a report is about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Files, or the command that was recorded.
    pub from: Vec<String>,
    /// Executions that were read.
    pub executions: u64,
    /// Different statements among them.
    pub statements: u64,
    /// Connections.
    pub sessions: u64,
    /// From the first execution to the last; `None` where times are not known.
    pub span_ms: Option<Millis>,
    /// Executions between `pgproof:off` and `pgproof:on`.
    #[serde(default)]
    pub passed_over: u64,
    /// Why the verdict is inconclusive; empty where it is not.
    #[serde(default)]
    pub inconclusive: Vec<String>,
    /// The statements that took the server's time, the most first.
    #[serde(default)]
    pub slowest: Vec<Slow>,
}

/// A statement with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// The query's name.
    pub query: String,
    /// In one line, its constants taken out.
    pub statement: String,
    /// How often it was executed.
    pub executions: u64,
    /// Of all executions.
    pub total_ms: Millis,
    /// The longest of them.
    pub longest_ms: Millis,
    /// Of the time of all statements.
    pub share: f64,
}
