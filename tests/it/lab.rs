//! Hollow tables on real servers: their plans are those of tables that were really loaded, they take no room, and nothing of
//! them outlives whoever made them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pgproof::db::connect::Session;
use pgproof::db::introspect;
use pgproof::db::lab::Laboratory;
use pgproof::db::lab::ends::set_ends;
use pgproof::db::profile;
use pgproof::db::server::Cluster;
use pgproof::interrupt::Interrupt;
use pgproof::lab::scale::Growth;
use pgproof::profile::model::{Profile, TableStatistics};
use pgproof::schema::Schema;

use crate::support::{self, TestDatabase};

const TABLES: &str = include_str!("lab/tables.sql");
const ROWS: &str = include_str!("lab/rows.sql");
pub(crate) const QUERIES: &str = include_str!("lab/queries.sql");

/// How many are loaded; more of them show more, and take longer.
fn customers() -> u32 {
    let asked = std::env::var("PGPROOF_LAB_CUSTOMERS").ok();
    asked.map_or(20_000, |asked| asked.parse().unwrap())
}

/// The schema alone.
pub(crate) async fn empty(cluster: &Arc<Cluster>) -> TestDatabase {
    let database = TestDatabase::copy_of(cluster, "template0").await;
    database.execute(TABLES).await;
    database
}

/// The schema with `customers` customers and ten orders for each.
pub(crate) async fn loaded(cluster: &Arc<Cluster>, customers: u32) -> TestDatabase {
    let database = TestDatabase::copy_of(cluster, "template0").await;
    // Indexes after the rows, as a dataset has them.
    let (tables, indexes) = TABLES.split_once("-- indexes").unwrap();
    let session = database.session().await;
    let client = session.client();
    client.batch_execute(tables).await.unwrap();
    client
        .batch_execute(&ROWS.replace("{customers}", &customers.to_string()))
        .await
        .unwrap();
    client.batch_execute(indexes).await.unwrap();
    for statement in ["CHECKPOINT", "VACUUM", "ANALYZE"] {
        client.batch_execute(statement).await.unwrap();
    }
    session.close().await;
    database
}

async fn statistics(database: &TestDatabase) -> (Profile, Schema) {
    let session = database.session().await;
    let mut read = profile::read(&session).await.unwrap();
    let schema = introspect::schema(&session).await.unwrap();
    set_ends(&session, &schema, &mut read.tables).await.unwrap();
    session.close().await;
    (read, schema)
}

async fn laboratory(cluster: &Arc<Cluster>) -> Laboratory {
    let template = empty(cluster).await;
    Laboratory::open(cluster, template.url().database(), &Interrupt::new())
        .await
        .unwrap()
}

/// EXPLAIN's text a query, without widths.
async fn plans(session: &Session, costs: bool) -> Vec<String> {
    let mut plans = Vec::new();
    for query in QUERIES
        .split(';')
        .map(str::trim)
        .filter(|query| !query.is_empty())
    {
        let sql = format!("EXPLAIN (COSTS {costs}) {query}");
        let rows = session
            .client()
            .query(&sql, &[])
            .await
            .unwrap_or_else(|error| panic!("{error:?}\n{query}"));
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        plans.push(format!("{query}\n{}", lines.join("\n")));
    }
    plans
}

fn equal(real: &[String], hollow: &[String]) -> usize {
    assert_eq!(real.len(), hollow.len());
    let pairs = real.iter().zip(hollow);
    for (real, hollow) in pairs.clone().filter(|(real, hollow)| real != hollow) {
        println!("really loaded:\n{real}\nhollow:\n{hollow}\n");
    }
    pairs.filter(|(real, hollow)| real == hollow).count()
}

/// The same statistics: the same plans, and costs to the cent.
#[tokio::test(flavor = "multi_thread")]
async fn hollow_tables_are_planned_as_loaded_ones() {
    for cluster in support::every_cluster() {
        let database = loaded(&cluster, customers()).await;
        let (profile, _) = statistics(&database).await;
        let mut laboratory = laboratory(&cluster).await;
        laboratory.set(&profile.tables).await.unwrap();
        let real = database.session().await;
        let shapes = equal(
            &plans(&real, false).await,
            &plans(laboratory.session(), false).await,
        );
        let costs = equal(
            &plans(&real, true).await,
            &plans(laboratory.session(), true).await,
        );
        let all = plans(&real, false).await.len();
        println!(
            "{}: {shapes} of {all} shapes, {costs} of {all} costs",
            cluster.version()
        );
        assert_eq!(shapes, all, "PostgreSQL {}", cluster.version());
        assert!(
            costs * 10 >= all * 9,
            "PostgreSQL {}: {costs} of {all} costs",
            cluster.version()
        );
        laboratory.close().await.unwrap();
    }
}

