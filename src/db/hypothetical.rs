//! Index candidates on a given database that has HypoPG: planned, not built. Hypothetical indexes are in the memory of one session,
//! change nothing, and are seen by EXPLAIN alone. Decides nothing: `advise::planned` does.

use std::collections::{BTreeMap, BTreeSet};

use crate::advise::planned::{PlannedEffect, PlannedTrial};
use crate::advise::{Audited, Candidate, IndexSpec, ddl};
use crate::db::audit::{AuditError, RunOptions};
use crate::db::bench::Bench;
use crate::db::explain::{self, ExplainError, PlanChoice, Prepared, quote_literal};
use crate::db::prove::{choice, index_names, values};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::Run;
use crate::schema::quote_identifier;
use crate::units::Bytes;

/// HypoPG in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HypoPg {
    /// Where its functions are, quoted.
    schema: String,
}

impl HypoPg {
    /// As the catalogs have it; `None` where it is not created there, or where a pooler might hand the session to somebody else.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub async fn of(bench: Bench<'_>, options: &RunOptions) -> Result<Option<Self>, ExplainError> {
        const CREATED: &str = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                               WHERE e.extname = 'hypopg'";
        if !bench.session()?.is_own() {
            return Ok(None);
        }
        let found = explain::asked(bench.client()?, &options.limits(), CREATED).await?;
        Ok(found.first().map(|schema| Self {
            schema: quote_identifier(schema),
        }))
    }

    fn create(&self, indexes: &[&IndexSpec], names: &[String]) -> String {
        let call = |(index, name): (&&IndexSpec, &String)| {
            let statement = format!(
                "CREATE INDEX {} {}",
                quote_identifier(name),
                ddl::definition(index)
            );
            format!(
                "SELECT {}.hypopg_create_index({}::pg_catalog.text);",
                self.schema,
                quote_literal(&statement)
            )
        };
        indexes.iter().zip(names).map(call).collect()
    }
}

/// Plans every candidate for the runs that asked for it. Those that HypoPG does not know (GIN, GiST, operator classes that are
/// missing) have no trial.
///
/// # Errors
/// [`AuditError`].
pub async fn planned(
    hypopg: &HypoPg,
    bench: Bench<'_>,
    audited: Audited<'_>,
    candidates: &[Candidate],
    options: &RunOptions,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Vec<PlannedTrial>, AuditError> {
    let mut planner = Planner {
        hypopg,
        bench,
        audited,
        options,
        prepared: BTreeMap::new(),
    };
    let task = progress.task(
        "Planning hypothetical indexes",
        Unit::Steps,
        Some(candidates.len() as u64),
    );
    let mut trials = Vec::new();
    for candidate in candidates {
        interrupt.check()?;
        let places: BTreeSet<(usize, usize)> = candidate
            .sites
            .iter()
            .map(|site| (site.query, site.run))
            .collect();
        let specs: Vec<&IndexSpec> = candidate.index.all().collect();
        let found = planner.effects(&specs, &places).await;
        interrupt.check()?;
        if let Some((bytes, effects)) = found.map_err(server)? {
            trials.push(PlannedTrial {
                candidate: candidate.clone(),
                bytes,
                effects,
            });
        }
        task.advance(1);
    }
    Ok(trials)
}

/// What the chosen candidates do together: what is said of them.
///
/// # Errors
/// [`AuditError`].
pub async fn planned_together(
    hypopg: &HypoPg,
    bench: Bench<'_>,
    audited: Audited<'_>,
    chosen: &mut Vec<PlannedTrial>,
    options: &RunOptions,
) -> Result<(), AuditError> {
    let mut planner = Planner {
        hypopg,
        bench,
        audited,
        options,
        prepared: BTreeMap::new(),
    };
    let places: BTreeSet<(usize, usize)> = chosen
        .iter()
        .flat_map(|trial| &trial.effects)
        .map(|effect| (effect.query, effect.run))
        .collect();
    let specs: Vec<IndexSpec> = chosen
        .iter()
        .flat_map(|trial| trial.candidate.index.all().cloned())
        .collect();
    let specs: Vec<&IndexSpec> = specs.iter().collect();
    let mut members = Vec::new();
    for (at, trial) in chosen.iter().enumerate() {
        members.extend(trial.candidate.index.all().map(|_| at));
    }
    let mut effects: BTreeMap<usize, Vec<PlannedEffect>> = BTreeMap::new();
    for place in places {
        let Some(seen) = planner.plan(&specs, place).await.map_err(server)? else {
            continue;
        };
        let used = seen
            .names
            .iter()
            .zip(&members)
            .filter(|(name, _)| seen.used.contains(*name));
        let used: BTreeSet<usize> = used.map(|(_, member)| *member).collect();
        for member in used {
            effects.entry(member).or_default().push(seen.effect(place));
        }
    }
    for (at, trial) in chosen.iter_mut().enumerate() {
        trial.effects = effects.remove(&at).unwrap_or_default();
    }
    chosen.retain(|trial| !trial.effects.is_empty());
    Ok(())
}

fn server(source: ExplainError) -> AuditError {
    AuditError::Server {
        query: String::new(),
        source,
    }
}

struct Planner<'a> {
    hypopg: &'a HypoPg,
    bench: Bench<'a>,
    audited: Audited<'a>,
    options: &'a RunOptions,
    /// By index of the query; `None` where it may not be planned.
    prepared: BTreeMap<usize, Option<Prepared>>,
}

