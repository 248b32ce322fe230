//! How fast rows are made and loaded, beside what others need for as many rows of the same tables on the same server in the
//! same run: `\copy` of a ready binary file (the limit of one stream), `INSERT … SELECT generate_series`, and pgbench.
//!
//! `cargo bench --bench seed -- [--rows N] [--rounds N]`. Contestants take turns; figures are medians of the rounds.
//! `-- memory` measures the program's peak memory by rows, `-- phases [--scale F]` where the time of a whole load goes;
//! `-- tables` measures how long a schema of 1,000 tables is read and planned; `-- generation`, `-- streams`, `-- partitions` and
//! `-- pgbench` are parts of the whole.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod contest;
mod memory;
mod phases;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contest::Contest;
use pgproof::db::clone::Clone as DatabaseClone;
use pgproof::db::connect::Session;
use pgproof::db::server::{Cluster, ClusterOptions};
use pgproof::db::{dataset, load};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::schema::Schema;
use pgproof::seed::chunks::Chunks;
use pgproof::seed::types::binary::{HEADER, TRAILER};
use pgproof::seed::{Options, SeedPlan};
use pgproof::source::Source;

const TABLES: &str = include_str!("tables.sql");
const SPEC: &str = include_str!("spec.toml");
const PGBENCH_SPEC: &str = include_str!("pgbench.toml");
const INSERT: &str = include_str!("insert.sql");

/// The form of a file, and rows that are frozen at once: what no partitioned table takes.
const FROZEN: &str = "binary, FREEZE";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Speed,
    Generation,
    Streams,
    Partitions,
    Pgbench,
    Memory,
    Phases,
    Tables,
}

#[derive(Debug, Clone, Copy)]
struct Arguments {
    mode: Mode,
    rows: u64,
    rounds: usize,
    scale: f64,
}

impl Arguments {
    fn read() -> Self {
        let mut found = Self {
            mode: Mode::Speed,
            rows: 1_000_000,
            rounds: 5,
            scale: 9.0,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || {
                words
                    .next()
                    .and_then(|text| text.replace('_', "").parse::<u64>().ok())
            };
            match word.as_str() {
                "--rows" => found.rows = number().expect("--rows takes a number"),
                "--rounds" => found.rounds = number().expect("--rounds takes a number") as usize,
                "--scale" => found.scale = number().expect("--scale takes a number") as f64,
                "memory" => found.mode = Mode::Memory,
                "phases" => found.mode = Mode::Phases,
                "tables" => found.mode = Mode::Tables,
                "partitions" => found.mode = Mode::Partitions,
                "streams" => found.mode = Mode::Streams,
                "generation" => found.mode = Mode::Generation,
                "pgbench" => found.mode = Mode::Pgbench,
                "--bench" => {}
                other => {
                    panic!(
                        "unknown argument {other}: generation, streams, partitions, pgbench, memory, phases, tables, --rows N, --rounds N \
                         and --scale N are known"
                    )
                }
            }
        }
        found
    }
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::read();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-seed");
    std::fs::create_dir_all(&directory).unwrap();
    if arguments.mode == Mode::Memory {
        return memory::measure(&directory, &[1_000_000, 30_000_000, 1_000_000_000]);
    }
    let options = ClusterOptions {
        directory: directory.join(".pgproof"),
        major: None,
        binaries: None,
        settings: Vec::new(),
        offline: false,
    };
    let cluster = Cluster::start(&options, &Progress::default(), &Interrupt::new())
        .await
        .unwrap();
    if arguments.mode == Mode::Phases {
        phases::measure(&cluster, arguments.scale).await;
        return cluster.stop().await;
    }
    if arguments.mode == Mode::Partitions {
        partitioned(&cluster, &directory, arguments).await;
        return cluster.stop().await;
    }
    if arguments.mode == Mode::Tables {
        tables(&cluster, arguments.rounds).await;
        return cluster.stop().await;
    }
    println!(
        "PostgreSQL {}, {} cores, {} rows, median of {} interleaved rounds\n",
        cluster.version(),
        std::thread::available_parallelism().unwrap(),
        arguments.rows,
        arguments.rounds
    );
    if matches!(arguments.mode, Mode::Speed | Mode::Generation) {
        generation(&cluster, arguments).await;
    }
    if matches!(arguments.mode, Mode::Speed | Mode::Streams) {
        for shape in ["narrow", "wide"] {
            streams(&cluster, &directory, shape, arguments).await;
        }
        partitioned(&cluster, &directory, arguments).await;
    }
    if matches!(arguments.mode, Mode::Speed | Mode::Pgbench) {
        pgbench(&cluster, arguments).await;
    }
    cluster.stop().await;
}

