//! Values that belong together: one row of the statement's own join, in which its conditions without parameters hold.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use crate::catalog::{Query, StatementKind};
use crate::db::explain::{ExplainError, Limits, quote_literal};
use crate::schema::{Schema, quote_identifier};
use crate::sql::joined::{Joined, Read};
use crate::units::Millis;

use super::alternatives;
use super::group::{Groups, tolerated};
use super::open_bounds::{self, is_open};
use super::sample::Row;
use super::sets::{is_equality, raw_value};
use super::values::{Rank, part_of};
use super::{Search, Slot, Wanted};

/// Rows of a join that are looked at.
const ROWS: u32 = 50;
/// Of so many that are read. Where a join has more, all are read if that takes no longer than [`PATIENCE_FOR_ALL`]: which ones
/// come first is the plan's choice, and plans differ from one ANALYZE to the next.
const READ: u32 = 2000;
const PATIENCE_FOR_ALL: Millis = Millis(2_000.0);
/// A join that takes longer is left: values of each table alone must do.
const PATIENCE: Millis = Millis(5_000.0);

/// The join of a statement with what is known of its parameters.
#[derive(Debug)]
pub(super) struct Together {
    joined: Joined,
    /// Parameters that somebody gave a value.
    fixed: BTreeMap<u16, String>,
    /// What should hold, if it can, the most first, nothing last.
    wishes: Vec<Wish>,
    /// Reading all of the join takes too long.
    is_long: Cell<bool>,
}

/// Conditions that a row should meet besides the statement's own.
#[derive(Debug, Default)]
struct Wish {
    conditions: Vec<String>,
    /// The server refuses them, or they take too long.
    given_up: Cell<bool>,
    /// So with the open bounds.
    unbounded: Cell<bool>,
}

/// One parameter may say of several columns that they are equal (`equal`); a row that is deleted has nothing that points to it, and
/// what must not be there is not (`preferred`).
fn wishes(equal: &[String], preferred: &[String]) -> Vec<Wish> {
    let all = [
        [equal, preferred].concat(),
        preferred.to_vec(),
        equal.to_vec(),
    ];
    let mut conditions: Vec<Vec<String>> = Vec::new();
    for wished in all.into_iter().filter(|wished| !wished.is_empty()) {
        if !conditions.contains(&wished) {
            conditions.push(wished);
        }
    }
    conditions.push(Vec::new());
    let wish = |conditions| Wish {
        conditions,
        ..Wish::default()
    };
    conditions.into_iter().map(wish).collect()
}

