//! Columns that a row and the row that it points to share: a tenant's id in every table.

#![allow(clippy::unwrap_used, clippy::panic)]

use pgproof::seed::{Options, SeedPlan};

use crate::support::{self, TestDatabase};
use crate::torture;

async fn filled(database: &TestDatabase, spec: &str) -> SeedPlan {
    let options = Options {
        all_rows: Some(400),
        ..Options::default()
    };
    torture::fill_by(database, spec, &options).await
}

/// Guilds and what is theirs: kilns and moulds of a workshop, casts of both and perhaps of a glaze, which has no workshop.
const GUILDS: &str = "CREATE TABLE guilds (id int PRIMARY KEY, motto text NOT NULL);
    CREATE TABLE workshops (id int PRIMARY KEY, guild_id int NOT NULL REFERENCES guilds, name text NOT NULL);
    CREATE TABLE kilns (id int PRIMARY KEY, guild_id int NOT NULL REFERENCES guilds, workshop_id int NOT NULL REFERENCES workshops);
    CREATE TABLE moulds (id int PRIMARY KEY, guild_id int NOT NULL REFERENCES guilds, workshop_id int REFERENCES workshops);
    CREATE TABLE glazes (id int PRIMARY KEY, guild_id int NOT NULL, name text NOT NULL);
    CREATE TABLE casts (id int PRIMARY KEY, guild_id int NOT NULL, kiln_id int NOT NULL REFERENCES kilns,
        mould_id int NOT NULL REFERENCES moulds, glaze_id int REFERENCES glazes);";

/// Pairs of a child and a parent, and the least number of rows that have one.
const PAIRS: [(&str, &str, &str, i64); 5] = [
    ("kilns", "workshops", "workshop_id", 400),
    ("moulds", "workshops", "workshop_id", 300),
    ("casts", "kilns", "kiln_id", 400),
    ("casts", "moulds", "mould_id", 400),
    ("casts", "glazes", "glaze_id", 300),
];

fn together(child: &str, parent: &str, column: &str, condition: &str) -> String {
    format!(
        "SELECT count(*) FROM {child} c JOIN {parent} p ON p.id = c.{column} WHERE c.guild_id {condition} p.guild_id"
    )
}

#[tokio::test]
async fn a_row_has_the_tenant_of_all_rows_that_it_points_to() {
    let database = support::database().await;
    database.execute(GUILDS).await;
    let plan = filled(&database, "[tables.guilds]\nrows = 20\n").await;
    for (child, parent, column, least) in PAIRS {
        let strangers = database.count(&together(child, parent, column, "<>")).await;
        assert_eq!(strangers, 0, "{child}.{column}");
        let met = database.count(&together(child, parent, column, "=")).await;
        assert!(met >= least, "{child}.{column}: {met}");
    }
    let guilds = database
        .count("SELECT count(DISTINCT guild_id) FROM casts")
        .await;
    assert!(guilds >= 15, "{guilds}");
    let notes = plan.notes.join("\n");
    for told in [
        "the same in a row and in the row that it points to: ",
        "glazes.guild_id → guilds.id",
    ] {
        assert!(notes.contains(told), "{notes}");
    }
}

#[tokio::test]
async fn the_spec_says_that_it_is_another_one() {
    let database = support::database().await;
    database.execute(GUILDS).await;
    let spec = "[tables.guilds]\nrows = 20\n[tables.kilns.columns]\nguild_id = { references = \"none\" }\n";
    filled(&database, spec).await;
    let strangers = together("kilns", "workshops", "workshop_id", "<>");
    assert!(database.count(&strangers).await > 200);
}

/// What only has the same name: who wrote something, what a key counts by, and a column that the spec gives values.
#[tokio::test]
async fn what_only_has_the_same_name_differs() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users);
             CREATE TABLE comments (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, post_id int NOT NULL REFERENCES posts);
             CREATE TABLE clubs (id int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE pitches (id int PRIMARY KEY, club_id int NOT NULL REFERENCES clubs);
             CREATE TABLE guests (club_id int NOT NULL REFERENCES clubs, pitch_id int NOT NULL REFERENCES pitches,
                 UNIQUE (club_id, pitch_id));",
        )
        .await;
    filled(&database, "").await;
    for sql in [
        "SELECT count(*) FROM comments c JOIN posts p ON p.id = c.post_id WHERE c.user_id <> p.user_id",
        "SELECT count(*) FROM guests g JOIN pitches p ON p.id = g.pitch_id WHERE g.club_id <> p.club_id",
    ] {
        assert!(database.count(sql).await > 300, "{sql}");
    }
}
