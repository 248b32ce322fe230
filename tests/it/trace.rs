//! `pgproof trace`: logs that real servers of every version wrote, in every format that they have.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use pgproof::db::server::ClusterOptions;
use serde_json::Value;

use crate::server::private::{bare_project, start};
use crate::support;

/// What a version's server is told to put before its lines: what people have.
const PREFIXES: [(u32, &str); 5] = [
    (14, "%m [%p] %q%u@%d "),
    (15, "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h "),
    (16, "%t:%r:%u@%d:[%p]:"),
    (17, "%m %c %l "),
    (18, "%n p=%p a=%a "),
];

/// A loop in psql, one that writes, the same again and again, pgbench in its three modes, and a plan. In transactions, so that a
/// busy machine's pauses end no unit.
const WORK: &str = r#"
set -e
psql -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE TABLE authors (id bigint PRIMARY KEY, name text);
CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint, title text);
INSERT INTO authors SELECT n * 7919 % 90001, 'it''s ' || n FROM generate_series(1, 300) n;
INSERT INTO posts SELECT n, n * 7919 % 90001, 'post ' || n FROM generate_series(1, 300) n;
ANALYZE;
SQL
{
    echo "BEGIN;"
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        printf "SELECT name\n  FROM authors\n WHERE id = %s;\n" $((n * 7919))
        echo "UPDATE posts SET title = 'it''s $n' WHERE id = $n;"
        echo "SELECT title FROM posts WHERE id = 7;"
    done
    echo "COMMIT;"
    echo "LOAD 'auto_explain';"
    echo "SET auto_explain.log_min_duration = 0;"
    echo "SET auto_explain.log_analyze = on;"
    echo "SELECT count(*) FROM posts WHERE title LIKE '%9';"
    echo "SET auto_explain.log_format = json;"
    echo "SELECT count(*) FROM authors WHERE name LIKE '%9';"
    echo "SET auto_explain.log_min_duration = -1;"
    echo "SELECT 1/0;"
    echo "PREPARE one AS SELECT name FROM authors WHERE id > \$1 LIMIT 1;"
    echo "EXECUTE one(5);"
} | psql -q -o /dev/null 2> /dev/null
cat > bench.sql <<'SQL'
\set id random(1, 300)
SELECT title FROM posts WHERE id = :id OR title = 'it''s';
SQL
for mode in simple extended prepared; do
    pgbench -n -M $mode -t 20 -c 1 -f bench.sql > /dev/null 2>&1
done
"#;

/// Executions of queries in [`WORK`], as the server counts them: those of the schema and of sessions are none.
const INSERTS: u64 = 2;
const LOOPS: u64 = 36;
const PLANS: u64 = 2;
const PREPARED: u64 = 1;
const BENCH: u64 = 60;

pub(crate) struct Logged {
    version: u32,
    pub(crate) directory: tempfile::TempDir,
}

impl Logged {
    /// A log of this ending.
    pub(crate) fn file(&self, ending: &str) -> PathBuf {
        self.directory.path().join(format!("logs/server{ending}"))
    }
}

fn pgproof(arguments: &[&str], stdin: Option<&[u8]>, directory: &Path) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(stdin.unwrap_or_default()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

pub(crate) fn report(arguments: &[&str], stdin: Option<&[u8]>, directory: &Path) -> Value {
    let all = [&["trace", "--format", "json"], arguments].concat();
    let output = pgproof(&all, stdin, directory);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A server of the version logs what [`WORK`] does.
pub(crate) fn logged(version: u32, settings: &[(&str, &str)], work: &str) -> Option<Logged> {
    use std::os::unix::fs::PermissionsExt as _;
    let binaries = support::binaries_of(version)?;
    let directory = bare_project();
    let logs = directory.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    std::fs::set_permissions(&logs, std::fs::Permissions::from_mode(0o777)).unwrap();
    let destination = if version >= 15 {
        "stderr,csvlog,jsonlog"
    } else {
        "stderr,csvlog"
    };
    let mut all = vec![
        ("logging_collector", "on"),
        ("log_destination", destination),
        ("log_filename", "server.log"),
        ("log_file_mode", "0644"),
        ("log_min_duration_statement", "0"),
        ("log_parameter_max_length", "-1"),
        ("lc_messages", "C"),
    ];
    all.extend(settings);
    let folder = logs.display().to_string();
    all.push(("log_directory", &folder));
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let options = ClusterOptions {
        directory: directory.path().join(".pgproof"),
        major: Some(version),
        binaries: Some(binaries),
        settings: all.iter().map(owned).collect(),
        offline: true,
    };
    let work = work.to_owned();
    let place = directory.path().to_owned();
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let cluster = start(&options).await.unwrap();
            let url = cluster.loopback_url("postgres").unwrap();
            let done = Command::new("sh")
                .args(["-c", &work])
                .current_dir(&place)
                .envs(url.variables())
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{}",
                String::from_utf8_lossy(&done.stderr)
            );
            cluster.stop().await;
        });
    });
    running.join().unwrap();
    Some(Logged { version, directory })
}

/// Every version's logs, made once.
fn all() -> &'static [Logged] {
    static ALL: OnceLock<Vec<Logged>> = OnceLock::new();
    ALL.get_or_init(|| {
        PREFIXES
            .iter()
            .filter_map(|(version, prefix)| logged(*version, &[("log_line_prefix", prefix)], WORK))
            .collect()
    })
}

