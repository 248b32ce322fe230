//! The database that a command works on: a private copy of the project's dataset on the embedded server, or one that a
//! URL names. Wires edges together; holds no logic of its own.

mod ingredients;

use tokio::sync::OnceCell;

use super::exit::CliError;
use super::settings::{DatasetSettings, Project};
use super::{Globals, UrlSource};
use crate::catalog::{Caller, Query};
use crate::db::audit::{MOST_WRITTEN, RunOptions, WRITE_LIMITS};
use crate::db::clone::Clone as DatabaseClone;
use crate::db::connect::{DatabaseUrl, Session, describe};
use crate::db::dataset::{self, Dataset};
use crate::db::explain::Access;
use crate::db::lab::Laboratory;
use crate::db::server::{Cluster, ClusterOptions, make_project_directory, supported};
use crate::db::{copied, introspect};
use crate::progress::Unit;
use crate::report::DatasetInfo;
use crate::report::TOOL_VERSION;
use crate::report::summary::plural;
use crate::results::{Reading, Results};
use crate::schema::{Schema, quote_identifier};
use crate::seed::GENERATOR_VERSION;
use crate::units::Count;

pub use ingredients::{
    Ingredients, constants, history, history_until, joins, kept_queries, options, specs,
    tree_and_history,
};

/// A database to run queries on.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a command has one of them")]
pub enum Target {
    /// A copy that is ours: anything may be done to it.
    Private {
        /// The embedded server.
        cluster: Box<Cluster>,
        /// What was copied.
        dataset: Dataset,
        /// How it was asked for.
        settings: DatasetSettings,
        /// The copy, made when it is asked for: what is known is not measured.
        copy: OnceCell<DatabaseClone>,
    },
    /// A copy of somebody's database, on the embedded server.
    Copied {
        /// The embedded server.
        cluster: Box<Cluster>,
        copy: DatabaseClone,
        /// What was copied, in words.
        original: String,
    },
    /// Somebody's: nothing in it may change.
    Given(DatabaseUrl),
}

impl Target {
    /// The database that the command line names, or a copy of the dataset, which is made where it is not there yet.
    pub async fn open(project: &Project, globals: &Globals) -> Result<Self, CliError> {
        if let Some((url, source)) = globals.database()? {
            if source == UrlSource::Environment {
                // Nobody should wonder which database was read.
                globals.progress.note(format!(
                    "working on the database that DATABASE_URL names: {}",
                    url.address()
                ));
            }
            return Ok(Self::Given(url));
        }
        let (cluster, dataset) = start_seeded(project, globals).await?;
        Ok(Self::Private {
            cluster: Box::new(cluster),
            dataset,
            settings: project.settings.dataset,
            copy: OnceCell::new(),
        })
    }

    /// A copy of the database that the command line names.
    pub async fn open_copy(project: &Project, globals: &Globals) -> Result<Self, CliError> {
        let Some((url, _)) = globals.database()? else {
            return Err(CliError::usage(
                "--copy copies a database that is there already, and none is named",
            )
            .help(
                "add --database-url URL; pgproof's own dataset is copied for every audit anyway",
            ));
        };
        let (progress, interrupt) = (&globals.progress, &globals.interrupt);
        let mut options = cluster_options(project, globals);
        if options.major.is_none() {
            // Plans are those of its own version.
            let session = Session::open_given(&url, interrupt).await?;
            options.major = Some(session.version().major()).filter(|major| supported(*major));
            session.close().await;
        }
        let cluster = Cluster::start(&options, progress, interrupt).await?;
        let copy = copied::copy_of_given(&url, &cluster, (progress, interrupt)).await?;
        Ok(Self::Copied {
            cluster: Box::new(cluster),
            copy,
            original: format!("{} at {}", url.database(), url.address()),
        })
    }

    /// Whether it is pgproof's own: whatever happens in it, nobody else's data change.
    #[must_use]
    pub fn is_own(&self) -> bool {
        match self {
            Self::Private { .. } | Self::Copied { .. } => true,
            Self::Given(_) => false,
        }
    }

    /// What was copied, where it was somebody's database.
    #[must_use]
    pub fn original(&self) -> Option<String> {
        match self {
            Self::Copied { original, .. } => Some(original.clone()),
            Self::Private { .. } | Self::Given(_) => None,
        }
    }

    /// Where it is.
    async fn url(&self, globals: &Globals) -> Result<&DatabaseUrl, CliError> {
        let (cluster, dataset, copy) = match self {
            Self::Given(url) => return Ok(url),
            Self::Copied { copy, .. } => return Ok(copy.url()),
            Self::Private {
                cluster,
                dataset,
                copy,
                ..
            } => (cluster, dataset, copy),
        };
        let copied = copy.get_or_try_init(async || {
            let _copying = globals
                .progress
                .task("Copying the dataset", Unit::Steps, None);
            let server = cluster.url("postgres");
            DatabaseClone::of(&server, &dataset.database, &globals.interrupt).await
        });
        Ok(copied.await?.url())
    }

