//! Sentences that every form of a diff report uses.

use crate::diff::blocking::BlockedQuery;
use crate::diff::canonical::display_relation;
use crate::diff::extrapolate::Extrapolation;
use crate::diff::observation::{PileUp, ProvenForm, StatementObservation, StatementPlace};
use crate::diff::outcome::{Cause, Presence, QueryDiff, RunDiff};
use crate::diff::report::{Comparison, IndexUse};
use crate::diff::verdict::Verdict;
use crate::units::{Bytes, Millis};

/// What is shorter is not reported.
const WORTH_TELLING: Millis = Millis(5.0);

/// Whom a statement kept waiting for another statement's lock: the longest.
pub(super) fn kept(statement: &StatementObservation) -> Option<&BlockedQuery> {
    statement
        .kept_waiting
        .first()
        .filter(|kept| kept.longest.0 >= WORTH_TELLING.0)
}

/// A side that may be missing.
pub(super) type Side<'a> = Option<&'a crate::diff::outcome::Side>;

/// `1,200 → 4`.
pub(super) fn blocks(run: &RunDiff) -> String {
    let of = |side: Side<'_>| match side.and_then(|side| side.work.blocks) {
        Some(pages) => crate::units::Count(pages.0 as f64).to_string(),
        None => "-".to_owned(),
    };
    format!("{} → {}", of(Some(&run.before)), of(run.after.as_ref()))
}

/// `0042_drop.sql:7  DROP INDEX …`.
pub(super) fn cause_sentence(cause: &Cause) -> String {
    match cause {
        Cause::Statement { place } => format!("{} {}", place.label(), place.excerpt()),
        Cause::Statistics => "new statistics, no single statement".to_owned(),
        Cause::QueryText => "the query's own text changed".to_owned(),
        Cause::Version { since, feature } => format!("PostgreSQL {since}: {feature}"),
    }
}

/// What a query's plan and its result are another since; one sentence each, the result first.
pub(super) fn cause_sentences(run: &RunDiff) -> Vec<String> {
    let causes = match (&run.result_cause, &run.cause) {
        (Some(result), Some(plan)) if result != plan => vec![
            format!("other rows since {}", cause_sentence(result)),
            format!("another plan since {}", cause_sentence(plan)),
        ],
        (Some(cause), _) | (None, Some(cause)) => vec![format!("since {}", cause_sentence(cause))],
        (None, None) => Vec::new(),
    };
    let chance = run.chance.map(|chance| {
        format!(
            "by chance: {} of {} other samples of ANALYZE's lead to another plan",
            chance.otherwise, chance.samples
        )
    });
    causes.into_iter().chain(chance).collect()
}

/// Duration, rows, rewrite, full reads, WAL, size.
pub(super) fn statement_facts(statement: &StatementObservation) -> Vec<String> {
    let mut facts = vec![statement.duration.to_string()];
    if statement.in_transaction && statement.locks_held.0 > statement.duration.0 * 1.1 + 5.0 {
        facts.push(format!(
            "locks held {} (until its file's transaction ends)",
            statement.locks_held
        ));
    }
    facts.extend(
        statement
            .rows
            .map(|rows| format!("{} rows", crate::units::Count(rows as f64))),
    );
    facts.extend(
        statement
            .rewritten
            .iter()
            .map(|table| format!("rewrites {}", display_relation(table))),
    );
    let built: Vec<&str> = statement
        .scanned
        .iter()
        .filter_map(|what| what.strip_prefix("building index "))
        .collect();
    match built.as_slice() {
        [] => {}
        [index] => facts.push(format!("builds index {index}")),
        indexes => facts.push(format!(
            "builds {} indexes: {}",
            indexes.len(),
            indexes.join(" ")
        )),
    }
    let read = statement
        .scanned
        .iter()
        .filter(|what| !what.starts_with("building index "));
    facts.extend(read.map(|what| format!("reads in full: {what}")));
    facts.push(format!("{} WAL", statement.wal));
    let size = Bytes(statement.size_change.unsigned_abs());
    match statement.size_change {
        0 => {}
        change if change > 0 => facts.push(format!("+{size}")),
        _ => facts.push(format!("-{size}")),
    }
    facts
}

