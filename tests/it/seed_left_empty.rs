//! A table whose rows cannot be made costs itself and its children: everything else is filled and audited, and what is missing
//! is named with its reason.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use pgproof::seed::{DefaultRows, Options};

use crate::support::{self, TestDatabase};
use crate::torture;

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn pgproof(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("DATABASE_URL")
        .env(
            "PGPROOF_PG_BIN",
            support::binaries_of(support::MAJOR).unwrap(),
        )
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    // The terminal's report is wrapped.
    String::from_utf8_lossy(bytes)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

const CONFIG: &str = "[dataset]\ntarget-size = \"4MB\"\n[audit]\nruns = 1\n";

/// A CHECK that no generator can meet, a trigger-free table beside it, and a child of each.
const UNSOLVABLE: &str = "
CREATE FUNCTION is_checked(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT md5($1) = $1 $$;
CREATE TABLE plain (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE coded (id int PRIMARY KEY, code text NOT NULL CONSTRAINT code_known CHECK (is_checked(code)));
CREATE TABLE marks (id int PRIMARY KEY, coded_id int NOT NULL REFERENCES coded, note text);
CREATE TABLE notes (id int PRIMARY KEY, plain_id int NOT NULL REFERENCES plain, coded_id int REFERENCES coded);
";

const QUERIES: &str = "
-- name: Plain :one
SELECT name FROM plain WHERE id = $1;

-- name: Notes :many
SELECT id FROM notes WHERE plain_id = $1;

-- name: Coded :one
SELECT code FROM coded WHERE id = $1;

-- name: Marks :many
SELECT note FROM marks WHERE coded_id = $1;
";

#[test]
fn an_audit_goes_on_without_the_table_that_cannot_be_filled() {
    let files = [
        ("pgproof.toml", CONFIG),
        ("migrations/1.sql", UNSOLVABLE),
        ("queries/q.sql", QUERIES),
    ];
    let directory = project(&files);
    let audit = ["audit", "--fail-on", "never", "--verbose"];
    for _ in 0..2 {
        // Made, then used again.
        let output = pgproof(directory.path(), &audit);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{err}");
        assert!(
            err.contains("table coded stays empty: constraint code_known CHECK"),
            "{err}"
        );
        assert!(err.contains("`rows = 0` under [tables.coded]"), "{err}");
        assert!(
            out.contains("4 queries (2 fine, 2 not proven)"),
            "{out}\n{err}"
        );
        assert!(
            out.contains("Table coded stays empty: constraint code_known"),
            "{out}"
        );
        assert!(out.contains("marks is empty here"), "{out}");
    }
}

#[test]
fn seed_fills_the_rest_and_ends_with_an_error() {
    let files = [("pgproof.toml", CONFIG), ("migrations/1.sql", UNSOLVABLE)];
    let directory = project(&files);
    for arguments in [["seed"].as_slice(), &["seed", "--dry-run"]] {
        let output = pgproof(directory.path(), arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains("table coded: constraint code_known"), "{err}");
        assert!(out.contains("plain") && out.contains("notes"), "{out}");
    }
    // Files that lack a table are not written.
    let output = pgproof(directory.path(), &["seed", "--out", "rows"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!directory.path().join("rows").exists());
}

#[test]
fn rows_that_repeat_a_key_go_where_nothing_points_to_them() {
    // Two of the four pairs are written alike.
    let schema = "
CREATE TABLE pairs (a text NOT NULL CHECK (a IN ('x', 'xy')), b text NOT NULL CHECK (b IN ('yz', 'z')));
CREATE UNIQUE INDEX pairs_once ON pairs ((a || b));
CREATE TABLE plain (id int PRIMARY KEY, name text NOT NULL);
";
    let files = [("pgproof.toml", CONFIG), ("migrations/1.sql", schema)];
    let directory = project(&files);
    let output = pgproof(directory.path(), &["seed"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert!(
        err.contains("pairs: 1 rows fewer, because they repeated the unique index pairs_once"),
        "{err}"
    );
    assert!(out.contains("pairs 3 "), "{out}");
}

async fn filled(database: &TestDatabase) -> Vec<String> {
    let options = Options {
        default_rows: DefaultRows::Fixed(1000),
        ..Options::default()
    };
    let plan = torture::try_fill_with(database, &[], &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&database.session().await).await;
    plan.notes
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_over_what_is_computed_hold_by_the_columns_that_it_is_made_of() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE torrents (hash bytea PRIMARY KEY, name text NOT NULL);
             CREATE TABLE content (type text NOT NULL, source text NOT NULL, id text NOT NULL, PRIMARY KEY (type, source, id));
             CREATE TABLE torrent_contents (
                 id text PRIMARY KEY GENERATED ALWAYS AS (encode(hash, 'hex') || ':' || coalesce(type, '?') || ':' ||
                     coalesce(source, '?') || ':' || coalesce(content_id, '?')) STORED,
                 hash bytea NOT NULL REFERENCES torrents, type text, source text, content_id text,
                 UNIQUE (hash, type, source, content_id), FOREIGN KEY (type, source, content_id) REFERENCES content,
                 CHECK (type IS NOT NULL OR content_id IS NULL), CHECK (source IS NULL OR content_id IS NOT NULL));
             CREATE TABLE tenants (id int PRIMARY KEY);
             CREATE TABLE members (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, email text NOT NULL);
             CREATE UNIQUE INDEX members_email ON members (tenant_id, lower(email));
             CREATE TABLE visits (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, at timestamp NOT NULL);
             CREATE UNIQUE INDEX visits_daily ON visits (tenant_id, (at::date));
             CREATE TABLE bills (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, due timestamp NOT NULL, no int NOT NULL);
             CREATE UNIQUE INDEX bills_monthly ON bills (tenant_id, date_trunc('month', due));
             CREATE TABLE files (id int PRIMARY KEY, folder_id int NOT NULL REFERENCES tenants, path text NOT NULL,
                 extension text GENERATED ALWAYS AS (right(path, 3)) STORED, size int NOT NULL,
                 UNIQUE (folder_id, extension, size));
             CREATE TABLE accounts (first text NOT NULL, last text NOT NULL, code int NOT NULL);
             CREATE UNIQUE INDEX accounts_name ON accounts ((first || ' ' || last), code);
             CREATE TABLE contacts (id int PRIMARY KEY, email text, phone text);
             CREATE UNIQUE INDEX contacts_any ON contacts (coalesce(email, phone));
             CREATE TABLE logins (id int PRIMARY KEY, at timestamp(0) NOT NULL UNIQUE);",
        )
        .await;
    filled(&database).await;
    for table in [
        "torrent_contents",
        "members",
        "visits",
        "files",
        "accounts",
        "contacts",
        "logins",
    ] {
        let rows = database
            .count(&format!("SELECT count(*) FROM {table}"))
            .await;
        assert_eq!(rows, 1000, "{table}");
    }
    // Several rows share their first column.
    assert!(
        database
            .count("SELECT count(DISTINCT hash) FROM torrent_contents")
            .await
            < 1000
    );
    assert!(
        database
            .count("SELECT max(n) FROM (SELECT count(*) AS n FROM visits GROUP BY tenant_id) AS t")
            .await
            > 1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_over_a_part_of_a_foreign_key_points_to_one_row_of_each_value() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE files (id bigint PRIMARY KEY);
             CREATE TABLE collections (id int PRIMARY KEY);
             CREATE TABLE collection_files (collection_id int NOT NULL REFERENCES collections, file_id bigint NOT NULL REFERENCES files,
                 UNIQUE (collection_id, file_id));
             CREATE TABLE trash (file_id bigint PRIMARY KEY, collection_id bigint NOT NULL, deleted boolean NOT NULL,
                 FOREIGN KEY (file_id, collection_id) REFERENCES collection_files (file_id, collection_id));
             CREATE TABLE pins (file_id bigint NOT NULL, collection_id int NOT NULL, place int NOT NULL CHECK (place BETWEEN 1 AND 5),
                 FOREIGN KEY (collection_id, file_id) REFERENCES collection_files (collection_id, file_id), UNIQUE (file_id, place));",
        )
        .await;
    filled(&database).await;
    let files = database
        .count("SELECT count(DISTINCT file_id) FROM collection_files")
        .await;
    assert_eq!(database.count("SELECT count(*) FROM trash").await, files);
    assert_eq!(database.count("SELECT count(*) FROM pins").await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_hash_partition_are_left_out() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE readings (sensor int NOT NULL, at date NOT NULL, value int NOT NULL) PARTITION BY RANGE (at);
             CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM ('2026-01-01') TO ('2026-07-01') PARTITION BY HASH (sensor);
             CREATE TABLE readings_1_0 PARTITION OF readings_1 FOR VALUES WITH (MODULUS 4, REMAINDER 0);
             CREATE TABLE readings_1_2 PARTITION OF readings_1 FOR VALUES WITH (MODULUS 4, REMAINDER 2);
             CREATE TABLE readings_2 PARTITION OF readings FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
             CREATE TABLE packs (id int PRIMARY KEY, quantity int NOT NULL, size int NOT NULL, CHECK (quantity % size = 0));
             CREATE TABLE lots (id int PRIMARY KEY, pieces int NOT NULL CHECK (pieces > 0), each int NOT NULL CHECK (each > 1),
                 CHECK (mod(pieces, each) = 0));",
        )
        .await;
    let notes = filled(&database).await;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("remainder 1, for which readings_1 has no partition")),
        "{notes:?}"
    );
    let rows = database.count("SELECT count(*) FROM readings").await;
    assert!((800..1200).contains(&rows), "{rows}");
    let kinds = database
        .count("SELECT count(DISTINCT size) FROM packs")
        .await;
    assert!(kinds > 1 && database.count("SELECT count(*) FROM lots").await == 1000);
}
