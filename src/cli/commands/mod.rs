//! One file a command, each with `run(&Args, &Globals) -> Result<ExitCode, CliError>` that reads as its pipeline.

pub mod accept;
pub mod audit;
pub mod completions;
pub mod diff;
pub mod explain;
pub mod growth;
pub mod import;
pub mod init;
pub mod mcp;
pub mod profile;
pub mod record;
pub mod report;
pub mod rules;
pub mod seed;
pub mod server;
pub mod snapshot;
pub mod trace;
pub mod why;

use super::Globals;
use super::args::Command;
use super::exit::{CliError, ExitCode};

/// Runs the command that was typed, until it ends or a signal ends it.
pub async fn run(command: &Command, globals: &Globals) -> Result<ExitCode, CliError> {
    // A flag that would be left unheard is a mistake.
    if !globals.requested_formats.is_empty() && !command.takes_formats() {
        return Err(CliError::usage("--format means nothing to this command"));
    }
    super::signals::watch(globals.interrupt.clone())?;
    match dispatch(command, globals).await {
        // What fails after the signal fails because of it.
        Err(CliError::Environment { .. }) if globals.interrupt.is_set() => {
            Err(CliError::Interrupted)
        }
        outcome => outcome,
    }
}

/// A line a command.
async fn dispatch(command: &Command, globals: &Globals) -> Result<ExitCode, CliError> {
    match command {
        Command::Audit(args) => audit::run(args, globals).await,
        Command::Accept(args) => accept::run(args, globals).await,
        Command::Completions(args) => completions::run(args, globals).await,
        Command::Diff(args) => diff::run(args, globals).await,
        Command::Server(args) => server::run(args, globals).await,
        Command::Explain(args) => explain::run(args, globals).await,
        Command::Growth(args) => growth::run(args, globals).await,
        Command::Import(args) => import::run(args, globals).await,
        Command::Init(args) => init::run(args, globals).await,
        Command::Mcp(_) => mcp::run(globals).await,
        Command::Profile(args) => profile::run(args, globals).await,
        Command::Record(args) => record::run(args, globals).await,
        Command::Report(args) => report::run(args, globals).await,
        Command::Rules(args) => rules::run(args, globals).await,
        Command::Snapshot(args) => snapshot::run(args, globals).await,
        Command::Seed(args) => seed::run(args, globals).await,
        Command::Trace(args) => trace::run(args, globals),
        Command::Why(args) => why::run(args, globals).await,
    }
}
