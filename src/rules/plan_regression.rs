//! `plan-regression`: what `pgproof diff` found to cost a query more after a migration. Here stand its words and limits.

use super::{Check, Policy, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::diff::observation::StatementPlace;
use crate::diff::outcome::{Cause, QueryDiff, RunDiff};
use crate::diff::report::RoundTrip;
use crate::diff::traps::{Trap, TrapKind};
use crate::diff::verdict::{Limits, Verdict};
use crate::finding::{Evidence, Finding, Fingerprint, Location, Quantity, RuleId, Severity};
use crate::units::Pages;

const fn limit(
    key: &'static str,
    unit: ThresholdUnit,
    default: f64,
    about: &'static str,
) -> Threshold {
    Threshold {
        rule: RuleId::PlanRegression,
        key,
        unit,
        default,
        about,
    }
}

const MIN_FACTOR: Threshold = limit(
    "min-factor",
    ThresholdUnit::Ratio,
    1.2,
    "blocks after over blocks before, from which on it is a regression",
);
const MIN_PAGES: Threshold = limit(
    "min-pages",
    ThresholdUnit::Pages,
    128.0,
    "and so many blocks more at least",
);
const MAJOR_FACTOR: Threshold = limit(
    "major-factor",
    ThresholdUnit::Ratio,
    2.0,
    "from this factor on it is an error",
);
const MAJOR_PAGES: Threshold = limit(
    "major-pages",
    ThresholdUnit::Pages,
    1000.0,
    "and from so many blocks more on",
);
const MAJOR_ROWS: Threshold = limit(
    "major-rows",
    ThresholdUnit::Rows,
    80_000.0,
    "or from so many rows read more on, by the same factor",
);
const ROWS_FACTOR: Threshold = limit(
    "rows-factor",
    ThresholdUnit::Ratio,
    2.0,
    "rows read after over before, from which on it is a regression",
);
const MIN_ROWS: Threshold = limit(
    "min-rows",
    ThresholdUnit::Rows,
    10_000.0,
    "and so many rows more at least",
);

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::PlanRegression,
    severity: Severity::Error,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a migration makes a query fail, or do more work",
    condition: "pgproof diff runs every query before and after the migration on copies of one dataset with the same \
                values. It fires when the query fails, does not finish or returns another number of rows; when it touches \
                min-factor times the blocks and min-pages more, reads rows-factor times the rows and min-rows more, or \
                begins to spill to disk; and as a warning when interleaved runs show it slower with the same work. What \
                flips on a copy that was only analyzed again never counts.",
    why: "The query runs in production the moment the migration is through, as often as before, with the work shown here.",
    advice: "Change the statement that is named as the cause, or give the query what it lost.",
    bad: "DROP INDEX orders_customer_id_idx;",
    good: "CREATE INDEX CONCURRENTLY ON orders (customer_id, placed_at);  -- then drop the one it replaces",
    thresholds: &[
        MIN_FACTOR,
        MIN_PAGES,
        MAJOR_FACTOR,
        MAJOR_PAGES,
        MAJOR_ROWS,
        ROWS_FACTOR,
        MIN_ROWS,
    ],
    check: Check::Elsewhere,
};

/// The limits that hold for a query.
#[must_use]
pub fn limits(policy: &Policy) -> Limits {
    Limits {
        blocks_factor: policy.limit(&MIN_FACTOR),
        blocks_more: policy.limit(&MIN_PAGES),
        rows_factor: policy.limit(&ROWS_FACTOR),
        rows_more: policy.limit(&MIN_ROWS),
        major_factor: policy.limit(&MAJOR_FACTOR),
        major_more: policy.limit(&MAJOR_PAGES),
        major_rows_more: policy.limit(&MAJOR_ROWS),
    }
}

/// The finding on a query, where its worst parameter set got worse.
#[must_use]
pub fn finding(diff: &QueryDiff, policy: &Policy) -> Option<Finding> {
    if let Some(message) = &diff.fails_after {
        return fails(diff, message, policy);
    }
    let run = diff.runs.first()?;
    let severity = match run.verdict {
        Verdict::Error | Verdict::MajorRegression => Severity::Error,
        Verdict::Regression | Verdict::Slower => Severity::Warning,
        Verdict::Unstable | Verdict::Neutral | Verdict::Unchanged => return None,
        Verdict::Improvement | Verdict::MajorImprovement => return None,
    };
    if !policy.is_on(RuleId::PlanRegression) {
        return None;
    }
    let severity = policy.severity(RuleId::PlanRegression, severity)?;
    let cause = statement(run);
    // The migration is at fault where one of its statements is the cause: the pull request has that line.
    let location = cause.map_or_else(
        || Location {
            file: diff.file.clone(),
            line: diff.line,
        },
        StatementPlace::location,
    );
    Some(Finding {
        rule: RuleId::PlanRegression,
        severity,
        query: Some(diff.query.clone()),
        location: Some(location),
        message: message(run, cause),
        why: RULE.why.to_owned(),
        advice: advice(run, cause),
        evidence: evidence(run),
        fix: None,
        fingerprint: Fingerprint::of([
            RuleId::PlanRegression.as_str(),
            &diff.query,
            run.changes.first().map_or("slower", |change| change.name()),
        ]),
        suppressed: None,
        symptoms: Vec::new(),
    })
}