/// `AccessExclusive on orders, Share on customers`; `None` where it takes nothing on tables that were there.
pub(super) fn locks_phrase(statement: &StatementObservation) -> Option<String> {
    let locks: Vec<String> = statement
        .locks
        .iter()
        .map(|lock| {
            let stops = match (lock.mode.blocks_reads(), lock.mode.blocks_writes()) {
                (true, _) => ", stops reads and writes",
                (false, true) => ", stops writes",
                (false, false) => "",
            };
            format!(
                "{} on {}{stops}",
                lock.mode,
                display_relation(&lock.relation)
            )
        })
        .collect();
    /// A file that takes one table after the other works under all of them.
    const TOLD: usize = 3;
    let more = statement.inherited.len().saturating_sub(TOLD);
    let inherited = statement.inherited.iter().take(TOLD).map(|inherited| {
        let at = StatementPlace {
            line: inherited.taken_at,
            ..statement.place.clone()
        };
        format!(
            "{} on {} since {}",
            inherited.lock.mode,
            display_relation(&inherited.lock.relation),
            at.label()
        )
    });
    let more = (more > 0).then(|| format!("{more} more that the file holds"));
    let parts: Vec<String> = locks.into_iter().chain(inherited).chain(more).collect();
    (!parts.is_empty()).then(|| format!("locks: {}", parts.join("; ")))
}

/// `at 8,000,000 rows: about 23.6 s (19.0 s to 31.0 s, for runs that differ by 12 %)`.
pub(super) fn extrapolation_sentence(at: &Extrapolation) -> String {
    format!(
        "at {} rows: about {} ({} to {}, for runs that differ by {:.0} %)",
        crate::units::Count(at.rows),
        at.expected,
        at.low,
        at.high,
        at.spread * 100.0
    )
}

/// `GetUser was kept waiting for 1.2 s by 0042_drop.sql:9`.
pub(super) fn kept_sentence(
    kept: &BlockedQuery,
    probes: &[String],
    place: &StatementPlace,
) -> String {
    let name = probes.get(kept.probe).map_or("a query", String::as_str);
    format!(
        "{name} was kept waiting for {} by {}",
        kept.longest,
        place.label()
    )
}

/// A file that changes rows first and asks for their table then: some query waits for the rows and holds the table.
pub(super) fn deadlock_sentence(statement: &StatementObservation) -> Option<String> {
    statement.deadlocked.then(|| {
        "met a deadlock: an earlier statement of its file holds rows that a query waits for, and it asks for the table that the \
         query holds; the server ends one of the two, and with it the whole file or the query"
            .to_owned()
    })
}

/// `behind a reader of 1.5 s: 3 queries waited up to 1.5 s; with lock_timeout = 100ms …`.
pub(super) fn pile_up_sentence(pile_up: &PileUp) -> Option<String> {
    let longest = pile_up.blocked.first()?.longest;
    let many = match pile_up.blocked.len() {
        1 => "1 query".to_owned(),
        n => format!("{n} queries"),
    };
    let first = format!(
        "behind a reader of {}: {many} waited up to {longest}",
        pile_up.reader
    );
    Some(match &pile_up.with_timeout {
        None => first,
        Some(retries) => {
            let end = if retries.through {
                "through at try"
            } else {
                "not through after try"
            };
            format!(
                "{first}; with lock_timeout = {:.0}ms and another try after {:.0}ms up to {}, {end} {}",
                retries.lock_timeout.0, retries.pause.0, retries.longest, retries.tries
            )
        }
    })
}

/// `GetUser was blocked 12.1 s by 0042_drop.sql:7`.
pub(super) fn blocked_sentence(
    blocked: &BlockedQuery,
    probes: &[String],
    place: &StatementPlace,
) -> String {
    let name = probes.get(blocked.probe).map_or("a query", String::as_str);
    let relation = blocked
        .relation
        .as_deref()
        .map(|r| format!(" (waiting for {})", display_relation(r)))
        .unwrap_or_default();
    format!(
        "{name} was blocked {} by {}{relation}",
        blocked.longest,
        place.label()
    )
}

