//! The text generators' registry and what they share. A generator is a plain function in the file of its subject and
//! one line in [`ALL`]; it appends to a buffer and allocates nothing.

mod atlas;
mod code;
mod contact;
mod finance;
pub mod json;
mod list;
mod locale;
pub(crate) mod lorem;
mod name;
mod place;
mod product;
pub mod regex;
mod registry_number;
mod slug;
pub mod spatial;
pub mod structured;
mod web;
mod word;

pub use locale::Locale;
pub(in crate::seed) use place::agreeing;
pub(in crate::seed) use slug::slug_of;
pub(crate) use word::put_padded;

use super::plan::Text;
use super::random::Stream;
use super::types::binary;

/// What a generator reads: this cell's random numbers, the number that must make it unique, and the locale.
#[derive(Debug)]
pub struct Cell {
    /// Random numbers; the same for all columns of one [`Group`] in one row.
    pub stream: Stream,
    /// Set where the text must differ from every other row's: the row's own number.
    pub number: Option<u64>,
    /// Names and places.
    pub locale: &'static Locale,
}

/// Generators whose columns agree within a row: they draw from the same stream in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Nothing to agree with.
    Alone,
    /// One person's names, user name and mail address.
    Person,
    /// One place's streets, city, state, postcode and country.
    Place,
    /// What belongs to the row's place where it names one: phone, currency, language, time zone.
    PlaceToo,
}

/// A text generator.
#[derive(Debug)]
pub struct TextGenerator {
    /// As it is written in a spec.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What it agrees with.
    pub group: Group,
    /// Column names that it is chosen for: the name itself, or its last words (`_`-separated).
    pub columns: &'static [&'static str],
    /// Puts [`Cell::number`] into the text itself, where it looks natural.
    pub numbers_itself: bool,
    /// Bytes that it writes on average.
    pub width: u32,
    /// Appends the text.
    pub write: fn(&mut Cell, &mut Vec<u8>),
}

/// Every text generator, in the order in which they are tried for a column's name.
pub const ALL: &[&TextGenerator] = &[
    &contact::EMAIL,
    &contact::PHONE,
    &name::USERNAME,
    &list::SALUTATION,
    &list::NAME_SUFFIX,
    &list::GENDER,
    &list::GENDER_LETTER,
    &name::FIRST_NAME,
    &name::LAST_NAME,
    &name::FULL_NAME,
    &place::UNIT,
    &place::STREET,
    &place::CITY,
    &place::STATE,
    &place::STATE_CODE,
    &place::POSTCODE,
    &place::COUNTRY_CODE,
    &place::COUNTRY_CODE_3,
    &place::COUNTRY,
    &place::TIME_ZONE,
    &finance::COMPANY,
    &finance::STATUS,
    &finance::CURRENCY,
    &finance::IBAN,
    &registry_number::BIC,
    &registry_number::ACCOUNT_NUMBER,
    &registry_number::TAX_NUMBER,
    &registry_number::NATIONAL_ID,
    &registry_number::EAN,
    &registry_number::ISBN,
    &finance::CARD_NUMBER,
    &finance::JOB_TITLE,
    &finance::INDUSTRY,
    &list::DEPARTMENT,
    &list::PAYMENT_METHOD,
    &list::CARD_BRAND,
    &list::CARRIER,
    &list::DIGEST_ALGORITHM,
    &list::MEASURE,
    &list::CLASS_NAME,
    &list::ROLE,
    &list::SCOPES,
    &list::QUEUE,
    &list::WEEKDAY,
    &list::HTTP_METHOD,
    &list::LOG_LEVEL,
    &list::SCHEDULE,
    &list::DURATION,
    &list::LANGUAGE_NAME,
    &list::DEVICE,
    &list::PLATFORM,
    &list::ACTION,
    &list::EXTENSION,
    &list::ENVIRONMENT,
    &list::PRIORITY,
    &list::KIND,
    &web::URL,
    &web::DOMAIN,
    &web::SLUG,
    &web::PATH,
    &web::FILE_PATH,
    &web::FILE_NAME,
    &web::IMAGE_NAME,
    &web::IMAGE_TYPE,
    &web::MIME_TYPE,
    &web::USER_AGENT,
    &web::MAC_ADDRESS,
    &web::IPV4,
    &web::IPV6,
    &web::LANGUAGE,
    &web::LOCALE,
    &product::PRODUCT_NAME,
    &product::SKU,
    &product::HEX_COLOR,
    &product::HEX_COLOR_ALONE,
    &product::COLOR,
    &code::PASSWORD_HASH,
    &code::MD5,
    &code::SHA1,
    &code::SHA512,
    &code::HEX,
    &code::BASE64,
    &code::VERSION,
    &json::JSON_TEXT,
    &code::UUID,
    &code::ID,
    &code::CODE,
    &lorem::TITLE,
    &lorem::SENTENCE,
    &lorem::MARKDOWN,
    &lorem::PARAGRAPH,
    &lorem::WORDS,
    &lorem::WORD,
];

/// A text generator by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static TextGenerator> {
    ALL.iter().copied().find(|generator| generator.name == name)
}

/// What stands for a place where there is room for its code only.
#[must_use]
pub fn code_of(generator: &TextGenerator, max_chars: u32) -> Option<&'static TextGenerator> {
    let code = match generator.name {
        "country" | "country_code" if max_chars == 3 => &place::COUNTRY_CODE_3,
        "country" => &place::COUNTRY_CODE,
        "state" => &place::STATE_CODE,
        "color" if max_chars == 6 => &product::HEX_COLOR_ALONE,
        "color" => &product::HEX_COLOR,
        "gender" => &list::GENDER_LETTER,
        _ => return None,
    };
    (max_chars == code.width).then_some(code)
}

