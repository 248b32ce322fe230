//! Which queries an audit is about: all of the catalog, or those that were named by name, pattern or file.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};

use crate::catalog::{Catalog, Query, Skipped};
use crate::cli::Globals;
use crate::cli::args::AuditArgs;
use crate::cli::changed::Changes;
use crate::cli::committed::Committed;
use crate::cli::exit::CliError;
use crate::cli::settings::Project;
use crate::report::Unchanged;
use crate::source::{Source, SourceError, nearest};

/// The word for standard input.
const STANDARD_INPUT: &str = "-";

/// What an audit is about.
pub(in crate::cli::commands) struct Chosen {
    pub(in crate::cli::commands) catalog: Catalog,
    /// Names of queries that are no part of the catalog: their plans are shown.
    pub(super) ad_hoc: Vec<String>,
    /// What `--changed` leaves out.
    pub(super) unchanged: Option<Unchanged>,
    /// Earlier versions of queries, which run beside them.
    pub(super) earlier: Vec<Committed>,
}

impl Chosen {
    /// Queries of the catalog, for themselves.
    pub(in crate::cli::commands) fn of(catalog: Catalog) -> Self {
        Self {
            catalog,
            ad_hoc: Vec::new(),
            unchanged: None,
            earlier: Vec::new(),
        }
    }
}

/// Takes out of a catalog what is as it was.
fn only_changed(
    catalog: &mut Catalog,
    revision: &str,
    project: &Project,
    globals: &Globals,
) -> Result<Unchanged, CliError> {
    let revision = Some(revision).filter(|revision| !revision.is_empty());
    let changes = Changes::since(revision, project, globals)?;
    let changed = changes.of(&catalog.queries);
    let mut needed = changed.clone();
    let parents = catalog
        .queries
        .iter()
        .filter(|query| changed.contains(&query.name));
    needed.extend(parents.flat_map(|query| query.for_each.iter().map(|each| each.parent.clone())));
    let all = catalog.queries.len();
    catalog.queries.retain(|query| needed.contains(&query.name));
    Ok(Unchanged {
        queries: all - catalog.queries.len(),
        since: changes.since,
    })
}

