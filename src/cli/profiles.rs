//! Profiles and their keys as files; and what an audit takes from a profile.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::Globals;
use super::exit::CliError;
use super::settings::Project;
use crate::catalog::Query;
use crate::db::profile::ProfileError;
use crate::profile::file;
use crate::profile::model::{Profile, Scope};
use crate::profile::remap::Key;
use crate::source::Source;
use crate::sql::normal::normal;
use crate::write;

/// A profile that somebody names.
pub fn read(path: &Path, globals: &Globals) -> Result<Arc<Profile>, CliError> {
    read_in(&globals.directory, path, globals)
}

/// The same of a path that begins in a folder.
pub fn read_in(directory: &Path, path: &Path, globals: &Globals) -> Result<Arc<Profile>, CliError> {
    let whole = directory.join(path);
    let text = std::fs::read_to_string(&whole).map_err(|error| {
        CliError::usage(format!("{} cannot be read: {error}", path.display()))
            .help("`pgproof profile --database-url URL -o FILE` writes one")
    })?;
    let profile = file::parse(&Source::new(path, text))?;
    if !profile.not_read.is_empty() {
        globals.progress.detail(format!(
            "{} says of {} things that they could not be read or are not mapped",
            path.display(),
            profile.not_read.len()
        ));
    }
    Ok(Arc::new(profile))
}

/// The key of a file, which is made where it is not there; without a file one that nobody will know.
pub fn key(path: Option<&Path>, directory: &Path) -> Result<Key, CliError> {
    let Some(path) = path else {
        return Ok(Key::of(&random_bytes()?));
    };
    let whole = directory.join(path);
    match std::fs::read(&whole) {
        Ok(bytes) if bytes.len() < 16 => Err(CliError::usage(format!(
            "{} is too short for a key: it has {} bytes",
            path.display(),
            bytes.len()
        ))
        .help("take a file of random bytes, or name one that is not there: it is made")),
        Ok(bytes) => Ok(Key::of(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text: String = random_bytes()?
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            write_secret(&whole, &text).map_err(|error| cannot_write(path, &error))?;
            Ok(Key::of(text.as_bytes()))
        }
        Err(error) => Err(CliError::usage(format!(
            "{} cannot be read: {error}",
            path.display()
        ))),
    }
}

fn random_bytes() -> Result<[u8; 32], CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| CliError::Environment {
        message: "the system has no random numbers for a key".to_owned(),
        causes: vec![error.to_string()],
        help: Some("name a file of random bytes with --key-file".to_owned()),
    })?;
    Ok(bytes)
}

/// A file that only its owner may read, from its first byte on.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path)?);
    write::text(path, text).map(drop)
}

/// What the system says of a file that is not written.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Environment {
        message: format!("{} cannot be written", path.display()),
        causes: vec![error.to_string()],
        help: None,
    }
}

/// Settings of the planner that every server from 14 on has and that a session may change. Later ones are left to the server:
/// an older one does not know them.
const PLANNERS: &[&str] = &[
    "constraint_exclusion",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "cursor_tuple_fraction",
    "effective_cache_size",
    "enable_async_append",
    "enable_bitmapscan",
    "enable_gathermerge",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_incremental_sort",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_seqscan",
    "enable_sort",
    "enable_tidscan",
    "from_collapse_limit",
    "geqo",
    "geqo_effort",
    "geqo_generations",
    "geqo_pool_size",
    "geqo_selection_bias",
    "geqo_threshold",
    "hash_mem_multiplier",
    "jit",
    "jit_above_cost",
    "jit_inline_above_cost",
    "jit_optimize_above_cost",
    "join_collapse_limit",
    "max_parallel_workers_per_gather",
    "min_parallel_index_scan_size",
    "min_parallel_table_scan_size",
    "parallel_leader_participation",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "plan_cache_mode",
    "random_page_cost",
    "seq_page_cost",
    "work_mem",
];

/// Gives a project a profile: its rows, and its planner settings where `[audit] settings` says nothing else.
pub fn obey(profile: &Arc<Profile>, project: &mut Project) {
    let caller = &mut project.settings.audit.caller;
    for (name, value) in planner_settings(profile, caller.role.as_deref()) {
        if caller.settings.iter().all(|(own, _)| *own != name) {
            caller.settings.push((name, value));
        }
    }
    project.profile = Some(Arc::clone(profile));
}

/// How often production runs the queries, where `@calls` does not say it.
pub fn weigh(profile: &Profile, queries: &mut [Query]) {
    let form = |text: &str| normal(text).text(|_| false).to_lowercase();
    let known = profile.statements.iter();
    let known: HashMap<String, f64> = known
        .filter_map(|statement| Some((form(&statement.text), statement.per_second?)))
        .collect();
    for query in queries {
        if query.calls_per_second.is_none() {
            query.calls_per_second = known.get(&form(&query.sql)).copied();
        }
    }
}

/// What holds for a role: its own settings override the database's, those the server's.
fn planner_settings(profile: &Profile, role: Option<&str>) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    // In the order of their scopes.
    for setting in &profile.settings {
        let holds = match &setting.scope {
            Scope::Server | Scope::Database => true,
            Scope::Role(of) | Scope::RoleInDatabase(of) => role == Some(of.as_str()),
        };
        if holds && PLANNERS.contains(&setting.name.as_str()) {
            found.insert(setting.name.clone(), setting.value.clone());
        }
    }
    found.into_iter().collect()
}

impl From<ProfileError> for CliError {
    fn from(error: ProfileError) -> Self {
        Self::Environment {
            message: error.to_string(),
            causes: Vec::new(),
            help: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::Setting;

    #[test]
    fn a_roles_settings_override_the_servers() {
        let setting = |scope: Scope, name: &str, value: &str| Setting {
            scope,
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let profile = Profile {
            settings: vec![
                setting(Scope::Server, "work_mem", "4MB"),
                setting(Scope::Server, "shared_buffers", "8GB"),
                setting(Scope::Database, "jit", "off"),
                setting(Scope::Role("app".to_owned()), "work_mem", "64MB"),
                setting(Scope::Role("reports".to_owned()), "work_mem", "1GB"),
            ],
            ..Profile::default()
        };
        let of = |role| planner_settings(&profile, role);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of(None), [pair("jit", "off"), pair("work_mem", "4MB")]);
        assert_eq!(
            of(Some("app")),
            [pair("jit", "off"), pair("work_mem", "64MB")]
        );
    }
}
