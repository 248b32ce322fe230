//! Names the statement that changed a plan or a result: the migrations once more on a copy of their own, in the transactions of
//! the tool that owns them, each changed query looked at after each statement. Then the way back, on the same copy.

use std::collections::BTreeSet;

use crate::catalog::Query;
use crate::db::introspect;
use crate::db::lacking;
use crate::db::migrate::{run_program, run_script};
use crate::diff::canonicalize;
use crate::diff::cause::{Replayed, Seen, plan_cause, result_cause};
use crate::diff::change::Change;
use crate::diff::names::{Names, Renames, full_name};
use crate::diff::outcome::{Presence, QueryDiff, RunDiff, Side, failure_changes};
use crate::diff::report::{RoundTrip, SchemaDifference};
use crate::diff::verdict::Verdict;
use crate::migrations::{Script, Statement};
use crate::run::{QueryRuns, Run};
use crate::schema::{Schema, Table};
use crate::sql::transaction::sets_alone;

use super::queries::relations;
use super::state::{Explained, Looked, Standing, State, look};
use super::touched::{Touched, vacuum_analyze};
use super::{BrokenQuery, CompareError, Compared, Copy, Sides, Task, rerun, runs_of, successor};

/// Where a query's comparison stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    /// Among all queries.
    Now,
    /// Among the old forms of those that changed or went.
    Rolling,
}

/// A changed plan or result whose cause is looked for.
struct Wanted<'a> {
    list: List,
    diff: usize,
    run: usize,
    query: &'a Query,
    old: &'a Run,
    explained: Explained,
    /// Before any statement: another than `before` where the query's text changed.
    first: Option<State>,
    /// After each statement.
    seen: Vec<State>,
}

/// Sets the cause of every changed run, and tries the migrations' way back where all have one.
///
/// # Errors
/// [`CompareError`]; what was found until then is kept.
pub(super) async fn trace(
    task: &Task<'_>,
    compared: &mut Compared,
    old_runs: &[QueryRuns],
    sides: &Sides<'_>,
    tables: &Touched,
) -> Result<Option<RoundTrip>, CompareError> {
    let reversible =
        !task.migrations.is_empty() && task.migrations.iter().all(|m| m.down.is_some());
    let mut wanted = wanted(task, &compared.queries, old_runs);
    wanted.extend(wanted_of_old_forms(task, &compared.rolling, old_runs));
    if wanted.is_empty() && !reversible {
        return Ok(None);
    }
    let copy = Copy::of(task, task.template).await?;
    let mut replay = Replay {
        task,
        copy: &copy,
        sides,
        serial: 0,
        indexes: Vec::new(),
        names: Vec::new(),
    };
    let replayed = replay.forward(&mut wanted).await;
    let there = (replay.indexes.as_slice(), replay.names.as_slice());
    name_causes(&wanted, there, compared, sides, tables);
    if let Err(error) = replayed {
        error.costs(
            task,
            "the migrations cannot be replayed to their end, so some causes are not named",
        )?;
        return Ok(None);
    }
    let trip = match reversible {
        true => Some(back(task, &copy, old_runs, sides.old, tables).await?),
        false => None,
    };
    copy.discard().await?;
    Ok(trip)
}

fn is_judged(run: &RunDiff) -> bool {
    run.verdict != Verdict::Unchanged && run.verdict != Verdict::Unstable
}

fn wanted<'a>(task: &Task<'a>, diffs: &[QueryDiff], old_runs: &'a [QueryRuns]) -> Vec<Wanted<'a>> {
    let mut found = Vec::new();
    for (n, query) in task.before.iter().enumerate() {
        let (Some(diff), Some(successor)) = (
            diffs.iter().position(|d| d.query == query.name),
            successor(task, query),
        ) else {
            continue;
        };
        let judged = diffs[diff]
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| is_judged(run));
        found.extend(judged.filter_map(|(at, run)| {
            let old = same_set(run, runs_of(old_runs, n))?;
            Some(Wanted::of(List::Now, (diff, at, run), successor, old))
        }));
    }
    found
}

