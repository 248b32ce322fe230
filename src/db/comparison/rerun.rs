//! Runs a query on another copy with the values that were chosen on the first one.

use squawk_lexer::{TokenKind, tokenize};

use crate::catalog::Query;
use crate::db::audit::RunOptions;
use crate::db::connect::Session;
use crate::db::explain::{self, ExplainError, Explained, PlanChoice, Prepared, quote_literal};
use crate::db::traffic::Probe;
use crate::diff::names::Names;
use crate::diff::outcome::Fate;
use crate::diff::snapshot::Asked;
use crate::plan::Plan;
use crate::run::{BoundParameter, Outcome, QueryFailure, QueryRuns, Run, Sample};
use crate::units::Millis;

/// A run, or why there is none.
pub type Ran = Result<Run, QueryFailure>;

pub(super) const NAME: &str = "pgproof_again";

/// Executes a query with the values of earlier runs; one result a run.
///
/// # Errors
/// The server's failure; a statement's own is in the result.
pub async fn rerun(
    session: &Session,
    query: &Query,
    runs: &[Run],
    samples: u32,
    options: &RunOptions,
) -> Result<Vec<Ran>, ExplainError> {
    let sets: Vec<Asked> = runs.iter().map(Asked::from).collect();
    run_sets(session, query, &sets, samples, options).await
}

/// Executes a query with given values; one result a set.
///
/// # Errors
/// As [`rerun`].
pub(super) async fn run_sets(
    session: &Session,
    query: &Query,
    runs: &[Asked],
    samples: u32,
    options: &RunOptions,
) -> Result<Vec<Ran>, ExplainError> {
    let limits = options.limits_of(query);
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let prepared = match Prepared::of_query(session.client(), NAME, query, &limits).await {
        Ok(prepared) => prepared,
        Err(error) => {
            let failure = refused(error)?;
            return Ok(runs.iter().map(|_| Err(failure.clone())).collect());
        }
    };
    let mut found = Vec::with_capacity(runs.len());
    for run in runs {
        found.push(again(session, (query, &prepared), run, samples, options).await?);
    }
    prepared.deallocate(session.client()).await?;
    Ok(found)
}

async fn again(
    session: &Session,
    (query, prepared): (&Query, &Prepared),
    run: &Asked,
    samples: u32,
    options: &RunOptions,
) -> Result<Ran, ExplainError> {
    let limits = options.limits_of(query);
    let values = values(run);
    let mut taken: Vec<Explained> = Vec::new();
    let done = |plan: Plan, explain_json, outcome| {
        Ok(Ok(Run {
            id: run.id.clone(),
            parameters: run.parameters.clone(),
            plan,
            explain_json,
            outcome,
        }))
    };
    if run.estimated {
        return match estimated(session, (query, prepared), &values, run, options).await? {
            Ok(explained) => done(explained.plan, explained.json, Outcome::Estimated),
            Err(failure) => Ok(Err(failure)),
        };
    }
    // One to warm up: the copies were made a moment ago. What takes long is not run twice.
    for _ in 0..=samples {
        match explain::analyze(session.client(), prepared, &values, choice(run), &limits).await {
            Ok(explained) => taken.push(explained),
            Err(ExplainError::TimedOut) => {
                return match estimated(session, (query, prepared), &values, run, options).await? {
                    Ok(plan) => done(
                        plan.plan,
                        plan.json,
                        Outcome::TimedOut {
                            after: options.timeout,
                        },
                    ),
                    Err(failure) => Ok(Err(failure)),
                };
            }
            Err(error) => return refused(error).map(Err),
        }
        if taken
            .last()
            .and_then(|explained| explained.time)
            .is_some_and(|time| time.0 > 300.0)
        {
            break;
        }
    }
    let measured: Vec<Sample> = taken
        .iter()
        .skip(usize::from(taken.len() > 1))
        .map(sample)
        .collect();
    match taken.pop() {
        Some(last) => done(
            last.plan,
            last.json,
            Outcome::Completed { samples: measured },
        ),
        None => Err(ExplainError::NoPlan),
    }
}

async fn estimated(
    session: &Session,
    (query, prepared): (&Query, &Prepared),
    values: &[Option<String>],
    run: &Asked,
    options: &RunOptions,
) -> Result<Result<Explained, QueryFailure>, ExplainError> {
    let sets = [values.to_vec()];
    match explain::estimate(
        session.client(),
        prepared,
        &sets,
        choice(run),
        &options.limits_of(query),
    )
    .await
    {
        Ok(mut plans) => plans.pop().map(Ok).ok_or(ExplainError::NoPlan),
        Err(error) => refused(error).map(Err),
    }
}

