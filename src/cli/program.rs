//! The program: parse, run, exit code.

use std::time::Duration;

use clap::Parser;

use super::args::Args;
use super::exit::{self, CliError, ExitCode};
use super::{Globals, commands};

/// Does what was typed.
#[must_use]
pub fn main() -> std::process::ExitCode {
    exit::install_panic_hook();
    match Args::try_parse() {
        Ok(args) => exit::finish(run(&args)),
        Err(error) => exit::finish_parse(&error),
    }
}

fn run(args: &Args) -> Result<ExitCode, CliError> {
    let globals = Globals::new(&args.global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| CliError::environment(&error))?;
    let outcome = runtime.block_on(commands::run(&args.command, &globals));
    // A thread that does not hear the interrupt must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}
