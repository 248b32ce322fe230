//! Whatever stands in a database URL: reading it never panics, and no message holds its password.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::db::connect::DatabaseUrl;
use pgproof::secret::redact;

const SECRET: &str = "Kr4ftwerk9";

fuzz_target!(|text: &str| {
    let _ = DatabaseUrl::parse_with(text, |_| None);
    if text.contains(SECRET) {
        return;
    }
    // A password with whatever stands before and after it.
    for url in [
        format!("postgres://app:{text}/{SECRET}@h/db"),
        format!("postgres://app:{SECRET}@{text}@h/db"),
        format!("host=h password='{SECRET}' {text}"),
    ] {
        let told = match DatabaseUrl::parse_with(&url, |_| None) {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => error.to_string(),
        };
        assert!(!redact(&told).contains(SECRET), "{told}");
    }
});