/// Statistics of a quarter of the rows, scaled: the plans of all of them.
#[tokio::test(flavor = "multi_thread")]
async fn scaled_statistics_plan_as_the_larger_tables() {
    for major in [15, 18] {
        let Some(cluster) = support::cluster_of(major) else {
            continue;
        };
        let small = loaded(&cluster, 10_000).await;
        let large = loaded(&cluster, 40_000).await;
        let (profile, schema) = statistics(&small).await;
        let mut laboratory = laboratory(&cluster).await;
        let scaled = Growth::of(&schema, &profile.tables).scaled(4.0);
        laboratory.set(&scaled.tables).await.unwrap();
        let real = plans(&large.session().await, false).await;
        let planned = plans(laboratory.session(), false).await;
        let same = equal(&real, &planned);
        let with_costs = (
            plans(&large.session().await, true).await,
            plans(laboratory.session(), true).await,
        );
        for at in (0..real.len()).filter(|at| real[*at] != planned[*at]) {
            println!("{}\n{}", with_costs.0[at], with_costs.1[at]);
        }
        println!(
            "{}: {same} of {} shapes at four times the rows",
            cluster.version(),
            real.len()
        );
        assert!(
            same * 100 >= real.len() * 90,
            "PostgreSQL {major}: {same} of {}",
            real.len()
        );
        // Back again, in the same sessions: files are shortened, and nothing remembers the longer ones.
        laboratory.set(&profile.tables).await.unwrap();
        let real = plans(&small.session().await, false).await;
        let same = equal(&real, &plans(laboratory.session(), false).await);
        assert_eq!(same, real.len(), "PostgreSQL {major}");
        // The height of an index is in its costs: it is the one of the smaller index again.
        let real = plans(&small.session().await, true).await;
        let costs = equal(&real, &plans(laboratory.session(), true).await);
        assert!(
            costs * 10 >= real.len() * 9,
            "PostgreSQL {major}: {costs} of {}",
            real.len()
        );
        laboratory.close().await.unwrap();
    }
}

/// Fifty tables of ten billion rows: in seconds, and in no more room than their directory takes.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_tables_of_ten_billion_rows_take_no_room() {
    for major in [15, 18] {
        let Some(cluster) = support::cluster_of(major) else {
            continue;
        };
        let (database, profile) = many_tables(&cluster, 50).await;
        let (_, schema) = statistics(&database).await;
        let growth = Growth::of(&schema, &profile.tables);
        let (_, rows) = growth.largest().unwrap();
        let scaled = growth.scaled(1e10 / rows);
        let start = Instant::now();
        let template = TestDatabase::copy_of(&cluster, "template0").await;
        template.execute(&tables_sql(50)).await;
        let migrated = start.elapsed();
        let mut laboratory =
            Laboratory::open(&cluster, template.url().database(), &Interrupt::new())
                .await
                .unwrap();
        laboratory.set(&scaled.tables).await.unwrap();
        let took = start.elapsed();
        let session = laboratory.session();
        let used = bytes_on_disk(&cluster, session).await;
        let sql = "SELECT sum(pg_catalog.pg_relation_size(oid))::float8 FROM pg_catalog.pg_class WHERE relname ~ '^t[0-9]'";
        let apparent: f64 = session.client().query_one(sql, &[]).await.unwrap().get(0);
        let planning = Instant::now();
        for table in 0..50 {
            for condition in [
                "id = 7",
                "parent_id = 7",
                "created_at > '2024-06-01'",
                "kind = 'a'",
                "id < 1000000",
            ] {
                let sql = format!("EXPLAIN SELECT * FROM t{table} WHERE {condition}");
                session.client().batch_execute(&sql).await.unwrap();
            }
        }
        println!(
            "{}: {:.0} GB apparent, {:.1} MB on disk; set up in {took:.2?} ({migrated:.2?} of it the schema); 250 plans in {:.2?}",
            cluster.version(),
            apparent / 1e9,
            used as f64 / 1e6,
            planning.elapsed()
        );
        assert!(apparent > 40e12, "{apparent}");
        assert!(used < 100_000_000, "{used} bytes");
        laboratory.close().await.unwrap();
    }
}

/// Fifty tables' schema.
fn tables_sql(tables: u32) -> String {
    let table = |number: u32| {
        format!(
            "CREATE TABLE t{number} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent_id bigint NOT NULL, \
             kind text NOT NULL, created_at timestamptz NOT NULL, amount numeric NOT NULL); \
             CREATE INDEX t{number}_parent ON t{number} (parent_id); CREATE INDEX t{number}_created ON t{number} (created_at);"
        )
    };
    (0..tables).map(table).collect()
}

/// Small tables with rows, and their statistics.
async fn many_tables(cluster: &Arc<Cluster>, tables: u32) -> (TestDatabase, Profile) {
    let database = TestDatabase::copy_of(cluster, "template0").await;
    database.execute(&tables_sql(tables)).await;
    let fill = |number: u32| {
        format!(
            "INSERT INTO t{number} (parent_id, kind, created_at, amount) SELECT i % 700, chr(97 + i % 5), \
             '2024-01-01'::timestamptz + i * interval '1 hour', i FROM generate_series(1, 5000) i;"
        )
    };
    database
        .execute(&(0..tables).map(fill).collect::<String>())
        .await;
    database.execute("ANALYZE").await;
    let (profile, _) = statistics(&database).await;
    (database, profile)
}

