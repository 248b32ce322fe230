//! A quantity that EXPLAIN counts with the children (time, blocks), shared out so that every node has its own part and the
//! parts sum to the whole. Judges nothing.
//!
//! A node *pays* for what runs inside of it: its inputs, its SubPlans, the InitPlans whose results it is the first to need,
//! and, in proportion, the CTE that it scans. Where measurements contradict each other (clocks, averages of many loops
//! rounded to the microsecond, a bitmap that one process builds while the others wait), a node never pays more than it has:
//! what it pays for is scaled down.

use std::collections::HashMap;

use super::node::{Node, NodeId, NodeKind, Plan, Relationship};

/// Each node's own part.
pub(super) struct Exclusive {
    /// By node; `None` where it was not measured.
    pub(super) own: Vec<Option<f64>>,
    /// What ran outside the root: CTEs that nobody read to their end.
    pub(super) detached: f64,
    /// By node: by how much what it pays for exceeds what it has.
    pub(super) excess: Vec<f64>,
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
    let mut excess = vec![0.0; plan.nodes.len()];
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
        excess[id] = if amount(id) > 0.0 {
            part * (claimed - paid)
        } else {
            claimed
        };
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
        excess,
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
        let is_cte = |id: &NodeId| plan.node(*id).cte().is_some();
        for id in plan.ids().filter(|id| !is_cte(id)) {
            if let Some(parent) = plan.node(id).parent {
                let amount = inclusive[id.0].unwrap_or_default();
                bills.add(hosts.of(id).unwrap_or(parent), id, amount);
            }
        }
        let readers_of = cte_readers(plan);
        for id in plan.ids().filter(is_cte) {
            let readers = readers_of.get(&id).map_or(&[][..], Vec::as_slice);
            bills.add_cte(id, readers, inclusive);
        }
        bills
    }

    /// Its readers pay for a CTE in proportion to what each has left: what a reader's own subplans took, other readers among
    /// them, was not the CTE's. What all of them together did not have ran outside the root.
    fn add_cte(&mut self, cte: NodeId, readers: &[NodeId], inclusive: &[Option<f64>]) {
        let amount = inclusive[cte.0].unwrap_or_default();
        let has = |reader: &NodeId| inclusive[reader.0].unwrap_or_default();
        let left = |reader: &NodeId| {
            let claimed: f64 = self.of[reader.0].iter().map(|(_, claim)| claim).sum();
            (has(reader) - claimed).max(0.0)
        };
        let read: f64 = readers.iter().map(has).sum();
        let mut shares: Vec<f64> = readers.iter().map(left).collect();
        if shares.iter().sum::<f64>() <= 0.0 {
            shares = readers.iter().map(has).collect();
        }
        let all: f64 = shares.iter().sum();
        let payable = amount.min(read);
        for (reader, share) in readers.iter().zip(shares) {
            let claim = if all > 0.0 {
                payable * share / all
            } else {
                0.0
            };
            self.add(*reader, cte, claim);
        }
        self.detached[cte.0] = (amount - read).max(0.0);
    }

    fn add(&mut self, payer: NodeId, payee: NodeId, amount: f64) {
        self.of[payer.0].push((payee.0, amount));
        self.payers[payee.0] += 1;
    }
}

/// By CTE, the CTE Scans that read it. A scan reads the nearest CTE of its name: one that is attached to the scan itself or to
/// a node above it.
fn cte_readers(plan: &Plan) -> HashMap<NodeId, Vec<NodeId>> {
    let mut attached: HashMap<(NodeId, &str), NodeId> = HashMap::new();
    for id in plan.ids() {
        if let (Some(scope), Some(name)) = (plan.node(id).parent, plan.node(id).cte()) {
            attached.insert((scope, name), id);
        }
    }
    let mut readers: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    if attached.is_empty() {
        return readers;
    }
    for reader in plan.ids() {
        let node = plan.node(reader);
        let Some(name) = node
            .cte_name
            .as_deref()
            .filter(|_| node.kind == NodeKind::CteScan)
        else {
            continue;
        };
        let cte = std::iter::once(reader)
            .chain(plan.ancestors(reader))
            .filter_map(|scope| attached.get(&(scope, name)).copied())
            .find(|cte| *cte != reader && !plan.is_above(*cte, reader));
        if let Some(cte) = cte {
            readers.entry(cte).or_default().push(reader);
        }
    }
    readers
}

/// For each InitPlan the node in whose time it lies: the one that first refers to its result.
pub(super) struct InitPlanHosts(Vec<Option<NodeId>>);

impl InitPlanHosts {
    fn of(&self, id: NodeId) -> Option<NodeId> {
        self.0[id.0]
    }

    /// `measures` are the quantities that the host must be able to pay: wall time, blocks.
    pub(super) fn find(plan: &Plan, measures: &[&[Option<f64>]]) -> Self {
        let mut slacks: Vec<Slack> = measures
            .iter()
            .filter(|inclusive| inclusive.first().is_some_and(Option::is_some))
            .map(|inclusive| Slack::of(plan, inclusive))
            .collect();
        let mut hosts = vec![None; plan.nodes.len()];
        let mut mentions = None;
        for id in plan.ids().filter(|id| plan.node(*id).is_init_plan()) {
            let Some(scope) = plan.node(id).parent else {
                continue;
            };
            let mentions = mentions.get_or_insert_with(|| Mentions::of(plan));
            let host = host(plan, id, scope, &slacks, mentions);
            slacks.iter_mut().for_each(|slack| slack.pay(host, id));
            hosts[id.0] = Some(host);
        }
        Self(hosts)
    }
}

