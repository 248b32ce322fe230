//! Accepted findings: a file of fingerprints, each with a reason and, where it is meant for a while, its last day. Reads text
//! and marks findings; opens no file and asks no clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::calendar::{SINCE_1970, civil_from_days};
use crate::finding::{Finding, Fingerprint, RuleId, Suppression};
use crate::source::{Source, SourceError};

/// The file's name where none is given.
pub const FILE: &str = "pgproof.baseline.json";
/// The version of the shape that is written, and the only one that is read.
const VERSION: u64 = 1;
/// Who suppressed a finding, in reports.
const NAME: &str = "baseline";

/// Accepted findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u64,
    /// By query, then rule.
    pub accepted: Vec<Acceptance>,
}

/// One accepted finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Which finding; the rest but `expires` is for people.
    pub fingerprint: Fingerprint,
    pub rule: RuleId,
    /// Its query, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What it said when it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why it does not count.
    pub reason: String,
    /// The last day on which it does not count; for ever without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Date>,
}

/// A finding as the last audit knew it: what can be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its identity.
    pub fingerprint: Fingerprint,
    pub rule: RuleId,
    pub query: Option<String>,
    /// What it says.
    pub message: String,
}

/// What a baseline did to an audit's findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Acceptances whose last day is over; their findings count again.
    pub expired: Vec<Acceptance>,
    /// Acceptances of findings that are not there any more.
    pub unused: Vec<Acceptance>,
}

impl Default for Baseline {
    fn default() -> Self {
        Self {
            version: VERSION,
            accepted: Vec::new(),
        }
    }
}

impl Baseline {
    /// Reads the file's text.
    ///
    /// # Errors
    /// Text that is no baseline, one of another version, an acceptance without a reason: with its line.
    pub fn read(source: &Source) -> Result<Self, SourceError> {
        let baseline: Self = serde_json::from_str(&source.text).map_err(|error| {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
            let at = source.offset(line.max(1), column.max(1));
            SourceError::new(
                source,
                at..at,
                format!("the baseline cannot be read: {error}"),
            )
            .help(
                "`pgproof accept` writes it; an acceptance has a fingerprint, a rule and a reason",
            )
        })?;
        if baseline.version != VERSION {
            let message = format!(
                "this is a baseline of version {}, and this pgproof reads {VERSION}",
                baseline.version
            );
            return Err(
                SourceError::new(source, 0..0, message).help("use the pgproof that wrote it")
            );
        }
        match baseline
            .accepted
            .iter()
            .find(|accepted| accepted.reason.trim().is_empty())
        {
            None => Ok(baseline),
            Some(accepted) => {
                let at = source
                    .text
                    .find(&accepted.fingerprint.0)
                    .unwrap_or_default();
                let message = format!("the acceptance of {} has no reason", accepted.fingerprint.0);
                let span = at..at + accepted.fingerprint.0.len();
                Err(SourceError::new(source, span, message).help("say why it does not count"))
            }
        }
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        // No map with keys that are no texts, nothing that refuses: it cannot fail.
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .unwrap_or_default()
    }

    /// Whether a finding is in it, for ever or until some day.
    #[must_use]
    pub fn accepts(&self, fingerprint: &Fingerprint) -> bool {
        self.accepted
            .iter()
            .any(|accepted| accepted.fingerprint == *fingerprint)
    }

    /// Adds an acceptance, in the place of an earlier one of the same finding.
    pub fn accept(&mut self, acceptance: Acceptance) {
        self.accepted
            .retain(|accepted| accepted.fingerprint != acceptance.fingerprint);
        self.accepted.push(acceptance);
        self.accepted.sort_by(|a, b| {
            (&a.query, a.rule, &a.fingerprint).cmp(&(&b.query, b.rule, &b.fingerprint))
        });
    }

