//! Values of foreign keys that constraints forbid in every row, and rows of the parents that have them.

use super::Resolver;
use super::table::TableDraft;
use crate::seed::Evaluator;
use crate::seed::check::Atom;
use crate::seed::infer::values::source_range;
use crate::seed::plan::{Generator, LinkChoice, Scalar, ScalarSource};
use crate::seed::types::{ScalarEncoding, literal};

impl<'a> Resolver<'a> {
    /// Values that CHECKs forbid for keys in every row.
    pub(super) fn rule_out_keys(&self, draft: &mut TableDraft<'a>) {
        let ruled_out: Vec<(usize, Vec<String>)> = draft
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| {
                matches!(column.generator, Generator::Parent { .. })
                    && !column.facts.excluded.is_empty()
            })
            .map(|(at, column)| (at, column.facts.excluded.clone()))
            .collect();
        self.rule_out(draft, &ruled_out);
        for column in 0..draft.columns.len() {
            let Generator::Parent {
                link,
                table,
                column: at,
                ..
            } = draft.columns[column].generator
            else {
                continue;
            };
            let Some(list) = draft.columns[column].facts.lists.first() else {
                continue;
            };
            if !draft.links[link].only.is_empty() {
                continue;
            }
            let steps = matches!(
                draft.links[link].choice,
                LinkChoice::Uniform | LinkChoice::Skewed { .. }
            );
            if steps && self.is_planned(table) {
                let class = &draft.columns[column].class;
                let cells: Vec<Box<[u8]>> = list
                    .iter()
                    .filter_map(|text| literal::cell(class, text))
                    .collect();
                draft.links[link].only = self.rows_with(table, at, &cells);
            }
        }
    }

    /// Whether some row of a referenced table has a key that a comparison allows, of keys that count.
    pub(super) fn is_reached(&self, draft: &TableDraft<'a>, atoms: &[Atom]) -> bool {
        let range = |name: &str| {
            let generator = &draft.columns[draft.position(name)?].generator;
            let Generator::Parent { table, column, .. } = generator else {
                return None;
            };
            let planned = self.plan.tables.get(*table)?;
            match &planned.columns.get(*column)?.generator {
                Generator::Scalar(Scalar {
                    source: ScalarSource::Sequence { start, step },
                    ..
                }) => {
                    let last = planned.rows.saturating_sub(1) as f64;
                    Some((*start as f64, *start as f64 + *step as f64 * last))
                }
                Generator::Scalar(scalar) if scalar.encoding.decimals() == 0 => {
                    let (low, high) = source_range(scalar);
                    let whole = matches!(
                        scalar.encoding,
                        ScalarEncoding::Int2 | ScalarEncoding::Int4 | ScalarEncoding::Int8
                    );
                    whole.then_some((low as f64, high as f64))
                }
                _ => None,
            }
        };
        atoms.iter().all(|atom| {
            let Atom::Compare(linear) = atom else {
                return true;
            };
            let constant = linear
                .constant
                .as_ref()
                .and_then(|text| text.parse::<f64>().ok());
            let ([(name, times)], Some(constant)) = (linear.terms.as_slice(), constant) else {
                return true;
            };
            let times = *times as f64;
            range(name).is_none_or(|(first, last)| {
                let holds = |value: f64| linear.relation.holds(value * times, constant);
                let (low, high) = (
                    (first * times).min(last * times),
                    (first * times).max(last * times),
                );
                holds(first) || holds(last) || (low..=high).contains(&constant)
            })
        })
    }

    fn is_planned(&self, table: usize) -> bool {
        self.plan
            .tables
            .get(table)
            .is_some_and(|table| !table.columns.is_empty())
    }

    /// Values of keys that no row may have.
    pub(super) fn rule_out(&self, draft: &mut TableDraft<'a>, ruled_out: &[(usize, Vec<String>)]) {
        for (column, values) in ruled_out {
            let class = draft.columns[*column].class.clone();
            match &mut draft.columns[*column].generator {
                Generator::Scalar(Scalar {
                    encoding,
                    source: ScalarSource::Sequence { start, step },
                    ..
                }) => {
                    let last = values
                        .iter()
                        .filter_map(|text| literal::scalar(text, *encoding))
                        .max();
                    // Only what the sequence would come to.
                    if let Some(last) = last.filter(|last| *last >= *start) {
                        *start = last.saturating_add((*step).max(1));
                    }
                }
                Generator::Parent {
                    link,
                    table,
                    column,
                    ..
                } => {
                    let (link, table, column) = (*link, *table, *column);
                    let cells: Vec<Box<[u8]>> = values
                        .iter()
                        .filter_map(|text| literal::cell(&class, text))
                        .collect();
                    let steps = matches!(
                        draft.links[link].choice,
                        LinkChoice::Uniform | LinkChoice::Skewed { .. }
                    );
                    if steps && self.is_planned(table) {
                        draft.links[link].skip = self.rows_with(table, column, &cells);
                    }
                }
                _ => {}
            }
        }
    }

    /// Rows of a planned table with one of these cells; none of a table that is too large to look through.
    pub(super) fn rows_with(&self, table: usize, column: usize, cells: &[Box<[u8]>]) -> Box<[u64]> {
        self.rows_where(table, column, |cell| {
            cells.iter().any(|other| **other == *cell)
        })
        .unwrap_or_default()
    }

    /// Rows of a planned table whose cell (with its length) is wanted; `None` where all are, or cannot be told.
    pub(super) fn rows_where(
        &self,
        table: usize,
        column: usize,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Option<Box<[u64]>> {
        const MOST_ROWS: u64 = 100_000;
        let rows = self.plan.tables[table].rows;
        if rows == 0 || !self.ends_in_a_plan(table, column) {
            return None;
        }
        let evaluator = Evaluator::new(&self.plan);
        let mut cell = Vec::new();
        let found: Vec<u64> = (0..rows.min(MOST_ROWS))
            .filter(|row| {
                cell.clear();
                evaluator.write_cell(table, column, *row, &mut cell);
                wanted(&cell)
            })
            .collect();
        // None of the first many says nothing of the rest.
        let unknown = found.is_empty() && rows > MOST_ROWS;
        (!unknown && found.len() as u64 != rows).then(|| found.into())
    }

    /// Whether a column's value can be computed already: it comes from tables that are planned, and not from itself.
    pub(super) fn ends_in_a_plan(&self, table: usize, column: usize) -> bool {
        let mut at = (table, column);
        (0..self.plan.tables.len()).any(|_| {
            match self.plan.tables[at.0]
                .columns
                .get(at.1)
                .map(|column| &column.generator)
            {
                Some(Generator::Parent { table, column, .. }) => {
                    at = (*table, *column);
                    false
                }
                Some(_) => true,
                None => false,
            }
        })
    }
}