/// A new or changed query that does not run on the new schema.
fn fails(diff: &QueryDiff, message: &str, policy: &Policy) -> Option<Finding> {
    if diff.failed_before.is_some() || !policy.is_on(RuleId::PlanRegression) {
        return None;
    }
    Some(Finding {
        rule: RuleId::PlanRegression,
        severity: policy.severity(RuleId::PlanRegression, Severity::Error)?,
        query: Some(diff.query.clone()),
        location: Some(Location {
            file: diff.file.clone(),
            line: diff.line,
        }),
        message: format!("does not run on the new schema: {message}"),
        why: RULE.why.to_owned(),
        advice: "Correct the statement, or add the migration that it needs.".to_owned(),
        evidence: Evidence::default(),
        fix: None,
        fingerprint: Fingerprint::of([RuleId::PlanRegression.as_str(), &diff.query, "fails"]),
        suppressed: None,
        symptoms: Vec::new(),
    })
}

/// The statement that is the cause, where one is.
fn statement(run: &RunDiff) -> Option<&StatementPlace> {
    match run.deciding_cause() {
        Some(Cause::Statement { place }) => Some(place),
        Some(Cause::Statistics | Cause::QueryText | Cause::Version { .. }) | None => None,
    }
}

/// The finding on the old form of a changed or removed query, which servers run while a deploy rolls, where it fails or does
/// more work on the new schema.
#[must_use]
pub fn rolling(diff: &QueryDiff, policy: &Policy) -> Option<Finding> {
    let run = diff.runs.first()?;
    let how = match run.verdict {
        Verdict::Error => "fails",
        Verdict::MajorRegression | Verdict::Regression => "does more work",
        Verdict::Slower | Verdict::Unstable | Verdict::Neutral | Verdict::Unchanged => return None,
        Verdict::Improvement | Verdict::MajorImprovement => return None,
    };
    if !policy.is_on(RuleId::PlanRegression) {
        return None;
    }
    let cause = statement(run);
    Some(Finding {
        rule: RuleId::PlanRegression,
        severity: policy.severity(RuleId::PlanRegression, Severity::Warning)?,
        query: Some(diff.query.clone()),
        location: Some(
            cause.map_or_else(|| Location { file: diff.file.clone(), line: diff.line }, StatementPlace::location),
        ),
        message: format!("in its old form {how} while a deploy rolls: {}", message(run, cause)),
        why: "Servers of the version before send the old statement until the last of them is replaced.".to_owned(),
        advice: "Leave what it needs in place until no server sends it: change the schema in two releases.".to_owned(),
        evidence: evidence(run),
        fix: None,
        fingerprint: Fingerprint::of([RuleId::PlanRegression.as_str(), &diff.query, "rolling"]),
        suppressed: None,
        symptoms: Vec::new(),
    })
}

/// The finding on a way back that leads elsewhere.
#[must_use]
pub fn way_back(trip: &RoundTrip, policy: &Policy) -> Option<Finding> {
    if trip.is_clean() || !policy.is_on(RuleId::PlanRegression) {
        return None;
    }
    let counted = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
    let message = match &trip.failure {
        Some(failure) => format!("the way back fails: {failure}"),
        None => {
            let reported = [
                counted(trip.schema.missing.len(), "missing"),
                counted(trip.schema.left_over.len(), "left over"),
                counted(trip.changed_plans.len(), "queries with another plan"),
            ];
            let reported: Vec<String> = reported.into_iter().flatten().collect();
            let first = trip
                .schema
                .missing
                .iter()
                .chain(&trip.schema.left_over)
                .next();
            let first = first
                .map(|line| format!(", {line} among them"))
                .unwrap_or_default();
            format!(
                "the way back does not lead to where it began: {}{first}",
                reported.join(", ")
            )
        }
    };
    Some(Finding {
        location: Some(Location {
            file: trip.file.clone(),
            line: 1,
        }),
        ..of_migration(
            policy.severity(RuleId::PlanRegression, Severity::Warning)?,
            message,
            "A rollback is for the hour in which something went wrong: what it leaves behind then is found by nobody.",
            "Let each down script undo what its up script does, in reverse order.",
            "way-back",
        )
    })
}

