//! `pgproof explain`: one query's plan with its findings beside the nodes, or a plan that came from elsewhere, for which no
//! server is needed.

use std::io::{Read, Write};
use std::path::Path;

use crate::catalog::{Catalog, Query};
use crate::cli::Globals;
use crate::cli::args::ExplainArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::target::{self, Target};
use crate::db::audit::{self, RunOptions};
use crate::db::explain::Access;
use crate::finding::Finding;
use crate::interrupt::NothingToClean;
use crate::plan::parse::{self, Found, Reading};
use crate::plan::{Plan, PlanParseError};
use crate::report::{self, plan_tree};
use crate::rules::{self, Policy};
use crate::run::{BoundParameter, Outcome, QueryRuns, Run, Sample};
use crate::source::{Source, SourceError, nearest};
use crate::units::Millis;

/// Explains a plan from a file or standard input, else a query of the catalog.
pub async fn run(args: &ExplainArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let path = Path::new(&args.query);
    // A pipe of the shell is no regular file.
    if args.query == "-" || (path.exists() && !path.is_dir()) {
        let reading = crate::interrupt::reading();
        let text = read(&args.query)?;
        return from_text(args, text, globals, reading);
    }
    let project = globals.project()?.with_statements(globals).await?;
    let Catalog {
        queries, skipped, ..
    } = project.catalog()?;
    if let Some(skipped) = skipped.iter().find(|skipped| skipped.name == args.query) {
        return Err(match skipped.mistake() {
            Some(mistake) => mistake.clone().into(),
            None => CliError::usage(format!("{} is left out: {}", args.query, skipped.reason()))
                .help(skipped.remedy()),
        });
    }
    let Some(query) = queries.iter().find(|query| query.name == args.query) else {
        let error = CliError::usage(format!(
            "no query of the catalog and no file is named {:?}",
            args.query
        ));
        return Err(
            match nearest(&args.query, queries.iter().map(|query| query.name.as_str())) {
                Some(name) => error.help(format!("did you mean {name}?")),
                None => {
                    error.help("give a query's name, a file with a plan, or - for standard input")
                }
            },
        );
    };
    let target = Target::open(&project, globals).await?;
    let explained = of_catalog(
        args,
        globals,
        &project.settings,
        std::slice::from_ref(query),
        &target,
    )
    .await;
    let closed = target.close().await;
    let (mut runs, mut findings) = explained?;
    closed?;
    if args.redact {
        runs.iter_mut()
            .flat_map(|runs| &mut runs.runs)
            .for_each(report::redact_run);
        report::redact_findings(&mut findings);
    }
    if let Some(failure) = runs.iter().find_map(|runs| runs.failure.as_ref()) {
        return Err(super::audit::broken_query(query, failure, &project.root).into());
    }
    // What is about the catalog as a whole (indexes that nothing uses) is nothing about this query.
    findings.retain(|finding| finding.query.as_ref() == Some(&query.name));
    show_runs(query, &runs, &findings, globals)
}

/// The query run as the audit runs it.
async fn of_catalog(
    args: &ExplainArgs,
    globals: &Globals,
    settings: &crate::cli::settings::Settings,
    queries: &[Query],
    target: &Target,
) -> Result<(Vec<QueryRuns>, Vec<Finding>), CliError> {
    let session = target.session(globals).await?;
    let schema = target::schema(&session, globals).await?;
    let access = match target {
        Target::Private { .. } => Access::PrivateCopy,
        Target::Given(_) if args.allow_writes => Access::Writes,
        Target::Given(_) => Access::ReadOnly,
    };
    target::announce(access, queries, globals);
    let timeout = Millis(settings.audit.timeout.as_secs_f64() * 1000.0);
    let options = RunOptions {
        runs: settings.audit.runs,
        timeout,
        access,
    };
    let runs = audit::run_catalog(
        &session,
        &schema,
        queries,
        &options,
        &globals.progress,
        &globals.interrupt,
    )
    .await?;
    session.close().await;
    let findings = rules::judge(
        queries,
        &runs,
        &schema,
        &|query| settings.policy_for(query),
        &settings.policy(),
    );
    Ok((runs, findings))
}

/// Every run with its plan, worst first; then what no run's plan shows.
fn show_runs(
    query: &Query,
    runs: &[QueryRuns],
    findings: &[Finding],
    globals: &Globals,
) -> Result<ExitCode, CliError> {
    let mut out = globals.stdout();
    let mut show = || -> std::io::Result<()> {
        writeln!(
            out,
            "{}  {}:{}",
            query.name,
            query.file.display(),
            query.line
        )?;
        let runs: Vec<&Run> = runs.iter().flat_map(|runs| &runs.runs).collect();
        for run in &runs {
            writeln!(out, "\n{}", with(run))?;
            let is_of_run = |finding: &&Finding| finding.evidence.run.as_ref() == Some(&run.label);
            let of_run: Vec<Finding> = findings.iter().filter(is_of_run).cloned().collect();
            plan_tree(&run.plan, &of_run, &mut out)?;
            tell(&of_run, &mut out)?;
        }
        let is_beside = |finding: &&Finding| {
            runs.iter()
                .all(|run| Some(&run.label) != finding.evidence.run.as_ref())
        };
        let beside: Vec<Finding> = findings.iter().filter(is_beside).cloned().collect();
        tell(&beside, &mut out)?;
        out.flush()
    };
    let shown = show();
    Ok(ended(shown)?.unwrap_or(ExitCode::Success))
}

