//! `pgproof completions`: what shells complete, and the manual, both made of the arguments themselves.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Globals;
use crate::cli::args::{Args, CompletionsArgs, CompletionsFor};
use crate::cli::exit::{CliError, ExitCode};

/// Prints a shell's script, or writes the manual.
pub async fn run(args: &CompletionsArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let shell = match args.shell {
        CompletionsFor::Bash => Shell::Bash,
        CompletionsFor::Zsh => Shell::Zsh,
        CompletionsFor::Fish => Shell::Fish,
        CompletionsFor::PowerShell => Shell::PowerShell,
        CompletionsFor::Elvish => Shell::Elvish,
        CompletionsFor::Man => {
            let folder = args.out.as_deref().unwrap_or(Path::new("."));
            return manual(&globals.directory.join(folder));
        }
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "pgproof", &mut script);
    let mut out = globals.raw_stdout();
    out.write_all(&script)
        .and_then(|()| out.flush())
        .map_err(|error| CliError::stdout(&error))?;
    Ok(ExitCode::Success)
}

fn manual(folder: &Path) -> Result<ExitCode, CliError> {
    let failed = |error: std::io::Error| CliError::Environment {
        message: format!("cannot write the manual's pages to {}", folder.display()),
        causes: vec![error.to_string()],
        help: None,
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Args::command(), folder).map_err(failed)?;
    Ok(ExitCode::Success)
}
