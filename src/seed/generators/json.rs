//! Json documents of a plausible shape.

use fake::locales::{Data, EN};

use super::put;
use crate::seed::encode;
use crate::seed::random::Stream;

/// Appends a flat object of two to five members; `binary` adds `jsonb`'s version byte.
pub(crate) fn document(mut stream: Stream, binary: bool, out: &mut Vec<u8>) {
    const KEYS: &[&str] = &["id", "name", "type", "count", "active", "tags", "source", "score", "note", "level"];
    let start = encode::begin(out);
    if binary {
        out.push(1);
    }
    out.push(b'{');
    let first = stream.below(KEYS.len() as u64);
    let count = stream.between(2, 5);
    for position in 0..count {
        if position > 0 {
            put(out, ", ");
        }
        // Neighbours in the list, so that no key comes twice.
        let key = KEYS[((first + position) % KEYS.len() as u64) as usize];
        out.push(b'"');
        put(out, key);
        put(out, "\": ");
        value(&mut stream, key, out);
    }
    out.push(b'}');
    encode::end(out, start);
}

fn value(stream: &mut Stream, key: &str, out: &mut Vec<u8>) {
    match key {
        "id" | "count" | "score" | "level" => encode::decimal(out, stream.below(10_000)),
        "active" => put(out, if stream.below(2) == 0 { "true" } else { "false" }),
        "tags" => {
            put(out, "[\"");
            put(out, stream.pick(EN::LOREM_WORD));
            put(out, "\", \"");
            put(out, stream.pick(EN::LOREM_WORD));
            put(out, "\"]");
        }
        _ => {
            out.push(b'"');
            put(out, stream.pick(EN::LOREM_WORD));
            out.push(b'"');
        }
    }
}
