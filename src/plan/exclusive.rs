//! A quantity that EXPLAIN counts with the children (time, blocks), shared out so that every node has its own part and the
//! parts sum to the whole. Judges nothing.
//!
//! A node *pays* for what runs inside of it: its inputs, its SubPlans, the InitPlans whose results it is the first to need,
//! and, in proportion, the CTE that it scans. Where measurements contradict each other (clocks, averages of many loops
//! rounded to the microsecond, a bitmap that one process builds while the others wait), a node never pays more than it has:
//! what it pays for is scaled down.

use super::node::{Node, NodeId, NodeKind, Plan, Relationship};

/// Each node's own part.
pub(super) struct Exclusive {
    /// By node; `None` where it was not measured.
    pub(super) own: Vec<Option<f64>>,
    /// What ran outside the root: CTEs that nobody read to their end.
    pub(super) detached: f64,
}

/// Shares a quantity out.
pub(super) fn exclusive(
    plan: &Plan,
    inclusive: &[Option<f64>],
    hosts: &InitPlanHosts,
) -> Exclusive {
    let bills = Bills::of(plan, inclusive, hosts);
    let amount = |id: usize| inclusive[id].unwrap_or_default();
    // What arrives at each node: the root's and the detached parts as measured, the rest through its payers.
    let mut arrived = bills.detached.clone();
    arrived[0] = amount(0);
    let mut own: Vec<Option<f64>> = vec![None; plan.nodes.len()];
    let mut waiting: Vec<usize> = bills.payers.clone();
    let mut ready: Vec<usize> = (0..plan.nodes.len())
        .filter(|id| waiting[*id] == 0)
        .collect();
    while let Some(id) = ready.pop() {
        let claimed: f64 = bills.of[id].iter().map(|(_, claim)| claim).sum();
        // The part of what was measured here that somebody above paid for.
        let part = if amount(id) > 0.0 {
            arrived[id] / amount(id)
        } else {
            0.0
        };
        let paid = claimed.min(amount(id));
        own[id] = inclusive[id].map(|amount| part * (amount - paid));
        let scale = if claimed > 0.0 {
            part * paid / claimed
        } else {
            0.0
        };
        for (payee, claim) in &bills.of[id] {
            arrived[*payee] += claim * scale;
            waiting[*payee] -= 1;
            if waiting[*payee] == 0 {
                ready.push(*payee);
            }
        }
    }
    // CTEs that read each other do not come from a server: such nodes have nothing of their own.
    for (id, value) in own.iter_mut().enumerate() {
        if value.is_none() && inclusive[id].is_some() {
            *value = Some(0.0);
        }
    }
    Exclusive {
        own,
        detached: bills.detached.iter().sum(),
    }
}

/// Who pays for whom.
struct Bills {
    /// By payer: payee and amount.
    of: Vec<Vec<(usize, f64)>>,
    /// By payee: how many pay for it.
    payers: Vec<usize>,
    /// By node: what nobody pays for, because it ran outside the root.
    detached: Vec<f64>,
}

impl Bills {
    fn of(plan: &Plan, inclusive: &[Option<f64>], hosts: &InitPlanHosts) -> Self {
        let count = plan.nodes.len();
        let mut bills = Self {
            of: vec![Vec::new(); count],
            payers: vec![0; count],
            detached: vec![0.0; count],
        };
        for id in plan.ids() {
            let Some(parent) = plan.node(id).parent else {
                continue;
            };
            let amount = inclusive[id.0].unwrap_or_default();
            if let Some(name) = plan.node(id).cte() {
                let readers = cte_readers(plan, id, parent, name);
                let read: f64 = readers
                    .iter()
                    .filter_map(|reader| inclusive[reader.0])
                    .sum();
                for reader in &readers {
                    let part = inclusive[reader.0].unwrap_or_default();
                    bills.add(
                        *reader,
                        id,
                        if read > 0.0 {
                            part * (amount / read).min(1.0)
                        } else {
                            0.0
                        },
                    );
                }
                bills.detached[id.0] = (amount - read).max(0.0);
            } else {
                bills.add(hosts.of(id).unwrap_or(parent), id, amount);
            }
        }
        bills
    }

    fn add(&mut self, payer: NodeId, payee: NodeId, amount: f64) {
        self.of[payer.0].push((payee.0, amount));
        self.payers[payee.0] += 1;
    }
}

