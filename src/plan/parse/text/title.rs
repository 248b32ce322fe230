//! A node's line: `Parallel Index Scan Backward using i on s.t a  (cost=0.29..8.31 rows=1 width=4) (actual …)`.

use serde_json::Value;

use crate::plan::node::{Estimate, JoinType, NodeKind, PerLoop};
use crate::plan::parse::draft::{MeasuredDraft, NodeDraft, join_type};
use crate::plan::words::{Operation, PartialMode, ScanDirection, Strategy};

/// Where a node's figures begin.
const FIGURES: [&str; 3] = ["(cost=", "(actual ", "(never executed)"];
const AGGREGATES: [(&str, &str); 4] = [
    ("HashAggregate", "Hashed"),
    ("GroupAggregate", "Sorted"),
    ("MixedAggregate", "Mixed"),
    ("Aggregate", "Plain"),
];
const CHANGES: [&str; 4] = ["Insert", "Update", "Delete", "Merge"];

/// Whether a line carries a node's figures.
pub(super) fn has_figures(text: &str) -> bool {
    FIGURES.iter().any(|mark| text.contains(mark))
}

/// Whether a line may be a plan's first: it has figures, or it is a node as EXPLAIN (COSTS OFF) prints it.
pub(super) fn is_root(text: &str) -> bool {
    let text = text.trim();
    match figures_start(text) {
        // A property may hold such words in a text.
        Some(start) => is_named(text) || is_unknown_title(text[..start].trim_end()),
        None => is_named(text),
    }
}

/// A node of a newer server or of an extension: words, and perhaps where it reads.
fn is_unknown_title(title: &str) -> bool {
    let name = title.split(" on ").next().unwrap_or_default();
    let words = name.split(" using ").next().unwrap_or_default();
    words.starts_with(|c: char| c.is_ascii_uppercase())
        && words.chars().all(|c| {
            c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '(' | ')' | '/' | '*' | '.')
        })
        && !title.contains('\'')
}

/// Whether a node's title, known or not, can be read as one.
pub(super) fn is_title(title: &str) -> bool {
    let end = figures_start(title).unwrap_or(title.len());
    let name = title[..end].split("  (c").next().unwrap_or_default().trim();
    is_named(title) || is_unknown_title(name)
}

/// Whether a line begins with the name of a node that is known, and goes on as such a line does.
pub(super) fn is_named(text: &str) -> bool {
    let end = figures_start(text).unwrap_or(text.len());
    // The start of figures that a terminal cut.
    let name = text[..end].split("  (c").next().unwrap_or_default().trim();
    !name.is_empty() && read_name(&mut NodeDraft::default(), name).is_some_and(is_tail)
}

fn figures_start(text: &str) -> Option<usize> {
    FIGURES.iter().filter_map(|mark| text.find(mark)).min()
}

/// Nothing, or the relation and the index.
fn is_tail(rest: &str) -> bool {
    let relation = |text: &str| {
        let Some((name, after)) = identifier(text) else {
            return false;
        };
        let after = match after.strip_prefix('.').and_then(identifier) {
            Some((_, after)) => after,
            None => after,
        };
        let alias = after.trim();
        // A line break in a name leaves its quotation open.
        let is_alias = |alias: &str| match identifier(alias) {
            Some((_, end)) => end.trim().is_empty(),
            None => alias.starts_with('"'),
        };
        !name.is_empty() && (alias.is_empty() || is_alias(alias))
    };
    let rest = rest.trim();
    if rest.is_empty() {
        return true;
    }
    if let Some(using) = rest.strip_prefix("using ") {
        return identifier(using).is_some_and(|(_, after)| {
            after.trim_start().strip_prefix("on ").is_some_and(relation)
        });
    }
    rest.strip_prefix("on ").is_some_and(relation)
}

/// `Update on child`: a table that an inherited statement changes, on a line of its own.
pub(super) fn is_target(text: &str) -> bool {
    let words = text.strip_prefix("Foreign ").unwrap_or(text);
    !has_figures(text)
        && CHANGES.iter().any(|change| {
            words
                .strip_prefix(change)
                .is_some_and(|rest| rest.starts_with(" on "))
        })
}

/// Reads the whole line.
pub(super) fn read(draft: &mut NodeDraft, line: &str) {
    let start = figures_start(line).unwrap_or(line.len());
    let (name, figures) = line.split_at(start);
    read_figures(draft, figures);
    let name = name.trim();
    let Some(rest) = read_name(draft, name) else {
        // A node of a newer server, or of an extension.
        let end = [" on ", " using "]
            .iter()
            .filter_map(|word| name.find(word))
            .min()
            .unwrap_or(name.len());
        draft.node_type = name[..end].to_owned();
        read_places(draft, &name[end..]);
        return;
    };
    read_places(draft, rest);
}

