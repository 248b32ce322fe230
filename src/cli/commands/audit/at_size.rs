//! `pgproof audit --at ROWS`: the catalog planned on hollow tables, from the dataset's own statistics at that size.

use std::time::Instant;

use super::place::{Facts, Place};
use super::selection::{Chosen, chosen};
use super::{access, tables};
use crate::catalog::Query;
use crate::cli::args::AuditArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::target::Target;
use crate::cli::{Globals, output};
use crate::db::audit::{self, RunOptions};
use crate::db::lab::Planner;
use crate::db::lab::ends::set_ends;
use crate::db::lab::outlook::{Course, courses};
use crate::db::profile;
use crate::lab::outlook::{Outlook, PlannedRun};
use crate::lab::scale::Growth;
use crate::profile::model::TableStatistics;
use crate::report::Report;
use crate::results::Reading;
use crate::run::QueryRuns;
use crate::schema::Schema;
use crate::units::{Count, Millis};

/// Plans and reports.
pub(super) async fn run(
    args: &AuditArgs,
    rows: f64,
    globals: &Globals,
) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let view = output::view(&args.view)?;
    let mut project = globals.project()?.with_statements(globals).await?;
    let settings = project.settings.clone().with_audit_args(args);
    (project.settings.dataset, project.settings.rows) = (settings.dataset, settings.rows.clone());
    project.settings.audit = settings.audit.clone();
    let chosen = chosen(args, &project, globals)?;
    let target = Target::open(&project, globals).await?;
    let planned = planned(args, rows, chosen, (&target, &project), globals).await;
    let closed = target.close().await;
    let mut report = planned?;
    report.view = view;
    report.fail_on = settings.fail_on;
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    let code = output::finish(&outputs, &report, globals)?;
    closed?;
    Ok(code)
}

async fn planned(
    args: &AuditArgs,
    rows: f64,
    chosen: Chosen,
    (target, project): (&Target, &Project),
    globals: &Globals,
) -> Result<Report, CliError> {
    let audit = &project.settings.audit;
    let options = RunOptions {
        runs: audit.runs,
        timeout: Millis(audit.timeout.as_secs_f64() * 1000.0),
        access: access(args, target),
    };
    let results = target
        .results(project, &options, Reading::Known, globals)
        .await?;
    let mut place = Place::new(target, &audit.caller, globals, &results);
    let Facts {
        schema,
        server_version,
    } = place.facts(&options).await?;
    let queries = chosen.catalog.queries;
    let events = (&globals.progress, &globals.interrupt);
    let session = place.session().await?;
    let runs = audit::plan_catalog(session, (&schema, &queries), &options, events).await?;
    let reader = target.session(globals).await?;
    let mut statistics = profile::read(&reader).await?.tables;
    set_ends(&reader, &schema, &mut statistics).await?;
    reader.close().await;
    place.close().await;
    let growth = Growth::of(&schema, &statistics);
    let (table, rows_now) = growth.largest().ok_or_else(|| {
        CliError::usage("no table of the dataset has as many as 1,000 rows: nothing of it grows")
    })?;
    if rows < rows_now {
        let have = Count(rows_now);
        return Err(
            CliError::usage(format!("{table} has {have} rows already")).help(format!(
                "--at takes a larger number, e.g. --at {:.0e}",
                rows_now * 100.0
            )),
        );
    }
    let exhausted = growth.scaled(rows / rows_now).exhausted;
    let at = Size {
        table,
        rows_now,
        rows_then: rows,
    };
    let outlook = outlook(
        target,
        project,
        (&schema, &statistics),
        (&queries, &runs),
        at,
        globals,
    )
    .await?;
    Ok(Report {
        server_version: Some(server_version),
        dataset: target.dataset_info(),
        tables: tables(&schema),
        queries,
        runs,
        skipped: chosen.catalog.skipped,
        outlook: Some(Outlook {
            exhausted,
            ..outlook
        }),
        ..Report::default()
    })
}

/// From where to where the largest table grows.
pub(in crate::cli::commands) struct Size {
    pub(in crate::cli::commands) table: String,
    pub(in crate::cli::commands) rows_now: f64,
    pub(in crate::cli::commands) rows_then: f64,
}

/// The plans of runs from one size to the other.
pub(in crate::cli::commands) async fn outlook(
    target: &Target,
    project: &Project,
    (schema, statistics): (&Schema, &[TableStatistics]),
    (queries, runs): (&[Query], &[QueryRuns]),
    at: Size,
    globals: &Globals,
) -> Result<Outlook, CliError> {
    let mut laboratory = target.laboratory(project, globals).await?;
    let mut planner = Planner::new(queries, runs);
    let most = at.rows_then / at.rows_now;
    let found = courses(
        &mut laboratory,
        &mut planner,
        (schema, statistics),
        most,
        &globals.progress,
    )
    .await;
    let closed = laboratory.close().await;
    let found = found?;
    closed?;
    let planned = |course: Course| {
        let run = planner.run(course.asked)?;
        let changes = course.changes.into_iter().map(|mut change| {
            change.rows *= at.rows_now;
            change
        });
        Some(PlannedRun {
            query: queries.get(course.asked.query)?.name.clone(),
            parameters: run.id.to_string(),
            cost_now: course.now.root().estimate.total_cost,
            cost_then: course
                .then
                .as_ref()
                .map(|plan| plan.root().estimate.total_cost),
            changes: changes.collect(),
        })
    };
    let planned = found.into_iter().filter_map(planned).collect();
    Ok(Outlook {
        table: at.table,
        rows_now: at.rows_now,
        rows_then: at.rows_then,
        exhausted: Vec::new(),
        runs: planned,
    })
}
