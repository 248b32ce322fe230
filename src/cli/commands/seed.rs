//! `pgproof seed`: the dataset on the embedded server, or rows in a database that the flag names.

use crate::cli::args::SeedArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::{DatasetSettings, Project};
use crate::cli::target::{self, Ingredients};
use crate::cli::{Globals, UrlSource};
use crate::db::connect::DatabaseUrl;
use crate::db::dataset::{self, Dataset};
use crate::db::given::{self, Existing, Intent};
use crate::report::seeding::{self, Duration, Fate, SeededTable};
use crate::seed::SeedPlan;
use crate::seed::plan::{Fill, TablePlan};
use crate::units::{Bytes, Millis};

/// Fills the embedded server's dataset, or the database that `--database-url` names.
pub async fn run(args: &SeedArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    match globals.database()? {
        Some((url, UrlSource::Flag)) => given(args, globals, &url).await?,
        Some((_, UrlSource::Environment)) => {
            return Err(CliError::usage(
                "DATABASE_URL is set, and seed fills no database that only the environment names",
            )
            .help("name it with --database-url to fill it, or unset DATABASE_URL to seed the embedded server"));
        }
        None => embedded(args, globals).await?,
    }
    Ok(ExitCode::Success)
}

async fn embedded(args: &SeedArgs, globals: &Globals) -> Result<(), CliError> {
    if args.append || args.replace {
        let flag = if args.append { "--append" } else { "--replace" };
        return Err(CliError::usage(format!(
            "{flag} needs --database-url: the embedded server's dataset is made whole"
        )));
    }
    let project = globals.project()?;
    let settings = project.settings.clone().with_seed_args(args).dataset;
    let ingredients = Ingredients::read(&project, settings, &args.rows)?;
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let cluster = target::start(&project, globals).await?;
    let shown = if args.dry_run {
        let (_, plan) = dataset::preview(&cluster, ingredients.recipe(), progress, interrupt).await?;
        (planned(&plan, |_| Fate::Filled), Duration::Expected(expected(&plan)))
    } else {
        let dataset = dataset::ensure(&cluster, ingredients.recipe(), progress, interrupt).await?;
        let duration = dataset.made.as_ref().map_or(Duration::Nothing, |made| Duration::Taken(made.elapsed));
        (held(&dataset), duration)
    };
    cluster.stop().await;
    print(globals, &shown.0, shown.1)
}

async fn given(args: &SeedArgs, globals: &Globals, url: &DatabaseUrl) -> Result<(), CliError> {
    let existing = match (args.append, args.replace) {
        (true, _) => Existing::Append,
        (false, true) => Existing::Replace,
        (false, false) => Existing::Refuse,
    };
    let project = Project::load_if_there(globals.config.as_deref(), &globals.directory)?;
    let specs = project.as_ref().map(target::specs).transpose()?.unwrap_or_default();
    let settings = match project {
        Some(project) => project.settings.with_seed_args(args).dataset,
        None => DatasetSettings::default().with_seed_args(args),
    };
    let options = target::options(settings, &args.rows);
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let intent = given::plan(url, &specs, &options, existing, interrupt).await?;
    for note in &intent.notes {
        progress.note(note.as_str());
    }
    print(globals, &planned(&intent.plan, |table| fate(&intent, table)), Duration::Expected(expected(&intent.plan)))?;
    if args.dry_run {
        return Ok(());
    }
    let report = given::fill(url, &intent, progress, interrupt).await?;
    globals.print(&format!("done in {}\n", report.elapsed))
}

fn print(globals: &Globals, tables: &[SeededTable], duration: Duration) -> Result<(), CliError> {
    seeding::write(tables, duration, &mut globals.stdout()).map_err(|error| CliError::stdout(&error))
}

fn fate(intent: &Intent, table: &TablePlan) -> Fate {
    if intent.emptied.contains(&table.name) {
        Fate::Replaced
    } else if intent.appended.contains(&table.name) {
        Fate::Appended
    } else {
        Fate::Filled
    }
}

fn planned(plan: &SeedPlan, fate: impl Fn(&TablePlan) -> Fate) -> Vec<SeededTable> {
    let table = |table: &TablePlan| SeededTable {
        name: table.name.to_string(),
        rows: table.rows,
        bytes: Bytes(bytes(table)),
        fate: match table.fill {
            Fill::Generate => fate(table),
            Fill::Keep => Fate::Kept,
        },
    };
    plan.tables.iter().map(table).collect()
}

fn held(dataset: &Dataset) -> Vec<SeededTable> {
    let tables = dataset.tables.iter();
    tables
        .map(|table| SeededTable {
            name: table.name.clone(),
            rows: table.rows,
            bytes: Bytes(table.bytes),
            fate: if table.kept { Fate::Kept } else { Fate::Filled },
        })
        .collect()
}

/// What a row takes in COPY, with a tuple's header instead of the lengths.
fn bytes(table: &TablePlan) -> u64 {
    table.rows.saturating_mul(u64::from(table.width))
}

/// From loads that were measured: two streams, indexes and keys included.
fn expected(plan: &SeedPlan) -> Millis {
    const BYTES_PER_MILLISECOND: f64 = 20_000.0;
    let made = plan.tables.iter().filter(|table| table.fill == Fill::Generate);
    Millis(made.map(|table| bytes(table) as f64).sum::<f64>() / BYTES_PER_MILLISECOND)
}
