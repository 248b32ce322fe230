//! Which joins changed.

use std::collections::BTreeSet;

use super::survey::{Join, Survey};
use crate::diff::canonical::{ConditionRole, JoinMethod, Operator, OperatorKind};
use crate::diff::change::Change;

/// What the joins did.
pub(super) struct JoinChanges {
    pub(super) changes: Vec<Change>,
    /// A join changed its method or the order changed: sorts and helpers below follow from it.
    pub(super) restructured: bool,
}

/// Join conditions without aliases, whichever side is printed first: an inlined CTE brings its tables' aliases.
fn without_qualifiers(conjuncts: &[String]) -> BTreeSet<Vec<String>> {
    let bare = |side: &str| {
        side.rsplit_once('.')
            .map_or(side, |(_, column)| column)
            .to_owned()
    };
    conjuncts
        .iter()
        .map(|conjunct| {
            let mut sides: Vec<String> = conjunct.split(" = ").map(bare).collect();
            sides.sort();
            sides
        })
        .collect()
}

/// `((customers orders) items)`: who meets whom first.
fn join_tree(survey: &Survey<'_>) -> String {
    fn text(operator: &Operator) -> String {
        match &operator.kind {
            OperatorKind::Scan(scan) if scan.alias.is_empty() => scan.relation.clone(),
            OperatorKind::Scan(scan) => scan.alias.clone(),
            OperatorKind::Join { .. } => {
                let sides: Vec<String> = operator.inputs.iter().map(text).collect();
                format!("({})", sides.join(" "))
            }
            OperatorKind::Aggregate { .. }
            | OperatorKind::Modify { .. }
            | OperatorKind::Other { .. } => operator
                .inputs
                .iter()
                .map(text)
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
    // The topmost join of a block is visited last.
    survey
        .joins
        .last()
        .map(|join| text(join.operator))
        .unwrap_or_else(|| "no join".to_owned())
}

impl JoinChanges {
    pub(super) fn between(old: &Survey<'_>, new: &Survey<'_>) -> Self {
        let mut found = Self {
            changes: Vec::new(),
            restructured: false,
        };
        let sets = |survey: &Survey<'_>| -> Vec<(BTreeSet<usize>, usize)> {
            let both = |join: &Join<'_>| (survey.ids(&join.outer), survey.ids(&join.inner));
            survey
                .joins
                .iter()
                .enumerate()
                // A join with a relation that the other side does not read is reported by that relation.
                .filter(|(_, join)| {
                    let (a, b) = both(join);
                    !a.is_empty() && !b.is_empty()
                })
                .map(|(n, join)| {
                    let (a, b) = both(join);
                    (&a | &b, n)
                })
                .collect()
        };
        let (before, after) = (sets(old), sets(new));
        for (set, n) in &before {
            if let Some((_, m)) = after.iter().find(|(other, _)| other == set) {
                found.pair(old, &old.joins[*n], new, &new.joins[*m]);
            }
        }
        let only_before: Vec<_> = before
            .iter()
            .filter(|(set, _)| !after.iter().any(|(other, _)| other == set))
            .collect();
        let only_after: Vec<_> = after
            .iter()
            .filter(|(set, _)| !before.iter().any(|(other, _)| other == set))
            .collect();
        match (only_before.is_empty(), only_after.is_empty()) {
            (true, true) => {}
            (true, false) => found.changes.extend(only_after.iter().map(|(_, n)| {
                let operator = new.joins[*n].operator.label();
                Change::OperatorAdded { operator }
            })),
            (false, true) => found.changes.extend(only_before.iter().map(|(_, n)| {
                let operator = old.joins[*n].operator.label();
                Change::OperatorRemoved { operator }
            })),
            (false, false) => found.changes.push(Change::JoinOrderChanged {
                from: join_tree(old),
                to: join_tree(new),
            }),
        }
        found.restructured |= !(only_before.is_empty() && only_after.is_empty());
        found
    }

    fn pair(&mut self, old: &Survey<'_>, before: &Join<'_>, new: &Survey<'_>, after: &Join<'_>) {
        let relations = || new.relations(&[after.outer.clone(), after.inner.clone()].concat());
        let sides = (old.ids(&before.outer), old.ids(&before.inner));
        let other = (new.ids(&after.outer), new.ids(&after.inner));
        if before.method != after.method {
            self.restructured = true;
            self.changes.push(Change::JoinMethodChanged {
                relations: relations(),
                from: before.method,
                to: after.method,
            });
        } else if sides.0 == other.1 && sides.1 == other.0 && before.method != JoinMethod::Merge {
            self.changes.push(Change::JoinSidesSwapped {
                relations: relations(),
                method: after.method,
            });
        }
        if before.kind != after.kind {
            let (from, to) = (before.kind.to_owned(), after.kind.to_owned());
            self.changes.push(Change::JoinKindChanged {
                relations: relations(),
                from,
                to,
            });
        }
        let (from, to) = (
            before.operator.conjuncts(ConditionRole::Join),
            after.operator.conjuncts(ConditionRole::Join),
        );
        // A nested loop may hand its condition to the inner scan: only joins that print theirs can be compared.
        if before.method == after.method
            && before.method != JoinMethod::NestedLoop
            && without_qualifiers(from) != without_qualifiers(to)
            && sides == other
        {
            let (from, to) = (from.to_vec(), to.to_vec());
            self.changes.push(Change::JoinConditionChanged {
                relations: relations(),
                from,
                to,
            });
        }
    }
}
