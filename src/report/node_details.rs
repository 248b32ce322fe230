//! What EXPLAIN says of a node beyond its name: every figure in words, once, for whoever draws a plan.

use crate::plan::{Buffers, HashSpace, Memoize, Metrics, Node, NodeId, Plan, SortSpace, Worker};
use crate::units::{Bytes, Count, Millis, Pages};

use super::evidence::{percent, rows_in_words};

/// A figure of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detail {
    /// `cache hits`.
    pub(crate) name: &'static str,
    /// `97 %`.
    pub(crate) text: String,
    /// Whether it is worth a place in a narrow tree.
    pub(crate) place: Place,
}

/// Where a detail is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In every picture of the plan.
    Tree,
    /// Where there is room for all.
    Page,
}

/// Conditions and keys, as EXPLAIN prints them.
pub(crate) fn conditions(node: &Node) -> Vec<(&'static str, String)> {
    let conditions = &node.conditions;
    let parts = [
        ("Index Cond", &conditions.index),
        ("Order By", &conditions.order_by),
        ("Recheck Cond", &conditions.recheck),
        ("Tid Cond", &conditions.tid),
        ("Filter", &conditions.filter),
        ("One-Time Filter", &conditions.one_time_filter),
        ("Hash Cond", &conditions.hash),
        ("Merge Cond", &conditions.merge),
        ("Join Filter", &conditions.join_filter),
        ("Cache Key", &conditions.cache_key),
        ("Run Condition", &conditions.run_condition),
        ("Conflict Filter", &conditions.conflict_filter),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(name, condition)| Some((name, condition.clone()?)));
    let keys = [
        ("Sort Key", &node.sort_key),
        ("Presorted Key", &node.presorted_key),
        ("Group Key", &node.group_key),
    ];
    let keys = keys
        .into_iter()
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(name, keys)| (name, keys.join(", ")));
    parts.chain(keys).collect()
}

/// Every figure of a node, most telling first.
pub(crate) fn details(plan: &Plan, metrics: &Metrics, id: NodeId) -> Vec<Detail> {
    let node = plan.node(id);
    let mut found = Details(Vec::new());
    found.time_and_rows(node, metrics, id);
    found.removed(node);
    if let Some(buffers) = &node.buffers {
        found.buffers(buffers);
    }
    found.own_pages(metrics, id);
    found.on_index_and_heap(node);
    found.tree("sort", node.sort.as_ref().map(sort));
    found.tree("hash", node.hash.as_ref().and_then(hash));
    found.tree("cache", node.memoize.as_ref().and_then(memoize));
    found.workers(node);
    found.plan_of_node(node);
    found.0
}

struct Details(Vec<Detail>);

impl Details {
    fn add(&mut self, name: &'static str, text: Option<String>, place: Place) {
        self.0.extend(text.map(|text| Detail { name, text, place }));
    }

    fn tree(&mut self, name: &'static str, text: Option<String>) {
        self.add(name, text, Place::Tree);
    }

    fn page(&mut self, name: &'static str, text: Option<String>) {
        self.add(name, text, Place::Page);
    }

    fn time_and_rows(&mut self, node: &Node, metrics: &Metrics, id: NodeId) {
        let figures = metrics.node(id);
        let own = figures.exclusive.zip(figures.inclusive);
        self.tree(
            "time",
            own.filter(|_| node.executed() == Some(true))
                .map(|(own, total)| match node.children.is_empty() {
                    true => own.to_string(),
                    false => format!("{own} own, {total} with what is below"),
                }),
        );
        let expected = node.estimate.expected_rows();
        self.page("rows expected", expected.map(|rows| rows_in_words(rows.0)));
        let rows = node.actual.map(|actual| rows_in_words(actual.rows.0));
        self.page("rows", rows);
        let loops = node.actual.map(|actual| actual.loops);
        self.page(
            "loops",
            loops
                .filter(|loops| *loops != 1.0)
                .map(|loops| Count(loops).to_string()),
        );
        let processes = figures.processes;
        self.page(
            "processes",
            (processes > 1.0).then(|| Count(processes).to_string()),
        );
    }

