//! A table's rows, with everything decided beforehand that is the same for each of them: the common columns become a
//! function of the row's number alone, all others are left to the evaluator. The bytes are the evaluator's.

use super::texts::write_text;
use super::{At, DRAW, Evaluator, heavy, placed, span, uniform};
use crate::seed::encode::{self, ScalarEncoding};
use crate::seed::generators::{put_padded, structured};
use crate::seed::plan::{
    Choice, ColumnPlan, Draw, Generator, Nulls, Scalar, ScalarSource, SeedPlan, TablePlan, Text, TextSource,
};
use crate::seed::random::Key;

/// Writes one cell that is not NULL.
type Write<'p> = Box<dyn Fn(u64, &mut Vec<u8>) + 'p>;

/// Writes the rows of one table.
pub struct RowWriter<'p> {
    fields: [u8; 2],
    columns: Vec<Column<'p>>,
}

/// A column's NULLs, where they come at random, and its other cells.
struct Column<'p> {
    null: Option<(Key, f64)>,
    write: Write<'p>,
}

impl std::fmt::Debug for RowWriter<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RowWriter").field("columns", &self.columns.len()).finish_non_exhaustive()
    }
}

impl<'p> RowWriter<'p> {
    /// For a table of a plan.
    #[must_use]
    pub fn new(plan: &'p SeedPlan, table: usize) -> Self {
        let (evaluator, table) = (Evaluator::new(plan), &plan.tables[table]);
        let columns = table.columns.iter().map(|column| prepare(evaluator, table, column)).collect();
        Self { fields: (table.columns.len() as u16).to_be_bytes(), columns }
    }

    /// Appends one row in COPY BINARY's form.
    #[inline]
    pub fn write(&self, row: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fields);
        for column in &self.columns {
            match column.null {
                Some((key, share)) if key.fraction(row) < share => encode::null(out),
                Some(_) | None => (column.write)(row, out),
            }
        }
    }
}

fn prepare<'p>(evaluator: Evaluator<'p>, table: &'p TablePlan, column: &'p ColumnPlan) -> Column<'p> {
    let null = match column.nulls {
        Nulls::Never => Some(None),
        Nulls::Share { share, key } => Some(Some((key, share))),
        Nulls::Always | Nulls::From { .. } | Nulls::WithLink(_) => None,
    };
    let write = if column.arms.is_some() {
        None
    } else {
        match column.draw {
            Draw::Row => cell(evaluator, table, column, |row| row),
            Draw::Uniform { distinct } => {
                let key = column.key.number(DRAW);
                cell(evaluator, table, column, move |row| key.below(row, distinct))
            }
            Draw::Zipf(zipf) => {
                let key = column.key.number(DRAW);
                cell(evaluator, table, column, move |row| zipf.rank(key.fraction(row)))
            }
            Draw::Dependent { .. } => None,
        }
    };
    match (null, write) {
        (Some(null), Some(write)) => Column { null, write },
        _ => Column { null: None, write: Box::new(move |row, out| evaluator.write(At { table, row }, column, out)) },
    }
}

/// The column's cells; `index` says which of its values a row gets. `None` for what depends on more than that.
fn cell<'p>(
    evaluator: Evaluator<'p>,
    table: &'p TablePlan,
    column: &'p ColumnPlan,
    index: impl Fn(u64) -> u64 + 'p,
) -> Option<Write<'p>> {
    let key = column.key;
    match &column.generator {
        Generator::Scalar(scalar) => number(key, scalar, index),
        Generator::Text(Text { source: TextSource::Template(_), .. }) => None,
        Generator::Text(text) => Some(Box::new(move |row, out| write_text(key, text, index(row), out))),
        Generator::Choice(choice) => listed(key, choice, index),
        Generator::Constant(cell) => Some(Box::new(move |_, out| out.extend_from_slice(cell))),
        Generator::Uuid => Some(Box::new(move |row, out| structured::uuid(key, index(row), out))),
        Generator::Inet { cidr } => {
            Some(Box::new(move |row, out| structured::inet(key.stream(index(row)), *cidr, out)))
        }
        Generator::Parent { link, table: parent, column: parent_column, recode } => {
            let parent_column = &evaluator.plan.tables[*parent].columns[*parent_column];
            let (start, step, encoding) = counted(parent_column)?;
            let encoding = recode.unwrap_or(encoding);
            Some(Box::new(move |row, out| match evaluator.follow(At { table, row }, *link) {
                Some(parent) => encoding.write(sequence(start, step, parent), out),
                None => encode::null(out),
            }))
        }
        Generator::Mixed { .. }
        | Generator::Stored(_)
        | Generator::Mac { .. }
        | Generator::Bytes { .. }
        | Generator::Bits { .. }
        | Generator::Geometry(_)
        | Generator::Array { .. }
        | Generator::Composite { .. }
        | Generator::Range { .. }
        | Generator::Multirange { .. }
        | Generator::TextSearch
        | Generator::Json { .. }
        | Generator::TextQuery
        | Generator::Pairs
        | Generator::System(_)
        | Generator::Formula { .. } => None,
    }
}

