//! What cannot be met is told at once, before a row is written, with the line that mends it; and that line mends it.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use pgproof::db::dataset;
use pgproof::interrupt::Interrupt;
use pgproof::seed::Options;
use pgproof::source::Source;

use crate::support::{self, TestDatabase};
use crate::torture;

const SCHEMA: &str = "
    CREATE SCHEMA shop;
    CREATE FUNCTION is_checked(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT md5($1) = $1 $$;
    CREATE TABLE plain (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE coded (id int PRIMARY KEY, code text NOT NULL CONSTRAINT code_known CHECK (is_checked(code)),
        mark text NOT NULL CONSTRAINT mark_known CHECK (is_checked(mark)));
    CREATE TABLE shop.\"Odd One\" (id int PRIMARY KEY, code text NOT NULL CONSTRAINT odd_known CHECK (is_checked(code)));
    CREATE TABLE switches (active boolean NOT NULL CONSTRAINT switches_active UNIQUE, kind boolean NOT NULL,
        CONSTRAINT switches_kind UNIQUE (kind));
    CREATE TABLE flags (switch boolean NOT NULL REFERENCES switches (active), of int NOT NULL REFERENCES plain);";

async fn told(database: &TestDatabase, specs: &[Source]) -> String {
    let options = Options {
        default_rows: pgproof::seed::DefaultRows::Fixed(50),
        ..Options::default()
    };
    match dataset::plan(database.url(), specs, &options, &Interrupt::new()).await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_constraint_that_cannot_be_met_is_told_with_the_line_to_write() {
    let database = support::database().await;
    database.execute(SCHEMA).await;
    // More rows than a boolean has values: both keys of that table are told, and the CHECKs of the others.
    let wanted = Source::new("seeds/rows.toml", "[tables.switches]\nrows = 50");
    let error = told(&database, &[wanted]).await;
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 5, "{error}");
    for (at, table, constraint, line) in [
        (
            0,
            "switches",
            "switches_active",
            "write fewer `rows = …` under [tables.switches]",
        ),
        (
            1,
            "switches",
            "switches_kind",
            "write fewer `rows = …` under [tables.switches]",
        ),
        (
            2,
            "coded",
            "code_known",
            "`code = { values = [\"…\"] }`, under [tables.coded.columns]",
        ),
        (
            3,
            "coded",
            "mark_known",
            "`mark = { values = [\"…\"] }`, under [tables.coded.columns]",
        ),
        (
            4,
            "shop.\"Odd One\"",
            "odd_known",
            "`rows = 0` under [tables.\"shop.Odd One\"]",
        ),
    ] {
        let told = lines[at];
        assert!(told.starts_with(&format!("table {table}: ")), "{told}");
        assert!(told.contains(constraint) && told.contains(line), "{told}");
    }
    let session = database.session().await;
    assert_eq!(
        session
            .client()
            .query_one("SELECT count(*) FROM plain", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
    let written = "[tables.switches]\nrows = 2\n[tables.coded]\nrows = 0\n[tables.\"shop.Odd One\"]\nrows = 0";
    let written = Source::new("seeds/rows.toml", written);
    let options = Options {
        default_rows: pgproof::seed::DefaultRows::Fixed(50),
        ..Options::default()
    };
    let plan = torture::try_fill_with(&database, &[written], &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&session).await;
    assert_eq!(plan.total_rows(), 50 + 2 + 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_the_spec_hide_no_constraint() {
    let database = support::database().await;
    database.execute(SCHEMA).await;
    let said = "[tables.nowhere]\nrows = 1\n[tables.plain.columns]\nnam = { null = 0.5 }\n[tables.switches]\nrows = 2\n\
                [tables.flags.columns]\nof = { expression = \"no_such_function(1)\" }";
    let error = told(&database, &[Source::new("seeds/rows.toml", said)]).await;
    for part in [
        "there is no table nowhere",
        "no column nam",
        "code_known",
        "mark_known",
        "odd_known",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    // What only the server understands hides nothing either.
    let said = "[tables.switches]\nrows = 2\n[tables.flags.columns]\nof = { expression = \"no_such_function(1)\" }";
    let error = told(&database, &[Source::new("seeds/rows.toml", said)]).await;
    for part in ["no_such_function", "code_known", "mark_known", "odd_known"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_domains_and_lengths_refuse_is_told_before_a_row_is_written() {
    let database = support::database().await;
    let schema = "
        CREATE FUNCTION is_checked(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT md5($1) = $1 $$;
        CREATE DOMAIN checked AS text CONSTRAINT is_known CHECK (is_checked(VALUE));
        CREATE TYPE pair AS (kind text, of checked);
        CREATE TABLE lists (id int PRIMARY KEY, codes checked[] NOT NULL);
        CREATE TABLE pairs (id int PRIMARY KEY, both_of pair NOT NULL);
        CREATE TABLE kinds (id text PRIMARY KEY);
        CREATE TABLE things (id int PRIMARY KEY, kind checked NOT NULL REFERENCES kinds, note text);
        CREATE TABLE short (id int PRIMARY KEY, kind varchar(3) NOT NULL REFERENCES kinds, letter bit(2) NOT NULL);";
    database.execute(schema).await;
    let error = told(&database, &[]).await;
    for part in [
        "table lists: constraint is_known",
        "table pairs: constraint is_known",
        "table things: constraint is_known",
        "table short: generated rows are refused: value too long for type character varying(3)",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let session = database.session().await;
    assert_eq!(
        session
            .client()
            .query_one("SELECT count(*) FROM kinds", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_computes_and_what_is_refused_now_and_then_is_told_before_a_row_is_written()
{
    let database = support::database().await;
    let schema = "
        CREATE FUNCTION is_common(code text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql
            AS $$ BEGIN IF code IS NULL THEN RETURN false; END IF; RETURN hashtext(code) % 1000 <> 7; END $$;
        CREATE TABLE sums (id int PRIMARY KEY, a int NOT NULL, note text NOT NULL,
            total int NOT NULL CONSTRAINT total_small CHECK (total < 0));
        CREATE TABLE codes (id int PRIMARY KEY, code text NOT NULL CONSTRAINT code_common CHECK (is_common(code)));";
    database.execute(schema).await;
    let spec = "[tables.sums.columns]\ntotal = { expression = \"length(note)\" }\n[tables.codes]\nrows = 20_000";
    let error = told(&database, &[Source::new("seeds/rows.toml", spec)]).await;
    for part in [
        "table sums: constraint total_small",
        "table codes: constraint code_common",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let fits = spec
        .replace("length(note)", "-length(note)")
        .replace("20_000", "0");
    assert_eq!(
        told(&database, &[Source::new("seeds/rows.toml", fits)]).await,
        ""
    );
}
