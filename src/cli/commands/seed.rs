//! `pgproof seed`: the dataset on the embedded server, or rows in a database that the flag names, or files.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use crate::cli::args::SeedArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::{DatasetSettings, Project};
use crate::cli::target::{self, Ingredients};
use crate::cli::{Globals, UrlSource, profiles};
use crate::db::connect::DatabaseUrl;
use crate::db::dataset::{self, Dataset, DatasetError, Drafted};
use crate::db::given::{self, Existing, Intent, Loss};
use crate::db::load::Space;
use crate::db::pace::pace;
use crate::export::{self, FileFormat};
use crate::report::seeding::{self, Duration, Fate, SeededTable};
use crate::report::summary::plural;
use crate::schema::{QualifiedName, Schema};
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::{DefaultRows, Options, SeedPlan};
use crate::source::Source;
use crate::units::{Bytes, Count, Millis};

/// Fills the embedded server's dataset, or the database that `--database-url` names, or writes files.
pub async fn run(args: &SeedArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    match (&args.out, globals.database()?) {
        (Some(directory), database) => files(args, globals, directory, database).await?,
        (None, Some((url, UrlSource::Flag))) => given(args, globals, &url).await?,
        (None, Some((_, UrlSource::Environment))) => {
            return Err(CliError::usage(
                "seed fills no database that only the environment names, as `database-url = \"env\"` of pgproof.toml asks",
            )
            .help("`--database-url env` fills it; take the key out to seed the embedded server"));
        }
        (None, None) => embedded(args, globals).await?,
    }
    Ok(ExitCode::Success)
}

async fn embedded(args: &SeedArgs, globals: &Globals) -> Result<(), CliError> {
    if args.append || args.replace || args.disable_triggers {
        let flag = match (args.append, args.replace) {
            (true, _) => "--append",
            (false, true) => "--replace",
            (false, false) => "--disable-triggers",
        };
        return Err(CliError::usage(format!(
            "{flag} needs --database-url: the embedded server's dataset is made whole"
        )));
    }
    let project = globals.project_with(args.profile.as_deref())?;
    let ingredients = Ingredients::read(&project, options(args, project.settings.dataset))?;
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let cluster = target::start(&project, globals).await?;
    // Tables whose constraints cannot be met; everything else is filled.
    let unfilled: Vec<String>;
    let shown = if args.dry_run {
        let Drafted {
            schema,
            plan,
            errors,
        } = dataset::preview(&cluster, ingredients.recipe(), progress, interrupt).await?;
        for note in plan.all_notes() {
            progress.note(note.as_str());
        }
        unfilled = errors.iter().map(ToString::to_string).collect();
        (
            planned(&plan, |_| Fate::Filled),
            expected(&schema, &plan, plan.expected_time()),
        )
    } else {
        let dataset = dataset::ensure(&cluster, ingredients.recipe(), progress, interrupt).await?;
        let left_empty = dataset.left_empty();
        unfilled = left_empty
            .map(|(table, reason)| format!("table {table}: {reason}"))
            .collect();
        let duration = dataset
            .made
            .as_ref()
            .map_or(Duration::Nothing, |made| Duration::Taken(made.elapsed));
        (held(&dataset), duration)
    };
    cluster.stop().await;
    print(globals, &shown.0, shown.1)?;
    match unfilled.is_empty() {
        true => Ok(()),
        false => Err(CliError::usage(unfilled.join("\n")).help(
            "these tables have no rows, the others have theirs; an audit judges no query on them",
        )),
    }
}