/// `hot customer_id: $1 = 4711, limit = 20`, and how it ended where it did not run to its end.
fn with(run: &Run) -> String {
    let value = |parameter: &BoundParameter| {
        let name = parameter
            .name
            .clone()
            .unwrap_or_else(|| format!("${}", parameter.number));
        format!("{name} = {}", parameter.value.as_deref().unwrap_or("NULL"))
    };
    let values: Vec<String> = run.parameters.iter().map(value).collect();
    let ended = match &run.outcome {
        Outcome::Completed { .. } => String::new(),
        Outcome::TimedOut { after } => {
            format!(" (cancelled after {after}: the plan is the estimate)")
        }
        Outcome::Estimated => " (only planned)".to_owned(),
    };
    let parted = if values.is_empty() { "" } else { ": " };
    format!("{}{parted}{}{ended}", run.label, values.join(", "))
}

/// Every plan of a text with its findings; what looked like a plan and is none is told beside them.
fn from_text(
    args: &ExplainArgs,
    text: String,
    globals: &Globals,
    _reading: NothingToClean,
) -> Result<ExitCode, CliError> {
    let name = if args.query == "-" {
        "standard input"
    } else {
        &args.query
    };
    let source = Source::new(name, text);
    let Reading { plans, unread } = parse::read(&source.text);
    if plans.is_empty() {
        return Err(not_a_plan(
            &source,
            unread.first().unwrap_or(&PlanParseError::NoPlan),
        ));
    }
    for error in &unread {
        let place = error
            .line()
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        globals.progress.note(format!("{name}{place}: {error}"));
    }
    let several = plans.len() > 1;
    let mut out = globals.stdout();
    for (index, mut found) in plans.into_iter().enumerate() {
        if args.redact {
            found.plan.query_text = None;
        }
        let heading = several.then(|| heading(index, &found));
        let mut run = given(found.plan);
        let mut findings = rules::judge_alone(&run, &Policy::default());
        if args.redact {
            report::redact_run(&mut run);
            report::redact_findings(&mut findings);
        }
        let written = match heading {
            Some(heading) => writeln!(out, "{heading}"),
            None => Ok(()),
        };
        let written = written.and_then(|()| plan_tree(&run.plan, &findings, &mut out));
        let written = written.and_then(|()| tell(&findings, &mut out));
        let written = written.and_then(|()| out.flush());
        if let Some(code) = ended(written)? {
            return Ok(code);
        }
    }
    Ok(ExitCode::Success)
}

/// `plan 2, line 40: SELECT …`.
fn heading(index: usize, found: &Found) -> String {
    /// A statement is cut beyond this.
    const LONGEST: usize = 80;
    let query = found.plan.query_text.as_deref().unwrap_or_default();
    let words: String = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = if words.chars().count() > LONGEST {
        "…"
    } else {
        ""
    };
    let words: String = words.chars().take(LONGEST).collect();
    let query = if words.is_empty() {
        words
    } else {
        format!(": {words}{cut}")
    };
    format!("plan {}, line {}{query}", index + 1, found.line)
}

/// A plan as a run of its own: it ran once where it was measured.
fn given(plan: Plan) -> Run {
    let buffers = plan.root().buffers.unwrap_or_default();
    let ran = plan.root().executed().unwrap_or(false);
    let outcome = match plan.execution_ms.filter(|_| ran) {
        Some(execution) => Outcome::Completed {
            samples: vec![Sample {
                execution,
                planning: plan.planning_ms.unwrap_or_default(),
                blocks: buffers.touched(),
                temp_blocks: buffers.temp(),
            }],
        },
        None => Outcome::Estimated,
    };
    Run {
        label: "given".to_owned(),
        parameters: Vec::new(),
        plan,
        explain_json: serde_json::Value::Null,
        outcome,
    }
}

/// Shows the line at fault, where one is.
fn not_a_plan(source: &Source, error: &PlanParseError) -> CliError {
    let start = error.line().map_or(0, |line| source.offset(line, 1));
    let length = source.text[start..].lines().next().map_or(0, str::len);
    SourceError::new(source, start..start + length, error.to_string())
        .help(error.remedy())
        .into()
}

/// What to do about each finding, below the tree.
fn tell(findings: &[Finding], out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out)?;
    for finding in findings {
        writeln!(
            out,
            "{} {}: {}\n  {}\n  {}\n",
            finding.severity, finding.rule, finding.message, finding.why, finding.advice
        )?;
    }
    Ok(())
}

/// A closed standard output ends the command well.
fn ended(written: std::io::Result<()>) -> Result<Option<ExitCode>, CliError> {
    match written {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Some(ExitCode::Success)),
        Err(error) => Err(CliError::environment(&error)),
    }
}

fn read(name: &str) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let read = if name == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(name).map(|content| bytes = content)
    };
    // Logs hold what clients sent, in whatever encoding.
    read.map(|()| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| CliError::usage(format!("{name} cannot be read: {error}")))
}
