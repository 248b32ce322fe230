//! Compares a catalog before and after migrations on copies of one dataset: *before*, *after* (migrated with nothing beside
//! it), *control* (only analyzed again), then, each on a copy of its own, the migration beside traffic, behind readers, statement
//! by statement and back, and with safer forms. Runs and measures; what it means is `diff`'s.

mod at_once;
mod cause;
mod fresh;
mod new_tables;
mod queries;
mod reach;
mod rerun;
mod rewritten;
mod slower;
mod snapshot;
mod state;
mod touched;
mod upgrade;

use std::collections::BTreeSet;
use std::time::Instant;

use crate::catalog::Query;
use crate::diff::extrapolate::{Point, extrapolate};
use crate::diff::names::{Names, Renames};
use crate::diff::observation::StatementObservation;
use crate::diff::outcome::QueryDiff;
use crate::diff::report::{IndexUse, RoundTrip, SchemaDifference, Spent, index_uses};
use crate::diff::traps::{Trap, traps};
use crate::diff::verdict::Limits as VerdictLimits;
use crate::interrupt::{Interrupt, Interrupted};
use crate::migrations::Migration;
use crate::progress::Progress;
use crate::results::Results;
use crate::run::{QueryRuns, Run};
use crate::schema::Schema;
use crate::seed::Options;
use crate::source::Source;
use crate::units::Millis;

use self::queries::Bench;
use self::reach::Reach;
use super::audit::{AuditError, Known as KnownRuns, RunOptions, run_unknown};
use super::clone::{Clone as DatabaseClone, CloneError};
use super::connect::{ConnectError, DatabaseUrl, Session};
use super::explain::ExplainError;
use super::introspect::{self, IntrospectError};
use super::migrate::MigrateError;
use super::migration_observer::{ObserveError, inspect, measure};
use super::server::{Cluster, ServerError};
use super::traffic::Probe;

pub use rerun::{Ran, literal_sql, rerun};
pub use snapshot::{Known, against_snapshots, planner_settings, snapshots};
pub use upgrade::{Defaults, Servers, attribute, before_analyze, defaults};

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
    /// What is known of the dataset's queries from earlier runs.
    pub results: &'a Results,
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
    pub broken: Vec<BrokenQuery>,
    /// Indexes that came and went, with the queries that use them.
    pub indexes: Vec<IndexUse>,
    /// The way back, where there is one.
    pub round_trip: Option<RoundTrip>,
    /// Where the migration with its safer forms ends otherwise than as written; `None` where none was run.
    pub safer_schema: Option<SchemaDifference>,
    /// Statements that leave something else than was meant.
    pub traps: Vec<Trap>,
    /// Where the time went.
    pub spent: Spent,
}

/// A query that failed from some statement on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenQuery {
    /// Which statement, where one is known.
    pub statement: Option<usize>,
    /// The query's name.
    pub query: String,
    /// The server's words.
    pub message: String,
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

impl CompareError {
    /// Whether the dataset's rows alone keep the migrations from being applied: the statement, and why.
    #[must_use]
    pub fn unfit(&self) -> Option<&crate::source::SourceError> {
        let Self::Observe(ObserveError::Unfit(error)) = self else {
            return None;
        };
        Some(error)
    }

