//! How often nodes run, by the planner's own estimates: of a plan that was not executed to its end nothing else is known.

use super::{NodeId, NodeKind, Plan, Relationship};

/// How often each node is expected to run, by its number.
#[must_use]
pub fn expected_runs(plan: &Plan) -> Vec<f64> {
    let mut runs: Vec<f64> = Vec::with_capacity(plan.nodes.len());
    for id in plan.ids() {
        let node = plan.node(id);
        let Some(parent) = node.parent else {
            runs.push(1.0);
            continue;
        };
        let host = plan.node(parent);
        // Parents come before their children.
        let above = runs.get(parent.0).copied().unwrap_or(1.0);
        let is_inner = host.kind == NodeKind::NestedLoop && plan.inner(parent) == Some(id);
        runs.push(match (&host.kind, &node.relationship) {
            (_, Some(Relationship::InitPlan)) => 1.0,
            (_, Some(Relationship::SubPlan)) if is_hashed(plan, id) => 1.0,
            // For the rows that it keeps, at the least.
            (_, Some(Relationship::SubPlan)) => above * host.estimate.rows.0.max(1.0),
            _ if is_inner => {
                let outer = plan.outer(parent).map(|outer| plan.node(outer));
                above * outer.map_or(1.0, |outer| outer.estimate.rows.0.max(1.0))
            }
            // Read once and kept.
            (NodeKind::Materialize | NodeKind::Memoize, _) => 1.0,
            _ => above,
        });
    }
    runs
}

/// Whether the node above keeps a subquery's rows in a hash table, and so runs it once.
#[must_use]
pub fn is_hashed(plan: &Plan, subplan: NodeId) -> bool {
    let node = plan.node(subplan);
    let (Some(name), Some(parent)) = (&node.subplan_name, node.parent) else {
        return false;
    };
    let host = plan.node(parent);
    let hashed = format!("hashed {name}");
    let conditions = [&host.conditions.filter, &host.conditions.join_filter];
    conditions
        .into_iter()
        .flatten()
        .chain(&host.output)
        .any(|text| text.contains(&hashed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    #[test]
    fn subqueries_and_inner_sides_run_for_each_row() {
        let text = "\
Nested Loop  (cost=0.42..70630412.87 rows=539 width=4)
  ->  Seq Scan on harbours  (cost=0.00..1243.00 rows=404 width=4)
  ->  Index Scan using berths_pkey on berths  (cost=0.42..174824.67 rows=3 width=8)
        Index Cond: (harbour = harbours.id)
        Filter: (length > (SubPlan 1))
        SubPlan 1
          ->  Aggregate  (cost=43703.39..43703.40 rows=1 width=32)
                ->  Seq Scan on calls  (cost=0.00..43703.38 rows=1 width=5)
                      Filter: (berth = berths.id)
";
        let plan = parse::any(text).unwrap().remove(0);
        assert_eq!(expected_runs(&plan), [1.0, 1.0, 404.0, 1212.0, 1212.0]);
    }

    #[test]
    fn a_hashed_subquery_and_what_is_kept_run_once() {
        let text = "\
Nested Loop  (cost=0.00..900.00 rows=50 width=4)
  ->  Seq Scan on harbours  (cost=0.00..100.00 rows=40 width=4)
        Filter: (NOT (hashed SubPlan 1))
        SubPlan 1
          ->  Seq Scan on closed  (cost=0.00..50.00 rows=90 width=4)
  ->  Materialize  (cost=0.00..90.00 rows=30 width=4)
        ->  Seq Scan on ships  (cost=0.00..80.00 rows=30 width=4)
";
        let plan = parse::any(text).unwrap().remove(0);
        assert_eq!(expected_runs(&plan), [1.0, 1.0, 1.0, 40.0, 1.0]);
    }
}
