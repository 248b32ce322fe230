//! `pgproof server` as it is typed, on a small project of its own.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::private::{self, eventually, postmaster};
use crate::support;

/// A project with one table; the server's account may enter it.
fn project() -> tempfile::TempDir {
    let project = private::bare_project();
    let write = |name: &str, text: &str| {
        let path = project.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "migrations/0001_t.sql",
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);\n",
    );
    write(
        "queries/t.sql",
        "-- name: GetT :one\nSELECT name FROM t WHERE id = $1;\n",
    );
    write("seeds/t.toml", "[tables.t]\nrows = 100\n");
    write(
        "pgproof.toml",
        "[server]\nversion = \"15\"\nsettings = { work_mem = \"5MB\" }\n",
    );
    project
}

fn pgproof(project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL");
    command.env(
        "PGPROOF_PG_BIN",
        support::binaries_of(support::MAJOR).unwrap(),
    );
    command
}

fn run(project: &Path, arguments: &[&str]) -> Output {
    pgproof(project, arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn it_starts_answers_stays_and_stops() {
    let project = project();
    let path = project.path();
    assert_eq!(
        printed(&run(path, &["server", "status"])),
        "no server yet; `pgproof server start` makes one\n"
    );
    let url = run(path, &["server", "url"]);
    assert_eq!(url.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&url.stderr).contains("the embedded server does not run"));

    // psql has a server of its own for as long as it runs.
    let query = [
        "server",
        "psql",
        "--",
        "-XAtc",
        "SELECT count(*), current_setting('work_mem') FROM t",
    ];
    assert_eq!(printed(&run(path, &query)), "100|5MB\n");
    eventually("the server ends with psql", Duration::from_secs(20), || {
        postmaster(path).is_none()
    });

    let started = printed(&run(path, &["server", "start"]));
    assert!(
        started.starts_with("PostgreSQL 15.") && started.ends_with(", database dev\n"),
        "{started}"
    );
    let pid = postmaster(path).expect("it stays");
    let url = printed(&run(path, &["server", "url"]));
    let psql = support::binaries_of(support::MAJOR).unwrap().join("psql");
    let delete = [
        url.trim(),
        "-XAtc",
        "DELETE FROM t WHERE id > 10; SELECT count(*) FROM t",
    ];
    assert!(printed(&Command::new(psql).args(delete).output().unwrap()).ends_with("10\n"));
    assert_eq!(postmaster(path), Some(pid));
    let status = printed(&run(path, &["server", "status"]));
    assert!(
        status.contains("until `pgproof server stop`") && status.contains("database dev, "),
        "{status}"
    );
    let password = url
        .split(':')
        .nth(2)
        .and_then(|rest| rest.split('@').next())
        .unwrap();
    assert!(
        !status.contains(password) && !started.contains(password),
        "only `url` shows the password"
    );
    // What was changed stays, until it is made anew.
    let count = ["server", "psql", "--", "-XAtc", "SELECT count(*) FROM t"];
    assert_eq!(printed(&run(path, &count)), "10\n");
    printed(&run(path, &["server", "start", "--fresh"]));
    assert_eq!(printed(&run(path, &count)), "100\n");

    assert_eq!(
        printed(&run(path, &["server", "stop"])),
        "PostgreSQL 15 is stopped\n"
    );
    assert_eq!(postmaster(path), None);
    assert_eq!(printed(&run(path, &["server", "stop"])), "no server runs\n");
}

#[test]
fn failures_have_their_exit_codes() {
    let project = project();
    let path = project.path();
    let failed = |output: Output, code: i32, text: &str| {
        // As if it were one line: long messages are broken and barred.
        let error = String::from_utf8_lossy(&output.stderr).replace("| ", " ");
        let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(text), "{error}");
    };
    let nowhere = pgproof(path, &["server", "start", "--offline"])
        .env("PGPROOF_PG_BIN", "/nowhere")
        .output()
        .unwrap();
    failed(nowhere, 3, "/nowhere holds no usable PostgreSQL");
    std::fs::write(
        path.join("pgproof.toml"),
        "[server]\nversion = \"15\"\nsettings = { wrok_mem = \"5MB\" }\n",
    )
    .unwrap();
    failed(
        run(path, &["server", "start"]),
        2,
        "unrecognized configuration parameter \"wrok_mem\"",
    );
    std::fs::write(path.join("pgproof.toml"), "").unwrap();
    std::fs::write(
        path.join("migrations/0001_t.sql"),
        "CREATE TABLE t (id bigint);\nCREATE INDEX ON t (nothing);\n",
    )
    .unwrap();
    let broken = run(path, &["server", "start"]);
    failed(broken, 2, "column \"nothing\" does not exist");
    assert_eq!(
        postmaster(path),
        None,
        "a start that failed leaves no server"
    );
}

#[test]
fn ctrl_c_while_it_works_leaves_nothing_behind() {
    let project = project();
    let path = project.path();
    std::fs::write(
        path.join("migrations/0002_slow.sql"),
        "SELECT pg_sleep(60);\n",
    )
    .unwrap();
    let mut child = pgproof(path, &["server", "start"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the server runs", Duration::from_secs(60), || {
        postmaster(path).is_some()
    });
    std::thread::sleep(Duration::from_secs(2));
    private::kill(i32::try_from(child.id()).unwrap(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    eventually("the server ends", Duration::from_secs(10), || {
        postmaster(path).is_none()
    });
}
