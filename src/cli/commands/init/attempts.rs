//! What was found, tried on the server: where the likeliest schema cannot be made, the next one may be the one that is meant.

use std::path::PathBuf;

use super::configuration::{self, Configuration, Version};
use super::draft;
use crate::cli::Globals;
use crate::cli::exit::CliError;
use crate::db::dataset::Drafted;
use crate::repository::{Listing, SchemaSource, definition};

/// A schema that may be the project's.
pub(super) struct Candidate {
    /// As it is named to a person.
    pub(super) shown: String,
    pub(super) configuration: Configuration,
}

/// The pgproof.toml to write, and the schema that it leads to.
pub(super) struct Tried {
    pub(super) text: String,
    pub(super) outcome: Result<Drafted, CliError>,
}

/// So many schemas are tried: each takes some seconds.
const MOST_TRIED: usize = 6;
/// So many roles are made that migrations name.
const MOST_ROLES: usize = 20;
/// So many files of other folders are put before those that lack what they make.
const MOST_BEFORE: usize = 20;

/// The first candidate whose schema can be made; where none can, the first one with its error.
pub(super) async fn first_that_works(
    candidates: &[Candidate],
    globals: &Globals,
) -> Result<Tried, CliError> {
    let mut first: Option<Tried> = None;
    for (at, candidate) in candidates.iter().take(MOST_TRIED).enumerate() {
        let mut tried = with_roles(candidate.configuration.clone(), globals).await;
        if candidates.len() > 1
            && tried
                .outcome
                .as_ref()
                .is_ok_and(|drafted| drafted.plan.tables.is_empty())
        {
            tried.outcome = Err(CliError::usage("it makes no table"));
        }
        match &tried.outcome {
            Ok(_) if at == 0 => return Ok(tried),
            Ok(_) => {
                globals.print(&format!("taken instead: {}\n", candidate.shown))?;
                return Ok(tried);
            }
            Err(CliError::Interrupted | CliError::StdoutClosed | CliError::Environment { .. }) => {
                return Ok(tried);
            }
            Err(error) if candidates.len() > 1 => {
                globals.print(&format!(
                    "not usable here: {}\n  {}\n",
                    candidate.shown,
                    brief(error)
                ))?;
            }
            Err(_) => {}
        }
        first.get_or_insert(tried);
    }
    first.ok_or_else(|| CliError::usage("there is no schema to try"))
}

/// Roles that the schema speaks of and does not make are made, and written down; files of other folders that make what several
/// schema files lack come before them; of these one that needs what a later one makes is moved behind it.
async fn with_roles(mut configuration: Configuration, globals: &Globals) -> Tried {
    let mut moved = 0;
    let mut before = 0;
    loop {
        let text = configuration::text(&configuration);
        let outcome = draft(&text, globals).await;
        let role = outcome.as_ref().err().and_then(missing_role);
        if let (Some(Version::Here(major)), Some(error)) =
            (configuration.version.clone(), outcome.as_ref().err())
            && lacks_a_library(error)
        {
            globals.progress.note(format!(
                "PostgreSQL {major}, which the project names, cannot load a library here that the schema needs: another version is used"
            ));
            configuration.version = Some(Version::Unable(major));
            continue;
        }
        match role {
            Some(role)
                if configuration.roles.len() < MOST_ROLES
                    && !configuration.roles.contains(&role) =>
            {
                configuration.roles.push(role);
            }
            _ => {
                let error = outcome.as_ref().err();
                let elsewhere = error
                    .filter(|_| before < MOST_BEFORE)
                    .and_then(|error| made_elsewhere(error, &configuration, globals));
                if let (Some(file), Some(files)) = (elsewhere, files_of(&mut configuration)) {
                    globals.progress.note(format!(
                        "{} makes what these files lack: it comes before them",
                        file.display()
                    ));
                    files.insert(0, file);
                    before += 1;
                    continue;
                }
                let early = error.and_then(|error| came_too_early(error, &configuration));
                match (early, &mut configuration.schema) {
                    (Some(at), Some(SchemaSource::SchemaFiles(files))) if moved < files.len() => {
                        let file = files.remove(at);
                        files.push(file);
                        moved += 1;
                    }
                    _ => return Tried { text, outcome },
                }
            }
        }
    }
}

/// The schema files, where there are several.
fn files_of(configuration: &mut Configuration) -> Option<&mut Vec<PathBuf>> {
    match &mut configuration.schema {
        Some(SchemaSource::SchemaFiles(files) | SchemaSource::NumberedFiles(files)) => Some(files),
        Some(SchemaSource::Files { .. } | SchemaSource::Program { .. }) | None => None,
    }
}

/// The SQL file of the repository, none of the schema's own, that makes what the schema files lack.
fn made_elsewhere(
    error: &CliError,
    configuration: &Configuration,
    globals: &Globals,
) -> Option<PathBuf> {
    let CliError::Sources(errors) = error else {
        return None;
    };
    let mut own = configuration.clone();
    let own = files_of(&mut own)?;
    let name = missing_object(&errors.first()?.message)?;
    let (file, _) = definition(&Listing::of(&globals.directory), name)?;
    let is_sql = file.extension().is_some_and(|ending| ending == "sql");
    (is_sql && !own.contains(&file)).then_some(file)
}

/// The name in `relation "shop.orders" does not exist`.
fn missing_object(message: &str) -> Option<&str> {
    let rest = ["relation \"", "type \"", "schema \""]
        .iter()
        .find_map(|begin| message.strip_prefix(begin))?;
    let (name, rest) = rest.split_once('"')?;
    rest.trim_start()
        .starts_with("does not exist")
        .then_some(name)
}

/// Which of several schema files names something that does not exist yet, where others follow it.
fn came_too_early(error: &CliError, configuration: &Configuration) -> Option<usize> {
    let (CliError::Sources(errors), Some(SchemaSource::SchemaFiles(files))) =
        (error, &configuration.schema)
    else {
        return None;
    };
    let error = errors.first()?;
    let at = files
        .iter()
        .position(|file| error.source_file.path.ends_with(file))?;
    let is_missing = error.message.contains("does not exist");
    (is_missing && at + 1 < files.len()).then_some(at)
}

/// Whether the server's programs are there and a library of an extension's, or ICU, is not.
fn lacks_a_library(error: &CliError) -> bool {
    let CliError::Sources(errors) = error else {
        return false;
    };
    let mut messages = errors.iter().map(|error| error.message.as_str());
    messages.any(|message| {
        message.starts_with("could not load library")
            || message.starts_with("ICU is not supported in this build")
    })
}

/// The role of `role "app" does not exist`.
fn missing_role(error: &CliError) -> Option<String> {
    let CliError::Sources(errors) = error else {
        return None;
    };
    let rest = errors.first()?.message.strip_prefix("role \"")?;
    let (role, rest) = rest.split_once('"')?;
    rest.trim_start()
        .starts_with("does not exist")
        .then(|| role.to_owned())
}

/// An error in one line, with its place.
fn brief(error: &CliError) -> String {
    let text = match error {
        CliError::Sources(errors) => errors.first().map(ToString::to_string),
        _ => None,
    };
    let text = text.unwrap_or_else(|| error.to_string());
    text.lines().next().unwrap_or_default().to_owned()
}
