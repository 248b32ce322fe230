//! The spec's word against the rows that are made: a wish is met, or a note says that it is not. Random specs over a table
//! whose constraints tie its columns, loaded and counted by the server.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use pgproof::seed::{Options, SeedPlan};
use pgproof::source::Source;

use crate::support;
use crate::torture;

const ROWS: f64 = 4000.0;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn share(&mut self) -> f64 {
        self.below(1000) as f64 / 1000.0
    }
}

/// A wish that can be counted: its column, the SQL that counts it (a double), what the spec says, and what chance allows.
struct Wish {
    column: &'static str,
    sql: String,
    wanted: f64,
    noise: f64,
}

fn chance(share: f64, rows: f64) -> f64 {
    0.012 + 5.0 * (share * (1.0 - share) / rows.max(1.0)).sqrt()
}

fn shares(
    dice: &mut Dice,
    column: &'static str,
    values: &[&str],
    wishes: &mut Vec<Wish>,
) -> String {
    let weights: Vec<f64> = values.iter().map(|_| 0.02 + dice.share()).collect();
    let sum: f64 = weights.iter().sum();
    let listed: Vec<String> = values
        .iter()
        .zip(&weights)
        .map(|(value, weight)| format!("{value} = {weight}"))
        .collect();
    for (value, weight) in values.iter().zip(&weights) {
        let wanted = weight / sum;
        wishes.push(Wish {
            column,
            sql: format!(
                "SELECT (count(*) FILTER (WHERE {column}::text = '{value}'))::float8 / greatest(count({column}), 1) FROM parcels"
            ),
            wanted,
            noise: chance(wanted, ROWS / 4.0),
        });
    }
    format!("values = {{ {} }}", listed.join(", "))
}

/// A random spec and its wishes.
fn random_spec(dice: &mut Dice) -> (String, Vec<Wish>) {
    let mut wishes = Vec::new();
    let mut spec = format!("[tables.parcels]\nrows = {ROWS}\n[tables.parcels.columns]\n");
    let mut line = |column: &str, knobs: Vec<String>| {
        if !knobs.is_empty() {
            spec += &format!("{column} = {{ {} }}\n", knobs.join(", "));
        }
    };
    let nulls = |dice: &mut Dice, column: &'static str, wishes: &mut Vec<Wish>| {
        let wanted = dice.share();
        wishes.push(Wish {
            column,
            sql: format!("SELECT (count(*) - count({column}))::float8 / count(*) FROM parcels"),
            wanted,
            noise: chance(wanted, ROWS),
        });
        format!("null = {wanted}")
    };
    let correlation = |dice: &mut Dice, column: &'static str, wishes: &mut Vec<Wish>| {
        let wanted = dice.share() * 2.0 - 1.0;
        wishes.push(Wish {
            column,
            sql: format!(
                "SELECT coalesce((SELECT correlation FROM pg_stats WHERE tablename = 'parcels' AND attname = '{column}'), 0)::float8"
            ),
            wanted,
            noise: 0.09,
        });
        format!("correlation = {wanted:.3}")
    };
    let mut knobs = Vec::new();
    if dice.below(2) == 0 {
        knobs.push(shares(
            dice,
            "state",
            &["new", "sent", "there"],
            &mut wishes,
        ));
        if dice.below(3) == 0 {
            knobs.push(correlation(dice, "state", &mut wishes));
        }
    }
    line("state", knobs);
    let mut knobs = Vec::new();
    if dice.below(2) == 0 {
        knobs.push(nulls(dice, "sent_at", &mut wishes));
    }
    line("sent_at", knobs);
    let mut knobs = Vec::new();
    if dice.below(2) == 0 {
        knobs.push(shares(dice, "fragile", &["true", "false"], &mut wishes));
        if dice.below(2) == 0 {
            knobs.push(correlation(dice, "fragile", &mut wishes));
        }
    }
    line("fragile", knobs);
    let mut knobs = Vec::new();
    if dice.below(2) == 0 {
        let wanted = 2 + dice.below(300);
        wishes.push(Wish {
            column: "weight",
            sql: "SELECT count(DISTINCT weight)::float8 FROM parcels".to_owned(),
            wanted: wanted as f64,
            noise: 0.5 + wanted as f64 * 0.04,
        });
        knobs.push(format!("distinct = {wanted}"));
        if dice.below(2) == 0 {
            knobs.push("min = 1, max = 100000".to_owned());
        }
        if dice.below(2) == 0 {
            knobs.push(correlation(dice, "weight", &mut wishes));
        }
    }
    line("weight", knobs);
    let mut knobs = Vec::new();
    if dice.below(2) == 0 {
        knobs.push(nulls(dice, "note", &mut wishes));
    }
    line("note", knobs);
    (spec, wishes)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wish_is_met_or_told_of() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE parcels (id int PRIMARY KEY, state text NOT NULL CHECK (state IN ('new', 'sent', 'there')),
                 sent_at timestamptz, there_at timestamptz, fragile boolean NOT NULL, weight int NOT NULL, note text,
                 CHECK ((state = 'new') = (sent_at IS NULL)), CHECK (there_at IS NULL OR state = 'there'),
                 CHECK (NOT fragile OR note IS NOT NULL), CHECK (there_at >= sent_at));",
        )
        .await;
    let mut dice = Dice(7);
    let mut met = 0;
    for round in 0..200 {
        let (text, wishes) = random_spec(&mut dice);
        database.execute("TRUNCATE parcels").await;
        let specs = [Source::new("seeds/spec.toml", text.as_str())];
        let plan: SeedPlan = torture::try_fill_with(&database, &specs, &Options::default())
            .await
            .unwrap_or_else(|error| panic!("{round}: {error}\n{text}"));
        let session = database.session().await;
        for wish in &wishes {
            let row = session.client().query_one(&wish.sql, &[]).await.unwrap();
            let found: f64 = row.get(0);
            let missed = (found - wish.wanted).abs() > wish.noise;
            let told = plan
                .notes
                .iter()
                .any(|note| note.contains(&format!(" {} ", wish.column)));
            assert!(
                !missed || told,
                "{round}: {} is {found} and not {}, and no note says so\n{text}\n{:?}",
                wish.column,
                wish.wanted,
                plan.notes
            );
            met += usize::from(!missed);
            // A note tells of what is missed: of a column all of whose wishes are met there is none.
            let all_met = wishes
                .iter()
                .filter(|other| other.column == wish.column)
                .count()
                == 1
                && (found - wish.wanted).abs() < wish.noise * 0.2;
            assert!(
                !(told && all_met),
                "{round}: {}\n{text}\n{:?}",
                wish.column,
                plan.notes
            );
        }
        session.close().await;
    }
    assert!(met > 200, "most wishes can be met: {met}");
}

