//! `IN ($1, $2)` and `a = $1 OR a = $2`: several parameters that meet one expression of one relation. No row equals two
//! values, so each parameter after the first has the value of another row. Pure.

use super::Slot;
use super::sample::Row;
use super::sets::is_equality;

/// The first slot that meets what a slot meets; `None` for the first one itself, and for what is no equality.
pub(super) fn first_of(slots: &[Slot<'_>], slot: usize) -> Option<usize> {
    let own = slots[slot]
        .compared
        .as_ref()
        .filter(|with| is_equality(with))?;
    let first = slots.iter().position(|other| {
        other.compared.as_ref().is_some_and(|with| {
            is_equality(with)
                && (with.table, &with.alias, &with.expression)
                    == (own.table, &own.alias, &own.expression)
        })
    })?;
    (first < slot).then_some(first)
}

/// The slots that meet what a slot meets, after it.
pub(super) fn after(slots: &[Slot<'_>], slot: usize) -> Vec<usize> {
    (slot + 1..slots.len())
        .filter(|other| first_of(slots, *other) == Some(slot))
        .collect()
}

/// Members of a group or of a join, as (slot, place in its rows): those whose row is the first one, and those of each
/// further row. `IN (($1, $2), ($3, $4))` has two members in its second row.
pub(super) fn rounds(slots: &[Slot<'_>], members: &[(usize, usize)]) -> Vec<Vec<(usize, usize)>> {
    let mut rounds: Vec<Vec<(usize, usize)>> = vec![Vec::new()];
    for &(slot, place) in members {
        let round = match first_of(slots, slot) {
            Some(first) => after(slots, first)
                .iter()
                .position(|other| *other == slot)
                .map_or(0, |before| before + 1),
            None => 0,
        };
        while rounds.len() <= round {
            rounds.push(Vec::new());
        }
        rounds[round].push((slot, place));
    }
    rounds
}

/// Places of the first row's members that have no alternatives, as equalities: what further rows share with it.
pub(super) fn shared_places(slots: &[Slot<'_>], first: &[(usize, usize)]) -> Vec<usize> {
    first
        .iter()
        .filter(|(slot, _)| {
            after(slots, *slot).is_empty()
                && slots[*slot].compared.as_ref().is_some_and(is_equality)
        })
        .map(|(_, place)| *place)
        .collect()
}

/// A row whose values at `places` are none of `taken`: one that agrees with `base` at `shared` where there is one.
pub(super) fn another_row<'r>(
    rows: &'r [Row],
    places: &[usize],
    taken: &[Vec<String>],
    base: &[(usize, String)],
) -> Option<&'r Row> {
    let is_new = |row: &&Row| at(row, places).is_some_and(|values| !taken.contains(&values));
    let agrees = |row: &&Row| {
        base.iter()
            .all(|(place, value)| row.get(*place).and_then(Option::as_deref) == Some(value))
    };
    // From the middle on, as the first row is.
    let middle = rows.len() / 2;
    let turned = || rows[middle..].iter().chain(&rows[..middle]).filter(is_new);
    turned().find(agrees).or_else(|| turned().next())
}

/// A row's values at some places; `None` where one is NULL.
pub(super) fn at(row: &Row, places: &[usize]) -> Option<Vec<String>> {
    places
        .iter()
        .map(|place| row.get(*place).cloned().flatten())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[&str]) -> Row {
        values
            .iter()
            .map(|value| Some((*value).to_owned()))
            .collect()
    }

    #[test]
    fn further_rows_are_others_and_share_what_they_can() {
        let rows = [
            row(&["7", "a"]),
            row(&["7", "b"]),
            row(&["8", "c"]),
            row(&["8", "a"]),
        ];
        let base = [(0, "7".to_owned())];
        let taken = [vec!["a".to_owned()]];
        assert_eq!(another_row(&rows, &[1], &taken, &base), Some(&rows[1]));
        let taken = [vec!["a".to_owned()], vec!["b".to_owned()]];
        assert_eq!(another_row(&rows, &[1], &taken, &base), Some(&rows[2]));
        let taken = ["a", "b", "c"].map(|value| vec![value.to_owned()]);
        assert_eq!(another_row(&rows, &[1], &taken, &base), None);
    }
}
