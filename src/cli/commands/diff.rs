//! `pgproof diff`: what migrations do to every query, and to production while they run.

mod upgrade;

use std::path::Path;
use std::time::Instant;

use crate::catalog::Query;
use crate::cli::args::DiffArgs;
use crate::cli::diff_sides::{self, Prepared, Sides};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::saved_reports;
use crate::cli::settings::Project;
use crate::cli::settled::Settled;
use crate::cli::snapshots::{self, Kept};
use crate::cli::target::{self, Target};
use crate::cli::{Globals, output};
use crate::db::comparison::{self, Analyzed, Compared, Task};
use crate::db::dataset::{self, Dataset};
use crate::db::introspect;
use crate::db::server::Cluster;
use crate::diff::outcome::QueryDiff;
use crate::diff::report::Comparison;
use crate::finding::Finding;
use crate::report::{DatasetInfo, Origin, Report};
use crate::results::Reading;
use crate::rules::{self, blocking_migration, plan_regression};
use crate::units::Millis;

/// Compares and reports.
pub async fn run(args: &DiffArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    // Saved reports can be compared where there is no project.
    let project = match args.reports.is_empty() {
        true => Some(globals.project()?.with_statements(globals).await?),
        false => Project::load_if_there(globals.config.as_deref(), &globals.directory)?,
    };
    let mut report = match (args.reports.as_slice(), &project) {
        ([before, after], project) => {
            saved_reports::compare(before, after, project.as_ref(), &globals.directory)?
        }
        (_, Some(project)) if args.baseline.is_some() => {
            of_kept_plans(args, project, globals).await?
        }
        (_, Some(project)) if !args.server.is_empty() => {
            upgrade::of_servers(args, project, globals).await?
        }
        (_, Some(project)) => of_migrations(args, project, globals).await?,
        (_, None) => return Err(CliError::usage("diff takes two saved reports, or none")),
    };
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    report.fail_on = output::fail_on(&args.fail_on, project.as_ref());
    output::finish(&outputs, &report, globals)
}

async fn of_migrations(
    args: &DiffArgs,
    project: &Project,
    globals: &Globals,
) -> Result<Report, CliError> {
    if globals
        .database()?
        .is_some_and(|(_, source)| source == crate::cli::UrlSource::Flag)
    {
        return Err(
            CliError::usage("diff migrates copies of a dataset, never a given database")
                .help("leave --database-url out; the embedded server is used"),
        );
    }
    let sides = Sides::read(args, project, globals)?;
    let cluster = target::start(project, globals).await?;
    let mut clock = Instant::now();
    let before = sides.recipe_before(project)?;
    let mut prepared = diff_sides::fitting_specs(&cluster, &before, globals).await?;
    let limits_for = |query: &Query| plan_regression::limits(&project.settings.policy_for(query));
    let mut in_dataset = lap(&mut clock);
    let (dataset, compared) = loop {
        let (dataset, small) = datasets(args, project, &cluster, &prepared, globals).await?;
        in_dataset.0 += lap(&mut clock).0;
        let options = project.settings.audit.run_once();
        let of_dataset = (&cluster, &dataset);
        let reading = match args.fresh {
            true => Reading::Fresh,
            false => Reading::Known,
        };
        let results = target::results(project, of_dataset, &options, reading, globals).await?;
        let task = Task {
            cluster: &cluster,
            template: &dataset.database,
            small: small.as_ref().map(|small| small.database.as_str()),
            production_factor: args.extrapolate.unwrap_or(1.0),
            migrations: &sides.pending,
            before: &sides.old_catalog,
            after: &sides.new_catalog,
            seeds: (&sides.new_specs, prepared.recipe().options),
            // What a program touched nobody knows.
            analyzed: match sides.pending.iter().any(|m| m.up.program.is_some()) {
                true => Analyzed::Everything,
                false => Analyzed::Touched,
            },
            options,
            limits_for: &limits_for,
            results: &results,
            progress: &globals.progress,
            interrupt: &globals.interrupt,
        };
        let error = match comparison::compare(&task).await {
            Ok(compared) => break (dataset, compared),
            Err(error) => error,
        };
        // Production's rows hold what the migration asks of them, or it fails there too.
        let fitting = match error.unfit() {
            Some(_) => prepared.fitting(&cluster, &sides.pending, globals).await?,
            None => None,
        };
        let Some(fitting) = fitting else {
            return Err(error.into());
        };
        if let Some(unfit) = error.unfit() {
            globals.progress.note(format!(
                "{}: {}; the dataset is made again, of rows that hold what the migrations ask",
                unfit.source_file.path.display(),
                unfit.message
            ));
        }
        prepared = fitting;
        clock = Instant::now();
    };
    let server_version = cluster.version().to_string();
    cluster.stop().await;
    let mut settled = Settled::read(&project.root, &dataset.fingerprint);
    let findings = findings(&compared, &sides.new_catalog, project, &mut settled);
    settled.keep();
    let settings = &project.settings.dataset;
    let mut comparison = Comparison {
        from: sides.from,
        to: sides.to,
        layout: Some((sides.layout.to_string(), sides.because)),
        without_transaction: sides.layout.without_transaction().map(str::to_owned),
        ..of_compared(compared)
    };
    comparison.spent.dataset.0 += in_dataset.0;
    Ok(Report {
        origin: Origin::Diff,
        server_version: Some(server_version),
        dataset: Some(DatasetInfo {
            fingerprint: dataset.fingerprint,
            seed: settings.seed,
            scale: settings.scale,
            reused: dataset.made.is_none(),
        }),
        findings,
        comparison: Some(Box::new(comparison)),
        ..Report::default()
    })
}

