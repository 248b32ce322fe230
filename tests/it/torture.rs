//! A schema of everything, filled with no spec on every supported server, and every constraint proven again afterwards.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use std::sync::Arc;

use pgproof::db::connect::Session;
use pgproof::db::{dataset, load};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::seed::Options;

use crate::support::{self, TestDatabase};

/// Fills a database that a script made, with the embedded loader.
pub(crate) async fn fill(database: &TestDatabase, rows: u64) -> pgproof::seed::SeedPlan {
    let options = Options { all_rows: Some(rows), ..Options::default() };
    try_fill(database, &options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The same, with its error as text.
pub(crate) async fn try_fill(database: &TestDatabase, options: &Options) -> Result<pgproof::seed::SeedPlan, String> {
    let planned = dataset::plan(database.url(), &[], options, &Interrupt::new()).await;
    let (schema, plan) = planned.map_err(|error| error.to_string())?;
    let (schema, plan) = (Arc::new(schema), Arc::new(plan));
    load::embedded(database.url(), &schema, &plan, &Progress::default(), &Interrupt::new())
        .await
        .map_err(|error| error.to_string())?;
    Ok(Arc::unwrap_or_clone(plan))
}

async fn texts(session: &Session, sql: &str) -> Vec<String> {
    let rows = session.client().query(sql, &[]).await.unwrap_or_else(|error| panic!("{error:?} in {sql}"));
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
        session.client().batch_execute(&statement).await.unwrap_or_else(|error| panic!("{error:?} in {statement}"));
    }
    let indexes = "SELECT format('REINDEX INDEX %s', indexrelid::regclass) FROM pg_index i \
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind = 'i' AND n.nspname NOT LIKE 'pg\\_%'";
    for statement in texts(session, indexes).await {
        session.client().batch_execute(&statement).await.unwrap_or_else(|error| panic!("{error:?} in {statement}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_filled_and_every_constraint_holds() {
    for cluster in support::every_cluster() {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(include_str!("torture/schema.sql")).await;
        if cluster.version().major() >= 15 {
            database.execute("CREATE TABLE nulls_equal (a int, b text, UNIQUE NULLS NOT DISTINCT (a, b))").await;
        }
        let plan = fill(&database, 300).await;
        let session = database.session().await;
        prove(&session).await;
        let empty = texts(
            &session,
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') \
            AND NOT relispartition AND relnamespace::regnamespace::text !~ '^pg_|information_schema' AND reltuples < 1 \
            AND oid::regclass::text NOT IN ('audit')",
        )
        .await;
        assert!(empty.is_empty(), "{}: nothing in {empty:?}", cluster.version());
        for table in &plan.tables {
            let rows = texts(&session, &format!("SELECT count(*)::text FROM ONLY {}", table.name.sql())).await;
            let tree = texts(&session, &format!("SELECT count(*)::text FROM {}", table.name.sql())).await;
            assert!([&rows[0], &tree[0]].contains(&&table.rows.to_string()), "{}: {rows:?} {}", table.name, table.rows);
        }
        assert_eq!(texts(&session, "SELECT count(*)::text FROM countries").await, ["3"]);
    }
}
