//! Runs other forms of a query beside the form that was written, with every parameter set, in transactions that roll back:
//! whether they return the same rows, and what they take. Decides nothing: `advise::rewrites` does.

use serde::{Deserialize, Serialize};

use crate::advise::Audited;
use crate::advise::rewrites::{self, Proven, Rewrite};
use crate::db::audit::{AuditError, RunOptions, digest};
use crate::db::bench::Bench;
use crate::db::explain::{self, ExplainError, Limits, Mode, PlanChoice, Prepared, quote_literal};
use crate::db::prove::{index_names, measurement, values};
use crate::finding::{Measurement, Proof};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::{Outcome, Run};

const WRITTEN: &str = "pgproof_written";
const OTHER: &str = "pgproof_other";
/// Memory for comparing rows: with it a list is hashed that is too long for the query itself.
const MEMORY: &str = "1GB";

/// Forms that return the same rows for a fraction of the work, at most one a query.
///
/// # Errors
/// [`AuditError`].
pub async fn prove_rewrites(
    bench: Bench<'_>,
    audited: Audited<'_>,
    options: &RunOptions,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Vec<Proven>, AuditError> {
    let wanted = rewrites::rewrites(&audited);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let task = progress.task(
        "Proving other forms",
        Unit::Steps,
        Some(wanted.len() as u64),
    );
    let mut proven = Vec::new();
    for rewrite in wanted {
        interrupt.check()?;
        let name = &audited.queries[rewrite.query].name;
        task.doing(name.clone());
        let runs = audited.runs.iter().find(|runs| runs.query == rewrite.query);
        let key = bench.results.key(
            "rewrite",
            &[&runs.map(digest).unwrap_or_default(), &rewrite.sql],
        );
        let measured = match bench.results.find::<Option<Measured>>(&key) {
            Some(known) => known.value,
            None => {
                let trial = Trial {
                    bench,
                    audited,
                    options,
                    rewrite: &rewrite,
                };
                let found = trial.run().await;
                // What an interrupt made of a statement is no result.
                interrupt.check()?;
                let found = found.map_err(|source| AuditError::Server {
                    query: name.clone(),
                    source,
                })?;
                bench.results.keep(&key, &found);
                found
            }
        };
        proven.extend(measured.map(|measured| Proven {
            rewrite,
            run: measured.run,
            proof: measured.proof,
            indexes: measured.indexes,
        }));
        task.advance(1);
    }
    Ok(rewrites::best(proven, &audited))
}

/// What a form took that returned the same rows.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    run: usize,
    proof: Proof,
    indexes: Vec<String>,
}

struct Trial<'a> {
    bench: Bench<'a>,
    audited: Audited<'a>,
    options: &'a RunOptions,
    rewrite: &'a Rewrite,
}

