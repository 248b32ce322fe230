//! The chosen indexes built together, and every query that uses one run again with every parameter set, generic plans
//! included: what is printed is this measurement, and an index that makes any query worse is out.

use std::collections::BTreeSet;

use crate::advise::{Audited, IndexSpec, Trial, ddl, set};
use crate::db::audit::{AuditError, RunOptions};
use crate::db::connect::Session;
use crate::db::explain::{ExplainError, Explained, Prepared};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::Run;
use crate::units::Millis;

use super::several::drop_index;
use super::{Place, Prover, Why, effect, server};

/// At most so many indexes are taken out of a set, each for a measurement of what is left.
const MAX_ROUNDS: usize = 8;

/// What is left of a set, and what was taken out of it.
#[derive(Debug)]
pub struct Whole {
    /// As it was measured, with the names that the indexes should get.
    pub kept: Vec<Trial>,
    /// Each index with the query that it made worse.
    pub harmful: Vec<(IndexSpec, usize)>,
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
    if chosen.is_empty() {
        return Ok(Whole {
            kept: chosen,
            harmful,
        });
    }
    let task = progress.task("Proving the whole set", Unit::Steps, None);
    let mut prover = Prover::new(session, audited, options);
    for _ in 0..MAX_ROUNDS {
        interrupt.check()?;
        let members = set::members(&chosen);
        let measured = prover.try_whole(&members, &audited).await;
        interrupt.check()?;
        task.advance(1);
        let measured = measured.map_err(|source| server(String::new(), source))?;
        // Too large to be built at once: what was measured of each stands.
        let Some(measured) = measured else { break };
        match set::most_harmful(&measured, &audited) {
            Some(harm) => {
                let out = &members[harm.member];
                chosen.retain(|trial| !trial.index.all().any(|index| set::alone(index) == *out));
                harmful.push((out.clone(), harm.query));
            }
            None => {
                chosen = set::as_measured(&chosen, &members, &measured, &audited);
                break;
            }
        }
        if chosen.is_empty() {
            break;
        }
    }
    prover
        .finish()
        .await
        .map_err(|source| server(String::new(), source))?;
    Ok(Whole {
        kept: chosen,
        harmful,
    })
}

impl Prover<'_> {
    /// Builds all members and runs what uses them; `None` where they cannot be built together.
    async fn try_whole(
        &mut self,
        members: &[IndexSpec],
        audited: &Audited<'_>,
    ) -> Result<Option<set::Measured>, ExplainError> {
        let places = self.places(members);
        for place in &places {
            self.prepare(place.query).await?;
        }
        let limits = self.options.limits();
        self.open(&limits).await?;
        let measured = self.measured(members, &places, audited).await;
        let measured = self.rolled_back(measured).await?;
        self.clean_up(&places).await?;
        Ok(measured)
    }

    async fn measured(
        &self,
        members: &[IndexSpec],
        places: &[Place],
        audited: &Audited<'_>,
    ) -> Result<set::Measured, ExplainError> {
        let limits = self.options.limits();
        let names = ddl::unique_names(members, self.schema);
        let mut built = Vec::new();
        for (member, name) in members.iter().zip(&names) {
            built.push(self.build(member, name, &limits).await?);
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
            if used.is_empty() && place.why == Why::Scan {
                continue;
            }
            match self.measure(prepared, before).await? {
                Some(taken) => {
                    let mut found = effect(place, before, &taken);
                    if set::is_slower(&found, audited) {
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
