//! `pgproof init`: a project's first files, with everything in them that the schema says.

use std::path::{Path, PathBuf};

use crate::cli::Globals;
use crate::cli::args::InitArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::{self, DatasetSettings, Project, Settings};
use crate::cli::target::{self, Ingredients};
use crate::db::dataset::{self, Drafted};
use crate::db::given;
use crate::report::summary::plural;
use crate::rules;
use crate::seed::describe::describe;
use crate::source::Source;

/// Where migrations usually are, of any tool.
const USUAL: &[&str] = &[
    "migrations",
    "db/migrations",
    "db/migrate",
    "sql/migrations",
    "database/migrations",
    "prisma/migrations",
    "supabase/migrations",
    "src/migrations",
    "internal/db/migrations",
];

/// The seed spec that is written.
const SPEC: &str = "seeds/schema.toml";

/// Writes pgproof.toml and the seed spec.
pub async fn run(args: &InitArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let directory = &globals.directory;
    let (config, spec) = (directory.join(settings::FILE), directory.join(SPEC));
    for path in [&config, &spec] {
        if path.exists() && !args.force {
            return Err(
                CliError::usage(format!("{} is there already", path.display()))
                    .help("--force writes it anew; what was edited in it is lost"),
            );
        }
    }
    let migrations = args.migrations.clone().or_else(|| usual(directory));
    let text = configuration(migrations.as_deref().unwrap_or(Path::new("migrations")));
    let drafted = match (globals.database()?, &migrations) {
        (Some((url, _)), _) => {
            let options = target::options(DatasetSettings::default(), &[]);
            given::draft(&url, &options, &globals.interrupt).await?
        }
        (None, Some(_)) => of_migrations(&text, globals).await?,
        (None, None) => {
            return Err(
                CliError::usage("there are no migrations in the usual folders")
                    .help("name them with --migrations DIR, or a database with --database-url"),
            );
        }
    };
    write(&config, &text)?;
    let Drafted {
        schema,
        plan,
        errors,
    } = &drafted;
    write(&spec, &describe(schema, plan, errors))?;
    let made = plan.tables.len();
    let open = match errors.len() {
        0 => String::new(),
        count => format!(
            "{} that generation cannot meet alone: see the lines with FILL IN in {SPEC}\n",
            plural(count, "constraint", "constraints")
        ),
    };
    globals.print(&format!(
        "wrote {} and {SPEC} ({made} tables)\n{open}next: pgproof seed --dry-run, then queries/*.sql and pgproof audit\n",
        settings::FILE
    ))?;
    Ok(ExitCode::Success)
}

fn usual(directory: &Path) -> Option<PathBuf> {
    USUAL
        .iter()
        .map(PathBuf::from)
        .find(|path| directory.join(path).is_dir())
}

/// The schema that the migrations make, on the project's own server.
async fn of_migrations(configuration: &str, globals: &Globals) -> Result<Drafted, CliError> {
    let source = Source::new(settings::FILE, configuration);
    let mut settings = Settings::read(&source, rules::ALL)?;
    // Seed files that are replaced say nothing.
    settings.seeds.clear();
    let project = Project {
        root: globals.directory.clone(),
        settings,
    };
    let options = target::options(project.settings.dataset, &[]);
    let ingredients = Ingredients::read(&project, options)?;
    let cluster = target::start(&project, globals).await?;
    let drafted = dataset::preview_draft(
        &cluster,
        ingredients.recipe(),
        &globals.progress,
        &globals.interrupt,
    )
    .await?;
    cluster.stop().await;
    Ok(drafted)
}

/// pgproof.toml with its defaults, to be edited.
fn configuration(migrations: &Path) -> String {
    let migrations = toml::Value::String(migrations.display().to_string());
    format!(
        "# pgproof: what is audited, and on what. Every key may be left out; these are the defaults.\n\
         migrations = {migrations}\n\
         queries    = [\"queries/**/*.sql\"]   # sqlc's form: -- name: ListOrders :many\n\
         seeds      = [\"seeds/*.toml\"]       # what the tables hold\n\
         fail-on    = \"error\"                # or \"warning\", \"never\"\n\n\
         [server]                            # the embedded server\n\
         # version  = \"17\"                 # production's major version\n\
         # settings = {{ work_mem = \"4MB\", random_page_cost = \"1.1\" }}   # production's, where plans depend on them\n\n\
         [dataset]\n\
         scale = 1.0                         # multiplies every table's rows\n\
         seed  = 42                          # the same seed makes the same rows\n\
         # target-size = \"1GB\"             # what tables come to whose rows no spec counts\n\
         # today = 2026-01-31                # the day with which times end; each day's own where it is not written\n\n\
         [audit]\n\
         runs    = 3                         # how often each query is measured\n\
         timeout = \"30s\"\n\n\
         # [thresholds]                      # `pgproof rules` prints all of them\n\
         # seq-scan.min-pages = 1000\n"
    )
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| crate::write::text(path, text))
        .map(drop)
        .map_err(|error| CliError::Environment {
            message: format!("{} cannot be written", path.display()),
            causes: vec![error.to_string()],
            help: None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let text = configuration(Path::new("db/migrate"));
        let settings = Settings::read(&Source::new(settings::FILE, text), rules::ALL).unwrap();
        assert_eq!(settings.migrations.dir, Path::new("db/migrate"));
        assert_eq!((settings.audit.runs, settings.dataset.seed), (3, 42));
        assert_eq!(settings.queries, ["queries/**/*.sql"]);
    }
}
