//! Runs queries of tables with row security again, with the calls of their policies made once a statement. The policies are altered
//! in a transaction that rolls back, on the private copy, and the query runs as the role for which they hold.

use serde::{Deserialize, Serialize};

use crate::advise::policies::{self, PolicyTrial};
use crate::db::audit::AuditError;
use crate::db::explain::ExplainError;
use crate::db::prove::measurement;
use crate::db::trials::{Ready, Trials};
use crate::finding::{Finding, Measurement};
use crate::schema::quote_identifier;

/// The policies that call a function for each row, those with the call made once measured.
///
/// # Errors
/// [`AuditError`].
pub async fn prove_policies(trials: &Trials<'_>) -> Result<Vec<Finding>, AuditError> {
    let wanted = policies::trials(&trials.audited);
    let place = |trial: &PolicyTrial| {
        let tried = trial.sql.clone().unwrap_or_default();
        (trial.query, trial.run, tried)
    };
    let mut findings = Vec::new();
    trials
        .each(
            "proving policies",
            wanted,
            place,
            async |ready: &Ready<'_>, trial: &PolicyTrial| both(ready, trial).await.map(Some),
            |trial, run, tried: Tried| {
                let measured = tried.measured.as_ref();
                findings.extend(policies::tell(trial, run, measured, &trials.audited));
            },
        )
        .await?;
    Ok(policies::worst(findings))
}

/// What a trial showed.
#[derive(Serialize, Deserialize)]
struct Tried {
    /// As it is and with the altered policies; `None` where no role is known for which they hold, or where that role may
    /// not ask.
    measured: Option<(Measurement, Measurement)>,
}

async fn both(ready: &Ready<'_>, trial: &PolicyTrial) -> Result<Tried, ExplainError> {
    let unknown = Tried { measured: None };
    let Some(sql) = &trial.sql else {
        return Ok(unknown);
    };
    let active = ready
        .execute(&format!(
            "SELECT pg_catalog.row_security_active({}::pg_catalog.oid)::text;",
            trial.table
        ))
        .await?;
    let has_own_caller = ready.limits.caller.is_some();
    let role = match (active.first().map(String::as_str), &trial.reader) {
        (Some("true"), _) => "RESET ROLE;".to_owned(),
        // Its own caller is set for each run.
        (_, Some(_)) if has_own_caller => return Ok(unknown),
        (_, Some(reader)) => format!("SET LOCAL ROLE {};", quote_identifier(reader)),
        (_, None) => return Ok(unknown),
    };
    match measured(ready, &role, sql).await {
        Ok(both) => Ok(Tried {
            measured: Some(both),
        }),
        Err(ExplainError::Refused(refusal)) if !refusal.is_of_the_server() => Ok(unknown),
        Err(error) => Err(error),
    }
}

async fn measured(
    ready: &Ready<'_>,
    role: &str,
    sql: &str,
) -> Result<(Measurement, Measurement), ExplainError> {
    ready.execute(role).await?;
    ready.once().await?;
    let before = measurement(&ready.median().await?);
    // Only the owner alters a policy.
    ready
        .execute(&format!("SET LOCAL ROLE NONE; {sql} {role}"))
        .await?;
    ready.once().await?;
    Ok((before, measurement(&ready.median().await?)))
}