const SEVERAL: &str = "CREATE TABLE shops (id int PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('small', 'large', 'web')),
         opened date NOT NULL, closed date, CHECK (closed > opened));
     CREATE TABLE visits (id bigint PRIMARY KEY, shop_id int NOT NULL REFERENCES shops, at timestamptz NOT NULL, paid boolean NOT NULL,
         amount numeric(8,2), rating smallint CHECK (rating BETWEEN 1 AND 5), CHECK (paid = (amount IS NOT NULL)));
     CREATE TABLE items (id bigint PRIMARY KEY, visit_id bigint REFERENCES visits, color text, grams int NOT NULL CHECK (grams > 0),
         fragile boolean, CHECK (fragile IS NULL OR color IS NOT NULL));";

/// What is counted over a table.
fn counted(table: &str, expression: &str) -> String {
    format!("SELECT ({expression})::float8 FROM {table}")
}

/// A random spec over three tables, and its wishes.
fn spec_of_several(dice: &mut Dice) -> (String, Vec<Wish>) {
    let mut wishes = Vec::new();
    let shops = 40 + dice.below(200);
    let mean = 4 + dice.below(12);
    let items = 2000 + dice.below(3000);
    let mut spec = format!("[tables.shops]\nrows = {shops}\n[tables.shops.columns]\n");
    let mut weighted = |dice: &mut Dice,
                        table: &str,
                        column: &'static str,
                        values: &[&str],
                        rows: u64| {
        let weights: Vec<f64> = values.iter().map(|_| 0.05 + dice.share()).collect();
        let sum: f64 = weights.iter().sum();
        for (value, weight) in values.iter().zip(&weights) {
            let share = format!(
                "count(*) FILTER (WHERE {column}::text = '{value}'))::float8 / greatest(count({column}), 1"
            );
            wishes.push(Wish {
                column,
                sql: counted(table, &share),
                wanted: weight / sum,
                noise: chance(weight / sum, rows as f64 / 4.0),
            });
        }
        let listed: Vec<String> = values
            .iter()
            .zip(&weights)
            .map(|(value, weight)| format!("\"{value}\" = {weight}"))
            .collect();
        format!("{column} = {{ values = {{ {} }} }}\n", listed.join(", "))
    };
    if dice.below(2) == 0 {
        spec += &weighted(dice, "shops", "kind", &["small", "large", "web"], shops);
    }
    let rows = shops * mean;
    let mut of_visits = String::new();
    if dice.below(2) == 0 {
        of_visits += &weighted(dice, "visits", "paid", &["true", "false"], rows);
    }
    if dice.below(2) == 0 {
        of_visits += &weighted(dice, "visits", "rating", &["1", "2", "3", "5"], rows);
    }
    let mut nulls = |dice: &mut Dice, table: &str, column: &'static str, rows: u64| {
        let wanted = dice.share();
        let share = format!("count(*) - count({column}))::float8 / (count(*)");
        wishes.push(Wish {
            column,
            sql: counted(table, &share),
            wanted,
            noise: chance(wanted, rows as f64),
        });
        format!("{column} = {{ null = {wanted} }}\n")
    };
    if dice.below(2) == 0 {
        spec += &nulls(dice, "shops", "closed", shops);
    }
    if dice.below(2) == 0 {
        of_visits += &nulls(dice, "visits", "amount", rows);
    }
    let mut of_items = String::new();
    if dice.below(2) == 0 {
        of_items += &nulls(dice, "items", "visit_id", items);
    }
    if dice.below(3) == 0 {
        of_items += &nulls(dice, "items", "fragile", items);
    }
    if dice.below(2) == 0 {
        let (share, different) = (0.1 + dice.share() * 0.5, 3 + dice.below(40));
        of_items +=
            &format!("color = {{ common = {{ red = {share} }}, distinct = {different} }}\n");
        wishes.push(Wish {
            column: "color",
            sql: counted(
                "items",
                "count(*) FILTER (WHERE color = 'red'))::float8 / (count(*)",
            ),
            wanted: share,
            noise: chance(share, items as f64) + 0.05,
        });
    }
    if dice.below(2) == 0 {
        let (low, wanted) = (1 + dice.below(500), 2 + dice.below(300));
        let high = low + wanted * (1 + dice.below(4));
        let ordered = dice.share() * 2.0 - 1.0;
        of_items += &format!(
            "grams = {{ min = {low}, max = {high}, distinct = {wanted}, correlation = {ordered:.3} }}\n"
        );
        wishes.push(Wish {
            column: "grams",
            sql: counted("items", "count(DISTINCT grams)"),
            wanted: wanted as f64,
            noise: 0.5 + wanted as f64 * 0.04,
        });
        wishes.push(Wish {
            column: "grams",
            sql: counted(
                "items",
                &format!("count(*) FILTER (WHERE grams NOT BETWEEN {low} AND {high})"),
            ),
            wanted: 0.0,
            noise: 0.5,
        });
        wishes.push(Wish {
            column: "grams",
            sql: "SELECT coalesce((SELECT correlation FROM pg_stats WHERE tablename = 'items' AND attname = 'grams'), 0)::float8"
                .to_owned(),
            wanted: ordered,
            noise: 0.09,
        });
    }
    wishes.push(Wish {
        column: "visits",
        sql: counted("visits", "count(*)"),
        wanted: rows as f64,
        noise: rows as f64 * 0.02,
    });
    spec += &format!(
        "[tables.visits]\nrows = {{ per = \"shops\", mean = {mean} }}\n[tables.visits.columns]\n{of_visits}\
         [tables.items]\nrows = {items}\n[tables.items.columns]\n{of_items}"
    );
    (spec, wishes)
}

