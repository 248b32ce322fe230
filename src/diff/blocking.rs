//! Which query waited for which statement of a migration, and how long: from what the traffic beside the migration saw and
//! what a second session read of the lock tables. Pure: times are milliseconds since the migration began.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::units::Millis;

use super::locks::{HeldLock, LockMode};

/// One execution of a catalog query beside the migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Index of the query among the probes.
    pub probe: usize,
    /// The session's process.
    pub pid: i32,
    /// When it was sent.
    pub start_ms: f64,
    /// When its answer came.
    pub end_ms: f64,
}

/// A session that was seen waiting for a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    pub at_ms: f64,
    /// Who waits.
    pub pid: i32,
    /// For which table; `None` for a row's or transaction's lock.
    pub relation: Option<String>,
    /// In which mode.
    pub mode: Option<LockMode>,
    /// For whom, also for those ahead in the queue.
    pub blockers: Vec<i32>,
}

/// A statement's time and locks.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementSpan {
    /// When it was sent.
    pub start_ms: f64,
    /// When it was done.
    pub end_ms: f64,
    /// When its transaction ended and its locks with it.
    pub released_ms: f64,
    /// From its start until then: how long the migration's process waited for a processor.
    pub cpu_wait_ms: f64,
    /// What it took.
    pub locks: Vec<HeldLock>,
}

/// A query that a statement made wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockedQuery {
    /// Index of the query among the probes.
    pub probe: usize,
    /// How many executions waited.
    pub executions: u32,
    /// The longest wait.
    #[serde(rename = "longest_ms")]
    pub longest: Millis,
    /// The table that it waited for, where it was one.
    pub relation: Option<String>,
    /// The mode that it asked for.
    pub mode: Option<LockMode>,
}

/// Statements' blocked queries, in the statements' order.
pub type Blocked = Vec<Vec<BlockedQuery>>;

/// What was seen of those beside a migration.
#[derive(Clone, Copy)]
pub struct Waiters<'a> {
    /// Everything that ran.
    pub executions: &'a [Execution],
    /// Who was seen waiting.
    pub waits: &'a [Wait],
    /// The migration's own processes.
    pub migration: &'a [i32],
    /// For each probe the relations that it uses; empty where that is not known.
    pub reads: &'a [BTreeSet<String>],
}

/// For each statement the queries that waited for its lock; and for each the queries that it kept waiting for a lock which
/// another statement had taken, with the part of their wait that fell into its time. Longest first. Who waits for nothing that
/// a statement took is blamed on none.
#[must_use]
pub fn blocked_queries(waiters: &Waiters<'_>, statements: &[StatementSpan]) -> (Blocked, Blocked) {
    let (executions, waits, migration) = (waiters.executions, waiters.waits, waiters.migration);
    let typical = typical_durations(executions, waits);
    let mut by: Vec<BTreeMap<usize, BlockedQuery>> = vec![BTreeMap::new(); statements.len()];
    let mut during = by.clone();
    for execution in executions {
        let Some(wait) = first_wait(execution, waits, migration) else {
            continue;
        };
        let Some(guilty) = guilty(wait, waiters.reads.get(execution.probe), statements) else {
            continue;
        };
        let usual = typical.get(&execution.probe).copied().unwrap_or(0.0);
        note(
            &mut by[guilty],
            execution.probe,
            execution.end_ms - execution.start_ms - usual,
            wait,
        );
        // What releases its locks in the same moment is the same transaction.
        let together = |span: &StatementSpan| {
            span.released_ms
                .total_cmp(&statements[guilty].released_ms)
                .is_eq()
        };
        for (n, span) in statements
            .iter()
            .enumerate()
            .filter(|(n, span)| *n != guilty && together(span))
        {
            let overlap = span.end_ms.min(execution.end_ms) - span.start_ms.max(execution.start_ms);
            if overlap > 0.0 {
                note(&mut during[n], execution.probe, overlap, wait);
            }
        }
    }
    let sorted =
        |found: Vec<BTreeMap<usize, BlockedQuery>>| found.into_iter().map(longest_first).collect();
    (sorted(by), sorted(during))
}

