//! Statements planned in a laboratory, again and again while its statistics change.

use std::collections::BTreeMap;

use super::Laboratory;
use crate::catalog::{Caller, Query};
use crate::db::explain::{self, ExplainError, Explained, Limits, PlanChoice, Prepared};
use crate::db::prove::{choice, values};
use crate::plan::Plan;
use crate::run::{QueryRuns, Run};
use crate::units::Millis;

/// So many statements are on their way to the server at a time.
const OUTLINES_AT_ONCE: usize = 32;

/// A run whose statement is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Index of the query.
    pub query: usize,
    /// Index of its run.
    pub run: usize,
}

/// Plans queries with the values of their runs.
#[derive(Debug)]
pub struct Planner<'a> {
    queries: &'a [Query],
    runs: BTreeMap<usize, &'a QueryRuns>,
    /// Statements that make a transaction that of the one who asks the whole catalog.
    caller: String,
    /// By index of the query; `None` where the server refuses it.
    prepared: BTreeMap<usize, Option<Prepared>>,
}

impl<'a> Planner<'a> {
    /// Of a catalog, what was seen of it, and who asks it.
    #[must_use]
    pub fn new(queries: &'a [Query], runs: &'a [QueryRuns], caller: &Caller) -> Self {
        Self {
            queries,
            runs: runs.iter().map(|runs| (runs.query, runs)).collect(),
            caller: caller.local(),
            prepared: BTreeMap::new(),
        }
    }

    /// Every run that can be planned.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let of_query = |(query, runs): (&usize, &&QueryRuns)| {
            let query = *query;
            (0..runs.runs.len())
                .map(move |run| Asked { query, run })
                .collect::<Vec<_>>()
        };
        self.runs.iter().flat_map(of_query).collect()
    }

    #[must_use]
    pub fn run(&self, asked: Asked) -> Option<&'a Run> {
        self.runs.get(&asked.query)?.runs.get(asked.run)
    }

    /// The name of its query.
    #[must_use]
    pub fn query(&self, asked: Asked) -> &'a str {
        &self.queries[asked.query].name
    }

    /// Its plan with the statistics that are set now; `None` where the server refuses the statement.
    ///
    /// # Errors
    /// [`ExplainError`] where the server, not the statement, is at fault.
    pub async fn plan(
        &mut self,
        laboratory: &Laboratory,
        asked: Asked,
    ) -> Result<Option<Plan>, ExplainError> {
        self.plan_with(laboratory, asked, "").await
    }

    /// The same, after statements of pgproof's own that last as long as the planning: settings.
    ///
    /// # Errors
    /// As those of [`Planner::plan`].
    pub async fn plan_with(
        &mut self,
        laboratory: &Laboratory,
        asked: Asked,
        settings: &str,
    ) -> Result<Option<Plan>, ExplainError> {
        let Some(run) = self.run(asked) else {
            return Ok(None);
        };
        let limits = self.limits(laboratory, asked, settings);
        self.prepare(laboratory, asked.query, &limits).await?;
        let Some(Some(prepared)) = self.prepared.get(&asked.query) else {
            return Ok(None);
        };
        let client = laboratory.session().client();
        let choice: PlanChoice = choice(run);
        let planned = explain::estimate(client, prepared, &[values(run)], choice, &limits).await;
        match planned {
            Ok(plans) => Ok(plans.into_iter().next().map(|explained| explained.plan)),
            Err(error) if is_of_statement(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The plans of runs as texts without numbers, in a few round trips: equal texts are one plan. `None` where the server refuses
    /// the statement.
    ///
    /// # Errors
    /// As those of [`Planner::plan`].
    pub async fn outlines(
        &mut self,
        laboratory: &Laboratory,
        asked: &[Asked],
    ) -> Result<Vec<Option<String>>, ExplainError> {
        for asked in asked {
            let limits = self.limits(laboratory, *asked, "");
            self.prepare(laboratory, asked.query, &limits).await?;
        }
        let mut found = vec![None; asked.len()];
        let mut statements = Vec::with_capacity(asked.len());
        for (at, asked) in asked.iter().enumerate() {
            let (Some(run), Some(Some(prepared))) =
                (self.run(*asked), self.prepared.get(&asked.query))
            else {
                continue;
            };
            let limits = self.limits(laboratory, *asked, "");
            statements.push((at, prepared.execute(&values(run)), choice(run), limits));
        }
        let client = laboratory.session().client();
        for part in statements.chunks(OUTLINES_AT_ONCE) {
            let asked: Vec<_> = part
                .iter()
                .map(|(_, execute, choice, limits)| (execute.as_str(), *choice, limits))
                .collect();
            let answers = explain::outlines(client, &asked).await;
            for ((at, ..), answer) in part.iter().zip(answers) {
                found[*at] = match answer {
                    Ok(text) => Some(text),
                    Err(error) if is_of_statement(&error) => None,
                    Err(error) => return Err(error),
                };
            }
        }
        Ok(found)
    }

    /// Executes a run once with the statistics that are set now, in a transaction that rolls back: in a laboratory with rows.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub async fn run_once(
        &mut self,
        laboratory: &Laboratory,
        asked: Asked,
        timeout: Millis,
    ) -> Result<Explained, ExplainError> {
        let mut limits = self.limits(laboratory, asked, "");
        limits.statement = timeout;
        self.prepare(laboratory, asked.query, &limits).await?;
        let (Some(run), Some(Some(prepared))) = (self.run(asked), self.prepared.get(&asked.query))
        else {
            return Err(ExplainError::NoPlan);
        };
        let client = laboratory.session().client();
        explain::analyze(client, prepared, &values(run), choice(run), &limits).await
    }

    /// What a query says of its caller holds over what the project says, and that over the server's settings.
    fn limits(&self, laboratory: &Laboratory, asked: Asked, settings: &str) -> Limits {
        let mut limits = laboratory
            .limits()
            .asked_by(&self.queries[asked.query].asked_by);
        let own = limits.caller.as_deref().unwrap_or_default();
        limits.caller = Some(format!("{settings}{}{own}", self.caller).into());
        limits
    }

    async fn prepare(
        &mut self,
        laboratory: &Laboratory,
        query: usize,
        limits: &Limits,
    ) -> Result<(), ExplainError> {
        if self.prepared.contains_key(&query) {
            return Ok(());
        }
        let client = laboratory.session().client();
        let name = format!("pgproof_lab_{query}");
        let prepared = match Prepared::of_query(client, &name, &self.queries[query], limits).await {
            Ok(prepared) => Some(prepared),
            Err(error) if is_of_statement(&error) => None,
            Err(error) => return Err(error),
        };
        self.prepared.insert(query, prepared);
        Ok(())
    }
}

fn is_of_statement(error: &ExplainError) -> bool {
    matches!(
        error,
        ExplainError::Refused(_)
            | ExplainError::Unsafe { .. }
            | ExplainError::TimedOut
            | ExplainError::NoPlan
    )
}
