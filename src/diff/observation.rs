//! What a migration did while it ran, statement by statement. Pure data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::finding::Location;
use crate::units::{Bytes, Millis};

use super::blocking::BlockedQuery;
use super::extrapolate::Extrapolation;
use super::locks::{HeldLock, LockMode};
use super::safer::SaferForm;

/// A statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementPlace {
    /// The migration's version.
    pub version: String,
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
        Location {
            file: self.file.clone(),
            line: self.line,
        }
    }

    /// `0042_drop.sql:7`.
    #[must_use]
    pub fn label(&self) -> String {
        let parent = self.file.parent().and_then(|parent| parent.file_name());
        let name = self
            .file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        // diesel's and prisma's files are all called alike: their folder tells them apart.
        let generic = matches!(name.as_str(), "up.sql" | "down.sql" | "migration.sql");
        match parent {
            Some(parent) if generic => format!("{}/{name}:{}", parent.to_string_lossy(), self.line),
            _ => format!("{name}:{}", self.line),
        }
    }

    /// The statement's first line, cut to fit into a sentence.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatementObservation {
    #[serde(flatten)]
    pub place: StatementPlace,
    /// Rows that it changed, for INSERT, UPDATE, DELETE.
    pub rows: Option<u64>,
    /// What it took.
    #[serde(rename = "duration_ms")]
    pub duration: Millis,
    /// Of `duration`, how long the server's process was ready to run and waited for a processor: other work of the machine.
    #[serde(rename = "duration_cpu_wait_ms", default)]
    pub duration_cpu_wait: Millis,
    /// From its first lock to the end of its transaction.
    #[serde(rename = "locks_held_ms")]
    pub locks_held: Millis,
    /// Of `locks_held`, how long the server's process waited for a processor.
    #[serde(rename = "locks_held_cpu_wait_ms", default)]
    pub locks_held_cpu_wait: Millis,
    /// Whether that transaction holds other statements too.
    pub in_transaction: bool,
    /// Strongest mode on each table that was there before, where this statement took it.
    pub locks: Vec<HeldLock>,
    /// Locks that stop others and that earlier statements of the same transaction hold while this one runs.
    pub inherited: Vec<InheritedLock>,
    /// Tables whose files were written anew.
    pub rewritten: Vec<String>,
    /// Tables, constraints and indexes that were read in full for it, as the server said.
    pub scanned: Vec<String>,
    /// Write-ahead log between its start and its end, with no traffic beside it.
    #[serde(rename = "wal_bytes")]
    pub wal: Bytes,
    /// Change of the tables' and indexes' size.
    #[serde(rename = "size_change_bytes")]
    pub size_change: i64,
    /// How long a query would have waited that came at the worst moment; `None` where none of its locks stops anybody.
    pub worst_wait: Option<WorstWait>,
    /// Catalog queries that waited for its lock.
    pub blocked: Vec<BlockedQuery>,
    /// Catalog queries that waited while it ran, for a lock that an earlier statement of its transaction had taken: the
    /// part of their wait that is this statement's time.
    pub kept_waiting: Vec<BlockedQuery>,
    /// The server ended it for a deadlock with a query of the catalog: earlier statements of its transaction hold rows that the
    /// query waits for, and it asks for the table that the query holds. What the others waited was measured on another run.
    pub deadlocked: bool,
    /// What happened behind a long reader, for a statement that needs a table alone.
    pub pile_up: Option<PileUp>,
    /// What to write instead, and what that was measured to do.
    pub safer: Option<ProvenForm>,
    /// On production's rows.
    pub extrapolation: Option<Extrapolation>,
}

impl StatementObservation {
    /// The longest wait of any query for its lock.
    #[must_use]
    pub fn longest_block(&self) -> Millis {
        self.blocked
            .first()
            .map_or(Millis(0.0), |blocked| blocked.longest)
    }

    /// The longest that it kept any query waiting for another statement's lock.
    #[must_use]
    pub fn longest_kept(&self) -> Millis {
        self.kept_waiting
            .first()
            .map_or(Millis(0.0), |kept| kept.longest)
    }

