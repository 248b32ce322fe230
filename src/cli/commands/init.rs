//! `pgproof init`: reads the repository, and writes a project's first files with everything in them that the schema says.

mod attempts;
mod configuration;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use crate::catalog::{self, QuerySource};
use crate::cli::Globals;
use crate::cli::args::InitArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::{self, DatasetSettings, Project, Settings};
use crate::cli::target::{self, Ingredients};
use crate::db::dataset::{self, Drafted};
use crate::db::given;
use crate::db::server::find_binaries;
use crate::report::summary::plural;
use crate::repository::{self, Found, Listing, NamedVersion, SchemaSource};
use crate::rules;
use crate::seed::describe::describe;
use crate::source::Source;

use attempts::{Candidate, Tried};
use configuration::{Configuration, Version};

/// The seed spec that is written.
const SPEC: &str = "seeds/schema.toml";

/// Writes pgproof.toml and the seed spec. pgproof.toml is written first: where the schema cannot be made it can be edited,
/// and `init` goes on from it.
pub async fn run(args: &InitArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let directory = &globals.directory;
    let (config, spec) = (directory.join(settings::FILE), directory.join(SPEC));
    if config.exists() && spec.exists() && !args.force {
        return Err(
            CliError::usage(format!("{} and {SPEC} are there already", settings::FILE))
                .help("--force writes both anew; what was edited in them is lost"),
        );
    }
    let (text, drafted) = if config.exists() && !args.force {
        globals.print(&format!(
            "{} is there: it is kept, and only {SPEC} is written\n",
            settings::FILE
        ))?;
        let text = read(&config)?;
        let drafted = draft(&text, globals).await.inspect_err(|_| edit(globals))?;
        (text, drafted)
    } else {
        let candidates = candidates(args, globals)?;
        let Tried { text, outcome } = attempts::first_that_works(&candidates, globals).await?;
        write(&config, &text)?;
        globals.print(&format!("wrote {}\n", settings::FILE))?;
        let drafted = outcome.inspect_err(|_| edit(globals))?;
        (text, drafted)
    };
    if spec.exists() && !args.force {
        globals.print(&format!("{SPEC} is there: it is kept\n"))?;
    } else {
        write_spec(&spec, &drafted, globals)?;
    }
    globals.print(&queries(&text, globals))?;
    globals.print(&next(&text, &Listing::of(&globals.directory)))?;
    Ok(ExitCode::Success)
}

/// Says what to do where the schema cannot be made.
fn edit(globals: &Globals) {
    globals.progress.note(format!(
        "{} is written: edit `migrations` or `migrate-cmd` in it, then run pgproof init again",
        settings::FILE
    ));
}

/// Of the schemas that are not taken so many are named.
const SHOWN: usize = 8;

/// What pgproof.toml may say, the likeliest first; the others are tried where its schema cannot be made.
fn candidates(args: &InitArgs, globals: &Globals) -> Result<Vec<Candidate>, CliError> {
    let listing = Listing::of(&globals.directory);
    let found = repository::survey(&listing);
    let version = repository::server_version(&listing).map(|named| version(&named));
    let candidate = |one: Option<&Found>, schema: Option<SchemaSource>| Candidate {
        shown: one.map(line).unwrap_or_default(),
        configuration: Configuration {
            schema,
            queries: repository::queries_for(one, &found, &listing),
            note: one.and_then(|one| one.note.clone()),
            version: version.clone(),
            roles: Vec::new(),
        },
    };
    if let Some(migrations) = &args.migrations {
        let schema = SchemaSource::Files {
            path: migrations.clone(),
            layout: None,
        };
        return Ok(vec![candidate(None, Some(schema))]);
    }
    let schemas: Vec<&Found> = found.iter().filter(|one| one.schema.is_some()).collect();
    let chosen = match schemas.as_slice() {
        [] if globals.database()?.is_some() => return Ok(vec![candidate(None, None)]),
        [] => return Err(nothing_found(&found, &candidate(None, None), globals)),
        several => choice(several, args, globals)?,
    };
    report_choice(schemas[chosen.at], &schemas, globals)?;
    let taken = match chosen.by {
        Chooser::Person => vec![schemas[chosen.at]],
        Chooser::Order => repository::alternatives(&schemas, &listing),
    };
    Ok(taken
        .into_iter()
        .map(|one| candidate(Some(one), one.schema.clone()))
        .collect())
}

