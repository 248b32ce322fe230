//! The indexes that one access asks for: equality first, then the order's or the range's columns; joins; partial and
//! covering ones. Few, because each is built: where one column finds a handful of rows, nothing else is tried.

use super::super::{IndexSpec, KeySpec, Method, Part};
use super::access::{Access, Term};
use super::order::Wanted;
use super::{btree, cover};
use crate::schema::Table;

/// An OR of more sides without index than this needs another query, not so many indexes.
const MAX_SIDES: usize = 4;
/// Longer keys are seldom worth their size.
const MAX_KEYS: usize = 4;
/// A condition that keeps more of the table than this is no reason for an index.
const MUCH: f64 = 0.2;
/// An equality that keeps more of the table than this is no key beside others.
const FLAG: f64 = 0.5;
/// A constant condition that keeps less than this makes a partial index worth trying.
const PARTIAL: f64 = 0.25;
/// Reaching a table row by row pays while its partner has fewer rows than this share of it.
const DRIVEN: f64 = 0.2;
/// Correlation of a column with the order of the rows from which a BRIN index can tell pages apart.
const IN_ORDER: f64 = 0.95;
/// A BRIN index summarizes 128 pages at a time: smaller tables have too few of them.
const BRIN_PAGES: u64 = 2_000;
/// Rows that need no second column to be few.
const HANDFUL: f64 = 100.0;

/// The candidates of an access, without repetitions.
pub(super) fn of(access: &Access<'_>) -> Vec<IndexSpec> {
    let table = access.table;
    let mut found: Vec<IndexSpec> = Vec::new();
    for keys in keys_of(access).into_iter().filter(|keys| !keys.is_empty()) {
        let index = btree(table.name.clone(), table.oid, keys);
        found.extend(partial(access, &index));
        found.push(index);
    }
    found.extend(access.special.iter().map(|special| IndexSpec {
        method: special.method,
        ..btree(table.name.clone(), table.oid, vec![special.key.clone()])
    }));
    found.extend(leaving_out(access));
    let single = |term: &Term| btree(table.name.clone(), table.oid, vec![term.key.clone()]);
    found.extend(access.alternatives.iter().map(single));
    let in_order = access
        .range
        .iter()
        .filter(|term| keeps_little(access) && follows_the_table(access, term));
    found.extend(in_order.map(|term| IndexSpec {
        method: Method::Brin,
        ..single(term)
    }));
    found.extend(cover::of(access));
    let mut unique = Vec::new();
    for index in found {
        if !unique.contains(&index) {
            unique.push(index);
        }
    }
    unique
}

/// Indexes over only the rows that meet conditions which no key serves: `<>`, NOT IN, IS NOT NULL.
fn leaving_out(access: &Access<'_>) -> Vec<IndexSpec> {
    let few = |term: &&Term| {
        let share = term.selectivity.or(access.kept);
        share.is_some_and(|share| share <= PARTIAL)
    };
    let terms: Vec<&Term> = access.left_out.iter().filter(few).collect();
    let table = access.table;
    let single = |term: &Term| btree(table.name.clone(), table.oid, vec![term.key.clone()]);
    let mut found: Vec<IndexSpec> = Vec::new();
    for term in &terms {
        let Some(text) = &term.constant else {
            continue;
        };
        let order = access
            .order
            .as_ref()
            .filter(|order| order.wanted == Wanted::First)
            .map_or(&[][..], |order| &order.keys);
        let equal: Vec<KeySpec> = access.equal.iter().map(|term| term.key.clone()).collect();
        let mut keys = joined(&[&equal, order]);
        if keys.is_empty() {
            keys.push(term.key.clone());
        }
        found.push(IndexSpec {
            predicate: Some(format!("({text})")),
            ..btree(table.name.clone(), table.oid, keys)
        });
    }
    // NULLs can be searched for, and so can all others.
    found.extend(
        terms
            .into_iter()
            .filter(|term| term.selectivity.is_some())
            .map(single),
    );
    found
}

/// For an OR of which several sides lack an index: all of them, since one alone does nothing.
pub(super) fn together(
    access: &Access<'_>,
    is_there: impl Fn(&IndexSpec) -> bool,
) -> Option<IndexSpec> {
    let table = access.table;
    let single = |term: &Term| btree(table.name.clone(), table.oid, vec![term.key.clone()]);
    let mut lacking = access
        .alternatives
        .iter()
        .map(single)
        .filter(|index| !is_there(index));
    let first = lacking.next()?;
    let beside: Vec<IndexSpec> = lacking.collect();
    (1..MAX_SIDES)
        .contains(&beside.len())
        .then_some(IndexSpec { beside, ..first })
}

/// Whether rows stand in a large table in the order of a column, so that its pages' smallest and largest values tell which
/// pages to read.
fn follows_the_table(access: &Access<'_>, term: &Term) -> bool {
    let Part::Column(name) = &term.key.part else {
        return false;
    };
    let stats = access
        .table
        .column(name)
        .and_then(|column| column.stats.as_ref());
    let correlation = stats.and_then(|stats| stats.correlation);
    let pages = access.table.stats.pages.0;
    pages >= BRIN_PAGES && correlation.is_some_and(|correlation| correlation.abs() >= IN_ORDER)
}

