//! A node's properties in the text format: conditions, lists, and the figures that JSON spreads over keys of their own.

use serde_json::{Map, Value, json};

use super::line::split_key;
use super::title::{number, read_actual};
use crate::plan::node::{PerLoop, Total, Wal};
use crate::plan::parse::draft::{MeasuredDraft, NodeDraft, kilobytes};
use crate::units::{Bytes, Millis};

/// Keys that PostgreSQL prints below a node; a line that begins with one is never the rest of another.
const KEYS: &[&str] = &[
    "Output",
    "Filter",
    "Index Cond",
    "Recheck Cond",
    "Order By",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "One-Time Filter",
    "TID Cond",
    "Cache Key",
    "Cache Mode",
    "Conflict Filter",
    "Run Condition",
    "Sort Key",
    "Presorted Key",
    "Group Key",
    "Hash Key",
    "Sort Method",
    "Sort Methods",
    "Buckets",
    "Batches",
    "Planned Partitions",
    "Buffers",
    "I/O Timings",
    "WAL",
    "Hits",
    "Heap Blocks",
    "Heap Fetches",
    "Index Searches",
    "Workers Planned",
    "Workers Launched",
    "Single Copy",
    "Rows Removed by Filter",
    "Rows Removed by Index Recheck",
    "Rows Removed by Join Filter",
    "Rows Removed by Conflict Filter",
    "Subplans Removed",
    "Full-sort Groups",
    "Pre-sorted Groups",
    "Conflict Resolution",
    "Conflict Arbiter Indexes",
    "Tuples Inserted",
    "Conflicting Tuples",
    "Tuples",
    "Inner Unique",
    "Disabled",
    "Function Call",
    "Table Function Call",
    "Remote SQL",
    "Relations",
    "Sampling",
    "Repeatable Seed",
    "Params Evaluated",
    "Window",
    "Storage",
    "Replaces",
    "Exact Heap Blocks",
];

/// Whether PostgreSQL prints the key below a node.
pub(super) fn knows(key: &str) -> bool {
    KEYS.contains(&key)
        || key
            .strip_prefix("Worker ")
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Takes one property; what is not known goes to `extra`.
pub(super) fn read(draft: &mut NodeDraft, text: &str) {
    let Some((key, value)) = split_key(text) else {
        if !text.is_empty() {
            push(
                &mut draft.node.extra,
                if super::title::is_target(text) {
                    "Target Tables"
                } else {
                    "Unread"
                },
                text,
            );
        }
        return;
    };
    let node = &mut draft.node;
    let owned = || Some(value.to_owned());
    match key {
        "Filter" => node.conditions.filter = owned(),
        "Index Cond" => node.conditions.index = owned(),
        "Recheck Cond" => node.conditions.recheck = owned(),
        "Order By" => node.conditions.order_by = owned(),
        "Hash Cond" => node.conditions.hash = owned(),
        "Merge Cond" => node.conditions.merge = owned(),
        "Join Filter" => node.conditions.join_filter = owned(),
        "One-Time Filter" => node.conditions.one_time_filter = owned(),
        "TID Cond" => node.conditions.tid = owned(),
        "Cache Key" => node.conditions.cache_key = owned(),
        "Conflict Filter" => node.conditions.conflict_filter = owned(),
        "Run Condition" => node.conditions.run_condition = owned(),
        "Output" => node.output = list(value),
        "Sort Key" => node.sort_key = list(value),
        "Presorted Key" => node.presorted_key = list(value),
        // Grouping sets print several; the first is the finest.
        "Group Key" | "Hash Key" if node.group_key.is_empty() => node.group_key = list(value),
        "Inner Unique" => node.inner_unique = Some(value == "true"),
        "Disabled" => node.disabled = value == "true",
        "Heap Blocks" => {
            node.exact_heap_blocks = behind(value, "exact=").map(|count| Total(count as u64));
            node.lossy_heap_blocks = behind(value, "lossy=").map(|count| Total(count as u64));
        }
        _ => match number(value) {
            Some(number) if counted(draft, key, number) => {}
            Some(_) | None => read_measured(&mut draft.measured, &mut draft.node.extra, text),
        },
    }
}

/// Plain counts; whether the key is one.
fn counted(draft: &mut NodeDraft, key: &str, number: f64) -> bool {
    let node = &mut draft.node;
    let rows = Some(PerLoop(number));
    match key {
        "Rows Removed by Filter" => node.removed.filter = rows,
        "Rows Removed by Index Recheck" => node.removed.index_recheck = rows,
        "Rows Removed by Join Filter" => node.removed.join_filter = rows,
        "Rows Removed by Conflict Filter" => node.removed.conflict_filter = rows,
        "Heap Fetches" => node.heap_fetches = Some(Total(number as u64)),
        "Index Searches" => node.index_searches = Some(Total(number as u64)),
        "Workers Planned" => node.workers_planned = Some(number as u32),
        "Workers Launched" => node.workers_launched = Some(number as u32),
        "Subplans Removed" => node.subplans_removed = Some(number as u64),
        _ => return false,
    }
    true
}

/// The figures that nodes and workers share.
pub(super) fn read_measured(
    measured: &mut MeasuredDraft,
    extra: &mut Map<String, Value>,
    text: &str,
) {
    if text.starts_with("actual ") || text.starts_with("never executed") {
        return read_actual(measured, text);
    }
    let Some((key, value)) = split_key(text) else {
        return push(extra, "Unread", text);
    };
    match key {
        "Buffers" => buffers(measured, value),
        "I/O Timings" => io_timings(measured, value),
        "WAL" => measured.wal = Some(wal(value)),
        "Full-sort Groups" | "Pre-sorted Groups" => {
            extra.insert(key.to_owned(), incremental_groups(text));
        }
        _ => {
            // `Sort Method: quicksort  Memory: 25kB`: pairs that two blanks part.
            for pair in text
                .split("  ")
                .map(str::trim)
                .filter(|pair| !pair.is_empty())
            {
                pair_of_figures(measured, extra, pair);
            }
        }
    }
}

fn pair_of_figures(measured: &mut MeasuredDraft, extra: &mut Map<String, Value>, pair: &str) {
    let Some((key, value)) = split_key(pair) else {
        return push(extra, "Unread", pair);
    };
    let count = number(value);
    let whole = count.map(|count| count as u64);
    let bytes = count.map(|kb| Bytes(kilobytes(kb)));
    match key {
        "Sort Method" => measured.sort_method = Some(value.to_owned()),
        "Memory" | "Disk" if measured.sort_method.is_some() => {
            (measured.sort_kilobytes, measured.sort_on_disk) = (count, key == "Disk");
        }
        "Buckets" => {
            measured.hash.get_or_insert_default().buckets = whole;
        }
        "Batches" if measured.hash.is_some() => {
            let hash = measured.hash.get_or_insert_default();
            hash.batches = whole;
            hash.original_batches = behind(value, "originally ")
                .map(|count| count as u64)
                .or(whole);
        }
        "Batches" => measured.aggregate_batches = whole,
        "Planned Partitions" => measured.planned_partitions = whole,
        "Memory Usage" => measured.peak_memory = bytes,
        "Disk Usage" => measured.disk = bytes,
        "Hits" => measured.memoize.get_or_insert_default().hits = whole,
        "Misses" => measured.memoize.get_or_insert_default().misses = whole,
        "Evictions" => {
            measured.memoize.get_or_insert_default().evictions =
                whole.or(Some(0).filter(|_| value == "Zero"))
        }
        "Overflows" => measured.memoize.get_or_insert_default().overflows = whole,
        _ => {
            extra.insert(key.to_owned(), Value::from(value));
        }
    }
}

/// `shared hit=3 read=4, local hit=1, temp read=3 written=4`.
pub(super) fn buffers(measured: &mut MeasuredDraft, text: &str) {
    measured.buffers.get_or_insert_default();
    for (scope, name, count) in scoped(text) {
        let key = format!("{} {} Blocks", capitalized(scope), capitalized(name));
        if let Some(slot) = measured.blocks(&key) {
            *slot = count as u64;
        }
    }
}

/// `read=0.1 write=0.2` (to 14), `shared/local read=0.1, temp read=0.2` (15, 16), `shared read=0.1, local read=0.2` (17).
pub(super) fn io_timings(measured: &mut MeasuredDraft, text: &str) {
    for (scope, name, time) in scoped(text) {
        let scope = match scope {
            "" | "shared/local" => "Shared".to_owned(),
            other => capitalized(other),
        };
        let key = format!("{scope} I/O {} Time", capitalized(name));
        if let Some(slot) = measured.io_time(&key) {
            *slot = Some(Millis(time));
        }
    }
}

/// `(scope, name, number)` of lists such as `shared hit=3 read=4, temp read=3`.
fn scoped(text: &str) -> Vec<(&str, &str, f64)> {
    let mut scope = "";
    let mut found = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            None => scope = word,
            Some((name, value)) => found.extend(number(value).map(|number| (scope, name, number))),
        }
    }
    found
}

