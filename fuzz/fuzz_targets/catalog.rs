//! Whatever stands in a query file: the catalog never panics, and every mistake can be shown at its place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::catalog;
use pgproof::source::Source;

fuzz_target!(|text: &str| {
    let source = Source::new("queries/fuzz.sql", text);
    let catalog = catalog::parse(&[source]);
    for query in &catalog.queries {
        assert!(!query.name.is_empty());
        assert!(query.line >= 1);
        let _ = query.source_position(1);
    }
    if let Err(mistakes) = catalog.strict() {
        assert!(!mistakes.is_empty(), "a refusal says why");
        for mistake in &mistakes {
            let _ = (mistake.line(), mistake.to_string());
            assert!(mistake.source_file.text.get(mistake.span.clone()).is_some(), "the span is part of the text");
        }
    }
});
