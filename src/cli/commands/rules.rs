//! `pgproof rules`: lists the rules, or prints one's page.

use crate::cli::args::RulesArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::{Globals, output};
use crate::finding::RuleId;
use crate::report::rule_pages;
use crate::rules;
use crate::source::nearest;

/// Prints what was asked for.
pub async fn run(args: &RulesArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let columns = output::style(globals).columns();
    let mut out = globals.stdout();
    let written = match &args.rule {
        None => rule_pages::list(columns, &mut out),
        Some(name) => rule_pages::page(named(name)?, columns, &mut out),
    };
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::environment(&error))
        }
        Ok(()) | Err(_) => Ok(ExitCode::Success),
    }
}

fn named(name: &str) -> Result<&'static rules::Rule, CliError> {
    if let Some(rule) = name.parse::<RuleId>().ok().and_then(rules::find) {
        return Ok(rule);
    }
    let error = CliError::usage(format!("there is no rule {name:?}"));
    Err(
        match nearest(name, rules::ALL.iter().map(|rule| rule.id.as_str())) {
            Some(near) => error.help(format!("did you mean {near}?")),
            None => error.help("`pgproof rules` lists them all"),
        },
    )
}