    fn removed(&mut self, node: &Node) {
        let removed = [
            ("removed by filter", node.removed.filter),
            ("removed by join filter", node.removed.join_filter),
            ("removed by recheck", node.removed.index_recheck),
            ("removed by conflict filter", node.removed.conflict_filter),
        ];
        for (name, rows) in removed {
            let rows = rows.filter(|rows| rows.0 > 0.0);
            self.page(name, rows.map(|rows| rows_in_words(rows.0)));
        }
    }

    fn buffers(&mut self, buffers: &Buffers) {
        let (hit, read) = (
            buffers.shared_hit + buffers.local_hit,
            buffers.shared_read + buffers.local_read,
        );
        let touched = hit + read;
        self.tree(
            "pages",
            (touched > 0).then(|| {
                let share = hit as f64 / touched as f64;
                format!(
                    "{} hit, {} read ({} from cache)",
                    count(hit),
                    count(read),
                    percent(share)
                )
            }),
        );
        let changed = (
            buffers.shared_dirtied + buffers.local_dirtied,
            buffers.shared_written + buffers.local_written,
        );
        self.tree(
            "changed",
            (changed != (0, 0))
                .then(|| format!("{} dirtied, {} written", count(changed.0), count(changed.1))),
        );
        let temp = (buffers.temp_read, buffers.temp_written);
        self.tree(
            "temporary",
            (temp != (0, 0)).then(|| format!("{} read, {} written", count(temp.0), count(temp.1))),
        );
        let waits = [
            ("read", buffers.shared_read_ms),
            ("write", buffers.shared_write_ms),
            ("temporary read", buffers.temp_read_ms),
            ("temporary write", buffers.temp_write_ms),
        ];
        let waits: Vec<String> = waits
            .into_iter()
            .filter_map(|(what, time)| Some((what, time.filter(|Millis(ms)| *ms > 0.0)?)))
            .map(|(what, time)| format!("{what} {time}"))
            .collect();
        self.tree("I/O", (!waits.is_empty()).then(|| waits.join(", ")));
    }

    fn own_pages(&mut self, metrics: &Metrics, id: NodeId) {
        let own = metrics.node(id).exclusive_blocks;
        self.page(
            "own pages",
            own.filter(|pages| pages.0 > 0).map(|pages| sized(pages.0)),
        );
        let temp = metrics.node(id).exclusive_temp;
        self.page(
            "own temporary pages",
            temp.filter(|pages| pages.0 > 0).map(|pages| sized(pages.0)),
        );
    }

    fn on_index_and_heap(&mut self, node: &Node) {
        let fetches = node.heap_fetches.map(|fetches| fetches.0);
        self.tree("heap fetches", fetches.map(count));
        let searches = node.index_searches.map(|searches| searches.0);
        self.tree(
            "index searches",
            searches.filter(|searches| *searches > 1).map(count),
        );
        let exact = node.exact_heap_blocks.map_or(0, |pages| pages.0);
        let lossy = node.lossy_heap_blocks.map_or(0, |pages| pages.0);
        self.tree(
            "heap pages",
            (exact + lossy > 0).then(|| format!("{} exact, {} lossy", count(exact), count(lossy))),
        );
        let removed = node.subplans_removed.filter(|removed| *removed > 0);
        self.tree("pruned at run time", removed.map(count));
    }

    fn workers(&mut self, node: &Node) {
        if let Some(planned) = node.workers_planned {
            let launched = node
                .workers_launched
                .map_or_else(|| "not known".to_owned(), |launched| launched.to_string());
            self.tree(
                "workers",
                Some(format!("{planned} planned, {launched} launched")),
            );
        }
        for worker in &node.workers {
            self.page("worker", Some(in_words(worker)));
        }
    }

