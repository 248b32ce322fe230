//! A migration that drops an index, rewrites a table and adds a constraint: who is blamed, what is safer, the way back.

use super::{diff, error_of, findings, pgproof, query, shop, statement, write};

const UP: &str = "DROP INDEX orders_customer_idx;

ALTER TABLE orders ALTER COLUMN total TYPE bigint;

ALTER TABLE orders ADD CONSTRAINT orders_total_sane CHECK (total < 1000000);
";
const DOWN: &str = "ALTER TABLE orders DROP CONSTRAINT orders_total_sane;
ALTER TABLE orders ALTER COLUMN total TYPE integer;
CREATE INDEX orders_customer_idx ON orders (customer_id);
";

#[test]
fn the_right_statements_are_blamed_and_safer_forms_are_run() {
    let project = shop();
    let path = project.path();
    write(path, "migrations/2_totals.up.sql", UP);
    write(path, "migrations/2_totals.down.sql", DOWN);
    let (report, text) = diff(path, &["--fail-on", "warning"], 1);

    // Saved, it is read back as it was.
    let again = pgproof(
        path,
        &[
            "report",
            "diff.json",
            "--fail-on",
            "warning",
            "--format",
            "terminal",
            "--format",
            "markdown=again.md",
        ],
    );
    error_of(&again, 1);
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    assert_eq!(String::from_utf8_lossy(&again.stdout), text);
    assert_eq!(read("again.md"), read("diff.md"));

    let lost = query(&report, "ListOrders");
    assert!(
        lost["verdict"].as_str().unwrap().contains("regression"),
        "{text}"
    );
    assert_eq!(
        (
            &lost["runs"][0]["cause"]["line"],
            &lost["runs"][0]["cause"]["kind"]
        ),
        (&1.into(), &"statement".into())
    );
    assert_eq!(query(&report, "GetCustomer")["verdict"], "unchanged");
    let found = findings(&report);
    assert!(
        found.contains(&"plan-regression migrations/2_totals.up.sql:1 ListOrders".to_owned()),
        "{found:?}"
    );

    // The rewrite runs under a lock that the first statement took, and is what the time goes into.
    let (drop, rewrite, check) = (
        statement(&report, 1),
        statement(&report, 3),
        statement(&report, 5),
    );
    assert_eq!(drop["locks"][0]["mode"], "access-exclusive", "{text}");
    assert_eq!(rewrite["rewritten"][0], "public.orders");
    assert_eq!(
        (&rewrite["inherited"][0]["taken_at"], &rewrite["locks"]),
        (&1.into(), &serde_json::json!([]))
    );
    assert_eq!(check["scanned"][0], "table orders");
    let pile_up = &drop["pile_up"];
    assert!(
        pile_up["blocked"]
            .as_array()
            .is_some_and(|blocked| !blocked.is_empty()),
        "{text}"
    );
    assert_eq!(pile_up["with_timeout"]["through"], true, "{text}");
    let patient = pile_up["blocked"][0]["longest_ms"].as_f64().unwrap();
    assert!(
        patient > 300.0 && pile_up["with_timeout"]["longest_ms"].as_f64().unwrap() < patient,
        "{text}"
    );

    for (statement, begins) in [
        (drop, "DROP INDEX CONCURRENTLY orders_customer_idx"),
        (rewrite, "ALTER TABLE orders ADD COLUMN total_new bigint"),
        (
            check,
            "ALTER TABLE orders ADD CONSTRAINT orders_total_sane CHECK (total < 1000000) NOT VALID",
        ),
    ] {
        let safer = &statement["safer"];
        assert_eq!(safer["statements"][0], begins, "{text}");
        assert_eq!(
            safer["measured"]["failure"],
            serde_json::Value::Null,
            "{text}"
        );
    }
    assert_eq!(
        report["safer_schema"],
        serde_json::json!({ "missing": [], "left_over": [] }),
        "{text}"
    );
    assert!(
        text.contains("The way back: same schema, same plans"),
        "{text}"
    );
    assert!(
        text.contains("dropped index orders_customer_idx on orders (btree (customer_id)) served"),
        "{text}"
    );
    let markdown = std::fs::read_to_string(path.join("diff.md")).unwrap();
    assert!(
        markdown.contains("<!-- pgproof-diff -->") && markdown.contains("~~~~diff"),
        "{markdown}"
    );

    // The project's own `fail-on` holds where the flag says nothing.
    let configured = format!("fail-on = \"never\"\n{}", super::CONFIGURATION);
    write(path, "pgproof.toml", &configured);
    diff(path, &[], 0);
    let a = diff(path, &["--from", "2", "--to", "2"], 0).0;
    assert!(
        a["queries"]
            .as_array()
            .unwrap()
            .iter()
            .all(|query| query["verdict"] == "unchanged"),
        "{a:#}"
    );
}

