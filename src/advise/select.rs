//! Which measured indexes to advise: those that save enough, for the whole catalog together, so that ten queries do not
//! get ten overlapping indexes. Pure.

use std::collections::BTreeMap;

use crate::rules::missing_index::{MAX_SHARE, MIN_CHECK_TIME, MIN_PAGES};
use crate::run::{Outcome, QueryRuns, Run};
use crate::units::Millis;

use super::{AdviceBudget, Audited, Effect, IndexSpec, Trial};

/// Times within this factor (and half a millisecond) are the same.
const TIME_MARGIN: f64 = 1.25;
const TIME_SLACK: Millis = Millis(0.5);
/// So few of the pages speak for themselves.
const CLEAR_SHARE: f64 = 0.3;
/// So many of them speak for nothing: the time must be less. Between both it must not be more. No limit lies at the same time,
/// where a busy machine decides.
const HARDLY_FEWER: f64 = 0.4;
const NOT_MORE: f64 = 1.15;
const LESS: f64 = 0.85;
/// A saving of fewer pages is one only where the time shows it.
const FEW_SAVED: f64 = 2_000.0;
const SHOWN: f64 = 0.8;
/// Pages in the cache cost little: a covering index that brings the time down to the first is worth its bytes, and one that leaves
/// more than the second is not. What lies between hangs on the clock, and the pages decide: these may be left.
const COVERING_TIME: f64 = 0.35;
const COVERING_IDLE: f64 = 0.75;
const COVERING_PAGES: f64 = 0.2;
/// An index serves a query as well as the query's best one while it touches at most this factor more pages (or
/// [`SLACK_PAGES`] more).
const AS_GOOD: f64 = 1.5;
const SLACK_PAGES: f64 = 20.0;

/// An index that is worth having, with the queries that it serves better than anything chosen before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal<'a> {
    /// What was measured.
    pub trial: &'a Trial,
    /// Of each query that it is a reason for one effect, the largest saving first.
    pub effects: Vec<&'a Effect>,
}

/// Whether an effect is past the bar: pages at most half, enough of them fewer, and the time not worse.
#[must_use]
pub fn counts(effect: &Effect, audited: &Audited<'_>) -> bool {
    let limit = |threshold| audited.limit(effect.query, threshold);
    if let Some((before, after)) = effect.checks {
        return before.0 - after.0 >= limit(&MIN_CHECK_TIME)
            && after.0 <= before.0 * limit(&MAX_SHARE);
    }
    let Some((pages, left)) = effect.pages() else {
        // It did not finish: it has to end well before it was cancelled, or it is hardly better off.
        let cancelled = audited
            .run(effect.query, effect.run)
            .and_then(|run| match run.outcome {
                Outcome::TimedOut { after } => Some(after),
                Outcome::Completed { .. } | Outcome::Estimated => None,
            });
        return cancelled
            .is_none_or(|cancelled| effect.after.time_ms.0 <= cancelled.0 * limit(&MAX_SHARE));
    };
    // Of hardly half the pages the time has to speak, too.
    let margin = match left / pages.max(1.0) {
        share if share <= CLEAR_SHARE => TIME_MARGIN,
        share if share <= HARDLY_FEWER => NOT_MORE,
        _ => LESS,
    };
    let time_holds = effect
        .fastest
        .is_none_or(|(without, with)| with.0 <= without.0 * margin + TIME_SLACK.0);
    let shows = pages - left >= FEW_SAVED.max(limit(&MIN_PAGES))
        || effect
            .fastest
            .is_none_or(|(without, with)| with.0 <= without.0 * SHOWN);
    pages - left >= limit(&MIN_PAGES) && left <= pages * limit(&MAX_SHARE) && time_holds && shows
}

