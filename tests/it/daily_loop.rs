//! The daily loop: what did not change is not run again, what did is, and both reports say the same.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::private::bare_project;
use crate::support;

const SCHEMA: &str = "CREATE TABLE lines (id bigint PRIMARY KEY, name text NOT NULL);\n\
     CREATE TABLE trips (id bigint PRIMARY KEY, line_id bigint NOT NULL REFERENCES lines, delay integer NOT NULL, note text);\n\
     CREATE VIEW late_trips AS SELECT * FROM trips WHERE delay > 300;\n";
const QUERIES: &str = "-- name: TripsOfLine :many\nSELECT id, delay FROM trips WHERE line_id = @line;\n\n\
     -- name: NameOfLine :one\nSELECT name FROM lines WHERE id = @id;\n\n\
     -- name: LateTrips :many\nSELECT id FROM late_trips ORDER BY delay DESC, note;\n\n\
     -- name: Rename :exec\nUPDATE lines SET name = @name WHERE id = @id;\n";
const SPEC: &str = "[tables.lines]\nrows = 300\n[tables.trips]\nrows = 30000\n[tables.trips.columns]\n\
     delay = { generator = \"integer\", min = 0, max = 4000 }\n";
const CONFIGURATION: &str = "fail-on = \"never\"\n[server]\nversion = \"15\"\n[dataset]\ntoday = \"2026-11-02\"\n[thresholds]\nmissing-index.min-pages = 50\n[audit]\nruns = 1\n";

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(bare_project());
        project.write("migrations/1_transit.sql", SCHEMA);
        project.write("queries/transit.sql", QUERIES);
        project.write("seeds/transit.toml", SPEC);
        project.write("pgproof.toml", CONFIGURATION);
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path().join(file)).unwrap();
        assert!(text.contains(from), "{from} in {file}");
        self.write(file, &text.replace(from, to));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let programs = support::binaries_of(support::MAJOR).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_remove("DATABASE_URL")
            .env("PATH", format!("{}:{path}", programs.display()))
            // The projects of tests lie in a repository of somebody's.
            .env("GIT_CEILING_DIRECTORIES", self.path().parent().unwrap())
            .env("NO_COLOR", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The JSON report of an audit.
    fn audit(&self, arguments: &[&str]) -> Value {
        let all = [&["audit", "--format", "json"], arguments].concat();
        let output = self.run(&all);
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn git(&self, arguments: &[&str]) {
        let who = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        let done = Command::new("git")
            .args(who)
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", said(&done));
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// How many queries were not run again.
fn reused(report: &Value) -> u64 {
    report["reused"]["queries"].as_u64().unwrap_or(0)
}

/// A report without what differs between two audits of the same results.
fn without_times_of_audit(mut report: Value) -> Value {
    let all = report.as_object_mut().unwrap();
    all.remove("reused");
    report["summary"]["elapsed_ms"] = Value::Null;
    report
}

fn names(report: &Value) -> Vec<&str> {
    let queries = report["queries"].as_array().unwrap();
    queries
        .iter()
        .map(|query| query["name"].as_str().unwrap())
        .collect()
}

#[test]
fn what_did_not_change_is_not_run_again_and_the_report_is_the_same() {
    let project = Project::new();
    let first = project.audit(&[]);
    assert_eq!(reused(&first), 0);
    let index = first["findings"].as_array().unwrap().iter();
    let proven = |finding: &&Value| finding["rule"] == "missing-index";
    assert!(index.clone().any(|finding| proven(&finding)), "{first:#}");

    let again = project.audit(&[]);
    assert_eq!(reused(&again), 4);
    assert_eq!(
        without_times_of_audit(again),
        without_times_of_audit(first.clone())
    );

    // Names, places and what only judges change no measurement.
    project.replace(
        "queries/transit.sql",
        "-- name: LateTrips",
        "\n\n-- name: VeryLateTrips",
    );
    project.replace("pgproof.toml", "min-pages = 50", "min-pages = 100000");
    let judged = project.audit(&[]);
    assert_eq!(reused(&judged), 4);
    let findings = judged["findings"].as_array().unwrap();
    assert!(!findings.iter().any(|finding| proven(&finding)));
    project.replace("pgproof.toml", "min-pages = 100000", "min-pages = 50");

    // One query that changed.
    project.replace(
        "queries/transit.sql",
        "SELECT name FROM lines",
        "SELECT id, name FROM lines",
    );
    assert_eq!(reused(&project.audit(&[])), 3);
    project.replace(
        "queries/transit.sql",
        "-- name: NameOfLine :one\n",
        "-- name: NameOfLine :one\n-- @param id: rare\n",
    );
    assert_eq!(reused(&project.audit(&[])), 3);

    // What all of them are measured with.
    assert_eq!(reused(&project.audit(&["--runs", "2"])), 0);
    assert_eq!(reused(&project.audit(&["--timeout", "29s"])), 0);
    assert_eq!(reused(&project.audit(&["--fresh"])), 0);
    assert_eq!(reused(&project.audit(&[])), 4);
    project.replace(
        "pgproof.toml",
        "runs = 1",
        "runs = 1\nsettings = { work_mem = \"8MB\" }",
    );
    assert_eq!(reused(&project.audit(&[])), 0);
    project.replace(
        "pgproof.toml",
        "settings = { work_mem = \"8MB\" }",
        "role = \"postgres\"",
    );
    assert_eq!(reused(&project.audit(&[])), 0);
    project.replace("pgproof.toml", "role = \"postgres\"\n", "");
    assert_eq!(reused(&project.audit(&[])), 4);
    project.replace(
        "pgproof.toml",
        "version = \"15\"",
        "version = \"15\"\nsettings = { random_page_cost = \"1.3\" }",
    );
    assert_eq!(reused(&project.audit(&[])), 0);

    // What the dataset is made of.
    project.replace("seeds/transit.toml", "rows = 30000", "rows = 31000");
    assert_eq!(reused(&project.audit(&[])), 0);
    project.write(
        "migrations/2_index.sql",
        "CREATE INDEX ON trips (line_id);\n",
    );
    assert_eq!(reused(&project.audit(&[])), 0);
    assert_eq!(reused(&project.audit(&[])), 4);
}

#[test]
fn damaged_results_are_measured_anew() {
    let project = Project::new();
    project.audit(&[]);
    let results = project.path().join(".pgproof/results");
    let files: Vec<_> = fs::read_dir(&results)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 4, "{files:?}");
    for (n, file) in files.iter().enumerate() {
        let whole = fs::read(file).unwrap();
        match n % 3 {
            0 => fs::write(file, &whole[..whole.len() / 2]).unwrap(),
            1 => fs::write(file, b"pgproof-result 99 0 x\n{}").unwrap(),
            _ => fs::write(file, b"\0\xff").unwrap(),
        }
    }
    assert_eq!(reused(&project.audit(&[])), 0);
    assert_eq!(reused(&project.audit(&[])), 4);

    let looked = said(&project.run(&["server", "prune", "--dry-run", "--all"]));
    assert!(looked.contains("results of audits"), "{looked}");
    project.run(&["server", "prune", "--all"]);
    assert_eq!(fs::read_dir(&results).unwrap().count(), 0);
}

#[test]
fn a_statement_that_is_in_no_file_is_audited_beside_what_it_came_from() {
    let project = Project::new();
    let mut child = project
        .command(&["audit", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let statement = b"SELECT id, delay, note FROM trips WHERE line_id = 7;\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), statement).unwrap();
    let text = said(&child.wait_with_output().unwrap());
    for expected in [
        "stdin compared with TripsOfLine",
        "CREATE INDEX",
        "plan of stdin",
        "Seq Scan on trips",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let empty = project
        .command(&["audit", "-"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(empty.status.code(), Some(2), "{}", said(&empty));

    // A file of the catalog, beside what was committed.
    project.write(".gitignore", ".pgproof\n");
    project.git(&["init", "-q", "-b", "main"]);
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "as it was"]);
    project.replace(
        "queries/transit.sql",
        "SELECT name FROM lines WHERE id = @id",
        "SELECT name FROM lines WHERE id + 0 = @id",
    );
    let report = project.audit(&["queries/transit.sql"]);
    let compared = report["compared"].as_array().unwrap();
    assert_eq!(compared.len(), 1, "{compared:?}");
    assert_eq!(
        (&compared[0]["query"], &compared[0]["with"]),
        (&"NameOfLine".into(), &"HEAD".into())
    );
    assert!(compared[0]["before"]["pages"].is_u64() && compared[0]["after"]["pages"].is_u64());
    assert_eq!(
        names(&report).len(),
        4,
        "the earlier version is no query of its own"
    );
}

/// What a command says of a statement on its standard input.
fn asked(project: &Project, arguments: &[&str], statement: &str) -> (Option<i32>, String) {
    let mut child = project
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let written = std::io::Write::write_all(&mut child.stdin.take().unwrap(), statement.as_bytes());
    // Whoever refuses early does not read.
    drop(written);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), said(&output))
}

#[test]
fn a_statement_that_is_given_needs_no_catalog_and_no_header() {
    const STATEMENT: &str = "SELECT id, note FROM trips WHERE line_id = 7;\n";
    let project = Project::new();
    fs::remove_dir_all(project.path().join("queries")).unwrap();
    let plan = |text: &str, name: &str| {
        for expected in [
            &format!("plan of {name}"),
            "Seq Scan on trips",
            "CREATE INDEX",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    };
    let (code, text) = asked(&project, &["audit", "-"], STATEMENT);
    assert_eq!(code, Some(0), "{text}");
    plan(&text, "stdin");

    // A catalog that cannot be read is another matter.
    project.replace(
        "pgproof.toml",
        "fail-on",
        "queries = [{ sqlx = \".sqlx\" }]\nfail-on",
    );
    assert_eq!(project.run(&["audit"]).status.code(), Some(2));
    let (code, text) = asked(&project, &["audit", "-"], STATEMENT);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("only what was given is audited"), "{text}");

    // A file beside what was committed.
    project.write("draft.sql", STATEMENT);
    project.write(".gitignore", ".pgproof\n");
    project.git(&["init", "-q", "-b", "main"]);
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "a draft"]);
    project.write("draft.sql", &STATEMENT.replace("line_id = 7", "id = 7"));
    let text = said(&project.run(&["audit", "draft.sql"]));
    assert!(text.contains("plan of draft"), "{text}");
    assert!(text.contains("draft compared with HEAD"), "{text}");
    // Typed in a folder below the project.
    fs::create_dir(project.path().join("below")).unwrap();
    let below = project
        .command(&["audit", "../draft.sql"])
        .current_dir(project.path().join("below"))
        .output()
        .unwrap();
    assert!(said(&below).contains("plan of draft"), "{}", said(&below));

    // What is no statement.
    let (code, text) = asked(&project, &["audit", "-"], "SELECT id FROM FROM trips");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("stdin:1:16"), "{text}");
    let (code, text) = asked(&project, &["audit", "--watch", "-"], STATEMENT);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("cannot watch standard input"), "{text}");

    // Without a project, in this folder or above, there is nothing to run it on.
    let outside = tempfile::tempdir().unwrap();
    let nowhere = project
        .command(&["audit", "-"])
        .current_dir(outside.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = said(&nowhere);
    assert_eq!(nowhere.status.code(), Some(2), "{text}");
    assert!(text.contains("run `pgproof init`"), "{text}");
}

