//! Seeding, end to end: datasets of the sample project and of schemas made for the purpose.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use std::path::Path;

use pgproof::db::clone::Clone as DatabaseClone;
use pgproof::db::connect::Session;
use pgproof::db::dataset::{Dataset, Recipe, ensure};
use pgproof::db::server::Cluster;
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{History, Tree, history};
use pgproof::progress::Progress;
use pgproof::seed::Options;
use pgproof::source::Source;

use crate::support;

fn sample_migrations() -> History {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    history(
        &Tree::read(project, &project.join("migrations")).unwrap(),
        None,
    )
    .unwrap()
}

fn sample_specs() -> Vec<Source> {
    ["activity", "catalog", "customers", "orders"]
        .map(|name| {
            let path = format!("seeds/{name}.toml");
            let text =
                std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
            Source::new(path, text)
        })
        .into()
}

async fn sample(cluster: &Cluster, scale: f64) -> Dataset {
    let (migrations, specs) = (sample_migrations(), sample_specs());
    let options = Options {
        scale,
        ..Options::default()
    };
    let recipe = Recipe {
        migrations: &migrations,
        specs: &specs,
        options: &options,
        demands: &[],
        lacking: pgproof::db::dataset::Lacking::Made,
    };
    ensure(cluster, recipe, &Progress::default(), &Interrupt::new())
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// One number.
async fn number(session: &Session, sql: &str) -> i64 {
    session
        .client()
        .query_one(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{error:?} in {sql}"))
        .get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_is_made_once_and_holds_what_its_seeds_say() {
    let cluster = support::cluster();
    let made = sample(&cluster, 0.02).await;
    let again = sample(&cluster, 0.02).await;
    assert_eq!(
        (again.database.as_str(), again.made),
        (made.database.as_str(), None)
    );
    let copy = DatabaseClone::of(&cluster.url("postgres"), &made.database, &Interrupt::new())
        .await
        .unwrap();
    let session = Session::open(copy.url(), &Interrupt::new()).await.unwrap();
    assert_eq!(
        number(&session, "SELECT count(*) FROM customers").await,
        3000
    );
    let orders = number(&session, "SELECT count(*) FROM orders").await;
    assert_eq!(orders, 8010);
    // Everything is valid, analyzed, and all-visible; sequences go on after the last row.
    assert_eq!(
        number(
            &session,
            "SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready)"
        )
        .await,
        0
    );
    assert_eq!(
        number(
            &session,
            "SELECT count(*) FROM pg_constraint WHERE NOT convalidated"
        )
        .await,
        0
    );
    let unseen = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
                  AND relname NOT LIKE '\\_sqlx%' AND (reltuples < 0 OR relallvisible < relpages)";
    assert_eq!(number(&session, unseen).await, 0);
    assert!(
        number(
            &session,
            "SELECT nextval(pg_get_serial_sequence('orders', 'id'))"
        )
        .await
            > orders
    );
    let hot =
        "SELECT max(n)::bigint FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id) AS c";
    assert!(
        number(&session, hot).await > orders / 100,
        "a few customers hold most orders"
    );
    let active = number(
        &session,
        "SELECT count(*) FROM products WHERE status = 'active'",
    )
    .await;
    assert!(
        (450..570).contains(&active),
        "85 % of 600 products are active: {active}"
    );
    assert_eq!(
        number(&session, "SELECT count(*) FROM events_default").await,
        0
    );
    // Triggers are back: a foreign key is checked again.
    let broken = session
        .client()
        .batch_execute("UPDATE orders SET customer_id = -1 WHERE id = 1")
        .await;
    assert!(broken.is_err());
}

/// For measuring: `cargo test --release --test it sample_at_full_size -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "loads 3.2 million rows"]
async fn sample_at_full_size() {
    let cluster = support::cluster();
    let start = std::time::Instant::now();
    let made = sample(&cluster, 1.0).await;
    println!("{:?} {:#?}", start.elapsed(), made);
    let session = Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    let drop = format!(
        "ALTER DATABASE {0} IS_TEMPLATE false; DROP DATABASE {0}",
        made.database
    );
    session.client().batch_execute(&drop).await.unwrap();
}