#[test]
fn what_a_query_is_allowed_and_what_an_override_says_hold() {
    let project = shop();
    let path = project.path();
    write(
        path,
        "migrations/2_drop.up.sql",
        "DROP INDEX orders_customer_idx;\n",
    );
    let regressions = |report: &serde_json::Value| -> Vec<String> {
        findings(report)
            .into_iter()
            .filter(|finding| finding.starts_with("plan-regression"))
            .collect()
    };
    let (report, _) = diff(path, &["--fail-on", "warning"], 1);
    assert_eq!(
        regressions(&report),
        ["plan-regression migrations/2_drop.up.sql:1 ListOrders"]
    );

    // Allowed with a reason: told, and does not gate.
    let allowed = "-- @allow plan-regression: replaced by the search service next week\nSELECT id, status, total";
    write(
        path,
        "queries/orders.sql",
        &super::ORDERS.replacen("SELECT id, status, total", allowed, 1),
    );
    let (report, text) = diff(path, &["--fail-on", "warning"], 0);
    let found = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["rule"] == "plan-regression")
        .unwrap();
    assert_eq!(
        found["suppressed"]["reason"], "replaced by the search service next week",
        "{text}"
    );
    write(path, "queries/orders.sql", super::ORDERS);

    // Of one query: the rule is off, or its limits are others.
    let over = |text: &str| {
        format!(
            "{}\n[[override]]\nqueries = [\"ListOrders\"]\n{text}\n",
            super::CONFIGURATION
        )
    };
    write(
        path,
        "pgproof.toml",
        &over("rules = { plan-regression = \"off\" }"),
    );
    assert_eq!(
        regressions(&diff(path, &["--fail-on", "warning"], 0).0),
        Vec::<String>::new()
    );
    write(
        path,
        "pgproof.toml",
        &over("plan-regression.min-pages = 1_000_000\nplan-regression.min-rows = 100_000_000"),
    );
    let (report, text) = diff(path, &["--fail-on", "error"], 0);
    // By its time it may still be slower, which is a warning.
    assert!(
        !query(&report, "ListOrders")["verdict"]
            .as_str()
            .unwrap()
            .contains("regression"),
        "{text}"
    );
}

/// A function that reads nothing, with so many steps.
fn function(steps: u32) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION worth(total integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
         DECLARE sum bigint := total;
         BEGIN FOR step IN 1..{steps} LOOP sum := sum + step % 7; END LOOP; RETURN sum; END $$;\n"
    )
}