/// A sample of the specs in a normal run; `PGPROOF_WISHES=200` runs as many.
#[tokio::test(flavor = "multi_thread")]
async fn wishes_over_several_tables_are_met_or_told_of() {
    let rounds = std::env::var("PGPROOF_WISHES").map_or(25, |rounds| rounds.parse().unwrap());
    let database = support::database().await;
    database.execute(SEVERAL).await;
    let mut dice = Dice(11);
    let (mut met, mut told_of) = (0, 0);
    for round in 0..rounds {
        let (text, wishes) = spec_of_several(&mut dice);
        database.execute("TRUNCATE shops, visits, items").await;
        let specs = [Source::new("seeds/spec.toml", text.as_str())];
        let plan: SeedPlan = torture::try_fill_with(&database, &specs, &Options::default())
            .await
            .unwrap_or_else(|error| panic!("{round}: {error}\n{text}"));
        let session = database.session().await;
        for wish in &wishes {
            let row = session.client().query_one(&wish.sql, &[]).await.unwrap();
            let found: f64 = row.get(0);
            let missed = (found - wish.wanted).abs() > wish.noise;
            let told = plan.notes.iter().any(|note| {
                note.contains(&format!(" {} ", wish.column))
                    || note.starts_with(&format!("{}: ", wish.column))
            });
            assert!(
                !missed || told,
                "{round}: {} is {found} and not {}, and no note says so\n{text}\n{:?}",
                wish.column,
                wish.wanted,
                plan.notes
            );
            met += usize::from(!missed);
            told_of += usize::from(missed);
        }
        session.close().await;
    }
    println!("{rounds} specs: {met} wishes met, {told_of} missed and noted");
}
