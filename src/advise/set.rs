//! The chosen indexes as a set: what each contributes when all are there, and which one makes a query worse. Pure;
//! `db::prove` builds and measures it.

use std::collections::BTreeMap;

use crate::units::{Bytes, Millis};

use super::{Audited, Effect, IndexSpec, Trial, select};

/// A query is worse if it touches more than this many times the pages…
const WORSE: f64 = 1.05;
/// …and so many more,
const WORSE_PAGES: f64 = 20.0;
/// or if it touches no fewer and its fastest run takes longer by more than noise.
const SLOWER: f64 = 1.5;
const SLOWER_BY: Millis = Millis(2.0);

/// What the whole catalog took with a set of indexes.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Of the members, in their order.
    pub names: Vec<String>,
    /// Their sizes.
    pub bytes: Vec<Bytes>,
    /// How long each took to build.
    pub build: Vec<Millis>,
    /// Of the runs whose plans use a member.
    pub effects: Vec<SetEffect>,
}

/// What a set did to one run, and which of its members the plan uses.
#[derive(Debug, Clone, PartialEq)]
pub struct SetEffect {
    /// Before, and with the set.
    pub effect: Effect,
    /// Indexes of members.
    pub used: Vec<usize>,
}

/// An index without those beside it.
#[must_use]
pub fn alone(index: &IndexSpec) -> IndexSpec {
    IndexSpec {
        beside: Vec::new(),
        ..index.clone()
    }
}

/// Every index of the chosen ones, each once, in a fixed order.
#[must_use]
pub fn members(chosen: &[Trial]) -> Vec<IndexSpec> {
    let mut members: Vec<IndexSpec> = chosen
        .iter()
        .flat_map(|trial| trial.index.all())
        .map(alone)
        .collect();
    members.sort();
    members.dedup();
    members
}

/// The member to take out: of those that some worse run uses, the one that saves least elsewhere.
#[must_use]
pub fn most_harmful(measured: &Measured, audited: &Audited<'_>) -> Option<usize> {
    let worse = |found: &&SetEffect| is_worse(&found.effect, audited);
    let suspects = measured
        .effects
        .iter()
        .filter(worse)
        .flat_map(|found| found.used.iter().copied());
    let saved = |member: usize| -> f64 {
        let using = measured
            .effects
            .iter()
            .filter(|found| found.used.contains(&member));
        using
            .map(|found| select::saving(&found.effect) * select::calls(found.effect.query, audited))
            .sum()
    };
    suspects.min_by(|a, b| saved(*a).total_cmp(&saved(*b)).then(b.cmp(a)))
}

/// Whether a run that only reads takes more with the set. What a write pays for its indexes is in their price.
fn is_worse(effect: &Effect, audited: &Audited<'_>) -> bool {
    let writes = audited
        .queries
        .get(effect.query)
        .is_some_and(|query| query.writes);
    let Some(before) = effect.before.as_ref().filter(|_| !writes) else {
        return false;
    };
    let (pages, after) = (before.blocks.0 as f64, effect.after.blocks.0 as f64);
    let more_pages = after > pages * WORSE && after > pages + WORSE_PAGES;
    let slower = effect.fastest.is_some_and(|(without, with)| {
        with.0 > without.0 * SLOWER && with.0 > without.0 + SLOWER_BY.0
    });
    // Fewer pages in more time: a plan that reads little and computes much.
    more_pages || slower
}

/// What the set does, by the indexes that a run's plan uses together: each query then has one statement with all that it
/// needs, and nothing else.
#[must_use]
pub fn as_measured(chosen: &[Trial], members: &[IndexSpec], measured: &Measured) -> Vec<Trial> {
    let mut groups: BTreeMap<Vec<usize>, Vec<Effect>> = BTreeMap::new();
    for found in &measured.effects {
        let group = groups.entry(used_or_checked(found, chosen, members));
        group.or_default().push(found.effect.clone());
    }
    groups
        .into_iter()
        .filter_map(|(used, effects)| group(&used, effects, chosen, members, measured))
        .collect()
}

/// The members that a plan uses. A foreign key's check shows no index: it is served by what was chosen for it.
fn used_or_checked(found: &SetEffect, chosen: &[Trial], members: &[IndexSpec]) -> Vec<usize> {
    if !found.used.is_empty() {
        return found.used.clone();
    }
    let place = (found.effect.query, found.effect.run);
    let checked = chosen.iter().find(|trial| {
        let mut effects = trial.effects.iter();
        effects.any(|effect| effect.checks.is_some() && (effect.query, effect.run) == place)
    });
    let index = checked.map(|trial| alone(&trial.index));
    members
        .iter()
        .position(|member| Some(member) == index.as_ref())
        .into_iter()
        .collect()
}

fn group(
    used: &[usize],
    effects: Vec<Effect>,
    chosen: &[Trial],
    members: &[IndexSpec],
    measured: &Measured,
) -> Option<Trial> {
    let (first, beside) = used.split_first()?;
    let with_scans = |mut effect: Effect| {
        let checks = chosen.iter().flat_map(|trial| &trial.effects);
        let is_check = checks
            .filter(|other| other.checks.is_some())
            .any(|other| (other.query, other.run) == (effect.query, effect.run));
        effect.checks = effect.checks.filter(|_| is_check);
        effect
    };
    let with_member = chosen.iter().filter(|trial| {
        let mut own = trial.index.all();
        own.any(|index| used.iter().any(|member| members[*member] == alone(index)))
    });
    let mut sites = Vec::new();
    let mut writes = Vec::new();
    for trial in with_member {
        sites.extend(trial.sites.iter().copied());
        for cost in &trial.writes {
            let known = writes
                .iter()
                .any(|known: &super::WriteCost| known.query == cost.query);
            if !known {
                writes.push(*cost);
            }
        }
    }
    let bytes = used.iter().map(|member| measured.bytes[*member].0).sum();
    let build = used.iter().map(|member| measured.build[*member].0).sum();
    Some(Trial {
        index: IndexSpec {
            beside: beside
                .iter()
                .map(|member| members[*member].clone())
                .collect(),
            ..members[*first].clone()
        },
        names: used
            .iter()
            .map(|member| measured.names[*member].clone())
            .collect(),
        bytes: Bytes(bytes),
        build: Millis(build),
        effects: effects.into_iter().map(with_scans).collect(),
        sites,
        writes,
    })
}
