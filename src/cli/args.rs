//! What was typed, as clap reads it: no meaning, no defaults of the project, no files. What it means is `settings`'.

mod audit;
mod data;
mod record;
mod server;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

pub use audit::{
    AcceptArgs, AuditArgs, By, DiffArgs, FailOnWord, GrowthArgs, ReportArgs, ShownSeverity,
    SnapshotArgs, ViewArgs, WhyArgs,
};
pub use data::{ProfileArgs, RowsRequest, SeedArgs};
pub use record::{ImportArgs, KeepValues, Per, RecordArgs, TraceArgs};
pub use server::{ServerArgs, ServerCommand};

/// Audits PostgreSQL queries against production-scale data.
///
/// pgproof seeds a PostgreSQL to production volumes, runs every query of the catalog on it, and finds what will hurt at that
/// size: sequential scans, missing indexes, N+1 patterns, spilled sorts. Every index that it proposes was built and measured.
#[derive(Debug, Parser)]
#[command(
    name = "pgproof",
    version,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "Exit codes: 0 nothing at or above fail-on; 1 findings; 2 wrong usage, configuration or catalog; 3 the \
                  environment failed (no server, connection lost, disk full)"
)]
pub struct Args {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The configuration file [default: pgproof.toml here or in a directory above]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A PostgreSQL that is there already, instead of the embedded server; `env` takes it from DATABASE_URL
    // Any string is accepted here: clap would print a refused value, and its password with it.
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Output format, to standard output or to a file; may be given several times: terminal, short, json, markdown, html, sarif,
    /// junit, github, gitlab, checkstyle, sql; of `seed --out`: csv, sql, parquet, binary
    #[arg(long, global = true, value_name = "FORMAT[=FILE]")]
    pub format: Vec<FormatRequest>,
    /// One line a finding, as editors read it: the same as `--format short`
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub short: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// No progress and no notes
    #[arg(long, short, global = true, action = ArgAction::SetTrue, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(long, short, global = true, action = ArgAction::SetTrue)]
    pub verbose: bool,
    /// Never use the network: no download of PostgreSQL
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub offline: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also in a pipe.
    Always,
    /// Never.
    Never,
}

/// `FORMAT[=FILE]`: which formats there are is the command's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatRequest {
    /// `json`.
    pub name: String,
    /// Standard output if `None`.
    pub file: Option<PathBuf>,
}

impl GlobalArgs {
    /// Every format that is asked for.
    #[must_use]
    pub fn formats(&self) -> Vec<FormatRequest> {
        let short = self.short.then(|| FormatRequest {
            name: "short".to_owned(),
            file: None,
        });
        self.format.iter().cloned().chain(short).collect()
    }
}

impl FromStr for FormatRequest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(file)),
            None => (text, None),
        };
        if name.is_empty() {
            return Err("expected FORMAT or FORMAT=FILE");
        }
        if file == Some("") {
            return Err("expected a file after `=`");
        }
        Ok(Self {
            name: name.to_owned(),
            file: file.map(PathBuf::from),
        })
    }
}

/// The commands: a variant here, a line in `commands::run` and a file `commands/<command>.rs`.
#[derive(Debug, Subcommand)]
pub enum Command {
    Audit(AuditArgs),
    Accept(AcceptArgs),
    Completions(CompletionsArgs),
    Diff(DiffArgs),
    Server(ServerArgs),
    Explain(ExplainArgs),
    Growth(GrowthArgs),
    Import(ImportArgs),
    Init(InitArgs),
    Mcp(McpArgs),
    Profile(ProfileArgs),
    Record(RecordArgs),
    Report(ReportArgs),
    Rules(RulesArgs),
    Seed(SeedArgs),
    Snapshot(SnapshotArgs),
    Trace(TraceArgs),
    Why(WhyArgs),
}

