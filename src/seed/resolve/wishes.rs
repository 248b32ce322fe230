//! What the spec asks for beside what the plan will make, without a load: rows are a function of the plan. After a load
//! `db::wishes` counts in the tables.

use super::Resolver;
use crate::seed::Evaluator;
use crate::seed::plan::Fill;
use crate::seed::types::{ScalarEncoding, TypeClass, classify, literal};
use crate::seed::wishes::{SAMPLE, Seen, Wanted, Wish, missed, note, of_column};

/// The cells of one column, in row order.
struct Cells {
    rows: Vec<Vec<u8>>,
    /// Rows of the table that they stand for.
    of: u64,
}

impl Resolver<'_> {
    /// The spec's wishes, and notes on those that planned rows do not meet.
    pub(super) fn compare_with_spec(&mut self) {
        let (mut wishes, mut notes) = (Vec::new(), Vec::new());
        for (index, table) in self.plan.tables.iter().enumerate() {
            let Some(spec) = self.specs.get(&table.oid) else {
                continue;
            };
            if table.fill == Fill::Keep || table.rows == 0 {
                continue;
            }
            for said in &spec.columns {
                let Some(column) = table.column_index(&said.name.text) else {
                    continue;
                };
                let mut asked = of_column(index, said);
                // Rows of several partitions have no order of their own.
                asked.retain(|wish| {
                    table.router.is_none() || !matches!(wish.wanted, Wanted::Correlation(_))
                });
                let known = self.schema.table_by_oid(table.oid);
                let Some(found) = known.and_then(|known| known.column(&said.name.text)) else {
                    continue;
                };
                let class = classify(self.schema, &found.data_type);
                // Cells that the server has yet to read are not known here.
                let mut literals = self.plan.literals.iter();
                let is_known =
                    !literals.any(|literal| (literal.table, literal.column) == (index, column));
                if is_known && !asked.is_empty() {
                    let cells = sample(&self.plan, index, column);
                    let missed = asked.iter().filter_map(|wish: &Wish| {
                        let seen = look(&wish.wanted, &class, &cells)?;
                        let missed = missed(&wish.wanted, &seen)?;
                        Some(note(&table.name, &wish.column, &missed))
                    });
                    notes.extend(missed);
                }
                wishes.append(&mut asked);
            }
        }
        self.plan.wishes = wishes;
        self.plan.predicted = notes;
    }
}

/// Cells of rows at even distances; of a table of few rows all.
fn sample(plan: &crate::seed::SeedPlan, table: usize, column: usize) -> Cells {
    let rows = plan.tables[table].rows;
    let evaluator = Evaluator::new(plan);
    let count = rows.min(SAMPLE);
    let rows_of = |number: u64| (u128::from(number) * u128::from(rows) / u128::from(count)) as u64;
    let cell = |number| {
        let mut cell = Vec::with_capacity(16);
        evaluator.write_cell(table, column, rows_of(number), &mut cell);
        cell
    };
    Cells {
        rows: (0..count).map(cell).collect(),
        of: rows,
    }
}

fn is_null(cell: &[u8]) -> bool {
    cell.starts_with(&[0xff; 4])
}

/// What a wish is about in these cells; `None` where they do not show it.
fn look(wanted: &Wanted, class: &TypeClass, cells: &Cells) -> Option<Seen> {
    let there: Vec<&[u8]> = cells
        .rows
        .iter()
        .filter(|cell| !is_null(cell))
        .map(Vec::as_slice)
        .collect();
    let found = match wanted {
        Wanted::Nulls(_) => (cells.rows.len() - there.len()) as f64,
        Wanted::Share { text, .. } | Wanted::Common { text, .. } => {
            let cell = literal::cell(class, text)?;
            there.iter().filter(|other| **other == &*cell).count() as f64
        }
        Wanted::Distinct { .. } => {
            let mut sorted = there.clone();
            sorted.sort_unstable();
            sorted.dedup();
            sorted.len() as f64
        }
        Wanted::Correlation(_) => correlation(class, &there)?,
        Wanted::Bounds { low, high } => outside((low, high), class, &there)?,
    };
    Some(Seen {
        rows: cells.rows.len() as f64,
        present: there.len() as f64,
        found,
        is_whole: cells.rows.len() as u64 == cells.of,
    })
}

