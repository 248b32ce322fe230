//! `pgproof seed --out`: the files are loaded with psql alone, into the same schema elsewhere, and every constraint holds.

use std::path::Path;
use std::process::Command;

use pgproof::db::given;
use pgproof::export::{self, FileFormat};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::seed::Options;
use pgproof::source::Source;

use crate::support::{self, TestDatabase};
use crate::torture;

/// A column that only a server computes goes through a temporary table.
const SPEC: &str = "[tables.places.columns]\ncountry_number = { expression = \"(SELECT c.id FROM countries c WHERE \
                    c.code = country)\" }\n";

async fn written(
    database: &TestDatabase,
    options: &Options,
    format: FileFormat,
    directory: &Path,
) -> Vec<(String, u64)> {
    let specs = [Source::new("seeds/places.toml", SPEC)];
    let planned = given::plan_files(database.url(), &specs, options, &Interrupt::new()).await;
    let (schema, plan, _) = planned.unwrap_or_else(|error| panic!("{error}"));
    let exported = export::write(
        directory,
        format,
        &schema,
        &plan,
        &Progress::default(),
        &Interrupt::new(),
    )
    .unwrap();
    assert!(
        exported.bytes > 0 && exported.files.iter().all(|file| file.is_file()),
        "{exported:?}"
    );
    plan.tables
        .iter()
        .map(|table| (table.name.sql(), table.made_rows()))
        .collect()
}

