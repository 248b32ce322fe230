//! From a plan to cells and rows: every cell is a pure function of (plan, table, column, row), written in COPY BINARY's
//! form. No I/O, no state but the caller's buffer.

mod links;
mod numbers;
mod placed;
mod row_writer;
mod texts;

use super::expression::Formula;
use super::generators;
use super::plan::{
    Choice, ColumnPlan, Draw, End, Generator, Nulls, Piece, Router, RouterTarget, SeedPlan, Split,
    TablePlan, Text, TextSource, Variants, fractions,
};
use super::random::mix;
use super::types::binary;
use numbers::{delayed, heavy, sequence, span, uniform};

pub use row_writer::RowWriter;
pub(crate) use texts::write_text;

/// The purposes for which a column's key is divided.
const NULL: u64 = 1;
const DRAW: u64 = 2;
const LENGTH: u64 = 3;
const COMMON: u64 = 6;

/// Reads values out of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Evaluator<'p> {
    plan: &'p SeedPlan,
}

/// A cell's surroundings: its table and its row.
#[derive(Debug, Clone, Copy)]
struct At<'p> {
    table: &'p TablePlan,
    row: u64,
}

impl<'p> Evaluator<'p> {
    /// Over a plan.
    #[must_use]
    pub const fn new(plan: &'p SeedPlan) -> Self {
        Self { plan }
    }

    /// Appends one row in COPY BINARY's form. Of many rows: [`RowWriter`].
    pub fn write_row(&self, table: usize, row: u64, out: &mut Vec<u8>) {
        let table = &self.plan.tables[table];
        out.extend_from_slice(&(table.columns.len() as u16).to_be_bytes());
        let at = At { table, row };
        for column in &table.columns {
            self.write(at, column, out);
        }
    }

    /// Appends one cell with its length.
    pub fn write_cell(&self, table: usize, column: usize, row: u64, out: &mut Vec<u8>) {
        let table = &self.plan.tables[table];
        self.write(At { table, row }, &table.columns[column], out);
    }

    /// A number, date or time; `None` for NULL and for every other type.
    #[must_use]
    pub fn scalar(&self, table: usize, column: usize, row: u64) -> Option<i64> {
        let table = &self.plan.tables[table];
        self.scalar_at(At { table, row }, &table.columns[column])
    }

    /// The parent row that a link chooses; `None` where there is none.
    #[must_use]
    pub fn parent_row(&self, table: usize, link: usize, row: u64) -> Option<u64> {
        self.follow(
            At {
                table: &self.plan.tables[table],
                row,
            },
            link,
        )
    }

    /// The leaf that a row belongs to; `None` where no partition takes it.
    #[must_use]
    pub fn leaf(&self, table: usize, row: u64) -> Option<usize> {
        let table = &self.plan.tables[table];
        table
            .router
            .as_ref()
            .map_or(Some(0), |router| self.route(At { table, row }, router))
    }

    /// The column's plan in the row's variant.
    fn arm<'c>(&self, at: At<'p>, column: &'c ColumnPlan) -> &'c ColumnPlan {
        let (Some(arms), Some(variants)) = (&column.arms, &at.table.variants) else {
            return column;
        };
        let variant = self.variant(at, variants);
        let arm = arms.of.get(variant).copied().unwrap_or(0);
        usize::from(arm)
            .checked_sub(1)
            .and_then(|arm| arms.plans.get(arm))
            .unwrap_or(column)
    }

    fn variant(&self, at: At<'p>, variants: &Variants) -> usize {
        let drawn = match variants.root {
            Some(root) if at.row == 0 => root,
            _ => variants.weights.draw(variants.key.at(at.row)),
        };
        let leads_on = |variant: &usize| {
            variants.needed[*variant]
                .as_ref()
                .is_some_and(|links| links.iter().all(|link| self.follow(at, *link).is_some()))
        };
        let count = variants.needed.len();
        (drawn..drawn + count)
            .map(|next| next % count)
            .find(leads_on)
            .unwrap_or(drawn)
    }

    fn write(&self, at: At<'p>, column: &ColumnPlan, out: &mut Vec<u8>) {
        let column = self.arm(at, column);
        if self.is_null(at, column) {
            binary::null(out);
            return;
        }
        let index = self.draw(at, column);
        self.write_value(at, column, &column.generator, index, out);
    }

