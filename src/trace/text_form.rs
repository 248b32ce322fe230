//! Values in the text that SQL reads back, whatever format they came in: for recordings that are asked to keep them.

use crate::calendar::civil_from_days;

/// In microseconds.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Types that an extension or a user made have numbers from here on (access/transam.h); enums are sent as their text.
const FIRST_OF_USERS: u32 = 16_384;

/// The text of a value; `format` is 0 for text, 1 for binary. `None` for NULL, and for binary forms that are not read.
/// <https://www.postgresql.org/docs/current/datatype.html>; the binary forms are those of each type's `send` function.
#[must_use]
pub(super) fn text_form(bytes: Option<&[u8]>, format: i16, type_oid: u32) -> Option<String> {
    let bytes = bytes?;
    if format == 0 {
        return utf8(bytes);
    }
    match type_oid {
        16 => match bytes {
            [flag] => Some(if *flag == 0 { "f" } else { "t" }.to_owned()),
            _ => None,
        },
        17 => Some(bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        })),
        20 | 21 | 23 => signed(bytes).map(|number| number.to_string()),
        26 => Some(u32::from_be_bytes(bytes.try_into().ok()?).to_string()),
        // char, name, text, json, xml, unknown, bpchar, varchar.
        18 | 19 | 25 | 114 | 142 | 705 | 1042 | 1043 => utf8(bytes),
        3802 => utf8(bytes.strip_prefix(&[1])?),
        700 => Some(float(f64::from(f32::from_be_bytes(bytes.try_into().ok()?)))),
        701 => Some(float(f64::from_be_bytes(bytes.try_into().ok()?))),
        1082 => date(signed(bytes)?),
        1114 => instant(signed(bytes)?),
        1184 => instant(signed(bytes)?).map(|text| format!("{text}+00")),
        1700 => super::value::numeric(bytes),
        2950 => uuid(bytes),
        // The client did not say: as a number or a text, as it is compared.
        0 => match signed(bytes) {
            Some(number) => Some(number.to_string()),
            None if bytes.len() == 16 => uuid(bytes),
            None => utf8(bytes),
        },
        oid if super::value::is_array(oid) => array(bytes),
        oid if oid >= FIRST_OF_USERS => utf8(bytes),
        _ => None,
    }
}

/// The text of a constant, without its quotes. `None` for NULL and for constants with an escape of their own (`E'…'`).
#[must_use]
pub(super) fn of_constant(written: &str) -> Option<String> {
    let quoted = written
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    if let Some(quoted) = quoted {
        return Some(quoted.replace("''", "'"));
    }
    let is_word = ["true", "false"].contains(&written.to_ascii_lowercase().as_str());
    (is_word || written.parse::<f64>().is_ok()).then(|| written.to_owned())
}

fn utf8(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then(|| text.to_owned())
}

fn signed(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        2 => i64::from(i16::from_be_bytes(bytes.try_into().ok()?)),
        4 => i64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
        8 => i64::from_be_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

fn float(number: f64) -> String {
    match number {
        number if number == f64::INFINITY => "Infinity".to_owned(),
        number if number == f64::NEG_INFINITY => "-Infinity".to_owned(),
        number => number.to_string(),
    }
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(bytes.try_into().ok()?);
    let digits = format!("{number:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| &digits[group]);
    Some(groups.join("-"))
}

/// Days since 2000. `None` for infinity, and for years that SQL writes with BC.
fn date(days: i64) -> Option<String> {
    let (year, month, day) = civil_from_days(days);
    (1..=99_999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// Microseconds since 2000.
fn instant(micros: i64) -> Option<String> {
    let day = date(micros.div_euclid(DAY))?;
    let of_day = micros.rem_euclid(DAY);
    let (seconds, fraction) = (of_day / SECOND, of_day % SECOND);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let time = format!("{day} {hours:02}:{minutes:02}:{:02}", seconds % 60);
    Some(match fraction {
        0 => time,
        fraction => format!("{time}.{fraction:06}"),
    })
}

/// An array of one dimension: dimensions, flags, the elements' type, length and lower bound, then the elements.
fn array(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| -> Option<i32> {
        let word = bytes.get(at..at.checked_add(4)?)?;
        Some(i32::from_be_bytes(word.try_into().ok()?))
    };
    let element = u32::try_from(word(8)?).ok()?;
    let length = match word(0)? {
        0 => return Some("{}".to_owned()),
        1 => word(12)?,
        _ => return None,
    };
    let mut at = 20;
    let mut texts = Vec::new();
    for _ in 0..length {
        let Ok(size) = usize::try_from(word(at)?) else {
            texts.push("NULL".to_owned());
            at += 4;
            continue;
        };
        let value = bytes.get(at + 4..(at + 4).checked_add(size)?)?;
        let text = text_form(Some(value), 1, element)?;
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        texts.push(format!("\"{text}\""));
        at += 4 + size;
    }
    Some(format!("{{{}}}", texts.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(bytes: &[u8], type_oid: u32) -> Option<String> {
        text_form(Some(bytes), 1, type_oid)
    }

    fn is(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn binary_values_have_the_text_of_the_servers_output() {
        assert_eq!(binary(&[1], 16), is("t"));
        assert_eq!(binary(&[0, 255], 17), is("\\x00ff"));
        assert_eq!(binary(&(-5_i64).to_be_bytes(), 20), is("-5"));
        assert_eq!(binary(b"it's", 25), is("it's"));
        assert_eq!(binary(b"\x01{\"a\": 1}", 3802), is("{\"a\": 1}"));
        assert_eq!(binary(&2.5_f64.to_be_bytes(), 701), is("2.5"));
        assert_eq!(binary(&0_i32.to_be_bytes(), 1082), is("2000-01-01"));
        assert_eq!(binary(&(-1_i32).to_be_bytes(), 1082), is("1999-12-31"));
        let noon = 59 * DAY + 12 * 3_600 * SECOND + 250_000;
        assert_eq!(
            binary(&noon.to_be_bytes(), 1184),
            is("2000-02-29 12:00:00.250000+00")
        );
        assert_eq!(binary(&i64::MAX.to_be_bytes(), 1114), None);
        assert_eq!(
            binary(
                &0x0b5a_1f52_7c1d_4b7e_9a53_6f1d_2c3b_4a59_u128.to_be_bytes(),
                2950
            ),
            is("0b5a1f52-7c1d-4b7e-9a53-6f1d2c3b4a59")
        );
        assert_eq!(binary(b"open", 40_000), is("open"));
        assert_eq!(text_form(None, 1, 25), None);
    }

    #[test]
    fn arrays_are_written_as_sql_reads_them() {
        let words: [i32; 8] = [1, 1, 23, 2, 1, 4, 9, -1];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        assert_eq!(binary(&bytes, 1007), is("{\"9\",NULL}"));
        let mut bytes: Vec<u8> = [1, 0, 25, 1, 1, 3]
            .iter()
            .flat_map(|word: &i32| word.to_be_bytes())
            .collect();
        bytes.extend(b"a\"\\");
        assert_eq!(binary(&bytes, 1009), is("{\"a\\\"\\\\\"}"));
        assert_eq!(binary(&bytes[..20], 1009), None);
    }

    #[test]
    fn constants_lose_their_quotes() {
        assert_eq!(of_constant("'it''s'"), is("it's"));
        assert_eq!(of_constant("-4.5"), is("-4.5"));
        assert_eq!(of_constant("TRUE"), is("TRUE"));
        assert_eq!(of_constant("E'\\n'"), None);
        assert_eq!(of_constant("NULL"), None);
    }
}