/// Whether that major can run here without a download.
fn version(named: &NamedVersion) -> Version {
    if find_binaries(None, Some(named.major)).is_ok_and(|found| found.is_some()) {
        Version::Here(named.major)
    } else {
        Version::Elsewhere {
            major: named.major,
            by: named.by.display().to_string(),
        }
    }
}

/// There is something to edit all the same.
fn nothing_found(found: &[Found], blank: &Candidate, globals: &Globals) -> CliError {
    let mut seen = String::from(
        "no migrations and no schema file were found: pgproof knows SQL migrations of sixteen tools, schema.sql, \
         db/structure.sql, and the files of Rails, Django, Alembic, Ecto, Laravel, Prisma, TypeORM, Knex, Sequelize, MikroORM, \
         Kysely and Liquibase",
    );
    for one in found.iter().take(SHOWN) {
        let by = match one.by.as_os_str().is_empty() {
            true => Path::new("the whole repository"),
            false => &one.by,
        };
        seen.push_str(&format!("\nfound {} ({})", by.display(), one.tool));
        seen.extend(one.note.iter().map(|note| format!(": {note}")));
    }
    let text = configuration::text(&blank.configuration);
    if let Err(error) = write(&globals.directory.join(settings::FILE), &text) {
        return error;
    }
    CliError::usage(seen).help(
        "pgproof.toml is written: set `migrations` in it to the folder or the file that holds the schema, or `migrate-cmd` to the \
         command that makes it in the database of DATABASE_URL, then run pgproof init again; or name a database that has it with \
         --database-url URL",
    )
}

