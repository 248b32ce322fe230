//! What goes wrong before or while an audit runs, as a shell sees it: a clear message with file, line and remedy on standard
//! error, exit code 2 for the user's input and 3 for the environment, and nothing left behind.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use crate::server::private::bare_project;
use crate::support;

const CONFIG: &str = "queries = [\"queries/*.sql\"]\n\n[server]\nversion = \"15\"\n\n[dataset]\ntarget-size = \"2MB\"\n";
const QUERY: &str = "-- name: GetT :one\nSELECT name FROM t WHERE id = $1;\n";

struct Case {
    what: &'static str,
    files: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
    code: i32,
    /// Each must be in the message, whose line breaks and bars are left out.
    told: &'static [&'static str],
}

/// Mistakes that are found in files and arguments alone: no server is started for them.
const MISTAKES: &[Case] = &[
    Case {
        what: "no configuration",
        files: &[],
        arguments: &["audit"],
        code: 2,
        told: &["pgproof.toml"],
    },
    Case {
        what: "an unknown key",
        files: &[
            (
                "pgproof.toml",
                "queries = [\"queries/*.sql\"]\nqueris = 3\n",
            ),
            ("queries/t.sql", QUERY),
        ],
        arguments: &["audit"],
        code: 2,
        told: &["pgproof.toml:2:1", "queris", "did you mean `queries`"],
    },
    Case {
        what: "a value of the wrong type",
        files: &[
            (
                "pgproof.toml",
                "queries = [\"queries/*.sql\"]\n[audit]\nruns = \"three\"\n",
            ),
            ("queries/t.sql", QUERY),
        ],
        arguments: &["audit"],
        code: 2,
        told: &["pgproof.toml:3:8", "runs"],
    },
    Case {
        what: "no queries",
        files: &[("pgproof.toml", CONFIG)],
        arguments: &["audit"],
        code: 2,
        told: &["queries/*.sql"],
    },
    Case {
        what: "a name that two queries have",
        files: &[
            ("pgproof.toml", CONFIG),
            ("queries/a.sql", QUERY),
            (
                "queries/b.sql",
                "-- other\n-- name: GetT :many\nSELECT 1;\n",
            ),
        ],
        arguments: &["audit", "--strict"],
        code: 2,
        told: &["queries/b.sql:2", "GetT", "queries/a.sql:1"],
    },
    Case {
        what: "a parameter that is not in the statement",
        files: &[
            ("pgproof.toml", CONFIG),
            (
                "queries/t.sql",
                "-- name: GetT :one\n-- @param $2: typical\nSELECT name FROM t WHERE id = $1;\n",
            ),
        ],
        arguments: &["audit", "--strict"],
        code: 2,
        told: &["queries/t.sql:2", "$2"],
    },
    Case {
        what: "a gap in the numbers of the parameters",
        files: &[
            ("pgproof.toml", CONFIG),
            (
                "queries/t.sql",
                "-- name: GetT :one\nSELECT name FROM t WHERE id = $2;\n",
            ),
        ],
        arguments: &["audit"],
        code: 2,
        told: &["queries/t.sql:2", "$1"],
    },
    Case {
        what: "a query that nobody knows",
        files: &[("pgproof.toml", CONFIG), ("queries/t.sql", QUERY)],
        arguments: &["audit", "GetTs"],
        code: 2,
        told: &["GetTs", "did you mean GetT?"],
    },
    Case {
        what: "no migrations",
        files: &[("pgproof.toml", CONFIG), ("queries/t.sql", QUERY)],
        arguments: &["audit"],
        code: 2,
        told: &["migrations"],
    },
    Case {
        what: "an unreachable server",
        files: &[("pgproof.toml", CONFIG), ("queries/t.sql", QUERY)],
        // Nothing has listened on port 1 for decades.
        arguments: &[
            "audit",
            "--database-url",
            "postgres://ann:s3cret@127.0.0.1:1/shop",
        ],
        code: 3,
        told: &[
            "cannot reach PostgreSQL at 127.0.0.1:1: connection refused",
            "is the server running",
        ],
    },
    Case {
        what: "a URL that is none",
        files: &[("pgproof.toml", CONFIG), ("queries/t.sql", QUERY)],
        arguments: &[
            "audit",
            "--database-url",
            "mysql://ann:s3cret@127.0.0.1/shop",
        ],
        code: 2,
        told: &["postgres://"],
    },
];

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    // Below the build directory, which lies in this repository, pgproof would find the sample's configuration.
    let project = if files.is_empty() {
        tempfile::tempdir().unwrap()
    } else {
        bare_project()
    };
    for (name, text) in files {
        let path = project.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    project
}

