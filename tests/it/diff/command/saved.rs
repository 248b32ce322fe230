//! Two reports that `audit --format json` wrote.

use super::{diff, error_of, pgproof, query, shop, write};

/// Most orders have one status.
const ELEVEN: &str = "{ done = 0.9, a = 0.01, b = 0.01, c = 0.01, d = 0.01, e = 0.01, f = 0.01, g = 0.01, h = 0.01, \
                      i = 0.01, j = 0.01 }";

#[test]
fn saved_reports_are_compared_by_what_indexes_are() {
    let project = shop();
    let path = project.path();
    let audit = |file: &str| {
        let output = pgproof(
            path,
            &[
                "audit",
                "--fail-on",
                "never",
                "--format",
                &format!("json={file}"),
            ],
        );
        error_of(&output, 0);
    };
    // PostgreSQL would keep the generic plan here: values with a plan of their own run with both.
    write(
        path,
        "seeds/shop.toml",
        &super::SEEDS.replace("{ done = 0.97, open = 0.02, lost = 0.01 }", ELEVEN),
    );
    write(
        path,
        "migrations/2_status.up.sql",
        "CREATE INDEX orders_status_idx ON orders (status);\n",
    );
    write(
        path,
        "queries/status.sql",
        "-- name: OfStatus :many\n-- @param status: hot\nSELECT id FROM orders WHERE status = @status;\n",
    );
    audit("a.json");
    let report = std::fs::read_to_string(path.join("a.json")).unwrap();
    assert!(
        report.contains("\"label\": \"generic plan, hot status\""),
        "{report}"
    );
    let (itself, text) = diff(path, &["--fail-on", "warning", "a.json", "a.json"], 0);
    for query in itself["queries"].as_array().unwrap() {
        assert_eq!(query["verdict"], "unchanged", "{text}");
        for run in query["runs"].as_array().unwrap() {
            assert_eq!(run["changes"], serde_json::json!([]), "{text}");
        }
    }
    // The same index under another name, and then none.
    write(
        path,
        "migrations/3_name.up.sql",
        "ALTER INDEX orders_customer_idx RENAME TO orders_by_customer;\n",
    );
    audit("b.json");
    write(
        path,
        "migrations/4_drop.up.sql",
        "DROP INDEX orders_by_customer;\n",
    );
    audit("c.json");

    let (renamed, text) = diff(path, &["a.json", "b.json"], 0);
    let changes = query(&renamed, "ListOrders")["runs"][0]["changes"].to_string();
    assert!(
        changes.contains("index-renamed") && !changes.contains("index-changed"),
        "{text}"
    );
    let (dropped, text) = diff(path, &["--fail-on", "warning", "b.json", "c.json"], 1);
    assert!(
        query(&dropped, "ListOrders")["verdict"]
            .as_str()
            .unwrap()
            .contains("regression"),
        "{text}"
    );
    assert!(!text.contains("migration as it ran"), "nothing ran: {text}");

    let audit = pgproof(
        path,
        &["audit", "--fail-on", "never", "--format", "json=small.json"],
    );
    error_of(&audit, 0);
    let small = std::fs::read_to_string(path.join("small.json")).unwrap();
    std::fs::write(
        path.join("small.json"),
        small.replace("\"scale\": 1.0", "\"scale\": 0.5"),
    )
    .unwrap();
    let refused = error_of(&pgproof(path, &["diff", "a.json", "small.json"]), 2);
    assert!(
        refused.contains("cannot be compared: scale 1 and 0.5"),
        "{refused}"
    );
    let none = error_of(&pgproof(path, &["diff", "a.json", "nowhere.json"]), 2);
    assert!(
        none.contains("nowhere.json cannot be read") && none.contains("--format json=FILE"),
        "{none}"
    );
    let other = error_of(&pgproof(path, &["diff", "a.json", "pgproof.toml"]), 2);
    assert!(other.contains("it is not JSON"), "{other}");
}
