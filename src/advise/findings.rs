//! Proven indexes as `missing-index` findings, one for each query that an index serves. `rules::settle` puts what the rules
//! found at the same place under them.

use crate::catalog::Query;
use crate::finding::{Evidence, Finding, Fingerprint, Fix, Proof, Quantity, RuleId, Severity};
use crate::plan::label;
use crate::run::Run;
use crate::units::Count;

use super::select::Proposal;
use super::{Audited, Effect, Part, Site, Trial, ddl};

/// From so many times fewer pages on it is an error.
const MUCH_FEWER: f64 = 5.0;

/// The `missing-index` findings of the proposals, in the order of the catalog.
#[must_use]
pub fn findings(proposals: &[Proposal<'_>], audited: Audited<'_>) -> Vec<Finding> {
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for proposal in proposals {
        let effects = &proposal.effects;
        for effect in effects {
            if let Some(finding) = finding(proposal, effect, effects, audited) {
                found.push((effect.query, finding));
            }
        }
    }
    found.sort_by_key(|(query, _)| *query);
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn finding(proposal: &Proposal<'_>, effect: &Effect, all: &[&Effect], audited: Audited<'_>) -> Option<Finding> {
    let trial = proposal.trial;
    let query = audited.queries.get(effect.query)?;
    let run = audited.run(effect.query, effect.run)?;
    let severity = (audited.policy_for)(query).severity(RuleId::MissingIndex, severity(effect))?;
    let relation = trial.index.table.to_string();
    let site = trial.sites.iter().find(|site| site.query == effect.query && site.run == effect.run);
    let proof = effect.before.clone().map(|before| Proof {
        before,
        after: effect.after.clone(),
        index_bytes: Some(trial.bytes),
        build_ms: Some(trial.build),
    });
    let key = key_text(trial);
    Some(Finding {
        rule: RuleId::MissingIndex,
        severity,
        query: Some(query.name.clone()),
        location: Some(query.location()),
        message: message(effect, &relation, &key),
        why: why(effect),
        advice: advice(effect, all, audited.queries),
        evidence: evidence(run, site, effect, &relation, &key),
        fix: Some(Fix { sql: ddl::statement(&trial.index, &trial.name), proof }),
        fingerprint: Fingerprint::of([RuleId::MissingIndex.as_str(), &query.name, &relation, &key]),
        suppressed: None,
        symptoms: Vec::new(),
    })
}

/// `(provider, created_at) WHERE …`, for people.
fn key_text(trial: &Trial) -> String {
    let parts: Vec<&str> = trial
        .index
        .keys
        .iter()
        .map(|key| match &key.part {
            Part::Column(name) | Part::Expression(name) => name.as_str(),
        })
        .collect();
    let filter = trial.index.predicate.as_ref().map(|text| format!(" WHERE {text}")).unwrap_or_default();
    format!("({}){filter}", parts.join(", "))
}

fn severity(effect: &Effect) -> Severity {
    let fewer = match (&effect.before, effect.checks) {
        (_, Some((before, after))) => before.0 / after.0.max(0.1),
        (Some(before), None) => before.blocks.0 as f64 / (effect.after.blocks.0 as f64).max(1.0),
        (None, None) => f64::INFINITY,
    };
    if fewer >= MUCH_FEWER { Severity::Error } else { Severity::Warning }
}

fn message(effect: &Effect, relation: &str, key: &str) -> String {
    let after = &effect.after;
    match (&effect.before, effect.checks) {
        (_, Some((before, after))) => {
            format!("checking the foreign key of {relation} takes {before}; with an index on {key} it takes {after}")
        }
        (Some(before), None) => format!(
            "an index on {relation} {key} takes this query from {} and {} to {} and {}",
            before.blocks, before.time_ms, after.blocks, after.time_ms
        ),
        (None, None) => format!(
            "this query does not finish in time; with an index on {relation} {key} it takes {} and {}",
            after.blocks, after.time_ms
        ),
    }
}

fn why(effect: &Effect) -> String {
    if effect.checks.is_some() {
        return "Every delete or key change of the referenced row searches the whole referencing table for rows that still \
                point to it, and holds its locks meanwhile."
            .to_owned();
    }
    let rows = Count(effect.after.rows);
    format!(
        "Without it each call reads the pages of rows that it then throws away, to return {rows} rows; they grow with the table."
    )
}

fn advice(effect: &Effect, all: &[&Effect], queries: &[Query]) -> String {
    let others: Vec<&str> = all
        .iter()
        .filter(|other| other.query != effect.query)
        .filter_map(|other| queries.get(other.query).map(|query| query.name.as_str()))
        .collect();
    let also = if others.is_empty() { String::new() } else { format!(" It also serves {}.", others.join(", ")) };
    format!("Create the index, CONCURRENTLY where the table is in use.{also}")
}

fn evidence(run: &Run, site: Option<&Site>, effect: &Effect, relation: &str, key: &str) -> Evidence {
    let node =
        site.filter(|site| site.node != 0).and_then(|site| run.plan.nodes.get(site.node).map(|node| (site.node, node)));
    let condition = node.and_then(|(_, node)| node.conditions.filter.clone().or_else(|| node.conditions.index.clone()));
    let evidence = Evidence {
        run: Some(run.label.clone()),
        node: node.map(|(id, _)| crate::plan::NodeId(id)),
        node_label: node.map(|(_, node)| label(node)),
        relation: Some(relation.to_owned()),
        condition,
        measures: Vec::new(),
    };
    let evidence = match (&effect.before, effect.checks) {
        (_, Some((before, after))) => {
            evidence.with("check_before_ms", Quantity::Millis(before)).with("check_after_ms", Quantity::Millis(after))
        }
        (Some(before), None) => evidence
            .with("query_pages", Quantity::Pages(before.blocks))
            .with("pages_after", Quantity::Pages(effect.after.blocks))
            .with("time_before_ms", Quantity::Millis(before.time_ms))
            .with("time_after_ms", Quantity::Millis(effect.after.time_ms)),
        (None, None) => evidence
            .with("pages_after", Quantity::Pages(effect.after.blocks))
            .with("time_after_ms", Quantity::Millis(effect.after.time_ms)),
    };
    evidence.with("index_key", Quantity::Text(key.to_owned()))
}
