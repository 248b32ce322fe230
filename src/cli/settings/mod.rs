//! What pgproof.toml means: typed, validated, with defaults. Where a flag says otherwise, the flag wins.

pub mod keys;
mod policy;
mod read;
mod section;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::{AuditArgs, FailOnWord, RowsRequest, SeedArgs};
use super::exit::CliError;
use crate::catalog::Caller;
use crate::catalog::{Catalog, Query, QuerySource, Skipped, StatementsFrom};
use crate::db::audit::RunOptions;
use crate::db::explain::Access;
use crate::finding::FailOn;
use crate::migrations::{Layout, MigrateCommand};
use crate::profile::model::Profile;
use crate::rules::{self, Policy};
use crate::seed::Clock;
use crate::source::{Source, SourceError};
use crate::trace::event::Statements;
use crate::units::Millis;

/// The configuration's file name.
pub const FILE: &str = "pgproof.toml";

/// A project: where it is, and how it is audited.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder of pgproof.toml; every path in it starts here.
    pub root: PathBuf,
    /// What it says.
    pub settings: Settings,
    /// What the databases among its `queries` hold; read by [`Project::with_statements`].
    pub live: Vec<(StatementsFrom, Statements)>,
    /// `--profile`, or `[dataset] profile`: the statistics that the dataset's rows have.
    pub profile: Option<Arc<Profile>>,
}

/// pgproof.toml, with defaults where it is silent.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the schema comes from.
    pub migrations: Migrations,
    /// Where the catalog's queries are.
    pub queries: Vec<QuerySource>,
    /// Names and paths of queries that are not audited.
    exclude: Vec<policy::QueryPattern>,
    /// File patterns of the seed specs.
    pub seeds: Vec<String>,
    /// From which severity on findings count; `None` = never.
    pub fail_on: FailOn,
    /// `baseline`: a file of accepted findings, or a directory of plans, relative to the project.
    pub baseline: Option<PathBuf>,
    /// `[dataset] profile`, relative to the project.
    pub profile: Option<PathBuf>,
    /// `database-url`.
    pub database_variable: Variable,
    /// `[server]`.
    pub server: ServerSettings,
    /// `[dataset]`.
    pub dataset: DatasetSettings,
    /// Rows that the command line asks for.
    pub rows: Vec<RowsRequest>,
    /// `[audit]`.
    pub audit: AuditSettings,
    /// `[diff] after`.
    pub manual_steps: Vec<ManualStep>,
    source: Source,
    judgement: policy::Judgement,
    overrides: Vec<policy::Override>,
}

/// Whether `DATABASE_URL` names the database: it is often set for the application, and then means another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variable {
    /// `database-url = "env"`.
    Used,
    /// Only where `--database-url env` asks for it.
    #[default]
    Unused,
}

/// Where the schema comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations {
    /// Relative to the project.
    pub dir: PathBuf,
    /// Several files that together hold the schema, in this order; `dir` is the folder of the first one then.
    pub files: Vec<PathBuf>,
    /// Recognized from the files where it is not written.
    pub layout: Option<Layout>,
    /// `migrate-cmd`: what applies them where pgproof does not know how.
    pub command: Option<MigrateCommand>,
}

/// What is run by hand between two migrations: a backfill, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualStep {
    /// The migration that it follows.
    pub version: String,
    /// Its SQL, relative to the project.
    pub file: PathBuf,
    /// pgproof.toml.
    pub source: Source,
    /// Where in it.
    pub span: std::ops::Range<usize>,
}

/// The embedded server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerSettings {
    /// Preferred major version.
    pub version: Option<u32>,
    /// The folder with `postgres` and `initdb`, where it should not be looked for.
    pub bin: Option<PathBuf>,
    /// Settings of production that plans depend on, as name and value.
    pub settings: Vec<(String, String)>,
    /// Roles that migrations expect, made before they are applied.
    pub roles: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DatasetSettings {
    /// Multiplies every table's rows; above 0.
    pub scale: f64,
    /// The same seed makes the same rows.
    pub seed: u64,
    /// What tables and indexes that no spec counts come to, in bytes.
    pub target_size: Option<u64>,
    /// The day with which inferred times end; today's where it is not written.
    pub today: Option<Clock>,
}

/// How queries are measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// Executions of each parameter set; at least 1.
    pub runs: u32,
    /// When a statement is cancelled.
    pub timeout: Duration,
    /// Who asks: `role` and `settings`.
    pub caller: Caller,
}

