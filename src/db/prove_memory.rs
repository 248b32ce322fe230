//! Runs queries whose sorts, hash tables or bitmaps did not fit in memory again with the memory that their findings name,
//! and more where that is not enough.

use crate::advise::{MemoryTrial, memory};
use crate::db::audit::AuditError;
use crate::db::explain::ExplainError;
use crate::db::prove::measurement;
use crate::db::trials::{Ready, Trials};
use crate::finding::{Finding, Measurement, Proof};
use crate::units::Bytes;

/// Tries the settings that findings advise, and writes into them what came of it. A finding whose setting does not help keeps
/// its words.
///
/// # Errors
/// [`AuditError`].
pub async fn prove_memory(trials: &Trials<'_>, findings: &mut [Finding]) -> Result<(), AuditError> {
    let wanted = memory::trials(findings, &trials.audited);
    let place = |trial: &MemoryTrial| (trial.query, trial.run, trial.work_mem.0.to_string());
    let try_out = async |ready: &Ready<'_>, trial: &MemoryTrial| {
        with_more_and_more(ready, trial.work_mem).await
    };
    trials
        .each(
            "proving work_mem",
            wanted,
            place,
            try_out,
            |trial, run, (work_mem, after)| {
                let proof = Proof {
                    before: run.measurement(),
                    cancelled_ms: None,
                    after,
                    index_bytes: None,
                    build_ms: None,
                };
                memory::tell(&mut findings[trial.finding], work_mem, proof);
            },
        )
        .await
}

/// The setting with which everything fits, and a run with it; `None` where none does.
async fn with_more_and_more(
    ready: &Ready<'_>,
    first: Bytes,
) -> Result<Option<(Bytes, Measurement)>, ExplainError> {
    let mut work_mem = first;
    loop {
        ready
            .execute(&format!(
                "SET LOCAL work_mem = '{}';",
                memory::written(work_mem)
            ))
            .await?;
        let warm_up = ready.once().await?;
        if !memory::is_short(&warm_up.plan) {
            return Ok(Some((work_mem, measurement(&ready.median().await?))));
        }
        match memory::more(work_mem) {
            Some(more) => work_mem = more,
            None => return Ok(None),
        }
    }
}
