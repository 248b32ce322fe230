//! Statements planned in a laboratory, again and again while its statistics change.

use std::collections::BTreeMap;

use super::Laboratory;
use crate::catalog::{Caller, Query};
use crate::db::explain::{self, ExplainError, Limits, PlanChoice, Prepared};
use crate::db::prove::{choice, values};
use crate::plan::Plan;
use crate::run::{QueryRuns, Run};

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

    /// A run.
    #[must_use]
    pub fn run(&self, asked: Asked) -> Option<&'a Run> {
        self.runs.get(&asked.query)?.runs.get(asked.run)
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
        let mut limits = laboratory
            .limits()
            .asked_by(&self.queries[asked.query].asked_by);
        // What a query says of its caller holds over what the project says, and that over the server's settings.
        let own = limits.caller.as_deref().unwrap_or_default();
        limits.caller = Some(format!("{settings}{}{own}", self.caller).into());
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