impl AuditSettings {
    /// How the catalog is run where figures are to be settled.
    #[must_use]
    pub fn run_options(&self, access: Access) -> RunOptions {
        RunOptions {
            runs: self.runs,
            timeout: Millis(self.timeout.as_secs_f64() * 1000.0),
            access,
        }
    }

    /// How it is run on a private copy where plans and pages are compared, and times only as far as they differ much.
    #[must_use]
    pub fn run_once(&self) -> RunOptions {
        RunOptions {
            runs: 1,
            ..self.run_options(Access::PrivateCopy)
        }
    }
}

impl Project {
    /// Reads the file that was named, or pgproof.toml of `directory` or the nearest folder above it.
    pub fn load(config: Option<&Path>, directory: &Path) -> Result<Self, CliError> {
        let path = match config {
            Some(config) => directory.join(config),
            None => find(directory)?,
        };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            CliError::usage(format!("{} cannot be read: {error}", path.display()))
                .help("write one: `migrations`, `queries` and `seeds` are all it needs")
        })?;
        let shown = path.strip_prefix(directory).unwrap_or(&path);
        let source = Source::new(shown, text.strip_prefix('\u{FEFF}').unwrap_or(&text));
        let settings = Settings::read(&source, rules::ALL)?;
        let root = path.parent().unwrap_or(directory).to_path_buf();
        Ok(Self {
            root,
            settings,
            live: Vec::new(),
            profile: None,
        })
    }

    /// The same; `None` where no file was named and none is there: the defaults hold then.
    pub fn load_if_there(
        config: Option<&Path>,
        directory: &Path,
    ) -> Result<Option<Self>, CliError> {
        if config.is_none() && find(directory).is_err() {
            return Ok(None);
        }
        Self::load(config, directory).map(Some)
    }

    /// The project's catalog without what `exclude` names; patterns that name none of its queries are mistakes.
    pub fn catalog(&self) -> Result<Catalog, CliError> {
        let _reading = crate::interrupt::reading();
        let mut catalog = crate::catalog::load(&self.root, &self.settings.queries, &self.live)?;
        let unused = policy::unmatched_patterns(
            &self.settings.source,
            self.settings.exclude.iter(),
            &catalog,
        );
        for pattern in &self.settings.exclude {
            catalog.exclude(pattern.text(), |name, file| pattern.matches(name, file));
        }
        catalog.warnings.extend(unused);
        if let Some(profile) = &self.profile {
            super::profiles::weigh(profile, &mut catalog.queries);
        }
        let unmatched =
            policy::unmatched(&self.settings.source, &self.settings.overrides, &catalog);
        if unmatched.is_empty() {
            Ok(catalog)
        } else {
            Err(unmatched.into())
        }
    }
}

impl Settings {
    /// Reads a configuration; every mistake in it at once. `rules` is the registry.
    pub fn read(source: &Source, rules: &[&rules::Rule]) -> Result<Self, Vec<SourceError>> {
        read::settings(source, rules)
    }

    /// The limits and severities that hold for a query.
    #[must_use]
    pub fn policy_for(&self, query: &Query) -> Policy {
        let place = (query.name.as_str(), query.file.as_path());
        policy::policy(&self.judgement, &self.overrides, Some(place))
    }

    /// The same for a statement that could not be read.
    #[must_use]
    pub fn policy_of(&self, skipped: &Skipped) -> Policy {
        let place = (skipped.name.as_str(), skipped.file.as_path());
        policy::policy(&self.judgement, &self.overrides, Some(place))
    }

    /// The limits and severities that hold where no query is meant.
    #[must_use]
    pub fn policy(&self) -> Policy {
        policy::policy(&self.judgement, &self.overrides, None)
    }

    /// With the arguments of `pgproof audit`.
    #[must_use]
    pub fn with_audit_args(mut self, args: &AuditArgs) -> Self {
        self.dataset.scale = args.scale.unwrap_or(self.dataset.scale);
        self.rows.extend(args.rows.iter().cloned());
        self.fail_on = fail_on(&args.fail_on, self.fail_on);
        self.audit.runs = args.runs.unwrap_or(self.audit.runs);
        self.audit.timeout = args.timeout.unwrap_or(self.audit.timeout);
        self
    }

    /// With the arguments of `pgproof seed`.
    #[must_use]
    pub fn with_seed_args(mut self, args: &SeedArgs) -> Self {
        self.dataset = self.dataset.with_seed_args(args);
        self
    }
}

