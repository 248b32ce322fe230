//! The migration once more with safer forms in the place of statements that made queries wait: shows that they are safer,
//! and that they end in the same.

use crate::db::introspect;
use crate::db::migration_observer::{ObserveError, observe_script};
use crate::db::traffic::Probe;
use crate::diff::migrations::{Script, Statement, TransactionRule};
use crate::diff::observation::{ProvenForm, SaferMeasurement, StatementObservation};
use crate::diff::safer::safer;
use crate::source::Source;
use crate::units::Millis;

use super::{CompareError, Copy, Task};

/// Gives each statement that blocks, reads or rewrites its safer form, measured where it can be run.
///
/// # Errors
/// [`CompareError`].
pub(super) async fn prove_safer_forms(
    task: &Task<'_>,
    statements: &mut [StatementObservation],
    probes: &[Probe],
) -> Result<(), CompareError> {
    if !statements.iter().any(hurts) {
        return Ok(());
    }
    let copy = Copy::of(task, task.template).await?;
    let mut observed = statements.iter_mut();
    for migration in task.migrations {
        for statement in &migration.up.statements {
            task.interrupt.check()?;
            let Some(observation) = observed.next() else { break };
            if hurts(observation) {
                let schema = introspect::schema(&copy.session).await?;
                if let Some(form) = safer(&statement.sql, &schema) {
                    let measured = match form.statements.is_empty() {
                        true => None,
                        false => Some(measure(task, &copy, &form.statements, probes).await?),
                    };
                    let ran = measured.as_ref().is_some_and(|measured| measured.failure.is_none());
                    observation.safer = Some(ProvenForm { form, measured });
                    if ran {
                        continue;
                    }
                }
            }
            if !statement.controls_transaction() {
                copy.session.client().batch_execute(&statement.sql).await.map_err(|error| CompareError::Server {
                    doing: "applying the migration in its safer form",
                    reason: crate::db::connect::describe(&error),
                })?;
            }
        }
    }
    copy.discard().await
}

/// Worth another form: it made queries wait, or it reads or rewrites a table that others cannot use meanwhile.
fn hurts(statement: &StatementObservation) -> bool {
    let stops = statement.locks.iter().any(|lock| lock.mode.blocks_writes());
    let works = !statement.rewritten.is_empty() || !statement.scanned.is_empty();
    let many_rows = statement.rows.is_some_and(|rows| rows >= 10_000);
    statement.longest_block().0 >= 20.0 || (stops && works) || many_rows
}

async fn measure(
    task: &Task<'_>,
    copy: &Copy,
    statements: &[String],
    probes: &[Probe],
) -> Result<SaferMeasurement, CompareError> {
    let text = statements.join(";\n");
    let script = Script {
        source: Source::new("safer form", text),
        statements: statements.iter().map(|sql| Statement { sql: sql.clone(), span: 0..0, line: 1 }).collect(),
        transaction: TransactionRule::Statement,
    };
    let observed = match observe_script(copy.url(), "safer", &script, probes, task.interrupt).await {
        Ok(observed) => observed,
        Err(ObserveError::Statement(error)) => {
            return Ok(SaferMeasurement {
                duration: Millis(0.0),
                longest_block: Millis(0.0),
                strongest: None,
                failure: Some(error.message),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let longest = observed.statements.iter().map(|s| s.longest_block().0).fold(0.0, f64::max);
    let strongest = observed
        .statements
        .iter()
        .flat_map(|statement| statement.locks.iter().map(move |lock| (lock.mode, statement.locks_held)))
        .filter(|(mode, _)| mode.blocks_writes())
        .max_by(|a, b| a.0.cmp(&b.0).then(a.1.0.total_cmp(&b.1.0)));
    Ok(SaferMeasurement {
        duration: Millis(observed.statements.iter().map(|statement| statement.duration.0).sum()),
        longest_block: Millis(longest),
        strongest,
        failure: None,
    })
}
