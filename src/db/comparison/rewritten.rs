//! The migration once more with safer forms in the place of statements that made queries wait: shows that they are safer,
//! and that they end in the same.

use crate::db::introspect;
use crate::db::migration_observer::{ObserveError, observe_script};
use crate::db::traffic::Probe;
use crate::diff::observation::{ProvenForm, SaferMeasurement, StatementObservation};
use crate::diff::report::SchemaDifference;
use crate::diff::safer::safer;
use crate::migrations::{Script, Statement, TransactionRule};
use crate::schema::Schema;
use crate::source::Source;
use crate::units::Millis;

use super::cause::again;
use super::{CompareError, Copy, Task};

/// A statement with its script.
type Written<'a> = (&'a Script, &'a Statement);

/// Gives each statement that blocks, reads or rewrites its safer form, measured where it can be run. Returns how the schema
/// at the end differs from the one that the migration itself leads to; `None` where no safer form ran.
///
/// # Errors
/// [`CompareError`].
pub(super) async fn prove_safer_forms(
    task: &Task<'_>,
    statements: &mut [StatementObservation],
    probes: &[Probe],
    wanted: &Schema,
) -> Result<Option<SchemaDifference>, CompareError> {
    if !statements.iter().any(hurts) {
        return Ok(None);
    }
    let scripts = task.migrations.iter().map(|migration| &migration.up);
    let written: Vec<Written<'_>> = scripts
        .flat_map(|up| up.statements.iter().map(move |s| (up, s)))
        .collect();
    let mut copy = Copy::of(task, task.template).await?;
    let mut any_ran = false;
    for (n, (written_here, observation)) in written.iter().zip(statements.iter_mut()).enumerate() {
        task.interrupt.check()?;
        if hurts(observation) {
            let schema = introspect::schema(&copy.session).await?;
            if let Some(form) = safer(&written_here.1.sql, &schema) {
                let measured = match form.statements.is_empty() {
                    true => None,
                    false => Some(measure(task, &copy, &form.statements, probes).await?),
                };
                let failed = measured.as_ref().map(|measured| measured.failure.is_some());
                observation.safer = Some(ProvenForm { form, measured });
                match failed {
                    Some(false) => {
                        any_ran = true;
                        continue;
                    }
                    // It may have done a part of its work: on with a copy that is as the migration has it.
                    Some(true) => {
                        copy.discard().await?;
                        copy = Copy::of(task, task.template).await?;
                        for earlier in &written[..n] {
                            as_written(task, &copy, earlier).await?;
                        }
                    }
                    None => {}
                }
            }
        }
        as_written(task, &copy, written_here).await?;
    }
    let difference = match any_ran {
        true => Some(SchemaDifference::between(
            wanted,
            &introspect::schema(&copy.session).await?,
        )),
        false => None,
    };
    copy.discard().await?;
    Ok(difference)
}

async fn as_written(
    task: &Task<'_>,
    copy: &Copy,
    (script, statement): &Written<'_>,
) -> Result<(), CompareError> {
    if statement.controls_transaction() {
        Ok(())
    } else {
        again(task, copy, script, statement).await
    }
}

/// Worth another form: it made queries wait, or it reads or rewrites a table that others cannot use meanwhile.
fn hurts(statement: &StatementObservation) -> bool {
    let many_rows = statement.rows.is_some_and(|rows| rows >= 10_000);
    // What is over in a moment needs no other form.
    let works = statement.works_under_lock() && statement.duration.0 >= 1.0;
    statement
        .longest_block()
        .0
        .max(statement.longest_possible_wait().0)
        >= 20.0
        || works
        || many_rows
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
        statements: statements
            .iter()
            .map(|sql| Statement {
                sql: sql.clone(),
                span: 0..0,
                line: 1,
            })
            .collect(),
        transaction: TransactionRule::Statement,
        program: None,
    };
    let observed = match observe_script(copy.url(), "safer", &script, probes, task.interrupt).await
    {
        Ok(observed) => observed,
        Err(ObserveError::Statement(error)) => {
            return Ok(SaferMeasurement {
                duration: Millis(0.0),
                longest_block: Millis(0.0),
                worst_wait: Millis(0.0),
                strongest: None,
                failure: Some(error.message),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let longest = observed
        .statements
        .iter()
        .map(|s| s.longest_block().0)
        .fold(0.0, f64::max);
    let worst = observed
        .statements
        .iter()
        .map(|s| s.longest_possible_wait().0)
        .fold(0.0, f64::max);
    let strongest = observed
        .statements
        .iter()
        .flat_map(|statement| {
            statement
                .locks
                .iter()
                .map(move |lock| (lock.mode, statement.locks_held))
        })
        .filter(|(mode, _)| mode.blocks_writes())
        .max_by(|a, b| a.0.cmp(&b.0).then(a.1.0.total_cmp(&b.1.0)));
    Ok(SaferMeasurement {
        duration: Millis(
            observed
                .statements
                .iter()
                .map(|statement| statement.duration.0)
                .sum(),
        ),
        longest_block: Millis(longest),
        worst_wait: Millis(worst),
        strongest,
        failure: None,
    })
}