/// Adds a wait of `ms` to a query's. One that took no longer than usual for all its waiting is not told: nobody felt it.
fn note(queries: &mut BTreeMap<usize, BlockedQuery>, probe: usize, ms: f64, wait: &Wait) {
    let waited = Millis(ms);
    if waited.0 <= 0.0 {
        return;
    }
    let entry = queries.entry(probe).or_insert_with(|| BlockedQuery {
        probe,
        executions: 0,
        longest: Millis(0.0),
        relation: wait.relation.clone(),
        mode: wait.mode,
    });
    entry.executions += 1;
    if waited.0 > entry.longest.0 {
        entry.longest = waited;
        entry.relation.clone_from(&wait.relation);
        entry.mode = wait.mode;
    }
}

fn longest_first(queries: BTreeMap<usize, BlockedQuery>) -> Vec<BlockedQuery> {
    let mut queries: Vec<BlockedQuery> = queries.into_values().collect();
    queries.sort_by(|a, b| {
        b.longest
            .0
            .total_cmp(&a.longest.0)
            .then(a.probe.cmp(&b.probe))
    });
    queries
}

/// The median of what each query takes when nobody was seen waiting in it.
fn typical_durations(executions: &[Execution], waits: &[Wait]) -> HashMap<usize, f64> {
    let mut undisturbed: HashMap<usize, Vec<f64>> = HashMap::new();
    for execution in executions {
        if !waits.iter().any(|wait| within(execution, wait)) {
            undisturbed
                .entry(execution.probe)
                .or_default()
                .push(execution.end_ms - execution.start_ms);
        }
    }
    undisturbed
        .into_iter()
        .map(|(probe, times)| (probe, super::significance::median(&times)))
        .collect()
}

fn within(execution: &Execution, wait: &Wait) -> bool {
    wait.pid == execution.pid && wait.at_ms >= execution.start_ms && wait.at_ms <= execution.end_ms
}

/// The first time that the execution was seen waiting for the migration, or for somebody who waits for it.
fn first_wait<'a>(execution: &Execution, waits: &'a [Wait], migration: &[i32]) -> Option<&'a Wait> {
    waits
        .iter()
        .find(|wait| within(execution, wait) && waits_for(wait, waits, migration, 0))
}

fn waits_for(wait: &Wait, waits: &[Wait], migration: &[i32], depth: u32) -> bool {
    wait.blockers.iter().any(|pid| migration.contains(pid))
        || (depth < 4
            && waits.iter().any(|other| {
                other.at_ms == wait.at_ms
                    && wait.blockers.contains(&other.pid)
                    && waits_for(other, waits, migration, depth + 1)
            }))
}

