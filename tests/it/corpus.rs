//! The corpus: plans of real servers of 14 to 18, each with the rule that must fire or stay quiet on it. Its plans are made
//! by `cargo run --example corpus -- make`.

#[path = "../../examples/corpus/case.rs"]
mod case;
#[path = "../../examples/corpus/judged.rs"]
mod judged;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use case::{Case, VERSIONS, corpus};
use pgproof::finding::RuleId;
use pgproof::plan::{Metrics, Plan};
use pgproof::rules;
use pgproof::units::Pages;

fn cases() -> Vec<Case> {
    Case::all(&corpus()).unwrap()
}

#[test]
fn every_case_holds_on_every_version() {
    let wrong: Vec<String> = cases()
        .iter()
        .flat_map(|case| {
            case.versions
                .iter()
                .filter_map(|major| judged::broken(&corpus(), case, *major))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn exclusive_times_sum_to_the_total() {
    let mut wrong = String::new();
    let mut plans = 0;
    for case in cases() {
        for major in case.versions.clone() {
            for value in case.plans(&corpus(), major).unwrap() {
                plans += 1;
                let run = judged::run(&value).unwrap();
                let metrics = Metrics::of(&run.plan);
                let (total, sum) = (metrics.tree.unwrap().0, sum_of_times(&run.plan, &metrics));
                // A hundredth, or the rounding of EXPLAIN's own numbers.
                let rounding: f64 = run
                    .plan
                    .nodes
                    .iter()
                    .filter_map(|node| node.actual)
                    .map(|a| 0.0005 * a.loops)
                    .sum();
                if (sum - total).abs() > total * 0.01 + rounding {
                    let _ = writeln!(
                        wrong,
                        "{}/{} on {major}: {sum:.3} ms of {total:.3} ms",
                        case.rule, case.name
                    );
                }
                let blocks: u64 = run
                    .plan
                    .ids()
                    .map(|id| metrics.node(id).exclusive_blocks.unwrap_or_default().0)
                    .sum();
                if Some(Pages(blocks)) != metrics.blocks {
                    let _ = writeln!(
                        wrong,
                        "{}/{} on {major}: {blocks} of {:?}",
                        case.rule, case.name, metrics.blocks
                    );
                }
            }
        }
    }
    assert!(plans > 0);
    assert!(wrong.is_empty(), "{wrong}");
}

fn sum_of_times(plan: &Plan, metrics: &Metrics) -> f64 {
    plan.ids()
        .filter_map(|id| metrics.node(id).exclusive)
        .map(|time| time.0)
        .sum()
}

/// Rules that are judged elsewhere: by building an index, by a statement that was cancelled, by a migration, by the catalog, at several sizes (`growth`), by
/// the rows that all of a query's runs find, by who asks, by what an application sends (`labelled_traces`, `trace`); or beside themselves, on plans of a cold disk, of another session's
/// lock, of EXPLAIN (MEMORY) and (SERIALIZE), of loads, of workers that have nothing to do.
const WITHOUT_PLANS: [RuleId; 23] = [
    RuleId::LoopInFunction,
    RuleId::GrowsWithTable,
    RuleId::UnstablePlan,
    RuleId::MissingBatch,
    RuleId::DuplicateQuery,
    RuleId::IncompleteTrace,
    RuleId::MissingIndex,
    RuleId::Timeout,
    RuleId::PlanRegression,
    RuleId::BlockingMigration,
    RuleId::NotAudited,
    RuleId::QueryRewrite,
    RuleId::IoBound,
    RuleId::LockWait,
    RuleId::PlanningMemory,
    RuleId::TopNSort,
    RuleId::ConflictStorm,
    RuleId::StaleStatistics,
    RuleId::SlowSerialization,
    RuleId::NotProven,
    RuleId::BypassedPolicies,
    RuleId::PerRowPolicy,
    RuleId::WorkerSkew,
];

/// Builds with LLVM at hand: what is downloaded has none, and compiles nothing.
const WITH_LLVM: [u32; 1] = [15];

#[test]
fn every_rule_has_a_case_that_fires_and_one_that_is_quiet_on_every_version() {
    let cases = cases();
    let mut missing = Vec::new();
    for rule in rules::ALL
        .iter()
        .filter(|rule| !WITHOUT_PLANS.contains(&rule.id))
    {
        for fires in [true, false] {
            let covered: BTreeSet<u32> = cases
                .iter()
                .filter(|case| case.rule == rule.id.as_str() && case.fires == fires)
                .flat_map(|case| case.versions.clone())
                .collect();
            let needs_llvm = rule.id == RuleId::JitOverhead && fires;
            let wanted: &[u32] = if needs_llvm { &WITH_LLVM } else { VERSIONS };
            let gap: Vec<u32> = wanted
                .iter()
                .copied()
                .filter(|major| !covered.contains(major))
                .collect();
            if !gap.is_empty() {
                missing.push(format!(
                    "{}: no {} case on {gap:?}",
                    rule.id,
                    if fires { "firing" } else { "quiet" }
                ));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What the repository can bear.
const MAX_BYTES: u64 = 5 << 20;

#[test]
fn the_corpus_is_small_and_holds_nothing_that_no_case_reads() {
    let corpus = corpus();
    let mut read = BTreeSet::new();
    for case in cases() {
        for major in &case.versions {
            read.insert(case.plans_path(&corpus, *major));
            read.insert(Case::schema_path(
                &corpus,
                *major,
                &case.schema_hash(&corpus, *major).unwrap(),
            ));
        }
    }
    let files: BTreeMap<PathBuf, u64> = walkdir::WalkDir::new(corpus.join("plans"))
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_owned(), entry.metadata().unwrap().len()))
        .collect();
    let unread: Vec<_> = files.keys().filter(|path| !read.contains(*path)).collect();
    assert!(unread.is_empty(), "no case reads {unread:#?}");
    let bytes: u64 = files.values().sum();
    assert!(bytes <= MAX_BYTES, "the plans are {bytes} bytes");
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/corpus.md")
}

/// Between these lines the table is written.
const MARKS: [&str; 2] = ["<!-- table: begin -->\n", "<!-- table: end -->\n"];

#[test]
fn the_docs_hold_the_table_of_cases() {
    let page = std::fs::read_to_string(docs()).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let generated = format!("{before}{}{}{}{after}", MARKS[0], table(), MARKS[1]);
    if std::env::var_os("PGPROOF_WRITE_DOCS").is_some() {
        std::fs::write(docs(), &generated).unwrap();
    }
    let written = std::fs::read_to_string(docs()).unwrap();
    assert!(
        written == generated,
        "docs/corpus.md is out of date: PGPROOF_WRITE_DOCS=1 cargo test the_docs_hold"
    );
}

/// rule x version: cases that fire and cases that are quiet, of those that hold.
fn table() -> String {
    let cases = cases();
    let mut table = String::from("| rule |");
    VERSIONS
        .iter()
        .for_each(|major| table.push_str(&format!(" {major} |")));
    table.push_str("\n|---|");
    VERSIONS.iter().for_each(|_| table.push_str(":-:|"));
    table.push('\n');
    let mut totals = BTreeMap::new();
    for rule in rules::ALL {
        let of_rule: Vec<&Case> = cases
            .iter()
            .filter(|case| case.rule == rule.id.as_str())
            .collect();
        let mut row = format!("| `{}` |", rule.id);
        for major in VERSIONS {
            let holding = |fires: bool| {
                let meant = of_rule
                    .iter()
                    .filter(|case| case.fires == fires && case.versions.contains(major));
                meant
                    .filter(|case| judged::broken(&corpus(), case, *major).is_none())
                    .count()
            };
            let (fires, quiet) = (holding(true), holding(false));
            let total = totals.entry(*major).or_insert((0, 0));
            *total = (total.0 + fires, total.1 + quiet);
            row.push_str(&if of_rule.is_empty() {
                " – |".to_owned()
            } else {
                format!(" {fires} + {quiet} |")
            });
        }
        let _ = writeln!(table, "{row}");
    }
    let sums: String = VERSIONS
        .iter()
        .map(|major| format!(" **{} + {}** |", totals[major].0, totals[major].1))
        .collect();
    let _ = writeln!(table, "| **all** |{sums}");
    table
}
