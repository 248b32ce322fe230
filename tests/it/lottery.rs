//! The lottery of ANALYZE on real servers: draws are what ANALYZE would say, queries that hang on its sample are found with what ends
//! it, and all others stay quiet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use pgproof::catalog::{self, Caller, Query};
use pgproof::db::audit::{RunOptions, plan_catalog};
use pgproof::db::explain::Access;
use pgproof::db::introspect;
use pgproof::db::lab::distribution;
use pgproof::db::lab::lottery::{Outcome, Play, play};
use pgproof::db::lab::{Laboratory, Planner};
use pgproof::db::profile;
use pgproof::db::server::Cluster;
use pgproof::finding::{Finding, Severity};
use pgproof::interrupt::Interrupt;
use pgproof::lab::lottery::Sample;
use pgproof::profile::model::ColumnStatistics;
use pgproof::progress::Progress;
use pgproof::rules::{Policy, unstable_plan};
use pgproof::run::QueryRuns;
use pgproof::schema::{QualifiedName, Schema};
use pgproof::seed::random::Key;
use pgproof::source::Source;
use pgproof::units::Millis;

use crate::server::private::bare_project;
use crate::support::{self, TestDatabase};

const TABLES: &str = include_str!("lottery/tables.sql");

/// How often statistics are drawn; more of it shows more, and takes longer.
fn draws() -> u64 {
    let asked = std::env::var("PGPROOF_LOTTERY_DRAWS").ok();
    asked.map_or(40, |asked| asked.parse().unwrap())
}

/// Whether somebody wants to see more than a test has to show.
fn is_thorough() -> bool {
    std::env::var_os("PGPROOF_LOTTERY_DRAWS").is_some()
}

/// `planted` that ask for the first row with a flag, and ten times `rounds` that do not hang on a sample.
fn queries(planted: usize, rounds: usize) -> Vec<Query> {
    let catalog = catalog::parse(&[Source::new("queries.sql", text(planted, rounds))]);
    assert!(catalog.skipped.is_empty());
    catalog.queries
}

/// The same as a file.
fn text(planted: usize, rounds: usize) -> String {
    let mut text = String::new();
    for flag in 0..planted {
        text.push_str(&format!(
            "-- name: FirstWithFlag{flag} :one\nSELECT * FROM events WHERE f{flag} = 1 ORDER BY id LIMIT 1;\n\n"
        ));
    }
    let steady = [
        "SELECT * FROM events WHERE id = 1000 + {n}",
        "SELECT count(*) FROM events WHERE kind = 'buy' AND id > {n}",
        "SELECT id, happened FROM events WHERE actor = {n} ORDER BY happened DESC LIMIT 10",
        "SELECT * FROM events WHERE happened BETWEEN '2024-02-01' AND timestamptz '2024-02-01' + {n} * interval '1 minute'",
        "SELECT a.name, count(*) FROM events e JOIN actors a ON a.id = e.actor WHERE e.kind = 'click' AND a.id > {n} GROUP BY a.name",
        "SELECT * FROM actors WHERE id = {n}",
        "SELECT kind, count(*) FROM events WHERE actor < {n} GROUP BY kind",
        "SELECT max(happened) FROM events WHERE id > {n}",
        "SELECT e.id FROM events e JOIN actors a ON a.id = e.actor WHERE a.id = {n} AND e.happened > '2024-03-01'",
        "SELECT id FROM events WHERE f0 = 0 AND f1 = 0 AND id > {n} ORDER BY id LIMIT 20",
    ];
    for round in 0..rounds {
        for (at, query) in steady.iter().enumerate() {
            let query = query.replace("{n}", &(17 * (round + 1)).to_string());
            text.push_str(&format!("-- name: Steady{round}x{at} :many\n{query};\n\n"));
        }
    }
    text
}

async fn loaded(cluster: &Arc<Cluster>) -> TestDatabase {
    let database = TestDatabase::copy_of(cluster, "template0").await;
    let session = database.session().await;
    session.client().batch_execute(TABLES).await.unwrap();
    for statement in ["CHECKPOINT", "VACUUM", "ANALYZE"] {
        session.client().batch_execute(statement).await.unwrap();
    }
    session.close().await;
    database
}

async fn planned(database: &TestDatabase, queries: &[Query]) -> (Schema, Vec<QueryRuns>) {
    let session = database.session().await;
    let schema = introspect::schema(&session).await.unwrap();
    let options = RunOptions {
        runs: 1,
        timeout: Millis(10_000.0),
        access: Access::PrivateCopy,
    };
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let runs = plan_catalog(
        &session,
        (&schema, queries),
        &options,
        (&progress, &interrupt),
    );
    let runs = runs.await.unwrap();
    session.close().await;
    (schema, runs)
}

async fn played(
    cluster: &Arc<Cluster>,
    database: &TestDatabase,
    queries: &[Query],
    draws: u64,
) -> Outcome {
    let (schema, runs) = planned(database, queries).await;
    let name = database.url().database().to_owned();
    let mut laboratory = Laboratory::open_filled(cluster, &name, &Interrupt::new())
        .await
        .unwrap();
    let mut planner = Planner::new(queries, &runs, &Caller::default());
    let how = Play {
        draws,
        seed: 42,
        timeout: Millis(10_000.0),
        schema: &schema,
        progress: &Progress::default(),
    };
    let outcome = play(&mut laboratory, &mut planner, how).await.unwrap();
    laboratory.close().await.unwrap();
    outcome
}

