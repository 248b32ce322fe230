//! Migrations on a real server: applied once, failures placed in their files.

use std::path::Path;

use pgproof::db::migrate::{self, MigrateError};
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{History, Tree, history};
use pgproof::progress::Progress;

use crate::support::{self, TestDatabase};

fn directory_of(files: &[(&str, &str)]) -> (tempfile::TempDir, History) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let read = read(directory.path());
    (directory, read)
}

fn read(directory: &Path) -> History {
    history(&Tree::read(directory, directory).unwrap(), None).unwrap()
}

async fn apply(database: &TestDatabase, history: &History) -> Result<Vec<String>, MigrateError> {
    migrate::apply(
        database.url(),
        history,
        &Progress::default(),
        &Interrupt::new(),
    )
    .await
    .map(|applied| applied.versions)
}

#[tokio::test]
async fn the_samples_migrations_are_applied_once() {
    let database = support::database().await;
    let sample = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"));
    assert_eq!(
        apply(&database, &sample).await.unwrap().len(),
        sample.migrations.len()
    );
    let recorded = database
        .count("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .await;
    assert_eq!(usize::try_from(recorded).unwrap(), sample.migrations.len());
    assert_eq!(
        apply(&database, &sample).await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_failing_statement_is_shown_in_its_file() {
    let good = "CREATE TABLE t (n int NOT NULL);\nINSERT INTO t VALUES (1);\n";
    let cases = [
        // A mistake in the text has a place.
        (
            "-- ünïcode\nSELECT 1;\nCREATE INDEX i ON t (missing);\n",
            3,
            "column \"missing\" does not exist",
            "CREATE INDEX i ON t (missing)",
        ),
        (
            "SELECT 1;\n\nSELEC 2;\n",
            3,
            "syntax error at or near \"SELEC\"",
            "SELEC",
        ),
        // A failure of the data has none, and is found all the same.
        (
            "SELECT 1;\n-- why\nALTER TABLE t\n  ADD CHECK (n > 5);\n",
            3,
            "is violated by some row",
            "ALTER TABLE t\n  ADD CHECK (n > 5)",
        ),
    ];
    for (bad, line, message, span) in cases {
        for layout in ["sqlx", "diesel"] {
            let (first, second) = if layout == "sqlx" {
                ("0001_t.sql", "0002_bad.sql")
            } else {
                ("2025-01-01-000001_t/up.sql", "2025-01-01-000002_bad/up.sql")
            };
            let (_directory, history) = directory_of(&[(first, good), (second, bad)]);
            assert_eq!(history.layout.as_str(), layout);
            let database = support::database().await;
            let error = apply(&database, &history).await.unwrap_err();
            assert!(error.is_configuration());
            let MigrateError::Statement(error) = error else {
                panic!("{error:?}")
            };
            assert!(error.message.contains(message), "{layout}: {error}");
            assert_eq!(error.line(), line, "{layout}: {error}");
            assert!(
                error.source_file.path.ends_with(second),
                "{layout}: {error}"
            );
            let at = &error.source_file.text[error.span.clone()];
            assert!(
                at.starts_with(span) || span.starts_with(at),
                "{layout}: {at}"
            );
            assert_eq!(
                database.count("SELECT count(*) FROM t").await,
                1,
                "{layout}: the first one stays"
            );
        }
    }
}

#[tokio::test]
async fn indexes_are_built_concurrently_where_a_file_says_so() {
    let (_directory, history) = directory_of(&[
        ("0001_t.sql", "CREATE TABLE t (n int);"),
        (
            "0002_i.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (n);",
        ),
    ]);
    let database = support::database().await;
    assert_eq!(apply(&database, &history).await.unwrap(), ["0001", "0002"]);
    assert_eq!(
        database
            .count("SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = 'i'::regclass")
            .await,
        1
    );
}

#[tokio::test]
async fn a_history_that_was_changed_afterwards_is_refused() {
    let (_one, before) = directory_of(&[("0001_t.sql", "CREATE TABLE t (n int);")]);
    let (_two, after) = directory_of(&[("0001_t.sql", "CREATE TABLE t (n bigint);")]);
    let database = support::database().await;
    apply(&database, &before).await.unwrap();
    let error = apply(&database, &after).await.unwrap_err();
    assert!(error.is_configuration());
    assert!(
        error
            .to_string()
            .contains("migration 1 was previously applied but has been modified"),
        "{error}"
    );
}

/// As `pg_dump` begins its scripts, and whoever made a first migration of one.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_path_that_a_migration_leaves_holds_for_the_next() {
    let database = support::database().await;
    let (_directory, history) = directory_of(&[
        (
            "0001_dump.sql",
            "SET search_path TO pg_catalog, public;\nCREATE SCHEMA shop;\nCREATE TABLE shop.crates (id int PRIMARY KEY);\n",
        ),
        (
            "0002_lids.sql",
            "CREATE TABLE public.lids (crate int REFERENCES shop.crates);\n",
        ),
    ]);
    assert_eq!(apply(&database, &history).await.unwrap(), ["0001", "0002"]);
    assert_eq!(
        apply(&database, &history).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(
        database
            .count("SELECT count(*) FROM public._sqlx_migrations")
            .await,
        2
    );
}