/// Blocks of a database's files, and of their directory.
async fn bytes_on_disk(cluster: &Cluster, session: &Session) -> u64 {
    let sql = "SELECT current_setting('data_directory'), oid::text FROM pg_database WHERE datname = current_database()";
    let row = session.client().query_one(sql, &[]).await.unwrap();
    let directory = Path::new(&row.get::<_, String>(0))
        .join("base")
        .join(row.get::<_, String>(1));
    let mut inodes = BTreeMap::from([(0, fs::metadata(&directory).unwrap().blocks())]);
    for entry in fs::read_dir(&directory).unwrap() {
        let found = entry.unwrap().metadata().unwrap();
        inodes.insert(found.ino(), found.blocks());
    }
    println!("{}: {} inodes", cluster.version(), inodes.len());
    inodes.values().sum::<u64>() * 512
}

/// One column's statistics are set within two milliseconds, and the next plan sees them.
#[tokio::test(flavor = "multi_thread")]
async fn one_columns_statistics_are_set_at_once() {
    let cluster = support::cluster();
    let database = loaded(&cluster, 10_000).await;
    let (profile, _) = statistics(&database).await;
    let mut laboratory = laboratory(&cluster).await;
    laboratory.set(&profile.tables).await.unwrap();
    let orders = profile
        .tables
        .iter()
        .find(|table| table.name == "orders")
        .unwrap();
    let status = orders
        .columns
        .iter()
        .position(|column| column.column == "status")
        .unwrap();
    let mut changed: TableStatistics = orders.clone();
    let mut estimates = Vec::new();
    let mut times = Vec::new();
    for step in 1_u8..=40 {
        changed.columns[status].null_fraction = f32::from(step) / 50.0;
        let start = Instant::now();
        laboratory
            .set(std::slice::from_ref(&changed))
            .await
            .unwrap();
        times.push(start.elapsed());
        let sql = "EXPLAIN (FORMAT JSON) SELECT * FROM orders WHERE status IS NULL";
        let row = laboratory
            .session()
            .client()
            .query_one(sql, &[])
            .await
            .unwrap();
        let plan: serde_json::Value = row.get(0);
        estimates.push(plan[0]["Plan"]["Plan Rows"].as_f64().unwrap());
    }
    times.sort();
    println!(
        "one column: {:?} at the median, {:?} at best",
        times[20], times[0]
    );
    assert!(
        estimates.windows(2).all(|pair| pair[0] < pair[1]),
        "{estimates:?}"
    );
    laboratory.close().await.unwrap();
}

/// Nothing can be changed or read for long where statements are planned.
#[tokio::test(flavor = "multi_thread")]
async fn a_laboratory_is_guarded() {
    let cluster = support::cluster();
    let database = loaded(&cluster, 10_000).await;
    let (profile, schema) = statistics(&database).await;
    let mut laboratory = laboratory(&cluster).await;
    let scaled = Growth::of(&schema, &profile.tables).scaled(200_000.0);
    laboratory.set(&scaled.tables).await.unwrap();
    let client = laboratory.session().client();
    for (statement, code) in [
        (
            "INSERT INTO customers (name, country, joined) VALUES ('a', 'DE', now())",
            "25006",
        ),
        ("CREATE INDEX ON orders (total)", "25006"),
        // A scan of a hundred gigabytes of zeros ends at the limit.
        ("SELECT count(*) FROM orders WHERE total < 0", "57014"),
    ] {
        let refused = client.batch_execute(statement).await.expect_err(statement);
        let found = refused.code().map(|code| code.code().to_owned());
        assert_eq!(found.as_deref(), Some(code), "{statement}: {refused:?}");
    }
    // A plan that changes rows is a plan nevertheless.
    client
        .batch_execute("EXPLAIN UPDATE orders SET total = 0 WHERE id = 5")
        .await
        .unwrap();
    let sql = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()";
    let comment: String = client.query_one(sql, &[]).await.unwrap().get(0);
    assert!(comment.contains("hollow"), "{comment}");
    laboratory.close().await.unwrap();
}

/// What asks for more than PostgreSQL's relations can hold is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_that_large_is_refused() {
    let cluster = support::cluster();
    let database = loaded(&cluster, 10_000).await;
    let (profile, schema) = statistics(&database).await;
    let mut laboratory = laboratory(&cluster).await;
    let scaled = Growth::of(&schema, &profile.tables).scaled(1e8);
    let refused = laboratory.set(&scaled.tables).await.expect_err("too large");
    assert!(refused.to_string().contains("4,294,967,294"), "{refused}");
    laboratory.close().await.unwrap();
}