/// What servers of the version before send, where it fails or does more work.
fn wanted_of_old_forms<'a>(
    task: &Task<'a>,
    rolling: &[QueryDiff],
    old_runs: &'a [QueryRuns],
) -> Vec<Wanted<'a>> {
    let of = |(diff, of): (usize, &QueryDiff)| {
        let old = task.before.iter().enumerate();
        let (n, query) = old.into_iter().find(|(_, query)| query.name == of.query)?;
        let worst = of.runs.first()?;
        let old = same_set(worst, runs_of(old_runs, n))?;
        Some(Wanted::of(List::Rolling, (diff, 0, worst), query, old))
    };
    rolling.iter().enumerate().filter_map(of).collect()
}

fn same_set<'a>(run: &RunDiff, runs: &'a [Run]) -> Option<&'a Run> {
    runs.iter()
        .find(|old| old.id == run.id && old.parameters == run.parameters)
}

impl<'a> Wanted<'a> {
    fn of(
        list: List,
        (diff, at, run): (usize, usize, &RunDiff),
        query: &'a Query,
        old: &'a Run,
    ) -> Self {
        let same_plan = run
            .after
            .as_ref()
            .is_some_and(|after| after.hashes.full == run.before.hashes.full);
        // Another result, or more work of the same plan, shows only where it runs.
        let explained = match run.changes_result() || same_plan {
            true => Explained::Execute,
            false => Explained::Plan,
        };
        Self {
            list,
            diff,
            run: at,
            query,
            old,
            explained,
            first: None,
            seen: Vec::new(),
        }
    }
}

/// The migrations once more.
struct Replay<'a> {
    task: &'a Task<'a>,
    copy: &'a Copy,
    sides: &'a Sides<'a>,
    serial: u64,
    /// Names of all indexes after each statement, before the first of them at the beginning.
    indexes: Vec<BTreeSet<String>>,
    /// The same of tables, and of columns as `table.column`.
    names: Vec<BTreeSet<String>>,
}