/// The statements of standard input.
fn from_standard_input() -> Result<Catalog, CliError> {
    let _reading = crate::interrupt::reading();
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| CliError::usage(format!("standard input cannot be read: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::usage("standard input is not UTF-8 text"))?;
    let catalog = crate::catalog::parse(&[Source::new("stdin", text)]);
    if catalog.queries.is_empty() && catalog.skipped.is_empty() {
        return Err(CliError::usage("standard input holds no statement")
            .help("for example: echo 'SELECT 1' | pgproof audit -"));
    }
    Ok(catalog)
}

/// What is audited of the project's catalog, and what is not. Where nothing can be, the mistakes are the answer.
pub(in crate::cli::commands) fn chosen(
    args: &AuditArgs,
    project: &Project,
    globals: &Globals,
) -> Result<Chosen, CliError> {
    let is_given =
        |pattern: &String| pattern == STANDARD_INPUT || globals.directory.join(pattern).is_file();
    let all_given = !args.queries.is_empty() && args.queries.iter().all(is_given);
    let catalog = match project.catalog() {
        // A statement that is given needs no catalog beside it: a project may have none yet.
        Err(_) if all_given => {
            let note = "only what was given is audited: the catalog cannot be read (`pgproof audit` says why)";
            globals.progress.note(note);
            Catalog::default()
        }
        read => read?,
    };
    let catalog = match args.strict {
        true => catalog.strict()?,
        false => catalog,
    };
    let mut ad_hoc = Vec::new();
    let mut chosen = selected(catalog, &args.queries, &mut ad_hoc, (project, globals))?;
    let unchanged = match &args.changed {
        Some(revision) => Some(only_changed(&mut chosen, revision, project, globals)?),
        None => None,
    };
    for warning in &chosen.warnings {
        let help = warning
            .help
            .as_ref()
            .map(|help| format!("; {help}"))
            .unwrap_or_default();
        globals.progress.note(format!("{warning}{help}"));
    }
    if !chosen.queries.is_empty() || unchanged.is_some() {
        return Ok(Chosen {
            ad_hoc,
            unchanged,
            ..Chosen::of(chosen)
        });
    }
    let mistakes: Vec<SourceError> = chosen
        .skipped
        .iter()
        .filter_map(Skipped::mistake)
        .cloned()
        .collect();
    if mistakes.is_empty() {
        return Err(CliError::usage("there is no query to audit")
            .help("`@skip` and `exclude` leave all of them out"));
    }
    Err(mistakes.into())
}

/// The queries that were asked for by name, pattern or file, all if none were; what fits none is a mistake.
fn selected(
    catalog: Catalog,
    patterns: &[String],
    ad_hoc: &mut Vec<String>,
    (project, globals): (&Project, &Globals),
) -> Result<Catalog, CliError> {
    if patterns.is_empty() {
        return Ok(catalog);
    }
    let Catalog {
        mut queries,
        mut skipped,
        mut warnings,
    } = catalog;
    let mut wanted: HashSet<String> = HashSet::new();
    let mut wanted_skipped: HashSet<(PathBuf, u32)> = HashSet::new();
    for pattern in patterns {
        if pattern == STANDARD_INPUT {
            let read = from_standard_input()?;
            queries.retain(|query| !read.queries.iter().any(|other| other.name == query.name));
            let names = read.queries.iter().map(|query| query.name.clone());
            ad_hoc.extend(names.clone());
            wanted.extend(names);
            let places = read.skipped.iter();
            wanted_skipped.extend(places.map(|skipped| (skipped.file.clone(), skipped.line)));
            queries.extend(read.queries);
            skipped.extend(read.skipped);
            warnings.extend(read.warnings);
            continue;
        }
        let asked = Asked::of(pattern, project, globals)?;
        if let Some(file) = &asked.file
            && !queries.iter().any(|query| query.file == *file)
            && !skipped.iter().any(|skipped| skipped.file == *file)
        {
            // A file that no pattern of pgproof.toml names, read as if one did.
            let read = crate::catalog::load_file(&globals.directory.join(pattern), file);
            queries.retain(|query| !read.queries.iter().any(|other| other.name == query.name));
            ad_hoc.extend(read.queries.iter().map(|query| query.name.clone()));
            queries.extend(read.queries);
            skipped.extend(read.skipped);
            warnings.extend(read.warnings);
        }
        let before = (wanted.len(), wanted_skipped.len());
        let fitting = queries
            .iter()
            .filter(|query| asked.fits(&query.name, &query.file));
        wanted.extend(fitting.map(|query| query.name.clone()));
        let fitting = skipped
            .iter()
            .filter(|skipped| asked.fits(&skipped.name, &skipped.file));
        wanted_skipped.extend(fitting.map(|skipped| (skipped.file.clone(), skipped.line)));
        if before == (wanted.len(), wanted_skipped.len()) && !asked.found_before(&queries, &wanted)
        {
            let error = CliError::usage(format!("no query of the catalog is named {pattern:?}"));
            let names = queries.iter().map(|query| query.name.as_str());
            return Err(match nearest(pattern, names) {
                Some(name) => error.help(format!("did you mean {name}?")),
                None => error.help("`pgproof audit` without a name audits all of them"),
            });
        }
    }
    // A query's parameters may come from the rows of another one, which then is needed too.
    let parents: Vec<String> = queries
        .iter()
        .filter(|query| wanted.contains(&query.name))
        .flat_map(|query| query.for_each.iter().map(|driven| driven.parent.clone()))
        .collect();
    wanted.extend(parents);
    queries.retain(|query| wanted.contains(&query.name));
    skipped.retain(|skipped| wanted_skipped.contains(&(skipped.file.clone(), skipped.line)));
    let files: HashSet<&Path> = queries.iter().map(|query| query.file.as_path()).collect();
    warnings.retain(|warning| files.contains(warning.source_file.path.as_path()));
    Ok(Catalog {
        queries,
        skipped,
        warnings,
    })
}

/// What was typed to name queries.
struct Asked {
    names: GlobMatcher,
    /// Relative to the project where it lies below it.
    file: Option<PathBuf>,
}

impl Asked {
    fn of(typed: &str, project: &Project, globals: &Globals) -> Result<Self, CliError> {
        let names = Glob::new(typed)
            .map_err(|error| CliError::usage(format!("bad pattern {typed:?}: {}", error.kind())))?
            .compile_matcher();
        let path = globals.directory.join(typed);
        let file = path.is_file().then(|| {
            let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            whole(&path)
                .strip_prefix(whole(&project.root))
                .map_or_else(|_| PathBuf::from(typed), Path::to_path_buf)
        });
        Ok(Self { names, file })
    }

    /// By the whole name, its last part (`ListOrders` of `billing/ListOrders`), or the file.
    fn fits(&self, name: &str, file: &Path) -> bool {
        let plain = name.rsplit('/').next().unwrap_or(name);
        self.names.is_match(name)
            || self.names.is_match(plain)
            || self.file.as_deref() == Some(file)
    }

    fn found_before(&self, queries: &[Query], wanted: &HashSet<String>) -> bool {
        queries
            .iter()
            .any(|query| wanted.contains(&query.name) && self.fits(&query.name, &query.file))
    }
}
