//! Parameters that meet in one row: those compared with (or stored in) one relation, with a sample of its rows.

use std::collections::HashMap;
use std::rc::Rc;

use crate::db::explain::ExplainError;
use crate::schema::{Schema, Table};

use super::sample::Row;
use super::source::StoredBy;
use super::uses::ComparedWith;
use super::values::{Distribution, compare, part_of};
use super::{Search, Slot, Wanted};

/// Parameters over one relation of the query.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) table: u32,
    /// What is sampled of each row.
    pub(super) expressions: Vec<String>,
    /// Slots, each with its place in `expressions`.
    pub(super) members: Vec<(usize, usize)>,
    /// Whether the row is one that will be made.
    pub(super) inserted: bool,
    /// From 0: which of several new rows.
    pub(super) row: usize,
    /// Rows that agree with the fixed values.
    pub(super) rows: Rc<Vec<Row>>,
    /// Expressions with the fixed values that they equal.
    pub(super) fixed: Vec<(String, String)>,
}

/// All groups of a query, and each slot's distribution.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    distributions: HashMap<usize, Distribution>,
}

impl Groups {
    /// Groups the slots and samples their tables.
    ///
    /// # Errors
    /// [`ExplainError::Server`]; a sample that the server refuses leaves its group without rows.
    pub(super) async fn load(
        search: &mut Search<'_>,
        slots: &[Slot<'_>],
    ) -> Result<Self, ExplainError> {
        let mut all = grouped(slots);
        let mut distributions = HashMap::new();
        for group in &mut all {
            let Some(table) = search.schema.table_by_oid(group.table) else {
                continue;
            };
            group.rows = Rc::new(rows_of(search, table, group).await?);
            for &(slot, place) in &group.members {
                let column = slots[slot]
                    .compared
                    .as_ref()
                    .and_then(|with| with.column.as_ref());
                let stats = column.and_then(|name| stats_of(search.schema, table, name));
                let values = || {
                    group
                        .rows
                        .iter()
                        .filter_map(|row| row.get(place)?.as_deref())
                };
                let slot_of = &slots[slot];
                let part = slot_of
                    .compared
                    .as_ref()
                    .and_then(|with| part_of(with, slot_of.info));
                let found = match stats {
                    _ if part.is_some() => {
                        let parts: Vec<String> = part
                            .iter()
                            .flat_map(|part| values().flat_map(|value| part.split(value)))
                            .collect();
                        Distribution::of_sample(parts.iter().map(String::as_str))
                    }
                    // Fixed values of the same row decide what goes with them.
                    Some(stats) if group.fixed.is_empty() => {
                        let expression = &group.expressions[place];
                        let (client, limits) = (search.client, search.limits);
                        let counted = match stats.is_skewed() {
                            true => {
                                let sampler = &mut search.sampler;
                                sampler
                                    .most_frequent(client, limits, table, expression)
                                    .await?
                            }
                            false => Vec::new(),
                        };
                        stats.steady(counted, &group.sorted(place))
                    }
                    Some(_) | None => Distribution::of_sample(values()),
                };
                distributions.insert(slot, found);
            }
        }
        Ok(Self { all, distributions })
    }

    /// The group that a slot is in, and its place there.
    pub(super) fn of(&self, slot: usize) -> Option<(&Group, usize)> {
        self.all.iter().find_map(|group| {
            let (_, place) = group.members.iter().find(|(member, _)| *member == slot)?;
            Some((group, *place))
        })
    }

    /// What is known of a slot's values.
    pub(super) fn distribution(&self, slot: usize) -> Option<&Distribution> {
        self.distributions.get(&slot)
    }
}

impl Group {
    /// The values of an expression in order, without NULLs.
    pub(super) fn sorted(&self, place: usize) -> Vec<&str> {
        let mut values: Vec<&str> = self
            .rows
            .iter()
            .filter_map(|row| row.get(place)?.as_deref())
            .collect();
        values.sort_by(|a, b| compare(a, b));
        values
    }
}

fn stats_of(schema: &Schema, table: &Table, column: &str) -> Option<Distribution> {
    let own = table
        .column(column)
        .and_then(|column| column.stats.as_ref())
        .and_then(Distribution::of_stats);
    // A partitioned table that nobody analyzed has no statistics; its sample speaks then.
    own.filter(|_| schema.table_by_oid(table.oid).is_some())
}

fn grouped(slots: &[Slot<'_>]) -> Vec<Group> {
    let mut all: Vec<(String, Group)> = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        let (key, table, expression, inserted) = match (&slot.compared, slot.usage.stored.first()) {
            (Some(with), _) => (
                with.alias.clone(),
                with.table,
                with.expression.clone(),
                false,
            ),
            (None, Some(stored)) => {
                let inserted = stored.by == StoredBy::Insert;
                let expression = crate::schema::quote_identifier(&stored.column);
                (
                    format!("{} stored {}", stored.table, stored.row),
                    stored.table,
                    expression,
                    inserted,
                )
            }
            (None, None) => continue,
        };
        let at = all
            .iter()
            .position(|(other, group)| *other == key && group.table == table)
            .unwrap_or_else(|| {
                let (expressions, members, fixed) = (Vec::new(), Vec::new(), Vec::new());
                let row = slot.usage.stored.first().map_or(0, |stored| stored.row);
                all.push((
                    key,
                    Group {
                        table,
                        expressions,
                        members,
                        inserted,
                        row,
                        rows: Rc::default(),
                        fixed,
                    },
                ));
                all.len() - 1
            });
        let group = &mut all[at].1;
        match &slot.wanted {
            Wanted::Fixed(value) => {
                if let (Some(value), Some(with)) = (value, &slot.compared)
                    && is_plain_equality(with)
                {
                    group.fixed.push((expression, value.clone()));
                }
            }
            Wanted::Any | Wanted::Ranked(_) => {
                let known = group
                    .expressions
                    .iter()
                    .position(|other| *other == expression);
                let place = known.unwrap_or_else(|| {
                    group.expressions.push(expression);
                    group.expressions.len() - 1
                });
                group.members.push((i, place));
            }
        }
    }
    all.into_iter()
        .map(|(_, group)| group)
        .filter(|group| !group.members.is_empty())
        .collect()
}

fn is_plain_equality(with: &ComparedWith) -> bool {
    with.operator == "="
        && with.quantifier == crate::plan::condition::Quantifier::One
        && with.wrap == super::uses::Wrap::Same
}

/// A sample of rows that agree with the group's fixed values; of any rows where no row does.
async fn rows_of(
    search: &mut Search<'_>,
    table: &Table,
    group: &Group,
) -> Result<Vec<Row>, ExplainError> {
    let (client, limits, schema) = (search.client, search.limits, search.schema);
    let some = |rows: Rc<Vec<Row>>| rows.iter().cloned().collect::<Vec<Row>>();
    if !group.fixed.is_empty() {
        let found = search
            .sampler
            .rows_with(client, limits, table, &group.expressions, &group.fixed)
            .await;
        let found = tolerated(found)?.map(some).unwrap_or_default();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let found = search
        .sampler
        .rows(client, limits, schema, table, &group.expressions)
        .await;
    Ok(tolerated(found)?.map(some).unwrap_or_default())
}

/// A sample that takes too long or that an expression spoils is no sample; a server that fails is an error.
pub(super) fn tolerated<T>(result: Result<T, ExplainError>) -> Result<Option<T>, ExplainError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(ExplainError::Refused(_) | ExplainError::TimedOut | ExplainError::Unsafe { .. }) => {
            Ok(None)
        }
        Err(
            error @ (ExplainError::Server(_)
            | ExplainError::Unreadable(_)
            | ExplainError::NoSession
            | ExplainError::NoPlan
            | ExplainError::LeftTransaction(_)
            | ExplainError::Silent { .. }),
        ) => Err(error),
    }
}
