//! The migration once more with safer forms in the place of statements that made queries wait: shows that they are safer,
//! and that they end in the same.

use crate::db::introspect;
use crate::db::migrate::{run_program, run_script};
use crate::db::migration_observer::{ObserveError, try_script};
use crate::db::traffic::Probe;
use crate::diff::observation::{ProvenForm, SaferMeasurement, StatementObservation};
use crate::diff::report::SchemaDifference;
use crate::diff::safer::{SaferForm, advised};
use crate::migrations::{Script, Statement, TransactionRule};
use crate::schema::Schema;
use crate::source::Source;
use crate::units::Millis;

use super::cause::again;
use super::{CompareError, Copy, Task};

/// Gives each statement that blocks, reads or rewrites its safer form, measured where it can be run. Returns how the schema
/// at the end differs from the one that the migration itself leads to; `None` where no safer form ran.
///
/// # Errors
/// [`CompareError`]; forms that were found until then stay.
pub(super) async fn prove_safer_forms(
    task: &Task<'_>,
    statements: &mut [StatementObservation],
    probes: &[Probe],
    wanted: &Schema,
) -> Result<Option<SchemaDifference>, CompareError> {
    if !statements.iter().any(hurts) {
        return Ok(None);
    }
    let copy = Copy::of(task, task.template).await?;
    let schema = introspect::schema(&copy.session).await?;
    let mut stage = Stage {
        task,
        probes,
        copy,
        schema,
        is_usable: true,
        any_ran: false,
    };
    let mut first = 0;
    for (n, migration) in task.migrations.iter().enumerate() {
        task.interrupt.check()?;
        let script = &migration.up;
        let Some(found) = statements.get_mut(first..first + script.statements.len()) else {
            break;
        };
        first += script.statements.len();
        match found.iter().any(hurts) {
            true => stage.in_safer_forms(n, script, found).await?,
            false => stage.as_written(script).await?,
        }
    }
    let difference = match stage.any_ran && stage.is_usable {
        true => Some(SchemaDifference::between(
            wanted,
            &introspect::schema(&stage.copy.session).await?,
        )),
        false => None,
    };
    stage.copy.discard().await?;
    Ok(difference)
}

/// A copy on which the migrations run with their safer forms.
struct Stage<'a> {
    task: &'a Task<'a>,
    probes: &'a [Probe],
    copy: Copy,
    /// Before the statement that is next.
    schema: Schema,
    /// A file that cannot be split ended it: later forms are given, and not run.
    is_usable: bool,
    any_ran: bool,
}

impl Stage<'_> {
    async fn as_written(&mut self, script: &Script) -> Result<(), CompareError> {
        if !self.is_usable {
            return Ok(());
        }
        match &script.program {
            Some(program) => {
                run_program(program, script, self.copy.url(), self.task.interrupt).await?;
            }
            None => {
                let ran = run_script(&self.copy.session, script, self.task.interrupt).await;
                self.is_usable = ran.is_ok();
            }
        }
        Ok(())
    }

    /// A file whose statements do not all stay together: those between two safer forms share a transaction, as far as they can.
    async fn in_safer_forms(
        &mut self,
        migration: usize,
        script: &Script,
        statements: &mut [StatementObservation],
    ) -> Result<(), CompareError> {
        let mut between: Vec<&Statement> = Vec::new();
        for (at, statement) in script.statements.iter().enumerate() {
            if !hurts(&statements[at]) {
                between.push(statement);
                continue;
            }
            self.together(script, &between).await?;
            between.clear();
            if self.is_usable {
                self.schema = introspect::schema(&self.copy.session).await?;
            }
            let Some(form) = advised(&statements[at], &self.schema) else {
                between.push(statement);
                continue;
            };
            let measured = match form.statements.is_empty() || !self.is_usable {
                true => None,
                false => Some(measure(self.task, &self.copy, &form.statements, self.probes).await?),
            };
            let failed = measured.as_ref().map(|measured| measured.failure.is_some());
            statements[at].safer = Some(proven(form, measured));
            match failed {
                Some(false) => self.any_ran = true,
                // It may have done a part of its work: on with a copy that is as the migration has it.
                Some(true) => {
                    self.begin_again(migration, &script.statements[..at])
                        .await?;
                    between.push(statement);
                }
                None => between.push(statement),
            }
        }
        self.together(script, &between).await
    }

    async fn begin_again(
        &mut self,
        migration: usize,
        earlier: &[Statement],
    ) -> Result<(), CompareError> {
        let fresh = Copy::of(self.task, self.task.template).await?;
        std::mem::replace(&mut self.copy, fresh).discard().await?;
        for before in &self.task.migrations[..migration] {
            self.as_written(&before.up).await?;
        }
        let script = &self.task.migrations[migration].up;
        let earlier: Vec<&Statement> = earlier.iter().collect();
        self.together(script, &earlier).await
    }

    /// Statements as they are written, in one transaction where their tool gives them one.
    async fn together(
        &mut self,
        script: &Script,
        statements: &[&Statement],
    ) -> Result<(), CompareError> {
        let statements: Vec<&&Statement> = statements
            .iter()
            .filter(|s| !s.controls_transaction())
            .collect();
        if !self.is_usable || statements.is_empty() {
            return Ok(());
        }
        let client = self.copy.session.client();
        let whole = script.transactions().iter().any(Option::is_some);
        let mut done = match whole {
            true => client.batch_execute("BEGIN").await.is_ok(),
            false => true,
        };
        for statement in statements {
            self.task.interrupt.check()?;
            done = done
                && again(self.task, &self.copy, script, statement)
                    .await
                    .is_ok();
        }
        if whole {
            let end = if done { "COMMIT" } else { "ROLLBACK" };
            done = client.batch_execute(end).await.is_ok() && done;
        }
        self.is_usable = done;
        Ok(())
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
    let observed = match try_script(copy.url(), &script, probes, task.interrupt).await {
        Ok(observed) => observed,
        Err(
            ObserveError::Statement(error)
            | ObserveError::Unfit(error)
            | ObserveError::Deadlock(error),
        ) => {
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
        .iter()
        .map(|s| s.longest_block().0)
        .fold(0.0, f64::max);
    let worst = observed
        .iter()
        .map(|s| s.longest_possible_wait().0)
        .fold(0.0, f64::max);
    let strongest = observed
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
        duration: Millis(observed.iter().map(|statement| statement.duration.0).sum()),
        longest_block: Millis(longest),
        // Who was measured to wait shows what the worst is at least.
        worst_wait: Millis(worst.max(longest)),
        strongest,
        failure: None,
    })
}

/// What fails as statements of its own (a table that lives until the file's transaction ends) is advice, and nothing to run.
fn proven(form: SaferForm, measured: Option<SaferMeasurement>) -> ProvenForm {
    let failure = measured
        .as_ref()
        .and_then(|measured| measured.failure.as_deref());
    match failure {
        None => ProvenForm { form, measured },
        Some(failure) => ProvenForm {
            form: SaferForm {
                statements: Vec::new(),
                why: format!(
                    "{}; here that needs more than the statement alone, which failed: {failure}",
                    form.why
                ),
            },
            measured: None,
        },
    }
}
