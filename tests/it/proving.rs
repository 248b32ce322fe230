//! Indexes tried on a database that pgproof did not start: built and rolled back (`--prove`), planned on hypothetical indexes where
//! HypoPG is, guessed by the statistics elsewhere. Each finding says which, and the database is as it was.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use pgproof::db::connect::{NEWEST_MAJOR, OLDEST_MAJOR};
use serde_json::Value;

use crate::support::{self, TestDatabase};
use crate::untouched::{SCHEMA, dump, project, seeded, text};

/// What the catalogs say of tables, indexes and statistics, files included.
async fn catalogs(database: &TestDatabase) -> String {
    let session = database.session().await;
    let sql = "SELECT concat_ws(';',
          (SELECT string_agg(concat_ws(' ', relname, relkind, relfilenode, relpages, reltuples, relallvisible, relhasindex), ',' ORDER BY oid)
           FROM pg_class WHERE relnamespace = 'public'::regnamespace),
          (SELECT string_agg(concat_ws(' ', indexrelid, indisvalid, indkey), ',' ORDER BY indexrelid) FROM pg_index WHERE indexrelid >= 16384),
          (SELECT md5(string_agg(s::text, ',' ORDER BY s::text)) FROM pg_stats s WHERE schemaname = 'public'),
          (SELECT count(*) FROM pg_prepared_statements))";
    let found = session.client().query_one(sql, &[]).await.unwrap().get(0);
    session.close().await;
    found
}

struct Audited {
    output: Output,
    report: Value,
}

