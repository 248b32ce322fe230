//! WITH queries that are a subplan in one of the plans only.

use std::collections::BTreeSet;

use super::survey::Survey;
use crate::diff::canonical::SubplanKind;
use crate::diff::change::Change;

/// A WITH that is a subplan on one side only; afterwards both sides look as if it were inlined.
pub(super) fn cte_changes(old: &mut Survey<'_>, new: &mut Survey<'_>) -> Vec<Change> {
    let names = |survey: &Survey<'_>| -> BTreeSet<String> {
        survey
            .subplans
            .iter()
            .filter_map(|kind| match kind {
                SubplanKind::Cte(name) => Some(name.clone()),
                SubplanKind::InitPlan | SubplanKind::SubPlan => None,
            })
            .collect()
    };
    let (before, after) = (names(old), names(new));
    let mut changes = Vec::new();
    for name in before.difference(&after) {
        inline(old, name);
        changes.push(Change::CteInlined { name: name.clone() });
    }
    for name in after.difference(&before) {
        inline(new, name);
        changes.push(Change::CteMaterialized { name: name.clone() });
    }
    changes
}

fn inline(survey: &mut Survey<'_>, name: &str) {
    let scope = format!("cte {name}");
    let body: Vec<usize> = (0..survey.leaves.len())
        .filter(|leaf| survey.leaves[*leaf].scope.contains(&scope))
        .collect();
    let scans: Vec<usize> = (0..survey.leaves.len())
        .filter(|leaf| survey.leaves[*leaf].scan.relation == scope)
        .collect();
    for leaf in &body {
        survey.leaves[*leaf].scope.retain(|part| *part != scope);
    }
    for leaf in &scans {
        survey.leaves[*leaf].replaced = true;
    }
    for join in &mut survey.joins {
        for side in [&mut join.outer, &mut join.inner] {
            if side.iter().any(|leaf| scans.contains(leaf)) {
                side.extend(&body);
            }
        }
    }
    survey
        .subplans
        .retain(|kind| !matches!(kind, SubplanKind::Cte(cte) if cte == name));
}
