//! Runs the catalog: for each query its parameter sets are estimated, grouped by plan shape, and the worst of each shape
//! is executed, in transactions that roll back. Judges nothing.

mod execute;
mod known;
mod parent;
mod planned;

use std::collections::{BTreeMap, VecDeque};

use crate::catalog::{Caller, Query};
use crate::db::caller;
use crate::db::connect::{Session, describe};
use crate::db::explain::{self, Access, ExplainError, Explained, Limits, PlanChoice, Prepared};
use crate::db::parameters::{self, ChooseError, Chosen, Mender, ParameterSet, Sampler, Search};
use crate::interrupt::{Interrupt, Interrupted};
use crate::plan::shape::shape;
use crate::plan::{NodeKind, Plan};
use crate::progress::{Progress, Task, Unit};
use crate::results::Results;
use crate::run::{BoundParameter, EndedEarly, QueryFailure, QueryRuns, Run};
use crate::run_id::SetId;
use crate::schema::Schema;
use crate::units::{Count, Millis};

pub use known::{Known, digest};
pub use planned::plan_catalog;

/// How the catalog is run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunOptions {
    /// Samples of each executed parameter set, after one for warming up.
    pub runs: u32,
    /// `statement_timeout`.
    pub timeout: Millis,
    /// What statements may do.
    pub access: Access,
}

impl RunOptions {
    /// As limits of a transaction.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let (statement, lock) = match self.access {
            Access::PrivateCopy => (self.timeout.0, 5_000.0),
            // A lock that somebody holds is reported, not waited for.
            Access::ReadOnly => (self.timeout.0, 1_000.0),
            Access::Writes => (
                self.timeout.0.min(WRITE_LIMITS.statement.0),
                WRITE_LIMITS.lock.0,
            ),
        };
        Limits {
            statement: Millis(statement),
            lock: Millis(self.timeout.0.min(lock)),
            access: self.access,
            caller: None,
        }
    }

    /// As limits of a query's transactions, which are its own caller's.
    #[must_use]
    pub fn limits_of(&self, query: &Query) -> Limits {
        self.limits().asked_by(&query.asked_by)
    }
}

/// Why the catalog could not be run. A query that fails is not among them: it has its own [`QueryFailure`].
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The server, not the statement, is at fault.
    #[error("query {query} could not be audited: {source}")]
    Server {
        /// Its name.
        query: String,
        /// The cause.
        source: ExplainError,
    },
}

impl AuditError {
    /// Whether nothing failed: something is to be measured, and no session is open yet.
    #[must_use]
    pub fn wants_session(&self) -> bool {
        match self {
            Self::Server { source, .. } => matches!(source, ExplainError::NoSession),
            Self::Interrupted(_) => false,
        }
    }
}

/// A query that is ready to run.
#[derive(Debug)]
struct Ready {
    prepared: Prepared,
    chosen: Chosen,
    /// What a parent's rows say of its loop.
    note: Option<String>,
    /// No other values are left to try in place of those that the server refuses: the other sets must do.
    is_final: bool,
}

/// What a tool recorded of the parameters and the schema says otherwise: the record is older.
fn outdated_types(query: &Query, prepared: &Prepared) -> Option<String> {
    let outdated = explain::outdated(&query.recorded_types, &prepared.types);
    let parts: Vec<String> = outdated
        .iter()
        .map(|(number, recorded, now)| format!("${number} is {now}, {recorded} was recorded"))
        .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "the types that were recorded are older than the schema (prepare it again): {}",
            parts.join(", ")
        )
    })
}

/// How a query fails.
#[derive(Debug)]
enum Failed {
    Query(QueryFailure),
    Server(ExplainError),
}

