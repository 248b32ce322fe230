//! No allocation per row. A test binary of its own, for the counting allocator is the whole process's.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use pgproof::seed::chunks::{CHUNK, Chunks};

#[path = "it/seed_plans.rs"]
mod seed_plans;

#[test]
fn rows_are_made_without_allocating() {
    const ROWS: u64 = 50_000;
    let plan = seed_plans::realistic(ROWS);
    for (index, table) in plan.tables.iter().enumerate() {
        let mut spare = vec![Vec::with_capacity(CHUNK * 2), Vec::with_capacity(CHUNK * 2)];
        let made = allocation_counter::measure(|| {
            let mut chunks = Chunks::new(&plan, index, 0..table.rows);
            while let Some(mut chunk) = chunks.next(|| spare.pop().unwrap()).unwrap() {
                chunk.bytes.clear();
                spare.push(chunk.bytes);
            }
        });
        // What is prepared for each column: not one a row.
        assert!(
            made.count_total < 50,
            "{}: {} allocations for {} rows",
            table.name,
            made.count_total,
            table.rows
        );
    }
}
