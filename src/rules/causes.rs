//! Causes and symptoms: each problem is reported once, at its root cause; its consequences stand under it.

use std::collections::{BTreeMap, HashMap};

use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, Plan};
use crate::run_id::RunId;

use super::judge::is_about_the_whole_query;
use super::unproven;

/// Puts symptoms under their causes. `plan_of` gives the plan that a finding's node is in.
pub(super) fn nest<'a>(
    findings: Vec<Finding>,
    plan_of: &dyn Fn(&Finding) -> Option<&'a Plan>,
) -> Vec<Finding> {
    let mut cause_of: Vec<Option<usize>> = vec![None; findings.len()];
    let near = Near::of(&findings);
    for (place, symptom) in findings.iter().enumerate() {
        // A suppressed finding explains nothing: its consequences must still be seen; and it is a symptom of nothing.
        if symptom.suppressed.is_some() {
            continue;
        }
        let causes = near
            .candidates(symptom, plan_of)
            .into_iter()
            .map(|other| (other, &findings[other]))
            .filter(|(other, cause)| {
                *other != place && cause.suppressed.is_none() && explains(cause, symptom, plan_of)
            });
        let cause = causes
            .max_by_key(|(other, cause)| (cause.severity, std::cmp::Reverse(*other)))
            .map(|(other, _)| other);
        cause_of[place] = cause.or_else(|| near.not_proven(symptom, &findings));
    }
    let root = |start: usize| {
        let mut at = start;
        // Cause relations have no cycles; the bound keeps a mistake in them from hanging.
        for _ in 0..findings.len() {
            match cause_of[at] {
                Some(cause) => at = cause,
                None => break,
            }
        }
        at
    };
    let roots: Vec<usize> = (0..findings.len()).map(root).collect();
    let mut slots: Vec<Option<Finding>> = findings.into_iter().map(Some).collect();
    for place in 0..slots.len() {
        if roots[place] == place {
            continue;
        }
        let symptom = slots[place].take();
        if let (Some(symptom), Some(Some(cause))) = (symptom, slots.get_mut(roots[place])) {
            // What breaks a limit still does when it is reported under its cause.
            cause.severity = cause.severity.max(symptom.severity);
            cause.symptoms.push(symptom);
        }
    }
    slots.into_iter().flatten().collect()
}

/// Where the causes of a symptom may be: a plan may have a hundred thousand findings, and a catalog as many queries.
struct Near<'f> {
    by_query: HashMap<Option<&'f str>, Group<'f>>,
    /// Foreign keys that a query suffers from.
    keys: Vec<usize>,
}

/// Findings of one query.
#[derive(Default)]
struct Group<'f> {
    all: Vec<usize>,
    /// Those that may explain what is not at their node.
    anywhere: Vec<usize>,
    /// The others, by run and node.
    by_node: HashMap<Option<&'f RunId>, BTreeMap<NodeId, Vec<usize>>>,
    /// Those of a relation: they explain what other runs show of it.
    by_relation: HashMap<&'f str, Vec<usize>>,
}

impl<'f> Near<'f> {
    fn of(findings: &'f [Finding]) -> Self {
        let mut near = Self {
            by_query: HashMap::new(),
            keys: Vec::new(),
        };
        for (place, finding) in findings.iter().enumerate() {
            if finding.rule == RuleId::UnindexedForeignKey && finding.query.is_some() {
                near.keys.push(place);
            }
            let group = near.by_query.entry(finding.query.as_deref()).or_default();
            group.add(place, finding);
        }
        near
    }

    /// What says that the query met no row.
    fn not_proven(&self, symptom: &Finding, findings: &[Finding]) -> Option<usize> {
        let group = self.by_query.get(&symptom.query.as_deref())?;
        let is_it = |other: &&usize| {
            let finding = &findings[**other];
            finding.suppressed.is_none() && unproven::is_under(finding, symptom)
        };
        group.all.iter().find(is_it).copied()
    }

