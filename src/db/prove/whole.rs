//! The chosen indexes built together, and every query that uses one run again with every parameter set, generic plans
//! included: what is printed is this measurement, and an index that makes any query worse is out.

use std::collections::{BTreeMap, BTreeSet};

use crate::advise::set::{self, Harm, Superseded};
use crate::advise::{Audited, IndexSpec, Trial, ddl};
use crate::db::audit::{AuditError, RunOptions};
use crate::db::bench::Bench;
use crate::db::explain::{ExplainError, Explained, Prepared};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::Run;
use crate::schema::quote_identifier;
use crate::units::Millis;

use super::known::{Built, State, WithSet};
use super::several::{drop_index, index_names};
use super::{Ground, Place, Prover, Why, effect, server};

/// So many indexes are taken out of a set one by one, or made narrower, each for a measurement of what is left; then all that are under
/// suspicion.
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
    bench: Bench<'_>,
    audited: Audited<'_>,
    mut chosen: Vec<Trial>,
    options: &RunOptions,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Whole, AuditError> {
    let mut harmful = Vec::new();
    let mut superseded = Vec::new();
    let mut may_drop = true;
    let mut rounds = 0;
    let task = progress.task("Proving the whole set", Unit::Steps, None);
    let mut prover = Prover::new(bench, audited, options, interrupt);
    if prover.ground == Ground::Given {
        may_drop = false;
    }
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
        rounds += 1;
        let out: Vec<Harm> = if rounds <= MAX_ROUNDS {
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
            let narrower = set::narrower(out, audited.schema)
                .filter(|narrower| rounds <= MAX_ROUNDS && !members.contains(narrower));
            if let Some(narrower) = narrower {
                set::replace(&mut chosen, out, &narrower);
                continue;
            }
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

/// The members of a set, with what each of them is called and came to.
struct Members<'a> {
    all: &'a [IndexSpec],
    superseded: &'a [Superseded],
    names: &'a [String],
    built: BTreeMap<usize, Built>,
}

/// A run that is not known with the members that bear on it.
struct Missing {
    place: Place,
    /// Members that bear on it.
    relevant: Vec<usize>,
}

impl Members<'_> {
    fn of(&self, which: &[usize]) -> Vec<&IndexSpec> {
        which.iter().map(|member| &self.all[*member]).collect()
    }

    /// The indexes that are dropped for some of the members.
    fn dropped_for(&self, which: &[usize]) -> Vec<&Superseded> {
        let by_one = |old: &&Superseded| which.iter().any(|member| self.all[*member] == old.by);
        self.superseded.iter().filter(by_one).collect()
    }

    /// The members and what is dropped for them, as far as they bear on a run: what its measurement depends on.
    fn state(&self, which: &[usize]) -> State<'_> {
        let dropped = self.dropped_for(which).into_iter();
        State {
            members: self.of(which),
            dropped: dropped.map(|old| old.index.name.as_str()).collect(),
        }
    }
}

