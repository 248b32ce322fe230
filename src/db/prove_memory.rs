//! Runs queries whose sorts, hash tables or bitmaps did not fit in memory again with the memory that their findings name,
//! and more where that is not enough. On a private copy only: what is tried is not for somebody's server.

use tokio_postgres::Client;

use crate::advise::{Audited, MemoryTrial, memory};
use crate::db::audit::{AuditError, RunOptions};
use crate::db::connect::Session;
use crate::db::explain::{self, ExplainError, Explained, Mode, Prepared};
use crate::db::prove::{choice, measurement, values};
use crate::finding::{Finding, Proof};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::Run;
use crate::units::Bytes;

/// Tries the settings that findings advise, and writes into them what came of it. A finding whose setting does not help keeps
/// its words.
///
/// # Errors
/// [`AuditError`].
pub async fn prove_memory(
    session: &Session,
    audited: Audited<'_>,
    findings: &mut [Finding],
    options: &RunOptions,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<(), AuditError> {
    let trials = memory::trials(findings, &audited);
    if trials.is_empty() {
        return Ok(());
    }
    let task = progress.task("proving work_mem", Unit::Steps, Some(trials.len() as u64));
    for trial in trials {
        interrupt.check()?;
        let query = &audited.queries[trial.query];
        task.doing(query.name.clone());
        let Some(run) = audited.run(trial.query, trial.run) else { continue };
        let tried = try_out(session.client(), &query.sql, query.writes, run, trial, options).await;
        interrupt.check()?;
        let tried = tried.map_err(|source| AuditError::Server { query: query.name.clone(), source })?;
        if let Some((work_mem, explained)) = tried {
            let after = measurement(&explained.plan);
            let proof =
                Proof { before: run.measurement(), cancelled_ms: None, after, index_bytes: None, build_ms: None };
            memory::tell(&mut findings[trial.finding], work_mem, proof);
        }
        task.advance(1);
    }
    Ok(())
}

/// The setting with which everything fits, and a run with it; `None` where none does.
async fn try_out(
    client: &Client,
    sql: &str,
    writes: bool,
    run: &Run,
    trial: MemoryTrial,
    options: &RunOptions,
) -> Result<Option<(Bytes, Explained)>, ExplainError> {
    let limits = options.limits();
    let prepared = Prepared::new(client, "pgproof_memory", sql, writes, &limits).await?;
    explain::texts(client, &explain::opening(&limits, choice(run)), explain::NO_POSITION).await?;
    let found = with_more_and_more(client, &prepared, run, trial.work_mem, options.runs).await;
    let left = explain::texts(client, "ROLLBACK", explain::NO_POSITION).await;
    prepared.deallocate(client).await?;
    match found {
        Err(ExplainError::Refused(_) | ExplainError::TimedOut) => left.map(|_| None),
        found => left.and(found),
    }
}

async fn with_more_and_more(
    client: &Client,
    prepared: &Prepared,
    run: &Run,
    first: Bytes,
    runs: u32,
) -> Result<Option<(Bytes, Explained)>, ExplainError> {
    let mode = if prepared.writes { Mode::AnalyzeWrite } else { Mode::Analyze };
    let mut work_mem = first;
    loop {
        let setting = format!("SET LOCAL work_mem = '{}';", memory::written(work_mem));
        explain::texts(client, &setting, explain::NO_POSITION).await?;
        let warm_up = explain::in_savepoint(client, prepared, &values(run), choice(run), mode).await?;
        if !memory::is_short(&warm_up.plan) {
            let mut taken = Vec::new();
            for _ in 0..runs.max(1) {
                taken.push(explain::in_savepoint(client, prepared, &values(run), choice(run), mode).await?);
            }
            let time = |explained: &Explained| explained.plan.execution_ms.map_or(f64::INFINITY, |time| time.0);
            taken.sort_by(|a, b| time(a).total_cmp(&time(b)));
            let median = taken.swap_remove(taken.len() / 2);
            return Ok(Some((work_mem, median)));
        }
        match memory::more(work_mem) {
            Some(more) => work_mem = more,
            None => return Ok(None),
        }
    }
}
