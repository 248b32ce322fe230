//! A table's rows, with everything decided beforehand that is the same for each of them: the common columns become a
//! function of the row's number alone, all others are left to the evaluator. The bytes are the evaluator's.

use super::placed::Placed;
use super::texts::write_text;
use super::{At, DRAW, Evaluator, delayed, heavy, sequence, span, uniform};
use crate::seed::generators::{Cell, put_padded, structured, truncate};
use crate::seed::plan::{
    Choice, ColumnPlan, Draw, Generator, Nulls, Scalar, ScalarSource, SeedPlan, Side, TablePlan,
    Text, TextSource,
};
use crate::seed::random::Key;
use crate::seed::types::{ScalarEncoding, binary};

/// Writes one cell.
type Write<'p> = Box<dyn Fn(u64, &mut Vec<u8>) + Send + 'p>;

/// Writes the rows of one table.
pub struct RowWriter<'p> {
    fields: [u8; 2],
    columns: Vec<Write<'p>>,
}

impl std::fmt::Debug for RowWriter<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RowWriter")
            .field("columns", &self.columns.len())
            .finish_non_exhaustive()
    }
}

impl<'p> RowWriter<'p> {
    /// For a table of a plan.
    #[must_use]
    pub fn new(plan: &'p SeedPlan, table: usize) -> Self {
        let all: Vec<usize> = (0..plan.tables[table].columns.len()).collect();
        Self::of_columns(plan, table, &all)
    }

    /// For some columns of a table, in this order.
    #[must_use]
    pub fn of_columns(plan: &'p SeedPlan, table: usize, columns: &[usize]) -> Self {
        let (evaluator, table) = (Evaluator::new(plan), &plan.tables[table]);
        let columns: Vec<_> = columns
            .iter()
            .map(|at| prepare(evaluator, table, &table.columns[*at]))
            .collect();
        Self {
            fields: (columns.len() as u16).to_be_bytes(),
            columns,
        }
    }

    /// Appends one row in COPY BINARY's form.
    #[inline]
    pub fn write(&self, row: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fields);
        for write in &self.columns {
            write(row, out);
        }
    }
}

fn prepare<'p>(
    evaluator: Evaluator<'p>,
    table: &'p TablePlan,
    column: &'p ColumnPlan,
) -> Write<'p> {
    let null = match column.nulls {
        Nulls::Never => Some(None),
        Nulls::Share { share, key } => Some(Some((key, share))),
        Nulls::Always | Nulls::From { .. } | Nulls::WithLink(_) => None,
    };
    let write = if column.arms.is_some() {
        None
    } else {
        match &column.draw {
            Draw::Row => cell(evaluator, table, column, |row| row),
            Draw::Uniform { distinct } => {
                let (key, distinct) = (column.key.number(DRAW), *distinct);
                cell(evaluator, table, column, move |row| {
                    key.below(row, distinct)
                })
            }
            Draw::Zipf(ranks) => {
                let key = column.key.number(DRAW);
                cell(evaluator, table, column, move |row| ranks.draw(key.at(row)))
            }
            Draw::Dependent { .. } | Draw::Every { .. } | Draw::Following { .. } => None,
        }
    };
    match (null, write) {
        (Some(None), Some(write)) => write,
        (Some(Some((key, share))), Some(write)) => Box::new(move |row, out| {
            if key.fraction(row) < share {
                binary::null(out)
            } else {
                write(row, out)
            }
        }),
        _ => Box::new(move |row, out| evaluator.write(At { table, row }, column, out)),
    }
}

