//! The sample project's whole load at production scale: where its time goes.

use std::path::Path;

use pgproof::db::dataset::{self, Lacking, Recipe};
use pgproof::db::server::Cluster;
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{Tree, history};
use pgproof::progress::Progress;
use pgproof::seed::Options;
use pgproof::source::Source;

pub(crate) async fn measure(cluster: &Cluster, scale: f64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let migrations = history(&Tree::read(root, Path::new("migrations")).unwrap(), None).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(root.join("seeds"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let specs: Vec<Source> = files
        .iter()
        .map(|path| Source::new(path, std::fs::read_to_string(path).unwrap()))
        .collect();
    // A seed of its own each time: the dataset is made anew.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let options = Options {
        scale,
        seed: now.as_secs(),
        ..Options::default()
    };
    let recipe = Recipe {
        migrations: &migrations,
        specs: &specs,
        options: &options,
        demands: &[],
        lacking: Lacking::Made,
    };
    let made = dataset::ensure(cluster, recipe, &Progress::default(), &Interrupt::new())
        .await
        .unwrap();
    let report = made.made.unwrap();
    let bytes: u64 = made.tables.iter().map(|table| table.bytes).sum();
    let streams: f64 = [
        report.copy,
        report.index,
        report.foreign_keys,
        report.analyze,
    ]
    .iter()
    .map(|time| time.0)
    .sum();
    println!(
        "The sample at scale {scale}: {} rows, {:.1} GB of tables, {:.1} s, {:.0} rows/s",
        report.rows,
        bytes as f64 / 1e9,
        report.elapsed.0 / 1000.0,
        report.rows as f64 / report.elapsed.0 * 1000.0
    );
    for (phase, time) in [
        ("rows (generated while COPY takes them)", report.copy),
        ("indexes and primary keys", report.index),
        ("foreign keys proven", report.foreign_keys),
        ("ANALYZE and VACUUM", report.analyze),
    ] {
        println!(
            "  {phase:42} {:8.1} s over all streams  {:5.1} %",
            time.0 / 1000.0,
            100.0 * time.0 / streams
        );
    }
}