impl Default for DatasetSettings {
    fn default() -> Self {
        Self {
            scale: 1.0,
            seed: 42,
            target_size: None,
            today: None,
        }
    }
}

impl DatasetSettings {
    /// With the arguments of `pgproof seed`.
    #[must_use]
    pub fn with_seed_args(self, args: &SeedArgs) -> Self {
        Self {
            scale: args.scale.unwrap_or(self.scale),
            seed: args.seed.unwrap_or(self.seed),
            ..self
        }
    }
}

/// What was typed, over what holds else: a severity takes the place of the one there, rules that of its rules.
pub(super) fn fail_on(words: &[FailOnWord], configured: FailOn) -> FailOn {
    let mut rules = Vec::new();
    let mut from = configured.from;
    for word in words {
        match word {
            FailOnWord::From(severity) => from = *severity,
            FailOnWord::Rule(rule) => rules.push(*rule),
        }
    }
    let rules = if words.is_empty() {
        configured.rules
    } else {
        rules
    };
    FailOn { from, rules }
}

fn find(directory: &Path) -> Result<PathBuf, CliError> {
    directory.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()).ok_or_else(|| {
        CliError::usage(format!("no {FILE} in {} or above it", directory.display()))
            .help("run `pgproof init`, which reads the project and writes one, or name one that is elsewhere with --config")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::RuleId;
    use crate::finding::Severity;
    use crate::rules::Threshold;

    fn threshold(rule: RuleId, key: &str) -> &'static Threshold {
        let rule = rules::find(rule).unwrap();
        rule.thresholds
            .iter()
            .find(|threshold| threshold.key == key)
            .unwrap()
    }

    fn query(name: &str, file: &str) -> Query {
        let source = Source::new(file, format!("-- name: {name} :many\nSELECT 1"));
        crate::catalog::parse(&[source]).queries.remove(0)
    }

    #[test]
    fn later_overrides_win_by_name_or_path() {
        let text = "
            [thresholds]
            slow-query.max-time = 700
            seq-scan.max-kept = \"10%\"
            [rules]
            sort-spill = \"warning\"
            [[override]]
            queries = [\"reports/*\"]
            slow-query.max-time = \"5s\"
            seq-scan.min-pages = \"16MB\"
            [[override]]
            queries = [\"Nightly*\"]
            slow-query.max-time = \"2min\"
            rules = { sort-spill = \"off\" }";
        let settings = Settings::read(&Source::new(FILE, text), rules::ALL).unwrap();
        let (time, pages) = (
            threshold(RuleId::SlowQuery, "max-time"),
            threshold(RuleId::SeqScan, "min-pages"),
        );
        let kept = threshold(RuleId::SeqScan, "max-kept");
        let seen: Vec<_> = [
            query("A", "queries/a.sql"),
            query("B", "queries/reports/b.sql"),
            query("NightlyC", "queries/reports/c.sql"),
        ]
        .iter()
        .map(|query| settings.policy_for(query))
        .map(|policy| {
            (
                policy.limit(time),
                policy.limit(pages),
                policy.limit(kept),
                policy.is_on(RuleId::SortSpill),
            )
        })
        .collect();
        let default = pages.default;
        assert_eq!(
            seen,
            [
                (700.0, default, 0.1, true),
                (5_000.0, 2048.0, 0.1, true),
                (120_000.0, 2048.0, 0.1, false)
            ]
        );
        assert_eq!(
            settings
                .policy()
                .severity(RuleId::SortSpill, Severity::Error),
            Some(Severity::Warning)
        );
    }

    #[test]
    fn the_sample_project_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // From a folder below, as people work.
        let project = Project::load(None, &root.join("queries")).unwrap();
        assert_eq!(project.root, root);
        assert!(project.catalog().is_ok());
    }

    #[test]
    fn an_empty_file_is_all_defaults_and_flags_win() {
        let settings = Settings::read(&Source::new(FILE, ""), rules::ALL).unwrap();
        assert_eq!(
            (&settings.fail_on, settings.audit.runs),
            (&Some(Severity::Error).into(), 3)
        );
        let args = AuditArgs {
            fail_on: vec![FailOnWord::From(None), FailOnWord::Rule(RuleId::NotAudited)],
            runs: Some(7),
            ..AuditArgs::default()
        };
        let settings = settings.with_audit_args(&args);
        let only = FailOn {
            from: None,
            rules: vec![RuleId::NotAudited],
        };
        assert_eq!((settings.fail_on, settings.audit.runs), (only, 7));
        assert_eq!(settings.audit.timeout, Duration::from_secs(30));
    }
}
