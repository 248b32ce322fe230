//! `blocking-migration`: a statement of a migration that made queries wait, or holds a table that they need. Found by
//! `pgproof diff`; here stand its words and limits.

use super::{Check, Policy, Rule, Threshold, ThresholdUnit};
use crate::diff::blocking::BlockedQuery;
use crate::diff::locks::HeldLock;
use crate::diff::observation::StatementObservation;
use crate::finding::{Evidence, Finding, Fingerprint, Quantity, RuleId, Severity};
use crate::units::Millis;

const MAX_BLOCKED: Threshold = Threshold {
    rule: RuleId::BlockingMigration,
    key: "max-blocked",
    unit: ThresholdUnit::Millis,
    default: 1000.0,
    about: "longest time that a query may wait for a migration; from here on it is an error",
};
const WARN_BLOCKED: Threshold = Threshold {
    rule: RuleId::BlockingMigration,
    key: "warn-blocked",
    unit: ThresholdUnit::Millis,
    default: 100.0,
    about: "time waited from which on it is a warning",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::BlockingMigration,
    severity: Severity::Error,
    summary: "a migration's statement makes queries wait for its lock",
    condition: "pgproof diff applies the migration at scale with the catalog as light traffic beside it. It fires when a \
                query waited for a statement's lock, and it or one that came at the worst moment waits at least \
                warn-blocked, as an error from max-blocked on; or when the statement rewrote or read a table for so long under a lock that stops reads or writes. A short lock that \
                nobody noticed stays quiet.",
    why: "A lock on a table queues every query that needs it, and they queue all others behind them: connections run out \
          while the statement works. Behind one long reader even a statement of a millisecond stops everybody.",
    advice: "Use the form that does not hold the table: CONCURRENTLY, NOT VALID and VALIDATE, batches; and set lock_timeout, \
             with another try, for every statement that needs a table alone.",
    bad: "CREATE INDEX ON orders (customer_id);",
    good: "CREATE INDEX CONCURRENTLY ON orders (customer_id);",
    thresholds: &[MAX_BLOCKED, WARN_BLOCKED],
    check: Check::Elsewhere,
};

/// The finding on a statement; `probes` are the names that its blocked queries index.
#[must_use]
pub fn finding(
    statement: &StatementObservation,
    probes: &[String],
    policy: &Policy,
) -> Option<Finding> {
    let inherited = statement.inherited.iter().map(|inherited| &inherited.lock);
    let lock = statement
        .locks
        .iter()
        .filter(|lock| lock.mode.blocks_writes())
        .chain(inherited)
        .max_by_key(|l| l.mode);
    let held = if statement.works_under_lock() {
        statement.duration.0
    } else {
        0.0
    };
    // That a query waited is measured; how long depends on when it came.
    let possible = if statement.blocked.is_empty() {
        0.0
    } else {
        statement.longest_possible_wait().0
    };
    let worst = statement
        .longest_block()
        .0
        .max(statement.longest_kept().0)
        .max(held)
        .max(possible);
    let severity = match worst {
        ms if ms >= policy.limit(&MAX_BLOCKED) => Severity::Error,
        ms if ms >= policy.limit(&WARN_BLOCKED) => Severity::Warning,
        _ => return None,
    };
    if !policy.is_on(RuleId::BlockingMigration) {
        return None;
    }
    let severity = policy.severity(RuleId::BlockingMigration, severity)?;
    Some(Finding {
        rule: RuleId::BlockingMigration,
        severity,
        query: None,
        location: Some(statement.place.location()),
        message: message(statement, lock, probes),
        why: why(statement),
        advice: advice(statement),
        evidence: evidence(statement, lock),
        fix: None,
        fingerprint: Fingerprint::of([
            RuleId::BlockingMigration.as_str(),
            &statement.place.file.to_string_lossy(),
            &statement.place.excerpt(),
        ]),
        suppressed: None,
        symptoms: Vec::new(),
    })
}

