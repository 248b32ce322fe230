//! Foreign and unique keys that other constraints, or the spec, make narrower than the rows that they could point to.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use pgproof::seed::{Options, SeedPlan};
use pgproof::source::Source;

use crate::support::{self, TestDatabase};
use crate::torture;

async fn filled(database: &TestDatabase, spec: &str) -> SeedPlan {
    let specs: Vec<Source> = (!spec.is_empty()).then(|| Source::new("seeds/spec.toml", spec)).into_iter().collect();
    let options = Options { default_rows: 1000, ..Options::default() };
    let plan = torture::try_fill_with(database, &specs, &options).await.unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&database.session().await).await;
    plan
}

async fn count(database: &TestDatabase, sql: &str) -> i64 {
    database.session().await.client().query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_points_only_to_rows_that_its_own_domain_takes() {
    let database = support::database().await;
    database
        .execute(
            "CREATE DOMAIN scope_id AS text CHECK (length(trim(VALUE)) > 10 OR VALUE = 'global');
             CREATE DOMAIN public_id AS text CHECK (length(trim(VALUE)) > 10);
             CREATE DOMAIN late AS int CHECK (VALUE > 900);
             CREATE TABLE scopes (id scope_id PRIMARY KEY, number int NOT NULL UNIQUE);
             INSERT INTO scopes VALUES ('global', 1), ('o_1234567890', 2), ('o_1234567891', 3);
             CREATE TABLE users (id int PRIMARY KEY, scope public_id NOT NULL REFERENCES scopes);
             CREATE TABLE owners (scope public_id PRIMARY KEY REFERENCES scopes, note text);
             CREATE TABLE days (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
             CREATE TABLE stays (id int PRIMARY KEY, day late NOT NULL REFERENCES days);
             CREATE TABLE trips (id int PRIMARY KEY, day int NOT NULL REFERENCES days CHECK (day > 990));",
        )
        .await;
    let plan = filled(&database, "").await;
    assert_eq!(plan.notes, ["owners: 2 rows instead of 3, because its constraints allow 2 rows of scopes"]);
    assert_eq!(count(&database, "SELECT count(DISTINCT scope) FROM users").await, 2);
    assert_eq!(count(&database, "SELECT count(*) FROM stays").await, 1000);
    assert_eq!(count(&database, "SELECT count(DISTINCT day) FROM trips").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_obeys_the_weights_that_the_spec_gives_its_values() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE kinds (name text PRIMARY KEY);
             INSERT INTO kinds VALUES ('a'), ('b'), ('c');
             CREATE TABLE things (id int PRIMARY KEY, kind text NOT NULL REFERENCES kinds);",
        )
        .await;
    filled(&database, "[tables.things.columns]\nkind = { values = { a = 0.9, b = 0.1 } }").await;
    let share = count(&database, "SELECT count(*) FROM things WHERE kind = 'a'").await;
    assert!((870..930).contains(&share), "{share}");
    assert_eq!(count(&database, "SELECT count(*) FROM things WHERE kind = 'c'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_left_open_for_a_circle_is_told() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE scopes (id int PRIMARY KEY, method int);
             CREATE TABLE methods (id int PRIMARY KEY, scope int NOT NULL REFERENCES scopes, UNIQUE (scope, id));
             ALTER TABLE scopes ADD CONSTRAINT main_method FOREIGN KEY (id, method) REFERENCES methods (scope, id);",
        )
        .await;
    let plan = filled(&database, "").await;
    assert_eq!(
        plan.notes,
        [
            "scopes: method is NULL in every row, for foreign key main_method gets its values from rows that get theirs from it"
        ]
    );
    assert_eq!(count(&database, "SELECT count(method) FROM scopes").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_some_rows_only_cost_no_rows() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE plans (id uuid PRIMARY KEY);
             CREATE TABLE subscriptions (id uuid PRIMARY KEY);
             CREATE TABLE thresholds (id uuid PRIMARY KEY, plan uuid REFERENCES plans, amount bigint NOT NULL,
                recurring boolean NOT NULL DEFAULT false, deleted_at timestamp, subscription uuid REFERENCES subscriptions,
                CHECK ((plan IS NOT NULL) <> (subscription IS NOT NULL)));
             CREATE UNIQUE INDEX ON thresholds (amount, plan, recurring) WHERE deleted_at IS NULL AND plan IS NOT NULL;
             CREATE UNIQUE INDEX ON thresholds (amount, subscription, recurring)
                WHERE deleted_at IS NULL AND subscription IS NOT NULL;
             CREATE UNIQUE INDEX ON thresholds (plan, recurring)
                WHERE recurring IS TRUE AND deleted_at IS NULL AND plan IS NOT NULL;
             CREATE UNIQUE INDEX ON thresholds (subscription, recurring)
                WHERE recurring IS TRUE AND deleted_at IS NULL AND subscription IS NOT NULL;",
        )
        .await;
    filled(&database, "").await;
    assert_eq!(count(&database, "SELECT count(*) FROM thresholds").await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_index_of_one_partition_holds() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE tracks (is_own boolean NOT NULL, artist smallint NOT NULL CHECK (artist BETWEEN 1 AND 30),
                release smallint NOT NULL CHECK (release BETWEEN 1 AND 50)) PARTITION BY LIST (is_own);
             CREATE TABLE tracks_own PARTITION OF tracks FOR VALUES IN (true);
             CREATE TABLE tracks_other PARTITION OF tracks FOR VALUES IN (false);
             CREATE UNIQUE INDEX ON tracks_other (release, artist);",
        )
        .await;
    filled(&database, "").await;
    assert_eq!(count(&database, "SELECT count(*) FROM tracks").await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_count_was_lowered_is_told_where_other_tables_were_planned_again_for_it() {
    let database = support::database().await;
    // Whichever of a pair is planned first: its links are made again when the other turns out to have two rows only.
    database
        .execute(
            "CREATE TABLE a_flags (id boolean PRIMARY KEY, favourite int);
             CREATE TABLE b_things (id int PRIMARY KEY, flag boolean NOT NULL);
             ALTER TABLE a_flags ADD FOREIGN KEY (favourite) REFERENCES b_things;
             ALTER TABLE b_things ADD FOREIGN KEY (flag) REFERENCES a_flags;
             CREATE TABLE c_things (id int PRIMARY KEY, flag boolean);
             CREATE TABLE d_flags (id boolean PRIMARY KEY, favourite int NOT NULL);
             ALTER TABLE c_things ADD FOREIGN KEY (flag) REFERENCES d_flags;
             ALTER TABLE d_flags ADD FOREIGN KEY (favourite) REFERENCES c_things;",
        )
        .await;
    let plan = filled(&database, "").await;
    for name in ["a_flags", "d_flags"] {
        let told: Vec<_> =
            plan.notes.iter().filter(|note| note.starts_with(&format!("{name}: 2 rows instead of"))).collect();
        assert_eq!(told.len(), 1, "{:#?}", plan.notes);
    }
}