/// The column's cells; `index` says which of its values a row gets. `None` for what depends on more than that.
fn cell<'p>(
    evaluator: Evaluator<'p>,
    table: &'p TablePlan,
    column: &'p ColumnPlan,
    index: impl Fn(u64) -> u64 + Send + 'p,
) -> Option<Write<'p>> {
    let key = column.key;
    match &column.generator {
        Generator::Scalar(scalar) => {
            number(evaluator, table, key, scalar, index, Cells(scalar.encoding))
        }
        Generator::Text(Text {
            source: TextSource::Template(_),
            ..
        }) => None,
        Generator::Text(text) => Some(worded(key, text, index)),
        Generator::Choice(choice) => listed(key, choice, index),
        Generator::Constant(cell) => Some(Box::new(move |_, out| out.extend_from_slice(cell))),
        Generator::Uuid => Some(Box::new(move |row, out| {
            structured::uuid(key, index(row), out)
        })),
        Generator::Inet { cidr, unique } => Some(Box::new(move |row, out| {
            structured::inet((key, index(row)), unique.as_ref(), *cidr, out)
        })),
        Generator::Parent {
            link,
            table: parent,
            column: parent_column,
            recode,
        } => {
            let parent_column = &evaluator.plan.tables[*parent].columns[*parent_column];
            let Numbering {
                start,
                step,
                encoding,
            } = counted(parent_column)?;
            let encoding = recode.unwrap_or(encoding);
            Some(Box::new(move |row, out| {
                match evaluator.follow(At { table, row }, *link) {
                    Some(parent) => encoding.write(sequence(start, step, parent), out),
                    None => binary::null(out),
                }
            }))
        }
        Generator::Mixed { .. }
        | Generator::Named { .. }
        | Generator::Copy { .. }
        | Generator::Extreme { .. }
        | Generator::Stored(_)
        | Generator::Mac { .. }
        | Generator::Bytes { .. }
        | Generator::Bits { .. }
        | Generator::Geometry(_)
        | Generator::Array { .. }
        | Generator::Composite { .. }
        | Generator::Range { .. }
        | Generator::Span(_)
        | Generator::Multirange { .. }
        | Generator::TextSearch
        | Generator::Json { .. }
        | Generator::TextQuery
        | Generator::Pairs
        | Generator::System(_)
        | Generator::Formula { .. } => None,
    }
}

/// A column that numbers its rows.
struct Numbering {
    start: i64,
    step: i64,
    encoding: ScalarEncoding,
}

