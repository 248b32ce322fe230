//! A partitioned table that is most of a dataset, filled by several connections at once.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use pgproof::seed::chunks::{Chunks, Part};

use crate::support::{self, TestDatabase};
use crate::torture::{fill, prove};

const TABLES: &str = "
    CREATE TABLE accounts (id bigint PRIMARY KEY, name text NOT NULL);
    CREATE TABLE events (
        id bigint NOT NULL, account_id bigint NOT NULL REFERENCES accounts, happened_at timestamptz NOT NULL,
        level text NOT NULL CHECK (level IN ('info', 'warning', 'error')), message text NOT NULL,
        PRIMARY KEY (id, happened_at, level)
    ) PARTITION BY RANGE (happened_at);
    CREATE TABLE events_before PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
    CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-07-01')
        PARTITION BY LIST (level);
    CREATE TABLE events_2025_errors PARTITION OF events_2025 FOR VALUES IN ('error');
    CREATE TABLE events_2025_others PARTITION OF events_2025 DEFAULT;
    CREATE TABLE events_after PARTITION OF events DEFAULT;
    CREATE INDEX ON events (account_id)";

#[tokio::test(flavor = "multi_thread")]
async fn a_large_partitioned_table_is_filled_by_several_connections() {
    for cluster in support::every_cluster() {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(TABLES).await;
        let plan = fill(&database, 150_000).await;
        let table = plan
            .tables
            .iter()
            .position(|table| table.name.name == "events")
            .unwrap();
        let mut expected: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        let mut chunks = Chunks::new(&plan, table, 0..plan.tables[table].rows);
        while let Some(chunk) = chunks.next(Vec::new).unwrap() {
            expected
                .entry(chunk.leaf)
                .or_default()
                .extend_from_slice(&chunk.bytes);
        }
        assert_eq!(expected.len(), 4, "every leaf has rows");
        let session = database.session().await;
        for (leaf, expected) in expected {
            // In the order in which they were written.
            let copy = format!(
                "COPY {} TO STDOUT (FORMAT binary)",
                plan.tables[table].leaves[leaf].name.sql()
            );
            let mut stream = Box::pin(session.client().copy_out(&copy).await.unwrap());
            let mut written = Vec::new();
            while let Some(bytes) = stream.next().await {
                written.extend_from_slice(&bytes.unwrap());
            }
            assert!(
                written[19..written.len() - 2] == expected,
                "{copy} on {}",
                cluster.version()
            );
        }
        // Each connection's transaction gave its leaves new files; nothing touches those of TOAST afterwards.
        let files = "SELECT count(DISTINCT t.xmin::text) FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid \
            WHERE c.relname ~ '^events_'";
        let transactions: i64 = session.client().query_one(files, &[]).await.unwrap().get(0);
        let streams = std::thread::available_parallelism().unwrap().get().min(4);
        assert_eq!(transactions, streams as i64, "{}", cluster.version());
        prove(&session).await;
    }
}

#[test]
fn parts_are_the_whole() {
    for of in 1..5 {
        for leaf in 0..20 {
            assert_eq!(
                Part::all(of).filter(|part| part.holds(leaf)).count(),
                1,
                "{leaf} of {of}"
            );
        }
    }
}
