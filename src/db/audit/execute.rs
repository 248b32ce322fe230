//! Executes parameter sets: one round to warm up, then rounds over all sets, so that whatever else the machine does falls
//! on all alike. The plan of the median sample is kept.

use crate::catalog::Query;
use crate::db::explain::{self, ExplainError, Explained, PlanChoice, Refusal};
use crate::db::parameters::ParameterSet;
use crate::plan::shape::shape;
use crate::plan::{NodeKind, Plan, rows_found};
use crate::run::{Outcome, QueryFailure, Run, Sample, is_settled};
use crate::run_id::RunId;
use crate::units::{Millis, Pages};

use super::{Auditor, Failed, Ready, bound};

/// Past this a further sample says little for its time.
const LONG: Millis = Millis(1_000.0);
/// Time that the further samples of one long parameter set may take.
const PATIENCE: Millis = Millis(3_000.0);

/// Sets that are tried where those that were picked meet no row.
const MORE_SETS: usize = 12;
/// Further runs where a time is near its limit.
const MORE_ROUNDS: u32 = 6;
/// Up to so many times its limit a time may be noise.
const NEAR: f64 = 4.0;

/// One parameter set on its way through the rounds.
struct Execution<'a> {
    set: &'a ParameterSet,
    choice: PlanChoice,
    estimate: &'a Explained,
    taken: Vec<Explained>,
    timed_out: bool,
    /// Why the server does not take its values.
    refused: Option<Refused>,
}

/// Values that the server does not take, in its own words.
enum Refused {
    /// They break a constraint.
    ByConstraint(String),
    /// They cannot be read, or are out of range.
    ByType(QueryFailure),
}

impl Refused {
    fn message(&self) -> &str {
        match self {
            Self::ByConstraint(message) => message,
            Self::ByType(failure) => &failure.message,
        }
    }
}

/// What executing a query came to.
pub(super) struct Executed {
    /// Worst first.
    pub(super) runs: Vec<Run>,
    /// What outlived its transactions on a given database and was taken back; why all sets were planned only.
    pub(super) notes: Vec<String>,
}

/// Executes the picked sets, and the generic plan where PostgreSQL would use it and it differs; worst first.
pub(super) async fn all(
    auditor: &Auditor<'_>,
    query: &Query,
    ready: &Ready,
    estimates: &[(ParameterSet, Explained)],
    picked: &[usize],
) -> Result<Executed, Failed> {
    let generic = generic_estimates(auditor, ready, estimates, picked).await?;
    let mut executions: Vec<Execution<'_>> = picked
        .iter()
        .map(|i| Execution::of(&estimates[*i].0, PlanChoice::Custom, &estimates[*i].1))
        .chain(
            generic
                .iter()
                .map(|(i, plan)| Execution::of(&estimates[*i].0, PlanChoice::Generic, plan)),
        )
        .collect();
    for round in 0..=auditor.options.runs {
        for execution in &mut executions {
            auditor
                .interrupt
                .check()
                .map_err(|_| Failed::Server(ExplainError::TimedOut))?;
            if execution.wants_more(round, auditor.options.runs) {
                execution.run(auditor, ready).await?;
            }
        }
    }
    let more = further(auditor, ready, estimates, (picked, &executions)).await?;
    executions.extend(more);
    sample_near_budget(auditor, query, ready, &mut executions).await?;
    let left = executions.iter().flat_map(|execution| &execution.taken);
    let mut notes: Vec<String> = left
        .flat_map(|taken| taken.left_behind.iter().cloned())
        .collect();
    notes.sort();
    notes.dedup();
    let any_ran = executions
        .iter()
        .any(|execution| execution.refused.is_none());
    let any_found = executions.iter().any(Execution::found);
    for (at, execution) in executions.iter().enumerate() {
        // The first set is what a caller calls normal.
        let counts = !ready.is_final && (at == 0 || !any_found);
        match &execution.refused {
            Some(Refused::ByType(failure)) if !any_ran || counts => {
                return Err(Failed::Query(failure.clone()));
            }
            Some(Refused::ByType(failure)) => notes.push(format!(
                "not run with its {} values: {}",
                execution.set.id.name, failure.message
            )),
            Some(Refused::ByConstraint(_)) | None => {}
        }
    }
    // Values that a constraint refuses show a plan; where others ran and met rows, these say more.
    let by_constraint =
        |execution: &Execution<'_>| matches!(execution.refused, Some(Refused::ByConstraint(_)));
    let some_ran = !executions.iter().any(by_constraint) || executions.iter().any(Execution::found);
    if some_ran {
        executions.retain(|execution| execution.refused.is_none());
    } else {
        executions.retain(by_constraint);
        let refusal = executions
            .first()
            .and_then(|execution| execution.refused.as_ref());
        notes.extend(refusal.map(|refused| {
            format!(
                "planned only: no values were found that the constraints allow ({})",
                refused.message()
            )
        }));
    }
    let mut runs: Vec<Run> = executions
        .into_iter()
        .map(|execution| execution.finish(query, ready, auditor.options.timeout))
        .collect();
    let severity = |run: &Run| {
        let work = run
            .plan
            .root()
            .buffers
            .map(|buffers| buffers.touched().0 + buffers.temp().0);
        (matches!(run.outcome, Outcome::TimedOut { .. }), work)
    };
    runs.sort_by_key(|run| std::cmp::Reverse(severity(run)));
    Ok(Executed { runs, notes })
}

