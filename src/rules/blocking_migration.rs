//! `blocking-migration`: a statement of a migration that made queries wait, or holds a table that they need. Found by
//! `pgproof diff`; here stand its words and limits.

use super::{Check, Policy, Rule, Threshold, ThresholdUnit, WithoutRows};
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
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
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

/// The verdict on the same statement on the same dataset the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It was not seen yet.
    Unknown,
    /// No finding.
    Quiet,
    /// A finding, by the limits alone.
    Found(Severity),
}

/// How far past a limit a time has to be to change the verdict before: two runs differ by about so much.
const SLACK: f64 = 1.3;

/// The severity by the limits. A time near one of them keeps the verdict before.
fn by_limits(worst: f64, policy: &Policy, before: Before) -> Option<Severity> {
    let is_past = |limit: f64, severity: Severity| {
        worst
            >= match before {
                Before::Unknown => limit,
                Before::Found(before) if before >= severity => limit / SLACK,
                Before::Found(_) | Before::Quiet => limit * SLACK,
            }
    };
    if is_past(policy.limit(&MAX_BLOCKED), Severity::Error) {
        Some(Severity::Error)
    } else if is_past(policy.limit(&WARN_BLOCKED), Severity::Warning) {
        Some(Severity::Warning)
    } else {
        None
    }
}

/// What a statement is by the limits alone, whatever the configuration makes of it: to be remembered.
#[must_use]
pub fn severity_by_limits(
    statement: &StatementObservation,
    policy: &Policy,
    before: Before,
) -> Option<Severity> {
    by_limits(worst(statement), policy, before)
}

/// The longest that any query waited for the statement, or would have, without what the statement itself waited for a
/// processor: a busy machine does not make a lock an error.
fn worst(statement: &StatementObservation) -> f64 {
    let held = if statement.works_under_lock() {
        statement.undisturbed_duration().0
    } else {
        0.0
    };
    // That a query waited is measured; how long depends on when it came.
    let possible = if statement.blocked.is_empty() {
        0.0
    } else {
        statement.longest_possible_wait().0
    };
    let measured = statement.longest_block().0.max(statement.longest_kept().0);
    (measured.max(possible) * statement.undisturbed_share()).max(held)
}

