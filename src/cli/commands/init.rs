//! `pgproof init`: a project's first files, with everything in them that the schema says.

use std::path::{Path, PathBuf};

use crate::cli::Globals;
use crate::cli::args::InitArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::{self, Project, Settings};
use crate::cli::target::{self, Ingredients};
use crate::db::dataset;
use crate::db::given;
use crate::rules;
use crate::seed::describe::describe;
use crate::seed::{Options, SeedPlan};
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
    let (described, plan) = match (globals.database()?, &migrations) {
        (Some((url, _)), _) => {
            let options = Options::default();
            let (schema, plan, _) =
                given::plan_files(&url, &[], &options, &globals.interrupt).await?;
            (describe(&schema, &plan), plan)
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
    write(&spec, &described)?;
    let made = plan.tables.len();
    globals.print(&format!(
        "wrote {} and {SPEC} ({made} tables)\nnext: pgproof seed --dry-run, then queries/*.sql and pgproof audit\n",
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
async fn of_migrations(
    configuration: &str,
    globals: &Globals,
) -> Result<(String, std::sync::Arc<SeedPlan>), CliError> {
    let source = Source::new(settings::FILE, configuration);
    let mut settings = Settings::read(&source, rules::ALL)?;
    // Seed files that are replaced say nothing.
    settings.seeds.clear();
    let project = Project {
        root: globals.directory.clone(),
        settings,
    };
    let ingredients = Ingredients::read(&project, Options::default())?;
    let cluster = target::start(&project, globals).await?;
    let (schema, plan) = dataset::preview(
        &cluster,
        ingredients.recipe(),
        &globals.progress,
        &globals.interrupt,
    )
    .await?;
    cluster.stop().await;
    Ok((describe(&schema, &plan), std::sync::Arc::new(plan)))
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
         seed  = 42                          # the same seed makes the same rows\n\n\
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
