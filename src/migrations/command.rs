//! `migrate-cmd`: migrations that only a program knows how to apply. What it would do is known by the files that it reads.

use std::path::{Component, Path, PathBuf};

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

/// What pgproof reads or writes beside a project's configuration: no program that migrates depends on it.
const OWN: [&str; 5] = [
    "pgproof.toml",
    "pgproof.baseline.json",
    "queries",
    "seeds",
    "plans",
];

/// Directories that tools make: packages, builds, caches.
const MADE: [&str; 6] = [
    "node_modules",
    "__pycache__",
    "target",
    "vendor",
    "_build",
    "deps",
];

/// Whether a file or directory below the one that is hashed may say something of the schema. What is hidden (`.git`,
/// `.pgproof`), made by tools, or a virtual environment of Python's does not.
fn is_read(entry: &walkdir::DirEntry, is_project: bool) -> bool {
    if entry.depth() == 0 {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    let is_directory = entry.file_type().is_dir();
    let made = is_directory
        && (MADE.contains(&name.as_ref()) || entry.path().join("pyvenv.cfg").is_file());
    let own = is_project && entry.depth() == 1 && OWN.contains(&name.as_ref());
    !(name.starts_with('.') || made || own)
}

/// A hash of every file below the directory that may matter: the dataset is made anew when one changes.
fn content(project: &Path, directory: &Path) -> Result<String, MigrationsError> {
    let at = project.join(directory);
    let unreadable = |path: &Path, reason| MigrationsError::Unreadable {
        path: path.to_path_buf(),
        reason,
    };
    let mut hash = Sha256::new();
    let mut files = 0;
    let is_project = directory.components().all(|part| part == Component::CurDir);
    let entries = walkdir::WalkDir::new(&at)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| is_read(entry, is_project));
    for entry in entries {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_change_the_schema_changes_the_hash() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        write("manage.py");
        write("store/queries/0001_initial.py");
        let hash = |directory: &str| content(root.path(), Path::new(directory)).unwrap();
        let (whole, app) = (hash("."), hash("store"));
        for path in [
            "pgproof.toml",
            "queries/recorded.sql",
            "seeds/schema.toml",
            ".pgproof/findings.json",
            ".git/index",
            "venv/pyvenv.cfg",
            "venv/lib/django.py",
            "node_modules/pg/index.js",
            "store/__pycache__/models.pyc",
        ] {
            write(path);
            assert_eq!(hash("."), whole, "{path}");
        }
        assert_eq!(hash(""), whole);
        write("store/queries/0002_more.py");
        assert_ne!(hash("."), whole);
        assert_ne!(hash("store"), app);
    }
}