    fn write_value(
        &self,
        at: At<'p>,
        column: &ColumnPlan,
        generator: &Generator,
        index: u64,
        out: &mut Vec<u8>,
    ) {
        match generator {
            Generator::Scalar(scalar) => scalar
                .encoding
                .write(self.number(at, column, scalar, index), out),
            Generator::Text(Text {
                source: TextSource::Template(pieces),
                ..
            }) => self.write_template(at, pieces, out),
            Generator::Text(text) => write_text(column.key, text, index, out),
            Generator::Mixed {
                common,
                share,
                rest,
            } => {
                if column.key.number(COMMON).fraction(index) < *share {
                    out.extend_from_slice(self.chosen(at, column, common, index));
                } else {
                    self.write_value(at, column, rest, index, out);
                }
            }
            Generator::Named { cells, rest } => match cells.get(index as usize) {
                Some(cell) => out.extend_from_slice(cell),
                None => self.write_value(at, column, rest, index, out),
            },
            Generator::Choice(choice) => {
                out.extend_from_slice(self.chosen(at, column, choice, index))
            }
            Generator::Stored(cells) => match cells.get(at.row as usize) {
                Some(cell) => out.extend_from_slice(cell),
                None => binary::null(out),
            },
            Generator::Parent {
                link,
                table,
                column,
                recode,
            } => match (self.follow(at, *link), recode) {
                (Some(row), None) => self.write_cell(*table, *column, row, out),
                (Some(row), Some(encoding)) => match self.scalar(*table, *column, row) {
                    Some(value) => encoding.write(value, out),
                    None => binary::null(out),
                },
                (None, _) => binary::null(out),
            },
            Generator::Copy { column } => self.write(at, &at.table.columns[*column], out),
            Generator::Extreme { own, other, end } => {
                let start = out.len();
                self.write_value(at, column, own, index, out);
                let middle = out.len();
                self.write_value(at, other, &other.generator, index, out);
                // The other column compares the same two values, and takes the one that is left.
                let own_first = out[start + 4..middle] <= out[middle + 4..];
                let keep_own = match end {
                    End::Least => own_first,
                    End::Most => !own_first,
                };
                if keep_own {
                    out.truncate(middle);
                } else {
                    out.drain(start..middle);
                }
            }
            Generator::Constant(cell) => out.extend_from_slice(cell),
            Generator::Formula { formula, encoding } => match self.formula(at, formula) {
                Some(value) => encoding.write(value, out),
                None => binary::null(out),
            },
            Generator::Array {
                element,
                element_type,
                min,
                max,
            } => {
                let length = column
                    .key
                    .number(LENGTH)
                    .below(index, u64::from(max - min) + 1)
                    + u64::from(*min);
                let start = binary::begin(out);
                binary::array_header(length, *element_type, out);
                for position in 0..length {
                    self.write(
                        At {
                            row: index.wrapping_mul(64).wrapping_add(position),
                            ..at
                        },
                        element,
                        out,
                    );
                }
                binary::end(out, start);
            }
            Generator::Composite { fields } => {
                let start = binary::begin(out);
                out.extend_from_slice(&(fields.len() as u32).to_be_bytes());
                for (oid, field) in fields {
                    out.extend_from_slice(&oid.to_be_bytes());
                    self.write(At { row: index, ..at }, field, out);
                }
                binary::end(out, start);
            }
            Generator::Range {
                low,
                encoding,
                width,
            } => {
                let low = self.scalar_at(At { row: index, ..at }, low).unwrap_or(0);
                let width = 1 + column
                    .key
                    .number(LENGTH)
                    .below(index, (*width).max(1) as u64) as i64;
                generators::structured::range(*encoding, low, low.saturating_add(width), out);
            }
            Generator::Span(span) => {
                let end = |end: Option<usize>| {
                    end.map(|other| self.scalar_at(at, &at.table.columns[other]))
                };
                let width = span.width.map(|width| {
                    1 + column.key.number(LENGTH).below(index, width.max(1) as u64) as i64
                });
                let past = |end: Option<i64>, sign: i64| {
                    Some(end?.saturating_add(width?.saturating_mul(sign)))
                };
                let (low, high) = match (end(span.low), end(span.high)) {
                    (Some(low), Some(high)) => (low, high),
                    (Some(low), None) => (low, past(low, 1)),
                    (None, Some(high)) => (past(high, -1), high),
                    (None, None) => (None, None),
                };
                generators::structured::span(span.encoding, (low, high), span.upper, out);
            }
            Generator::Multirange {
                low,
                encoding,
                width,
            } => {
                let low = self.scalar_at(At { row: index, ..at }, low).unwrap_or(0);
                generators::structured::multirange(
                    *encoding,
                    low,
                    *width,
                    column.key.stream(index),
                    out,
                );
            }
            Generator::Uuid => generators::structured::uuid(column.key, index, out),
            Generator::Inet { cidr, unique } => {
                let drawn = (column.key, index);
                generators::structured::inet(drawn, unique.as_ref(), *cidr, out);
            }
            Generator::Mac { bytes } => generators::structured::mac(column.key, index, *bytes, out),
            Generator::Bytes { min, max } => {
                generators::structured::bytes(column.key, index, (*min, *max), out);
            }
            Generator::Bits { min, max } => {
                generators::structured::bits(column.key.stream(index), (*min, *max), out)
            }
            Generator::Geometry(figure) => {
                generators::structured::geometry(column.key.stream(index), *figure, out);
            }
            Generator::TextSearch => {
                generators::structured::text_search(column.key.stream(index), out)
            }
            Generator::Json { binary, shape } => {
                let stream = column.key.stream(index);
                generators::json::document(stream, *binary, shape, index, out);
            }
            Generator::TextQuery => {
                generators::structured::text_query(column.key.stream(index), out)
            }
            Generator::Pairs => generators::structured::pairs(column.key.stream(index), out),
            Generator::System(kind) => {
                generators::structured::system(column.key.stream(index), *kind, out)
            }
        }
    }

