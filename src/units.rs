//! Units as types, and how a person reads them. No arithmetic beyond what a unit allows.

pub mod written;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A duration in milliseconds, as EXPLAIN prints it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub f64);

/// A moment: seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub u64);

/// A number of 8 kB pages (blocks).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Pages(pub u64);

impl Pages {
    /// Bytes in a page of a server built with the default block size.
    pub const SIZE: u64 = 8192;

    /// The size of these pages in bytes.
    #[must_use]
    pub fn bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(Self::SIZE))
    }
}

/// A size in bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        let text = if !ms.is_finite() {
            "?".to_owned()
        } else if ms >= 3_600_000.0 {
            long(ms / 3_600_000.0)
        } else if ms >= 60_000.0 {
            let seconds = (ms / 1000.0).round();
            format!(
                "{:.0} min {:02.0} s",
                (seconds / 60.0).floor(),
                seconds % 60.0
            )
        } else if ms >= 1000.0 {
            format!("{:.2} s", ms / 1000.0)
        } else if ms >= 100.0 {
            format!("{ms:.0} ms")
        } else if ms >= 1.0 {
            format!("{ms:.1} ms")
        } else if ms > 0.0 && ms < 0.005 {
            "< 0.01 ms".to_owned()
        } else {
            format!("{ms:.2} ms")
        };
        f.pad(&text)
    }
}

/// Hours, days and years.
fn long(hours: f64) -> String {
    const DAY: f64 = 24.0;
    const YEAR: f64 = 365.25 * DAY;
    if hours >= 2.0 * YEAR {
        format!("{} years", Count(hours / YEAR))
    } else if hours >= 2.0 * DAY {
        format!("{} days", Count(hours / DAY))
    } else {
        let minutes = (hours * 60.0).round();
        format!(
            "{:.0} h {:02.0} min",
            (minutes / 60.0).floor(),
            minutes % 60.0
        )
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{} {}",
            Count(self.0 as f64),
            if self.0 == 1 { "page" } else { "pages" }
        ))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const STEPS: [(&str, u64); 4] = [
            ("TB", 1 << 40),
            ("GB", 1 << 30),
            ("MB", 1 << 20),
            ("kB", 1 << 10),
        ];
        for (unit, step) in STEPS {
            if self.0 >= step {
                let value = self.0 as f64 / step as f64;
                let text = if value < 10.0 {
                    format!("{value:.1} {unit}")
                } else {
                    format!("{value:.0} {unit}")
                };
                return f.pad(&text);
            }
        }
        f.pad(&format!("{} bytes", self.0))
    }
}

/// A count with thin grouping, so that ten million does not look like one million: `10,000,000`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Count(pub f64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_finite() {
            return f.pad("?");
        }
        let digits = format!("{:.0}", self.0.abs());
        let mut grouped = String::with_capacity(digits.len() * 4 / 3 + 1);
        if self.0 <= -0.5 {
            grouped.push('-');
        }
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

/// A number of rows: `1 row`, `1,234 rows`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rows(pub f64);

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = Count(self.0).to_string();
        let word = if count == "1" { "row" } else { "rows" };
        f.pad(&format!("{count} {word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_units() {
        let shown = [
            Millis(0.012).to_string(),
            Millis(12.34).to_string(),
            Millis(4321.0).to_string(),
            Millis(125_000.0).to_string(),
            Millis(7_500_000.0).to_string(),
            Millis(1.9e12).to_string(),
            Bytes(512).to_string(),
            Bytes(3 << 20).to_string(),
            Count(1_234_567.0).to_string(),
            Count(-12_345.0).to_string(),
            Pages(12_345).to_string(),
        ];
        assert_eq!(
            shown,
            [
                "0.01 ms",
                "12.3 ms",
                "4.32 s",
                "2 min 05 s",
                "2 h 05 min",
                "60 years",
                "512 bytes",
                "3.0 MB",
                "1,234,567",
                "-12,345",
                "12,345 pages"
            ]
        );
    }
}
