//! Two canonical plans compared by meaning: leaves are matched by scope, alias and relation, joins by the set of leaves
//! beneath them, everything else by kind and key. Position in the tree plays no part, so one changed join method does not
//! cascade into a list of false edits. Pure.

use std::collections::BTreeSet;

use super::canonical::{
    Access, AggregateStrategy, CanonicalPlan, ConditionRole, Decorator, JoinMethod, Operator,
    OperatorKind, Scan, ScanMethod, SubplanKind,
};
use super::change::Change;
use super::names::Renames;

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

/// A relation that is read, with where.
struct Leaf<'a> {
    scope: Vec<String>,
    scan: &'a Scan,
    operator: &'a Operator,
    /// The number that it shares with its partner on the other side.
    id: Option<usize>,
    /// A CTE Scan whose CTE is inlined on the other side: its body stands for it.
    replaced: bool,
}

struct Join<'a> {
    method: JoinMethod,
    kind: &'a str,
    operator: &'a Operator,
    outer: Vec<usize>,
    inner: Vec<usize>,
}

struct Aggregate<'a> {
    strategy: AggregateStrategy,
    keys: &'a [String],
}

/// What a sort works for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SortedFor {
    MergeJoin,
    Aggregate,
    Result,
}

struct Sort<'a> {
    keys: &'a [String],
    incremental: bool,
    purpose: SortedFor,
}

/// A plan's parts, by what they are.
struct Survey<'a> {
    leaves: Vec<Leaf<'a>>,
    joins: Vec<Join<'a>>,
    aggregates: Vec<Aggregate<'a>>,
    sorts: Vec<Sort<'a>>,
    parallel: bool,
    materialized: usize,
    memoized: Vec<&'a str>,
    subplans: Vec<&'a SubplanKind>,
    others: Vec<String>,
}

impl<'a> Survey<'a> {
    fn of(plan: &'a CanonicalPlan) -> Self {
        let mut survey = Self {
            leaves: Vec::new(),
            joins: Vec::new(),
            aggregates: Vec::new(),
            sorts: Vec::new(),
            parallel: false,
            materialized: 0,
            memoized: Vec::new(),
            subplans: Vec::new(),
            others: Vec::new(),
        };
        survey.visit(&plan.root, &[], SortedFor::Result);
        survey
    }

    /// Notes the operator and everything beneath it; returns the leaves beneath it.
    fn visit(
        &mut self,
        operator: &'a Operator,
        scope: &[String],
        purpose: SortedFor,
    ) -> Vec<usize> {
        self.decorators(operator, purpose);
        for subplan in &operator.subplans {
            self.subplans.push(&subplan.kind);
            let mut inside = scope.to_vec();
            inside.push(subplan.kind.scope());
            self.visit(&subplan.plan, &inside, SortedFor::Result);
        }
        let below = match &operator.kind {
            OperatorKind::Join {
                method: JoinMethod::Merge,
                ..
            } => SortedFor::MergeJoin,
            OperatorKind::Aggregate { .. } => SortedFor::Aggregate,
            _ => SortedFor::Result,
        };
        let inputs: Vec<Vec<usize>> = operator
            .inputs
            .iter()
            .map(|input| self.visit(input, scope, below))
            .collect();
        let mut leaves = inputs.concat();
        match &operator.kind {
            OperatorKind::Scan(scan) => {
                leaves.push(self.leaves.len());
                self.leaves.push(Leaf {
                    scope: scope.to_vec(),
                    scan,
                    operator,
                    id: None,
                    replaced: false,
                });
            }
            OperatorKind::Join { method, kind } => {
                let mut sides = inputs.into_iter();
                let (outer, inner) = (
                    sides.next().unwrap_or_default(),
                    sides.next().unwrap_or_default(),
                );
                self.joins.push(Join {
                    method: *method,
                    kind,
                    operator,
                    outer,
                    inner,
                });
            }
            OperatorKind::Aggregate { strategy, keys } => self.aggregates.push(Aggregate {
                strategy: *strategy,
                keys,
            }),
            OperatorKind::Modify { .. } | OperatorKind::Other { .. } => {
                self.others.push(operator.label())
            }
        }
        leaves
    }

    fn decorators(&mut self, operator: &'a Operator, purpose: SortedFor) {
        for decorator in &operator.decorators {
            match decorator {
                Decorator::Parallel => self.parallel = true,
                Decorator::Materialize => self.materialized += 1,
                Decorator::Memoize { key } => self.memoized.push(key),
                Decorator::Sort {
                    keys, presorted, ..
                } => {
                    self.sorts.push(Sort {
                        keys,
                        incremental: !presorted.is_empty(),
                        purpose,
                    });
                }
                Decorator::Hash { .. } | Decorator::MergePartitions => {}
            }
        }
    }

    fn reads(&self, relation: &str) -> bool {
        self.leaves
            .iter()
            .any(|leaf| leaf.scan.relation == relation)
    }

    /// The shared numbers of leaves; those without a partner are left out.
    fn ids(&self, leaves: &[usize]) -> BTreeSet<usize> {
        leaves
            .iter()
            .filter(|leaf| !self.leaves[**leaf].replaced)
            .filter_map(|leaf| self.leaves[*leaf].id)
            .collect()
    }

    fn relations(&self, leaves: &[usize]) -> Vec<String> {
        let mut names: Vec<String> = leaves
            .iter()
            .map(|leaf| leaf_name(self.leaves[*leaf].scan))
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// `orders o`, or `orders` where the alias says nothing new.
fn leaf_name(scan: &Scan) -> String {
    let bare = scan.relation.rsplit('.').next().unwrap_or(&scan.relation);
    if scan.alias.is_empty() || scan.alias == bare {
        scan.relation.clone()
    } else {
        format!("{} {}", scan.relation, scan.alias)
    }
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

/// A WITH that is a subplan on one side only; afterwards both sides look as if it were inlined.
fn cte_changes(old: &mut Survey<'_>, new: &mut Survey<'_>) -> Vec<Change> {
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

/// What the joins did.
struct JoinChanges {
    changes: Vec<Change>,
    /// A join changed its method or the order changed: sorts and helpers below follow from it.
    restructured: bool,
}

impl JoinChanges {
    fn between(old: &Survey<'_>, new: &Survey<'_>) -> Self {
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
