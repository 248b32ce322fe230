//! Kept plans on disk, `pgproof snapshot`'s directory: written, read, and compared with what runs now. One file a query and
//! one for what the plans depend on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Globals;
use super::exit::CliError;
use super::settings::Project;
use super::target::Target;
use crate::catalog::Query;
use crate::db::audit::RunOptions;
use crate::db::comparison::{self, Known};
use crate::db::connect::Session;
use crate::diff::outcome::QueryDiff;
use crate::diff::snapshot::{Header, QuerySnapshot};
use crate::rules::plan_regression;
use crate::schema::Schema;
use crate::write;

/// The file that says what the plans depend on.
const HEADER: &str = "snapshot.json";

/// A directory that was read.
#[derive(Debug)]
pub struct Kept {
    directory: PathBuf,
    header: Header,
    queries: Vec<QuerySnapshot>,
}

/// What writing a directory changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Files that were not there.
    pub new: usize,
    /// Files with other content.
    pub changed: usize,
    /// Files as they were.
    pub same: usize,
    /// Files of queries that are gone.
    pub removed: usize,
}

impl Kept {
    /// Reads a directory; `shown` is how the user calls it.
    pub fn read(directory: &Path, shown: &Path) -> Result<Self, CliError> {
        let at = directory.join(shown);
        let header = at.join(HEADER);
        if !header.is_file() {
            return Err(
                CliError::usage(format!("{} holds no snapshot", shown.display())).help(format!(
                    "write one with `pgproof snapshot --out {}`",
                    shown.display()
                )),
            );
        }
        let header: Header = parse(&header, &shown.join(HEADER))?;
        let files = query_files(&at).map_err(|error| unreadable(shown, &error))?;
        let queries = files
            .iter()
            .map(|name| parse(&at.join(name), &shown.join(name)));
        Ok(Self {
            directory: shown.to_path_buf(),
            header,
            queries: queries.collect::<Result<_, _>>()?,
        })
    }

    /// The queries of a directory that may not be there yet.
    pub fn queries_if_there(
        directory: &Path,
        shown: &Path,
    ) -> Result<Vec<QuerySnapshot>, CliError> {
        match directory.join(shown).join(HEADER).is_file() {
            true => Ok(Self::read(directory, shown)?.queries),
            false => Ok(Vec::new()),
        }
    }

    /// Refuses what does not compare, with every reason.
    fn refuse_unlike(&self, now: &Header) -> Result<(), CliError> {
        let differing = self.header.unlike(now);
        if differing.is_empty() {
            return Ok(());
        }
        let shown = self.directory.display();
        Err(CliError::usage(format!(
            "{shown} cannot be compared with what runs now: {}",
            differing.join("; ")
        ))
        .help(format!(
            "undo that, or write the snapshot anew with `pgproof snapshot --out {shown}`"
        )))
    }
}

fn unreadable(shown: &Path, error: &dyn std::fmt::Display) -> CliError {
    CliError::usage(format!("{} cannot be read: {error}", shown.display()))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, shown: &Path) -> Result<T, CliError> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(shown, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        CliError::usage(format!(
            "{} is no file of a snapshot: {error}",
            shown.display()
        ))
        .help("write the snapshot anew with `pgproof snapshot`")
    })
}

/// The names of the files that stand for queries, sorted.
fn query_files(directory: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") && name != HEADER {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Writes a directory anew; only files that differ are touched, and those of queries that are gone are removed.
pub fn write(
    directory: &Path,
    shown: &Path,
    header: &Header,
    queries: &[QuerySnapshot],
) -> Result<Written, CliError> {
    let at = directory.join(shown);
    let failed = |error: &dyn std::fmt::Display| {
        CliError::usage(format!("cannot write {}: {error}", shown.display()))
    };
    fs::create_dir_all(&at).map_err(|error| failed(&error))?;
    let there = query_files(&at).map_err(|error| unreadable(shown, &error))?;
    // What pgproof did not write is not pgproof's to remove.
    if !at.join(HEADER).is_file() && !there.is_empty() {
        return Err(
            CliError::usage(format!("{} holds other .json files", shown.display()))
                .help("name a directory of its own with --out"),
        );
    }
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for query in queries {
        files.insert(
            file_name(&query.query),
            query.render().map_err(|error| failed(&error))?,
        );
    }
    let mut written = Written::default();
    for name in there.iter().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(at.join(name)).map_err(|error| failed(&error))?;
        written.removed += 1;
    }
    for (name, text) in &files {
        match fs::read_to_string(at.join(name)) {
            Ok(old) if old == *text => {
                written.same += 1;
                continue;
            }
            Ok(_) => written.changed += 1,
            Err(_) => written.new += 1,
        }
        write::text(&at.join(name), text).map_err(|error| failed(&error))?;
    }
    let mut text = serde_json::to_string_pretty(header).map_err(|error| failed(&error))?;
    text.push('\n');
    write::text(&at.join(HEADER), text).map_err(|error| failed(&error))?;
    Ok(written)
}

/// A query's name may hold what separates folders: `billing/ListOrders`.
fn file_name(query: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    format!("{}.json", query.replace(|c| !is_plain(c), "."))
}

/// What plans on this target depend on; a database that was given has no dataset to name.
pub async fn header(target: &Target, session: &Session) -> Result<Header, CliError> {
    let Target::Private {
        dataset, settings, ..
    } = target
    else {
        return Err(CliError::usage(
            "kept plans compare on pgproof's own dataset alone, never on a given database",
        )
        .help("leave --database-url out, and DATABASE_URL"));
    };
    let planner = comparison::planner_settings(session)
        .await
        .map_err(|error| CliError::environment(&error))?;
    let rows = dataset
        .tables
        .iter()
        .map(|table| (table.name.clone(), table.rows))
        .collect();
    Ok(Header::new(
        session.version().major(),
        planner,
        settings.seed,
        settings.scale,
        rows,
    ))
}

/// The kept plans against what runs now.
pub async fn compare(
    kept: &Kept,
    target: &Target,
    project: &Project,
    queries: &[Query],
    (session, schema): (&Session, &Schema),
    (options, globals): (&RunOptions, &Globals),
) -> Result<Vec<QueryDiff>, CliError> {
    kept.refuse_unlike(&header(target, session).await?)?;
    let limits_for = |query: &Query| plan_regression::limits(&project.settings.policy_for(query));
    let known = Known {
        session,
        schema,
        queries,
        options: RunOptions {
            runs: 1,
            ..*options
        },
        limits_for: &limits_for,
        progress: &globals.progress,
        interrupt: &globals.interrupt,
    };
    // Of an audit of some queries the others are not gone.
    let named = |query: &&QuerySnapshot| queries.iter().any(|now| now.name == query.query);
    let whole = project.catalog()?.queries.len() == queries.len();
    let wanted: Vec<QuerySnapshot> = kept
        .queries
        .iter()
        .filter(|query| whole || named(query))
        .cloned()
        .collect();
    Ok(comparison::against_snapshots(&known, &wanted).await?)
}
