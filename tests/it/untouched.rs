//! A database that pgproof did not start: `pgproof audit --database-url` leaves it as it was, by its dump.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use pgproof::db::connect::{NEWEST_MAJOR, OLDEST_MAJOR};

use crate::server::private::bare_project;
use crate::support::{self, TestDatabase};

pub(crate) const SCHEMA: &str = "
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL, note text);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, status text NOT NULL,
                     total integer NOT NULL);
CREATE TABLE changes (at timestamptz NOT NULL DEFAULT clock_timestamp(), what text NOT NULL);
CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO changes (what) VALUES (TG_OP); RETURN NULL; END';
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION log_change();
INSERT INTO customers (email, note) SELECT 'c' || i || '@example.com', repeat('x', 400) FROM generate_series(1, 30000) i;
INSERT INTO orders (customer_id, status, total) SELECT 1 + i % 30000, 'paid', i % 90 FROM generate_series(1, 60000) i;
DELETE FROM changes;
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY customer_id;
CREATE VIEW paid AS SELECT * FROM orders WHERE status = 'paid';
COMMENT ON TABLE orders IS 'somebody''s';
";

const QUERIES: &str = "
-- name: ListOrders :many
SELECT id, total FROM orders WHERE customer_id = $1;

-- name: FindCustomer :one
SELECT id, note FROM customers WHERE email = $1;

-- name: NewOrder :one
INSERT INTO orders (customer_id, status, total) VALUES ($1, $2, $3) RETURNING id;

-- name: PayOrders :exec
UPDATE orders SET status = 'paid' WHERE customer_id = $1;

-- name: RemoveOrder :exec
DELETE FROM orders WHERE id = $1;
";

/// Everything that a restore would bring back: schema, rows, the state of sequences; and what indexes there are.
pub(crate) fn dump(database: &TestDatabase) -> String {
    let program = database.cluster().binaries().join("pg_dump");
    let output = Command::new(program)
        .arg(database.url().reveal())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    // Newer releases guard the script by a random word.
    let guarded =
        |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    text.lines().filter(guarded).collect::<Vec<_>>().join("\n")
}

async fn statistics(database: &TestDatabase) -> String {
    let session = database.session().await;
    let sql =
        "SELECT string_agg(concat_ws(' ', relname, relkind, relpages, reltuples), ',' ORDER BY oid)
               FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let found = session.client().query_one(sql, &[]).await.unwrap().get(0);
    session.close().await;
    found
}

fn audit(database: &TestDatabase, arguments: &[&str]) -> Output {
    let project = project();
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(["audit", "--database-url", &database.url().reveal()])
        .args(arguments)
        .env_remove("DATABASE_URL")
        .current_dir(project.path())
        .output()
        .unwrap();
    // What `pgproof accept` needs to know of the last audit, and no server.
    let state = std::fs::read_dir(project.path().join(".pgproof")).unwrap();
    let mut left: Vec<_> = state.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".gitignore", "findings.json"]);
    output
}

