//! From EXPLAIN's plan to the canonical one. Pure: no database; what the schema knows comes in as [`Names`].

use std::collections::HashMap;

use crate::plan::{
    JoinType, Node, NodeId, NodeKind, Operation, PartialMode, Plan, Relationship, ScanDirection,
    Strategy,
};

use super::canonical::{
    Access, AggregateStrategy, CanonicalPlan, Condition, ConditionRole, Decorator, IndexIdentity,
    JoinMethod, Operator, OperatorKind, Scan, ScanMethod, Subplan, SubplanKind,
};
use super::names::Names;
use crate::sql::condition::{Spelling, conjuncts, normalize};

/// Brings a plan into the form in which plans are compared.
#[must_use]
pub fn canonicalize(plan: &Plan, names: &Names<'_>) -> CanonicalPlan {
    let builder = Builder {
        plan,
        names,
        aliases: aliases(plan, names),
    };
    CanonicalPlan {
        root: builder.operator(NodeId(0), Above::default()),
    }
}

struct Builder<'a> {
    plan: &'a Plan,
    names: &'a Names<'a>,
    aliases: Aliases,
}

/// Alias in the plan → canonical alias and relation.
struct Aliases {
    known: HashMap<String, (String, String)>,
    names: HashMap<(String, String), String>,
}

impl Spelling for Aliases {
    fn alias(&self, alias: &str) -> Option<String> {
        self.known
            .get(alias)
            .map(|(canonical, _)| canonical.clone())
    }

    fn column(&self, alias: &str, column: &str) -> Option<String> {
        let (_, relation) = self.known.get(alias)?;
        self.names
            .get(&(relation.clone(), column.to_owned()))
            .cloned()
    }
}

fn aliases(plan: &Plan, names: &Names<'_>) -> Aliases {
    let mut known = HashMap::new();
    for relation in plan.nodes.iter().filter_map(|node| node.relation.as_ref()) {
        let canonical = names.relation(relation.schema.as_deref(), &relation.name);
        let alias = canonical_alias(&relation.alias, canonical.partition);
        known.insert(relation.alias.clone(), (alias.to_owned(), canonical.name));
    }
    let columns = names
        .renames
        .map(|renames| renames.columns.as_slice())
        .unwrap_or_default();
    let renamed = columns
        .iter()
        .map(|(table, old, new)| ((table.clone(), old.clone()), new.clone()))
        .collect();
    Aliases {
        known,
        names: renamed,
    }
}

/// Postgres numbers the aliases of partitions: `e_1`, `e_2`.
fn canonical_alias(alias: &str, partition: bool) -> &str {
    match alias.rsplit_once('_') {
        Some((base, digits))
            if partition && !base.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            base
        }
        _ => alias,
    }
}

/// What was peeled above an operator on the way down to it.
#[derive(Default)]
struct Above {
    decorators: Vec<Decorator>,
    subplans: Vec<Subplan>,
}

