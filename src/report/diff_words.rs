//! Sentences that every form of a diff report uses.

use crate::diff::blocking::BlockedQuery;
use crate::diff::canonical::display_relation;
use crate::diff::observation::{StatementObservation, StatementPlace};
use crate::diff::outcome::{Cause, RunDiff};
use crate::diff::report::IndexUse;
use crate::units::Bytes;

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
    }
}

/// Duration, rows, rewrite, full reads, WAL, size.
pub(super) fn statement_facts(statement: &StatementObservation) -> Vec<String> {
    let mut facts = vec![statement.duration.to_string()];
    if statement.in_transaction && statement.locks_held.0 > statement.duration.0 * 1.1 + 5.0 {
        facts.push(format!("locks held {} (until its file's transaction ends)", statement.locks_held));
    }
    facts.extend(statement.rows.map(|rows| format!("{} rows", crate::units::Count(rows as f64))));
    facts.extend(statement.rewritten.iter().map(|table| format!("rewrites {}", display_relation(table))));
    facts.extend(statement.scanned.iter().map(|what| format!("reads in full: {what}")));
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
            format!("{} on {}{stops}", lock.mode, display_relation(&lock.relation))
        })
        .collect();
    (!locks.is_empty()).then(|| format!("locks: {}", locks.join("; ")))
}

/// `GetUser was blocked 12.1 s by 0042_drop.sql:7`.
pub(super) fn blocked_sentence(blocked: &BlockedQuery, probes: &[String], place: &StatementPlace) -> String {
    let name = probes.get(blocked.probe).map_or("a query", String::as_str);
    let relation =
        blocked.relation.as_deref().map(|r| format!(" (waiting for {})", display_relation(r))).unwrap_or_default();
    format!("{name} was blocked {} by {}{relation}", blocked.longest, place.label())
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
    format!("{what} {} on {} ({}) {use_}", index.name, display_relation(&index.table), index.definition)
}