fn keys_of(access: &Access<'_>) -> Vec<Vec<KeySpec>> {
    let rows = access.table.stats.rows.unwrap_or(0.0);
    let sorted = by_selectivity(&access.equal);
    let few = |term: &&&Term| {
        term.selectivity
            .is_some_and(|share| share * rows <= HANDFUL)
    };
    if let Some(term) = sorted.first().filter(few) {
        let mut keys = vec![vec![term.key.clone()]];
        // An index on a foreign key is narrow, and serves joins and the checks of the key as well.
        let serves_more = |term: &&&Term| few(term) && begins_foreign_key(access.table, term);
        let others = sorted.iter().skip(1).filter(serves_more);
        keys.extend(others.map(|term| vec![term.key.clone()]));
        return keys;
    }
    // A flag that most rows have narrows nothing, and costs HOT updates wherever it changes.
    let narrows = |term: &&&Term| term.selectivity.is_none_or(|share| share <= FLAG);
    let mut equal: Vec<KeySpec> = sorted
        .iter()
        .filter(narrows)
        .map(|term| term.key.clone())
        .collect();
    if equal.is_empty() {
        equal = sorted.iter().map(|term| term.key.clone()).collect();
    }
    let order = access
        .order
        .as_ref()
        .filter(|order| order.keys.len() <= MAX_KEYS)
        .filter(|order| match order.wanted {
            Wanted::First => true,
            Wanted::FirstOfEach => !equal.is_empty(),
            Wanted::All => false,
        });
    let mut keys = Vec::new();
    if let Some(order) = order {
        keys.push(joined(&[&equal, &order.keys]));
    } else if keeps_little(access) {
        keys.push(equal.clone());
    }
    if keeps_little(access) {
        keys.extend(
            access
                .range
                .iter()
                .map(|term| joined(&[&equal, std::slice::from_ref(&term.key)])),
        );
    }
    keys.extend(access.rows.iter().map(|row| joined(&[&equal, row])));
    if !access.joined.is_empty() && access.driven_by.is_none_or(|share| share <= DRIVEN) {
        let join: Vec<KeySpec> = access.joined.iter().map(|term| term.key.clone()).collect();
        keys.push(joined(&[&join[..1]]));
        keys.push(joined(&[&join, &equal]));
        if let Some(order) = order {
            keys.push(joined(&[&join, &equal, &order.keys]));
        }
    }
    keys
}

fn begins_foreign_key(table: &Table, term: &Term) -> bool {
    let Part::Column(name) = &term.key.part else {
        return false;
    };
    let keys = table.foreign_keys.iter();
    let mut first = keys.filter_map(|key| key.columns.first());
    first.any(|column| column == name)
}

/// Whether the conditions throw most of what is read away: measured where the scan ran, else by statistics.
fn keeps_little(access: &Access<'_>) -> bool {
    let known: Vec<f64> = access
        .equal
        .iter()
        .filter_map(|term| term.selectivity)
        .collect();
    let by_statistics = (!known.is_empty()).then(|| known.iter().product::<f64>());
    // What was measured of a scan that an index already narrows says nothing of the whole table.
    let all = [by_statistics, access.kept]
        .into_iter()
        .flatten()
        .fold(f64::INFINITY, f64::min);
    all <= MUCH || (all.is_infinite() && !(access.equal.is_empty() && access.range.is_empty()))
}

/// Equality terms, the most selective first; a term that keeps nearly everything comes last.
fn by_selectivity(terms: &[Term]) -> Vec<&Term> {
    let mut terms: Vec<&Term> = terms.iter().collect();
    let share = |term: &Term| term.selectivity.unwrap_or(0.01);
    terms.sort_by(|a, b| share(a).total_cmp(&share(b)));
    terms
}

/// Key parts one after the other, each once, not too many.
pub(super) fn joined(parts: &[&[KeySpec]]) -> Vec<KeySpec> {
    let mut keys: Vec<KeySpec> = Vec::new();
    for key in parts.iter().flat_map(|part| part.iter()) {
        if !keys.iter().any(|other| other.part == key.part) {
            keys.push(key.clone());
        }
    }
    keys.truncate(MAX_KEYS);
    keys
}

/// The same index over only those rows that meet the query's constant conditions; without them in the key, unless
/// nothing would be left of it.
fn partial(access: &Access<'_>, index: &IndexSpec) -> Option<IndexSpec> {
    let constant = |term: &&Term| {
        term.constant.is_some() && term.selectivity.is_some_and(|share| share <= PARTIAL)
    };
    let terms: Vec<&Term> = access.equal.iter().filter(constant).collect();
    let texts: Vec<String> = terms
        .iter()
        .filter_map(|term| term.constant.clone())
        .collect();
    if texts.is_empty() {
        return None;
    }
    let held = |key: &KeySpec| terms.iter().any(|term| term.key.part == key.part);
    let keys: Vec<KeySpec> = index
        .keys
        .iter()
        .filter(|key| !held(key))
        .cloned()
        .collect();
    if keys.is_empty() {
        return None;
    }
    let predicate = match &texts[..] {
        [one] => format!("({one})"),
        several => several
            .iter()
            .map(|text| format!("({text})"))
            .collect::<Vec<_>>()
            .join(" AND "),
    };
    Some(IndexSpec {
        keys,
        predicate: Some(predicate),
        ..index.clone()
    })
}

#[cfg(test)]
mod tests;