    /// The longest that a query would have waited for its lock at the worst moment.
    #[must_use]
    pub fn longest_possible_wait(&self) -> Millis {
        self.worst_wait
            .as_ref()
            .map_or(Millis(0.0), |worst| worst.wait)
    }

    /// Its duration on a machine that does nothing else, about.
    #[must_use]
    pub fn undisturbed_duration(&self) -> Millis {
        Millis((self.duration.0 - self.duration_cpu_wait.0).max(0.0))
    }

    /// The share of a wait for its lock that the lock's holder was working, rather than waiting for a processor.
    #[must_use]
    pub fn undisturbed_share(&self) -> f64 {
        if self.locks_held.0 <= 0.0 {
            return 1.0;
        }
        (1.0 - self.locks_held_cpu_wait.0 / self.locks_held.0).clamp(0.0, 1.0)
    }

    /// Whether it rewrites or reads a table in full while its transaction stops others from using one.
    #[must_use]
    pub fn works_under_lock(&self) -> bool {
        let works = !self.rewritten.is_empty() || !self.scanned.is_empty();
        works
            && (!self.inherited.is_empty()
                || self.locks.iter().any(|lock| lock.mode.blocks_writes()))
    }

    /// Its strongest lock.
    #[must_use]
    pub fn strongest_lock(&self) -> Option<&HeldLock> {
        self.locks.iter().max_by_key(|lock| lock.mode)
    }
}

/// The wait of a query that comes in the moment in which a statement asks for its lock: until the lock is released.
/// Reckoned from when the lock was seen asked for, held and released; no query was measured to wait so long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorstWait {
    #[serde(flatten)]
    pub lock: HeldLock,
    /// From when it was asked for until it was released, to the few ms between two looks.
    #[serde(rename = "wait_ms")]
    pub wait: Millis,
}

/// A statement that waits for a long reader makes everybody behind it wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PileUp {
    /// How long the reader kept its transaction open.
    #[serde(rename = "reader_ms")]
    pub reader: Millis,
    /// The mode that the statement waited for, and on what.
    pub waited_for: Option<HeldLock>,
    /// Queries that stood in the queue behind it, although the reader alone would not have stopped them.
    pub blocked: Vec<BlockedQuery>,
    /// The same with `lock_timeout`: the statement gives up, lets the others pass and tries again.
    pub with_timeout: Option<Retries>,
}

/// A statement with `lock_timeout` behind a long reader, tried until it came through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// What `lock_timeout` was set to.
    #[serde(rename = "lock_timeout_ms")]
    pub lock_timeout: Millis,
    /// Between two tries.
    #[serde(rename = "pause_ms")]
    pub pause: Millis,
    /// How many it took.
    pub tries: u32,
    /// Whether the last one had its locks.
    pub through: bool,
    /// The longest that any query waited for one of them.
    #[serde(rename = "longest_ms")]
    pub longest: Millis,
}

/// A lock that an earlier statement of the same transaction took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InheritedLock {
    #[serde(flatten)]
    pub lock: HeldLock,
    /// The line of the statement that took it.
    pub taken_at: u32,
}

/// A safer form with its measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProvenForm {
    /// What to write.
    #[serde(flatten)]
    pub form: SaferForm,
    /// `None` where there is nothing that could be run.
    pub measured: Option<SaferMeasurement>,
}

/// What running the safer form showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SaferMeasurement {
    /// All its statements.
    #[serde(rename = "duration_ms")]
    pub duration: Millis,
    /// The longest that any catalog query waited.
    #[serde(rename = "longest_block_ms")]
    pub longest_block: Millis,
    /// The longest that a query would have waited that came at the worst moment: reckoned as [`WorstWait`] is.
    #[serde(rename = "worst_wait_ms")]
    pub worst_wait: Millis,
    /// The strongest lock that stops reads or writes, and for how many ms its statement held it.
    pub strongest: Option<(LockMode, Millis)>,
    /// It failed: the server's words.
    pub failure: Option<String>,
}
