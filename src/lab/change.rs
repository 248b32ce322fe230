//! What differs between two plans of one statement, in the words of EXPLAIN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::shape::shape;
use crate::plan::{NodeKind, Plan};

/// How far a plan changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Workers joined in or left: the same pages are read.
    Parallel,
    /// The same scans and joins in another order, or other sorts and groupings.
    Order,
    /// Other scans or other joins.
    Access,
}

/// A change of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChange {
    /// How far it goes.
    pub kind: ChangeKind,
    /// What only the plan of before does: `Index Scan using orders_pkey on orders`.
    pub before: Vec<String>,
    /// What only the plan of after does.
    pub after: Vec<String>,
}

impl PlanChange {
    /// Between two plans; `None` where they have one shape.
    #[must_use]
    pub fn between(before: &Plan, after: &Plan) -> Option<Self> {
        if shape(before) == shape(after) {
            return None;
        }
        let (old, new) = (steps(before), steps(after));
        let (gone, come) = (beyond(&old, &new), beyond(&new, &old));
        let kind = match (
            gone.is_empty() && come.is_empty(),
            is_parallel(before) != is_parallel(after),
        ) {
            (true, true) => ChangeKind::Parallel,
            (true, false) => ChangeKind::Order,
            (false, _) => ChangeKind::Access,
        };
        Some(Self {
            kind,
            before: gone,
            after: come,
        })
    }

    /// `Index Scan using orders_pkey on orders → Seq Scan on orders`.
    #[must_use]
    pub fn words(&self) -> String {
        match self.kind {
            ChangeKind::Parallel => "parallel workers".to_owned(),
            ChangeKind::Order => "order of joins, sorts or groupings".to_owned(),
            ChangeKind::Access => {
                let side = |steps: &[String]| match steps {
                    [] => "nothing".to_owned(),
                    steps => steps.join(", "),
                };
                format!("{} → {}", side(&self.before), side(&self.after))
            }
        }
    }
}

fn is_parallel(plan: &Plan) -> bool {
    let mut nodes = plan.nodes.iter();
    nodes.any(|node| matches!(node.kind, NodeKind::Gather | NodeKind::GatherMerge))
}

/// Scans and joins, with how often each stands in the plan.
fn steps(plan: &Plan) -> BTreeMap<String, usize> {
    let mut steps = BTreeMap::new();
    for node in &plan.nodes {
        let name = node.kind.to_string();
        let step = match (&node.relation, &node.index_name) {
            (Some(relation), Some(index)) => format!("{name} using {index} on {}", relation.name),
            (Some(relation), None) => format!("{name} on {}", relation.name),
            (None, Some(index)) => format!("{name} on {index}"),
            (None, None) if node.join_type.is_some() => name,
            (None, None) => continue,
        };
        *steps.entry(step).or_default() += 1;
    }
    steps
}

/// What one side does more often than the other; each once.
fn beyond(one: &BTreeMap<String, usize>, other: &BTreeMap<String, usize>) -> Vec<String> {
    let more = |(step, count): &(&String, &usize)| **count > other.get(*step).copied().unwrap_or(0);
    one.iter()
        .filter(more)
        .map(|(step, _)| step.clone())
        .collect()
}