    fn candidates<'a>(
        &self,
        symptom: &Finding,
        plan_of: &dyn Fn(&Finding) -> Option<&'a Plan>,
    ) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        if symptom.rule == RuleId::UnindexedForeignKey && symptom.query.is_none() {
            found.extend(&self.keys);
        }
        let Some(group) = self.by_query.get(&symptom.query.as_deref()) else {
            return found;
        };
        let node = symptom
            .evidence
            .node
            .filter(|_| !is_of_the_query(symptom.rule));
        let Some(node) = node else {
            found.extend(&group.all);
            return found;
        };
        found.extend(&group.anywhere);
        let run = symptom.evidence.run.as_ref();
        if let Some(nodes) = group.by_node.get(&run) {
            // A subtree is a run of ids.
            let last = plan_of(symptom).map_or(node, |plan| plan.subtree_last(node));
            found.extend(nodes.range(node..=last).flat_map(|(_, places)| places));
        }
        if group.by_node.len() > 1
            && let Some(relation) = symptom.evidence.relation.as_deref()
        {
            found.extend(group.by_relation.get(relation).into_iter().flatten());
        }
        found
    }
}

impl<'f> Group<'f> {
    fn add(&mut self, place: usize, finding: &'f Finding) {
        self.all.push(place);
        let is_of_a_node = !matches!(
            finding.rule,
            RuleId::MissingIndex
                | RuleId::QueryRewrite
                | RuleId::ParameterCliff
                | RuleId::LargeOffset
                | RuleId::TopNSort
        );
        match finding.evidence.node.filter(|_| is_of_a_node) {
            Some(node) => {
                let run = finding.evidence.run.as_ref();
                let nodes = self.by_node.entry(run).or_default();
                nodes.entry(node).or_default().push(place);
            }
            None => self.anywhere.push(place),
        }
        if let Some(relation) = finding.evidence.relation.as_deref() {
            self.by_relation.entry(relation).or_default().push(place);
        }
    }
}

/// What anything in its query may explain.
fn is_of_the_query(rule: RuleId) -> bool {
    is_about_the_whole_query(rule) || rule == RuleId::ParameterCliff
}

/// How near to the root cause a rule is: lower explains higher.
fn depth(rule: RuleId) -> u8 {
    super::find(rule)
        .and_then(|rule| rule.depth)
        .unwrap_or(u8::MAX)
}

/// Whether `symptom` follows from `cause`.
fn explains<'a>(
    cause: &Finding,
    symptom: &Finding,
    plan_of: &dyn Fn(&Finding) -> Option<&'a Plan>,
) -> bool {
    if is_same_key_seen_in_a_query(cause, symptom) {
        return true;
    }
    if let Some(explained) =
        by_generic_plan(cause, symptom).filter(|_| cause.query == symptom.query)
    {
        return explained;
    }
    let (cause_depth, symptom_depth) = (depth(cause.rule), depth(symptom.rule));
    if cause.query != symptom.query || cause_depth >= symptom_depth || symptom_depth == u8::MAX {
        return false;
    }
    // A note is no cause of an error or a warning.
    if cause.severity == Severity::Info && symptom.severity > Severity::Info {
        return false;
    }
    if is_of_the_query(symptom.rule) {
        return true;
    }
    if cause.rule == RuleId::QueryRewrite {
        return true;
    }
    if cause.rule == RuleId::MissingIndex {
        // A covering index makes each step of a bad plan cheaper; the plan stays bad.
        if is_covering(cause) && symptom_depth <= depth(RuleId::LargeOffset) {
            return false;
        }
        if matches!(symptom.rule, RuleId::SortSpill | RuleId::HashSpill) && ends_spilling(cause) {
            return true;
        }
        // A plan that reads partitions in vain is another problem, unless the index makes them cheap.
        if symptom.rule == RuleId::PartitionPruning && !is_much_better(cause) {
            return false;
        }
        // Measured on the same relation: the scan is what the index does away with.
        return symptom
            .evidence
            .relation
            .as_deref()
            .is_some_and(|relation| serves(cause, relation));
    }
    let (Some(from), Some(to)) = (cause.evidence.node, symptom.evidence.node) else {
        return false;
    };
    if cause.evidence.run != symptom.evidence.run {
        return cause.evidence.relation.is_some()
            && cause.evidence.relation == symptom.evidence.relation;
    }
    from == to
        || plan_of(symptom).is_some_and(|plan| {
            feeds(plan, cause.rule, from, to) || skips_rows_of(plan, cause, symptom)
        })
}

