//! What was typed, as clap reads it: no meaning, no defaults of the project, no files. What it means is `settings`'.

use std::path::PathBuf;
use std::str::FromStr;

use crate::db::proxy::ListenAt;
use crate::finding::{RuleId, Severity};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};

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

/// Seeds the dataset if needed, runs every query of the catalog on it, and reports what will hurt
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  pgproof audit                                  the whole catalog on the embedded server
  pgproof audit ListOrdersByCustomer 'Search*'   some queries
  pgproof audit queries/orders.sql               those of a file
  echo 'SELECT …' | pgproof audit -              one statement that is in no file yet
  pgproof audit --changed                        what changed since this branch left the main one
  pgproof audit --watch                          again after every change of a file
  pgproof audit --at 1e10                        planned at ten billion rows, without a row
  pgproof audit --hollow --profile shop.profile  planned with production's numbers, without a row
  pgproof audit --format json=report.json        the terminal's report, and a file for machines
  pgproof audit --database-url postgres://app@localhost/shop
                                                 on a database that is there already; nothing is changed in it
  pgproof audit --copy --database-url postgres://app@staging/shop
                                                 on a copy of it, where fixes are measured as well
  pgproof audit --prove --database-url postgres://app@staging/shop
                                                 indexes are built in it and rolled back; says what it locks, and asks")]
pub struct AuditArgs {
    /// Names of queries, patterns like 'Search*', query files, or - for standard input [default: the whole catalog]
    #[arg(value_name = "QUERY|FILE|-")]
    pub queries: Vec<String>,
    /// Only queries whose text, tables or indexes changed since a git revision [default: since this branch left the main one,
    /// else since the newest commit]
    #[arg(long, value_name = "REV", num_args = 0..=1, default_missing_value = "", require_equals = false)]
    pub changed: Option<String>,
    /// Audit again whenever a query file, a migration, a seed file or pgproof.toml changes; Ctrl-C ends it
    #[arg(long)]
    pub watch: bool,
    /// Refuse the catalog where anything in its files is wrong, instead of leaving that query out
    #[arg(long)]
    pub strict: bool,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: `fail-on` of pgproof.toml, else error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = super::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
    /// Multiplies every table's rows, as in `pgproof seed`
    #[arg(long, value_name = "FACTOR", value_parser = super::values::scale)]
    pub scale: Option<f64>,
    /// Rows of every table, or of one, as in `pgproof seed`
    #[arg(long, value_name = "[TABLE=]N", value_parser = super::values::rows)]
    pub rows: Vec<RowsRequest>,
    /// Audit on rows with the statistics of a profile and with production's planner settings; what it knows of calls weighs the
    /// queries
    #[arg(long, value_name = "FILE", conflicts_with_all = ["copy", "prove"])]
    pub profile: Option<PathBuf>,
    /// How often each query is measured [default: `audit.runs` of pgproof.toml, else 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: Option<u32>,
    /// When a query is cancelled, e.g. 30s [default: `audit.timeout` of pgproof.toml, else 30s]
    #[arg(long, value_name = "DURATION", value_parser = super::values::duration)]
    pub timeout: Option<std::time::Duration>,
    /// Measure everything anew, also what did not change since it was measured
    #[arg(long)]
    pub fresh: bool,
    /// Plan the catalog as if the largest table had so many rows, e.g. 1e10: costs, and the sizes at which plans change; nothing
    /// is run
    #[arg(long, value_name = "ROWS", value_parser = super::values::many_rows,
          conflicts_with_all = ["watch", "copy", "prove", "allow_writes", "baseline", "write_migration", "changed"])]
    pub at: Option<f64>,
    /// Plan the catalog with the numbers of the profile as they are, on tables without rows; nothing is run
    #[arg(long,
          conflicts_with_all = ["watch", "copy", "prove", "allow_writes", "baseline", "write_migration", "changed"])]
    pub hollow: bool,
    /// Draw the statistics of the tables so often as ANALYZE would from its samples, and say which queries get a worse plan by
    /// chance [default without a number: 200]
    #[arg(long, value_name = "DRAWS", num_args = 0..=1, default_missing_value = "200", value_parser = clap::value_parser!(u64).range(10..=100_000),
          conflicts_with_all = ["watch", "at", "hollow"])]
    pub lottery: Option<u64>,
    /// Run queries that write against a database given by URL; every one is rolled back
    #[arg(long)]
    pub allow_writes: bool,
    /// Copy the database given by URL to the embedded server and audit the copy: fixes are built and measured there, queries that
    /// write run, and nothing but reading reaches the original
    #[arg(long, conflicts_with_all = ["allow_writes", "watch"])]
    pub copy: bool,
    /// Build indexes in the database given by URL, in transactions that roll back, and measure with them; for staging databases.
    /// Says first which tables are locked against writes, and asks
    #[arg(long, conflicts_with_all = ["copy", "watch"])]
    pub prove: bool,
    /// Do not ask what `--prove` asks
    #[arg(long, requires = "prove")]
    pub yes: bool,
    /// A file of accepted findings, which do not count [default: pgproof.baseline.json], or a directory of `pgproof snapshot`:
    /// plans that do more work than they did are findings
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = crate::baseline::FILE, action = ArgAction::Append)]
    pub baseline: Vec<PathBuf>,
    /// Take the values of parameters, and constants of conditions, out of every report
    #[arg(long)]
    pub redact: bool,
    /// Write the fixes of the schema as new migrations, in the layout of the project's own; no file that is there is changed
    #[arg(long)]
    pub write_migration: bool,
    /// What all advised indexes may take on disk together, e.g. 500MB [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = super::values::size)]
    pub advise_size: Option<u64>,
    /// How many indexes may be advised [default: no limit]
    #[arg(long, value_name = "N")]
    pub advise_count: Option<usize>,
    /// How long candidates are built and measured, e.g. 5m; those that are left over are reported [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = super::values::duration)]
    pub advise_time: Option<std::time::Duration>,
    /// What is shown of it.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// What is shown of a report; the exit code and the JSON are not touched by it.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "What is shown")]
