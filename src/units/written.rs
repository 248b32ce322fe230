//! Quantities as people write them, in files and on the command line: `50ms`, `200MB`, `10%`, `10_000`.

/// What [`millis`] expects.
pub const EXPECTED_DURATION: &str = "expected a duration like \"5s\", \"50ms\" or \"2min\"";

/// What [`bytes`] expects.
pub const EXPECTED_SIZE: &str = "expected a size like \"200MB\", \"64kB\" or \"1GB\"";

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
        "d" | "day" | "days" => 86_400_000.0,
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
    let starts_well = text.starts_with(|c: char| c.is_ascii_digit());
    starts_well
        .then(|| text.replace('_', "").parse().ok())
        .flatten()
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
    fn written_quantities() {
        assert_eq!(millis("50ms"), Some(50.0));
        assert_eq!(millis("1.5 min"), Some(90_000.0));
        assert_eq!(
            (millis("5"), millis("-5s"), millis("5 weeks"), millis("")),
            (None, None, None, None)
        );
        assert_eq!(bytes("200MB"), Some(200.0 * 1024.0 * 1024.0));
        assert_eq!(bytes("8 kB"), Some(8192.0));
        assert_eq!(bytes("8 quarks"), None);
        assert_eq!((percentage("10%"), percentage("10")), (Some(0.1), None));
        assert_eq!(
            (count("1_000"), count("+5"), count("_"), count("1.5")),
            (Some(1000), None, None, None)
        );
    }
}
