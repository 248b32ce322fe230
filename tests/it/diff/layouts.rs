//! Each layout: recognized, split, ordered, and run for real, up and down, to one and the same schema.

use std::path::Path;

use pgproof::db::migrate::apply;
use pgproof::db::migration_observer::{inspect, inspect_script};
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{History, Layout, MigrationsError, TransactionRule, Tree, history};
use pgproof::progress::Progress;
use pgproof::source::Source;

use crate::support;

fn read(folder: &str) -> History {
    history(&tree(folder), None).unwrap_or_else(|error| panic!("{folder}: {error}"))
}

fn tree(folder: &str) -> Tree {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/diff/layouts");
    let mut tree = Tree::read(&project, Path::new(folder)).unwrap();
    // This crate's own Cargo.toml lies above every example.
    tree.cargo_project = folder == "refinery";
    tree
}

#[test]
fn every_layout_is_recognized_and_says_by_what() {
    let seen: Vec<String> = [
        "sqlx",
        "golang-migrate",
        "diesel",
        "goose",
        "refinery",
        "flyway",
        "dbmate",
        "prisma",
        "atlas",
        "drizzle",
        "hasura",
        "supabase/migrations",
        "tern",
        "liquibase",
        "schema.sql",
    ]
    .iter()
    .map(|folder| {
        let history = read(folder);
        let versions: Vec<String> = history
            .migrations
            .iter()
            .map(|m| {
                let rule = match m.up.transaction {
                    TransactionRule::File => "t",
                    TransactionRule::Message => "m",
                    TransactionRule::Statement => "s",
                };
                let down = if m.down.is_some() { "↓" } else { "" };
                format!("{}:{}{rule}{down}", m.version, m.up.statements.len())
            })
            .collect();
        format!(
            "{} ({}): {}",
            history.layout,
            history.because,
            versions.join(" ")
        )
    })
    .collect();
    insta::assert_snapshot!(seen.join("\n"));
}

/// What every example ends in, whichever tool wrote it.
const SCHEMA: &str = "SELECT string_agg(line, E'\n' ORDER BY line) FROM (
    SELECT format('%s.%s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod)) AS line
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f')
    UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal) lines";

#[tokio::test(flavor = "multi_thread")]
async fn every_layout_runs_to_the_same_schema_and_back() {
    let mut schemas = Vec::new();
    for folder in [
        "sqlx",
        "golang-migrate",
        "diesel",
        "goose",
        "refinery",
        "flyway",
        "dbmate",
        "prisma",
        "atlas",
        "drizzle",
        "hasura",
        "supabase/migrations",
        "tern",
        "liquibase",
        "schema.sql",
    ] {
        let history = read(folder);
        let database = support::database().await;
        let observed = inspect(database.url(), &history.migrations, &Interrupt::new())
            .await
            .unwrap_or_else(|error| panic!("{folder}: {error}"));
        let statements: usize = history
            .migrations
            .iter()
            .map(|m| m.up.statements.len())
            .sum();
        assert_eq!(observed.len(), statements, "{folder}");
        let session = database.session().await;
        let schema: String = session
            .client()
            .query_one(SCHEMA, &[])
            .await
            .unwrap()
            .get(0);
        schemas.push((folder, schema));
        let reversible = history.migrations.iter().all(|m| m.down.is_some());
        assert_eq!(
            reversible,
            matches!(
                folder,
                "golang-migrate" | "diesel" | "goose" | "dbmate" | "tern"
            ),
            "{folder}"
        );
        if reversible {
            for migration in history.migrations.iter().rev() {
                let down = migration.down.as_ref().unwrap();
                inspect_script(database.url(), &migration.version, down, &Interrupt::new())
                    .await
                    .unwrap_or_else(|error| panic!("{folder} down: {error}"));
            }
            let left: Option<String> = session
                .client()
                .query_one(SCHEMA, &[])
                .await
                .unwrap()
                .get(0);
            assert_eq!(left, None, "{folder}");
        }
    }
    let (_, first) = &schemas[0];
    assert!(first.contains("posts_user_id_idx"), "{first}");
    for (folder, schema) in &schemas {
        assert_eq!(schema, first, "{folder}");
    }
}

#[test]
fn a_directory_that_yields_nothing_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let empty = |layout| {
        history(
            &Tree::read(directory.path(), Path::new(".")).unwrap(),
            layout,
        )
        .unwrap_err()
        .to_string()
    };
    assert!(
        empty(None).contains("it has no .sql file"),
        "{}",
        empty(None)
    );
    std::fs::write(directory.path().join("readme.sql"), "SELECT 1;").unwrap();
    assert!(
        empty(None).contains("it has readme.sql; set migrations"),
        "{}",
        empty(None)
    );
    assert!(
        empty(Some(Layout::Diesel)).contains("no file fits the diesel layout"),
        "{}",
        empty(Some(Layout::Diesel))
    );
    let missing = Tree::read(directory.path(), Path::new("nowhere")).unwrap_err();
    assert!(
        matches!(missing, MigrationsError::Unreadable { .. }),
        "{missing}"
    );
}