/// The finding on a statement; `probes` are the names that its blocked queries index.
#[must_use]
pub fn finding(
    statement: &StatementObservation,
    probes: &[String],
    policy: &Policy,
    before: Before,
) -> Option<Finding> {
    let lock = lock(statement);
    let severity = by_limits(worst(statement), policy, before)?;
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

/// The lock that the finding is about: on the table that was waited for, else the strongest of its own, else of those that it
/// works under.
fn lock(statement: &StatementObservation) -> Option<&HeldLock> {
    let own = statement
        .locks
        .iter()
        .filter(|lock| lock.mode.blocks_writes());
    let inherited = statement.inherited.iter().map(|inherited| &inherited.lock);
    let waited_for = statement.blocked.first().or(statement.kept_waiting.first());
    let waited_for = waited_for.and_then(|waited| waited.relation.as_ref());
    let on = |lock: &&HeldLock| Some(&lock.relation) == waited_for;
    let strongest = || own.clone().max_by_key(|lock| lock.mode);
    let met = own.clone().find(on).or_else(|| inherited.clone().find(on));
    met.or_else(strongest)
        .or_else(|| inherited.clone().max_by_key(|lock| lock.mode))
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
    if let Some(waited) = cpu_wait(statement) {
        text.push_str(&format!(
            " The machine was busy with other work: the statement waited {waited} for a processor, which does not count \
             towards the severity."
        ));
    }
    if let Some(at) = &statement.extrapolation {
        text.push_str(&format!(
            " On production's rows the statement takes about {} ({} to {}).",
            at.expected, at.low, at.high
        ));
    }
    if let Some(pile_up) = &statement.pile_up
        && let Some(longest) = pile_up.blocked.first()
    {
        let many = match pile_up.blocked.len() {
            1 => "1 query".to_owned(),
            n => format!("{n} queries"),
        };
        text.push_str(&format!(
            " Behind a reader of {} it made {many} wait up to {} without doing anything yet.",
            pile_up.reader, longest.longest
        ));
    }
    text
}

/// What the statement waited for a processor, where that is a fifth of its time or more.
fn cpu_wait(statement: &StatementObservation) -> Option<Millis> {
    let of = |waited: Millis, time: Millis| {
        (waited.0 >= time.0 / 5.0 && waited.0 >= 10.0).then_some(waited)
    };
    let held = of(statement.locks_held_cpu_wait, statement.locks_held);
    held.or_else(|| of(statement.duration_cpu_wait, statement.duration))
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
            Some(measured) if measured.failure.is_none() && measured.longest_block.0 <= 0.0 => {
                " Measured: no query waited.".to_owned()
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::locks::LockMode;
    use crate::diff::observation::StatementPlace;
    use crate::rules::thresholds::Policy;
    use crate::units::Bytes;

    #[test]
    fn a_time_near_a_limit_keeps_what_was_said_before() {
        let policy = Policy::default();
        let said = |ms, before| by_limits(ms, &policy, before);
        let (error, warning) = (Some(Severity::Error), Some(Severity::Warning));
        for ms in [800.0, 990.0, 1010.0, 1250.0] {
            assert_eq!(said(ms, Before::Found(Severity::Error)), error, "{ms}");
            assert_eq!(said(ms, Before::Found(Severity::Warning)), warning, "{ms}");
        }
        assert_eq!(said(990.0, Before::Unknown), warning);
        assert_eq!(said(1010.0, Before::Unknown), error);
        assert_eq!(said(1400.0, Before::Found(Severity::Warning)), error);
        assert_eq!(said(700.0, Before::Found(Severity::Error)), warning);
        assert_eq!(said(120.0, Before::Quiet), None);
        assert_eq!(said(140.0, Before::Quiet), warning);
    }

    #[test]
    fn limits_and_the_room_around_them_are_met_at_their_value() {
        let policy = Policy::default();
        let said = |ms, before| by_limits(ms, &policy, before);
        let (error, warning) = (Some(Severity::Error), Some(Severity::Warning));
        assert_eq!(said(1000.0, Before::Unknown), error);
        assert_eq!(said(999.9, Before::Unknown), warning);
        assert_eq!(said(100.0, Before::Unknown), warning);
        assert_eq!(said(99.9, Before::Unknown), None);
        assert_eq!(said(130.0, Before::Quiet), warning);
        assert_eq!(said(129.9, Before::Quiet), None);
        assert_eq!(said(769.3, Before::Found(Severity::Error)), error);
        assert_eq!(said(769.2, Before::Found(Severity::Error)), warning);
    }

    #[test]
    fn what_a_statement_waited_for_a_processor_is_not_its_severity() {
        let statement = |duration, waited| StatementObservation {
            duration: Millis(duration),
            duration_cpu_wait: Millis(waited),
            ..rewriting()
        };
        let severity = |statement: &StatementObservation| {
            finding(statement, &[], &Policy::default(), Before::Unknown).map(|found| found.severity)
        };
        let idle = statement(900.0, 3.0);
        let busy = statement(2700.0, 1800.0);
        assert_eq!(severity(&idle), Some(Severity::Warning));
        assert_eq!(severity(&busy), severity(&idle));
        assert_eq!(severity(&statement(2700.0, 30.0)), Some(Severity::Error));
        assert!(
            why(&busy).contains("waited 1.80 s for a processor"),
            "{}",
            why(&busy)
        );
        assert!(!why(&idle).contains("processor"));
    }

    #[test]
    fn a_query_waits_longer_for_a_lock_whose_holder_waits_for_a_processor() {
        let lock = HeldLock {
            relation: "public.orders".to_owned(),
            mode: LockMode::AccessExclusive,
        };
        let waited = |held, cpu_wait, blocked| StatementObservation {
            duration: Millis(0.0),
            locks_held: Millis(held),
            locks_held_cpu_wait: Millis(cpu_wait),
            blocked: vec![BlockedQuery {
                probe: 0,
                executions: 1,
                longest: Millis(blocked),
                relation: Some(lock.relation.clone()),
                mode: Some(LockMode::AccessShare),
            }],
            ..rewriting()
        };
        assert!((worst(&waited(1000.0, 0.0, 900.0)) - 900.0).abs() < 1e-9);
        assert!((worst(&waited(3000.0, 2000.0, 2700.0)) - 900.0).abs() < 1e-9);
    }

    /// A statement that rewrites a table.
    fn rewriting() -> StatementObservation {
        let lock = HeldLock {
            relation: "public.orders".to_owned(),
            mode: LockMode::AccessExclusive,
        };
        StatementObservation {
            place: StatementPlace {
                version: "1".to_owned(),
                file: "1.sql".into(),
                line: 1,
                sql: "ALTER TABLE orders ALTER total TYPE bigint".to_owned(),
            },
            rows: None,
            duration: Millis(0.0),
            duration_cpu_wait: Millis(0.0),
            locks_held: Millis(0.0),
            locks_held_cpu_wait: Millis(0.0),
            in_transaction: false,
            locks: vec![lock],
            inherited: Vec::new(),
            rewritten: vec!["public.orders".to_owned()],
            scanned: Vec::new(),
            wal: Bytes(0),
            size_change: 0,
            worst_wait: None,
            blocked: Vec::new(),
            kept_waiting: Vec::new(),
            deadlocked: false,
            pile_up: None,
            safer: None,
            extrapolation: None,
        }
    }
}
