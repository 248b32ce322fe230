//! `audit`, `growth`, `why`, `report`, `snapshot`, `accept` and `diff`: what runs a catalog and what is done with its report.

use std::path::PathBuf;

use clap::{ArgAction, ValueEnum};

use super::RowsRequest;
use crate::finding::{RuleId, Severity};

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
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = crate::cli::values::fail_on)]
    pub fail_on: Vec<FailOnWord>,
    /// Multiplies every table's rows, as in `pgproof seed`
    #[arg(long, value_name = "FACTOR", value_parser = crate::cli::values::scale)]
    pub scale: Option<f64>,
    /// Rows of every table, or of one, as in `pgproof seed`
    #[arg(long, value_name = "[TABLE=]N", value_parser = crate::cli::values::rows)]
    pub rows: Vec<RowsRequest>,
    /// Audit on rows with the statistics of a profile and with production's planner settings; what it knows of calls weighs the
    /// queries
    #[arg(long, value_name = "FILE", conflicts_with_all = ["copy", "prove"])]
    pub profile: Option<PathBuf>,
    /// How often each query is measured [default: `audit.runs` of pgproof.toml, else 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: Option<u32>,
    /// When a query is cancelled, e.g. 30s [default: `audit.timeout` of pgproof.toml, else 30s]
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::values::duration)]
    pub timeout: Option<std::time::Duration>,
    /// Measure everything anew, also what did not change since it was measured
    #[arg(long)]
    pub fresh: bool,
    /// Plan the catalog as if the largest table had so many rows, e.g. 1e10: costs, and the sizes at which plans change; nothing
    /// is run
    #[arg(long, value_name = "ROWS", value_parser = crate::cli::values::many_rows,
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
    #[arg(long, value_name = "SIZE", value_parser = crate::cli::values::size)]
    pub advise_size: Option<u64>,
    /// How many indexes may be advised [default: no limit]
    #[arg(long, value_name = "N")]
    pub advise_count: Option<usize>,
    /// How long candidates are built and measured, e.g. 5m; those that are left over are reported [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::values::duration)]
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
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_values_t = [1.0, 4.0, 16.0], value_parser = crate::cli::values::scale)]
    pub sizes: Vec<f64>,
    /// Rows of the largest table that are looked ahead to, e.g. 1e9 [default: a hundred times those of the dataset]
    #[arg(long, value_name = "ROWS", value_parser = crate::cli::values::many_rows)]
    pub to: Option<f64>,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: `fail-on` of pgproof.toml, else error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = crate::cli::values::fail_on)]
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
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = crate::cli::values::fail_on)]
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
    #[arg(long, value_name = "MAJOR", action = ArgAction::Append, value_parser = crate::cli::values::major, conflicts_with_all = ["reports", "from", "to", "base", "extrapolate", "baseline"])]
    pub server: Vec<u32>,
    /// Extend each statement's duration to so many times the seeded rows; seeds a quarter of the dataset as well
    #[arg(long, value_name = "FACTOR", value_parser = crate::cli::values::scale)]
    pub extrapolate: Option<f64>,
    /// Measure everything anew, also queries before the migration that did not change since they were measured
    #[arg(long)]
    pub fresh: bool,
    /// Exit with 1 from this severity on (error, warning, never), and for warnings of a rule that is named beside it [default: error]
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = crate::cli::values::fail_on)]
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
