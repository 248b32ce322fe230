//! Compares a catalog before and after migrations on copies of one dataset: *before*, *after* (migrated under observation),
//! *control* (only analyzed again), *trace* (statement by statement, and back) and *safer* (the rewritten migration). Runs
//! and measures; what it means is `diff`'s.

mod cause;
mod fresh;
mod new_tables;
mod rerun;
mod rewritten;
mod slower;
mod snapshot;
mod touched;

use std::collections::BTreeSet;
use std::time::Instant;

use crate::catalog::Query;
use crate::diff::canonical::OperatorKind;
use crate::diff::extrapolate::{Point, extrapolate};
use crate::diff::names::{Names, Renames};
use crate::diff::observation::StatementObservation;
use crate::diff::outcome::{BeforeAnalyze, Fate, Presence, QueryDiff, RunDiff, Side};
use crate::diff::report::{IndexUse, RoundTrip, SchemaDifference, Spent, index_uses};
use crate::diff::verdict::{Limits as VerdictLimits, Verdict};
use crate::interrupt::{Interrupt, Interrupted};
use crate::migrations::Migration;
use crate::progress::{Progress, Unit};
use crate::run::{QueryRuns, Run};
use crate::schema::Schema;
use crate::seed::Options;
use crate::source::Source;
use crate::units::Millis;

use self::slower::Contest;
use super::audit::{AuditError, RunOptions, run_catalog};
use super::clone::{Clone as DatabaseClone, CloneError};
use super::connect::{ConnectError, DatabaseUrl, Session};
use super::explain::ExplainError;
use super::introspect::{self, IntrospectError};
use super::migrate::MigrateError;
use super::migration_observer::{ObserveError, Observed, Rehearsal, observe};
use super::server::{Cluster, ServerError};
use super::traffic::{Broken, Probe};

pub use rerun::{Ran, literal_sql, rerun};
pub use snapshot::{Known, against_snapshots, planner_settings, snapshots};

/// What is compared.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The embedded server.
    pub cluster: &'a Cluster,
    /// The dataset as it is before the migrations: a template database.
    pub template: &'a str,
    /// The same at a smaller scale, for the extrapolation.
    pub small: Option<&'a str>,
    /// How many times the seeded rows production has.
    pub production_factor: f64,
    /// What is applied.
    pub migrations: &'a [Migration],
    /// The catalog before.
    pub before: &'a [Query],
    /// The catalog after; the same where only the schema changes.
    pub after: &'a [Query],
    /// What the migrations' new tables are filled by.
    pub seeds: (&'a [Source], &'a Options),
    /// Which tables get new statistics.
    pub analyzed: Analyzed,
    /// How queries are run.
    pub options: RunOptions,
    /// From where on more work is a regression, for a query.
    pub limits_for: &'a dyn Fn(&Query) -> VerdictLimits,
    /// Events.
    pub progress: &'a Progress,
    /// Stops everything.
    pub interrupt: &'a Interrupt,
}

