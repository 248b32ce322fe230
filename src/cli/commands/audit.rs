//! `pgproof audit`: the main job. The dataset up to date, then every query, then findings.

mod advice;
pub(super) mod at_size;
mod consent;
mod lottery;
mod missing;
pub(super) mod place;
pub(super) mod selection;
mod watch;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use self::advice::Advice;
use self::place::{Facts, Place};
use self::selection::{Chosen, chosen};
use crate::advise::changes::{self, Changes, changes};
use crate::advise::{AdviceBudget, Audited};
use crate::baseline::Baseline;
use crate::catalog::{Catalog, Query, Skipped};
use crate::cli::args::AuditArgs;
use crate::cli::baseline;
use crate::cli::committed::{self, Committed};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::new_migration;
use crate::cli::settings::{Project, Settings};
use crate::cli::snapshots::{self, Kept};
use crate::cli::target::{self, Target};
use crate::cli::{Globals, output};
use crate::db::audit::{self, Known, RunOptions, Seen};
use crate::db::caller;
use crate::db::explain::{Access, ExplainError};
use crate::diff::Names;
use crate::finding::{Finding, RuleId};
use crate::report::summary::plural;
use crate::report::terminal::TerminalStyle;
use crate::report::{self, Compared, IndexInfo, Report, Reused, TableInfo, plan_tree};
use crate::results::Reading;
use crate::rules::not_audited::{self, Unjudged};
use crate::rules::{self, Policy};
use crate::run::{EndedEarly, QueryFailure, QueryRuns};
use crate::schema::{Schema, TableKind};
use crate::source::{Source, SourceError};
use crate::units::{Bytes, Millis};

/// Runs the audit and reports it, once or after every change.
pub async fn run(args: &AuditArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    if args.at.is_some() || args.hollow {
        at_size::run(args, globals).await
    } else if args.watch {
        watch::run(args, globals).await
    } else {
        once(args, globals).await
    }
}

async fn once(args: &AuditArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let view = output::view(&args.view)?;
    let project = globals.project_with(args.profile.as_deref())?;
    let mut project = project.with_statements(globals).await?;
    let settings = project.settings.clone().with_audit_args(args);
    // The dataset is made as the command line says.
    (project.settings.dataset, project.settings.rows) = (settings.dataset, settings.rows.clone());
    let mut chosen = chosen(args, &project, globals)?;
    if args.write_migration {
        new_migration::check(&project)?;
    }
    let Baselines { accepted, kept } = baselines(args, &project, globals)?;
    if let Some(unchanged) = &chosen.unchanged
        && chosen.catalog.queries.is_empty()
        && globals.requested_formats.is_empty()
    {
        let count = plural(unchanged.queries, "query is", "queries are");
        globals.print(&format!(
            "{count} as at {}: nothing to audit\n",
            unchanged.since
        ))?;
        return Ok(ExitCode::Success);
    }
    if args.prove {
        consent::check(args, globals)?;
    }
    if args.lottery.is_some() {
        lottery::check(args.copy, globals)?;
    }
    let target = match args.copy {
        true => Target::open_copy(&project, globals).await?,
        false => Target::open(&project, globals).await?,
    };
    if !args.queries.is_empty() && matches!(target, Target::Private { .. }) {
        chosen.earlier = committed::versions(&chosen.catalog.queries, &chosen.ad_hoc, &project);
    }
    let ad_hoc = chosen.ad_hoc.clone();
    let audited = audit(
        args,
        globals,
        &settings,
        chosen,
        &target,
        (kept.as_ref(), &project),
    )
    .await;
    // The copy is dropped also where the audit failed; the audit's failure is the one to tell.
    let closed = target.close().await;
    let (mut report, schema) = audited?;
    let found = report.findings.clone();
    if args.redact {
        report::redact(&mut report);
    }
    baseline::remember(&report.findings, &project.root, globals);
    if let Some(accepted) = &accepted {
        baseline::apply(accepted, &mut report.findings, is_whole(args), globals);
    }
    report.changes = changes(&report.findings, &schema);
    report.view = view;
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    let code = output::finish(&outputs, &report, globals)?;
    if globals.requested_formats.is_empty() {
        show_plans(&ad_hoc, &report, globals)?;
    }
    if args.write_migration && report.ended_early.is_none() {
        // What is accepted stays out; the constants of conditions are the project's own.
        let open = |finding: &&Finding| {
            let accepted = |known: &&Finding| known.suppressed.is_some();
            let mut accepted = report.findings.iter().filter(accepted);
            !accepted.any(|known| known.fingerprint == finding.fingerprint)
        };
        let open: Vec<Finding> = found.iter().filter(open).cloned().collect();
        new_migration::write(&changes(&open, &schema), &project, globals)?;
    }
    match &report.ended_early {
        Some(EndedEarly::Interrupted) => Err(CliError::Interrupted),
        Some(ended @ EndedEarly::ServerLost { .. }) => Err(server_lost(ended, &report)),
        None => {
            // The audit is complete, and the next command drops the copy.
            if let Err(error) = closed {
                globals.progress.note(error.to_string());
            }
            Ok(code)
        }
    }
}

