//! `audit --profile`: production's settings and calls, on rows that a profile describes.

use serde_json::Value;

use super::{pgproof, said};
use crate::server::private::bare_project;

const SCHEMA: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL, total integer);\n\
     CREATE INDEX orders_status ON orders (status);\n";
const QUERIES: &str = "-- name: OfStatus :many\nSELECT id, total FROM orders WHERE status = 'open';\n\n\
     -- name: Large :many\n-- @calls 2/s\nSELECT id FROM orders WHERE total > $1;\n";
const PROFILE: &str = r#"format = 1
server = 16
day = 364

[settings]
enable_indexscan = "on"
shared_buffers = "8GB"
work_mem = "4MB"

[database-settings]
enable_bitmapscan = "off"

[role-settings.reports]
enable_indexscan = "off"

[[statement]]
text = "SELECT id, total FROM orders WHERE status = $1"
calls = 5000.0
per-second = 25.0

[[table]]
schema = "public"
name = "orders"
pages = 400
rows = 30000.0
all-visible = 0

[[table.column]]
name = "status"
nulls = 0.0
width = 5
distinct = 3.0
correlation = 0.4
common = [["paid", 0.9], ["lost", 0.095], ["open", 0.005]]

[[table.column]]
name = "total"
nulls = 0.25
width = 4
distinct = -0.5
histogram = ["10", "20", "40", "1000"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_audited_on_production_as_a_profile_describes_it() {
    let folder = bare_project();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("migrations/1_shop.sql", SCHEMA);
    write("queries/shop.sql", QUERIES);
    write("shop.profile", PROFILE);
    write(
        "pgproof.toml",
        "fail-on = \"never\"\n[server]\nversion = \"15\"\n[audit]\nruns = 1\n",
    );
    let audit = [
        "audit",
        "--profile",
        "shop.profile",
        "--format",
        "json",
        "--offline",
    ];
    let audited = pgproof(folder.path(), &audit);
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let report: Value = serde_json::from_slice(&audited.stdout).unwrap();
    let query = |name: &str| {
        let queries = report["queries"].as_array().unwrap();
        queries
            .iter()
            .find(|query| query["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(query("OfStatus")["calls_per_second"], 25.0);
    assert_eq!(query("Large")["calls_per_second"], 2.0);
    let tables = report["dataset"]["tables"].as_array().unwrap();
    let is_orders = |table: &&Value| table["name"].as_str().unwrap().ends_with("orders");
    assert_eq!(tables.iter().find(is_orders).unwrap()["rows"], 30_000);
    // 150 of 30,000 rows: a bitmap scan, if production had not switched them off.
    let plans = query("OfStatus").to_string();
    assert!(
        plans.contains("Index Scan") && !plans.contains("Bitmap"),
        "{plans}"
    );
    let without = pgproof(folder.path(), &["audit", "--profile", "none.profile"]);
    assert_eq!(without.status.code(), Some(2), "{}", said(&without));
    assert!(
        said(&without).contains("none.profile"),
        "{}",
        said(&without)
    );
    pgproof(folder.path(), &["server", "stop"]);
}