/// What each node has of one quantity beyond what its inputs took: from this it can pay for InitPlans.
struct Slack<'a> {
    inclusive: &'a [Option<f64>],
    left: Vec<f64>,
}

impl<'a> Slack<'a> {
    fn of(plan: &Plan, inclusive: &'a [Option<f64>]) -> Self {
        let mut left: Vec<f64> = inclusive
            .iter()
            .map(|value| value.unwrap_or_default())
            .collect();
        for id in plan.ids() {
            let node = plan.node(id);
            if let (Some(parent), false) =
                (node.parent, node.is_init_plan() || node.cte().is_some())
            {
                left[parent.0] -= inclusive[id.0].unwrap_or_default();
            }
        }
        Self { inclusive, left }
    }

    fn pay(&mut self, host: NodeId, init_plan: NodeId) {
        self.left[host.0] -= self.inclusive[init_plan.0].unwrap_or_default();
    }

    /// The share of the InitPlan's amount that the host cannot pay, from 0 to 1; small ones are rounding.
    fn shortfall(&self, host: NodeId, init_plan: NodeId) -> f64 {
        const ROUNDING: f64 = 0.01;
        let amount = self.inclusive[init_plan.0].unwrap_or_default();
        if amount <= 0.0 {
            return 0.0;
        }
        let missing = ((amount - self.left[host.0]) / amount).clamp(0.0, 1.0);
        if missing <= ROUNDING { 0.0 } else { missing }
    }
}

/// Among the nodes that name the InitPlan's result (and the Gathers above them, which compute it for their workers), the
/// one that can pay for it and has the most to spare. Where no expression was printed, the node that the InitPlan is
/// attached to, whose output list needs it, unless only another node in its scope can pay.
fn host(
    plan: &Plan,
    init_plan: NodeId,
    scope: NodeId,
    slacks: &[Slack<'_>],
    mentions: &Mentions,
) -> NodeId {
    /// Where nothing tells, nodes beyond these are not tried.
    const TRIED: usize = 1_000;
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
    let mut candidates: Vec<NodeId> = names
        .iter()
        .flat_map(|name| mentions.of_name(name))
        .filter(|id| *id == scope || plan.is_above(scope, *id))
        .filter(|id| *id != init_plan && !plan.is_above(init_plan, *id))
        .collect();
    let gathers: Vec<NodeId> = candidates
        .iter()
        .filter_map(|id| plan.nearest_gather(*id))
        .collect();
    candidates.extend(gathers.into_iter().filter(|id| *id >= scope));
    let shortfall = |id: NodeId| -> f64 {
        slacks
            .iter()
            .map(|slack| slack.shortfall(id, init_plan))
            .sum()
    };
    if candidates.is_empty() {
        if shortfall(scope) == 0.0 {
            return scope;
        }
        let is_of_another = |id: NodeId| {
            std::iter::once(id)
                .chain(plan.ancestors(id))
                .take_while(|above| *above != scope)
                .any(|above| plan.node(above).is_init_plan())
        };
        candidates = in_scope()
            .take(TRIED)
            .filter(|id| !is_of_another(*id))
            .collect();
    }
    let left = |id: NodeId| slacks.first().map_or(0.0, |slack| slack.left[id.0]);
    candidates
        .into_iter()
        .min_by(|a, b| {
            shortfall(*a)
                .total_cmp(&shortfall(*b))
                .then(left(*b).total_cmp(&left(*a)))
                .then(a.cmp(b))
        })
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

    /// Every expression that EXPLAIN printed of it.
    fn expressions(&self) -> impl Iterator<Item = &String> {
        let lists = [&self.output, &self.sort_key, &self.group_key];
        self.conditions.iter().chain(lists.into_iter().flatten())
    }
}

/// Which nodes name which results of InitPlans in their expressions, found in one pass over all of them.
struct Mentions(HashMap<String, Vec<NodeId>>);

impl Mentions {
    fn of(plan: &Plan) -> Self {
        let mut mentions: HashMap<String, Vec<NodeId>> = HashMap::new();
        for id in plan.ids() {
            for name in plan.node(id).expressions().flat_map(|text| names_in(text)) {
                let nodes = mentions.entry(name.to_owned()).or_default();
                if nodes.last() != Some(&id) {
                    nodes.push(id);
                }
            }
        }
        Self(mentions)
    }

    fn of_name(&self, name: &str) -> impl Iterator<Item = NodeId> {
        self.0.get(name).into_iter().flatten().copied()
    }
}

/// `$1`, `InitPlan 1`, `InitPlan expr_1`: whole names, `$1` is not in `$10`.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    const NAMED: &str = "InitPlan ";
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = text.match_indices(NAMED).map(|(at, _)| (at, NAMED.len()));
    let numbered = text.match_indices('$').map(|(at, _)| (at, 1));
    named.chain(numbered).filter_map(move |(at, length)| {
        let rest = &text[at + length..];
        let end = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
        (end > 0).then(|| &text[at..at + length + end])
    })
}
