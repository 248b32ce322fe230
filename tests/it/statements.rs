//! pg_stat_statements as the catalog: on 14 and 18, what a server collected is imported, and read in place.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use pgproof::db::connect::{DatabaseUrl, Session};
use pgproof::db::server::{Cluster, ClusterOptions};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;

use crate::server::private::bare_project;
use crate::support;

const SCHEMA: &str = "CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, joined timestamptz NOT NULL);\n\
     CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, placed date NOT NULL, \
     total numeric NOT NULL);\n";

/// What an application sends: constants where its driver puts them, types before constants, a header of sqlc's.
const SENT: [&str; 7] = [
    "SELECT id, total FROM orders WHERE customer_id = 7 ORDER BY placed DESC LIMIT 20",
    "SELECT count(*) FROM customers WHERE joined > now() - interval '30 days'",
    "SELECT sum(total) FROM orders WHERE placed >= DATE '2026-01-31' AND extract(month FROM placed) = 3",
    "-- name: GetCustomer :one\nSELECT name FROM customers WHERE id = 5",
    "UPDATE orders SET total = 1 WHERE id = 3",
    "SELECT relname FROM pg_class WHERE relname = 'orders'",
    "CREATE ROLE somebody PASSWORD 'hunter2'",
];

async fn cluster(major: u32, project: &std::path::Path) -> Cluster {
    let options = ClusterOptions {
        directory: project.join(".asked"),
        major: Some(major),
        binaries: support::binaries_of(major),
        settings: vec![(
            "shared_preload_libraries".to_owned(),
            "pg_stat_statements".to_owned(),
        )],
        offline: true,
    };
    Cluster::start(&options, &Progress::default(), &Interrupt::new())
        .await
        .unwrap()
}

async fn execute(url: &DatabaseUrl, statements: &[&str]) {
    let session = Session::open(url, &Interrupt::new()).await.unwrap();
    for sql in statements {
        session.client().batch_execute(sql).await.unwrap();
    }
    session.close().await;
}

fn pgproof(project: &std::path::Path, url: Option<(&str, &str)>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .env("NO_COLOR", "1");
    if let Some((name, url)) = url {
        command.env(name, url);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_was_asked_is_the_catalog_on_14() {
    what_a_server_was_asked_is_the_catalog(14).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_was_asked_is_the_catalog_on_18() {
    what_a_server_was_asked_is_the_catalog(18).await;
}

async fn what_a_server_was_asked_is_the_catalog(major: u32) {
    let project = bare_project();
    let cluster = cluster(major, project.path()).await;
    let url = cluster.url("postgres");
    execute(&url, &[SCHEMA, "CREATE EXTENSION pg_stat_statements"]).await;
    execute(&url, &SENT).await;
    let shown = url.reveal();

    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(project.path().join("migrations/1_shop.sql"), SCHEMA).unwrap();
    let import = ["import", "pg_stat_statements", "--database-url", &shown];
    let imported = pgproof(project.path(), None, &import);
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    let file = project.path().join("queries/pg_stat_statements.sql");
    let text = std::fs::read_to_string(&file).unwrap();
    for expected in ["$1::interval", "$1::date", "-- @calls "] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for secret in ["hunter2", "pg_class"] {
        assert!(
            !text.contains(secret) && !said(&imported).contains(secret),
            "{text}"
        );
    }
    let again = pgproof(project.path(), None, &import);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    assert!(said(&again).contains("--force"), "{}", said(&again));

    // Read in place: production's statements on the seeded dataset.
    std::fs::write(
        project.path().join("pgproof.toml"),
        format!(
            "queries = [{{ statements = \"$ASKED_URL\" }}]\nfail-on = \"never\"\n[server]\nversion = \"{major}\"\n\
             [dataset]\ntarget-size = \"4MB\"\n"
        ),
    )
    .unwrap();
    let unset = pgproof(project.path(), None, &["audit"]);
    assert_eq!(unset.status.code(), Some(2), "{}", said(&unset));
    assert!(said(&unset).contains("ASKED_URL"), "{}", said(&unset));
    let audited = pgproof(
        project.path(),
        Some(("ASKED_URL", &shown)),
        &["audit", "--format", "json"],
    );
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let report: serde_json::Value = serde_json::from_slice(&audited.stdout).unwrap();
    let queries = report["queries"].as_array().unwrap();
    let runs: Vec<(String, bool)> = queries
        .iter()
        .map(|query| {
            (
                query["name"].as_str().unwrap().to_owned(),
                query["failure"].is_null(),
            )
        })
        .collect();
    assert!(
        runs.len() >= 5 && runs.iter().all(|(_, ran)| *ran),
        "{runs:?} {}",
        said(&audited)
    );
    let left_out = report["not_audited"].to_string();
    assert!(left_out.contains("utility statements"), "{left_out}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_view_says_how_to_get_it() {
    let database = support::database().await;
    let project = bare_project();
    let url = database.url().reveal();
    let output = pgproof(
        project.path(),
        None,
        &["import", "pg_stat_statements", "--database-url", &url],
    );
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("CREATE EXTENSION pg_stat_statements"),
        "{}",
        said(&output)
    );
}

#[test]
fn an_export_is_read_in_place_with_its_lines() {
    let project = bare_project();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(project.path().join("migrations/1_shop.sql"), SCHEMA).unwrap();
    std::fs::write(
        project.path().join("asked.csv"),
        "query,calls,total_exec_time\n\"SELECT id\nFROM orders WHERE customer_id = $1\",604800,12.5\nBEGIN,9,1\n\"SELECT FROM WHERE\",1,1\n",
    )
    .unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "queries = [{ statements = \"asked.csv\", period = \"7d\" }]\nfail-on = \"never\"\n[server]\nversion = \"15\"\n\
         [dataset]\ntarget-size = \"4MB\"\n",
    )
    .unwrap();
    let audited = pgproof(project.path(), None, &["audit", "--format", "json"]);
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let report: serde_json::Value = serde_json::from_slice(&audited.stdout).unwrap();
    let query = &report["queries"][0];
    assert_eq!(query["line"], 2, "{query}");
    assert_eq!(query["file"], "asked.csv");
    let not_audited = report["not_audited"].to_string();
    assert!(not_audited.contains("syntax error"), "{not_audited}");
    assert!(
        not_audited.contains("1 utility statements"),
        "{not_audited}"
    );
}
