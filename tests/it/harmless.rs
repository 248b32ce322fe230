//! What others wrote reaches a terminal as text: names, values, query text, server messages, notices and file names with
//! sequences that would clear the screen, set the clipboard or turn the line around.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use crate::server::private::bare_project;
use crate::support;

/// Sets the clipboard, clears the screen, does both in eight bits, turns text around.
const ATTACK: &str = "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[2J\u{9b}2J\u{202e}\r";

/// The attack and all pieces of it that a terminal would obey.
fn obeyed(text: &str, colors: bool) -> Vec<String> {
    let without_colors = match colors {
        true => regex::Regex::new("\u{1b}\\[[0-9;]*m")
            .unwrap()
            .replace_all(text, "")
            .into_owned(),
        false => text.to_owned(),
    };
    let is_obeyed = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    without_colors
        .lines()
        .filter(|line| line.chars().any(|c| is_obeyed(&c)))
        .map(|line| format!("{line:?}"))
        .collect()
}

fn pgproof(project: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap()
}

fn check(what: &str, text: &[u8], colors: bool) {
    let text = String::from_utf8_lossy(text);
    assert_eq!(obeyed(&text, colors), Vec::<String>::new(), "{what}");
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_others_wrote_moves_a_terminal() {
    let database = support::database().await;
    let table = quoted(&format!("t{ATTACK}"));
    let column = quoted(&format!("c{ATTACK}"));
    database
        .execute(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, {column} text);
             INSERT INTO {table} SELECT i, 'v{ATTACK}' || i FROM generate_series(1, 20000) i;
             ANALYZE {table};
             CREATE FUNCTION fails(text) RETURNS int LANGUAGE plpgsql AS $$
             BEGIN RAISE NOTICE '{ATTACK}'; RAISE EXCEPTION '% {ATTACK}', $1 USING HINT = '{ATTACK}', DETAIL = '{ATTACK}'; END $$;"
        ))
        .await;
    let project = bare_project();
    let root = project.path();
    std::fs::create_dir(root.join("queries")).unwrap();
    std::fs::write(root.join("pgproof.toml"), "queries = [\"queries/*.sql\"]\n").unwrap();
    let catalog = format!(
        "-- name: Find :many\nSELECT * FROM {table} WHERE {column} = $1 AND {column} <> 'x{ATTACK}';\n\
         -- name: Literal :many\nSELECT * FROM {table} WHERE {column} LIKE '%{ATTACK}';\n\
         -- name: Fails :one\nSELECT fails('{ATTACK}');\n\
         -- name: Missing :one\nSELECT {} FROM {table};\n\
         -- name: Unread :one\nSELECT FROM FROM '{ATTACK}';\n\
         -- name: Near :one\n-- @parm {ATTACK}\nSELECT 1;\n",
        quoted(&format!("nothing{ATTACK}"))
    );
    std::fs::write(root.join(format!("queries/a{ATTACK}.sql")), catalog).unwrap();
    let url = database.url().reveal();
    let audit = |more: &[&str]| {
        let mut arguments = vec!["audit", "--verbose", "--runs", "1", "--database-url", &url];
        arguments.extend(more);
        pgproof(root, &arguments)
    };

    let plain = audit(&[
        "--format",
        "json=r.json",
        "--format",
        "markdown=r.md",
        "--format",
        "terminal=r.txt",
    ]);
    check("standard output", &plain.stdout, false);
    check("standard error", &plain.stderr, false);
    for file in ["r.json", "r.md", "r.txt"] {
        check(file, &std::fs::read(root.join(file)).unwrap(), false);
    }
    let shown = String::from_utf8_lossy(&plain.stdout);
    assert!(
        shown.contains("\\x1b]52;c;ZXZpbA==\\x07\\x1b[2J\\u{9b}2J\\u{202e}"),
        "{shown}"
    );
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("r.json")).unwrap()).unwrap();
    assert!(
        json["queries"][0]["sql"]
            .as_str()
            .unwrap()
            .contains(ATTACK.trim_end()),
        "JSON says the same in its own escapes"
    );

    let colored = audit(&["--color", "always"]);
    check("colours", &colored.stdout, true);
    check("colours, standard error", &colored.stderr, true);
    assert!(String::from_utf8_lossy(&colored.stdout).contains("\u{1b}["));
    for name in ["Find", "Literal", "Fails", "Missing", "Unread", "Near"] {
        let explained = pgproof(root, &["explain", name, "--database-url", &url]);
        check(name, &explained.stdout, false);
        check(name, &explained.stderr, false);
    }
    let strict = audit(&["--strict"]);
    assert_eq!(strict.status.code(), Some(2));
    check("mistakes in files", &strict.stderr, false);
    for arguments in [
        ["audit", ATTACK],
        ["explain", ATTACK],
        ["rules", ATTACK],
        [ATTACK, ATTACK],
    ] {
        let refused = pgproof(root, &arguments);
        check("what was typed", &refused.stderr, false);
        check("what was typed", &refused.stdout, false);
    }
}

#[test]
fn a_plan_from_elsewhere_is_only_text() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/report/plans/orders_by_status.json");
    let mut plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    poison(&mut plan);
    let project = bare_project();
    std::fs::write(project.path().join("plan.json"), plan.to_string()).unwrap();
    let explained = pgproof(project.path(), &["explain", "plan.json"]);
    check("a plan", &explained.stdout, false);
    check("a plan", &explained.stderr, false);
}

/// Names and conditions with the attack in them.
fn poison(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Array(values) => values.iter_mut().for_each(poison),
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                let is_free = key.contains("Name")
                    || key.contains("Cond")
                    || key.contains("Filter")
                    || key == "Alias";
                match value {
                    serde_json::Value::String(text) if is_free => text.push_str(ATTACK),
                    other => poison(other),
                }
            }
        }
        _ => {}
    }
}
