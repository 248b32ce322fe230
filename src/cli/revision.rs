//! The project as it was at a git revision: its files in a directory of pgproof's own. Runs git, and changes nothing of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Globals;
use super::exit::CliError;
use super::settings::{FILE, Project};

/// The project's files at a revision, in a directory of pgproof's own that goes with the value. The user's checkout and
/// git's own state stay as they are.
#[derive(Debug)]
pub struct Checkout {
    directory: PathBuf,
}

/// Which files of a revision are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Those that pgproof reads itself.
    OfProjects,
    /// All, for `migrate-cmd`.
    All,
}

impl Checkout {
    /// Of a revision that git knows.
    pub fn of(
        root: &Path,
        revision: &str,
        files: Files,
        git_use: GitUse,
    ) -> Result<Self, CliError> {
        if revision.starts_with('-') {
            return Err(CliError::usage(format!("{revision:?} is no revision")));
        }
        git_use.git(root, &["rev-parse", "--is-inside-work-tree"])?;
        let hash = git_use
            .git(
                root,
                &[
                    "rev-parse",
                    "--verify",
                    "--quiet",
                    &format!("{revision}^{{commit}}"),
                ],
            )
            .map_err(|_| {
                CliError::usage(format!("git does not know the revision {revision:?}")).help(
                "fetch it first: a CI checkout often has the newest commit alone (fetch-depth: 0)",
            )
            })?;
        let hash = hash.trim();
        let directory = root.join(".pgproof").join(format!(
            "base-{}-{}",
            &hash[..hash.len().min(12)],
            std::process::id()
        ));
        std::fs::create_dir_all(&directory).map_err(|error| CliError::environment(&error))?;
        let checkout = Self { directory };
        if files == Files::All {
            unpack(root, hash, &checkout.directory)?;
            return Ok(checkout);
        }
        let listed = git_use.git(root, &["ls-tree", "-r", "-z", "--name-only", hash])?;
        for path in listed.split('\0').filter(|path| wanted(path)) {
            let text = git_use.git(root, &["show", &format!("{hash}:./{path}")])?;
            let to = checkout.directory.join(path);
            let parent = to.parent().unwrap_or(&checkout.directory);
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&to, text))
                .map_err(|error| CliError::environment(&error))?;
        }
        Ok(checkout)
    }

    /// The project at the revision: by its own configuration, or by today's where it had none yet.
    pub fn project(&self, today: &Project, globals: &Globals) -> Result<Project, CliError> {
        let name = globals
            .config
            .as_deref()
            .and_then(Path::file_name)
            .unwrap_or_else(|| FILE.as_ref());
        let file = self.directory.join(name);
        if file.is_file() {
            return Ok(Project {
                live: today.live.clone(),
                profile: today.profile.clone(),
                ..Project::load(Some(&file), &self.directory)?
            });
        }
        globals.progress.note(format!(
            "the revision has no {}: today's is used for it",
            name.to_string_lossy()
        ));
        Ok(Project {
            root: self.directory.clone(),
            settings: today.settings.clone(),
            live: today.live.clone(),
            profile: today.profile.clone(),
        })
    }
}

/// What a project is made of, as far as pgproof reads it.
fn wanted(path: &str) -> bool {
    [".sql", ".toml", ".conf"]
        .iter()
        .any(|extension| path.ends_with(extension))
        || ["Cargo.toml", "go.mod"]
            .iter()
            .any(|name| path.rsplit('/').next() == Some(name))
}

/// Every file of a revision, as it is, for a program that may read whatever it likes.
fn unpack(root: &Path, hash: &str, directory: &Path) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::environment(&error);
    let mut archive = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["archive", "--format=tar", hash])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let tar = archive
        .stdout
        .take()
        .map(Stdio::from)
        .unwrap_or_else(Stdio::null);
    let unpacked = Command::new("tar")
        .arg("-x")
        .arg("-C")
        .arg(directory)
        .stdin(tar)
        .status()
        .map_err(failed)?;
    let archived = archive.wait().map_err(failed)?;
    if archived.success() && unpacked.success() {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "the files of {hash} cannot be unpacked: git archive or tar failed"
    )))
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // A directory that stays is ignored by git and overwritten next time.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Why git is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitUse {
    /// `diff --base`.
    Base,
    /// `audit --changed`.
    Changed,
}

impl GitUse {
    fn flag(self) -> &'static str {
        match self {
            Self::Base => "--base",
            Self::Changed => "--changed",
        }
    }

    /// What to do without git.
    fn way_out(self) -> &'static str {
        match self {
            Self::Base => "compare versions of the migrations with --from and --to",
            Self::Changed => {
                "name the queries or files; without --changed everything is audited, and what did not change is not run again"
            }
        }
    }

    /// What git answers.
    pub fn git(self, root: &Path, arguments: &[&str]) -> Result<String, CliError> {
        let (flag, way_out) = (self.flag(), self.way_out());
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                CliError::usage(format!("{flag} needs git, which does not run: {error}"))
                    .help(format!("install git, or {way_out}"))
            })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        let message = message.trim().trim_start_matches("fatal: ");
        Err(
            CliError::usage(format!("{flag} asks git, which says: {message}"))
                .help(format!("without a git repository, {way_out}")),
        )
    }
}
