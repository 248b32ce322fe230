//! `pgproof diff`: what migrations do to every query, and to production while they run.

use std::path::Path;
use std::time::Instant;

use crate::catalog::Query;
use crate::cli::args::DiffArgs;
use crate::cli::diff_sides::{self, Sides};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::saved_reports;
use crate::cli::settings::Project;
use crate::cli::settled::Settled;
use crate::cli::snapshots::{self, Kept};
use crate::cli::target::{self, Target};
use crate::cli::{Globals, Verbosity};
use crate::db::audit::RunOptions;
use crate::db::comparison::{self, Analyzed, Compared, Task};
use crate::db::dataset;
use crate::db::explain::Access;
use crate::db::introspect;
use crate::diff::outcome::QueryDiff;
use crate::diff::report::DiffReport;
use crate::finding::{Finding, Severity};
use crate::report::terminal::TerminalStyle;
use crate::report::{diff_json, diff_markdown, diff_terminal};
use crate::rules::{self, blocking_migration, plan_regression};
use crate::units::Millis;

/// Compares and reports.
pub async fn run(args: &DiffArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let formats = formats(globals)?;
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
        (_, Some(project)) => of_migrations(args, project, globals).await?,
        (_, None) => return Err(CliError::usage("diff takes two saved reports, or none")),
    };
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    write(&report, &formats, globals)?;
    let configured = project
        .as_ref()
        .map_or(Some(Severity::Error), |project| project.settings.fail_on);
    let fail_on = args
        .fail_on
        .map_or(configured, crate::cli::settings::severity);
    let gates = |finding: &Finding| fail_on.is_some_and(|fail_on| finding.gates(fail_on));
    Ok(if report.findings.iter().any(gates) {
        ExitCode::Findings
    } else {
        ExitCode::Success
    })
}

async fn of_migrations(
    args: &DiffArgs,
    project: &Project,
    globals: &Globals,
) -> Result<DiffReport, CliError> {
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
    let prepared = diff_sides::fitting_specs(&cluster, &before, globals).await?;
    let dataset = dataset::ensure(
        &cluster,
        prepared.recipe(),
        &globals.progress,
        &globals.interrupt,
    )
    .await?;
    let small = match args.extrapolate {
        Some(_) => {
            let small = prepared.at_scale(project.settings.dataset.scale / 4.0);
            Some(
                dataset::ensure(
                    &cluster,
                    small.recipe(),
                    &globals.progress,
                    &globals.interrupt,
                )
                .await?,
            )
        }
        None => None,
    };
    let in_dataset = lap(&mut clock);
    let limits_for = |query: &Query| plan_regression::limits(&project.settings.policy_for(query));
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
        options: options(project),
        limits_for: &limits_for,
        progress: &globals.progress,
        interrupt: &globals.interrupt,
    };
    let compared = comparison::compare(&task).await?;
    let server_version = cluster.version().to_string();
    cluster.stop().await;
    let mut settled = Settled::read(&project.root, &dataset.fingerprint);
    let findings = findings(&compared, &sides.new_catalog, project, &mut settled);
    settled.keep();
    let settings = &project.settings.dataset;
    let mut report = DiffReport {
        from: sides.from,
        to: sides.to,
        server_version,
        layout: Some((sides.layout.to_string(), sides.because)),
        without_transaction: sides.layout.without_transaction(),
        dataset: Some((dataset.fingerprint, settings.seed, settings.scale)),
        findings,
        ..of_compared(compared)
    };
    report.spent.dataset.0 += in_dataset.0;
    Ok(report)
}

