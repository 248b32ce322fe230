//! References that only the joins of queries show: rows that meet, and columns that must not.

#![allow(clippy::unwrap_used, clippy::panic)]

use pgproof::seed::{Options, SeedPlan};
use pgproof::sql::{constants, joins};

use crate::support::{self, TestDatabase};
use crate::torture;

/// Fills the database as it is filled for these queries.
async fn filled(database: &TestDatabase, queries: &[&str], spec: &str) -> SeedPlan {
    let options = Options {
        all_rows: Some(400),
        constants: constants::of_all(queries.iter().copied()),
        joins: joins::by_tables(queries.iter().copied()),
        ..Options::default()
    };
    torture::fill_by(database, spec, &options).await
}

/// A ship yard's tables without a foreign key.
const YARD: &str = "CREATE TABLE hulls (keel text PRIMARY KEY, launched date);
    CREATE TABLE refits (id int PRIMARY KEY, vessel text NOT NULL, bill int NOT NULL);
    CREATE TABLE voyages (id bigint NOT NULL, begun timestamptz NOT NULL, captain text NOT NULL, PRIMARY KEY (id, begun));
    CREATE TABLE logbook (page int PRIMARY KEY, trip bigint NOT NULL, trip_begun timestamptz NOT NULL, entry text NOT NULL);
    CREATE TABLE parcels (id int PRIMARY KEY, consignment text NOT NULL, weight int NOT NULL);
    CREATE TABLE duties (id int PRIMARY KEY, consignment text NOT NULL, paid int NOT NULL);";

#[tokio::test]
async fn what_queries_join_meets() {
    let database = support::database().await;
    database.execute(YARD).await;
    let queries = [
        "SELECT 1 FROM refits r JOIN hulls h ON h.keel = r.vessel WHERE r.id = $1",
        "SELECT 2 FROM logbook l, voyages v WHERE l.trip = v.id AND v.begun = l.trip_begun",
        "SELECT 3 FROM parcels p WHERE p.consignment IN (SELECT consignment FROM duties)",
    ];
    let plan = filled(&database, &queries, "").await;
    let orphans = [
        "SELECT count(*) FROM refits WHERE vessel NOT IN (SELECT keel FROM hulls)",
        "SELECT count(*) FROM logbook WHERE (trip, trip_begun) NOT IN (SELECT id, begun FROM voyages)",
    ];
    for sql in orphans {
        assert_eq!(database.count(sql).await, 0, "{sql}");
    }
    let met = "SELECT count(*) FROM parcels p JOIN duties d USING (consignment)";
    assert!(database.count(met).await > 100);
    let notes = plan.notes.join("\n");
    for told in [
        "taken from the joins of queries: ",
        "refits.vessel → hulls.keel",
        "logbook.trip, trip_begun → voyages.id, begun",
        "duties.consignment → parcels.consignment",
    ] {
        assert!(notes.contains(told), "{notes}");
    }
}

/// What a toll has of a mooring and of its berth it has of the mooring, whose own key names the berth; a mooring's dock is then its
/// berth's, too.
#[tokio::test]
async fn keys_of_several_columns_follow_each_other() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE docks (name text PRIMARY KEY);
             CREATE TABLE berths (dock text NOT NULL, number text NOT NULL, depth int NOT NULL, PRIMARY KEY (dock, number));
             CREATE TABLE moorings (dock text NOT NULL, number text NOT NULL, vessel text NOT NULL, PRIMARY KEY (dock, number));
             CREATE TABLE tolls (id int PRIMARY KEY, dock text NOT NULL, number text NOT NULL, paid int NOT NULL);",
        )
        .await;
    let queries = [
        "SELECT 1 FROM berths b JOIN docks d ON d.name = b.dock",
        "SELECT 2 FROM moorings m JOIN docks d ON d.name = m.dock",
        "SELECT 3 FROM moorings m, docks d WHERE m.dock = d.name",
        // That moorings are berths' only tolls say.
        "SELECT 5 FROM tolls t JOIN moorings m ON m.dock = t.dock AND m.number = t.number",
        "SELECT 6 FROM tolls t JOIN berths b ON b.dock = t.dock AND b.number = t.number",
    ];
    filled(&database, &queries, "").await;
    for sql in [
        "SELECT count(*) FROM tolls WHERE (dock, number) NOT IN (SELECT dock, number FROM moorings)",
        "SELECT count(*) FROM moorings WHERE (dock, number) NOT IN (SELECT dock, number FROM berths)",
        "SELECT count(*) FROM berths WHERE dock NOT IN (SELECT name FROM docks)",
    ] {
        assert_eq!(database.count(sql).await, 0, "{sql}");
    }
}

