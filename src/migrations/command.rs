//! `migrate-cmd`: migrations that only a program knows how to apply. What it would do is known by the files that it reads.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::source::Source;

use super::{History, Layout, Migration, MigrationsError, Script, Statement, TransactionRule};

/// A program that brings a database to its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// A line for the shell.
    pub command: String,
    /// Where it runs: the project's folder.
    pub directory: PathBuf,
}

/// Where `migrate-cmd` is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrateCommand {
    /// The line for the shell.
    pub command: String,
    /// pgproof.toml.
    pub source: Source,
    /// Where in it.
    pub span: std::ops::Range<usize>,
}

/// The history that a command stands for: one migration, whose version is the content of the migrations directory.
///
/// # Errors
/// A directory that cannot be read, or has nothing in it.
pub fn command_history(
    project: &Path,
    directory: &Path,
    written: &MigrateCommand,
) -> Result<History, MigrationsError> {
    let (line, _) = written.source.line_column(written.span.start);
    let script = Script {
        source: written.source.clone(),
        statements: vec![Statement {
            sql: written.command.clone(),
            span: written.span.clone(),
            line,
        }],
        transaction: TransactionRule::Statement,
        program: Some(Program {
            command: written.command.clone(),
            directory: project.to_path_buf(),
        }),
    };
    let migration = Migration {
        version: content(project, directory)?,
        name: written.command.clone(),
        up: script,
        down: None,
    };
    let because = format!("migrate-cmd in {}", written.source.path.display());
    Ok(History {
        layout: Layout::Command,
        because,
        migrations: vec![migration],
    })
}

/// A hash of every file below the directory: the dataset is made anew when one changes.
fn content(project: &Path, directory: &Path) -> Result<String, MigrationsError> {
    let at = project.join(directory);
    let unreadable = |path: &Path, reason| MigrationsError::Unreadable {
        path: path.to_path_buf(),
        reason,
    };
    let mut hash = Sha256::new();
    let mut files = 0;
    for entry in walkdir::WalkDir::new(&at).sort_by_file_name() {
        let entry = entry.map_err(|error| unreadable(directory, error.into()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let text = std::fs::read(entry.path()).map_err(|error| unreadable(entry.path(), error))?;
        let name = entry
            .path()
            .strip_prefix(&at)
            .unwrap_or(entry.path())
            .to_string_lossy()
            .into_owned();
        for part in [name.as_bytes(), &text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        files += 1;
    }
    if files == 0 {
        let reason = "migrate-cmd applies what lies there, and it is empty; set `migrations` to the folder it reads";
        return Err(MigrationsError::Empty {
            path: directory.to_path_buf(),
            reason: reason.to_owned(),
        });
    }
    Ok(hash
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
