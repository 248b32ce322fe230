//! How many rows each node gave out over all loops. Before 18 EXPLAIN rounds rows per loop to whole numbers: of many loops the
//! total is a range, until a node above or below, which counted the same rows in one loop, pins it. Judges nothing.

use std::fmt;

use super::node::{Actual, JoinType, Node, NodeId, NodeKind, Plan};
use crate::units::Count;

/// A number of rows over all loops: exact where `low` and `high` are the same, else somewhere between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowCount {
    /// No fewer.
    pub low: f64,
    /// What was printed, within the bounds.
    pub likely: f64,
    /// No more.
    pub high: f64,
}

impl RowCount {
    /// As printed: rows per loop, rounded.
    fn printed(actual: &Actual) -> Self {
        // 18 prints two decimals, servers before it whole rows.
        let rounding = if actual.rows.0.fract() == 0.0 {
            0.5
        } else {
            0.005
        };
        let likely = actual.rows.0 * actual.loops;
        let slack = if actual.loops > 1.0 {
            rounding * actual.loops
        } else {
            0.0
        };
        Self {
            low: (likely - slack).max(0.0),
            likely,
            high: likely + slack,
        }
    }

    /// Whether it is one row, surely.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.is_exact() && (self.likely - 1.0).abs() < 0.5
    }

    /// Whether the plan tells the number.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.high - self.low < 1.0
    }

    /// Of two places together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            likely: self.likely + other.likely,
            high: self.high + other.high,
        }
    }

    /// What both bounds allow; `self` where they contradict each other.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        let (low, high) = (self.low.max(low), self.high.min(high));
        if low > high {
            return self;
        }
        Self {
            low,
            likely: self.likely.clamp(low, high),
            high,
        }
    }
}

impl fmt::Display for RowCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_exact() {
            write!(f, "{}", Count(self.likely))
        } else if self.likely < 1.0 {
            write!(f, "at most {}", Count(self.high.floor()))
        } else {
            write!(f, "about {}", Count(self.likely))
        }
    }
}

/// For every node, the rows that it gave out.
pub(super) fn counts(plan: &Plan, stopped: &[bool]) -> Vec<Option<RowCount>> {
    let mut counts: Vec<Option<RowCount>> = plan
        .nodes
        .iter()
        .map(|node| node.actual.as_ref().map(RowCount::printed))
        .collect();
    for id in plan.ids().rev() {
        from_below(plan, stopped, id, &mut counts);
    }
    for id in plan.ids() {
        from_above(plan, stopped, id, &mut counts);
    }
    counts
}

/// What the inputs tell of a node.
fn from_below(plan: &Plan, stopped: &[bool], id: NodeId, counts: &mut [Option<RowCount>]) {
    let node = plan.node(id);
    let Some(own) = counts[id.0] else { return };
    let inputs: Vec<NodeId> = plan.inputs(id).collect();
    let known: Option<Vec<RowCount>> = inputs.iter().map(|input| counts[input.0]).collect();
    let Some(known) = known.filter(|known| !known.is_empty()) else {
        return;
    };
    counts[id.0] = Some(match the_same_rows(plan, node, &inputs) {
        Same::Input(input) => match counts[input.0] {
            Some(below) if stopped[id.0] => own.within(0.0, below.high),
            Some(below) => own.within(below.low, below.high),
            None => own,
        },
        Same::AllInputs => {
            let all = known.into_iter().reduce(RowCount::plus).unwrap_or(own);
            own.within(if stopped[id.0] { 0.0 } else { all.low }, all.high)
        }
        Same::No => own,
    });
}

/// What a node tells of its inputs.
fn from_above(plan: &Plan, stopped: &[bool], id: NodeId, counts: &mut [Option<RowCount>]) {
    let node = plan.node(id);
    let Some(own) = counts[id.0] else { return };
    let inputs: Vec<NodeId> = plan.inputs(id).collect();
    match the_same_rows(plan, node, &inputs) {
        Same::Input(input) => {
            let high = if stopped[id.0] {
                f64::INFINITY
            } else {
                own.high
            };
            counts[input.0] = counts[input.0].map(|below| below.within(own.low, high));
        }
        Same::AllInputs if !stopped[id.0] => {
            let all = inputs
                .iter()
                .filter_map(|input| counts[input.0])
                .reduce(RowCount::plus);
            let Some(all) = all else { return };
            for input in inputs {
                counts[input.0] = counts[input.0].map(|below| {
                    let others_low = all.low - below.low;
                    let others_high = all.high - below.high;
                    below.within(own.low - others_high, own.high - others_low)
                });
            }
        }
        Same::AllInputs | Same::No => {}
    }
}

