//! Text forms of constants (from a spec, a CHECK, a partition bound), read: as the numbers that scalar generators work with,
//! and as cells of COPY BINARY.

use super::binary::{self, DAY};
use super::{ScalarEncoding, TypeClass};
use crate::calendar::days_from_civil;

/// A constant's value in the encoding's units; `None` where the text is no value of the type.
#[must_use]
pub fn scalar(text: &str, encoding: ScalarEncoding) -> Option<i64> {
    let text = text.trim();
    match encoding {
        ScalarEncoding::Bool => match text {
            "t" | "true" | "yes" | "on" | "1" => Some(1),
            "f" | "false" | "no" | "off" | "0" => Some(0),
            _ => None,
        },
        ScalarEncoding::Int2
        | ScalarEncoding::Int4
        | ScalarEncoding::Int8
        | ScalarEncoding::Oid => decimal(text, 0),
        ScalarEncoding::Float4 { decimals }
        | ScalarEncoding::Float8 { decimals }
        | ScalarEncoding::Numeric { decimals } => decimal(text, decimals),
        ScalarEncoding::Money => decimal(&text.replace(['$', ','], ""), 2),
        ScalarEncoding::Date => timestamp(text).map(|micros| micros.div_euclid(DAY)),
        ScalarEncoding::Timestamp => timestamp(text),
        ScalarEncoding::Time | ScalarEncoding::TimeTz => time(text),
        ScalarEncoding::Interval => interval(text),
    }
}

/// A decimal number times `10^decimals`, rounded towards zero; exponents are understood.
fn decimal(text: &str, decimals: u8) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.contains(['e', 'E']) {
        let value: f64 = text.parse().ok()?;
        return Some((value * binary::power_of_ten(decimals)) as i64);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    let wanted = usize::from(decimals);
    for digit in whole
        .chars()
        .filter(|c| *c != '_')
        .chain(fraction.chars().chain(std::iter::repeat('0')).take(wanted))
    {
        value = value
            .checked_mul(10)?
            .checked_add(i128::from(digit.to_digit(10)?))?;
    }
    if !fraction.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let value = if negative { -value } else { value };
    Some(value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

/// `2024-01-01`, `2024-01-01 00:00:00+00`, `2024-01-01T00:00:00Z`: microseconds since 2000-01-01 UTC.
fn timestamp(text: &str) -> Option<i64> {
    match text {
        "infinity" | "-infinity" => return None,
        "epoch" => return Some(-10_957 * DAY),
        _ => {}
    }
    let (date, rest) = text.split_at_checked(10).unwrap_or((text, ""));
    let mut parts = date.splitn(3, '-');
    let year: i64 = parts.next()?.parse().ok()?;
    let month: u32 = parts.next()?.parse().ok()?;
    let day: u32 = parts.next()?.parse().ok()?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let micros = days_from_civil(year, month, day) * DAY;
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    if rest.is_empty() {
        return Some(micros);
    }
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let offset = match zone.trim() {
        "" | "Z" | "z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let mut parts = zone[1..].splitn(3, ':');
            let hours: i64 = parts.next()?.parse().ok()?;
            let minutes: i64 = parts
                .next()
                .map_or(Some(0), |minutes| minutes.parse().ok())?;
            sign * (hours * 60 + minutes) * 60_000_000
        }
    };
    Some(micros + time(clock.trim())? - offset)
}

/// `12:30`, `12:30:15.5`: microseconds since midnight.
fn time(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hours: i64 = parts.next()?.trim().parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds = parts.next().unwrap_or("0");
    let seconds: String = seconds
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    Some((hours * 3600 + minutes * 60) * 1_000_000 + decimal(&seconds, 6)?)
}

/// `1 day`, `2 years 3 mons`, `01:30:00`; a month counts as 30 days.
fn interval(text: &str) -> Option<i64> {
    if let Ok(micros) = text.parse::<i64>()
        && micros == 0
    {
        return Some(0);
    }
    let mut total = 0_i64;
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word.contains(':') {
            total += match word.strip_prefix('-') {
                Some(rest) => -time(rest)?,
                None => time(word)?,
            };
            continue;
        }
        let count: f64 = word.parse().ok()?;
        let unit = words.next()?.trim_end_matches('s');
        let micros = match unit {
            "microsecond" => 1,
            "millisecond" => 1000,
            "second" | "sec" => 1_000_000,
            "minute" | "min" => 60_000_000,
            "hour" => 3_600_000_000,
            "day" => DAY,
            "week" => 7 * DAY,
            "mon" | "month" => 30 * DAY,
            "year" => 365 * DAY,
            _ => return None,
        };
        total += (count * micros as f64) as i64;
    }
    Some(total)
}

