//! The arithmetic on a plan: wall time and blocks that a node spent itself, rows that it read, processes that ran it.
//! Judges nothing. What was not measured stays `None`.

use super::early_stop;
use super::exclusive::{InitPlanHosts, exclusive};
use super::node::{Node, NodeId, NodeKind, Plan};
use crate::units::{Millis, Pages};

/// A plan's figures, one entry a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    nodes: Vec<NodeMetrics>,
    /// Wall time of the node tree: the root, and data-modifying CTEs that nobody reads, which run after it.
    pub tree: Option<Millis>,
    /// What shares of time are taken of: `Execution Time` (with triggers and JIT), or the tree where it is longer.
    pub total: Option<Millis>,
    /// Blocks of the tree.
    pub blocks: Option<Pages>,
}

/// One node's figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeMetrics {
    /// `Some(false)`: never executed, no rule may judge it.
    pub executed: Option<bool>,
    /// Processes that ran it side by side.
    pub processes: f64,
    /// Wall time with its children.
    pub inclusive: Option<Millis>,
    /// Wall time without its children.
    pub exclusive: Option<Millis>,
    /// Shared and local blocks touched, with its children.
    pub inclusive_blocks: Option<Pages>,
    /// Shared and local blocks touched, without its children.
    pub exclusive_blocks: Option<Pages>,
    /// Temporary blocks read and written, without its children.
    pub exclusive_temp: Option<Pages>,
    /// Rows given out, over all loops.
    pub rows: Option<f64>,
    /// Rows looked at: given out, or thrown away by the node's conditions, over all loops. Too low where less than half
    /// a row was thrown away per loop, which EXPLAIN rounds to none.
    pub rows_read: Option<f64>,
    /// Something above may have stopped reading: counts are a lower bound.
    pub may_have_stopped: bool,
}