impl Together {
    /// `None` where rows of each table alone say as much.
    pub(super) fn of(query: &Query, slots: &[Slot<'_>], schema: &Schema) -> Option<Self> {
        let joined = Joined::of(&query.sql).filter(Joined::is_telling)?;
        let number = |i: usize| u16::try_from(i + 1).unwrap_or(u16::MAX);
        let fixed = slots
            .iter()
            .enumerate()
            .filter_map(|(i, slot)| match &slot.wanted {
                Wanted::Fixed(Some(value)) => Some((number(i), quote_literal(value))),
                Wanted::Fixed(None) => Some((number(i), "NULL".to_owned())),
                Wanted::Any | Wanted::Ranked(_) => None,
            });
        let fixed = fixed.collect();
        let mut preferred = match query.statement {
            StatementKind::Delete => childless(&joined, slots, schema),
            StatementKind::Select
            | StatementKind::Insert
            | StatementKind::Update
            | StatementKind::Merge
            | StatementKind::Values => Vec::new(),
        };
        preferred.extend(joined.denied());
        Some(Self {
            wishes: wishes(&joined.equalities(), &preferred),
            joined,
            fixed,
            is_long: Cell::new(false),
        })
    }

    /// Where a slot's value stands in a row.
    fn place(&self, slot: usize) -> Option<usize> {
        self.joined.place(u16::try_from(slot + 1).ok()?)
    }

    /// Values of the slots that are compared with something of the join, from one row; those of `ranks` hold in it where
    /// any row has them. Empty where the join has no row, or is not found in time.
    ///
    /// # Errors
    /// [`ExplainError`] where the server failed.
    pub(super) async fn row(
        &self,
        search: &mut Search<'_>,
        slots: &[Slot<'_>],
        groups: &Groups,
        ranks: &dyn Fn(usize) -> Rank,
    ) -> Result<HashMap<usize, String>, ExplainError> {
        let asked = self.conditions(slots, groups, ranks, |rank| {
            matches!(rank, Rank::Hot | Rank::Rare)
        });
        let typical = self.conditions(slots, groups, ranks, |rank| rank == Rank::Typical);
        let mut tries: Vec<Vec<String>> = Vec::new();
        if asked.is_empty() {
            // One column's typical value, so that the row is not merely the first one.
            tries.extend(typical.into_iter().take(1).map(|condition| vec![condition]));
        } else {
            tries.push(asked);
        }
        tries.push(Vec::new());
        let bounds = self.open_bounds(slots, groups, ranks);
        // What a row that is deleted must be comes before what it should be.
        let mut all: Vec<(&Cell<bool>, Vec<String>)> = Vec::new();
        for wish in &self.wishes {
            for conditions in &tries {
                let wished = [&conditions[..], &wish.conditions].concat();
                // A bound beside a typical value may be any: the value leaves few rows.
                if !bounds.is_empty() {
                    all.push((&wish.unbounded, [&wished[..], &bounds].concat()));
                }
                all.push((&wish.given_up, wished));
            }
        }
        for (given_up, more) in all {
            if given_up.get() {
                continue;
            }
            let Some(rows) = self.rows(search, &more).await? else {
                given_up.set(true);
                continue;
            };
            // NULL equals nothing: a row without is better.
            let complete: Vec<&Row> = rows
                .iter()
                .filter(|row| row.iter().all(Option::is_some))
                .collect();
            let row = complete.get(complete.len() / 2).copied();
            if let Some(row) = row.or(rows.get(rows.len() / 2)) {
                return Ok(self.of_rows(slots, &rows, row));
            }
        }
        Ok(HashMap::new())
    }

    /// Equalities of slots with their values, for those whose rank is meant; the most selective column first.
    fn conditions(
        &self,
        slots: &[Slot<'_>],
        groups: &Groups,
        ranks: &dyn Fn(usize) -> Rank,
        meant: impl Fn(Rank) -> bool,
    ) -> Vec<String> {
        let mut found: Vec<(f64, String)> = Vec::new();
        for (i, slot) in slots.iter().enumerate() {
            let (Some(place), Some((group, group_place))) = (self.place(i), groups.of(i)) else {
                continue;
            };
            let rank = ranks(i);
            let equal = slot.compared.as_ref().is_some_and(is_equality);
            if !equal || !meant(rank) || matches!(slot.wanted, Wanted::Fixed(_)) {
                continue;
            }
            if let Some(value) = raw_value(slot, groups, group, i, group_place, rank) {
                let share = groups.distribution(i).map_or(1.0, |found| found.top_share);
                let expression = &self.joined.compared[place].expression;
                found.push((share, format!("({expression}) = {}", quote_literal(&value))));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.into_iter().map(|(_, condition)| condition).collect()
    }

    /// What an ordinary call's open bounds leave of the rows.
    fn open_bounds(
        &self,
        slots: &[Slot<'_>],
        groups: &Groups,
        ranks: &dyn Fn(usize) -> Rank,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (i, slot) in slots.iter().enumerate() {
            let (Some(place), Some((group, group_place))) = (self.place(i), groups.of(i)) else {
                continue;
            };
            let with = slot.compared.as_ref().filter(|_| is_open(slots, slot));
            let Some(with) = with.filter(|_| ranks(i) == Rank::Typical) else {
                continue;
            };
            let values = group.sorted(group_place);
            let asked = (slot.reach, slot.tail.as_deref());
            if let Some(value) = open_bounds::bound(asked, Rank::Typical, &values, with) {
                let expression = &self.joined.compared[place].expression;
                let (operator, value) = (&with.operator, quote_literal(value));
                found.push(format!("({expression}) {operator} {value}"));
            }
        }
        found
    }

    /// `None` where the server refuses the join or is not done with it in time.
    async fn rows(
        &self,
        search: &mut Search<'_>,
        more: &[String],
    ) -> Result<Option<Vec<Row>>, ExplainError> {
        let first = self
            .read(search, more, (Read::First(READ + 1), PATIENCE))
            .await?;
        let is_cut = |rows: &Vec<Row>| {
            let number = rows.first().and_then(|row| row.last()?.as_deref());
            number.and_then(|number| number.parse().ok()) > Some(READ)
        };
        if self.is_long.get() || !first.as_ref().is_some_and(is_cut) {
            return Ok(first);
        }
        let all = self
            .read(search, more, (Read::All, PATIENCE_FOR_ALL))
            .await?;
        self.is_long.set(all.is_none());
        Ok(all.or(first))
    }

    async fn read(
        &self,
        search: &mut Search<'_>,
        more: &[String],
        (read, patience): (Read, Millis),
    ) -> Result<Option<Vec<Row>>, ExplainError> {
        let body = format!("{};", self.joined.query(&self.fixed, more, read, ROWS));
        let limits = Limits {
            statement: Millis(search.limits.statement.0.min(patience.0)),
            ..search.limits.clone()
        };
        let found = search.sampler.answer(search.client, &limits, body).await;
        Ok(tolerated(found)?.map(|rows| rows.to_vec()))
    }

    /// The values of one row, and of others for parameters that are its alternatives.
    fn of_rows(&self, slots: &[Slot<'_>], rows: &[Row], first: &Row) -> HashMap<usize, String> {
        let mut values = self.by_slot(slots, first);
        let members: Vec<(usize, usize)> = (0..slots.len())
            .filter_map(|slot| Some((slot, self.place(slot)?)))
            .collect();
        let rounds = alternatives::rounds(slots, &members);
        let shared = alternatives::shared_places(slots, &rounds[0]).into_iter();
        let base: Vec<(usize, String)> = shared
            .filter_map(|place| Some((place, first.get(place)?.clone()?)))
            .collect();
        let mut chosen: Vec<Vec<(usize, String)>> = Vec::new();
        for members in rounds.iter().skip(1) {
            // Of two parameters that meet one expression each has a place with the same values.
            let places: Vec<usize> = members.iter().map(|(_, place)| *place).collect();
            let taken: Vec<Vec<String>> = [alternatives::at(first, &places)]
                .into_iter()
                .flatten()
                .chain(
                    chosen
                        .iter()
                        .map(|row| row.iter().map(|(_, value)| value.clone()).collect()),
                )
                .collect();
            let Some(row) = alternatives::another_row(rows, &places, &taken, &base) else {
                // Each table's own rows have others.
                for (slot, _) in members {
                    values.remove(slot);
                }
                continue;
            };
            let own = self.by_slot(slots, row);
            for (slot, _) in members {
                if let Some(value) = own.get(slot) {
                    values.insert(*slot, value.clone());
                }
            }
            let at_places = alternatives::at(row, &places).unwrap_or_default();
            chosen.push(places.into_iter().zip(at_places).collect());
        }
        values
    }

    /// What is a part of the table's value is taken out of it.
    fn by_slot(&self, slots: &[Slot<'_>], row: &Row) -> HashMap<usize, String> {
        let value = |i: usize| {
            let text = row.get(self.place(i)?)?.clone()?;
            let slot = &slots[i];
            match slot
                .compared
                .as_ref()
                .and_then(|with| part_of(with, slot.info))
            {
                Some(part) => part.split(&text).into_iter().next(),
                None => Some(text),
            }
        };
        (0..slots.len())
            .filter_map(|i| Some((i, value(i)?)))
            .collect()
    }
}

/// That no row points to the one that is deleted by a key that would refuse it, nor to one that goes with it.
fn childless(joined: &Joined, slots: &[Slot<'_>], schema: &Schema) -> Vec<String> {
    let Some(target) = &joined.target else {
        return Vec::new();
    };
    let tables: Vec<u32> = slots
        .iter()
        .filter_map(|slot| slot.compared.as_ref().map(|with| with.table))
        .collect();
    tables
        .first()
        .map(|table| refusing(schema, *table, target, 0))
        .unwrap_or_default()
}

/// How far deletions that follow a deletion are looked at.
const FOLLOWED: usize = 3;

/// Conditions under which nothing refuses that a row of a table goes; `name` is what its columns are qualified with.
fn refusing(schema: &Schema, table: u32, name: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    let children = schema.tables.iter().filter(|c| c.partition_of.is_none());
    for (child, key) in children.flat_map(|c| c.foreign_keys.iter().map(move |key| (c, key))) {
        if key.references != table || key.definition.contains("ON DELETE SET") {
            continue;
        }
        let pointing = format!("pointing_{depth}");
        let mut conditions: Vec<String> = key
            .columns
            .iter()
            .zip(&key.referenced_columns)
            .map(|(own, other)| {
                format!(
                    "{pointing}.{} = {name}.{}",
                    quote_identifier(own),
                    quote_identifier(other)
                )
            })
            .collect();
        if key.definition.contains("ON DELETE CASCADE") {
            if depth + 1 == FOLLOWED || child.oid == table {
                continue;
            }
            let below = refusing(schema, child.oid, &pointing, depth + 1);
            if below.is_empty() {
                continue;
            }
            conditions.push(format!("NOT ({})", below.join(" AND ")));
        }
        found.push(format!(
            "NOT EXISTS (SELECT FROM {} AS {pointing} WHERE {})",
            child.name.sql(),
            conditions.join(" AND ")
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wished_for_most_comes_first_and_nothing_last() {
        let texts = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        let shown = |equal: &[&str], preferred: &[&str]| -> Vec<String> {
            let wishes = wishes(&texts(equal), &texts(preferred)).into_iter();
            wishes.map(|wish| wish.conditions.join(" ")).collect()
        };
        assert_eq!(shown(&["a"], &["b", "c"]), ["a b c", "b c", "a", ""]);
        assert_eq!(shown(&["a"], &[]), ["a", ""]);
        assert_eq!(shown(&[], &["b"]), ["b", ""]);
        assert_eq!(shown(&[], &[]), [""]);
    }
}
