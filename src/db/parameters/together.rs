//! Values that belong together: one row of the statement's own join, in which its conditions without parameters hold.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use crate::catalog::{Query, StatementKind};
use crate::db::explain::{ExplainError, Limits, quote_literal};
use crate::schema::{Schema, quote_identifier};
use crate::sql::joined::Joined;
use crate::units::Millis;

use super::group::{Groups, tolerated};
use super::sample::Row;
use super::sets::{is_equality, raw_value};
use super::values::{Rank, part_of};
use super::{Search, Slot, Wanted};

/// Rows of a join that are looked at.
const ROWS: u32 = 50;
/// A join that takes longer is left: values of each table alone must do.
const PATIENCE: Millis = Millis(5_000.0);

/// The join of a statement with what is known of its parameters.
#[derive(Debug)]
pub(super) struct Together {
    joined: Joined,
    /// Parameters that somebody gave a value.
    fixed: BTreeMap<u16, String>,
    /// What should hold, if it can: a row that is deleted has nothing that points to it.
    preferred: Vec<String>,
    given_up: Cell<bool>,
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
        let preferred = match query.statement {
            StatementKind::Delete => childless(&joined, slots, schema),
            StatementKind::Select
            | StatementKind::Insert
            | StatementKind::Update
            | StatementKind::Merge
            | StatementKind::Values => Vec::new(),
        };
        Some(Self {
            joined,
            fixed,
            preferred,
            given_up: Cell::new(false),
        })
    }

    /// Where a slot's value stands in a row.
    fn place(&self, slot: usize) -> Option<usize> {
        let is_it = |parameter: u16| usize::from(parameter) == slot + 1;
        self.joined
            .compared
            .iter()
            .position(|compared| is_it(compared.parameter))
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
        // What a row that is deleted must be comes before what it should be.
        let mut all: Vec<Vec<String>> = Vec::new();
        if !self.preferred.is_empty() {
            let preferred = |more: &Vec<String>| [&more[..], &self.preferred[..]].concat();
            all.extend(tries.iter().map(preferred));
        }
        all.extend(tries);
        for more in all {
            let Some(rows) = self.rows(search, &more).await? else {
                break;
            };
            let middle = rows.len() / 2;
            if let Some(row) = rows.into_iter().nth(middle) {
                return Ok(self.by_slot(slots, &row));
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

    /// `None` where the server refuses the join or is not done with it in time: it is not asked again.
    async fn rows(
        &self,
        search: &mut Search<'_>,
        more: &[String],
    ) -> Result<Option<Vec<Row>>, ExplainError> {
        if self.given_up.get() {
            return Ok(None);
        }
        let body = format!("{};", self.joined.query(&self.fixed, more, ROWS));
        let limits = Limits {
            statement: Millis(search.limits.statement.0.min(PATIENCE.0)),
            ..*search.limits
        };
        let found = search.sampler.answer(search.client, &limits, body).await;
        let rows = tolerated(found)?.map(|rows| rows.to_vec());
        self.given_up.set(rows.is_none());
        Ok(rows)
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

/// That no row points to the one that is deleted, by any key that would refuse it.
fn childless(joined: &Joined, slots: &[Slot<'_>], schema: &Schema) -> Vec<String> {
    let Some(target) = &joined.target else {
        return Vec::new();
    };
    let tables: Vec<u32> = slots
        .iter()
        .filter_map(|slot| slot.compared.as_ref().map(|with| with.table))
        .collect();
    let mut found = Vec::new();
    for child in schema
        .tables
        .iter()
        .filter(|child| child.partition_of.is_none())
    {
        for key in &child.foreign_keys {
            let refuses = !key.definition.contains("ON DELETE CASCADE")
                && !key.definition.contains("ON DELETE SET");
            if !refuses || !tables.contains(&key.references) {
                continue;
            }
            let pairs: Vec<String> = key
                .columns
                .iter()
                .zip(&key.referenced_columns)
                .map(|(own, other)| {
                    format!(
                        "pointing.{} = {target}.{}",
                        quote_identifier(own),
                        quote_identifier(other)
                    )
                })
                .collect();
            found.push(format!(
                "NOT EXISTS (SELECT FROM {} AS pointing WHERE {})",
                child.name.sql(),
                pairs.join(" AND ")
            ));
        }
    }
    found
}
