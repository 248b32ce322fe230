//! One file a command, each with `run(&Args, &Globals) -> Result<ExitCode, CliError>` that reads as its pipeline.

use super::Globals;
use super::args::Command;
use super::exit::{CliError, ExitCode};

/// Runs the command that was typed.
pub async fn run(command: &Command, _globals: &Globals) -> Result<ExitCode, CliError> {
    match *command {}
}
