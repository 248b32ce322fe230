//! Values as they can be compared, however they were sent: as text or binary, with this type or that. What is no whole
//! number is kept as a keyed hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::text_form::text_form;
use crate::calendar::days_from_civil;

/// A value that went over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Value {
    /// NULL.
    #[serde(rename = "n")]
    Null,
    /// A whole number of any type.
    #[serde(rename = "w")]
    Whole(i64),
    /// Anything else: its hash.
    #[serde(rename = "o")]
    Other(u64),
    /// The same, long enough that two equal ones are no chance: a UUID, an address, a name with its number.
    #[serde(rename = "r")]
    Rare(u64),
    /// An array of that many elements, as far as that was read: the statement is for many at once.
    #[serde(rename = "m")]
    Many(u32),
}

/// Makes values, all with one key, so that they can be compared and not be guessed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ValueReader {
    key: [u8; 16],
    keeps: Keeps,
}

/// What is kept of values that were bound or written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keeps {
    /// What tells whether two are equal.
    #[default]
    Hashes,
    /// The values themselves, too.
    Values,
}

/// Types whose binary form is a whole number: int8, int2, int4, oid.
const WHOLE: [u32; 4] = [20, 21, 23, 26];
/// bool.
const BOOLEAN: u32 = 16;
const UUID: u32 = 2950;
const NUMERIC: u32 = 1700;
const DATE: u32 = 1082;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
/// In microseconds.
const DAY: i64 = 86_400_000_000;
/// Arrays of bool, bytea, char, int2, int4, text, varchar, int8, float, timestamps, numeric, uuid.
const ARRAYS: [u32; 14] = [
    1000, 1001, 1002, 1005, 1007, 1009, 1015, 1016, 1022, 1115, 1182, 1185, 1231, 2951,
];
/// From this length on two equal texts are no chance.
const RARE: usize = 12;

impl ValueReader {
    /// With a key that nobody knows.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        Self {
            key,
            keeps: Keeps::Hashes,
        }
    }

    /// The same, with what is kept.
    #[must_use]
    pub const fn keeping(self, keeps: Keeps) -> Self {
        Self { keeps, ..self }
    }

    /// What is kept.
    #[must_use]
    pub const fn keeps(&self) -> Keeps {
        self.keeps
    }

    /// The text of a value, where values are kept.
    #[must_use]
    pub fn kept(&self, bytes: Option<&[u8]>, format: i16, type_oid: u32) -> Option<String> {
        match self.keeps {
            Keeps::Hashes => None,
            Keeps::Values => text_form(bytes, format, type_oid),
        }
    }

    /// From the text form.
    #[must_use]
    pub fn text(&self, text: &str) -> Value {
        if let Ok(number) = text.parse() {
            return Value::Whole(number);
        }
        if let Some(uuid) = uuid(text) {
            return Value::Rare(self.hash(b'u', &uuid));
        }
        if text.starts_with('{') && text.ends_with('}') {
            let elements = text.matches(',').count() + usize::from(text.len() > 2);
            return Value::Many(u32::try_from(elements).unwrap_or(u32::MAX));
        }
        match text {
            "t" | "true" | "TRUE" => return Value::Other(1),
            "f" | "false" | "FALSE" => return Value::Other(0),
            _ => {}
        }
        if let Some(value) = self.decimal(text) {
            return value;
        }
        if let Some(micros) = instant(text) {
            return self.instant(micros);
        }
        // char(n) is padded where it is sent, and citext has no case.
        let text = text.trim_end_matches(' ').to_lowercase();
        let hash = self.hash(b't', text.as_bytes());
        if text.len() >= RARE {
            Value::Rare(hash)
        } else {
            Value::Other(hash)
        }
    }

    /// From a literal of a statement, quotes and all.
    #[must_use]
    pub fn literal(&self, literal: &str) -> Value {
        if literal.eq_ignore_ascii_case("null") {
            return Value::Null;
        }
        let inner = literal
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''));
        match inner {
            Some(inner) if inner.contains('\'') => self.text(&inner.replace("''", "'")),
            Some(inner) => self.text(inner),
            None => self.text(literal),
        }
    }

    /// From the bytes of a value; `format` is 0 for text, 1 for binary; `type_oid` is 0 where it is not known.
    #[must_use]
    pub fn wire(&self, bytes: Option<&[u8]>, format: i16, type_oid: u32) -> Value {
        let Some(bytes) = bytes else {
            return Value::Null;
        };
        if format == 0 {
            return self.text(&String::from_utf8_lossy(bytes));
        }
        if is_array(type_oid) {
            return Value::Many(elements(bytes).unwrap_or(u32::MAX));
        }
        let is_whole = WHOLE.contains(&type_oid) || type_oid == 0;
        match (type_oid, bytes) {
            (BOOLEAN, [flag]) => Value::Other(u64::from(*flag != 0)),
            (UUID | 0, bytes) if bytes.len() == 16 => Value::Rare(self.hash(b'u', bytes)),
            (DATE, bytes) if bytes.len() == 4 => match whole(bytes) {
                Some(days) => self.instant(days.saturating_mul(DAY)),
                None => Value::Other(self.hash(b'b', bytes)),
            },
            (TIMESTAMP | TIMESTAMPTZ, bytes) => match whole(bytes) {
                Some(micros) => self.instant(micros),
                None => Value::Other(self.hash(b'b', bytes)),
            },
            (NUMERIC, bytes) => match numeric(bytes) {
                Some(text) => self.text(&text),
                None => Value::Other(self.hash(b'b', bytes)),
            },
            (_, bytes) => match whole(bytes).filter(|_| is_whole) {
                Some(number) => Value::Whole(number),
                // Texts have one form; of other types the bytes are compared.
                None => match std::str::from_utf8(bytes) {
                    Ok(text) => self.text(text),
                    Err(_) => Value::Other(self.hash(b'b', bytes)),
                },
            },
        }
    }

    /// Microseconds since 2000, as the server counts them. Two equal ones are no chance unless they are whole days.
    fn instant(&self, micros: i64) -> Value {
        let hash = self.hash(b'i', &micros.to_be_bytes());
        if micros % DAY == 0 {
            Value::Other(hash)
        } else {
            Value::Rare(hash)
        }
    }

    /// `12.50` and `12.5` are one number, `12.00` and `12` another.
    fn decimal(&self, text: &str) -> Option<Value> {
        let (whole, fraction) = text.split_once('.')?;
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !is_number(digits) || !is_number(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            return whole.parse().ok().map(Value::Whole);
        }
        Some(Value::Other(
            self.hash(b'd', format!("{whole}.{fraction}").as_bytes()),
        ))
    }

    fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update([kind]);
        hash.update(bytes);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        u64::from_be_bytes(first)
    }
}