fn wal(text: &str) -> Wal {
    let count = |key| behind(text, key).unwrap_or_default() as u64;
    Wal {
        records: count("records="),
        full_page_images: count("fpi="),
        bytes: Bytes(count("bytes=")),
    }
}

/// As FORMAT JSON has it.
fn incremental_groups(text: &str) -> Value {
    let mut group = json!({ "Sort Space Memory": {}, "Sort Space Disk": {} });
    for pair in text.split("  ").filter_map(|pair| split_key(pair.trim())) {
        match pair {
            ("Sort Method" | "Sort Methods", methods) => {
                group["Sort Methods Used"] = methods.split(", ").map(Value::from).collect();
            }
            ("Full-sort Groups" | "Pre-sorted Groups", count) => {
                group["Group Count"] = Value::from(number(count))
            }
            (key, value) => {
                let Some((kind, space)) = key.split_once(' ') else {
                    continue;
                };
                if matches!(space, "Memory" | "Disk") {
                    group[format!("Sort Space {space}")][format!("{kind} Sort Space Used")] =
                        Value::from(number(value));
                }
            }
        }
    }
    group
}

/// The number behind a key.
fn behind(text: &str, key: &str) -> Option<f64> {
    number(&text[text.find(key)? + key.len()..])
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(chars)
        .collect()
}

/// The members of a list, split at the commas that stand in no bracket and no quotes.
pub(super) fn list(text: &str) -> Vec<String> {
    let (mut depth, mut quote, mut start) = (0_i64, None, 0);
    let mut members = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[') => depth += 1,
            (None, b')' | b']') => depth -= 1,
            (None, b',') if depth <= 0 => {
                members.push(text[start..at].trim().to_owned());
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    members.push(text[start..].trim().to_owned());
    members.retain(|member| !member.is_empty());
    members
}

/// Adds to a list of what was kept as it came.
fn push(extra: &mut Map<String, Value>, key: &str, text: &str) {
    match extra.get_mut(key) {
        Some(Value::Array(lines)) => lines.push(Value::from(text)),
        Some(_) | None => {
            extra.insert(key.to_owned(), json!([text]));
        }
    }
}
