//! The `pgproof` binary: parse, run, exit code.

use clap::Parser;
use pgproof::cli::args::Args;
use pgproof::cli::exit::{self, CliError, ExitCode};
use pgproof::cli::{Globals, commands};

fn main() -> std::process::ExitCode {
    exit::install_panic_hook();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::finish_parse(&error),
    };
    exit::finish(run(&args))
}

fn run(args: &Args) -> Result<ExitCode, CliError> {
    let globals = Globals::new(&args.global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::environment(&error))?;
    runtime.block_on(commands::run(&args.command, &globals))
}
