//! `pgproof seed --database-url URL --replace`: what will be gone is said first, and nothing goes without a yes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::server::private::bare_project;
use crate::support::{self, TestDatabase};

const SHOP: &str = "
    CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE);
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers);
    CREATE TABLE untouched (id bigint);
    INSERT INTO customers (email) SELECT 'person' || i || '@example.com' FROM generate_series(1, 7000) i;
    INSERT INTO orders (customer_id) SELECT 1 + i % 7000 FROM generate_series(1, 20000) i;
    ANALYZE;
";
const SPEC: &str =
    "[tables.customers]\nrows = 30\n[tables.orders]\nrows = 200\n[tables.untouched]\nrows = 0\n";

fn project() -> tempfile::TempDir {
    let project = bare_project();
    std::fs::create_dir(project.path().join("seeds")).unwrap();
    std::fs::write(project.path().join("seeds/shop.toml"), SPEC).unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "seeds = [\"seeds/*.toml\"]\n",
    )
    .unwrap();
    project
}

async fn database() -> TestDatabase {
    let database = support::database().await;
    database.execute(SHOP).await;
    database
}

async fn counts(database: &TestDatabase) -> (i64, i64) {
    let session = database.session().await;
    let row = session
        .client()
        .query_one(
            "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders)",
            &[],
        )
        .await
        .unwrap();
    session.close().await;
    (row.get(0), row.get(1))
}

/// Runs the command and gives its exit code and what it said, in one line.
fn seed(database: &TestDatabase, arguments: &[&str]) -> (Option<i32>, String) {
    let project = project();
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(["seed", "--database-url", &database.url().reveal()])
        .args(arguments)
        .env_remove("DATABASE_URL")
        .current_dir(project.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), in_one_line(&text))
}

fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter == '|' || letter == '│')
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// The same on a terminal, where somebody types an answer.
fn seed_on_a_terminal(database: &TestDatabase, answer: &str) -> (Option<i32>, String) {
    let project = project();
    let command = format!(
        "'{}' seed --replace --database-url '{}'",
        env!("CARGO_BIN_EXE_pgproof"),
        database.url().reveal()
    );
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .env_remove("DATABASE_URL")
        .env("TERM", "dumb")
        .current_dir(project.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script (util-linux) gives a command a terminal");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), in_one_line(&text))
}

fn names_the_losses(text: &str) {
    for part in [
        "--replace deletes every row of 2 tables in database",
        "customers: 7,000 rows,",
        "orders: 20,000 rows,",
        "together 27,000 rows,",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let bytes = text.split("together 27,000 rows, ").nth(1).unwrap();
    assert!(
        bytes
            .split_whitespace()
            .nth(1)
            .is_some_and(|unit| ["kB", "MB"].contains(&unit)),
        "{text}"
    );
    assert!(!text.contains("untouched:"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_without_a_terminal_wants_yes() {
    let database = database().await;
    let (code, text) = seed(&database, &["--replace"]);
    assert_eq!(code, Some(2), "{text}");
    names_the_losses(&text);
    assert!(text.contains("nothing was changed"), "{text}");
    assert!(text.contains("add --yes"), "{text}");
    assert_eq!(counts(&database).await, (7_000, 20_000));

    let (code, text) = seed(&database, &["--replace", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    names_the_losses(&text);
    assert_eq!(counts(&database).await, (30, 200));

    // A yes to nothing in particular is a mistake.
    let (code, text) = seed(&database, &["--yes"]);
    assert_eq!(code, Some(2), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_on_a_terminal_asks() {
    let database = database().await;
    for answer in ["no\n", "y\n", "\n"] {
        let (code, text) = seed_on_a_terminal(&database, answer);
        assert_eq!(code, Some(2), "{answer:?}: {text}");
        names_the_losses(&text);
        assert!(text.contains("Type yes to delete them"), "{text}");
        assert!(
            text.contains("not confirmed: nothing was changed"),
            "{text}"
        );
        assert_eq!(counts(&database).await, (7_000, 20_000), "{answer:?}");
    }
    let (code, text) = seed_on_a_terminal(&database, "yes\n");
    assert_eq!(code, Some(0), "{text}");
    names_the_losses(&text);
    assert_eq!(counts(&database).await, (30, 200));
}

/// Nothing is in the way: nothing is asked.
#[tokio::test(flavor = "multi_thread")]
async fn replace_of_empty_tables_asks_nothing() {
    let database = database().await;
    database.execute("TRUNCATE customers, orders").await;
    let (code, text) = seed(&database, &["--replace"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("deletes every row"), "{text}");
    assert_eq!(counts(&database).await, (30, 200));
}
