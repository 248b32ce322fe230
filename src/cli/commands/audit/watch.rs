//! `audit --watch`: an audit after every change of a file that it depends on. The files are looked at in turns: a project has few,
//! and file systems of containers and networks send no events.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::catalog::QuerySource;
use crate::cli::Globals;
use crate::cli::args::AuditArgs;
use crate::cli::exit::{self, CliError, ExitCode};
use crate::cli::settings::{FILE, Project};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// What projects keep queries, migrations and seeds in. Logs, reports and the like in the same folder say nothing new.
const SOURCES: [&str; 20] = [
    "sql", "toml", "json", "yaml", "yml", "xml", "conf", "sum", "prisma", "rs", "go", "py", "rb",
    "php", "js", "ts", "ex", "exs", "java", "kt",
];

/// Size and time of change of every file that counts.
type Stamps = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Audits until it is interrupted. A mistake in a file is shown, and mended by the next change.
pub(super) async fn run(args: &AuditArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    if args.queries.iter().any(|typed| typed == "-") {
        return Err(CliError::usage("--watch cannot watch standard input")
            .help("write the statement to a file and name that"));
    }
    loop {
        // Before the audit: what changes meanwhile is audited next.
        let before = stamps(args, globals);
        match super::once(args, globals).await {
            Ok(_) => {}
            Err(CliError::Interrupted) => return Err(CliError::Interrupted),
            Err(CliError::StdoutClosed) => return Err(CliError::StdoutClosed),
            Err(error) => exit::show(&error),
        }
        globals
            .progress
            .note("watching queries, migrations, seeds and pgproof.toml; Ctrl-C ends it");
        let mut now = stamps(args, globals);
        while now == before {
            let paused = globals.interrupt.race(tokio::time::sleep(PAUSE)).await;
            if paused.is_err() {
                // Nothing was cut short.
                return Ok(ExitCode::Success);
            }
            now = stamps(args, globals);
        }
        // An editor writes a file in several steps, a checkout many files.
        loop {
            let _ = globals.interrupt.race(tokio::time::sleep(PAUSE)).await;
            let later = stamps(args, globals);
            if later == now {
                break;
            }
            now = later;
        }
    }
}

/// Of what the project names now: its configuration may be what changes.
fn stamps(args: &AuditArgs, globals: &Globals) -> Stamps {
    let mut found = Stamps::new();
    let typed = args
        .queries
        .iter()
        .map(|typed| globals.directory.join(typed));
    let named: Vec<PathBuf> = typed.filter(|path| path.is_file()).collect();
    match Project::load(globals.config.as_deref(), &globals.directory) {
        Ok(project) => {
            let configuration = globals
                .config
                .clone()
                .unwrap_or_else(|| project.root.join(FILE));
            let roots = places(&project).into_iter().chain(named);
            for root in roots.chain([globals.directory.join(configuration)]) {
                walk(&root, globals, &mut found);
            }
        }
        // Only a change of the configuration mends it.
        Err(_) => {
            let name = globals
                .config
                .clone()
                .unwrap_or_else(|| PathBuf::from(FILE));
            for folder in globals.directory.ancestors() {
                walk(&folder.join(&name), globals, &mut found);
            }
        }
    }
    found
}

/// Where a project's files are: folders of patterns, from their first part without a wildcard on.
fn places(project: &Project) -> Vec<PathBuf> {
    let (root, settings) = (&project.root, &project.settings);
    let mut places = vec![root.join(&settings.migrations.dir)];
    places.extend(settings.migrations.files.iter().map(|file| root.join(file)));
    places.extend(
        settings
            .seeds
            .iter()
            .map(|pattern| root.join(fixed_part(pattern))),
    );
    for source in &settings.queries {
        match source {
            QuerySource::Files(pattern) | QuerySource::Written { pattern, .. } => {
                places.push(root.join(fixed_part(pattern)));
            }
            QuerySource::Sqlc(path) | QuerySource::Sqlx(path) => places.push(root.join(path)),
            QuerySource::Statements { .. } => {}
        }
    }
    // The files that a source of another tool names.
    if let Ok(catalog) = project.catalog() {
        places.extend(catalog.queries.iter().map(|query| root.join(&query.file)));
        places.extend(
            catalog
                .skipped
                .iter()
                .map(|skipped| root.join(&skipped.file)),
        );
    }
    places.sort();
    places.dedup();
    places
}

/// `queries` of `queries/**/*.sql`.
fn fixed_part(pattern: &str) -> PathBuf {
    let is_fixed = |part: &&str| !part.contains(['*', '?', '[', '{']);
    pattern.split('/').take_while(is_fixed).collect()
}

fn walk(place: &Path, globals: &Globals, found: &mut Stamps) {
    let is_ours = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let is_other = name.starts_with('.') || ["target", "node_modules"].contains(&&*name);
        entry.depth() == 0 || !is_other
    };
    let entries = walkdir::WalkDir::new(place)
        .into_iter()
        .filter_entry(is_ours);
    let is_source = |entry: &walkdir::DirEntry| {
        let extension = entry
            .path()
            .extension()
            .and_then(|extension| extension.to_str());
        let known = extension.is_some_and(|extension| SOURCES.contains(&extension));
        entry.file_type().is_file() && (entry.depth() == 0 || known)
    };
    for entry in entries.flatten().filter(is_source) {
        // The reports are written by the audit itself.
        let written = globals
            .requested_formats
            .iter()
            .filter_map(|request| request.file.as_ref());
        let is_report = |file: &PathBuf| globals.directory.join(file) == entry.path();
        if written.into_iter().any(is_report) {
            continue;
        }
        if let Ok(metadata) = entry.metadata() {
            let stamp = (metadata.len(), metadata.modified().ok());
            found.insert(entry.into_path(), stamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_watched_from_its_folder_on() {
        assert_eq!(fixed_part("app/sql/**/*.sql"), PathBuf::from("app/sql"));
        assert_eq!(fixed_part("**/*.sql"), PathBuf::new());
        assert_eq!(
            fixed_part("seeds/all.toml"),
            PathBuf::from("seeds/all.toml")
        );
    }
}
