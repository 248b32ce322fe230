//! Index candidates from executed plans: for each costly scan the columns that its conditions, joins and order name.
//! Pure; whether a candidate is any good is for `db::prove` to measure.

mod access;
mod cover;
pub(super) mod existing;
mod operators;
mod order;
mod variants;

use std::collections::BTreeMap;

use crate::catalog::Query;
use crate::finding::RuleId;
use crate::plan::metrics::Metrics;
use crate::plan::runs::expected_runs;
use crate::plan::{NodeId, NodeKind, Plan};
use crate::rules::missing_index::{MIN_CHECK_TIME, MIN_PAGES};
use crate::run::{Outcome, Run};
use crate::schema::{ForeignKey, Schema, Table, TableKind};

use super::{Audited, Candidate, IndexSpec, KeySpec, Method, Part, Site};

/// A scan with a smaller share of its query's pages is left alone.
const MIN_SHARE: f64 = 0.1;

/// Every index worth a try, each once, with the places that ask for it.
#[must_use]
pub fn candidates(audited: &Audited<'_>) -> Vec<Candidate> {
    let Audited {
        queries,
        runs,
        schema,
        policy_for,
    } = *audited;
    let mut found: BTreeMap<IndexSpec, Vec<Site>> = BTreeMap::new();
    for query_runs in runs {
        let Some(query) = queries.get(query_runs.query) else {
            continue;
        };
        // An index for a query that meets no row would seem to save everything.
        let policy = policy_for(query);
        if !policy.is_on(RuleId::MissingIndex) || query_runs.found_nothing() {
            continue;
        }
        let floor = Floor {
            pages: policy.limit(&MIN_PAGES),
            check_ms: policy.limit(&MIN_CHECK_TIME),
        };
        for (run_index, run) in query_runs.runs.iter().enumerate() {
            for (index, node) in of_run(query, run, schema, &floor) {
                if !existing::serves(schema, &index) {
                    found.entry(index).or_default().push(Site {
                        query: query_runs.query,
                        run: run_index,
                        node: node.0,
                    });
                }
            }
        }
    }
    found
        .into_iter()
        .map(|(index, sites)| Candidate { index, sites })
        .collect()
}

/// What is not worth an index.
struct Floor {
    /// A scan that touches fewer pages is left alone.
    pages: f64,
    /// A foreign key's check that takes less time is left alone.
    check_ms: f64,
}

fn of_run(query: &Query, run: &Run, schema: &Schema, floor: &Floor) -> Vec<(IndexSpec, NodeId)> {
    let mut found = of_triggers(run, schema, floor);
    found.extend(of_unfinished_delete(run, schema).map(|index| (index, NodeId(0))));
    for site in costly_scans(run, schema, floor) {
        let Some(access) = access::of_scan(query, run, schema, site) else {
            continue;
        };
        let hashed = |index: &IndexSpec| {
            access.is_for_equality(index) && existing::finds_equal(schema, index)
        };
        let wanted = variants::of(&access)
            .into_iter()
            .filter(|index| !hashed(index));
        found.extend(wanted.map(|index| (index, site)));
        found.extend(
            variants::together(&access, |index| existing::serves(schema, index))
                .map(|index| (index, site)),
        );
    }
    found
}

/// Scans with pages to save. Partitions of one Append count together, at their first member.
fn costly_scans(run: &Run, schema: &Schema, floor: &Floor) -> Vec<NodeId> {
    let plan = &run.plan;
    let metrics = Metrics::of(plan);
    let estimated = matches!(run.outcome, Outcome::TimedOut { .. } | Outcome::Estimated);
    let runs = expected_runs(plan);
    let mut scans: BTreeMap<(u32, Option<NodeId>), (NodeId, f64)> = BTreeMap::new();
    for id in plan.ids() {
        let node = plan.node(id);
        if !is_table_scan(&node.kind) {
            continue;
        }
        let Some(relation) = &node.relation else {
            continue;
        };
        let Some(table) = schema.table(relation.schema.as_deref(), &relation.name) else {
            continue;
        };
        if table.kind == TableKind::Foreign {
            continue;
        }
        let pages = if estimated {
            // The cost of one run.
            node.estimate.total_cost * runs.get(id.0).copied().unwrap_or(1.0)
        } else {
            // With what lies below: a bitmap's index scans are the scan's own work.
            node.buffers
                .map_or(0.0, |buffers| buffers.touched().0 as f64)
        };
        let root = schema.root_of(table);
        let parent = if root.oid == table.oid {
            Some(id)
        } else {
            node.parent
        };
        scans.entry((root.oid, parent)).or_insert((id, 0.0)).1 += pages;
    }
    let total = if estimated {
        plan.root().estimate.total_cost
    } else {
        metrics.blocks.map_or(0.0, |pages| pages.0 as f64)
    };
    let worth = |pages: f64| pages >= floor.pages && pages >= total * MIN_SHARE;
    scans
        .into_values()
        .filter(|(_, pages)| worth(*pages))
        .map(|(id, _)| id)
        .collect()
}