impl From<ExplainError> for Failed {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Refused(refusal) => Self::Query((*refusal).into()),
            ExplainError::TimedOut => Self::Query(QueryFailure {
                message: "cancelled at the timeout while its values were looked for".to_owned(),
                code: None,
                position: None,
                hint: None,
            }),
            ExplainError::NoPlan => Self::Query(QueryFailure {
                message: ExplainError::NoPlan.to_string(),
                code: None,
                position: None,
                hint: None,
            }),
            // What EXPLAIN printed for one query, or what one would do, says nothing about the others.
            ExplainError::Unreadable(_) | ExplainError::Unsafe { .. } => {
                Self::Query(QueryFailure {
                    message: error.to_string(),
                    code: None,
                    position: None,
                    hint: None,
                })
            }
            ExplainError::Server(_)
            | ExplainError::LeftTransaction(_)
            | ExplainError::Silent { .. }
            | ExplainError::NoSession => Self::Server(error),
        }
    }
}

/// Runs every query; one entry a query, in the same order.
///
/// # Errors
/// [`AuditError`]: it was interrupted, or the server was lost.
pub async fn run_catalog(
    session: &Session,
    schema: &Schema,
    queries: &[Query],
    options: &RunOptions,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Vec<QueryRuns>, AuditError> {
    let known = (Known::default(), &Results::off());
    let events = (progress, interrupt);
    run_unknown(session, (schema, queries), known, options, events).await
}

/// Runs every query that is not known, as [`run_catalog`] does, and keeps what it sees.
///
/// # Errors
/// As [`run_catalog`].
pub async fn run_unknown(
    session: &Session,
    (schema, queries): (&Schema, &[Query]),
    (known, results): (Known, &Results),
    options: &RunOptions,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Vec<QueryRuns>, AuditError> {
    let left = queries.len().saturating_sub(known.count());
    let task = progress.task("Auditing queries", Unit::Steps, Some(left as u64));
    let work = Work {
        schema,
        queries,
        options,
        results,
        progress,
        interrupt,
    };
    let mut walk = Walk::of(queries, known);
    match walk.go(session, &work, &task).await {
        Ok(()) => Ok(walk.done.into_values().collect()),
        Err(Lost { query, source }) => {
            interrupt.check()?;
            Err(AuditError::Server {
                query: queries[query].name.clone(),
                source,
            })
        }
    }
}

/// What was seen of a catalog, and why it is not all.
#[derive(Debug)]
pub struct Seen {
    /// One entry a query, in the same order; a query that was not reached says so.
    pub runs: Vec<QueryRuns>,
    /// Set where the audit ended early.
    pub ended_early: Option<EndedEarly>,
}

impl From<Known> for Seen {
    /// Of a catalog that is known as a whole.
    fn from(known: Known) -> Self {
        Self {
            runs: known.done.into_values().collect(),
            ended_early: None,
        }
    }
}

/// So many queries in a row may lose the server.
const MOST_LOST: usize = 3;

/// Runs every query, and loses nothing of what was finished: a query that takes the server with it is not audited, and
/// `reconnect` gives the session for the others. `None` from it, or an interrupt, ends the audit.
pub async fn run_whole(
    session: &mut Session,
    catalog: (&Schema, &[Query]),
    options: &RunOptions,
    events: (&Progress, &Interrupt),
    reconnect: impl AsyncFn() -> Option<Session>,
) -> Seen {
    let known = (Known::default(), &Results::off());
    run_rest(session, catalog, known, options, events, reconnect).await
}

/// Runs every query that is not known, as [`run_whole`] does, and keeps what it sees.
pub async fn run_rest(
    session: &mut Session,
    (schema, queries): (&Schema, &[Query]),
    (known, results): (Known, &Results),
    options: &RunOptions,
    (progress, interrupt): (&Progress, &Interrupt),
    reconnect: impl AsyncFn() -> Option<Session>,
) -> Seen {
    let left = queries.len().saturating_sub(known.count());
    let task = progress.task("Auditing queries", Unit::Steps, Some(left as u64));
    let work = Work {
        schema,
        queries,
        options,
        results,
        progress,
        interrupt,
    };
    let mut walk = Walk::of(queries, known);
    let (mut lost, mut done_before) = (0, 0);
    let ended_early = loop {
        let Err(Lost { query, source }) = walk.go(session, &work, &task).await else {
            break None;
        };
        if interrupt.is_set() {
            break Some(EndedEarly::Interrupted);
        }
        let reason = lost_reason(&source);
        progress.note(format!(
            "{}: {reason}; connecting again",
            queries[query].name
        ));
        // What came between was audited: the server serves most queries.
        lost = if walk.done.len() > done_before {
            1
        } else {
            lost + 1
        };
        walk.failed(query, lost_failure(&source, &reason));
        done_before = walk.done.len();
        let again = if lost < MOST_LOST {
            reconnect().await
        } else {
            None
        };
        match again {
            Some(new) => *session = new,
            None if interrupt.is_set() => break Some(EndedEarly::Interrupted),
            None => break Some(EndedEarly::ServerLost { reason }),
        }
    };
    Seen {
        runs: walk.finish(queries.len(), ended_early.as_ref()),
        ended_early,
    }
}

fn lost_reason(source: &ExplainError) -> String {
    match source {
        ExplainError::Server(error) => describe(error),
        ExplainError::Refused(_)
        | ExplainError::TimedOut
        | ExplainError::Unreadable(_)
        | ExplainError::Unsafe { .. }
        | ExplainError::LeftTransaction(_)
        | ExplainError::Silent { .. }
        | ExplainError::NoSession
        | ExplainError::NoPlan => source.to_string(),
    }
}

/// What is said of the query that lost its session.
/// Whether a function did not take what made data hold (an encrypted text, say): classes 38 and 39, of external routines.
fn is_of_the_data(failure: &QueryFailure) -> bool {
    let class = failure.code.as_deref().and_then(|code| code.get(..2));
    matches!(class, Some("38" | "39"))
}

/// Whether a value cannot be read, or is out of range (class 22): other sets may do without it.
fn is_of_a_value(failure: &QueryFailure) -> bool {
    let code = failure.code.as_deref();
    code.is_some_and(|code| code.starts_with("22"))
}

fn lost_failure(source: &ExplainError, reason: &str) -> QueryFailure {
    let (message, code) = match source {
        // The session is given up, not the server.
        ExplainError::LeftTransaction(_) => (reason.to_owned(), None),
        ExplainError::Server(_)
        | ExplainError::Refused(_)
        | ExplainError::TimedOut
        | ExplainError::Unreadable(_)
        | ExplainError::Unsafe { .. }
        | ExplainError::Silent { .. }
        | ExplainError::NoSession
        | ExplainError::NoPlan => {
            // The code is reported beside it.
            let reason = reason.split(" (SQLSTATE").next().unwrap_or(reason);
            let message = format!("the server was lost while it ran: {reason}");
            (message, Some("08006".to_owned()))
        }
    };
    QueryFailure {
        message,
        code,
        position: None,
        hint: None,
    }
}

/// What all queries share.
struct Work<'a> {
    schema: &'a Schema,
    queries: &'a [Query],
    options: &'a RunOptions,
    /// Where what was seen is kept.
    results: &'a Results,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
}

/// The server was lost at a query, or the audit was interrupted.
struct Lost {
    query: usize,
    source: ExplainError,
}

/// How far the catalog is.
struct Walk {
    left: VecDeque<usize>,
    done: BTreeMap<usize, QueryRuns>,
    /// The normal parameter set of each query that was seen.
    normal: BTreeMap<usize, ParameterSet>,
}

impl Walk {
    fn of(queries: &[Query], known: Known) -> Self {
        let mut left: VecDeque<usize> = parent::order(queries).into();
        left.retain(|query| !known.done.contains_key(query));
        Self {
            left,
            done: known.done,
            normal: known.normal,
        }
    }

    /// Goes on to the end, or to where the server is lost.
    async fn go(&mut self, session: &Session, work: &Work<'_>, task: &Task) -> Result<(), Lost> {
        let mut auditor = Auditor {
            session,
            schema: work.schema,
            queries: work.queries,
            options: work.options,
            limits: work.options.limits(),
            samplers: BTreeMap::new(),
            interrupt: work.interrupt,
        };
        while let Some(query) = self.left.front().copied() {
            let interrupted = |source| Lost { query, source };
            if work.interrupt.is_set() {
                return Err(interrupted(ExplainError::TimedOut));
            }
            task.doing(work.queries[query].name.clone());
            let seen = auditor.run(query, &mut self.normal).await;
            // An interrupt cancels the statement: that is no verdict on the query.
            if work.interrupt.is_set() {
                return Err(interrupted(ExplainError::TimedOut));
            }
            let runs = match seen {
                Ok(runs) => runs,
                Err(Failed::Query(failure)) => QueryRuns::failed(query, failure),
                Err(Failed::Server(source)) => {
                    if matches!(source, ExplainError::Silent { .. }) {
                        session.cancel().await;
                    }
                    return Err(Lost { query, source });
                }
            };
            for note in &runs.notes {
                work.progress
                    .note(format!("{}: {note}", work.queries[query].name));
            }
            if auditor.limits.access != Access::PrivateCopy {
                session.reset(auditor.limits.statement).await;
            }
            known::keep(work.queries, &runs, &self.normal, work.results);
            self.left.pop_front();
            self.done.insert(query, runs);
            task.advance(1);
        }
        Ok(())
    }

    /// The query that lost the server is not tried again.
    fn failed(&mut self, query: usize, failure: QueryFailure) {
        self.left.retain(|left| *left != query);
        self.done.insert(query, QueryRuns::failed(query, failure));
    }

    fn finish(mut self, queries: usize, ended: Option<&EndedEarly>) -> Vec<QueryRuns> {
        if let Some(ended) = ended {
            for query in 0..queries {
                self.done
                    .entry(query)
                    .or_insert_with(|| ended.not_reached(query));
            }
        }
        self.done.into_values().collect()
    }
}

struct Auditor<'a> {
    session: &'a Session,
    schema: &'a Schema,
    queries: &'a [Query],
    options: &'a RunOptions,
    /// Of the query at hand.
    limits: Limits,
    /// What each caller sees of the data.
    samplers: BTreeMap<Caller, Sampler>,
    interrupt: &'a Interrupt,
}