/// As ANALYZE computes it (`analyze.c`): equal values are in the order of their rows.
fn correlation(class: &TypeClass, there: &[&[u8]]) -> Option<f64> {
    let key = |cell: &[u8]| -> Option<(i64, Vec<u8>)> {
        let body = cell.get(4..)?;
        match class.base() {
            TypeClass::Scalar(encoding) => {
                let mut text = String::new();
                crate::seed::types::text::write(cell, class.base(), 1114, &mut text)
                    .then_some(())?;
                Some((literal::scalar(&text, *encoding)?, Vec::new()))
            }
            TypeClass::Enum(labels) => {
                let at = labels.iter().position(|label| label.as_bytes() == body)?;
                Some((at as i64, Vec::new()))
            }
            TypeClass::Text { .. } | TypeClass::Uuid | TypeClass::Bytes => Some((0, body.to_vec())),
            _ => None,
        }
    };
    let mut keyed: Vec<((i64, Vec<u8>), usize)> = Vec::with_capacity(there.len());
    for (row, cell) in there.iter().enumerate() {
        keyed.push((key(cell)?, row));
    }
    keyed.sort();
    let count = keyed.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let covariance: f64 = keyed
        .iter()
        .enumerate()
        .map(|(rank, (_, row))| (rank as f64 - middle) * (*row as f64 - middle))
        .sum();
    let variance = count * (count * count - 1.0) / 12.0;
    Some(covariance / variance)
}

/// How many values lie outside of bounds.
fn outside(
    (low, high): (&Option<String>, &Option<String>),
    class: &TypeClass,
    there: &[&[u8]],
) -> Option<f64> {
    let TypeClass::Scalar(encoding) = class.base() else {
        return None;
    };
    if matches!(
        encoding,
        ScalarEncoding::Float4 { .. } | ScalarEncoding::Float8 { .. }
    ) {
        return None;
    }
    let bound = |text: &Option<String>| literal::scalar(text.as_deref()?, *encoding);
    let (low, high) = (bound(low), bound(high));
    let is_outside = |cell: &&&[u8]| {
        let mut text = String::new();
        if !crate::seed::types::text::write(cell, class.base(), 1114, &mut text) {
            return false;
        }
        let value = literal::scalar(&text, *encoding);
        value.is_some_and(|value| {
            low.is_some_and(|low| value < low) || high.is_some_and(|high| value > high)
        })
    };
    Some(there.iter().filter(is_outside).count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_is_what_analyze_says() {
        let cell = |value: i32| [&4_i32.to_be_bytes()[..], &value.to_be_bytes()[..]].concat();
        let class = TypeClass::Scalar(ScalarEncoding::Int4);
        let rising: Vec<Vec<u8>> = (0..1000).map(cell).collect();
        let shown: Vec<&[u8]> = rising.iter().map(Vec::as_slice).collect();
        assert_eq!(correlation(&class, &shown), Some(1.0));
        let falling: Vec<&[u8]> = shown.iter().rev().copied().collect();
        assert_eq!(correlation(&class, &falling), Some(-1.0));
        // Two values by turns: ties keep the order of the rows, so a half remains (the floor).
        let turns: Vec<Vec<u8>> = (0..1000).map(|row| cell(row % 2)).collect();
        let turns: Vec<&[u8]> = turns.iter().map(Vec::as_slice).collect();
        let found = correlation(&class, &turns).unwrap();
        assert!((found - 0.5).abs() < 0.01, "{found}");
    }
}
