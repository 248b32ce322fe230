//! `not-audited`: a query of the catalog of which nothing is known, because it could not be read, prepared or run.

use super::{Check, Policy, Rule, WithoutRows};
use crate::catalog::query::{Query, SkipReason, Skipped};
use crate::finding::{Evidence, Finding, Fingerprint, Location, Quantity, RuleId, Severity};
use crate::run::{QueryFailure, QueryRuns};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::NotAudited,
    severity: Severity::Error,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a query of the catalog could not be audited",
    condition: "A statement that does not parse or has no plan (DDL, ANALYZE, LOCK, NOTIFY, DO), a query that the server refuses, \
        that fails at run time, or that the audit did not reach. It stops no other query. A warning; information where the statement \
        has no plan; an error where nothing of the catalog was audited. Silent for what `@skip` or `exclude` leave out. `--strict` makes mistakes in the \
        catalog's files an error before anything runs.",
    why: "Nothing is known of it: an audit without findings says nothing about this query.",
    advice: "Correct it where its file says, or write `-- @skip: reason` above it, or name it in `exclude` of pgproof.toml.",
    bad: "SELECT id, totl FROM orders;  -- there is no such column",
    good: "SELECT id, total FROM orders;",
    thresholds: &[],
    check: Check::Elsewhere,
};

/// What an audit could not judge.
#[derive(Debug, Clone, Copy)]
pub struct Unjudged<'a> {
    /// Left out of the catalog.
    pub skipped: &'a [Skipped],
    /// What is in it.
    pub queries: &'a [Query],
    /// What was seen of it.
    pub runs: &'a [QueryRuns],
}

/// One finding for each query that nobody decided to leave out.
#[must_use]
pub fn findings(
    unjudged: &Unjudged<'_>,
    policy_for: &dyn Fn(&Query) -> Policy,
    policy_of: &dyn Fn(&Skipped) -> Policy,
) -> Vec<Finding> {
    let nothing_ran = unjudged.runs.iter().all(|runs| runs.failure.is_some());
    let severity = if nothing_ran {
        Severity::Error
    } else {
        Severity::Warning
    };
    let skipped = unjudged.skipped.iter().filter_map(|skipped| {
        let policy = policy_of(skipped);
        // There is nothing to audit, and nothing to correct.
        let severity = match skipped.why {
            SkipReason::NoPlan(_) => severity.min(Severity::Info),
            SkipReason::Mistake(_)
            | SkipReason::Asked { .. }
            | SkipReason::Excluded { .. }
            | SkipReason::NoQueries { .. } => severity,
        };
        of_skipped(skipped, policy.severity(RuleId::NotAudited, severity)?)
    });
    let failed = unjudged.runs.iter().filter_map(|runs| {
        let query = unjudged.queries.get(runs.query)?;
        let policy = policy_for(query);
        if !policy.is_on(RuleId::NotAudited) {
            return None;
        }
        let severity = policy.severity(RuleId::NotAudited, severity)?;
        Some(of_failure(query, runs.failure.as_ref()?, severity))
    });
    skipped.chain(failed).collect()
}

fn of_skipped(skipped: &Skipped, severity: Severity) -> Option<Finding> {
    let mistake = skipped.mistake()?;
    let location = Location {
        file: skipped.file.clone(),
        line: mistake.line(),
    };
    let message = format!("{} is not audited: {}", skipped.name, skipped.reason());
    Some(finding(
        &skipped.name,
        location,
        severity,
        (message, sentence(&skipped.remedy())),
    ))
}

fn of_failure(query: &Query, failure: &QueryFailure, severity: Severity) -> Finding {
    let line = match failure.position {
        Some(position) => query.source_position(position).0,
        None => query.line,
    };
    let location = Location {
        file: query.file.clone(),
        line,
    };
    let code = failure
        .code
        .as_deref()
        .map(|code| format!(" (SQLSTATE {code})"))
        .unwrap_or_default();
    let message = format!(
        "{} is not audited: {}{code}",
        query.name,
        failure.message.trim_end_matches('.')
    );
    let found = finding(&query.name, location, severity, (message, remedy(failure)));
    match &failure.code {
        Some(code) => Finding {
            evidence: found
                .evidence
                .clone()
                .with("sqlstate", Quantity::Text(code.clone())),
            ..found
        },
        None => found,
    }
}

