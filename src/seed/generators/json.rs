//! Json documents of a plausible shape.

use fake::locales::{Data, EN};

use super::structured::uuid_bytes;
use super::{Group, TextGenerator, put, put_uuid};
use crate::seed::plan::{JsonContent, JsonMember, JsonShape};
use crate::seed::random::Stream;
use crate::seed::types::binary;

pub(super) const JSON_TEXT: TextGenerator = TextGenerator {
    name: "json_text",
    summary: "a small json document, for columns of text",
    group: Group::Alone,
    columns: &[
        "json",
        "metadata",
        "payload",
        "json_data",
        "data_json",
        "settings_json",
    ],
    numbers_itself: false,
    width: 70,
    write: |cell, out| object(&mut cell.stream, &[], &[], out),
};

/// Appends a document; `binary` adds `jsonb`'s version byte.
pub(crate) fn document(
    mut stream: Stream,
    binary: bool,
    shape: &JsonShape,
    number: u64,
    out: &mut Vec<u8>,
) {
    let start = binary::begin(out);
    if binary {
        out.push(1);
    }
    match shape {
        JsonShape::Object { keys, members } => object(&mut stream, keys, members, out),
        JsonShape::Numbered { keys, members } => {
            object(&mut stream, keys, members, out);
            out.pop();
            put(out, ", \"number\": ");
            binary::decimal(out, number);
            out.push(b'}');
        }
        JsonShape::Array { min, max } => {
            out.push(b'[');
            for position in 0..stream.between(u64::from(*min), u64::from((*max).max(*min))) {
                if position > 0 {
                    put(out, ", ");
                }
                word(&mut stream, out);
            }
            out.push(b']');
        }
        JsonShape::Text => word(&mut stream, out),
        JsonShape::Number => binary::decimal(out, stream.below(10_000)),
        JsonShape::Bool => put(
            out,
            if stream.below(2) == 0 {
                "true"
            } else {
                "false"
            },
        ),
    }
    binary::end(out, start);
}

/// An object: the members that must be there or that somebody asks for, and two to five common ones.
fn object(stream: &mut Stream, required: &[String], asked: &[JsonMember], out: &mut Vec<u8>) {
    const KEYS: &[&str] = &[
        "id", "name", "type", "count", "active", "tags", "source", "score", "note", "level",
    ];
    out.push(b'{');
    let first = stream.below(KEYS.len() as u64);
    let count = stream.between(2, 5);
    // Neighbours in the list, so that no key comes twice.
    let common = (0..count).map(|position| KEYS[((first + position) % KEYS.len() as u64) as usize]);
    let is_asked = |key: &str| asked.iter().any(|member| member.key == key);
    let common = common.filter(|key| !required.iter().any(|other| other == key));
    let mut is_first = true;
    for member in asked {
        let must = required.contains(&member.key);
        if must || stream.below(1000) < u64::from(member.in_thousand) {
            name(&member.key, &mut is_first, out);
            content(stream, &member.key, &member.content, out);
        }
    }
    let others = required.iter().map(String::as_str).chain(common);
    for key in others.filter(|key| !is_asked(key)) {
        name(key, &mut is_first, out);
        value(stream, key, out);
    }
    out.push(b'}');
}

fn name(key: &str, is_first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(is_first) {
        put(out, ", ");
    }
    out.push(b'"');
    escape(key, out);
    put(out, "\": ");
}

fn content(stream: &mut Stream, key: &str, what: &JsonContent, out: &mut Vec<u8>) {
    match what {
        JsonContent::ByKey => value(stream, key, out),
        JsonContent::Known {
            values,
            in_thousand,
            rest,
        } => {
            if stream.below(1000) < u64::from(*in_thousand) {
                let chosen = stream.below(values.len() as u64) as usize;
                put(out, &values[chosen]);
            } else {
                content(stream, key, rest, out);
            }
        }
        JsonContent::Number { low, high } => {
            let offset = stream.below(high.abs_diff(*low).saturating_add(1));
            let number = low.saturating_add_unsigned(offset);
            if number < 0 {
                out.push(b'-');
            }
            binary::decimal(out, number.unsigned_abs());
        }
        JsonContent::Bool => put(
            out,
            if stream.below(2) == 0 {
                "true"
            } else {
                "false"
            },
        ),
        JsonContent::Day { low, high } => {
            let offset = stream.below(high.abs_diff(*low).saturating_add(1));
            let mut day = String::new();
            crate::seed::types::text::date(low.saturating_add_unsigned(offset), &mut day);
            out.push(b'"');
            put(out, &day);
            out.push(b'"');
        }
        JsonContent::Uuid => {
            let (high, low) = (stream.next_bits(), stream.next_bits());
            out.push(b'"');
            put_uuid(uuid_bytes(high, low), out);
            out.push(b'"');
        }
        JsonContent::Object(members) => {
            out.push(b'{');
            let mut is_first = true;
            for member in members {
                if stream.below(1000) < u64::from(member.in_thousand) {
                    name(&member.key, &mut is_first, out);
                    content(stream, &member.key, &member.content, out);
                }
            }
            out.push(b'}');
        }
        JsonContent::Items(item) => {
            out.push(b'[');
            let count = stream.between(1, 2);
            for position in 0..count {
                if position > 0 {
                    put(out, ", ");
                }
                content(stream, key, item, out);
            }
            out.push(b']');
        }
    }
}

fn word(stream: &mut Stream, out: &mut Vec<u8>) {
    out.push(b'"');
    put(out, stream.pick(EN::LOREM_WORD));
    out.push(b'"');
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

fn value(stream: &mut Stream, key: &str, out: &mut Vec<u8>) {
    match key {
        "id" | "count" | "score" | "level" | "version" | "amount" | "price" | "quantity"
        | "age" => {
            binary::decimal(out, stream.below(10_000));
        }
        "active" | "enabled" => put(
            out,
            if stream.below(2) == 0 {
                "true"
            } else {
                "false"
            },
        ),
        "tags" => {
            out.push(b'[');
            word(stream, out);
            put(out, ", ");
            word(stream, out);
            out.push(b']');
        }
        _ => word(stream, out),
    }
}
