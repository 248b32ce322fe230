//! The two sides of a diff that is run: two versions of the migrations, or a git revision and the working tree. Reads files
//! and runs git; compares nothing.

use super::Globals;
use super::args::DiffArgs;
use super::exit::CliError;
use super::revision::{Checkout, Files, GitUse};
use super::settings::Project;
use super::target;
use crate::catalog::{self, Query};
use crate::db::clone::Clone as DatabaseClone;
use crate::db::connect::Session;
use crate::db::dataset::{Lacking, Recipe};
use crate::db::demands::{self, Demand};
use crate::db::server::Cluster;
use crate::db::{introspect, migrate};
use crate::diff::specs;
use crate::migrations::{self, History, Layout, Migration};
use crate::progress::Progress;
use crate::seed::Options;
use crate::source::{Source, SourceError};
use crate::sql::{constants, joins};

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
    demands: Vec<Demand>,
}

impl Prepared {
    /// As the dataset is asked for.
    #[must_use]
    pub fn recipe(&self) -> Recipe<'_> {
        Recipe {
            migrations: &self.migrations,
            specs: &self.specs,
            options: &self.options,
            demands: &self.demands,
            lacking: Lacking::Left,
        }
    }

    /// The same with rows that hold what the migrations ask of them; `None` where they ask nothing, or nobody can say what.
    pub async fn fitting(
        &self,
        cluster: &Cluster,
        pending: &[Migration],
        globals: &Globals,
    ) -> Result<Option<Self>, CliError> {
        if !self.demands.is_empty() || pending.iter().any(|m| m.up.program.is_some()) {
            return Ok(None);
        }
        let interrupt = &globals.interrupt;
        let empty = DatabaseClone::of(&cluster.url("postgres"), "template1", interrupt).await?;
        migrate::apply(
            empty.url(),
            &self.migrations,
            &Progress::default(),
            interrupt,
        )
        .await?;
        let asked = demands::demands(empty.url(), pending, interrupt).await;
        empty.discard().await?;
        interrupt.check()?;
        // What is wrong with the migrations themselves is reported where they are applied.
        let demands = asked.unwrap_or_default();
        Ok((!demands.is_empty()).then(|| Self {
            demands,
            ..self.clone()
        }))
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
        let history = match &args.to {
            Some(version) => target::history_until(project, version)?,
            None => target::history(project)?,
        };
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
        let checkout = Checkout::of(&project.root, revision, files, GitUse::Base)?;
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
                joins: joins::by_tables(self.new_catalog.iter().map(|query| query.sql.as_str())),
                ..Options::default()
            },
            demands: Vec::new(),
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
