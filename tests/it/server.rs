//! The embedded server and the ways to it, on real clusters.

use pgproof::db::clone::Clone as DatabaseClone;
use pgproof::interrupt::Interrupt;

#[tokio::test]
async fn a_database_of_ones_own_is_copied_and_dropped() {
    let database = crate::support::database().await;
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 10) AS n").await;
    let name = database.url().database().to_owned();
    let copy = DatabaseClone::of(database.url(), &name, &Interrupt::new()).await.unwrap();
    let session = pgproof::db::connect::Session::open(copy.url(), &Interrupt::new()).await.unwrap();
    let count: i64 = session.client().query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(count, 10);
    assert_eq!(session.version().major(), crate::support::MAJOR);
    let gone = copy.url().database().to_owned();
    copy.discard().await.unwrap();
    let left = database.session().await;
    let rows = left.client().query("SELECT 1 FROM pg_database WHERE datname = $1", &[&gone]).await.unwrap();
    assert!(rows.is_empty());
}
