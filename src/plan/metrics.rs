//! The arithmetic on a plan: wall time and blocks that a node spent itself, rows that it read, processes that ran it.
//! Judges nothing. What was not measured stays `None`.

use super::early_stop;
use super::exclusive::{InitPlanHosts, exclusive};
use super::node::{Node, NodeId, NodeKind, Plan};
use super::rows::{self, RowCount};
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
    /// Nodes whose figures contradict those below them by more than rounding explains: the shares there are not reliable.
    pub contradictions: Vec<NodeId>,
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
    /// Rows given out, over all loops: the likely number of `row_count`.
    pub rows: Option<f64>,
    /// Rows given out, over all loops, with the bounds that rounding leaves.
    pub row_count: Option<RowCount>,
    /// How often it went through what it reads.
    pub passes: Option<f64>,
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
        let hosts = InitPlanHosts::find(plan, &[&wall, &blocks]);
        let times = exclusive(plan, &wall, &hosts);
        let own_blocks = exclusive(plan, &blocks, &hosts);
        let own_temp = exclusive(plan, &temp, &hosts);
        let pages = |value: Option<f64>| value.map(|count| Pages(count.round() as u64));
        let counts = rows::counts(plan, &stopped);
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
                rows: counts[id.0].map(|count| count.likely),
                row_count: counts[id.0],
                rows_read: counts[id.0]
                    .zip(loops)
                    .map(|(count, loops)| count.likely + rows_removed_per_loop(node) * loops),
                passes: passes(node, processes[id.0]),
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
            contradictions: contradictions(plan, tree, &times.excess, &own_blocks.excess),
        }
    }

    /// Whether the plan reads so little that it ends at once on any machine: no clock decides it. False where pages were not
    /// counted.
    #[must_use]
    pub fn is_light(&self) -> bool {
        const FEW_PAGES: u64 = 8_000;
        const FEW_ROWS: f64 = 20_000.0;
        let rows: f64 = self.nodes.iter().filter_map(|node| node.rows_read).sum();
        self.blocks.is_some_and(|pages| pages.0 < FEW_PAGES) && rows < FEW_ROWS
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

/// Nodes below which more time or more blocks were counted than at the node itself: by more than a hundredth of the whole, and
/// more than rounded averages can add up to.
fn contradictions(
    plan: &Plan,
    tree: Option<f64>,
    time_excess: &[f64],
    block_excess: &[f64],
) -> Vec<NodeId> {
    const SHARE: f64 = 0.01;
    const MICROSECOND: f64 = 0.001;
    let blocks = plan
        .root()
        .buffers
        .map_or(0.0, |buffers| buffers.touched().0 as f64);
    let rounding = |id: NodeId| {
        let loops = |id: NodeId| plan.node(id).actual.map_or(0.0, |actual| actual.loops);
        let below: f64 = plan
            .node(id)
            .children
            .iter()
            .map(|child| loops(*child))
            .sum();
        MICROSECOND * (loops(id) + below)
    };
    plan.ids()
        .filter(|id| {
            let by_time = tree.is_some_and(|tree| {
                time_excess[id.0] > tree * SHARE && time_excess[id.0] > rounding(*id)
            });
            by_time || block_excess[id.0] > (blocks * SHARE).max(1.0)
        })
        .collect()
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// How often the node went through what it reads: processes that share one scan go through it once together, processes that
/// each scan for themselves once each.
fn passes(node: &Node, processes: f64) -> Option<f64> {
    let loops = node.actual?.loops;
    let sharing = if node.parallel_aware { processes } else { 1.0 };
    Some((loops / sharing).max(loops.min(1.0)))
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

    fn own(text: &str) -> (Metrics, Vec<(f64, u64)>) {
        let plan = parse::any(text).unwrap().remove(0);
        let metrics = Metrics::of(&plan);
        let own = plan
            .ids()
            .map(|id| {
                let node = metrics.node(id);
                (
                    node.exclusive.unwrap_or_default().0.round(),
                    node.exclusive_blocks.unwrap_or_default().0,
                )
            })
            .collect();
        (metrics, own)
    }

    #[test]
    fn a_cte_below_the_root_that_scans_it_counts_once() {
        let (metrics, own) = own(
            "CTE Scan on recent  (actual time=1.000..90.000 rows=5 loops=1)\n  Buffers: shared hit=120\n  CTE recent\n    ->  Sort  (actual \
             time=1.000..40.000 rows=900 loops=1)\n          Buffers: shared hit=120\n          ->  Seq Scan on visits  (actual time=0.000..30.000 \
             rows=900 loops=1)\n                Buffers: shared hit=120\nExecution Time: 90.000 ms\n",
        );
        assert_eq!(own, [(50.0, 0), (10.0, 0), (30.0, 120)]);
        assert_eq!(metrics.blocks, Some(Pages(120)));
        assert_eq!(metrics.contradictions, []);
    }

    #[test]
    fn init_plans_that_no_expression_names_belong_to_the_node_above_them() {
        let (_, own) = own(
            "Result  (actual time=9.000..9.000 rows=1 loops=1)\n  Buffers: shared hit=70\n  InitPlan 1 (returns $0)\n    ->  Seq Scan on a  (actual \
             time=0.000..6.000 rows=1 loops=1)\n          Buffers: shared hit=50\n  InitPlan 2 (returns $1)\n    ->  Seq Scan on b  (actual \
             time=0.000..3.000 rows=1 loops=1)\n          Buffers: shared hit=20\n",
        );
        assert_eq!(own, [(0.0, 0), (6.0, 50), (3.0, 20)]);
    }

    #[test]
    fn the_init_plan_lies_in_the_time_of_the_node_that_names_it() {
        let (_, own) = own(
            "Limit  (actual time=9.000..9.000 rows=1 loops=1)\n  InitPlan 1 (returns $0)\n    ->  Seq Scan on a  (actual time=0.000..6.000 rows=1 \
             loops=1)\n  ->  Seq Scan on b  (actual time=6.000..9.000 rows=1 loops=1)\n        Filter: (x > $0)\n",
        );
        assert_eq!(
            own.iter().map(|(time, _)| *time).collect::<Vec<_>>(),
            [0.0, 6.0, 3.0]
        );
    }

    #[test]
    fn figures_that_contradict_each_other_are_named() {
        let (metrics, _) = own(
            "Limit  (actual time=1.000..10.000 rows=1 loops=1)\n  ->  Seq Scan on a  (actual time=0.000..30.000 rows=1 loops=1)\n",
        );
        assert_eq!(metrics.contradictions, [NodeId(0)]);
    }
}
