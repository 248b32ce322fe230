use super::*;

/// 2026-03-05 07:08:09.
const NOW: UnixSeconds = UnixSeconds(1_772_694_489);

fn step(up: &str, down: Option<&str>) -> Step {
    Step {
        up: up.to_owned(),
        down: down.map(str::to_owned),
    }
}

fn change(title: &str, online: Vec<Step>) -> Change {
    let plain = |step: &Step| Step {
        up: step.up.replace(" CONCURRENTLY", ""),
        down: step
            .down
            .as_ref()
            .map(|sql| sql.replace(" CONCURRENTLY", "")),
    };
    Change {
        title: title.to_owned(),
        reasons: vec![format!("for {title}")],
        in_transaction: online.iter().map(plain).collect(),
        online,
    }
}

fn changes() -> Vec<Change> {
    vec![
        change(
            "extension_pg_trgm",
            vec![step("CREATE EXTENSION IF NOT EXISTS pg_trgm", None)],
        ),
        change(
            "create_i",
            vec![step(
                "CREATE INDEX CONCURRENTLY i ON t (a)",
                Some("DROP INDEX CONCURRENTLY IF EXISTS i"),
            )],
        ),
        change(
            "drop_j",
            vec![step(
                "DROP INDEX CONCURRENTLY j",
                Some("CREATE INDEX CONCURRENTLY j ON public.t USING btree (b)"),
            )],
        ),
    ]
}

fn written(layout: Layout, there: &[(&str, &str)]) -> Vec<(String, String)> {
    let sources = there
        .iter()
        .map(|(path, text)| Source::new(format!("m/{path}"), *text));
    let tree = Tree::new(Path::new("m"), false, sources.collect(), false, false);
    let own = history(&tree, Some(layout)).unwrap();
    let new = new_migrations(&tree, &own, &changes(), NOW).unwrap();
    let pair = |file: NewFile| (file.path.display().to_string(), file.text);
    new.files.into_iter().map(pair).collect()
}

fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    files.iter().map(pair).collect()
}

#[test]
fn one_statement_a_file_where_the_tool_sends_files_whole() {
    let sqlx = written(Layout::Sqlx, &[("0009_a.sql", "SELECT 1;")]);
    assert_eq!(
        sqlx,
        pairs(&[
            (
                "m/0010_extension_pg_trgm.sql",
                "-- for extension_pg_trgm\nCREATE EXTENSION IF NOT EXISTS pg_trgm;\n"
            ),
            (
                "m/0011_create_i.sql",
                "-- no-transaction\n-- for create_i\nCREATE INDEX CONCURRENTLY i ON t (a);\n\n\
                     -- Taken back by:\n-- DROP INDEX CONCURRENTLY IF EXISTS i;\n"
            ),
            (
                "m/0012_drop_j.sql",
                "-- no-transaction\n-- for drop_j\nDROP INDEX CONCURRENTLY j;\n\n\
                     -- Taken back by:\n-- CREATE INDEX CONCURRENTLY j ON public.t USING btree (b);\n"
            ),
        ])
    );
    let diesel = written(
        Layout::Diesel,
        &[("2024-01-02-030405_a/up.sql", "SELECT 1;")],
    );
    let paths: Vec<&str> = diesel.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "m/2026-03-05-070809_extension_pg_trgm/up.sql",
            "m/2026-03-05-070809_extension_pg_trgm/down.sql",
            "m/2026-03-05-070810_create_i/up.sql",
            "m/2026-03-05-070810_create_i/down.sql",
            "m/2026-03-05-070810_create_i/metadata.toml",
            "m/2026-03-05-070811_drop_j/up.sql",
            "m/2026-03-05-070811_drop_j/down.sql",
            "m/2026-03-05-070811_drop_j/metadata.toml",
        ]
    );
    // diesel refuses a file without a statement.
    assert!(diesel[1].1.starts_with("SELECT 1;"), "{}", diesel[1].1);
}

#[test]
fn one_file_where_the_tool_sends_statements_one_by_one() {
    let goose = written(
        Layout::Goose,
        &[("00001_a.sql", "-- +goose Up\nSELECT 1;\n")],
    );
    assert_eq!(
        goose,
        pairs(&[(
            "m/00002_pgproof_fixes.sql",
            "-- +goose NO TRANSACTION\n-- +goose Up\n-- for extension_pg_trgm\n-- for create_i\n-- for drop_j\n\
                 CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE INDEX CONCURRENTLY i ON t (a);\n\
                 DROP INDEX CONCURRENTLY j;\n\n-- +goose Down\n\
                 CREATE INDEX CONCURRENTLY j ON public.t USING btree (b);\nDROP INDEX CONCURRENTLY IF EXISTS i;\n"
        )])
    );
}

#[test]
fn every_layout_reads_what_is_written_for_it() {
    let goose = "-- +goose Up\nSELECT 1;\n";
    let liquibase = "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n";
    let plain = "SELECT 1;";
    for (layout, path, text, files) in [
        (Layout::Sqlx, "1_a.up.sql", plain, 6),
        (Layout::GolangMigrate, "1_a.up.sql", plain, 6),
        (Layout::Goose, "1_a.sql", goose, 1),
        (
            Layout::SqlMigrate,
            "1-a.sql",
            "-- +migrate Up\nSELECT 1;\n",
            1,
        ),
        (Layout::Refinery, "V1__a.sql", plain, 1),
        (Layout::Flyway, "V1__a.sql", plain, 2),
        (
            Layout::Dbmate,
            "20240101000000_a.sql",
            "-- migrate:up\nSELECT 1;\n",
            3,
        ),
        (Layout::Prisma, "20240101000000_a/migration.sql", plain, 3),
        (Layout::Atlas, "20240101000000_a.sql", plain, 1),
        (Layout::Hasura, "1700000000000_a/up.sql", plain, 6),
        (Layout::Supabase, "20240101000000_a.sql", plain, 3),
        (Layout::Tern, "001_a.sql", plain, 1),
        (Layout::Liquibase, "001_a.sql", liquibase, 1),
        (Layout::NodePgMigrate, "1700000000000_a.sql", plain, 1),
    ] {
        assert_eq!(written(layout, &[(path, text)]).len(), files, "{layout}");
    }
}

#[test]
fn what_would_not_be_applied_next_is_refused() {
    let refusal = |layout, path: &str| {
        let text = "SELECT 1;";
        let sources = vec![Source::new(format!("m/{path}"), text)];
        let tree = Tree::new(Path::new("m"), false, sources, false, false);
        let own = history(&tree, Some(layout)).unwrap();
        new_migrations(&tree, &own, &changes(), NOW)
            .unwrap_err()
            .to_string()
    };
    // Atlas orders by the text: 10 comes before 9.
    assert_eq!(
        refusal(Layout::Atlas, "9_a.sql"),
        "the directory would not read as it should with the new migrations: 9 comes after them"
    );
    let schema_file = refusal(Layout::SchemaFile, "schema.sql");
    assert!(schema_file.starts_with("schema-file migrations cannot be written"));
}