async fn given(args: &SeedArgs, globals: &Globals, url: &DatabaseUrl) -> Result<(), CliError> {
    let existing = match (args.append, args.replace) {
        (true, _) => Existing::Append,
        (false, true) => Existing::Replace,
        (false, false) => Existing::Refuse,
    };
    let (specs, options) = specs_and_options(args, globals)?;
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let mut intent = given::plan(url, &specs, &options, existing, interrupt).await?;
    if args.disable_triggers {
        intent.put_triggers_aside();
    }
    for note in &intent.notes {
        progress.note(note.as_str());
    }
    print(
        globals,
        &planned(&intent.plan, |table| fate(&intent, table)),
        expected(
            &intent.schema,
            &intent.plan,
            intent.plan.expected_time_in_place(),
        ),
    )?;
    if args.dry_run {
        for note in &intent.plan.predicted {
            progress.note(note.as_str());
        }
        return Ok(());
    }
    if !intent.losses.is_empty() {
        confirm(args, globals, url, &intent.losses)?;
    }
    let report = given::fill(url, &intent, progress, interrupt).await?;
    for note in &report.notes {
        progress.note(note.as_str());
    }
    globals.print(&format!("done in {}\n", report.elapsed))
}

fn expected(schema: &Schema, plan: &SeedPlan, time: Millis) -> Duration {
    Duration::Expected {
        time: Millis(time.0 * pace()),
        on_disk: Space::of_relations(schema, plan),
    }
}

