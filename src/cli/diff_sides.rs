//! The two sides of a diff that is run: two versions of the migrations, or a git revision and the working tree. Reads files
//! and runs git; compares nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Globals;
use super::args::DiffArgs;
use super::exit::CliError;
use super::settings::{FILE, Project};
use super::target;
use crate::catalog::{self, Query};
use crate::db::clone::Clone as DatabaseClone;
use crate::db::connect::Session;
use crate::db::dataset::Recipe;
use crate::db::server::Cluster;
use crate::db::{introspect, migrate};
use crate::diff::specs;
use crate::migrations::{self, History, Layout, Migration};
use crate::progress::Progress;
use crate::seed::Options;
use crate::source::{Source, SourceError};
use crate::sql::constants;

/// What is compared.
#[derive(Debug)]
pub struct Sides {
    /// In words.
    pub from: String,
    /// In words.
    pub to: String,
    /// Whose layout the migrations have.
    pub layout: migrations::Layout,
    /// What it was recognized by.
    pub because: String,
    /// Applied before the dataset is filled.
    applied: Vec<Migration>,
    /// Applied under observation.
    pub pending: Vec<Migration>,
    /// The catalog before.
    pub old_catalog: Vec<Query>,
    /// The catalog after.
    pub new_catalog: Vec<Query>,
    /// Seed specs for the dataset.
    specs: Vec<Source>,
    /// The working tree's seed specs: what the migrations' new tables are filled by.
    pub new_specs: Vec<Source>,
    /// The revision's files: its `migrate-cmd` runs there.
    #[expect(dead_code, reason = "held, not read: its end removes the files")]
    checkout: Option<Checkout>,
}

/// What a dataset is made of.
#[derive(Debug, Clone)]
pub struct Prepared {
    migrations: History,
    specs: Vec<Source>,
    options: Options,
}

impl Prepared {
    /// As the dataset is asked for.
    #[must_use]
    pub fn recipe(&self) -> Recipe<'_> {
        Recipe {
            migrations: &self.migrations,
            specs: &self.specs,
            options: &self.options,
        }
    }

    /// The same at another scale.
    #[must_use]
    pub fn at_scale(&self, scale: f64) -> Self {
        Self {
            options: Options {
                scale,
                ..self.options.clone()
            },
            ..self.clone()
        }
    }
}

impl Sides {
    /// Reads both sides.
    pub fn read(args: &DiffArgs, project: &Project, globals: &Globals) -> Result<Self, CliError> {
        let history = target::history(project)?;
        let catalog = project.catalog()?.queries;
        match &args.base {
            Some(revision) => Self::since(revision, project, globals, history, catalog),
            None => Self::between(args, project, history, catalog, &globals.progress),
        }
    }

    fn between(
        args: &DiffArgs,
        project: &Project,
        history: History,
        catalog: Vec<Query>,
        progress: &Progress,
    ) -> Result<Self, CliError> {
        if history.layout == Layout::Command {
            return Err(CliError::usage("migrate-cmd only knows the newest version")
                .help("compare with a git revision: pgproof diff --base main"));
        }
        let root = &project.settings.migrations.dir;
        let to = match &args.to {
            Some(version) => history.position(version, root)?,
            None => history.migrations.len(),
        };
        let from = match &args.from {
            Some(version) => history.position(version, root)?,
            None => to.saturating_sub(1),
        };
        if from == 0 {
            return Err(CliError::usage("there is only one migration: nothing was there before it to compare with")
                .help(
                    "`pgproof audit` shows what the queries do on it; `diff --base REV` compares with a git revision",
                ));
        }
        if from > to {
            return Err(CliError::usage("--from names a later version than --to")
                .help("--from names the version that production has, --to a later one"));
        }
        let name = |at: usize| {
            format!(
                "{} {}",
                history.migrations[at - 1].version,
                history.migrations[at - 1].name
            )
        };
        if args.from.is_none() {
            progress.note(format!(
                "comparing {} with {}; --from and --to name others",
                name(from),
                name(to)
            ));
        }
        let specs = catalog::files::read_any(&project.root, &project.settings.seeds)?;
        let mut applied = history.migrations.clone();
        let mut pending = applied.split_off(from);
        pending.truncate(to - from);
        let pending = with_manual_steps(pending, project, &history.migrations)?;
        Ok(Self {
            from: name(from),
            to: name(to),
            layout: history.layout,
            because: history.because,
            checkout: None,
            applied,
            pending,
            old_catalog: catalog.clone(),
            new_catalog: catalog,
            new_specs: specs.clone(),
            specs,
        })
    }

