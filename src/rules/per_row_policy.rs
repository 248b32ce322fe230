//! `per-row-policy`: a row security policy that calls a function for each row. The calls are found in the policies' conditions and
//! measured elsewhere; here stand the words.

use super::context::{Words, finding as plain};
use super::thresholds::{Threshold, ThresholdUnit};
use super::{Check, Policy, Rule, WithoutRows};
use crate::catalog::Query;
use crate::finding::{Evidence, Finding, Fix, Measurement, Proof, Quantity, RuleId, Severity};
use crate::run_id::RunId;
use crate::schema::QualifiedName;
use crate::units::{Count, Millis};

/// Rows below which a policy's calls do not matter.
pub const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::PerRowPolicy,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 1000.0,
    about: "rows that a scan tests with the policy",
};
const MIN_SAVED: Threshold = Threshold {
    rule: RuleId::PerRowPolicy,
    key: "min-saved",
    unit: ThresholdUnit::Millis,
    default: 5.0,
    about: "time that calling once saves; ten times as much is an error",
};
/// Of the time before: what is above it is noise.
const FASTER: f64 = 0.75;

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::PerRowPolicy,
    severity: Severity::Error,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a row security policy calls a function for each row",
    condition: "A table that an executed query scans has a policy whose condition calls a function (of the schema's own, or \
                current_setting) outside of a subquery, and the scan tests at least `min-rows` rows with it. Where the function's \
                arguments are the same for every row, the policy is tried with `(SELECT f())` on the private copy, as the role \
                that the audit asks as, or as the role that the policy names where the audit's own bypasses it: a finding only \
                where that saves `min-saved` and a quarter of the time. It stays quiet where an index finds the rows by the \
                policy: there the function runs once.",
    why: "The server adds the condition to every query of the table, and calls a function that is not immutable again for every \
          row that it tests. A subquery that does not depend on the row runs once, and its result is a constant that an \
          index can be searched by.",
    advice: "Write the call as a subquery: `USING (tenant_id = (SELECT auth.tenant()))`. A function of the row's own columns \
             is turned around: `team_id IN (SELECT teams_of_user())`.",
    bad: "CREATE POLICY own ON invoices USING (tenant_id = auth.tenant());",
    good: "CREATE POLICY own ON invoices USING (tenant_id = (SELECT auth.tenant()));",
    thresholds: &[MIN_ROWS, MIN_SAVED],
    check: Check::Elsewhere,
};

/// What was found out about a table's policies and a query.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// The table.
    pub table: &'a QualifiedName,
    /// Policies and their calls, as they are written.
    pub calls: &'a [(String, String)],
    /// Rows that the scan tested.
    pub rows: f64,
    /// The run in which it was seen.
    pub run: &'a RunId,
    /// The statements, where the calls can be made once.
    pub fix: Option<&'a str>,
    /// Without and with them.
    pub measured: Option<&'a (Measurement, Measurement)>,
}

/// A finding where it was measured and is worth it, or could not be measured.
#[must_use]
pub fn finding(seen: &Seen<'_>, query: &Query, policy: &Policy) -> Option<Finding> {
    let saved = seen
        .measured
        .map(|(before, after)| (before.time_ms, after.time_ms));
    let enough = policy.limit(&MIN_SAVED);
    let worth = saved.is_none_or(|(Millis(before), Millis(after))| {
        before - after >= enough && after <= before * FASTER
    });
    let grave =
        saved.is_some_and(|(Millis(before), Millis(after))| before - after >= enough * 10.0);
    let severity = if grave {
        Severity::Error
    } else {
        Severity::Warning
    };
    let severity = policy
        .severity(RuleId::PerRowPolicy, severity)
        .filter(|_| worth)?;
    let policies: Vec<&str> = seen.calls.iter().map(|(name, _)| name.as_str()).collect();
    let calls: Vec<&str> = seen.calls.iter().map(|(_, call)| call.as_str()).collect();
    let (policies, calls) = (listed(&policies), listed(&calls));
    let evidence = Evidence {
        run: Some(seen.run.clone()),
        relation: Some(seen.table.to_string()),
        condition: Some(calls.clone()),
        ..Evidence::default()
    }
    .with("rows", Quantity::Rows(seen.rows));
    let advice = match (seen.fix, seen.measured) {
        (Some(_), Some(_)) => {
            "Ask once a statement: alter the policy as below; it allows the same rows.".to_owned()
        }
        (Some(_), None) => "Ask once a statement: alter the policy as below. Not measured: name the application's role and what it \
                            sets, `[audit] role` and `settings`, or `@role` and `@set` above the query."
            .to_owned(),
        (None, _) => "Turn it around, so that it does not depend on the row: `team_id IN (SELECT teams_of_user())`.".to_owned(),
    };
    let words = Words {
        message: format!(
            "the policy {policies} on {} calls {calls} for each of {} rows",
            seen.table,
            Count(seen.rows)
        ),
        why: "The policy's condition is part of every query of the table, and a function that is not immutable runs again for \
              every row that is tested."
            .to_owned(),
        advice,
    };
    let mut finding = plain(
        RuleId::PerRowPolicy,
        severity,
        Some(query.name.clone()),
        Some(query.location()),
        evidence,
        words,
    );
    finding.fix = seen.fix.map(|sql| Fix {
        sql: sql.to_owned(),
        proof: seen.measured.map(|(before, after)| Proof {
            before: Some(before.clone()),
            cancelled_ms: None,
            after: after.clone(),
            index_bytes: None,
            build_ms: None,
        }),
    });
    Some(finding)
}

/// Each once.
fn listed(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
