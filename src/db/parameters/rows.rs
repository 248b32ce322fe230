//! Which row of a group's sample a set's values come from: one that has what is asked for, lies within the open bounds of an
//! ordinary call, and has no NULL where something is to be equal.

use std::collections::BTreeMap;

use crate::db::explain::ExplainError;

use super::group::{Group, Groups, tolerated};
use super::open_bounds;
use super::sample::Row;
use super::sets::{is_equality, raw_value};
use super::values::Rank;
use super::{Search, Slot};

/// The row of a group that a set's values come from.
pub(super) struct Led {
    /// The slot whose value picks it, and its place in the group's rows.
    pub(super) lead: usize,
    pub(super) place: usize,
    /// What is asked for there.
    pub(super) value: Option<String>,
    /// Whether the row has that value.
    pub(super) is_led: bool,
    /// The row, where the sample has one.
    pub(super) row: Option<Row>,
}

/// Chooses the row of a group for a set of ranks.
///
/// # Errors
/// [`ExplainError`] where the server failed.
pub(super) async fn led(
    search: &mut Search<'_>,
    slots: &[Slot<'_>],
    groups: &Groups,
    (group, first_round): (&Group, &[(usize, usize)]),
    rank: &dyn Fn(usize) -> Rank,
) -> Result<Led, ExplainError> {
    let (lead, place) = lead(slots, groups, group, rank);
    let value = raw_value(&slots[lead], groups, group, lead, place, rank(lead));
    let is_led = slots[lead].compared.as_ref().is_none_or(is_equality);
    let within = open_bounds::holds(slots, group, rank);
    let row = match (&value, is_led) {
        (Some(value), true) => row_with(search, group, (place, value), &within).await?,
        _ => {
            let within: Vec<&Row> = group.rows.iter().filter(|row| within(row)).collect();
            let middle = within.get(within.len() / 2).copied();
            middle.or(group.rows.get(group.rows.len() / 2)).cloned()
        }
    };
    let (row, value) = match row {
        Some(row) if is_led && rank(lead) == Rank::Typical => {
            let places = equal_places(slots, first_round, rank);
            let complete = complete_row(&group.rows, &row, &places, &within);
            let of_row = complete.get(place).cloned().flatten();
            (Some(complete), of_row.or(value))
        }
        other => (other, value),
    };
    Ok(Led {
        lead,
        place,
        value,
        is_led,
        row,
    })
}

/// The member whose value picks the row: an equality, the one that is asked for by rank, else the most selective.
fn lead(
    slots: &[Slot<'_>],
    groups: &Groups,
    group: &Group,
    rank: &dyn Fn(usize) -> Rank,
) -> (usize, usize) {
    let key = |slot: usize| {
        let equality = slots[slot].compared.as_ref().is_none_or(is_equality);
        let share = groups
            .distribution(slot)
            .map_or(1.0, |found| found.top_share);
        (
            u8::from(equality),
            u8::from(rank(slot) != Rank::Typical),
            1.0 - share,
        )
    };
    let mut best = group.members[0];
    for &member in &group.members[1..] {
        let (a, b) = (key(member.0), key(best.0));
        if (a.0, a.1) > (b.0, b.1) || ((a.0, a.1) == (b.0, b.1) && a.2 > b.2) {
            best = member;
        }
    }
    best
}

/// The row that goes with a value: its most frequent combination in the sample, else one that is looked up; one that is
/// `within` the open bounds where there is one.
async fn row_with(
    search: &mut Search<'_>,
    group: &Group,
    (place, value): (usize, &str),
    within: &dyn Fn(&[Option<String>]) -> bool,
) -> Result<Option<Row>, ExplainError> {
    let best = |rows: &[Row]| {
        most_frequent(rows, place, value, within)
            .or_else(|| most_frequent(rows, place, value, &|_| true))
    };
    if let Some(row) = best(&group.rows) {
        return Ok(Some(row));
    }
    if group.members.len() == 1 {
        return Ok(None);
    }
    let Some(table) = search.schema.table_by_oid(group.table) else {
        return Ok(None);
    };
    let mut conditions = group.fixed.clone();
    conditions.push((group.expressions[place].clone(), value.to_owned()));
    let (client, limits) = (search.client, search.limits);
    let found = search
        .sampler
        .rows_with(client, limits, table, &group.expressions, &conditions)
        .await;
    Ok(tolerated(found)?.and_then(|rows| best(&rows).or_else(|| rows.first().cloned())))
}

fn most_frequent(
    rows: &[Row],
    place: usize,
    value: &str,
    within: &dyn Fn(&[Option<String>]) -> bool,
) -> Option<Row> {
    let mut counts: BTreeMap<&Row, usize> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.get(place).and_then(Option::as_deref) == Some(value) && within(row))
    {
        *counts.entry(row).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == most)
        .map(|(row, _)| row.clone())
}

/// The places of what an ordinary call's equalities have of its row.
pub(super) fn equal_places(
    slots: &[Slot<'_>],
    members: &[(usize, usize)],
    rank: &dyn Fn(usize) -> Rank,
) -> Vec<usize> {
    let is_of_row = |slot: usize| {
        rank(slot) == Rank::Typical && slots[slot].compared.as_ref().is_some_and(is_equality)
    };
    let of_row = members.iter().filter(|(slot, _)| is_of_row(*slot));
    of_row.map(|(_, place)| *place).collect()
}

/// A row that has a value at every place: the one at hand, else another one. NULL equals nothing.
fn complete_row(
    rows: &[Row],
    row: &Row,
    places: &[usize],
    within: &dyn Fn(&[Option<String>]) -> bool,
) -> Row {
    let is_complete = |row: &Row| {
        let mut places = places.iter();
        places.all(|place| row.get(*place).is_some_and(Option::is_some))
    };
    if is_complete(row) {
        return row.clone();
    }
    let complete: Vec<&Row> = rows.iter().filter(|row| is_complete(row)).collect();
    let mut nearer = complete.iter().filter(|row| within(row));
    let other = nearer.next().or_else(|| complete.get(complete.len() / 2));
    other.map_or_else(|| row.clone(), |other| (*other).clone())
}
