//! `pgproof diff`: plan pairs, migration layouts, what a migration does while it runs. Every claim about PostgreSQL is made
//! by a real one.

mod command;
mod labelled;
mod layouts;
mod observer;
mod pairs;
pub(crate) mod reports;
mod safer;
mod sample;
mod verdicts;
