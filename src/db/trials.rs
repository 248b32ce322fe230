//! Runs queries once more with what their findings advise, each in a transaction that rolls back. On a private copy only: what is
//! tried is not for somebody's server. What is set, and what is reported of it, is `prove_memory`'s and `prove_statistics`'s.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Client;

use crate::advise::Audited;
use crate::catalog::Query;
use crate::db::audit::{AuditError, RunOptions, digest};
use crate::db::bench::Bench;
use crate::db::explain::{self, ExplainError, Explained, Limits, Mode, Prepared};
use crate::db::prove::{choice, values};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::{Run, is_settled};

const NAME: &str = "pgproof_trial";

/// Where advice is tried.
#[derive(Clone, Copy)]
pub struct Trials<'a> {
    /// On the private copy.
    pub bench: Bench<'a>,
    /// What was audited.
    pub audited: Audited<'a>,
    /// How queries are run.
    pub options: &'a RunOptions,
    /// Events.
    pub progress: &'a Progress,
    /// Stops everything.
    pub interrupt: &'a Interrupt,
}

/// A statement that is prepared, in its open transaction.
pub(super) struct Ready<'a> {
    pub client: &'a Client,
    pub run: &'a Run,
    pub limits: &'a Limits,
    prepared: &'a Prepared,
    runs: u32,
}

impl Trials<'_> {
    /// Tries one after the other; `place` gives a trial's query in the catalog, its run and what is tried, `try_out` sets that and
    /// runs the statement, `tell` gets what came of it. A trial that the server refuses or that does not finish is not reported.
    pub(super) async fn each<T, R: Serialize + DeserializeOwned>(
        &self,
        about: &str,
        trials: Vec<T>,
        place: impl Fn(&T) -> (usize, usize, String),
        try_out: impl AsyncFn(&Ready<'_>, &T) -> Result<Option<R>, ExplainError>,
        mut tell: impl FnMut(&T, &Run, R),
    ) -> Result<(), AuditError> {
        if trials.is_empty() {
            return Ok(());
        }
        let task = self
            .progress
            .task(about, Unit::Steps, Some(trials.len() as u64));
        for trial in trials {
            self.interrupt.check()?;
            let (query, at, tried) = place(&trial);
            let Some(run) = self.audited.run(query, at) else {
                continue;
            };
            let runs = self.audited.runs.iter().find(|runs| runs.query == query);
            let measured = runs.map(digest).unwrap_or_default();
            let parts = [about, &measured, &at.to_string(), &tried];
            let key = self.bench.results.key("trial", &parts);
            if let Some(known) = self.bench.results.find::<Option<R>>(&key) {
                if let Some(found) = known.value {
                    tell(&trial, run, found);
                }
                continue;
            }
            let query = &self.audited.queries[query];
            task.doing(query.name.clone());
            let tried = self.rolled_back(query, run, &trial, &try_out).await;
            self.interrupt.check()?;
            if let Ok(tried) = &tried {
                self.bench.results.keep(&key, tried);
            }
            match tried {
                Ok(Some(found)) => tell(&trial, run, found),
                Ok(None) => {}
                Err(ExplainError::Refused(refusal)) => self.progress.note(format!(
                    "{about} of {} failed: {} (SQLSTATE {})",
                    query.name, refusal.message, refusal.code
                )),
                Err(source) => {
                    return Err(AuditError::Server {
                        query: query.name.clone(),
                        source,
                    });
                }
            }
            task.advance(1);
        }
        Ok(())
    }

    async fn rolled_back<T, R>(
        &self,
        query: &Query,
        run: &Run,
        trial: &T,
        try_out: &impl AsyncFn(&Ready<'_>, &T) -> Result<Option<R>, ExplainError>,
    ) -> Result<Option<R>, ExplainError> {
        let (client, limits) = (self.bench.client()?, &self.options.limits_of(query));
        let prepared = Prepared::of_query(client, NAME, query, limits).await?;
        explain::texts(
            client,
            &explain::opening(limits, choice(run)),
            explain::NO_POSITION,
        )
        .await?;
        let ready = Ready {
            client,
            run,
            limits,
            prepared: &prepared,
            runs: self.options.runs,
        };
        let found = try_out(&ready, trial).await;
        let left = explain::texts(client, "ROLLBACK", explain::NO_POSITION).await;
        prepared.deallocate(client).await?;
        match found {
            Err(ExplainError::Refused(refusal)) if refusal.is_of_the_server() => {
                left.and(Err(ExplainError::Refused(refusal)))
            }
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => left.map(|_| None),
            found => left.and(found),
        }
    }
}

impl Ready<'_> {
    /// Statements of the transaction; the first column of every row that they return.
    pub(super) async fn execute(&self, sql: &str) -> Result<Vec<String>, ExplainError> {
        explain::texts(self.client, sql, explain::NO_POSITION).await
    }

    /// Once, to warm up or to look at.
    pub(super) async fn once(&self) -> Result<Explained, ExplainError> {
        let mode = if self.prepared.writes {
            Mode::AnalyzeWrite
        } else {
            Mode::Analyze
        };
        explain::in_savepoint(
            self.client,
            self.prepared,
            &values(self.run),
            choice(self.run),
            mode,
            "",
        )
        .await
    }

    /// The run with the median time.
    pub(super) async fn median(&self) -> Result<Explained, ExplainError> {
        let mut taken: Vec<Explained> = Vec::new();
        for _ in 0..self.runs.max(1) {
            taken.push(self.once().await?);
            let times: Vec<_> = taken.iter().filter_map(|one| one.time).collect();
            if is_settled(&times) {
                break;
            }
        }
        let time = |explained: &Explained| explained.time.map_or(f64::INFINITY, |time| time.0);
        taken.sort_by(|a, b| time(a).total_cmp(&time(b)));
        Ok(taken.swap_remove(taken.len() / 2))
    }
}
