//! What the spec asks for against what the plan makes: each wish that is missed by more than its noise is told. Rows are a
//! function of the plan, so they are looked at before they are loaded.

use super::Resolver;
use super::links::said_values;
use crate::seed::Evaluator;
use crate::seed::encode::ScalarEncoding;
use crate::seed::infer::types::{TypeClass, classify};
use crate::seed::infer::values::literal_cell;
use crate::seed::literal;
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::spec::ColumnSpec;

/// Rows that are looked at, spread over the table.
const SAMPLE: u64 = 10_000;
/// A share may be off by so many standard deviations of a sample.
const DEVIATIONS: f64 = 4.5;
/// And by this much, which nobody plans with.
const CLOSE_SHARE: f64 = 0.003;
/// What a correlation may be off.
const CLOSE_CORRELATION: f64 = 0.04;

/// The cells of one column, in row order.
struct Cells {
    rows: Vec<Vec<u8>>,
    /// Rows of the table that they stand for.
    of: u64,
}

impl Resolver<'_> {
    /// Notes on every wish of the spec that the plan does not meet.
    pub(super) fn compare_with_spec(&mut self) {
        let mut notes = Vec::new();
        for (index, table) in self.plan.tables.iter().enumerate() {
            let Some(spec) = self.specs.get(&table.oid) else {
                continue;
            };
            if table.fill == Fill::Keep || table.rows == 0 {
                continue;
            }
            for said in &spec.columns {
                let asked = said.null.is_some()
                    || said.distinct.is_some()
                    || said.correlation.is_some()
                    || said.common.is_some()
                    || said.min.is_some()
                    || said.max.is_some()
                    || said_values(said).is_some();
                let Some(column) = table.column_index(&said.name.text).filter(|_| asked) else {
                    continue;
                };
                let known = self.schema.table_by_oid(table.oid);
                let Some(found) = known.and_then(|known| known.column(&said.name.text)) else {
                    continue;
                };
                let class = classify(self.schema, &found.data_type);
                let literals = self
                    .plan
                    .literals
                    .iter()
                    .any(|literal| (literal.table, literal.column) == (index, column));
                if !literals {
                    let cells = sample(&self.plan, index, column);
                    compare(table, said, &class, &cells, &mut notes);
                }
            }
        }
        self.plan.notes.append(&mut notes);
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

/// A share as a person reads it.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// What a share of a sample may be off by chance.
fn noise(share: f64, count: usize) -> f64 {
    let deviation = (share * (1.0 - share) / (count.max(1) as f64)).sqrt();
    // Few rows are never divided exactly.
    CLOSE_SHARE + DEVIATIONS * deviation + 1.0 / count.max(1) as f64
}

fn compare(
    table: &TablePlan,
    said: &ColumnSpec,
    class: &TypeClass,
    cells: &Cells,
    notes: &mut Vec<String>,
) {
    let (name, column) = (&table.name, &said.name.text);
    let count = cells.rows.len();
    let nulls = cells.rows.iter().filter(|cell| is_null(cell)).count();
    let there: Vec<&[u8]> = cells
        .rows
        .iter()
        .filter(|cell| !is_null(cell))
        .map(Vec::as_slice)
        .collect();
    let mut missed = |what: String| {
        notes.push(format!(
            "{name}: {column} {what}: a constraint, a key or another wish of the spec stands against it"
        ));
    };
    if let Some(wanted) = said.null {
        let found = nulls as f64 / count as f64;
        if (found - wanted).abs() > noise(wanted, count) {
            missed(format!(
                "is NULL in {} of the rows, and the spec says {}",
                percent(found),
                percent(wanted)
            ));
        }
    }
    if let Some(values) = said_values(said) {
        let sum: f64 = values.iter().map(|(_, weight)| weight).sum();
        for (text, wanted, found) in shares_of(class, &values, sum, &there, there.len()) {
            if (found - wanted).abs() > noise(wanted, there.len()) {
                missed(format!(
                    "is \"{text}\" in {} of the rows that have one, and the spec says {}",
                    percent(found),
                    percent(wanted)
                ));
            }
        }
    }
    if let Some(values) = &said.common {
        for (text, wanted, found) in shares_of(class, values, 1.0, &there, count) {
            // The rest may make the same value now and then.
            let too_much = found - wanted > noise(wanted, count) + 0.05;
            if wanted - found > noise(wanted, count) || too_much {
                missed(format!(
                    "is \"{text}\" in {} of the rows, and the spec says {}",
                    percent(found),
                    percent(wanted)
                ));
            }
        }
    }
    if let Some(what) = said
        .distinct
        .and_then(|wanted| distinct(said, wanted, &there, cells))
    {
        missed(what);
    }
    if let Some(wanted) = said.correlation.filter(|_| table.router.is_none())
        && let Some(found) = correlation(class, &there)
        && (found - wanted).abs() > CLOSE_CORRELATION + 2.0 / (there.len() as f64).sqrt()
    {
        missed(format!(
            "has a correlation of {found:.2} with the rows' order, and the spec says {wanted:.2}"
        ));
    }
    if let Some(what) = outside(said, class, &there) {
        missed(what);
    }
}

/// Each value with the share that is wanted and the one that is found.
fn shares_of(
    class: &TypeClass,
    values: &[(String, f64)],
    sum: f64,
    there: &[&[u8]],
    of: usize,
) -> Vec<(String, f64, f64)> {
    let share = |(text, weight): &(String, f64)| {
        let cell = literal_cell(class, text)?;
        let found = there.iter().filter(|other| **other == &*cell).count();
        let wanted = if sum > 0.0 { weight / sum } else { 0.0 };
        Some((text.clone(), wanted, found as f64 / of.max(1) as f64))
    };
    values.iter().filter_map(share).collect()
}

/// How many different values a sample has against how many it would have of `wanted` even ones; of all rows there is no other
/// number than the spec's.
fn distinct(said: &ColumnSpec, wanted: u64, there: &[&[u8]], cells: &Cells) -> Option<String> {
    let mut sorted = there.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let (found, count) = (sorted.len() as f64, there.len() as f64);
    let whole = cells.rows.len() as u64 == cells.of;
    let expected = if whole {
        wanted as f64
    } else if wanted as f64 >= count * 20.0 {
        count
    } else {
        wanted as f64 * (1.0 - (-count / wanted as f64).exp())
    };
    let room = 2.0 + expected * 0.02 + 3.0 * expected.sqrt() * f64::from(u8::from(!whole));
    // Where some are hot, others may not come at all.
    let too_few = said.skew.is_none() && found + room < expected.min(wanted as f64);
    let too_many = found > wanted as f64 + 0.5;
    (too_few || too_many).then(|| {
        let seen = if whole { "" } else { "at least " };
        format!("has {seen}{found} different values, and the spec says {wanted}")
    })
}

/// As ANALYZE computes it (`analyze.c`): equal values are in the order of their rows.
fn correlation(class: &TypeClass, there: &[&[u8]]) -> Option<f64> {
    if there.len() < 100 {
        return None;
    }
    let key = |cell: &[u8]| -> Option<(i64, Vec<u8>)> {
        let body = cell.get(4..)?;
        match class.base() {
            TypeClass::Scalar(encoding) => {
                let mut text = String::new();
                crate::seed::text::write(cell, class.base(), 1114, &mut text).then_some(())?;
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

/// Values outside of the bounds that the spec sets.
fn outside(said: &ColumnSpec, class: &TypeClass, there: &[&[u8]]) -> Option<String> {
    let TypeClass::Scalar(encoding) = class.base() else {
        return None;
    };
    let bound = |bound: &Option<(String, crate::seed::spec::Place)>| {
        bound
            .as_ref()
            .and_then(|(text, _)| literal::scalar(text, *encoding))
    };
    let (low, high) = (bound(&said.min), bound(&said.max));
    let is_outside = |cell: &&&[u8]| {
        let mut text = String::new();
        if !crate::seed::text::write(cell, class.base(), 1114, &mut text) {
            return false;
        }
        let value = literal::scalar(&text, *encoding);
        value.is_some_and(|value| {
            low.is_some_and(|low| value < low) || high.is_some_and(|high| value > high)
        })
    };
    if matches!(
        encoding,
        ScalarEncoding::Float4 { .. } | ScalarEncoding::Float8 { .. }
    ) {
        return None;
    }
    let count = there.iter().filter(is_outside).count();
    let share = count as f64 / there.len().max(1) as f64;
    (share > 0.001).then(|| {
        format!(
            "lies outside of the spec's bounds in {} of the rows",
            percent(share)
        )
    })
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
