//! What a finding costs: the time that it takes from each call, as measured, times the calls. It orders what people read
//! first; it is no severity and fails nothing.

use crate::finding::{Finding, Quantity};
use crate::run::Outcome;
use crate::units::Millis;

use super::Report;

/// Calls a second of a query that has no `@calls`.
const UNKNOWN_CALLS: f64 = 1.0;

/// What a finding costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impact {
    /// Of one call; `None` where no time was measured.
    pub per_call: Option<Millis>,
    /// `@calls`; `None` where it is not said.
    pub calls_per_second: Option<f64>,
}

impl Impact {
    /// Of a finding in its report.
    #[must_use]
    pub fn of(report: &Report, found: &Finding) -> Self {
        let query = found
            .query
            .as_deref()
            .and_then(|name| report.query_named(name));
        let per_call = saved_by_fix(found)
            .or_else(|| in_evidence(found))
            .or_else(|| of_run(report, query?.0, found));
        Self {
            per_call,
            calls_per_second: query.and_then(|(_, query)| query.calls_per_second),
        }
    }

    /// Milliseconds of the server's time in each second; a query of unknown rate counts as called once.
    #[must_use]
    pub fn weight(self) -> f64 {
        let time = self.per_call.map_or(0.0, |time| time.0.max(0.0));
        time * self.calls_per_second.unwrap_or(UNKNOWN_CALLS)
    }
}

/// Findings, costliest first; of equal ones the more severe.
#[must_use]
pub fn costliest_first<'a>(
    report: &Report,
    findings: impl IntoIterator<Item = &'a Finding>,
) -> Vec<&'a Finding> {
    let mut weighed: Vec<(f64, &Finding)> = findings
        .into_iter()
        .map(|found| (Impact::of(report, found).weight(), found))
        .collect();
    weighed.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(other.severity.cmp(&one.severity)));
    weighed.into_iter().map(|(_, found)| found).collect()
}

/// What the measured fix takes off a call. A query that was cancelled took at least as long as it was given.
fn saved_by_fix(found: &Finding) -> Option<Millis> {
    let proof = found.fix.as_ref()?.proof.as_ref()?;
    let before = match &proof.before {
        Some(before) => before.time_ms,
        None => proof.cancelled_ms?,
    };
    Some(Millis((before.0 - proof.after.time_ms.0).max(0.0)))
}

/// The time at the node, or of the calls together: what the rule itself measured.
fn in_evidence(found: &Finding) -> Option<Millis> {
    let millis = |key: &str| match found.evidence.get(key) {
        Some(Quantity::Millis(time)) => Some(*time),
        Some(_) | None => None,
    };
    ["time_ms", "at_1_ms", "timeout_ms"]
        .into_iter()
        .find_map(millis)
}

/// The time of the run in which it was seen, else of the worst one.
fn of_run(report: &Report, query: usize, found: &Finding) -> Option<Millis> {
    let runs = &report.runs_of(query)?.runs;
    let seen = runs
        .iter()
        .find(|run| Some(&run.id) == found.evidence.run.as_ref());
    let run = seen.or_else(|| runs.first())?;
    match run.outcome {
        Outcome::TimedOut { after } => Some(after),
        Outcome::Completed { .. } | Outcome::Estimated => run.time(),
    }
}
