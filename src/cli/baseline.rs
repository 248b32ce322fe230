//! Where the baseline and the last audit's findings are kept: files and the clock, no logic of their own.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Globals;
use super::exit::CliError;
use crate::baseline::{Baseline, Date, FILE, Known};
use crate::db::server::make_project_directory;
use crate::finding::Finding;
use crate::report::json::{self, SavedFinding};
use crate::source::{Source, nearest};

/// What the last audit found, below the project's `.pgproof`.
const KNOWN: &str = "findings.json";

/// Where a baseline is: what was typed from the working directory, else the project's own.
pub fn path(typed: Option<&Path>, root: &Path, globals: &Globals) -> PathBuf {
    match typed {
        // The default name means the project's file, wherever below it the command was started.
        Some(path) if path != Path::new(FILE) || globals.directory.join(path).exists() => {
            globals.directory.join(path)
        }
        Some(_) | None => root.join(FILE),
    }
}

/// Reads a baseline; `None` where there is no such file.
pub fn read(path: &Path) -> Result<Option<Baseline>, CliError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Baseline::read(&Source::new(path, text))?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::usage(format!(
            "{} cannot be read: {error}",
            path.display()
        ))),
    }
}

/// The accepted findings of a file that was named.
pub fn accepted(typed: &Path, root: &Path, globals: &Globals) -> Result<Baseline, CliError> {
    let path = path(Some(typed), root, globals);
    read(&path)?.ok_or_else(|| {
        CliError::usage(format!("there is no baseline {}", path.display()))
            .help("`pgproof accept FINDING --reason …` makes one")
    })
}

/// Today, UTC.
pub fn today() -> Date {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Date::of_unix_seconds(since)
}

/// Marks what a baseline accepts and tells what became of its acceptances. `whole`: the whole catalog was audited.
pub fn apply(baseline: &Baseline, findings: &mut [Finding], whole: bool, globals: &Globals) {
    let applied = baseline.apply(findings, &today());
    for expired in &applied.expired {
        let last = expired
            .expires
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        globals.progress.note(format!(
            "{} {} was accepted until {last} and counts again",
            expired.rule,
            expired.query.as_deref().unwrap_or_default()
        ));
    }
    if whole && !applied.unused.is_empty() {
        let names: Vec<&str> = applied
            .unused
            .iter()
            .map(|unused| unused.fingerprint.0.as_str())
            .collect();
        globals.progress.note(format!(
            "the baseline accepts findings that are not there any more: {}; take them out of it",
            names.join(", ")
        ));
    }
}

/// Keeps what an audit found, so that `pgproof accept` knows it.
pub fn remember(findings: &[Finding], root: &Path, globals: &Globals) {
    let directory = root.join(".pgproof");
    let text = serde_json::to_string_pretty(&Known::of(findings)).unwrap_or_default();
    let written = make_project_directory(&directory)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            crate::write::text(&directory.join(KNOWN), text)
                .map(drop)
                .map_err(|error| error.to_string())
        });
    // The audit is done and reported: only `accept` misses it.
    if let Err(error) = written {
        globals.progress.note(format!(
            "`pgproof accept` will not know this audit's findings: {error}"
        ));
    }
}

/// What can be accepted: of a saved report, else of the last audit.
pub fn known(report: Option<&Path>, root: &Path) -> Result<Vec<Known>, CliError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| {
            CliError::usage(format!("{} cannot be read: {error}", path.display()))
                .help("run `pgproof audit` first: it keeps what it found")
        })
    };
    let Some(report) = report else {
        let path = root.join(".pgproof").join(KNOWN);
        return serde_json::from_str(&read(&path)?).map_err(|error| {
            CliError::usage(format!("{} is damaged: {error}", path.display()))
                .help("run `pgproof audit` again")
        });
    };
    let saved = json::read(&read(report)?)
        .map_err(|error| CliError::usage(format!("{} is no report: {error}", report.display())))?;
    let mut known = Vec::new();
    saved
        .findings
        .iter()
        .for_each(|finding| add(finding, &mut known));
    Ok(known)
}

fn add(finding: &SavedFinding, known: &mut Vec<Known>) {
    known.push(Known {
        fingerprint: finding.fingerprint.clone(),
        rule: finding.rule,
        query: finding.query.clone(),
        message: finding.message.clone(),
    });
    finding
        .symptoms
        .iter()
        .for_each(|symptom| add(symptom, known));
}

/// The finding that a fingerprint, or the beginning of one, means.
pub fn meant<'a>(typed: &str, known: &'a [Known]) -> Result<&'a Known, CliError> {
    /// A shorter beginning is a typing error.
    const SHORTEST: usize = 4;
    let typed = typed.trim().trim_start_matches('#').to_ascii_lowercase();
    let begins = |known: &&Known| known.fingerprint.0.starts_with(&typed);
    let found: Vec<&Known> = if typed.len() < SHORTEST {
        Vec::new()
    } else {
        known.iter().filter(begins).collect()
    };
    match found[..] {
        [only] => Ok(only),
        [] => {
            let error = CliError::usage(format!(
                "the last audit has no finding with the fingerprint {typed:?}"
            ));
            let fingerprints = known.iter().map(|known| known.fingerprint.0.as_str());
            Err(match nearest(&typed, fingerprints) {
                Some(near) => error.help(format!("did you mean {near}?")),
                None => error
                    .help("the report shows each finding's fingerprint behind a #; `pgproof audit` makes a new one"),
            })
        }
        [first, ..] => {
            let names: Vec<&str> = found
                .iter()
                .map(|known| known.fingerprint.0.as_str())
                .collect();
            let all_the_same = names.iter().all(|name| *name == first.fingerprint.0);
            if all_the_same {
                return Ok(first);
            }
            let error = CliError::usage(format!("several fingerprints begin with {typed:?}"));
            Err(error.help(format!("give one of {}", names.join(", "))))
        }
    }
}