/// The finding on a statement that leaves something else than was meant.
#[must_use]
pub fn trap(trap: &Trap, policy: &Policy) -> Option<Finding> {
    if !policy.is_on(RuleId::PlanRegression) {
        return None;
    }
    let short = |name: &str| name.strip_prefix("public.").unwrap_or(name).to_owned();
    let (severity, message, why, advice) = match &trap.kind {
        TrapKind::SkipsInvalidIndex { index } => (
            Severity::Info,
            format!("a second try skips index {index} where the first one failed: IF NOT EXISTS takes an invalid index for done"),
            "A build that fails CONCURRENTLY leaves an invalid index, which costs every write and serves no query.".to_owned(),
            format!("Run DROP INDEX CONCURRENTLY IF EXISTS {index} before it, and leave IF NOT EXISTS out."),
        ),
        TrapKind::NoPolicy { table } => (
            Severity::Warning,
            format!("row security is on for {} and no policy lets a row through", short(table)),
            "Every role but the table's owner and superusers finds the table empty, and can insert nothing; the plans here are the owner's.".to_owned(),
            format!("Create the policies of {} in the same transaction, before ENABLE ROW LEVEL SECURITY.", short(table)),
        ),
    };
    let severity = policy.severity(RuleId::PlanRegression, severity)?;
    let finding = of_migration(severity, message, &why, &advice, &trap.place.excerpt());
    Some(Finding {
        location: Some(trap.place.location()),
        ..finding
    })
}

/// A finding that is no single query's.
fn of_migration(
    severity: Severity,
    message: String,
    why: &str,
    advice: &str,
    what: &str,
) -> Finding {
    Finding {
        rule: RuleId::PlanRegression,
        severity,
        query: None,
        location: None,
        message,
        why: why.to_owned(),
        advice: advice.to_owned(),
        evidence: Evidence::default(),
        fix: None,
        fingerprint: Fingerprint::of([RuleId::PlanRegression.as_str(), what]),
        suppressed: None,
        symptoms: Vec::new(),
    }
}

fn message(run: &RunDiff, cause: Option<&StatementPlace>) -> String {
    let what = match run.verdict {
        Verdict::Slower => match run.slowdown {
            Some(slowdown) => format!(
                "takes {:.1} ms in place of {:.1} ms with the same work (p = {:.4})",
                slowdown.after_ms, slowdown.before_ms, slowdown.p
            ),
            None => "is slower with the same work".to_owned(),
        },
        Verdict::Error => run
            .changes
            .iter()
            .find(|change| change.is_error())
            .map_or_else(String::new, |c| c.describe()),
        _ => more_work(run),
    };
    let because = match cause {
        Some(place) => format!(" since {}", place.label()),
        None => String::new(),
    };
    // Another result and another plan that come from two statements are two stories.
    let apart = run.changes_result() && run.result_cause != run.cause;
    let changes: Vec<String> = run
        .changes
        .iter()
        .filter(|change| !change.is_error() && !apart)
        .take(2)
        .map(|change| change.describe())
        .collect();
    let changes = if changes.is_empty() {
        String::new()
    } else {
        format!(": {}", changes.join("; "))
    };
    let plan = match &run.cause {
        Some(Cause::Statement { place }) if apart => {
            format!("; another plan since {}", place.label())
        }
        Some(_) | None => String::new(),
    };
    format!("{what} ({}){because}{changes}{plan}", run.id)
}

fn more_work(run: &RunDiff) -> String {
    let blocks = |pages: Option<Pages>| pages.map(|pages| pages.to_string());
    let after = run.after.as_ref().map(|side| side.work).unwrap_or_default();
    match (blocks(run.before.work.blocks), blocks(after.blocks)) {
        (Some(before), Some(after)) if before != after => {
            format!("touches {after} in place of {before}")
        }
        _ => "does more work".to_owned(),
    }
}

fn advice(run: &RunDiff, cause: Option<&StatementPlace>) -> String {
    let cause = match (cause, run.deciding_cause()) {
        (Some(place), _) => format!("Look at {}: {}.", place.label(), place.excerpt()),
        (None, Some(Cause::Statistics)) => {
            "New statistics changed the plan, not a statement: look at the estimates of the nodes that changed."
                .to_owned()
        }
        (None, Some(Cause::Version { since, feature })) => {
            format!("PostgreSQL {since} plans it otherwise: {feature}.")
        }
        (None, Some(Cause::QueryText)) => "Look at the statement: its text changed.".to_owned(),
        (None, Some(Cause::Statement { .. }) | None) => {
            "Look at what changed between the two: migrations, statistics, the statement itself.".to_owned()
        }
    };
    format!("{cause} The diff shows both plans side by side.")
}

fn evidence(run: &RunDiff) -> Evidence {
    let mut evidence = Evidence {
        run: Some(run.id.clone()),
        ..Evidence::default()
    };
    let after = run.after.as_ref().map(|side| side.work).unwrap_or_default();
    let pages = [
        ("pages_before", run.before.work.blocks),
        ("pages_after", after.blocks),
    ];
    for (key, pages) in pages {
        if let Some(pages) = pages {
            evidence = evidence.with(key, Quantity::Pages(pages));
        }
    }
    for (key, rows) in [
        ("rows_read_before", run.before.work.rows_read),
        ("rows_read_after", after.rows_read),
    ] {
        if let Some(rows) = rows {
            evidence = evidence.with(key, Quantity::Rows(rows));
        }
    }
    evidence
}