/// Appends a picked word.
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a UUID's text.
pub(crate) fn put_uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    for (position, byte) in bytes.into_iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(code::HEX_DIGITS[usize::from(byte >> 4)]);
        out.push(code::HEX_DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends a template's text: `#` is a digit, `^` a digit but 0, `@` a capital letter. Sixteen of them are
/// drawn at once: the digits of a random fraction.
pub(crate) fn put_template(stream: &mut Stream, template: &str, out: &mut Vec<u8>) {
    const PIECE: usize = 16;
    /// What each byte of a template stands for: the first of so many characters in a row.
    const PLACES: [(u8, u8); 256] = {
        let mut places = [(0, 1); 256];
        let mut byte = 0;
        while byte < places.len() {
            places[byte] = match byte as u8 {
                b'#' => (b'0', 10),
                b'^' => (b'1', 9),
                b'@' => (b'A', 26),
                other => (other, 1),
            };
            byte += 1;
        }
        places
    };
    for piece in template.as_bytes().chunks(PIECE) {
        let mut bits = stream.next_bits();
        let mut below = |bound: u8| {
            let wide = u128::from(bits) * u128::from(bound);
            bits = wide as u64;
            (wide >> 64) as u8
        };
        let mut written = [0; PIECE];
        for (place, byte) in written.iter_mut().zip(piece) {
            let (first, count) = PLACES[usize::from(*byte)];
            *place = first + below(count);
        }
        put_padded(&written, piece.len(), out);
    }
}

/// Brings what was written since `body` within the column's limits, and adds the row's number where it must be unique.
pub(crate) fn limit(out: &mut Vec<u8>, body: usize, text: &Text, number: Option<u64>) {
    if text.max_chars > 0 || number.is_some() {
        let mut suffix = [0_u8; 21];
        let suffix = number.map_or(&[][..], |number| suffix_of(number, &mut suffix));
        if text.max_chars > 0 {
            truncate(
                out,
                body,
                (text.max_chars as usize).saturating_sub(suffix.len()),
            );
        }
        // Without the dash where every character counts.
        let suffix = if out.len() == body {
            suffix.get(1..).unwrap_or(&[])
        } else {
            suffix
        };
        out.extend_from_slice(suffix);
    }
    if text.min_chars > 0 {
        let mut count = chars(&out[body..]);
        while count < text.min_chars as usize {
            out.push(b'x');
            count += 1;
        }
    }
}

fn suffix_of(number: u64, room: &mut [u8; 21]) -> &[u8] {
    let mut at = room.len();
    let mut rest = number;
    loop {
        at -= 1;
        room[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= 1;
    room[at] = b'-';
    &room[at..]
}

fn chars(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte as i8) >= -0x40).count()
}

/// Cuts to `max` characters, and the space before the cut.
pub(crate) fn truncate(out: &mut Vec<u8>, body: usize, max: usize) {
    if out.len() - body <= max {
        return;
    }
    let mut count = 0;
    let cut = out[body..].iter().position(|byte| {
        count += usize::from((*byte as i8) >= -0x40);
        count > max
    });
    if let Some(cut) = cut {
        out.truncate(body + cut);
        while out.len() > body && out.last() == Some(&b' ') {
            out.pop();
        }
    }
}

/// Appends the row's number, or now and then a number of two digits.
pub(crate) fn put_number(cell: &mut Cell, out: &mut Vec<u8>) {
    match cell.number {
        Some(number) => binary::decimal(out, number),
        None => {
            let number = cell.stream.below(200);
            if number < 100 {
                binary::decimal(out, number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;

    #[test]
    fn every_generator_writes_text_of_about_its_width() {
        let mut wrong = Vec::new();
        for generator in ALL {
            let mut out = Vec::new();
            for index in 0..2000 {
                let start = out.len();
                let mut cell = Cell {
                    stream: Key::new(1).stream(index),
                    number: None,
                    locale: Locale::default_locale(),
                };
                (generator.write)(&mut cell, &mut out);
                let text = std::str::from_utf8(&out[start..]).unwrap();
                assert!(
                    !text.is_empty() && !text.contains('\0'),
                    "{}",
                    generator.name
                );
            }
            let mean = out.len() as f64 / 2000.0;
            let width = f64::from(generator.width);
            if (mean / width - 1.0).abs() > 0.35 {
                wrong.push(format!("{}: {mean} bytes, said {width}", generator.name));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|generator| generator.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn unique_texts_differ_within_any_limit() {
        let locale = Locale::default_locale();
        for generator in ALL {
            for max_chars in [0, 8, 40] {
                let text = crate::seed::plan::Text {
                    source: crate::seed::plan::TextSource::Registered(generator),
                    version: None,
                    min_chars: 0,
                    max_chars,
                    unique: None,
                    locale,
                    case: crate::seed::plan::Case::AsIs,
                    width: 0,
                };
                if generator.numbers_itself && max_chars > 0 {
                    continue;
                }
                let mut seen = std::collections::HashSet::new();
                for index in 0..3000 {
                    let mut out = Vec::new();
                    let mut cell = Cell {
                        stream: Key::new(1).stream(index),
                        number: Some(index),
                        locale,
                    };
                    (generator.write)(&mut cell, &mut out);
                    limit(
                        &mut out,
                        0,
                        &text,
                        (!generator.numbers_itself).then_some(index),
                    );
                    assert!(
                        max_chars == 0 || chars(&out) <= max_chars as usize,
                        "{}",
                        generator.name
                    );
                    let mut shown = String::from_utf8(out).unwrap();
                    shown.make_ascii_lowercase();
                    assert!(seen.insert(shown), "{} {max_chars}", generator.name);
                }
            }
        }
    }
}
