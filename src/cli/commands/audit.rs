//! `pgproof audit`: the main job. The dataset up to date, then every query, then findings.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use globset::Glob;

use crate::advise::{self, AdviceBudget, Audited};
use crate::baseline::Baseline;
use crate::catalog::{Catalog, Query};
use crate::cli::args::AuditArgs;
use crate::cli::baseline;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::{Project, Settings};
use crate::cli::snapshots::{self, Kept};
use crate::cli::target::Target;
use crate::cli::{Globals, Verbosity};
use crate::db::audit::{self, RunOptions};
use crate::db::explain::Access;
use crate::db::prove_memory::prove_memory;
use crate::db::prove_statistics::prove_statistics;
use crate::db::trials::Trials;
use crate::db::{introspect, prove};
use crate::diff::Names;
use crate::report::terminal::TerminalStyle;
use crate::report::{self, AuditReport, IndexInfo, Output, Summary, TableInfo};
use crate::rules;
use crate::run::{QueryFailure, QueryRuns};
use crate::schema::{Schema, TableKind};
use crate::source::{Source, SourceError, nearest};
use crate::units::{Bytes, Millis};

/// Runs the audit and reports it.
pub async fn run(args: &AuditArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = outputs(globals)?;
    let project = globals.project()?;
    let settings = project.settings.clone().with_audit_args(args);
    let queries = selected(project.catalog()?, &args.queries)?;
    let Baselines { accepted, kept } = baselines(args, &project, globals)?;
    let target = Target::open(&project, globals).await?;
    let audited = audit(
        args,
        globals,
        &settings,
        queries,
        &target,
        kept.as_ref().map(|kept| (kept, &project)),
    )
    .await;
    // The copy is dropped also where the audit failed; the audit's failure is the one to tell.
    let closed = target.close().await;
    let mut report = audited?;
    closed?;
    if args.redact {
        report::redact(&mut report);
    }
    baseline::remember(&report.findings, &project.root, globals);
    if let Some(accepted) = &accepted {
        baseline::apply(
            accepted,
            &mut report.findings,
            args.queries.is_empty(),
            globals,
        );
    }
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    report::write_all(&outputs, &report, &style(globals), &mut globals.stdout())?;
    let broken = broken_queries(&report, &project);
    if !broken.is_empty() {
        return Err(broken.into());
    }
    Ok(if Summary::of(&report).gating == 0 {
        ExitCode::Success
    } else {
        ExitCode::Findings
    })
}

/// What `--baseline` names.
struct Baselines {
    /// Accepted findings.
    accepted: Option<Baseline>,
    /// Plans of `pgproof snapshot`.
    kept: Option<Kept>,
}

/// A directory holds plans, a file accepted findings; mistakes in either are told before the work begins.
fn baselines(
    args: &AuditArgs,
    project: &Project,
    globals: &Globals,
) -> Result<Baselines, CliError> {
    let mut baselines = Baselines {
        accepted: None,
        kept: None,
    };
    for typed in &args.baseline {
        let twice = |what: &str| CliError::usage(format!("--baseline names two {what}: give one"));
        if globals.directory.join(typed).is_dir() {
            if baselines.kept.is_some() {
                return Err(twice("directories of plans"));
            }
            baselines.kept = Some(Kept::read(&globals.directory, typed)?);
            continue;
        }
        let path = baseline::path(Some(typed), &project.root, globals);
        let accepted = baseline::read(&path)?.ok_or_else(|| {
            CliError::usage(format!("there is no baseline {}", path.display())).help(
                "`pgproof accept FINDING --reason …` makes a file of accepted findings, `pgproof snapshot` a directory of plans",
            )
        })?;
        if baselines.accepted.replace(accepted).is_some() {
            return Err(twice("files of accepted findings"));
        }
    }
    Ok(baselines)
}

