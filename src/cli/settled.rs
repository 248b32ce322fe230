//! The verdict on a migration's statement the last time on the same dataset, kept below `.pgproof`: a time near a limit is not
//! to be an error in one run and none in the next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diff::observation::StatementObservation;
use crate::finding::Severity;
use crate::rules::blocking_migration::Before;

/// Verdicts by dataset and statement.
#[derive(Debug, Default)]
pub(super) struct Settled {
    path: PathBuf,
    dataset: String,
    known: BTreeMap<String, String>,
}

impl Settled {
    /// What is kept; nothing where the file is not there or cannot be read.
    #[must_use]
    pub(super) fn read(root: &Path, dataset: &str) -> Self {
        let path = root.join(".pgproof").join("blocking.json");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Self {
            path,
            dataset: dataset.to_owned(),
            known: serde_json::from_str(&text).unwrap_or_default(),
        }
    }

    fn key(&self, statement: &StatementObservation) -> String {
        let place = &statement.place;
        format!("{} {} {}", self.dataset, place.file.display(), place.sql)
    }

    /// The verdict on the statement.
    #[must_use]
    pub(super) fn of(&self, statement: &StatementObservation) -> Before {
        match self.known.get(&self.key(statement)).map(String::as_str) {
            Some("error") => Before::Found(Severity::Error),
            Some("warning") => Before::Found(Severity::Warning),
            Some("quiet") => Before::Quiet,
            Some(_) | None => Before::Unknown,
        }
    }

    /// Notes the verdict of now.
    pub(super) fn note(&mut self, statement: &StatementObservation, severity: Option<Severity>) {
        let verdict = severity.map_or("quiet", Severity::as_str);
        self.known.insert(self.key(statement), verdict.to_owned());
    }

    /// Keeps it. What cannot be kept is found anew the next time.
    pub(super) fn keep(&self) {
        if let Ok(text) = serde_json::to_string_pretty(&self.known) {
            let _ = std::fs::write(&self.path, text);
        }
    }
}
