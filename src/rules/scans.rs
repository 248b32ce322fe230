//! Scans as a person counts them: those of one table's partitions, side by side and by the same condition, are one scan.
//! Shared by the rules that judge scans; no rule.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::context::RunContext;
use crate::finding::{Evidence, Quantity};
use crate::plan::condition::parse;
use crate::plan::{Node, NodeId, NodeKind, RowCount};
use crate::units::{Count, Millis, Pages, Rows};

/// One scan with its figures; of partitions the sum.
#[derive(Debug, Clone)]
pub(super) struct Scan<'a> {
    /// The node; of partitions the first.
    pub(super) id: NodeId,
    /// It.
    pub(super) node: &'a Node,
    /// All of them, in preorder.
    pub(super) parts: Vec<NodeId>,
    /// Rows looked at over all loops.
    pub(super) rows_read: f64,
    /// Rows given out over all loops.
    pub(super) rows: f64,
    /// The same with the bounds that EXPLAIN's rounding leaves.
    pub(super) row_count: RowCount,
    /// How often the table was gone through.
    pub(super) passes: f64,
    /// Rows that the filter threw away over all loops; `None` where it threw none away.
    pub(super) removed: Option<f64>,
    /// Pages without those of nodes below.
    pub(super) pages: Option<Pages>,
    /// Time without that of nodes below.
    pub(super) time: Option<Millis>,
    /// Share of the query's work: of pages, else of time.
    pub(super) share: Option<f64>,
}

/// Every scan of a table that ran, in preorder of its first part.
pub(super) fn all<'a>(context: &RunContext<'a>) -> Vec<Scan<'a>> {
    let mut scans: Vec<Scan<'a>> = Vec::new();
    // A plan may have a hundred thousand scans.
    let mut of_partitions: HashMap<Key, usize> = HashMap::new();
    for (id, node, _) in context
        .executed()
        .filter(|(_, node, _)| node.kind.scans_table())
    {
        let Some(alone) = alone(context, id, node) else {
            continue;
        };
        let key = key(context, id, node);
        if key.append.is_none() {
            scans.push(alone);
            continue;
        }
        match of_partitions.entry(key) {
            Entry::Occupied(at) => scans[*at.get()].add(alone),
            Entry::Vacant(free) => {
                free.insert(scans.len());
                scans.push(alone);
            }
        }
    }
    scans
}

/// What makes scans one: the Append that collects them, the partitioned table, the way and the conditions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    append: Option<NodeId>,
    table: Option<String>,
    kind: NodeKind,
    conditions: [Option<String>; 3],
}

fn key(context: &RunContext<'_>, id: NodeId, node: &Node) -> Key {
    let plan = context.plan();
    let append = plan
        .ancestors(id)
        .find(|above| !plan.node(*above).kind.hands_rows_on());
    let append = append.filter(|above| {
        matches!(
            plan.node(*above).kind,
            NodeKind::Append | NodeKind::MergeAppend
        )
    });
    let table = match (context.schema, context.table(node)) {
        (Some(schema), Some(table)) if table.partition_of.is_some() => {
            Some(schema.root_of(table).name.to_string())
        }
        (Some(_), Some(_)) => None,
        // Without a schema the alias tells: Postgres numbers those of partitions.
        (None, _) | (_, None) => node
            .relation
            .as_ref()
            .and_then(|relation| numbered(&relation.alias)),
    };
    let text =
        |condition: &Option<String>| condition.as_ref().map(|text| parse(text).unqualified());
    let conditions = &node.conditions;
    Key {
        append: append.filter(|_| table.is_some()),
        table,
        kind: node.kind.clone(),
        conditions: [
            text(&conditions.filter),
            text(&conditions.index),
            text(&conditions.recheck),
        ],
    }
}

/// `events` of `events_12`.
fn numbered(alias: &str) -> Option<String> {
    let (name, number) = alias.rsplit_once('_')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| name.to_owned())
}

fn alone<'a>(context: &RunContext<'a>, id: NodeId, node: &'a Node) -> Option<Scan<'a>> {
    let metrics = context.metrics.node(id);
    let loops = node.actual?.loops;
    let mut row_count = metrics.row_count?;
    let mut rows_read = metrics.rows_read?;
    if let Some(all) = whole_table(context, node, rows_read, loops)
        .filter(|_| metrics.passes.is_some_and(|passes| passes < 1.5))
    {
        rows_read = all;
        if node.conditions.filter.is_none() {
            row_count = row_count.within(all, all);
        }
    }
    Some(Scan {
        id,
        node,
        parts: vec![id],
        rows_read,
        rows: row_count.likely,
        row_count,
        passes: metrics.passes?,
        removed: node.removed.filter.map(|rows| rows.0 * loops),
        pages: metrics.exclusive_blocks,
        time: metrics.exclusive,
        share: context.metrics.share(id),
    })
}

