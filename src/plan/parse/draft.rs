//! A node while its keys come in: what is spread over several keys is gathered here and put together at the end.
//! Shared by the readers that know EXPLAIN's JSON names.

use serde_json::{Map, Value};

use crate::plan::node::{
    Actual, Buffers, HashSpace, JoinType, Memoize, Node, NodeId, NodeKind, PerLoop, RelationRef,
    Relationship, SortSpace, Wal, Worker,
};
use crate::units::{Bytes, Millis};

/// A node in the making.
pub(super) struct NodeDraft {
    pub(super) node: Node,
    pub(super) node_type: String,
    pub(super) schema: Option<String>,
    pub(super) relation: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) measured: MeasuredDraft,
}

/// The figures that nodes and workers share.
#[derive(Default)]
pub(super) struct MeasuredDraft {
    pub(super) startup: Option<f64>,
    pub(super) total: Option<f64>,
    pub(super) rows: Option<f64>,
    pub(super) loops: Option<f64>,
    pub(super) buffers: Option<Buffers>,
    pub(super) wal: Option<Wal>,
    pub(super) sort_method: Option<String>,
    pub(super) sort_kilobytes: Option<f64>,
    pub(super) sort_on_disk: bool,
    pub(super) hash: Option<HashSpace>,
    pub(super) memoize: Option<Memoize>,
    /// `Peak Memory Usage` belongs to Hash, Aggregate or Memoize: which one is known at the end.
    pub(super) peak_memory: Option<Bytes>,
    /// `Disk Usage` of a hashed Aggregate.
    pub(super) disk: Option<Bytes>,
    /// `HashAgg Batches`.
    pub(super) aggregate_batches: Option<u64>,
    /// `Planned Partitions`.
    pub(super) planned_partitions: Option<u64>,
}

impl Default for NodeDraft {
    fn default() -> Self {
        Self {
            node: Node::of_kind(NodeKind::Result),
            node_type: String::new(),
            schema: None,
            relation: None,
            alias: None,
            measured: MeasuredDraft::default(),
        }
    }
}

impl MeasuredDraft {
    /// What was measured; `None` without ANALYZE.
    pub(super) fn actual(&self) -> Option<Actual> {
        let loops = self.loops?;
        Some(Actual {
            startup: self.startup.map(|ms| PerLoop(Millis(ms))),
            total: self.total.map(|ms| PerLoop(Millis(ms))),
            rows: PerLoop(self.rows.unwrap_or_default()),
            loops,
        })
    }

    pub(super) fn sort(&mut self) -> Option<SortSpace> {
        let method = self.sort_method.take()?;
        let used = Bytes(kilobytes(self.sort_kilobytes.unwrap_or_default()));
        Some(SortSpace {
            method,
            used,
            on_disk: self.sort_on_disk,
        })
    }

    fn hash(&mut self) -> Option<HashSpace> {
        if self.hash.is_none()
            && self.aggregate_batches.is_none()
            && self.planned_partitions.is_none()
            && self.disk.is_none()
        {
            return None;
        }
        let mut hash = self.hash.take().unwrap_or_default();
        hash.batches = hash.batches.or(self.aggregate_batches);
        hash.planned_partitions = self.planned_partitions;
        // A Parallel Hash whose batches belong to the workers reports `Memory Usage: 0kB`: it was not measured.
        hash.peak_memory = self.peak_memory.filter(|peak| peak.0 > 0);
        hash.disk = self.disk;
        Some(hash)
    }

    /// A slot of the block counters, by its name in JSON.
    pub(super) fn blocks(&mut self, key: &str) -> Option<&mut u64> {
        let slot: fn(&mut Buffers) -> &mut u64 = match key {
            "Shared Hit Blocks" => |buffers| &mut buffers.shared_hit,
            "Shared Read Blocks" => |buffers| &mut buffers.shared_read,
            "Shared Dirtied Blocks" => |buffers| &mut buffers.shared_dirtied,
            "Shared Written Blocks" => |buffers| &mut buffers.shared_written,
            "Local Hit Blocks" => |buffers| &mut buffers.local_hit,
            "Local Read Blocks" => |buffers| &mut buffers.local_read,
            "Local Dirtied Blocks" => |buffers| &mut buffers.local_dirtied,
            "Local Written Blocks" => |buffers| &mut buffers.local_written,
            "Temp Read Blocks" => |buffers| &mut buffers.temp_read,
            "Temp Written Blocks" => |buffers| &mut buffers.temp_written,
            _ => return None,
        };
        Some(slot(self.buffers.get_or_insert_default()))
    }

