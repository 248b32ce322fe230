//! The keys of a node, of its workers, of triggers and of JIT: a flat table, one line a key.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::plan::node::{PerLoop, Total, Trigger, Worker};
use crate::plan::parse::draft::{
    MeasuredDraft, NodeDraft, join_type, kilobytes, relationship, worker,
};
use crate::plan::parse::scalar::{Key, Number, flag, millis, number, small, whole};
use crate::plan::words::{Operation, PartialMode, ScanDirection, Strategy};
use crate::units::{Bytes, Millis};

/// A property that EXPLAIN states in one word.
fn word<'de, A: MapAccess<'de>, T>(
    map: &mut A,
    of: impl Fn(&str) -> T,
) -> Result<Option<T>, A::Error> {
    let word: Option<String> = map.next_value()?;
    Ok(word.as_deref().map(of))
}

impl NodeDraft {
    /// Takes one key's value. A flat table: one line a key.
    pub(super) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "Node Type" => self.node_type = map.next_value()?,
            "Startup Cost" => self.node.estimate.startup_cost = number(map)?,
            "Total Cost" => self.node.estimate.total_cost = number(map)?,
            "Plan Rows" => self.node.estimate.rows = PerLoop(number(map)?),
            "Plan Width" => self.node.estimate.width = whole(map)?,
            "Parallel Aware" => self.node.parallel_aware = flag(map)?,
            "Parent Relationship" => self.node.relationship = Some(relationship(map.next_value()?)),
            "Subplan Name" => self.node.subplan_name = map.next_value()?,
            "Join Type" => self.node.join_type = Some(join_type(map.next_value()?)),
            "Inner Unique" => self.node.inner_unique = Some(flag(map)?),
            "Strategy" => self.node.strategy = word(map, Strategy::of)?,
            "Partial Mode" => self.node.partial_mode = word(map, PartialMode::of)?,
            "Operation" => self.node.operation = word(map, Operation::of)?,
            "Schema" => self.schema = map.next_value()?,
            "Relation Name" | "Function Name" | "Table Function Name" | "Tuplestore Name" => {
                self.relation = map.next_value()?;
            }
            "Alias" => self.alias = map.next_value()?,
            "Index Name" => self.node.index_name = map.next_value()?,
            "Scan Direction" => self.node.scan_direction = word(map, ScanDirection::of)?,
            "CTE Name" => self.node.cte_name = map.next_value()?,
            "Output" => self.node.output = map.next_value()?,
            "Filter" => self.node.conditions.filter = map.next_value()?,
            "Index Cond" => self.node.conditions.index = map.next_value()?,
            "Recheck Cond" => self.node.conditions.recheck = map.next_value()?,
            "Order By" => self.node.conditions.order_by = map.next_value()?,
            "Hash Cond" => self.node.conditions.hash = map.next_value()?,
            "Merge Cond" => self.node.conditions.merge = map.next_value()?,
            "Join Filter" => self.node.conditions.join_filter = map.next_value()?,
            "One-Time Filter" => self.node.conditions.one_time_filter = map.next_value()?,
            "TID Cond" => self.node.conditions.tid = map.next_value()?,
            "Cache Key" => self.node.conditions.cache_key = map.next_value()?,
            "Conflict Filter" => self.node.conditions.conflict_filter = map.next_value()?,
            "Run Condition" => self.node.conditions.run_condition = map.next_value()?,
            "Sort Key" => self.node.sort_key = map.next_value()?,
            "Presorted Key" => self.node.presorted_key = map.next_value()?,
            "Group Key" => self.node.group_key = map.next_value()?,
            "Rows Removed by Filter" => self.node.removed.filter = Some(PerLoop(number(map)?)),
            "Rows Removed by Index Recheck" => {
                self.node.removed.index_recheck = Some(PerLoop(number(map)?))
            }
            "Rows Removed by Join Filter" => {
                self.node.removed.join_filter = Some(PerLoop(number(map)?))
            }
            "Rows Removed by Conflict Filter" => {
                self.node.removed.conflict_filter = Some(PerLoop(number(map)?))
            }
            "Heap Fetches" => self.node.heap_fetches = Some(Total(whole(map)?)),
            "Index Searches" => self.node.index_searches = Some(Total(whole(map)?)),
            "Exact Heap Blocks" => self.node.exact_heap_blocks = Some(Total(whole(map)?)),
            "Lossy Heap Blocks" => self.node.lossy_heap_blocks = Some(Total(whole(map)?)),
            "Workers Planned" => self.node.workers_planned = Some(small(map)?),
            "Workers Launched" => self.node.workers_launched = Some(small(map)?),
            "Workers" => {
                self.node.workers = map
                    .next_value::<Vec<WorkerValue>>()?
                    .into_iter()
                    .map(|worker| worker.0)
                    .collect()
            }
            "Disabled" => self.node.disabled = flag(map)?,
            "Subplans Removed" => self.node.subplans_removed = Some(whole(map)?),
            other => self.measured.read(other, map, &mut self.node.extra)?,
        }
        Ok(())
    }
}