pub struct ViewArgs {
    /// How many of the costliest findings are shown first [default: 3]
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Only findings of this rule; may be given several times
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// Only findings from this severity up
    #[arg(long, value_name = "SEVERITY")]
    pub severity: Option<ShownSeverity>,
    /// Group findings by the index that fixes them, by query, or by table
    #[arg(long, value_name = "WHAT")]
    pub by: Option<By>,
}

/// From which severity on findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShownSeverity {
    /// All.
    Info,
    /// No notes.
    Warning,
    /// Errors only.
    Error,
}

/// What findings are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The statement that fixes them.
    Index,
    /// The query.
    Query,
    /// The table.
    Table,
}

/// Runs the catalog at several sizes and says how each query's work grows, and at which size it becomes too much
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof growth                                 the catalog at a sixteenth, a quarter and the whole of the dataset
  pgproof growth ListOrdersByCustomer 'Search*'  some queries
  pgproof growth --to 1e9                        what they will take when the largest table has a billion rows
  pgproof growth --sizes 1,4 --to 100M --format json=growth.json")]
pub struct GrowthArgs {
    /// Names of queries, patterns like 'Search*', query files, or - for standard input [default: the whole catalog]
    #[arg(value_name = "QUERY|FILE|-")]
    pub queries: Vec<String>,
    /// Sizes that the catalog is run at, relative to each other; the largest is the dataset's own
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_values_t = [1.0, 4.0, 16.0], value_parser = super::values::scale)]
    pub sizes: Vec<f64>,
    /// Rows of the largest table that are looked ahead to, e.g. 1e9 [default: a hundred times those of the dataset]
    #[arg(long, value_name = "ROWS", value_parser = super::values::many_rows)]
    pub to: Option<f64>,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: `fail-on` of pgproof.toml, else error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = super::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
}

