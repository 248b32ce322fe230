//! Whatever stands in a migration: reading it never panics, and a refusal says why.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pgproof::migrations::{self, Tree};
use pgproof::source::Source;

fuzz_target!(|text: &str| {
    let file = Source::new("migrations/0001_fuzz.sql", text);
    let tree = Tree::new(Path::new("migrations"), false, vec![file], false, false);
    if let Err(error) = migrations::history(&tree, None) {
        assert!(!error.to_string().is_empty());
    }
});