    fn since(
        revision: &str,
        project: &Project,
        globals: &Globals,
        history: History,
        catalog: Vec<Query>,
    ) -> Result<Self, CliError> {
        let files = match project.settings.migrations.command {
            Some(_) => Files::All,
            None => Files::OfProjects,
        };
        let checkout = Checkout::of(&project.root, revision, files)?;
        let old = checkout.project(project, globals)?;
        let at = |error: CliError| error.at(&format!("at {revision}"));
        let applied = target::history(&old).map_err(at)?.migrations;
        let pending = match history.layout {
            // A program knows itself what is new.
            Layout::Command if applied[0].version == history.migrations[0].version => Vec::new(),
            Layout::Command => history.migrations.clone(),
            _ => {
                unaltered(revision, &applied, &history.migrations)?;
                history.migrations[applied.len()..].to_vec()
            }
        };
        let pending = with_manual_steps(pending, project, &history.migrations)?;
        Ok(Self {
            from: revision.to_owned(),
            to: "working tree".to_owned(),
            layout: history.layout,
            because: history.because,
            checkout: Some(checkout),
            applied,
            pending,
            old_catalog: old.catalog().map_err(at)?.queries,
            new_catalog: catalog,
            specs: catalog::files::read_any(&old.root, &old.settings.seeds)?,
            new_specs: catalog::files::read_any(&project.root, &project.settings.seeds)?,
        })
    }

    /// What the dataset before the migrations is made of.
    pub fn recipe_before(&self, project: &Project) -> Result<Prepared, CliError> {
        let settings = project.settings.dataset;
        Ok(Prepared {
            migrations: History {
                layout: self.layout,
                because: self.because.clone(),
                migrations: self.applied.clone(),
            },
            specs: self.specs.clone(),
            options: Options {
                seed: settings.seed,
                scale: settings.scale,
                constants: constants::of_all(
                    self.new_catalog.iter().map(|query| query.sql.as_str()),
                ),
                ..Options::default()
            },
        })
    }
}

/// What is run by hand comes after the migration that it is written for. After one that the dataset is made with there is nothing
/// to do yet: the tables are empty then.
fn with_manual_steps(
    pending: Vec<Migration>,
    project: &Project,
    all: &[Migration],
) -> Result<Vec<Migration>, CliError> {
    let steps = &project.settings.manual_steps;
    for step in steps {
        let is_known = |m: &Migration| migrations::is_version(&m.version, &step.version);
        if !all.iter().any(is_known) {
            let message = format!("no migration has version {:?}", step.version);
            return Err(SourceError::new(&step.source, step.span.clone(), message)
                .help("[diff] after names the migration that is applied before the file is run by hand")
                .into());
        }
    }
    let mut found = Vec::with_capacity(pending.len() + steps.len());
    for migration in pending {
        let version = migration.version.clone();
        found.push(migration);
        for step in steps
            .iter()
            .filter(|step| migrations::is_version(&step.version, &version))
        {
            let path = project.root.join(&step.file);
            let text = std::fs::read_to_string(&path).map_err(|error| {
                let message = format!("{} cannot be read: {error}", step.file.display());
                SourceError::new(&step.source, step.span.clone(), message)
            })?;
            found.push(migrations::manual_step(
                &Source::new(&step.file, text),
                &version,
            )?);
        }
    }
    Ok(found)
}