fn pgproof(project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .env("NO_COLOR", "1");
    command
}

/// The message as if it were one line: long ones are broken and barred.
fn told(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).replace(['│', '|'], " ");
    error.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(what: &str, output: &Output, code: i32, expected: &[&str]) {
    let told = told(output);
    assert_eq!(output.status.code(), Some(code), "{what}: {told}");
    for part in expected {
        assert!(told.contains(part), "{what}: {part:?} is not in {told}");
    }
    assert!(
        !told.contains("s3cret") && !told.contains("panicked"),
        "{what}: {told}"
    );
}

#[test]
fn mistakes_are_found_before_anything_starts() {
    for case in MISTAKES {
        let project = project(case.files);
        let output = pgproof(project.path(), case.arguments).output().unwrap();
        check(case.what, &output, case.code, case.told);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "",
            "{}: no report",
            case.what
        );
        assert!(
            !project.path().join(".pgproof").exists(),
            "{}: no server",
            case.what
        );
    }
}

const MIGRATION: (&str, &str) = (
    "migrations/0001_t.sql",
    "CREATE TABLE t (id bigint PRIMARY KEY, name text);\n",
);

#[test]
fn without_programs_and_network_it_says_what_to_install() {
    let project = project(&[
        ("pgproof.toml", CONFIG),
        ("queries/t.sql", QUERY),
        MIGRATION,
    ]);
    let nowhere = project.path().join("nowhere");
    let output = pgproof(project.path(), &["audit", "--offline"])
        .env("PGPROOF_PG_BIN", &nowhere)
        .output()
        .unwrap();
    check(
        "named programs",
        &output,
        3,
        &["nowhere holds no usable PostgreSQL"],
    );
    assert!(!project.path().join(".pgproof/data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused() {
    let right = support::cluster().loopback_url("postgres").unwrap();
    let url = format!("postgres://postgres:s3cret@{}/postgres", right.address());
    let project = project(&[("pgproof.toml", CONFIG), ("queries/t.sql", QUERY)]);
    let output = pgproof(project.path(), &["audit", "--database-url", &url])
        .output()
        .unwrap();
    let expected = [
        "password authentication failed for user \"postgres\"",
        "check user and password",
    ];
    check("wrong password", &output, 3, &expected);
    let output = pgproof(project.path(), &["audit", "--database-url", "env"])
        .env("DATABASE_URL", &url)
        .output()
        .unwrap();
    check("wrong password in the environment", &output, 3, &expected);
}

/// The rest of the catalog is audited and reported; the broken query is named with its line, the reason and its text.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_query_is_shown_at_its_line() {
    let database = support::database().await;
    database.execute(MIGRATION.1).await;
    database
        .execute("INSERT INTO t SELECT i, 'name ' || i FROM generate_series(1, 20) i")
        .await;
    let broken = "-- name: GetT :one\nSELECT name FROM t WHERE id = $1;\n\n-- name: Broken :many\nSELECT id,\n       nmae\nFROM t;\n";
    let project = project(&[("pgproof.toml", CONFIG), ("queries/t.sql", broken)]);
    let output = pgproof(
        project.path(),
        &[
            "audit",
            "--verbose",
            "--database-url",
            &database.url().reveal(),
        ],
    )
    .output()
    .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    check("a broken query", &output, 0, &[]);
    for part in [
        "queries/t.sql:6 Broken is not audited: column \"nmae\" does not exist (SQLSTATE 42703)",
        "6 │        nmae",
        "GetT",
        "1 fine, 1 not audited",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let gates = pgproof(
        project.path(),
        &[
            "audit",
            "--fail-on",
            "warning",
            "--database-url",
            &database.url().reveal(),
        ],
    )
    .output()
    .unwrap();
    check("a broken query that fails the audit", &gates, 1, &[]);
}

#[test]
fn a_broken_migration_is_shown_at_its_line() {
    let broken = (
        "migrations/0002_more.sql",
        "ALTER TABLE t ADD COLUMN more int;\nCREATE INDEX ON t (moer);\n",
    );
    let project = project(&[
        ("pgproof.toml", CONFIG),
        ("queries/t.sql", QUERY),
        MIGRATION,
        broken,
    ]);
    let output = pgproof(project.path(), &["audit"])
        .env(
            "PGPROOF_PG_BIN",
            support::binaries_of(support::MAJOR).unwrap(),
        )
        .output()
        .unwrap();
    check(
        "a broken migration",
        &output,
        2,
        &[
            "migrations/0002_more.sql:2",
            "column \"moer\" does not exist",
        ],
    );
}
