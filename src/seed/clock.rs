//! The dataset's "now": the day on which inferred times end. It is passed in and never read here, so that a dataset is a
//! function of what it is made of, the day included.

use std::fmt;

use crate::calendar::{civil_from_days, days_from_civil};

/// A day, in UTC. Times that were inferred end with it: a day is as fine as a dataset's "now" gets, so that all commands
/// of one day share one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Days since 2000-01-01.
    day: i64,
}

/// Inferred times go back this far: three years.
const SPAN: i64 = 1096;
/// What lies in the future lies less than this far there.
const AHEAD: i64 = 180;

impl Default for Clock {
    /// 2025-12-31: a fixed day for whoever does not say one.
    fn default() -> Self {
        Self {
            day: days_from_civil(2026, 1, 1) - 1,
        }
    }
}

impl Clock {
    /// The day of an instant, in seconds since 1970.
    #[must_use]
    pub fn of_unix_seconds(seconds: i64) -> Self {
        Self {
            day: seconds.div_euclid(86_400) + days_from_civil(1970, 1, 1),
        }
    }

    /// `2026-11-29`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let (year, month, day): (i64, u32, u32) =
            (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        let found = Self {
            day: days_from_civil(year, month, day),
        };
        let is_date = (1..=12).contains(&month) && found.civil() == (year, month, day);
        is_date.then_some(found)
    }

    /// The day itself, in days since 2000-01-01.
    #[must_use]
    pub const fn today(self) -> i64 {
        self.day
    }

    /// The first day of inferred times.
    #[must_use]
    pub const fn begin(self) -> i64 {
        self.day + 1 - SPAN
    }

    /// The day after the last one.
    #[must_use]
    pub const fn end(self) -> i64 {
        self.day + 1
    }

    /// The day after the last one of what may lie in the future.
    #[must_use]
    pub const fn future_end(self) -> i64 {
        self.day + 1 + AHEAD
    }

    #[must_use]
    pub fn year(self) -> i64 {
        self.civil().0
    }

    fn civil(self) -> (i64, u32, u32) {
        civil_from_days(self.day)
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_every_instant_in_it() {
        let morning = Clock::of_unix_seconds(1_795_910_400);
        assert_eq!(morning.to_string(), "2026-11-29");
        assert_eq!(Clock::of_unix_seconds(1_795_910_400 + 86_399), morning);
        assert_ne!(Clock::of_unix_seconds(1_795_910_400 - 1), morning);
        assert_eq!(Clock::parse("2026-11-29"), Some(morning));
        assert_eq!(morning.year(), 2026);
        for text in ["2026-02-30", "2026-13-01", "2026-1", "today"] {
            assert_eq!(Clock::parse(text), None, "{text}");
        }
        for day in (-4000..12_000).step_by(17) {
            let clock = Clock { day };
            assert_eq!(Clock::parse(&clock.to_string()), Some(clock), "{day}");
        }
        assert_eq!(Clock::default().to_string(), "2025-12-31");
    }
}
