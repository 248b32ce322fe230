//! A database that pgproof did not start: `pgproof audit --database-url` leaves it as it was, by its dump.

// A process that cannot be started fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use crate::server::private::bare_project;
use crate::support::{self, TestDatabase};

const SCHEMA: &str = "
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
fn dump(database: &TestDatabase) -> String {
    let program = support::binaries_of(support::MAJOR)
        .unwrap()
        .join("pg_dump");
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
    let project = bare_project();
    std::fs::create_dir(project.path().join("queries")).unwrap();
    std::fs::write(project.path().join("queries/all.sql"), QUERIES).unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "queries = [\"queries/*.sql\"]\n",
    )
    .unwrap();
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

async fn seeded() -> TestDatabase {
    let database = support::database().await;
    database.execute(SCHEMA).await;
    database.execute("VACUUM ANALYZE").await;
    database
}

fn text(output: &Output) -> String {
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