/// The finding of a rule on a query whose name begins so.
fn finding<'r>(report: &'r Value, rule: &str, query: &str) -> Option<&'r Value> {
    report["findings"].as_array().unwrap().iter().find(|found| {
        found["rule"] == rule
            && found["query"]
                .as_str()
                .unwrap_or_default()
                .starts_with(query)
    })
}

#[test]
fn every_format_of_every_version_says_the_same() {
    assert!(!all().is_empty());
    for logged in all() {
        let mut endings = vec![".log", ".csv"];
        if logged.version >= 15 {
            endings.push(".json");
        }
        for ending in endings {
            let file = logged.file(ending);
            let name = file.to_str().unwrap();
            let report = report(&[name], None, logged.directory.path());
            let place = format!("{} {ending}: {report:#}", logged.version);
            let traffic = &report["traffic"];
            assert_eq!(traffic["inconclusive"], Value::Array(Vec::new()), "{place}");
            let slowest = traffic["slowest"].as_array().unwrap();
            let counted: u64 = slowest
                .iter()
                .map(|slow| slow["executions"].as_u64().unwrap())
                .sum();
            let expected = INSERTS + LOOPS + PLANS + PREPARED + BENCH;
            assert_eq!(counted, expected, "{place}");
            for (rule, query, calls) in [
                ("n-plus-one", "select-authors", 12),
                ("missing-batch", "update-posts", 12),
                ("duplicate-query", "select-posts", 12),
            ] {
                let found =
                    finding(&report, rule, query).unwrap_or_else(|| panic!("{rule}: {place}"));
                assert_eq!(found["evidence"]["calls"], calls, "{place}");
                assert_eq!(found["severity"], "warning", "{place}");
            }
            let with_plans = report["queries"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|query| {
                    query["runs"]
                        .as_array()
                        .is_some_and(|runs| !runs.is_empty())
                });
            assert_eq!(with_plans.count(), 2, "{place}");
        }
    }
}

#[test]
fn rotated_compressed_and_piped_logs_are_one() {
    let logged = all()
        .iter()
        .find(|one| one.version == support::MAJOR)
        .unwrap();
    let directory = logged.directory.path();
    let text = std::fs::read(logged.file(".log")).unwrap();
    let whole = report(&[logged.file(".log").to_str().unwrap()], None, directory);
    let middle = text
        .iter()
        .skip(text.len() / 2)
        .position(|byte| *byte == b'\n')
        .unwrap()
        + text.len() / 2
        + 1;
    let (first, second) = text.split_at(middle);
    std::fs::write(directory.join("first.log.gz"), gzipped(first)).unwrap();
    let parts = report(&["first.log.gz", "-"], Some(second), directory);
    for key in ["executions", "statements", "sessions"] {
        assert_eq!(whole["traffic"][key], parts["traffic"][key], "{key}");
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_a_log_leaves_out_makes_it_inconclusive() {
    let work = "psql -q -o /dev/null -c 'SELECT 1 FROM pg_class' -c 'ALTER SYSTEM SET log_min_duration_statement = 5000' \
        -c 'SELECT pg_reload_conf()' -c 'SELECT pg_sleep(1)' -c 'SET log_duration = on' -c 'SELECT 2 FROM pg_class'";
    let Some(logged) = logged(support::MAJOR, &[], work) else {
        return;
    };
    let directory = logged.directory.path();
    let file = logged.file(".csv");
    let report = report(&[file.to_str().unwrap()], None, directory);
    let reasons = report["traffic"]["inconclusive"].to_string();
    for expected in [
        "log_min_duration_statement is 5000",
        "durations have no statement beside them",
    ] {
        assert!(reasons.contains(expected), "{expected}: {reasons}");
    }
    assert!(
        finding(&report, "incomplete-trace", "").is_some(),
        "{report:#}"
    );
    let shown = pgproof(&["trace", file.to_str().unwrap()], None, directory);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("inconclusive"), "{shown}");

    let nothing = pgproof(&["trace", "-"], Some(b"hello\nworld\n"), directory);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("is no log of PostgreSQL"));
}

#[test]
fn the_catalog_of_a_log_can_be_written() {
    let logged = all()
        .iter()
        .find(|one| one.version == support::MAJOR)
        .unwrap();
    let directory = logged.directory.path();
    let file = logged.file(".csv");
    let arguments = [
        "trace",
        file.to_str().unwrap(),
        "--write-queries",
        "sent.sql",
    ];
    let output = pgproof(&arguments, None, directory);
    assert_eq!(output.status.code(), Some(0));
    let written = std::fs::read_to_string(directory.join("sent.sql")).unwrap();
    for expected in [
        "SELECT name FROM authors WHERE id = $1;",
        "SELECT title FROM posts WHERE id = $1 OR title = 'it''s';",
        "SELECT name FROM authors WHERE id > $1 LIMIT 1;",
    ] {
        assert!(written.contains(expected), "{expected}: {written}");
    }
    assert!(!written.contains("BEGIN"), "{written}");
    let again = pgproof(&arguments, None, directory);
    assert_eq!(
        again.status.code(),
        Some(2),
        "what is there is not overwritten"
    );
}