/// CTE Scans of the CTE that is attached to `scope`.
fn cte_readers(plan: &Plan, cte: NodeId, scope: NodeId, name: &str) -> Vec<NodeId> {
    plan.descendants(scope)
        .filter(|id| !plan.is_above(cte, *id))
        .filter(|id| {
            plan.node(*id).kind == NodeKind::CteScan
                && plan.node(*id).cte_name.as_deref() == Some(name)
        })
        .collect()
}

/// For each InitPlan the node in whose time it lies: the one that first refers to its result.
pub(super) struct InitPlanHosts(Vec<Option<NodeId>>);

impl InitPlanHosts {
    fn of(&self, id: NodeId) -> Option<NodeId> {
        self.0[id.0]
    }

    pub(super) fn find(plan: &Plan, inclusive: &[Option<f64>]) -> Self {
        let mut slack: Vec<f64> = inclusive
            .iter()
            .map(|value| value.unwrap_or_default())
            .collect();
        for id in plan.ids() {
            let node = plan.node(id);
            if let (Some(parent), false) =
                (node.parent, node.is_init_plan() || node.cte().is_some())
            {
                slack[parent.0] -= inclusive[id.0].unwrap_or_default();
            }
        }
        let mut hosts = vec![None; plan.nodes.len()];
        for id in plan.ids().filter(|id| plan.node(*id).is_init_plan()) {
            let Some(scope) = plan.node(id).parent else {
                continue;
            };
            let host = host(plan, id, scope, &slack);
            slack[host.0] -= inclusive[id.0].unwrap_or_default();
            hosts[id.0] = Some(host);
        }
        Self(hosts)
    }
}

/// Among the nodes that name the InitPlan's result (and the Gathers above them, which compute it for their workers), the
/// one with the most time to spare; where no expression was printed, among all nodes in its scope.
fn host(plan: &Plan, init_plan: NodeId, scope: NodeId, slack: &[f64]) -> NodeId {
    let names = result_names(
        plan.node(init_plan)
            .subplan_name
            .as_deref()
            .unwrap_or_default(),
    );
    let in_scope = || {
        plan.subtree(scope)
            .filter(|id| *id != init_plan && !plan.is_above(init_plan, *id))
    };
    let mut candidates: Vec<NodeId> = in_scope()
        .filter(|id| plan.node(*id).mentions(&names))
        .collect();
    let gathers: Vec<NodeId> = candidates
        .iter()
        .filter_map(|id| plan.nearest_gather(*id))
        .collect();
    candidates.extend(gathers.into_iter().filter(|id| *id >= scope));
    if candidates.is_empty() {
        candidates = in_scope().collect();
    }
    candidates
        .into_iter()
        .max_by(|a, b| slack[a.0].total_cmp(&slack[b.0]).then(b.cmp(a)))
        .unwrap_or(scope)
}

/// How expressions name an InitPlan's result: `$0` before 17, `(InitPlan 1).col1` and `InitPlan expr_1` from then on.
fn result_names(subplan_name: &str) -> Vec<String> {
    let (name, returns) = subplan_name
        .split_once(" (returns ")
        .unwrap_or((subplan_name, ""));
    let mut names: Vec<String> = returns
        .trim_end_matches(')')
        .split(',')
        .filter(|param| !param.is_empty())
        .map(str::to_owned)
        .collect();
    names.push(name.to_owned());
    names
}

impl Node {
    fn is_init_plan(&self) -> bool {
        self.relationship == Some(Relationship::InitPlan) && self.cte().is_none()
    }

    fn mentions(&self, names: &[String]) -> bool {
        let conditions = &self.conditions;
        let scalar = [
            &conditions.index,
            &conditions.recheck,
            &conditions.order_by,
            &conditions.filter,
            &conditions.hash,
            &conditions.merge,
            &conditions.join_filter,
            &conditions.one_time_filter,
            &conditions.tid,
            &conditions.cache_key,
            &conditions.conflict_filter,
        ];
        let lists = [&self.output, &self.sort_key, &self.group_key];
        let texts = scalar
            .into_iter()
            .flatten()
            .chain(lists.into_iter().flatten());
        texts
            .into_iter()
            .any(|text| names.iter().any(|name| mentions(text, name)))
    }
}

/// Whole names only: `$1` is not in `$10`.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let after = text[at + name.len()..].bytes().next();
        !after.is_some_and(|byte| byte.is_ascii_alphanumeric())
    })
}
