//! `--prove`: candidates built in a database that somebody else owns, in transactions that roll back. What is locked, for how long
//! at most, and what forbids it is known beforehand. Nothing that is there is dropped, analyzed or vacuumed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::advise::{self, AdviceBudget, Audited, Candidate};
use crate::catalog::Query;
use crate::db::audit::{AuditError, RunOptions};
use crate::db::bench::Bench;
use crate::db::explain::{self, ExplainError};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{Outcome, QueryRuns};
use crate::schema::{Schema, Table, TableKind};
use crate::units::Millis;

use super::{Advice, BUILD_PATIENCE, Trials, prove, prove_whole, server};

/// What `--prove` would do to the tables of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// Of the tables that candidates are for: its name, and how many are built on it.
    pub tables: BTreeMap<String, usize>,
    /// What one build waits for its lock at most.
    pub lock: Millis,
    /// When one build is cancelled.
    pub build: Millis,
    /// When one execution of a query beside a built index is cancelled.
    pub statement: Millis,
}

impl Intent {
    /// For these candidates.
    #[must_use]
    pub fn of(candidates: &[Candidate], options: &RunOptions) -> Self {
        let mut tables: BTreeMap<String, usize> = BTreeMap::new();
        for candidate in candidates {
            let names: BTreeSet<String> = candidate
                .index
                .all()
                .map(|index| index.table.to_string())
                .collect();
            for name in names {
                *tables.entry(name).or_default() += 1;
            }
        }
        let limits = options.limits();
        Self {
            tables,
            lock: limits.lock,
            build: Millis(limits.statement.0 * BUILD_PATIENCE),
            statement: limits.statement,
        }
    }
}

/// Figures of `pg_class` that CREATE INDEX writes in place, so that a rollback does not take them back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Figures(BTreeMap<String, (f64, f64, bool)>);

impl Figures {
    /// Of the tables that candidates are for.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub(super) async fn of(
        bench: Bench<'_>,
        candidates: &[Candidate],
        options: &RunOptions,
    ) -> Result<Self, ExplainError> {
        let question = format!(
            "SELECT coalesce(json_object_agg(c.oid::regclass::text, \
                 json_build_array(c.relpages, c.reltuples, c.relhasindex)), '{{}}') \
             FROM pg_class c WHERE c.oid IN (SELECT relid FROM unnest(ARRAY[{}]::oid[]) AS wanted(oid), pg_partition_tree(wanted.oid) \
                 UNION SELECT unnest(ARRAY[{0}]::oid[]))",
            oids(candidates)
        );
        let answer = explain::asked(bench.client()?, &options.limits(), &question).await?;
        let text = answer.first().map_or("{}", String::as_str);
        serde_json::from_str(text).map_err(|_| ExplainError::Unreadable(text.to_owned()))
    }

    /// What changed, for people; `None` where nothing did.
    #[must_use]
    pub(super) fn changed_since(&self, before: &Self) -> Option<String> {
        let changed = self.0.iter().filter_map(|(table, now)| {
            let then = before.0.get(table).filter(|then| *then != now)?;
            Some(format!(
                "{table} ({:.0} pages and {:.0} rows; before {:.0} and {:.0})",
                now.0, now.1, then.0, then.1
            ))
        });
        let changed: Vec<String> = changed.collect();
        (!changed.is_empty()).then(|| changed.join(", "))
    }
}

/// What keeps a database from building in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocker {
    /// It takes no writes.
    Standby,
    /// A pooler is in between: what is prepared in a session may reach somebody else.
    Pooler,
    /// An event trigger fires for CREATE INDEX, and what it does may outlive a rollback.
    EventTrigger(String),
    /// The role may not create indexes on a table.
    NotOwner(String),
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standby => write!(f, "the server is a standby, in which no index is built"),
            Self::Pooler => write!(
                f,
                "a pooler is in between; name the server itself in --database-url"
            ),
            Self::EventTrigger(name) => write!(
                f,
                "event trigger {name} would fire for each CREATE INDEX, and what it does may outlive the rollback"
            ),
            Self::NotOwner(tables) => {
                write!(
                    f,
                    "the role does not own {tables}, and only owners create indexes"
                )
            }
        }
    }
}