/// Whose rows a node counts once more.
enum Same {
    /// Those of one input.
    Input(NodeId),
    /// Those of all inputs together.
    AllInputs,
    No,
}

fn the_same_rows(plan: &Plan, node: &Node, inputs: &[NodeId]) -> Same {
    let loops = |node: &Node| node.actual.map_or(0.0, |actual| actual.loops);
    let runs_alike = |input: &NodeId| loops(plan.node(*input)) == loops(node);
    let conditions = &node.conditions;
    match &node.kind {
        // Every process runs what is below.
        NodeKind::Gather | NodeKind::GatherMerge => match inputs {
            [input] => Same::Input(*input),
            _ => Same::No,
        },
        NodeKind::Sort
        | NodeKind::IncrementalSort
        | NodeKind::Hash
        | NodeKind::LockRows
        | NodeKind::SubqueryScan
            if conditions.filter.is_none() =>
        {
            match inputs {
                [input] if runs_alike(input) => Same::Input(*input),
                _ => Same::No,
            }
        }
        NodeKind::Append | NodeKind::MergeAppend => {
            if inputs.iter().all(runs_alike) {
                Same::AllInputs
            } else {
                Same::No
            }
        }
        // Each row of the inner side is a row of the join.
        NodeKind::NestedLoop => {
            let is_plain = matches!(node.join_type, None | Some(JoinType::Inner))
                && conditions.join_filter.is_none()
                && conditions.filter.is_none()
                && loops(node) == 1.0;
            match inputs {
                [_, inner] if is_plain => Same::Input(*inner),
                _ => Same::No,
            }
        }
        _ => Same::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    fn counted(text: &str) -> Vec<RowCount> {
        let plan = parse::any(text).unwrap().remove(0);
        counts(&plan, &vec![false; plan.nodes.len()])
            .into_iter()
            .flatten()
            .collect()
    }

    #[test]
    fn an_average_of_many_loops_is_a_range_until_a_join_pins_it() {
        let join = "Nested Loop  (actual time=1.0..9.0 rows=9165 loops=1)\n  ->  Seq Scan on a  (actual time=1.0..2.0 rows=40000 loops=1)\n  ->  Index Scan \
                    using i on b  (actual time=0.1..0.2 rows=0 loops=40000)\n        Index Cond: (id = a.b_id)\n";
        let pinned = counted(join);
        assert_eq!((pinned[2].low, pinned[2].high), (9165.0, 9165.0));
        assert_eq!(pinned[2].to_string(), "9,165");
        let loose = counted(&join.replace("Nested Loop", "Nested Loop Left Join"));
        assert_eq!((loose[2].low, loose[2].high), (0.0, 20_000.0));
        assert_eq!(loose[2].to_string(), "at most 20,000");
    }

    #[test]
    fn one_member_of_an_append_is_what_the_others_leave() {
        let rows = counted(
            "Append  (actual time=1.0..9.0 rows=10 loops=3)\n  ->  Seq Scan on a  (actual time=1.0..2.0 rows=8 loops=3)\n  ->  Seq Scan on b  (actual \
             time=1.0..2.0 rows=2 loops=3)\n",
        );
        assert!(
            rows.iter()
                .all(|count| count.low <= count.likely && count.likely <= count.high)
        );
        assert!(rows[0].low >= 28.5 && rows[0].high <= 31.5);
    }

    #[test]
    fn decimals_leave_little_room() {
        let rows = counted("Seq Scan on a  (actual time=1.0..9.0 rows=2.50 loops=1000)\n");
        assert_eq!((rows[0].low, rows[0].high), (2495.0, 2505.0));
        assert_eq!(rows[0].to_string(), "about 2,500");
    }
}
