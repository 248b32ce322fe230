//! Typed progress events. Whoever works emits them; only `report::progress` shows them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a task counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Rows loaded.
    Rows,
    /// Bytes read, written or downloaded.
    Bytes,
    /// Steps of any kind: migrations, queries.
    Steps,
    /// Steps of very different size, the largest first: what is done says nothing of the time that is left.
    UnevenSteps,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A task began; `total` is `None` where the end is not known.
    Started {
        task: u64,
        label: String,
        unit: Unit,
        total: Option<u64>,
    },
    /// A task moved on.
    Advanced { task: u64, by: u64 },
    /// What the task does at the moment, e.g. the query's name.
    Doing { task: u64, what: String },
    /// A task ended, well or not.
    Finished { task: u64 },
    /// A line worth telling, once.
    Note(String),
    /// A line worth telling with `--verbose`.
    Detail(String),
}

/// Where events go. Cheap to clone; silent by default.
#[derive(Clone)]
pub struct Progress {
    sink: Arc<dyn Fn(Event) + Send + Sync>,
    next: Arc<AtomicU64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self::to(|_| {})
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

impl Progress {
    /// Sends every event to `sink`.
    pub fn to(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self {
            sink: Arc::new(sink),
            next: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Starts a task; it finishes when the returned value is dropped.
    #[must_use]
    pub fn task(&self, label: impl Into<String>, unit: Unit, total: Option<u64>) -> Task {
        let task = self.next.fetch_add(1, Ordering::Relaxed);
        (self.sink)(Event::Started {
            task,
            label: label.into(),
            unit,
            total,
        });
        Task {
            progress: self.clone(),
            task,
        }
    }

    /// Tells a line.
    pub fn note(&self, text: impl Into<String>) {
        (self.sink)(Event::Note(text.into()));
    }

    /// Tells a line that only `--verbose` shows.
    pub fn detail(&self, text: impl Into<String>) {
        (self.sink)(Event::Detail(text.into()));
    }
}

/// A running task.
#[derive(Debug)]
pub struct Task {
    progress: Progress,
    task: u64,
}

impl Task {
    /// Moves on by `by` units.
    pub fn advance(&self, by: u64) {
        (self.progress.sink)(Event::Advanced {
            task: self.task,
            by,
        });
    }

    /// Says what is being done now.
    pub fn doing(&self, what: impl Into<String>) {
        (self.progress.sink)(Event::Doing {
            task: self.task,
            what: what.into(),
        });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        (self.progress.sink)(Event::Finished { task: self.task });
    }
}
