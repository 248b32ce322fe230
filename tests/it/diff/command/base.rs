//! `--base REV` in a real repository: migrations, seeds and catalog of a revision against the working tree.

use std::path::Path;
use std::process::Command;

use super::{diff, error_of, findings, pgproof, query, shop, write};

fn git(directory: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(["-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

pub(super) fn commit(directory: &Path) {
    git(directory, &["init", "-q"]);
    write(directory, ".gitignore", ".pgproof/\n");
    git(directory, &["add", "."]);
    git(directory, &["commit", "-q", "-m", "base"]);
}

#[test]
fn migrations_seeds_and_catalog_of_a_revision_against_the_working_tree() {
    let project = shop();
    let path = project.path();
    commit(path);
    // A branch: a column goes, a table comes with its seeds; one query changes, one goes, two come.
    let sql = "ALTER TABLE orders DROP COLUMN note;\n\
               CREATE TABLE returns (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL \
               REFERENCES orders (id), reason text NOT NULL);\nCREATE INDEX returns_order_idx ON returns (order_id);\n\
               ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'web';\n\
               UPDATE orders SET channel = 'shop' WHERE id % 500 = 0;\n";
    write(path, "migrations/2_returns.up.sql", sql);
    write(
        path,
        "seeds/returns.toml",
        "[tables.returns]\nrows = 5_000\n",
    );
    let seeds = format!(
        "{}channel = {{ values = {{ web = 0.5, shop = 0.5 }} }}\n",
        super::SEEDS
    );
    write(path, "seeds/shop.toml", &seeds);
    let orders = super::ORDERS.replace("total, note FROM", "total FROM");
    write(path, "queries/orders.sql", &orders);
    std::fs::remove_file(path.join("queries/customers.sql")).unwrap();
    let returns = "-- name: ReturnsOf :many\nSELECT reason FROM returns WHERE order_id = $1;\n\n\
                   -- name: Wrong :many\nSELECT reson FROM returns;\n\n\
                   -- name: InShops :many\nSELECT id FROM orders WHERE channel = 'shop';\n";
    write(path, "queries/returns.sql", returns);
    let (report, text) = diff(path, &["--base", "main"], 1);

    assert_eq!(
        (&report["from"], &report["to"]),
        (&"main".into(), &"working tree".into())
    );
    let presence = |name: &str| {
        query(&report, name)["presence"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let seen = ["GetOrder", "ListOrders", "GetCustomer", "ReturnsOf"].map(presence);
    assert_eq!(seen, ["changed", "both", "removed", "new"]);
    // The new table was filled: 5 000 rows are no empty plan.
    let returns = &query(&report, "ReturnsOf")["fresh"][0];
    assert!(returns["tree"].to_string().contains("returns"), "{text}");
    assert!(returns["work"]["blocks"].as_u64().unwrap() >= 2, "{text}");
    // A column on a table that was there holds what the migration put into it, not what the seeds say of it.
    let in_shops = &query(&report, "InShops")["fresh"][0];
    assert_eq!(in_shops["work"]["rows"], 120.0, "{text}");
    assert!(
        text.contains("new index returns_order_idx") && text.contains("serves ReturnsOf"),
        "{text}"
    );
    assert_eq!(query(&report, "Wrong")["verdict"], "error", "{text}");
    assert!(
        findings(&report).contains(&"plan-regression queries/returns.sql:5 Wrong".to_owned()),
        "{text}"
    );
    // While a deploy rolls, the old GetOrder reads a column that is gone.
    let rolling = report["rolling"].as_array().unwrap();
    assert_eq!(rolling.len(), 1, "{text}");
    assert_eq!(
        (&rolling[0]["query"], &rolling[0]["runs"][0]["verdict"]),
        (&"GetOrder".into(), &"error".into())
    );
    assert!(text.contains("The old catalog on the new schema"), "{text}");
    assert!(
        findings(&report)
            .contains(&"plan-regression migrations/2_returns.up.sql:1 GetOrder".to_owned()),
        "{text}"
    );
    // Nothing of the checkout stays.
    let left = std::fs::read_dir(path.join(".pgproof")).unwrap().flatten();
    assert!(
        !left
            .into_iter()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("base-"))
    );
}

#[test]
fn what_cannot_be_compared_says_why() {
    let project = shop();
    let path = project.path();
    let elsewhere = error_of(&pgproof(path, &["diff", "--base", "main"]), 2);
    // The build directory may lie in a repository of its own, whose `main` knows no such project.
    assert!(
        elsewhere.contains("git") || elsewhere.contains("main"),
        "{elsewhere}"
    );
    commit(path);
    let unknown = error_of(&pgproof(path, &["diff", "--base", "nowhere"]), 2);
    assert!(
        unknown.contains("git does not know the revision \"nowhere\"") && unknown.contains("fetch"),
        "{unknown}"
    );
    let option = error_of(&pgproof(path, &["diff", "--base=--all"]), 2);
    assert!(option.contains("is no revision"), "{option}");
    write(
        path,
        "migrations/1_shop.up.sql",
        &format!("{}-- later\n", super::SHOP),
    );
    let altered = error_of(&pgproof(path, &["diff", "--base", "main"]), 2);
    assert!(
        altered.contains("1_shop.up.sql is not what it is at main"),
        "{altered}"
    );
    assert!(altered.contains("write a new one"), "{altered}");
}
