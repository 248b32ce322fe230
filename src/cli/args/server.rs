//! `server`: the embedded server.

use clap::Subcommand;

/// Runs the seeded embedded server for daily work
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof server start                           starts it, seeded, and leaves it running
  psql \"$(pgproof server url)\"
  pgproof server psql -- -c 'TABLE customers LIMIT 3'
  pgproof server prune --dry-run                 what takes space and is not needed any more
  pgproof server stop")]
pub struct ServerArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ServerCommand,
}

/// What to do with the embedded server.
#[derive(Debug, Clone, Subcommand)]
pub enum ServerCommand {
    /// Start it, seeded, and leave it running
    Start {
        /// Make the database `dev` anew from the dataset; what was changed in it is gone
        #[arg(long)]
        fresh: bool,
    },
    /// Stop it
    Stop,
    /// Say whether it runs, where, and what it holds
    Status,
    /// Print its connection string
    Url,
    /// Remove what is not needed any more: datasets but the last one, clusters of PostgreSQL versions that the project left,
    /// damaged files that were put aside, unfinished downloads, directories of projects that are gone
    #[command(after_help = "Examples:
  pgproof server prune --dry-run                 says what would go, and how much space that is
  pgproof server prune                           removes it; databases that people work with stay
  pgproof server prune --all                     those of versions that the project left go, too")]
    Prune {
        /// Say what would be removed, and stop
        #[arg(long)]
        dry_run: bool,
        /// Remove clusters of other versions also where they hold the database `dev`
        #[arg(long)]
        all: bool,
    },
    /// Stop it and remove it with its datasets, those of other versions too, and the results of audits; the project's own files
    /// stay
    #[command(after_help = "Examples:
  pgproof server remove --dry-run                says what would go, and how much space that is
  pgproof server remove                          all that pgproof keeps of the project, but for a server with a database `dev`
  pgproof server remove --all                    that one, too")]
    Remove {
        /// Say what would be removed, and stop
        #[arg(long)]
        dry_run: bool,
        /// Also where it holds the database `dev`
        #[arg(long)]
        all: bool,
    },
    /// Open psql on it; it runs at least as long as psql
    Psql {
        /// Passed on to psql
        #[arg(
            value_name = "ARGS",
            trailing_var_arg = true,
            allow_hyphen_values = true
        )]
        args: Vec<String>,
    },
}