impl MeasuredDraft {
    /// Takes one key's value; what is not known goes to `extra`.
    pub(super) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        extra: &mut Map<String, Value>,
    ) -> Result<(), A::Error> {
        match key {
            "Actual Startup Time" => self.startup = Some(number(map)?),
            "Actual Total Time" => self.total = Some(number(map)?),
            "Actual Rows" => self.rows = Some(number(map)?),
            "Actual Loops" => self.loops = Some(number(map)?),
            "Sort Method" => self.sort_method = map.next_value()?,
            "Sort Space Used" => self.sort_kilobytes = Some(number(map)?),
            "Sort Space Type" => self.sort_on_disk = map.next_value::<Key<'_>>()?.0 == "Disk",
            "Hash Buckets" => self.hash.get_or_insert_default().buckets = Some(whole(map)?),
            "Hash Batches" => self.hash.get_or_insert_default().batches = Some(whole(map)?),
            "Original Hash Batches" => {
                self.hash.get_or_insert_default().original_batches = Some(whole(map)?)
            }
            "Peak Memory Usage" => self.peak_memory = Some(Bytes(kilobytes(number(map)?))),
            "Disk Usage" => self.disk = Some(Bytes(kilobytes(number(map)?))),
            "HashAgg Batches" => self.aggregate_batches = Some(whole(map)?),
            "Planned Partitions" => self.planned_partitions = Some(whole(map)?),
            "Cache Hits" => self.memoize.get_or_insert_default().hits = Some(whole(map)?),
            "Cache Misses" => self.memoize.get_or_insert_default().misses = Some(whole(map)?),
            "Cache Evictions" => self.memoize.get_or_insert_default().evictions = Some(whole(map)?),
            "Cache Overflows" => self.memoize.get_or_insert_default().overflows = Some(whole(map)?),
            "WAL Records" => self.wal.get_or_insert_default().records = whole(map)?,
            "WAL FPI" => self.wal.get_or_insert_default().full_page_images = whole(map)?,
            "WAL Bytes" => self.wal.get_or_insert_default().bytes = Bytes(whole(map)?),
            other => {
                if let Some(slot) = self.blocks(other) {
                    *slot = whole(map)?;
                } else if let Some(slot) = self.io_time(other) {
                    *slot = millis(map)?;
                } else {
                    extra.insert(other.to_owned(), map.next_value()?);
                }
            }
        }
        Ok(())
    }
}

/// A worker's part, in the node's own keys.
struct WorkerValue(Worker);

impl<'de> Deserialize<'de> for WorkerValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WorkerVisitor;
        impl<'de> Visitor<'de> for WorkerVisitor {
            type Value = WorkerValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a worker's figures")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WorkerValue, A::Error> {
                let mut measured = MeasuredDraft::default();
                let mut number = 0;
                let mut unknown = Map::new();
                while let Some(Key(key)) = map.next_key()? {
                    match &*key {
                        "Worker Number" => number = small(&mut map)?,
                        other => measured.read(other, &mut map, &mut unknown)?,
                    }
                }
                Ok(WorkerValue(worker(number, measured)))
            }
        }
        deserializer.deserialize_map(WorkerVisitor)
    }
}

#[derive(Deserialize)]
pub(super) struct TriggerValue {
    #[serde(rename = "Trigger Name", default)]
    pub(super) name: String,
    #[serde(rename = "Constraint Name")]
    pub(super) constraint: Option<String>,
    #[serde(rename = "Relation")]
    pub(super) relation: Option<String>,
    #[serde(rename = "Time")]
    time: Option<Number>,
    #[serde(rename = "Calls", default)]
    calls: Number,
}

impl From<TriggerValue> for Trigger {
    fn from(value: TriggerValue) -> Self {
        Self {
            name: value.name,
            constraint: value.constraint,
            relation: value.relation,
            time_ms: value.time.map(|Number(ms)| Millis(ms)),
            calls: value.calls.0,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct JitValue {
    #[serde(rename = "Functions", default)]
    pub(super) functions: Number,
    #[serde(rename = "Timing")]
    pub(super) timing: Option<JitTiming>,
}

#[derive(Deserialize)]
pub(super) struct JitTiming {
    #[serde(rename = "Total")]
    pub(super) total: Option<Number>,
}
