//! Reads plans that others wrote: `cargo run --release --example plans -- DIR…`. Finds every output of EXPLAIN in the files
//! below the directories (psql's frames, plan files, plans inside documentation and test sources), gives each to the
//! readers, and tells how many were read whole: every node of it, counted without the readers.
//!
//! `--failed` prints what was not read; `--sums` also compares the exclusive times and blocks of every plan with its total.

#![allow(clippy::print_stdout, reason = "it tells what it read")]

mod extract;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use extract::{Output, Shape};
use pgproof::plan::{Metrics, Plan, parse};

type Error = Box<dyn std::error::Error>;

/// What became of the outputs of one directory.
#[derive(Default)]
struct Tally {
    files: usize,
    by_shape: BTreeMap<Shape, usize>,
    outputs: usize,
    plans: usize,
    nodes: usize,
    unread: usize,
    short: usize,
    bytes: usize,
    measured: usize,
    off: usize,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, directories): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|text| text.starts_with("--"));
    let show = options.iter().any(|option| *option == "--failed");
    if directories.is_empty() {
        return Err("usage: plans [--failed] DIR…".into());
    }
    println!(
        "| source | files | outputs | text | JSON | XML | YAML | log | plans | nodes | read whole |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut all = Tally::default();
    let start = Instant::now();
    for directory in directories {
        let tally = of_directory(Path::new(directory), show)?;
        tally.row(
            &Path::new(directory)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy(),
        );
        all.add(&tally);
    }
    all.row("**all**");
    println!(
        "\n{} bytes of plans in {:.1?}; {} plans were measured, {} of them with sums off by more than 1 %",
        all.bytes,
        start.elapsed(),
        all.measured,
        all.off
    );
    if all.unread + all.short + all.off == 0 {
        Ok(())
    } else {
        Err("not every output was read whole".into())
    }
}

fn of_directory(directory: &Path, show: bool) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut files: Vec<_> = walkdir::WalkDir::new(directory)
        .into_iter()
        .filter_map(Result::ok)
        .collect();
    files.sort_by(|a, b| a.path().cmp(b.path()));
    for file in files.iter().filter(|file| file.file_type().is_file()) {
        let Ok(text) = std::fs::read_to_string(file.path()) else {
            continue;
        };
        let outputs = extract::outputs(file.path(), &text);
        tally.files += usize::from(!outputs.is_empty());
        for output in outputs {
            tally.take(&output, file.path(), show);
        }
    }
    Ok(tally)
}

impl Tally {
    fn take(&mut self, output: &Output, file: &Path, show: bool) {
        self.outputs += 1;
        self.bytes += output.text.len();
        *self.by_shape.entry(output.shape).or_default() += 1;
        let reading = parse::read(&output.text);
        let nodes: usize = reading
            .plans
            .iter()
            .map(|found| found.plan.nodes.len())
            .sum();
        self.plans += reading.plans.len();
        self.nodes += nodes;
        let place = format!("{}:{}", file.display(), output.line);
        if reading.plans.is_empty() || !reading.unread.is_empty() {
            self.unread += 1;
            if show {
                println!("NOT READ {place}: {:?}\n{}\n", reading.unread, output.text);
            }
        } else if nodes != output.nodes {
            self.short += 1;
            if show {
                println!(
                    "{nodes} NODES OF {} {place}\n{}\n",
                    output.nodes, output.text
                );
            }
        }
        for found in &reading.plans {
            let sums = sums(&found.plan);
            self.measured += usize::from(!sums.is_empty());
            if sums
                .iter()
                .any(|(own, total)| (own - total).abs() > total.abs() * 0.01 + 0.01)
            {
                self.off += 1;
                if show {
                    println!("SUMS {sums:?} {place}\n{}\n", output.text);
                }
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.outputs += other.outputs;
        self.plans += other.plans;
        self.nodes += other.nodes;
        self.unread += other.unread;
        self.short += other.short;
        self.bytes += other.bytes;
        self.measured += other.measured;
        self.off += other.off;
        for (shape, count) in &other.by_shape {
            *self.by_shape.entry(*shape).or_default() += count;
        }
    }

    fn row(&self, name: &str) {
        let of = |shape| self.by_shape.get(&shape).copied().unwrap_or_default();
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.files,
            self.outputs,
            of(Shape::Text),
            of(Shape::Json),
            of(Shape::Xml),
            of(Shape::Yaml),
            of(Shape::Log),
            self.plans,
            self.nodes,
            self.outputs - self.unread - self.short
        );
    }
}

/// Pairs of the sum over the nodes and the total that it must come to: time, then blocks; empty where nothing was measured.
fn sums(plan: &Plan) -> Vec<(f64, f64)> {
    let metrics = Metrics::of(plan);
    let mut pairs = Vec::new();
    if let Some(total) = metrics.tree {
        pairs.push((
            plan.ids()
                .filter_map(|id| metrics.node(id).exclusive)
                .map(|time| time.0)
                .sum(),
            total.0,
        ));
    }
    if let Some(total) = metrics.blocks {
        let own: u64 = plan
            .ids()
            .filter_map(|id| metrics.node(id).exclusive_blocks)
            .map(|pages| pages.0)
            .sum();
        pairs.push((own as f64, total.0 as f64));
    }
    pairs
}