impl Audited {
    fn of(database: &TestDatabase, arguments: &[&str]) -> Self {
        let project = project();
        let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
            .args([
                "audit",
                "--fail-on",
                "never",
                "--database-url",
                &database.url().reveal(),
            ])
            .args([
                "--format",
                "terminal",
                "--format",
                "json=report.json",
                "--format",
                "sql=fixes.sql",
            ])
            .args(arguments)
            .env_remove("DATABASE_URL")
            .current_dir(project.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let saved = std::fs::read(project.path().join("report.json")).unwrap();
        let mut report: Value = serde_json::from_slice(&saved).unwrap();
        let fixes = std::fs::read_to_string(project.path().join("fixes.sql")).unwrap();
        report["fixes"] = Value::String(fixes);
        Self { output, report }
    }

    fn index_for(&self, query: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        let found = findings
            .iter()
            .find(|finding| finding["rule"] == "missing-index" && finding["query"] == query);
        found.unwrap_or_else(|| panic!("{}", text(&self.output)))
    }

    fn fixes(&self) -> &str {
        self.report["fixes"].as_str().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_built_in_a_given_database_and_rolled_back() {
    for major in [OLDEST_MAJOR, NEWEST_MAJOR] {
        let Some(cluster) = support::cluster_of(major) else {
            continue;
        };
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(SCHEMA).await;
        database.execute("VACUUM ANALYZE").await;
        let before = (dump(&database), catalogs(&database).await);
        let audited = Audited::of(&database, &["--prove", "--yes"]);
        assert_eq!(dump(&database), before.0);
        assert_eq!(catalogs(&database).await, before.1);

        let said = text(&audited.output);
        let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "holds a SHARE lock",
            "customers (",
            "waits for its lock 1.00 s at most",
            "cancelled after",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        let proven = audited.index_for("FindCustomer");
        let proof = &proven["fix"]["proof"];
        let pages = |when: &str| proof[when]["blocks"].as_f64().unwrap();
        assert!(pages("after") * 10.0 < pages("before"), "{proof}");
        let how = proven["evidence"]["proof"].as_str().unwrap();
        assert!(how.starts_with("built in the database itself"), "{how}");
        let fixes = audited.fixes();
        assert!(fixes.contains("\nCREATE INDEX CONCURRENTLY"), "{fixes}");
    }
}

/// A write that waits for the lock is served after the rollback: nothing is held when the command has ended.
#[tokio::test(flavor = "multi_thread")]
async fn no_lock_is_held_afterwards() {
    let database = seeded().await;
    Audited::of(&database, &["--prove", "--yes"]);
    let session = database.session().await;
    let held: i64 = session
        .client()
        .query_one(
            "SELECT count(*) FROM pg_locks WHERE relation = 'customers'::regclass AND pid <> pg_backend_pid()",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    session.close().await;
    assert_eq!(held, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_locked_that_nobody_agreed_to() {
    let database = seeded().await;
    let audit = |arguments: &[&str]| {
        let project = project();
        Command::new(env!("CARGO_BIN_EXE_pgproof"))
            .arg("audit")
            .args(arguments)
            .env_remove("DATABASE_URL")
            .current_dir(project.path())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    };
    let url = database.url().reveal();
    let asked = audit(&["--prove", "--database-url", &url]);
    assert_eq!(asked.status.code(), Some(2), "{}", text(&asked));
    assert!(
        text(&asked).contains("nobody can be asked"),
        "{}",
        text(&asked)
    );
    let own = audit(&["--prove", "--yes"]);
    assert_eq!(own.status.code(), Some(2), "{}", text(&own));
    assert!(text(&own).contains("add --database-url"), "{}", text(&own));
}

/// What an event trigger does may outlive a rollback; and who does not own a table cannot index it.
#[tokio::test(flavor = "multi_thread")]
async fn what_forbids_building_is_named_and_nothing_is_built() {
    let database = seeded().await;
    database
        .execute(
            "CREATE SEQUENCE built;
             CREATE FUNCTION count_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''public.built''); END';
             CREATE EVENT TRIGGER counted ON ddl_command_end EXECUTE FUNCTION count_ddl();",
        )
        .await;
    let before = dump(&database);
    let audited = Audited::of(&database, &["--prove", "--yes"]);
    assert_eq!(dump(&database), before);
    let said = text(&audited.output);
    assert!(said.contains("event trigger counted"), "{said}");
    assert!(audited.index_for("FindCustomer")["fix"]["proof"].is_null());
    assert_eq!(
        audited.index_for("FindCustomer")["evidence"]["proof"],
        "not built"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guess_rests_on_the_statistics() {
    let database = seeded().await;
    let audited = Audited::of(&database, &[]);
    let guess = audited.index_for("FindCustomer");
    let message = guess["message"].as_str().unwrap();
    assert!(
        message.contains("by the statistics one value of its key has about 1 of 30,000 rows"),
        "{message}"
    );
    assert!(message.contains("nothing is proven"), "{message}");
    assert!(
        audited.fixes().contains("-- CREATE INDEX"),
        "{}",
        audited.fixes()
    );
}

/// Needs HypoPG beside PostgreSQL 15 (Debian: postgresql-15-hypopg).
#[tokio::test(flavor = "multi_thread")]
async fn where_hypopg_is_indexes_are_planned_and_nothing_is_built() {
    let database = seeded().await;
    let session = database.session().await;
    let created = session
        .client()
        .batch_execute("CREATE SCHEMA \"Tools\"; CREATE EXTENSION hypopg SCHEMA \"Tools\"")
        .await;
    session.close().await;
    assert!(
        created.is_ok(),
        "HypoPG is missing ({created:?}): apt-get install postgresql-15-hypopg, for the server in {}",
        database.cluster().binaries().display()
    );
    let before = (dump(&database), catalogs(&database).await);
    let audited = Audited::of(&database, &[]);
    assert_eq!(dump(&database), before.0);
    assert_eq!(catalogs(&database).await, before.1);
    let planned = audited.index_for("FindCustomer");
    assert!(planned["fix"]["proof"].is_null());
    assert_eq!(planned["severity"], "info");
    let how = planned["evidence"]["proof"].as_str().unwrap();
    assert!(how.starts_with("planned on a hypothetical index"), "{how}");
    let cost = |when: &str| planned["evidence"][when].as_f64().unwrap();
    assert!(cost("cost_after") * 10.0 < cost("cost_before"), "{planned}");
    let sql = planned["fix"]["sql"].as_str().unwrap();
    assert!(sql.ends_with("ON customers (email);"), "{sql}");
    assert!(
        audited.fixes().contains("-- CREATE INDEX"),
        "{}",
        audited.fixes()
    );
}
