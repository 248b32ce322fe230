//! `bypassed-policies`: row security does not hold for the role that the audit runs as. Who asks is the session's to know;
//! here stand the words.

use super::context::{Words, finding as plain};
use super::{Check, Policy, Rule, WithoutRows};
use crate::finding::{Evidence, Finding, RuleId, Severity};
use crate::schema::QualifiedName;

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::BypassedPolicies,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "row security is on and the audit's role bypasses it: production sees other plans",
    condition: "A table that a query of the catalog reads has row level security enabled, and it is not active for the role \
                that the audit runs as (a superuser, a role with BYPASSRLS, or the table's owner). It stays quiet where \
                `[audit] role`, or the query's own `@role`, names a role for which the policies hold.",
    why: "A policy's condition is added to every query: indexes that serve the query alone no longer do, and functions in it \
          may run for each row.",
    advice: "Name the application's role and what it sets, in pgproof.toml: `[audit] role = \"app\"` and \
             `settings = { \"app.tenant\" = \"1\" }`; for one query `-- @role: app` and \
             `-- @set: app.tenant = 1` above it.",
    bad: "ALTER TABLE invoices ENABLE ROW LEVEL SECURITY; -- and the audit runs as a superuser",
    good: "[audit]\nrole = \"app\"\nsettings = { \"app.tenant\" = \"1\" }",
    thresholds: &[],
    check: Check::Elsewhere,
};

/// One finding for each table whose policies do not hold for `role`.
#[must_use]
pub fn findings(tables: &[QualifiedName], role: &str, policy: &Policy) -> Vec<Finding> {
    let Some(severity) = policy.severity(RuleId::BypassedPolicies, Severity::Warning) else {
        return Vec::new();
    };
    let of_table = |table| finding(table, role, severity);
    tables.iter().map(of_table).collect()
}

fn finding(table: &QualifiedName, role: &str, severity: Severity) -> Finding {
    let evidence = Evidence {
        relation: Some(table.to_string()),
        ..Evidence::default()
    };
    let words = Words {
        message: format!(
            "{table} has row level security, which {role} bypasses: its queries were judged without their policies"
        ),
        why: "Production's role sees other plans: a policy's condition is added to every query.".to_owned(),
        advice: "Name the application's role in pgproof.toml: `[audit] role = \"…\"`, and what it sets before it asks: \
                 `settings = { \"app.user_id\" = \"1\" }`; or `-- @role: …` and `-- @set: app.user_id = 1` above a query."
            .to_owned(),
    };
    plain(
        RuleId::BypassedPolicies,
        severity,
        None,
        None,
        evidence,
        words,
    )
}