/// A scan that is read only because OFFSET throws its rows away, or a sort for the first few: it stands below its cause.
fn skips_rows_of(plan: &Plan, cause: &Finding, symptom: &Finding) -> bool {
    let (Some(limit), Some(scan)) = (cause.evidence.node, symptom.evidence.node) else {
        return false;
    };
    let is_note = symptom.rule == RuleId::SeqScan && symptom.severity == Severity::Info;
    matches!(cause.rule, RuleId::LargeOffset | RuleId::TopNSort)
        && is_note
        && feeds(plan, cause.rule, scan, limit)
}

/// Where the generic plan decides: what goes wrong in it alone comes from its being generic, and explains nothing of the
/// plans that were made for values.
fn by_generic_plan(cause: &Finding, symptom: &Finding) -> Option<bool> {
    let generic = |finding: &Finding| finding.evidence.run.as_ref().is_some_and(RunId::is_generic);
    let is_cliff = |finding: &Finding| finding.rule == RuleId::ParameterCliff && generic(finding);
    let is_measured = |finding: &Finding| finding.rule == RuleId::MissingIndex;
    if is_measured(symptom) {
        return None;
    }
    match (generic(cause), generic(symptom)) {
        _ if is_cliff(symptom) => Some(is_measured(cause)),
        (_, true) if is_cliff(cause) => Some(true),
        (true, false) if !is_measured(cause) => Some(false),
        (_, _) => None,
    }
}

/// Whether a measured index, or one of several, is on a relation.
fn serves(index: &Finding, relation: &str) -> bool {
    let on = format!(" ON {relation} ");
    index.evidence.relation.as_deref() == Some(relation)
        || index.fix.as_ref().is_some_and(|fix| fix.sql.contains(&on))
}

/// Whether nothing goes to disk any more with an index, as it was measured.
fn ends_spilling(index: &Finding) -> bool {
    let proof = index.fix.as_ref().and_then(|fix| fix.proof.as_ref());
    proof.is_some_and(|proof| {
        let before = proof.before.as_ref();
        before.is_some_and(|before| before.temp_blocks.0 > 0) && proof.after.temp_blocks.0 == 0
    })
}

/// Whether an index leaves a fifth of the pages or less.
fn is_much_better(index: &Finding) -> bool {
    let pages = |key: &str| match index.evidence.get(key) {
        Some(Quantity::Pages(pages)) => Some(pages.0),
        Some(_) | None => None,
    };
    let both = pages("query_pages").zip(pages("pages_after"));
    both.is_none_or(|(before, after)| after.saturating_mul(5) <= before)
}

fn is_covering(index: &Finding) -> bool {
    matches!(index.evidence.get("index_key"), Some(Quantity::Text(key)) if key.contains(" INCLUDE ("))
}

/// A foreign key without index that a query already suffers from.
fn is_same_key_seen_in_a_query(cause: &Finding, symptom: &Finding) -> bool {
    let of_key = |finding: &Finding| finding.rule == RuleId::UnindexedForeignKey;
    let same = cause.evidence.condition == symptom.evidence.condition
        && cause.evidence.relation == symptom.evidence.relation;
    of_key(cause) && of_key(symptom) && same && cause.query.is_some() && symptom.query.is_none()
}

/// Whether the problem at `from` reaches the node `to` above it.
fn feeds(plan: &Plan, cause: RuleId, from: NodeId, to: NodeId) -> bool {
    if to.0 >= plan.nodes.len() || from.0 >= plan.nodes.len() || !plan.is_above(to, from) {
        return false;
    }
    // A wrong count misleads everything above; other problems hand on rows, and end where rows of others join them.
    cause == RuleId::RowMisestimate
        || plan
            .ancestors(from)
            .take_while(|above| *above != to)
            .all(|above| !plan.node(above).kind.is_join())
}