/// The plans alone.
///
/// # Errors
/// The server's failure.
pub(super) async fn plan(
    session: &Session,
    query: &Query,
    runs: &[Run],
    options: &RunOptions,
) -> Result<Vec<Result<Plan, QueryFailure>>, ExplainError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let prepared = match Prepared::new(
        session.client(),
        NAME,
        &query.sql,
        query.writes,
        &options.limits_of(query),
    )
    .await
    {
        Ok(prepared) => prepared,
        Err(error) => {
            let failure = refused(error)?;
            return Ok(runs.iter().map(|_| Err(failure.clone())).collect());
        }
    };
    let mut found = Vec::with_capacity(runs.len());
    for run in runs {
        let run = &Asked::from(run);
        let estimate = estimated(session, (query, &prepared), &values(run), run, options).await?;
        found.push(estimate.map(|explained| explained.plan));
    }
    prepared.deallocate(session.client()).await?;
    Ok(found)
}

fn sample(explained: &Explained) -> Sample {
    let plan = &explained.plan;
    let buffers = plan.root().buffers.unwrap_or_default();
    Sample {
        execution: explained.time.unwrap_or_default(),
        planning: plan.planning_ms.unwrap_or_default(),
        blocks: buffers.touched(),
        temp_blocks: buffers.temp(),
    }
}

pub(super) fn values(run: &Asked) -> Vec<Option<String>> {
    run.parameters
        .iter()
        .map(|parameter| parameter.value.clone())
        .collect()
}

pub(super) fn choice(run: &Asked) -> PlanChoice {
    run.id.plan
}

/// The statement's own failure, or the server's.
pub(super) fn refused(error: ExplainError) -> Result<QueryFailure, ExplainError> {
    match error {
        ExplainError::Refused(refusal) => Ok((*refusal).into()),
        ExplainError::TimedOut => Ok(QueryFailure {
            message: "cancelled at the timeout".to_owned(),
            code: Some("57014".to_owned()),
            position: None,
            hint: None,
        }),
        ExplainError::NoSession
        | ExplainError::NoPlan
        | ExplainError::Server(_)
        | ExplainError::Unreadable(_)
        | ExplainError::Unsafe { .. }
        | ExplainError::LeftTransaction(_)
        | ExplainError::Silent { .. } => Err(error),
    }
}

/// What became of the statement.
pub(super) fn fate(ran: &Ran, names: &Names<'_>) -> Fate {
    match ran {
        Ok(run) => Fate::of(run, names),
        Err(failure) => Fate::Failed(failure.clone()),
    }
}

/// Past this a query is sent as EXPLAIN alone beside the migration: traffic is to be light.
const LIGHT: Millis = Millis(20.0);

/// The catalog's queries as traffic, each with the values of its quickest run.
pub(super) fn probes(queries: &[Query], runs: &[QueryRuns]) -> Vec<Probe> {
    let quickest = |runs: &QueryRuns| -> Option<(usize, f64)> {
        let time = |run: &Run| run.time().map_or(f64::INFINITY, |time| time.0);
        runs.runs
            .iter()
            .map(time)
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(&b.1))
    };
    runs.iter()
        .filter_map(|runs| {
            let query = queries.get(runs.query)?;
            let (at, time) = quickest(runs)?;
            let sql = literal_sql(&query.sql, &runs.runs[at].parameters);
            Some(Probe {
                name: query.name.clone(),
                sql,
                plan_only: time > LIGHT.0,
            })
        })
        .collect()
}

/// A statement with its values written into it.
#[must_use]
pub fn literal_sql(sql: &str, parameters: &[BoundParameter]) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut offset = 0;
    for token in tokenize(sql) {
        let piece = &sql[offset..offset + token.len as usize];
        offset += token.len as usize;
        let number: Option<u16> = match token.kind {
            TokenKind::PositionalParam { .. } => piece[1..].parse().ok(),
            _ => None,
        };
        match number.and_then(|number| {
            parameters
                .iter()
                .find(|parameter| parameter.number == number)
        }) {
            Some(BoundParameter {
                value: Some(value),
                type_name,
                ..
            }) => {
                text.push_str(&format!("{}::{type_name}", quote_literal(value)));
            }
            Some(BoundParameter {
                value: None,
                type_name,
                ..
            }) => text.push_str(&format!("NULL::{type_name}")),
            None => text.push_str(piece),
        }
    }
    // A comment at the end must not swallow what follows.
    text.push('\n');
    text
}
