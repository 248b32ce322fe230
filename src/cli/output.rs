//! Where a command's report goes and what the command ends with: the same for all that judge.

use super::args::{By, FailOnWord, ShownSeverity, ViewArgs};
use super::exit::{CliError, ExitCode};
use super::settings::{self, Project};
use super::{Globals, Verbosity};
use crate::finding::{FailOn, RuleId, Severity};
use crate::report::terminal::TerminalStyle;
use crate::report::{self, Grouping, Output, Report, Summary, View};
use crate::source::nearest;

/// The reports that were asked for; what cannot be written is said before the work begins.
pub fn requested(globals: &Globals) -> Result<Vec<Output>, CliError> {
    let requested = globals.requested_formats.iter();
    let outputs: Vec<Output> = requested
        .map(|request| Output::named(&request.name, request.file.clone()))
        .collect::<Result<_, _>>()?;
    report::validate(&outputs)?;
    Ok(outputs)
}

/// Which findings fail the command: the flag, else pgproof.toml, else errors.
pub fn fail_on(flag: &[FailOnWord], project: Option<&Project>) -> FailOn {
    let configured = project.map_or_else(
        || Some(Severity::Error).into(),
        |project| project.settings.fail_on.clone(),
    );
    settings::fail_on(flag, configured)
}

/// What is shown of a report.
pub fn view(args: &ViewArgs) -> Result<View, CliError> {
    let named = |name: &String| {
        name.parse::<RuleId>().map_err(|_| {
            let error = CliError::usage(format!("there is no rule {name:?}"));
            match nearest(name, RuleId::ALL.iter().map(|rule| rule.as_str())) {
                Some(near) => error.help(format!("did you mean {near}?")),
                None => error.help("`pgproof rules` lists them all"),
            }
        })
    };
    Ok(View {
        top: args.top,
        rules: args.rule.iter().map(named).collect::<Result<_, _>>()?,
        severity: args.severity.map(|severity| match severity {
            ShownSeverity::Info => Severity::Info,
            ShownSeverity::Warning => Severity::Warning,
            ShownSeverity::Error => Severity::Error,
        }),
        by: match args.by {
            None => Grouping::Impact,
            Some(By::Index) => Grouping::Index,
            Some(By::Query) => Grouping::Query,
            Some(By::Table) => Grouping::Table,
        },
    })
}

/// Writes the report; findings at or above `fail-on` are the command's exit code.
pub fn finish(
    outputs: &[Output],
    report: &Report,
    globals: &Globals,
) -> Result<ExitCode, CliError> {
    report::write_all(outputs, report, &style(globals), &mut globals.raw_stdout())?;
    step_summary(outputs, report)?;
    Ok(match Summary::of(report).gating {
        0 => ExitCode::Success,
        _ => ExitCode::Findings,
    })
}

/// Where GitHub's runner takes a step's summary from.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Beside annotations the runner shows a summary: the Markdown report, behind what the step has written there already.
fn step_summary(outputs: &[Output], report: &Report) -> Result<(), CliError> {
    let file = std::env::var_os(STEP_SUMMARY).filter(|file| !file.is_empty());
    let asked = outputs.iter().any(|output| output.format.name == "github");
    let Some(file) = file.filter(|_| asked) else {
        return Ok(());
    };
    let failed = |error: std::io::Error| CliError::Environment {
        message: format!("cannot write the step's summary to {}", file.display()),
        causes: vec![error.to_string()],
        help: None,
    };
    let mut open = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&file)
        .map_err(failed)?;
    report::markdown::FORMAT
        .write(report, &TerminalStyle::FILE, &mut open)
        .map_err(failed)
}

/// How the terminal report is drawn on this standard output.
pub fn style(globals: &Globals) -> TerminalStyle {
    let (width, color) = globals.stdout_canvas();
    TerminalStyle {
        width: width.unwrap_or(TerminalStyle::FILE.width),
        color,
        verbose: globals.verbosity == Verbosity::Verbose,
        // In a file they would only be signs.
        docs: globals.docs.filter(|_| width.is_some()),
    }
}
