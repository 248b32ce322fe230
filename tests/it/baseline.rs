//! Accepted findings from end to end: `pgproof audit`, `pgproof accept`, `pgproof audit --baseline` on a real server, while
//! lines move, files are renamed and the data is another. And reports without values.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pgproof::report::json::{self, SavedReport};

use crate::support::{self, TestDatabase};

const CATALOG: &str = "-- name: OrdersOf :many\nSELECT id, note FROM orders WHERE customer = $1;\n";

/// A table that is read whole for the orders of one customer; `first` numbers the customers.
async fn shop(first: u32) -> TestDatabase {
    let database = support::database().await;
    database
        .execute(&format!(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, note text NOT NULL);
             INSERT INTO orders SELECT n, 'whale-' || CASE WHEN n % 3 = 0 THEN {first} ELSE {first} + n % 5000 END, repeat('x', 100)
                 FROM generate_series(1, 120000) n;
             ANALYZE orders"
        ))
        .await;
    database
}

struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("queries")).unwrap();
        fs::write(directory.path().join("pgproof.toml"), "").unwrap();
        fs::write(directory.path().join("queries/orders.sql"), CATALOG).unwrap();
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_pgproof"))
            .args(arguments)
            .env_remove("DATABASE_URL")
            .env("NO_COLOR", "1")
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// An audit: its exit code, what it said on standard error, and its report.
    fn audit(&self, database: &TestDatabase, flags: &[&str]) -> (Option<i32>, String, SavedReport) {
        let url = database.url().reveal();
        let output = self.run(
            &[
                &[
                    "audit",
                    "--database-url",
                    &url,
                    "--format",
                    "json=report.json",
                ],
                flags,
            ]
            .concat(),
        );
        let told = String::from_utf8(output.stderr).unwrap();
        let text = fs::read_to_string(self.path().join("report.json"))
            .unwrap_or_else(|error| panic!("{error}: {told}"));
        (output.status.code(), told, json::read(&text).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_findings_stay_accepted_until_their_day() {
    let project = Project::new();
    let database = shop(10_000).await;
    let (code, _, report) = project.audit(&database, &[]);
    assert_eq!(code, Some(1), "{report:?}");
    let counting: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| finding.fingerprint.0.as_str())
        .collect();
    assert!(!counting.is_empty());

    for fingerprint in &counting {
        let accepted = project.run(&[
            "accept",
            &fingerprint[..8],
            "--reason",
            "an admin page, once a day",
        ]);
        assert_eq!(
            accepted.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&accepted.stderr)
        );
    }
    let (code, _, report) = project.audit(&database, &["--baseline"]);
    assert_eq!(code, Some(0), "{:?}", report.findings);
    for finding in &report.findings {
        let suppressed = finding.suppressed.as_ref().unwrap();
        assert_eq!(
            (suppressed.by.as_str(), suppressed.reason.as_str()),
            ("baseline", "an admin page, once a day")
        );
    }
    // Without the flag everything counts.
    assert_eq!(project.audit(&database, &[]).0, Some(1));

    // Another place in another file, other data.
    fs::remove_file(project.path().join("queries/orders.sql")).unwrap();
    let moved = format!("-- name: One :one\nSELECT 1 AS one;\n\n\n{CATALOG}");
    fs::write(project.path().join("queries/customers.sql"), moved).unwrap();
    let other = shop(70_000).await;
    let (code, told, report) = project.audit(&other, &["--baseline"]);
    assert_eq!(code, Some(0), "{told}{:?}", report.findings);
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.suppressed.is_some())
    );

    // The day is over.
    let file = project.path().join("pgproof.baseline.json");
    let text = fs::read_to_string(&file).unwrap();
    let reason = "\"reason\": \"an admin page, once a day\"";
    assert!(text.contains(reason), "{text}");
    fs::write(
        &file,
        text.replace(reason, &format!("{reason}, \"expires\": \"2026-01-31\"")),
    )
    .unwrap();
    let (code, told, report) = project.audit(&other, &["--baseline"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("was accepted until 2026-01-31 and counts again"),
        "{told}"
    );
    let note = "It was accepted until 2026-01-31 (an admin page, once a day): decide again.";
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.advice.ends_with(note)),
        "{:?}",
        report.findings
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_there_is_accepted_at_once() {
    let project = Project::new();
    let database = shop(10_000).await;
    let (code, _, report) = project.audit(&database, &[]);
    assert_eq!(code, Some(1), "{report:?}");
    let first = &report.findings[0].fingerprint.0;
    let accept = |arguments: &[&str]| {
        let output = project.run(&[&["accept"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    accept(&[first, "--reason", "an admin page"]);
    accept(&["--all", "--reason", "there before"]);
    let file = project.path().join("pgproof.baseline.json");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("an admin page").count(), 1, "{text}");

    // The project's own baseline needs no flag.
    let settings = project.path().join("pgproof.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        format!("baseline = \"pgproof.baseline.json\"\n{text}"),
    )
    .unwrap();
    let (code, _, report) = project.audit(&database, &[]);
    assert_eq!(code, Some(0), "{:?}", report.findings);
}

/// The script that the GitHub Action and the GitLab component run.
#[tokio::test(flavor = "multi_thread")]
async fn ci_gets_every_report_and_the_audits_exit_code() {
    let project = Project::new();
    let database = shop(10_000).await;
    let run = |arguments: &str, server: &str| {
        let url = database.url().reveal();
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ci"))
            .current_dir(project.path())
            .env_remove("DATABASE_URL")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env("PGPROOF", env!("CARGO_BIN_EXE_pgproof"))
            .env("PGPROOF_ARGS", format!("--database-url {url} {arguments}"))
            .env(server, "true")
            .output()
            .unwrap()
    };
    let output = run("", "GITHUB_ACTIONS");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let commands = String::from_utf8(output.stdout).unwrap();
    assert!(commands.contains("::error file=queries/orders.sql,"));
    for file in [
        "pgproof.json",
        "pgproof.md",
        "pgproof.sarif",
        "pgproof.xml",
        "pgproof.html",
    ] {
        let report = project.path().join("pgproof-reports").join(file);
        assert!(fs::metadata(report).unwrap().len() > 100, "{file}");
    }
    let output = run("--fail-on never", "GITLAB_CI");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let quality = project
        .path()
        .join("pgproof-reports/gl-code-quality-report.json");
    let issues: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(quality).unwrap()).unwrap();
    assert_eq!(issues[0]["location"]["path"], "queries/orders.sql");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_accepted_is_told() {
    let project = Project::new();
    let refused = |arguments: &[&str]| {
        let output = project.run(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        told
    };
    let none = refused(&["accept", "3f2a91c0", "--reason", "x"]);
    assert!(none.contains("run `pgproof audit` first"), "{none}");
    let database = shop(10_000).await;
    project.audit(&database, &[]);
    let unknown = refused(&["accept", "3f2a91c0", "--reason", "x"]);
    assert!(
        unknown.contains("the last audit has no finding with the fingerprint \"3f2a91c0\""),
        "{unknown}"
    );
    assert!(refused(&["accept", "3f2a91c0"]).contains("--reason"));
    assert!(
        refused(&["accept", "3f2a91c0", "--reason", " "])
            .contains("say why the finding does not count")
    );
    let over = refused(&[
        "accept",
        "3f2a91c0",
        "--reason",
        "x",
        "--expires",
        "2020-01-01",
    ]);
    assert!(over.contains("--expires 2020-01-01 is over"), "{over}");
    let day = refused(&[
        "accept",
        "3f2a91c0",
        "--reason",
        "x",
        "--expires",
        "tomorrow",
    ]);
    assert!(day.contains("is no day of the calendar"), "{day}");
    assert!(
        !project.path().join("pgproof.baseline.json").exists(),
        "nothing was written"
    );
    let url = database.url().reveal();
    let missing = refused(&["audit", "--database-url", &url, "--baseline=no.json"]);
    assert!(
        missing.contains("there is no baseline") && missing.contains("pgproof accept"),
        "{missing}"
    );
    fs::write(
        project.path().join("pgproof.baseline.json"),
        "{\"version\": 1,\n\"accepted\": [{\"a\": 1}]}",
    )
    .unwrap();
    let broken = refused(&["audit", "--database-url", &url, "--baseline"]);
    assert!(
        broken.contains("unknown field `a`") && broken.contains("pgproof.baseline.json:2"),
        "{broken}"
    );
}

/// The values of the data are in no report that was asked to leave them out, and in every other.
#[tokio::test(flavor = "multi_thread")]
async fn redacted_reports_hold_no_values() {
    let project = Project::new();
    let catalog = format!(
        "{CATALOG}\n-- name: Notes :many\nSELECT id FROM orders WHERE customer LIKE $1 OR note = $2;\n"
    );
    fs::write(project.path().join("queries/orders.sql"), catalog).unwrap();
    let database = shop(10_000).await;
    let url = database.url().reveal();
    let reports = |flags: &[&str]| {
        let formats = [
            "--format",
            "terminal",
            "--format",
            "json=r.json",
            "--format",
            "markdown=r.md",
        ];
        let output = project.run(
            &[
                &["audit", "--verbose", "--database-url", &url],
                &formats[..],
                flags,
            ]
            .concat(),
        );
        let read = |name: &str| fs::read_to_string(project.path().join(name)).unwrap();
        [
            String::from_utf8(output.stdout).unwrap(),
            read("r.json"),
            read("r.md"),
            read(".pgproof/findings.json"),
        ]
    };
    let [terminal, json, _, _] = reports(&[]);
    assert!(
        terminal.contains("whale-1") && json.contains("whale-1"),
        "{terminal}"
    );
    for report in reports(&["--redact"]) {
        assert!(
            !report.contains("whale-") && !report.contains("xxxxxxxx"),
            "{report}"
        );
    }
    let explained = |flags: &[&str]| {
        let output =
            project.run(&[&["explain", "OrdersOf", "--database-url", &url], flags].concat());
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(explained(&[]).contains("whale-1"));
    let redacted = explained(&["--redact"]);
    assert!(
        redacted.contains("Filter: (orders.customer = ?)") && !redacted.contains("whale-"),
        "{redacted}"
    );
}
