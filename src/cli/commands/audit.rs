//! `pgproof audit`: the main job. The dataset up to date, then every query, then findings.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use globset::{Glob, GlobMatcher};

use crate::advise::changes::{self, Changes, changes};
use crate::advise::{self, AdviceBudget, Audited};
use crate::baseline::Baseline;
use crate::catalog::{Catalog, Query, Skipped};
use crate::cli::args::AuditArgs;
use crate::cli::baseline;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::new_migration;
use crate::cli::settings::{Project, Settings};
use crate::cli::snapshots::{self, Kept};
use crate::cli::target::{self, Target};
use crate::cli::{Globals, output};
use crate::db::audit::{self, AuditError, RunOptions, Seen};
use crate::db::caller::{self, Caller};
use crate::db::connect::Session;
use crate::db::explain::{Access, ExplainError};
use crate::db::prove_memory::prove_memory;
use crate::db::prove_statistics::prove_statistics;
use crate::db::trials::Trials;
use crate::db::{filled, prove};
use crate::diff::Names;
use crate::finding::{Finding, RuleId};
use crate::interrupt::Interrupt;
use crate::report::{self, IndexInfo, Report, TableInfo};
use crate::rules::not_audited::{self, Unjudged};
use crate::rules::{self, Policy};
use crate::run::{EndedEarly, QueryFailure, QueryRuns};
use crate::schema::{Schema, TableKind};
use crate::source::{Source, SourceError, nearest};
use crate::units::{Bytes, Millis};

