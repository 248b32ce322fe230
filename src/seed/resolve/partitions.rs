//! Partitioned tables: which leaf each row goes to, so that the leaves can be loaded directly.

use super::Resolver;
use super::columns::literal_cell;
use crate::schema::{KeyPart, PartitionStrategy, Table, TableKind};
use crate::seed::infer::types::{TypeClass, classify};
use crate::seed::literal;
use crate::seed::plan::{Leaf, Router, RouterNode, RouterTarget, Split};

impl Resolver<'_> {
    /// Sets the leaves, and the router where all levels can be computed; otherwise the rows go through the root.
    pub(super) fn plan_partitions(&mut self, index: usize) {
        let table = self.ordered[index];
        let root = Leaf { oid: table.oid, name: table.name.clone() };
        if table.kind != TableKind::Partitioned {
            self.plan.tables[index].leaves = vec![root];
            return;
        }
        let mut builder = Builder { resolver: self, index, leaves: Vec::new(), nodes: Vec::new() };
        let built = builder.node(table);
        let (leaves, nodes) = (builder.leaves, builder.nodes);
        let plan = &mut self.plan.tables[index];
        match built {
            Some(_) if !leaves.is_empty() => {
                plan.leaves = leaves;
                plan.router = Some(Router { nodes });
            }
            _ => plan.leaves = vec![root],
        }
    }
}

struct Builder<'r, 'a> {
    resolver: &'r Resolver<'a>,
    index: usize,
    leaves: Vec<Leaf>,
    nodes: Vec<RouterNode>,
}

impl Builder<'_, '_> {
    /// Adds a partitioned table's node; `None` where its key or a bound cannot be computed.
    fn node(&mut self, table: &Table) -> Option<usize> {
        let key = table.partition_key.as_ref()?;
        let [KeyPart::Column(name)] = key.parts.as_slice() else { return None };
        let column = self.resolver.plan.tables[self.index].column_index(name)?;
        let class = classify(self.resolver.schema, &table.column(name)?.data_type);
        let at = self.nodes.len();
        self.nodes.push(RouterNode { column, split: Split::List(Vec::new()), default: None });
        let schema = self.resolver.schema;
        let parts: Vec<&Table> = schema
            .tables
            .iter()
            .filter(|part| part.partition_of.as_ref().is_some_and(|of| of.parent == table.oid))
            .collect();
        let (mut ranges, mut lists, mut default) = (Vec::new(), Vec::new(), None);
        for part in parts {
            let bound = &part.partition_of.as_ref()?.bound;
            let target = match part.kind {
                TableKind::Partitioned => RouterTarget::Node(self.node(part)?),
                TableKind::Ordinary => {
                    self.leaves.push(Leaf { oid: part.oid, name: part.name.clone() });
                    RouterTarget::Leaf(self.leaves.len() - 1)
                }
                TableKind::Foreign => return None,
            };
            if bound == "DEFAULT" {
                default = Some(target);
                continue;
            }
            match key.strategy {
                PartitionStrategy::Range => {
                    let (low, high) = range_bound(bound, &class)?;
                    ranges.push((low, high, target));
                }
                PartitionStrategy::List => {
                    for cell in list_bound(bound, &class)? {
                        lists.push((cell, target));
                    }
                }
                // Postgres's hash functions belong to each type: the server routes such rows.
                PartitionStrategy::Hash => return None,
            }
        }
        ranges.sort_by_key(|(low, ..)| *low);
        self.nodes[at].default = default;
        self.nodes[at].split = match key.strategy {
            PartitionStrategy::Range => Split::Range(ranges),
            PartitionStrategy::List | PartitionStrategy::Hash => Split::List(lists),
        };
        Some(at)
    }
}

/// `FOR VALUES FROM ('…') TO ('…')` of one column.
fn range_bound(bound: &str, class: &TypeClass) -> Option<(i64, i64)> {
    let TypeClass::Scalar(encoding) = class.base() else { return None };
    let rest = bound.strip_prefix("FOR VALUES FROM (")?;
    let (from, to) = rest.split_once(") TO (")?;
    let to = to.strip_suffix(')')?;
    let value = |text: &str| match text {
        "MINVALUE" => Some(i64::MIN),
        "MAXVALUE" => Some(i64::MAX),
        text => literal::scalar(text.trim_matches('\''), *encoding),
    };
    Some((value(from)?, value(to)?))
}

/// `FOR VALUES IN ('a', NULL)`.
fn list_bound(bound: &str, class: &TypeClass) -> Option<Vec<Box<[u8]>>> {
    let inner = bound.strip_prefix("FOR VALUES IN (")?.strip_suffix(')')?;
    let array = crate::seed::check::Expression::parse(&format!("ARRAY[{inner}]")).ok()?;
    let crate::seed::check::Expression::Array(items) = array else { return None };
    items
        .iter()
        .map(|item| match item {
            crate::seed::check::Expression::Null => Some([0xff_u8; 4].into()),
            item => literal_cell(class, &item.literal()?),
        })
        .collect()
}
