//! One message of a log, whatever format it came in.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::calendar::SINCE_1970;
use crate::trace::value::day;

/// A message with what its line says beside it. Empty where the format, or the prefix, does not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Entry<'a> {
    /// Microseconds since 1970, in the log's own time zone.
    pub at: Option<i64>,
    /// What tells the session from others: `session_id`, else the process; `None` where nothing does.
    pub session: Option<u64>,
    /// The number of the line in its session, or of the message in its process; of the first and the last of its lines.
    pub line: Option<(u64, u64)>,
    /// `application_name`.
    pub application: &'a str,
    /// SQLSTATE.
    pub code: &'a str,
    /// Whether the message is an error rather than one about what was done.
    pub is_error: bool,
    /// The message.
    pub message: &'a str,
    /// DETAIL.
    pub detail: &'a str,
    /// CONTEXT: where in a function it was.
    pub context: &'a str,
}

/// A session by what the log calls it.
pub(super) fn session_of(name: &str) -> Option<u64> {
    if name.is_empty() {
        return None;
    }
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    Some(hash.finish())
}

/// Severities that are about what was done: everything else is an error or a notice.
pub(super) fn is_log(severity: &str) -> bool {
    super::words::LANGUAGES
        .iter()
        .any(|language| language.severities[0] == severity)
}

/// Reads timestamps; most lines are of the same day as the line before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    day: [u8; 10],
    micros: i64,
}

const SECOND: i64 = 1_000_000;

impl Clock {
    /// `2026-11-30 07:42:20.294`, whatever stands behind it.
    pub(super) fn read(&mut self, text: &str) -> Option<i64> {
        let bytes = text.as_bytes();
        let date: [u8; 10] = bytes.get(..10)?.try_into().ok()?;
        if date != self.day {
            self.micros = days(&date)?.checked_mul(86_400 * SECOND)?;
            self.day = date;
        }
        if !matches!(bytes.get(10)?, b' ' | b'T') {
            return None;
        }
        let pair = |at: usize| number(bytes.get(at..at + 2)?);
        let is_colon = |at: usize| bytes.get(at) == Some(&b':');
        if !is_colon(13) || !is_colon(16) {
            return None;
        }
        let seconds = pair(11)? * 3_600 + pair(14)? * 60 + pair(17)?;
        let mut fraction = 0;
        if matches!(bytes.get(19), Some(b'.' | b',')) {
            let mut unit = SECOND / 10;
            for digit in bytes[20..].iter().take_while(|byte| byte.is_ascii_digit()) {
                fraction += i64::from(digit - b'0') * unit;
                unit /= 10;
            }
        }
        Some(self.micros + seconds * SECOND + fraction)
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |all: i64, digit| {
        digit
            .is_ascii_digit()
            .then(|| all * 10 + i64::from(digit - b'0'))
    })
}

/// Days since 1970 of `2026-11-30`.
fn days(date: &[u8; 10]) -> Option<i64> {
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let days = day(
        number(&date[..4])?,
        number(&date[5..7])?,
        number(&date[8..])?,
    )?;
    Some(days + SINCE_1970)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_microseconds_since_1970() {
        let mut clock = Clock::default();
        assert_eq!(clock.read("1970-01-02 00:00:01 UTC"), Some(86_401_000_000));
        assert_eq!(
            clock.read("2026-11-30 07:42:20.294 UTC"),
            Some(1_796_024_540_294_000)
        );
        assert_eq!(
            clock.read("2026-11-30T07:42:20.294123+00:00"),
            Some(1_796_024_540_294_123)
        );
        for none in ["2026-11-30", "2026-13-30 00:00:00", "hello", "2026-11-30 7"] {
            assert_eq!(clock.read(none), None, "{none}");
        }
    }
}