/// A database with some tables, and how they are filled.
struct Prepared {
    database: DatabaseClone,
    schema: Arc<Schema>,
    plan: Arc<SeedPlan>,
}

impl Prepared {
    async fn new(cluster: &Cluster, ddl: &str, spec: &str, rows: BTreeMap<String, u64>) -> Self {
        let interrupt = Interrupt::new();
        let database = DatabaseClone::of(&cluster.url("postgres"), "template0", &interrupt)
            .await
            .unwrap();
        let session = Session::open(database.url(), &interrupt).await.unwrap();
        session.client().batch_execute(ddl).await.unwrap();
        session.close().await;
        let options = Options {
            table_rows: rows,
            ..Options::default()
        };
        let specs = [Source::new("bench.toml", spec)];
        let (schema, plan) = dataset::plan(database.url(), &specs, &options, &interrupt)
            .await
            .unwrap_or_else(|error| panic!("{error:?}"));
        Self {
            database,
            schema: Arc::new(schema),
            plan: Arc::new(plan),
        }
    }

    async fn load(&self) -> load::LoadReport {
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        load::embedded(
            self.database.url(),
            &self.schema,
            &self.plan,
            &progress,
            &interrupt,
        )
        .await
        .unwrap()
    }

    async fn execute(&self, sql: &str) -> Duration {
        let session = Session::open(self.database.url(), &Interrupt::new())
            .await
            .unwrap();
        let start = Instant::now();
        session.client().batch_execute(sql).await.unwrap();
        let elapsed = start.elapsed();
        session.close().await;
        elapsed
    }

    /// Each table emptied and filled in a transaction, one after the other in one session.
    async fn insert_into(&self, tables: &[String], insert: impl Fn(&str) -> String) -> Duration {
        let statement =
            |table: &String| format!("BEGIN; TRUNCATE {table}; {}; COMMIT", insert(table));
        self.execute(&tables.iter().map(statement).collect::<Vec<_>>().join("; "))
            .await
    }

    /// What COPY would be given, as bytes for each row on average.
    fn bytes_per_row(&self) -> f64 {
        let sample = 10_000.min(self.plan.tables[0].rows);
        let mut bytes = 0;
        let mut chunks = Chunks::new(&self.plan, 0, 0..sample);
        while let Some(chunk) = chunks.next(Vec::new).unwrap() {
            bytes += chunk.bytes.len();
        }
        bytes as f64 / sample as f64
    }
}

/// One of the shapes alone, or several tables of it.
fn ddl_of(shape: &str, copies: usize) -> (String, String) {
    let statement = |text: &str, word: &str| {
        let start = text.find(&format!("{word}{shape}")).unwrap();
        let end = text[start + 1..]
            .find("\nCREATE TABLE")
            .or_else(|| text[start + 1..].find("\n[tables.wide"))
            .map_or(text.len(), |n| start + 1 + n);
        text[start..end].to_owned()
    };
    let (table, spec) = (
        statement(TABLES, "CREATE TABLE "),
        statement(SPEC, "[tables."),
    );
    let numbered = |text: &str, n: usize| text.replacen(shape, &format!("{shape}_{n}"), 1);
    let ddl = (0..copies)
        .map(|n| numbered(&table, n))
        .collect::<Vec<_>>()
        .join("\n");
    let spec = (0..copies)
        .map(|n| numbered(&spec, n))
        .collect::<Vec<_>>()
        .join("\n");
    (ddl, spec)
}