/// Which of the schemas, and who said so.
struct Choice {
    at: usize,
    by: Chooser,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chooser {
    Person,
    Order,
}

/// Which schema: the first, unless a person at a terminal says another.
fn choice(schemas: &[&Found], args: &InitArgs, globals: &Globals) -> Result<Choice, CliError> {
    let asks = schemas.len() > 1
        && !args.yes
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal();
    if !asks {
        return Ok(Choice {
            at: 0,
            by: Chooser::Order,
        });
    }
    let mut question = String::from("Several schemas were found:\n");
    for (n, one) in schemas.iter().enumerate() {
        question.push_str(&format!("  {}  {}\n", n + 1, line(one)));
    }
    question.push_str("Which one? [1] ");
    let _ = std::io::stderr().write_all(question.as_bytes());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    globals.interrupt.check()?;
    let number = match (read, answer.trim()) {
        (Ok(_), "") => Some(1),
        (Ok(_), answer) => answer.parse().ok(),
        (Err(_), _) => None,
    };
    number
        .filter(|number: &usize| (1..=schemas.len()).contains(number))
        .map(|number| Choice {
            at: number - 1,
            by: Chooser::Person,
        })
        .ok_or_else(|| {
            CliError::usage(format!(
                "{:?} is none of 1 to {}",
                answer.trim(),
                schemas.len()
            ))
            .help("--yes takes the first one")
        })
}

fn report_choice(one: &Found, schemas: &[&Found], globals: &Globals) -> Result<(), CliError> {
    let mut text = format!("found {}\n", line(one));
    if let Some(note) = &one.note {
        text.push_str(&format!("  {note}\n"));
    }
    let others: Vec<&&Found> = schemas
        .iter()
        .filter(|other| !std::ptr::eq(**other, one))
        .collect();
    for other in others.iter().take(SHOWN) {
        text.push_str(&format!("not taken: {}\n", line(other)));
    }
    if others.len() > SHOWN {
        text.push_str(&format!("not taken: {} more\n", others.len() - SHOWN));
    }
    globals.print(&text)
}

/// `Prisma: packages/db/migrations`.
fn line(found: &Found) -> String {
    match &found.schema {
        Some(SchemaSource::Files { path, .. }) => format!("{}: {}", found.tool, path.display()),
        Some(SchemaSource::SchemaFiles(files) | SchemaSource::NumberedFiles(files)) => format!(
            "{}: {} schema files of {}",
            found.tool,
            files.len(),
            found.by.display()
        ),
        Some(SchemaSource::Program { command, .. }) => {
            format!(
                "{}: {}, applied by `{command}`",
                found.tool,
                found.by.display()
            )
        }
        None => format!("{}: {}", found.tool, found.by.display()),
    }
}

/// The schema that the configuration leads to, on the project's own server or in the database that was named.
async fn draft(text: &str, globals: &Globals) -> Result<Drafted, CliError> {
    if let Some((url, _)) = globals.database()? {
        let options = target::options(DatasetSettings::default(), &[]);
        return Ok(given::draft(&url, &options, &globals.interrupt).await?);
    }
    let source = Source::new(settings::FILE, text);
    let mut settings = Settings::read(&source, rules::ALL)?;
    // Seed files that are replaced say nothing.
    settings.seeds.clear();
    let project = Project {
        root: globals.directory.clone(),
        settings,
        live: Vec::new(),
        profile: None,
    };
    let options = target::options(project.settings.dataset, &[]);
    let ingredients = Ingredients::read(&project, options)?;
    let cluster = target::start(&project, globals).await?;
    target::make_roles(&cluster, &project.settings.server.roles, globals).await?;
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

/// Writes the spec; what generation cannot meet alone is marked in it.
fn write_spec(spec: &Path, drafted: &Drafted, globals: &Globals) -> Result<(), CliError> {
    let Drafted {
        schema,
        plan,
        errors,
    } = drafted;
    write(spec, &describe(schema, plan, errors))?;
    let open = match errors.len() {
        0 => String::new(),
        count => format!(
            "{} that generation cannot meet alone: see the lines with FILL IN in {SPEC}\n",
            plural(count, "constraint", "constraints")
        ),
    };
    globals.print(&format!(
        "wrote {SPEC} ({})\n{open}",
        plural(plan.tables.len(), "table", "tables")
    ))
}

/// What each of the sources in pgproof.toml holds. A source that cannot be read is the audit's to report.
fn queries(text: &str, globals: &Globals) -> String {
    let Ok(settings) = Settings::read(&Source::new(settings::FILE, text), rules::ALL) else {
        return String::new();
    };
    let lines: Vec<String> = settings
        .queries
        .iter()
        .filter_map(|source| {
            let catalog =
                catalog::load(&globals.directory, std::slice::from_ref(source), &[]).ok()?;
            let unread = match catalog.skipped.len() {
                0 => String::new(),
                count => format!(", and {count} that cannot be audited"),
            };
            let read = plural(catalog.queries.len(), "query", "queries");
            Some(format!("found {read}{unread}: {}\n", described(source)))
        })
        .collect();
    let rest = match lines.len().saturating_sub(SHOWN) {
        0 => String::new(),
        count => format!("found queries in {count} more sources of pgproof.toml\n"),
    };
    lines.into_iter().take(SHOWN).chain([rest]).collect()
}

/// `Go code: internal/**/*.go`.
fn described(source: &QuerySource) -> String {
    match source {
        QuerySource::Files(_) | QuerySource::Statements { .. } => source.to_string(),
        QuerySource::Sqlc(_) => format!("sqlc: {source}"),
        QuerySource::Sqlx(_) => format!("sqlx: {source}"),
        QuerySource::Written { convention, .. } => format!("{}: {source}", convention.tool),
    }
}

/// What to do next.
fn next(text: &str, listing: &Listing) -> String {
    let has_queries = Settings::read(&Source::new(settings::FILE, text), rules::ALL)
        .is_ok_and(|settings| settings.queries != [QuerySource::files("queries/**/*.sql")]);
    let queries = if has_queries {
        String::new()
    } else {
        let tests = repository::test_command(listing);
        format!(
            "      write your queries into queries/*.sql (-- name: ListOrders :many, then the statement), or take them from a\n      \
         database that was asked: pgproof import pg_stat_statements --database-url URL\n      or from your \
         tests: pgproof record -- {tests}\n"
        )
    };
    format!(
        "next: pgproof seed --dry-run     shows what the tables will hold\n{queries}      pgproof audit\n"
    )
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("{} cannot be read: {error}", path.display())))
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