/// Takes the kind of node and what is said of it in the same breath; what stands behind.
fn read_name<'a>(draft: &mut NodeDraft, name: &'a str) -> Option<&'a str> {
    let mut rest = name;
    if let Some(after) = rest.strip_prefix("Parallel ") {
        draft.node.parallel_aware = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("Async ") {
        draft
            .node
            .extra
            .insert("Async Capable".to_owned(), Value::Bool(true));
        rest = after;
    }
    if let Some(after) = changes(draft, rest)
        .or_else(|| aggregate(draft, rest))
        .or_else(|| set_operation(draft, rest))
    {
        return Some(after);
    }
    if let Some(after) = join(draft, rest) {
        return Some(after);
    }
    if let Some(after) = motion(draft, rest) {
        return Some(after);
    }
    if let Some(after) = rest.strip_prefix("Custom Scan (") {
        let (provider, after) = after.split_once(')')?;
        "Custom Scan".clone_into(&mut draft.node_type);
        draft
            .node
            .extra
            .insert("Custom Plan Provider".to_owned(), Value::from(provider));
        return Some(after);
    }
    let fits = |kind: &&NodeKind| {
        rest.strip_prefix(kind.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let kind = NodeKind::KNOWN
        .iter()
        .filter(fits)
        .max_by_key(|kind| kind.as_str().len())?;
    kind.as_str().clone_into(&mut draft.node_type);
    let mut after = &rest[kind.as_str().len()..];
    if matches!(kind, NodeKind::IndexScan | NodeKind::IndexOnlyScan) {
        let backward = after.strip_prefix(" Backward");
        draft.node.scan_direction = Some(match backward {
            Some(_) => ScanDirection::Backward,
            None => ScanDirection::Forward,
        });
        after = backward.unwrap_or(after);
    }
    Some(after)
}

/// Greenplum's `Gather Motion 3:1  (slice1; segments: 3)`.
fn motion<'a>(draft: &mut NodeDraft, text: &'a str) -> Option<&'a str> {
    let (kind, rest) = text.split_once(" Motion ")?;
    let is_kind = matches!(
        kind,
        "Gather" | "Redistribute" | "Broadcast" | "Explicit Gather" | "Explicit Redistribute"
    );
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == ':'))
        .unwrap_or(rest.len());
    let (senders, receivers) = rest[..end].split_once(':').filter(|_| is_kind)?;
    let is_count = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_count(senders) || !is_count(receivers) {
        return None;
    }
    draft.node_type = format!("{kind} Motion");
    draft
        .node
        .extra
        .insert("Motion".to_owned(), Value::from(&rest[..end]));
    let after = rest[end..].trim_start();
    let slice = after
        .strip_prefix('(')
        .filter(|inside| inside.starts_with("slice"))
        .and_then(|inside| inside.split_once(')'));
    match slice {
        Some((slice, after)) => {
            draft
                .node
                .extra
                .insert("Slice".to_owned(), Value::from(slice));
            Some(after)
        }
        None => Some(after),
    }
}

/// `Insert on`, and `Foreign Insert on` of a foreign table.
fn changes<'a>(draft: &mut NodeDraft, text: &'a str) -> Option<&'a str> {
    let foreign = text.strip_prefix("Foreign ");
    let words = foreign.unwrap_or(text);
    let change = CHANGES.iter().find(|change| {
        words
            .strip_prefix(**change)
            .is_some_and(|rest| rest.starts_with(" on "))
    })?;
    draft.node_type = if foreign.is_some() {
        "Foreign Scan"
    } else {
        "ModifyTable"
    }
    .to_owned();
    draft.node.operation = Some(Operation::of(change));
    Some(&words[change.len()..])
}

fn aggregate<'a>(draft: &mut NodeDraft, text: &'a str) -> Option<&'a str> {
    let modes = [("Partial ", "Partial"), ("Finalize ", "Finalize")];
    let mode = modes
        .iter()
        .find_map(|(prefix, mode)| Some((text.strip_prefix(prefix)?, *mode)));
    let (words, mode) = mode.unwrap_or((text, "Simple"));
    let (after, strategy) = AGGREGATES
        .iter()
        .find_map(|(name, strategy)| Some((words.strip_prefix(name)?, *strategy)))?;
    if !(after.is_empty() || after.starts_with(' ')) {
        return None;
    }
    "Aggregate".clone_into(&mut draft.node_type);
    draft.node.strategy = Some(Strategy::of(strategy));
    draft.node.partial_mode = Some(PartialMode::of(mode));
    Some(after)
}

/// `HashSetOp Except All`.
fn set_operation<'a>(draft: &mut NodeDraft, text: &'a str) -> Option<&'a str> {
    let hashed = text.strip_prefix("HashSetOp ");
    let command = hashed.or_else(|| text.strip_prefix("SetOp "))?;
    let commands = ["Intersect All", "Except All", "Intersect", "Except"];
    let (after, command) = commands
        .iter()
        .find_map(|name| Some((command.strip_prefix(name)?, *name)))?;
    "SetOp".clone_into(&mut draft.node_type);
    draft.node.strategy = Some(match hashed {
        Some(_) => Strategy::Hashed,
        None => Strategy::Sorted,
    });
    draft
        .node
        .extra
        .insert("Command".to_owned(), Value::from(command));
    Some(after)
}

