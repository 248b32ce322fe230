//! `record`, `trace` and `import`: what applications send.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{FailOnWord, ViewArgs};
use crate::db::proxy::ListenAt;

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
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::values::duration)]
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
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::cli::values::duration, requires = "listen", conflicts_with = "command")]
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
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = crate::cli::values::fail_on)]
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
    #[arg(long, value_name = "SEVERITY|RULE", value_delimiter = ',', value_parser = crate::cli::values::fail_on)]
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
