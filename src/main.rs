//! The `pgproof` binary: parse, run, exit code.
fn main() {}