/// The statement that took the lock: the first whose lock on the relation conflicts and was not released yet. A wait for a row
/// or a transaction is for the first that changes a relation which the query uses.
fn guilty(
    wait: &Wait,
    reads: Option<&BTreeSet<String>>,
    statements: &[StatementSpan],
) -> Option<usize> {
    let conflicts = |lock: &HeldLock| match &wait.relation {
        Some(relation) => {
            lock.relation == *relation
                && wait
                    .mode
                    .map_or(lock.mode.blocks_writes(), |mode| mode.conflicts(lock.mode))
        }
        None => {
            lock.mode >= LockMode::RowExclusive
                && reads.is_none_or(|reads| reads.contains(&lock.relation))
        }
    };
    let holds = |span: &StatementSpan| {
        span.start_ms <= wait.at_ms
            && wait.at_ms <= span.released_ms
            && span.locks.iter().any(conflicts)
    };
    match statements {
        // The wait is known to be for the migration, which is this statement; a program's locks are not known.
        [only] if only.locks.is_empty() => {
            (only.start_ms <= wait.at_ms && wait.at_ms <= only.released_ms).then_some(0)
        }
        _ => statements.iter().position(holds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIGRATION: i32 = 1;
    const OURS: &[i32] = &[MIGRATION];

    fn execution(probe: usize, pid: i32, start_ms: f64, end_ms: f64) -> Execution {
        Execution {
            probe,
            pid,
            start_ms,
            end_ms,
        }
    }

    fn wait(at_ms: f64, pid: i32, blockers: &[i32]) -> Wait {
        let relation = Some("public.orders".to_owned());
        Wait {
            at_ms,
            pid,
            relation,
            mode: Some(LockMode::AccessShare),
            blockers: blockers.to_vec(),
        }
    }

    fn span(start_ms: f64, end_ms: f64, released_ms: f64, mode: Option<LockMode>) -> StatementSpan {
        let locks = mode.map(|mode| HeldLock {
            relation: "public.orders".to_owned(),
            mode,
        });
        StatementSpan {
            start_ms,
            end_ms,
            released_ms,
            cpu_wait_ms: 0.0,
            locks: locks.into_iter().collect(),
        }
    }

    fn beside<'a>(executions: &'a [Execution], waits: &'a [Wait]) -> Waiters<'a> {
        Waiters {
            executions,
            waits,
            migration: OURS,
            reads: &[],
        }
    }

    #[test]
    fn nobody_is_blamed_for_a_lock_that_no_statement_took() {
        // A setting, then what takes the lock; the wait is for a table that neither touches.
        let mut other = wait(15.0, 7, &[MIGRATION]);
        other.relation = Some("public.customers".to_owned());
        let statements = [
            span(0.0, 10.0, 30.0, None),
            span(10.0, 20.0, 30.0, Some(LockMode::AccessExclusive)),
        ];
        let executions = [execution(0, 7, 12.0, 30.0)];
        let found = |waits: &[Wait]| blocked_queries(&beside(&executions, waits), &statements).0;
        assert_eq!(found(&[other]), [Vec::new(), Vec::new()]);
        let own = found(&[wait(15.0, 7, &[MIGRATION])]);
        assert_eq!((own[0].len(), own[1].len()), (0, 1));
    }

    #[test]
    fn who_waits_for_a_row_waits_for_what_changed_a_table_of_its_own() {
        let mut row = wait(15.0, 7, &[MIGRATION]);
        (row.relation, row.mode) = (None, None);
        let statements = [
            span(0.0, 10.0, 30.0, None),
            span(10.0, 20.0, 30.0, Some(LockMode::RowExclusive)),
        ];
        let executions = [execution(0, 7, 12.0, 30.0)];
        let by = |reads: &str| {
            let reads = [BTreeSet::from([reads.to_owned()])];
            let waits = [row.clone()];
            let waiters = Waiters {
                reads: &reads,
                ..beside(&executions, &waits)
            };
            blocked_queries(&waiters, &statements).0[1].len()
        };
        assert_eq!((by("public.orders"), by("public.customers")), (1, 0));
    }

    #[test]
    fn the_statement_that_took_the_lock_is_blamed_while_another_runs() {
        // The first takes the lock, the second runs on in the same transaction.
        let statements = [
            span(0.0, 10.0, 1000.0, Some(LockMode::AccessExclusive)),
            span(10.0, 990.0, 1000.0, None),
        ];
        let executions = [
            execution(0, 7, -30.0, -25.0),
            execution(0, 7, 100.0, 1005.0),
            execution(1, 8, 100.0, 103.0),
        ];
        let waits = [wait(110.0, 7, &[MIGRATION]), wait(500.0, 7, &[MIGRATION])];
        let (found, during) = blocked_queries(&beside(&executions, &waits), &statements);
        assert_eq!((&found[1], &during[0]), (&Vec::new(), &Vec::new()));
        // Of its wait all but the first moment is the second statement's time.
        assert_eq!(
            (during[1][0].probe, during[1][0].longest),
            (0, Millis(890.0))
        );
        assert_eq!(found[0].len(), 1);
        assert_eq!(
            (
                found[0][0].probe,
                found[0][0].executions,
                found[0][0].longest
            ),
            (0, 1, Millis(900.0))
        );
    }

    #[test]
    fn who_waits_behind_a_waiter_counts_and_who_waits_for_others_does_not() {
        let statements = [span(0.0, 500.0, 500.0, Some(LockMode::AccessExclusive))];
        let executions = [
            execution(0, 7, 100.0, 500.0),
            execution(1, 8, 100.0, 500.0),
            execution(2, 9, 100.0, 500.0),
        ];
        let waits = [
            wait(110.0, 7, &[MIGRATION]),
            wait(110.0, 8, &[7]),
            wait(110.0, 9, &[55]),
        ];
        let (found, _) = blocked_queries(&beside(&executions, &waits), &statements);
        assert_eq!(
            found[0].iter().map(|query| query.probe).collect::<Vec<_>>(),
            [0, 1]
        );
    }
}
