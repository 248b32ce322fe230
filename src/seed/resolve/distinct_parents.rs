//! Unique indexes over a part of a foreign key's columns (`PRIMARY KEY (file_id)` beside a key over `(file_id, collection_id)`):
//! of the parent's rows that are equal in that part only one may be referenced.

use std::collections::HashSet;

use super::Resolver;
use super::key_columns::capacity;
use super::key_units::columns_of;
use super::links::Key;
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::seed::Evaluator;

/// Parent rows that are looked at: more than these are not needed to find enough.
const MOST_ROWS: u64 = 300_000;

impl Resolver<'_> {
    /// Of the parent rows in `allowed` (empty for all) those that differ in what unique indexes hold of the key; `None` where
    /// every one of them does, or it cannot be told.
    pub(super) fn distinct_parents(
        &self,
        index: usize,
        draft: &TableDraft<'_>,
        key: &Key<'_>,
        allowed: &[u64],
    ) -> Option<Box<[u64]>> {
        if key.parent >= index || key.columns.len() < 2 {
            return None;
        }
        let held = self.held_in_part(draft, key);
        let computable = held
            .iter()
            .flatten()
            .all(|position| self.ends_in_a_plan(key.parent, *position));
        if held.is_empty() || !computable {
            return None;
        }
        let evaluator = Evaluator::new(&self.plan);
        let mut seen: Vec<HashSet<Vec<u8>>> = vec![HashSet::new(); held.len()];
        let mut is_new = |row: u64| {
            let values: Vec<Vec<u8>> = held
                .iter()
                .map(|positions| {
                    let mut cells = Vec::new();
                    for position in positions {
                        evaluator.write_cell(key.parent, *position, row, &mut cells);
                    }
                    cells
                })
                .collect();
            let is_new = values
                .iter()
                .zip(&seen)
                .all(|(value, seen)| !seen.contains(value));
            if is_new {
                for (value, seen) in values.into_iter().zip(&mut seen) {
                    seen.insert(value);
                }
            }
            is_new
        };
        let rows = self.plan.tables[key.parent].rows;
        let of_all = 0..rows.min(MOST_ROWS);
        let found: Vec<u64> = match allowed.is_empty() {
            true => of_all.filter(|row| is_new(*row)).collect(),
            false => allowed.iter().copied().filter(|row| is_new(*row)).collect(),
        };
        let all = if allowed.is_empty() {
            rows
        } else {
            allowed.len() as u64
        };
        (found.len() as u64 != all).then(|| found.into())
    }

    /// For each such index the positions, in the parent's plan, of the columns that it holds.
    fn held_in_part(&self, draft: &TableDraft<'_>, key: &Key<'_>) -> Vec<Vec<usize>> {
        let Some(parent) = self.schema.table_by_oid(key.key.references) else {
            return Vec::new();
        };
        let unique = draft.table.indexes.iter().filter(|index| index.unique);
        let held = unique.filter_map(|index| {
            let columns = columns_of(draft, index);
            let parts: Vec<usize> = (0..key.columns.len())
                .filter(|at| columns.contains(&key.columns[*at]))
                .collect();
            let referenced: Vec<String> = parts
                .iter()
                .map(|at| key.key.referenced_columns[*at].clone())
                .collect();
            let is_whole = parts.is_empty()
                || parts.len() == key.columns.len()
                || parent
                    .indexes
                    .iter()
                    .any(|index| is_unique_within(index, &referenced));
            // A number or a text beside it can have a value for each row.
            let told_apart = columns.iter().any(|column| {
                !key.columns.contains(column)
                    && !draft.columns[*column].fixed
                    && !self.is_of_a_key(draft, *column)
                    && capacity(draft, *column) >= draft.rows
            });
            let positions = || parts.iter().map(|at| key.positions[*at]).collect();
            (!is_whole && !told_apart).then(positions)
        });
        held.collect()
    }

    fn is_of_a_key(&self, draft: &TableDraft<'_>, column: usize) -> bool {
        let name = &draft.columns[column].column.name;
        draft
            .table
            .foreign_keys
            .iter()
            .any(|key| key.columns.contains(name))
    }
}
