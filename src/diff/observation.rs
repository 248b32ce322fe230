//! What a migration did while it ran, statement by statement. Pure data.

use std::path::PathBuf;

use serde::Serialize;

use crate::finding::Location;
use crate::units::{Bytes, Millis};

use super::blocking::BlockedQuery;
use super::extrapolate::Extrapolation;
use super::locks::{HeldLock, LockMode};
use super::safer::SaferForm;

/// A statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementPlace {
    /// The migration's version.
    pub version: String,
    /// Its file.
    pub file: PathBuf,
    /// 1-based line of the statement's first token.
    pub line: u32,
    /// The statement.
    pub sql: String,
}

impl StatementPlace {
    /// Where a finding points.
    #[must_use]
    pub fn location(&self) -> Location {
        Location { file: self.file.clone(), line: self.line }
    }

    /// `0042_drop.sql:7`.
    #[must_use]
    pub fn label(&self) -> String {
        let parent = self.file.parent().and_then(|parent| parent.file_name());
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // diesel's and prisma's files are all called alike: their folder tells them apart.
        let generic = matches!(name.as_str(), "up.sql" | "down.sql" | "migration.sql");
        match parent {
            Some(parent) if generic => format!("{}/{name}:{}", parent.to_string_lossy(), self.line),
            _ => format!("{name}:{}", self.line),
        }
    }

    /// The statement's first line, cut to be told in a sentence.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let one_line = self.sql.split_whitespace().collect::<Vec<_>>().join(" ");
        match one_line.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &one_line[..end]),
            None => one_line,
        }
    }
}

/// What one statement did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatementObservation {
    /// Which one.
    #[serde(flatten)]
    pub place: StatementPlace,
    /// Rows that it changed, for INSERT, UPDATE, DELETE.
    pub rows: Option<u64>,
    /// What it took.
    pub duration: Millis,
    /// From its first lock to the end of its transaction.
    pub locks_held: Millis,
    /// Whether that transaction holds other statements too.
    pub in_transaction: bool,
    /// Strongest mode on each table that was there before.
    pub locks: Vec<HeldLock>,
    /// Tables whose files were written anew.
    pub rewritten: Vec<String>,
    /// Tables, constraints and indexes that were read in full for it, as the server said.
    pub scanned: Vec<String>,
    /// Write-ahead log between its start and its end; the traffic's share is in it.
    pub wal: Bytes,
    /// Change of the tables' and indexes' size.
    pub size_change: i64,
    /// Catalog queries that waited for it.
    pub blocked: Vec<BlockedQuery>,
    /// What happened behind a long reader, for a statement that needs a table alone.
    pub pile_up: Option<PileUp>,
    /// What to write instead, and what that was measured to do.
    pub safer: Option<ProvenForm>,
    /// On production's rows.
    pub extrapolation: Option<Extrapolation>,
}

impl StatementObservation {
    /// The longest wait of any query.
    #[must_use]
    pub fn longest_block(&self) -> Millis {
        self.blocked.first().map_or(Millis(0.0), |blocked| blocked.longest)
    }

    /// Its strongest lock.
    #[must_use]
    pub fn strongest_lock(&self) -> Option<&HeldLock> {
        self.locks.iter().max_by_key(|lock| lock.mode)
    }
}

/// A statement that waits for a long reader makes everybody behind it wait.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PileUp {
    /// How long the reader kept its transaction open.
    pub reader: Millis,
    /// The mode that the statement waited for, and on what.
    pub waited_for: Option<HeldLock>,
    /// Queries that stood in the queue behind it, although the reader alone would not have stopped them.
    pub blocked: Vec<BlockedQuery>,
    /// The longest wait with `lock_timeout` set to `lock_timeout`: the statement gives up and lets the others pass.
    pub longest_with_timeout: Option<Millis>,
    /// What `lock_timeout` was set to.
    pub lock_timeout: Millis,
}

/// A safer form with its measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProvenForm {
    /// What to write.
    #[serde(flatten)]
    pub form: SaferForm,
    /// `None` where there is nothing that could be run.
    pub measured: Option<SaferMeasurement>,
}

/// What running the safer form showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SaferMeasurement {
    /// All its statements.
    pub duration: Millis,
    /// The longest that any catalog query waited.
    pub longest_block: Millis,
    /// The strongest lock that stops reads or writes, and how long its statement held it.
    pub strongest: Option<(LockMode, Millis)>,
    /// It failed: the server's words.
    pub failure: Option<String>,
}