    /// Marks what is accepted on `today`; what was accepted for a while that is over says so and counts again.
    #[must_use]
    pub fn apply(&self, findings: &mut [Finding], today: &Date) -> Applied {
        let mut applied = Applied::default();
        for accepted in &self.accepted {
            let expired = accepted.expires.as_ref().filter(|last| *last < today);
            let mut found = false;
            for finding in findings.iter_mut() {
                let symptoms = finding
                    .symptoms
                    .iter_mut()
                    .filter(|symptom| symptom.fingerprint == accepted.fingerprint);
                symptoms.for_each(|symptom| {
                    found = true;
                    mark(symptom, accepted, expired);
                });
                if finding.fingerprint == accepted.fingerprint {
                    found = true;
                    mark(finding, accepted, expired);
                }
            }
            match (found, expired) {
                (true, Some(_)) => applied.expired.push(accepted.clone()),
                (false, _) => applied.unused.push(accepted.clone()),
                (true, None) => {}
            }
        }
        // What counts stands first, as everywhere.
        findings.sort_by_key(|finding| finding.suppressed.is_some());
        applied
    }
}

fn mark(finding: &mut Finding, accepted: &Acceptance, expired: Option<&Date>) {
    match expired {
        None => {
            // What is written beside the query comes first.
            let suppression = Suppression {
                by: NAME.to_owned(),
                reason: accepted.reason.clone(),
            };
            finding.suppressed.get_or_insert(suppression);
        }
        Some(last) => {
            let note = format!(
                "It was accepted until {last} ({}): decide again.",
                accepted.reason.trim_end_matches('.')
            );
            finding.advice = if finding.advice.is_empty() {
                note
            } else {
                format!("{} {note}", finding.advice)
            };
        }
    }
}

impl Known {
    /// All findings with their symptoms: each can be accepted.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Vec<Self> {
        let all = findings
            .iter()
            .flat_map(|finding| std::iter::once(finding).chain(&finding.symptoms));
        let known = |finding: &Finding| Self {
            fingerprint: finding.fingerprint.clone(),
            rule: finding.rule,
            query: finding.query.clone(),
            message: finding.message.clone(),
        };
        all.map(known).collect()
    }
}

/// A day of the calendar, `2026-12-31`; ordered as days are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day (UTC) of a time since 1970-01-01.
    #[must_use]
    pub fn of_unix_seconds(seconds: u64) -> Self {
        let days = i64::try_from(seconds / 86_400).unwrap_or(i64::MAX);
        let (year, month, day) = civil_from_days(days - SINCE_1970);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month: u8::try_from(month).unwrap_or(12),
            day: u8::try_from(day).unwrap_or(31),
        }
    }
}

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let wrong = || NoDate(text.to_owned());
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            let digits = parts
                .next()
                .filter(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse::<u16>().ok())
                .ok_or_else(wrong)
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return Err(wrong()),
        };
        if parts.next().is_some() || day == 0 || day > days {
            return Err(wrong());
        }
        Ok(Self {
            year,
            month: u8::try_from(month).map_err(|_| wrong())?,
            day: u8::try_from(day).map_err(|_| wrong())?,
        })
    }
}

impl TryFrom<String> for Date {
    type Error = NoDate;

    fn try_from(text: String) -> Result<Self, NoDate> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no day of the calendar: write one as in 2026-12-31")]
pub struct NoDate(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Evidence, Severity};

    fn finding(fingerprint: &str) -> Finding {
        Finding {
            rule: RuleId::SeqScan,
            severity: Severity::Error,
            query: Some("Q".to_owned()),
            location: None,
            message: "m".to_owned(),
            why: String::new(),
            advice: "Do it.".to_owned(),
            evidence: Evidence::default(),
            fix: None,
            fingerprint: Fingerprint(fingerprint.to_owned()),
            suppressed: None,
            symptoms: Vec::new(),
        }
    }