/// Everything between an open database and a report.
async fn audit(
    args: &AuditArgs,
    globals: &Globals,
    settings: &Settings,
    queries: Vec<Query>,
    target: &Target,
    kept: Option<(&Kept, &Project)>,
) -> Result<AuditReport, CliError> {
    let session = target.session(globals).await?;
    let schema = introspect::schema(&session).await?;
    let options = RunOptions {
        runs: settings.audit.runs,
        timeout: Millis(settings.audit.timeout.as_secs_f64() * 1000.0),
        access: access(args, target),
    };
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let runs =
        audit::run_catalog(&session, &schema, &queries, &options, progress, interrupt).await?;
    let policy_for = |query: &Query| settings.policy_for(query);
    let mut findings = rules::judge(&queries, &runs, &schema, &policy_for, &settings.policy());
    let audited = Audited {
        queries: &queries,
        runs: &runs,
        schema: &schema,
        policy_for: &policy_for,
    };
    if !args.queries.is_empty() {
        // What no query uses, or the schema lacks, shows only when the whole catalog ran.
        findings.retain(|finding| finding.query.is_some());
    }
    // Indexes are built on copies of pgproof's own only.
    let events = (progress, interrupt);
    let advised = match target {
        Target::Private { .. } => {
            let budget = advice_budget(args);
            let advice = prove::advise(&session, audited, &options, &budget, events).await?;
            advise::tell_of_trials(&mut findings, &advice.tried, &advice.findings, audited);
            advice.findings
        }
        Target::Given { .. } => advise::unproven(&advise::candidates(&audited), audited),
    };
    findings.extend(advised);
    if let Some((kept, project)) = kept {
        let now = (&session, &schema);
        let diffs =
            snapshots::compare(kept, target, project, &queries, now, (&options, globals)).await?;
        findings.extend(super::diff::regressions(&diffs, &queries, project));
    }
    let mut findings = rules::settle(findings, &queries, &runs);
    if matches!(target, Target::Private { .. }) {
        let trials = Trials {
            session: &session,
            audited,
            options: &options,
            progress,
            interrupt,
        };
        prove_memory(&trials, &mut findings).await?;
        prove_statistics(&trials, &mut findings).await?;
    }
    rules::name_tables(&mut findings, &queries, &runs, &schema);
    let server_version = session.version().to_string();
    session.close().await;
    Ok(AuditReport {
        server_version,
        server_settings: server_settings(&runs),
        dataset: target.dataset_info(),
        tables: tables(&schema),
        queries,
        runs,
        findings,
        fail_on: settings.fail_on,
        elapsed: Millis(0.0),
    })
}

/// What the advised indexes may take, as far as it was said.
fn advice_budget(args: &AuditArgs) -> AdviceBudget {
    AdviceBudget {
        bytes: args.advise_size.map(Bytes),
        count: args.advise_count,
        time: args.advise_time,
    }
}

/// The reports that were asked for; what cannot be written is said before the work begins.
fn outputs(globals: &Globals) -> Result<Vec<Output>, CliError> {
    let requested = globals.requested_formats.iter();
    let outputs: Vec<Output> = requested
        .map(|request| Output::named(&request.name, request.file.clone()))
        .collect::<Result<_, _>>()?;
    report::validate(&outputs)?;
    Ok(outputs)
}

/// How the terminal report is drawn on this standard output.
fn style(globals: &Globals) -> TerminalStyle {
    let (width, color) = globals.stdout_canvas();
    TerminalStyle {
        width: width.unwrap_or(TerminalStyle::FILE.width),
        color,
        verbose: globals.verbosity == Verbosity::Verbose,
    }
}