impl Builder<'_> {
    /// The operator at or beneath a node.
    fn operator(&self, id: NodeId, mut above: Above) -> Operator {
        let node = self.plan.node(id);
        if let Some(input) = self.only_input(node)
            && let Some(decorator) = self.peeled(node)
        {
            above.decorators.extend(decorator);
            above.subplans.extend(self.subplans(node));
            return self.operator(input, above);
        }
        match node.kind {
            NodeKind::Aggregate if node.partial_mode == Some(PartialMode::Finalize) => {
                self.fused_aggregate(id, above)
            }
            NodeKind::Append | NodeKind::MergeAppend => self.append(id, above),
            _ => self.plain(id, above),
        }
    }

    /// `Some` where the node is a helper: its decorator, or nothing for one that does not matter at all.
    fn peeled(&self, node: &Node) -> Option<Option<Decorator>> {
        let text = |expressions: &[String]| {
            expressions
                .iter()
                .map(|e| normalize(e, &self.aliases))
                .collect()
        };
        let sort_spilled = || {
            node.sort
                .iter()
                .chain(node.workers.iter().filter_map(|w| w.sort.as_ref()))
                .any(|sort| sort.on_disk)
        };
        match node.kind {
            NodeKind::Gather | NodeKind::GatherMerge => Some(Some(Decorator::Parallel)),
            NodeKind::Hash => {
                let batches = node.hash.and_then(|hash| hash.batches);
                Some(Some(Decorator::Hash {
                    spilled: batches.is_some_and(|n| n > 1),
                }))
            }
            NodeKind::Sort | NodeKind::IncrementalSort => Some(Some(Decorator::Sort {
                keys: text(&node.sort_key),
                presorted: text(&node.presorted_key),
                spilled: sort_spilled(),
            })),
            NodeKind::Materialize => Some(Some(Decorator::Materialize)),
            NodeKind::Memoize => {
                let key = node
                    .conditions
                    .cache_key
                    .as_deref()
                    .map(|key| normalize(key, &self.aliases));
                Some(Some(Decorator::Memoize {
                    key: key.unwrap_or_default(),
                }))
            }
            NodeKind::Result
                if node.conditions.one_time_filter.is_none()
                    && node.conditions.filter.is_none() =>
            {
                Some(None)
            }
            NodeKind::SubqueryScan if node.conditions.filter.is_none() => Some(None),
            _ => None,
        }
    }

    fn inputs<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = NodeId> + 'a {
        node.children.iter().copied().filter(|child| {
            !matches!(
                self.plan.node(*child).relationship,
                Some(Relationship::InitPlan | Relationship::SubPlan)
            )
        })
    }

    fn only_input(&self, node: &Node) -> Option<NodeId> {
        let mut inputs = self.inputs(node);
        inputs.next().filter(|_| inputs.next().is_none())
    }

    fn subplans(&self, node: &Node) -> Vec<Subplan> {
        let mut found: Vec<Subplan> = node
            .children
            .iter()
            .filter_map(|child| {
                let below = self.plan.node(*child);
                let name = below.subplan_name.as_deref().unwrap_or_default();
                let kind = match (&below.relationship, name.strip_prefix("CTE ")) {
                    (Some(Relationship::InitPlan | Relationship::SubPlan), Some(cte)) => {
                        SubplanKind::Cte(cte.to_owned())
                    }
                    (Some(Relationship::InitPlan), None) => SubplanKind::InitPlan,
                    (Some(Relationship::SubPlan), None) => SubplanKind::SubPlan,
                    _ => return None,
                };
                Some(Subplan {
                    kind,
                    plan: self.operator(*child, Above::default()),
                })
            })
            .collect();
        // Their numbers are positions; kinds in a fixed order, same kinds in EXPLAIN's order.
        found.sort_by(|a, b| a.kind.cmp(&b.kind));
        found
    }

    /// Finalize Aggregate … Partial Aggregate is one aggregate whose input is the partial one's.
    fn fused_aggregate(&self, id: NodeId, mut above: Above) -> Operator {
        let mut between = Above::default();
        let mut at = self.only_input(self.plan.node(id));
        while let Some(below) = at {
            let node = self.plan.node(below);
            if node.kind == NodeKind::Aggregate && node.partial_mode == Some(PartialMode::Partial) {
                // The sort between the halves belongs to the method; that the work is shared is what counts.
                let parallel = between.decorators.contains(&Decorator::Parallel);
                above
                    .decorators
                    .extend(parallel.then_some(Decorator::Parallel));
                above.subplans.extend(between.subplans);
                let mut operator = self.plain(below, above);
                operator.node = Some(id);
                operator.conditions = self.conditions(self.plan.node(id));
                return operator;
            }
            let Some(decorator) = self.peeled(node) else {
                break;
            };
            between.decorators.extend(decorator);
            between.subplans.extend(self.subplans(node));
            at = self.only_input(node);
        }
        self.plain(id, above)
    }

    fn append(&self, id: NodeId, above: Above) -> Operator {
        let node = self.plan.node(id);
        let parts: Vec<Operator> = self
            .inputs(node)
            .map(|input| self.operator(input, Above::default()))
            .collect();
        // Partitions pruned at run time are not in the plan, and how many they are depends on the values.
        let Some(mut folded) = fold_partitions(parts) else {
            return self.plain(id, above);
        };
        let mut decorators = above.decorators;
        if node.kind == NodeKind::MergeAppend {
            decorators.push(Decorator::MergePartitions);
        }
        decorators.append(&mut folded.decorators);
        folded.decorators = decorators;
        folded.node = Some(id);
        folded.subplans.extend(above.subplans);
        folded.subplans.extend(self.subplans(node));
        folded
    }

    fn plain(&self, id: NodeId, above: Above) -> Operator {
        let node = self.plan.node(id);
        let mut subplans = above.subplans;
        subplans.extend(self.subplans(node));
        let bitmap = node.kind == NodeKind::BitmapHeapScan;
        let mut inputs: Vec<Operator> = match bitmap {
            true => Vec::new(),
            false => self
                .inputs(node)
                .map(|input| self.operator(input, Above::default()))
                .collect(),
        };
        let kind = self.kind(id, node);
        if let OperatorKind::Scan(_) = kind {
            inputs.clear();
        }
        Operator {
            kind,
            decorators: above.decorators,
            conditions: self.conditions(node),
            inputs,
            subplans,
            node: Some(id),
        }
    }

    fn kind(&self, id: NodeId, node: &Node) -> OperatorKind {
        let keys = |list: &[String]| {
            list.iter()
                .map(|e| normalize(e, &self.aliases))
                .collect::<Vec<_>>()
        };
        let join = |method| OperatorKind::Join {
            method,
            kind: join_kind(node.join_type.as_ref()),
        };
        let scan = |method| self.scan(id, node, method);
        match &node.kind {
            NodeKind::NestedLoop => join(JoinMethod::NestedLoop),
            NodeKind::HashJoin => join(JoinMethod::Hash),
            NodeKind::MergeJoin => join(JoinMethod::Merge),
            NodeKind::SeqScan => scan(ScanMethod::Seq),
            NodeKind::SampleScan => scan(ScanMethod::Sample),
            NodeKind::IndexScan => scan(ScanMethod::Index),
            NodeKind::IndexOnlyScan => scan(ScanMethod::IndexOnly),
            NodeKind::BitmapHeapScan => scan(ScanMethod::Bitmap),
            NodeKind::TidScan => scan(ScanMethod::Tid),
            NodeKind::TidRangeScan => scan(ScanMethod::TidRange),
            NodeKind::FunctionScan => scan(ScanMethod::Function),
            NodeKind::TableFunctionScan => scan(ScanMethod::TableFunction),
            NodeKind::ValuesScan => scan(ScanMethod::Values),
            NodeKind::CteScan => scan(ScanMethod::Cte),
            NodeKind::NamedTuplestoreScan => scan(ScanMethod::Tuplestore),
            NodeKind::WorkTableScan => scan(ScanMethod::WorkTable),
            NodeKind::ForeignScan => scan(ScanMethod::Foreign),
            NodeKind::CustomScan => scan(ScanMethod::Custom),
            NodeKind::Aggregate => OperatorKind::Aggregate {
                strategy: aggregate_strategy(node.strategy.as_ref()),
                keys: keys(&node.group_key),
            },
            NodeKind::Group => OperatorKind::Aggregate {
                strategy: AggregateStrategy::Sorted,
                keys: keys(&node.group_key),
            },
            NodeKind::ModifyTable => OperatorKind::Modify {
                operation: node
                    .operation
                    .as_ref()
                    .map_or("Modify", Operation::as_str)
                    .to_owned(),
                relation: self.relation_name(node),
            },
            NodeKind::SetOp => OperatorKind::Other {
                name: format!(
                    "SetOp {}",
                    node.strategy.as_ref().map_or("", Strategy::as_str)
                ),
            },
            other => OperatorKind::Other {
                name: other.as_str().to_owned(),
            },
        }
    }

    fn relation_name(&self, node: &Node) -> String {
        let Some(relation) = &node.relation else {
            return String::new();
        };
        self.names
            .relation(relation.schema.as_deref(), &relation.name)
            .name
    }

    fn scan(&self, id: NodeId, node: &Node, method: ScanMethod) -> OperatorKind {
        let (schema, name, alias) = match &node.relation {
            Some(relation) => (
                relation.schema.as_deref(),
                relation.name.as_str(),
                relation.alias.as_str(),
            ),
            None => (
                None,
                node.cte_name.as_deref().unwrap_or(node.kind.as_str()),
                "",
            ),
        };
        let canonical = match (method, &node.cte_name) {
            (ScanMethod::Cte, Some(cte)) => super::names::CanonicalRelation {
                name: format!("cte {cte}"),
                partition: false,
            },
            _ => self.names.relation(schema, name),
        };
        let mut indexes = Vec::new();
        self.collect_indexes(id, schema, Some(name), &mut indexes);
        let access = Access {
            method,
            indexes,
            backward: node.scan_direction == Some(ScanDirection::Backward),
        };
        OperatorKind::Scan(Scan {
            alias: canonical_alias(alias, canonical.partition).to_owned(),
            partitions: canonical.partition.then_some(1),
            relation: canonical.name,
            access: vec![access],
        })
    }

    fn collect_indexes(
        &self,
        id: NodeId,
        schema: Option<&str>,
        table: Option<&str>,
        found: &mut Vec<IndexIdentity>,
    ) {
        let node = self.plan.node(id);
        if let Some(index) = &node.index_name {
            found.push(self.names.index(schema, table, index));
        }
        for child in self.inputs(node) {
            let below = self.plan.node(child);
            if matches!(
                below.kind,
                NodeKind::BitmapIndexScan | NodeKind::BitmapAnd | NodeKind::BitmapOr
            ) {
                self.collect_indexes(child, schema, table, found);
            }
        }
        found.sort();
        found.dedup();
    }

    /// Of the node, and for a bitmap scan the index conditions beneath it.
    fn conditions(&self, node: &Node) -> Vec<Condition> {
        let mut index: Vec<String> = Vec::new();
        let set = |text: &Option<String>| {
            text.as_deref()
                .map(|t| conjuncts(t, &self.aliases))
                .unwrap_or_default()
        };
        index.extend(set(&node.conditions.index));
        index.extend(set(&node.conditions.tid));
        index.extend(
            set(&node.conditions.order_by)
                .into_iter()
                .map(|key| format!("order by {key}")),
        );
        if node.kind == NodeKind::BitmapHeapScan {
            self.bitmap_conditions(node, &mut index);
        }
        let mut join = set(&node.conditions.hash);
        join.extend(set(&node.conditions.merge));
        join.extend(set(&node.conditions.join_filter));
        let by_role = [
            (ConditionRole::Index, index),
            (
                ConditionRole::Join,
                join.into_iter().map(|c| mirrored(&c)).collect(),
            ),
            (ConditionRole::Filter, set(&node.conditions.filter)),
            (
                ConditionRole::OneTime,
                set(&node.conditions.one_time_filter),
            ),
        ];
        by_role
            .into_iter()
            .filter(|(_, conjuncts)| !conjuncts.is_empty())
            .map(|(role, mut conjuncts)| {
                conjuncts.sort();
                conjuncts.dedup();
                Condition { role, conjuncts }
            })
            .collect()
    }

    fn bitmap_conditions(&self, node: &Node, found: &mut Vec<String>) {
        for child in self.inputs(node) {
            let below = self.plan.node(child);
            if let Some(text) = &below.conditions.index {
                found.extend(conjuncts(text, &self.aliases));
            }
            self.bitmap_conditions(below, found);
        }
    }
}