/// Which tables get new statistics on *after* and *control*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analyzed {
    /// Those that the migrations touched.
    Touched,
    /// All: a version against itself, where nothing but chance can differ; or where it is not known what was touched.
    Everything,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Compared {
    /// Every query of both catalogs, worst first.
    pub queries: Vec<QueryDiff>,
    /// The old statements of changed and removed queries on the new schema, where they fail or get worse.
    pub rolling: Vec<QueryDiff>,
    /// What each statement of the migrations did.
    pub statements: Vec<StatementObservation>,
    /// The names of the probes: `BlockedQuery::probe` indexes them.
    pub probes: Vec<String>,
    /// Queries that failed from some statement on.
    pub broken: Vec<(Option<usize>, Broken)>,
    /// Indexes that came and went, with the queries that use them.
    pub indexes: Vec<IndexUse>,
    /// The way back, where there is one.
    pub round_trip: Option<RoundTrip>,
    /// Where the migration with its safer forms ends otherwise than as written; `None` where none was run.
    pub safer_schema: Option<SchemaDifference>,
    /// Where the time went.
    pub spent: Spent,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Clone(#[from] CloneError),
    #[error(transparent)]
    Introspect(#[from] IntrospectError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error(transparent)]
    Embedded(#[from] ServerError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("the server failed while {doing}: {reason}")]
    Server { doing: &'static str, reason: String },
}

/// A copy with a session on it.
struct Copy {
    clone: DatabaseClone,
    session: Session,
}

impl Copy {
    async fn of(task: &Task<'_>, template: &str) -> Result<Self, CompareError> {
        let server = match task
            .migrations
            .iter()
            .any(|migration| migration.up.program.is_some())
        {
            // Programs seldom know sockets.
            true => task.cluster.loopback_url("postgres")?,
            false => task.cluster.url("postgres"),
        };
        let clone = DatabaseClone::of(&server, template, task.interrupt).await?;
        let session = Session::open(clone.url(), task.interrupt).await?;
        Ok(Self { clone, session })
    }

    fn url(&self) -> &DatabaseUrl {
        self.clone.url()
    }

    async fn discard(self) -> Result<(), CompareError> {
        self.session.close().await;
        Ok(self.clone.discard().await?)
    }
}

/// Runs the whole comparison.
///
/// # Errors
/// [`CompareError`]; every copy is dropped.
pub async fn compare(task: &Task<'_>) -> Result<Compared, CompareError> {
    let mut compared = Compared::default();
    let mut clock = Clock::start();
    let before = Copy::of(task, task.template).await?;
    let old_schema = introspect::schema(&before.session).await?;
    clock.lap(&mut compared.spent.copies);
    let old_runs = run_catalog(
        &before.session,
        &old_schema,
        task.before,
        &task.options,
        task.progress,
        task.interrupt,
    )
    .await?;
    clock.lap(&mut compared.spent.queries);

    let after = Copy::of(task, task.template).await?;
    clock.lap(&mut compared.spent.copies);
    let probes = rerun::probes(task.before, &old_runs);
    task.progress.note(format!(
        "applying {} under observation",
        counted(task.migrations)
    ));
    let observed = observe(
        after.url(),
        task.migrations,
        &probes,
        Rehearsal::WithReader,
        task.interrupt,
    )
    .await?;
    clock.lap(&mut compared.spent.migrations);
    let mut new_schema = introspect::schema(&after.session).await?;
    if new_tables::fill(task, &after, &old_schema, &new_schema).await? {
        new_schema = introspect::schema(&after.session).await?;
    }
    clock.lap(&mut compared.spent.dataset);
    let sides = Sides {
        old: &old_schema,
        new: &new_schema,
        renames: Renames::between(&old_schema, &new_schema),
    };
    let unanalyzed = state_before_analyze(task, &after.session, &old_runs, &sides).await?;
    clock.lap(&mut compared.spent.queries);

    let tables = match task.analyzed {
        Analyzed::Touched => touched::tables(
            &observed.statements,
            &old_schema,
            &new_schema,
            &sides.renames,
        ),
        Analyzed::Everything => touched::all(&old_schema, &new_schema),
    };
    let control = Copy::of(task, task.template).await?;
    clock.lap(&mut compared.spent.copies);
    touched::vacuum_analyze(&after.session, &tables.after).await?;
    touched::vacuum_analyze(&control.session, &tables.before).await?;
    clock.lap(&mut compared.spent.migrations);
    let copies = Three {
        before: &before,
        after: &after,
        control: &control,
        touched: &tables.relations,
    };
    compared.queries = compare_queries(task, &copies, &old_runs, unanalyzed, &sides).await?;
    compared.rolling = rolling(task, &copies, &old_runs, &sides).await?;
    fresh::run(task, &after, &mut compared.queries, &sides).await?;
    clock.lap(&mut compared.spent.queries);
    compared.indexes = index_uses(&sides.names(), &old_runs, task.before, &compared.queries);
    for copy in [before, after, control] {
        copy.discard().await?;
    }
    clock.lap(&mut compared.spent.copies);

    compared.round_trip = cause::trace(task, &mut compared, &old_runs, &sides, &tables).await?;
    let mut clock = Clock::start();
    compared.statements = observed.statements;
    compared.broken = observed.broken;
    compared.safer_schema =
        rewritten::prove_safer_forms(task, &mut compared.statements, &probes, &new_schema).await?;
    extrapolate_statements(task, &mut compared.statements, &old_schema, &probes).await?;
    clock.lap(&mut compared.spent.migrations);
    compared.probes = probes.into_iter().map(|probe| probe.name).collect();
    compared.queries.sort_by_key(QueryDiff::verdict);
    Ok(compared)
}

fn counted(migrations: &[Migration]) -> String {
    let statements: usize = migrations
        .iter()
        .map(|migration| migration.up.statements.len())
        .sum();
    format!("{statements} statements of {} migrations", migrations.len())
}

struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Adds the time since the last lap.
    fn lap(&mut self, to: &mut Millis) {
        to.0 += self.0.elapsed().as_secs_f64() * 1000.0;
        self.0 = Instant::now();
    }
}

/// Both schemas and what was renamed between them.
struct Sides<'a> {
    old: &'a Schema,
    new: &'a Schema,
    renames: Renames,
}

impl Sides<'_> {
    fn old_names(&self) -> Names<'_> {
        Names {
            schema: Some(self.old),
            renames: Some(&self.renames),
            ..Names::UNKNOWN
        }
    }

    fn new_names(&self) -> Names<'_> {
        Names {
            schema: Some(self.new),
            renames: None,
            ..Names::UNKNOWN
        }
    }

    fn names(&self) -> (Names<'_>, Names<'_>) {
        (self.old_names(), self.new_names())
    }
}