/// Values that meet no row show no work. Where all that were picked are such, others are run once each until some meet one.
async fn further<'e>(
    auditor: &Auditor<'_>,
    ready: &Ready,
    estimates: &'e [(ParameterSet, Explained)],
    (picked, ran): (&[usize], &[Execution<'e>]),
) -> Result<Option<Execution<'e>>, Failed> {
    if ran.iter().any(Execution::found) {
        return Ok(None);
    }
    let left = (0..estimates.len()).filter(|i| !picked.contains(i));
    for i in left.take(MORE_SETS) {
        let mut execution = Execution::of(&estimates[i].0, PlanChoice::Custom, &estimates[i].1);
        for round in 0..=auditor.options.runs {
            auditor
                .interrupt
                .check()
                .map_err(|_| Failed::Server(ExplainError::TimedOut))?;
            if (round == 0 || execution.found())
                && execution.wants_more(round, auditor.options.runs)
            {
                execution.run(auditor, ready).await?;
            }
        }
        if execution.found() {
            return Ok(Some(execution));
        }
    }
    Ok(None)
}

/// A budget of time that a set seems to break by little is broken only if no run holds it: it gets more of them, so that a
/// machine that is busy for a moment breaks no budget.
async fn sample_near_budget(
    auditor: &Auditor<'_>,
    query: &Query,
    ready: &Ready,
    executions: &mut [Execution<'_>],
) -> Result<(), Failed> {
    let Some(limit) = query.budget.time else {
        return Ok(());
    };
    for _ in 0..MORE_ROUNDS {
        for execution in executions
            .iter_mut()
            .filter(|execution| execution.is_near(limit))
        {
            auditor
                .interrupt
                .check()
                .map_err(|_| Failed::Server(ExplainError::TimedOut))?;
            execution.run(auditor, ready).await?;
        }
    }
    Ok(())
}

/// Plans alone, for writes that must not run.
pub(super) fn estimated(
    query: &Query,
    ready: &Ready,
    estimates: &[(ParameterSet, Explained)],
    picked: &[usize],
) -> Vec<Run> {
    let run = |i: &usize| {
        let (set, explained) = &estimates[*i];
        Run {
            id: set.id.clone().custom(),
            parameters: bound(query, ready, &set.values),
            plan: explained.plan.clone(),
            explain_json: explained.json.clone(),
            outcome: Outcome::Estimated,
        }
    };
    picked.iter().map(run).collect()
}

/// The generic plan for the normal and the most expensive set, where PostgreSQL would switch to it (its cost is no higher
/// than that of custom plans with their planning, `choose_custom_plan` in plancache.c) and it has another shape.
async fn generic_estimates(
    auditor: &Auditor<'_>,
    ready: &Ready,
    estimates: &[(ParameterSet, Explained)],
    picked: &[usize],
) -> Result<Vec<(usize, Explained)>, Failed> {
    let Some((first, normal)) = estimates
        .first()
        .filter(|_| !ready.prepared.types.is_empty())
    else {
        return Ok(Vec::new());
    };
    let client = auditor.session.client();
    let values = std::slice::from_ref(&first.values);
    let found = explain::estimate(
        client,
        &ready.prepared,
        values,
        PlanChoice::Generic,
        &auditor.limits,
    )
    .await?;
    let Some(generic) = found.into_iter().next() else {
        return Ok(Vec::new());
    };
    let custom_cost = normal.plan.root().estimate.total_cost + planning_cost(&normal.plan);
    if generic.plan.root().estimate.total_cost > custom_cost {
        return Ok(Vec::new());
    }
    let differs = |i: &&usize| shape(&estimates[**i].1.plan) != shape(&generic.plan);
    Ok(picked
        .iter()
        .filter(differs)
        .take(2)
        .map(|i| (*i, generic.clone()))
        .collect())
}

/// `cached_plan_cost` in plancache.c: 1000 cpu_operator_cost for each relation and one more.
fn planning_cost(plan: &Plan) -> f64 {
    let relations = plan
        .nodes
        .iter()
        .filter(|node| node.relation.is_some() && node.kind != NodeKind::ModifyTable)
        .count();
    2.5 * (relations + 1) as f64
}

impl<'a> Execution<'a> {
    fn of(set: &'a ParameterSet, choice: PlanChoice, estimate: &'a Explained) -> Self {
        Self {
            set,
            choice,
            estimate,
            taken: Vec::new(),
            timed_out: false,
            refused: None,
        }
    }

    /// Round 0 warms up; slow statements run until two rounds in a row agree, and long ones less often.
    fn wants_more(&self, round: u32, runs: u32) -> bool {
        let Some(last) = self.taken.last().and_then(|explained| explained.time) else {
            return !self.timed_out && self.refused.is_none() && round == 0;
        };
        let times: Vec<Millis> = self.taken.iter().filter_map(|one| one.time).collect();
        if is_settled(&times) {
            return false;
        }
        if last <= LONG {
            return round <= runs;
        }
        !self.timed_out && f64::from(round) * last.0 <= PATIENCE.0
    }

    /// Whether it met a row, or may have.
    fn found(&self) -> bool {
        let met = |explained: &Explained| rows_found(&explained.plan).is_none_or(|rows| rows > 0.0);
        self.timed_out || self.taken.last().is_some_and(met)
    }

    /// Whether its fastest run is past a limit, but not so far that noise cannot explain it.
    fn is_near(&self, limit: Millis) -> bool {
        let warm = self.taken.iter().skip(usize::from(self.taken.len() > 1));
        let fastest = warm
            .filter_map(|explained| explained.time)
            .map(|time| time.0);
        let fastest = fastest.fold(f64::INFINITY, f64::min);
        !self.timed_out && fastest > limit.0 && fastest < limit.0 * NEAR && fastest < LONG.0
    }

    async fn run(&mut self, auditor: &Auditor<'_>, ready: &Ready) -> Result<(), Failed> {
        let client = auditor.session.client();
        match explain::analyze(
            client,
            &ready.prepared,
            &self.set.values,
            self.choice,
            &auditor.limits,
        )
        .await
        {
            Ok(explained) => self.taken.push(explained),
            // Once it ran in time, the samples that are there speak.
            Err(ExplainError::TimedOut) => self.timed_out = true,
            // The values, not the statement.
            Err(ExplainError::Refused(refusal))
                if ready.prepared.writes && is_of_a_rule(&refusal) =>
            {
                self.refused = Some(Refused::ByConstraint(match &refusal.detail {
                    Some(detail) => format!("{}: {detail}", refusal.message),
                    None => refusal.message.clone(),
                }));
            }
            // Class 22: they cannot be read as what the statement makes of them.
            Err(ExplainError::Refused(refusal)) if refusal.code.starts_with("22") => {
                self.refused = Some(Refused::ByType((*refusal).into()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn finish(mut self, query: &Query, ready: &Ready, after: Millis) -> Run {
        // The first one only warmed up, unless it is all there is.
        if self.taken.len() > 1 {
            self.taken.remove(0);
        }
        let samples: Vec<Sample> = self.taken.iter().filter_map(sample).collect();
        let median = median(&self.taken);
        let id = RunId {
            set: self.set.id.clone(),
            plan: self.choice,
        };
        let (explained, outcome) = match median {
            Some(at) => (self.taken.swap_remove(at), Outcome::Completed { samples }),
            None if self.refused.is_some() => (self.estimate.clone(), Outcome::Estimated),
            None => (self.estimate.clone(), Outcome::TimedOut { after }),
        };
        let parameters = bound(query, ready, &self.set.values);
        Run {
            id,
            parameters,
            plan: explained.plan,
            explain_json: explained.json,
            outcome,
        }
    }
}

/// Whether a rule of the schema refuses what a statement writes: a constraint (class 23), or a trigger that raises (P0001); the
/// day of a partition that is missing may be another one.
fn is_of_a_rule(refusal: &Refusal) -> bool {
    let raises = refusal.code == "P0001" && !refusal.message.contains("artition");
    raises || refusal.code.starts_with("23")
}

fn sample(explained: &Explained) -> Option<Sample> {
    let buffers = explained.plan.root().buffers;
    Some(Sample {
        execution: explained.time?,
        planning: explained.plan.planning_ms.unwrap_or_default(),
        blocks: buffers.map_or(Pages(0), |buffers| buffers.touched()),
        temp_blocks: buffers.map_or(Pages(0), |buffers| buffers.temp()),
    })
}

/// The sample with the median execution time.
fn median(taken: &[Explained]) -> Option<usize> {
    let mut order: Vec<usize> = (0..taken.len()).collect();
    let time = |i: usize| taken[i].time.map_or(f64::INFINITY, |time| time.0);
    order.sort_by(|a, b| time(*a).total_cmp(&time(*b)));
    order.get(order.len() / 2).copied()
}