impl Replay<'_> {
    async fn forward(&mut self, wanted: &mut [Wanted<'_>]) -> Result<(), CompareError> {
        if wanted.is_empty() {
            return self.without_looking().await;
        }
        self.look_at(wanted, Standing::Outside).await?;
        for looked in wanted.iter_mut() {
            looked.first = looked.seen.pop();
        }
        for migration in self.task.migrations {
            let script = &migration.up;
            if script.in_one_transaction() {
                self.execute("BEGIN").await?;
            }
            let mut groups = script.transactions().into_iter().peekable();
            for statement in &script.statements {
                self.task.interrupt.check()?;
                again(self.task, self.copy, script, statement).await?;
                let group = groups.next().flatten();
                if sets_alone(&statement.sql) {
                    self.nothing_new(wanted);
                    continue;
                }
                // After the script's own COMMIT its transaction is over; the tool's own ends behind its last statement.
                let goes_on = match groups.peek() {
                    Some(next) => *next == group,
                    None => script.in_one_transaction(),
                };
                let standing = match group.is_some() && goes_on {
                    true => Standing::InTransaction,
                    false => Standing::Outside,
                };
                self.look_at(wanted, standing).await?;
            }
            if script.in_one_transaction() {
                self.execute("COMMIT").await?;
            }
        }
        Ok(())
    }

    /// Behind a statement that changes settings alone. Nothing is asked there: SET TRANSACTION has to come before any query.
    fn nothing_new(&mut self, wanted: &mut [Wanted<'_>]) {
        let again = |seen: &mut Vec<BTreeSet<String>>| seen.extend(seen.last().cloned());
        again(&mut self.indexes);
        again(&mut self.names);
        for looked in wanted.iter_mut() {
            let last = looked.seen.last().or(looked.first.as_ref()).cloned();
            looked.seen.extend(last);
        }
    }

    async fn without_looking(&self) -> Result<(), CompareError> {
        for migration in self.task.migrations {
            match &migration.up.program {
                Some(program) => {
                    run_program(program, &migration.up, self.copy.url(), self.task.interrupt)
                        .await?;
                }
                None => run_script(&self.copy.session, &migration.up, self.task.interrupt).await?,
            }
        }
        Ok(())
    }

    async fn look_at(
        &mut self,
        wanted: &mut [Wanted<'_>],
        standing: Standing,
    ) -> Result<(), CompareError> {
        let schema = match standing {
            Standing::InTransaction => introspect::schema_within(&self.copy.session).await?,
            Standing::Outside => introspect::schema(&self.copy.session).await?,
        };
        let all = schema.tables.iter().flat_map(|table| &table.indexes);
        self.indexes
            .push(all.map(|index| index.name.clone()).collect());
        let of_table = |table: &Table| {
            let name = full_name(&table.name);
            let columns = table.columns.iter();
            let mut names: Vec<String> = columns.map(|c| format!("{name}.{}", c.name)).collect();
            names.push(name);
            names
        };
        self.names
            .push(schema.tables.iter().flat_map(of_table).collect());
        // By what the tables are: another one may have a renamed one's old name by now.
        let renames = Renames::between(&schema, self.sides.new);
        let names = Names {
            schema: Some(&schema),
            renames: Some(&renames),
            ..Names::UNKNOWN
        };
        for looked in wanted.iter_mut() {
            let asked = Looked {
                query: looked.query,
                run: looked.old,
                explained: looked.explained,
                timeout: self.task.options.timeout,
            };
            let client = self.copy.session.client();
            looked
                .seen
                .push(look(client, &asked, standing, &mut self.serial, &names).await);
        }
        Ok(())
    }

    async fn execute(&self, sql: &str) -> Result<(), CompareError> {
        let done = self.copy.session.client().batch_execute(sql).await;
        done.map_err(|error| once_more(&error))
    }
}

fn once_more(error: &tokio_postgres::Error) -> CompareError {
    CompareError::Server {
        doing: "applying the migration once more",
        reason: crate::db::connect::describe(error),
    }
}

/// One statement of a migration once more.
pub(super) async fn again(
    task: &Task<'_>,
    copy: &Copy,
    script: &Script,
    statement: &Statement,
) -> Result<(), CompareError> {
    if let Some(program) = &script.program {
        return Ok(run_program(program, script, copy.url(), task.interrupt).await?);
    }
    if lacking::is_done_already(&copy.session, &statement.sql).await {
        return Ok(());
    }
    let done = copy.session.client().batch_execute(&statement.sql).await;
    done.map_err(|error| once_more(&error))
}

/// Writes what the replay showed into the comparison.
fn name_causes(
    wanted: &[Wanted<'_>],
    (indexes, schema_names): (&[BTreeSet<String>], &[BTreeSet<String>]),
    compared: &mut Compared,
    sides: &Sides<'_>,
    tables: &Touched,
) {
    let mut broken: Vec<BrokenQuery> = Vec::new();
    for looked in wanted {
        let list = match looked.list {
            List::Now => &mut compared.queries,
            List::Rolling => &mut compared.rolling,
        };
        let text_changed =
            looked.list == List::Now && list[looked.diff].presence == Presence::Changed;
        let run = &mut list[looked.diff].runs[looked.run];
        let reads = run
            .after
            .iter()
            .map(|after| &after.plan)
            .chain([&run.before.plan]);
        let reads: BTreeSet<String> = reads.flat_map(relations).collect();
        let seen = |state: &State| Seen {
            plan: state.plan.clone(),
            work: state.work,
        };
        let before = match &looked.first {
            Some(first) if text_changed => seen(first),
            Some(_) | None => seen(&State::of(Some(&run.before.plan), Some(run.before.work))),
        };
        let after = run.after.as_ref();
        let after = State::of(
            after.map(|after| &after.plan),
            after.map(|after| after.work),
        );
        let replayed = Replayed {
            statements: &compared.statements,
            before,
            after: seen(&after),
            seen: looked.seen.iter().map(seen).collect(),
            indexes,
            names: schema_names,
            reads: &reads,
            sampled: !tables.sampled.is_disjoint(&reads),
            text_changed,
        };
        if run.changes_result() {
            run.result_cause = result_cause(&replayed);
        }
        run.cause = plan_cause(&replayed, run);
        if run.after.is_none() {
            tell_first_failure(looked, run, &sides.renames);
        }
        if looked.list == List::Now && after.rows().is_none() && run.after.is_none() {
            broken.extend(fails_from(looked, run, compared.statements.len()));
        }
    }
    // The traffic meets a failure when it comes by; the replay knows the statement.
    compared
        .broken
        .retain(|known| !broken.iter().any(|found| found.query == known.query));
    broken.dedup_by(|a, b| a.query == b.query);
    compared.broken.extend(broken);
}

/// A query that fails is reported with what the statement that breaks it takes away, and not with what later ones took as well.
fn tell_first_failure(looked: &Wanted<'_>, run: &mut RunDiff, renames: &Renames) {
    let works = looked.seen.iter().rposition(|state| state.plan.is_some());
    let first = looked.seen.get(works.map_or(0, |works| works + 1));
    let failure = first.and_then(|state| state.failure.as_ref());
    if let Some(failure) = failure {
        let changes = failure_changes(failure, renames);
        // Time is measured at the end alone.
        if !changes.contains(&Change::TimesOut) {
            run.changes = changes;
        }
    }
}

/// From which statement on a query fails to the end.
fn fails_from(looked: &Wanted<'_>, run: &RunDiff, statements: usize) -> Option<BrokenQuery> {
    let works = looked.seen.iter().rposition(|state| state.plan.is_some());
    let at = works.map_or(0, |works| works + 1);
    let change = run.changes.iter().find(|change| change.is_error())?;
    (at < statements).then(|| BrokenQuery {
        statement: Some(at),
        query: looked.query.name.clone(),
        message: change.describe(),
    })
}

/// Applies the way back and compares schema and plans with those before.
async fn back(
    task: &Task<'_>,
    copy: &Copy,
    old_runs: &[QueryRuns],
    old: &Schema,
    tables: &Touched,
) -> Result<RoundTrip, CompareError> {
    let mut trip = RoundTrip::default();
    for migration in task.migrations.iter().rev() {
        let Some(down) = &migration.down else {
            continue;
        };
        trip.file.clone_from(&down.source.path);
        if let Err(error) = run_script(&copy.session, down, task.interrupt).await {
            task.interrupt.check()?;
            trip.failure = Some(error.to_string());
            return Ok(trip);
        }
    }
    let schema = introspect::schema(&copy.session).await?;
    trip.schema = SchemaDifference::between(old, &schema);
    // A plan over other statistics would differ by them alone: those that the way there and back made say less are made anew.
    let there = |quoted: &&String| {
        let name = quoted.split(" (").next().unwrap_or(quoted);
        schema.tables.iter().any(|known| known.name.sql() == name)
    };
    let names_of = |quoted: &String| quoted.split(" (").next().unwrap_or(quoted).to_owned();
    let again: Vec<String> = tables.after.iter().filter(there).map(names_of).collect();
    vacuum_analyze(&copy.session, &again).await?;
    let names = Names {
        schema: Some(&schema),
        renames: None,
        ..Names::UNKNOWN
    };
    let old_names = Names {
        schema: Some(old),
        renames: None,
        ..Names::UNKNOWN
    };
    for (n, query) in task.before.iter().enumerate() {
        let runs = runs_of(old_runs, n);
        let plans = rerun::plan(&copy.session, query, runs, &task.options).await?;
        let same = runs.iter().zip(&plans).all(|(run, plan)| {
            let before = Side::of(run, &old_names).hashes.shape;
            plan.as_ref()
                .is_ok_and(|plan| canonicalize(plan, &names).hashes().shape == before)
        });
        if !same {
            trip.changed_plans.push(query.name.clone());
        }
    }
    Ok(trip)
}