/// The dataset, and a quarter of it where durations are extended.
async fn datasets(
    args: &DiffArgs,
    project: &Project,
    cluster: &Cluster,
    prepared: &Prepared,
    globals: &Globals,
) -> Result<(Dataset, Option<Dataset>), CliError> {
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let whole = dataset::ensure(cluster, prepared.recipe(), progress, interrupt).await?;
    target::note_left_empty(&whole, globals);
    if args.extrapolate.is_none() {
        return Ok((whole, None));
    }
    let quarter = prepared.at_scale(project.settings.dataset.scale / 4.0);
    let quarter = dataset::ensure(cluster, quarter.recipe(), progress, interrupt).await?;
    Ok((whole, Some(quarter)))
}

/// The plans that were kept against what runs now.
async fn of_kept_plans(
    args: &DiffArgs,
    project: &Project,
    globals: &Globals,
) -> Result<Report, CliError> {
    let shown = args.baseline.as_deref().unwrap_or(Path::new("plans"));
    let kept = Kept::read(&globals.directory, shown)?;
    let queries = project.catalog()?.queries;
    let mut clock = Instant::now();
    let target = Target::open(project, globals).await?;
    let in_dataset = lap(&mut clock);
    let session = target.session(globals).await?;
    let schema = introspect::schema(&session).await?;
    let options = project.settings.audit.run_once();
    let diffs = snapshots::compare(
        &kept,
        &target,
        project,
        &queries,
        (&session, &schema),
        (&options, globals),
    )
    .await?;
    let findings = regressions(&diffs, &queries, project);
    let mut comparison = Comparison {
        from: shown.display().to_string(),
        to: "working tree".to_owned(),
        queries: diffs,
        ..Comparison::default()
    };
    comparison.spent.dataset = in_dataset;
    comparison.spent.queries = lap(&mut clock);
    let report = Report {
        origin: Origin::Diff,
        server_version: Some(session.version().to_string()),
        dataset: target.dataset_info(),
        findings,
        comparison: Some(Box::new(comparison)),
        ..Report::default()
    };
    session.close().await;
    target.close().await?;
    Ok(report)
}

fn lap(clock: &mut Instant) -> Millis {
    let elapsed = Millis(clock.elapsed().as_secs_f64() * 1000.0);
    *clock = Instant::now();
    elapsed
}

fn of_compared(compared: Compared) -> Comparison {
    let broken = compared
        .broken
        .into_iter()
        .map(|broken| (broken.statement, broken.query, broken.message))
        .collect();
    Comparison {
        queries: compared.queries,
        rolling: compared.rolling,
        statements: compared.statements,
        probes: compared.probes,
        broken,
        indexes: compared.indexes,
        round_trip: compared.round_trip,
        safer_schema: compared.safer_schema,
        spent: compared.spent,
        ..Comparison::default()
    }
}

/// What the rules say of queries and statements, worst first.
fn findings(
    compared: &Compared,
    catalog: &[Query],
    project: &Project,
    settled: &mut Settled,
) -> Vec<Finding> {
    let policy = project.settings.policy();
    let mut found = regressions(&compared.queries, catalog, project);
    for statement in &compared.statements {
        let before = settled.of(statement);
        let finding = blocking_migration::finding(statement, &compared.probes, &policy, before);
        found.extend(finding);
        let by_limits = blocking_migration::severity_by_limits(statement, &policy, before);
        settled.note(statement, by_limits);
    }
    found.extend(
        compared
            .rolling
            .iter()
            .filter_map(|diff| plan_regression::rolling(diff, &policy)),
    );
    let back = compared.round_trip.as_ref();
    found.extend(back.and_then(|trip| plan_regression::way_back(trip, &policy)));
    let traps = compared.traps.iter();
    found.extend(traps.filter_map(|trap| plan_regression::trap(trap, &policy)));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

/// Queries that got worse, under the limits and the `@allow`s of each.
pub(super) fn regressions(
    diffs: &[QueryDiff],
    catalog: &[Query],
    project: &Project,
) -> Vec<Finding> {
    let settings = &project.settings;
    let of_diff = |diff: &QueryDiff| {
        let query = catalog.iter().find(|query| query.name == diff.query);
        let policy = query.map_or_else(|| settings.policy(), |query| settings.policy_for(query));
        let mut finding = plan_regression::finding(diff, &policy)?;
        rules::allow(&mut finding, catalog);
        Some(finding)
    };
    diffs.iter().filter_map(of_diff).collect()
}