/// Says which rows will be gone, and asks. Without a terminal nobody can answer: `--yes` must.
fn confirm(
    args: &SeedArgs,
    globals: &Globals,
    url: &DatabaseUrl,
    losses: &[Loss],
) -> Result<(), CliError> {
    let mut text = format!(
        "--replace deletes every row of {} in database \"{}\" at {}:\n",
        plural(losses.len(), "table", "tables"),
        url.database(),
        url.address()
    );
    for loss in losses {
        text.push_str(&format!("  {}: {}\n", loss.table, lost(loss)));
    }
    let all = Loss {
        table: QualifiedName::new("", ""),
        rows: losses.iter().map(|loss| loss.rows).sum(),
        is_exact: losses.iter().all(|loss| loss.is_exact),
        bytes: Bytes(losses.iter().map(|loss| loss.bytes.0).sum()),
    };
    text.push_str(&format!("  together {}\n", lost(&all)));
    if args.yes {
        globals.progress.note(text.trim_end());
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(CliError::usage(format!(
            "{text}nothing was changed: there is no terminal to ask on"
        ))
        .help("add --yes where this is meant"));
    }
    let mut stderr = anstream::stderr();
    // Where standard error is closed nobody reads the question, and no answer comes.
    let _ = write!(stderr, "{text}Type yes to delete them: ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    globals.interrupt.check()?;
    match read {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        Ok(_) | Err(_) => Err(CliError::usage("not confirmed: nothing was changed")),
    }
}

/// `350,000 rows, 24 MB`.
fn lost(loss: &Loss) -> String {
    let about = if loss.is_exact { "" } else { "about " };
    let rows = if loss.rows == 1 { "row" } else { "rows" };
    format!("{about}{} {rows}, {}", Count(loss.rows as f64), loss.bytes)
}

/// Rows as files: for the schema of a database that is there (nothing is changed in it), else of the migrations.
async fn files(
    args: &SeedArgs,
    globals: &Globals,
    directory: &Path,
    database: Option<(DatabaseUrl, UrlSource)>,
) -> Result<(), CliError> {
    let format = file_format(globals)?;
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let (schema, plan) = match database {
        Some((url, source)) => {
            if source == UrlSource::Environment {
                progress.note(format!(
                    "DATABASE_URL is set: the schema is that of {}",
                    url.address()
                ));
            }
            let (specs, options) = specs_and_options(args, globals)?;
            let (schema, plan, notes) =
                given::plan_files(&url, &specs, &options, interrupt).await?;
            notes.iter().for_each(|note| progress.note(note.as_str()));
            (schema, plan)
        }
        None => {
            let project = globals.project_with(args.profile.as_deref())?;
            let ingredients = Ingredients::read(&project, options(args, project.settings.dataset))?;
            let cluster = target::start(&project, globals).await?;
            let Drafted {
                schema,
                plan,
                errors,
            } = dataset::preview(&cluster, ingredients.recipe(), progress, interrupt).await?;
            cluster.stop().await;
            // Files are whole or not there: nobody would notice that a table's is missing.
            if !errors.is_empty() {
                return Err(DatasetError::Plan(errors).into());
            }
            plan.all_notes()
                .for_each(|note| progress.note(note.as_str()));
            (Arc::new(schema), Arc::new(plan))
        }
    };
    print(
        globals,
        &planned(&plan, |_| Fate::Filled),
        expected(&schema, &plan, plan.expected_time()),
    )?;
    if args.dry_run {
        return Ok(());
    }
    let directory = globals.directory.join(directory);
    let written = {
        let (directory, progress, interrupt) =
            (directory.clone(), progress.clone(), interrupt.clone());
        tokio::task::spawn_blocking(move || {
            export::write(&directory, format, &schema, &plan, &progress, &interrupt)
        })
    };
    let written = written.await.map_err(|error| CliError::Environment {
        message: "the files were not written".to_owned(),
        causes: vec![error.to_string()],
        help: None,
    })??;
    // The last file loads the others; Parquet is not for psql.
    let script = written
        .files
        .last()
        .filter(|_| format != FileFormat::Parquet);
    let (bytes, files) = (
        Bytes(written.bytes),
        plural(written.files.len(), "file", "files"),
    );
    globals.print(&match script {
        Some(script) => format!(
            "wrote {bytes} in {files}; load with psql -f {}\n",
            script.display()
        ),
        None => format!("wrote {bytes} in {files} to {}\n", directory.display()),
    })
}

/// `--format`: csv where it is not said.
fn file_format(globals: &Globals) -> Result<FileFormat, CliError> {
    match globals.requested_formats.as_slice() {
        [] => Ok(FileFormat::Csv),
        [one] if one.file.is_none() => FileFormat::of(&one.name).ok_or_else(|| {
            let known = FileFormat::ALL.map(|(name, _)| name).join(", ");
            CliError::usage(format!(
                "there is no file format \"{}\"; with --out there are {known}",
                one.name
            ))
        }),
        [_] => Err(CliError::usage(
            "with --out, --format is a format alone: the files go into the folder",
        )),
        _ => Err(CliError::usage("with --out, --format is given once")),
    }
}

/// Seed files and options for a database that is not the project's own; there need not be a project.
fn specs_and_options(
    args: &SeedArgs,
    globals: &Globals,
) -> Result<(Vec<Source>, Options), CliError> {
    let project = Project::load_if_there(globals.config.as_deref(), &globals.directory)?;
    let specs = project
        .as_ref()
        .map(target::specs)
        .transpose()?
        .unwrap_or_default();
    let own_profile = project
        .as_ref()
        .and_then(|project| Some((project.root.clone(), project.settings.profile.clone()?)));
    let settings =
        project.map_or_else(DatasetSettings::default, |project| project.settings.dataset);
    let mut options = options(args, settings);
    options.profile = match (&args.profile, own_profile) {
        (Some(path), _) => Some(profiles::read(path, globals)?),
        (None, Some((root, path))) => Some(profiles::read_in(&root, &path, globals)?),
        (None, None) => None,
    };
    if settings.target_size.is_none() {
        options.default_rows = DefaultRows::Fitted(GIVEN_SIZE);
    }
    Ok((specs, options))
}

/// What a database that is not ours comes to where nobody says it: its rows go through indexes and foreign keys that are
/// there, which takes many times as long as for a dataset of our own.
const GIVEN_SIZE: u64 = 100 << 20;

/// The project's settings with what was typed.
fn options(args: &SeedArgs, settings: DatasetSettings) -> Options {
    let options = target::options(settings.with_seed_args(args), &args.rows);
    Options {
        target_bytes: args.target_size,
        subset: args.subset,
        ..options
    }
}

fn print(globals: &Globals, tables: &[SeededTable], duration: Duration) -> Result<(), CliError> {
    seeding::write(tables, duration, &mut globals.stdout())
        .map_err(|error| CliError::stdout(&error))
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
        rows: table.made_rows(),
        bytes: Bytes(table.stored_bytes()),
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