fn findings(outcome: &Outcome, queries: &[Query]) -> Vec<Finding> {
    let found = outcome.unstable.iter().filter_map(|unstable| {
        let query = queries.iter().find(|query| query.name == unstable.query)?;
        unstable_plan::finding(query, unstable, &Policy::default())
    });
    found.collect()
}

/// The share of real ANALYZE runs after which a query has the plan that walks along the key.
async fn share_by_analyze(database: &TestDatabase, runs: u32) -> f64 {
    let session = database.session().await;
    let mut walks = 0;
    for _ in 0..runs {
        let client = session.client();
        client.batch_execute("ANALYZE events").await.unwrap();
        let plan = "EXPLAIN SELECT * FROM events WHERE f3 = 1 ORDER BY id LIMIT 1";
        let lines = client.query(plan, &[]).await.unwrap();
        let is_walk = |row: &tokio_postgres::Row| row.get::<_, &str>(0).contains("events_pkey");
        walks += u32::from(lines.iter().any(is_walk));
    }
    session.close().await;
    f64::from(walks) / f64::from(runs)
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_hang_on_a_sample_are_found_and_others_are_not() {
    let majors: &[u32] = if is_thorough() { &[15, 18] } else { &[15] };
    for major in majors.iter().copied() {
        let cluster = support::required_cluster(major);
        let database = loaded(&cluster).await;
        let (flags, rounds) = if is_thorough() { (10, 3) } else { (4, 1) };
        let queries = queries(flags, rounds);
        let start = Instant::now();
        let outcome = played(&cluster, &database, &queries, draws()).await;
        println!(
            "{major}: {} sets, {} columns, {} draws in {:.1} s",
            outcome.planned,
            outcome.columns,
            draws(),
            start.elapsed().as_secs_f64()
        );
        let found = findings(&outcome, &queries);
        for finding in &found {
            println!(
                "{}\n  {}\n  {}\n  {:?}",
                finding.message, finding.why, finding.advice, finding.fix
            );
        }
        let names: BTreeSet<&str> = found
            .iter()
            .filter_map(|found| found.query.as_deref())
            .collect();
        let planted: BTreeSet<String> = (0..flags)
            .map(|flag| format!("FirstWithFlag{flag}"))
            .collect();
        assert_eq!(
            names,
            planted.iter().map(String::as_str).collect(),
            "PostgreSQL {major}"
        );
        for (finding, unstable) in found.iter().zip(
            outcome
                .unstable
                .iter()
                .filter(|unstable| planted.contains(&unstable.query)),
        ) {
            assert_eq!(finding.severity, Severity::Error, "{}", finding.message);
            let flag = unstable.query.trim_start_matches("FirstWithFlag");
            let columns: Vec<&str> = unstable
                .columns
                .iter()
                .map(|column| column.column.as_str())
                .collect();
            assert_eq!(columns, [format!("f{flag}")], "{:?}", unstable.differences);
            let fix = finding
                .fix
                .as_ref()
                .expect("a larger target reads every row");
            // A sample of 90,000 rows misses all fifteen once in two hundred times.
            let raised = |target: u32| {
                format!(
                    "ALTER TABLE public.events ALTER COLUMN f{flag} SET STATISTICS {target};\nANALYZE public.events;"
                )
            };
            assert!(
                [raised(300), raised(1000)].contains(&fix.sql),
                "{}",
                fix.sql
            );
            assert!(fix.proof.is_some());
        }
        let walks: Vec<f64> = outcome
            .unstable
            .iter()
            .filter(|unstable| planted.contains(&unstable.query))
            .map(|unstable| unstable.plans[0].draws as f64 / unstable.draws as f64)
            .collect();
        let drawn = walks.iter().sum::<f64>() / walks.len() as f64;
        let real = share_by_analyze(&database, 60).await;
        println!(
            "{major}: the walk by {:.1} % of the draws, {:.1} % of real runs of ANALYZE",
            drawn * 100.0,
            real * 100.0
        );
        // Sixty runs say it to within five points, as a standard deviation.
        assert!((drawn - real).abs() < 0.2, "{drawn} against {real}");
    }
}

/// What is said of the time in the documentation, of a release build: `PGPROOF=target/release/pgproof … a_hundred_queries`.
#[test]
#[ignore = "PGPROOF names a release build; a debug build takes many minutes"]
fn a_hundred_queries_take_seconds() {
    let program = std::env::var_os("PGPROOF").expect("PGPROOF names a release build");
    for major in [15, 18] {
        drop(support::required_cluster(major));
        let folder = bare_project();
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("migrations/1_tables.sql", TABLES);
        write("queries/queries.sql", &text(10, 9));
        let settings =
            format!("fail-on = \"never\"\n[server]\nversion = \"{major}\"\n[audit]\nruns = 1\n");
        write("pgproof.toml", &settings);
        let run = |arguments: &[&str]| {
            let start = Instant::now();
            let output = std::process::Command::new(&program)
                .args(arguments)
                .args(["--offline", "--format", "json"])
                .current_dir(folder.path())
                .env_remove("DATABASE_URL")
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{printed}");
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            (report, start.elapsed().as_secs_f64())
        };
        // Rows and runs are known then, and what is left is the lottery.
        run(&["audit"]);
        let (report, took) = run(&["audit", "--lottery", "200"]);
        let all = report["findings"].as_array().unwrap().iter();
        let unstable = all.filter(|finding| finding["rule"] == "unstable-plan");
        let names: BTreeSet<&str> = unstable
            .map(|finding| finding["query"].as_str().unwrap())
            .collect();
        println!(
            "PostgreSQL {major}: 100 queries, 200 draws: {took:.1} s, {} unstable",
            names.len()
        );
        let planted: BTreeSet<String> =
            (0..10).map(|flag| format!("FirstWithFlag{flag}")).collect();
        assert_eq!(names, planted.iter().map(String::as_str).collect());
        assert!(took < 60.0, "{took}");
        stop_server(&program, folder.path());
    }
}

fn stop_server(program: &std::ffi::OsStr, folder: &std::path::Path) {
    let stopped = std::process::Command::new(program)
        .args(["server", "stop"])
        .current_dir(folder)
        .output();
    assert!(stopped.is_ok());
}

/// Means and spreads of what real runs say, and of what draws say.
#[tokio::test(flavor = "multi_thread")]
async fn draws_say_what_analyze_says() {
    const RUNS: u64 = 80;
    for major in [15, 18] {
        let cluster = support::required_cluster(major);
        let database = TestDatabase::copy_of(&cluster, "template0").await;
        database
            .execute(
                "CREATE TABLE facts AS SELECT g AS id, (200 * exp(-ln(g % 9973 + 1)))::int AS skewed, g % 7000 AS parent, \
                 CASE WHEN g % 500 = 0 THEN g % 3 END AS rare, 'v' || g % 40 AS few FROM generate_series(1, 100000) g",
            )
            .await;
        let session = database.session().await;
        let client = session.client();
        client
            .batch_execute("SET default_statistics_target = 10")
            .await
            .unwrap();
        let mut real: Vec<Vec<ColumnStatistics>> = Vec::new();
        for _ in 0..RUNS {
            client.batch_execute("ANALYZE facts").await.unwrap();
            let tables = profile::read(&session).await.unwrap().tables;
            real.push(
                tables
                    .into_iter()
                    .find(|table| table.name == "facts")
                    .unwrap()
                    .columns,
            );
        }
        let sample = Sample {
            rows: 3_000,
            target: 10,
        };
        for (at, now) in real[0].iter().enumerate() {
            let table = QualifiedName::new("public", "facts");
            let values = distribution::count(client, &table, &now.column, false)
                .await
                .unwrap();
            let key = Key::new(7).derive(&now.column);
            let drawn = (0..4 * RUNS).map(|draw| values.draw(now, sample, &mut key.stream(draw)));
            let drawn: Vec<ColumnStatistics> = drawn.collect();
            let real: Vec<ColumnStatistics> =
                real.iter().map(|columns| columns[at].clone()).collect();
            for (what, number) in NUMBERS {
                let of = |all: &[ColumnStatistics]| {
                    let numbers: Vec<f64> = all.iter().map(number).collect();
                    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
                    let squares = numbers.iter().map(|number| (number - mean).powi(2));
                    (mean, (squares.sum::<f64>() / numbers.len() as f64).sqrt())
                };
                let ((mean, spread), (drawn_mean, drawn_spread)) = (of(&real), of(&drawn));
                println!(
                    "{major} {}.{what}: {mean:.5} ± {spread:.5} by ANALYZE, {drawn_mean:.5} ± {drawn_spread:.5} drawn",
                    now.column
                );
                let error = spread.max(drawn_spread) / (RUNS as f64).sqrt();
                assert!(
                    (mean - drawn_mean).abs() <= 4.5 * error + mean.abs() * 0.02 + 1e-6,
                    "{}.{what}",
                    now.column
                );
                // How many values are common, of hardly any, is the same in nearly all runs.
                let is_steady = matches!(what, "values" | "top" | "bounds");
                let (less, more) = (spread.min(drawn_spread), spread.max(drawn_spread));
                assert!(
                    is_steady || less >= more * 0.6 - 1e-6,
                    "{}.{what}: spreads",
                    now.column
                );
            }
        }
        session.close().await;
    }
}

/// A number of a column's statistics.
type Number = (&'static str, fn(&ColumnStatistics) -> f64);

const NUMBERS: [Number; 5] = [
    ("null_frac", |column| f64::from(column.null_fraction)),
    ("n_distinct", |column| f64::from(column.distinct)),
    ("values", |column| column.most_common.len() as f64),
    ("top", |column| {
        column
            .most_common
            .first()
            .map_or(0.0, |(_, share)| f64::from(*share))
    }),
    ("bounds", |column| column.histogram.len() as f64),
];