async fn of_shape(cluster: &Cluster, shape: &str, copies: usize, rows: u64) -> Prepared {
    let (ddl, spec) = ddl_of(shape, copies);
    let counts = (0..copies)
        .map(|n| (format!("{shape}_{n}"), rows))
        .collect();
    Prepared::new(cluster, &ddl, &spec, counts).await
}

/// Rows without a server: bytes a second on one core.
async fn generation(cluster: &Cluster, arguments: Arguments) {
    for shape in ["narrow", "wide"] {
        let prepared = of_shape(cluster, shape, 1, arguments.rows).await;
        let mut contest = Contest::new(
            format!(
                "{shape}: generating alone, one thread ({:.0} bytes a row)",
                prepared.bytes_per_row()
            ),
            arguments.rows,
        );
        for _ in 0..arguments.rounds {
            let mut bytes = 0;
            let mut spare: Option<Vec<u8>> = None;
            let start = Instant::now();
            let mut chunks = Chunks::new(&prepared.plan, 0, 0..arguments.rows);
            while let Some(mut chunk) = chunks.next(|| spare.take().unwrap_or_default()).unwrap() {
                bytes += chunk.bytes.len();
                std::hint::black_box(&chunk.bytes);
                chunk.bytes.clear();
                spare = Some(chunk.bytes);
            }
            contest.took("pgproof", start.elapsed());
            contest.bytes(bytes as u64);
        }
        contest.print(None);
    }
}

/// One stream, and one a core, beside `\copy` of files that are there already.
async fn streams(cluster: &Cluster, directory: &Path, shape: &str, arguments: Arguments) {
    let cores = std::thread::available_parallelism().unwrap().get();
    let (one, all) = (
        of_shape(cluster, shape, 1, arguments.rows).await,
        of_shape(cluster, shape, cores, arguments.rows).await,
    );
    let tables: Vec<String> = (0..cores).map(|n| format!("{shape}_{n}")).collect();
    let nullable = ddl_of(shape, cores).0.replace(" NOT NULL", "");
    let counts = tables.iter().map(|table| (table.clone(), 1)).collect();
    let inserted = Prepared::new(cluster, &nullable, "", counts).await;
    let file = ready_file(directory, &one.plan, arguments.rows);
    let psql = cluster.binaries().join("psql");
    let insert = |table: &str| insert_of(shape, table, arguments.rows);
    let mut single = Contest::new(format!("{shape}: one stream"), arguments.rows);
    let mut every = Contest::new(
        format!("{shape}: {cores} streams, a table each"),
        arguments.rows * cores as u64,
    );
    for _ in 0..arguments.rounds {
        settle(cluster).await;
        single.took("pgproof", millis(one.load().await.copy.0));
        settle(cluster).await;
        single.took(
            "\\copy BINARY of a ready file",
            copied(&psql, &one, &[format!("{shape}_0")], &file, FROZEN),
        );
        settle(cluster).await;
        let first = inserted.insert_into(&tables[..1], &insert).await;
        single.took("INSERT … SELECT generate_series", first);
        settle(cluster).await;
        // Summed over the streams, which run side by side.
        every.took("pgproof", millis(all.load().await.copy.0 / cores as f64));
        settle(cluster).await;
        every.took(
            "\\copy BINARY of a ready file",
            copied(&psql, &all, &tables, &file, FROZEN),
        );
        settle(cluster).await;
        every.took(
            "INSERT … SELECT, one session",
            inserted.insert_into(&tables, &insert).await,
        );
        settle(cluster).await;
        let sessions = tables
            .iter()
            .map(|table| inserted.insert_into(std::slice::from_ref(table), &insert));
        let times = futures_util::future::join_all(sessions).await;
        every.took(
            "INSERT … SELECT, as many sessions",
            times.iter().sum::<Duration>() / cores as u32,
        );
    }
    single.print(Some("pgproof"));
    every.print(Some("pgproof"));
    std::fs::remove_file(file).unwrap();
}

