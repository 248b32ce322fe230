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
    session
        .client()
        .query_one(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{error:?} in {sql}"))
        .get(0)
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
        let wrong = number(
            &session,
            &format!("SELECT count(*) FROM {table} WHERE {earlier} > {later}"),
        )
        .await;
        let both = number(
            &session,
            &format!("SELECT count(*) FROM {table} WHERE {earlier} <= {later}"),
        )
        .await;
        assert!(
            wrong == 0 && both > 50,
            "{earlier} > {later} in {wrong} rows, {both} are right"
        );
    }
    // Unlike names have nothing to do with each other.
    assert!(
        number(
            &session,
            "SELECT count(*) FROM jobs WHERE trial_start > period_end"
        )
        .await
            > 100
    );
    // A time whose predecessor is NULL lies where all others do.
    let old = "SELECT count(*) FROM jobs WHERE least(modified, removed, started_at, finished_at, valid_to) < '2023-01-01'";
    assert_eq!(number(&session, old).await, 0);
    assert!(
        number(
            &session,
            "SELECT count(*) FROM jobs WHERE started_at IS NULL"
        )
        .await
            > 50
    );
    let states = number(
        &session,
        "SELECT count(DISTINCT status) FROM jobs WHERE status ~ '^[a-z]+$'",
    )
    .await;
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
    for (table, column, first) in [
        ("accounts", "aid", 1),
        ("years", "year", 1990),
        ("ledgers", "no", 1),
    ] {
        let rows = format!(
            "SELECT {column} - row_number() OVER (ORDER BY ctid) AS \"offset\" FROM {table}"
        );
        let sql = format!("SELECT count(*) FROM ({rows}) numbered WHERE \"offset\" = {first} - 1");
        assert_eq!(number(&session, &sql).await, 200, "{table}.{column}");
    }
    assert_eq!(number(&session, "SELECT count(*) FROM entries").await, 200);
    // Keys that only happen to be unique come in no order.
    assert!(number(&session, "SELECT count(DISTINCT part) FROM ledgers").await == 200);
    let stray = "SELECT count(*) FROM (SELECT part < lag(part) OVER (ORDER BY ctid) AS falls FROM ledgers) p WHERE falls";
    assert!(number(&session, stray).await > 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_counts_as_its_sequence_does_and_the_sequence_goes_on_after_it() {
    let database = support::database().await;
    database
        .execute(
            "CREATE SEQUENCE downward INCREMENT -1 MAXVALUE -1;
             CREATE TABLE holes (id int PRIMARY KEY DEFAULT nextval('downward'),
                                 n bigint NOT NULL GENERATED ALWAYS AS IDENTITY (START 1000 INCREMENT 10));
             CREATE TABLE few (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY (MAXVALUE 60));",
        )
        .await;
    let plan = fill(&database, 100).await;
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("few: 60 rows instead of 100")),
        "{:?}",
        plan.notes
    );
    let session = database.session().await;
    let ends =
        "SELECT count(*) FROM (SELECT min(id) a, max(id) b, min(n) c, max(n) d FROM holes) ends
                WHERE (a, b, c, d) = (-100, -1, 1000, 1990)";
    assert_eq!(number(&session, ends).await, 1);
    let next = "INSERT INTO holes DEFAULT VALUES RETURNING id * 10000 + n";
    assert_eq!(number(&session, next).await, -101 * 10_000 + 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_postgis_are_valid_and_of_their_columns_types() {
    let database = support::database().await;
    let session = database.session().await;
    if session
        .client()
        .batch_execute("CREATE EXTENSION postgis")
        .await
        .is_err()
    {
        eprintln!("NOT TESTED: this server has no PostGIS");
        return;
    }
    database
        .execute(
            "CREATE TABLE places (
                id bigserial PRIMARY KEY, anything geometry NOT NULL, spot geography NOT NULL, at geography(PointZ, 4326) NOT NULL,
                p geometry(Point, 4326) NOT NULL, l geometry(LineString, 3857) NOT NULL, a geometry(Polygon, 25832) NOT NULL,
                mp geometry(MultiPointM) NOT NULL, ml geometry(MultiLineString, 4326) NOT NULL,
                ma geometry(MultiPolygonZ, 4326) NOT NULL, c geometry(GeometryCollectionZM, 4326) NOT NULL);
             CREATE INDEX ON places USING gist (p);",
        )
        .await;
    fill(&database, 500).await;
    assert_eq!(number(&session, "SELECT count(*) FROM places").await, 500);
    let wrong = "SELECT count(*) FROM places, LATERAL (VALUES (anything), (spot::geometry), (at::geometry), (p), (l), (a), (mp),
                 (ml), (ma), (c)) AS figure (g) WHERE NOT ST_IsValid(g) OR ST_IsEmpty(g)";
    assert_eq!(number(&session, wrong).await, 0);
    let far =
        "SELECT count(*) FROM places WHERE NOT p && ST_MakeEnvelope(-180, -90, 180, 90, 4326)";
    assert_eq!(number(&session, far).await, 0);
    assert!(number(&session, "SELECT count(DISTINCT p) FROM places").await > 490);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_spec_says_of_a_time_comes_before_what_would_make_sense() {
    let database = support::database().await;
    database.execute(JOBS).await;
    let spec = "[tables.articles.columns]\nupdated_at = { histogram = [\"2001-01-01\", \"2001-02-01\", \"2002-01-01\"] }\n\
                deleted_at = { to = \"2000-01-01\", from = \"1999-01-01\", null = 0.5 }\n";
    let options = Options {
        all_rows: Some(1000),
        ..Options::default()
    };
    let specs = [Source::new("seeds/articles.toml", spec)];
    try_fill_with(&database, &specs, &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let session = database.session().await;
    let january = "SELECT count(*) FROM articles WHERE updated_at >= '2001-01-01' AND updated_at < '2001-02-01'";
    let january = number(&session, january).await;
    assert!(
        (440..560).contains(&january),
        "half of the rows are of January: {january}"
    );
    assert_eq!(
        number(
            &session,
            "SELECT count(*) FROM articles WHERE updated_at > '2002-01-01'"
        )
        .await,
        0
    );
    assert_eq!(
        number(
            &session,
            "SELECT count(*) FROM articles WHERE deleted_at > '2000-01-01'"
        )
        .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_columns_of_a_row_name_one_place() {
    let database = support::database().await;
    database
        .execute(
            r"
            CREATE TABLE addresses (
                id bigserial PRIMARY KEY, street text NOT NULL, city text NOT NULL, state text NOT NULL,
                postcode varchar(12) NOT NULL, country_code char(2) NOT NULL, country text NOT NULL,
                currency char(3) NOT NULL, phone varchar(20) NOT NULL, fax text NOT NULL, time_zone text NOT NULL,
                language varchar(5) NOT NULL, locale text NOT NULL,
                billing_city text NOT NULL, billing_country char(3) NOT NULL
            );
            CREATE TABLE prices (id bigserial PRIMARY KEY, currency char(3) NOT NULL, phone text NOT NULL);
            ",
        )
        .await;
    fill(&database, 2000).await;
    let session = database.session().await;
    for (what, sql) in [
        (
            "a country has one code",
            "SELECT max(n) FROM (SELECT count(DISTINCT country) n FROM addresses GROUP BY country_code) x",
        ),
        (
            "a code is of one country",
            "SELECT max(n) FROM (SELECT count(DISTINCT country_code) n FROM addresses GROUP BY country) x",
        ),
        (
            "a country has one currency",
            "SELECT max(n) FROM (SELECT count(DISTINCT currency) n FROM addresses GROUP BY country_code) x",
        ),
        (
            "a country has one language",
            "SELECT max(n) FROM (SELECT count(DISTINCT locale) n FROM addresses GROUP BY country_code) x",
        ),
        (
            "a state is of one country and time zone",
            "SELECT max(n) FROM (SELECT count(DISTINCT (country, time_zone)) n FROM addresses WHERE state NOT IN ('Bern', 'Victoria') GROUP BY state) x",
        ),
    ] {
        assert_eq!(number(&session, sql).await, 1, "{what}");
    }
    let german = "SELECT count(*) FROM addresses WHERE country_code = 'DE'";
    let all = number(&session, german).await;
    assert!(all > 80, "{all} rows in Germany");
    let rule = "phone LIKE '+4915%' AND fax LIKE '+4915%' AND phone <> fax AND currency = 'EUR' AND country = 'Germany' \
                AND postcode ~ '^[0-9]{5}$' AND locale = 'de-DE' AND language = 'de'";
    assert_eq!(number(&session, &format!("{german} AND {rule}")).await, all);
    // Another prefix, another place.
    let elsewhere =
        "SELECT count(*) FROM addresses WHERE country_code = 'DE' AND billing_country <> 'DEU'";
    assert!(number(&session, elsewhere).await > all / 2);
    // Many towns, as in life.
    assert!(number(&session, "SELECT count(DISTINCT city) FROM addresses").await > 400);
    // With no place in the row a currency is one of many, mostly of the large ones, and telephones have no prefix to obey.
    assert!(
        number(
            &session,
            "SELECT count(*) FROM prices WHERE currency IN ('USD', 'EUR', 'GBP')"
        )
        .await
            > 1000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_follow_each_other_by_their_names() {
    let database = support::database().await;
    database
        .execute(
            r"
            CREATE TABLE orders (id bigserial PRIMARY KEY, delivered_at timestamptz, shipped_at timestamptz, ordered_at timestamptz NOT NULL);
            CREATE TABLE stays (id bigserial PRIMARY KEY, check_in date NOT NULL, check_out date);
            CREATE TABLE flights (id bigserial PRIMARY KEY, scheduled_departure timestamptz NOT NULL, scheduled_arrival timestamptz NOT NULL);
            CREATE TABLE tickets (id bigserial PRIMARY KEY, opened_at timestamptz NOT NULL, resolved_at timestamptz, closed_at timestamptz);
            CREATE TABLE invoices (id bigserial PRIMARY KEY, issue_date date NOT NULL, due_date date NOT NULL, paid_on date);
            CREATE TABLE persons (id bigserial PRIMARY KEY, born date NOT NULL, died date, hired_on date NOT NULL, terminated_on date);
            ",
        )
        .await;
    fill(&database, 2000).await;
    let session = database.session().await;
    for (table, earlier, later) in [
        ("orders", "ordered_at", "shipped_at"),
        ("orders", "shipped_at", "delivered_at"),
        ("stays", "check_in", "check_out"),
        ("flights", "scheduled_departure", "scheduled_arrival"),
        ("tickets", "opened_at", "resolved_at"),
        ("tickets", "resolved_at", "closed_at"),
        ("invoices", "issue_date", "due_date"),
        ("invoices", "issue_date", "paid_on"),
        ("persons", "born", "died"),
        ("persons", "hired_on", "terminated_on"),
    ] {
        let wrong = number(
            &session,
            &format!("SELECT count(*) FROM {table} WHERE {earlier} > {later}"),
        )
        .await;
        let both = number(
            &session,
            &format!("SELECT count(*) FROM {table} WHERE {earlier} <= {later}"),
        )
        .await;
        assert!(
            wrong == 0 && both > 200,
            "{earlier} > {later} in {wrong} rows, {both} are right"
        );
        let skipped =
            format!("SELECT count(*) FROM {table} WHERE {earlier} IS NULL AND {later} IS NOT NULL");
        assert_eq!(
            number(&session, &skipped).await,
            0,
            "{later} without {earlier}"
        );
    }
    let hours = "SELECT (avg(extract(epoch FROM scheduled_arrival - scheduled_departure)) / 3600)::bigint FROM flights";
    assert!(
        (3..8).contains(&number(&session, hours).await),
        "flights of some hours"
    );
    let open = "SELECT count(*) FROM tickets WHERE closed_at IS NULL";
    assert!(
        (400..800).contains(&number(&session, open).await),
        "some tickets are open"
    );
    let alive = "SELECT count(*) FROM persons WHERE died IS NULL";
    assert!(number(&session, alive).await > 1500, "most persons live");
    let future = "SELECT count(*) FROM persons WHERE died >= '2026-01-01'";
    assert_eq!(number(&session, future).await, 0);
}
