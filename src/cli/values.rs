//! Values that people write: durations, sizes, ratios. One reader for the command line and for pgproof.toml.

use std::time::Duration;

use crate::cli::args::RowsRequest;

/// `30s`, `50ms`, `1.5min`, `2h`: what [`duration`] expects.
pub const EXPECTED_DURATION: &str = "expected a duration like \"5s\", \"50ms\" or \"2min\"";

/// `200MB`, `8kB`, `1GB`: what [`bytes`] expects.
pub const EXPECTED_SIZE: &str = "expected a size like \"200MB\", \"64kB\" or \"1GB\"";

/// A duration with its unit.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    let milliseconds = millis(text).ok_or(EXPECTED_DURATION)?;
    Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(|_| EXPECTED_DURATION)
}

/// A duration with its unit, in milliseconds.
#[must_use]
pub fn millis(text: &str) -> Option<f64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "us" | "µs" => 0.001,
        "ms" => 1.0,
        "s" | "sec" => 1000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    Some(number * factor)
}

/// A size with its unit, in bytes; powers of 1024, as PostgreSQL reads them.
#[must_use]
pub fn bytes(text: &str) -> Option<f64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "b" | "bytes" => 1.0,
        "kb" | "kib" => 1024.0,
        "mb" | "mib" => 1024.0 * 1024.0,
        "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "tb" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number * factor)
}

/// `10%` as 0.1.
#[must_use]
pub fn percentage(text: &str) -> Option<f64> {
    let (number, unit) = number_and_unit(text)?;
    (unit == "%").then_some(number / 100.0)
}

/// A count, with `_` between digits allowed as in TOML.
#[must_use]
pub fn count(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    if digits.starts_with('+') { None } else { digits.parse().ok() }
}

/// A factor above 0.
pub fn scale(text: &str) -> Result<f64, &'static str> {
    let value: f64 = text.parse().map_err(|_| "expected a number like 0.1 or 2")?;
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err("expected a number above 0") }
}

/// `5000` or `orders=5000`.
pub fn rows(text: &str) -> Result<RowsRequest, &'static str> {
    let (table, number) = match text.rsplit_once('=') {
        Some(("", _)) => return Err("expected a table before `=`"),
        Some((table, number)) => (Some(table.to_owned()), number),
        None => (None, text),
    };
    let rows = count(number).ok_or("expected a number of rows, as in 5000 or orders=5000")?;
    Ok(RowsRequest { table, rows })
}

/// Splits `1.5min` into a number that is finite and not negative, and the unit.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.replace('_', "").parse().ok()?;
    number.is_finite().then_some((number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_sizes_and_ratios() {
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("1.5 min"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5"), Err(EXPECTED_DURATION));
        assert_eq!(duration("-5s"), Err(EXPECTED_DURATION));
        assert_eq!(duration("99999999999999999999h"), Err(EXPECTED_DURATION));
        assert_eq!(bytes("200MB"), Some(200.0 * 1024.0 * 1024.0));
        assert_eq!(bytes("8 kB"), Some(8192.0));
        assert_eq!(bytes("8 quarks"), None);
        assert_eq!(percentage("10%"), Some(0.1));
        assert_eq!(percentage("10"), None);
        assert_eq!(count("1_000"), Some(1000));
    }

    #[test]
    fn row_requests() {
        assert_eq!(rows("500"), Ok(RowsRequest { table: None, rows: 500 }));
        assert_eq!(rows("shop.orders=5_000"), Ok(RowsRequest { table: Some("shop.orders".into()), rows: 5000 }));
        assert!(rows("=5").is_err() && rows("orders=").is_err() && rows("orders=-1").is_err());
        assert!(scale("0").is_err() && scale("nan").is_err() && scale("0.5") == Ok(0.5));
    }
}