/// `Hash Right Semi Join`, `Merge Join`, `Nested Loop Left Join`.
fn join<'a>(draft: &mut NodeDraft, text: &'a str) -> Option<&'a str> {
    let bases = [
        ("Nested Loop", "Nested Loop"),
        ("Hash", "Hash Join"),
        ("Merge", "Merge Join"),
    ];
    let (after, node_type) = bases
        .iter()
        .find_map(|(base, name)| Some((text.strip_prefix(base)?, *name)))?;
    let types = [
        "Left",
        "Full",
        "Right Semi",
        "Right Anti",
        "Right",
        "Semi",
        "Anti",
    ];
    let typed = types.iter().find_map(|name| {
        let after = after
            .strip_prefix(' ')?
            .strip_prefix(name)?
            .strip_prefix(" Join")?;
        Some((after, join_type((*name).to_owned())))
    });
    let plain = match node_type {
        "Nested Loop" => Some(after).filter(|after| after.is_empty() || after.starts_with("  ")),
        _ => after.strip_prefix(" Join"),
    };
    let (after, kind) = typed.or_else(|| plain.map(|after| (after, JoinType::Inner)))?;
    node_type.clone_into(&mut draft.node_type);
    draft.node.join_type = Some(kind);
    Some(after)
}

/// ` using INDEX on SCHEMA.RELATION ALIAS`.
fn read_places(draft: &mut NodeDraft, text: &str) {
    let mut rest = text.trim();
    if let Some((index, after)) = rest.strip_prefix("using ").and_then(identifier) {
        draft.node.index_name = Some(index);
        rest = after.trim_start();
    }
    let Some((first, mut after)) = rest.strip_prefix("on ").and_then(identifier) else {
        return;
    };
    if draft.node_type == "Bitmap Index Scan" {
        draft.node.index_name = Some(first);
        return;
    }
    let mut relation = first;
    if let Some((name, behind)) = after.strip_prefix('.').and_then(identifier) {
        draft.schema = Some(relation);
        relation = name;
        after = behind;
    }
    let alias = identifier(after.trim()).map(|(alias, _)| alias);
    match draft.node_type.as_str() {
        "CTE Scan" | "WorkTable Scan" => draft.node.cte_name = Some(relation.clone()),
        _ => {}
    }
    draft.alias = alias.or_else(|| Some(relation.clone()));
    draft.relation = Some(relation);
}

/// An identifier as EXPLAIN quotes it, without its quotes, and what stands behind it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|c: char| c == '.' || c.is_whitespace())
            .unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
            chars.next();
            name.push('"');
        } else {
            return Some((name, &quoted[at + 1..]));
        }
    }
    None
}

/// `(cost=0.29..8.31 rows=1 width=4) (actual time=0.010..0.011 rows=1 loops=1)`; what is masked or cut stays unknown.
fn read_figures(draft: &mut NodeDraft, figures: &str) {
    let split = figures
        .find("(actual ")
        .or_else(|| figures.find("(never executed)"))
        .unwrap_or(figures.len());
    let (estimated, actual) = figures.split_at(split);
    if let Some((startup, total)) = range(estimated, "cost=") {
        draft.node.estimate = Estimate {
            startup_cost: startup,
            total_cost: total,
            rows: PerLoop(after(estimated, "rows=").unwrap_or_default()),
            width: after(estimated, "width=").unwrap_or_default() as u64,
        };
    }
    read_actual(&mut draft.measured, actual);
}

/// `actual time=0.010..0.011 rows=1 loops=1`, `never executed`.
pub(super) fn read_actual(measured: &mut MeasuredDraft, text: &str) {
    if text.contains("never executed") {
        (measured.rows, measured.loops) = (Some(0.0), Some(0.0));
        return;
    }
    if let Some((startup, total)) = range(text, "time=") {
        (measured.startup, measured.total) = (Some(startup), Some(total));
    }
    measured.rows = after(text, "rows=");
    measured.loops = after(text, "loops=");
}

/// `key=0.29..8.31`.
fn range(text: &str, key: &str) -> Option<(f64, f64)> {
    let (first, second) = text[text.find(key)? + key.len()..].split_once("..")?;
    Some((number(first)?, number(second)?))
}

/// The number behind a key.
fn after(text: &str, key: &str) -> Option<f64> {
    number(&text[text.find(key)? + key.len()..])
}

/// The number that a text begins with.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let mut end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-')))
        .unwrap_or(text.len());
    // Large costs are printed as they are, but some tools write 1e+10.
    let exponent = &text[end..];
    if let Some(rest) = exponent.strip_prefix(['e', 'E']) {
        let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let length = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        if length > 0 {
            end += exponent.len() - digits.len() + length;
        }
    }
    text[..end]
        .trim_end_matches('.')
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
}
