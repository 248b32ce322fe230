//! Candidates that were planned as hypothetical indexes, not built: the choice by the planner's own costs, and the findings.
//! Estimates prove nothing, so that these are information, whatever they promise.

use std::collections::BTreeMap;

use crate::finding::{Finding, Fingerprint, Fix, Quantity, RuleId, Severity};
use crate::rules::missing_index::{MAX_SHARE, MIN_PAGES};
use crate::units::Bytes;

use super::findings::{key_text, node_evidence};
use super::select::calls;
use super::{Audited, Candidate, ddl};

/// What planning a candidate showed.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTrial {
    /// The index, with the places that asked for it.
    pub candidate: Candidate,
    /// As HypoPG estimates it.
    pub bytes: Bytes,
    /// Of the runs whose plans use it.
    pub effects: Vec<PlannedEffect>,
}

/// What a hypothetical index does to the plan of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedEffect {
    /// Index of the query in the catalog.
    pub query: usize,
    /// Index of the run in its `QueryRuns::runs`.
    pub run: usize,
    /// Estimated cost without the index.
    pub before: f64,
    /// With it.
    pub after: f64,
}

/// Whether an effect is past the bar that measured ones have, a cost of 1 for a page.
fn counts(effect: &PlannedEffect, audited: &Audited<'_>) -> bool {
    let limit = |threshold| audited.limit(effect.query, threshold);
    effect.before - effect.after >= limit(&MIN_PAGES)
        && effect.after <= effect.before * limit(&MAX_SHARE)
}

/// Chooses: again and again the candidate that saves most of what is left, weighed by calls; of equal ones the smaller.
#[must_use]
pub fn choose(trials: &[PlannedTrial], audited: &Audited<'_>) -> Vec<PlannedTrial> {
    let mut cost: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let mut chosen: Vec<PlannedTrial> = Vec::new();
    loop {
        let gain = |trial: &PlannedTrial| {
            let mut best: BTreeMap<usize, f64> = BTreeMap::new();
            for effect in &trial.effects {
                let now = cost.get(&(effect.query, effect.run));
                let now = now.copied().unwrap_or(effect.before).min(effect.before);
                let left = PlannedEffect {
                    before: now,
                    ..*effect
                };
                if counts(&left, audited) {
                    let known = best.entry(effect.query).or_insert(0.0);
                    *known = known.max((now - effect.after) * calls(effect.query, audited));
                }
            }
            best.values().sum::<f64>()
        };
        let best = trials.iter().max_by(|a, b| {
            let size = b.bytes.cmp(&a.bytes);
            gain(a)
                .total_cmp(&gain(b))
                .then(size)
                .then(b.candidate.index.cmp(&a.candidate.index))
        });
        let Some(best) = best.filter(|best| gain(best) > 0.0) else {
            return chosen;
        };
        for effect in &best.effects {
            let known = cost
                .entry((effect.query, effect.run))
                .or_insert(effect.before);
            *known = known.min(effect.after);
        }
        chosen.push(best.clone());
    }
}

/// `missing-index` findings of what is chosen, one a query and index.
#[must_use]
pub fn findings(chosen: &[PlannedTrial], audited: Audited<'_>) -> Vec<Finding> {
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for trial in chosen {
        let mut best: BTreeMap<usize, &PlannedEffect> = BTreeMap::new();
        for effect in trial
            .effects
            .iter()
            .filter(|effect| counts(effect, &audited))
        {
            let known = best.entry(effect.query).or_insert(effect);
            if effect.run < known.run {
                *known = effect;
            }
        }
        for effect in best.into_values() {
            found.extend(finding(trial, effect, audited).map(|finding| (effect.query, finding)));
        }
    }
    found.sort_by_key(|(query, _)| *query);
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn finding(trial: &PlannedTrial, effect: &PlannedEffect, audited: Audited<'_>) -> Option<Finding> {
    let query = audited.queries.get(effect.query)?;
    let run = audited.run(effect.query, effect.run)?;
    let severity = (audited.policy_for)(query).severity(RuleId::MissingIndex, Severity::Info)?;
    let index = &trial.candidate.index;
    let (relation, key) = (index.table.to_string(), key_text(index));
    let mut sites = trial.candidate.sites.iter();
    let site = sites.find(|site| site.query == effect.query && site.run == effect.run);
    let name = ddl::name(index, audited.schema);
    Some(Finding {
        rule: RuleId::MissingIndex,
        severity: severity.min(Severity::Info),
        query: Some(query.name.clone()),
        location: Some(query.location()),
        message: format!(
            "the planner would use an index on {relation} {key}, and estimates this query at a cost of {:.0} instead of {:.0}; \
             planned on a hypothetical index, not built",
            effect.after, effect.before
        ),
        why: "Without it each call reads the pages of rows that it then throws away; they grow with the table."
            .to_owned(),
        advice: "An estimate is no proof: --prove builds the index in a transaction that rolls back (on a staging database), --copy \
                 builds it on a copy, and both measure."
            .to_owned(),
        evidence: node_evidence(run, site, index, audited.schema)
            .with("index_key", Quantity::Text(key.clone()))
            .with("cost_before", Quantity::Count(effect.before.round() as u64))
            .with("cost_after", Quantity::Count(effect.after.round() as u64))
            .with("index_bytes", Quantity::Bytes(trial.bytes)),
        fix: Some(Fix {
            sql: ddl::statement(index, &ddl::names(index, &name, audited.schema)),
            proof: None,
        }),
        fingerprint: Fingerprint::of([RuleId::MissingIndex.as_str(), &query.name, &relation, &key]),
        suppressed: None,
        symptoms: Vec::new(),
    })
}
