//! Texts: what a generator writes, brought to the column's width, limits and case.

use crate::seed::generators::{self, Cell, TextGenerator};
use crate::seed::plan::{Case, Text, TextSource, fractions};
use crate::seed::random::Key;
use crate::seed::types::binary;

/// The purpose for which a column's key is divided.
const WIDTH: u64 = 7;

/// Brings a text to about the column's width: more of the same, or a part of it.
fn widen(
    key: Key,
    text: &Text,
    index: u64,
    body: usize,
    cell: &mut Cell,
    write: fn(&mut Cell, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    if text.width == 0 {
        return;
    }
    let width = u64::from(text.width);
    let target = (width / 2 + key.number(WIDTH).below(index, width + 1)) as usize;
    while out.len() - body < target {
        out.push(b' ');
        write(cell, out);
    }
    let mut end = body + target;
    // Not within a character.
    while end > body && out.get(end).is_some_and(|byte| (*byte as i8) < -0x40) {
        end -= 1;
    }
    out.truncate(end);
}

impl Text {
    /// The generator of a text that nothing is done to but cutting it; where each must differ, the generator sees to it.
    pub(super) fn plain_generator(&self) -> Option<&'static TextGenerator> {
        let TextSource::Registered(generator) = &self.source else {
            return None;
        };
        let untouched = self.version.is_none()
            && self.min_chars == 0
            && self.width == 0
            && self.case == Case::AsIs;
        let different = self.unique.is_none() || generator.numbers_itself;
        (untouched && different).then_some(*generator)
    }
}

pub(crate) fn write_text(key: Key, text: &Text, index: u64, out: &mut Vec<u8>) {
    let start = binary::begin(out);
    if let Some(version) = text.version {
        out.push(version);
    }
    let body = out.len();
    match &text.source {
        TextSource::Registered(generator) => {
            let number = text.unique.map(|order| order.apply(index));
            let mut cell = Cell {
                stream: key.stream(index),
                number,
                locale: text.locale,
            };
            (generator.write)(&mut cell, out);
            widen(key, text, index, body, &mut cell, generator.write, out);
            // What was cut to a width may have lost its number.
            let numbered = generator.numbers_itself && text.width == 0;
            generators::limit(out, body, text, if numbered { None } else { number });
        }
        TextSource::Pattern(pattern) => {
            let number = text.unique.map(|order| order.apply(index));
            pattern.write(key.stream(index), number, out);
        }
        TextSource::Bounds(bounds) => {
            let mut stream = key.stream(index);
            let buckets = bounds.len().saturating_sub(1).max(1) as u64;
            if let Some(low) = bounds.get(stream.below(buckets) as usize) {
                out.extend_from_slice(low.as_bytes());
            }
            let number = text.unique.map(|order| order.apply(index));
            for _ in 0..stream.below(6) {
                out.push(b'a' + stream.below(26) as u8);
            }
            generators::limit(out, body, text, number);
        }
        TextSource::Shape(shape) => {
            let (place, chance) = fractions(key, index);
            if let Some((part, inside)) = shape.pick(index, place, chance) {
                part.write(inside, out);
            }
        }
        // Made of other columns, by whoever knows the row.
        TextSource::Template(_) => {}
    }
    match text.case {
        Case::AsIs => {}
        Case::Lower => out[body..].make_ascii_lowercase(),
        Case::Upper => out[body..].make_ascii_uppercase(),
    }
    binary::end(out, start);
}