/// Says which numbers of two profiles make a query's plan another one
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof why last-week.profile today.profile    the whole catalog
  pgproof why last-week.profile today.profile ListOrdersByCustomer

Both are written by `pgproof profile`, with the same --key-file: else every value differs.")]
pub struct WhyArgs {
    /// The profile of when the plan was right
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The profile of when it was not
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Names of queries, patterns like 'Search*', query files, or - for standard input [default: the whole catalog]
    #[arg(value_name = "QUERY|FILE|-")]
    pub queries: Vec<String>,
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

/// Writes a saved report again, in any format
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof audit --format json=report.json        saves it
  pgproof report report.json --verbose           every finding of it
  pgproof report report.json --by table
  pgproof report report.json --format sarif=report.sarif --format junit=report.xml")]
pub struct ReportArgs {
    /// A report that `audit`, `explain` or `diff` wrote with `--format json`
    #[arg(value_name = "SAVED")]
    pub report: PathBuf,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: as it was saved]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = super::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
    /// What is shown of it.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Keeps every query's plan and work as files, one a query, for reviews and for `--baseline`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof snapshot                               writes plans/
  git diff plans/                                what a change does to them
  pgproof diff --baseline plans                  what runs now against them
  pgproof audit --baseline plans                 the same beside the audit")]
pub struct SnapshotArgs {
    /// The directory that is written
    #[arg(long, value_name = "DIR", default_value = "plans")]
    pub out: PathBuf,
    /// Choose new values for every query, also for those that are kept already
    #[arg(long)]
    pub fresh: bool,
}

/// Accepts a finding: it does not count in `pgproof audit --baseline`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof accept 3f2a91c0 --reason 'an admin page, once a day'
  pgproof accept 3f2a91c0 --reason 'until the archive moves' --expires 2026-12-31
  pgproof accept --all --reason 'there before pgproof was'
                                                 everything that is there now
  pgproof audit --baseline                       accepted findings do not fail it

Every finding's fingerprint stands behind a # in the report. It stays the same when lines move, files are renamed or the
dataset is seeded anew.")]
pub struct AcceptArgs {
    /// The finding's fingerprint, or the beginning of it
    #[arg(
        value_name = "FINDING",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub finding: Option<String>,
    /// Every finding that is there now: what comes later counts
    #[arg(long)]
    pub all: bool,
    /// Why it does not count
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The last day on which it does not count, e.g. 2026-12-31 [default: for ever]
    #[arg(long, value_name = "DATE")]
    pub expires: Option<crate::baseline::Date>,
    /// The file that it is written to [default: pgproof.baseline.json beside pgproof.toml]
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// A report of `pgproof audit --format json=FILE` that has the finding [default: the last audit here]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Shows what migrations do to every query's plan, and to production while they run
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof diff                                   the newest migration against the one before it
  pgproof diff --from 0008 --to 0011             between two versions of the migrations
  pgproof diff --base main                       migrations, seeds and catalog of a git revision against the working tree
  pgproof diff --extrapolate 20                  and how long each statement takes on 20 times the rows
  pgproof diff --baseline plans                  the plans that `pgproof snapshot` kept against what runs now
  pgproof diff before.json after.json            two reports that `audit --format json` wrote")]
pub struct DiffArgs {
    /// Two saved reports, instead of running anything
    #[arg(value_name = "REPORT", num_args = 2, conflicts_with_all = ["from", "to", "base", "extrapolate", "baseline"])]
    pub reports: Vec<PathBuf>,
    /// The version that production has [default: the one before --to]
    #[arg(long, value_name = "VERSION", conflicts_with = "base")]
    pub from: Option<String>,
    /// The version that it will have [default: the newest]
    #[arg(long, value_name = "VERSION", conflicts_with = "base")]
    pub to: Option<String>,
    /// A git revision: its migrations, seeds and catalog against the working tree's
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// A directory of `pgproof snapshot`: its plans against what runs now
    #[arg(long, value_name = "DIR", conflicts_with_all = ["from", "to", "base", "extrapolate"])]
    pub baseline: Option<PathBuf>,
    /// A major version of PostgreSQL, given twice: the same rows and queries on production's version and on the next one
    #[arg(long, value_name = "MAJOR", action = ArgAction::Append, value_parser = super::values::major, conflicts_with_all = ["reports", "from", "to", "base", "extrapolate", "baseline"])]
    pub server: Vec<u32>,
    /// Extend each statement's duration to so many times the seeded rows; seeds a quarter of the dataset as well
    #[arg(long, value_name = "FACTOR", value_parser = super::values::scale)]
    pub extrapolate: Option<f64>,
    /// Measure everything anew, also queries before the migration that did not change since they were measured
    #[arg(long)]
    pub fresh: bool,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = super::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
}

/// A word of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOnWord {
    /// Findings from this severity on count for the exit code; `None`: none by its severity.
    From(Option<Severity>),
    /// Warnings of this rule as well.
    Rule(RuleId),
}

/// Makes the dataset: in the embedded server, or in a database named with --database-url
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof seed                                   the embedded server's dataset, kept for every later command
  pgproof seed --scale 0.1                       a tenth of it
  pgproof seed --rows orders=5000000             one table larger
  pgproof seed --target-size 20GB                as many rows as make 20 GB with their indexes
  pgproof seed --out dump --format sql           a script for psql instead; also csv, parquet and binary
  pgproof seed --out dump --format csv --subset 1%
                                                 a hundredth of the same rows, with every row that they point to
  pgproof seed --database-url postgres://localhost/dev --replace
                                                 fill a development database, emptying its tables first

A database is filled only if the flag --database-url names it; the environment's DATABASE_URL is never filled.")]
pub struct SeedArgs {
    /// Multiplies every table's rows [default: `dataset.scale` of pgproof.toml, else 1]
    #[arg(long, value_name = "FACTOR", value_parser = super::values::scale)]
    pub scale: Option<f64>,
    /// The same seed makes the same rows [default: `dataset.seed` of pgproof.toml, else 42]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Rows of every table, or of one
    #[arg(long, value_name = "[TABLE=]N", value_parser = super::values::rows)]
    pub rows: Vec<RowsRequest>,
    /// Add to tables that hold rows already
    #[arg(long, conflicts_with = "replace")]
    pub append: bool,
    /// Empty tables that hold rows already, and those that reference them; asks first
    #[arg(long)]
    pub replace: bool,
    /// Fill the database's tables without firing their triggers, which are as they were afterwards; the role must own the tables
    #[arg(long, conflicts_with = "out")]
    pub disable_triggers: bool,
    /// With --replace: empty the tables without asking; required where there is no terminal to ask on
    #[arg(long, requires = "replace")]
    pub yes: bool,
    /// Choose the scale at which tables and indexes come to this size
    #[arg(long, value_name = "SIZE", value_parser = super::values::size, conflicts_with = "scale")]
    pub target_size: Option<u64>,
    /// Make rows with the statistics of a profile, which `pgproof profile` wrote; the spec has the last word
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Only this share of the rows, e.g. 1% or 0.01, with every row that they point to
    #[arg(long, value_name = "SHARE", value_parser = super::values::share)]
    pub subset: Option<f64>,
    /// Write files into this folder instead of filling a database; --format is csv (default), sql, parquet or binary
    #[arg(long, value_name = "DIR", conflicts_with_all = ["append", "replace"])]
    pub out: Option<PathBuf>,
    /// Say what would be made, and stop
    #[arg(long)]
    pub dry_run: bool,
}

/// Writes the statistics of a production database into a file, without a value of it: for `seed --profile` and `audit --profile`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof profile --database-url postgres://dba@production/shop -o shop.profile
                                                 one read-only transaction, in which every statement ends after 10 s
  pgproof profile --from stats.sql -o shop.profile
                                                 what `pg_dump --statistics-only` of 18 wrote; nothing else reaches production
  pgproof profile --database-url env -o shop.profile --key-file ~/.shop.key
                                                 the same values are replaced alike each time: two profiles can be compared
  pgproof profile --database-url PROD --probe 60s -o shop.profile
                                                 reads samples of the rows, too, for at most a minute
  pgproof seed --profile shop.profile            rows with these statistics
  pgproof audit --profile shop.profile           the catalog on them, with production's planner settings


The role needs pg_monitor and pg_read_all_data, and no more. What it could not read stands in the file.")]
pub struct ProfileArgs {
    /// The file that is written [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Statistics that `pg_dump --statistics-only` of PostgreSQL 18 or later wrote, instead of a database: the schema is the
    /// project's
    #[arg(long, value_name = "DUMP")]
    pub from: Option<PathBuf>,
    /// A file that decides how values are replaced; made where it is not there, and to be kept secret [default: a key that is
    /// thrown away]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Also read samples of the rows, no longer than this, for what statistics cannot say: children of each parent, how values
    /// lie on pages, which values occur together
    #[arg(long, value_name = "DURATION", value_parser = super::values::duration, conflicts_with = "from")]
    pub probe: Option<std::time::Duration>,
}

/// `--rows N` or `--rows TABLE=N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsRequest {
    /// Every table if `None`.
    pub table: Option<String>,
    /// How many.
    pub rows: u64,
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

/// Writes query files from where other tools keep their queries
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof import pg_stat_statements --database-url postgres://reader@db.example.com/shop
                                                 what that database was asked, with how often; nothing is changed in it
  pgproof import statements.csv --period 7d      an export of the view (CSV or JSON) that counts a week
  pgproof import sqlc.yaml                       sqlc's query files
  pgproof import .sqlx                           what `cargo sqlx prepare` wrote
  pgproof import 'aiosql:db/queries/*.sql'       as another tool writes them: aiosql, yesql, clorinde, pgtyped, sqlalchemy,
                                                 jpa, jdbc, rust, go, python, javascript

`queries` of pgproof.toml reads the same sources in place, without files of their own:
  queries = [{ statements = \"$PRODUCTION_URL\" }, { sqlc = \"sqlc.yaml\" }]")]
pub struct ImportArgs {
    /// pg_stat_statements, an export of it, sqlc's configuration, sqlx's folder, a pattern of query files, or TOOL:PATTERN
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The folder that is written
    #[arg(long, value_name = "DIR", default_value = "queries")]
    pub out: PathBuf,
    /// How long an export has counted, e.g. 24h or 7d: its calls become rates
    #[arg(long, value_name = "DURATION", value_parser = super::values::duration)]
    pub period: Option<std::time::Duration>,
    /// Overwrite files that are there already
    #[arg(long)]
    pub force: bool,
}

/// Runs a command against a copy of the dataset, proves N+1 in what it sends, and makes a catalog of it
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  pgproof record -- npm test
  pgproof record -- python manage.py test
  pgproof record --out queries/api.sql -- ./load.sh
  pgproof record --max-queries 20 --per test -- pytest
                                                 fails where a test sends more than 20 statements
  pgproof record --twice -- npm test             proves N+1 by running it again where every parent has more rows
  pgproof record --listen 6432                   records what connects to 127.0.0.1:6432 until Ctrl-C
  pgproof record --listen 6432 --for 10m --database-url postgres://app@staging.example.com/shop
                                                 before a database that is there already

The command finds the database in DATABASE_URL and in PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. It is a copy, which is
dropped afterwards with every database that the command made; with --database-url it is the database itself.")]
pub struct RecordArgs {
    /// The query file that is written
    #[arg(
        long,
        visible_alias = "write-queries",
        value_name = "FILE",
        default_value = "queries/recorded.sql"
    )]
    pub out: PathBuf,
    /// Overwrite files where they are there already
    #[arg(long)]
    pub force: bool,
    /// Keep the recording in a file, compressed, with hashes in the place of values: `pgproof trace FILE` reads it again
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Keep the values of parameters: in the file of --save, and as `@param` in the query file. In CI only as
    /// `--keep-values=anywhere`
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "here", conflicts_with = "redact")]
    pub keep_values: Option<KeepValues>,
    /// Take constants out of the query file, and those of conditions out of every report
    #[arg(long)]
    pub redact: bool,
    /// Fail where a unit of work executes more statements than this
    #[arg(long, value_name = "N")]
    pub max_queries: Option<u64>,
    /// A file of how many statements each unit of work executes: one more fails; written where it is not there yet
    #[arg(long, value_name = "FILE")]
    pub counts: Option<PathBuf>,
    /// What is counted: a request, job, transaction or burst, or everything of one test, which its name tells: the comment
    /// /*test='…'*/ or application_name
    #[arg(long, value_name = "WHAT", default_value = "unit")]
    pub per: Per,
    /// Run the command on two datasets, of which the second has more rows for every parent: what is executed more often there is
    /// executed once a row
    #[arg(long)]
    pub twice: bool,
    /// Listen here instead of on a free port of 127.0.0.1: a port, an address with its port, or the folder of a Unix socket.
    /// Without CMD it records until Ctrl-C
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<ListenAt>,
    /// Without CMD: stop after this time, e.g. 10m
    #[arg(long = "for", value_name = "DURATION", value_parser = super::values::duration, requires = "listen", conflicts_with = "command")]
    pub period: Option<std::time::Duration>,
    /// Offer TLS to clients, with a certificate that is made for this run
    #[arg(long)]
    pub tls: bool,
    /// Offer TLS with this certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: `fail-on` of pgproof.toml, else error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = super::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
    /// A file of accepted findings, which do not count [default: pgproof.baseline.json]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = crate::baseline::FILE)]
    pub baseline: Option<PathBuf>,
    /// What is shown of it.
    #[command(flatten)]
    pub view: ViewArgs,
    /// The command and its arguments
    #[arg(
        value_name = "CMD",
        required_unless_present = "listen",
        trailing_var_arg = true
    )]
    pub command: Vec<String>,
}

