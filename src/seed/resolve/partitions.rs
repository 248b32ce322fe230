//! Partitioned tables: which leaf each row goes to, so that the leaves can be loaded directly.

use super::Resolver;
use super::table::TableDraft;
use crate::schema::{KeyPart, PartitionStrategy, Table, TableKind};
use crate::seed::expression::Expression;
use crate::seed::infer::values::{choice_of, enter};
use crate::seed::plan::{Generator, Leaf, Nulls, Router, RouterNode, RouterTarget, Split};
use crate::seed::types::{TypeClass, classify, literal};

impl<'a> Resolver<'a> {
    /// Where no default partition takes the rest, the partition key's values stay within the partitions.
    pub(super) fn plan_partition_key(&mut self, draft: &mut TableDraft<'a>) {
        let Some(key) = &draft.table.partition_key else {
            return;
        };
        let strategy = key.strategy;
        if strategy == PartitionStrategy::List {
            self.confine_level(draft, draft.table);
        }
        if !self.keep_to_partitions(draft) {
            self.confine(draft, draft.table);
        }
    }

    fn confine_level(&self, draft: &mut TableDraft<'a>, level: &Table) {
        let parts: Vec<&Table> = self
            .schema
            .tables
            .iter()
            .filter(|part| {
                part.partition_of
                    .as_ref()
                    .is_some_and(|of| of.parent == level.oid)
            })
            .collect();
        let Some(key) = &level.partition_key else {
            return;
        };
        let has_default = parts.iter().any(|part| {
            part.partition_of
                .as_ref()
                .is_some_and(|of| of.bound == "DEFAULT")
        });
        let bounds: Vec<&str> = parts
            .iter()
            .filter_map(|part| part.partition_of.as_ref())
            .map(|of| of.bound.as_str())
            .collect();
        if !has_default {
            for (position, part) in key.parts.iter().enumerate() {
                let name = match key.strategy {
                    PartitionStrategy::Range => ranged_column(part, &bounds),
                    PartitionStrategy::List | PartitionStrategy::Hash => plain_column(part),
                };
                let Some(column) = name.and_then(|name| draft.position(&name)) else {
                    continue;
                };
                match key.strategy {
                    PartitionStrategy::Range => confine_range(draft, column, &bounds, position),
                    PartitionStrategy::List => confine_list(draft, column, &bounds),
                    PartitionStrategy::Hash => {}
                }
            }
        }
    }

    fn confine(&self, draft: &mut TableDraft<'a>, level: &Table) {
        self.confine_level(draft, level);
        let below = self.schema.tables.iter().filter(|part| {
            part.partition_of
                .as_ref()
                .is_some_and(|of| of.parent == level.oid)
        });
        for part in below {
            self.confine(draft, part);
        }
    }

