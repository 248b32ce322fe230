//! Two major versions: planted differences between 15 and 18 are found and laid to the feature that makes them, and a version has
//! none beside itself.

use std::process::{Command, Stdio};

use crate::support;

const MIGRATION: &str = "
CREATE TABLE customers (id int PRIMARY KEY, region int NOT NULL, name text NOT NULL);
CREATE TABLE orders (
  id int PRIMARY KEY, customer_id int NOT NULL, channel int NOT NULL, status text NOT NULL, placed date NOT NULL, total int NOT NULL, note text
);
CREATE TABLE items (order_id int NOT NULL, line int NOT NULL, product int NOT NULL, amount int NOT NULL, PRIMARY KEY (order_id, line));
INSERT INTO customers SELECT g, g % 10, 'customer ' || g FROM generate_series(1, 5000) g;
INSERT INTO orders SELECT g, 1 + (g * 31) % 5000, g % 4, (ARRAY['new', 'paid', 'done'])[1 + g % 3], date '2024-01-01' + g / 300,
  (g * 37) % 1000, CASE WHEN g % 5 > 0 THEN 'note ' || g END FROM generate_series(1, 100000) g;
INSERT INTO items SELECT 1 + g / 3, g % 3, (g * 13) % 500, g % 9 FROM generate_series(0, 299999) g;
CREATE INDEX orders_channel_customer ON orders (channel, customer_id);
CREATE INDEX orders_placed ON orders (placed);
CREATE INDEX orders_total ON orders (total);
CREATE INDEX items_product ON items (product);
";

/// A name, the statement, and a word of the feature that makes its plan another one on 18.
const PLANTED: [(&str, &str, &str); 12] = [
    (
        "SkipScan",
        "SELECT * FROM orders WHERE customer_id = 77",
        "skip scan",
    ),
    (
        "SelfJoin",
        "SELECT a.id, b.total FROM orders a JOIN orders b ON a.id = b.id WHERE a.placed = '2024-03-01'",
        "enable_self_join_elimination",
    ),
    (
        "OrOfKey",
        "SELECT id, total FROM orders WHERE id = 5 OR id = 70 OR id = 9000 OR id = 12",
        "OR of one column",
    ),
    (
        "InValues",
        "SELECT * FROM orders WHERE id IN (VALUES (1), (2), (3))",
        "VALUES",
    ),
    (
        "DistinctInOrder",
        "SELECT DISTINCT customer_id, channel FROM orders LIMIT 20",
        "enable_distinct_reordering",
    ),
    (
        "SortedAggregate",
        "SELECT customer_id, string_agg(note, ',' ORDER BY placed) FROM orders WHERE channel = 1 GROUP BY customer_id",
        "enable_presorted_aggregate",
    ),
    (
        "NeverNull",
        "SELECT count(*) FROM orders WHERE total IS NOT NULL AND status IS NOT NULL",
        "NOT NULL column",
    ),
    (
        "AlwaysNull",
        "SELECT id FROM orders WHERE total IS NULL",
        "NOT NULL column",
    ),
    (
        "MergedUnion",
        "SELECT customer_id FROM orders WHERE channel = 1 UNION SELECT customer_id FROM orders WHERE channel = 2",
        "UNION",
    ),
    (
        "CorrelatedIn",
        "SELECT c.id FROM customers c WHERE c.id IN (SELECT o.customer_id FROM orders o WHERE o.channel = c.region)",
        "correlated IN",
    ),
    (
        "FullJoin",
        "SELECT count(*) FROM orders o FULL JOIN items i ON i.order_id = o.id",
        "in parallel",
    ),
    (
        "OneStatus",
        "SELECT DISTINCT status FROM orders WHERE status = 'new'",
        "DISTINCT of columns that are constant",
    ),
];

const STEADY: &str = "
-- name: ById :one
SELECT * FROM orders WHERE id = 1000;
-- name: OfDay :many
SELECT * FROM orders WHERE placed = '2024-05-01';
-- name: LineOfOrder :many
SELECT * FROM items WHERE order_id = 5 AND line = 1;
-- name: Customers :many
SELECT * FROM customers WHERE id < 20;
";

fn project() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let mut queries = STEADY.to_owned();
    for (name, sql, _) in PLANTED {
        queries.push_str(&format!("-- name: {name} :many\n{sql};\n"));
    }
    write(
        "pgproof.toml",
        "migrations = \"migrations\"\nqueries = [\"queries/*.sql\"]\nseeds = [\"seeds/*.toml\"]\n[server]\nsettings = { jit = \"off\" }\n",
    );
    write("migrations/0001_shop.sql", MIGRATION);
    write("queries/shop.sql", &queries);
    let kept =
        ["customers", "orders", "items"].map(|table| format!("[tables.{table}]\nkeep = true\n"));
    write("seeds/shop.toml", &kept.concat());
    directory
}

fn compared(directory: &tempfile::TempDir, majors: [&str; 2]) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args([
            "diff",
            "--server",
            majors[0],
            "--server",
            majors[1],
            "--format",
            "json",
            "--fail-on",
            "never",
        ])
        .current_dir(directory.path())
        .env_remove("DATABASE_URL")
        .env_remove("PGPROOF_PG_BIN")
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn queries(report: &serde_json::Value) -> Vec<serde_json::Value> {
    report["queries"].as_array().unwrap().clone()
}

#[test]
fn differences_between_versions_are_laid_to_their_features() {
    for major in [15, 18] {
        if support::binaries_of(major).is_none() {
            return;
        }
    }
    let directory = project();
    let report = compared(&directory, ["15", "18"]);
    let found = queries(&report);
    let mut wrong = Vec::new();
    for (name, _, feature) in PLANTED {
        let of = found.iter().find(|diff| diff["query"] == name);
        let run = of.and_then(|diff| diff["runs"].as_array()?.first());
        let told = run.map_or("none".to_owned(), |run| run["cause"]["feature"].to_string());
        let verdict = run.map_or("none".to_owned(), |run| run["verdict"].to_string());
        println!("{name}: {verdict}, {told}");
        if !told.contains(feature) {
            wrong.push(format!("{name}: {told}\n{run:#?}"));
        }
    }
    for name in ["ById", "OfDay", "LineOfOrder", "Customers"] {
        let of = found.iter().find(|diff| diff["query"] == name).unwrap();
        if of["runs"][0]["verdict"] != "unchanged" {
            wrong.push(format!("{of:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The same version twice.
    let report = compared(&directory, ["18", "18"]);
    for diff in queries(&report) {
        for run in diff["runs"].as_array().unwrap() {
            assert_eq!(run["verdict"], "unchanged", "{run:#?}");
            assert!(run["changes"].as_array().unwrap().is_empty(), "{run:#?}");
        }
    }
}
