//! Whatever stands in a seed file: reading it never panics, and every mistake can be shown at its place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::seed::spec;
use pgproof::source::Source;

fuzz_target!(|text: &str| {
    if let Err(mistakes) = spec::parse(&[Source::new("seeds/fuzz.toml", text)]) {
        assert!(!mistakes.is_empty(), "a refusal says why");
        for mistake in &mistakes {
            let _ = (mistake.line(), mistake.to_string());
            assert!(mistake.source_file.text.get(mistake.span.clone()).is_some(), "the span is part of the text");
        }
    }
});