    /// Sets the leaves, and the router where all levels can be computed; otherwise the rows go through the root.
    pub(super) fn plan_partitions(&mut self, index: usize) {
        let table = self.ordered[index];
        let root = Leaf {
            oid: table.oid,
            name: table.name.clone(),
        };
        if table.kind != TableKind::Partitioned {
            self.plan.tables[index].leaves = vec![root];
            return;
        }
        let mut builder = Builder {
            resolver: self,
            index,
            leaves: Vec::new(),
            nodes: Vec::new(),
        };
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

/// The column that a part of a partition key is.
pub(super) fn plain_column(part: &KeyPart) -> Option<String> {
    match part {
        KeyPart::Column(name) => Some(name.clone()),
        KeyPart::Expression(_) => None,
    }
}

/// The column whose ranges those of a partition key's part are: itself, or one that the key cuts off to a day, a month or the
/// like (`date_trunc('month', at)`, `at::date`), where every bound begins such a unit: then a value lies where its unit does.
pub(super) fn ranged_column(part: &KeyPart, bounds: &[&str]) -> Option<String> {
    let text = match part {
        KeyPart::Column(name) => return Some(name.clone()),
        KeyPart::Expression(text) => text,
    };
    let (column, unit) = match Expression::parse(text).ok()? {
        Expression::Call { name, arguments } if name == "date_trunc" => {
            let [unit, of] = arguments.as_slice() else {
                return None;
            };
            (of.column()?.to_owned(), unit.literal()?.to_lowercase())
        }
        Expression::Cast { of, to } if to == "date" => (of.column()?.to_owned(), "day".to_owned()),
        _ => return None,
    };
    let begins = |bound: &&str| *bound == "DEFAULT" || begins_units(bound, &unit);
    bounds.iter().all(begins).then_some(column)
}

/// Whether both ends of `FOR VALUES FROM ('2026-01-01 00:00:00') TO ('2026-02-01 00:00:00')` begin a unit.
fn begins_units(bound: &str, unit: &str) -> bool {
    let begins = |text: &str| {
        let (day, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
        let is_midnight = time.starts_with("00:00:00");
        match unit {
            "hour" => time.get(2..8) == Some(":00:00"),
            "day" => is_midnight,
            "month" => is_midnight && day.ends_with("-01"),
            "year" => is_midnight && day.ends_with("-01-01"),
            _ => false,
        }
    };
    // Whatever stands in quotes is a moment; MINVALUE and MAXVALUE begin everything.
    bound.split('\'').skip(1).step_by(2).all(begins)
}

/// Between the first bound and the last; gaps are left to whoever wrote them.
fn confine_range(draft: &mut TableDraft<'_>, column: usize, bounds: &[&str], position: usize) {
    let class = draft.columns[column].class.clone();
    let TypeClass::Scalar(encoding) = class.base() else {
        return;
    };
    let ranges: Vec<(i64, i64)> = bounds
        .iter()
        .filter_map(|bound| {
            let (from, to) = bound
                .strip_prefix("FOR VALUES FROM (")?
                .split_once(") TO (")?;
            let at = |list: &str| -> Option<i64> {
                let item = list
                    .split(", ")
                    .nth(position)?
                    .trim_end_matches(')')
                    .to_owned();
                match item.as_str() {
                    "MINVALUE" => Some(i64::MIN),
                    "MAXVALUE" => Some(i64::MAX),
                    item => literal::scalar(item.trim_matches('\''), *encoding),
                }
            };
            Some((at(from)?, at(to)?))
        })
        .collect();
    let (Some(low), Some(high)) = (
        ranges.iter().map(|r| r.0).min(),
        ranges.iter().map(|r| r.1).max(),
    ) else {
        return;
    };
    let draft = &mut draft.columns[column];
    if let Generator::Scalar(scalar) = &mut draft.generator {
        scalar.hard.0 = scalar.hard.0.max(low);
        // The first column of a key is below the last bound; a later one only as far as the others go.
        scalar.hard.1 = scalar
            .hard
            .1
            .min(if high == i64::MAX { high } else { high - 1 });
        enter(scalar);
    }
}

fn confine_list(draft: &mut TableDraft<'_>, column: usize, bounds: &[&str]) {
    let mut values: Vec<(String, f64)> = Vec::new();
    let mut null = false;
    for bound in bounds {
        let Some(inner) = bound
            .strip_prefix("FOR VALUES IN (")
            .and_then(|rest| rest.strip_suffix(')'))
        else {
            return;
        };
        let Ok(crate::seed::expression::Expression::Array(items)) =
            crate::seed::expression::Expression::parse(&format!("ARRAY[{inner}]"))
        else {
            return;
        };
        for item in items {
            match item.literal() {
                Some(text) => values.push((text, 1.0)),
                None => null = true,
            }
        }
    }
    let draft = &mut draft.columns[column];
    if !null {
        draft.nulls = Nulls::Never;
    }
    let kept: Option<Vec<(String, f64)>> = draft.choices.as_ref().map(|choices| {
        choices
            .iter()
            .filter(|(text, _)| values.iter().any(|(value, _)| value == text))
            .cloned()
            .collect()
    });
    let values = kept.filter(|kept| !kept.is_empty()).unwrap_or(values);
    if matches!(draft.generator, Generator::Parent { .. }) {
        return;
    }
    if let Ok(generator) = choice_of(&draft.class, &values) {
        draft.generator = generator;
        draft.choices = Some(values);
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
        let [KeyPart::Column(name)] = key.parts.as_slice() else {
            return None;
        };
        let column = self.resolver.plan.tables[self.index].column_index(name)?;
        let class = classify(self.resolver.schema, &table.column(name)?.data_type);
        let at = self.nodes.len();
        self.nodes.push(RouterNode {
            column,
            split: Split::List(Vec::new()),
            default: None,
        });
        let schema = self.resolver.schema;
        let parts: Vec<&Table> = schema
            .tables
            .iter()
            .filter(|part| {
                part.partition_of
                    .as_ref()
                    .is_some_and(|of| of.parent == table.oid)
            })
            .collect();
        let (mut ranges, mut lists, mut default) = (Vec::new(), Vec::new(), None);
        for part in parts {
            let bound = &part.partition_of.as_ref()?.bound;
            let target = match part.kind {
                TableKind::Partitioned => RouterTarget::Node(self.node(part)?),
                TableKind::Ordinary => {
                    self.leaves.push(Leaf {
                        oid: part.oid,
                        name: part.name.clone(),
                    });
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
pub(super) fn range_bound(bound: &str, class: &TypeClass) -> Option<(i64, i64)> {
    let TypeClass::Scalar(encoding) = class.base() else {
        return None;
    };
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
    let array = crate::seed::expression::Expression::parse(&format!("ARRAY[{inner}]")).ok()?;
    let crate::seed::expression::Expression::Array(items) = array else {
        return None;
    };
    items
        .iter()
        .map(|item| match item {
            crate::seed::expression::Expression::Null => Some([0xff_u8; 4].into()),
            item => literal::cell(class, &item.literal()?),
        })
        .collect()
}

/// The values of `FOR VALUES IN ('a', 'b')` as texts; `None` where NULL is one of them.
pub(super) fn list_texts(bound: &str) -> Option<Vec<String>> {
    let inner = bound.strip_prefix("FOR VALUES IN (")?.strip_suffix(')')?;
    let array = crate::seed::expression::Expression::parse(&format!("ARRAY[{inner}]")).ok()?;
    let crate::seed::expression::Expression::Array(items) = array else {
        return None;
    };
    items.iter().map(|item| item.literal()).collect()
}
