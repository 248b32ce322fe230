//! Subqueries that are no joins, as joins: NOT IN as NOT EXISTS, an OR with one as a UNION.

use std::ops::Range;

use super::Written;
use super::text::Words;
use crate::plan::NodeKind;
use crate::plan::condition::{self, ExpressionKind};

/// `x NOT IN (SELECT y FROM t)` as `NOT EXISTS (SELECT FROM t WHERE t.y = x)`; a longer subquery as it is, under a name.
pub(super) fn not_exists(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    let at = (1..words.len()).find(|at| words.are(*at, &["not", "in", "(", "select"]))?;
    let close = words.after_parenthesis(at + 2)?;
    let start = (0..at).rev().find(|start| {
        let continues = *start > 0 && words.is(start - 1, ".");
        words.is_name(*start) && !continues
    })?;
    if words.after_column(start) != Some(at) {
        return None;
    }
    let column = words.slice(start..at);
    let outer = if column.contains('.') {
        column.to_owned()
    } else {
        format!("{}.{column}", host(written)?)
    };
    let list = words.slice(at + 3..close - 1);
    let text = match plain_list(words, at + 3..close - 1, &outer) {
        Some(text) => format!("NOT EXISTS ({text})"),
        None => {
            format!(
                "NOT EXISTS (SELECT FROM ({list}) AS listed (value) WHERE listed.value = {outer})"
            )
        }
    };
    Some(words.replaced(&[(start..close, text)]))
}

/// `SELECT y FROM t [alias] [WHERE …]` with the comparison in its WHERE; `None` for anything more, and where `t` would hide
/// the relation that it is compared with.
fn plain_list(words: &Words<'_>, list: Range<usize>, outer: &str) -> Option<String> {
    let column_end = words.after_column(list.start + 1)?;
    let column = words.slice(list.start + 1..column_end);
    let table_end = words
        .after_column(column_end + 1)
        .filter(|_| words.is(column_end, "from"))?;
    let has_as = usize::from(words.is(table_end, "as"));
    let named = words.is_name(table_end + has_as) && !words.is(table_end + has_as, "where");
    let from_end = if named {
        table_end + has_as + 1
    } else {
        table_end
    };
    let name = words.text(from_end - 1);
    let condition = match () {
        () if from_end == list.end => None,
        () if words.is(from_end, "where") => {
            let condition = from_end + 1..list.end;
            if has_more_clauses(words, condition.clone()) || has(words, condition.clone(), &["or"])
            {
                return None;
            }
            Some(words.slice(condition))
        }
        () => return None,
    };
    let (relation, _) = outer.rsplit_once('.')?;
    if relation
        .trim_matches('"')
        .eq_ignore_ascii_case(name.trim_matches('"'))
    {
        return None;
    }
    let column = match column.contains('.') {
        true => column.to_owned(),
        false => format!("{name}.{column}"),
    };
    let condition = condition
        .map(|condition| format!("{condition} AND "))
        .unwrap_or_default();
    let from = words.slice(column_end..from_end);
    Some(format!("SELECT {from} WHERE {condition}{column} = {outer}"))
}

/// `NOT EXISTS (… WHERE c AND (a OR b))` as `NOT EXISTS (… WHERE c AND (a)) AND NOT EXISTS (… WHERE c AND (b))`: each is an anti
/// join of its own.
pub(super) fn split_not_exists(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    (0..words.len())
        .filter(|at| words.are(*at, &["not", "exists", "(", "select"]))
        .find_map(|at| {
            let close = words.after_parenthesis(at + 2)?;
            let (place, sides) = alternatives(words, at + 3..close - 1)?;
            let alone = |side: &Range<usize>| {
                let before = words.slice(at..place.start);
                let after = words.slice(place.end..close);
                format!("{before} ({}) {after}", words.slice(side.clone()))
            };
            let split: Vec<String> = sides.iter().map(alone).collect();
            Some(words.replaced(&[(at..close, format!("({})", split.join(" AND ")))]))
        })
}

/// Whether a condition is followed by other clauses, or its query is a part of a larger one.
fn has_more_clauses(words: &Words<'_>, condition: Range<usize>) -> bool {
    const CLAUSES: [&str; 9] = [
        "group",
        "having",
        "window",
        "union",
        "intersect",
        "except",
        "order",
        "limit",
        "offset",
    ];
    has(words, condition, &CLAUSES)
}

/// Whether one of some words stands in a part of the text, outside of parentheses.
fn has(words: &Words<'_>, part: Range<usize>, any: &[&str]) -> bool {
    words
        .find_outside(part.start, any)
        .is_some_and(|at| at < part.end)
}

