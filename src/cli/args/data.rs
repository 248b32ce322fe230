//! `seed` and `profile`: what datasets are made of.

use std::path::PathBuf;

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
    #[arg(long, value_name = "FACTOR", value_parser = crate::cli::values::scale)]
    pub scale: Option<f64>,
    /// The same seed makes the same rows [default: `dataset.seed` of pgproof.toml, else 42]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Rows of every table, or of one
    #[arg(long, value_name = "[TABLE=]N", value_parser = crate::cli::values::rows)]
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
    #[arg(long, value_name = "SIZE", value_parser = crate::cli::values::size, conflicts_with = "scale")]
    pub target_size: Option<u64>,
    /// Make rows with the statistics of a profile, which `pgproof profile` wrote; the spec has the last word
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Only this share of the rows, e.g. 1% or 0.01, with every row that they point to
    #[arg(long, value_name = "SHARE", value_parser = crate::cli::values::share)]
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
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::values::duration, conflicts_with = "from")]
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