/// `b.id = a.id` is `a.id = b.id`: which side EXPLAIN prints first depends on which input is hashed.
fn mirrored(conjunct: &str) -> String {
    match conjunct.split_once(" = ") {
        Some((left, right)) if right < left && !right.contains(" = ") => {
            format!("{right} = {left}")
        }
        _ => conjunct.to_owned(),
    }
}

fn join_kind(join_type: Option<&JoinType>) -> String {
    // Right joins are left joins with the inputs swapped: the method's business, not the query's.
    match join_type {
        None | Some(JoinType::Inner) => "Inner".to_owned(),
        Some(JoinType::Left | JoinType::Right) => "Left".to_owned(),
        Some(JoinType::Full) => "Full".to_owned(),
        Some(JoinType::Semi | JoinType::RightSemi) => "Semi".to_owned(),
        Some(JoinType::Anti | JoinType::RightAnti) => "Anti".to_owned(),
        Some(JoinType::Unknown(name)) => name.clone(),
    }
}

fn aggregate_strategy(strategy: Option<&Strategy>) -> AggregateStrategy {
    match strategy {
        Some(Strategy::Sorted) => AggregateStrategy::Sorted,
        Some(Strategy::Hashed) => AggregateStrategy::Hashed,
        Some(Strategy::Mixed) => AggregateStrategy::Mixed,
        Some(Strategy::Plain | Strategy::Unknown(_)) | None => AggregateStrategy::Plain,
    }
}