impl Prover<'_> {
    /// Builds all members, drops what they supersede, and runs what uses them, as far as it is not known; `None` where they
    /// cannot be built together.
    async fn try_whole(
        &mut self,
        (members, superseded): (&[IndexSpec], &[Superseded]),
        audited: &Audited<'_>,
    ) -> Result<Option<set::Measured>, ExplainError> {
        let names = ddl::unique_names(members, self.schema);
        let known = |at: usize| self.proofs.member(&members[at]).map(|built| (at, built));
        let mut set = Members {
            all: members,
            superseded,
            names: &names,
            built: (0..members.len()).filter_map(known).collect(),
        };
        let mut effects: BTreeMap<Place, set::SetEffect> = BTreeMap::new();
        let mut missing = Vec::new();
        for place in self.places(members) {
            let relevant = self.relevant(&place, &set);
            if relevant.is_empty() {
                continue;
            }
            match self.proofs.with_set(&place, &set.state(&relevant)) {
                Some(known) => {
                    let known = known.map(|known| found(known, members));
                    effects.extend(known.map(|effect| (place, effect)));
                }
                None => missing.push(Missing { place, relevant }),
            }
        }
        if !missing.is_empty() || set.built.len() < members.len() {
            for missing in &missing {
                self.prepare(missing.place.query).await?;
            }
            let limits = self.building_limits();
            self.open(&limits).await?;
            let measured = self.measured(&mut set, &missing, audited).await;
            let measured = self.rolled_back(measured).await?;
            let places: Vec<Place> = missing.iter().map(|missing| missing.place).collect();
            self.clean_up(&places).await?;
            let Some(measured) = measured else {
                return Ok(None);
            };
            effects.extend(measured);
        }
        Ok(Some(set::Measured {
            bytes: set.built.values().map(|member| member.bytes).collect(),
            build: set.built.values().map(|member| member.build).collect(),
            effects: effects.into_values().collect(),
            names,
        }))
    }

    /// Members that can change what a run takes: those on tables that it reads, with a key that it names or in place of an index
    /// that it uses. What writes also has checks and triggers, which no plan shows.
    fn relevant(&self, place: &Place, set: &Members<'_>) -> Vec<usize> {
        let writes = place.why == Why::Check || self.queries[place.query].writes;
        let run = self.run(place.query, place.run);
        let bears = |at: &usize| {
            let member = &set.all[*at];
            let reads = run.is_some_and(|run| self.reads(&run.plan, member.table_oid));
            let named = self.words.name_a_key(place.query, member);
            writes
                || reads
                    && (named || run.is_some_and(|run| has_lost(run, &set.dropped_for(&[*at]))))
        };
        (0..set.all.len()).filter(bears).collect()
    }

    async fn measured(
        &self,
        set: &mut Members<'_>,
        missing: &[Missing],
        audited: &Audited<'_>,
    ) -> Result<BTreeMap<Place, set::SetEffect>, ExplainError> {
        let limits = self.options.limits();
        let needed = missing
            .iter()
            .flat_map(|missing| missing.relevant.iter().copied());
        let unknown = (0..set.all.len()).filter(|member| !set.built.contains_key(member));
        let wanted: BTreeSet<usize> = needed.chain(unknown).collect();
        let wanted: Vec<usize> = wanted.into_iter().collect();
        for member in wanted.iter().copied() {
            let mut built = self
                .build(&set.all[member], &set.names[member], &limits)
                .await?;
            if let Some(known) = set.built.get(&member) {
                (built.bytes, built.build) = (known.bytes, known.build);
            } else {
                self.proofs.keep_member(&set.all[member], &built);
            }
            set.built.insert(member, built);
        }
        let dropped = set.dropped_for(&wanted);
        for old in &dropped {
            let name = quote_identifier(&old.index.name);
            let schema = quote_identifier(&old.table.schema);
            self.execute(&format!("DROP INDEX {schema}.{name}")).await?;
        }
        let mut effects = BTreeMap::new();
        for Missing { place, relevant } in missing {
            let with_set = self.with_set(place, set, &dropped, audited).await?;
            self.proofs
                .keep_with_set(place, &set.state(relevant), with_set.as_ref());
            let effect = with_set.map(|known| found(known, set.all));
            effects.extend(effect.map(|effect| (*place, effect)));
        }
        Ok(effects)
    }

    /// What the set does to a run; `None` where its plan uses none of it.
    async fn with_set(
        &self,
        place: &Place,
        set: &Members<'_>,
        dropped: &[&Superseded],
        audited: &Audited<'_>,
    ) -> Result<Option<WithSet>, ExplainError> {
        let (Some(before), Some(prepared)) = (
            self.run(place.query, place.run),
            self.prepared.get(&place.query),
        ) else {
            return Ok(None);
        };
        let plan = self.indexes_used(place.query, before).await?;
        let members_in = |names: &[String]| -> Vec<usize> {
            let is_one = |built: &Built| names.iter().any(|name| built.names.contains(name));
            let members = set.built.iter().filter(|(_, built)| is_one(built));
            members.map(|(member, _)| *member).collect()
        };
        let (used, searched) = (members_in(&plan.all), members_in(&plan.searched));
        let has_lost = has_lost(before, dropped);
        if used.is_empty() && place.why == Why::Scan && !has_lost {
            return Ok(None);
        }
        let effect = match self.measure(prepared, before).await? {
            Some(taken) => {
                let mut found = effect(place, before, &taken);
                let may_drop = self.ground == Ground::OwnCopy && !has_lost;
                if may_drop && set::is_slower(&found, audited) {
                    let drop = |member: &usize| drop_index(&set.all[*member], &set.names[*member]);
                    let drop = String::from_iter(used.iter().map(drop));
                    found.fastest = self.side_by_side(prepared, before, &drop).await?;
                    found = found.settled();
                }
                found
            }
            // It ended without them.
            None if before.measurement().is_some() => {
                unfinished(place, before, self.options.timeout)
            }
            None => return Ok(None),
        };
        let specs = |members: &[usize]| set.of(members).into_iter().cloned().collect();
        Ok(Some(WithSet {
            effect,
            used: specs(&used),
            searched: specs(&searched),
        }))
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
            let times = taken.iter().filter_map(|one| one.time);
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

/// Whether a run uses an index that is dropped.
fn has_lost(run: &Run, dropped: &[&Superseded]) -> bool {
    let used = index_names(&run.plan);
    used.iter()
        .any(|name| dropped.iter().any(|old| old.names.contains(name)))
}

/// What is known of a run, with the members by their present places.
fn found(known: WithSet, members: &[IndexSpec]) -> set::SetEffect {
    let places = |specs: &[IndexSpec]| {
        let place = |spec| members.iter().position(|member| member == spec);
        specs.iter().filter_map(place).collect()
    };
    set::SetEffect {
        used: places(&known.used),
        searched: places(&known.searched),
        effect: known.effect,
    }
}

/// A run that is cancelled with the set there: as bad as can be.
fn unfinished(place: &Place, before: &Run, timeout: Millis) -> crate::advise::Effect {
    let measurement = before.measurement();
    let worse = measurement.clone().map_or_else(
        || super::measured(&before.plan, before.plan.execution_ms),
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
        reading: None,
    }
}
