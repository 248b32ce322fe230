//! `pgproof diff --server 15 --server 18`: the same rows and the same statistics on two majors. What differs then is the version's.

use std::time::Instant;

use crate::catalog::Query;
use crate::cli::args::DiffArgs;
use crate::cli::exit::CliError;
use crate::cli::settings::Project;
use crate::cli::{Globals, UrlSource, target};
use crate::db::audit::RunOptions;
use crate::db::comparison::{self, CompareError, Defaults, Known, Servers};
use crate::db::lab::{Laboratory, Lost};
use crate::db::profile;
use crate::db::server::Cluster;
use crate::diff::outcome::QueryDiff;
use crate::diff::report::Comparison;
use crate::diff::snapshot::QuerySnapshot;
use crate::diff::verdict::Limits;
use crate::profile::model::TableStatistics;
use crate::report::{DatasetInfo, Origin, Report};
use crate::rules::plan_regression;
use crate::schema::Schema;
use crate::units::Millis;

/// From this major on pg_upgrade keeps the statistics of columns; those of CREATE STATISTICS it keeps nowhere.
const KEEPS_STATISTICS: u32 = 18;

/// One server with a copy of the dataset.
struct Side {
    cluster: Cluster,
    laboratory: Laboratory,
    schema: Schema,
    dataset: DatasetInfo,
    /// Of every table, as ANALYZE left them.
    statistics: Vec<TableStatistics>,
}

/// Runs the catalog on both, and says what differs and why.
pub(super) async fn of_servers(
    args: &DiffArgs,
    project: &Project,
    globals: &Globals,
) -> Result<Report, CliError> {
    let [old, new] = args.server[..] else {
        return Err(CliError::usage(
            "--server is given twice: production's version, and the next one",
        )
        .help("for example: pgproof diff --server 15 --server 18"));
    };
    if globals
        .database()?
        .is_some_and(|(_, source)| source == UrlSource::Flag)
    {
        return Err(CliError::usage(
            "diff --server compares pgproof's own servers, never a given database",
        )
        .help("leave --database-url out"));
    }
    let queries = project.catalog()?.queries;
    let limits_for = |query: &Query| plan_regression::limits(&project.settings.policy_for(query));
    let rest = Rest {
        queries: &queries,
        options: project.settings.audit.run_once(),
        limits_for: &limits_for,
        globals,
    };
    let mut clock = Instant::now();
    let before = Side::open(old, project, globals).await?;
    let mut in_dataset = lap(&mut clock);
    let kept = kept(&rest.known(&before)).await;
    let in_queries = lap(&mut clock);
    let (from, statistics) = (before.version(), before.close().await?);
    let (kept, defaults) = kept?;

    let mut after = Side::open(new, project, globals).await?;
    in_dataset.0 += lap(&mut clock).0;
    let found = compared(
        &mut after,
        &rest,
        (old, new),
        (&kept, &defaults),
        &statistics,
    )
    .await;
    let (to, dataset) = (after.version(), after.dataset.clone());
    after.close().await?;
    let mut comparison = Comparison {
        from: format!("PostgreSQL {from}"),
        to: format!("PostgreSQL {to}"),
        queries: found?,
        ..Comparison::default()
    };
    comparison.spent.dataset = in_dataset;
    comparison.spent.queries = Millis(in_queries.0 + lap(&mut clock).0);
    Ok(Report {
        origin: Origin::Diff,
        server_version: Some(to),
        dataset: Some(dataset),
        findings: super::regressions(&comparison.queries, &queries, project),
        comparison: Some(Box::new(comparison)),
        ..Report::default()
    })
}

/// What is the same on both servers.
struct Rest<'r> {
    queries: &'r [Query],
    options: RunOptions,
    limits_for: &'r dyn Fn(&Query) -> Limits,
    globals: &'r Globals,
}

impl<'r> Rest<'r> {
    fn known(&self, side: &'r Side) -> Known<'r> {
        Known {
            session: side.laboratory.session(),
            schema: &side.schema,
            queries: self.queries,
            options: self.options,
            limits_for: self.limits_for,
            progress: &self.globals.progress,
            interrupt: &self.globals.interrupt,
        }
    }
}

async fn kept(known: &Known<'_>) -> Result<(Vec<QuerySnapshot>, Defaults), CompareError> {
    let kept = comparison::snapshots(known, &[]).await?;
    Ok((kept, comparison::defaults(known.session).await?))
}

/// The kept plans against the newer server's, with what made them other ones, and what holds until it is analyzed.
async fn compared(
    after: &mut Side,
    rest: &Rest<'_>,
    (old, new): (u32, u32),
    (kept, defaults): (&[QuerySnapshot], &Defaults),
    statistics: &[TableStatistics],
) -> Result<Vec<QueryDiff>, CliError> {
    // Another sample of the same rows would be another plan by chance.
    after.laboratory.set_statistics(statistics).await?;
    let mut diffs = comparison::against_snapshots(&rest.known(after), kept).await?;
    let servers = Servers { old, new, defaults };
    comparison::attribute(&rest.known(after), servers, &mut diffs).await?;
    let lost = match new {
        _ if old == new => Lost::Nothing,
        KEEPS_STATISTICS.. => Lost::Extended,
        _ => Lost::All,
    };
    if after.laboratory.lose_statistics(lost).await? {
        comparison::before_analyze(&rest.known(after), &mut diffs).await?;
    }
    diffs.sort_by_key(QueryDiff::verdict);
    Ok(diffs)
}

impl Side {
    async fn open(major: u32, project: &Project, globals: &Globals) -> Result<Self, CliError> {
        let mut project = project.clone();
        project.settings.server.version = Some(major);
        // A folder of binaries is of one version.
        project.settings.server.bin = None;
        let (cluster, made) = target::start_seeded(&project, globals).await?;
        let settings = project.settings.dataset;
        let dataset = DatasetInfo {
            fingerprint: made.fingerprint.clone(),
            seed: settings.seed,
            scale: settings.scale,
            reused: made.made.is_none(),
        };
        let laboratory =
            Laboratory::open_filled(&cluster, &made.database, &globals.interrupt).await?;
        let session = laboratory.session();
        let schema = target::schema(session, globals).await?;
        let statistics = profile::read(session).await?.tables;
        Ok(Self {
            cluster,
            laboratory,
            schema,
            dataset,
            statistics,
        })
    }

    fn version(&self) -> String {
        self.cluster.version().to_string()
    }

    /// Leaves the server; what ANALYZE said there is returned.
    async fn close(self) -> Result<Vec<TableStatistics>, CliError> {
        self.laboratory.close().await?;
        self.cluster.stop().await;
        Ok(self.statistics)
    }
}

fn lap(clock: &mut Instant) -> Millis {
    let elapsed = Millis(clock.elapsed().as_secs_f64() * 1000.0);
    *clock = Instant::now();
    elapsed
}