    /// Which of the column's values a row gets.
    fn draw(&self, at: At<'p>, column: &ColumnPlan) -> u64 {
        match &column.draw {
            Draw::Row => at.row,
            Draw::Uniform { distinct } => column.key.number(DRAW).below(at.row, *distinct),
            Draw::Every { order, distinct } => order.apply(at.row % order.size()) % distinct,
            Draw::Zipf(ranks) => ranks.draw(column.key.number(DRAW).at(at.row)),
            Draw::Following {
                quantiles,
                distinct,
            } => {
                let (place, chance) = fractions(column.key, at.row);
                let share = quantiles.share(at.row, place, chance);
                ((share * *distinct as f64) as u64).min(distinct.saturating_sub(1))
            }
            Draw::Dependent {
                column: other,
                distinct,
            } => {
                let mut cell = Vec::with_capacity(64);
                self.write(at, &at.table.columns[*other], &mut cell);
                let hash = cell
                    .iter()
                    .fold(0_u64, |hash, byte| mix(hash ^ u64::from(*byte)));
                column.key.number(DRAW).below(hash, *distinct)
            }
        }
    }

    fn write_template(&self, at: At<'p>, pieces: &[Piece], out: &mut Vec<u8>) {
        let start = binary::begin(out);
        let mut cell = Vec::with_capacity(64);
        let mut shown = String::with_capacity(64);
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Column {
                    column,
                    class,
                    type_oid,
                } => {
                    cell.clear();
                    shown.clear();
                    self.write(at, &at.table.columns[*column], &mut cell);
                    if super::types::text::write(&cell, class, *type_oid, &mut shown) {
                        out.extend_from_slice(shown.as_bytes());
                    }
                }
            }
        }
        binary::end(out, start);
    }

    fn is_null(&self, at: At<'p>, column: &ColumnPlan) -> bool {
        match column.nulls {
            Nulls::Never => false,
            Nulls::Always => true,
            Nulls::Share { share, key } => key.fraction(at.row) < share,
            Nulls::From { row } => at.row >= row,
            Nulls::WithLink(link) => self.follow(at, link).is_none(),
        }
    }

    fn scalar_at(&self, at: At<'p>, column: &ColumnPlan) -> Option<i64> {
        let column = self.arm(at, column);
        if self.is_null(at, column) {
            return None;
        }
        match &column.generator {
            Generator::Scalar(scalar) => {
                Some(self.number(at, column, scalar, self.draw(at, column)))
            }
            Generator::Parent {
                link,
                table,
                column,
                ..
            } => self
                .follow(at, *link)
                .and_then(|row| self.scalar(*table, *column, row)),
            Generator::Stored(cells) => cells
                .get(at.row as usize)
                .and_then(|cell| binary::integer(cell.get(4..)?)),
            Generator::Formula { formula, .. } => self.formula(at, formula),
            _ => None,
        }
    }

    fn formula(&self, at: At<'p>, formula: &Formula) -> Option<i64> {
        formula.value(&|column| self.scalar_at(at, &at.table.columns[column]))
    }

    fn chosen<'c>(
        &self,
        at: At<'p>,
        column: &ColumnPlan,
        choice: &'c Choice,
        index: u64,
    ) -> &'c [u8] {
        let position = match (&choice.odometer, &choice.unique) {
            (Some(odometer), _) => self.digit(at, odometer) as usize,
            (None, Some(order)) => order.apply(index) as usize,
            (None, None) => match &choice.quantiles {
                Some(quantiles) => {
                    let (place, chance) = fractions(column.key, at.row);
                    quantiles.pick(at.row, place, chance)
                }
                None => choice.weights.draw(column.key.at(index)),
            },
        };
        choice.cells.get(position).map_or(&[0xff; 4], |cell| cell)
    }

    fn route(&self, at: At<'p>, router: &Router) -> Option<usize> {
        let mut node = &router.nodes[0];
        loop {
            let column = &at.table.columns[node.column];
            let target = match &node.split {
                Split::Range(parts) => self.scalar_at(at, column).and_then(|value| {
                    let after = parts.partition_point(|(low, _, _)| *low <= value);
                    parts
                        .get(after.checked_sub(1)?)
                        .filter(|(_, high, _)| value < *high)
                        .map(|part| part.2)
                }),
                Split::List(parts) => {
                    let mut cell = Vec::with_capacity(32);
                    self.write(at, column, &mut cell);
                    parts
                        .iter()
                        .find(|(value, _)| **value == *cell)
                        .map(|part| part.1)
                }
            };
            match target.or(node.default)? {
                RouterTarget::Leaf(leaf) => return Some(leaf),
                RouterTarget::Node(next) => node = &router.nodes[next],
            }
        }
    }
}