struct Three<'a> {
    before: &'a Copy,
    after: &'a Copy,
    control: &'a Copy,
    /// Canonical names of the tables that the migration touched.
    touched: &'a BTreeSet<String>,
}

fn runs_of(old_runs: &[QueryRuns], query: usize) -> &[Run] {
    old_runs
        .iter()
        .find(|runs| runs.query == query)
        .map(|runs| runs.runs.as_slice())
        .unwrap_or_default()
}

/// The statement that a query has afterwards; `None` where it is gone or takes other parameters.
fn successor<'a>(task: &Task<'a>, query: &Query) -> Option<&'a Query> {
    let found = task.after.iter().find(|after| after.name == query.name)?;
    (found.parameters.len() == query.parameters.len()).then_some(found)
}

/// For each query and parameter set the state between migration and ANALYZE: what it would do, where its plan is another.
async fn state_before_analyze(
    task: &Task<'_>,
    after: &Session,
    old_runs: &[QueryRuns],
    sides: &Sides<'_>,
) -> Result<Vec<Vec<Option<Fate>>>, CompareError> {
    let mut all = Vec::with_capacity(task.before.len());
    for (n, query) in task.before.iter().enumerate() {
        task.interrupt.check()?;
        let runs = runs_of(old_runs, n);
        let mut fates = vec![None; runs.len()];
        if let Some(successor) = successor(task, query) {
            let planned = rerun::plan(after, successor, runs, &task.options).await?;
            for (at, plan) in planned.into_iter().enumerate() {
                let Ok(plan) = plan else { continue };
                let side = Side::of_plan(crate::diff::canonicalize(&plan, &sides.new_names()));
                let old = Side::of(&runs[at], &sides.old_names());
                if side.hashes.shape != old.hashes.shape {
                    let ran = rerun(after, successor, &runs[at..=at], 1, &task.options).await?;
                    fates[at] = ran
                        .into_iter()
                        .next()
                        .map(|ran| rerun::fate(&ran, &sides.new_names()));
                }
            }
        }
        all.push(fates);
    }
    Ok(all)
}