/// `at worst 1.2 s for any query on orders: one that comes as 0042_drop.sql:7 asks for its lock waits until it is released
/// (calculated)`; `None` where that is not worth telling.
pub(super) fn worst_sentence(statement: &StatementObservation) -> Option<String> {
    let worst = statement
        .worst_wait
        .as_ref()
        .filter(|worst| worst.wait.0 >= WORTH_TELLING.0)?;
    let who = if worst.lock.mode.blocks_reads() {
        "any query on"
    } else {
        "any write to"
    };
    let relation = display_relation(&worst.lock.relation);
    let label = statement.place.label();
    Some(format!(
        "at worst {} for {who} {relation}: one that comes as {label} asks for its lock waits until it is released (calculated)",
        worst.wait
    ))
}

/// `new index … on orders serves A, B`.
pub(super) fn index_sentence(index: &IndexUse) -> String {
    let (what, verb, nobody) = match index.added {
        true => ("new index", "serves", "serves no query of the catalog"),
        false => ("dropped index", "served", "served no query of the catalog"),
    };
    let use_ = match index.queries.as_slice() {
        [] => nobody.to_owned(),
        queries => format!("{verb} {}", queries.join(", ")),
    };
    format!(
        "{what} {} on {} ({}) {use_}",
        index.name,
        display_relation(&index.table),
        index.definition
    )
}

/// `measured: 6 ms in all, no query waited (as written: queries waited up to 1.2 s, at worst 1.3 s)`; `None` where nothing
/// could be run.
pub(super) fn measured_sentence(
    safer: &ProvenForm,
    statement: &StatementObservation,
) -> Option<String> {
    let measured = safer.measured.as_ref()?;
    // What works under a lock that an earlier statement took keeps a query waiting for all its time.
    let under_another_lock = if statement.inherited.is_empty() {
        0.0
    } else {
        statement.duration.0
    };
    let waits = |waited: f64, worst: f64| {
        let waited_for = match waited > 0.0 {
            true => format!("queries waited up to {}", Millis(waited)),
            false => "no query waited".to_owned(),
        };
        // At worst it is what was measured, at least.
        match worst >= waited && worst >= WORTH_TELLING.0 {
            true => format!("{waited_for}, at worst {}", Millis(worst)),
            false => waited_for,
        }
    };
    Some(match &measured.failure {
        Some(failure) => format!("it failed here: {failure}"),
        None => format!(
            "measured: {} in all, {} (as written: {})",
            measured.duration,
            waits(measured.longest_block.0, measured.worst_wait.0),
            waits(
                statement.longest_block().0.max(statement.longest_kept().0),
                statement.longest_possible_wait().0.max(under_another_lock)
            )
        ),
    })
}

/// How the safer forms are written down for the layout's tool; `None` where no safer form was found or no way is known.
pub(super) fn outside_sentence(report: &Comparison) -> Option<String> {
    let alone = |sql: &String| sql.contains(" CONCURRENTLY") || sql.contains("COMMIT;");
    let forms = report
        .statements
        .iter()
        .filter_map(|statement| statement.safer.as_ref());
    let needed = forms.flat_map(|safer| &safer.form.statements).any(alone);
    let (layout, _) = report.layout.as_ref()?;
    let way = report.without_transaction.as_ref().filter(|_| needed)?;
    Some(format!(
        "Outside a transaction, in {layout}'s layout: {way}"
    ))
}

/// Where a query stands: its verdict, or why there is none.
pub(super) fn standing(diff: &QueryDiff) -> String {
    match (&diff.failed_before, diff.presence) {
        (Some(_), Presence::Both | Presence::Changed) => "failed before".to_owned(),
        (_, Presence::New) if diff.fails_after.is_some() => "new, fails".to_owned(),
        (_, Presence::New) => "new".to_owned(),
        (_, Presence::Removed) => "removed".to_owned(),
        (None, Presence::Changed) if diff.runs.is_empty() => {
            "text changed, other parameters".to_owned()
        }
        (None, Presence::Changed) if diff.verdict() == Verdict::Unchanged => {
            "text changed, same plan".to_owned()
        }
        (None, Presence::Both | Presence::Changed) => diff.verdict().as_str().to_owned(),
    }
}