/// Numbers that only happen to be compared, what a constraint or the spec says, and keys that are counted.
#[tokio::test]
async fn what_is_compared_otherwise_is_left_alone() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE decks (id int PRIMARY KEY, height int NOT NULL, state text NOT NULL);
             CREATE TABLE cabins (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, height int NOT NULL, state text NOT NULL,
                 deck_number int NOT NULL CHECK (deck_number BETWEEN 900001 AND 900009), steward int NOT NULL);
             CREATE TABLE crew (number int PRIMARY KEY, name text NOT NULL);",
        )
        .await;
    let queries = [
        "SELECT 1 FROM decks d JOIN cabins c ON c.height = d.height AND c.state = d.state",
        "SELECT 2 FROM decks d JOIN cabins c ON c.deck_number = d.id",
        "SELECT 3 FROM decks d JOIN cabins c ON c.id = d.id",
        "SELECT 4 FROM crew w JOIN cabins c ON c.steward = w.number",
    ];
    let spec = "[tables.cabins.columns]\nsteward = { references = \"none\" }\n";
    let plan = filled(&database, &queries, spec).await;
    let notes = plan.notes.join("\n");
    // The one that is a key of its own accord is the deck's: it names the cabin that was counted.
    let told: Vec<&str> = notes
        .lines()
        .filter(|note| note.contains("joins of queries"))
        .collect();
    assert_eq!(
        told,
        [
            "references that no foreign key declares, taken from the joins of queries: decks.id → cabins.id; \
          `references = \"none\"` in a column's spec says otherwise"
        ]
    );
}

/// However many children there are, some parents have none, of any table, and a query that asks for them finds some.
#[tokio::test]
async fn some_parents_have_no_children() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE captains (id int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE letters (id int PRIMARY KEY, captain_id int NOT NULL REFERENCES captains);
             CREATE TABLE wages (id int PRIMARY KEY, captain_id int NOT NULL REFERENCES captains);",
        )
        .await;
    let spec = "[tables.captains]\nrows = 500\n[tables.letters]\nrows = 20_000\n[tables.wages]\nrows = 20_000\n";
    torture::fill_by(&database, spec, &Options::default()).await;
    let without = "SELECT count(*) FROM captains c LEFT JOIN letters l ON l.captain_id = c.id LEFT JOIN wages w ON w.captain_id = c.id
         WHERE l.id IS NULL AND w.id IS NULL";
    let found = database.count(without).await;
    assert!((5..=50).contains(&found), "{found}");
}

/// A generated column that is always the same is part of a key: only such parents are pointed to. And of several columns all are
/// there or none.
#[tokio::test]
async fn a_generated_constant_chooses_the_parents() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE vessels (id int PRIMARY KEY, is_tender boolean NOT NULL, UNIQUE (id, is_tender));
             CREATE TABLE cargoes (id int PRIMARY KEY, vessel_id int NOT NULL REFERENCES vessels,
                 vessel_is_tender boolean NOT NULL GENERATED ALWAYS AS (false) STORED, hold text, hatch text, seal int,
                 CHECK (num_nonnulls(hold, hatch, seal) = ANY (ARRAY[0, 3])),
                 FOREIGN KEY (vessel_id, vessel_is_tender) REFERENCES vessels (id, is_tender));",
        )
        .await;
    filled(&database, &[], "").await;
    assert_eq!(database.count("SELECT count(*) FROM cargoes").await, 400);
    let sealed = "SELECT count(*) FROM cargoes WHERE seal IS NOT NULL AND hold IS NOT NULL";
    assert!(database.count(sealed).await > 20);
    let vessels = "SELECT count(DISTINCT vessel_id) FROM cargoes";
    assert!(database.count(vessels).await > 30);
}
