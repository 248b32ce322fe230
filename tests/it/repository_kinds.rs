//! Which of several schemas `init` takes, and what it reads of a repository's tools beyond their usual form.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::repositories::{SHOP, init, pgproof, repository, stop};

#[test]
fn the_fullest_schema_is_the_projects_own() {
    let table = |name: &str| format!("CREATE TABLE {name} (id bigint PRIMARY KEY);\n");
    let root = repository(&[
        ("lib/migrations/1_first.up.sql", &table("networks")),
        ("apps/store/sql/migrations/1_first.up.sql", SHOP),
        (
            "apps/store/sql/migrations/2_next.up.sql",
            &table("networks"),
        ),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(
        said.contains("not taken: golang-migrate: lib/migrations"),
        "{said}"
    );
    assert!(
        written.contains("migrations = \"apps/store/sql/migrations\""),
        "{written}"
    );
    stop(root.path());
}

#[test]
fn numbered_folders_are_one_schema_in_the_order_of_their_numbers() {
    let root = repository(&[
        (
            "database/shop/10_data/00_create_schema.sql",
            "CREATE SCHEMA shop; SET search_path = shop;\n",
        ),
        ("database/shop/10_data/04_tables/01_shops.sql", SHOP),
        (
            "database/shop/10_data/04_tables/10_more.sql",
            "ALTER TABLE shop.extra ADD COLUMN b int;\n",
        ),
        (
            "database/shop/10_data/04_tables/9_extra.sql",
            "CREATE TABLE shop.extra (id int);\n",
        ),
        ("database/cleanup.sql", "DROP SCHEMA shop CASCADE;\n"),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(
        said.contains("SQL files in numbered folders: 4 schema files"),
        "{said}"
    );
    assert!(said.contains("(3 tables)"), "{said}");
    stop(root.path());
}

#[test]
fn of_scripts_for_several_databases_those_for_postgresql_are_taken() {
    let root = repository(&[
        (
            "dao/sql/shop_mysql.sql",
            "CREATE TABLE `shops` (`id` int NOT NULL AUTO_INCREMENT);\n",
        ),
        ("dao/sql/shop_postgresql.sql", SHOP),
        (
            "dao/sql/upgrade/1.1.0_schema/postgresql/shop_ddl.sql",
            "ALTER TABLE gone ADD COLUMN a int; CREATE TABLE extra (id int);\n",
        ),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(
        written.contains("migrations = \"dao/sql/shop_postgresql.sql\""),
        "{said}\n{written}"
    );
    stop(root.path());
}

#[test]
fn files_of_a_program_that_numbers_two_alike_run_in_the_order_of_their_names() {
    let root = repository(&[
        ("db/migrations/10_a_shops.up.sql", SHOP),
        (
            "db/migrations/10_b_more.up.sql",
            "CREATE TABLE more (shop bigint REFERENCES shops (id));\n",
        ),
        ("db/migrations/10_a_shops.down.sql", "DROP TABLE visits;\n"),
        (
            "db/migrations/9_b_first.up.sql",
            "CREATE TABLE first (id int);\n",
        ),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(said.contains("(4 tables)"), "{said}");
    stop(root.path());
}

#[test]
fn settings_that_a_projects_program_makes_are_named_and_can_be_written_down() {
    let root = repository(&[(
        "migrations/0001-parts.sql",
        "DO $$ DECLARE part text; BEGIN\n  FOREACH part IN ARRAY current_setting('shop.parts', true)::text[] LOOP\n    \
         EXECUTE format('CREATE TABLE shops_%s (id bigint PRIMARY KEY)', part);\n  END LOOP;\nEND $$;\nCREATE TABLE t (id int);\n",
    )]);
    let (said, written) = init(root.path(), 2);
    assert!(
        said.contains("settings that the project's own program") && said.contains("shop.parts"),
        "{said}"
    );
    let with_setting = written.replace(
        "# settings = { work_mem",
        "settings = { \"shop.parts\" = \"{north,south}\" }\n# settings = { work_mem",
    );
    assert_ne!(written, with_setting);
    std::fs::write(root.path().join("pgproof.toml"), with_setting).unwrap();
    let output = pgproof(root.path(), &["init"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("(3 tables)"), "{said}");
    stop(root.path());
}

#[test]
fn types_that_sqlx_recorded_are_used_and_compared_with_the_servers() {
    let prepared = |sql: &str, types: &str| {
        format!(
            r#"{{"db_name": "PostgreSQL", "query": {}, "describe": {{"columns": [], "parameters": {{"Left": {types}}}, "nullable": []}}}}"#,
            serde_json::json!(sql)
        )
    };
    let root = repository(&[
        ("migrations/1_shop.sql", SHOP),
        (
            // The text alone does not show the server what $1 is.
            ".sqlx/query-0a.json",
            &prepared(
                "SELECT city, jsonb_build_object('asked', $1) FROM shops",
                r#"["Int8"]"#,
            ),
        ),
        (
            ".sqlx/query-0b.json",
            &prepared("SELECT city FROM shops WHERE id = $1", r#"["Int4"]"#),
        ),
    ]);
    init(root.path(), 0);
    let output = pgproof(
        root.path(),
        &[
            "audit",
            "--rows",
            "200",
            "--format",
            "json",
            "--runs",
            "1",
            "--fail-on",
            "never",
        ],
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&said);
    assert_eq!(report["summary"]["not_audited"], 0, "{report}");
    let query = |name: &str| {
        let mut all = report["queries"].as_array().unwrap().iter();
        all.find(|query| query["name"] == name).unwrap().clone()
    };
    let asked = query("query-0a")["runs"][0]["parameters"].to_string();
    assert!(
        asked.contains("bigint") || asked.chars().any(|c| c.is_ascii_digit()),
        "{asked}"
    );
    let stale = query("query-0b")["notes"].to_string();
    assert!(stale.contains("$1 is bigint, int4 was recorded"), "{stale}");
    assert_eq!(query("query-0a")["notes"].as_array().map_or(0, Vec::len), 0);
    stop(root.path());
}

#[test]
fn folders_that_one_tool_reads_together_are_one_schema() {
    let (shops, visits) = SHOP.split_once('\n').unwrap();
    let root = repository(&[
        (
            "app/src/main/resources/db/migration/2024/V1__shops.sql",
            shops,
        ),
        (
            "app/src/main/resources/db/migration/2025/V2__visits.sql",
            visits,
        ),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(said.contains("(2 tables)"), "{said}");
    assert!(
        written.contains("migrations = \"app/src/main/resources/db/migration\""),
        "{written}"
    );
    stop(root.path());
}

#[test]
fn of_several_databases_the_default_one_is_taken() {
    let root = repository(&[
        (
            "migrations/analytics/1700000000000_a/up.sql",
            "CREATE TABLE events (id bigint PRIMARY KEY);\n",
        ),
        ("migrations/default/1700000000000_a/up.sql", SHOP),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(
        said.contains("not taken: Hasura: migrations/analytics")
            && written.contains("migrations = \"migrations/default\""),
        "{said}"
    );
    stop(root.path());
}

#[test]
fn a_schema_dump_with_rows_is_read_without_them() {
    let root = repository(&[
        ("artisan", ""),
        (
            "database/schema/pgsql-schema.sql",
            &format!(
                "\\set owner app\n{SHOP}CREATE TABLE migrations (id int, migration text);\nCOPY migrations (id, migration) FROM stdin;\n\
                 1\tit's\n\\.\nCREATE INDEX ON visits (shop_id);\n"
            ),
        ),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(
        said.contains("Laravel") && said.contains("(3 tables)"),
        "{said}"
    );
    stop(root.path());
}

#[test]
fn a_folder_called_out_is_drizzles_where_its_journal_is_in_it() {
    let root = repository(&[
        ("packages/db/out/0000_shop.sql", SHOP),
        (
            "packages/db/out/meta/_journal.json",
            r#"{"version": "7", "dialect": "postgresql", "entries": [{"idx": 0, "version": "7", "when": 1, "tag": "0000_shop", "breakpoints": true}]}"#,
        ),
        ("web/out/1_page.sql", "CREATE TABLE built (id int);\n"),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(said.contains("found Drizzle: packages/db/out"), "{said}");
    assert!(!said.contains("web/out"), "{said}");
    stop(root.path());
}

#[test]
fn a_file_that_is_no_utf8_is_named_with_its_line() {
    let root = repository(&[("migrations/2_more.sql", "SELECT 1;\n")]);
    let text = [b"-- Stra\xDFe\n", SHOP.as_bytes()].concat();
    std::fs::write(root.path().join("migrations/1_shop.sql"), text).unwrap();
    let (said, written) = init(root.path(), 2);
    assert!(
        said.contains("migrations/1_shop.sql:1") && said.contains("is not UTF-8"),
        "{said}"
    );
    assert!(written.contains("migrations = \"migrations\""), "{written}");
    stop(root.path());
}