/// Whether the audit is of the whole catalog.
fn is_whole(args: &AuditArgs) -> bool {
    args.queries.is_empty() && args.changed.is_none()
}

/// The plans of statements that are in no catalog, with their findings beside the nodes.
fn show_plans(ad_hoc: &[String], report: &Report, globals: &Globals) -> Result<(), CliError> {
    for name in ad_hoc {
        let Some((index, query)) = report.query_named(name) else {
            continue;
        };
        let Some(runs) = report.runs_of(index) else {
            continue;
        };
        let own = |finding: &&Finding| finding.query.as_ref() == Some(name);
        let findings: Vec<Finding> = report.findings.iter().filter(own).cloned().collect();
        show_worst_plan(query, runs, &findings, globals)?;
    }
    Ok(())
}

/// The plan of the worst run, with its findings beside the nodes.
fn show_worst_plan(
    query: &Query,
    runs: &QueryRuns,
    findings: &[Finding],
    globals: &Globals,
) -> Result<(), CliError> {
    let Some(run) = runs.runs.first() else {
        return Ok(());
    };
    let is_of_run = |finding: &&Finding| finding.evidence.run.as_ref() == Some(&run.id);
    let of_run: Vec<&Finding> = findings.iter().filter(is_of_run).collect();
    let columns = globals
        .stdout_canvas()
        .0
        .unwrap_or(TerminalStyle::FILE.width);
    let mut out = globals.stdout();
    let mut show = || -> std::io::Result<()> {
        writeln!(out, "\nplan of {}, {}", query.name, run.id)?;
        plan_tree(&run.plan, &of_run, columns, &mut out)?;
        out.flush()
    };
    show().map_err(|error| CliError::stdout(&error))
}

/// The report says what was finished; this says why it is not all.
fn server_lost(ended: &EndedEarly, report: &Report) -> CliError {
    let seen = report.runs.iter().filter(|runs| runs.failure.is_none());
    CliError::Environment {
        message: ended.reason(),
        causes: Vec::new(),
        help: Some(format!(
            "{} of {} queries are in the report; see the server's log, then run `pgproof audit` again",
            seen.count(),
            report.queries.len()
        )),
    }
}

/// What `--baseline` names.
struct Baselines {
    /// Accepted findings.
    accepted: Option<Baseline>,
    /// Plans of `pgproof snapshot`.
    kept: Option<Kept>,
}