    /// The results that were kept of the same dataset, server and settings; none of a database that was given, which changes
    /// without a trace.
    pub async fn results(
        &self,
        project: &Project,
        options: &RunOptions,
        reading: Reading,
        globals: &Globals,
    ) -> Result<Results, CliError> {
        match self {
            Self::Given(_) | Self::Copied { .. } => Ok(Results::off()),
            Self::Private {
                cluster, dataset, ..
            } => results(project, (cluster, dataset), options, reading, globals).await,
        }
    }

    /// A connection to it.
    pub async fn session(&self, globals: &Globals) -> Result<Session, CliError> {
        let (url, interrupt) = (self.url(globals).await?, &globals.interrupt);
        Ok(match self {
            Self::Private { .. } | Self::Copied { .. } => Session::open(url, interrupt).await?,
            Self::Given(_) => Session::open_given(url, interrupt).await?,
        })
    }

    /// A connection to it as the one who asks the application's queries.
    pub async fn session_as(
        &self,
        caller: &Caller,
        globals: &Globals,
    ) -> Result<Session, CliError> {
        let url = self.url(globals).await?.with_options(&caller.options());
        let session = match self {
            Self::Private { .. } | Self::Copied { .. } => {
                Session::open(&url, &globals.interrupt).await
            }
            Self::Given(_) => Session::open_given(&url, &globals.interrupt).await,
        };
        session.map_err(|error| {
            CliError::from(error)
                .help("`[audit] role` and `[audit] settings` of pgproof.toml say who asks")
        })
    }

    /// Hollow tables with the project's schema, on the same server.
    pub async fn laboratory(
        &self,
        project: &Project,
        globals: &Globals,
    ) -> Result<Laboratory, CliError> {
        let Self::Private { cluster, .. } = self else {
            return Err(CliError::usage(
                "hollow tables are made on pgproof's own server, of the project's migrations",
            )
            .help("leave --database-url and --copy out"));
        };
        let ingredients = Ingredients::read(
            project,
            options(project.settings.dataset, &project.settings.rows),
        )?;
        let (progress, interrupt) = (&globals.progress, &globals.interrupt);
        let _making = progress.task("Making hollow tables", Unit::Steps, None);
        let empty =
            dataset::migrated_copy(cluster, ingredients.recipe(), progress, interrupt).await?;
        let laboratory = Laboratory::open(cluster, empty.url().database(), interrupt).await;
        empty.discard().await?;
        Ok(laboratory?)
    }

    /// A copy of the rows in which statistics can be set, on the same server. Nobody may be connected to what is copied.
    pub async fn filled_laboratory(&self, globals: &Globals) -> Result<Laboratory, CliError> {
        let (cluster, database) = match self {
            Self::Private {
                cluster, dataset, ..
            } => (cluster, dataset.database.as_str()),
            Self::Copied { cluster, copy, .. } => (cluster, copy.url().database()),
            Self::Given(_) => {
                return Err(
                    CliError::usage("statistics are set on pgproof's own server alone")
                        .help("add --copy, or leave --database-url out"),
                );
            }
        };
        let _copying = globals
            .progress
            .task("Copying the dataset", Unit::Steps, None);
        Ok(Laboratory::open_filled(cluster, database, &globals.interrupt).await?)
    }

    /// What was copied, for the report; `None` for a database that was given.
    #[must_use]
    pub fn dataset_info(&self) -> Option<DatasetInfo> {
        match self {
            Self::Private {
                dataset, settings, ..
            } => Some(DatasetInfo {
                fingerprint: dataset.fingerprint.clone(),
                seed: settings.seed,
                scale: settings.scale,
                reused: dataset.made.is_none(),
            }),
            Self::Copied { .. } | Self::Given(_) => None,
        }
    }

    /// Tables of the dataset that stay empty because a constraint of theirs cannot be met, each with the reason.
    #[must_use]
    pub fn left_empty(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Private { dataset, .. } => dataset.left_empty().collect(),
            Self::Copied { .. } | Self::Given(_) => Vec::new(),
        }
    }

    /// Drops the copy and leaves the server.
    pub async fn close(self) -> Result<(), CliError> {
        match self {
            Self::Given(_) => {}
            Self::Copied { cluster, copy, .. } => {
                copy.discard().await?;
                cluster.stop().await;
            }
            Self::Private { cluster, copy, .. } => {
                if let Some(copy) = copy.into_inner() {
                    copy.discard().await?;
                }
                cluster.stop().await;
            }
        }
        Ok(())
    }
}

/// This very program: results of another one, of the same version even, are not its own.
fn tool() -> String {
    let program = std::env::current_exe().and_then(std::fs::metadata).ok();
    let built = program.and_then(|program| Some((program.len(), program.modified().ok()?)));
    format!("{TOOL_VERSION} {GENERATOR_VERSION} {built:?}")
}

/// The schema; what of it is locked is named, not waited for.
pub async fn schema(session: &Session, globals: &Globals) -> Result<Schema, CliError> {
    let reading = introspect::reading(session).await?;
    if let Some(note) = reading.note() {
        globals.progress.note(note);
    }
    Ok(reading.schema)
}

