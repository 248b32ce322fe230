//! What to do about a subquery that runs for each row: for the rules that find one.

use crate::plan::{NodeId, NodeKind, Plan};

/// In a sentence or two.
pub(super) fn remedy(plan: &Plan, subplan: NodeId) -> &'static str {
    if is_list_to_be_left_out(plan, subplan) {
        "NOT IN (SELECT …) is no join, and its list is larger than work_mem: write NOT EXISTS."
    } else if is_aggregate(plan, subplan) {
        "Join the aggregate (GROUP BY in a subquery, or LATERAL), so that the table is read once."
    } else {
        "Join what it selects, or use LATERAL, so that it is read once."
    }
}

/// Whether each row is compared with all of a list, because it must not be in it.
fn is_list_to_be_left_out(plan: &Plan, subplan: NodeId) -> bool {
    // What depends on the row is no list that is kept; since PostgreSQL 17 the condition says that it is one.
    let is_kept = plan.node(subplan).kind == NodeKind::Materialize;
    let is_negated = |text: &String| {
        text.contains("NOT (ANY (")
            || text.contains("<> ALL")
            || (is_kept && text.contains("NOT (SubPlan"))
    };
    let host = plan.node(subplan).parent.map(|parent| plan.node(parent));
    host.is_some_and(|host| {
        let mut conditions = [&host.conditions.filter, &host.conditions.join_filter]
            .into_iter()
            .flatten();
        conditions.any(is_negated)
    })
}

fn is_aggregate(plan: &Plan, subplan: NodeId) -> bool {
    plan.subtree(subplan)
        .any(|id| plan.node(id).kind == NodeKind::Aggregate)
}

#[cfg(test)]
mod tests {
    use super::remedy;
    use crate::plan::{Relationship, parse};

    fn remedy_of(filter: &str, below: &str) -> &'static str {
        let text = format!(
            "Seq Scan on crates  (cost=0.00..9000.00 rows=500 width=8)\n  Filter: {filter}\n  SubPlan 1\n    ->  {below}"
        );
        let parsed = parse::any(&text).unwrap().remove(0);
        let subplan = parsed
            .ids()
            .find(|id| parsed.node(*id).relationship == Some(Relationship::SubPlan))
            .unwrap();
        remedy(&parsed, subplan)
    }

    #[test]
    fn each_subquery_has_its_own_remedy() {
        const LIST: &str = "Materialize  (cost=0.00..900.00 rows=9000 width=8)\n          ->  Seq Scan on parcels  (cost=0.00..800.00 rows=9000 width=8)";
        const SUM: &str = "Aggregate  (cost=10.00..10.01 rows=1 width=8)\n          ->  Seq Scan on parcels  (cost=0.00..800.00 rows=9 width=8)\n                Filter: (crate_id = crates.id)";
        const ROWS: &str = "Seq Scan on parcels  (cost=0.00..800.00 rows=9 width=8)\n          Filter: (crate_id = crates.id)";
        for list in ["(NOT (SubPlan 1))", "(NOT (ANY (id = (SubPlan 1).col1)))"] {
            assert!(remedy_of(list, LIST).contains("NOT EXISTS"), "{list}");
        }
        assert!(remedy_of("((SubPlan 1) > 5)", SUM).starts_with("Join the aggregate"));
        // One that depends on the row is no list.
        assert!(remedy_of("(NOT (SubPlan 1))", ROWS).starts_with("Join what it selects"));
        assert!(remedy_of("(SubPlan 1)", ROWS).starts_with("Join what it selects"));
    }
}