fn whole(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        2 => i64::from(i16::from_be_bytes(bytes.try_into().ok()?)),
        4 => i64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
        8 => i64::from_be_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

/// `2026-03-01 12:30:00.5+02`, with or without a zone, or a date alone: microseconds since 2000 in UTC.
fn instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0, |all: i64, digit| {
            digit
                .is_ascii_digit()
                .then(|| all * 10 + i64::from(digit - b'0'))
        })
    };
    let is = |at: usize, sign: u8| bytes.get(at) == Some(&sign);
    if !is(4, b'-') || !is(7, b'-') {
        return None;
    }
    let days = day(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    if bytes.len() == 10 {
        return days.checked_mul(DAY);
    }
    if !matches!(bytes.get(10)?, b' ' | b'T') || !is(13, b':') || !is(16, b':') {
        return None;
    }
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let mut micros = days.checked_mul(DAY)?.checked_add(seconds * 1_000_000)?;
    let mut at = 19;
    if is(at, b'.') {
        let mut unit = 100_000;
        at += 1;
        while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            micros += i64::from(digit - b'0') * unit;
            unit /= 10;
            at += 1;
        }
    }
    match bytes.get(at..)? {
        [] | [b'Z'] => Some(micros),
        [sign @ (b'+' | b'-'), ..] => {
            let hours = number(at + 1, at + 3)?;
            let minutes = match bytes.get(at + 3..)? {
                [] => 0,
                [b':', ..] if bytes.len() == at + 6 => number(at + 4, at + 6)?,
                _ if bytes.len() == at + 5 => number(at + 3, at + 5)?,
                _ => return None,
            };
            let offset = (hours * 60 + minutes) * 60_000_000;
            Some(if *sign == b'+' {
                micros - offset
            } else {
                micros + offset
            })
        }
        _ => None,
    }
}

