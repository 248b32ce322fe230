//! `pgproof audit --at ROWS` and `--hollow`: the catalog planned on hollow tables, with the dataset's own statistics at that size, or
//! with those of a profile.

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
use crate::db::audit;
use crate::db::lab::Planner;
use crate::db::lab::ends::set_ends;
use crate::db::lab::outlook::{Course, courses};
use crate::db::profile;
use crate::lab::change::PlanChange;
use crate::lab::outlook::{Outlook, PlannedRun, SizedChange};
use crate::lab::scale::Growth;
use crate::plan::Plan;
use crate::profile::model::TableStatistics;
use crate::report::Report;
use crate::results::Reading;
use crate::run::{QueryRuns, Run};
use crate::schema::Schema;
use crate::units::{Count, Millis};

/// Plans and reports.
pub(super) async fn run(args: &AuditArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let view = output::view(&args.view)?;
    if globals.database()?.is_some() {
        return Err(CliError::usage(
            "--at and --hollow plan on tables without rows, which pgproof makes on its own server of the project's migrations",
        )
        .help("leave --database-url out; a profile brings a database's numbers: `pgproof profile --database-url URL -o shop.profile`"));
    }
    let project = globals.project_with(args.profile.as_deref())?;
    let mut project = project.with_statements(globals).await?;
    if args.hollow && project.profile.is_none() {
        return Err(CliError::usage(
            "--hollow plans with the numbers of a profile, and there is none",
        )
        .help("add --profile FILE, or `profile` under [dataset] in pgproof.toml"));
    }
    let settings = project.settings.clone().with_audit_args(args);
    (project.settings.dataset, project.settings.rows) = (settings.dataset, settings.rows.clone());
    project.settings.audit = settings.audit.clone();
    let chosen = chosen(args, &project, globals)?;
    let target = Target::open(&project, globals).await?;
    let planned = planned(args, chosen, (&target, &project), globals).await;
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
    chosen: Chosen,
    (target, project): (&Target, &Project),
    globals: &Globals,
) -> Result<Report, CliError> {
    let audit = &project.settings.audit;
    let options = audit.run_options(access(args, target));
    let results = target
        .results(project, &options, Reading::Known, globals)
        .await?;
    let mut place = Place::new(target, &audit.caller, globals, &results);
    let Facts {
        schema,
        server_version,
    } = place.facts(&options).await?;
    let reader = target.session(globals).await?;
    let mut of_dataset = profile::read(&reader).await?.tables;
    set_ends(&reader, &schema, &mut of_dataset).await?;
    reader.close().await;
    let of_profile = project.profile.as_ref().filter(|_| args.hollow);
    let statistics = of_profile.map_or(&of_dataset[..], |profile| &profile.tables[..]);
    let start = if of_profile.is_some() {
        Start::Profile
    } else {
        Start::Dataset
    };
    let size = size(&schema, statistics, args.at, start)?;
    let queries = chosen.catalog.queries;
    let events = (&globals.progress, &globals.interrupt);
    let session = place.session().await?;
    let runs = audit::plan_catalog(session, (&schema, &queries), &options, events).await?;
    place.close().await;
    let factor = size.rows_then / size.rows_now;
    let exhausted = Growth::of(&schema, statistics).scaled(factor).exhausted;
    let mut outlook = outlook(
        (target, project),
        (&schema, statistics),
        (&queries, &runs),
        size,
        globals,
    )
    .await?;
    outlook.exhausted = exhausted;
    if of_profile.is_some()
        && let Some((_, rows)) = Growth::of(&schema, &of_dataset).largest()
    {
        outlook.rows_now = rows;
    }
    Ok(Report {
        server_version: Some(server_version),
        dataset: target.dataset_info(),
        tables: tables(&schema),
        queries,
        runs,
        skipped: chosen.catalog.skipped,
        outlook: Some(outlook),
        ..Report::default()
    })
}

/// From where to where the largest table grows.
pub(in crate::cli::commands) struct Size {
    pub(in crate::cli::commands) table: String,
    pub(in crate::cli::commands) rows_now: f64,
    pub(in crate::cli::commands) rows_then: f64,
    pub(in crate::cli::commands) start: Start,
}

/// What the statistics are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::commands) enum Start {
    Dataset,
    /// A profile: its plans are compared with those of the dataset.
    Profile,
}

fn size(
    schema: &Schema,
    statistics: &[TableStatistics],
    asked: Option<f64>,
    start: Start,
) -> Result<Size, CliError> {
    let largest = Growth::of(schema, statistics).largest();
    let (table, rows_now) = largest
        .ok_or_else(|| CliError::usage("no table has as many as 1,000 rows: nothing grows"))?;
    let rows_then = asked.unwrap_or(rows_now);
    if rows_then < rows_now {
        let have = Count(rows_now);
        let help = format!(
            "--at takes a larger number, e.g. --at {:.0e}",
            rows_now * 100.0
        );
        return Err(CliError::usage(format!("{table} has {have} rows already")).help(help));
    }
    Ok(Size {
        table,
        rows_now,
        rows_then,
        start,
    })
}

/// The plans of runs from one size to the other.
pub(in crate::cli::commands) async fn outlook(
    (target, project): (&Target, &Project),
    (schema, statistics): (&Schema, &[TableStatistics]),
    (queries, runs): (&[Query], &[QueryRuns]),
    at: Size,
    globals: &Globals,
) -> Result<Outlook, CliError> {
    let mut laboratory = target.laboratory(project, globals).await?;
    let mut planner = Planner::new(queries, runs, &project.settings.audit.caller);
    let most = at.rows_then / at.rows_now;
    let progress = &globals.progress;
    let found = courses(
        &mut laboratory,
        &mut planner,
        (schema, statistics),
        most,
        progress,
    )
    .await;
    let closed = laboratory.close().await;
    let found = found?;
    closed?;
    let planned = |course: Course| {
        let query = queries.get(course.asked.query)?;
        Some(planned_run(
            &query.name,
            planner.run(course.asked)?,
            course,
            &at,
        ))
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

fn planned_run(query: &str, run: &Run, course: Course, at: &Size) -> PlannedRun {
    let cost = |plan: &Plan| plan.root().estimate.total_cost;
    let mut changes: Vec<SizedChange> = Vec::new();
    let cost_now = match at.start {
        Start::Dataset => cost(&course.now),
        Start::Profile => {
            changes.extend(
                PlanChange::between(&run.plan, &course.now).map(|change| SizedChange {
                    rows: at.rows_now,
                    cost: cost(&course.now),
                    change,
                }),
            );
            cost(&run.plan)
        }
    };
    changes.extend(course.changes.into_iter().map(|mut change| {
        change.rows *= at.rows_now;
        change
    }));
    PlannedRun {
        query: query.to_owned(),
        parameters: run.id.to_string(),
        cost_now,
        cost_then: course.then.as_ref().map(cost),
        changes,
    }
}
