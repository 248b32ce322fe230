//! `pgproof profile`: a database's statistics as a file in which no value of the database is.

use std::path::Path;
use std::time::Duration;

use crate::catalog::Query;
use crate::cli::args::ProfileArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::{DatasetSettings, Project};
use crate::cli::target::{self, Ingredients};
use crate::cli::{Globals, profiles};
use crate::db::connect::Session;
use crate::db::{dataset, profile};
use crate::profile::model::Profile;
use crate::profile::remap::{Basis, Key, Workload};
use crate::profile::{dump, file};
use crate::progress::Unit;
use crate::report::summary::plural;
use crate::source::Source;
use crate::units::Bytes;
use crate::write;

/// Reads the statistics and writes the file.
pub async fn run(args: &ProfileArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let key = profiles::key(args.key_file.as_deref(), &globals.directory)?;
    let profile = match &args.from {
        Some(dump) => of_dump(dump, &key, globals).await?,
        None => of_database(&key, args.probe, globals).await?,
    };
    let text = file::print(&profile).map_err(|error| CliError::Environment {
        message: "the profile cannot be written".to_owned(),
        causes: vec![error],
        help: None,
    })?;
    let Some(out) = &args.out else {
        globals.print(&text)?;
        return Ok(ExitCode::Success);
    };
    let path = globals.directory.join(out);
    write::text(&path, &text).map_err(|error| profiles::cannot_write(out, &error))?;
    for missing in &profile.not_read {
        globals.progress.detail(missing.as_str());
    }
    globals.print(&format!(
        "wrote {}: {}, {}; {} not read or not mapped, as the file says\n",
        out.display(),
        plural(profile.tables.len(), "table", "tables"),
        Bytes(text.len() as u64),
        plural(profile.not_read.len(), "thing was", "things were"),
    ))?;
    Ok(ExitCode::Success)
}

async fn of_database(
    key: &Key,
    probe: Option<Duration>,
    globals: &Globals,
) -> Result<Profile, CliError> {
    let (url, _) = globals.database()?.ok_or_else(|| {
        CliError::usage("no database is given to read the statistics of").help(
            "give production's with --database-url, or what `pg_dump --statistics-only` wrote with --from",
        )
    })?;
    let project = Project::load_if_there(globals.config.as_deref(), &globals.directory)?;
    let queries = project.as_ref().map(target::kept_queries);
    let queries = queries.unwrap_or_default();
    if queries.is_empty() {
        globals.progress.note(
            "there is no catalog here: constants of queries are not known, and are replaced like all values",
        );
    }
    let session = Session::open_given(&url, &globals.interrupt).await?;
    let _reading = globals
        .progress
        .task("Reading statistics", Unit::Steps, None);
    let workload = workload(&queries);
    let read = match probe {
        Some(budget) => profile::probed(&session, &workload, key, budget).await,
        None => profile::remapped(&session, &workload, key).await,
    };
    session.close().await;
    Ok(read?)
}

/// The schema is what the project's migrations make on the embedded server, which orders the texts, too.
async fn of_dump(dump: &Path, key: &Key, globals: &Globals) -> Result<Profile, CliError> {
    if globals.database()?.is_some() {
        return Err(CliError::usage(
            "statistics come from a database or with --from, not both",
        ));
    }
    let whole = globals.directory.join(dump);
    let unreadable = |error: std::io::Error| {
        CliError::usage(format!("{} cannot be read: {error}", dump.display()))
    };
    let text = std::fs::read_to_string(&whole).map_err(unreadable)?;
    let project = globals.project()?;
    let options = target::options(project.settings.dataset, &[]);
    let ingredients = Ingredients::read(&project, options)?;
    let cluster = target::start(&project, globals).await?;
    let drafted = dataset::preview_draft(
        &cluster,
        ingredients.recipe(),
        &globals.progress,
        &globals.interrupt,
    );
    let schema = drafted.await?.schema;
    let mut profile = dump::parse(&Source::new(dump, text), &schema)?;
    // A dump does not say when it was made.
    profile.day = target::options(DatasetSettings::default(), &[])
        .clock
        .today();
    let session = Session::open(&cluster.url("postgres"), &globals.interrupt).await?;
    let workload = workload(&target::kept_queries(&project));
    let basis = Basis {
        schema: &schema,
        workload: &workload,
        key,
    };
    let mapped = profile::remap(&session, &profile, basis).await;
    session.close().await;
    cluster.stop().await;
    Ok(mapped?)
}

fn workload(queries: &[Query]) -> Workload {
    Workload::by(queries.iter().map(|query| query.sql.as_str()))
}