fn message(statement: &StatementObservation, lock: Option<&HeldLock>, probes: &[String]) -> String {
    let label = statement.place.label();
    let who = |queries: &[BlockedQuery]| {
        let first = queries.first()?;
        let others = match queries.len() - 1 {
            0 => String::new(),
            1 => " and 1 other query".to_owned(),
            n => format!(" and {n} other queries"),
        };
        Some((
            format!("{}{others}", probes.get(first.probe)?),
            first.longest,
        ))
    };
    let blocked = who(&statement.blocked)
        .map(|(who, longest)| format!("{who} waited up to {longest} for {label}"));
    let blocked = blocked.or_else(|| {
        let (who, longest) = who(&statement.kept_waiting)?;
        Some(format!("{label} kept {who} waiting for {longest}"))
    });
    let held = lock.map(|lock| {
        let taken = statement
            .inherited
            .iter()
            .find(|inherited| inherited.lock == *lock);
        let (mode, relation) = (lock.mode, short(&lock.relation));
        match taken {
            Some(inherited) => format!(
                "{mode} on {relation} held since line {}",
                inherited.taken_at
            ),
            None => format!("{mode} on {relation} held for {}", statement.locks_held),
        }
    });
    let did = if statement.rewritten.is_empty() {
        (!statement.scanned.is_empty())
            .then(|| format!("reads in full: {}", statement.scanned.join(", ")))
    } else {
        let names: Vec<&str> = statement.rewritten.iter().map(|name| short(name)).collect();
        Some(format!("rewrites {}", names.join(", ")))
    };
    let first = blocked.unwrap_or_else(|| format!("{label} would stop queries"));
    let rest: Vec<String> = [did, held].into_iter().flatten().collect();
    if rest.is_empty() {
        first
    } else {
        format!("{first}: {}", rest.join(", "))
    }
}

fn short(relation: &str) -> &str {
    relation.strip_prefix("public.").unwrap_or(relation)
}

fn why(statement: &StatementObservation) -> String {
    let mut text =
        "Every query that needs the table stands still for that long, each with its connection."
            .to_owned();
    if let Some(at) = &statement.extrapolation {
        text.push_str(&format!(
            " On production's rows the statement takes about {} ({} to {}).",
            at.expected, at.low, at.high
        ));
    }
    if let Some(pile_up) = &statement.pile_up
        && let Some(longest) = pile_up.blocked.first()
    {
        text.push_str(&format!(
            " Behind a reader of {} it made {} queries wait up to {} without doing anything yet.",
            pile_up.reader,
            pile_up.blocked.len(),
            longest.longest
        ));
    }
    text
}

fn advice(statement: &StatementObservation) -> String {
    let timeout = statement.pile_up.as_ref().and_then(|pile_up| {
        let retries = pile_up.with_timeout.as_ref().filter(|retries| retries.through && !pile_up.blocked.is_empty())?;
        Some(format!(
            "Set lock_timeout = '{:.0}ms' before it and try again after a pause: behind the same reader it came through at \
             try {}, and no query waited longer than {}.",
            retries.lock_timeout.0, retries.tries, retries.longest
        ))
    });
    let form = statement.safer.as_ref().map(|safer| {
        let measured = match &safer.measured {
            Some(measured) if measured.failure.is_none() => {
                format!(
                    " Measured: the longest wait was {}.",
                    measured.longest_block
                )
            }
            Some(_) | None => String::new(),
        };
        let statements = match safer.form.statements.as_slice() {
            [] => String::new(),
            // The report has them on lines of their own.
            statements if statements.len() > 4 => {
                format!(" That is {} statements.", statements.len())
            }
            statements => format!(
                " {};",
                statements
                    .join("; ")
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        };
        format!("Safer: {}.{statements}{measured}", safer.form.why)
    });
    let parts: Vec<String> = [form, timeout].into_iter().flatten().collect();
    if parts.is_empty() {
        RULE.advice.to_owned()
    } else {
        parts.join(" ")
    }
}

fn evidence(statement: &StatementObservation, lock: Option<&HeldLock>) -> Evidence {
    let relation = lock.map(|lock| short(&lock.relation).to_owned());
    Evidence {
        relation,
        ..Evidence::default()
    }
    .with("blocked_ms", Quantity::Millis(statement.longest_block()))
    .with(
        "worst_wait_ms",
        Quantity::Millis(statement.longest_possible_wait()),
    )
    .with(
        "duration_ms",
        Quantity::Millis(Millis(statement.duration.0)),
    )
    .with("locks_held_ms", Quantity::Millis(statement.locks_held))
    .with(
        "blocked_queries",
        Quantity::Count(statement.blocked.len() as u64),
    )
    .with("wal_bytes", Quantity::Bytes(statement.wal))
}