    /// What is optional failed: it costs its own part of the report, and nothing else, unless the user stopped everything.
    fn costs(self, task: &Task<'_>, what: &str) -> Result<(), Self> {
        task.interrupt.check()?;
        task.progress.note(format!("{what}: {self}"));
        Ok(())
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
    let mut after = Copy::of(task, task.template).await?;
    clock.lap(&mut compared.spent.copies);
    task.progress
        .note(format!("applying {}", counted(task.migrations)));
    compared.statements = inspect(after.url(), task.migrations, task.interrupt).await?;
    clock.lap(&mut compared.spent.migrations);
    let known = KnownRuns::of(task.before, task.results);
    let from_earlier: BTreeSet<usize> = known.queries().collect();
    let mut old_runs = run_unknown(
        &before.session,
        (&old_schema, task.before),
        (known, task.results),
        &task.options,
        (task.progress, task.interrupt),
    )
    .await?;
    task.results.tidy();
    clock.lap(&mut compared.spent.queries);
    let mut new_schema = introspect::schema(&after.session).await?;
    match new_tables::fill(task, &after, &old_schema, &new_schema).await {
        Ok(false) => {}
        Ok(true) => new_schema = introspect::schema(&after.session).await?,
        Err(error) => {
            error.costs(task, "the migrations' new tables stay empty")?;
            // Loading takes indexes away and may have ended before they were back: on with a copy that is as the migrations leave it.
            after.discard().await?;
            after = Copy::of(task, task.template).await?;
            inspect(after.url(), task.migrations, task.interrupt).await?;
            new_schema = introspect::schema(&after.session).await?;
        }
    }
    clock.lap(&mut compared.spent.dataset);
    let sides = Sides {
        old: &old_schema,
        new: &new_schema,
        renames: Renames::between(&old_schema, &new_schema),
    };
    let touched = match task.analyzed {
        Analyzed::Touched => touched::tables(
            &compared.statements,
            &old_schema,
            &new_schema,
            &sides.renames,
        ),
        Analyzed::Everything => touched::all(&old_schema, &new_schema),
    };
    let reach = Reach {
        task,
        after: &after.session,
        sides: &sides,
        touched: &touched,
    };
    reach
        .run_again(&before, &from_earlier, &mut old_runs)
        .await?;
    let mut bench = Bench {
        task,
        before,
        after,
        control: None,
        old_runs: &old_runs,
        sides: &sides,
        touched: &touched,
    };
    compared.queries = bench.compare_queries().await?;
    compared.rolling = bench.rolling().await?;
    fresh::run(task, &bench.after, &mut compared.queries, &sides).await?;
    clock.lap(&mut compared.spent.queries);
    let without_policy = tables_without_policy(&bench.after.session).await?;
    compared.traps = traps(&compared.statements, &without_policy);
    compared.indexes = index_uses(&sides.names(), &old_runs, task.before, &compared.queries);
    bench.discard().await?;
    clock.lap(&mut compared.spent.copies);

    let probes = rerun::probes(task.before, &old_runs);
    let extrapolated = extrapolate_statements(task, &mut compared.statements, &old_schema).await;
    if let Err(error) = extrapolated {
        error.costs(task, "no durations for production's rows")?;
    }
    if let Err(error) = beside_traffic(task, &mut compared, &probes).await {
        error.costs(task, "no waits are measured")?;
    }
    clock.lap(&mut compared.spent.traffic);
    at_once::run(
        task,
        &mut compared,
        &probes,
        &at_once::Found {
            old_runs: &old_runs,
            sides: &sides,
            touched: &touched,
        },
    )
    .await?;
    clock.lap(&mut compared.spent.migrations);
    compared.probes = probes.into_iter().map(|probe| probe.name).collect();
    compared.queries.sort_by_key(QueryDiff::verdict);
    Ok(compared)
}

/// Tables on which row security is on and no policy.
async fn tables_without_policy(session: &Session) -> Result<BTreeSet<String>, CompareError> {
    const QUERY: &str = "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)";
    let rows = session.client().query(QUERY, &[]).await;
    let rows = rows.map_err(|error| CompareError::Server {
        doing: "reading row security",
        reason: super::connect::describe(&error),
    })?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The migrations once more, with the catalog beside them.
async fn beside_traffic(
    task: &Task<'_>,
    compared: &mut Compared,
    probes: &[Probe],
) -> Result<(), CompareError> {
    if task.migrations.is_empty() {
        return Ok(());
    }
    task.progress
        .note("applying them again, with the catalog as light traffic beside them");
    let copy = Copy::of(task, task.template).await?;
    let statements = &mut compared.statements;
    let broken = measure(
        copy.url(),
        task.migrations,
        probes,
        statements,
        task.interrupt,
    )
    .await?;
    copy.discard().await?;
    compared.broken = broken
        .into_iter()
        .map(|(statement, broken)| BrokenQuery {
            statement,
            query: probes
                .get(broken.probe)
                .map_or_else(String::new, |probe| probe.name.clone()),
            message: broken.message,
        })
        .collect();
    Ok(())
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

/// How often the migrations are applied at the small scale: what these differ by is the noise of all.
const REPEATS: usize = 3;

/// Applies the migrations at the small scale, several times, and extends each statement's duration to production's rows.
async fn extrapolate_statements(
    task: &Task<'_>,
    statements: &mut [StatementObservation],
    schema: &Schema,
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
        let observed = inspect(copy.url(), task.migrations, task.interrupt).await?;
        copy.discard().await?;
        for (durations, statement) in durations.iter_mut().zip(observed) {
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
