//! Text forms of constants (from a spec, a CHECK, a partition bound) as the numbers that scalar generators work with.

use super::encode::{DAY, ScalarEncoding};
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
        return Some((value * super::encode::power_of_ten(decimals)) as i64);
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
}
