//! The two sides of a diff: two versions of the migrations, a git revision and the working tree, or two saved reports.
//! Reads files and runs git; compares nothing itself but saved reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Globals;
use super::args::DiffArgs;
use super::exit::CliError;
use super::settings::Project;
use crate::catalog::{self, Query};
use crate::db::clone::Clone as DatabaseClone;
use crate::db::connect::Session;
use crate::db::dataset::Recipe;
use crate::db::server::Cluster;
use crate::db::{introspect, migrate};
use crate::diff::migrations::{self, History, Migration, Tree};
use crate::diff::report::DiffReport;
use crate::diff::saved;
use crate::progress::Progress;
use crate::report::json;
use crate::schema::Schema;
use crate::seed::Options;
use crate::source::Source;

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
        Recipe { migrations: &self.migrations, specs: &self.specs, options: &self.options }
    }

    /// The same at another scale.
    #[must_use]
    pub fn at_scale(&self, scale: f64) -> Self {
        Self { options: Options { scale, ..self.options.clone() }, ..self.clone() }
    }
}

impl Sides {
    /// Reads both sides.
    pub fn read(args: &DiffArgs, project: &Project, globals: &Globals) -> Result<Self, CliError> {
        let history = history(project)?;
        let catalog = project.catalog()?.queries;
        match &args.base {
            Some(revision) => Self::since(revision, project, history, catalog),
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
        let root = &project.settings.migrations.dir;
        let to = match &args.to {
            Some(version) => history.position(version, root)?,
            None => history.migrations.len(),
        };
        let from = match &args.from {
            Some(version) => history.position(version, root)?,
            None => to.saturating_sub(1),
        };
        if from >= to || from == 0 {
            return Err(CliError::usage("there is nothing between --from and --to")
                .help("--from names the version that production has, --to a later one"));
        }
        let name = |at: usize| format!("{} {}", history.migrations[at - 1].version, history.migrations[at - 1].name);
        if args.from.is_none() {
            progress.note(format!("comparing {} with {}; --from and --to name others", name(from), name(to)));
        }
        let mut applied = history.migrations.clone();
        let mut pending = applied.split_off(from);
        pending.truncate(to - from);
        Ok(Self {
            from: name(from),
            to: name(to),
            layout: history.layout,
            because: history.because,
            applied,
            pending,
            old_catalog: catalog.clone(),
            new_catalog: catalog,
            specs: catalog::files::read_any(&project.root, &project.settings.seeds)?,
        })
    }

    fn since(revision: &str, project: &Project, history: History, catalog: Vec<Query>) -> Result<Self, CliError> {
        let checkout = Checkout::of(&project.root, revision)?;
        let old = Project::load(None, &checkout.directory)?;
        let applied = self::history(&old)?.migrations;
        for (old, new) in applied.iter().zip(&history.migrations) {
            if old.version != new.version || old.up.source.text != new.up.source.text {
                let file = new.up.source.path.display();
                return Err(CliError::usage(format!("{file} is not the migration that {revision} has")).help(
                    "an applied migration cannot change; write a new one, or compare versions with --from and --to",
                ));
            }
        }
        if applied.len() > history.migrations.len() {
            return Err(CliError::usage(format!("{revision} has migrations that the working tree lacks")));
        }
        let pending = history.migrations[applied.len()..].to_vec();
        Ok(Self {
            from: revision.to_owned(),
            to: "working tree".to_owned(),
            layout: history.layout,
            because: history.because,
            applied,
            pending,
            old_catalog: old.catalog()?.queries,
            new_catalog: catalog,
            specs: catalog::files::read_any(&old.root, &old.settings.seeds)?,
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
            options: Options { seed: settings.seed, scale: settings.scale, ..Options::default() },
        })
    }
}

fn history(project: &Project) -> Result<History, CliError> {
    let settings = &project.settings.migrations;
    let tree = Tree::read(&project.root, &settings.dir)?;
    Ok(migrations::history(&tree, settings.layout)?)
}

/// The seeds describe the newest schema: what an older one does not have is left out of them.
pub async fn fitting_specs(cluster: &Cluster, prepared: &Prepared, globals: &Globals) -> Result<Prepared, CliError> {
    let interrupt = &globals.interrupt;
    let empty = DatabaseClone::of(&cluster.url("postgres"), "template1", interrupt).await?;
    migrate::apply(empty.url(), &prepared.migrations, &Progress::default(), interrupt).await?;
    let session = Session::open(empty.url(), interrupt).await?;
    let schema = introspect::schema(&session).await.map_err(|error| CliError::environment(&error))?;
    session.close().await;
    empty.discard().await?;
    let specs = prepared.specs.iter().map(|source| fitting(source, &schema)).collect();
    Ok(Prepared { specs, ..prepared.clone() })
}

/// A spec file without the tables and columns that a schema lacks; as it is where it lacks none.
fn fitting(source: &Source, schema: &Schema) -> Source {
    let Ok(mut file) = source.text.parse::<toml::Table>() else { return source.clone() };
    let Some(toml::Value::Table(tables)) = file.get_mut("tables") else { return source.clone() };
    let mut dropped = 0;
    let find = |name: &str| match name.rsplit_once('.') {
        Some((namespace, name)) => schema.table(Some(namespace), name),
        None => schema.table(None, name),
    };
    tables.retain(|name, _| {
        let known = find(name).is_some();
        dropped += usize::from(!known);
        known
    });
    for (name, table) in tables.iter_mut() {
        let (Some(known), Some(spec)) = (find(name), table.as_table_mut()) else { continue };
        if let Some(toml::Value::Table(columns)) = spec.get_mut("columns") {
            columns.retain(|column, _| {
                let there = known.column(column).is_some();
                dropped += usize::from(!there);
                there
            });
        }
        let parent = spec.get("rows").and_then(|rows| rows.get("per")).and_then(toml::Value::as_str);
        if parent.is_some_and(|parent| find(parent).is_none()) {
            spec.remove("rows");
            dropped += 1;
        }
    }
    match (dropped, toml::to_string(&file)) {
        (0, _) | (_, Err(_)) => source.clone(),
        (_, Ok(text)) => Source::new(&source.path, text),
    }
}

/// The project's files at a revision, in a directory of pgproof's own that goes with the value. The user's checkout and
/// git's own state stay as they are.
struct Checkout {
    directory: PathBuf,
}

impl Checkout {
    fn of(root: &Path, revision: &str) -> Result<Self, CliError> {
        if revision.starts_with('-') {
            return Err(CliError::usage(format!("{revision:?} is no revision")));
        }
        let hash = git(root, &["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])
            .map_err(|_| CliError::usage(format!("git does not know the revision {revision:?}")))?;
        let directory =
            root.join(".pgproof").join(format!("base-{}-{}", &hash[..hash.len().min(12)], std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|error| CliError::environment(&error))?;
        let checkout = Self { directory };
        let listed = git(root, &["ls-tree", "-r", "-z", "--name-only", hash.trim()])?;
        for path in listed.split('\0').filter(|path| wanted(path)) {
            let text = git(root, &["show", &format!("{}:./{path}", hash.trim())])?;
            let to = checkout.directory.join(path);
            let parent = to.parent().unwrap_or(&checkout.directory);
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&to, text))
                .map_err(|error| CliError::environment(&error))?;
        }
        Ok(checkout)
    }
}

/// What a project is made of, as far as pgproof reads it.
fn wanted(path: &str) -> bool {
    [".sql", ".toml", ".conf"].iter().any(|extension| path.ends_with(extension))
        || ["Cargo.toml", "go.mod"].iter().any(|name| path.rsplit('/').next() == Some(name))
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
        .output()
        .map_err(|error| CliError::usage(format!("--base needs git, which does not run: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(CliError::usage(format!("git {} failed: {}", arguments.first().unwrap_or(&""), said.trim())));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(if arguments.first() == Some(&"rev-parse") { text.trim().to_owned() } else { text })
}

/// Compares two reports that `audit --format json` wrote.
pub fn of_saved_reports(before: &Path, after: &Path, directory: &Path) -> Result<DiffReport, CliError> {
    let read = |path: &Path| -> Result<json::SavedReport, CliError> {
        let text = std::fs::read_to_string(directory.join(path))
            .map_err(|error| CliError::usage(format!("{} cannot be read: {error}", path.display())))?;
        json::read(&text).map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
    };
    let (old, new) = (read(before)?, read(after)?);
    let differing = unlike(&old, &new);
    if !differing.is_empty() {
        return Err(CliError::usage(format!("the reports cannot be compared: {}", differing.join("; ")))
            .help("audit both with the same dataset, server version and planner settings"));
    }
    let runs = |report: &json::SavedReport| -> Result<Vec<saved::SavedQueryRuns>, CliError> {
        report
            .queries
            .iter()
            .map(|query| {
                let runs = query.runs.iter().map(saved_run).collect::<Result<Vec<_>, _>>()?;
                Ok(saved::SavedQueryRuns {
                    name: query.name.clone(),
                    file: PathBuf::from(&query.file),
                    line: query.line,
                    sql: query.sql.clone(),
                    failure: query.failure.as_ref().map(|failure| crate::run::QueryFailure {
                        message: failure.message.clone(),
                        code: failure.code.clone(),
                        position: failure.position,
                        hint: failure.hint.clone(),
                    }),
                    runs,
                })
            })
            .collect()
    };
    let queries = saved::compare(&runs(&old)?, &runs(&new)?);
    let policy = crate::rules::Policy::default();
    let findings = queries.iter().filter_map(|diff| crate::rules::plan_regression::finding(diff, &policy)).collect();
    Ok(DiffReport {
        from: before.display().to_string(),
        to: after.display().to_string(),
        server_version: new.server.version,
        queries,
        findings,
        ..DiffReport::default()
    })
}

fn saved_run(run: &json::SavedRun) -> Result<crate::run::Run, CliError> {
    let plan = crate::plan::parse::json_value(&run.plan)
        .map_err(|error| CliError::usage(format!("the plan of {} cannot be read: {error}", run.label)))?
        .into_iter()
        .next()
        .ok_or_else(|| CliError::usage(format!("{} has no plan", run.label)))?;
    let sample = crate::run::Sample {
        execution: run.time_ms.unwrap_or_default(),
        planning: run.planning_ms.unwrap_or_default(),
        blocks: plan.root().buffers.unwrap_or_default().touched(),
        temp_blocks: plan.root().buffers.unwrap_or_default().temp(),
    };
    let outcome = match run.outcome {
        json::SavedOutcome::Completed => crate::run::Outcome::Completed { samples: vec![sample] },
        json::SavedOutcome::TimedOut => crate::run::Outcome::TimedOut { after: crate::units::Millis(0.0) },
        json::SavedOutcome::Estimated => crate::run::Outcome::Estimated,
    };
    let parameters = run.parameters.iter().map(|parameter| crate::run::BoundParameter {
        number: parameter.number,
        name: parameter.name.clone(),
        type_name: parameter.type_name.clone(),
        value: parameter.value.clone(),
        column: parameter.column.clone(),
    });
    Ok(crate::run::Run {
        label: run.label.clone(),
        parameters: parameters.collect(),
        plan,
        explain_json: run.plan.clone(),
        outcome,
    })
}

/// What makes two reports incomparable, each said.
fn unlike(old: &json::SavedReport, new: &json::SavedReport) -> Vec<String> {
    let mut found = Vec::new();
    let major = |version: &str| version.split('.').next().unwrap_or(version).to_owned();
    if major(&old.server.version) != major(&new.server.version) {
        found.push(format!("PostgreSQL {} and {}", old.server.version, new.server.version));
    }
    if old.dataset.scale != new.dataset.scale {
        found.push(format!("scale {:?} and {:?}", old.dataset.scale, new.dataset.scale));
    }
    if old.dataset.seed != new.dataset.seed {
        found.push(format!("seed {:?} and {:?}", old.dataset.seed, new.dataset.seed));
    }
    let names: BTreeSet<&String> = old.server.settings.keys().chain(new.server.settings.keys()).collect();
    for name in names {
        let (a, b) = (old.server.settings.get(name), new.server.settings.get(name));
        if a != b {
            let shown =
                |value: Option<&serde_json::Value>| value.and_then(|v| v.as_str()).unwrap_or("default").to_owned();
            found.push(format!("{name} is {} and {}", shown(a), shown(b)));
        }
    }
    found
}
