//! End-to-end tests, by area. One binary, so that a test run starts one cluster; every test works on a database of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test ends where it fails, and says what it measured"
)]

mod audit;
mod baseline;
mod book;
mod capture_fuzz;
mod catalog_fuzz;
mod cli;
mod clients;
mod corpus;
mod daily_loop;
mod dataset;
mod diff;
mod errors;
mod faults;
mod files;
mod files_parquet;
mod fresh_twice;
mod given;
mod growth;
mod harmless;
mod hostile;
mod introspect;
mod lab;
mod lab_command;
mod lab_why;
mod labelled_traces;
mod layers;
mod lexer;
mod lottery;
mod mcp;
mod noise;
mod plan_sums;
mod profile;
mod proving;
mod proxy_hostile;
mod psql_layouts;
mod record;
mod record_ends;
mod record_functions;
mod record_growth;
mod record_values;
mod reference;
mod replace;
mod report;
mod report_command;
mod repositories;
mod repository_kinds;
mod rules;
mod sample;
mod seed;
mod seed_bytes;
mod seed_formula;
mod seed_joins;
mod seed_keys;
mod seed_left_empty;
mod seed_parts;
mod seed_plans;
mod seed_properties;
mod seed_refusals;
mod seed_refused_before;
mod seed_sense;
mod seed_subtypes;
mod seed_tenants;
mod seed_understanding;
mod seed_wishes;
mod server;
mod statements;
mod strangers;
mod support;
mod torture;
mod trace;
mod untouched;
mod upgrade;
mod values;
mod wrong_input;