fn psql(major: u32, database: &TestDatabase, directory: &Path, script: &str) {
    let program = support::binaries_of(major).unwrap().join("psql");
    let program = if program.is_file() {
        program
    } else {
        "psql".into()
    };
    let output = Command::new(program)
        .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-f", script])
        .arg(database.url().reveal())
        .current_dir(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

async fn assert_holds(database: &TestDatabase, tables: &[(String, u64)]) {
    let session = database.session().await;
    for (name, rows) in tables {
        let sql = format!("SELECT count(*) FROM ONLY {name} UNION ALL SELECT count(*) FROM {name}");
        let counts = session.client().query(&sql, &[]).await.unwrap();
        let counts: Vec<i64> = counts.iter().map(|row| row.get(0)).collect();
        // A trigger writes into one of them as well.
        let more = name.contains("audit") && counts[0] >= *rows as i64;
        assert!(
            more || counts.contains(&(*rows as i64)),
            "{name}: {counts:?} instead of {rows}"
        );
    }
    torture::prove(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_loads_every_format() {
    let cluster = support::cluster();
    let source = TestDatabase::copy_of(&cluster, "template1").await;
    source.execute(include_str!("torture/schema.sql")).await;
    let options = Options {
        all_rows: Some(120),
        ..Options::default()
    };
    let mut contents: Vec<Vec<String>> = Vec::new();
    for (name, format) in FileFormat::ALL
        .into_iter()
        .filter(|(_, format)| *format != FileFormat::Parquet)
    {
        let directory = tempfile::tempdir().unwrap();
        let tables = written(&source, &options, format, directory.path()).await;
        let target = TestDatabase::copy_of(&cluster, "template1").await;
        target.execute(include_str!("torture/schema.sql")).await;
        let script = if format == FileFormat::Sql {
            "seed.sql"
        } else {
            "load.sql"
        };
        psql(cluster.version().major(), &target, directory.path(), script);
        assert_holds(&target, &tables).await;
        contents.push(digests(&target, &tables).await);
        let leftover = std::fs::read_dir(directory.path())
            .unwrap()
            .flatten()
            .any(|file| {
                file.path()
                    .extension()
                    .is_some_and(|extension| extension == "partial")
            });
        assert!(!leftover, "{name}");
    }
    // The server read the same values out of text and out of binary rows.
    assert_eq!(contents[0], contents[1]);
    assert_eq!(contents[0], contents[2]);
}

/// Names that psql's `\copy` could not hold on its line.
#[tokio::test(flavor = "multi_thread")]
async fn columns_with_broken_lines_in_their_names_are_loaded() {
    let schema = "CREATE TABLE odd (id int PRIMARY KEY, \"new\nline\" text, twice int GENERATED ALWAYS AS (id * 2) STORED)";
    let major = support::cluster().version().major();
    for format in [FileFormat::Csv, FileFormat::Binary, FileFormat::Sql] {
        let (source, target) = (support::database().await, support::database().await);
        source.execute(schema).await;
        target.execute(schema).await;
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            all_rows: Some(500),
            ..Options::default()
        };
        let planned = given::plan_files(source.url(), &[], &options, &Interrupt::new()).await;
        let (known, plan, _) = planned.unwrap_or_else(|error| panic!("{error}"));
        let written = export::write(
            directory.path(),
            format,
            &known,
            &plan,
            &Progress::default(),
            &Interrupt::new(),
        );
        let script = written.unwrap().files.pop().unwrap();
        psql(major, &target, directory.path(), script.to_str().unwrap());
        let session = target.session().await;
        let row = session
            .client()
            .query_one("SELECT count(*) FROM odd WHERE twice = id * 2", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, i64>(0), 500);
        // What VACUUM may call visible depends on who else is connecting.
        assert!(
            std::fs::read_to_string(&script)
                .unwrap()
                .ends_with("COMMIT;\nVACUUM (ANALYZE);\n")
        );
    }
}

/// What each table holds, but for the one that a trigger writes into.
async fn digests(database: &TestDatabase, tables: &[(String, u64)]) -> Vec<String> {
    let session = database.session().await;
    let mut digests = Vec::new();
    for (name, _) in tables.iter().filter(|(name, _)| !name.contains("audit")) {
        // The name of a regclass is another database's affair: there its number may be some other table's, or nobody's.
        let columns = format!(
            "SELECT string_agg(format(CASE WHEN atttypid = 'regclass'::regtype THEN 't.%I::oid' ELSE 't.%I' END, attname),
                               ', ' ORDER BY attnum)
             FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped",
            name.replace('\'', "''")
        );
        let columns: String = session
            .client()
            .query_one(&columns, &[])
            .await
            .unwrap()
            .get(0);
        let row = format!("ROW({columns})::text");
        let sql = format!(
            "SELECT '{}: ' || md5(string_agg({row}, chr(10) ORDER BY {row})) FROM {name} t",
            name.replace('\'', "''")
        );
        digests.push(
            session
                .client()
                .query_one(&sql, &[])
                .await
                .unwrap()
                .get::<_, Option<String>>(0)
                .unwrap_or_default(),
        );
    }
    digests
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subset_is_a_part_of_the_same_rows() {
    let cluster = support::cluster();
    let schema = "
        CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE, referrer int REFERENCES customers);
        CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL);
        CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, note text);
        CREATE TABLE items (order_id int REFERENCES orders, line int, product_id int NOT NULL REFERENCES products,
            PRIMARY KEY (order_id, line));";
    let specs = [Source::new(
        "seeds/shop.toml",
        "[tables.customers]\nrows = 4000\n[tables.products]\nrows = 500\n\
         [tables.orders]\nrows = { per = \"customers\", mean = 5 }\n[tables.items]\nrows = { per = \"orders\", mean = 3 }\n",
    )];
    let mut databases = Vec::new();
    for subset in [None, Some(0.05)] {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(schema).await;
        let options = Options {
            subset,
            ..Options::default()
        };
        let intent = given::plan(
            database.url(),
            &specs,
            &options,
            given::Existing::Refuse,
            &Interrupt::new(),
        )
        .await
        .unwrap();
        given::fill(
            database.url(),
            &intent,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await
        .unwrap();
        databases.push((database, intent.plan));
    }
    let rows = |plan: &pgproof::seed::SeedPlan| {
        plan.tables
            .iter()
            .map(|table| table.made_rows())
            .collect::<Vec<_>>()
    };
    let (whole, part) = (rows(&databases[0].1), rows(&databases[1].1));
    // Lists of few rows stay whole; orders and items come with their customers, and those with who referred them.
    let shares: Vec<f64> = part
        .iter()
        .zip(&whole)
        .map(|(part, whole)| *part as f64 / *whole as f64)
        .collect();
    for (table, share) in databases[0].1.tables.iter().zip(&shares) {
        let expected = if table.name.name == "products" {
            0.999..1.001
        } else {
            0.03..0.2
        };
        assert!(expected.contains(share), "{}: {share}", table.name);
    }
    for table in ["customers", "orders", "items"] {
        let mut copies: Vec<Vec<String>> = Vec::new();
        for (database, _) in &databases {
            let session = database.session().await;
            let lines = session
                .client()
                .query(&format!("SELECT t::text FROM {table} t ORDER BY 1"), &[])
                .await
                .unwrap();
            copies.push(lines.iter().map(|line| line.get(0)).collect());
        }
        let whole: std::collections::BTreeSet<&String> = copies[0].iter().collect();
        let strange = copies[1].iter().find(|line| !whole.contains(line));
        assert_eq!(
            strange, None,
            "{table}: a row of the subset is not in the whole"
        );
        assert!(copies[1].len() < copies[0].len() / 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_size_is_met() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, \
             full_name text NOT NULL, city text, balance numeric(12, 2), created_at timestamptz NOT NULL);
             CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, \
             status text NOT NULL, total numeric(10, 2) NOT NULL, placed_at timestamptz NOT NULL, notes text);
             CREATE INDEX ON orders (customer_id, placed_at);",
        )
        .await;
    const TARGET: u64 = 24 << 20;
    let options = Options {
        target_bytes: Some(TARGET),
        ..Options::default()
    };
    let plan = torture::try_fill(&database, &options).await.unwrap();
    let session = database.session().await;
    let sql = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relname IN ('customers', 'orders')";
    let bytes: i64 = session.client().query_one(sql, &[]).await.unwrap().get(0);
    let share = bytes as f64 / TARGET as f64;
    assert!(
        (0.8..1.25).contains(&share),
        "{bytes} bytes in {} rows: {share:.2} of the target",
        plan.total_rows()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_broken_lines_in_their_names_are_loaded() {
    let schema = "CREATE TABLE \"odd\ntable\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \"a\nb\" text NOT NULL, c int DEFAULT 3);
                  CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES \"odd\ntable\")";
    let major = support::cluster().version().major();
    for format in [FileFormat::Csv, FileFormat::Binary, FileFormat::Sql] {
        let (source, target) = (support::database().await, support::database().await);
        source.execute(schema).await;
        target.execute(schema).await;
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            all_rows: Some(500),
            ..Options::default()
        };
        let planned = given::plan_files(source.url(), &[], &options, &Interrupt::new()).await;
        let (known, plan, _) = planned.unwrap_or_else(|error| panic!("{error}"));
        let written = export::write(
            directory.path(),
            format,
            &known,
            &plan,
            &Progress::default(),
            &Interrupt::new(),
        );
        let script = written.unwrap().files.pop().unwrap();
        psql(major, &target, directory.path(), script.to_str().unwrap());
        let session = target.session().await;
        let sql = "SELECT count(*) FROM child JOIN \"odd\ntable\" AS odd ON odd.id = child.parent WHERE \"a\nb\" <> ''";
        let row = session.client().query_one(sql, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 500, "{format:?}");
    }
}
