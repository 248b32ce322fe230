//! Repositories of other people, in small: `init` as typed, and what it says where it cannot. Their queries are read where
//! each tool writes them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

pub(crate) fn pgproof(root: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(root)
        .env_remove("DATABASE_URL")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// What `init` said, and the pgproof.toml that it wrote.
pub(crate) fn init(root: &Path, expected: i32) -> (String, String) {
    let output = pgproof(root, &["init"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(expected), "{said}");
    let written = std::fs::read_to_string(root.join("pgproof.toml")).unwrap_or_default();
    (said, written)
}

pub(crate) fn stop(root: &Path) {
    let _ = pgproof(root, &["server", "stop"]);
}

pub(crate) const SHOP: &str = "CREATE TABLE shops (id bigint PRIMARY KEY, city text NOT NULL);\n\
                    CREATE TABLE visits (id bigint PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shops, seen timestamptz);\n";

#[test]
fn a_schema_that_cannot_be_made_gives_way_to_the_next_one() {
    let root = repository(&[
        (
            "sqlc.yaml",
            "version: '2'\nsql:\n  - engine: postgresql\n    schema: [db/pieces.sql]\n    queries: [db/queries.sql]\n",
        ),
        (
            "db/pieces.sql",
            "CREATE TABLE shops (id mood);\nCREATE TYPE mood AS ENUM ('good');\n",
        ),
        (
            "db/queries.sql",
            "-- name: GetShop :one\nSELECT city FROM shops WHERE id = $1;\n",
        ),
        ("store/schema.sql", SHOP),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(said.contains("not usable here: sqlc"), "{said}");
    assert!(
        said.contains("taken instead: a schema file: store/schema.sql"),
        "{said}"
    );
    assert!(
        written.contains("store/schema.sql") && written.contains("sqlc.yaml"),
        "{written}"
    );
    stop(root.path());
}

#[test]
fn what_the_server_lacks_and_nothing_needs_is_left_out_or_made() {
    let root = repository(&[(
        "schema.sql",
        &format!(
            "SET a_setting_of_tomorrow = 0;\nCREATE EXTENSION IF NOT EXISTS no_such_extension WITH SCHEMA public;\n\
             COMMENT ON EXTENSION no_such_extension IS 'x';\n{SHOP}GRANT SELECT ON shops TO pgproof_a_reader;\n\
             ALTER TABLE visits OWNER TO \"pgproof_an_owner\";\nCREATE TABLE market.stalls (id int PRIMARY KEY);\n-- name: GetShop :one\nSELECT city FROM shops WHERE id = @id;\n"
        ),
    )]);
    let (said, written) = init(root.path(), 0);
    assert!(
        said.contains("extension no_such_extension is not on this server"),
        "{said}"
    );
    assert!(
        said.contains("make tables in schema market and do not make it"),
        "{said}"
    );
    assert!(
        written.contains("roles    = [\"pgproof_a_reader\", \"pgproof_an_owner\"]"),
        "{written}"
    );
    stop(root.path());
}

#[test]
fn a_replication_slot_is_left_out() {
    let root = repository(&[(
        "flyway/V1__slot.sql",
        "DO $$ BEGIN PERFORM pg_create_logical_replication_slot('changes', 'pgoutput'); END $$;\nCREATE TABLE ports (id int PRIMARY KEY);\n",
    )]);
    let (said, written) = init(root.path(), 0);
    assert!(
        said.contains("wrote seeds/schema.toml (1 table)"),
        "{said}\n{written}"
    );
    stop(root.path());
}

#[test]
fn what_is_lacking_and_needed_says_what_to_do() {
    for (sql, remedy) in [
        (
            "CREATE EXTENSION no_such_extension;\nCREATE TABLE a (b no_such_type);\n",
            "install no_such_extension",
        ),
        ("CREATE TABLE a (b BLOB NOT NULL);\n", "migrate-cmd"),
        (
            "CREATE TABLE a (b int) WHATEVER;\n",
            "where production's server is newer",
        ),
    ] {
        let root = repository(&[("schema.sql", sql)]);
        let (said, written) = init(root.path(), 2);
        assert!(said.contains(remedy), "{said}");
        assert!(written.contains("migrations = \"schema.sql\""), "{written}");
        stop(root.path());
    }
}

#[test]
fn migrations_of_sql_migrate_may_share_a_number() {
    let root = repository(&[
        (
            "migrations/20250101-b.sql",
            "-- +migrate Up\nCREATE INDEX ON shops (city);\n-- +migrate Down\nDROP TABLE shops;\n",
        ),
        (
            "migrations/20250101-a.sql",
            &format!("-- +migrate Up\n{SHOP}\n-- +migrate Down\nDROP TABLE visits;\n"),
        ),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(said.contains("sql-migrate: migrations"), "{said}");
    assert!(said.contains("(2 tables)"), "{said}");
    stop(root.path());
}

#[test]
fn folders_by_release_are_one_schema() {
    let root = repository(&[
        (
            "store/migration/0.9/00__more.sql",
            "ALTER TABLE shops ADD COLUMN a int;\nCREATE TABLE extra (id int);\n",
        ),
        (
            "store/migration/0.10/00__last.sql",
            "ALTER TABLE extra ADD COLUMN b int;\n",
        ),
        ("store/migration/0.2/00__first.sql", SHOP),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(said.contains("(3 tables)"), "{said}");
    stop(root.path());
}

#[test]
fn what_a_folder_beside_the_schema_makes_comes_before_it() {
    let root = repository(&[
        (
            "db/base/1_notes.up.sql",
            "CREATE TABLE notes (entry text NOT NULL);\n",
        ),
        ("db/migrations/0/01_shop.sql", SHOP),
        (
            "db/migrations/1/01_more.sql",
            "INSERT INTO notes (entry) VALUES ('shops have areas now');\nALTER TABLE shops ADD COLUMN area text;\n",
        ),
        (
            "db/migrations/2/01_last.sql",
            "ALTER TABLE shops ADD COLUMN zone text;\n",
        ),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(
        said.contains("1_notes.up.sql makes what these files lack"),
        "{said}"
    );
    let settings = std::fs::read_to_string(root.path().join("pgproof.toml")).unwrap();
    assert!(
        settings.contains("[\"db/base/1_notes.up.sql\", \"db/migrations/0/01_shop.sql\""),
        "{settings}"
    );
    stop(root.path());
}

#[test]
fn supabase_has_its_roles_and_users() {
    let root = repository(&[(
        "supabase/migrations/20250101000000_init.sql",
        "CREATE EXTENSION IF NOT EXISTS \"pgjwt\" WITH SCHEMA extensions;\n\
         CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE, name text);\n\
         ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;\n\
         CREATE POLICY own ON profiles FOR SELECT TO authenticated USING (auth.uid() = id);\n\
         GRANT SELECT ON profiles TO anon, service_role;\n",
    )]);
    let (said, _) = init(root.path(), 0);
    assert!(said.contains("Supabase"), "{said}");
    stop(root.path());
}

#[test]
fn statements_are_read_where_each_tool_writes_them() {
    let root = repository(&[
        ("schema.sql", SHOP),
        (
            "db/aiosql.sql",
            "-- name: shop_of(id)^\nSELECT city FROM shops WHERE id = :id;\n",
        ),
        (
            "clj/hug.sql",
            "-- :name shops-of :? :*\nSELECT id FROM shops WHERE city = :v:the-city AND id IN (:v*:ids)\n",
        ),
        (
            "rs/clorinde.sql",
            "--! visits_of (seen?)\nSELECT id FROM visits WHERE shop_id = :shop;\n",
        ),
        (
            "js/typed.sql",
            "/* @name ShopsByIds @param ids -> (...) */\nSELECT city FROM shops WHERE id IN :ids!;\n",
        ),
        (
            "py/shops.py",
            "from sqlalchemy import text\ndef latest(db):\n    return db.execute(text(\"\"\"\n        SELECT max(seen) FROM visits\n        WHERE shop_id = :shop\"\"\"))\ndef any(db, t):\n    return db.execute(text(f'SELECT * FROM {t}'))\n",
        ),
        (
            "java/Shops.java",
            "interface Shops {\n  @Query(value = \"SELECT city FROM shops \"\n    + \"WHERE id = ?1\", nativeQuery = true)\n  String cityOf(long id);\n}\n",
        ),
        (
            "py/cursors.py",
            "def cities(cursor):\n    cursor.execute(\"SELECT city FROM shops WHERE id = %s\", (1,))\n",
        ),
        (
            "js/store.ts",
            "export async function seen(own) {\n  return own.ask('SELECT seen FROM visits WHERE id = $1', [1]);\n}\n",
        ),
        (
            "go/statements.go",
            "package store\n\nconst lastVisit = `SELECT max(seen) FROM visits WHERE shop_id = $1`\n",
        ),
        (
            "rust/src/lib.rs",
            "fn count() { sqlx::query_scalar!(\"SELECT count(*) FROM visits WHERE shop_id = $1\", 1); }\n",
        ),
    ]);
    let (said, written) = init(root.path(), 0);
    for key in [
        "aiosql",
        "yesql",
        "clorinde",
        "pgtyped",
        "sqlalchemy",
        "jpa",
        "rust",
        "go",
        "python",
        "javascript",
    ] {
        assert!(
            written.contains(&format!("{{ {key} = ")),
            "{key}: {said}\n{written}"
        );
    }
    let output = pgproof(
        root.path(),
        &["audit", "--rows", "200", "--format", "json", "--runs", "1"],
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&said);
    let mut seen: Vec<(String, u64)> = report["queries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|query| {
            (
                query["name"].as_str().unwrap().to_owned(),
                query["line"].as_u64().unwrap(),
            )
        })
        .collect();
    seen.sort();
    let expected = [
        ("ShopsByIds", 2),
        ("cities", 2),
        ("cityOf", 2),
        ("count", 1),
        ("lastVisit", 3),
        ("latest", 4),
        ("seen", 2),
        ("shop_of", 2),
        ("shops-of", 2),
        ("visits_of", 2),
    ];
    let expected: Vec<(String, u64)> = expected
        .iter()
        .map(|(name, line)| ((*name).to_owned(), *line))
        .collect();
    assert_eq!(seen, expected, "{said}");
    assert_eq!(report["summary"]["not_audited"], 1, "{}", report["summary"]);
    stop(root.path());
}

/// The commands of an example's README, on a copy of it.
fn example(name: &str, install: &[&str], record: &[&str], finding: &str) {
    let root = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| {
        let output = command
            .current_dir(root.path().join(name))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let copied = Command::new("cp")
        .arg("-r")
        .arg(format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR")))
        .arg(root.path())
        .status();
    assert!(copied.unwrap().success());
    let (code, said) = run(Command::new("sh").args(["-c", &install.join(" && ")]));
    assert_eq!(code, Some(0), "{said}");
    let pgproof = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command.env_remove("DATABASE_URL").env("NO_COLOR", "1");
        command
    };
    let (code, said) = run(pgproof().arg("init"));
    assert_eq!(code, Some(0), "{said}");
    // As much as the finding needs: the example's own size takes minutes.
    let configuration = root.path().join(name).join("pgproof.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    let smaller = text.replace("scale = 1.0", "scale = 0.1");
    assert_ne!(text, smaller);
    std::fs::write(&configuration, smaller).unwrap();
    let (code, said) = run(pgproof().args(["record", "--"]).args(record));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(pgproof().args(["audit", "queries/recorded.sql"]));
    assert!(matches!(code, Some(0 | 1)), "{said}");
    assert!(said.contains(finding), "{said}");
    stop(&root.path().join(name));
}

#[test]
#[ignore = "installs packages from a registry"]
fn the_django_example_is_audited_by_the_commands_of_its_readme() {
    example(
        "django",
        &[
            "python3 -m venv .venv",
            ".venv/bin/pip install -q -r requirements.txt",
        ],
        &[".venv/bin/python", "exercise.py"],
        "reader_id",
    );
}

#[test]
#[ignore = "needs Go"]
fn the_go_example_is_audited_by_the_commands_of_its_readme() {
    // Debian has the driver as a package; elsewhere Go downloads it.
    let driver = "/usr/share/gocode/src/github.com/lib/pq";
    let install = format!(
        "if [ -d {driver} ]; then go mod edit -replace github.com/lib/pq={driver}; else go mod tidy; fi"
    );
    example(
        "sqlc",
        &[&install],
        &["go", "test", "-count=1", "./..."],
        "station_id",
    );
}

#[test]
#[ignore = "installs packages from a registry"]
fn the_node_example_is_audited_by_the_commands_of_its_readme() {
    example(
        "drizzle",
        &["npm install"],
        &["npm", "run", "exercise"],
        "holder_email",
    );
}

#[test]
#[ignore = "installs packages from a registry"]
fn the_prisma_example_is_audited_by_the_commands_of_its_readme() {
    // Prisma fetches an engine for its own migrations, which nothing here runs: `generate` only asks that there is one.
    let generate = "PRISMA_SCHEMA_ENGINE_BINARY=/bin/true npm run generate";
    example(
        "prisma",
        &["npm install --ignore-scripts", generate],
        &["npm", "run", "exercise"],
        "guest",
    );
}

/// Each part of a repository has a schema: the one that names PostgreSQL is taken, with the code of its part.
#[test]
fn of_several_parts_the_one_for_postgresql_is_taken_with_its_code() {
    let root = repository(&[
        (
            "crates/cache/migrations/1_entries.sql",
            "CREATE TABLE entries (key text PRIMARY KEY, value text NOT NULL);\n",
        ),
        (
            "crates/cache/src/lib.rs",
            "async fn get() { sqlx::query(\"SELECT value FROM entries WHERE key = $1\"); }\n",
        ),
        (
            "crates/store-postgres/migrations/1_parcels.sql",
            "CREATE TABLE parcels (id bigint PRIMARY KEY, weight int NOT NULL);\n",
        ),
        (
            "crates/store-postgres/src/lib.rs",
            "async fn get() { sqlx::query(\"SELECT weight FROM parcels WHERE id = $1\"); }\n",
        ),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(
        written.contains("migrations = \"crates/store-postgres/migrations\"")
            && written.contains("{ rust = \"crates/store-postgres/**/*.rs\" }"),
        "{said}\n{written}"
    );
}

/// Migrations numbered with a letter, for two databases; statements in the code of each.
#[test]
fn a_go_service_is_read_where_it_keeps_its_statements() {
    let root = repository(&[
        ("go.mod", "module example.com/shop\n"),
        ("store/migrations/postgres/V0001.First.up.sql", SHOP),
        (
            "store/migrations/postgres/V0001.First.down.sql",
            "DROP TABLE visits;\nDROP TABLE shops;\n",
        ),
        (
            "store/migrations/postgres/V0002.Notes.up.sql",
            "ALTER TABLE visits ADD note text;\n",
        ),
        (
            "store/migrations/mysql/V0001.First.up.sql",
            "CREATE TABLE `shops` (id INT AUTO_INCREMENT);\n",
        ),
        (
            "store/visits.go",
            "package store\n\nimport \"database/sql\"\n\nconst byShop = `SELECT note FROM visits WHERE shop_id = $1`\n\n\
             func Visits(db *sql.DB) { db.Query(byShop, 1) }\n",
        ),
        (
            "store/mysql/visits.go",
            "package mysql\n\nimport \"database/sql\"\n\nfunc Visits(db *sql.DB) { db.Query(\"SELECT `note` FROM visits\") }\n",
        ),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(
        written.contains("migrations = \"store/migrations/postgres\"")
            && written.contains("{ go = \"store/**/*.go\" }"),
        "{said}\n{written}"
    );
    let audit = ["audit", "--rows", "50", "--runs", "1", "--format", "json"];
    let output = pgproof(root.path(), &[&audit[..], &["--fail-on", "never"]].concat());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let queries = report["queries"].as_array().unwrap();
    assert_eq!(queries.len(), 1, "{report:#}");
    assert_eq!(queries[0]["name"], "Visits");
    assert_eq!(queries[0]["line"], 5);
    assert_eq!(report["summary"]["not_audited"], 0, "{report:#}");
    stop(root.path());
}

#[test]
fn a_schema_in_several_files_is_taken_whole_and_what_it_lacks_is_pointed_at() {
    let root = repository(&[
        (
            "sql/schema-tables.sql",
            "CREATE TABLE IF NOT EXISTS shops (id bigint PRIMARY KEY, city text NOT NULL);\n",
        ),
        (
            "sql/schema-indexes.sql",
            "CREATE INDEX IF NOT EXISTS shops_by_city ON shops (city);\n",
        ),
        (
            "sql/schema-busy-views.sql",
            "DROP VIEW IF EXISTS busy;\nCREATE VIEW busy AS SELECT city, count(*) FROM shops GROUP BY city;\n",
        ),
        // The same tables for another store: one of the two is taken.
        (
            "sql/schema-timeseries.sql",
            "CREATE TABLE IF NOT EXISTS shops (id bigint, city text, at timestamptz);\n",
        ),
        (
            "later/upgrade.sql",
            "CREATE TABLE extras (id bigint PRIMARY KEY);\n",
        ),
        (
            "queries/shops.sql",
            "-- name: Busy :many\nSELECT city FROM busy;\n\n-- name: Extras :many\nSELECT id FROM extras;\n\n\
             -- name: Nowhere :many\nSELECT id FROM nowhere;\n\n\
             CREATE TABLE drafts (id bigint PRIMARY KEY);\n",
        ),
    ]);
    let (said, written) = init(root.path(), 0);
    assert!(
        written.contains(
            "migrations = [\"sql/schema-tables.sql\", \"sql/schema-busy-views.sql\", \"sql/schema-indexes.sql\"]"
        ),
        "{said}\n{written}"
    );
    let audited = pgproof(root.path(), &["audit", "--rows", "100", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&audited.stdout).unwrap();
    let unjudged: Vec<(String, String)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["rule"] == "not-audited")
        .map(|finding| {
            (
                finding["query"].as_str().unwrap().to_owned(),
                finding["advice"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let [extras, nowhere] = &unjudged[..] else {
        panic!("{unjudged:?}");
    };
    assert_eq!(extras.0, "Extras");
    assert!(
        extras.1.starts_with("later/upgrade.sql:1 makes extras"),
        "{}",
        extras.1
    );
    assert!(
        nowhere
            .1
            .starts_with("No file of the project makes nowhere"),
        "{}",
        nowhere.1
    );
    stop(root.path());
}

#[test]
fn where_no_schema_is_found_there_is_something_to_edit() {
    let root = repository(&[("src/main.go", "package main\n")]);
    let (said, written) = init(root.path(), 2);
    assert!(said.contains("pgproof.toml is written"), "{said}");
    assert!(written.contains("# migrate-cmd = "), "{written}");
    // Nothing is overwritten: it goes on from what was edited.
    std::fs::write(root.path().join("made.sql"), SHOP).unwrap();
    std::fs::write(
        root.path().join("pgproof.toml"),
        "migrations = \"made.sql\"\n",
    )
    .unwrap();
    let (said, _) = init(root.path(), 0);
    assert!(said.contains("pgproof.toml is there: it is kept"), "{said}");
    stop(root.path());
}

/// Atlas' own delimiter ends statements in place of semicolons; a placeholder that a tool fills in says so.
#[test]
fn what_a_tool_does_to_its_files_is_done_or_named() {
    let root = repository(&[
        (
            "migrations/1_shops.sql",
            "-- atlas:delimiter -- end\n\nCREATE TABLE shops (id bigint PRIMARY KEY)\n-- end\n\
             CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END;';\n-- end\n",
        ),
        ("migrations/atlas.sum", "h1:x\n1_shops.sql h1:x\n"),
    ]);
    let (said, _) = init(root.path(), 0);
    assert!(
        said.contains("found Atlas") && said.contains("(1 table)"),
        "{said}"
    );
    stop(root.path());
    let root = repository(&[(
        "db/V1__shops.sql",
        "CREATE TABLE ${flyway:defaultSchema}.shops (id bigint PRIMARY KEY);\n",
    )]);
    let (said, _) = init(root.path(), 2);
    assert!(said.contains("a placeholder (${"), "{said}");
    stop(root.path());
}

/// The scripts beside a changelog are parts of it.
#[test]
fn a_changelog_in_xml_is_liquibases() {
    let root = repository(&[
        (
            "server/src/main/resources/db/changelog/tables.xml",
            "<databaseChangeLog><changeSet id=\"1\" author=\"a\"><createTable tableName=\"shops\"/></changeSet>\
             <changeSet id=\"2\" author=\"a\"><sqlFile path=\"db/changelog/fill.sql\"/></changeSet></databaseChangeLog>",
        ),
        (
            "server/src/main/resources/db/changelog/fill.sql",
            "UPDATE shops SET city = 'none';\nCREATE TABLE visits (id bigint PRIMARY KEY);\n",
        ),
    ]);
    let output = pgproof(root.path(), &["init"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("changelogs in XML, YAML or JSON need the liquibase program")
            && !said.contains("fill.sql"),
        "{said}"
    );
    let written = std::fs::read_to_string(root.path().join("pgproof.toml")).unwrap();
    assert!(
        written.contains(
            "liquibase --changelog-file='server/src/main/resources/db/changelog/tables.xml'"
        ),
        "{written}"
    );
    stop(root.path());
}