/// One plan beside hypothetical indexes.
struct Seen {
    /// Of the indexes, in the order in which they were asked for.
    names: Vec<String>,
    bytes: u64,
    used: BTreeSet<String>,
    cost: (f64, f64),
}

impl Seen {
    fn effect(&self, (query, run): (usize, usize)) -> PlannedEffect {
        PlannedEffect {
            query,
            run,
            before: self.cost.0,
            after: self.cost.1,
        }
    }
}

impl Planner<'_> {
    /// The size of a candidate and what it does; `None` where HypoPG does not know such an index.
    async fn effects(
        &mut self,
        specs: &[&IndexSpec],
        places: &BTreeSet<(usize, usize)>,
    ) -> Result<Option<(Bytes, Vec<PlannedEffect>)>, ExplainError> {
        let mut effects = Vec::new();
        let mut bytes = None;
        for place in places {
            let Some(seen) = self.plan(specs, *place).await? else {
                continue;
            };
            bytes = Some(Bytes(seen.bytes));
            if seen.names.iter().any(|name| seen.used.contains(name)) {
                effects.push(seen.effect(*place));
            }
        }
        Ok(bytes.map(|bytes| (bytes, effects)))
    }

    async fn plan(
        &mut self,
        specs: &[&IndexSpec],
        (query, run): (usize, usize),
    ) -> Result<Option<Seen>, ExplainError> {
        let Some(before) = self.audited.run(query, run) else {
            return Ok(None);
        };
        self.prepare(query).await?;
        let Some(Some(prepared)) = self.prepared.get(&query) else {
            return Ok(None);
        };
        let names = ddl::unique_names(specs.iter().copied(), self.audited.schema);
        let create = self.hypopg.create(specs, &names);
        let limits = self.options.limits_of(&self.audited.queries[query]);
        let client = self.bench.client()?;
        let schema = self.hypopg.schema.as_str();
        let bound = values(before);
        let planned = explain::with_pretended(
            client,
            (prepared, &bound, choice(before)),
            (schema, &create),
            &limits,
        );
        let (indexes, explained) = match planned.await {
            Ok(found) => found,
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => {
                explain::forget_pretended(client, schema, &limits).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(Some(Seen {
            bytes: indexes.iter().map(|index| index.bytes).sum(),
            names: indexes.into_iter().map(|index| index.name).collect(),
            used: index_names(&explained.plan).into_iter().collect(),
            cost: (
                self.estimated(prepared, before, &limits).await?,
                explained.plan.root().estimate.total_cost,
            ),
        }))
    }

    /// The cost without them, as the server estimates it now.
    async fn estimated(
        &self,
        prepared: &Prepared,
        run: &Run,
        limits: &explain::Limits,
    ) -> Result<f64, ExplainError> {
        let choice: PlanChoice = choice(run);
        let sets = [values(run)];
        let plans =
            explain::estimate(self.bench.client()?, prepared, &sets, choice, limits).await?;
        let plan = plans.first().ok_or(ExplainError::NoPlan)?;
        Ok(plan.plan.root().estimate.total_cost)
    }

    async fn prepare(&mut self, query: usize) -> Result<(), ExplainError> {
        if self.prepared.contains_key(&query) {
            return Ok(());
        }
        let source = &self.audited.queries[query];
        let (name, limits) = (
            format!("pgproof_planned_{query}"),
            self.options.limits_of(source),
        );
        let client = self.bench.client()?;
        let prepared = match Prepared::new(client, &name, &source.sql, source.writes, &limits).await
        {
            Ok(prepared) => Some(prepared),
            Err(
                ExplainError::Refused(_) | ExplainError::Unsafe { .. } | ExplainError::TimedOut,
            ) => None,
            Err(error) => return Err(error),
        };
        self.prepared.insert(query, prepared);
        Ok(())
    }
}
