//! Which measured indexes to advise: those that save enough, for the whole catalog together, so that ten queries do not
//! get ten overlapping indexes. Pure.

use std::collections::BTreeMap;

use crate::rules::missing_index::{MAX_SHARE, MIN_CHECK_TIME, MIN_PAGES};
use crate::run::Run;
use crate::units::Millis;

use super::{Audited, Effect, Trial};

/// Times within this factor (and half a millisecond) are the same.
const TIME_MARGIN: f64 = 1.25;
const TIME_SLACK: Millis = Millis(0.5);
/// A covering index must bring the time down to this: pages in the cache cost little. Far enough from what noise does.
const COVERING_TIME: f64 = 0.5;
/// A cheaper index is as good while it touches at most this factor more pages (or [`SLACK_PAGES`] more).
const AS_GOOD: f64 = 1.5;
const SLACK_PAGES: f64 = 20.0;

/// An index that is worth having, with the queries that it serves better than anything chosen before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal<'a> {
    /// What was measured.
    pub trial: &'a Trial,
    /// Effects that are past the limits, the largest saving first; of each query the best.
    pub effects: Vec<&'a Effect>,
}

/// Effects past the limits, the largest saving first; of each query the best.
fn best_effects<'a>(trial: &'a Trial, audited: &Audited<'_>) -> Vec<&'a Effect> {
    let mut best: BTreeMap<usize, &'a Effect> = BTreeMap::new();
    for effect in trial
        .effects
        .iter()
        .filter(|effect| is_reason(trial, effect, audited))
    {
        let known = best.entry(effect.query).or_insert(effect);
        if saving(effect) > saving(known) {
            *known = effect;
        }
    }
    let mut found: Vec<&Effect> = best.into_values().collect();
    found.sort_by(|a, b| saving(b).total_cmp(&saving(a)));
    found
}

/// Whether an effect is past the bar: pages at most half, enough of them fewer, and the time not worse.
#[must_use]
pub fn counts(effect: &Effect, audited: &Audited<'_>) -> bool {
    let limit = |threshold| audited.limit(effect.query, threshold);
    if let Some((before, after)) = effect.checks {
        return before.0 - after.0 >= limit(&MIN_CHECK_TIME)
            && after.0 <= before.0 * limit(&MAX_SHARE);
    }
    let Some(before) = &effect.before else {
        return true;
    };
    let (pages, left) = (before.blocks.0 as f64, effect.after.blocks.0 as f64);
    let time_holds = effect
        .fastest
        .is_none_or(|(without, with)| with.0 <= without.0 * TIME_MARGIN + TIME_SLACK.0);
    pages - left >= limit(&MIN_PAGES) && left <= pages * limit(&MAX_SHARE) && time_holds
}

/// Whether an effect of a trial is a reason for its index: past the bar, no other run of the same query gets worse by it, and
/// an index that only saves visits to the table saves time as well.
fn is_reason(trial: &Trial, effect: &Effect, audited: &Audited<'_>) -> bool {
    let harms = trial
        .effects
        .iter()
        .any(|other| other.query == effect.query && hurts(other));
    let saves_time = trial.index.include.is_empty()
        || effect
            .fastest
            .is_none_or(|(without, with)| with.0 <= without.0 * COVERING_TIME);
    counts(effect, audited) && !harms && saves_time && beats_plans_for_values(effect, audited)
}

/// Where it was the generic plan that got better: whether the plan for the same values would still be worse than it. Else the
/// generic plan is at fault, and no index is missing.
fn beats_plans_for_values(effect: &Effect, audited: &Audited<'_>) -> bool {
    let Some(run) = audited
        .run(effect.query, effect.run)
        .filter(|run| run.is_generic())
    else {
        return true;
    };
    let runs = audited.runs.iter().find(|runs| runs.query == effect.query);
    let own = runs
        .and_then(|runs| runs.plan_for_values_of(run))
        .and_then(Run::measurement);
    own.is_none_or(|own| {
        let limit = |threshold| audited.limit(effect.query, threshold);
        let (pages, left) = (own.blocks.0 as f64, effect.after.blocks.0 as f64);
        pages - left >= limit(&MIN_PAGES) && left <= pages * limit(&MAX_SHARE)
    })
}

/// Whether a query that uses the index touches clearly more pages than without it.
#[must_use]
pub fn hurts(effect: &Effect) -> bool {
    const CLEARLY: f64 = 1.2;
    const PAGES: f64 = 100.0;
    effect.checks.is_none()
        && effect.before.as_ref().is_some_and(|before| {
            let (before, after) = (before.blocks.0 as f64, effect.after.blocks.0 as f64);
            after > before * CLEARLY && after > before + PAGES
        })
}

/// What an effect saves: pages, or for a check that no page count shows, as many as its time could have read.
fn saving(effect: &Effect) -> f64 {
    const PAGES_PER_MS: f64 = 100.0;
    if let Some((before, after)) = effect.checks {
        return (before.0 - after.0) * PAGES_PER_MS;
    }
    match &effect.before {
        Some(before) => before.blocks.0 as f64 - effect.after.blocks.0 as f64,
        // It did not finish: more than anything that did.
        None => 1e12,
    }
}