/// The number of a day since 2000, where there may be such a day.
pub(super) fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    ((1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

/// With dashes or without.
fn uuid(text: &str) -> Option<[u8; 16]> {
    if !matches!(text.len(), 32 | 36) {
        return None;
    }
    let mut bytes = [0; 16];
    let mut at = 0;
    for digit in text.chars().filter(|character| *character != '-') {
        let digit = u8::try_from(digit.to_digit(16)?).ok()?;
        let byte: &mut u8 = bytes.get_mut(at / 2)?;
        *byte = *byte << 4 | digit;
        at += 1;
    }
    (at == 32).then_some(bytes)
}

/// Whether a type is an array whose elements are counted.
pub(super) fn is_array(type_oid: u32) -> bool {
    ARRAYS.contains(&type_oid)
}

/// The binary form of numeric, as text: digits of base 10,000, their weight, sign.
pub(super) fn numeric(bytes: &[u8]) -> Option<String> {
    let short = |at: usize| -> Option<i16> {
        let pair: [u8; 2] = bytes.get(at * 2..at * 2 + 2)?.try_into().ok()?;
        Some(i16::from_be_bytes(pair))
    };
    const NEGATIVE: i16 = 0x4000;
    let (number, weight, sign) = (short(0)?, short(1)?, short(2)?);
    if !matches!(sign, 0 | NEGATIVE) || !(-1_000..1_000).contains(&weight) {
        return None;
    }
    let digit = |place: i16| -> Option<i16> {
        let at = weight - place;
        if at < 0 || at >= number {
            Some(0)
        } else {
            short(4 + usize::try_from(at).ok()?)
        }
    };
    let mut whole = String::new();
    for place in (0..=weight.max(0)).rev() {
        whole.push_str(&format!("{:04}", digit(place)?));
    }
    let mut fraction = String::new();
    let last = weight - number + 1;
    for place in (last.min(0)..0).rev() {
        fraction.push_str(&format!("{:04}", digit(place)?));
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let minus = if sign == NEGATIVE { "-" } else { "" };
    Some(match fraction.trim_end_matches('0') {
        "" => format!("{minus}{whole}"),
        fraction => format!("{minus}{whole}.{fraction}"),
    })
}

/// The number of elements in an array's binary form.
fn elements(bytes: &[u8]) -> Option<u32> {
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(
            bytes.get(at * 4..at * 4 + 4)?.try_into().ok()?,
        ))
    };
    (0..word(0)?.min(8) as usize).try_fold(u32::from(word(0)? > 0), |all, dimension| {
        Some(all.saturating_mul(word(3 + dimension * 2)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_one_value_however_it_is_sent() {
        let values = ValueReader::default();
        let number = Value::Whole(1234);
        assert_eq!(values.text("1234"), number);
        assert_eq!(values.text("1234.00"), number);
        assert_eq!(values.literal("1234"), number);
        assert_eq!(values.literal("'1234'"), number);
        assert_eq!(values.wire(Some(&1234_i64.to_be_bytes()), 1, 20), number);
        assert_eq!(values.wire(Some(&1234_i32.to_be_bytes()), 1, 23), number);
        assert_eq!(values.wire(Some(&1234_i32.to_be_bytes()), 1, 0), number);
        // One digit of base 10,000, weight 0, positive, no scale.
        assert_eq!(
            values.wire(Some(&[0, 1, 0, 0, 0, 0, 0, 0, 4, 210]), 1, NUMERIC),
            number
        );
        assert_eq!(values.wire(None, 1, 20), Value::Null);
        let uuid = "0b5a1f52-7c1d-4b7e-9a53-6f1d2c3b4a59";
        let plain = uuid.replace('-', "");
        assert_eq!(values.text(uuid), values.text(&plain));
        let bytes: Vec<u8> = (0..16)
            .map(|at| u8::from_str_radix(&plain[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        assert_eq!(values.text(uuid), values.wire(Some(&bytes), 1, UUID));
        assert_eq!(values.text("ab   "), values.text("ab"));
        assert_eq!(values.text("12.50"), values.text("12.5"));
        assert_eq!(values.text("Ada Lovelace"), values.text("ada lovelace"));
        let noon = values.text("2000-01-02 12:00:00+00");
        assert_eq!(noon, values.text("2000-01-02T14:00:00.000+02:00"));
        assert_eq!(noon, values.text("2000-01-02 06:30:00-0530"));
        let micros = (DAY + DAY / 2).to_be_bytes();
        assert_eq!(noon, values.wire(Some(&micros), 1, TIMESTAMPTZ));
        assert_eq!(
            values.text("2000-01-03"),
            values.wire(Some(&2_i32.to_be_bytes()), 1, DATE)
        );
        assert_eq!(values.text("t"), values.wire(Some(&[1]), 1, BOOLEAN));
    }

    #[test]
    fn different_values_differ() {
        let values = ValueReader::default();
        assert_ne!(values.text("12.5"), values.text("12"));
        assert_ne!(values.text("-3"), values.text("3"));
        assert_ne!(values.text("ab"), values.text("ba"));
    }

    #[test]
    fn numerics_of_any_size_are_read() {
        let binary = |digits: &[i16], weight: i16, sign: i16| {
            let head = [i16::try_from(digits.len()).unwrap(), weight, sign, 9];
            let words: Vec<u8> = head
                .iter()
                .chain(digits)
                .flat_map(|word| word.to_be_bytes())
                .collect();
            numeric(&words)
        };
        assert_eq!(binary(&[], 0, 0).as_deref(), Some("0"));
        assert_eq!(binary(&[5000], -1, 0).as_deref(), Some("0.5"));
        assert_eq!(binary(&[12, 3400], 0, 0x4000).as_deref(), Some("-12.34"));
        assert_eq!(binary(&[7], 2, 0).as_deref(), Some("700000000"));
        assert_eq!(binary(&[1, 0, 25], 1, 0).as_deref(), Some("10000.0025"));
        assert_eq!(binary(&[25], -2, 0).as_deref(), Some("0.00000025"));
    }

    #[test]
    fn arrays_are_many_values() {
        let values = ValueReader::default();
        assert_eq!(values.text("{1,2,3}"), Value::Many(3));
        let words: [i32; 7] = [1, 0, 23, 2, 1, 4, 9];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        assert_eq!(values.wire(Some(&bytes), 1, 1007), Value::Many(2));
    }
}
