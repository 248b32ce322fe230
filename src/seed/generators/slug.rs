//! Slugs of a row's title or name: the same words, in lower case and joined by dashes.

use super::web::SLUG;
use super::{Cell, TextGenerator, finance, lorem, name, place, product};

/// The slug of what a generator writes; the two columns must share a key. `None` for what no page is called after.
pub(in crate::seed) fn slug_of(titled: &TextGenerator) -> Option<&'static TextGenerator> {
    Some(match titled.name {
        "title" => &OF_TITLE,
        "sentence" => &OF_SENTENCE,
        "words" => &OF_WORDS,
        "word" => &OF_WORD,
        "product_name" => &OF_PRODUCT,
        "company" => &OF_COMPANY,
        "full_name" => &OF_PERSON,
        "city" => &OF_CITY,
        _ => return None,
    })
}

const OF_TITLE: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, lorem::TITLE.write, out),
    ..SLUG
};
const OF_SENTENCE: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, lorem::SENTENCE.write, out),
    ..SLUG
};
const OF_WORDS: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, lorem::WORDS.write, out),
    ..SLUG
};
const OF_WORD: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, lorem::WORD.write, out),
    ..SLUG
};
const OF_PRODUCT: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, product::PRODUCT_NAME.write, out),
    ..SLUG
};
const OF_COMPANY: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, finance::COMPANY.write, out),
    ..SLUG
};
const OF_PERSON: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, name::FULL_NAME.write, out),
    ..SLUG
};
const OF_CITY: TextGenerator = TextGenerator {
    write: |cell, out| slug(cell, place::CITY.write, out),
    ..SLUG
};

/// Writes a text, and makes a slug of it where it stands: everything but letters and digits becomes one dash.
fn slug(cell: &mut Cell, write: fn(&mut Cell, &mut Vec<u8>), out: &mut Vec<u8>) {
    let start = out.len();
    write(cell, out);
    let mut end = start;
    for at in start..out.len() {
        let byte = out[at].to_ascii_lowercase();
        let kept = if byte.is_ascii_alphanumeric() {
            byte
        } else {
            b'-'
        };
        if kept != b'-' || (end > start && out[end - 1] != b'-') {
            out[end] = kept;
            end += 1;
        }
    }
    while end > start && out[end - 1] == b'-' {
        end -= 1;
    }
    out.truncate(end);
    if end == start {
        // Nothing of it is ASCII: a text in another script.
        out.push(b'x');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::generators::Locale;
    use crate::seed::random::Key;

    #[test]
    fn a_slug_is_its_titles() {
        let locale = Locale::default_locale();
        for row in 0..200 {
            let mut cell = Cell {
                stream: Key::new(5).stream(row),
                number: None,
                locale,
            };
            let mut out = Vec::new();
            slug(
                &mut cell,
                |_, out| out.extend_from_slice("  Müller & Söhne, Inc.".as_bytes()),
                &mut out,
            );
            assert_eq!(out, b"m-ller-s-hne-inc");
            assert!(slug_of(&SLUG).is_none());
            let (mut title, mut found) = (Vec::new(), Vec::new());
            for (write, out) in [
                (lorem::TITLE.write, &mut title),
                (OF_TITLE.write, &mut found),
            ] {
                write(
                    &mut Cell {
                        stream: Key::new(5).stream(row),
                        number: None,
                        locale,
                    },
                    out,
                );
            }
            assert_eq!(
                String::from_utf8(title)
                    .unwrap()
                    .to_lowercase()
                    .replace(' ', "-")
                    .into_bytes(),
                found
            );
        }
    }
}