/// What keeps these candidates from being built.
///
/// # Errors
/// [`ExplainError`].
pub async fn blockers(
    bench: Bench<'_>,
    candidates: &[Candidate],
    options: &RunOptions,
) -> Result<Vec<Blocker>, ExplainError> {
    let mut found = Vec::new();
    if !bench.session()?.is_own() {
        found.push(Blocker::Pooler);
    }
    let question = format!(
        "SELECT 'standby'::text WHERE pg_is_in_recovery() \
         UNION ALL SELECT 'trigger ' || evtname FROM pg_event_trigger \
             WHERE evtenabled <> 'D' AND evtevent IN ('ddl_command_start', 'ddl_command_end') \
         UNION ALL SELECT 'table ' || string_agg(oid::regclass::text, ', ' ORDER BY oid) FROM pg_class \
             WHERE oid = ANY (ARRAY[{}]::oid[]) AND NOT pg_has_role(relowner, 'USAGE') HAVING count(*) > 0",
        oids(candidates)
    );
    let answer = explain::asked(bench.client()?, &options.limits(), &question).await?;
    found.extend(answer.iter().filter_map(|line| match line.split_once(' ') {
        Some(("trigger", name)) => Some(Blocker::EventTrigger(name.to_owned())),
        Some(("table", tables)) => Some(Blocker::NotOwner(tables.to_owned())),
        _ => (line == "standby").then_some(Blocker::Standby),
    }));
    Ok(found)
}

fn oids(candidates: &[Candidate]) -> String {
    let oids: BTreeSet<u32> = candidates
        .iter()
        .flat_map(|candidate| candidate.index.all())
        .map(|index| index.table_oid)
        .collect();
    let oids: Vec<String> = oids.iter().map(u32::to_string).collect();
    oids.join(", ")
}

/// The runs that may be repeated beside a built index: they read only, and the audit executed them.
#[must_use]
pub fn repeatable(queries: &[Query], runs: &[QueryRuns]) -> Vec<QueryRuns> {
    let reads = |runs: &&QueryRuns| {
        let query = queries.get(runs.query);
        query.is_some_and(|query| !query.writes)
            && runs.runs.iter().any(|run| match run.outcome {
                Outcome::Completed { .. } | Outcome::TimedOut { .. } => true,
                Outcome::Estimated => false,
            })
    };
    let executed_first = |runs: &QueryRuns| {
        let mut runs = runs.clone();
        runs.runs.retain(|run| run.outcome != Outcome::Estimated);
        runs
    };
    runs.iter().filter(reads).map(executed_first).collect()
}

/// Whether an index may be built on a candidate's tables: foreign tables and materialized views that nobody named are left out.
#[must_use]
pub fn may_be_built(candidate: &Candidate, schema: &Schema) -> bool {
    let is_ordinary = |table: &Table| match table.kind {
        TableKind::Ordinary | TableKind::Partitioned => true,
        TableKind::Foreign => false,
    };
    let mut tables = candidate.index.all().map(|index| index.table_oid);
    tables.all(|oid| schema.table_by_oid(oid).is_some_and(is_ordinary))
}

/// Builds candidates in the database itself, chooses, and measures the chosen ones as a set; `audited` holds runs that are
/// [`repeatable`]. Other forms of queries are not tried: comparing them writes.
///
/// # Errors
/// [`AuditError`].
pub async fn advise_given(
    bench: Bench<'_>,
    audited: Audited<'_>,
    candidates: &[Candidate],
    (options, budget): (&RunOptions, &AdviceBudget),
    events: (&Progress, &Interrupt),
) -> Result<Advice, AuditError> {
    let figures = |source| server(String::new(), source);
    let before = Figures::of(bench, candidates, options)
        .await
        .map_err(figures)?;
    let Trials { trials, left_out } =
        prove(bench, audited, candidates, options, budget, events).await?;
    let chosen = advise::select(&trials, &audited, budget);
    let whole = prove_whole(bench, audited, chosen, options, events).await?;
    let proposals = advise::proposals(&whole.kept, &audited);
    let findings = advise::findings(&proposals, audited);
    let after = Figures::of(bench, candidates, options)
        .await
        .map_err(figures)?;
    if let Some(changed) = after.changed_since(&before) {
        events.0.note(format!(
            "CREATE INDEX counts pages and rows into pg_class, which a rollback does not take back, and the next ANALYZE replaces: {changed}"
        ));
    }
    let built = candidates.len().saturating_sub(left_out);
    Ok(Advice {
        findings,
        tried: candidates[..built].to_vec(),
        chosen: proposals
            .iter()
            .flat_map(|proposal| proposal.trial.index.all())
            .map(advise::set::alone)
            .collect(),
        harmful: whole.harmful,
        used: BTreeSet::new(),
    })
}
