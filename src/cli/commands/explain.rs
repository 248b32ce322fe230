//! `pgproof explain`: one query's plan with its findings beside the nodes, or a plan that came from elsewhere, for which no
//! server is needed.

use std::io::{Read, Write};
use std::path::Path;

use crate::catalog::Query;
use crate::cli::Globals;
use crate::cli::args::ExplainArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::target::Target;
use crate::db::audit::{self, RunOptions};
use crate::db::explain::Access;
use crate::db::introspect;
use crate::finding::Finding;
use crate::plan::parse;
use crate::report::plan_tree;
use crate::rules::{self, Policy};
use crate::run::{Outcome, QueryRuns, Run};
use crate::source::nearest;
use crate::units::Millis;

/// Explains a plan from a file or standard input, else a query of the catalog.
pub async fn run(args: &ExplainArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let path = Path::new(&args.query);
    // A pipe of the shell is no regular file.
    if args.query == "-" || (path.exists() && !path.is_dir()) {
        return from_text(&read(&args.query)?, globals);
    }
    let project = globals.project()?;
    let queries = project.catalog()?.queries;
    let Some(query) = queries.iter().find(|query| query.name == args.query) else {
        let error = CliError::usage(format!("no query of the catalog and no file is named {:?}", args.query));
        return Err(match nearest(&args.query, queries.iter().map(|query| query.name.as_str())) {
            Some(name) => error.help(format!("did you mean {name}?")),
            None => error.help("give a query's name, a file with a plan, or - for standard input"),
        });
    };
    let target = Target::open(&project, globals).await?;
    let explained = of_catalog(args, globals, &project.settings, std::slice::from_ref(query), &target).await;
    let closed = target.close().await;
    let (runs, findings) = explained?;
    closed?;
    show_runs(&runs, &findings, globals)
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
    let schema = introspect::schema(&session).await?;
    let access = match target {
        Target::Private { .. } => Access::PrivateCopy,
        Target::Given(_) if args.allow_writes => Access::Writes,
        Target::Given(_) => Access::ReadOnly,
    };
    let timeout = Millis(settings.audit.timeout.as_secs_f64() * 1000.0);
    let options = RunOptions { runs: settings.audit.runs, timeout, access };
    let runs = audit::run_catalog(&session, &schema, queries, &options, &globals.progress, &globals.interrupt).await?;
    session.close().await;
    let findings = rules::judge(queries, &runs, &schema, &|query| settings.policy_for(query), &settings.policy());
    Ok((runs, findings))
}

fn show_runs(runs: &[QueryRuns], findings: &[Finding], globals: &Globals) -> Result<ExitCode, CliError> {
    let mut out = globals.stdout();
    for run in runs.iter().flat_map(|runs| &runs.runs) {
        let of_run: Vec<Finding> =
            findings.iter().filter(|finding| finding.evidence.run.as_ref() == Some(&run.label)).cloned().collect();
        let written = writeln!(out, "{}", run.label).and_then(|()| plan_tree(&run.plan, &of_run, &mut out));
        let written = written.and_then(|()| tell(&of_run, &mut out));
        if let Some(code) = ended(written)? {
            return Ok(code);
        }
    }
    Ok(ExitCode::Success)
}

fn from_text(text: &str, globals: &Globals) -> Result<ExitCode, CliError> {
    let plans = parse::any(text).map_err(|error| CliError::usage(error.to_string()))?;
    let mut out = globals.stdout();
    for plan in plans {
        let run = Run {
            label: "given".to_owned(),
            parameters: Vec::new(),
            plan,
            explain_json: serde_json::Value::Null,
            outcome: Outcome::Estimated,
        };
        let findings = rules::judge_alone(&run, &Policy::default());
        let written = plan_tree(&run.plan, &findings, &mut out).and_then(|()| tell(&findings, &mut out));
        if let Some(code) = ended(written)? {
            return Ok(code);
        }
    }
    Ok(ExitCode::Success)
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
    let mut text = String::new();
    let read = if name == "-" {
        std::io::stdin().lock().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(name).map(|content| text = content)
    };
    read.map(|()| text).map_err(|error| CliError::usage(format!("{name} cannot be read: {error}")))
}
