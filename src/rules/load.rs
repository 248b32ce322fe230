//! How often a query runs decides how much its faults matter: what the author said by `@calls` weighs the severity of what
//! the rules found. Knows no rule by its workings, only by whether it is about work.

use crate::catalog::Query;
use crate::finding::{Finding, Measure, Quantity, RuleId, Severity};
use crate::units::Count;

/// Pages a second from which a fault is an error: a core reads a few hundred thousand cached pages a second, and this is a
/// tenth of that for one query.
const HEAVY: f64 = 25_000.0;
/// Pages a second below which a fault is no more than a warning: a scan of 100,000 pages once in a quarter of an hour.
const LIGHT: f64 = 120.0;

/// Weighs a finding by the calls of its query, where they are given: heavy load makes a warning an error, hardly any makes an
/// error a warning.
pub fn weigh(finding: &mut Finding, query: Option<&Query>) {
    let Some(calls) = query.and_then(|query| query.calls_per_second) else {
        return;
    };
    let Some(pages) = pages(finding).filter(|_| is_work_of_each_call(finding.rule)) else {
        return;
    };
    let load = pages * calls;
    let weighed = match finding.severity {
        Severity::Warning if load >= HEAVY => Severity::Error,
        Severity::Error if load < LIGHT => Severity::Warning,
        unchanged => unchanged,
    };
    if weighed != finding.severity || weighed > Severity::Info && load >= HEAVY {
        finding.why.push_str(&format!(
            " At {} it touches {} pages a second.",
            often(calls),
            Count(load)
        ));
    }
    finding.severity = weighed;
    finding.evidence.measures.push(Measure {
        key: "pages_per_second".into(),
        quantity: Quantity::Count(load.round() as u64),
    });
}

/// `40 calls a second`, `6 calls an hour`.
fn often(calls: f64) -> String {
    let (count, unit) = match calls {
        calls if calls >= 1.0 => (calls, "a second"),
        calls if calls * 60.0 >= 1.0 => (calls * 60.0, "a minute"),
        calls if calls * 3_600.0 >= 1.0 => (calls * 3_600.0, "an hour"),
        calls => (calls * 86_400.0, "a day"),
    };
    let rounded = Count(count).to_string();
    let word = if rounded == "1" { "call" } else { "calls" };
    format!("{rounded} {word} {unit}")
}

/// Pages that the fault costs a call: the node's own, else the query's; what goes to disk counts as pages.
fn pages(finding: &Finding) -> Option<f64> {
    let evidence = &finding.evidence;
    let pages = ["pages", "query_pages"]
        .into_iter()
        .find_map(|key| match evidence.get(key) {
            Some(Quantity::Pages(pages)) => Some(pages.0 as f64),
            Some(_) | None => None,
        });
    let spilled =
        ["disk_bytes", "temp_bytes"]
            .into_iter()
            .find_map(|key| match evidence.get(key) {
                Some(Quantity::Bytes(bytes)) => {
                    Some(bytes.0 as f64 / crate::units::Pages::SIZE as f64)
                }
                Some(_) | None => None,
            });
    match (pages, spilled) {
        (None, None) => None,
        (pages, spilled) => Some(pages.unwrap_or_default() + spilled.unwrap_or_default()),
    }
}

fn is_work_of_each_call(rule: RuleId) -> bool {
    super::find(rule).is_some_and(|rule| rule.is_work_of_each_call)
}

#[cfg(test)]
mod tests {
    use super::{often, weigh};
    use crate::finding::{Evidence, Finding, Fingerprint, Quantity, RuleId, Severity};
    use crate::units::Pages;

    /// A finding that costs `pages` a call, weighed by the calls.
    fn weighed(rule: RuleId, severity: Severity, pages: u64, calls: f64) -> Finding {
        let mut finding = Finding {
            rule,
            severity,
            query: None,
            location: None,
            message: String::new(),
            why: String::new(),
            advice: String::new(),
            evidence: Evidence::default().with("pages", Quantity::Pages(Pages(pages))),
            fix: None,
            fingerprint: Fingerprint::of([rule.as_str()]),
            suppressed: None,
            symptoms: Vec::new(),
        };
        let sql = format!("-- name: Q :many\n-- @calls: {calls}/s\nSELECT 1;");
        let catalog = crate::catalog::parse(&[crate::source::Source::new("q.sql", sql)]);
        weigh(&mut finding, catalog.queries.first());
        finding
    }

    #[test]
    fn load_decides_from_its_limits_on() {
        let severity =
            |severity, pages, calls| weighed(RuleId::SeqScan, severity, pages, calls).severity;
        assert_eq!(severity(Severity::Warning, 24_999, 1.0), Severity::Warning);
        assert_eq!(severity(Severity::Warning, 25_000, 1.0), Severity::Error);
        assert_eq!(severity(Severity::Warning, 500, 50.0), Severity::Error);
        assert_eq!(severity(Severity::Error, 120, 1.0), Severity::Error);
        assert_eq!(severity(Severity::Error, 119, 1.0), Severity::Warning);
        assert_eq!(severity(Severity::Info, 90_000, 1.0), Severity::Info);
    }

    #[test]
    fn load_is_named_where_it_is_heavy() {
        let heavy = weighed(RuleId::SeqScan, Severity::Error, 500, 50.0);
        assert_eq!(
            heavy.why,
            " At 50 calls a second it touches 25,000 pages a second."
        );
        let pages = heavy.evidence.get("pages_per_second");
        assert_eq!(pages, Some(&Quantity::Count(25_000)));
        assert_eq!(weighed(RuleId::SeqScan, Severity::Error, 499, 50.0).why, "");
    }

    #[test]
    fn what_is_no_work_of_a_call_is_not_weighed() {
        let finding = weighed(RuleId::NotAudited, Severity::Warning, 90_000, 50.0);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence.get("pages_per_second"), None);
    }

    #[test]
    fn calls_in_words() {
        let shown = [40.0, 1.0, 0.5, 1.0 / 3_600.0, 3.0 / 86_400.0].map(often);
        let expected = [
            "40 calls a second",
            "1 call a second",
            "30 calls a minute",
            "1 call an hour",
            "3 calls a day",
        ];
        assert_eq!(shown, expected);
    }
}