/// The queries that were asked for, all if none were; a name or pattern that fits none is a mistake.
fn selected(catalog: Catalog, patterns: &[String]) -> Result<Vec<Query>, CliError> {
    if patterns.is_empty() {
        return Ok(catalog.queries);
    }
    let mut wanted = vec![false; catalog.queries.len()];
    for pattern in patterns {
        let matcher = Glob::new(pattern)
            .map_err(|error| CliError::usage(format!("bad pattern {pattern:?}: {}", error.kind())))?
            .compile_matcher();
        let mut found = false;
        for (query, wanted) in catalog.queries.iter().zip(&mut wanted) {
            if matcher.is_match(&query.name) {
                (found, *wanted) = (true, true);
            }
        }
        if !found {
            let error = CliError::usage(format!("no query of the catalog is named {pattern:?}"));
            let names = catalog.queries.iter().map(|query| query.name.as_str());
            return Err(match nearest(pattern, names) {
                Some(name) => error.help(format!("did you mean {name}?")),
                None => error.help("`pgproof audit` without a name audits all of them"),
            });
        }
    }
    // A query's parameters may come from the rows of another one, which then is needed too.
    let parents: Vec<String> = catalog
        .queries
        .iter()
        .zip(&wanted)
        .filter(|(_, wanted)| **wanted)
        .flat_map(|(query, _)| query.for_each.iter().map(|driven| driven.parent.clone()))
        .collect();
    let keep = |query: &Query, wanted: bool| wanted || parents.contains(&query.name);
    Ok(catalog
        .queries
        .into_iter()
        .zip(wanted)
        .filter(|(query, wanted)| keep(query, *wanted))
        .map(|(q, _)| q)
        .collect())
}

/// What statements may do: anything in a copy of ours, and in somebody's database only what the user allowed.
fn access(args: &AuditArgs, target: &Target) -> Access {
    match target {
        Target::Private { .. } => Access::PrivateCopy,
        Target::Given(_) if args.allow_writes => Access::Writes,
        Target::Given(_) => Access::ReadOnly,
    }
}

/// Queries that the server refused, as mistakes in the catalog: shown with their line after the report.
fn broken_queries(report: &AuditReport, project: &Project) -> Vec<SourceError> {
    let failed = report
        .runs
        .iter()
        .filter_map(|runs| Some((report.queries.get(runs.query)?, runs.failure.as_ref()?)));
    failed
        .map(|(query, failure)| broken_query(query, failure, &project.root))
        .collect()
}

/// A query that the server refused, at the place in its file.
pub(super) fn broken_query(query: &Query, failure: &QueryFailure, root: &Path) -> SourceError {
    // The file was read a moment ago; where it is gone the message stands without its line.
    let text = std::fs::read_to_string(root.join(&query.file)).unwrap_or_default();
    let source = Source::new(&query.file, text);
    let (line, column) = match failure.position {
        Some(position) => query.source_position(position),
        None => (query.line, 1),
    };
    let start = source.offset(line, column);
    let end = source.text[start..]
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .map_or(source.text.len(), |n| start + n);
    let error = SourceError::new(
        &source,
        start..end.max(start),
        format!("{} does not run: {}", query.name, failure.message),
    );
    match &failure.hint {
        Some(hint) => error.help(hint.clone()),
        None => error,
    }
}

/// Planner settings that differ from the server's defaults, as EXPLAIN names them.
fn server_settings(runs: &[QueryRuns]) -> Vec<(String, String)> {
    let settings = runs
        .iter()
        .flat_map(|runs| &runs.runs)
        .flat_map(|run| run.plan.settings.iter().cloned());
    settings.collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// Tables with rows of their own, largest first; partitions count to their topmost parent.
fn tables(schema: &Schema) -> Vec<TableInfo> {
    let names = Names {
        schema: Some(schema),
        ..Names::UNKNOWN
    };
    let mut found: BTreeMap<String, TableInfo> = BTreeMap::new();
    for table in schema
        .tables
        .iter()
        .filter(|table| table.kind == TableKind::Ordinary)
    {
        let name = schema.root_of(table).name.to_string();
        let info = found.entry(name.clone()).or_insert_with(|| TableInfo {
            name,
            rows: 0,
            bytes: Bytes(0),
            indexes: Vec::new(),
            partitions: Vec::new(),
        });
        info.rows += table.stats.rows.unwrap_or(0.0).max(0.0) as u64;
        info.bytes.0 +=
            table.stats.bytes.0 + table.indexes.iter().map(|index| index.bytes.0).sum::<u64>();
        info.indexes
            .extend(table.indexes.iter().map(|index| IndexInfo {
                name: index.name.clone(),
                definition: names.definition(table, index),
            }));
        info.partitions
            .extend(table.partition_of.is_some().then(|| table.name.to_string()));
    }
    let mut tables: Vec<TableInfo> = found.into_values().collect();
    tables.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    tables
}