/// One operator for an Append over like partitions of one table; `None` where the parts are something else.
fn fold_partitions(parts: Vec<Operator>) -> Option<Operator> {
    let relations: Vec<&str> = parts
        .iter()
        .filter_map(|part| scan_of_partition(part).map(|scan| scan.relation.as_str()))
        .collect();
    let one_table = relations.windows(2).all(|pair| pair[0] == pair[1]);
    if !parts.is_empty() && relations.len() == parts.len() && one_table {
        return merge_scans(parts);
    }
    // Partition-wise joins and aggregates: the same relations in each part, whichever side one of them hashes.
    let mut parts = parts.into_iter();
    let model = parts.next()?;
    let expected = partition_leaves(&model)?;
    let rest: Vec<Operator> = parts.collect();
    let alike = rest
        .iter()
        .all(|part| partition_leaves(part).as_ref() == Some(&expected));
    let count = u32::try_from(rest.len() + 1).unwrap_or(u32::MAX);
    alike.then(|| multiply(model, count))
}

fn scan_of_partition(operator: &Operator) -> Option<&Scan> {
    match &operator.kind {
        OperatorKind::Scan(scan) if scan.partitions.is_some() => Some(scan),
        _ => None,
    }
}

/// Relations and aliases beneath an operator, sorted; `None` where it reads no partition.
fn partition_leaves(operator: &Operator) -> Option<Vec<(String, String)>> {
    let (mut leaves, mut partitioned) = (Vec::new(), false);
    operator.each(&mut |below| {
        if let OperatorKind::Scan(scan) = &below.kind {
            partitioned |= scan.partitions.is_some();
            leaves.push((scan.relation.clone(), scan.alias.clone()));
        }
    });
    leaves.sort();
    partitioned.then_some(leaves)
}