/// Whether an index that finds no other rows than one without its stored columns is worth storing them.
fn saves_visits(effect: &Effect) -> bool {
    let Some((without, with)) = effect.fastest else {
        return true;
    };
    let few_are_left = || {
        effect
            .pages()
            .is_none_or(|(pages, left)| left <= pages * COVERING_PAGES)
    };
    with.0 <= without.0 * COVERING_TIME || (with.0 <= without.0 * COVERING_IDLE && few_are_left())
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
pub(super) fn saving(effect: &Effect) -> f64 {
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

/// Executions per second in production; one where nobody said.
pub(super) fn calls(query: usize, audited: &Audited<'_>) -> f64 {
    audited
        .queries
        .get(query)
        .and_then(|query| query.calls_per_second)
        .unwrap_or(1.0)
        .max(0.001)
}

/// A run of a query.
type Place = (usize, usize);

fn place(effect: &Effect) -> Place {
    (effect.query, effect.run)
}

/// Chooses: again and again the index that saves most beyond what is chosen already, or a smaller one that is as good,
/// while the budget lasts. Queries count by their calls, and what the catalog's writes pay is taken off.
#[must_use]
pub fn select(trials: &[Trial], audited: &Audited<'_>, budget: &AdviceBudget) -> Vec<Trial> {
    let chooser = Chooser::of(trials, audited);
    let mut left: Vec<&Trial> = trials
        .iter()
        .filter(|trial| chooser.reasons(trial).next().is_some())
        .collect();
    let mut chosen = Chosen::default();
    while budget.count.is_none_or(|count| chosen.trials.len() < count) {
        let room = budget
            .bytes
            .map(|bytes| bytes.0.saturating_sub(chosen.bytes()));
        left.retain(|trial| room.is_none_or(|room| trial.bytes.0 <= room));
        let best = left.iter().copied().max_by(|a, b| {
            let (one, other) = (chooser.gain(a, &chosen), chooser.gain(b, &chosen));
            one.total_cmp(&other).then(b.index.cmp(&a.index))
        });
        let Some(best) = best.filter(|best| chooser.gain(best, &chosen) > 0.0) else {
            break;
        };
        let as_good = left
            .iter()
            .copied()
            .filter(|other| chooser.is_as_good(other, best, &chosen));
        let cheapest = as_good.min_by_key(|trial| cost(trial)).unwrap_or(best);
        chosen.add(cheapest, &chooser);
        left.retain(|trial| !std::ptr::eq(*trial, cheapest));
    }
    let mut chosen = chosen.trials;
    chooser.drop_superfluous(&mut chosen);
    chosen.into_iter().cloned().collect()
}

/// The effects of each chosen index that its findings tell of; nothing of an index that has none.
#[must_use]
pub fn proposals<'a>(chosen: &'a [Trial], audited: &Audited<'_>) -> Vec<Proposal<'a>> {
    let chooser = Chooser::of(chosen, audited);
    let mut proposals: Vec<Proposal<'a>> = chosen
        .iter()
        .map(|trial| Proposal {
            trial,
            effects: chooser.reported(trial),
        })
        .collect();
    // The worst run of each query that the set serves, which its row in the report shows.
    let mut shown: BTreeMap<usize, usize> = BTreeMap::new();
    for effect in proposals.iter().flat_map(|proposal| &proposal.effects) {
        let run = shown.entry(effect.query).or_insert(effect.run);
        *run = effect.run.min(*run);
    }
    for proposal in &mut proposals {
        let effects = &mut proposal.effects;
        effects.retain(|effect| shown.get(&effect.query) == Some(&effect.run));
    }
    proposals.retain(|proposal| !proposal.effects.is_empty());
    proposals
}

/// What is chosen so far.
#[derive(Default)]
struct Chosen<'a> {
    trials: Vec<&'a Trial>,
    /// Pages that they save each run.
    saved: BTreeMap<Place, f64>,
}

impl<'a> Chosen<'a> {
    fn bytes(&self) -> u64 {
        self.trials.iter().map(|trial| trial.bytes.0).sum()
    }

    fn add(&mut self, trial: &'a Trial, chooser: &Chooser<'_>) {
        for effect in chooser.reasons(trial) {
            let known = self.saved.entry(place(effect)).or_insert(0.0);
            *known = known.max(saving(effect));
        }
        self.trials.push(trial);
    }
}

struct Chooser<'a> {
    audited: &'a Audited<'a>,
    /// The fewest pages that a run touches with any index that does not merely store columns.
    fewest: BTreeMap<Place, f64>,
}

impl<'a> Chooser<'a> {
    fn of(trials: &[Trial], audited: &'a Audited<'a>) -> Self {
        let mut fewest: BTreeMap<Place, f64> = BTreeMap::new();
        let plain = trials.iter().filter(|trial| trial.index.include.is_empty());
        for effect in plain.flat_map(|trial| &trial.effects) {
            if counts(effect, audited) {
                let pages = effect.after.blocks.0 as f64;
                let known = fewest.entry(place(effect)).or_insert(pages);
                *known = known.min(pages);
            }
        }
        Self { audited, fewest }
    }