/// A directory holds plans, a file accepted findings; mistakes in either are reported before the work begins.
fn baselines(
    args: &AuditArgs,
    project: &Project,
    globals: &Globals,
) -> Result<Baselines, CliError> {
    let mut baselines = Baselines {
        accepted: None,
        kept: None,
    };
    // What the command line names is what counts; else it is the project's.
    let configured = project
        .settings
        .baseline
        .as_ref()
        .filter(|_| args.baseline.is_empty())
        .map(|file| project.root.join(file));
    for typed in args.baseline.iter().chain(&configured) {
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
pub(super) async fn audit(
    args: &AuditArgs,
    globals: &Globals,
    settings: &Settings,
    chosen: Chosen,
    target: &Target,
    (kept, project): (Option<&Kept>, &Project),
) -> Result<(Report, Schema), CliError> {
    let Chosen {
        catalog: Catalog {
            queries, skipped, ..
        },
        ad_hoc: _,
        unchanged,
        earlier,
    } = chosen;
    let mut both = queries.clone();
    both.extend(earlier.iter().map(|version| version.query.clone()));
    let access = access(args, target);
    target::announce(access, &queries, globals);
    let options = settings.audit.run_options(access);
    let reading = if args.fresh {
        Reading::Fresh
    } else {
        Reading::Known
    };
    let results = target.results(project, &options, reading, globals).await?;
    let mut place = Place::new(target, &settings.audit.caller, globals, &results);
    let Facts {
        schema,
        server_version,
    } = place.facts(&options).await?;
    let interrupt = &globals.interrupt;
    let known = Known::of(&both, &results);
    let reused = known
        .oldest_of(queries.len())
        .map(|(queries, oldest)| Reused { queries, oldest });
    let Seen {
        mut runs,
        mut ended_early,
    } = if known.count() == both.len() {
        known.into()
    } else {
        let session = place.session().await?;
        audit::run_rest(
            session,
            (&schema, &both),
            (known, &results),
            &options,
            (&globals.progress, interrupt),
            async || place::again(target, &settings.audit.caller, globals).await,
        )
        .await
    };
    missing::explain(&mut runs, project);
    let runs_before = runs.split_off(queries.len().min(runs.len()));
    let compared = compared(&earlier, &runs, &runs_before);
    let policy_for = |query: &Query| settings.policy_for(query);
    let defaults = settings.policy();
    let mut findings = rules::judge(&queries, &runs, &schema, &policy_for, &defaults);
    missing::explain_empty(
        &mut findings,
        &target.left_empty(),
        (&queries, &runs),
        &schema,
    );
    let unjudged = Unjudged {
        skipped: &skipped,
        queries: &queries,
        runs: &runs,
    };
    let policy_of = |skipped: &Skipped| settings.policy_of(skipped);
    findings.extend(not_audited::findings(&unjudged, &policy_for, &policy_of));
    if ended_early.is_none() {
        match without_policies(&mut place, &schema, (&queries, &runs), &options, &defaults).await {
            Ok(found) => findings.extend(found),
            Err(error) => ended_early = Some(ended_by(error)?),
        }
    }
    let audited = Audited {
        queries: &queries,
        runs: &runs,
        schema: &schema,
        policy_for: &policy_for,
    };
    if !is_whole(args) || ended_early.is_some() {
        // What no query uses, or the schema lacks, shows only when the whole catalog ran.
        findings.retain(|finding| finding.query.is_some());
    }
    let mut advice = Advice {
        place: &mut place,
        audited,
        options: &options,
        budget: advice_budget(args),
        prove: consent::Prove::of(args),
        ended_early,
    };
    advice.indexes(&mut findings).await;
    advice.policies(&mut findings).await;
    if let Some(kept) = kept
        && advice.ended_early.is_none()
    {
        let session = advice.place.session().await?;
        let now = (&*session, &schema);
        let compared =
            snapshots::compare(kept, target, project, &queries, now, (&options, globals)).await;
        match compared {
            Ok(diffs) => findings.extend(super::diff::regressions(&diffs, &queries, project)),
            Err(error) => advice.ended_early = Some(ended_by(error)?),
        }
    }
    let mut findings = rules::settle(findings, &queries, &runs);
    advice.memory_and_statistics(&mut findings).await;
    // What memory does not help is a note from now on, and explains no error.
    let mut findings = rules::settle(findings, &queries, &runs);
    let mut ended_early = advice.ended_early;
    rules::name_tables(&mut findings, &queries, &runs, &schema);
    changes::distinguish(&mut findings);
    place.close().await;
    results.tidy();
    if let (Some(draws), None) = (args.lottery, &ended_early) {
        let drawn = lottery::findings(
            draws,
            (target, settings),
            &schema,
            (&queries, &runs),
            &options,
            globals,
        );
        match drawn.await {
            Ok(found) => findings.extend(found),
            Err(error) => ended_early = Some(ended_by(error)?),
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }
    let report = Report {
        server_version: Some(server_version),
        server_settings: server_settings(&runs),
        dataset: target.dataset_info(),
        copy_of: target.original(),
        tables: tables(&schema),
        queries,
        runs,
        skipped,
        ended_early,
        findings,
        changes: Changes::default(),
        reused,
        unchanged,
        compared,
        fail_on: settings.fail_on.clone(),
        ..Report::default()
    };
    Ok((report, schema))
}

/// The worst runs of queries and of their earlier versions.
fn compared(earlier: &[Committed], now: &[QueryRuns], before: &[QueryRuns]) -> Vec<Compared> {
    let worst = |runs: Option<&QueryRuns>| runs?.runs.first()?.measurement();
    let versions = earlier.iter().enumerate().map(|(at, version)| Compared {
        query: version.of,
        with: version.name.clone(),
        before: worst(before.get(at)),
        after: worst(now.get(version.of)),
    });
    versions.collect()
}

/// What ends an audit early, of what may fail after its queries ran; a mistake of the user's is one still.
fn ended_by(error: CliError) -> Result<EndedEarly, CliError> {
    match error {
        CliError::Interrupted => Ok(EndedEarly::Interrupted),
        CliError::Environment { message, .. } => Ok(EndedEarly::ServerLost { reason: message }),
        other @ (CliError::Usage { .. }
        | CliError::Sources(_)
        | CliError::Seeds { .. }
        | CliError::StdoutClosed) => Err(other),
    }
}

/// What the advised indexes may take, as far as it was said.
fn advice_budget(args: &AuditArgs) -> AdviceBudget {
    AdviceBudget {
        bytes: args.advise_size.map(Bytes),
        count: args.advise_count,
        time: args.advise_time,
    }
}

/// Tables whose row security does not hold for the one who asks.
async fn without_policies(
    place: &mut Place<'_>,
    schema: &Schema,
    asked: (&[Query], &[QueryRuns]),
    options: &RunOptions,
    policy: &Policy,
) -> Result<Vec<Finding>, CliError> {
    if !policy.is_on(RuleId::BypassedPolicies) {
        return Ok(Vec::new());
    }
    let limits = |query: &Query| options.limits_of(query);
    let bypassed = match caller::bypassed(place.bench(), schema, asked, limits).await {
        Err(ExplainError::NoSession) => {
            place.session().await?;
            caller::bypassed(place.bench(), schema, asked, limits).await
        }
        known => known,
    };
    if place.globals.interrupt.is_set() {
        return Err(CliError::Interrupted);
    }
    let findings = bypassed?.into_iter().flat_map(|bypassed| {
        rules::bypassed_policies::findings(&bypassed.tables, &bypassed.role, policy)
    });
    Ok(findings.collect())
}

/// What statements may do: anything in a copy of ours, and in somebody's database only what the user allowed.
pub(super) fn access(args: &AuditArgs, target: &Target) -> Access {
    match target {
        Target::Private { .. } | Target::Copied { .. } => Access::PrivateCopy,
        Target::Given(_) if args.allow_writes => Access::Writes,
        Target::Given(_) => Access::ReadOnly,
    }
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
pub(super) fn tables(schema: &Schema) -> Vec<TableInfo> {
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
