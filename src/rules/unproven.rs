//! What was measured of a query that met no row: its plan does not show what the query costs where rows are, so that no finding
//! of it is an error. What tells of rows stands under the query's `not-proven`; a measured fix stands alone, and says it.

use std::collections::HashMap;

use super::WithoutRows;
use crate::finding::{Finding, RuleId, Severity};

/// Bounds the findings of each query that met no row by its `not-proven`. Whoever allows that one says that production finds
/// nothing either: then everything counts.
pub(super) fn bound(findings: &mut [Finding]) {
    let unproven: HashMap<String, Severity> = findings
        .iter()
        .filter(|finding| finding.rule == RuleId::NotProven && finding.suppressed.is_none())
        .filter_map(|finding| Some((finding.query.clone()?, finding.severity)))
        .collect();
    for finding in findings {
        let most = finding.query.as_ref().and_then(|query| unproven.get(query));
        let without_rows = without_rows(finding.rule);
        let Some(most) = most.filter(|_| without_rows != WithoutRows::Counts) else {
            continue;
        };
        finding.severity = finding.severity.min(*most);
        if without_rows == WithoutRows::NoWorse && !finding.advice.ends_with(NOTE) {
            finding.advice.push_str(NOTE);
        }
    }
}

const NOTE: &str = " It was measured where the query met no row: give the data what it looks for before you decide.";

/// Whether a finding tells of a plan that met no row, and stands under what says so.
pub(super) fn is_under(not_proven: &Finding, finding: &Finding) -> bool {
    not_proven.rule == RuleId::NotProven
        && not_proven.query == finding.query
        && without_rows(finding.rule) == WithoutRows::UnderNotProven
}

fn without_rows(rule: RuleId) -> WithoutRows {
    super::find(rule).map_or(WithoutRows::Counts, |rule| rule.without_rows)
}

#[cfg(test)]
mod tests {
    use super::super::judge::settle;
    use super::*;
    use crate::catalog::{Query, parse};
    use crate::finding::{Evidence, Fingerprint};
    use crate::source::Source;

    fn finding(rule: RuleId, severity: Severity, query: &str) -> Finding {
        Finding {
            rule,
            severity,
            query: Some(query.to_owned()),
            location: None,
            message: String::new(),
            why: String::new(),
            advice: "Do it.".to_owned(),
            evidence: Evidence::default(),
            fix: None,
            fingerprint: Fingerprint::of([rule.as_str(), query]),
            suppressed: None,
            symptoms: Vec::new(),
        }
    }

    fn settled(sql: &str) -> Vec<String> {
        let queries: Vec<Query> = parse(&[Source::new("q.sql", sql)]).queries;
        let findings = vec![
            finding(RuleId::NotProven, Severity::Warning, "Moored"),
            finding(RuleId::SeqScan, Severity::Error, "Moored"),
            finding(RuleId::MissingIndex, Severity::Error, "Moored"),
            finding(RuleId::NPlusOne, Severity::Error, "Moored"),
            finding(RuleId::SeqScan, Severity::Error, "Adrift"),
        ];
        let again = settle(settle(findings, &queries, &[]), &queries, &[]);
        let shown = |one: &Finding| {
            let below: Vec<String> = one
                .symptoms
                .iter()
                .map(|below| format!("{} {:?}", below.rule.as_str(), below.severity))
                .collect();
            let notes = one.advice.matches(NOTE).count();
            format!(
                "{} {} {:?} {notes} [{}]",
                one.query.as_deref().unwrap_or_default(),
                one.rule.as_str(),
                one.severity,
                below.join(", ")
            )
        };
        let mut all: Vec<String> = again.iter().map(shown).collect();
        all.sort();
        all
    }

    const SQL: &str = "-- name: Moored :many\nSELECT 1;\n-- name: Adrift :many\nSELECT 2;";

    #[test]
    fn what_a_query_without_rows_shows_is_no_error_and_stands_under_what_says_so() {
        assert_eq!(
            settled(SQL),
            [
                "Adrift seq-scan Error 0 []",
                "Moored missing-index Warning 1 []",
                "Moored n-plus-one Error 0 []",
                "Moored not-proven Warning 0 [seq-scan Warning]",
            ]
        );
    }

    #[test]
    fn where_production_finds_nothing_either_everything_counts() {
        let allowed = SQL.replacen(
            "SELECT",
            "-- @allow not-proven: nobody is moored by day\nSELECT",
            1,
        );
        assert_eq!(
            settled(&allowed),
            [
                "Adrift seq-scan Error 0 []",
                "Moored missing-index Error 0 []",
                "Moored n-plus-one Error 0 []",
                "Moored not-proven Warning 0 []",
                "Moored seq-scan Error 0 []",
            ]
        );
    }

    #[test]
    fn a_note_hands_back_what_it_explained_as_a_warning() {
        let mut spill = finding(RuleId::SortSpill, Severity::Info, "Adrift");
        spill.evidence.node = Some(crate::plan::NodeId(0));
        spill.symptoms = vec![finding(RuleId::SlowQuery, Severity::Error, "Adrift")];
        let queries: Vec<Query> = parse(&[Source::new("q.sql", SQL)]).queries;
        let of = |all: &[Finding]| -> Vec<(RuleId, usize)> {
            all.iter()
                .map(|one| (one.rule, one.symptoms.len()))
                .collect()
        };
        let settled = settle(vec![spill], &queries, &[]);
        assert_eq!(
            of(&settled),
            [(RuleId::SlowQuery, 0), (RuleId::SortSpill, 0)]
        );
    }

    #[test]
    fn an_index_that_is_anothers_beginning_is_not_unused_as_well() {
        let about = |rule: RuleId, condition: &str| {
            let mut one = finding(rule, Severity::Info, condition);
            one.query = None;
            one.evidence.relation = Some("berths".to_owned());
            one.evidence.condition = Some(condition.to_owned());
            one
        };
        let all = vec![
            about(RuleId::DuplicateIndex, "berths_pier = berths_pier_name"),
            about(RuleId::UnusedIndex, "berths_pier"),
            about(RuleId::UnusedIndex, "berths_depth"),
        ];
        let left: Vec<Option<String>> = settle(all, &[], &[])
            .into_iter()
            .filter(|one| one.rule == RuleId::UnusedIndex)
            .map(|one| one.evidence.condition)
            .collect();
        assert_eq!(left, [Some("berths_depth".to_owned())]);
    }
}
