//! What the replay of a migration has to keep: its transactions, and who made which difference.

use super::{diff, findings, query, shop, write};

/// A lock, a savepoint, a setting and a table that goes at COMMIT are all legal in the tool's transaction.
#[test]
fn statements_that_need_their_transaction_cost_no_report() {
    let project = shop();
    let path = project.path();
    let up = "LOCK TABLE customers IN SHARE ROW EXCLUSIVE MODE;\nSET LOCAL work_mem = '8MB';\n\
              CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT id FROM orders WHERE status = 'lost';\nSAVEPOINT a;\n\
              DELETE FROM orders WHERE id IN (SELECT id FROM gone);\nRELEASE SAVEPOINT a;\nDROP INDEX orders_customer_idx;\n";
    write(path, "migrations/2_lost.up.sql", up);
    write(
        path,
        "queries/lost.sql",
        "-- name: LostOrders :many\nSELECT id FROM orders WHERE status = 'lost';\n",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    let lines = |name: &str, key: &str| query(&report, name)["runs"][0][key]["line"].clone();
    assert_eq!(query(&report, "LostOrders")["verdict"], "error", "{text}");
    assert_eq!(lines("LostOrders", "result_cause"), 5, "{text}");
    assert_eq!(lines("ListOrders", "cause"), 7, "{text}");
    assert!(!text.contains("no single statement"), "{text}");
}

/// The same query has fewer rows by one statement and another plan by a later one.
#[test]
fn a_result_and_a_plan_have_causes_of_their_own_and_a_manual_step_runs_between() {
    let project = shop();
    let path = project.path();
    write(
        path,
        "migrations/2_open.up.sql",
        "ALTER TABLE orders ADD COLUMN gift boolean;\n",
    );
    write(
        path,
        "migrations/3_index.up.sql",
        "CREATE INDEX orders_open ON orders (status, id) WHERE status = 'open';\n",
    );
    write(
        path,
        "backfill.sql",
        "DELETE FROM orders WHERE status = 'open' AND id % 2 = 0;\n",
    );
    let steps = format!(
        "{}\n[diff]\nafter.\"2\" = \"backfill.sql\"\n",
        super::CONFIGURATION
    );
    write(path, "pgproof.toml", &steps);
    write(
        path,
        "queries/open.sql",
        "-- name: OpenOrders :many\nSELECT id, total FROM orders WHERE status = 'open' ORDER BY id;\n",
    );
    let (report, text) = diff(path, &["--from", "1", "--to", "3", "--fail-on", "never"], 0);
    let run = &query(&report, "OpenOrders")["runs"][0];
    assert_eq!(run["result_cause"]["file"], "backfill.sql", "{text}");
    assert_eq!(run["cause"]["file"], "migrations/3_index.up.sql", "{text}");
    assert!(
        findings(&report).contains(&"plan-regression backfill.sql:1 OpenOrders".to_owned()),
        "{text}"
    );
    assert!(text.contains("other rows since backfill.sql:1"), "{text}");

    let steps = format!(
        "{}\n[diff]\nafter.\"7\" = \"backfill.sql\"\n",
        super::CONFIGURATION
    );
    write(path, "pgproof.toml", &steps);
    let error = super::error_of(&super::pgproof(path, &["diff"]), 2);
    assert!(error.contains("no migration has version \"7\""), "{error}");
}

/// What comes through and leaves something else than was meant.
#[test]
fn traps_and_a_renamed_index_are_told_as_what_they_are() {
    let project = shop();
    let path = project.path();
    let up = "ALTER INDEX orders_customer_idx RENAME TO orders_by_customer;\nALTER TABLE customers ENABLE ROW LEVEL SECURITY;\n";
    write(path, "migrations/2_rights.up.sql", up);
    let (report, text) = diff(path, &["--fail-on", "error"], 0);
    assert_eq!(
        findings(&report),
        ["plan-regression migrations/2_rights.up.sql:2 -"],
        "{text}"
    );
    let listed = query(&report, "ListOrders");
    let told = listed["verdict"] == "unchanged" || listed["runs"][0]["cause"]["line"] == 1;
    assert!(told, "{text}");
}

/// What the seeds' rows cannot fill costs the rows of the new table, not the report.
#[test]
fn a_new_table_that_cannot_be_filled_stays_empty() {
    let project = shop();
    let path = project.path();
    let up = "CREATE TABLE settings (id int PRIMARY KEY, line text NOT NULL);\nCREATE UNIQUE INDEX only_one ON settings ((length(line) * 0));\n";
    write(path, "migrations/2_settings.up.sql", up);
    let (report, text) = diff(path, &["--fail-on", "error"], 0);
    assert_eq!(
        query(&report, "ListOrders")["verdict"],
        "unchanged",
        "{text}"
    );
    // Nothing reads the table yet: that its indexes serve no query is no news.
    assert!(!text.contains("new index"), "{text}");
}

/// A query that reads several columns which go one after the other is told with the first of them.
#[test]
fn a_query_is_told_with_what_its_own_statement_takes_away() {
    let project = shop();
    write(
        project.path(),
        "queries/orders.sql",
        "-- name: ListOrders :many\nSELECT id, note, status, total FROM orders WHERE customer_id = $1 ORDER BY id;\n",
    );
    write(
        project.path(),
        "migrations/2_less.up.sql",
        "ALTER TABLE orders DROP COLUMN total;\nALTER TABLE orders DROP COLUMN note;\n",
    );
    let (report, terminal) = diff(project.path(), &[], 1);
    let changes = query(&report, "ListOrders").to_string();
    assert!(
        changes.contains("total") && !changes.contains("column note is gone"),
        "{changes}\n{terminal}"
    );
    assert!(terminal.contains("column total is gone"), "{terminal}");
}

/// What lives until the file's transaction ends is not there for statements of their own: they are advice, and not printed.
#[test]
fn a_form_that_cannot_run_alone_is_advice() {
    let project = shop();
    write(
        project.path(),
        "migrations/2_mark.up.sql",
        "BEGIN;\nCREATE TEMP TABLE picked ON COMMIT DROP AS SELECT id FROM orders WHERE total < 80000;\n\
         UPDATE orders SET note = note || '!' WHERE id IN (SELECT id FROM picked);\n\
         LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;\nCOMMIT;\n",
    );
    let (_, terminal) = diff(project.path(), &["--verbose", "--fail-on", "never"], 0);
    assert!(!terminal.contains("it failed here"), "{terminal}");
    assert!(!terminal.contains("FROM picked) AND"), "{terminal}");
}
