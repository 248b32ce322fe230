//! `pgproof diff BEFORE.json AFTER.json`: two reports that `audit --format json` wrote. Nothing is run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::exit::CliError;
use super::settings::Project;
use crate::diff::names::SavedNames;
use crate::diff::report::DiffReport;
use crate::diff::saved::{self, SavedCatalog, SavedQueryRuns};
use crate::report::json::{self, SavedReport};
use crate::rules::{Policy, plan_regression};
use crate::run::QueryFailure;

/// Compares two reports; limits come from the project where there is one.
pub fn compare(
    before: &Path,
    after: &Path,
    project: Option<&Project>,
    directory: &Path,
) -> Result<DiffReport, CliError> {
    let (old, new) = (read(before, directory)?, read(after, directory)?);
    let differing = unlike(&old, &new);
    if !differing.is_empty() {
        return Err(CliError::usage(format!(
            "the reports cannot be compared: {}",
            differing.join("; ")
        ))
        .help("audit both with the same dataset, server version and planner settings"));
    }
    let (old, server_version) = (catalog(&old, before)?, new.server.version.clone());
    let new = catalog(&new, after)?;
    let policy = project.map_or_else(Policy::default, |project| project.settings.policy());
    let queries = saved::compare(&old, &new, &plan_regression::limits(&policy));
    let findings = queries
        .iter()
        .filter_map(|diff| plan_regression::finding(diff, &policy))
        .collect();
    Ok(DiffReport {
        from: before.display().to_string(),
        to: after.display().to_string(),
        server_version,
        queries,
        findings,
        ..DiffReport::default()
    })
}

fn read(path: &Path, directory: &Path) -> Result<SavedReport, CliError> {
    let text = std::fs::read_to_string(directory.join(path)).map_err(|error| {
        CliError::usage(format!("{} cannot be read: {error}", path.display()))
            .help("write one with `pgproof audit --format json=FILE`")
    })?;
    json::read(&text).map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
}

fn catalog(report: &SavedReport, path: &Path) -> Result<SavedCatalog, CliError> {
    let of_query = |query: &json::SavedQuery| {
        let runs = query
            .runs
            .iter()
            .map(saved_run)
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

fn saved_run(run: &json::SavedRun) -> Result<crate::run::Run, CliError> {
    let plan = crate::plan::parse::json_value(&run.plan)
        .map_err(|error| {
            CliError::usage(format!("the plan of {} cannot be read: {error}", run.label))
        })?
        .into_iter()
        .next()
        .ok_or_else(|| CliError::usage(format!("{} has no plan", run.label)))?;
    let sample = crate::run::Sample {
        execution: run.time_ms.unwrap_or_default(),
        planning: run.planning_ms.unwrap_or_default(),
        blocks: plan.root().buffers.unwrap_or_default().touched(),
        temp_blocks: plan.root().buffers.unwrap_or_default().temp(),
    };
    let outcome = match run.outcome {
        json::SavedOutcome::Completed => crate::run::Outcome::Completed {
            samples: vec![sample],
        },
        json::SavedOutcome::TimedOut => crate::run::Outcome::TimedOut {
            after: crate::units::Millis(0.0),
        },
        json::SavedOutcome::Estimated => crate::run::Outcome::Estimated,
    };
    let parameters = run
        .parameters
        .iter()
        .map(|parameter| crate::run::BoundParameter {
            number: parameter.number,
            name: parameter.name.clone(),
            type_name: parameter.type_name.clone(),
            value: parameter.value.clone(),
            column: parameter.column.clone(),
        });
    Ok(crate::run::Run {
        label: run.label.clone(),
        parameters: parameters.collect(),
        plan,
        explain_json: run.plan.clone(),
        outcome,
    })
}

/// What makes two reports incomparable, each said.
fn unlike(old: &json::SavedReport, new: &json::SavedReport) -> Vec<String> {
    let mut found = Vec::new();
    let major = |version: &str| version.split('.').next().unwrap_or(version).to_owned();
    if major(&old.server.version) != major(&new.server.version) {
        found.push(format!(
            "PostgreSQL {} and {}",
            old.server.version, new.server.version
        ));
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
