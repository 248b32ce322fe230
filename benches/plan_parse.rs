//! How fast plans are read: MB/s of EXPLAIN's JSON into nodes, beside `serde_json::Value` of the same bytes, in turns, medians.
//! `cargo bench --bench plan_parse`. Fails below 0.7 of `Value`'s speed.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark says what it measured, and ends where it fails"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use pgproof::plan::parse;
use serde_json::{Value, json};

/// Each reader reads everything this often, in turns.
const ROUNDS: usize = 41;
const LEAST: f64 = 0.7;

fn main() {
    let corpus = corpus();
    let large = vec![partitioned(2_000)];
    println!("| plans | bytes | pgproof MB/s | Value MB/s | ratio |");
    println!("|---|--:|--:|--:|--:|");
    let ratios = [
        measured("corpus, as the server prints them", &corpus),
        measured("2,000 partitions", &large),
    ];
    assert!(
        ratios.iter().all(|ratio| *ratio >= LEAST),
        "slower than {LEAST} of serde_json::Value: {ratios:?}"
    );
}

fn measured(name: &str, texts: &[String]) -> f64 {
    let bytes: usize = texts.iter().map(String::len).sum();
    // Small inputs are read several times a round, so that the clock does not count.
    let times = (4_000_000 / bytes).max(1);
    let (mut ours, mut values, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let value = timed(times, texts, |text| {
            drop(black_box(serde_json::from_str::<Value>(text).unwrap()))
        });
        let our = timed(times, texts, |text| {
            drop(black_box(parse::json(text).unwrap()))
        });
        // The first round warms up.
        if round > 0 {
            ours.push(our.as_secs_f64());
            values.push(value.as_secs_f64());
            ratios.push(value.as_secs_f64() / our.as_secs_f64());
        }
    }
    let speed = |seconds: &mut Vec<f64>| (bytes * times) as f64 / 1e6 / median(seconds);
    let ratio = median(&mut ratios);
    println!(
        "| {name} ({}) | {bytes} | {:.0} | {:.0} | {ratio:.2} |",
        texts.len(),
        speed(&mut ours),
        speed(&mut values)
    );
    ratio
}

fn timed(times: usize, texts: &[String], read: impl Fn(&str)) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        texts.iter().for_each(|text| read(text));
    }
    start.elapsed()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Every plan of the tests' corpus, indented as the server does it.
fn corpus() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/plans");
    let mut texts = Vec::new();
    for file in walkdir::WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
    {
        let name = file.file_name().to_string_lossy();
        if !name.ends_with(".json") || name.ends_with(".schema.json") {
            continue;
        }
        let plans: Vec<Value> =
            serde_json::from_str(&std::fs::read_to_string(file.path()).unwrap()).unwrap();
        texts.extend(
            plans
                .iter()
                .map(|plan| serde_json::to_string_pretty(&plan["explain"]).unwrap()),
        );
    }
    assert!(texts.len() > 50, "the corpus is not there");
    texts
}

/// A scan of so many partitions, as EXPLAIN (ANALYZE, VERBOSE, BUFFERS) shows it.
fn partitioned(count: usize) -> String {
    let scans: Vec<Value> = (0..count)
        .map(|number| {
            json!({"Node Type": "Seq Scan", "Parent Relationship": "Member", "Parallel Aware": false, "Async Capable": false,
                "Relation Name": format!("events_{number}"), "Schema": "public", "Alias": format!("events_{number}"),
                "Startup Cost": 0.0, "Total Cost": 35.5, "Plan Rows": 10, "Plan Width": 48, "Actual Startup Time": 0.012,
                "Actual Total Time": 0.345, "Actual Rows": 7, "Actual Loops": 1, "Output": ["id", "happened_at", "payload"],
                "Filter": "((events.happened_at >= '2026-01-01'::date) AND (events.kind = 'order'::text))",
                "Rows Removed by Filter": 993, "Shared Hit Blocks": 13, "Shared Read Blocks": 0, "Shared Dirtied Blocks": 0,
                "Shared Written Blocks": 0, "Local Hit Blocks": 0, "Local Read Blocks": 0, "Temp Read Blocks": 0,
                "Temp Written Blocks": 0})
        })
        .collect();
    let root = json!({"Node Type": "Append", "Plan Rows": 20000, "Actual Rows": 14000, "Actual Loops": 1, "Plans": scans});
    serde_json::to_string_pretty(
        &json!([{"Plan": root, "Planning Time": 12.5, "Execution Time": 700.25}]),
    )
    .unwrap()
}