/// Pages that the chosen indexes save each run already.
type Saved = BTreeMap<(usize, usize), f64>;

/// Chooses: again and again the index that saves most beyond what is chosen already, or a smaller one that is as good.
/// Queries count by their calls.
#[must_use]
pub fn select<'a>(trials: &'a [Trial], audited: &Audited<'_>) -> Vec<Proposal<'a>> {
    let mut left: Vec<&Trial> = trials
        .iter()
        .filter(|trial| trial.effects.iter().any(|e| is_reason(trial, e, audited)))
        .collect();
    let mut saved: Saved = BTreeMap::new();
    let mut chosen = Vec::new();
    loop {
        let gain = |trial: &Trial| gain(trial, &saved, audited);
        let Some(best) = left
            .iter()
            .copied()
            .max_by(|a, b| gain(a).total_cmp(&gain(b)).then(b.name.cmp(&a.name)))
        else {
            break;
        };
        if gain(best) <= 0.0 {
            break;
        }
        let as_good = left
            .iter()
            .copied()
            .filter(|other| is_as_good(other, best, &saved, audited));
        let cheapest = as_good.min_by_key(|trial| cost(trial)).unwrap_or(best);
        for effect in cheapest
            .effects
            .iter()
            .filter(|effect| is_reason(cheapest, effect, audited))
        {
            let known = saved.entry((effect.query, effect.run)).or_insert(0.0);
            *known = known.max(saving(effect));
        }
        left.retain(|trial| trial.name != cheapest.name);
        chosen.push(cheapest);
    }
    drop_superfluous(&mut chosen, audited);
    chosen
        .into_iter()
        .map(|trial| Proposal {
            trial,
            effects: best_effects(trial, audited),
        })
        .collect()
}

/// A later choice may do all that an earlier one was chosen for (its prefix, say).
fn drop_superfluous(chosen: &mut Vec<&Trial>, audited: &Audited<'_>) {
    let mut at = 0;
    while at < chosen.len() {
        let one = chosen[at];
        let others = chosen
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, trial)| *trial);
        let mut effects = one
            .effects
            .iter()
            .filter(|effect| is_reason(one, effect, audited));
        let others: Vec<&Trial> = others.collect();
        if effects.all(|effect| {
            others
                .iter()
                .any(|other| does_as_well(other, effect, audited))
        }) {
            chosen.remove(at);
        } else {
            at += 1;
        }
    }
}

/// Whether a trial does for a run nearly what `wanted` does.
fn does_as_well(trial: &Trial, wanted: &Effect, audited: &Audited<'_>) -> bool {
    trial.effects.iter().any(|effect| {
        let same = effect.query == wanted.query
            && effect.run == wanted.run
            && is_reason(trial, effect, audited);
        let limit = wanted.after.blocks.0 as f64;
        let near = effect.after.blocks.0 as f64 <= (limit * AS_GOOD).max(limit + SLACK_PAGES);
        same && near
    })
}

fn calls(query: usize, audited: &Audited<'_>) -> f64 {
    audited
        .queries
        .get(query)
        .and_then(|query| query.calls_per_second)
        .unwrap_or(1.0)
        .max(0.001)
}

/// What a trial saves beyond what the chosen ones do; of each query the run that gains most counts.
fn gain(trial: &Trial, saved: &Saved, audited: &Audited<'_>) -> f64 {
    let mut best: BTreeMap<usize, f64> = BTreeMap::new();
    for effect in trial
        .effects
        .iter()
        .filter(|effect| is_reason(trial, effect, audited))
    {
        let more = beyond(effect, saved, audited);
        let known = best.entry(effect.query).or_insert(0.0);
        *known = known.max(more * calls(effect.query, audited));
    }
    best.values().sum()
}

fn beyond(effect: &Effect, saved: &Saved, audited: &Audited<'_>) -> f64 {
    let Some(known) = saved.get(&(effect.query, effect.run)) else {
        return saving(effect);
    };
    let more = saving(effect) - known;
    if more >= audited.limit(effect.query, &MIN_PAGES) {
        more
    } else {
        0.0
    }
}

/// Whether a trial does for every query what the best one does, nearly.
fn is_as_good(trial: &Trial, best: &Trial, saved: &Saved, audited: &Audited<'_>) -> bool {
    let wanted = best
        .effects
        .iter()
        .filter(|effect| is_reason(best, effect, audited) && beyond(effect, saved, audited) > 0.0);
    wanted
        .into_iter()
        .all(|wanted| does_as_well(trial, wanted, audited))
}

/// Size, then length of the key.
fn cost(trial: &Trial) -> (u64, usize, &str) {
    (
        trial.bytes.0,
        trial.index.keys.len() + trial.index.include.len(),
        trial.name.as_str(),
    )
}
