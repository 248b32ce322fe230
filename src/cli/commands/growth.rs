//! `pgproof growth`: the catalog at several sizes of the dataset, and what follows for larger ones.

use std::collections::BTreeMap;
use std::time::Instant;

use super::audit::at_size::{Size, Start, outlook};
use super::audit::place::{Facts, Place, again};
use super::audit::selection::chosen;
use super::audit::{access, tables};
use crate::catalog::Query;
use crate::cli::args::{AuditArgs, GrowthArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::target::Target;
use crate::cli::{Globals, output};
use crate::db::audit::{self, Known, Seen};
use crate::db::lab::ends::set_ends;
use crate::db::profile;
use crate::finding::Finding;
use crate::lab::growth::{GrowthReport, Limits, Measured, NEAREST_SIZES, growth};
use crate::lab::outlook::Outlook;
use crate::lab::scale::Growth;
use crate::profile::model::TableStatistics;
use crate::report::Report;
use crate::results::Reading;
use crate::rules::{self, grows_with_table, slow_query};
use crate::run::{EndedEarly, QueryRuns, Run};
use crate::run_id::RunId;
use crate::schema::Schema;
use crate::units::{Count, Millis};

/// How far is looked ahead where nobody says so.
const AHEAD: f64 = 100.0;

/// Runs the catalog at every size and reports.
pub async fn run(args: &GrowthArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let project = globals.project()?.with_statements(globals).await?;
    let sizes = relative_sizes(&args.sizes)?;
    let named = AuditArgs {
        queries: args.queries.clone(),
        ..AuditArgs::default()
    };
    let chosen = chosen(&named, &project, globals)?;
    let mut report = sized(args, &sizes, chosen.catalog.queries, &project, globals).await?;
    report.skipped = chosen.catalog.skipped;
    report.fail_on = output::fail_on(&args.fail_on, Some(&project));
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    output::finish(&outputs, &report, globals)
}

/// Each as a share of the largest, from the smallest on.
fn relative_sizes(typed: &[f64]) -> Result<Vec<f64>, CliError> {
    let mut sizes = typed.to_vec();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    match sizes[..] {
        [_, .., largest] => Ok(sizes.iter().map(|size| size / largest).collect()),
        [] | [_] => Err(CliError::usage(
            "growth shows between sizes: --sizes takes two or more of them",
        )
        .help("for example: --sizes 1,4,16")),
    }
}

/// What was seen at one size.
struct Sized {
    /// Of the largest table.
    rows: f64,
    schema: Schema,
    statistics: Vec<TableStatistics>,
    runs: Vec<QueryRuns>,
    server_version: String,
}

async fn sized(
    args: &GrowthArgs,
    sizes: &[f64],
    queries: Vec<Query>,
    project: &Project,
    globals: &Globals,
) -> Result<Report, CliError> {
    let mut seen: Vec<Sized> = Vec::new();
    for (at, share) in sizes.iter().enumerate() {
        let mut project = project.clone();
        project.settings.dataset.scale *= share;
        for request in &mut project.settings.rows {
            request.rows = ((request.rows as f64 * share) as u64).max(1);
        }
        let target = Target::open(&project, globals).await?;
        let measured = measure(&queries, (&target, &project), globals).await;
        let is_last = at + 1 == sizes.len();
        match measured {
            Ok(measured) if is_last => {
                seen.push(measured);
                if let Err(error) = grows(&seen, globals) {
                    target.close().await?;
                    return Err(error);
                }
                let finished = finish(args, &seen, queries, (&target, &project), globals).await;
                let closed = target.close().await;
                let report = finished?;
                closed?;
                return Ok(report);
            }
            Ok(measured) => seen.push(measured),
            Err(error) => {
                // The failure of the audit is the one to tell.
                let _ = target.close().await;
                return Err(error);
            }
        }
        target.close().await?;
    }
    Err(CliError::usage("growth needs two sizes"))
}

/// Between sizes whose largest tables have nearly the same rows nothing can be seen.
fn grows(seen: &[Sized], globals: &Globals) -> Result<(), CliError> {
    for pair in seen.windows(2) {
        if pair[1].rows < pair[0].rows * NEAREST_SIZES {
            globals.progress.note(format!(
                "between {} and {} rows growth is not read: too near",
                Count(pair[0].rows),
                Count(pair[1].rows)
            ));
        }
    }
    match seen {
        [first, .., last] if last.rows < first.rows * NEAREST_SIZES => {
            Err(CliError::usage(format!(
                "the largest table has {} rows at the smallest size and {} at the largest: nothing of it grows",
                Count(first.rows),
                Count(last.rows)
            ))
            .help("`rows = …` of a seed spec that is a list, or keys that others fill, fix the rows of a table; take sizes that are farther apart"))
        }
        _ => Ok(()),
    }
}

/// The catalog at one size.
async fn measure(
    queries: &[Query],
    (target, project): (&Target, &Project),
    globals: &Globals,
) -> Result<Sized, CliError> {
    let audit = &project.settings.audit;
    let options = audit.run_options(access(&AuditArgs::default(), target));
    let results = target
        .results(project, &options, Reading::Known, globals)
        .await?;
    let mut place = Place::new(target, &audit.caller, globals, &results);
    let Facts {
        schema,
        server_version,
    } = place.facts(&options).await?;
    let known = Known::of(queries, &results);
    let session = place.session().await?;
    let events = (&globals.progress, &globals.interrupt);
    let reconnect = async || again(target, &audit.caller, globals).await;
    let Seen { runs, ended_early } = audit::run_rest(
        session,
        (&schema, queries),
        (known, &results),
        &options,
        events,
        reconnect,
    )
    .await;
    match ended_early {
        Some(EndedEarly::Interrupted) => return Err(CliError::Interrupted),
        Some(lost @ EndedEarly::ServerLost { .. }) => {
            return Err(CliError::Environment {
                message: lost.reason(),
                causes: Vec::new(),
                help: None,
            });
        }
        None => {}
    }
    let reader = target.session(globals).await?;
    let mut statistics = profile::read(&reader).await?.tables;
    set_ends(&reader, &schema, &mut statistics).await?;
    reader.close().await;
    place.close().await;
    let (table, rows) = largest(&schema, &statistics)?;
    globals
        .progress
        .note(format!("measured with {} rows of {table}", Count(rows)));
    Ok(Sized {
        rows,
        schema,
        statistics,
        runs,
        server_version,
    })
}

fn largest(schema: &Schema, statistics: &[TableStatistics]) -> Result<(String, f64), CliError> {
    Growth::of(schema, statistics).largest().ok_or_else(|| {
        CliError::usage(
            "no table of the dataset has as many as 1,000 rows at this size: nothing of it grows",
        )
        .help("take larger --sizes, or a larger scale in pgproof.toml")
    })
}

/// The laws of all that ran, and the plans beyond what ran.
async fn finish(
    args: &GrowthArgs,
    seen: &[Sized],
    queries: Vec<Query>,
    (target, project): (&Target, &Project),
    globals: &Globals,
) -> Result<Report, CliError> {
    let Some(last) = seen.last() else {
        return Err(CliError::usage("growth needs two sizes"));
    };
    let (table, rows) = largest(&last.schema, &last.statistics)?;
    let to = args.to.unwrap_or(rows * AHEAD).max(rows);
    let size = Size {
        table: table.clone(),
        rows_now: rows,
        rows_then: to,
        start: Start::Dataset,
    };
    let statistics = (&last.schema, &last.statistics[..]);
    let outlook = outlook(
        (target, project),
        statistics,
        (&queries, &last.runs),
        size,
        globals,
    )
    .await?;
    let mut growths = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for (index, query) in queries.iter().enumerate() {
        let policy = project.settings.policy_for(query);
        let limits = Limits {
            pages: query.budget.buffers,
            time: Some(slow_query::longest_acceptable(query, &policy)),
        };
        for (id, points) in points(seen, index) {
            let parameters = id.to_string();
            let Some(mut found) = growth((&query.name, &parameters), &points, to, limits) else {
                continue;
            };
            found.changes = changes(&outlook, query, &parameters);
            let largest = run_of(last, index, &id);
            findings.extend(
                largest.and_then(|run| grows_with_table::finding(query, &found, run, &policy)),
            );
            growths.push(found);
        }
    }
    let sizes = seen.iter().map(|sized| sized.rows).collect();
    Ok(Report {
        server_version: Some(last.server_version.clone()),
        dataset: target.dataset_info(),
        tables: tables(&last.schema),
        findings: rules::settle(findings, &queries, &last.runs),
        queries,
        runs: last.runs.clone(),
        growth: Some(GrowthReport {
            table,
            sizes,
            to,
            runs: growths,
        }),
        ..Report::default()
    })
}

/// Each parameter set of a query with what it took from size to size.
fn points(seen: &[Sized], query: usize) -> BTreeMap<RunId, Vec<Measured<'_>>> {
    let mut points: BTreeMap<RunId, Vec<Measured<'_>>> = BTreeMap::new();
    for sized in seen {
        let of_query = sized.runs.iter().filter(|runs| runs.query == query);
        for run in of_query.flat_map(|runs| &runs.runs) {
            if let Some(measured) = Measured::of(sized.rows, run) {
                points.entry(run.id.clone()).or_default().push(measured);
            }
        }
    }
    // What did not run at the largest size says nothing of larger ones.
    let largest = seen.last().map(|sized| sized.rows);
    points.retain(|_, points| points.last().map(|measured| measured.point.rows) == largest);
    points
}

fn run_of<'s>(sized: &'s Sized, query: usize, id: &RunId) -> Option<&'s Run> {
    let of_query = sized.runs.iter().find(|runs| runs.query == query)?;
    of_query.runs.iter().find(|run| run.id == *id)
}

fn changes(
    outlook: &Outlook,
    query: &Query,
    parameters: &str,
) -> Vec<crate::lab::outlook::SizedChange> {
    let mut runs = outlook.runs.iter();
    let run = runs.find(|run| run.query == query.name && run.parameters == parameters);
    run.map(|run| run.changes.clone()).unwrap_or_default()
}