/// Runs the audit and reports it.
pub async fn run(args: &AuditArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let view = output::view(&args.view)?;
    let mut project = globals.project()?.with_statements(globals).await?;
    let settings = project.settings.clone().with_audit_args(args);
    // The dataset is made as the command line says.
    (project.settings.dataset, project.settings.rows) = (settings.dataset, settings.rows.clone());
    let chosen = chosen(args, &project, globals)?;
    if args.write_migration {
        new_migration::check(&project)?;
    }
    let Baselines { accepted, kept } = baselines(args, &project, globals)?;
    let target = Target::open(&project, globals).await?;
    let audited = audit(
        args,
        globals,
        &settings,
        chosen,
        &target,
        kept.as_ref().map(|kept| (kept, &project)),
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
        baseline::apply(
            accepted,
            &mut report.findings,
            args.queries.is_empty(),
            globals,
        );
    }
    report.changes = changes(&report.findings, &schema);
    report.view = view;
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    let code = output::finish(&outputs, &report, globals)?;
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
            closed?;
            Ok(code)
        }
    }
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
    chosen: Catalog,
    target: &Target,
    kept: Option<(&Kept, &Project)>,
) -> Result<(Report, Schema), CliError> {
    let Catalog {
        queries, skipped, ..
    } = chosen;
    // Who asks sees less of the statistics than who reads the schema.
    let session = target.session(globals).await?;
    let schema = target::schema(&session, globals).await?;
    let access = access(args, target);
    target::announce(access, &queries, globals);
    let caller = &settings.audit.caller;
    let mut session = if caller.is_connection() {
        session
    } else {
        session.close().await;
        target.session_as(caller, globals).await?
    };
    let options = RunOptions {
        runs: settings.audit.runs,
        timeout: Millis(settings.audit.timeout.as_secs_f64() * 1000.0),
        access,
    };
    if !filled::has_rows(session.client(), &schema, &options.limits()).await? {
        return Err(CliError::usage(
            "the database has tables and no rows: an audit of it would prove nothing",
        )
        .help(match target {
            Target::Private { .. } => "give tables `rows` in a seed spec, or take `rows = 0` out",
            Target::Given(_) => {
                "fill it with `pgproof seed --database-url …`, or leave --database-url out to audit pgproof's own dataset"
            }
        }));
    }
    let (progress, interrupt) = (&globals.progress, &globals.interrupt);
    let Seen {
        runs,
        mut ended_early,
    } = audit::run_whole(
        &mut session,
        (&schema, &queries),
        &options,
        (progress, interrupt),
        async || again(target, caller, globals).await,
    )
    .await;
    let policy_for = |query: &Query| settings.policy_for(query);
    let defaults = settings.policy();
    let mut findings = rules::judge(&queries, &runs, &schema, &policy_for, &defaults);
    let unjudged = Unjudged {
        skipped: &skipped,
        queries: &queries,
        runs: &runs,
    };
    findings.extend(not_audited::findings(&unjudged, &policy_for, &defaults));
    if ended_early.is_none() {
        match without_policies(&session, &schema, &runs, &options, &defaults).await {
            Ok(found) => findings.extend(found),
            Err(error) => ended_early = Some(lost(&error, interrupt)),
        }
    }
    let audited = Audited {
        queries: &queries,
        runs: &runs,
        schema: &schema,
        policy_for: &policy_for,
    };
    if !args.queries.is_empty() || ended_early.is_some() {
        // What no query uses, or the schema lacks, shows only when the whole catalog ran.
        findings.retain(|finding| finding.query.is_some());
    }
    let mut advice = Advice {
        target,
        audited,
        options: &options,
        caller,
        globals,
        budget: advice_budget(args),
        ended_early,
    };
    advice.indexes(&session, &mut findings).await;
    if let Some((kept, project)) = kept
        && advice.ended_early.is_none()
    {
        let now = (&session, &schema);
        let compared =
            snapshots::compare(kept, target, project, &queries, now, (&options, globals)).await;
        match compared {
            Ok(diffs) => findings.extend(super::diff::regressions(&diffs, &queries, project)),
            Err(error) => advice.ended_early = Some(ended_by(error)?),
        }
    }
    let mut findings = rules::settle(findings, &queries, &runs);
    advice.memory_and_statistics(&session, &mut findings).await;
    let ended_early = advice.ended_early;
    rules::name_tables(&mut findings, &queries, &runs, &schema);
    changes::distinguish(&mut findings);
    let server_version = session.version().to_string();
    session.close().await;
    let report = Report {
        server_version: Some(server_version),
        server_settings: server_settings(&runs),
        dataset: target.dataset_info(),
        tables: tables(&schema),
        queries,
        runs,
        skipped,
        ended_early,
        findings,
        changes: Changes::default(),
        fail_on: settings.fail_on,
        ..Report::default()
    };
    Ok((report, schema))
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

/// What the server said last, unless it was asked to stop.
fn lost(error: &ExplainError, interrupt: &Interrupt) -> EndedEarly {
    if interrupt.is_set() {
        EndedEarly::Interrupted
    } else {
        EndedEarly::ServerLost {
            reason: error.to_string(),
        }
    }
}

/// A new session after the server was lost: it may be starting again.
async fn again(target: &Target, caller: &Caller, globals: &Globals) -> Option<Session> {
    /// A crashed server recovers within this, or the user wants to know.
    const PATIENCE: Duration = Duration::from_secs(30);
    const PAUSE: Duration = Duration::from_millis(250);
    let start = Instant::now();
    while start.elapsed() < PATIENCE && !globals.interrupt.is_set() {
        if let Ok(session) = target.session_as(caller, globals).await {
            return Some(session);
        }
        let paused = globals.interrupt.race(tokio::time::sleep(PAUSE)).await;
        if paused.is_err() {
            break;
        }
    }
    None
}

/// Trying what is advised: on copies of pgproof's own only, and only while the server is there. What was measured is never
/// lost to it.
struct Advice<'a> {
    target: &'a Target,
    audited: Audited<'a>,
    options: &'a RunOptions,
    caller: &'a Caller,
    globals: &'a Globals,
    budget: AdviceBudget,
    ended_early: Option<EndedEarly>,
}