/// What production has applied cannot change: the revision's migrations begin the working tree's.
fn unaltered(revision: &str, applied: &[Migration], all: &[Migration]) -> Result<(), CliError> {
    const REMEDY: &str = "an applied migration cannot change: write a new one, or compare versions with --from and --to";
    for (n, old) in applied.iter().enumerate() {
        let file = old.up.source.path.display();
        let Some(new) = all.get(n) else {
            return Err(CliError::usage(format!(
                "{revision} has {file}, which the working tree lacks"
            ))
            .help(REMEDY));
        };
        if old.version != new.version {
            let new = new.up.source.path.display();
            return Err(CliError::usage(format!(
                "the working tree has {new} where {revision} has {file}"
            ))
            .help("give a new migration a later version than those that are applied already"));
        }
        if old.up.source.text != new.up.source.text {
            return Err(
                CliError::usage(format!("{file} is not what it is at {revision}")).help(REMEDY),
            );
        }
    }
    Ok(())
}

/// The seeds describe the newest schema: what an older one does not have is left out of them.
pub async fn fitting_specs(
    cluster: &Cluster,
    prepared: &Prepared,
    globals: &Globals,
) -> Result<Prepared, CliError> {
    let interrupt = &globals.interrupt;
    let empty = DatabaseClone::of(&cluster.url("postgres"), "template1", interrupt).await?;
    let url = match prepared.migrations.layout {
        Layout::Command => cluster.loopback_url(empty.url().database())?,
        _ => empty.url().clone(),
    };
    migrate::apply(&url, &prepared.migrations, &Progress::default(), interrupt).await?;
    let session = Session::open(empty.url(), interrupt).await?;
    let schema = introspect::schema(&session)
        .await
        .map_err(|error| CliError::environment(&error))?;
    session.close().await;
    empty.discard().await?;
    let specs = prepared
        .specs
        .iter()
        .map(|source| specs::fitting(source, &schema))
        .collect();
    Ok(Prepared {
        specs,
        ..prepared.clone()
    })
}

/// The project's files at a revision, in a directory of pgproof's own that goes with the value. The user's checkout and
/// git's own state stay as they are.
#[derive(Debug)]
struct Checkout {
    directory: PathBuf,
}

/// Which files of a revision are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    /// Those that pgproof reads itself.
    OfProjects,
    /// All, for `migrate-cmd`.
    All,
}

impl Checkout {
    fn of(root: &Path, revision: &str, files: Files) -> Result<Self, CliError> {
        if revision.starts_with('-') {
            return Err(CliError::usage(format!("{revision:?} is no revision")));
        }
        git(root, &["rev-parse", "--is-inside-work-tree"])?;
        let hash = git(
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
        let listed = git(root, &["ls-tree", "-r", "-z", "--name-only", hash])?;
        for path in listed.split('\0').filter(|path| wanted(path)) {
            let text = git(root, &["show", &format!("{hash}:./{path}")])?;
            let to = checkout.directory.join(path);
            let parent = to.parent().unwrap_or(&checkout.directory);
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&to, text))
                .map_err(|error| CliError::environment(&error))?;
        }
        Ok(checkout)
    }

    /// The project at the revision: by its own configuration, or by today's where it had none yet.
    fn project(&self, today: &Project, globals: &Globals) -> Result<Project, CliError> {
        let name = globals
            .config
            .as_deref()
            .and_then(Path::file_name)
            .unwrap_or_else(|| FILE.as_ref());
        let file = self.directory.join(name);
        if file.is_file() {
            return Ok(Project {
                live: today.live.clone(),
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

fn git(root: &Path, arguments: &[&str]) -> Result<String, CliError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            CliError::usage(format!("--base needs git, which does not run: {error}"))
                .help("install git, or compare versions of the migrations with --from and --to")
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches("fatal: ");
    Err(
        CliError::usage(format!("--base asks git, which says: {said}"))
            .help("without a git repository, compare versions with --from and --to"),
    )
}
