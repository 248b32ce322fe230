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
        // Beside it, and older.
        ("apps/store/sql/legacy_migrations/1_first.up.sql", SHOP),
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

#[test]
fn every_form_of_sqlc_and_of_texts_in_code_is_audited() {
    let root = repository(&[
        (
            "sqlc.yaml",
            "version: '2'\nsql:\n  - engine: postgresql\n    schema: db/schema.sql\n    queries: db/a\n    gen: {go: {package: shops, out: x}}\n  \
             - engine: postgresql\n    schema: db/schema.sql\n    queries: [db/b.sql]\n    gen: {go: {out: gen/visits}}\n",
        ),
        ("db/schema.sql", SHOP),
        (
            "db/a/queries.sql",
            "-- name: Get :one\n-- @deprecated use ListByIDs\nSELECT sqlc.embed(s), v.seen FROM shops s JOIN visits v ON v.shop_id = s.id\n\
             WHERE s.id = $1 AND s.city = sqlc.arg(city) AND (sqlc.narg('day')::date IS NULL OR v.seen > sqlc.narg('day'));\n\n\
             -- name: ListByIDs :many\nSELECT * FROM shops WHERE id IN (sqlc.slice('ids')) AND city <> @city;\n\n\
             -- name: InsertMany :copyfrom\nINSERT INTO shops (id, city) VALUES ($1, $2);\n\n\
             -- name: DeleteMany :batchexec\nDELETE FROM visits WHERE id = $1;\n\n\
             /* name: BatchGet :batchmany */\nSELECT city FROM shops WHERE id = $1;\n",
        ),
        (
            "db/b.sql",
            "-- name: Get :one\nSELECT * FROM visits WHERE id = $1;\n",
        ),
        (
            "app/Shops.java",
            "class Shops {\n  List<Long> byCity(DSLContext dsl, String city) {\n    return dsl.resultQuery(\"SELECT id FROM shops WHERE city = ?\", \
             city).fetchInto(Long.class);\n  }\n  void part(DSLContext dsl) { dsl.fetch(\"SELECT '{0}' FROM {0}\", name); }\n}\n",
        ),
        (
            "app/store.go",
            "package app\n\nconst latestVisit = `SELECT max(seen) FROM visits WHERE shop_id = $1`\n\nfunc (s *Store) Latest(id int64) {\n\t\
             s.db.QueryRowContext(ctx, latestVisit, id)\n}\n",
        ),
        (
            "exports/statements.csv",
            "query,calls,mean_exec_time\n\"SELECT seen FROM visits WHERE shop_id = $1\",1000,0.2\n\"CREATE ROLE x PASSWORD 'secret'\",1,0.2\n",
        ),
        (
            "pgproof.toml",
            "migrations = \"db/schema.sql\"\nqueries = [{ sqlc = \"sqlc.yaml\" }, { jdbc = \"app/*.java\" }, { go = \"app/*.go\" }, \
             { statements = \"exports/statements.csv\", period = \"1d\" }]\n",
        ),
    ]);
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
    stop(root.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        !text.contains("secret") && !said.contains("secret"),
        "{said}"
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&said);
    let names = |list: &str| -> Vec<String> {
        let all = report[list].as_array().unwrap().iter();
        let mut names: Vec<String> = all
            .map(|query| query["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let mut audited = names("queries");
    audited.retain(|name| !name.starts_with("select-visits-"));
    assert_eq!(
        audited,
        [
            "BatchGet",
            "DeleteMany",
            "InsertMany",
            "Latest",
            "ListByIDs",
            "byCity",
            "shops/Get",
            "visits/Get"
        ],
        "{said}"
    );
    assert_eq!(names("queries").len(), 9);
    assert_eq!(
        names("not_audited"),
        ["part", "pg_stat_statements"],
        "{report}"
    );
    let run = |name: &str| {
        let mut all = report["queries"].as_array().unwrap().iter();
        let query = all.find(|query| query["name"] == name).unwrap();
        query["runs"].as_array().unwrap().len()
    };
    assert!(audited.iter().all(|name| run(name) > 0));
}

#[test]
fn the_schema_of_a_part_does_not_pass_for_the_projects() {
    let root = repository(&[
        (
            "core/migrations/1_first.up.sql",
            &format!("{SHOP}CREATE TABLE c (id int);\nALTER TABLE elsewhere.jobs ADD a int;\n"),
        ),
        (
            "auth/migrations/1_first.up.sql",
            "CREATE TABLE keys (id bigint PRIMARY KEY);\n",
        ),
    ]);
    let (said, written) = init(root.path(), 2);
    assert!(
        said.contains("elsewhere") && !said.contains("taken instead"),
        "{said}"
    );
    assert!(
        written.contains("migrations = \"core/migrations\""),
        "{written}"
    );
    stop(root.path());
}

#[test]
fn what_is_not_audited_has_its_own_severity_and_stops_nothing() {
    let root = repository(&[
        ("schema.sql", SHOP),
        (
            "queries/shops.sql",
            "-- name: Get :one\nSELECT city FROM shops WHERE id = $1;\n\n-- name: Broken :many\nSELEC city FROM shops;\n\n\
             -- name: Stats :many\n-- @skip: run by hand\nSELECT count(*) FROM shops;\n\n-- name: Clean :exec\nVACUUM shops;\n\n\
             -- name: Gone :many\nSELECT totl FROM shops;\n\n-- name: Old :many\nSELECT id FROM visits;\n",
        ),
        (
            "pgproof.toml",
            "migrations = \"schema.sql\"\nqueries = [\"queries/*.sql\"]\nexclude = [\"Old\"]\n[dataset]\nscale = 0.01\n",
        ),
    ]);
    let audit = |more: &[&str]| {
        let output = pgproof(
            root.path(),
            &[&["audit", "--runs", "1", "--format", "json"], more].concat(),
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
        (output.status.code(), report.unwrap_or_default(), said)
    };
    let (code, report, said) = audit(&[]);
    assert_eq!(code, Some(0), "{said}");
    let summary = &report["summary"];
    assert_eq!(
        (
            summary["not_audited"].as_u64(),
            summary["left_out"].as_u64()
        ),
        (Some(3), Some(2)),
        "{summary}"
    );
    assert_eq!(summary["executed"], 1, "{summary}");
    let lost = report["not_audited"].as_array().unwrap();
    for (name, line) in [("Broken", 5), ("Clean", 12), ("Gone", 15)] {
        let one = lost.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(one["file"], "queries/shops.sql");
        assert_eq!(one["line"], line, "{one}");
        assert!(!one["remedy"].as_str().unwrap().is_empty(), "{one}");
    }
    assert_eq!(audit(&["--fail-on", "warning"]).0, Some(1));
    assert_eq!(audit(&["--strict"]).0, Some(2));
    let config = root.path().join("pgproof.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let rule = "[[override]]\nqueries = [\"Broken\"]\nrules = { not-audited = \"error\" }\n";
    std::fs::write(&config, format!("{text}{rule}")).unwrap();
    let (code, report, _) = audit(&[]);
    assert_eq!(
        (code, report["summary"]["errors"].as_u64()),
        (Some(1), Some(1))
    );
    let off = "[rules]\nnot-audited = \"off\"\n";
    std::fs::write(&config, format!("{text}{off}")).unwrap();
    assert_eq!(audit(&["--fail-on", "warning"]).0, Some(0));
    stop(root.path());
}

#[test]
fn types_that_only_a_driver_says_are_worked_out_from_the_rest_of_the_statement() {
    let root = repository(&[
        (
            "schema.sql",
            "CREATE TABLE events (id uuid PRIMARY KEY, rule uuid NOT NULL, ts bigint NOT NULL, kind text);\n",
        ),
        (
            "app/Events.java",
            "interface Events {\n  @Query(nativeQuery = true, value = \"SELECT id FROM events WHERE (:start IS NULL OR ts >= :start) \" +\n    \
             \"AND (:rule IS NULL OR rule = uuid(:rule)) AND (:id IS NULL OR id = uuid(:id)) \" +\n    \
             \"AND (:kind IS NULL OR kind ILIKE concat('%', :kind, '%'))\")\n  List<UUID> find(Long start, String rule, String id, String kind);\n}\n",
        ),
        (
            "pgproof.toml",
            "migrations = \"schema.sql\"\nqueries = [{ jpa = \"app/*.java\" }]\n",
        ),
    ]);
    let output = pgproof(
        root.path(),
        &["audit", "--rows", "200", "--runs", "1", "--format", "json"],
    );
    stop(root.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&said);
    assert_eq!(
        report["summary"]["not_audited"], 0,
        "{}",
        report["not_audited"]
    );
    assert_eq!(report["summary"]["executed"], 1, "{report}");
}

#[test]
fn what_is_stored_in_a_domain_keeps_its_check() {
    let root = repository(&[
        (
            "schema.sql",
            "CREATE DOMAIN email AS text CHECK (VALUE ~ '^[a-z0-9._-]+@[a-z0-9.-]+$');\n\
             CREATE TABLE people (id bigint PRIMARY KEY, mail email UNIQUE NOT NULL, kind text);\n",
        ),
        (
            "queries/people.sql",
            "-- name: Add :one\nWITH added AS (INSERT INTO people (id, mail, kind) VALUES (-1, $2, $1) RETURNING id) SELECT id FROM added;\n",
        ),
        ("pgproof.toml", "migrations = \"schema.sql\"\n"),
    ]);
    let output = pgproof(
        root.path(),
        &["audit", "--rows", "200", "--runs", "1", "--format", "json"],
    );
    stop(root.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&said);
    assert_eq!(
        report["summary"]["not_audited"], 0,
        "{}",
        report["not_audited"]
    );
    assert_eq!(report["summary"]["executed"], 1, "{report}");
}