impl Trial<'_> {
    fn limits(&self) -> Limits {
        self.options
            .limits_of(&self.audited.queries[self.rewrite.query])
    }

    /// `None` where the server refuses the form, its rows differ, or it does not finish.
    async fn run(&self) -> Result<Option<Measured>, ExplainError> {
        let client = self.bench.client()?;
        let limits = self.limits();
        let sql = &self.audited.queries[self.rewrite.query].sql;
        let written = Prepared::new(client, WRITTEN, sql, false, &limits).await?;
        let other = match self.prepare_other(&written).await {
            Ok(other) => other,
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => {
                written.deallocate(client).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let found = self.compared(&written, &other).await;
        written.deallocate(client).await?;
        other.deallocate(client).await?;
        match found {
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => Ok(None),
            found => found,
        }
    }

    /// With the types of the form that was written, as far as they may stay.
    async fn prepare_other(&self, written: &Prepared) -> Result<Prepared, ExplainError> {
        let (client, limits) = (self.bench.client()?, self.limits());
        let other = Prepared::new(client, OTHER, &self.rewrite.sql, false, &limits).await?;
        if other.types.len() == written.types.len() {
            return Ok(other);
        }
        other.deallocate(client).await?;
        Err(ExplainError::NoPlan)
    }

    async fn compared(
        &self,
        written: &Prepared,
        other: &Prepared,
    ) -> Result<Option<Measured>, ExplainError> {
        let runs = self
            .audited
            .runs
            .iter()
            .find(|runs| runs.query == self.rewrite.query)
            .map_or(&[][..], |runs| &runs.runs);
        let custom = || runs.iter().enumerate().filter(|(_, run)| !run.is_generic());
        for (_, run) in custom() {
            if !self.same_rows(written, other, run).await? {
                return Ok(None);
            }
        }
        let Some((at, run)) = custom().next() else {
            return Ok(None);
        };
        let (proof, indexes) = self.measured(other, run).await?;
        for (_, run) in custom().filter(|(other, _)| *other != at) {
            let (proof, _) = self.measured(other, run).await?;
            if rewrites::is_worse(&proof) {
                return Ok(None);
            }
        }
        Ok(Some(Measured {
            run: at,
            proof,
            indexes,
        }))
    }

    /// Whether both forms return the same rows for a run's values, however often each; their order does not count.
    async fn same_rows(
        &self,
        written: &Prepared,
        other: &Prepared,
        run: &Run,
    ) -> Result<bool, ExplainError> {
        let values = values(run);
        let difference = |one: &str, another: &str| {
            format!(
                "(SELECT row::text FROM {one} AS row EXCEPT ALL SELECT row::text FROM {another} AS row)"
            )
        };
        let settings = format!("SET LOCAL work_mem = {};", quote_literal(MEMORY));
        let kept = |table: &str, form: &Prepared| {
            let rows = form.execute(&values);
            format!("CREATE TEMP TABLE {table} ON COMMIT DROP AS {rows}")
        };
        let statements = vec![
            kept("pgproof_as_written", written),
            kept("pgproof_in_other_form", other),
            format!(
                "SELECT count(*)::text FROM ({} UNION ALL {}) AS differences",
                difference("pgproof_as_written", "pgproof_in_other_form"),
                difference("pgproof_in_other_form", "pgproof_as_written"),
            ),
        ];
        let limits = self.limits();
        let answer =
            explain::together(self.bench.client()?, &limits, &settings, statements).await?;
        Ok(answer.last().map(String::as_str) == Some("0"))
    }

    /// What the form takes, and the indexes that it reads.
    async fn measured(
        &self,
        other: &Prepared,
        run: &Run,
    ) -> Result<(Proof, Vec<String>), ExplainError> {
        let (client, limits) = (self.bench.client()?, self.limits());
        let opening = explain::opening(&limits, PlanChoice::Custom);
        explain::texts(client, &opening, explain::NO_POSITION).await?;
        let mut taken: Vec<Measurement> = Vec::new();
        let mut indexes = Vec::new();
        for _ in 0..=self.options.runs {
            let choice = PlanChoice::Custom;
            let explained =
                explain::in_savepoint(client, other, &values(run), choice, Mode::Analyze, "").await;
            match explained {
                Ok(explained) => {
                    taken.push(measurement(&explained));
                    indexes = index_names(&explained.plan);
                }
                Err(error) => {
                    explain::texts(client, "ROLLBACK", explain::NO_POSITION).await?;
                    return Err(error);
                }
            }
        }
        explain::texts(client, "ROLLBACK", explain::NO_POSITION).await?;
        // The first one warmed up.
        if taken.len() > 1 {
            taken.remove(0);
        }
        taken.sort_by(|a, b| a.time_ms.0.total_cmp(&b.time_ms.0));
        let proof = Proof {
            before: run.measurement(),
            cancelled_ms: match run.outcome {
                Outcome::TimedOut { after } => Some(after),
                Outcome::Completed { .. } | Outcome::Estimated => None,
            },
            after: taken.swap_remove(taken.len() / 2),
            index_bytes: None,
            build_ms: None,
        };
        Ok((proof, indexes))
    }
}
