//! Random plan trees whose every node's own time and blocks are known: printed as EXPLAIN prints them (averages per loop,
//! rounded to the microsecond, with what ran inside of them), they must come out of the arithmetic again, and sum to the
//! whole. Parallel plans, InitPlans, SubPlans, CTEs, Append, nodes that never ran, Memoize, triggers and JIT among them.

use pgproof::plan::{
    Actual, Buffers, Jit, Metrics, Node, NodeId, NodeKind, PerLoop, Plan, Relationship, Trigger,
};
use pgproof::units::Millis;
use proptest::prelude::*;

/// What a node did itself.
#[derive(Debug, Clone, Copy, Default)]
struct Own {
    /// Wall time over all loops, ms.
    time: f64,
    blocks: u64,
}

/// A plan with the truth about it.
struct Known {
    plan: Plan,
    own: Vec<Own>,
    /// With what ran inside.
    inclusive: Vec<Own>,
    /// Nodes whose part cannot be told apart from another's: those that read a CTE, and the CTE.
    shared: Vec<bool>,
    loops: Vec<f64>,
}

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl Known {
    fn of(seed: u64, size: usize) -> Self {
        let mut known = Self {
            plan: Plan::default(),
            own: Vec::new(),
            inclusive: Vec::new(),
            shared: Vec::new(),
            loops: Vec::new(),
        };
        let mut draw = Draw(seed);
        known.grow(&mut draw, None, 1.0, 1.0, size, true);
        known.plan.execution_ms = Some(Millis(known.inclusive[0].time + 3.0));
        known.plan.triggers.push(Trigger {
            name: "t".to_owned(),
            constraint: None,
            relation: None,
            time_ms: Some(Millis(2.0)),
            calls: 4.0,
        });
        known.plan.jit = Some(Jit {
            functions: 3,
            total_ms: Some(Millis(0.5)),
        });
        known
    }

    /// Adds a subtree; returns its root.
    fn grow(
        &mut self,
        draw: &mut Draw,
        parent: Option<usize>,
        loops: f64,
        processes: f64,
        size: usize,
        runs: bool,
    ) -> usize {
        const KINDS: [NodeKind; 9] = [
            NodeKind::NestedLoop,
            NodeKind::HashJoin,
            NodeKind::Append,
            NodeKind::Memoize,
            NodeKind::Sort,
            NodeKind::Aggregate,
            NodeKind::Gather,
            NodeKind::Result,
            NodeKind::ModifyTable,
        ];
        let id = self.plan.nodes.len();
        let mut kind = KINDS[draw.below(9) as usize].clone();
        if size <= 1 {
            kind = NodeKind::SeqScan;
        }
        if kind == NodeKind::Gather && processes > 1.0 {
            kind = NodeKind::Sort;
        }
        let mut node = Node::of_kind(kind.clone());
        node.parent = parent.map(NodeId);
        node.relationship = parent.map(|_| Relationship::Outer);
        self.plan.nodes.push(node);
        // A loop takes some microseconds at least: what is shorter than EXPLAIN prints is lost to every reader.
        let own = Own {
            time: (draw.below(5_000) + 50) as f64 / 1000.0 * loops,
            blocks: draw.below(50),
        };
        let own = if runs { own } else { Own::default() };
        self.own.push(own);
        self.inclusive.push(own);
        self.shared.push(false);
        self.loops.push(if runs { loops * processes } else { 0.0 });
        if size > 1 {
            self.children(draw, id, &kind, loops, processes, size, runs);
        }
        self.printed(id, processes);
        id
    }

    #[expect(clippy::too_many_arguments, reason = "what a subtree inherits")]
    fn children(
        &mut self,
        draw: &mut Draw,
        id: usize,
        kind: &NodeKind,
        loops: f64,
        processes: f64,
        size: usize,
        runs: bool,
    ) {
        let count = if matches!(kind, NodeKind::NestedLoop | NodeKind::HashJoin) {
            2
        } else {
            1 + draw.below(2) as usize
        };
        for place in 0..count {
            let loops = if *kind == NodeKind::NestedLoop && place == 1 {
                loops * (1 + draw.below(200)) as f64
            } else {
                loops
            };
            let processes = if *kind == NodeKind::Gather {
                (1 + draw.below(4)) as f64
            } else {
                processes
            };
            let executed = runs && !draw.chance(10);
            let child = self.grow(draw, Some(id), loops, processes, size / count, executed);
            self.below(id, child);
        }
        if draw.chance(25) {
            let subplan_loops = loops * (1 + draw.below(50)) as f64;
            let child = self.grow(
                draw,
                Some(id),
                subplan_loops,
                1.0,
                size / 4,
                runs && processes <= 1.0,
            );
            self.plan.nodes[child].relationship = Some(Relationship::SubPlan);
            self.plan.nodes[child].subplan_name = Some("SubPlan 1".to_owned());
            self.below(id, child);
        }
        if draw.chance(25) && processes <= 1.0 && *kind != NodeKind::Gather {
            // The node's own condition needs it: its time lies in the node.
            let child = self.grow(draw, Some(id), 1.0, 1.0, size / 4, runs);
            let name = format!("${child}");
            self.plan.nodes[child].relationship = Some(Relationship::InitPlan);
            self.plan.nodes[child].subplan_name =
                Some(format!("InitPlan {child} (returns {name})"));
            self.plan.nodes[id].conditions.filter = Some(format!("(a = {name})"));
            self.below(id, child);
        }
    }

    fn below(&mut self, id: usize, child: usize) {
        self.plan.nodes[id].children.push(NodeId(child));
        self.inclusive[id].time += self.inclusive[child].time;
        self.inclusive[id].blocks += self.inclusive[child].blocks;
    }

    /// The node's figures as EXPLAIN prints them.
    fn printed(&mut self, id: usize, processes: f64) {
        let loops = self.loops[id];
        let time = if loops > 0.0 {
            self.inclusive[id].time * processes / loops
        } else {
            0.0
        };
        let rounded = (time * 1000.0).round() / 1000.0;
        let node = &mut self.plan.nodes[id];
        node.actual = Some(Actual {
            startup: None,
            total: Some(PerLoop(Millis(rounded))),
            rows: PerLoop(1.0),
            loops,
        });
        node.buffers = Some(Buffers {
            shared_hit: self.inclusive[id].blocks,
            ..Buffers::default()
        });
    }

    /// Puts a CTE under the root, read by some leaves: their measured time and blocks grow by its own.
    fn with_cte(mut self, draw: &mut Draw) -> Self {
        let leaves: Vec<usize> = (1..self.plan.nodes.len())
            .filter(|id| self.plan.nodes[*id].children.is_empty() && self.loops[*id] == 1.0)
            .filter(|id| !self.under_subplan(*id))
            .take(1 + draw.below(3) as usize)
            .collect();
        if leaves.is_empty() {
            return self;
        }
        let cte = Own {
            time: leaves.len() as f64 * 4.0,
            blocks: leaves.len() as u64 * 10,
        };
        for leaf in &leaves {
            self.plan.nodes[*leaf].kind = NodeKind::CteScan;
            self.plan.nodes[*leaf].cte_name = Some("c".to_owned());
            self.shared[*leaf] = true;
            let mut at = Some(*leaf);
            while let Some(id) = at {
                self.inclusive[id].time += 4.0;
                self.inclusive[id].blocks += 10;
                self.printed(id, 1.0_f64.max(self.loops[id] / self.loops[id].max(1.0)));
                at = self.plan.nodes[id].parent.map(|parent| parent.0);
            }
        }
        let id = self.plan.nodes.len();
        let mut node = Node::of_kind(NodeKind::SeqScan);
        node.parent = Some(NodeId(0));
        node.relationship = Some(Relationship::InitPlan);
        node.subplan_name = Some("CTE c".to_owned());
        self.plan.nodes.push(node);
        self.plan.nodes[0].children.push(NodeId(id));
        self.own.push(cte);
        self.inclusive.push(cte);
        self.shared.push(true);
        self.loops.push(1.0);
        self.printed(id, 1.0);
        self.plan.execution_ms = Some(Millis(self.inclusive[0].time + 3.0));
        self
    }

    fn under_subplan(&self, id: usize) -> bool {
        let mut at = Some(NodeId(id));
        while let Some(node) = at.map(|id| self.plan.node(id)) {
            if node.is_subplan() || node.kind == NodeKind::Gather {
                return true;
            }
            at = node.parent;
        }
        false
    }
}

