//! What columns of a row have to do with each other though no constraint says so.

use crate::support;
use crate::torture::{fill, try_fill_with};
use pgproof::db::connect::Session;
use pgproof::seed::Options;
use pgproof::source::Source;

const JOBS: &str = r#"
    CREATE TABLE jobs (
        id bigserial PRIMARY KEY, status text NOT NULL, created timestamp, modified timestamp, removed timestamp,
        queued_at timestamptz, started_at timestamptz, finished_at timestamptz NOT NULL,
        valid_from date NOT NULL, valid_to date, "startTime" timestamptz, "endTime" timestamptz,
        period_end date, trial_start date, deleted_on date
    );
    CREATE TABLE articles (
        id bigserial PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz
    );
"#;

async fn number(session: &Session, sql: &str) -> i64 {
    session.client().query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{error:?} in {sql}")).get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_a_row_make_sense_together_by_their_names() {
    let database = support::database().await;
    database.execute(JOBS).await;
    fill(&database, 2000).await;
    let session = database.session().await;
    for (table, earlier, later) in [
        ("jobs", "created", "modified"),
        ("jobs", "created", "removed"),
        ("jobs", "modified", "removed"),
        ("jobs", "modified", "deleted_on"),
        ("jobs", "created", "queued_at"),
        ("jobs", "created", "started_at"),
        ("jobs", "started_at", "finished_at"),
        ("jobs", "valid_from", "valid_to"),
        ("jobs", "\"startTime\"", "\"endTime\""),
        ("articles", "created_at", "updated_at"),
        ("articles", "updated_at", "deleted_at"),
    ] {
        let wrong = number(&session, &format!("SELECT count(*) FROM {table} WHERE {earlier} > {later}")).await;
        let both = number(&session, &format!("SELECT count(*) FROM {table} WHERE {earlier} <= {later}")).await;
        assert!(wrong == 0 && both > 50, "{earlier} > {later} in {wrong} rows, {both} are right");
    }
    // Unlike names have nothing to do with each other.
    assert!(number(&session, "SELECT count(*) FROM jobs WHERE trial_start > period_end").await > 500);
    // A time whose predecessor is NULL lies where all others do.
    let old =
        "SELECT count(*) FROM jobs WHERE least(modified, removed, started_at, finished_at, valid_to) < '2023-01-01'";
    assert_eq!(number(&session, old).await, 0);
    assert!(number(&session, "SELECT count(*) FROM jobs WHERE started_at IS NULL").await > 50);
    let states = number(&session, "SELECT count(DISTINCT status) FROM jobs WHERE status ~ '^[a-z]+$'").await;
    assert!((4..=12).contains(&states), "{states} different states");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_number_that_is_the_primary_key_numbers_the_rows() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE accounts (aid int PRIMARY KEY, filler text);
             CREATE TABLE years (year smallint PRIMARY KEY CHECK (year BETWEEN 1990 AND 2200));
             CREATE TABLE ledgers (no numeric(12) PRIMARY KEY, part int NOT NULL UNIQUE);
             CREATE TABLE entries (ledger numeric(12) REFERENCES ledgers, account int REFERENCES accounts,
                                   PRIMARY KEY (ledger, account));",
        )
        .await;
    fill(&database, 200).await;
    let session = database.session().await;
    for (table, column, first) in [("accounts", "aid", 1), ("years", "year", 1990), ("ledgers", "no", 1)] {
        let rows = format!("SELECT {column} - row_number() OVER (ORDER BY ctid) AS \"offset\" FROM {table}");
        let sql = format!("SELECT count(*) FROM ({rows}) numbered WHERE \"offset\" = {first} - 1");
        assert_eq!(number(&session, &sql).await, 200, "{table}.{column}");
    }
    assert_eq!(number(&session, "SELECT count(*) FROM entries").await, 200);
    // Keys that only happen to be unique come in no order.
    assert!(number(&session, "SELECT count(DISTINCT part) FROM ledgers").await == 200);
    let stray =
        "SELECT count(*) FROM (SELECT part < lag(part) OVER (ORDER BY ctid) AS falls FROM ledgers) p WHERE falls";
    assert!(number(&session, stray).await > 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_spec_says_of_a_time_comes_before_what_would_make_sense() {
    let database = support::database().await;
    database.execute(JOBS).await;
    let spec = "[tables.articles.columns]\nupdated_at = { histogram = [\"2001-01-01\", \"2001-02-01\", \"2002-01-01\"] }\n\
                deleted_at = { to = \"2000-01-01\", from = \"1999-01-01\", null = 0.5 }\n";
    let options = Options { all_rows: Some(1000), ..Options::default() };
    let specs = [Source::new("seeds/articles.toml", spec)];
    try_fill_with(&database, &specs, &options).await.unwrap_or_else(|error| panic!("{error}"));
    let session = database.session().await;
    let january = "SELECT count(*) FROM articles WHERE updated_at >= '2001-01-01' AND updated_at < '2001-02-01'";
    let january = number(&session, january).await;
    assert!((440..560).contains(&january), "half of the rows are of January: {january}");
    assert_eq!(number(&session, "SELECT count(*) FROM articles WHERE updated_at > '2002-01-01'").await, 0);
    assert_eq!(number(&session, "SELECT count(*) FROM articles WHERE deleted_at > '2000-01-01'").await, 0);
}