/// `None` where it does anything else.
fn counted(column: &ColumnPlan) -> Option<Numbering> {
    match (&column.generator, &column.nulls, &column.draw, &column.arms) {
        (Generator::Scalar(scalar), Nulls::Never, Draw::Row, None) => match scalar.source {
            ScalarSource::Sequence { start, step } => Some(Numbering {
                start,
                step,
                encoding: scalar.encoding,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// What becomes of a number's function, whichever it is: each is compiled for its own.
trait Use<'p> {
    type Output;
    fn of(self, value: impl Fn(u64) -> i64 + Send + 'p) -> Self::Output;
}

/// The function of a column's numbers, where they depend on the row's number alone or on columns that do; `None` leaves
/// them to the evaluator.
fn number<'p, U: Use<'p>>(
    evaluator: Evaluator<'p>,
    table: &'p TablePlan,
    key: Key,
    scalar: &'p Scalar,
    index: impl Fn(u64) -> u64 + Send + 'p,
    usage: U,
) -> Option<U::Output> {
    if scalar.domain.is_some() {
        return None;
    }
    let (least, most) = scalar.hard;
    if let ScalarSource::Sequence { start, step } = scalar.source {
        return Some(usage.of(move |row| sequence(start, step, index(row))));
    }
    if let ScalarSource::After { mean, .. } = scalar.source {
        let limits = limits(evaluator, table, scalar)?;
        let grain = scalar.grain;
        return Some(usage.of(move |row| {
            let (low, high) = limits(row);
            delayed(key, mean, index(row), low, high, grain)
        }));
    }
    if !scalar.bounds.is_empty() || scalar.grain > 1 {
        return None;
    }
    match &scalar.source {
        ScalarSource::Range {
            low,
            high,
            unique: None,
        } => {
            let (low, span) = (*low, span(*low, *high));
            Some(usage.of(move |row| uniform(key, low, span, index(row)).min(most).max(least)))
        }
        ScalarSource::LowHeavy { low, high, curve } => {
            let (low, high) = (*low, *high);
            Some(usage.of(move |row| {
                heavy(key, (low, high), curve, index(row))
                    .min(most)
                    .max(least)
            }))
        }
        source @ ScalarSource::Placed { .. } => {
            let placed = Placed::new(key, source)?;
            Some(usage.of(move |row| placed.at(index(row)).min(most).max(least)))
        }
        ScalarSource::Listed { values, weights } => Some(usage.of(move |row| {
            let value = values
                .get(weights.draw(key.at(index(row))))
                .copied()
                .unwrap_or(least);
            value.min(most).max(least)
        })),
        _ => None,
    }
}

type Number<'p> = Box<dyn Fn(u64) -> i64 + Send + 'p>;

/// Least and most of a number by row, where other columns set them.
fn limits<'p>(
    evaluator: Evaluator<'p>,
    table: &'p TablePlan,
    scalar: &'p Scalar,
) -> Option<impl Fn(u64) -> (i64, i64) + Send + use<'p>> {
    let others: Vec<(Side, i64, Number<'p>)> = scalar
        .bounds
        .iter()
        .map(|bound| match &*bound.terms {
            [term] if (term.times, term.per) == (1, 1) => Some((
                bound.side,
                bound.offset,
                other(evaluator, table, &table.columns[term.column])?,
            )),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let hard = scalar.hard;
    Some(move |row| {
        others
            .iter()
            .fold(hard, |(low, high), (side, offset, other)| match side {
                Side::AtLeast => (low.max(other(row).saturating_add(*offset)), high),
                Side::AtMost => (low, high.min(other(row).saturating_add(*offset))),
                Side::Differs => (low, high),
            })
    })
}

/// The numbers of a column that others are held against, where it is never NULL.
fn other<'p>(
    evaluator: Evaluator<'p>,
    table: &'p TablePlan,
    column: &'p ColumnPlan,
) -> Option<Number<'p>> {
    /// The function as it is.
    struct Boxed;
    impl<'p> Use<'p> for Boxed {
        type Output = Number<'p>;
        fn of(self, value: impl Fn(u64) -> i64 + Send + 'p) -> Number<'p> {
            Box::new(value)
        }
    }
    match (&column.generator, &column.nulls, &column.draw, &column.arms) {
        (Generator::Scalar(scalar), Nulls::Never, Draw::Row, None) => {
            number(evaluator, table, column.key, scalar, |row| row, Boxed)
        }
        _ => None,
    }
}

/// A number's cells, with the form chosen once.
struct Cells(ScalarEncoding);

impl<'p> Use<'p> for Cells {
    type Output = Write<'p>;

    fn of(self, value: impl Fn(u64) -> i64 + Send + 'p) -> Write<'p> {
        match self.0 {
            ScalarEncoding::Int4 | ScalarEncoding::Date => {
                Box::new(move |row, out| ScalarEncoding::Int4.write(value(row), out))
            }
            ScalarEncoding::Int8 | ScalarEncoding::Timestamp => {
                Box::new(move |row, out| ScalarEncoding::Int8.write(value(row), out))
            }
            ScalarEncoding::Numeric { decimals } => Box::new(move |row, out| {
                ScalarEncoding::Numeric { decimals }.write(value(row), out)
            }),
            other => Box::new(move |row, out| other.write(value(row), out)),
        }
    }
}

/// A text's cells. Most are what their generator writes, as it is or cut where they are too long.
fn worded<'p>(key: Key, text: &'p Text, index: impl Fn(u64) -> u64 + Send + 'p) -> Write<'p> {
    let Some(generator) = text.plain_generator() else {
        return Box::new(move |row, out| write_text(key, text, index(row), out));
    };
    let (write, locale, order) = (generator.write, text.locale, text.unique);
    let most = if text.max_chars == 0 {
        usize::MAX
    } else {
        text.max_chars as usize
    };
    Box::new(move |row, out| {
        let index = index(row);
        let start = binary::begin(out);
        let mut cell = Cell {
            stream: key.stream(index),
            number: order.map(|order| order.apply(index)),
            locale,
        };
        write(&mut cell, out);
        if out.len() - start > most {
            truncate(out, start, most);
        }
        binary::end(out, start);
    })
}

/// The longest cell of a list that is copied as one piece.
const SHORT: usize = 32;

fn listed<'p>(
    key: Key,
    choice: &'p Choice,
    index: impl Fn(u64) -> u64 + Send + 'p,
) -> Option<Write<'p>> {
    if choice.odometer.is_some()
        || choice.unique.is_some()
        || choice.quantiles.is_some()
        || choice.cells.is_empty()
    {
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
