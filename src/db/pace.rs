//! How fast this machine is beside the one on which the costs of loads were measured.

use std::hint::black_box;
use std::time::Instant;

/// What [`work`] took there, in milliseconds.
const REFERENCE: f64 = 4.4;
/// How often it is done: the fastest is of the machine, the others of what else it does.
const TRIES: u64 = 5;
/// No machine is believed to be so much faster or slower.
const LIMITS: (f64, f64) = (0.25, 4.0);

/// What a load takes here for each millisecond that it takes there.
#[must_use]
pub fn pace() -> f64 {
    // Without optimizations it would say how the program was built.
    if cfg!(debug_assertions) {
        return 1.0;
    }
    let taken = (0..TRIES).map(|seed| {
        let begun = Instant::now();
        black_box(work(black_box(seed)));
        begun.elapsed().as_secs_f64() * 1000.0
    });
    let fastest = taken.fold(f64::INFINITY, f64::min);
    (fastest / REFERENCE).clamp(LIMITS.0, LIMITS.1)
}

/// Numbers in no order, sorted: as a load does for an index.
fn work(seed: u64) -> u64 {
    const NUMBERS: u64 = 200_000;
    let mut numbers: Vec<u64> = (0..NUMBERS)
        .map(|n| crate::seed::random::mix(n ^ seed))
        .collect();
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}
