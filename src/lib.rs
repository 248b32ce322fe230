//! pgproof proves PostgreSQL queries against production-scale data before they merge.
//!
//! The flow: migrations and seed specs make a *dataset*; the *catalog*'s queries get *parameters* from the data and
//! are *explained* on it; *rules* read the plans and make *findings*; the *advisor* builds and measures fixes; *reports*
//! show findings. `Finding` is the narrow waist: nothing else crosses from analysis to reports.

// Files that tests share with examples name the library as these do.
#[cfg(test)]
extern crate self as pgproof;

// model
pub mod calendar;
pub mod finding;
pub mod interrupt;
pub mod plan;
pub mod progress;
pub mod run;
pub mod run_id;
pub mod schema;
pub mod secret;
pub mod source;
pub mod sql;
pub mod units;
pub mod visible;
// analysis
pub mod advise;
pub mod baseline;
pub mod diff;
pub mod lab;
pub mod profile;
mod rule_list;
pub mod rules;
pub mod seed;
pub mod trace;
// edges
pub mod catalog;
pub mod db;
pub mod export;
pub mod migrations;
pub mod report;
pub mod repository;
pub mod results;
pub mod write;
// command line
pub mod cli;