/// The plans that were kept against what runs now.
async fn of_kept_plans(
    args: &DiffArgs,
    project: &Project,
    globals: &Globals,
) -> Result<DiffReport, CliError> {
    let shown = args.baseline.as_deref().unwrap_or(Path::new("plans"));
    let kept = Kept::read(&globals.directory, shown)?;
    let queries = project.catalog()?.queries;
    let mut clock = Instant::now();
    let target = Target::open(project, globals).await?;
    let in_dataset = lap(&mut clock);
    let session = target.session(globals).await?;
    let schema = introspect::schema(&session).await?;
    let options = options(project);
    let diffs = snapshots::compare(
        &kept,
        &target,
        project,
        &queries,
        (&session, &schema),
        (&options, globals),
    )
    .await?;
    let mut report = DiffReport {
        from: shown.display().to_string(),
        to: "working tree".to_owned(),
        server_version: session.version().to_string(),
        dataset: target
            .dataset_info()
            .map(|info| (info.fingerprint, info.seed, info.scale)),
        findings: regressions(&diffs, &queries, project),
        queries: diffs,
        ..DiffReport::default()
    };
    report.spent.dataset = in_dataset;
    report.spent.queries = lap(&mut clock);
    session.close().await;
    target.close().await?;
    Ok(report)
}

fn options(project: &Project) -> RunOptions {
    RunOptions {
        runs: 1,
        timeout: Millis(project.settings.audit.timeout.as_secs_f64() * 1000.0),
        access: Access::PrivateCopy,
    }
}

fn lap(clock: &mut Instant) -> Millis {
    let elapsed = Millis(clock.elapsed().as_secs_f64() * 1000.0);
    *clock = Instant::now();
    elapsed
}

fn of_compared(compared: Compared) -> DiffReport {
    let broken = compared
        .broken
        .into_iter()
        .map(|broken| (broken.statement, broken.query, broken.message))
        .collect();
    DiffReport {
        queries: compared.queries,
        rolling: compared.rolling,
        statements: compared.statements,
        probes: compared.probes,
        broken,
        indexes: compared.indexes,
        round_trip: compared.round_trip,
        safer_schema: compared.safer_schema,
        spent: compared.spent,
        ..DiffReport::default()
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
        let said = blocking_migration::said(statement, &policy, before);
        settled.note(statement, said);
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Terminal,
    Json,
    Markdown,
}

const FORMATS: [(&str, Format); 3] = [
    ("terminal", Format::Terminal),
    ("json", Format::Json),
    ("markdown", Format::Markdown),
];

/// The formats that were asked for; the terminal's where none was.
fn formats(globals: &Globals) -> Result<Vec<(Format, Option<std::path::PathBuf>)>, CliError> {
    let known = |name: &str| {
        FORMATS
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, format)| format)
    };
    let requested = globals
        .requested_formats
        .iter()
        .map(|request| match known(&request.name) {
            Some(format) => Ok((format, request.file.clone())),
            None => Err(
                CliError::usage(format!("unknown format `{}`", request.name))
                    .help("formats: terminal, json, markdown"),
            ),
        });
    let mut found = requested.collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        found.push((Format::Terminal, None));
    }
    Ok(found)
}

fn write(
    report: &DiffReport,
    formats: &[(Format, Option<std::path::PathBuf>)],
    globals: &Globals,
) -> Result<(), CliError> {
    for (format, file) in formats {
        let (width, color) = globals.stdout_canvas();
        let style = match file {
            Some(_) => TerminalStyle::FILE,
            None => TerminalStyle {
                width: width.unwrap_or(TerminalStyle::FILE.width),
                color,
                verbose: globals.verbosity == Verbosity::Verbose,
            },
        };
        let mut text = Vec::new();
        match format {
            Format::Terminal => diff_terminal::render(report, &style, &mut text),
            Format::Json => diff_json::render(report, &mut text),
            Format::Markdown => diff_markdown::render(report, &mut text),
        }
        .map_err(|error| CliError::stdout(&error))?;
        match file {
            None => print(*format, &text, globals)?,
            Some(path) => save(&globals.directory.join(path), &text)?,
        }
    }
    Ok(())
}

fn print(format: Format, text: &[u8], globals: &Globals) -> Result<(), CliError> {
    match format {
        Format::Terminal | Format::Markdown => globals.print(&String::from_utf8_lossy(text)),
        Format::Json => {
            let mut out = globals.raw_stdout();
            std::io::Write::write_all(&mut out, text).map_err(|error| CliError::stdout(&error))
        }
    }
}

fn save(path: &Path, text: &[u8]) -> Result<(), CliError> {
    crate::write::text(path, text)
        .map(drop)
        .map_err(|error| CliError::usage(format!("cannot write {}: {error}", path.display())))
}