impl Advice<'_> {
    fn may_try(&self) -> bool {
        self.ended_early.is_none() && matches!(self.target, Target::Private { .. })
    }

    /// Other forms of queries, and indexes, built and measured where that can be.
    async fn indexes(&mut self, session: &Session, findings: &mut Vec<Finding>) {
        let audited = self.audited;
        let unproven = || advise::unproven(&advise::candidates(&audited), audited);
        if !self.may_try() {
            findings.extend(unproven());
            return;
        }
        let events = (&self.globals.progress, &self.globals.interrupt);
        match prove::advise(session, audited, self.options, &self.budget, events).await {
            Ok(advice) => {
                let built = (&advice.tried[..], &advice.harmful[..]);
                advise::tell_of_trials(findings, built, &advice.findings, audited);
                advise::drop_answered(findings, &advice.chosen, &advice.used, audited.schema);
                findings.extend(advice.findings);
            }
            Err(error) => {
                self.ended(&error);
                findings.extend(unproven());
            }
        }
    }

    /// Memory for spills, statistics for estimates.
    async fn memory_and_statistics(&mut self, session: &Session, findings: &mut [Finding]) {
        if !self.may_try() {
            return;
        }
        let trials = Trials {
            session,
            audited: self.audited,
            options: self.options,
            progress: &self.globals.progress,
            interrupt: &self.globals.interrupt,
        };
        let mut tried = prove_memory(&trials, findings).await;
        // Only a table's owner sets its statistics.
        if tried.is_ok() && self.caller.is_connection() {
            tried = prove_statistics(&trials, findings).await;
        }
        if let Err(error) = tried {
            self.ended(&error);
        }
    }

    fn ended(&mut self, error: &AuditError) {
        self.ended_early = Some(match error {
            AuditError::Interrupted(_) => EndedEarly::Interrupted,
            AuditError::Server { .. } => EndedEarly::ServerLost {
                reason: error.to_string(),
            },
        });
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
    session: &Session,
    schema: &Schema,
    runs: &[QueryRuns],
    options: &RunOptions,
    policy: &Policy,
) -> Result<Vec<Finding>, ExplainError> {
    if !policy.is_on(RuleId::BypassedPolicies) {
        return Ok(Vec::new());
    }
    let bypassed = caller::bypassed(session.client(), schema, runs, &options.limits()).await?;
    let findings = bypassed.map(|bypassed| {
        rules::bypassed_policies::findings(&bypassed.tables, &bypassed.role, policy)
    });
    Ok(findings.unwrap_or_default())
}

/// What is audited of the project's catalog, and what is not. Where nothing can be, the mistakes are the answer.
fn chosen(args: &AuditArgs, project: &Project, globals: &Globals) -> Result<Catalog, CliError> {
    let catalog = project.catalog()?;
    let catalog = match args.strict {
        true => catalog.strict()?,
        false => catalog,
    };
    let chosen = selected(catalog, &args.queries, project, globals)?;
    for warning in &chosen.warnings {
        let help = warning
            .help
            .as_ref()
            .map(|help| format!("; {help}"))
            .unwrap_or_default();
        globals.progress.note(format!("{warning}{help}"));
    }
    if !chosen.queries.is_empty() {
        return Ok(chosen);
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
    project: &Project,
    globals: &Globals,
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
        let asked = Asked::of(pattern, project, globals)?;
        if let Some(file) = &asked.file
            && !queries.iter().any(|query| query.file == *file)
            && !skipped.iter().any(|skipped| skipped.file == *file)
        {
            // A file that no pattern of pgproof.toml names, read as if one did.
            let read = crate::catalog::load_file(&globals.directory.join(pattern), file);
            queries.retain(|query| !read.queries.iter().any(|other| other.name == query.name));
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

/// What statements may do: anything in a copy of ours, and in somebody's database only what the user allowed.
fn access(args: &AuditArgs, target: &Target) -> Access {
    match target {
        Target::Private { .. } => Access::PrivateCopy,
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
