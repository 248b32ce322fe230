//! A plan's parts, by what they are.

use std::collections::BTreeSet;

use crate::diff::canonical::{
    AggregateStrategy, CanonicalPlan, Decorator, JoinMethod, Operator, OperatorKind, Scan,
    SubplanKind,
};

/// A relation that is read, with where.
pub(super) struct Leaf<'a> {
    pub(super) scope: Vec<String>,
    pub(super) scan: &'a Scan,
    pub(super) operator: &'a Operator,
    /// The number that it shares with its partner on the other side.
    pub(super) id: Option<usize>,
    /// A CTE Scan whose CTE is inlined on the other side: its body stands for it.
    pub(super) replaced: bool,
}

pub(super) struct Join<'a> {
    pub(super) method: JoinMethod,
    pub(super) kind: &'a str,
    pub(super) operator: &'a Operator,
    pub(super) outer: Vec<usize>,
    pub(super) inner: Vec<usize>,
}

pub(super) struct Aggregate<'a> {
    pub(super) strategy: AggregateStrategy,
    pub(super) keys: &'a [String],
}

/// What a sort works for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SortedFor {
    MergeJoin,
    Aggregate,
    Result,
}

pub(super) struct Sort<'a> {
    pub(super) keys: &'a [String],
    pub(super) incremental: bool,
    pub(super) purpose: SortedFor,
}

/// A plan's parts, by what they are.
pub(super) struct Survey<'a> {
    pub(super) leaves: Vec<Leaf<'a>>,
    pub(super) joins: Vec<Join<'a>>,
    pub(super) aggregates: Vec<Aggregate<'a>>,
    pub(super) sorts: Vec<Sort<'a>>,
    pub(super) parallel: bool,
    pub(super) materialized: usize,
    pub(super) memoized: Vec<&'a str>,
    pub(super) subplans: Vec<&'a SubplanKind>,
    pub(super) others: Vec<String>,
}

/// `orders o`, or `orders` where the alias says nothing new.
pub(super) fn leaf_name(scan: &Scan) -> String {
    let bare = scan.relation.rsplit('.').next().unwrap_or(&scan.relation);
    if scan.alias.is_empty() || scan.alias == bare {
        scan.relation.clone()
    } else {
        format!("{} {}", scan.relation, scan.alias)
    }
}

impl<'a> Survey<'a> {
    pub(super) fn of(plan: &'a CanonicalPlan) -> Self {
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

    pub(super) fn reads(&self, relation: &str) -> bool {
        self.leaves
            .iter()
            .any(|leaf| leaf.scan.relation == relation)
    }

    /// The shared numbers of leaves; those without a partner are left out.
    pub(super) fn ids(&self, leaves: &[usize]) -> BTreeSet<usize> {
        leaves
            .iter()
            .filter(|leaf| !self.leaves[**leaf].replaced)
            .filter_map(|leaf| self.leaves[*leaf].id)
            .collect()
    }

    pub(super) fn relations(&self, leaves: &[usize]) -> Vec<String> {
        let mut names: Vec<String> = leaves
            .iter()
            .map(|leaf| leaf_name(self.leaves[*leaf].scan))
            .collect();
        names.sort();
        names.dedup();
        names
    }
}