    /// The effects that are reasons for an index.
    fn reasons<'t>(&self, trial: &'t Trial) -> impl Iterator<Item = &'t Effect> + use<'t, '_, 'a> {
        trial
            .effects
            .iter()
            .filter(|effect| self.is_reason(trial, effect))
    }

    /// Whether an effect is a reason for its index: past the bar, near what the run's best index does, no other run of the
    /// same query gets worse by it, and an index that only saves visits to the table saves time as well.
    fn is_reason(&self, trial: &Trial, effect: &Effect) -> bool {
        let harms = trial
            .effects
            .iter()
            .any(|other| other.query == effect.query && hurts(other));
        let saves_time = trial.index.include.is_empty() || saves_visits(effect);
        counts(effect, self.audited)
            && !self.found_nothing(effect)
            && !self.serves_unasked_values_only(trial, effect)
            && self.is_near_the_best(effect)
            && !harms
            && saves_time
            && beats_plans_for_values(effect, self.audited)
    }

    /// Whether a run takes clearly less with the index, however little it took before. What a foreign key's check reads is
    /// none of the plan's own pages: its time speaks.
    fn is_better(&self, effect: &Effect) -> bool {
        let share = self.audited.limit(effect.query, &MAX_SHARE);
        if let Some((without, with)) = effect.checks {
            return with.0 <= without.0 * share;
        }
        effect
            .pages()
            .is_none_or(|(without, with)| with <= without * share)
    }

    /// Whether the query met no row at all: what it takes proves nothing, with an index as without.
    fn found_nothing(&self, effect: &Effect) -> bool {
        let mut runs = self.audited.runs.iter();
        let runs = runs.find(|runs| runs.query == effect.query);
        runs.is_some_and(QueryRuns::found_nothing)
    }

    /// Whether a query's other values gain nothing by the index: it would be for what is nowhere, or for a range of most of the
    /// table.
    fn serves_unasked_values_only(&self, trial: &Trial, effect: &Effect) -> bool {
        let is_unasked = |run: &Run| run.id.is_absent() || run.id.is_of_a_wide_range();
        let runs = self
            .audited
            .runs
            .iter()
            .find(|runs| runs.query == effect.query);
        let Some(runs) = runs.map(|runs| &runs.runs) else {
            return false;
        };
        let others_exist = runs.iter().any(|run| !run.is_generic() && !is_unasked(run));
        let serves_other = trial
            .effects
            .iter()
            .filter(|other| other.query == effect.query)
            .any(|other| {
                runs.get(other.run).is_some_and(|run| !is_unasked(run)) && self.is_better(other)
            });
        others_exist && !serves_other
    }

    /// A whole index that is read from end to end is better than the table, and no answer where another finds the rows.
    fn is_near_the_best(&self, effect: &Effect) -> bool {
        effect.checks.is_some()
            || self
                .fewest
                .get(&place(effect))
                .is_none_or(|fewest| is_near(effect, *fewest))
    }

    /// Of each query one effect, the largest saving first. Of a query's runs the worst one, which its row in the report
    /// shows, if the index serves it.
    fn reported<'t>(&self, trial: &'t Trial) -> Vec<&'t Effect> {
        let mut best: BTreeMap<usize, &'t Effect> = BTreeMap::new();
        for effect in self.reasons(trial) {
            let known = best.entry(effect.query).or_insert(effect);
            if effect.run < known.run {
                *known = effect;
            }
        }
        let mut found: Vec<&Effect> = best.into_values().collect();
        found.sort_by(|a, b| saving(b).total_cmp(&saving(a)));
        found
    }

    /// What a trial saves beyond what the chosen ones do, without what writes pay for it; of each query the run that gains
    /// most counts.
    fn gain(&self, trial: &Trial, chosen: &Chosen<'_>) -> f64 {
        let mut best: BTreeMap<usize, f64> = BTreeMap::new();
        for effect in self.reasons(trial) {
            let more = self.beyond(effect, chosen);
            let known = best.entry(effect.query).or_insert(0.0);
            *known = known.max(more * calls(effect.query, self.audited));
        }
        let saved: f64 = best.values().sum();
        saved - self.price(trial)
    }

    /// Pages per second that the catalog's writes touch for the index.
    fn price(&self, trial: &Trial) -> f64 {
        let more = |cost: &super::WriteCost| {
            let (before, after) = (cost.pages.0.0 as f64, cost.pages.1.0 as f64);
            (after - before).max(0.0) * calls(cost.query, self.audited)
        };
        // A write that the index serves as well has its effect.
        let served = |query: usize| trial.effects.iter().any(|effect| effect.query == query);
        trial
            .writes
            .iter()
            .filter(|cost| !served(cost.query))
            .map(more)
            .sum()
    }

    fn beyond(&self, effect: &Effect, chosen: &Chosen<'_>) -> f64 {
        let Some(known) = chosen.saved.get(&place(effect)) else {
            return saving(effect);
        };
        let more = saving(effect) - known;
        if more >= self.audited.limit(effect.query, &MIN_PAGES) {
            more
        } else {
            0.0
        }
    }

    /// Whether a trial does for every query what the best one does, nearly.
    fn is_as_good(&self, trial: &Trial, best: &Trial, chosen: &Chosen<'_>) -> bool {
        let mut wanted = self
            .reasons(best)
            .filter(|effect| self.beyond(effect, chosen) > 0.0);
        wanted.all(|wanted| self.does_as_well(trial, wanted))
    }

    /// Whether a trial does for a run nearly what `wanted` does.
    fn does_as_well(&self, trial: &Trial, wanted: &Effect) -> bool {
        self.reasons(trial).any(|effect| {
            place(effect) == place(wanted) && is_near(effect, wanted.after.blocks.0 as f64)
        })
    }

    /// A later choice may do all that an earlier one was chosen for (its prefix, say).
    fn drop_superfluous(&self, chosen: &mut Vec<&Trial>) {
        let mut at = 0;
        while at < chosen.len() {
            let one = chosen[at];
            let others: Vec<&Trial> = chosen
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, trial)| *trial)
                .collect();
            let done = self
                .reasons(one)
                .all(|effect| others.iter().any(|other| self.does_as_well(other, effect)));
            if done {
                chosen.remove(at);
            } else {
                at += 1;
            }
        }
    }
}