fn sums_hold(known: &Known) -> Result<(), TestCaseError> {
    let metrics = Metrics::of(&known.plan);
    let time: f64 = known
        .plan
        .ids()
        .filter_map(|id| metrics.node(id).exclusive)
        .map(|time| time.0)
        .sum();
    let total = metrics.tree.unwrap().0;
    prop_assert!(
        (time - total).abs() <= total * 0.01 + 1e-9,
        "times sum to {time}, not to {total}"
    );
    prop_assert!((total - known.inclusive[0].time).abs() <= known.inclusive[0].time * 0.01 + 0.001);
    let blocks: u64 = known
        .plan
        .ids()
        .filter_map(|id| metrics.node(id).exclusive_blocks)
        .map(|pages| pages.0)
        .sum();
    let all = known.inclusive[0].blocks;
    prop_assert!(
        blocks.abs_diff(all) as f64 <= all as f64 * 0.01 + 1.0,
        "blocks sum to {blocks}, not to {all}"
    );
    // Triggers and JIT are outside of the tree.
    prop_assert_eq!(metrics.total.unwrap(), known.plan.execution_ms.unwrap());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_node_gets_its_own(seed in any::<u64>(), size in 1_usize..60) {
        let known = Known::of(seed, size);
        sums_hold(&known)?;
        let metrics = Metrics::of(&known.plan);
        for id in known.plan.ids() {
            let (found, own) = (metrics.node(id), known.own[id.0]);
            prop_assert_eq!(found.exclusive_blocks.unwrap().0, own.blocks, "blocks of node {}", id.0);
            // Half a microsecond a loop, its own and its children's.
            let loops: f64 = std::iter::once(&id).chain(&known.plan.node(id).children).map(|id| known.loops[id.0]).sum();
            let error = (found.exclusive.unwrap().0 - own.time).abs();
            // Where rounding makes children longer than their parent, what is above them pays for it.
            let slack = loops * 0.0005 + known.inclusive[id.0].time * 0.01 + 0.001;
            prop_assert!(error <= slack, "node {}: {} instead of {}", id.0, found.exclusive.unwrap(), own.time);
            if known.loops[id.0] == 0.0 {
                prop_assert_eq!(found.executed, Some(false));
                prop_assert_eq!(found.exclusive, Some(Millis(0.0)));
            }
        }
    }

    #[test]
    fn sums_hold_with_ctes(seed in any::<u64>(), size in 2_usize..60) {
        let known = Known::of(seed, size).with_cte(&mut Draw(seed ^ 7));
        sums_hold(&known)?;
    }

    /// Whatever the figures say, even where they contradict each other.
    #[test]
    fn sums_hold_for_figures_that_contradict_each_other(
        seed in any::<u64>(),
        size in 1_usize..60,
        factors in proptest::collection::vec(0.0_f64..5.0, 1..60),
    ) {
        let mut known = Known::of(seed, size).with_cte(&mut Draw(seed ^ 7));
        for (node, factor) in known.plan.nodes.iter_mut().skip(1).zip(factors.iter().cycle()) {
            if let Some(PerLoop(Millis(total))) = node.actual.as_mut().and_then(|actual| actual.total.as_mut()) {
                *total *= factor;
            }
        }
        let metrics = Metrics::of(&known.plan);
        let time: f64 = known.plan.ids().filter_map(|id| metrics.node(id).exclusive).map(|time| time.0).sum();
        let total = metrics.tree.unwrap().0;
        prop_assert!((time - total).abs() <= total * 0.01 + 1e-9, "times sum to {time}, not to {total}");
        prop_assert!(known.plan.ids().all(|id| metrics.node(id).exclusive.unwrap().0 >= -1e-9));
    }
}