/// One table of many partitions: its leaves are filled by all streams.
async fn partitioned(cluster: &Cluster, directory: &Path, arguments: Arguments) {
    let (mut ddl, spec) = ddl_of("narrow", 1);
    ddl = ddl.trim_end().trim_end_matches(";").to_owned() + " PARTITION BY RANGE (placed_at);\n";
    for (year, month) in (2023..2026).flat_map(|year| [1, 4, 7, 10].map(|month| (year, month))) {
        let (next_year, next) = if month == 10 {
            (year + 1, 1)
        } else {
            (year, month + 3)
        };
        ddl += &format!(
            "CREATE TABLE narrow_{year}_{month} PARTITION OF narrow_0 \
             FOR VALUES FROM ('{year}-{month}-1') TO ('{next_year}-{next}-1');\n"
        );
    }
    let counts = BTreeMap::from([("narrow_0".to_owned(), arguments.rows)]);
    let one = Prepared::new(cluster, &ddl, &spec, counts).await;
    let file = ready_file(directory, &one.plan, arguments.rows);
    let psql = cluster.binaries().join("psql");
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    let mut contest = Contest::new(
        "narrow: one table of 12 partitions".to_owned(),
        arguments.rows,
    );
    for _ in 0..arguments.rounds {
        settle(cluster).await;
        // Summed over the streams, which run side by side.
        contest.took("pgproof", millis(one.load().await.copy.0 / cores));
        settle(cluster).await;
        contest.took(
            "\\copy BINARY of a ready file",
            copied(&psql, &one, &["narrow_0".to_owned()], &file, "binary"),
        );
    }
    contest.print(Some("pgproof"));
    std::fs::remove_file(file).unwrap();
}

/// What the contestant before has left to be written is written: nobody pays for another's pages.
async fn settle(cluster: &Cluster) {
    let session = Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    session.client().batch_execute("CHECKPOINT").await.unwrap();
    session.close().await;
    assert!(Command::new("sync").status().unwrap().success());
}

fn millis(number: f64) -> Duration {
    Duration::from_secs_f64(number / 1000.0)
}

fn insert_of(shape: &str, table: &str, rows: u64) -> String {
    let start = INSERT.find(&format!("INSERT INTO {shape}")).unwrap();
    let end = start + INSERT[start..].find(';').unwrap();
    INSERT[start..end]
        .replacen(shape, table, 1)
        .replace("$1", &rows.to_string())
}

/// The rows of a plan's first table as COPY would write them.
fn ready_file(directory: &Path, plan: &SeedPlan, rows: u64) -> PathBuf {
    let path = directory.join("rows.bin");
    let mut file =
        std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&path).unwrap());
    file.write_all(HEADER).unwrap();
    let mut chunks = Chunks::new(plan, 0, 0..rows);
    while let Some(chunk) = chunks.next(Vec::new).unwrap() {
        file.write_all(&chunk.bytes).unwrap();
    }
    file.write_all(TRAILER).unwrap();
    file.flush().unwrap();
    path
}

