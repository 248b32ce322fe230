//! The binary as a shell sees it: exit codes, which stream gets what, passwords, closed pipes.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output, Stdio};

fn pgproof(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("NO_COLOR", "1")
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [["--help"], ["-h"], ["--version"]] {
        let output = pgproof(&arguments);
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new())
        );
        assert!(text(&output.stdout).contains("pgproof"));
    }
    let version = text(&pgproof(&["--version"]).stdout);
    assert_eq!(version, format!("pgproof {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_told_on_standard_error_without_passwords() {
    let cases: [&[&str]; 4] = [
        &["postgres://ann:s3cret@db/shop"],
        &["--database-url"],
        &["--databaseurl=postgres://ann:s3cret@db/shop"],
        &["--color", "postgres://ann:s3cret@db/shop", "x"],
    ];
    for arguments in cases {
        let output = pgproof(arguments);
        let told = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(2), String::new()),
            "{arguments:?}"
        );
        assert!(
            told.starts_with("error: ") && !told.contains("s3cret"),
            "{told}"
        );
    }
}

#[test]
fn an_unknown_option_of_record_is_not_taken_for_its_command() {
    let output = pgproof(&["record", "--write-query", "q.sql", "--", "pytest"]);
    let reported = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{reported}");
    assert!(reported.contains("--write-queries"), "{reported}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}
