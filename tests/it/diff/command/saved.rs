//! Two reports that `audit --format json` wrote.

use super::{diff, error_of, pgproof, query, shop, write};

#[test]
fn saved_reports_are_compared_by_what_indexes_are() {
    let project = shop();
    let path = project.path();
    let audit = |file: &str| {
        let output = pgproof(path, &["audit", "--fail-on", "never", "--format", &format!("json={file}")]);
        error_of(&output, 0);
    };
    audit("a.json");
    // The same index under another name, and then none.
    write(path, "migrations/2_name.up.sql", "ALTER INDEX orders_customer_idx RENAME TO orders_by_customer;\n");
    audit("b.json");
    write(path, "migrations/3_drop.up.sql", "DROP INDEX orders_by_customer;\n");
    audit("c.json");

    let (renamed, text) = diff(path, &["a.json", "b.json"], 0);
    let changes = query(&renamed, "ListOrders")["runs"][0]["changes"].to_string();
    assert!(changes.contains("index-renamed") && !changes.contains("index-changed"), "{text}");
    let (dropped, text) = diff(path, &["--fail-on", "warning", "b.json", "c.json"], 1);
    assert!(query(&dropped, "ListOrders")["verdict"].as_str().unwrap().contains("regression"), "{text}");
    assert!(!text.contains("migration as it ran"), "nothing ran: {text}");

    let audit = pgproof(path, &["audit", "--fail-on", "never", "--format", "json=small.json"]);
    error_of(&audit, 0);
    let small = std::fs::read_to_string(path.join("small.json")).unwrap();
    std::fs::write(path.join("small.json"), small.replace("\"scale\": 1.0", "\"scale\": 0.5")).unwrap();
    let refused = error_of(&pgproof(path, &["diff", "a.json", "small.json"]), 2);
    assert!(refused.contains("cannot be compared: scale 1 and 0.5"), "{refused}");
    let none = error_of(&pgproof(path, &["diff", "a.json", "nowhere.json"]), 2);
    assert!(none.contains("nowhere.json cannot be read") && none.contains("--format json=FILE"), "{none}");
    let other = error_of(&pgproof(path, &["diff", "a.json", "pgproof.toml"]), 2);
    assert!(other.contains("it is not JSON"), "{other}");
}
