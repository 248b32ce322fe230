//! Growth laws of queries whose exponents are known, on tables of three sizes.

use std::collections::BTreeMap;

use pgproof::catalog::{self, Query};
use pgproof::db::audit::{RunOptions, run_catalog};
use pgproof::db::explain::Access;
use pgproof::db::introspect;
use pgproof::interrupt::Interrupt;
use pgproof::lab::growth::{Class, CliffLimit, Limits, Measured, growth};
use pgproof::progress::Progress;
use pgproof::run::QueryRuns;
use pgproof::source::Source;
use pgproof::units::{Millis, Pages};

use crate::support::{self, TestDatabase};

const TABLES: &str = include_str!("growth/tables.sql");
const QUERIES: &str = include_str!("growth/queries.sql");

/// Each query with its exponent.
fn corpus() -> (Vec<Query>, Vec<f64>) {
    let mut text = String::new();
    let mut exponents = Vec::new();
    for (at, query) in QUERIES
        .split("-- ")
        .filter(|part| !part.trim().is_empty())
        .enumerate()
    {
        let (exponent, sql) = query.split_once('\n').unwrap();
        exponents.push(exponent.trim().parse().unwrap());
        text.push_str(&format!("-- name: Q{at:02} :many\n{};\n\n", sql.trim()));
    }
    let parsed = catalog::parse(&[Source::new("queries.sql", text)]);
    assert_eq!(
        parsed.queries.len(),
        exponents.len(),
        "{:?}",
        parsed.skipped
    );
    (parsed.queries, exponents)
}

/// The corpus run with so many rows.
async fn measured(queries: &[Query], rows: u32) -> Vec<QueryRuns> {
    let database = TestDatabase::copy_of(&support::cluster(), "template0").await;
    let sql = TABLES
        .replace("{rows}", &rows.to_string())
        .replace("{steps}", &(rows / 125).to_string());
    database.execute(&sql).await;
    for statement in ["CHECKPOINT", "VACUUM", "ANALYZE"] {
        database.execute(statement).await;
    }
    let session = database.session().await;
    let schema = introspect::schema(&session).await.unwrap();
    let options = RunOptions {
        runs: 1,
        timeout: Millis(120_000.0),
        access: Access::PrivateCopy,
    };
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    run_catalog(&session, &schema, queries, &options, &progress, &interrupt)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn known_exponents_are_found() {
    let (queries, expected) = corpus();
    let mut seen: BTreeMap<u32, Vec<QueryRuns>> = BTreeMap::new();
    for rows in [25_000, 100_000, 400_000] {
        seen.insert(rows, measured(&queries, rows).await);
    }
    let (mut classes, mut cliffs, mut with_cliff) = (0, 0, 0);
    let mut wrong = Vec::new();
    for (at, expected) in expected.iter().enumerate() {
        let points: Vec<Measured<'_>> = seen
            .iter()
            .map(|(rows, runs)| {
                Measured::of(f64::from(*rows), &runs[at].runs[0]).expect("it finished")
            })
            .collect();
        let found = growth(
            (&queries[at].name, "as written"),
            &points,
            1e9,
            Limits::default(),
        )
        .unwrap();
        let exponent = found.exponent.map_or(0.0, |exponent| exponent.value);
        let pages: Vec<u64> = points
            .iter()
            .map(|measured| measured.point.pages.0)
            .collect();
        println!(
            "{} expected {expected} found {exponent:.3} {:?} pages {pages:?}",
            found.query, found.class
        );
        if found.class != Class::of(*expected) || (exponent - expected).abs() > 0.07 {
            wrong.push(format!("{}: {exponent:.3} for {expected}", queries[at].sql));
        } else {
            classes += 1;
        }
        if *expected == 0.0 {
            continue;
        }
        // From the two smaller sizes alone: where does it pass what it took at the largest?
        with_cliff += 1;
        let limit = Pages(pages[2]);
        let limits = Limits {
            pages: Some(limit),
            time: None,
        };
        let cliff =
            growth(("q", "as written"), &points[..2], 1e9, limits).and_then(|found| found.cliff);
        if let Some(cliff) = cliff.filter(|cliff| cliff.limit == CliffLimit::Pages(limit)) {
            let share = cliff.rows / 400_000.0;
            println!("    passes {limit} at {share:.3} of where it does");
            cliffs += usize::from((share - 1.0).abs() <= 0.15);
        }
    }
    println!(
        "{classes} of {} classes and exponents, {cliffs} of {with_cliff} cliffs",
        expected.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cliffs + 1 >= with_cliff, "{cliffs} of {with_cliff}");
}