#[test]
fn what_does_the_same_work_in_more_time_is_slower() {
    let project = shop();
    let path = project.path();
    write(path, "migrations/2_worth.up.sql", &function(1));
    let touched = "ALTER TABLE orders ALTER COLUMN note SET STATISTICS 200;\n";
    write(path, "migrations/3_worth.up.sql", &(function(40) + touched));
    write(
        path,
        "queries/worth.sql",
        "-- name: WorthOfAll :one\nSELECT sum(worth(total)) FROM orders WHERE id < 9000;\n",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    let worth = query(&report, "WorthOfAll");
    assert_eq!(worth["verdict"], "slower", "{text}");
    assert_eq!(worth["runs"][0]["changes"], serde_json::json!([]), "{text}");
    assert!(
        findings(&report)
            .iter()
            .any(|found| found.starts_with("plan-regression")),
        "{text}"
    );
    assert_eq!(query(&report, "GetOrder")["verdict"], "unchanged", "{text}");
}

#[test]
fn a_way_back_that_leads_elsewhere_is_told() {
    let project = shop();
    let path = project.path();
    write(path, "migrations/2_totals.up.sql", UP);
    write(
        path,
        "migrations/2_totals.down.sql",
        "ALTER TABLE orders DROP CONSTRAINT orders_total_sane;\n",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    let trip = &report["round_trip"];
    assert!(
        trip["missing"]
            .to_string()
            .contains("index orders_customer_idx"),
        "{text}"
    );
    assert!(
        trip["left_over"]
            .to_string()
            .contains("column public.orders.total bigint"),
        "{text}"
    );
    assert!(
        trip["changed_plans"].to_string().contains("ListOrders"),
        "{text}"
    );
}

#[test]
fn what_production_sees_until_analyze_has_run_is_told() {
    let project = shop();
    let path = project.path();
    // The column loses its statistics: 97 % of the rows look like a few, and each is looked up one by one.
    write(
        path,
        "migrations/2_status.up.sql",
        "ALTER TABLE orders ALTER COLUMN status TYPE varchar(20);\n",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    let cities = query(&report, "CitiesOfStatus");
    let states: Vec<&serde_json::Value> = cities["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["before_analyze"])
        .filter(|s| !s.is_null())
        .collect();
    assert!(
        states
            .iter()
            .any(|state| state["verdict"].as_str().unwrap().contains("regression")),
        "{text}"
    );
    assert_eq!(cities["verdict"], "neutral", "{text}");
    assert!(
        text.contains("until ANALYZE has run: major regression"),
        "{text}"
    );
}

#[test]
fn a_new_index_serves_a_query_that_could_not_run_before() {
    let project = shop();
    let path = project.path();
    let sql = "ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'web';\n\
               UPDATE orders SET channel = 'shop' WHERE id % 500 = 0;\n\
               CREATE INDEX orders_channel_idx ON orders (channel) WHERE channel <> 'web';\n";
    write(path, "migrations/2_channel.up.sql", sql);
    write(
        path,
        "queries/channels.sql",
        "-- name: ShopOrders :many\nSELECT id FROM orders WHERE channel = 'shop';\n",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    let shop = query(&report, "ShopOrders");
    assert!(
        shop["failed_before"].as_str().unwrap().contains("channel"),
        "{text}"
    );
    assert!(
        shop["fresh"][0]["tree"].to_string().contains("Index"),
        "{text}"
    );
    let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        unwrapped.contains("new index orders_channel_idx")
            && unwrapped.contains("serves ShopOrders"),
        "{text}"
    );
}

#[test]
fn versions_that_cannot_be_compared_say_what_to_do() {
    let project = shop();
    let path = project.path();
    let error = error_of(&pgproof(path, &["diff"]), 2);
    assert!(
        error.contains("only one migration") && error.contains("--base REV"),
        "{error}"
    );
    let error = error_of(&pgproof(path, &["diff", "--from", "9"]), 2);
    assert!(
        error.contains("there is no migration \"9\" in migrations; the versions are 1"),
        "{error}"
    );
    write(
        path,
        "migrations/2_broken.up.sql",
        "ALTER TABLE orders ADD COLUMN a int;\nALTER TABLE orers ADD COLUMN b int;\n",
    );
    let error = error_of(&pgproof(path, &["diff"]), 2);
    assert!(
        error.contains("relation \"orers\" does not exist") && error.contains("2_broken.up.sql:2"),
        "{error}"
    );
    assert!(
        error.contains("transaction was rolled back: the copy"),
        "{error}"
    );
}

#[test]
fn what_chance_returns_and_what_never_ends_are_no_errors_of_a_migration() {
    let project = shop();
    let path = project.path();
    write(
        path,
        "pgproof.toml",
        &format!("{}[audit]\ntimeout = \"1s\"\n", super::CONFIGURATION),
    );
    write(path, "queries/chance.sql", CHANCE);
    let shop = "CREATE FUNCTION wait_for(seconds int) RETURNS int LANGUAGE sql AS 'SELECT 1';\n";
    write(
        path,
        "migrations/1_shop.up.sql",
        &format!("{shop}{}", super::SHOP),
    );
    write(
        path,
        "migrations/2_index.up.sql",
        "CREATE INDEX orders_total_idx ON orders (total);\n",
    );
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    assert_eq!(
        query(&report, "SomeOrders")["verdict"],
        "unstable",
        "{text}"
    );
    assert_eq!(
        query(&report, "SlowOrders")["verdict"],
        "unchanged",
        "{text}"
    );

    // What the migration itself makes endless or another result is told.
    let sql = "CREATE OR REPLACE FUNCTION wait_for(seconds int) RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(seconds)';\n\
               DELETE FROM orders WHERE total < 45000;\n";
    write(path, "migrations/2_index.up.sql", sql);
    let (report, text) = diff(path, &["--fail-on", "never"], 0);
    let some = query(&report, "SomeOrders");
    assert_eq!(some["verdict"], "error", "{text}");
    assert!(
        some["runs"][0]["changes"]
            .to_string()
            .contains("result-changed"),
        "{text}"
    );
    let waits = query(&report, "WaitingOrders");
    assert_eq!(
        (&waits["verdict"], &waits["runs"][0]["changes"][0]["kind"]),
        (&"error".into(), &"times-out".into()),
        "{text}"
    );
    assert!(
        !waits["runs"][0]["after"].is_null(),
        "the plan that did not end is shown: {text}"
    );
}

const CHANCE: &str = "-- name: SomeOrders :many
SELECT id FROM orders LIMIT 40000 + (random() * 2000)::int;

-- name: SlowOrders :many
SELECT count(*) FROM orders, pg_sleep(3);

-- name: WaitingOrders :many
SELECT count(*) FROM orders, wait_for(3);
";
