//! Reports that `--format json` wrote: read back whole, or two audits compared. Nothing is run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::exit::CliError;
use super::settings::Project;
use crate::catalog::{self, Query};
use crate::diff::names::SavedNames;
use crate::diff::report::Comparison;
use crate::diff::saved::{self, SavedCatalog, SavedQueryRuns};
use crate::report::json::{self, ReadError, Saved, SavedQuery, SavedReport};
use crate::report::{Origin, Report, restore};
use crate::rules::{Policy, plan_regression};
use crate::run::QueryFailure;
use crate::source::Source;

/// A saved report as it was, for `pgproof report`.
pub fn restored(path: &Path, directory: &Path) -> Result<Report, CliError> {
    let saved =
        json::read_any(&text_of(path, directory)?).map_err(|error| unreadable(path, &error))?;
    match saved {
        Saved::Diff(diff) => Ok(restore::restore_diff(*diff)),
        Saved::Queries(saved) => restore::restore(*saved, &query_of)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display()))),
    }
}

/// The query of a saved text: read as its file was, else (it came from elsewhere) taken as it is.
fn query_of(saved: &SavedQuery) -> Query {
    let text = format!("-- name: Saved :many\n{};\n", saved.sql);
    let read = catalog::parse(&[Source::new(&saved.file, text)])
        .queries
        .pop()
        .filter(|query| query.source == saved.sql);
    let query = read.unwrap_or_else(|| as_it_is(saved));
    Query {
        name: saved.name.clone(),
        file: PathBuf::from(&saved.file),
        header_line: saved.line.saturating_sub(1).max(1),
        line: saved.line,
        column: saved.column,
        calls_per_second: saved.calls_per_second,
        asked_by: saved.asked_by.clone(),
        ..query
    }
}

fn as_it_is(saved: &SavedQuery) -> Query {
    let (name, text) = (saved.name.clone(), saved.sql.clone());
    Query {
        column: saved.column,
        calls_per_second: saved.calls_per_second,
        asked_by: saved.asked_by.clone(),
        ..Query::of_text(name, PathBuf::from(&saved.file), saved.line, text)
    }
}

/// Compares two reports; limits come from the project where there is one.
pub fn compare(
    before: &Path,
    after: &Path,
    project: Option<&Project>,
    directory: &Path,
) -> Result<Report, CliError> {
    let (old, new) = (read(before, directory)?, read(after, directory)?);
    let differing = unlike(&old, &new);
    if !differing.is_empty() {
        return Err(CliError::usage(format!(
            "the reports cannot be compared: {}",
            differing.join("; ")
        ))
        .help("audit both with the same dataset, server version and planner settings"));
    }
    let (old, server_version) = (runs_of(&old, before)?, new.server.version.clone());
    let new = runs_of(&new, after)?;
    let policy = project.map_or_else(Policy::default, |project| project.settings.policy());
    let queries = saved::compare(&old, &new, &plan_regression::limits(&policy));
    let findings = queries
        .iter()
        .filter_map(|diff| plan_regression::finding(diff, &policy))
        .collect();
    Ok(Report {
        origin: Origin::Diff,
        server_version,
        findings,
        comparison: Some(Box::new(Comparison {
            from: before.display().to_string(),
            to: after.display().to_string(),
            queries,
            ..Comparison::default()
        })),
        ..Report::default()
    })
}

fn read(path: &Path, directory: &Path) -> Result<SavedReport, CliError> {
    json::read(&text_of(path, directory)?).map_err(|error| unreadable(path, &error))
}

fn text_of(path: &Path, directory: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(directory.join(path)).map_err(|error| {
        CliError::usage(format!("{} cannot be read: {error}", path.display()))
            .help("write one with `pgproof audit --format json=FILE`")
    })
}

fn unreadable(path: &Path, error: &ReadError) -> CliError {
    CliError::usage(format!("{}: {error}", path.display()))
}

fn runs_of(report: &SavedReport, path: &Path) -> Result<SavedCatalog, CliError> {
    let of_query = |query: &json::SavedQuery| {
        let runs = query
            .runs
            .iter()
            .filter(|run| !run.plan.is_null())
            .map(|run| {
                restore::run(run).map_err(|reason| {
                    CliError::usage(format!(
                        "the plan of {} cannot be read: {reason}",
                        run.label
                    ))
                })
            })
            .collect::<Result<Vec<_>, _>>();
        Ok::<_, CliError>(SavedQueryRuns {
            name: query.name.clone(),
            file: PathBuf::from(&query.file),
            line: query.line,
            sql: query.sql.clone(),
            failure: query.failure.as_ref().map(|failure| QueryFailure {
                message: failure.message.clone(),
                code: failure.code.clone(),
                position: failure.position,
                hint: failure.hint.clone(),
            }),
            runs: runs.map_err(|error| error.at(&format!("{}: {}", path.display(), query.name)))?,
        })
    };
    let queries = report
        .queries
        .iter()
        .map(of_query)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(SavedCatalog {
        queries,
        names: names(report),
    })
}

/// What the report says of its indexes and partitions.
fn names(report: &SavedReport) -> SavedNames {
    // Names for people leave `public` out; plans do not.
    let full = |name: &str| {
        if name.contains('.') {
            name.to_owned()
        } else {
            format!("public.{name}")
        }
    };
    let mut names = SavedNames::default();
    for table in &report.dataset.tables {
        let indexes = table
            .indexes
            .iter()
            .map(|index| (index.name.clone(), index.definition.clone()));
        names.indexes.extend(indexes);
        let partitions = table
            .partitions
            .iter()
            .map(|partition| (full(partition), full(&table.name)));
        names.partitions.extend(partitions);
    }
    names
}

/// What makes two reports incomparable, each said.
fn unlike(old: &json::SavedReport, new: &json::SavedReport) -> Vec<String> {
    let mut found = Vec::new();
    let major = |version: &str| version.split('.').next().unwrap_or(version).to_owned();
    let version = |report: &SavedReport| {
        let version = report.server.version.as_deref();
        version.unwrap_or("unknown").to_owned()
    };
    let (a, b) = (version(old), version(new));
    if major(&a) != major(&b) {
        found.push(format!("PostgreSQL {a} and {b}"));
    }
    let number =
        |number: Option<f64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let (a, b) = (&old.dataset, &new.dataset);
    if a.scale != b.scale {
        found.push(format!("scale {} and {}", number(a.scale), number(b.scale)));
    }
    if a.seed != b.seed {
        let seed =
            |seed: Option<u64>| seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string());
        found.push(format!("seed {} and {}", seed(a.seed), seed(b.seed)));
    }
    let names: BTreeSet<&String> = old
        .server
        .settings
        .keys()
        .chain(new.server.settings.keys())
        .collect();
    for name in names {
        let (a, b) = (old.server.settings.get(name), new.server.settings.get(name));
        if a != b {
            let shown = |value: Option<&serde_json::Value>| {
                value
                    .and_then(|v| v.as_str())
                    .unwrap_or("default")
                    .to_owned()
            };
            found.push(format!("{name} is {} and {}", shown(a), shown(b)));
        }
    }
    found
}
