//! A schema of everything, filled with no spec on every supported server, and every constraint proven again afterwards.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use std::sync::Arc;

use futures_util::StreamExt;
use pgproof::db::connect::Session;
use pgproof::db::given::{self, Existing};
use pgproof::db::{dataset, load};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::seed::Options;
use pgproof::seed::chunks::Chunks;
use pgproof::seed::describe::describe;
use pgproof::source::Source;

use crate::seed_properties::assert_written_as_evaluated;
use crate::support::{self, TestDatabase};

/// Fills a database that a script made, with the embedded loader.
pub(crate) async fn fill(database: &TestDatabase, rows: u64) -> pgproof::seed::SeedPlan {
    let options = Options {
        all_rows: Some(rows),
        ..Options::default()
    };
    try_fill(database, &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The same, with its error as text.
pub(crate) async fn try_fill(
    database: &TestDatabase,
    options: &Options,
) -> Result<pgproof::seed::SeedPlan, String> {
    try_fill_with(database, &[], options).await
}

/// The same with a spec.
/// The same for a spec's text, which must be met.
pub(crate) async fn fill_by(
    database: &TestDatabase,
    spec: &str,
    options: &Options,
) -> pgproof::seed::SeedPlan {
    let specs = [Source::new("seeds/spec.toml", spec)];
    try_fill_with(database, &specs, options)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn try_fill_with(
    database: &TestDatabase,
    specs: &[Source],
    options: &Options,
) -> Result<pgproof::seed::SeedPlan, String> {
    let planned = dataset::plan(database.url(), specs, options, &Interrupt::new()).await;
    let (schema, plan) = planned.map_err(|error| error.to_string())?;
    let (schema, plan) = (Arc::new(schema), Arc::new(plan));
    let report = load::embedded(
        database.url(),
        &schema,
        &plan,
        &Progress::default(),
        &Interrupt::new(),
    )
    .await
    .map_err(|error| error.to_string())?;
    let mut plan = Arc::unwrap_or_clone(plan);
    plan.notes.extend(report.notes);
    Ok(plan)
}

async fn texts(session: &Session, sql: &str) -> Vec<String> {
    let rows = session
        .client()
        .query(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{error:?} in {sql}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Proves every constraint of a database again: CHECKs and keys by the server's own validation, uniqueness by amcheck's
/// stricter cousin, a rebuild of every index.
pub(crate) async fn prove(session: &Session) {
    let invalidate = "UPDATE pg_constraint SET convalidated = false WHERE contype IN ('c', 'f') AND conrelid <> 0 \
        AND conparentid = 0 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = conrelid AND relkind = 'p')";
    session.client().batch_execute(invalidate).await.unwrap();
    let again = "SELECT format('ALTER TABLE %s VALIDATE CONSTRAINT %I', conrelid::regclass, conname) \
        FROM pg_constraint WHERE NOT convalidated";
    for statement in texts(session, again).await {
        session
            .client()
            .batch_execute(&statement)
            .await
            .unwrap_or_else(|error| panic!("{error:?} in {statement}"));
    }
    let indexes = "SELECT format('REINDEX INDEX %s', indexrelid::regclass) FROM pg_index i \
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind = 'i' AND n.nspname NOT LIKE 'pg\\_%'";
    for statement in texts(session, indexes).await {
        session
            .client()
            .batch_execute(&statement)
            .await
            .unwrap_or_else(|error| panic!("{error:?} in {statement}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_filled_and_every_constraint_holds() {
    for cluster in support::every_cluster() {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(include_str!("torture/schema.sql")).await;
        if cluster.version().major() >= 15 {
            database
                .execute(
                    "CREATE TABLE nulls_equal (a int, b text, UNIQUE NULLS NOT DISTINCT (a, b))",
                )
                .await;
        }
        let plan = fill(&database, 300).await;
        assert_written_as_evaluated(&plan, 300);
        let session = database.session().await;
        prove(&session).await;
        let empty = texts(
            &session,
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') \
            AND NOT relispartition AND relnamespace::regnamespace::text !~ '^pg_|information_schema' AND reltuples < 1 \
            AND oid::regclass::text NOT IN ('audit')",
        )
        .await;
        assert!(
            empty.is_empty(),
            "{}: nothing in {empty:?}",
            cluster.version()
        );
        for table in &plan.tables {
            let rows = texts(
                &session,
                &format!("SELECT count(*)::text FROM ONLY {}", table.name.sql()),
            )
            .await;
            let tree = texts(
                &session,
                &format!("SELECT count(*)::text FROM {}", table.name.sql()),
            )
            .await;
            assert!(
                [&rows[0], &tree[0]].contains(&&table.rows.to_string()),
                "{}: {rows:?} {}",
                table.name,
                table.rows
            );
        }
        assert_eq!(
            texts(&session, "SELECT count(*)::text FROM countries").await,
            ["3"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_written_spec_fills_the_same_tables() {
    let cluster = support::cluster();
    let database = TestDatabase::copy_of(&cluster, "template1").await;
    database.execute(include_str!("torture/schema.sql")).await;
    let options = Options {
        default_rows: pgproof::seed::DefaultRows::Fixed(200),
        ..Options::default()
    };
    let (schema, inferred) = dataset::plan(database.url(), &[], &options, &Interrupt::new())
        .await
        .unwrap();
    let spec = Source::new("seeds/schema.toml", describe(&schema, &inferred, &[]));
    let options = Options::default();
    let written = dataset::plan(database.url(), &[spec], &options, &Interrupt::new()).await;
    let (schema, plan) = written.unwrap_or_else(|error| panic!("{error}"));
    for (written, inferred) in plan.tables.iter().zip(&inferred.tables) {
        assert_eq!(
            (&written.name, written.rows),
            (&inferred.name, inferred.rows)
        );
    }
    let (schema, plan) = (Arc::new(schema), Arc::new(plan));
    let loaded = load::embedded(
        database.url(),
        &schema,
        &plan,
        &Progress::default(),
        &Interrupt::new(),
    )
    .await;
    loaded.unwrap_or_else(|error| panic!("{error}"));
    prove(&database.session().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_database_takes_every_item() {
    for cluster in support::every_cluster() {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(include_str!("torture/schema.sql")).await;
        let options = Options {
            all_rows: Some(100),
            ..Options::default()
        };
        let intent = given::plan(
            database.url(),
            &[],
            &options,
            Existing::Refuse,
            &Interrupt::new(),
        )
        .await;
        let intent = intent.unwrap_or_else(|error| panic!("{}: {error}", cluster.version()));
        let filled = given::fill(
            database.url(),
            &intent,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await;
        filled.unwrap_or_else(|error| panic!("{}: {error}", cluster.version()));
        prove(&database.session().await).await;
    }
}

/// Columns of `all_types` that the server writes in another form than it reads: without blanks, quoted, sorted.
const NORMALIZED: &[&str] = &["a_jsonb", "a_jsonpath", "a_tsvector", "an_hstore"];

#[tokio::test(flavor = "multi_thread")]
async fn the_server_writes_the_bytes_that_it_was_sent() {
    for cluster in support::every_cluster() {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        let schema = include_str!("torture/schema.sql");
        let types = schema
            .split_once("-- A type without binary input")
            .unwrap()
            .0;
        database.execute(types).await;
        let plan = fill(&database, 2000).await;
        let table = plan
            .tables
            .iter()
            .position(|table| table.name.name == "all_types")
            .unwrap();
        let mut sent = Vec::new();
        let mut chunks = Chunks::new(&plan, table, 0..plan.tables[table].rows);
        while let Some(chunk) = chunks.next(Vec::new).unwrap() {
            sent.extend_from_slice(&chunk.bytes);
        }
        let session = database.session().await;
        let copy = "COPY (SELECT * FROM all_types ORDER BY id) TO STDOUT (FORMAT binary)";
        let mut stream = Box::pin(session.client().copy_out(copy).await.unwrap());
        let mut written = Vec::new();
        while let Some(bytes) = stream.next().await {
            written.extend_from_slice(&bytes.unwrap());
        }
        // The header before the rows, the trailer after them.
        let (sent, written) = (rows_of(&sent), rows_of(&written[19..written.len() - 2]));
        assert_eq!((sent.len(), written.len()), (2000, 2000));
        for (sent, written) in sent.iter().zip(&written) {
            for (column, (sent, written)) in plan.tables[table]
                .columns
                .iter()
                .zip(sent.iter().zip(written))
            {
                let same = sent == written || NORMALIZED.contains(&column.name.as_str());
                assert!(
                    same,
                    "{}: {}: sent {sent:x?}, written {written:x?}",
                    cluster.version(),
                    column.name
                );
            }
        }
    }
}

/// COPY BINARY rows as cells.
fn rows_of(mut bytes: &[u8]) -> Vec<Vec<Option<&[u8]>>> {
    let mut rows = Vec::new();
    while let Some((fields, rest)) = bytes.split_first_chunk::<2>() {
        bytes = rest;
        let mut row = Vec::new();
        for _ in 0..u16::from_be_bytes(*fields) {
            let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
            let length = i32::from_be_bytes(*length);
            let (cell, rest) = rest.split_at(length.max(0) as usize);
            row.push((length >= 0).then_some(cell));
            bytes = rest;
        }
        rows.push(row);
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tables_are_planned() {
    let database = support::database().await;
    let make = "DO $$ BEGIN FOR n IN 1..1000 LOOP
        EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text CHECK (a <> ''''), b int REFERENCES t%s, c numeric(9,2), \
            d timestamptz, status text NOT NULL CHECK (status IN (''a'', ''b'')), UNIQUE (b, d))', n, greatest(n - 1, 1));
        IF n % 50 = 0 THEN COMMIT; END IF;
    END LOOP; END $$";
    database.execute(make).await;
    let planned = dataset::plan(database.url(), &[], &Options::default(), &Interrupt::new()).await;
    let (_, plan) = planned.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.tables.len(), 1000);
    assert!(plan.tables.iter().all(|table| table.rows > 0));
}
