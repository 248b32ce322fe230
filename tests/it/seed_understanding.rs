//! Constraints that are understood by what they are made of: functions of the schema's own, ends of ranges, look-ahead.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use pgproof::seed::{Options, SeedPlan};

use crate::support::{self, TestDatabase};
use crate::torture;

async fn filled(database: &TestDatabase) -> SeedPlan {
    let options = Options {
        default_rows: pgproof::seed::DefaultRows::Fixed(1000),
        ..Options::default()
    };
    let plan = torture::try_fill_with(database, &[], &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&database.session().await).await;
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_the_schema_are_understood_by_their_bodies() {
    let database = support::database().await;
    database
        .execute(
            "CREATE SCHEMA app;
             CREATE FUNCTION app.is_code(code text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
                 AS $$ select code like 'C-%' and length(code) between 5 and 9; $$;
             CREATE FUNCTION app.is_marked(text) RETURNS boolean LANGUAGE sql IMMUTABLE
                 AS $$ select starts_with($1, u&'\\2260') and starts_with(reverse($1), '#') $$;
             CREATE FUNCTION app.mark(string text) RETURNS text LANGUAGE sql IMMUTABLE
                 AS $$ select concat(u&'\\2260', trim(string), '#') $$;
             CREATE FUNCTION app.is_percentage(n int) RETURNS boolean LANGUAGE plpgsql
                 AS $$ BEGIN RETURN n >= 0 AND n <= 100; END $$;
             CREATE DOMAIN app.marked AS text CHECK (app.is_marked(VALUE));
             CREATE TABLE offers (id int PRIMARY KEY, code text NOT NULL CHECK (app.is_code(code)),
                                  share int NOT NULL CHECK (app.is_percentage(share)), mark app.marked NOT NULL,
                                  state text NOT NULL, reason text NOT NULL,
                                  CHECK ((reason = app.mark(' none ') AND state IN ('new', 'sent'))
                                      OR (reason <> app.mark(' none ') AND state = 'lost')));",
        )
        .await;
    filled(&database).await;
    assert_eq!(database.count("SELECT count(*) FROM offers").await, 1000);
    assert!(
        database
            .count("SELECT count(*) FROM offers WHERE reason = U&'\\2260none#'")
            .await
            > 100
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_made_of_the_columns_that_are_their_ends() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE tokens (id int PRIMARY KEY, issued timestamptz NOT NULL, seen timestamptz, deleted timestamptz,
                 active tstzrange NOT NULL, valid tstzrange NOT NULL,
                 CHECK (lower(active) = issued), CHECK (upper(active) = seen), CHECK (active <@ valid),
                 CHECK (lower(valid) = issued), CHECK (upper(valid) = deleted), CHECK (NOT isempty(active)));
             CREATE TABLE stays (id int PRIMARY KEY, arrival date NOT NULL, departure date NOT NULL,
                 nights daterange NOT NULL CHECK (lower(nights) = arrival AND upper(nights) = departure));
             CREATE TABLE offers (id int PRIMARY KEY, least int NOT NULL, pieces int4range NOT NULL, of int4range NOT NULL,
                 CHECK (least = lower(pieces)), CHECK (of @> pieces));
             CREATE TABLE names (id int PRIMARY KEY, name text NOT NULL, sort text NOT NULL CHECK (lower(sort) = sort));",
        )
        .await;
    filled(&database).await;
    for table in ["tokens", "stays", "offers", "names"] {
        assert_eq!(
            database
                .count(&format!("SELECT count(*) FROM {table}"))
                .await,
            1000,
            "{table}"
        );
    }
    assert_eq!(
        database
            .count("SELECT count(*) FROM stays WHERE NOT isempty(nights)")
            .await,
        1000
    );
    assert!(
        database
            .count("SELECT count(DISTINCT active) FROM tokens")
            .await
            > 900
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_with_look_ahead_are_generated_from() {
    let database = support::database().await;
    database
        .execute(
            "CREATE DOMAIN alias AS text CHECK
                 (VALUE ~* '^(?!-)[a-z0-9-]{0,62}[a-z0-9](\\.((?!-)[a-z0-9-]{0,62}[a-z0-9]))*$');
             CREATE TABLE aliases (id int PRIMARY KEY, alias alias NOT NULL UNIQUE,
                 name text NOT NULL CHECK (name ~ '^(?!admin|root)[a-z]{4,9}$'));",
        )
        .await;
    filled(&database).await;
    assert_eq!(
        database
            .count("SELECT count(DISTINCT alias) FROM aliases")
            .await,
        1000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_have_what_a_generated_column_needs() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE bells (id int PRIMARY KEY, rig jsonb NOT NULL,
                 hung text GENERATED ALWAYS AS (CASE WHEN rig -> 'rope' -> 'end' ->> 'low' IS NOT NULL THEN 'low'
                     WHEN rig -> 'rope' -> 'end' ->> 'high' IS NOT NULL THEN 'high' END) STORED,
                 CONSTRAINT bells_are_hung CHECK (hung IS NOT NULL),
                 made_of text NOT NULL GENERATED ALWAYS AS (CASE WHEN rig ? 'bronze' THEN 'bronze' WHEN rig ? 'iron' THEN 'iron' END) STORED);
             CREATE TABLE chimes (id int PRIMARY KEY, rig jsonb NOT NULL,
                 hung text GENERATED ALWAYS AS (CASE WHEN rig ? 'rope' THEN 'low' END) STORED);",
        )
        .await;
    filled(&database).await;
    let hung = "SELECT count(*) FROM bells WHERE hung = 'low' AND made_of = 'bronze'";
    assert_eq!(
        database.count(hung).await,
        database.count("SELECT count(*) FROM bells").await
    );
    assert!(database.count("SELECT count(*) FROM bells").await > 0);
    // Where nothing needs it, a document is any.
    assert_eq!(
        database
            .count("SELECT count(*) FROM chimes WHERE hung IS NOT NULL")
            .await,
        0
    );
}
