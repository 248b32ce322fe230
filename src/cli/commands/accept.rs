//! `pgproof accept`: a finding that does not count from now on, with a reason, in the baseline file.

use crate::baseline::{Acceptance, Known};
use crate::cli::args::AcceptArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::{Globals, baseline};
use crate::report::summary::plural;

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
    let path = baseline::path(args.baseline.as_deref(), &root, globals);
    let mut accepted = baseline::read(&path)?.unwrap_or_default();
    let findings: Vec<&Known> = match &args.finding {
        Some(finding) => vec![baseline::meant(finding, &known)?],
        // What somebody gave a reason for keeps it.
        None => known
            .iter()
            .filter(|known| !accepted.accepts(&known.fingerprint))
            .collect(),
    };
    for finding in &findings {
        accepted.accept(Acceptance {
            fingerprint: finding.fingerprint.clone(),
            rule: finding.rule,
            query: finding.query.clone(),
            message: Some(finding.message.clone()),
            reason: args.reason.trim().to_owned(),
            expires: args.expires.clone(),
        });
    }
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
    let what = match findings.as_slice() {
        [finding] => {
            let query = finding
                .query
                .as_deref()
                .map(|query| format!(" of {query}"))
                .unwrap_or_default();
            format!("{}{query}, {}", finding.rule, finding.message)
        }
        several => plural(several.len(), "finding", "findings"),
    };
    globals.print(&format!(
        "accepted{until}: {what}\n`pgproof audit --baseline` does not count {}\n",
        if findings.len() == 1 { "it" } else { "them" }
    ))?;
    Ok(ExitCode::Success)
}