    fn acceptance(fingerprint: &str, expires: Option<&str>) -> Acceptance {
        Acceptance {
            fingerprint: Fingerprint(fingerprint.to_owned()),
            rule: RuleId::SeqScan,
            query: Some("Q".to_owned()),
            message: None,
            reason: "small table".to_owned(),
            expires: expires.map(|day| day.parse().unwrap()),
        }
    }

    #[test]
    fn accepted_findings_do_not_count_until_their_last_day_is_over() {
        let mut baseline = Baseline::default();
        baseline.accept(acceptance("aa", None));
        baseline.accept(acceptance("bb", Some("2026-06-30")));
        baseline.accept(acceptance("cc", Some("2026-06-29")));
        baseline.accept(acceptance("dd", None));
        let mut findings = vec![finding("aa"), finding("bb"), finding("cc"), finding("ee")];
        let applied = baseline.apply(&mut findings, &"2026-06-30".parse().unwrap());
        let counting: Vec<&str> = findings
            .iter()
            .filter(|f| f.suppressed.is_none())
            .map(|f| f.fingerprint.0.as_str())
            .collect();
        assert_eq!(counting, ["cc", "ee"]);
        assert_eq!(
            findings[0].advice,
            "Do it. It was accepted until 2026-06-29 (small table): decide again."
        );
        assert_eq!(findings[2].suppressed.as_ref().unwrap().by, "baseline");
        assert_eq!(
            (applied.expired, applied.unused),
            (
                vec![acceptance("cc", Some("2026-06-29"))],
                vec![acceptance("dd", None)]
            )
        );
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        let mut baseline = Baseline::default();
        baseline.accept(acceptance("bb", Some("2026-06-30")));
        baseline.accept(acceptance("aa", None));
        baseline.accept(acceptance("bb", None));
        let read = Baseline::read(&Source::new(FILE, baseline.text()));
        assert_eq!(read.as_ref(), Ok(&baseline));
        assert_eq!(baseline.accepted.len(), 2);
    }

    #[test]
    fn mistakes_in_the_file_show_their_line() {
        let read = |text: &str| Baseline::read(&Source::new(FILE, text)).unwrap_err();
        let unknown = read(
            "{\n  \"version\": 1,\n  \"accepted\": [{\"fingerprint\": \"aa\",\n \"why\": 1}]\n}",
        );
        assert_eq!(unknown.line(), 4);
        assert!(
            unknown.message.contains("unknown field `why`"),
            "{}",
            unknown.message
        );
        let silent = read(
            "{\"version\": 1, \"accepted\": [\n{\"fingerprint\": \"aa\", \"rule\": \"seq-scan\", \"reason\": \" \"}]}",
        );
        assert_eq!(
            (silent.line(), silent.message.as_str()),
            (2, "the acceptance of aa has no reason")
        );
        assert_eq!(
            read("{\"version\": 7, \"accepted\": []}").message,
            "this is a baseline of version 7, and this pgproof reads 1"
        );
        let day = read(
            "{\"version\": 1, \"accepted\": [{\"fingerprint\": \"aa\", \"rule\": \"seq-scan\", \"reason\": \"x\", \"expires\": \"2026-02-30\"}]}",
        );
        assert!(
            day.message.contains("no day of the calendar"),
            "{}",
            day.message
        );
    }

    #[test]
    fn days() {
        assert_eq!(Date::of_unix_seconds(0).to_string(), "1970-01-01");
        assert_eq!(
            Date::of_unix_seconds(1_709_208_000).to_string(),
            "2024-02-29"
        );
        assert_eq!(
            Date::of_unix_seconds(1_798_761_599).to_string(),
            "2026-12-31"
        );
        assert!("2025-12-31".parse::<Date>().unwrap() < "2026-01-01".parse().unwrap());
        for wrong in [
            "",
            "2026-13-01",
            "2026-1-1",
            "2025-02-29",
            "2026-01-01-01",
            "tomorrow",
        ] {
            assert!(wrong.parse::<Date>().is_err(), "{wrong}");
        }
    }
}
