//! Whatever stands in a CHECK: reading it never panics, and what is understood of it can be taken apart.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::seed::check::atoms::alternatives;
use pgproof::seed::expression::Expression;

fuzz_target!(|text: &str| {
    let Ok(expression) = Expression::parse(text) else { return };
    let mut columns = Vec::new();
    expression.columns(&mut columns);
    let _ = (alternatives(&expression, false), alternatives(&expression, true));
});
