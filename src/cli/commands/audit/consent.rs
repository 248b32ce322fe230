//! What `--prove` says before it locks anything in somebody's database, and whether it may.

use std::io::{IsTerminal as _, Write as _};

use crate::cli::Globals;
use crate::cli::args::AuditArgs;
use crate::cli::exit::CliError;
use crate::db::prove::Intent;
use crate::report::summary::plural;

/// Whether indexes are built in a given database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prove {
    /// Not asked for.
    No,
    /// The user is asked first.
    Asking,
    /// `--yes`.
    Agreed,
}

impl Prove {
    pub(super) fn of(args: &AuditArgs) -> Self {
        match (args.prove, args.yes) {
            (false, _) => Self::No,
            (true, false) => Self::Asking,
            (true, true) => Self::Agreed,
        }
    }
}

fn may_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// What is wrong with `--prove` before anything runs.
pub(super) fn check(args: &AuditArgs, globals: &Globals) -> Result<(), CliError> {
    if globals.database()?.is_none() {
        return Err(CliError::usage(
            "--prove builds indexes in a database that is there already, and none is named",
        )
        .help("add --database-url URL; on pgproof's own dataset every index is built anyway"));
    }
    if !args.yes && !may_ask() {
        return Err(CliError::usage(
            "--prove locks tables of the database against writes while an index is built: nobody can be asked here",
        )
        .help("add --yes where this is meant, or --copy to build on a copy"));
    }
    Ok(())
}

/// Says what is locked and for how long, and asks where that was not agreed to.
pub(super) fn confirm(prove: Prove, intent: &Intent, globals: &Globals) -> Result<bool, CliError> {
    let text = said(intent);
    match prove {
        Prove::No => return Ok(false),
        Prove::Agreed => {
            globals.progress.note(text);
            return Ok(true);
        }
        Prove::Asking => {}
    }
    let mut stderr = anstream::stderr();
    // Where standard error is closed nobody reads the question, and no answer comes.
    let _ = write!(stderr, "{text}\nType yes to build them: ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    globals.interrupt.check()?;
    let agreed = read.is_ok() && answer.trim() == "yes";
    if !agreed {
        globals
            .progress
            .note("not confirmed: no index is built, nothing is locked");
    }
    Ok(agreed)
}

fn said(intent: &Intent) -> String {
    let tables: Vec<String> = intent
        .tables
        .iter()
        .map(|(table, count)| format!("{table} ({})", plural(*count, "index", "indexes")))
        .collect();
    format!(
        "--prove builds indexes one after the other, each in a transaction that rolls back; in the end those that are advised, together. \
         Each holds a SHARE lock on its table (with partitions) until its rollback: INSERT, UPDATE, DELETE and autovacuum wait, SELECT does \
         not. Tables: {}. A build waits for its lock {} at most and is cancelled after {}; each query that is measured with it is \
         cancelled after {}. It takes disk and WAL as CREATE INDEX does",
        tables.join(", "),
        intent.lock,
        intent.build,
        intent.statement
    )
}
