//! Collects the statistics that findings advise, in a transaction that rolls back, and runs the query with them.

use crate::advise::statistics::{self, StatisticsTrial};
use crate::db::audit::AuditError;
use crate::db::explain::{ExplainError, Explained, of_json};
use crate::db::prove::measurement;
use crate::db::trials::{Ready, Trials};
use crate::finding::{Finding, Proof};
use crate::plan::shape::shape;
use crate::units::Millis;

/// ANALYZE may take this many times as long as a statement.
const PATIENCE: f64 = 10.0;

/// Tries the statistics that findings advise, and writes into them what came of it; nothing where the server refuses them (a name
/// that is taken, a type without order) or the query does not finish.
///
/// # Errors
/// [`AuditError`].
pub async fn prove_statistics(
    trials: &Trials<'_>,
    findings: &mut [Finding],
) -> Result<(), AuditError> {
    let wanted = statistics::trials(findings, &trials.audited);
    let place = |trial: &StatisticsTrial| (trial.query, trial.run, trial.sql.clone());
    let try_out = async |ready: &Ready<'_>, trial: &StatisticsTrial| {
        let (build, explained) = with_statistics(ready, &trial.sql).await?;
        Ok(Some((build, explained.json)))
    };
    trials
        .each(
            "proving statistics",
            wanted,
            place,
            try_out,
            |trial, run, (build, json)| {
                // It was read a moment ago, or when it was kept.
                let Ok(explained) = of_json(json) else {
                    return;
                };
                let finding = &mut findings[trial.finding];
                let estimated = statistics::estimated(finding, &run.plan, &explained.plan);
                let proof = Proof {
                    before: run.measurement(),
                    cancelled_ms: None,
                    after: measurement(&explained),
                    index_bytes: None,
                    build_ms: Some(build),
                };
                let same_plan = shape(&run.plan) == shape(&explained.plan);
                statistics::tell(finding, estimated, proof, same_plan);
            },
        )
        .await
}

/// How long collecting took, and a run with what was collected.
async fn with_statistics(
    ready: &Ready<'_>,
    statements: &str,
) -> Result<(Millis, Explained), ExplainError> {
    let patience = (ready.limits.statement.0 * PATIENCE).max(1.0);
    // Only a table's owner sets its statistics; who asks is the transaction's role again for each run.
    let collect = format!(
        "SET LOCAL statement_timeout = {patience:.0};SET LOCAL ROLE NONE;{statements}\
         SELECT (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::text;\
         RESET ROLE;SET LOCAL statement_timeout = {:.0};",
        ready.limits.statement.0.max(1.0)
    );
    let answer = ready.execute(&collect).await?;
    let [milliseconds] = &answer[..] else {
        return Err(ExplainError::NoPlan);
    };
    let build = milliseconds
        .parse()
        .map_err(|_| ExplainError::Unreadable(milliseconds.clone()))?;
    // The first warms up.
    ready.once().await?;
    Ok((Millis(build), ready.median().await?))
}