    /// A slot of the I/O times; until 16 local I/O was counted with shared I/O.
    pub(super) fn io_time(&mut self, key: &str) -> Option<&mut Option<Millis>> {
        let slot: fn(&mut Buffers) -> &mut Option<Millis> = match key {
            "I/O Read Time" | "Shared I/O Read Time" => |buffers| &mut buffers.shared_read_ms,
            "I/O Write Time" | "Shared I/O Write Time" => |buffers| &mut buffers.shared_write_ms,
            "Temp I/O Read Time" => |buffers| &mut buffers.temp_read_ms,
            "Temp I/O Write Time" => |buffers| &mut buffers.temp_write_ms,
            _ => return None,
        };
        Some(slot(self.buffers.get_or_insert_default()))
    }
}

impl NodeDraft {
    /// The node, its children known.
    pub(super) fn finish(mut self, parent: Option<NodeId>, children: Vec<NodeId>) -> Node {
        let mut node = self.node;
        node.kind = NodeKind::of_name(&self.node_type);
        node.parent = parent;
        node.children = children;
        let relation = self
            .relation
            .take()
            .or_else(|| node.cte_name.clone())
            .or_else(|| self.alias.clone());
        node.relation = relation.map(|name| RelationRef {
            schema: self.schema.take(),
            alias: self.alias.take().unwrap_or_else(|| name.clone()),
            name,
        });
        node.actual = self.measured.actual();
        node.buffers = self.measured.buffers;
        node.wal = self.measured.wal;
        if let Some(sort) = self.measured.sort() {
            node.sort = Some(sort);
        }
        if let Some(mut memoize) = self.measured.memoize.take() {
            memoize.peak_memory = self.measured.peak_memory;
            node.memoize = Some(memoize);
        }
        node.hash = self.measured.hash();
        if node.sort.is_none() {
            node.sort = incremental_sort_space(&node.extra);
        }
        node
    }

    /// The node as far as it is known.
    pub(super) fn node(&mut self) -> &mut Node {
        &mut self.node
    }
}

/// A worker from its keys.
pub(super) fn worker(number: u32, mut measured: MeasuredDraft) -> Worker {
    Worker {
        number,
        actual: measured.actual(),
        sort: measured.sort(),
        hash: measured.hash(),
        buffers: measured.buffers,
    }
}

/// Incremental Sort tells of its groups: the largest group decides.
fn incremental_sort_space(extra: &Map<String, Value>) -> Option<SortSpace> {
    let mut largest: Option<SortSpace> = None;
    for group in ["Full-sort Groups", "Pre-sorted Groups"]
        .iter()
        .filter_map(|key| extra.get(*key))
    {
        let method = group
            .get("Sort Methods Used")
            .and_then(Value::as_array)
            .and_then(|methods| methods.last());
        let method = method
            .and_then(Value::as_str)
            .unwrap_or("incremental sort")
            .to_owned();
        for (key, on_disk) in [("Sort Space Memory", false), ("Sort Space Disk", true)] {
            let peak = group
                .get(key)
                .and_then(|space| space.get("Peak Sort Space Used"))
                .and_then(Value::as_f64);
            let Some(peak) = peak else { continue };
            let space = SortSpace {
                method: method.clone(),
                used: Bytes(kilobytes(peak)),
                on_disk,
            };
            if largest
                .as_ref()
                .is_none_or(|so_far| (so_far.on_disk, so_far.used) < (space.on_disk, space.used))
            {
                largest = Some(space);
            }
        }
    }
    largest
}

/// EXPLAIN's kB as bytes.
pub(super) fn kilobytes(kb: f64) -> u64 {
    // Saturates: a float out of range becomes the nearest bound.
    (kb * 1024.0) as u64
}

/// `Parent Relationship`.
pub(super) fn relationship(name: String) -> Relationship {
    match name.as_str() {
        "Outer" => Relationship::Outer,
        "Inner" => Relationship::Inner,
        "Member" => Relationship::Member,
        "Subquery" => Relationship::Subquery,
        "InitPlan" => Relationship::InitPlan,
        "SubPlan" => Relationship::SubPlan,
        _ => Relationship::Unknown(name),
    }
}

/// `Join Type`.
pub(super) fn join_type(name: String) -> JoinType {
    match name.as_str() {
        "Inner" => JoinType::Inner,
        "Left" => JoinType::Left,
        "Full" => JoinType::Full,
        "Right" => JoinType::Right,
        "Semi" => JoinType::Semi,
        "Anti" => JoinType::Anti,
        "Right Semi" => JoinType::RightSemi,
        "Right Anti" => JoinType::RightAnti,
        _ => JoinType::Unknown(name),
    }
}
