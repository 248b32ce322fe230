//! Values that an INSERT or UPDATE may store without breaking a unique key: of each unique index one column gets a value
//! that no row has, or a pair of foreign keys that do not occur together.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use crate::db::explain::{ExplainError, PlanChoice, TypeKind, in_transaction, quote_literal};
use crate::schema::{Index, Table, quote_identifier};

use super::group::{Group, Groups, tolerated};
use super::values::absent;
use super::{Absent, Search, Slot, Wanted};

/// Combinations that are tried.
const TRIES: usize = 40;

/// New values for stored parameters, by slot.
pub(super) async fn fresh_values(
    search: &mut Search<'_>,
    slots: &[Slot<'_>],
    groups: &Groups,
) -> Result<HashMap<usize, String>, ExplainError> {
    let mut fresh = HashMap::new();
    for group in groups
        .all
        .iter()
        .filter(|group| slots[group.members[0].0].compared.is_none())
    {
        let Some(table) = search.schema.table_by_oid(group.table) else {
            continue;
        };
        let in_row = |slot: &Slot<'_>| {
            slot.usage
                .stored
                .first()
                .filter(|stored| stored.row == group.row)
                .cloned()
        };
        let stored: HashMap<String, usize> = slots
            .iter()
            .enumerate()
            .filter_map(|(i, slot)| Some((in_row(slot)?.column, i)))
            .collect();
        for index in table.indexes.iter().filter(|index| index.unique) {
            let columns = index.key_columns();
            let slots_of: Option<Vec<usize>> = columns
                .iter()
                .map(|column| stored.get(*column).copied())
                .collect();
            // A column that the statement does not give comes from a default; one that the author gives is his to know.
            let slots_of = match slots_of {
                Some(found) if columns.len() == index.keys.len() => found,
                Some(_) | None => expression_slots(index, &stored),
            };
            if slots_of.is_empty() || slots_of.iter().any(|slot| fresh.contains_key(slot)) {
                continue;
            }
            let new = new_value(search, slots, group, table, &slots_of).await?;
            if let Some((slot, value)) = new {
                fresh.insert(slot, value);
            } else {
                let found = new_combination(search, slots, group, table, &slots_of).await?;
                match found.is_empty() {
                    true => fresh.extend(new_parent(slots, &slots_of)),
                    false => fresh.extend(found),
                }
            }
        }
    }
    Ok(fresh)
}

/// For `(lower(code))`: the stored columns that the expressions name.
fn expression_slots(index: &Index, stored: &HashMap<String, usize>) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for key in &index.keys {
        match &key.part {
            crate::schema::KeyPart::Column(name) => match stored.get(name.as_str()) {
                Some(slot) => found.push(*slot),
                None => return Vec::new(),
            },
            crate::schema::KeyPart::Expression(text) => {
                let expression = crate::plan::condition::parse(text);
                found.extend(
                    expression
                        .columns()
                        .iter()
                        .filter_map(|(_, name)| stored.get(*name)),
                );
            }
        }
    }
    found
}

