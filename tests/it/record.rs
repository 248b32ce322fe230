//! `pgproof record`: what real clients send in both protocols becomes the catalog, and nothing stays behind.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use crate::server::private::bare_project;
use crate::support;

const SCHEMA: &str = "CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint NOT NULL, title text NOT NULL);\n\
     CREATE INDEX ON posts (author_id);\n";

fn project() -> tempfile::TempDir {
    let project = bare_project();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(project.path().join("migrations/1_posts.sql"), SCHEMA).unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "fail-on = \"never\"\n[server]\nversion = \"15\"\n[dataset]\ntarget-size = \"2MB\"\n",
    )
    .unwrap();
    project
}

fn pgproof(project: &Path, arguments: &[&str]) -> Output {
    let programs = support::binaries_of(support::MAJOR).unwrap();
    let path = format!(
        "{}:{}",
        programs.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A client that puts its values into the text (psql) and one that prepares its statements (pgbench); a database of its own, as
/// some test suites make one.
const SCRIPT: &str = r#"
set -e
for n in 1 2 3 4 5 6 7; do echo "SELECT title FROM posts WHERE author_id = $n ORDER BY 1;"; done | psql -q -o /dev/null
psql -q -o /dev/null "$DATABASE_URL" -c "BEGIN" -c "UPDATE posts SET title = 'b' WHERE id = 3" -c "COMMIT"
echo 'SELECT count(*) FROM posts WHERE id > :id;' > bench.sql
pgbench -n -M prepared -D id=5 -f bench.sql -t 20 -c 2 > /dev/null 2>&1
createdb suite
psql -q -d suite -o /dev/null -c "SELECT relname FROM pg_class"
"#;

#[test]
fn what_clients_send_in_both_protocols_is_the_catalog() {
    let project = project();
    let output = pgproof(project.path(), &["record", "--", "sh", "-c", SCRIPT]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = std::fs::read_to_string(project.path().join("queries/recorded.sql")).unwrap();
    for expected in [
        "SELECT title FROM posts WHERE author_id = $1 ORDER BY 1;",
        "UPDATE posts SET title = $1 WHERE id = $2;",
        "SELECT count(*) FROM posts WHERE id > $1;",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(
        !text.contains("BEGIN") && !text.contains("pg_class"),
        "{text}"
    );
    let shown = said(&output);
    for expected in [
        "3 queries",
        "     7 times  SELECT title",
        "dropped suite",
        "next: pgproof audit",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }

    let audited = pgproof(
        project.path(),
        &["audit", "queries/recorded.sql", "--format", "json"],
    );
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let report: serde_json::Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(report["summary"]["queries"], 3, "{}", said(&audited));
    assert_eq!(report["summary"]["not_audited"], 0, "{}", said(&audited));

    let again = pgproof(project.path(), &["record", "--", "true"]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
}

#[test]
fn a_command_that_fails_or_sends_nothing_says_so_and_keeps_what_was_sent() {
    let project = project();
    let failed = pgproof(
        project.path(),
        &[
            "record",
            "--out",
            "a.sql",
            "--",
            "sh",
            "-c",
            "psql -q -o /dev/null -c 'SELECT id FROM posts'; exit 7",
        ],
    );
    assert_eq!(failed.status.code(), Some(3), "{}", said(&failed));
    assert!(
        said(&failed).contains("the command ended with 7"),
        "{}",
        said(&failed)
    );
    assert!(project.path().join("a.sql").exists());
    let silent = pgproof(project.path(), &["record", "--out", "b.sql", "--", "true"]);
    assert_eq!(silent.status.code(), Some(0), "{}", said(&silent));
    assert!(said(&silent).contains("DATABASE_URL"), "{}", said(&silent));
    let missing = pgproof(
        project.path(),
        &["record", "--out", "c.sql", "--", "no-such-program"],
    );
    assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));
}