fn is_near(effect: &Effect, pages: f64) -> bool {
    is_as_few(effect.after.blocks.0 as f64, pages)
}

/// Whether `pages` are hardly more than `best`.
fn is_as_few(pages: f64, best: f64) -> bool {
    pages <= (best * AS_GOOD).max(best + SLACK_PAGES)
}

/// Size, then length of the key.
fn cost(trial: &Trial) -> (u64, usize, &IndexSpec) {
    (
        trial.bytes.0,
        trial.index.keys.len() + trial.index.include.len(),
        &trial.index,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::given_effect::{effect, effect_on_checks, in_audit};

    fn is_past_the_bar(pages: (u64, u64), times: (f64, f64)) -> bool {
        in_audit(|audited| counts(&effect(pages, times), audited))
    }

    #[test]
    fn as_good_is_half_as_much_again_or_a_few_pages() {
        assert!(is_as_few(1500.0, 1000.0));
        assert!(!is_as_few(1501.0, 1000.0));
        // Of few pages a few more are no difference.
        assert!(is_as_few(24.0, 4.0));
        assert!(!is_as_few(25.0, 4.0));
    }

    #[test]
    fn an_index_saves_half_of_the_pages_and_enough_of_them() {
        assert!(is_past_the_bar((10_000, 5_000), (100.0, 10.0)));
        assert!(!is_past_the_bar((10_000, 5_001), (100.0, 10.0)));
        assert!(is_past_the_bar((600, 100), (100.0, 10.0)));
        assert!(!is_past_the_bar((600, 101), (100.0, 10.0)));
        // Fewer than 2,000 only where the time shows it.
        assert!(is_past_the_bar((2_100, 100), (100.0, 100.0)));
        assert!(!is_past_the_bar((2_099, 100), (100.0, 100.0)));
        assert!(is_past_the_bar((2_099, 100), (100.0, 80.0)));
        assert!(!is_past_the_bar((2_099, 100), (100.0, 80.1)));
    }

    #[test]
    fn the_more_pages_are_left_the_more_the_time_must_say() {
        let holds = |left, time| is_past_the_bar((10_000, left), (100.0, time));
        assert!(holds(3_000, 125.5) && !holds(3_000, 125.6));
        assert!(holds(3_001, 115.4) && !holds(3_001, 115.6));
        assert!(holds(4_000, 115.4) && !holds(4_000, 115.6));
        assert!(holds(4_001, 85.4) && !holds(4_001, 85.6));
    }

    #[test]
    fn checks_of_foreign_keys_are_judged_by_their_time() {
        let is_past =
            |before, after| in_audit(|audited| counts(&effect_on_checks((before, after)), audited));
        assert!(is_past(10.0, 5.0) && !is_past(9.5, 4.6));
        assert!(is_past(20.0, 10.0) && !is_past(20.0, 10.1));
        // As many pages as the time could have read.
        assert_eq!(saving(&effect_on_checks((20.0, 10.0))), 1_000.0);
    }

    #[test]
    fn stored_columns_are_worth_it_for_much_less_time_or_few_pages_and_less_time() {
        let saves = |left, time| saves_visits(&effect((10_000, left), (100.0, time)));
        assert!(saves(9_000, 35.0) && !saves(9_000, 35.1));
        assert!(saves(2_000, 75.0) && !saves(2_000, 75.1));
        assert!(!saves(2_001, 75.0));
    }

    #[test]
    fn an_index_hurts_by_a_fifth_and_a_hundred_pages_more() {
        let is_hurt = |before, after| hurts(&effect((before, after), (1.0, 1.0)));
        assert!(!is_hurt(1_000, 1_200) && is_hurt(1_000, 1_201));
        assert!(!is_hurt(100, 200) && is_hurt(100, 201));
    }
}
