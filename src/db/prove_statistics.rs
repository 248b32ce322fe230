//! Collects the statistics that findings advise, in a transaction that rolls back, and runs the query with them. On a private
//! copy only: what is tried is not for somebody's server.

use tokio_postgres::Client;

use crate::advise::Audited;
use crate::advise::statistics::{self, StatisticsTrial};
use crate::db::audit::{AuditError, RunOptions};
use crate::db::connect::Session;
use crate::db::explain::{self, ExplainError, Explained, Limits, Mode, PlanChoice, Prepared};
use crate::db::prove::{choice, measurement, values};
use crate::finding::{Finding, Proof};
use crate::interrupt::Interrupt;
use crate::plan::shape::shape;
use crate::progress::{Progress, Unit};
use crate::run::Run;
use crate::units::Millis;

/// ANALYZE may take this many times as long as a statement.
const PATIENCE: f64 = 10.0;

/// Tries the statistics that findings advise, and writes into them what came of it.
///
/// # Errors
/// [`AuditError`].
pub async fn prove_statistics(
    session: &Session,
    audited: Audited<'_>,
    findings: &mut [Finding],
    options: &RunOptions,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<(), AuditError> {
    let trials = statistics::trials(findings, &audited);
    if trials.is_empty() {
        return Ok(());
    }
    let task = progress.task("proving statistics", Unit::Steps, Some(trials.len() as u64));
    for trial in trials {
        interrupt.check()?;
        let query = &audited.queries[trial.query];
        task.doing(query.name.clone());
        let Some(run) = audited.run(trial.query, trial.run) else { continue };
        let tried = try_out(session.client(), &query.sql, query.writes, run, &trial, options).await;
        interrupt.check()?;
        let tried = tried.map_err(|source| AuditError::Server { query: query.name.clone(), source })?;
        if let Some((build, explained)) = tried {
            let finding = &mut findings[trial.finding];
            let estimated = statistics::estimated(finding, &run.plan, &explained.plan);
            let proof = Proof {
                before: run.measurement(),
                cancelled_ms: None,
                after: measurement(&explained.plan),
                index_bytes: None,
                build_ms: Some(build),
            };
            let same_plan = shape(&run.plan) == shape(&explained.plan);
            statistics::tell(finding, estimated, proof, same_plan);
        }
        task.advance(1);
    }
    Ok(())
}

/// How long collecting took, and a run with what was collected; `None` where the server refuses the statements (a name that
/// is taken, a type without order) or the query does not finish.
async fn try_out(
    client: &Client,
    sql: &str,
    writes: bool,
    run: &Run,
    trial: &StatisticsTrial,
    options: &RunOptions,
) -> Result<Option<(Millis, Explained)>, ExplainError> {
    let limits = options.limits();
    let prepared = Prepared::new(client, "pgproof_statistics", sql, writes, &limits).await?;
    explain::texts(client, &explain::opening(&limits, PlanChoice::Custom), explain::NO_POSITION).await?;
    let found = with_statistics(client, &prepared, run, &trial.sql, (&limits, options.runs)).await;
    let left = explain::texts(client, "ROLLBACK", explain::NO_POSITION).await;
    prepared.deallocate(client).await?;
    match found {
        Err(ExplainError::Refused(_) | ExplainError::TimedOut) => left.map(|_| None),
        found => left.and(found).map(Some),
    }
}

async fn with_statistics(
    client: &Client,
    prepared: &Prepared,
    run: &Run,
    statements: &str,
    (limits, runs): (&Limits, u32),
) -> Result<(Millis, Explained), ExplainError> {
    let patience = (limits.statement.0 * PATIENCE).max(1.0);
    let collect = format!(
        "SET LOCAL statement_timeout = {patience:.0};{statements}\
         SELECT (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::text;\
         SET LOCAL statement_timeout = {:.0};",
        limits.statement.0.max(1.0)
    );
    let answer = explain::texts(client, &collect, explain::NO_POSITION).await?;
    let [milliseconds] = &answer[..] else { return Err(ExplainError::NoPlan) };
    let build = milliseconds.parse().map_err(|_| ExplainError::Unreadable(milliseconds.clone()))?;
    let mode = if prepared.writes { Mode::AnalyzeWrite } else { Mode::Analyze };
    // The first warms up.
    let mut taken = Vec::new();
    for _ in 0..=runs.max(1) {
        taken.push(explain::in_savepoint(client, prepared, &values(run), choice(run), mode).await?);
    }
    taken.remove(0);
    let time = |explained: &Explained| explained.plan.execution_ms.map_or(f64::INFINITY, |time| time.0);
    taken.sort_by(|a, b| time(a).total_cmp(&time(b)));
    Ok((Millis(build), taken.swap_remove(taken.len() / 2)))
}
