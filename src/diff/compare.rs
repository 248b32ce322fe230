//! Two canonical plans compared by meaning: leaves are matched by scope, alias and relation, joins by the set of leaves
//! beneath them, everything else by kind and key. Position in the tree plays no part, so one changed join method does not
//! cascade into a list of false edits. Pure.

mod ctes;
mod joins;
mod survey;

use std::collections::BTreeSet;

use super::canonical::{Access, CanonicalPlan, ConditionRole, Scan, ScanMethod};
use super::change::Change;
use super::names::Renames;
use ctes::cte_changes;
use joins::JoinChanges;
use survey::{Aggregate, Leaf, Sort, SortedFor, Survey, leaf_name};

/// Every named difference between two plans, most telling first.
#[must_use]
pub fn compare(before: &CanonicalPlan, after: &CanonicalPlan, renames: &Renames) -> Vec<Change> {
    let (mut old, mut new) = (Survey::of(before), Survey::of(after));
    let mut changes = renamed(after, &new, renames);
    changes.extend(cte_changes(&mut old, &mut new));
    let matching = match_leaves(&mut old, &mut new);
    changes.extend(matching.unmatched(&old, &new));
    for (a, b) in &matching.pairs {
        changes.extend(leaf_changes(&old.leaves[*a], &new.leaves[*b]));
    }
    let joins = JoinChanges::between(&old, &new);
    changes.extend(joins.changes.iter().cloned());
    changes.extend(aggregate_changes(&old, &new));
    changes.extend(sort_changes(&old, &new, &joins));
    changes.extend(helper_changes(&old, &new, &joins));
    changes.extend(operator_changes(&old, &new));
    changes
}

/// Tables that this plan reads and columns that it names which had another name before. Of a table's other columns the query
/// knows nothing.
fn renamed(plan: &CanonicalPlan, new: &Survey<'_>, renames: &Renames) -> Vec<Change> {
    let lines = plan.lines();
    let names = |column: &str| lines.iter().any(|line| mentions(line, column));
    let tables = renames
        .tables
        .iter()
        .filter(|(_, to)| new.reads(to))
        .map(|(from, to)| Change::TableRenamed {
            from: from.clone(),
            to: to.clone(),
        });
    let columns = renames
        .columns
        .iter()
        .filter(|(table, _, to)| new.reads(table) && names(to))
        .map(|(table, from, to)| Change::ColumnRenamed {
            table: table.clone(),
            from: from.clone(),
            to: to.clone(),
        });
    tables.chain(columns).collect()
}

/// Whether a text holds a name as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

struct Matching {
    pairs: Vec<(usize, usize)>,
}

impl Matching {
    fn unmatched(&self, old: &Survey<'_>, new: &Survey<'_>) -> Vec<Change> {
        let gone = old
            .leaves
            .iter()
            .filter(|leaf| leaf.id.is_none() && !leaf.replaced);
        let came = new
            .leaves
            .iter()
            .filter(|leaf| leaf.id.is_none() && !leaf.replaced);
        gone.map(|leaf| Change::RelationRemoved {
            relation: leaf_name(leaf.scan),
        })
        .chain(came.map(|leaf| Change::RelationAdded {
            relation: leaf_name(leaf.scan),
        }))
        .collect()
    }
}

/// From the surest sign to the weakest; each leaf has one partner at most.
fn match_leaves(old: &mut Survey<'_>, new: &mut Survey<'_>) -> Matching {
    type Same = fn(&Leaf<'_>, &Leaf<'_>) -> bool;
    let signs: [Same; 4] = [
        |a, b| {
            a.scan.relation == b.scan.relation && a.scan.alias == b.scan.alias && a.scope == b.scope
        },
        |a, b| a.scan.relation == b.scan.relation && a.scan.alias == b.scan.alias,
        |a, b| a.scan.relation == b.scan.relation && conjuncts_of(a) == conjuncts_of(b),
        |a, b| a.scan.relation == b.scan.relation,
    ];
    let mut pairs = Vec::new();
    for same in signs {
        for a in 0..old.leaves.len() {
            if old.leaves[a].id.is_some() || old.leaves[a].replaced {
                continue;
            }
            let partner = (0..new.leaves.len()).find(|b| {
                new.leaves[*b].id.is_none()
                    && !new.leaves[*b].replaced
                    && same(&old.leaves[a], &new.leaves[*b])
            });
            if let Some(b) = partner {
                old.leaves[a].id = Some(pairs.len());
                new.leaves[b].id = Some(pairs.len());
                pairs.push((a, b));
            }
        }
    }
    Matching { pairs }
}