/// Says what running writes does to somebody's database, before it is done.
pub fn announce(access: Access, queries: &[Query], globals: &Globals) {
    let writes = queries.iter().filter(|query| query.writes).count();
    match access {
        Access::Writes if writes > 0 => globals.progress.note(format!(
            "--allow-writes: {} will run in transactions that roll back. Each leaves dead rows behind (the tables grow until \
             they are vacuumed), locks rows until its rollback (other writers wait, up to {} each time) and moves sequences on. \
             It waits for locks no longer than {}; more than {} rows are not written, but planned only. \
             Without --allow-writes they are only planned",
            plural(writes, "query that writes", "queries that write"),
            WRITE_LIMITS.statement,
            WRITE_LIMITS.lock,
            Count(MOST_WRITTEN),
        )),
        Access::Writes | Access::ReadOnly | Access::PrivateCopy => {}
    }
}

/// The project's embedded server, started or joined.
pub async fn start(project: &Project, globals: &Globals) -> Result<Cluster, CliError> {
    Ok(Cluster::start(
        &cluster_options(project, globals),
        &globals.progress,
        &globals.interrupt,
    )
    .await?)
}

/// The project's embedded server with its dataset, which is made where it is not there yet.
pub async fn start_seeded(
    project: &Project,
    globals: &Globals,
) -> Result<(Cluster, Dataset), CliError> {
    // Mistakes in files are found before anything is started.
    let ingredients = Ingredients::read(
        project,
        options(project.settings.dataset, &project.settings.rows),
    )?;
    let cluster = start(project, globals).await?;
    make_roles(&cluster, &project.settings.server.roles, globals).await?;
    let dataset = dataset::ensure(
        &cluster,
        ingredients.recipe(),
        &globals.progress,
        &globals.interrupt,
    )
    .await?;
    note_left_empty(&dataset, globals);
    Ok((cluster, dataset))
}

/// Says which tables have no made rows because a constraint of theirs cannot be met: nothing is judged of the queries on those
/// that have none at all.
pub fn note_left_empty(dataset: &Dataset, globals: &Globals) {
    for table in &dataset.tables {
        let Some(reason) = &table.left_empty else {
            continue;
        };
        let state = match table.rows {
            0 => "stays empty",
            _ => "holds only what the migrations inserted",
        };
        globals
            .progress
            .note(format!("table {} {state}: {reason}", table.name));
    }
}

/// A project as `record` uses it. A catalog's constants shape the dataset that it is audited on, so that what is made before there
/// is a catalog is made again for the audit; to record statements a tenth of the rows is enough.
#[must_use]
pub fn for_recording(mut project: Project, globals: &Globals) -> Project {
    const SHARE: f64 = 0.1;
    let has_queries = project
        .catalog()
        .map_or(true, |catalog| !catalog.queries.is_empty());
    if !has_queries {
        project.settings.dataset.scale *= SHARE;
        globals.progress.note(
            "there is no query yet: the recording runs on a tenth of the rows, the audit makes all of them",
        );
    }
    project
}

/// `[server] roles`: those that migrations grant to and do not make.
pub async fn make_roles(
    cluster: &Cluster,
    roles: &[String],
    globals: &Globals,
) -> Result<(), CliError> {
    if roles.is_empty() {
        return Ok(());
    }
    let session = Session::open(&cluster.url("postgres"), &globals.interrupt).await?;
    for role in roles {
        let name = quote_identifier(role);
        let there = session
            .client()
            .query_opt(
                "SELECT FROM pg_catalog.pg_roles WHERE rolname = $1",
                &[role],
            )
            .await;
        let made = match there {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                session
                    .client()
                    .batch_execute(&format!("CREATE ROLE {name}"))
                    .await
            }
            Err(error) => Err(error),
        };
        made.map_err(|error| {
            CliError::usage(format!(
                "[server] roles: {role} cannot be made: {}",
                describe(&error)
            ))
        })?;
    }
    session.close().await;
    Ok(())
}

/// What the project asks of its server.
#[must_use]
pub fn cluster_options(project: &Project, globals: &Globals) -> ClusterOptions {
    let server = &project.settings.server;
    ClusterOptions {
        directory: project.root.join(".pgproof"),
        major: server.version,
        binaries: server.bin.clone(),
        settings: server.settings.clone(),
        offline: globals.offline,
    }
}

/// The results that were kept of a dataset of the embedded server, under the project's settings.
pub async fn results(
    project: &Project,
    (cluster, dataset): (&Cluster, &Dataset),
    options: &RunOptions,
    reading: Reading,
    globals: &Globals,
) -> Result<Results, CliError> {
    let server = dataset::environment(cluster, dataset, &globals.interrupt).await?;
    let directory = project.root.join(".pgproof");
    make_project_directory(&directory)?;
    let caller = &project.settings.audit.caller;
    let environment = format!("{} {server} {options:?} {caller:?}", tool());
    Ok(Results::open(&directory, &environment, reading))
}