impl Metrics {
    /// Computes a plan's figures.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let stopped = early_stop::may_have_stopped(plan);
        let processes = processes(plan);
        let wall: Vec<Option<f64>> = plan
            .ids()
            .map(|id| wall_time(plan.node(id), processes[id.0]))
            .collect();
        let blocks = column(plan, |buffers| buffers.touched());
        let temp = column(plan, |buffers| buffers.temp());
        let hosts = InitPlanHosts::find(plan, if wall[0].is_some() { &wall } else { &blocks });
        let times = exclusive(plan, &wall, &hosts);
        let own_blocks = exclusive(plan, &blocks, &hosts);
        let own_temp = exclusive(plan, &temp, &hosts);
        let pages = |value: Option<f64>| value.map(|count| Pages(count.round() as u64));
        let rows = rows(plan, &processes);
        let nodes = plan.ids().map(|id| {
            let node = plan.node(id);
            let loops = node.actual.map(|actual| actual.loops);
            NodeMetrics {
                executed: node.executed(),
                processes: processes[id.0],
                inclusive: wall[id.0].map(Millis),
                exclusive: times.own[id.0].map(Millis),
                inclusive_blocks: pages(blocks[id.0]),
                exclusive_blocks: pages(own_blocks.own[id.0]),
                exclusive_temp: pages(own_temp.own[id.0]),
                rows: rows[id.0],
                rows_read: rows[id.0]
                    .zip(loops)
                    .map(|(rows, loops)| rows + rows_removed_per_loop(node) * loops),
                may_have_stopped: stopped[id.0],
            }
        });
        let tree = wall[0].map(|root| root + times.detached);
        Self {
            nodes: nodes.collect(),
            tree: tree.map(Millis),
            total: tree
                .map(|tree| Millis(plan.execution_ms.map_or(tree, |Millis(all)| all.max(tree)))),
            blocks: pages(blocks[0].map(|root| root + own_blocks.detached)),
        }
    }

    /// A node's figures.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &NodeMetrics {
        &self.nodes[id.0]
    }

    /// Exclusive time over the total; `None` where it was not measured.
    #[must_use]
    pub fn time_share(&self, id: NodeId) -> Option<f64> {
        ratio(self.node(id).exclusive?.0, self.total?.0)
    }

    /// Exclusive blocks over the tree's; `None` where they were not measured.
    #[must_use]
    pub fn block_share(&self, id: NodeId) -> Option<f64> {
        ratio(
            self.node(id).exclusive_blocks?.0 as f64,
            self.blocks?.0 as f64,
        )
    }

    /// The share of the work that is the node's own: of blocks, which repeat from run to run, else of time.
    #[must_use]
    pub fn share(&self, id: NodeId) -> Option<f64> {
        self.block_share(id).or_else(|| self.time_share(id))
    }

    /// The share of the work that the node and all below it did: of blocks, else of time.
    #[must_use]
    pub fn inclusive_share(&self, id: NodeId) -> Option<f64> {
        let node = self.node(id);
        let blocks = || ratio(node.inclusive_blocks?.0 as f64, self.blocks?.0 as f64);
        blocks().or_else(|| self.inclusive_time_share(id))
    }

    /// The share of the total time that the node and all below it took.
    #[must_use]
    pub fn inclusive_time_share(&self, id: NodeId) -> Option<f64> {
        ratio(self.node(id).inclusive?.0, self.total?.0)
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Rows that each node gave out, over all loops. Servers before 18 print whole rows per loop: one row that three processes
/// found together is none. What the leader gathered from them is known exactly, and so what they sent.
fn rows(plan: &Plan, processes: &[f64]) -> Vec<Option<f64>> {
    let mut rows: Vec<Option<f64>> = Vec::with_capacity(plan.nodes.len());
    for id in plan.ids() {
        let node = plan.node(id);
        let printed = node.actual.map(|actual| actual.rows.0 * actual.loops);
        let gathered = node.parent.filter(|parent| {
            let passes_on = matches!(
                plan.node(*parent).kind,
                NodeKind::Gather | NodeKind::GatherMerge | NodeKind::Sort
            );
            passes_on && processes[id.0] > 1.0 && !node.is_subplan()
        });
        let exact = gathered
            .and_then(|parent| rows[parent.0])
            .zip(printed)
            .zip(node.actual);
        let exact = exact.filter(|((exact, printed), actual)| {
            actual.rows.0.fract() == 0.0 && (exact - printed).abs() <= actual.loops / 2.0
        });
        rows.push(exact.map_or(printed, |((exact, _), _)| Some(exact)));
    }
    rows
}

fn rows_removed_per_loop(node: &Node) -> f64 {
    let removed = [
        node.removed.filter,
        node.removed.index_recheck,
        node.removed.join_filter,
    ];
    removed.into_iter().flatten().map(|rows| rows.0).sum()
}

/// Processes that ran each node side by side: loops over the loops of the Gather above, the same for all that a Gather
/// drives, because rescans multiply the loops of every process alike.
fn processes(plan: &Plan) -> Vec<f64> {
    let mut processes = vec![1.0; plan.nodes.len()];
    for id in plan.ids() {
        let node = plan.node(id);
        let Some(parent_id) = node.parent else {
            continue;
        };
        let parent = plan.node(parent_id);
        let inherited: f64 = processes[parent_id.0];
        let loops = node.actual.map_or(1.0, |actual| actual.loops);
        processes[id.0] = if node.is_subplan() && node.cte().is_none() {
            // An InitPlan is run by the leader, once; a SubPlan by every process.
            inherited.min(loops.max(1.0))
        } else if node.cte().is_some() {
            1.0
        } else if parent.kind.is_gather() {
            let gather_loops = parent.actual.map_or(1.0, |actual| actual.loops);
            if gather_loops > 0.0 {
                (loops / gather_loops).max(1.0)
            } else {
                1.0
            }
        } else if parent.kind == NodeKind::BitmapHeapScan && parent.parallel_aware {
            // One process builds the bitmap while the others wait for it.
            1.0
        } else {
            inherited
        };
    }
    processes
}

/// Wall time: the time of all loops over the processes that shared them.
fn wall_time(node: &Node, processes: f64) -> Option<f64> {
    let actual = node.actual?;
    if actual.loops == 0.0 {
        return Some(0.0);
    }
    Some(actual.total?.0.0 * actual.loops / processes)
}

fn column(plan: &Plan, of: impl Fn(&super::node::Buffers) -> Pages) -> Vec<Option<f64>> {
    let measured = plan.nodes.iter().any(|node| node.buffers.is_some());
    let value = |node: &Node| match &node.buffers {
        Some(buffers) => Some(of(buffers).0 as f64),
        // The text format leaves zeros out; nodes that never ran have none.
        None => measured.then_some(0.0),
    };
    plan.nodes.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    /// PostgreSQL 15: three processes find one row, each finds none of it.
    const ONE_ROW: &str = r#"[{"Plan": {"Node Type": "Gather", "Parallel Aware": false, "Async Capable": false, "Plan Rows": 750,
        "Actual Startup Time": 30.1, "Actual Total Time": 57.2, "Actual Rows": 1, "Actual Loops": 1, "Workers Planned": 2, "Workers Launched": 2,
        "Plans": [{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Parallel Aware": true, "Async Capable": false,
            "Relation Name": "customers", "Alias": "customers", "Plan Rows": 312, "Actual Startup Time": 12.0, "Actual Total Time": 25.6,
            "Actual Rows": 0, "Actual Loops": 3, "Filter": "(phone = '1'::text)", "Rows Removed by Filter": 50000}]}}]"#;

    #[test]
    fn what_was_gathered_is_what_was_sent() {
        let plan = parse::json(ONE_ROW).unwrap().remove(0);
        let metrics = Metrics::of(&plan);
        assert_eq!(metrics.node(NodeId(1)).rows, Some(1.0));
        assert_eq!(metrics.node(NodeId(1)).rows_read, Some(150_001.0));
        // Counts that contradict each other by more than rounding are left alone.
        let plan = parse::json(&ONE_ROW.replace("\"Actual Rows\": 1,", "\"Actual Rows\": 9,"))
            .unwrap()
            .remove(0);
        assert_eq!(Metrics::of(&plan).node(NodeId(1)).rows, Some(0.0));
    }
}
