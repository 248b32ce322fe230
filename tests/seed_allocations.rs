//! No allocation per row. A test binary of its own, for the counting allocator is the whole process's.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::ops::ControlFlow;

use pgproof::seed::chunks::{CHUNK, generate};

#[path = "it/seed_plans.rs"]
mod seed_plans;

#[test]
fn rows_are_made_without_allocating() {
    const ROWS: u64 = 50_000;
    let plan = seed_plans::realistic(ROWS);
    for (index, table) in plan.tables.iter().enumerate() {
        let spare = std::cell::RefCell::new(vec![Vec::with_capacity(CHUNK * 2), Vec::with_capacity(CHUNK * 2)]);
        let made = allocation_counter::measure(|| {
            generate(
                &plan,
                index,
                0..table.rows,
                || spare.borrow_mut().pop().unwrap(),
                |mut chunk| {
                    chunk.bytes.clear();
                    spare.borrow_mut().push(chunk.bytes);
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
        });
        // The list of open chunks, lists of words that are sorted once: not one a row.
        assert!(made.count_total < 50, "{}: {} allocations for {} rows", table.name, made.count_total, table.rows);
    }
}
