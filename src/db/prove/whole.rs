//! The chosen indexes built together, and every query that uses one run again with every parameter set, generic plans
//! included: what is printed is this measurement, and an index that makes any query worse is out.

use std::collections::BTreeSet;

use crate::advise::set::{self, Harm, Superseded};
use crate::advise::{Audited, IndexSpec, Trial, ddl};
use crate::db::audit::{AuditError, RunOptions};
use crate::db::connect::Session;
use crate::db::explain::{ExplainError, Explained, Prepared};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::Run;
use crate::schema::quote_identifier;
use crate::units::Millis;

use super::several::{drop_index, index_names};
use super::{Place, Prover, Why, effect, server};

/// So many indexes are taken out of a set one by one, each for a measurement of what is left; then all that are under suspicion.
const MAX_ROUNDS: usize = 8;

/// What is left of a set, and what was taken out of it.
#[derive(Debug)]
pub struct Whole {
    /// As it was measured, with the names that the indexes should get.
    pub kept: Vec<Trial>,
    /// Each index with the query that it made worse.
    pub harmful: Vec<(IndexSpec, usize)>,
    /// Existing indexes without which the set was measured: no query is worse for it.
    pub superseded: Vec<Superseded>,
}

/// Measures chosen indexes as a set.
///
/// # Errors
/// [`AuditError`].
pub async fn prove_whole(
    session: &Session,
    audited: Audited<'_>,
    mut chosen: Vec<Trial>,
    options: &RunOptions,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Whole, AuditError> {
    let mut harmful = Vec::new();
    let mut superseded = Vec::new();
    let mut may_drop = true;
    let task = progress.task("Proving the whole set", Unit::Steps, None);
    let mut prover = Prover::new(session, audited, options);
    while !chosen.is_empty() {
        interrupt.check()?;
        let members = set::members(&chosen);
        superseded = if may_drop {
            set::superseded(&members, audited.schema)
        } else {
            Vec::new()
        };
        let measured = prover.try_whole((&members, &superseded), &audited).await;
        interrupt.check()?;
        task.advance(1);
        let measured = measured.map_err(|source| server(String::new(), source))?;
        let is_worse = |measured: &set::Measured| set::is_any_worse(measured, &audited);
        if !superseded.is_empty() && measured.as_ref().is_none_or(is_worse) {
            may_drop = false;
            continue;
        }
        // Too large to be built at once: what was measured of each stands.
        let Some(measured) = measured else { break };
        let out: Vec<Harm> = if harmful.len() < MAX_ROUNDS {
            set::most_harmful(&measured, &audited).into_iter().collect()
        } else {
            set::suspects(&measured, &audited)
        };
        if out.is_empty() {
            chosen = set::as_measured(&chosen, &members, &measured, &audited);
            break;
        }
        for harm in out {
            let out = &members[harm.member];
            chosen.retain(|trial| !trial.index.all().any(|index| set::alone(index) == *out));
            harmful.push((out.clone(), harm.query));
        }
    }
    if chosen.is_empty() {
        superseded.clear();
    }
    prover
        .finish()
        .await
        .map_err(|source| server(String::new(), source))?;
    Ok(Whole {
        kept: chosen,
        harmful,
        superseded,
    })
}

impl Prover<'_> {
    /// Builds all members, drops what they supersede, and runs what uses them; `None` where they cannot be built together.
    async fn try_whole(
        &mut self,
        (members, superseded): (&[IndexSpec], &[Superseded]),
        audited: &Audited<'_>,
    ) -> Result<Option<set::Measured>, ExplainError> {
        let places = self.places(members);
        for place in &places {
            self.prepare(place.query).await?;
        }
        let limits = self.options.limits();
        self.open(&limits).await?;
        let measured = self.measured((members, superseded), &places, audited).await;
        let measured = self.rolled_back(measured).await?;
        self.clean_up(&places).await?;
        Ok(measured)
    }

    async fn measured(
        &self,
        (members, superseded): (&[IndexSpec], &[Superseded]),
        places: &[Place],
        audited: &Audited<'_>,
    ) -> Result<set::Measured, ExplainError> {
        let limits = self.options.limits();
        let names = ddl::unique_names(members, self.schema);
        let mut built = Vec::new();
        for (member, name) in members.iter().zip(&names) {
            built.push(self.build(member, name, &limits).await?);
        }
        for old in superseded {
            let name = quote_identifier(&old.index.name);
            let schema = quote_identifier(&old.table.schema);
            self.execute(&format!("DROP INDEX {schema}.{name}")).await?;
        }
        let mut effects = Vec::new();
        for place in places {
            let (Some(before), Some(prepared)) = (
                self.run(place.query, place.run),
                self.prepared.get(&place.query),
            ) else {
                continue;
            };
            let plan = self.indexes_used(place.query, before).await?;
            let members_in = |names: &[String]| -> Vec<usize> {
                let members = built.iter().enumerate();
                members
                    .filter(|(_, member)| names.iter().any(|name| member.names.contains(name)))
                    .map(|(member, _)| member)
                    .collect()
            };
            let (used, searched) = (members_in(&plan.all), members_in(&plan.searched));
            let has_lost = index_names(&before.plan)
                .iter()
                .any(|name| superseded.iter().any(|old| old.names.contains(name)));
            if used.is_empty() && place.why == Why::Scan && !has_lost {
                continue;
            }
            match self.measure(prepared, before).await? {
                Some(taken) => {
                    let mut found = effect(place, before, &taken);
                    if set::is_slower(&found, audited) && !has_lost {
                        let own = used
                            .iter()
                            .map(|member| (&members[*member], &names[*member]));
                        let drop =
                            String::from_iter(own.map(|(member, name)| drop_index(member, name)));
                        found.fastest = self.side_by_side(prepared, before, &drop).await?;
                    }
                    effects.push(set::SetEffect {
                        effect: found,
                        used,
                        searched,
                    });
                }
                // It ended without them.
                None if before.measurement().is_some() => effects.push(set::SetEffect {
                    effect: unfinished(place, before, self.options.timeout),
                    used,
                    searched,
                }),
                None => {}
            }
        }
        Ok(set::Measured {
            names,
            bytes: built.iter().map(|member| member.bytes).collect(),
            build: built.iter().map(|member| member.build).collect(),
            effects,
        })
    }

    /// The fastest run without some of the indexes, and with them, one right after the other: what was measured long before
    /// says little of a machine that has other work since.
    async fn side_by_side(
        &self,
        prepared: &Prepared,
        run: &Run,
        drop: &str,
    ) -> Result<Option<(Millis, Millis)>, ExplainError> {
        self.execute(&format!("SAVEPOINT pgproof_without;{drop}"))
            .await?;
        let without = self.measure(prepared, run).await?;
        self.execute("ROLLBACK TO SAVEPOINT pgproof_without")
            .await?;
        let with = self.measure(prepared, run).await?;
        let fastest = |taken: Vec<Explained>| {
            let times = taken.iter().filter_map(|one| one.plan.execution_ms);
            times.map(|time| time.0).reduce(f64::min).map(Millis)
        };
        Ok(without.and_then(fastest).zip(with.and_then(fastest)))
    }

    /// Every run that reads a member's table, or whose deletes check it.
    fn places(&self, members: &[IndexSpec]) -> Vec<Place> {
        let mut places = BTreeSet::new();
        for runs in self.runs {
            for (at, run) in runs.runs.iter().enumerate() {
                let reads = members
                    .iter()
                    .any(|member| self.reads(&run.plan, member.table_oid));
                let why = if self.asks_for_check(runs.query, at) {
                    Some(Why::Check)
                } else {
                    reads.then_some(Why::Scan)
                };
                places.extend(why.map(|why| Place {
                    query: runs.query,
                    run: at,
                    why,
                }));
            }
        }
        places.into_iter().collect()
    }
}

/// A run that is cancelled with the set there: as bad as can be.
fn unfinished(place: &Place, before: &Run, timeout: Millis) -> crate::advise::Effect {
    let measurement = before.measurement();
    let worse = measurement.clone().map_or_else(
        || super::measurement(&before.plan),
        |mut found| {
            found.time_ms = timeout;
            found.blocks.0 = found.blocks.0.saturating_mul(100);
            found
        },
    );
    crate::advise::Effect {
        query: place.query,
        run: place.run,
        before: measurement,
        after: worse,
        fastest: before.fastest().map(|fastest| (fastest, timeout)),
        checks: None,
    }
}