fn is_table_scan(kind: &NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::SeqScan
            | NodeKind::IndexScan
            | NodeKind::IndexOnlyScan
            | NodeKind::BitmapHeapScan
    )
}

/// The indexes that the checks of foreign keys in a run search by, or would.
pub(super) fn of_checks(run: &Run, schema: &Schema) -> Vec<IndexSpec> {
    let all = Floor {
        pages: 0.0,
        check_ms: 0.0,
    };
    let found = of_triggers(run, schema, &all);
    let found = found.into_iter().map(|(index, _)| index);
    found.chain(of_unserved_checks(run, schema)).collect()
}

/// Checks of foreign keys that search the referencing table: an index on its columns.
fn of_triggers(run: &Run, schema: &Schema, floor: &Floor) -> Vec<(IndexSpec, NodeId)> {
    let mut found = Vec::new();
    for trigger in &run.plan.triggers {
        let (Some(time), Some(constraint)) = (trigger.time_ms, &trigger.constraint) else {
            continue;
        };
        if time.0 < floor.check_ms || trigger.looks_up_the_referenced() {
            continue;
        }
        for table in schema
            .tables
            .iter()
            .filter(|table| table.partition_of.is_none())
        {
            for key in table
                .foreign_keys
                .iter()
                .filter(|key| key.name == *constraint)
            {
                let referenced = schema
                    .table_by_oid(key.references)
                    .map(|table| table.name.name.as_str());
                if trigger.relation.is_some() && trigger.relation.as_deref() != referenced {
                    continue;
                }
                let keys = key
                    .columns
                    .iter()
                    .map(|name| KeySpec::plain(Part::Column(name.clone())))
                    .collect();
                found.push((btree(table.name.clone(), table.oid, keys), NodeId(0)));
            }
        }
    }
    found
}

/// A delete that was cancelled shows no trigger: the schema says which checks read whole tables. One of them alone may be what it
/// takes, or all together.
fn of_unfinished_delete(run: &Run, schema: &Schema) -> Option<IndexSpec> {
    /// More of them are no advice for one statement.
    const MOST: usize = 8;
    let mut needed = of_unserved_checks(run, schema);
    needed.truncate(MOST);
    let (first, beside) = needed.split_first()?;
    Some(IndexSpec {
        beside: beside.to_vec(),
        ..first.clone()
    })
}

/// The indexes that the checks of a cancelled delete lack.
fn of_unserved_checks(run: &Run, schema: &Schema) -> Vec<IndexSpec> {
    if !matches!(run.outcome, Outcome::TimedOut { .. }) {
        return Vec::new();
    }
    let checks = schema.unserved_checks(schema.deleted_from(&run.plan));
    let index = |(table, key): (&Table, &ForeignKey)| {
        let columns = key.columns.iter();
        let keys = columns.map(|name| KeySpec::plain(Part::Column(name.clone())));
        btree(table.name.clone(), table.oid, keys.collect())
    };
    let mut found: Vec<IndexSpec> = checks.into_iter().map(index).collect();
    found.sort();
    found.dedup();
    found
}

fn btree(table: crate::schema::QualifiedName, table_oid: u32, keys: Vec<KeySpec>) -> IndexSpec {
    IndexSpec {
        table,
        table_oid,
        method: Method::Btree,
        keys,
        include: Vec::new(),
        predicate: None,
        beside: Vec::new(),
    }
}

/// The plan node's parent chain, nearest first.
fn ancestors(plan: &Plan, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    std::iter::successors(plan.node(id).parent, |at| plan.node(*at).parent)
}
