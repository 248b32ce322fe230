//! `pgproof report`: a saved report in any format, with any view of it. Nothing is run.

use crate::cli::args::ReportArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings;
use crate::cli::{Globals, output, saved_reports};

/// Reads the report and writes it again.
pub async fn run(args: &ReportArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let outputs = output::requested(globals)?;
    let mut report = saved_reports::restored(&args.report, &globals.directory)?;
    report.view = output::view(&args.view)?;
    if !args.fail_on.is_empty() {
        report.fail_on = settings::fail_on(&args.fail_on, report.fail_on);
    }
    output::finish(&outputs, &report, globals)
}