/// The file into each table at once, as our load does it: into the emptied table, frozen. The mean of the streams.
fn copied(
    psql: &Path,
    prepared: &Prepared,
    tables: &[String],
    file: &Path,
    format: &str,
) -> Duration {
    let url = prepared.database.url().reveal();
    let copy = |table: &String| {
        let start = Instant::now();
        let output = Command::new(psql)
            .args([
                "-XqAt",
                "-v",
                "ON_ERROR_STOP=1",
                &url,
                "-c",
                "BEGIN",
                "-c",
                &format!("TRUNCATE {table}"),
                "-c",
            ])
            .arg(format!(
                "\\copy {table} FROM '{}' WITH (FORMAT {format})",
                file.display()
            ))
            .args(["-c", "COMMIT"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        start.elapsed()
    };
    let times: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = tables
            .iter()
            .map(|table| scope.spawn(move || copy(table)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    times.iter().sum::<Duration>() / times.len() as u32
}

/// Reading, planning and trying the rows of a schema of many tables.
async fn tables(cluster: &Cluster, rounds: usize) {
    let many = Prepared::new(cluster, "", "", BTreeMap::new()).await;
    many.execute(
        "DO $$ BEGIN FOR n IN 1..1000 LOOP
            EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text CHECK (a <> ''''), b int REFERENCES t%s, c numeric(9,2), \
                d timestamptz, status text NOT NULL CHECK (status IN (''a'', ''b'')), UNIQUE (b, d))', n, greatest(n - 1, 1));
            IF n % 50 = 0 THEN COMMIT; END IF;
        END LOOP; END $$",
    )
    .await;
    let mut contest = Contest::new(
        "1,000 tables with keys, CHECKs and foreign keys: read, planned, tried".to_owned(),
        1000,
    );
    for _ in 0..rounds {
        let start = Instant::now();
        let (_, plan) = dataset::plan(
            many.database.url(),
            &[],
            &Options::default(),
            &Interrupt::new(),
        )
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
        contest.took("pgproof", start.elapsed());
        assert_eq!(plan.tables.len(), 1000);
    }
    contest.print(None);
}

/// pgbench's own tables with the content that it gives them: rows, primary keys, statistics.
async fn pgbench(cluster: &Cluster, arguments: Arguments) {
    let scale = (arguments.rows / 100_000).max(1);
    let program = cluster.binaries().join("pgbench");
    let theirs = Prepared::new(cluster, "", "", BTreeMap::new()).await;
    let initialize = |steps: &str| {
        let start = Instant::now();
        let output = Command::new(&program)
            .args([
                "-i",
                "-q",
                "-s",
                &scale.to_string(),
                "-I",
                steps,
                &theirs.database.url().reveal(),
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        start.elapsed()
    };
    // The tables that pgbench makes, keys included, are those that we fill.
    initialize("dtp");
    let ddl = "
        CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88)) WITH (fillfactor = 100);
        CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
        CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);";
    let rows = [
        ("pgbench_branches", scale),
        ("pgbench_tellers", 10 * scale),
        ("pgbench_accounts", 100_000 * scale),
    ];
    let counts = rows
        .iter()
        .map(|(name, rows)| ((*name).to_owned(), *rows))
        .collect();
    let ours = Prepared::new(cluster, ddl, PGBENCH_SPEC, counts).await;
    let mut phases = Vec::new();
    let mut contest = Contest::new(
        format!("pgbench's tables at scale {scale}, with keys and statistics"),
        100_000 * scale,
    );
    for _ in 0..arguments.rounds {
        settle(cluster).await;
        let report = ours.load().await;
        contest.took("pgproof", millis(report.elapsed.0));
        phases.push([report.copy, report.index, report.analyze].map(|time| time.0));
        settle(cluster).await;
        contest.took(
            "pgbench -i, rows from the client (dtgvp)",
            initialize("dtgvp"),
        );
        settle(cluster).await;
        contest.took(
            "pgbench -i, rows on the server (dtGvp)",
            initialize("dtGvp"),
        );
    }
    contest.print(Some("pgproof"));
    for [copy, index, analyze] in phases {
        println!(
            "  pgproof: rows {copy:.0} ms, keys {index:.0} ms, VACUUM and ANALYZE {analyze:.0} ms"
        );
    }
    let sizes = "SELECT sum(pg_table_size(c.oid))::bigint FROM pg_class c WHERE relname ~ '^pgbench_' AND relkind = 'r'";
    for (who, prepared) in [("pgproof", &ours), ("pgbench", &theirs)] {
        let session = Session::open(prepared.database.url(), &Interrupt::new())
            .await
            .unwrap();
        let bytes: i64 = session.client().query_one(sizes, &[]).await.unwrap().get(0);
        println!("tables of {who}: {:.1} MB", bytes as f64 / 1e6);
    }
}
