//! `pgproof accept`: a finding that does not count from now on, with a reason, in the baseline file.

use crate::baseline::Acceptance;
use crate::cli::args::AcceptArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::{Globals, baseline};

/// Writes the acceptance into the baseline, which is made where it is not there.
pub async fn run(args: &AcceptArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    if args.reason.trim().is_empty() {
        return Err(CliError::usage("--reason is empty")
            .help("say why the finding does not count: others will read it"));
    }
    let today = baseline::today();
    if let Some(last) = args.expires.as_ref().filter(|last| **last < today) {
        return Err(CliError::usage(format!(
            "--expires {last} is over: today is {today}"
        )));
    }
    let root = globals.project()?.root;
    let report = args
        .report
        .as_ref()
        .map(|path| globals.directory.join(path));
    let known = baseline::known(report.as_deref(), &root)?;
    let finding = baseline::meant(&args.finding, &known)?;
    let path = baseline::path(args.baseline.as_deref(), &root, globals);
    let mut accepted = baseline::read(&path)?.unwrap_or_default();
    accepted.accept(Acceptance {
        fingerprint: finding.fingerprint.clone(),
        rule: finding.rule,
        query: finding.query.clone(),
        message: Some(finding.message.clone()),
        reason: args.reason.trim().to_owned(),
        expires: args.expires.clone(),
    });
    crate::write::text(&path, accepted.text()).map_err(|error| CliError::Environment {
        message: format!("cannot write {}", path.display()),
        causes: vec![error.to_string()],
        help: None,
    })?;
    let until = args
        .expires
        .as_ref()
        .map(|last| format!(" until {last}"))
        .unwrap_or_default();
    let query = finding
        .query
        .as_deref()
        .map(|query| format!(" of {query}"))
        .unwrap_or_default();
    globals.print(&format!(
        "accepted{until}: {}{query}, {}\n`pgproof audit --baseline` does not count it\n",
        finding.rule, finding.message
    ))?;
    Ok(ExitCode::Success)
}