impl Command {
    /// Whether `--format` means something to it.
    #[must_use]
    pub fn takes_formats(&self) -> bool {
        match self {
            Self::Audit(_)
            | Self::Diff(_)
            | Self::Explain(_)
            | Self::Growth(_)
            | Self::Record(_)
            | Self::Report(_)
            | Self::Trace(_) => true,
            Self::Seed(args) => args.out.is_some(),
            Self::Accept(_)
            | Self::Completions(_)
            | Self::Import(_)
            | Self::Init(_)
            | Self::Mcp(_)
            | Self::Profile(_)
            | Self::Rules(_)
            | Self::Server(_)
            | Self::Snapshot(_)
            | Self::Why(_) => false,
        }
    }
}

/// Serves audits, plans and proven fixes to an assistant, by the Model Context Protocol over standard input and output
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof mcp                                    what an assistant starts in the project's folder

docs/assistants.md has the lines for the file where an assistant lists its servers.

Tools: audit_statement, audit_queries, fixes, explain_plan, diff_migrations, rule. Each runs pgproof as it would be typed; nothing
is written into a database that --database-url names.")]
pub struct McpArgs {}

/// Prints the completions of a shell, or writes the manual's pages
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof completions bash > ~/.local/share/bash-completion/completions/pgproof
  pgproof completions zsh > ~/.zfunc/_pgproof
  pgproof completions fish > ~/.config/fish/completions/pgproof.fish
  pgproof completions powershell >> $PROFILE
  pgproof completions man --out ~/.local/share/man/man1")]
pub struct CompletionsArgs {
    /// What they are for
    #[arg(value_name = "SHELL")]
    pub shell: CompletionsFor,
    /// The folder that the manual's pages are written to
    #[arg(long, value_name = "DIR", required_if_eq("shell", "man"))]
    pub out: Option<PathBuf>,
}

/// Shells, and the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionsFor {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Elvish,
    /// Pages of the manual, one a command.
    Man,
}

/// Shows one query's plan, annotated, with its findings beside the nodes; or compares two plans
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof explain ListOrdersByCustomer           the plan of its worst parameters
  psql -XAtc 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT …' | pgproof explain -
                                                 a plan that came from elsewhere: no server is needed
  pgproof explain before.txt after.txt           what is other in the second plan, and whether it is more work
  pgproof explain plan.txt --format html=plan.html
                                                 the plan as a tree in a browser")]
pub struct ExplainArgs {
    /// A query of the catalog, a file with a plan, or - for a plan on standard input
    #[arg(value_name = "QUERY|FILE|-")]
    pub query: String,
    /// A file with the plan that the first one is compared with
    #[arg(value_name = "FILE")]
    pub other: Option<String>,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: `fail-on` of pgproof.toml, else error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = super::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
    /// Run a query that writes against a database given by URL; it is rolled back
    #[arg(long)]
    pub allow_writes: bool,
    /// Take the values of parameters, and constants of conditions, out of what is shown
    #[arg(long)]
    pub redact: bool,
}

/// Lists the rules with their thresholds, or explains one
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof rules                                  every rule, its severity and its thresholds
  pgproof rules seq-scan                         when it fires, why it hurts, what to do")]
pub struct RulesArgs {
    /// A rule's id
    #[arg(value_name = "RULE")]
    pub rule: Option<String>,
}

/// Writes pgproof.toml and seed specs that fit the schema
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof init                                   finds migrations, schema and queries in the repository
  pgproof init --yes                             of several schemas the first is taken, without a question
  pgproof init --migrations db/migrate
  pgproof init --database-url postgres://localhost/dev
                                                 the schema of a database that is there already")]
pub struct InitArgs {
    /// Where the migrations are
    #[arg(long, value_name = "DIR")]
    pub migrations: Option<PathBuf>,
    /// Ask nothing: of several schemas the first is taken
    #[arg(long, short)]
    pub yes: bool,
    /// Overwrite files that are there already
    #[arg(long)]
    pub force: bool,
}
