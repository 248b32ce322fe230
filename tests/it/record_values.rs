//! Values of an application in what `pgproof record` writes: only where they are asked for, and nowhere where they are taken out.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::record::{command, of_rule, project, said};
use crate::support::recording::{self, LOOP_OVER_ROWS};

/// A loop over rows, a client that writes its values into the text, and one that binds them as text.
fn script() -> String {
    let others = r#"
echo "SELECT 1; UPDATE posts SET title = 'a new one' WHERE id = 3" | psql -q -o /dev/null
echo "SELECT count(*) FROM posts WHERE author_id > :low;" > bench.sql
pgbench -n -M prepared -D low=4321987654321 -f bench.sql -t 3 > /dev/null 2>&1
"#;
    format!("{LOOP_OVER_ROWS}{others}")
}

fn pgproof(project: &Path, ci: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = command(project, arguments);
    command.env_remove("CI");
    if let Some(ci) = ci {
        command.env("CI", ci);
    }
    command.output().unwrap()
}

fn record(project: &Path, flags: &[&str]) -> Value {
    let script = script();
    let arguments = [
        &[
            "record",
            "--force",
            "--format",
            "json",
            "--save",
            "run.recording",
        ],
        flags,
        &["--", "sh", "-ec", script.as_str()],
    ]
    .concat();
    let output = pgproof(project, None, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn trace(project: &Path, flags: &[&str]) -> Value {
    let arguments = [&["trace", "run.recording", "--format", "json"], flags].concat();
    let output = pgproof(project, None, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What both say of the same run.
fn assert_same(recorded: &Value, traced: &Value) {
    for key in ["executions", "statements"] {
        assert_eq!(recorded["traffic"][key], traced["traffic"][key], "{key}");
    }
    let loops = |report: &Value| -> Vec<(Value, Value)> {
        of_rule(report, "n-plus-one")
            .into_iter()
            .map(|found| {
                (
                    found["evidence"]["calls"].clone(),
                    found["evidence"]["values_matched"].clone(),
                )
            })
            .collect()
    };
    assert_eq!(loops(recorded).len(), 1, "{recorded:#}");
    assert_eq!(loops(recorded), loops(traced));
}

#[test]
fn values_are_kept_where_they_are_asked_for_and_are_the_catalogs_parameters() {
    let project = project();
    let recorded = record(project.path(), &["--keep-values"]);
    let text = recording::text_of(project.path());
    for value in ["nobody knows", "4321987654321", "a new one"] {
        assert!(text.contains(value), "{value}: {text}");
    }
    let catalog = || std::fs::read_to_string(project.path().join("queries/recorded.sql")).unwrap();
    let written = catalog();
    assert!(
        written.contains(
            "-- @param $1: '4321987654321'\nSELECT count(*) FROM posts WHERE author_id > $1;"
        ),
        "{written}"
    );
    assert!(
        written.contains("-- @param $1: 'a new one'\n-- @param $2: '3'\nUPDATE posts"),
        "{written}"
    );

    let again = [
        "--write-queries",
        "queries/recorded.sql",
        "--force",
        "--keep-values",
    ];
    assert_same(&recorded, &trace(project.path(), &again));
    assert_eq!(catalog(), written);
    let audited = pgproof(
        project.path(),
        None,
        &["audit", "queries/recorded.sql", "--format", "json"],
    );
    let report: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(report["summary"]["not_audited"], 0, "{}", said(&audited));
}

#[test]
fn hashes_alone_find_the_same_and_constants_can_be_taken_out() {
    let project = project();
    let recorded = record(project.path(), &["--redact"]);
    let text = recording::text_of(project.path());
    let catalog = std::fs::read_to_string(project.path().join("queries/recorded.sql")).unwrap();
    let shown = recorded.to_string();
    for value in ["nobody knows", "4321987654321", "a new one"] {
        for (place, written) in [("file", &text), ("catalog", &catalog), ("report", &shown)] {
            // The command itself is part of the report.
            let written = written.replace(&script().replace('\n', "\\n").replace('"', "\\\""), "");
            assert!(
                !written.contains(value),
                "{value} in the {place}: {written}"
            );
        }
    }
    assert!(catalog.contains("title = $1 AND $2 <> title"), "{catalog}");
    assert_same(&recorded, &trace(project.path(), &[]));
}

#[test]
fn in_ci_values_are_kept_only_where_that_is_said() {
    let project = tempfile::tempdir().unwrap();
    std::fs::write(
        project.path().join("server.log"),
        "2026-11-30 07:42:20.9 UTC [7] LOG:  duration: 1 ms  execute s: SELECT a FROM b WHERE c = $1\n\
         2026-11-30 07:42:20.9 UTC [7] DETAIL:  parameters: $1 = 'it''s'\n",
    )
    .unwrap();
    let run = |ci, keep| {
        let arguments = [
            "trace",
            "server.log",
            "--write-queries",
            "q.sql",
            "--force",
            keep,
        ];
        pgproof(project.path(), ci, &arguments)
    };
    let refused = run(Some("true"), "--keep-values");
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("--keep-values=anywhere"));
    assert!(!project.path().join("q.sql").exists());
    for (ci, keep) in [
        (Some("true"), "--keep-values=anywhere"),
        (Some("false"), "--keep-values"),
        (None, "--keep-values"),
    ] {
        let kept = run(ci, keep);
        assert_eq!(kept.status.code(), Some(0), "{}", said(&kept));
        let text = std::fs::read_to_string(project.path().join("q.sql")).unwrap();
        assert!(
            text.contains("-- @param $1: 'it''s'\nSELECT a FROM b WHERE c = $1;"),
            "{text}"
        );
        std::fs::remove_file(project.path().join("q.sql")).unwrap();
    }
}