/// The one OR of a subquery's condition, itself or in parentheses among others that hold, and its sides; none of a subquery
/// with more clauses.
fn alternatives(
    words: &Words<'_>,
    subquery: Range<usize>,
) -> Option<(Range<usize>, Vec<Range<usize>>)> {
    let within = |word: Option<usize>, end: usize| word.filter(|at| *at < end);
    let start = within(words.find_outside(subquery.start, &["where"]), subquery.end)? + 1;
    if has_more_clauses(words, start..subquery.end) {
        return None;
    }
    let sides = |of: Range<usize>| {
        let (mut sides, mut from) = (Vec::new(), of.start);
        while let Some(or) = within(words.find_outside(from, &["or"]), of.end) {
            sides.push(from..or);
            from = or + 1;
        }
        sides.push(from..of.end);
        sides
    };
    let whole = sides(start..subquery.end);
    if whole.len() > 1 {
        return Some((start..subquery.end, whole));
    }
    let begins = |at: usize| at == start || words.is(at - 1, "and");
    (start..subquery.end)
        .filter(|at| words.is(*at, "(") && begins(*at) && !words.is(at + 1, "select"))
        .find_map(|open| {
            let close = words.after_parenthesis(open)?;
            let found = sides(open + 1..close - 1);
            let ends = close == subquery.end || words.is(close, "and");
            (found.len() > 1 && ends).then_some((open..close, found))
        })
}

/// The alias of the scan whose rows are compared with a subquery.
fn host(written: &Written<'_>) -> Option<String> {
    let plan = written.plan();
    let node = plan.nodes.iter().find(|node| {
        let filter = node.conditions.filter.as_deref();
        filter.is_some_and(|filter| filter.contains("SubPlan")) && node.relation.is_some()
    })?;
    let alias = &node.relation.as_ref()?.alias;
    Some(crate::schema::quote_identifier(alias))
}

/// `SELECT … WHERE a OR b` as `SELECT … WHERE a UNION SELECT … WHERE b`, where the rows differ from each other anyhow.
pub(super) fn union(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    const OTHERS: [&str; 12] = [
        "union",
        "intersect",
        "except",
        "group",
        "having",
        "window",
        "with",
        "over",
        "count",
        "sum",
        "avg",
        "array_agg",
    ];
    if !words.is(0, "select") || OTHERS.iter().any(|word| words.has(word)) {
        return None;
    }
    let start = words.find_outside(0, &["where"])? + 1;
    let end = words
        .find_outside(start, &["order", "limit", "offset", "fetch", "for"])
        .unwrap_or_else(|| words.end());
    if words.is(end, "for") || !(words.is(1, "distinct") || returns_key(written)) {
        return None;
    }
    if words.are(1, &["distinct", "on"]) || !judges_two_tables(written) {
        return None;
    }
    let mut sides = Vec::new();
    let mut from = start;
    while let Some(or) = words.find_outside(from, &["or", "and"]) {
        if or >= end {
            break;
        }
        if words.is(or, "and") {
            return None;
        }
        sides.push(from..or);
        from = or + 1;
    }
    sides.push(from..end);
    if sides.len() < 2 {
        return None;
    }
    let head = words.slice(0..start);
    let selects: Vec<String> = sides
        .into_iter()
        .map(|side| format!("{head} {}", words.slice(side)))
        .collect();
    let tail = words.slice(end..words.end());
    Some(format!("{}\n{tail}", selects.join("\nUNION\n")))
}

/// Whether some node judges an OR of a subquery, or of several relations.
fn judges_two_tables(written: &Written<'_>) -> bool {
    let nodes = written.plan().nodes.iter();
    let conditions = nodes.flat_map(|node| {
        let own = &node.conditions;
        [&own.filter, &own.join_filter].into_iter().flatten()
    });
    conditions.into_iter().any(|text| {
        let parsed = condition::parse(text);
        parsed.conjuncts().into_iter().any(|part| {
            let ExpressionKind::Or(sides) = &part.kind else {
                return false;
            };
            let aliases: std::collections::BTreeSet<_> =
                part.columns().into_iter().map(|(alias, _)| alias).collect();
            sides.iter().any(|side| side.has_subplan()) || aliases.len() > 1
        })
    })
}

/// Whether the rows that come out differ from each other: the key of the only table in FROM is among the columns.
fn returns_key(written: &Written<'_>) -> bool {
    let words = &written.words;
    let Some(from) = words.find_outside(0, &["from"]) else {
        return false;
    };
    let Some(filter) = words.find_outside(from, &["where"]) else {
        return false;
    };
    let joins = (from..filter).any(|at| words.is(at, ",") || words.is(at, "join"));
    let Some(end) = words.after_column(from + 1).filter(|_| !joins) else {
        return false;
    };
    let name = words
        .slice(from + 1..end)
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let Some(table) = written.schema.table(None, name.trim_matches('"')) else {
        return false;
    };
    let key = table.primary_key();
    let returned = |column: &str| (1..from).any(|at| words.is(at, column) || words.is(at, "*"));
    let scans = |kind: &NodeKind| kind.scans_table();
    !key.is_empty()
        && key.iter().all(|column| returned(column))
        && written.plan().nodes.iter().any(|node| scans(&node.kind))
}