#[test]
fn versions_that_are_there_twice_or_not_at_all_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["1_a.sql", "01_b.sql", "2_c.sql"] {
        std::fs::write(directory.path().join(name), "SELECT 1;").unwrap();
    }
    let mut tree = Tree::read(directory.path(), Path::new(".")).unwrap();
    // Where no tool's rules are known they are in the order of their names.
    let names = |tree: &Tree| {
        let migrations = history(tree, None).unwrap().migrations;
        migrations
            .into_iter()
            .map(|one| one.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&tree), ["b", "a", "c"]);
    // A mark of such a program's library.
    let marked = "-- postgres-migrations disable-transaction\nSELECT 1;";
    tree.files[2] = Source::new(tree.files[2].path.clone(), marked);
    let migrations = history(&tree, None).unwrap().migrations;
    let rules: Vec<_> = migrations.iter().map(|one| one.up.transaction).collect();
    let (file, alone) = (TransactionRule::File, TransactionRule::Statement);
    assert_eq!(rules, [file, file, alone]);
    tree.cargo_project = true;
    let error = history(&tree, None).unwrap_err().to_string();
    assert!(error.contains("two migrations have version"), "{error}");
    std::fs::remove_file(directory.path().join("01_b.sql")).unwrap();
    let tree = Tree::read(directory.path(), Path::new(".")).unwrap();
    let found = history(&tree, None).unwrap();
    assert_eq!(found.position("0002", &tree.root).unwrap(), 2);
    assert_eq!(
        found.position("7", &tree.root).unwrap_err().to_string(),
        "there is no migration \"7\" in .; the versions are 1, 2"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_statement_is_named_with_what_it_leaves() {
    let run = async |layout: Layout, name: &str, sql: &str| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(name), sql).unwrap();
        let found = history(
            &Tree::read(directory.path(), Path::new(".")).unwrap(),
            Some(layout),
        )
        .unwrap();
        let database = support::database().await;
        let failed = inspect(database.url(), &found.migrations, &Interrupt::new()).await;
        failed.unwrap_err().to_string()
    };
    let sql = "CREATE TABLE a (id int);\n\nALTER TABLE b\n  ADD x int;";
    let error = run(Layout::Sqlx, "1_a.sql", sql).await;
    assert!(
        error.contains("1_a.sql:3: relation \"b\" does not exist"),
        "{error}"
    );
    assert!(
        error.contains("the copy is as it was before this file"),
        "{error}"
    );
    let sql = "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE a AS SELECT 1 AS id FROM generate_series(1, 2);\nCREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);";
    let error = run(Layout::Goose, "1_a.sql", sql).await;
    assert!(
        error.contains("1_a.sql:4: could not create unique index \"a_id\""),
        "{error}"
    );
    assert!(
        error.contains(
            "the statement of the file before it is committed; it leaves the invalid index a_id"
        ),
        "{error}"
    );
    // Two statements in one message are one transaction: golang-migrate fails so in production too.
    let sql = "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY ON a (id);";
    let error = run(Layout::GolangMigrate, "1_a.up.sql", sql).await;
    assert!(
        error.contains(
            "1_a.up.sql:2: CREATE INDEX CONCURRENTLY cannot run inside a transaction block"
        ),
        "{error}"
    );
}

/// A guard on the tool's own table, which the tool makes before the first migration.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_may_name_the_table_of_its_tool() {
    const DIESEL: &str = "__diesel_schema_migrations";
    let tools = [
        (Layout::Diesel, "m/1_a/up.sql", DIESEL),
        (Layout::GolangMigrate, "m/1_a.up.sql", "schema_migrations"),
        (Layout::Goose, "m/1_a.sql", "goose_db_version"),
        (Layout::Dbmate, "m/1_a.sql", "schema_migrations"),
        (Layout::Refinery, "m/V1__a.sql", "refinery_schema_history"),
        (Layout::Flyway, "m/V1__a.sql", "flyway_schema_history"),
        (Layout::Prisma, "m/1_a/migration.sql", "_prisma_migrations"),
    ];
    for (layout, path, table) in tools {
        let head = match layout {
            Layout::Goose => "-- +goose Up\n",
            Layout::Dbmate => "-- migrate:up\n",
            _ => "",
        };
        let text = format!("{head}REVOKE ALL ON {table} FROM PUBLIC;\nCREATE TABLE a (id int);\n");
        let tree = Tree::new(
            Path::new("m"),
            false,
            vec![Source::new(path, text)],
            false,
            false,
        );
        let history = history(&tree, Some(layout)).unwrap_or_else(|error| panic!("{error}"));
        let database = support::database().await;
        apply(
            database.url(),
            &history,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await
        .unwrap_or_else(|error| panic!("{layout}: {error}"));
    }
}