async fn compare_queries(
    task: &Task<'_>,
    copies: &Three<'_>,
    old_runs: &[QueryRuns],
    unanalyzed: Vec<Vec<Option<Fate>>>,
    sides: &Sides<'_>,
) -> Result<Vec<QueryDiff>, CompareError> {
    let steps = task.progress.task(
        "Comparing plans",
        Unit::Steps,
        Some(task.before.len() as u64),
    );
    let mut found = Vec::new();
    for ((n, query), unanalyzed) in task.before.iter().enumerate().zip(unanalyzed) {
        task.interrupt.check()?;
        steps.doing(query.name.clone());
        let failed = old_runs
            .iter()
            .find(|runs| runs.query == n)
            .and_then(|runs| runs.failure.as_ref());
        let mut diff = QueryDiff {
            failed_before: failed.map(|failure| failure.message.clone()),
            ..QueryDiff::of(query, presence(task, query))
        };
        if let Some(successor) = successor(task, query) {
            (diff.file, diff.line) = (successor.file.clone(), successor.line);
            let compared =
                compare_runs(task, copies, query, successor, runs_of(old_runs, n), sides).await?;
            for (mut run, unanalyzed) in compared.into_iter().zip(unanalyzed) {
                run.before_analyze = unanalyzed
                    .and_then(|fate| before_analyze(&run, &fate, sides, &(task.limits_for)(query)));
                diff.runs.push(run);
            }
        }
        found.push(diff);
        steps.advance(1);
    }
    slower::confirm(task, copies, old_runs, &mut found).await?;
    found = found.into_iter().map(QueryDiff::sorted).collect();
    let new = task
        .after
        .iter()
        .filter(|query| !task.before.iter().any(|before| before.name == query.name));
    found.extend(new.map(|query| QueryDiff::of(query, Presence::New)));
    Ok(found)
}

fn presence(task: &Task<'_>, query: &Query) -> Presence {
    match task.after.iter().find(|after| after.name == query.name) {
        None => Presence::Removed,
        Some(after) if after.sql == query.sql => Presence::Both,
        Some(_) => Presence::Changed,
    }
}

async fn compare_runs(
    task: &Task<'_>,
    copies: &Three<'_>,
    query: &Query,
    successor: &Query,
    runs: &[Run],
    sides: &Sides<'_>,
) -> Result<Vec<RunDiff>, CompareError> {
    let limits = (task.limits_for)(query);
    let after = rerun(&copies.after.session, successor, runs, 1, &task.options).await?;
    let control = rerun(&copies.control.session, query, runs, 1, &task.options).await?;
    let mut found = Vec::with_capacity(runs.len());
    for (at, run) in runs.iter().enumerate() {
        let old = Side::of(run, &sides.old_names());
        let fate = rerun::fate(&after[at], &sides.new_names());
        let control = rerun::fate(
            &control[at],
            &Names {
                schema: Some(sides.old),
                renames: Some(&sides.renames),
                ..Names::UNKNOWN
            },
        );
        let mut diff = RunDiff::judge(run, old, &fate, Some(&control), &sides.renames, &limits);
        let told_by_nothing = matches!(diff.verdict, Verdict::Unchanged | Verdict::Neutral);
        if told_by_nothing && looks_slower(&diff) && reads_touched(&diff, copies.touched) {
            let sessions = [copies.before, copies.after, copies.control].map(|copy| &copy.session);
            let contest = Contest {
                sessions,
                query,
                successor,
                limits: task.options.limits(),
            };
            diff.slowdown = contest.slowdown(run).await?;
        }
        found.push(diff);
    }
    Ok(found)
}

/// Whether the plan reads, or writes, a table that the migration touched: else it cannot be what made it slower.
fn reads_touched(diff: &RunDiff, touched: &BTreeSet<String>) -> bool {
    let mut found = false;
    diff.before.plan.root.each(&mut |operator| {
        found |= match &operator.kind {
            OperatorKind::Scan(scan) => touched.contains(&scan.relation),
            OperatorKind::Modify { relation, .. } => touched.contains(relation),
            OperatorKind::Join { .. }
            | OperatorKind::Aggregate { .. }
            | OperatorKind::Other { .. } => false,
        };
    });
    found
}

