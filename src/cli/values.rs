//! Values of flags, as clap's parsers: each returns what was expected where it cannot read one.

use std::time::Duration;

use crate::cli::args::{FailOnWord, RowsRequest};
use crate::db::connect::{NEWEST_MAJOR, OLDEST_MAJOR};
use crate::db::server::supported;
use crate::finding::{RuleId, Severity};
use crate::source::nearest;
use crate::units::written::{EXPECTED_DURATION, EXPECTED_SIZE, bytes, count, millis, percentage};

/// A duration with its unit, longer than nothing.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    let milliseconds = millis(text)
        .filter(|milliseconds| *milliseconds > 0.0)
        .ok_or(EXPECTED_DURATION)?;
    Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(|_| EXPECTED_DURATION)
}

/// A factor above 0.
pub fn scale(text: &str) -> Result<f64, &'static str> {
    let value: f64 = text
        .parse()
        .map_err(|_| "expected a number like 0.1 or 2")?;
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err("expected a number above 0")
    }
}

/// A size with its unit, of at least a byte.
pub fn size(text: &str) -> Result<u64, &'static str> {
    bytes(text)
        .filter(|size| *size >= 1.0)
        .map(|size| size as u64)
        .ok_or(EXPECTED_SIZE)
}

/// A share above 0 and up to 1, also as a percentage.
pub fn share(text: &str) -> Result<f64, &'static str> {
    let value = percentage(text).or_else(|| text.parse().ok());
    value
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or("expected a share like 1% or 0.01")
}

/// A number of rows that no disk need hold: `1e10`, `100M`, `5000`.
pub fn many_rows(text: &str) -> Result<f64, &'static str> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => match (text.strip_suffix('M'), text.strip_suffix(['G', 'B'])) {
            (Some(number), _) => (number, 1e6),
            (None, Some(number)) => (number, 1e9),
            (None, None) => (text, 1.0),
        },
    };
    let rows = number
        .replace('_', "")
        .parse::<f64>()
        .map(|number| number * unit);
    rows.ok()
        .filter(|rows| rows.is_finite() && *rows >= 1.0)
        .ok_or("expected a number of rows like 1e10, 100M or 5000")
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

/// A severity, `never`, or the rule whose warnings count as well.
pub fn fail_on(text: &str) -> Result<FailOnWord, String> {
    match text {
        "error" => Ok(FailOnWord::From(Some(Severity::Error))),
        "warning" => Ok(FailOnWord::From(Some(Severity::Warning))),
        "never" => Ok(FailOnWord::From(None)),
        rule => rule.parse().map(FailOnWord::Rule).map_err(|_| {
            let rules = RuleId::ALL.iter().map(|rule| rule.as_str());
            let near = nearest(rule, rules.chain(["error", "warning", "never"]));
            let hint = near.map(|near| format!("; did you mean {near}?"));
            format!(
                "expected error, warning, never or a rule{}",
                hint.unwrap_or_default()
            )
        }),
    }
}

/// A major version that pgproof is tested on.
///
/// # Errors
/// Which ones these are.
pub fn major(text: &str) -> Result<u32, String> {
    let major = text.parse().ok().filter(|major| supported(*major));
    major.ok_or_else(|| format!("a major version of PostgreSQL from {OLDEST_MAJOR} to {NEWEST_MAJOR}, such as {NEWEST_MAJOR}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majors_are_those_that_are_tested() {
        assert_eq!(major("15"), Ok(15));
        for text in ["13", "19", "15.2", "latest"] {
            assert!(major(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fail_on_takes_severities_and_rules() {
        assert_eq!(fail_on("never"), Ok(FailOnWord::From(None)));
        assert_eq!(
            fail_on("not-audited"),
            Ok(FailOnWord::Rule(RuleId::NotAudited))
        );
        assert_eq!(
            fail_on("not-audit"),
            Err("expected error, warning, never or a rule; did you mean not-audited?".to_owned())
        );
    }

    #[test]
    fn flags_values() {
        assert_eq!(many_rows("1e10"), Ok(1e10));
        assert_eq!(many_rows("100M"), Ok(1e8));
        assert_eq!(many_rows("5_000"), Ok(5000.0));
        assert!(
            many_rows("0.5").is_err() && many_rows("many").is_err() && many_rows("inf").is_err()
        );
        assert_eq!(duration("1.5min"), Ok(Duration::from_secs(90)));
        for wrong in ["5", "-5s", "0s", "99999999999999999999h"] {
            assert_eq!(duration(wrong), Err(EXPECTED_DURATION), "{wrong}");
        }
        assert_eq!(
            rows("500"),
            Ok(RowsRequest {
                table: None,
                rows: 500
            })
        );
        assert_eq!(
            rows("shop.orders=5_000"),
            Ok(RowsRequest {
                table: Some("shop.orders".into()),
                rows: 5000
            })
        );
        assert!(rows("=5").is_err() && rows("orders=").is_err() && rows("orders=-1").is_err());
        assert_eq!((size("2kB"), size("2")), (Ok(2048), Err(EXPECTED_SIZE)));
        assert_eq!(
            (share("1%"), share("0.5"), share("1")),
            (Ok(0.01), Ok(0.5), Ok(1.0))
        );
        assert!(share("0").is_err() && share("120%").is_err() && share("x").is_err());
        assert!(scale("0").is_err() && scale("nan").is_err() && scale("0.5") == Ok(0.5));
    }
}