pub(crate) async fn seeded() -> TestDatabase {
    let database = support::database().await;
    database.execute(SCHEMA).await;
    database.execute("VACUUM ANALYZE").await;
    database
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_database_is_left_as_it_was() {
    let database = seeded().await;
    let (dumped, numbers) = (dump(&database), statistics(&database).await);
    let output = audit(&database, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("FindCustomer"), "{}", text(&output));
    assert_eq!(dump(&database), dumped);
    assert_eq!(statistics(&database).await, numbers);
}

/// PostgreSQL never takes a sequence's numbers back, and to set one back beside other users would hand numbers out twice:
/// all else is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_were_allowed_are_rolled_back() {
    let database = seeded().await;
    let without_sequences = |dump: String| -> String {
        dump.lines()
            .filter(|line| !line.contains("pg_catalog.setval("))
            .fold(String::new(), |all, line| all + line + "\n")
    };
    let dumped = without_sequences(dump(&database));
    let output = audit(&database, &["--allow-writes"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let session = database.session().await;
    let drawn: i64 = session
        .client()
        .query_one("SELECT last_value FROM orders_id_seq", &[])
        .await
        .unwrap()
        .get(0);
    session.close().await;
    assert!(drawn > 60_000, "the INSERT was executed");
    assert_eq!(without_sequences(dump(&database)), dumped);
}

/// What a copy has to bring along: roles that privileges and policies name, a setting, an extension.
const MORE: &str = "
DO $$ BEGIN CREATE ROLE pgproof_test_reader NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT ON orders TO pgproof_test_reader;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_orders ON orders FOR SELECT TO pgproof_test_reader USING (customer_id = 1);
CREATE EXTENSION pg_trgm;
CREATE INDEX customers_note_trgm ON customers USING gin (note gin_trgm_ops);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''7MB''', current_database()); END $$;
";

/// A project with the catalog and nothing else.
pub(crate) fn project() -> tempfile::TempDir {
    let project = bare_project();
    std::fs::create_dir(project.path().join("queries")).unwrap();
    std::fs::write(project.path().join("queries/all.sql"), QUERIES).unwrap();
    let settings = "queries = [\"queries/*.sql\"]\n";
    std::fs::write(project.path().join("pgproof.toml"), settings).unwrap();
    project
}

/// The audit of a copy: the saved report, and what was printed.
fn audit_copy(database: &TestDatabase) -> (serde_json::Value, String) {
    const PASSWORD: &str = "Kr4ftwerk9copy";
    let project = project();
    // Trusted through the socket, whatever the password.
    let url = database.url().reveal();
    let url = url.replacen('@', &format!(":{PASSWORD}@"), 1);
    assert!(url.contains(PASSWORD), "{url}");
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(["audit", "--copy", "--verbose", "--database-url", &url])
        .args(["--format", "terminal", "--format", "json=report.json"])
        .env_remove("DATABASE_URL")
        .current_dir(project.path())
        .output()
        .unwrap();
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(!printed.contains(PASSWORD), "{printed}");
    let saved = std::fs::read(project.path().join("report.json")).unwrap();
    (serde_json::from_slice(&saved).unwrap(), printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_its_fixes_measured_and_the_original_is_only_read() {
    for major in [OLDEST_MAJOR, NEWEST_MAJOR] {
        let Some(cluster) = support::cluster_of(major) else {
            continue;
        };
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(SCHEMA).await;
        database.execute(MORE).await;
        database.execute("VACUUM ANALYZE").await;
        let (dumped, numbers) = (dump(&database), statistics(&database).await);
        let (report, printed) = audit_copy(&database);
        assert_eq!(dump(&database), dumped);
        assert_eq!(statistics(&database).await, numbers);

        assert!(printed.contains("a copy of pgproof_run_"), "{printed}");
        assert!(!printed.contains("could not be made"), "{printed}");
        let original = report["dataset"]["copy_of"].as_str().unwrap();
        assert!(original.starts_with("pgproof_run_"), "{original}");
        let version = report["server"]["version"].as_str().unwrap();
        assert!(version.starts_with(&major.to_string()), "{version}");
        assert_eq!(report["server"]["settings"]["work_mem"], "7MB");
        // Built and measured; of a given database it would be unproven.
        let findings = report["findings"].as_array().unwrap();
        let is_of = |found: &&serde_json::Value| {
            found["rule"] == "missing-index" && found["query"] == "FindCustomer"
        };
        let proven = findings.iter().find(is_of);
        let proven = proven.unwrap_or_else(|| panic!("{printed}"));
        assert!(!proven["fix"]["proof"].is_null(), "{proven}");
        // A write runs, too.
        let queries = report["queries"].as_array().unwrap();
        let inserting = queries.iter().find(|query| query["name"] == "NewOrder");
        let runs = inserting.unwrap()["runs"].to_string();
        assert!(runs.contains("Execution Time"), "{runs}");
    }
}

#[test]
fn a_copy_of_nothing_is_a_usage_error() {
    let project = project();
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(["audit", "--copy"])
        .env_remove("DATABASE_URL")
        .current_dir(project.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let help = "add --database-url";
    assert!(text(&output).contains(help), "{}", text(&output));
}