    fn plan_of_node(&mut self, node: &Node) {
        let estimate = &node.estimate;
        self.page(
            "cost",
            estimate
                .expected_rows()
                .map(|_| format!("{:.2} to {:.2}", estimate.startup_cost, estimate.total_cost)),
        );
        self.page(
            "row width",
            (estimate.width > 0).then(|| Bytes(estimate.width).to_string()),
        );
        self.page(
            "strategy",
            node.strategy.as_ref().map(|word| word.as_str().to_owned()),
        );
        self.page(
            "part",
            node.partial_mode
                .as_ref()
                .map(|word| word.as_str().to_owned()),
        );
        let unique = node.inner_unique.filter(|unique| *unique);
        self.page("inner unique", unique.map(|_| "yes".to_owned()));
        self.tree(
            "disabled",
            node.disabled
                .then(|| "yes: no other way was found".to_owned()),
        );
        let wal = node.wal.filter(|wal| wal.records > 0);
        self.page(
            "WAL",
            wal.map(|wal| {
                format!(
                    "{}, {} records, {} full pages",
                    wal.bytes,
                    count(wal.records),
                    count(wal.full_page_images)
                )
            }),
        );
        self.page(
            "output",
            (!node.output.is_empty()).then(|| node.output.join(", ")),
        );
    }
}

/// `external merge, 5.2 MB on disk`.
fn sort(space: &SortSpace) -> String {
    let place = if space.on_disk {
        "on disk"
    } else {
        "in memory"
    };
    format!("{}, {} {place}", space.method, space.used)
}

/// `65,536 buckets, 4 batches (1 planned), 3.2 MB in memory`.
fn hash(space: &HashSpace) -> Option<String> {
    let batches = space.batches.map(|batches| {
        let planned = space
            .original_batches
            .filter(|original| *original != batches)
            .map(|original| format!(" ({original} planned)"))
            .unwrap_or_default();
        let word = if batches == 1 { "batch" } else { "batches" };
        format!("{} {word}{planned}", count(batches))
    });
    let parts = [
        space
            .buckets
            .map(|buckets| format!("{} buckets", count(buckets))),
        batches,
        space
            .planned_partitions
            .filter(|planned| *planned > 0)
            .map(|planned| format!("{planned} partitions planned")),
        space
            .peak_memory
            .map(|memory| format!("{memory} in memory")),
        space
            .disk
            .filter(|disk| disk.0 > 0)
            .map(|disk| format!("{disk} on disk")),
    ];
    joined(parts)
}

/// `9,998 hits, 2 misses, 12 kB`.
fn memoize(cache: &Memoize) -> Option<String> {
    let some = |number: Option<u64>| number.filter(|number| *number > 0);
    let parts = [
        cache.hits.map(|hits| format!("{} hits", count(hits))),
        cache
            .misses
            .map(|misses| format!("{} misses", count(misses))),
        some(cache.evictions).map(|evictions| format!("{} evictions", count(evictions))),
        some(cache.overflows).map(|overflows| format!("{} overflows", count(overflows))),
        cache.peak_memory.map(|memory| memory.to_string()),
    ];
    joined(parts)
}

/// `1: 3 rows in 12.0 ms`.
fn in_words(worker: &Worker) -> String {
    let actual = worker.actual.map(|actual| {
        let time = actual
            .total
            .map(|time| format!(" in {}", time.0))
            .unwrap_or_default();
        let loops = if actual.loops > 1.0 {
            format!(", {} loops", Count(actual.loops))
        } else {
            String::new()
        };
        format!("{} rows{time}{loops}", rows_in_words(actual.rows.0))
    });
    let pages = worker
        .buffers
        .map(|buffers| format!("{} pages", count(buffers.touched().0)));
    let parts = [
        actual,
        pages,
        worker.sort.as_ref().map(sort),
        worker.hash.as_ref().and_then(hash),
    ];
    format!("{}: {}", worker.number, joined(parts).unwrap_or_default())
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn count(number: u64) -> String {
    Count(number as f64).to_string()
}

fn sized(pages: u64) -> String {
    super::evidence::pages_in_words(Pages(pages))
}