#[test]
fn a_file_beside_the_catalog_is_watched() {
    let project = Project::new();
    project.write("draft.sql", "SELECT name FROM lines WHERE id = 7;\n");
    let report = project.path().join("report.json");
    let format = format!("json={}", report.display());
    let mut child = project
        .command(&["audit", "--watch", "draft.sql", "--format", &format])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let there = |text: &str| fs::read_to_string(&report).is_ok_and(|report| report.contains(text));
    wait(&mut child, "the first report", || there("WHERE id = 7"));
    project.write("draft.sql", "SELECT name FROM lines WHERE id = 8;\n");
    wait(&mut child, "the report of the change", || {
        there("WHERE id = 8")
    });
    let interrupted = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    wait_until("its end", || child.try_wait().unwrap().is_some());
}

#[test]
fn only_what_changed_since_a_revision_is_audited() {
    let project = Project::new();
    let outside = project.run(&["audit", "--changed"]);
    assert_eq!(outside.status.code(), Some(2));
    assert!(
        said(&outside).contains("without a git repository"),
        "{}",
        said(&outside)
    );
    project.write(".gitignore", ".pgproof\n");
    project.git(&["init", "-q", "-b", "main"]);
    let none = project.run(&["audit", "--changed"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(said(&none).contains("has none yet"), "{}", said(&none));
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "first"]);
    let unknown = project.run(&["audit", "--changed", "nowhere"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said(&unknown).contains("nowhere"), "{}", said(&unknown));
    let nothing = project.run(&["audit", "--changed"]);
    assert!(
        said(&nothing).contains("4 queries are as at HEAD"),
        "{}",
        said(&nothing)
    );

    project.git(&["checkout", "-q", "-b", "work"]);
    project.replace(
        "queries/transit.sql",
        "SELECT name FROM lines",
        "SELECT id, name FROM lines",
    );
    project.git(&["commit", "-q", "-a", "-m", "text"]);
    let text = project.audit(&["--changed"]);
    assert_eq!(names(&text), ["NameOfLine"]);
    assert_eq!(text["unchanged"]["queries"], 3);
    assert_eq!(text["unchanged"]["since"], "this branch left main");

    project.write(
        "migrations/2_index.sql",
        "CREATE INDEX trips_delay ON trips (delay);\n",
    );
    let index = project.audit(&["--changed", "HEAD"]);
    assert_eq!(
        names(&index),
        ["TripsOfLine", "LateTrips"],
        "a view's table is the view's"
    );
}

#[test]
fn watching_audits_again_after_a_change_until_it_is_interrupted() {
    let project = Project::new();
    let report = project.path().join("report.json");
    let format = format!("json={}", report.display());
    let mut child = project
        .command(&["audit", "--watch", "NameOfLine", "--format", &format])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let source = |text: &str| fs::read_to_string(&report).is_ok_and(|report| report.contains(text));
    wait(&mut child, "the first report", || {
        source("SELECT name FROM lines")
    });
    project.replace(
        "queries/transit.sql",
        "SELECT name FROM lines",
        "SELECT lower(name) FROM lines",
    );
    wait(&mut child, "the report of the change", || {
        source("SELECT lower(name) FROM lines")
    });
    // A mistake does not end it.
    project.replace("pgproof.toml", "[audit]", "[adit]");
    std::thread::sleep(Duration::from_secs(2));
    project.replace("pgproof.toml", "[adit]", "[audit]");
    project.replace(
        "queries/transit.sql",
        "SELECT lower(name) FROM lines",
        "SELECT upper(name) FROM lines",
    );
    wait(&mut child, "the report after the mistake", || {
        source("SELECT upper(name) FROM lines")
    });
    std::thread::sleep(Duration::from_secs(1));
    let interrupted = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    let mut ended = None;
    wait_until("its end", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    assert!(matches!(ended.unwrap().code(), Some(0 | 130)), "{ended:?}");
}

fn wait(child: &mut Child, what: &str, mut there: impl FnMut() -> bool) {
    wait_until(what, || {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended before {what}: {ended:?}");
        there()
    });
}

fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(
            start.elapsed() < Duration::from_secs(300),
            "{what} does not come"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