/// All conditions on the leaf without its alias: the same filter under another alias is the same leaf.
fn conjuncts_of(leaf: &Leaf<'_>) -> BTreeSet<String> {
    let prefix = format!("{}.", leaf.scan.alias);
    leaf.operator
        .conditions
        .iter()
        .flat_map(|c| &c.conjuncts)
        .map(|text| text.replace(&prefix, ""))
        .collect()
}

fn leaf_changes(old: &Leaf<'_>, new: &Leaf<'_>) -> Vec<Change> {
    let (before, after) = (old.scan, new.scan);
    let relation = || after.relation.clone();
    let alias = || after.alias.clone();
    let mut changes = Vec::new();
    match (before.partitions, after.partitions) {
        (Some(from), Some(to)) if from != to => changes.push(Change::PartitionsChanged {
            relation: relation(),
            from,
            to,
        }),
        (None, Some(_)) => changes.push(Change::PartitioningChanged {
            relation: relation(),
            partitioned: true,
        }),
        (Some(_), None) => changes.push(Change::PartitioningChanged {
            relation: relation(),
            partitioned: false,
        }),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let methods = |scan: &Scan| {
        scan.access
            .iter()
            .map(|access| access.method)
            .collect::<BTreeSet<ScanMethod>>()
    };
    let labels = |scan: &Scan| {
        scan.access
            .iter()
            .map(Access::label)
            .collect::<Vec<_>>()
            .join(" + ")
    };
    if methods(before) != methods(after) {
        let (from, to) = (labels(before), labels(after));
        changes.push(Change::ScanMethodChanged {
            relation: relation(),
            alias: alias(),
            from,
            to,
        });
        return changes;
    }
    let indexes = |scan: &Scan| {
        scan.access
            .iter()
            .flat_map(|a| &a.indexes)
            .map(|i| i.key().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let (from, to) = (indexes(before), indexes(after));
    if from != to {
        let text = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(" & ");
        changes.push(Change::IndexChanged {
            relation: relation(),
            alias: alias(),
            from: text(from),
            to: text(to),
        });
        return changes;
    }
    changes.extend(same_index_changes(old, new));
    changes
}

/// What may differ where method and index are the same.
fn same_index_changes(old: &Leaf<'_>, new: &Leaf<'_>) -> Vec<Change> {
    let (relation, alias) = (new.scan.relation.clone(), new.scan.alias.clone());
    let mut changes = Vec::new();
    // Partitions have an index each: only a table of its own can tell of a rename.
    if new.scan.partitions.is_none() {
        let names = |scan: &Scan| {
            scan.access
                .iter()
                .flat_map(|a| &a.indexes)
                .map(|i| i.name.clone())
                .collect::<BTreeSet<_>>()
        };
        let (from, to) = (names(old.scan), names(new.scan));
        for (from, to) in from.difference(&to).zip(to.difference(&from)) {
            changes.push(Change::IndexRenamed {
                relation: relation.clone(),
                from: from.clone(),
                to: to.clone(),
            });
        }
    }
    if old
        .scan
        .access
        .iter()
        .map(|a| a.backward)
        .ne(new.scan.access.iter().map(|a| a.backward))
    {
        changes.push(Change::ScanDirectionChanged {
            relation: relation.clone(),
            alias: alias.clone(),
        });
    }
    let conjuncts = |leaf: &Leaf<'_>, role| leaf.operator.conjuncts(role).to_vec();
    let (from, to) = (
        conjuncts(old, ConditionRole::Index),
        conjuncts(new, ConditionRole::Index),
    );
    if without_alias(&from, old) != without_alias(&to, new) {
        changes.push(Change::IndexConditionChanged {
            relation,
            alias,
            from,
            to,
        });
        return changes;
    }
    let (from, to) = (
        conjuncts(old, ConditionRole::Filter),
        conjuncts(new, ConditionRole::Filter),
    );
    if without_alias(&from, old) != without_alias(&to, new) {
        changes.push(Change::FilterChanged { relation, from, to });
    }
    changes
}

fn without_alias(conjuncts: &[String], leaf: &Leaf<'_>) -> Vec<String> {
    let prefix = format!("{}.", leaf.scan.alias);
    conjuncts
        .iter()
        .map(|text| text.replace(&prefix, ""))
        .collect()
}

fn aggregate_changes(old: &Survey<'_>, new: &Survey<'_>) -> Vec<Change> {
    let mut unmatched: Vec<&Aggregate<'_>> = new.aggregates.iter().collect();
    let mut changes = Vec::new();
    let mut gone = Vec::new();
    let label = |aggregate: &Aggregate<'_>| match aggregate.keys {
        [] => aggregate.strategy.as_str().to_owned(),
        keys => format!("{} by {}", aggregate.strategy.as_str(), keys.join(", ")),
    };
    for before in &old.aggregates {
        let key: BTreeSet<&String> = before.keys.iter().collect();
        let Some(at) = unmatched
            .iter()
            .position(|after| after.keys.iter().collect::<BTreeSet<_>>() == key)
        else {
            gone.push(before);
            continue;
        };
        let after = unmatched.remove(at);
        if before.strategy != after.strategy {
            changes.push(Change::AggregateStrategyChanged {
                from: before.strategy,
                to: after.strategy,
            });
        }
    }
    changes.extend(gone.into_iter().map(|aggregate| Change::OperatorRemoved {
        operator: label(aggregate),
    }));
    changes.extend(
        unmatched
            .into_iter()
            .map(|aggregate| Change::OperatorAdded {
                operator: label(aggregate),
            }),
    );
    changes
}

fn sort_changes(old: &Survey<'_>, new: &Survey<'_>, joins: &JoinChanges) -> Vec<Change> {
    let mut left: Vec<&Sort<'_>> = new.sorts.iter().collect();
    let mut changes = Vec::new();
    let strategy_changed = aggregate_changes(old, new)
        .iter()
        .any(|change| matches!(change, Change::AggregateStrategyChanged { .. }));
    // Sorts that follow from a changed join or aggregate are reported by that change.
    let follows = |sort: &Sort<'_>| match sort.purpose {
        SortedFor::MergeJoin => joins.restructured,
        SortedFor::Aggregate => strategy_changed,
        SortedFor::Result => false,
    };
    for before in &old.sorts {
        match left.iter().position(|after| after.keys == before.keys) {
            Some(at) => {
                let after = left.remove(at);
                if after.incremental != before.incremental {
                    let keys = after.keys.to_vec();
                    changes.push(Change::SortKindChanged {
                        keys,
                        incremental: after.incremental,
                    });
                }
            }
            None if follows(before) => {}
            None => changes.push(Change::SortRemoved {
                keys: before.keys.to_vec(),
            }),
        }
    }
    let added = left.into_iter().filter(|sort| !follows(sort));
    changes.extend(added.map(|sort| Change::SortAdded {
        keys: sort.keys.to_vec(),
    }));
    changes
}

fn helper_changes(old: &Survey<'_>, new: &Survey<'_>, joins: &JoinChanges) -> Vec<Change> {
    let mut changes = Vec::new();
    match (old.parallel, new.parallel) {
        (false, true) => changes.push(Change::ParallelOn),
        (true, false) => changes.push(Change::ParallelOff),
        (true, true) | (false, false) => {}
    }
    if joins.restructured {
        return changes;
    }
    match old.materialized.cmp(&new.materialized) {
        std::cmp::Ordering::Less => changes.push(Change::MaterializeAdded),
        std::cmp::Ordering::Greater => changes.push(Change::MaterializeRemoved),
        std::cmp::Ordering::Equal => {}
    }
    let keys = |survey: &Survey<'_>| {
        survey
            .memoized
            .iter()
            .map(|key| (*key).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let (before, after) = (keys(old), keys(new));
    changes.extend(
        after
            .difference(&before)
            .map(|key| Change::MemoizeAdded { key: key.clone() }),
    );
    changes.extend(
        before
            .difference(&after)
            .map(|key| Change::MemoizeRemoved { key: key.clone() }),
    );
    changes
}

fn operator_changes(old: &Survey<'_>, new: &Survey<'_>) -> Vec<Change> {
    let subplans = |survey: &Survey<'_>| {
        survey
            .subplans
            .iter()
            .map(|kind| kind.scope())
            .collect::<Vec<_>>()
    };
    let mut changes = Vec::new();
    let (gone, came) = multiset_difference(subplans(old), subplans(new));
    changes.extend(
        gone.into_iter()
            .map(|subplan| Change::SubplanRemoved { subplan }),
    );
    changes.extend(
        came.into_iter()
            .map(|subplan| Change::SubplanAdded { subplan }),
    );
    let (gone, came) = multiset_difference(old.others.clone(), new.others.clone());
    changes.extend(
        gone.into_iter()
            .map(|operator| Change::OperatorRemoved { operator }),
    );
    changes.extend(
        came.into_iter()
            .map(|operator| Change::OperatorAdded { operator }),
    );
    changes
}

/// What is in one list only, each as often as it is there more often.
fn multiset_difference(old: Vec<String>, mut new: Vec<String>) -> (Vec<String>, Vec<String>) {
    let mut gone = Vec::new();
    for item in old {
        match new.iter().position(|other| *other == item) {
            Some(at) => {
                new.remove(at);
            }
            None => gone.push(item),
        }
    }
    (gone, new)
}
