//! `pgproof explain`: one query's plan with its findings beside the nodes, judged and advised as the audit does; or plans
//! that came from elsewhere, for which no server is needed; or two of those compared.

mod compare;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::audit::selection::Chosen;
use crate::catalog::{Catalog, Query};
use crate::cli::args::{AuditArgs, ExplainArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::target::Target;
use crate::cli::{Globals, output};
use crate::interrupt::NothingToClean;
use crate::plan::PlanParseError;
use crate::plan::parse::{self, Found, Reading};
use crate::report::{self, Origin, Report};
use crate::rules::{self, Policy};
use crate::run::{QueryRuns, Run};
use crate::source::{Source, SourceError, nearest};
use crate::units::Millis;

/// Explains a plan from a file or standard input, else a query of the catalog.
pub async fn run(args: &ExplainArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let outputs = output::requested(globals)?;
    let path = Path::new(&args.query);
    // A pipe of the shell is no regular file.
    let is_given = args.query == "-" || (path.exists() && !path.is_dir());
    let mut report = if is_given || args.other.is_some() {
        let project = Project::load_if_there(globals.config.as_deref(), &globals.directory)?;
        match &args.other {
            Some(other) => compare::run(args, other, project.as_ref(), globals)?,
            None => given_report(args, &args.query, project.as_ref(), globals)?,
        }
    } else {
        of_catalog(args, globals).await?
    };
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    output::finish(&outputs, &report, globals)
}

/// The query run, judged and advised as the audit does.
async fn of_catalog(args: &ExplainArgs, globals: &Globals) -> Result<Report, CliError> {
    let project = globals.project()?.with_statements(globals).await?;
    let chosen = chosen(&args.query, project.catalog()?)?;
    let asked = AuditArgs {
        queries: vec![args.query.clone()],
        allow_writes: args.allow_writes,
        ..AuditArgs::default()
    };
    let target = Target::open(&project, globals).await?;
    let asked_for = (None, &project);
    let chosen = Chosen::of(chosen);
    let settings = &project.settings;
    let audited = super::audit::audit(&asked, globals, settings, chosen, &target, asked_for).await;
    let closed = target.close().await;
    let (mut report, _) = audited?;
    closed?;
    // Queries whose rows drive it ran with it; they are another report's.
    report.queries.truncate(1);
    report.runs.retain(|runs| runs.query == 0);
    report
        .findings
        .retain(|finding| finding.query.as_ref() == Some(&args.query));
    report.origin = Origin::Explain;
    report.fail_on = output::fail_on(&args.fail_on, Some(&project));
    if args.redact {
        report::redact(&mut report);
    }
    let failure = report.runs.iter().find_map(|runs| runs.failure.as_ref());
    match (failure, report.queries.first()) {
        (Some(failure), Some(query)) => {
            Err(super::audit::broken_query(query, failure, &project.root).into())
        }
        (_, _) => Ok(report),
    }
}

/// The query of a name, first, and those that its parameters come from.
fn chosen(name: &str, catalog: Catalog) -> Result<Catalog, CliError> {
    let Catalog {
        queries, skipped, ..
    } = catalog;
    if let Some(skipped) = skipped.iter().find(|skipped| skipped.name == name) {
        return Err(match skipped.mistake() {
            Some(mistake) => mistake.clone().into(),
            None => CliError::usage(format!("{name} is left out: {}", skipped.reason()))
                .help(skipped.remedy()),
        });
    }
    let Some(query) = queries.iter().find(|query| query.name == name).cloned() else {
        let error = CliError::usage(format!(
            "no query of the catalog and no file is named {name:?}"
        ));
        return Err(
            match nearest(name, queries.iter().map(|query| query.name.as_str())) {
                Some(name) => error.help(format!("did you mean {name}?")),
                None => {
                    error.help("give a query's name, a file with a plan, or - for standard input")
                }
            },
        );
    };
    let drives = |other: &Query| {
        other.name != query.name && query.for_each.iter().any(|link| link.parent == other.name)
    };
    let parents: Vec<Query> = queries.into_iter().filter(|other| drives(other)).collect();
    Ok(Catalog {
        queries: std::iter::once(query).chain(parents).collect(),
        ..Catalog::default()
    })
}

/// Every plan of a file or of standard input.
fn given_report(
    args: &ExplainArgs,
    name: &str,
    project: Option<&Project>,
    globals: &Globals,
) -> Result<Report, CliError> {
    let reading = crate::interrupt::reading();
    let text = read(name)?;
    from_text(args, name, text, project, globals, reading)
}

/// Every plan of a text, each as a query of its own; what looked like a plan and is none is a note.
fn from_text(
    args: &ExplainArgs,
    name: &str,
    text: String,
    project: Option<&Project>,
    globals: &Globals,
    _reading: NothingToClean,
) -> Result<Report, CliError> {
    let name = if name == "-" { "standard input" } else { name };
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
    let mut report = Report {
        origin: Origin::Explain,
        fail_on: output::fail_on(&args.fail_on, project),
        ..Report::default()
    };
    let texts = texts(&source.text, &plans);
    let several = plans.len() > 1;
    for (index, (found, text)) in plans.into_iter().zip(texts).enumerate() {
        let query = given_query(&source, index, &found, several);
        let policy = project.map_or_else(Policy::default, |project| {
            project.settings.policy_for(&query)
        });
        let runs = QueryRuns {
            query: index,
            runs: vec![Run::given(found.plan, text)],
            failure: None,
            notes: Vec::new(),
        };
        report
            .findings
            .extend(rules::judge_alone(&query, &runs, &policy));
        report.queries.push(query);
        report.runs.push(runs);
    }
    if args.redact {
        report::redact(&mut report);
        for query in &mut report.queries {
            query.source = crate::plan::condition::normalized(&query.source);
            query.sql.clone_from(&query.source);
        }
    }
    Ok(report)
}

/// The lines of each plan, up to the next one.
fn texts(whole: &str, plans: &[Found]) -> Vec<String> {
    let lines: Vec<&str> = whole.lines().collect();
    let starts: Vec<usize> = plans
        .iter()
        .map(|found| (found.line as usize).saturating_sub(1))
        .collect();
    let end = |index: usize| starts.get(index + 1).copied().unwrap_or(lines.len());
    let of_plan = |(index, start): (usize, &usize)| {
        let plan = lines.get(*start..end(index).max(*start + 1).min(lines.len()));
        plan.unwrap_or_default().join("\n")
    };
    starts.iter().enumerate().map(of_plan).collect()
}

/// What is known of the query of a plan: the text that auto_explain or the reader found beside it.
fn given_query(source: &Source, index: usize, found: &Found, several: bool) -> Query {
    let name = if several {
        format!("plan {}", index + 1)
    } else {
        "plan".to_owned()
    };
    let text = found.plan.query_text.clone().unwrap_or_default();
    Query::of_text(name, PathBuf::from(&source.path), found.line.max(1), text)
}

/// Shows the line at fault, where one is.
fn not_a_plan(source: &Source, error: &PlanParseError) -> CliError {
    let start = error.line().map_or(0, |line| source.offset(line, 1));
    let length = source.text[start..].lines().next().map_or(0, str::len);
    SourceError::new(source, start..start + length, error.to_string())
        .help(error.remedy())
        .into()
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