impl Auditor<'_> {
    async fn run(
        &mut self,
        i: usize,
        normal: &mut BTreeMap<usize, ParameterSet>,
    ) -> Result<QueryRuns, Failed> {
        let query = &self.queries[i];
        self.limits = self.options.limits_of(query);
        if !query.asked_by.is_connection() {
            self.ask_as().await?;
        }
        let mut ready = self.prepare(i, normal).await?;
        let mut mender = Mender::default();
        let (runs, mut notes) = loop {
            let failed = match self.explained(i, &ready, normal).await {
                Ok(found) => break found,
                Err(failed) => failed,
            };
            let is_mended = match &failed {
                Failed::Query(failure) => {
                    let (client, limits) = (self.session.client(), &self.limits);
                    let Ready {
                        prepared, chosen, ..
                    } = &mut ready;
                    mender
                        .mend(client, limits, prepared, chosen, failure)
                        .await?
                }
                Failed::Server(_) => false,
            };
            if !is_mended {
                match failed {
                    Failed::Query(failure) if !ready.is_final && is_of_a_value(&failure) => {
                        ready.is_final = true;
                    }
                    Failed::Query(failure) if is_of_the_data(&failure) => {
                        break self.planned_only(i, &ready, &failure).await?;
                    }
                    Failed::Query(_) | Failed::Server(_) => return Err(failed),
                }
            }
        };
        ready.prepared.deallocate(self.session.client()).await?;
        if query.writes && self.options.access == Access::PrivateCopy {
            let plans = runs.iter().map(|run| &run.plan);
            explain::vacuum(self.session, self.schema, plans).await?;
        }
        notes.dedup();
        Ok(QueryRuns {
            query: i,
            runs,
            failure: None,
            notes,
        })
    }

    /// The plans of a query that fails on made data: they are judged, and nothing is said to be proven.
    async fn planned_only(
        &self,
        i: usize,
        ready: &Ready,
        failure: &QueryFailure,
    ) -> Result<(Vec<Run>, Vec<String>), Failed> {
        let estimates = self.estimates(ready).await?;
        let picked = picked(&estimates);
        let runs = execute::estimated(&self.queries[i], ready, &estimates, &picked);
        let code = failure.code.as_deref().unwrap_or_default();
        let note = format!(
            "planned only: it fails on made data: {} (SQLSTATE {code})",
            failure.message
        );
        Ok((runs, vec![note]))
    }

    /// Whether the connection may be the one who asks.
    async fn ask_as(&self) -> Result<(), Failed> {
        match caller::refusal(self.session.client(), &self.limits).await? {
            None => Ok(()),
            // No code: it is of the roles that the server has today, and is looked at again the next time.
            Some(refusal) => Err(Failed::Query(QueryFailure {
                message: format!(
                    "it cannot be asked as its `@role` and `@set` say: {} (SQLSTATE {})",
                    refusal.message, refusal.code
                ),
                code: None,
                position: None,
                hint: Some(caller::remedy(&refusal).to_owned()),
            })),
        }
    }

    /// What is seen of a query with the values at hand: its runs, and notes on them.
    async fn explained(
        &self,
        i: usize,
        ready: &Ready,
        normal: &mut BTreeMap<usize, ParameterSet>,
    ) -> Result<(Vec<Run>, Vec<String>), Failed> {
        let query = &self.queries[i];
        let estimates = self.estimates(ready).await?;
        let picked = picked(&estimates);
        let mut notes = ready.prepared.left_behind.clone();
        let left = estimates.iter().flat_map(|(_, plan)| &plan.left_behind);
        notes.extend(left.cloned());
        notes.extend(ready.note.clone());
        notes.extend(outdated_types(query, &ready.prepared));
        let ran = match self.why_not(query, ready, &estimates) {
            Some(why) => Err(why),
            None => match execute::all(self, query, ready, &estimates, &picked).await {
                Err(Failed::Query(failure)) if self.is_held_back(&failure) => {
                    Err(Some(format!("planned only: {}", failure.message)))
                }
                ran => Ok(ran?),
            },
        };
        match ran {
            Ok(execute::Executed { runs, notes: found }) => {
                notes.extend(found);
                // A child's values come from a parent that may run.
                if let Some(set) = ready.chosen.sets.first() {
                    normal.insert(i, set.clone());
                }
                Ok((runs, notes))
            }
            Err(why) => {
                notes.extend(why);
                let runs = execute::estimated(query, ready, &estimates, &picked);
                Ok((runs, notes))
            }
        }
    }

    /// Why a query is planned only: `Some` where it is, with words where it is not plain that it writes and may not.
    #[expect(
        clippy::option_option,
        reason = "whether, and why where that needs saying"
    )]
    fn why_not(
        &self,
        query: &Query,
        ready: &Ready,
        estimates: &[(ParameterSet, Explained)],
    ) -> Option<Option<String>> {
        if let Some(reason) = ready.prepared.effects.first() {
            return Some(Some(format!("planned only on a given database: {reason}")));
        }
        if !query.writes {
            return None;
        }
        match self.options.access {
            Access::PrivateCopy => None,
            Access::ReadOnly => Some(None),
            Access::Writes => {
                let rows = estimates.iter().map(|(_, plan)| written_rows(&plan.plan));
                let most = rows.fold(0.0, f64::max);
                (most > MOST_WRITTEN).then(|| {
                    Some(format!(
                        "planned only: it would write about {} rows, and --allow-writes stops at {}",
                        Count(most),
                        Count(MOST_WRITTEN)
                    ))
                })
            }
        }
    }

    /// Whether the server held it back because the transaction is read only: a function of it writes.
    fn is_held_back(&self, failure: &QueryFailure) -> bool {
        self.options.access == Access::ReadOnly && failure.code.as_deref() == Some("25006")
    }

    /// Prepares the statement and chooses its values.
    async fn prepare(
        &mut self,
        i: usize,
        normal: &BTreeMap<usize, ParameterSet>,
    ) -> Result<Ready, Failed> {
        let query = &self.queries[i];
        let client = self.session.client();
        let name = format!("pgproof_{i}");
        let prepared = Prepared::of_query(client, &name, query, &self.limits).await?;
        if prepared.types.is_empty() {
            let sets = vec![ParameterSet {
                id: SetId::base("as written"),
                values: Vec::new(),
            }];
            return Ok(Ready {
                prepared,
                chosen: Chosen {
                    sets,
                    columns: Vec::new(),
                    open: Vec::new(),
                },
                note: None,
                is_final: false,
            });
        }
        let found = self.choose(i, &prepared, normal).await;
        match found {
            Ok((chosen, note)) => Ok(Ready {
                prepared,
                chosen,
                note,
                is_final: false,
            }),
            Err(failed) => {
                prepared.deallocate(client).await?;
                Err(failed)
            }
        }
    }

    async fn choose(
        &mut self,
        i: usize,
        prepared: &Prepared,
        normal: &BTreeMap<usize, ParameterSet>,
    ) -> Result<(Chosen, Option<String>), Failed> {
        let query = &self.queries[i];
        let client = self.session.client();
        let asked = (query, prepared);
        let parent::Given {
            values: given,
            note,
        } = parent::values(client, &self.limits, self.queries, asked, normal).await?;
        let generic = explain::generic(client, prepared, &self.limits).await?;
        let extended = parameters::with_system_tables(client, self.schema, &generic.plan).await;
        let mut search = Search {
            client,
            limits: &self.limits,
            schema: extended.as_ref().unwrap_or(self.schema),
            sampler: self.samplers.entry(query.asked_by.clone()).or_default(),
        };
        let chosen = parameters::choose(&mut search, query, prepared, &generic.plan, &given).await;
        chosen
            .map(|chosen| (chosen, note))
            .map_err(|error| match error {
                ChooseError::Unknown(failure) => Failed::Query(failure),
                ChooseError::Explain(error) => error.into(),
            })
    }

    /// Every set's estimate; sets whose values the server refuses are left out, unless it refuses all of them.
    async fn estimates(&self, ready: &Ready) -> Result<Vec<(ParameterSet, Explained)>, Failed> {
        let client = self.session.client();
        let sets = &ready.chosen.sets;
        let values: Vec<_> = sets.iter().map(|set| set.values.clone()).collect();
        match explain::estimate(
            client,
            &ready.prepared,
            &values,
            PlanChoice::Custom,
            &self.limits,
        )
        .await
        {
            Ok(plans) => return Ok(sets.iter().cloned().zip(plans).collect()),
            Err(ExplainError::Refused(_)) if sets.len() > 1 => {}
            Err(error) => return Err(error.into()),
        }
        let mut found = Vec::new();
        let mut refused = None;
        for (set, values) in sets.iter().zip(&values) {
            let alone = std::slice::from_ref(values);
            match explain::estimate(
                client,
                &ready.prepared,
                alone,
                PlanChoice::Custom,
                &self.limits,
            )
            .await
            {
                Ok(plans) => found.extend(plans.into_iter().map(|plan| (set.clone(), plan))),
                Err(error @ ExplainError::Refused(_)) => refused = refused.or(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
        match refused {
            Some(error) if found.is_empty() => Err(error.into()),
            Some(_) | None => Ok(found),
        }
    }
}

/// Limits with `--allow-writes`: what a statement locks, others wait for.
pub const WRITE_LIMITS: Limits = Limits {
    statement: Millis(10_000.0),
    lock: Millis(300.0),
    access: Access::Writes,
    caller: None,
};

/// With `--allow-writes`, a statement that is expected to write more rows than this is planned only: each leaves a dead row
/// behind, and a lock until the rollback.
pub const MOST_WRITTEN: f64 = 10_000.0;

/// Rows that a plan expects to insert, update and delete.
fn written_rows(plan: &Plan) -> f64 {
    plan.nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.kind == NodeKind::ModifyTable)
        .flat_map(|(_, node)| &node.children)
        .filter_map(|child| plan.nodes.get(child.0))
        .map(|child| child.estimate.rows.0)
        .sum()
}

/// At most so many parameter sets of one query are executed.
const MAX_EXECUTED: usize = 5;

/// What a row costs on its way to the client, which the planner leaves out: half of what it takes for one from the heap.
const ROW_COST: f64 = 0.05;

/// Which estimates to execute: the normal one, and of every shape the one that costs most; where that shape is the normal
/// one's, only if it costs clearly more. A range that nobody may ask for takes no other set's place.
fn picked(estimates: &[(ParameterSet, Explained)]) -> Vec<usize> {
    const CLEARLY: f64 = 1.25;
    let cost = |i: usize| {
        let estimate = estimates[i].1.plan.root().estimate;
        estimate.total_cost + estimate.rows.0 * ROW_COST
    };
    let mut worst: Vec<((String, bool), usize)> = Vec::new();
    for (i, (set, explained)) in estimates.iter().enumerate() {
        let shape = (shape(&explained.plan), set.id.is_wide());
        match worst.iter_mut().find(|(other, _)| *other == shape) {
            Some((_, at)) => {
                let margin = if *at == 0 { CLEARLY } else { 1.0 };
                if cost(i) > cost(*at) * margin {
                    *at = i;
                }
            }
            None => worst.push((shape, i)),
        }
    }
    let is_wide = |i: usize| estimates[i].0.id.is_wide();
    let usual = worst.first().map(|((shape, _), _)| shape.clone());
    let tells_more = |shape: &String, i: usize| {
        i != 0 && (usual.as_ref() != Some(shape) || !is_wide(i) || cost(i) > cost(0) * CLEARLY)
    };
    let mut others: Vec<usize> = worst
        .iter()
        .filter(|((shape, _), i)| tells_more(shape, *i))
        .map(|(_, i)| *i)
        .collect();
    others.sort_by(|a, b| {
        is_wide(*a)
            .cmp(&is_wide(*b))
            .then(cost(*b).total_cmp(&cost(*a)))
    });
    let mut picked: Vec<usize> = if estimates.is_empty() {
        Vec::new()
    } else {
        vec![0]
    };
    picked.extend(others);
    picked.truncate(MAX_EXECUTED);
    picked
}

/// The values as a report shows them.
fn bound(query: &Query, ready: &Ready, values: &[Option<String>]) -> Vec<BoundParameter> {
    let parameters = ready
        .prepared
        .types
        .iter()
        .enumerate()
        .map(|(i, info)| BoundParameter {
            number: u16::try_from(i + 1).unwrap_or(u16::MAX),
            name: query
                .parameters
                .get(i)
                .and_then(|parameter| parameter.name.clone()),
            type_name: info.name.clone(),
            value: values.get(i).cloned().flatten(),
            column: ready.chosen.columns.get(i).cloned().flatten(),
        });
    parameters.collect()
}
