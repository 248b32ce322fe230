//! The bytes of a plan: the same for any number of threads, any order of chunks, any run.

use std::ops::Range;

use pgproof::seed::SeedPlan;
use pgproof::seed::chunks::Chunks;
use sha2::{Digest, Sha256};

use crate::seed_plans;

const ROWS: u64 = 40_000;

fn bytes_of(plan: &SeedPlan, table: usize, rows: Range<u64>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut chunks = Chunks::new(plan, table, rows);
    while let Some(chunk) = chunks.next(Vec::new).unwrap() {
        all.extend_from_slice(&chunk.bytes);
    }
    all
}

/// A table's bytes made by so many threads, each with its own part of the rows, the last part first.
fn by_threads(plan: &SeedPlan, table: usize, threads: u64) -> Vec<u8> {
    let rows = plan.tables[table].rows;
    let parts: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let mut running: Vec<_> = (0..threads)
            .rev()
            .map(|part| {
                let range = rows * part / threads..rows * (part + 1) / threads;
                scope.spawn(move || bytes_of(plan, table, range))
            })
            .collect();
        running.reverse();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    parts.concat()
}

#[test]
fn one_two_and_eight_threads_make_equal_bytes() {
    let plan = seed_plans::realistic(ROWS);
    let again = seed_plans::realistic(ROWS);
    for table in 0..plan.tables.len() {
        let one = Sha256::digest(by_threads(&plan, table, 1));
        for threads in [2, 8] {
            assert_eq!(
                one,
                Sha256::digest(by_threads(&plan, table, threads)),
                "{threads} threads"
            );
        }
        assert_eq!(
            one,
            Sha256::digest(by_threads(&again, table, 3)),
            "another run"
        );
    }
}