/// Finds N+1, duplicate queries and missing batches in server logs, recordings and spans
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:
  pgproof trace postgresql.log                   one log of any kind: stderr, csvlog, jsonlog, syslog, of clouds and containers
  pgproof trace /var/log/postgresql/*.log*       rotated and gzipped files, in the order given
  kubectl logs db-1 | pgproof trace -            standard input
  pgproof trace spans.json                       spans of OTLP, Jaeger or Zipkin
  pgproof trace run.recording                    what `pgproof record --save` kept
  pgproof trace app.csv --write-queries queries/production.sql
                                                 the catalog of what was sent, to audit
  pgproof trace app.csv --format html=trace.html

The server logs what is needed with log_min_duration_statement = 0, log_statement = none, log_duration = off and
log_parameter_max_length = -1. Where settings leave statements out, the verdict is inconclusive.")]
pub struct TraceArgs {
    /// Logs, recordings or spans, plain or gzipped, or - for standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Write the statements as a query file for `pgproof audit`
    #[arg(long, value_name = "FILE")]
    pub write_queries: Option<PathBuf>,
    /// Overwrite that file where it is there already
    #[arg(long, requires = "write_queries")]
    pub force: bool,
    /// Write the values of parameters into the query file as `@param`, where the logs hold them. In CI only as
    /// `--keep-values=anywhere`
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "here", requires = "write_queries", conflicts_with = "redact")]
    pub keep_values: Option<KeepValues>,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: `fail-on` of pgproof.toml, else error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = super::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
    /// A file of accepted findings, which do not count [default: pgproof.baseline.json]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = crate::baseline::FILE)]
    pub baseline: Option<PathBuf>,
    /// Take constants out of the query file, and those of conditions out of every report
    #[arg(long)]
    pub redact: bool,
    /// What is shown of it.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Where values of an application may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepValues {
    /// On a person's machine.
    Here,
    /// In CI, too, whose files others read.
    Anywhere,
}

/// What statements are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Per {
    /// A request, job, transaction or burst of a session.
    Unit,
    /// Everything of one name.
    Test,
}

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
