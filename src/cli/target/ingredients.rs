//! What a project's dataset is made of: migrations, seed files, the catalog's constants, options.

use crate::catalog::{self, Query};
use crate::cli::args::RowsRequest;
use crate::cli::exit::CliError;
use crate::cli::settings::{DatasetSettings, Project};
use crate::db::dataset::{Lacking, Recipe};
use crate::migrations::{self, History, Tree};
use crate::seed::infer::constants::beside_spec;
use crate::seed::{Clock, DefaultRows, Options};
use crate::source::Source;
use crate::sql::constants::Constant;
use crate::sql::joins::Join;

/// The files and options that a project's dataset is made of.
#[derive(Debug)]
pub struct Ingredients {
    migrations: History,
    specs: Vec<Source>,
    pub(super) options: Options,
}

/// The project's migrations: read from their files, or what `migrate-cmd` stands for.
pub fn history(project: &Project) -> Result<History, CliError> {
    Ok(tree_and_history(project)?.1)
}

/// The same for who needs it up to a version only: what comes later may be no SQL.
pub fn history_until(project: &Project, version: &str) -> Result<History, CliError> {
    let settings = &project.settings.migrations;
    if settings.command.is_some() {
        return history(project);
    }
    let tree = tree(project)?.until(version);
    Ok(migrations::history(&tree, settings.layout)?)
}

/// The same, with the files; of what a program owns there are none.
pub fn tree_and_history(project: &Project) -> Result<(Tree, History), CliError> {
    let settings = &project.settings.migrations;
    if let Some(command) = &settings.command {
        let history = migrations::command_history(&project.root, &settings.dir, command)?;
        return Ok((Tree::default(), history));
    }
    let tree = tree(project)?;
    let history = migrations::history(&tree, settings.layout)?;
    Ok((tree, history))
}

fn tree(project: &Project) -> Result<Tree, CliError> {
    let settings = &project.settings.migrations;
    Ok(match settings.files.is_empty() {
        true => Tree::read(&project.root, &settings.dir)?,
        false => Tree::read_files(&project.root, &settings.dir, &settings.files)?,
    })
}

/// The project's seed files; without any, everything is inferred from the schema.
pub fn specs(project: &Project) -> Result<Vec<Source>, CliError> {
    Ok(catalog::files::read_any(
        &project.root,
        &project.settings.seeds,
    )?)
}

/// What a dataset comes to where nobody says it: of production's order, made in about a minute on two cores, and copied in
/// seconds for each audit.
const DEFAULT_SIZE: u64 = 1 << 30;

/// The day by the machine's clock, in UTC.
fn today() -> Clock {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    Clock::of_unix_seconds(i64::try_from(seconds).unwrap_or(0))
}

/// What the catalog's queries say of the data. Mistakes in the catalog are reported where it is audited.
#[must_use]
pub fn constants(queries: &[Query]) -> Vec<Constant> {
    crate::sql::constants::of_all(queries.iter().map(|query| query.sql.as_str()))
}

/// The columns that the catalog's queries compare with each other.
#[must_use]
pub fn joins(queries: &[Query]) -> Vec<Vec<Join>> {
    crate::sql::joins::by_tables(queries.iter().map(|query| query.sql.as_str()))
}

/// The catalog's queries, without those of a database that is asked anew each time: they change from day to day, and a dataset that
/// depended on them would never last.
#[must_use]
pub fn kept_queries(project: &Project) -> Vec<Query> {
    let is_live = |source: &&catalog::QuerySource| {
        matches!(
            source,
            catalog::QuerySource::Statements {
                from: catalog::StatementsFrom::GivenDatabase | catalog::StatementsFrom::Variable(_),
                ..
            }
        )
    };
    let sources = project.settings.queries.iter();
    let kept: Vec<_> = sources.filter(|source| !is_live(source)).cloned().collect();
    let catalog = catalog::load(&project.root, &kept, &[]);
    catalog.map(|catalog| catalog.queries).unwrap_or_default()
}

/// Seed, scale and row counts; of two counts of the same table the last one holds.
#[must_use]
pub fn options(dataset: DatasetSettings, rows: &[RowsRequest]) -> Options {
    let mut options = Options {
        seed: dataset.seed,
        scale: dataset.scale,
        clock: dataset.today.unwrap_or_else(today),
        default_rows: match dataset.target_size {
            Some(bytes) => DefaultRows::Asked(bytes),
            None => DefaultRows::Fitted(DEFAULT_SIZE),
        },
        ..Options::default()
    };
    for request in rows {
        match &request.table {
            Some(table) => {
                options.table_rows.insert(table.clone(), request.rows);
            }
            None => options.all_rows = Some(request.rows),
        }
    }
    options
}

impl Ingredients {
    /// Reads the migrations and the seed files.
    pub fn read(project: &Project, options: Options) -> Result<Self, CliError> {
        let specs = specs(project)?;
        let queries = kept_queries(project);
        let mut constants = constants(&queries);
        let joins = joins(&queries);
        // A spec with mistakes makes no dataset.
        if let Ok(spec) = crate::seed::spec::parse(&specs) {
            constants = beside_spec(constants, &spec);
        }
        let mut migrations = history(project)?;
        let texts = queries.iter().map(|query| query.sql.as_str());
        let own_table = migrations::own_table_of_queries(&migrations, texts);
        migrations.migrations.splice(0..0, own_table);
        Ok(Self {
            migrations,
            specs,
            options: Options {
                constants,
                joins,
                profile: project.profile.clone(),
                ..options
            },
        })
    }

    /// As the dataset is asked for.
    #[must_use]
    pub fn recipe(&self) -> Recipe<'_> {
        Recipe {
            migrations: &self.migrations,
            specs: &self.specs,
            options: &self.options,
            demands: &[],
            lacking: Lacking::Made,
        }
    }
}