/// Worth measuring again, run by run in turn.
fn looks_slower(diff: &RunDiff) -> bool {
    let after = diff.after.as_ref().and_then(|side| side.time);
    matches!((diff.before.time, after), (Some(before), Some(after)) if after.0 >= before.0 * 1.1 && after.0 - before.0 >= 1.0)
}

/// The state before ANALYZE, where it is worse than before the migration and worse than after ANALYZE.
fn before_analyze(
    run: &RunDiff,
    fate: &Fate,
    sides: &Sides<'_>,
    limits: &VerdictLimits,
) -> Option<BeforeAnalyze> {
    let changes = crate::diff::outcome::differences(&run.before, fate, &sides.renames);
    let work = fate.side().map(|side| side.work).unwrap_or_default();
    let verdict = crate::diff::verdict::judge(&run.before.work, &work, &changes, limits);
    let worse = verdict < run.verdict && (verdict == Verdict::Error || verdict.is_regression());
    worse.then(|| BeforeAnalyze {
        verdict,
        changes,
        side: fate.side().cloned(),
    })
}

/// Changed and removed queries in their old form on the new schema: what a rolling deploy runs for a while.
async fn rolling(
    task: &Task<'_>,
    copies: &Three<'_>,
    old_runs: &[QueryRuns],
    sides: &Sides<'_>,
) -> Result<Vec<QueryDiff>, CompareError> {
    let mut found = Vec::new();
    for (n, query) in task.before.iter().enumerate() {
        let presence = presence(task, query);
        if presence == Presence::Both {
            continue;
        }
        let runs = compare_runs(task, copies, query, query, runs_of(old_runs, n), sides).await?;
        let diff = QueryDiff {
            runs,
            ..QueryDiff::of(query, presence)
        }
        .sorted();
        let verdict = diff.verdict();
        if verdict == Verdict::Error || verdict.is_regression() {
            found.push(diff);
        }
    }
    Ok(found)
}

/// How often the migrations are applied at the small scale: what these differ by is the noise of all.
const REPEATS: usize = 3;

/// Applies the migrations at the small scale, several times, and extends each statement's duration to production's rows.
async fn extrapolate_statements(
    task: &Task<'_>,
    statements: &mut [StatementObservation],
    schema: &Schema,
    probes: &[Probe],
) -> Result<(), CompareError> {
    let Some(small) = task.small else {
        return Ok(());
    };
    let mut durations: Vec<Vec<Millis>> = vec![Vec::new(); statements.len()];
    let mut small_schema = None;
    for _ in 0..REPEATS {
        task.interrupt.check()?;
        let copy = Copy::of(task, small).await?;
        if small_schema.is_none() {
            small_schema = Some(introspect::schema(&copy.session).await?);
        }
        let observed: Observed = observe(
            copy.url(),
            task.migrations,
            probes,
            Rehearsal::Plain,
            task.interrupt,
        )
        .await?;
        copy.discard().await?;
        for (durations, statement) in durations.iter_mut().zip(observed.statements) {
            durations.push(statement.duration);
        }
    }
    let Some(small_schema) = small_schema else {
        return Ok(());
    };
    for (statement, durations) in statements.iter_mut().zip(durations) {
        let inherited = statement.inherited.iter().map(|inherited| &inherited.lock);
        let tables: BTreeSet<&str> = statement
            .locks
            .iter()
            .chain(inherited)
            .map(|lock| lock.relation.as_str())
            .collect();
        let rows = |schema: &Schema| -> f64 {
            tables
                .iter()
                .map(|table| touched::rows(schema, table))
                .sum()
        };
        let (few, many) = (rows(&small_schema), rows(schema));
        let large = Point {
            rows: many,
            duration: statement.duration,
        };
        statement.extrapolation =
            extrapolate(few, &durations, large, many * task.production_factor);
    }
    Ok(())
}

/// The catalog's queries as traffic, for tests and other callers.
#[must_use]
pub fn probes(queries: &[Query], runs: &[QueryRuns]) -> Vec<Probe> {
    rerun::probes(queries, runs)
}
