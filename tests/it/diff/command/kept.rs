//! What was measured before the migrations is kept for the next comparison on the same dataset.

use serde_json::Value;

use super::{diff, shop, write};

const REPORTS: &str = "-- name: CustomersOfCities :many
SELECT city, count(*), max(email) FROM customers GROUP BY city;

-- name: LongestEmails :many
SELECT email FROM customers ORDER BY length(email) DESC, email LIMIT 20;

-- name: OrdersOfStatuses :many
SELECT status, count(*), sum(total), max(length(note)) FROM orders GROUP BY status;
";

/// The time before the migration of the first parameter set.
fn before(report: &Value, query: &str) -> f64 {
    let queries = report["queries"].as_array().unwrap();
    let found = queries.iter().find(|found| found["query"] == query);
    let run = &found.unwrap()["runs"][0];
    run["before"]["time_ms"].as_f64().unwrap()
}

fn verdicts(report: &Value) -> Vec<(String, String)> {
    let queries = report["queries"].as_array().unwrap().iter();
    let named = |query: &Value, key: &str| query[key].as_str().unwrap().to_owned();
    let mut found: Vec<_> = queries
        .map(|query| (named(query, "query"), named(query, "verdict")))
        .collect();
    found.sort();
    found
}

#[test]
fn what_no_migration_reaches_is_not_measured_again_unless_asked() {
    let project = shop();
    write(project.path(), "queries/reports.sql", REPORTS);
    let drop = "DROP INDEX orders_customer_idx;\n";
    write(project.path(), "migrations/2_drop.up.sql", drop);
    let first = diff(project.path(), &[], 0).0;
    let second = diff(project.path(), &[], 0).0;
    let fresh = diff(project.path(), &["--fresh"], 0).0;
    assert_eq!(verdicts(&first), verdicts(&second));
    assert_eq!(verdicts(&first), verdicts(&fresh));

    let far = ["CustomersOfCities", "LongestEmails"];
    let times = |report: &Value| far.map(|query| before(report, query));
    assert_eq!(times(&first), times(&second));
    assert_ne!(times(&first), times(&fresh));
    // The index's table: both sides are measured in the same minute.
    let near = ["OrdersOfStatuses", "CitiesOfStatus", "ListOrders"];
    let times = |report: &Value| near.map(|query| before(report, query));
    assert_ne!(times(&first), times(&second));
}
