//! `pgproof diff` as it is typed, on a small shop of its own: versions, git revisions, saved reports, programs.

mod base;
mod fitting;
mod kept;
mod migration;
mod program;
mod replay;
mod saved;
mod snapshot;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::server::private;
use crate::support;

/// A project with customers and orders, in golang-migrate's layout, with its server's files ready.
fn shop() -> TempDir {
    let project = private::project();
    write(project.path(), "pgproof.toml", CONFIGURATION);
    write(project.path(), "migrations/1_shop.up.sql", SHOP);
    write(
        project.path(),
        "migrations/1_shop.down.sql",
        "DROP TABLE orders, customers;\n",
    );
    write(project.path(), "queries/orders.sql", ORDERS);
    write(project.path(), "queries/customers.sql", CUSTOMERS);
    write(project.path(), "seeds/shop.toml", SEEDS);
    project
}

const CONFIGURATION: &str = "migrations = { dir = \"migrations\", layout = \"golang-migrate\" }
[server]
version = \"15\"
settings = { random_page_cost = \"1.1\" }
[dataset]
target-size = \"4MB\"
";

const SHOP: &str = "CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL,
    city text NOT NULL
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers (id),
    status text NOT NULL,
    total integer NOT NULL CHECK (total >= 0),
    note text NOT NULL
);
CREATE INDEX orders_customer_idx ON orders (customer_id);
";

const ORDERS: &str = "-- name: ListOrders :many
SELECT id, status, total FROM orders WHERE customer_id = $1 ORDER BY id;

-- name: GetOrder :one
SELECT id, status, total, note FROM orders WHERE id = $1;

-- name: CitiesOfStatus :many
-- @param status: hot
SELECT c.city, count(*) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = @status GROUP BY c.city;
";

const CUSTOMERS: &str = "-- name: GetCustomer :one
SELECT email, city FROM customers WHERE id = $1;
";

const SEEDS: &str = "[tables.customers]
rows = 30_000
[tables.customers.columns]
city = { generator = \"city\", distinct = 50 }
[tables.orders]
rows = 60_000
[tables.orders.columns]
status = { values = { done = 0.97, open = 0.02, lost = 0.01 } }
total = { generator = \"integer\", min = 1, max = 90000 }
";

fn write(project: &Path, name: &str, text: &str) {
    let path = project.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn pgproof(project: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL");
    command.env(
        "PGPROOF_PG_BIN",
        support::binaries_of(support::MAJOR).unwrap(),
    );
    command.output().unwrap()
}

fn error_of(output: &Output, code: i32) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{error}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    error
}

/// Runs diff, holds its JSON against the schema, and returns it with the terminal's text.
fn diff(project: &Path, arguments: &[&str], code: i32) -> (Value, String) {
    let mut all = vec![
        "diff",
        "--format",
        "terminal",
        "--format",
        "json=diff.json",
        "--format",
        "markdown=diff.md",
    ];
    all.extend(arguments);
    let output = pgproof(project, &all);
    error_of(&output, code);
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(project.join("diff.json")).unwrap()).unwrap();
    super::reports::valid(&json);
    (json, String::from_utf8_lossy(&output.stdout).into_owned())
}

fn query<'a>(report: &'a Value, name: &str) -> &'a Value {
    let queries = report["queries"].as_array().unwrap();
    queries
        .iter()
        .find(|query| query["query"] == name)
        .unwrap_or_else(|| panic!("no {name} in {queries:#?}"))
}

fn statement(report: &Value, line: u64) -> &Value {
    let statements = report["statements"].as_array().unwrap();
    statements
        .iter()
        .find(|statement| statement["line"] == line)
        .unwrap_or_else(|| panic!("no statement at {line}"))
}

/// Findings as `rule file:line query`, sorted.
fn findings(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let one = |f: &Value| {
        format!(
            "{} {}:{} {}",
            text(&f["rule"]),
            text(&f["file"]),
            f["line"],
            text(&f["query"])
        )
    };
    let mut found: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(one)
        .collect();
    found.sort();
    found
}