/// The rows of a table that was read once by several processes, whose averages are rounded: as many as the table has,
/// where rounding leaves that open.
fn whole_table(context: &RunContext<'_>, node: &Node, read: f64, loops: f64) -> Option<f64> {
    let rows = context.table(node)?.stats.rows?;
    let is_open = loops > 1.0 && node.kind == NodeKind::SeqScan && (rows - read).abs() <= loops;
    is_open.then_some(rows)
}

impl<'a> Scan<'a> {
    /// Takes another part in. Parts keep their order: the first is the one that is shown.
    fn add(&mut self, other: Self) {
        self.rows_read += other.rows_read;
        self.rows += other.rows;
        self.row_count = self.row_count.plus(other.row_count);
        self.passes = self.passes.max(other.passes);
        self.removed = sum(self.removed, other.removed, |a, b| a + b);
        self.pages = sum(self.pages, other.pages, |a, b| Pages(a.0 + b.0));
        self.time = sum(self.time, other.time, |a, b| Millis(a.0 + b.0));
        self.share = sum(self.share, other.share, |a, b| a + b);
        self.parts.extend(other.parts);
    }

    /// The name by which conditions know the table.
    pub(super) fn alias(&self) -> Option<&'a str> {
        self.node
            .relation
            .as_ref()
            .map(|relation| relation.alias.as_str())
    }

    /// `60,000 rows`, `60,000 rows by each of 3 processes`, `60,000 rows, 50 times over`: of one reading, because no table has
    /// more rows than it has.
    pub(super) fn rows_in_words(&self, context: &RunContext<'_>) -> String {
        if self.passes < 2.0 || self.parts.len() > 1 {
            return Rows(self.rows_read).to_string();
        }
        let once = Rows((self.rows_read / self.passes).round());
        let processes = context.metrics.node(self.id).processes;
        if (self.passes - processes).abs() < 0.5 {
            format!("{once} by each of {processes:.0} processes")
        } else {
            format!("{once}, {} times over", Count(self.passes))
        }
    }

    /// ` in 24 partitions`; nothing for a plain table.
    pub(super) fn partitions_in_words(&self) -> String {
        if self.parts.len() > 1 {
            format!(" in {} partitions", self.parts.len())
        } else {
            String::new()
        }
    }

    /// `12.3 ms of 45 ms`: its own time of the query's; empty without timing.
    pub(super) fn time_in_words(&self, context: &RunContext<'_>) -> String {
        match (self.time, context.metrics.total) {
            (Some(own), Some(total)) => format!("{own} of {total}"),
            (Some(_), None) | (None, _) => String::new(),
        }
    }

    /// Run, node and relation, rows read and `kept` of them, partitions, and the cost of all parts.
    pub(super) fn evidence(
        &self,
        context: &RunContext<'_>,
        condition: Option<String>,
        kept: f64,
    ) -> Evidence {
        let mut evidence = context.evidence(self.id);
        evidence.condition = condition;
        let evidence = evidence
            .with("rows_read", Quantity::Rows(self.rows_read))
            .with("rows_kept", Quantity::Rows(kept));
        let evidence = match (self.row_count.is_exact(), kept < 1.0) {
            (false, true) => evidence.with(
                "rows_kept_at_most",
                Quantity::Rows(self.row_count.high.floor()),
            ),
            (true, _) | (false, false) => evidence,
        };
        let measures = [
            (
                "partitions",
                Some(self.parts.len() as u64)
                    .filter(|parts| *parts > 1)
                    .map(Quantity::Count),
            ),
            ("pages", self.pages.map(Quantity::Pages)),
            ("query_pages", context.metrics.blocks.map(Quantity::Pages)),
            ("time_ms", self.time.map(Quantity::Millis)),
            ("query_time_ms", context.metrics.total.map(Quantity::Millis)),
        ];
        measures
            .into_iter()
            .fold(evidence, |evidence, (key, value)| match value {
                Some(value) => evidence.with(key, value),
                None => evidence,
            })
    }
}

/// Of what was measured.
fn sum<T>(a: Option<T>, b: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (a, b) => a.or(b),
    }
}