/// A constant's cell; `None` where the text is no value of the class.
#[must_use]
pub fn cell(class: &TypeClass, text: &str) -> Option<Box<[u8]>> {
    let mut out = Vec::new();
    match class.base() {
        TypeClass::Scalar(encoding) => encoding.write(scalar(text, *encoding)?, &mut out),
        TypeClass::Text {
            version, max_chars, ..
        } => {
            if *max_chars > 0 && text.chars().count() > *max_chars as usize {
                return None;
            }
            let start = binary::begin(&mut out);
            out.extend(version);
            out.extend_from_slice(text.as_bytes());
            binary::end(&mut out, start);
        }
        TypeClass::Enum(labels) => {
            return labels
                .iter()
                .any(|label| label == text)
                .then(|| binary::cell(text.as_bytes()));
        }
        TypeClass::Json { binary } => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
            let start = binary::begin(&mut out);
            out.extend(binary.then_some(1));
            out.extend_from_slice(text.as_bytes());
            binary::end(&mut out, start);
        }
        TypeClass::Uuid => {
            let digits: String = text.chars().filter(|c| *c != '-').collect();
            let value = u128::from_str_radix(&digits, 16)
                .ok()
                .filter(|_| digits.len() == 32)?;
            binary::fixed(&mut out, value.to_be_bytes());
        }
        TypeClass::Array {
            element,
            element_type,
        } => {
            let items = array_items(text)?;
            let start = binary::begin(&mut out);
            binary::array_header(items.len() as u64, *element_type, &mut out);
            for item in &items {
                out.extend_from_slice(&cell(element, item)?);
            }
            binary::end(&mut out, start);
        }
        TypeClass::Inet { cidr: false } => inet(text, &mut out)?,
        TypeClass::Inet { cidr: true }
        | TypeClass::Mac { .. }
        | TypeClass::Bytes
        | TypeClass::Bits { .. }
        | TypeClass::Geometry(_)
        | TypeClass::TextSearch
        | TypeClass::TextQuery
        | TypeClass::Pairs
        | TypeClass::System(_)
        | TypeClass::Composite(_)
        | TypeClass::Range { .. }
        | TypeClass::Domain { .. }
        | TypeClass::Unknown(_) => return None,
    }
    Some(out.into())
}

/// An address without a mask.
fn inet(text: &str, cell: &mut Vec<u8>) -> Option<()> {
    let start = binary::begin(cell);
    match text.parse().ok()? {
        core::net::IpAddr::V4(address) => {
            cell.extend_from_slice(&[2, 32, 0, 4]);
            cell.extend_from_slice(&address.octets());
        }
        core::net::IpAddr::V6(address) => {
            cell.extend_from_slice(&[3, 128, 0, 16]);
            cell.extend_from_slice(&address.octets());
        }
    }
    binary::end(cell, start);
    Some(())
}

/// The elements of `{a,"b c"}`; one dimension.
pub(crate) fn array_items(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    let mut chars = inner.chars().peekable();
    while chars.peek().is_some() {
        let mut item = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        loop {
            match chars.next() {
                Some('\\') => item.extend(chars.next()),
                Some('"') if quoted => {
                    chars.next_if_eq(&',');
                    break;
                }
                Some(',') if !quoted => break,
                Some('{' | '}') if !quoted => return None,
                Some(c) => item.push(c),
                None if quoted => return None,
                None => break,
            }
        }
        items.push(item);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants() {
        let numeric = ScalarEncoding::Numeric { decimals: 2 };
        assert_eq!(scalar("12.5", numeric), Some(1250));
        assert_eq!(scalar("-0.01", numeric), Some(-1));
        assert_eq!(scalar("1e3", numeric), Some(100_000));
        assert_eq!(scalar("x", ScalarEncoding::Int4), None);
        assert_eq!(scalar("true", ScalarEncoding::Bool), Some(1));
        let at = ScalarEncoding::Timestamp;
        assert_eq!(scalar("2000-01-02", at), Some(DAY));
        assert_eq!(scalar("2000-01-01 02:00:00+02", at), Some(0));
        assert_eq!(scalar("2000-01-01T00:00:00Z", at), Some(0));
        assert_eq!(scalar("2026-01-01", ScalarEncoding::Date), Some(9497));
        assert_eq!(
            scalar("1 day 01:00:00", ScalarEncoding::Interval),
            Some(DAY + 3_600_000_000)
        );
        assert_eq!(scalar("infinity", at), None);
    }

    #[test]
    fn arrays_in_text_form() {
        assert_eq!(
            array_items("{a,\"b, c\",\"d\\\"e\"}"),
            Some(vec!["a".into(), "b, c".into(), "d\"e".into()])
        );
        assert_eq!(array_items("{}"), Some(Vec::new()));
        assert_eq!(array_items("{{a}}"), None);
    }
}