/// A value that no row has, for a column that is no foreign key.
async fn new_value(
    search: &Search<'_>,
    slots: &[Slot<'_>],
    group: &Group,
    table: &Table,
    candidates: &[usize],
) -> Result<Option<(usize, String)>, ExplainError> {
    let referencing: HashSet<&str> = table
        .foreign_keys
        .iter()
        .flat_map(|key| key.columns.iter().map(String::as_str))
        .collect();
    for &slot in candidates {
        let Some(stored) = slots[slot].usage.stored.first() else {
            return Ok(None);
        };
        let column = &stored.column;
        if slots[slot].wanted != Wanted::Any || referencing.contains(column.as_str()) {
            continue;
        }
        let mut members = group.members.iter();
        let Some((_, place)) = members.find(|(member, _)| *member == slot) else {
            continue;
        };
        let largest = match slots[slot].info.kind {
            TypeKind::Integer => largest(search, table, column).await?,
            _ => None,
        };
        let mut known = group.sorted(*place);
        known.extend(largest.as_deref());
        if let Some(value) = absent(slots[slot].info, &known) {
            return Ok(Some((
                slot,
                fitted(table, column, numbered(value, group.row)),
            )));
        }
    }
    Ok(None)
}

/// The largest number of a column: the sample's may be smaller.
async fn largest(
    search: &Search<'_>,
    table: &Table,
    column: &str,
) -> Result<Option<String>, ExplainError> {
    let body = format!(
        "SELECT pg_catalog.max({})::pg_catalog.text FROM {}",
        quote_identifier(column),
        table.name.sql()
    );
    let answer = in_transaction(search.client, search.limits, PlanChoice::Custom, &body).await;
    Ok(tolerated(answer)?.and_then(|texts| texts.into_iter().next()))
}

/// A referenced row that nothing points to: whatever goes with it is a new combination.
fn new_parent(slots: &[Slot<'_>], candidates: &[usize]) -> Option<(usize, String)> {
    candidates
        .iter()
        .find_map(|&slot| match &slots[slot].absent {
            Absent::Value(value) if slots[slot].wanted == Wanted::Any => {
                Some((slot, value.clone()))
            }
            Absent::Value(_) | Absent::PastKnown | Absent::None => None,
        })
}

/// Another value for each further row.
fn numbered(value: String, row: usize) -> String {
    if row == 0 {
        return value;
    }
    let next = value
        .parse::<i64>()
        .ok()
        .zip(i64::try_from(row).ok())
        .map(|(value, row)| value.saturating_add(row).to_string());
    next.unwrap_or_else(|| format!("{row}{value}"))
}

/// Cut to the column's length.
fn fitted(table: &Table, column: &str, value: String) -> String {
    let limit = table.column(column).and_then(|column| {
        let length = column
            .data_type
            .name
            .strip_suffix(')')?
            .split_once('(')?
            .1
            .parse::<usize>()
            .ok()?;
        column.data_type.name.starts_with("char").then_some(length)
    });
    match limit {
        Some(limit) => value.chars().take(limit).collect(),
        None => value,
    }
}

/// Values of existing rows in a combination that does not exist yet.
async fn new_combination(
    search: &Search<'_>,
    slots: &[Slot<'_>],
    group: &Group,
    table: &Table,
    members: &[usize],
) -> Result<HashMap<usize, String>, ExplainError> {
    let place = |slot: usize| {
        group
            .members
            .iter()
            .find(|(member, _)| *member == slot)
            .map(|(_, place)| *place)
    };
    let places: Option<Vec<usize>> = members.iter().map(|slot| place(*slot)).collect();
    let Some(places) = places.filter(|_| !group.rows.is_empty()) else {
        return Ok(HashMap::new());
    };
    let count = group.rows.len();
    let mut tried: Vec<Vec<String>> = Vec::new();
    for i in 0..TRIES.min(count) {
        // Each column from another row.
        let row = |n: usize| &group.rows[(i * 7 + group.row * 3 + n * (count / 2 + 1)) % count];
        let values: Option<Vec<String>> = places
            .iter()
            .enumerate()
            .map(|(n, place)| row(n).get(*place).cloned().flatten())
            .collect();
        tried.extend(values);
    }
    let mut body = String::from("SELECT pg_catalog.json_build_array(");
    for (i, values) in tried.iter().enumerate() {
        let conditions: Vec<String> = members
            .iter()
            .zip(values)
            .filter_map(|(slot, value)| {
                let column = &slots[*slot].usage.stored.first()?.column;
                Some(format!(
                    "{} = {}",
                    quote_identifier(column),
                    quote_literal(value)
                ))
            })
            .collect();
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(
            body,
            "{comma}EXISTS (SELECT FROM {} WHERE {})",
            table.name.sql(),
            conditions.join(" AND ")
        );
    }
    body.push_str(")::pg_catalog.text");
    let answer =
        tolerated(in_transaction(search.client, search.limits, PlanChoice::Custom, &body).await)?;
    let taken: Vec<bool> = answer
        .and_then(|texts| {
            texts
                .first()
                .and_then(|text| serde_json::from_str(text).ok())
        })
        .unwrap_or_default();
    let free = taken.iter().position(|taken| !taken);
    let values = free
        .and_then(|at| tried.into_iter().nth(at))
        .unwrap_or_default();
    Ok(members.iter().copied().zip(values).collect())
}