fn finding(
    name: &str,
    location: Location,
    severity: Severity,
    (message, advice): (String, String),
) -> Finding {
    Finding {
        rule: RuleId::NotAudited,
        severity,
        query: Some(name.to_owned()),
        location: Some(location),
        message,
        why: RULE.why.to_owned(),
        advice,
        evidence: Evidence::default(),
        fix: None,
        fingerprint: Fingerprint::of([RuleId::NotAudited.as_str(), name]),
        suppressed: None,
        symptoms: Vec::new(),
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    let first = characters.next().map(char::to_uppercase);
    let rest = characters.as_str();
    format!("{}{rest}.", first.into_iter().flatten().collect::<String>())
}

/// What to do about a failure, by its class.
#[must_use]
pub fn remedy(failure: &QueryFailure) -> String {
    if let Some(hint) = &failure.hint {
        return hint.clone();
    }
    let class = failure.code.as_deref().and_then(|code| code.get(..2));
    match class {
        Some("53" | "57" | "58" | "XX" | "08") => {
            "The server is at fault, not the query: see its log, then run `pgproof audit` again."
        }
        Some("42") => "Correct the query, or the migrations that its tables come from.",
        Some("22" | "23") => {
            "Choose values that the statement takes with `@param`, for example `-- @param id: 'value'`."
        }
        Some(_) => "Correct it, or write `-- @skip: reason` above it.",
        None => "Run `pgproof audit` again, or write `-- @skip: reason` above it.",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceError};

    fn skipped(why: SkipReason) -> Skipped {
        Skipped {
            name: "Broken".to_owned(),
            file: "queries/a.sql".into(),
            line: 3,
            why,
        }
    }

    fn found(skipped: &[Skipped], runs: &[QueryRuns]) -> Vec<(Severity, String, u32)> {
        let unjudged = Unjudged {
            skipped,
            queries: &[],
            runs,
        };
        findings(&unjudged, &|_| Policy::default(), &|_| Policy::default())
            .into_iter()
            .map(|found| {
                (
                    found.severity,
                    found.message,
                    found.location.map_or(0, |place| place.line),
                )
            })
            .collect()
    }

    #[test]
    fn a_mistake_is_a_warning_and_an_error_where_nothing_ran() {
        let source = Source::new("queries/a.sql", "-- name: Broken :one\n\nSELEC 1");
        let mistake = SourceError::new(&source, 22..27, "syntax error at `SELEC`");
        let skipped = [skipped(SkipReason::Mistake(mistake))];
        let ran = QueryRuns {
            query: 0,
            runs: Vec::new(),
            failure: None,
            notes: Vec::new(),
        };
        let message = "Broken is not audited: syntax error at `SELEC`".to_owned();
        assert_eq!(
            found(&skipped, &[ran]),
            [(Severity::Warning, message.clone(), 3)]
        );
        assert_eq!(found(&skipped, &[]), [(Severity::Error, message, 3)]);
    }

    #[test]
    fn a_statement_that_has_no_plan_is_information() {
        let source = Source::new("queries/a.sql", "LOCK jobs;");
        let lock = SourceError::new(&source, 0..4, "LOCK statements cannot be audited");
        let ran = QueryRuns {
            query: 0,
            runs: Vec::new(),
            failure: None,
            notes: Vec::new(),
        };
        let found = found(&[skipped(SkipReason::NoPlan(lock))], &[ran]);
        assert_eq!(found[0].0, Severity::Info);
    }

    #[test]
    fn what_somebody_left_out_is_no_finding() {
        let asked = SkipReason::Asked {
            reason: "by hand".to_owned(),
        };
        let excluded = SkipReason::Excluded {
            pattern: "maintenance/*".to_owned(),
        };
        assert_eq!(found(&[skipped(asked), skipped(excluded)], &[]), []);
    }
}