/// Start, step and form of a column that numbers its rows.
fn counted(column: &ColumnPlan) -> Option<(i64, i64, ScalarEncoding)> {
    match (&column.generator, &column.nulls, column.draw, &column.arms) {
        (Generator::Scalar(scalar), Nulls::Never, Draw::Row, None) => match scalar.source {
            ScalarSource::Sequence { start, step } => Some((start, step, scalar.encoding)),
            _ => None,
        },
        _ => None,
    }
}

fn sequence(start: i64, step: i64, index: u64) -> i64 {
    start.wrapping_add((index as i64).wrapping_mul(step))
}

fn number<'p>(key: Key, scalar: &'p Scalar, index: impl Fn(u64) -> u64 + 'p) -> Option<Write<'p>> {
    let ((least, most), encoding) = (scalar.hard, scalar.encoding);
    if let ScalarSource::Sequence { start, step } = scalar.source {
        return Some(encoded(encoding, move |row| sequence(start, step, index(row))));
    }
    if !scalar.bounds.is_empty() || scalar.grain > 1 {
        return None;
    }
    match &scalar.source {
        ScalarSource::Range { low, high, unique: None } => {
            let (low, span) = (*low, span(*low, *high));
            Some(encoded(encoding, move |row| uniform(key, low, span, index(row)).min(most).max(least)))
        }
        ScalarSource::LowHeavy { low, high, curve } => {
            let (low, high) = (*low, *high);
            Some(encoded(encoding, move |row| heavy(key, (low, high), curve, index(row)).min(most).max(least)))
        }
        source @ ScalarSource::Placed { .. } => {
            Some(encoded(encoding, move |row| placed(key, source, index(row)).min(most).max(least)))
        }
        _ => None,
    }
}

/// A number's cells, with the form chosen once.
fn encoded<'p>(encoding: ScalarEncoding, value: impl Fn(u64) -> i64 + 'p) -> Write<'p> {
    match encoding {
        ScalarEncoding::Int4 | ScalarEncoding::Date => {
            Box::new(move |row, out| ScalarEncoding::Int4.write(value(row), out))
        }
        ScalarEncoding::Int8 | ScalarEncoding::Timestamp => {
            Box::new(move |row, out| ScalarEncoding::Int8.write(value(row), out))
        }
        ScalarEncoding::Numeric { decimals } => {
            Box::new(move |row, out| ScalarEncoding::Numeric { decimals }.write(value(row), out))
        }
        other => Box::new(move |row, out| other.write(value(row), out)),
    }
}

/// The longest cell of a list that is copied as one piece.
const SHORT: usize = 32;

fn listed<'p>(key: Key, choice: &'p Choice, index: impl Fn(u64) -> u64 + 'p) -> Option<Write<'p>> {
    if choice.odometer.is_some() || choice.unique.is_some() || choice.cells.is_empty() {
        return None;
    }
    let (weights, last) = (&choice.weights, choice.cells.len() - 1);
    if choice.cells.iter().any(|cell| cell.len() > SHORT) {
        let cells = &choice.cells;
        return Some(Box::new(move |row, out| {
            out.extend_from_slice(&cells[weights.draw(key.at(index(row))).min(last)]);
        }));
    }
    let padded = |cell: &[u8]| {
        let mut bytes = [0; SHORT];
        bytes[..cell.len()].copy_from_slice(cell);
        (bytes, cell.len())
    };
    let cells: Vec<([u8; SHORT], usize)> = choice.cells.iter().map(|cell| padded(cell)).collect();
    Some(Box::new(move |row, out| {
        let (bytes, length) = &cells[weights.draw(key.at(index(row))).min(last)];
        put_padded(bytes, *length, out);
    }))
}
