//! `audit --write-migration`: fixes as files of the project's migrations. Wires `migrations::new_migrations` to the disk.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Globals;
use super::exit::CliError;
use super::settings::Project;
use super::target;
use crate::advise::changes::Changes;
use crate::migrations::{self, NewFile, NewFilesError};
use crate::report::summary::plural;
use crate::units::UnixSeconds;

/// What would refuse the migrations after a long audit is found before it.
pub(super) fn check(project: &Project) -> Result<(), CliError> {
    let (tree, history) = target::tree_and_history(project)?;
    migrations::new_migrations(&tree, &history, &[], now()).map_err(refused)?;
    Ok(())
}

/// Writes the changes that were measured, and says what was written and what was not.
pub(super) fn write(
    changes: &Changes,
    project: &Project,
    globals: &Globals,
) -> Result<(), CliError> {
    let progress = &globals.progress;
    if !changes.unproven.is_empty() {
        progress.note(format!(
            "--write-migration leaves out {} that nothing was measured for",
            plural(changes.unproven.len(), "fix", "fixes")
        ));
    }
    if changes.is_empty() {
        progress.note(
            "--write-migration: no finding has a proven fix in the schema; nothing is written",
        );
        return Ok(());
    }
    let (tree, history) = target::tree_and_history(project)?;
    let new = migrations::new_migrations(&tree, &history, &changes.made, now()).map_err(refused)?;
    for (at, file) in new.files.iter().enumerate() {
        if let Err(error) = create(&project.root, file) {
            return Err(unwritten(&project.root, &new.files[..at], file, &error));
        }
    }
    progress.note(match new.files.as_slice() {
        [file] => format!("wrote {}", file.path.display()),
        [first, .., last] => format!(
            "wrote {} files, {} to {}",
            new.files.len(),
            first.path.display(),
            last.path.display()
        ),
        [] => String::new(),
    });
    if let Some(note) = new.note {
        progress.note(note);
    }
    Ok(())
}

/// Only where nothing is: somebody may have made a migration of this name since the directory was read.
fn create(root: &Path, file: &NewFile) -> io::Result<()> {
    let path = root.join(&file.path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut out = OpenOptions::new().write(true).create_new(true).open(path)?;
    out.write_all(file.text.as_bytes())?;
    out.sync_all()
}

/// Half of the migrations are worse than none: those that were written go again.
fn unwritten(root: &Path, written: &[NewFile], file: &NewFile, error: &io::Error) -> CliError {
    for known in written {
        let _ = std::fs::remove_file(root.join(&known.path));
    }
    CliError::Environment {
        message: format!("cannot write {}: {error}", file.path.display()),
        causes: Vec::new(),
        help: Some("no migration was written".to_owned()),
    }
}

fn refused(error: NewFilesError) -> CliError {
    match error {
        NewFilesError::Migrations(error) => error.into(),
        other => CliError::usage(other.to_string())
            .help("`--format sql=fixes.sql` writes the same statements as a script for psql"),
    }
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixSeconds(since.map_or(0, |since| since.as_secs()))
}
