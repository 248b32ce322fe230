//! The embedded server and the ways to it, on real clusters: shared, killed, damaged, hidden, downloaded.

// Helpers of tests fail as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod command;
pub(crate) mod disk;
mod life;
mod migrations;
mod places;
pub(crate) mod private;
mod prune;
mod recovery;
mod ways;
