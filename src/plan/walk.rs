//! Ways through the tree: up, down, and to the nodes that a rule asks about. Judges nothing.

use super::node::{Node, NodeId, NodeKind, Plan, RelationRef, Relationship};

impl Plan {
    /// From the parent up to the root.
    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.node(id).parent, |id| self.node(*id).parent)
    }

    /// Everything below, in preorder, without the node itself.
    pub fn descendants(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        // Preorder: a subtree is a run of ids, ended by the first node whose ancestors do not include `id`.
        let end = self.subtree_end(id);
        (id.0 + 1..end).map(NodeId)
    }

    /// The node and everything below it.
    pub fn subtree(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::once(id).chain(self.descendants(id))
    }

    fn subtree_end(&self, id: NodeId) -> usize {
        self.subtree_last(id).0 + 1
    }

    /// The last node, in preorder, of the node and everything below it.
    #[must_use]
    pub fn subtree_last(&self, id: NodeId) -> NodeId {
        let mut last = id;
        while let Some(child) = self.nodes.get(last.0).and_then(|node| node.children.last()) {
            last = *child;
        }
        last
    }

    /// The nearest Gather or Gather Merge above.
    #[must_use]
    pub fn nearest_gather(&self, id: NodeId) -> Option<NodeId> {
        self.ancestors(id)
            .find(|above| self.node(*above).kind.is_gather())
    }

    /// Whether `above` is an ancestor of `below`.
    #[must_use]
    pub fn is_above(&self, above: NodeId, below: NodeId) -> bool {
        above < below && below.0 < self.subtree_end(above)
    }

    /// Inputs: children that are not InitPlans or SubPlans.
    pub fn inputs(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.node(id)
            .children
            .iter()
            .copied()
            .filter(|child| !self.node(*child).is_subplan())
    }

    /// A join's driving input, a node's only input.
    #[must_use]
    pub fn outer(&self, id: NodeId) -> Option<NodeId> {
        self.inputs(id)
            .find(|child| self.node(*child).relationship != Some(Relationship::Inner))
    }

    /// A join's second input.
    #[must_use]
    pub fn inner(&self, id: NodeId) -> Option<NodeId> {
        self.inputs(id)
            .find(|child| self.node(*child).relationship == Some(Relationship::Inner))
    }

    /// Scans of tables (not of CTEs, functions or subqueries), in preorder.
    pub fn table_scans(&self) -> impl Iterator<Item = (NodeId, &Node)> + '_ {
        self.ids()
            .map(|id| (id, self.node(id)))
            .filter(|(_, node)| node.kind.scans_table())
    }

    /// The tables that are read or written, each as often as it stands in the plan; CTEs and functions are none.
    pub fn tables(&self) -> impl Iterator<Item = &RelationRef> + '_ {
        let is_table = |node: &&Node| node.kind.scans_table() || node.kind == NodeKind::ModifyTable;
        self.nodes
            .iter()
            .filter(is_table)
            .filter_map(|node| node.relation.as_ref())
    }

    /// Down through nodes that hand on every row as it is: Gather, Materialize, Sort, Hash and the like.
    #[must_use]
    pub fn source_of_rows(&self, id: NodeId) -> NodeId {
        let mut at = id;
        loop {
            let node = self.node(at);
            let mut inputs = self.inputs(at);
            let all_rows = node.kind.hands_rows_on() && node.conditions.filter.is_none();
            match (all_rows, inputs.next(), inputs.next()) {
                (true, Some(only), None) => at = only,
                (true, _, _) | (false, _, _) => return at,
            }
        }
    }
}

impl Node {
    /// InitPlan or SubPlan: its parent refers to its result and does not read it as an input.
    #[must_use]
    pub fn is_subplan(&self) -> bool {
        matches!(
            self.relationship,
            Some(Relationship::InitPlan | Relationship::SubPlan)
        )
    }

    /// An InitPlan that CTE Scans read; its name.
    #[must_use]
    pub fn cte(&self) -> Option<&str> {
        self.subplan_name
            .as_deref()
            .and_then(|name| name.strip_prefix("CTE "))
    }
}

impl NodeKind {
    /// Gather or Gather Merge.
    #[must_use]
    pub fn is_gather(&self) -> bool {
        matches!(self, Self::Gather | Self::GatherMerge)
    }

    /// A join of two inputs.
    #[must_use]
    pub fn is_join(&self) -> bool {
        matches!(self, Self::NestedLoop | Self::HashJoin | Self::MergeJoin)
    }

    /// Reads rows of a table's heap or index.
    #[must_use]
    pub fn scans_table(&self) -> bool {
        matches!(
            self,
            Self::SeqScan
                | Self::SampleScan
                | Self::IndexScan
                | Self::IndexOnlyScan
                | Self::BitmapHeapScan
                | Self::TidScan
                | Self::TidRangeScan
                | Self::ForeignScan
        )
    }

    /// Gives out rows in the order of its one driving input.
    #[must_use]
    pub fn keeps_order(&self) -> bool {
        matches!(
            self,
            Self::GatherMerge
                | Self::MergeAppend
                | Self::Append
                | Self::Result
                | Self::ProjectSet
                | Self::SubqueryScan
                | Self::LockRows
                | Self::IncrementalSort
                | Self::Unique
                | Self::WindowAgg
        )
    }

    /// Gives out exactly the rows that it takes in.
    #[must_use]
    pub fn hands_rows_on(&self) -> bool {
        matches!(
            self,
            Self::Gather
                | Self::GatherMerge
                | Self::Materialize
                | Self::Memoize
                | Self::Sort
                | Self::IncrementalSort
                | Self::Hash
                | Self::LockRows
                | Self::SubqueryScan
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{RelationRef, parse};

    #[test]
    fn what_a_cte_or_a_function_is_called_is_no_table() {
        let text = "Hash Join  (cost=1.00..9.00 rows=1 width=8)\n  Hash Cond: (own.oid = c.oid)\n  CTE own\n    \
             ->  Seq Scan on pg_catalog.pg_class  (cost=0.00..4.00 rows=9 width=8)\n  \
             ->  CTE Scan on own  (cost=0.00..1.00 rows=9 width=8)\n  ->  Hash  (cost=4.00..4.00 rows=9 width=8)\n        \
             ->  Index Scan using pg_attribute_relid_attnum_index on pg_catalog.pg_attribute c  (cost=0.00..4.00 rows=9 width=8)\n";
        let plan = parse::any(text).unwrap().remove(0);
        let names: Vec<&str> = plan.tables().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["pg_class", "pg_attribute"]);
        assert!(plan.tables().all(RelationRef::is_system));
        let own = parse::any("Seq Scan on shop.pg_class  (cost=0.00..4.00 rows=9 width=8)\n")
            .unwrap()
            .remove(0);
        assert!(!own.tables().any(RelationRef::is_system));
    }
}
