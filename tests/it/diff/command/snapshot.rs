//! `pgproof snapshot` and what compares with it: `diff --baseline` and `audit --baseline`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{CONFIGURATION, diff, error_of, pgproof, query, shop, write};

fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    entries
        .map(|e| {
            (
                e.file_name().to_string_lossy().into_owned(),
                std::fs::read_to_string(e.path()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn plans_are_kept_compared_and_refused() {
    let project = shop();
    let path = project.path();
    let snapshot = || {
        let output = pgproof(path, &["snapshot"]);
        error_of(&output, 0);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(
        snapshot(),
        "plans: 4 queries, 4 new, 0 changed, 0 as they were, 0 removed\n"
    );
    let kept = files(&path.join("plans"));
    let names: Vec<&str> = kept.keys().map(String::as_str).collect();
    let expected = [
        "CitiesOfStatus.json",
        "GetCustomer.json",
        "GetOrder.json",
        "ListOrders.json",
        "snapshot.json",
    ];
    assert_eq!(names, expected);
    let list = &kept["ListOrders.json"];
    assert!(
        list.contains("\n        \"  Index Scan using btree (customer_id) on orders\",\n"),
        "{list}"
    );
    // Nothing that changes from run to run: a second one writes the same.
    assert_eq!(
        snapshot(),
        "plans: 4 queries, 0 new, 0 changed, 4 as they were, 0 removed\n"
    );
    assert_eq!(files(&path.join("plans")), kept);
    // Nor from one seeding to the next: another server, the same dataset made anew.
    let again = shop();
    std::fs::create_dir(again.path().join("plans")).unwrap();
    for (name, text) in &kept {
        std::fs::write(again.path().join("plans").join(name), text).unwrap();
    }
    error_of(&pgproof(again.path(), &["snapshot"]), 0);
    assert_eq!(files(&again.path().join("plans")), kept);
    diff(path, &["--baseline", "plans"], 0);
    error_of(
        &pgproof(path, &["audit", "GetOrder", "--baseline", "plans"]),
        0,
    );

    // A migration that takes an index, a query that goes and one that comes.
    write(
        path,
        "migrations/2_drop.up.sql",
        "DROP INDEX orders_customer_idx;\n",
    );
    write(
        path,
        "queries/customers.sql",
        "-- name: CountCustomers :one\nSELECT count(*) FROM customers;\n",
    );
    let (report, text) = diff(path, &["--baseline", "plans", "--fail-on", "warning"], 1);
    assert!(
        query(&report, "ListOrders")["verdict"]
            .as_str()
            .unwrap()
            .contains("regression"),
        "{text}"
    );
    assert_eq!(
        query(&report, "ListOrders")["runs"][0]["changes"][0]["kind"],
        "scan-method-changed",
        "{text}"
    );
    assert_eq!(query(&report, "GetCustomer")["presence"], "removed");
    assert_eq!(query(&report, "CountCustomers")["presence"], "new");
    let audited = pgproof(
        path,
        &[
            "audit",
            "--baseline",
            "plans",
            "--fail-on",
            "warning",
            "--format",
            "json=audit.json",
        ],
    );
    error_of(&audited, 1);
    let audit = std::fs::read_to_string(path.join("audit.json")).unwrap();
    assert!(audit.contains("\"plan-regression\""), "{audit}");
    assert_eq!(
        snapshot(),
        "plans: 4 queries, 1 new, 1 changed, 2 as they were, 1 removed\n"
    );

    write(
        path,
        "pgproof.toml",
        &CONFIGURATION.replace("random_page_cost = \"1.1\"", "work_mem = \"64kB\""),
    );
    let refused = error_of(&pgproof(path, &["diff", "--baseline", "plans"]), 2);
    for reason in [
        "random_page_cost was 1.1 and is the default",
        "work_mem was the default and is 64kB",
        "pgproof snapshot",
    ] {
        assert!(
            refused
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .replace(" | ", " ")
                .contains(reason),
            "{refused}"
        );
    }
    write(path, "pgproof.toml", CONFIGURATION);
    write(
        path,
        "seeds/shop.toml",
        &super::SEEDS.replace("30_000", "20_000"),
    );
    let refused = error_of(&pgproof(path, &["audit", "--baseline", "plans"]), 2);
    assert!(
        refused.contains("rows of customers was 30000 and is 20000"),
        "{refused}"
    );
    let none = error_of(&pgproof(path, &["diff", "--baseline", "nowhere"]), 2);
    assert!(
        none.contains("nowhere holds no snapshot")
            && none.contains("pgproof snapshot --out nowhere"),
        "{none}"
    );
    write(path, "other/package.json", "{}");
    let other = error_of(&pgproof(path, &["snapshot", "--out", "other"]), 2);
    assert!(other.contains("other holds other .json files"), "{other}");
}