fn merge_scans(parts: Vec<Operator>) -> Option<Operator> {
    let mut parts = parts.into_iter();
    let mut merged = parts.next()?;
    for part in parts {
        let (OperatorKind::Scan(into), OperatorKind::Scan(scan)) = (&mut merged.kind, part.kind)
        else {
            return None;
        };
        into.access.extend(scan.access);
        into.partitions = Some(into.partitions.unwrap_or(0) + scan.partitions.unwrap_or(0));
        merged.subplans.extend(part.subplans);
        for condition in part.conditions {
            merge_condition(&mut merged.conditions, condition);
        }
        for decorator in part.decorators {
            if !merged.decorators.contains(&decorator) {
                merged.decorators.push(decorator);
            }
        }
    }
    if let OperatorKind::Scan(scan) = &mut merged.kind {
        scan.access.sort();
        scan.access.dedup();
    }
    Some(merged)
}

fn merge_condition(conditions: &mut Vec<Condition>, condition: Condition) {
    match conditions.iter_mut().find(|c| c.role == condition.role) {
        Some(into) => {
            into.conjuncts.extend(condition.conjuncts);
            into.conjuncts.sort();
            into.conjuncts.dedup();
        }
        None => conditions.push(condition),
    }
}

fn multiply(mut operator: Operator, count: u32) -> Operator {
    if let OperatorKind::Scan(Scan {
        partitions: Some(partitions),
        ..
    }) = &mut operator.kind
    {
        *partitions *= count;
    }
    operator.inputs = operator
        .inputs
        .into_iter()
        .map(|input| multiply(input, count))
        .collect();
    operator
}
