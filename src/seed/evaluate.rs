//! From a plan to cells and rows: every cell is a pure function of (plan, table, column, row), written in COPY BINARY's
//! form. No I/O, no state but the caller's buffer.

use super::encode;
use super::generators::{self, Cell};
use super::plan::{
    Bound, Case, Choice, ColumnPlan, Counter, Draw, Generator, Link, LinkChoice, Nulls, Odometer, Router, RouterTarget,
    Scalar, ScalarSource, SeedPlan, Side, Split, TablePlan, Text, TextSource,
};
use super::random::{Key, Permutation, below, fraction};

/// The purposes for which a column's key is divided.
const NULL: u64 = 1;
const DRAW: u64 = 2;
const LENGTH: u64 = 3;
const FIT: u64 = 4;
const STRAY: u64 = 5;

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

    /// Appends one row in COPY BINARY's form.
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
        self.follow(At { table: &self.plan.tables[table], row }, link)
    }

    /// The leaf that a row belongs to; `None` where no partition takes it.
    #[must_use]
    pub fn leaf(&self, table: usize, row: u64) -> Option<usize> {
        let table = &self.plan.tables[table];
        table.router.as_ref().map_or(Some(0), |router| self.route(At { table, row }, router))
    }

    fn write(&self, at: At<'p>, column: &ColumnPlan, out: &mut Vec<u8>) {
        if self.is_null(at, column) {
            encode::null(out);
            return;
        }
        let index = draw(column, at.row);
        match &column.generator {
            Generator::Scalar(scalar) => scalar.encoding.write(self.number(at, column, scalar, index), out),
            Generator::Text(text) => write_text(column.key, text, index, out),
            Generator::Choice(choice) => out.extend_from_slice(self.chosen(at, column, choice, index)),
            Generator::Stored(cells) => match cells.get(at.row as usize) {
                Some(cell) => out.extend_from_slice(cell),
                None => encode::null(out),
            },
            Generator::Parent { link, table, column } => match self.follow(at, *link) {
                Some(row) => self.write_cell(*table, *column, row, out),
                None => encode::null(out),
            },
            Generator::Constant(cell) => out.extend_from_slice(cell),
            Generator::Array { element, element_type, min, max } => {
                let length = column.key.number(LENGTH).below(index, u64::from(max - min) + 1) + u64::from(*min);
                let start = encode::begin(out);
                generators::structured::array_header(length, *element_type, out);
                for position in 0..length {
                    self.write(At { row: index.wrapping_mul(64).wrapping_add(position), ..at }, element, out);
                }
                encode::end(out, start);
            }
            Generator::Composite { fields } => {
                let start = encode::begin(out);
                out.extend_from_slice(&(fields.len() as u32).to_be_bytes());
                for (oid, field) in fields {
                    out.extend_from_slice(&oid.to_be_bytes());
                    self.write(At { row: index, ..at }, field, out);
                }
                encode::end(out, start);
            }
            Generator::Range { low, encoding, width } => {
                let low = self.scalar_at(At { row: index, ..at }, low).unwrap_or(0);
                let width = 1 + column.key.number(LENGTH).below(index, (*width).max(1) as u64) as i64;
                generators::structured::range(*encoding, low, low.saturating_add(width), out);
            }
            Generator::Multirange { low, encoding, width } => {
                let low = self.scalar_at(At { row: index, ..at }, low).unwrap_or(0);
                generators::structured::multirange(*encoding, low, *width, column.key.stream(index), out);
            }
            Generator::Uuid => generators::structured::uuid(column.key, index, out),
            Generator::Inet { cidr } => generators::structured::inet(column.key.stream(index), *cidr, out),
            Generator::Mac { bytes } => generators::structured::mac(column.key, index, *bytes, out),
            Generator::Bytes { min, max } => {
                generators::structured::bytes(column.key.stream(index), index, (*min, *max), out);
            }
            Generator::Bits { min, max } => generators::structured::bits(column.key.stream(index), (*min, *max), out),
            Generator::Geometry(figure) => {
                generators::structured::geometry(column.key.stream(index), *figure, out);
            }
            Generator::TextSearch => generators::structured::text_search(column.key.stream(index), out),
            Generator::Json { binary } => generators::json::document(column.key.stream(index), *binary, out),
        }
    }

    fn is_null(&self, at: At<'p>, column: &ColumnPlan) -> bool {
        match column.nulls {
            Nulls::Never => false,
            Nulls::Always => true,
            Nulls::Share { share, key } => key.fraction(at.row) < share,
            Nulls::WithLink(link) => self.follow(at, link).is_none(),
        }
    }

    fn scalar_at(&self, at: At<'p>, column: &ColumnPlan) -> Option<i64> {
        if self.is_null(at, column) {
            return None;
        }
        match &column.generator {
            Generator::Scalar(scalar) => Some(self.number(at, column, scalar, draw(column, at.row))),
            Generator::Parent { link, table, column } => {
                self.follow(at, *link).and_then(|row| self.scalar(*table, *column, row))
            }
            _ => None,
        }
    }

    fn number(&self, at: At<'p>, column: &ColumnPlan, scalar: &Scalar, index: u64) -> i64 {
        let value = match &scalar.source {
            ScalarSource::Sequence { start, step } => {
                return start.wrapping_add((index as i64).wrapping_mul(*step));
            }
            ScalarSource::Range { low, high, unique: None } => {
                low.wrapping_add(below(column.key.at(index), span(*low, *high)) as i64)
            }
            ScalarSource::Range { low, unique: Some(order), .. } => low.wrapping_add(order.apply(index) as i64),
            ScalarSource::LowHeavy { low, high, exponent } => {
                let share = fraction(column.key.at(index)).powf(*exponent);
                low.saturating_add((high.saturating_sub(*low) as f64 * share) as i64).min(*high)
            }
            ScalarSource::Placed { .. } => placed(column.key, &scalar.source, index),
            ScalarSource::Listed { values, weights } => {
                values.get(weights.draw(column.key.at(index))).copied().unwrap_or(scalar.hard.0)
            }
            ScalarSource::Ordinal { link, start } => {
                let ordinal = self.place(at, *link).map_or(0, |place| place.ordinal);
                start.saturating_add(ordinal as i64)
            }
            ScalarSource::Digit { low, odometer } => low.saturating_add(self.digit(at, odometer) as i64),
            ScalarSource::After { mean } => {
                let (low, high) = self.limits(at, scalar);
                // Exponential: most changes come soon.
                let delay = -(1.0 - fraction(column.key.at(index))).ln() * *mean as f64;
                return low.saturating_add(delay as i64).min(high.max(low));
            }
        };
        if scalar.bounds.is_empty() {
            value.clamp(scalar.hard.0, scalar.hard.1)
        } else {
            self.fit(at, column, scalar, value)
        }
    }

    /// Moves a value into the limits that other columns set, spread over the source's own width.
    fn fit(&self, at: At<'p>, column: &ColumnPlan, scalar: &Scalar, value: i64) -> i64 {
        let (low, high) = self.limits(at, scalar);
        let mut value = value;
        if value < low || value > high {
            let width = source_width(&scalar.source);
            let high = high.min(low.saturating_add(width)).max(low);
            value = low + below(column.key.number(FIT).at(at.row), span(low, high)) as i64;
        }
        for bound in scalar.bounds.iter().filter(|bound| bound.side == Side::Differs) {
            if self.bound_value(at, bound) == Some(value) {
                value = if value < high { value + 1 } else { value - 1 };
            }
        }
        value
    }

    fn limits(&self, at: At<'p>, scalar: &Scalar) -> (i64, i64) {
        let (mut low, mut high) = scalar.hard;
        for bound in &scalar.bounds {
            let Some(other) = self.bound_value(at, bound) else { continue };
            match bound.side {
                Side::AtLeast => low = low.max(other),
                Side::AtMost => high = high.min(other),
                Side::Differs => {}
            }
        }
        (low, high)
    }

    fn bound_value(&self, at: At<'p>, bound: &Bound) -> Option<i64> {
        let other = self.scalar_at(at, &at.table.columns[bound.column])?;
        let (times, per) = bound.rescale;
        let scaled = i128::from(other) * i128::from(times);
        // Towards the inside of the limit.
        let scaled = match bound.side {
            Side::AtLeast => -((-scaled).div_euclid(i128::from(per))),
            Side::AtMost | Side::Differs => scaled.div_euclid(i128::from(per)),
        };
        let limited = scaled.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        Some(limited.saturating_add(bound.offset))
    }

    fn chosen<'c>(&self, at: At<'p>, column: &ColumnPlan, choice: &'c Choice, index: u64) -> &'c [u8] {
        let position = match (&choice.odometer, &choice.unique) {
            (Some(odometer), _) => self.digit(at, odometer) as usize,
            (None, Some(order)) => order.apply(index) as usize,
            (None, None) => choice.weights.draw(column.key.at(index)),
        };
        choice.cells.get(position).map_or(&[0xff; 4], |cell| cell)
    }

    fn place(&self, at: At<'p>, link: usize) -> Option<super::distribution::Place> {
        match &at.table.links[link].choice {
            LinkChoice::Grouped(grouping) => Some(grouping.place(at.row)),
            LinkChoice::Uniform
            | LinkChoice::Skewed { .. }
            | LinkChoice::OneToOne(_)
            | LinkChoice::Earlier { .. }
            | LinkChoice::Digit(_)
            | LinkChoice::Within { .. } => None,
        }
    }

    fn digit(&self, at: At<'p>, odometer: &Odometer) -> u64 {
        let (group, number, count) = match odometer.counter {
            Counter::Link(link) => match self.place(at, link) {
                Some(place) => (place.group, place.ordinal, place.count),
                None => (0, at.row, at.table.rows),
            },
            Counter::Rows(order) => (0, order.apply(at.row), order.size()),
        };
        if odometer.skew > 0.0 {
            let fraction = odometer.key.number(u64::MAX).fraction(group);
            let rank = super::distribution::distinct_rank(odometer.size, odometer.skew, number, count, fraction);
            return Permutation::new(odometer.key, odometer.size).apply(rank);
        }
        let digit = number / odometer.divisor % odometer.size;
        Permutation::new(odometer.key.number(group), odometer.size).apply(digit)
    }

    fn follow(&self, at: At<'p>, link: usize) -> Option<u64> {
        let Link { key, choice, null_share, parent_rows, .. } = &at.table.links[link];
        if *parent_rows == 0 || (*null_share > 0.0 && key.number(NULL).fraction(at.row) < *null_share) {
            return None;
        }
        match choice {
            LinkChoice::Uniform => Some(key.below(at.row, *parent_rows)),
            LinkChoice::Skewed { zipf, ranks } => Some(ranks.apply(zipf.rank(key.fraction(at.row)))),
            LinkChoice::OneToOne(order) => Some(order.apply(at.row)),
            LinkChoice::Grouped(grouping) => Some(grouping.place(at.row).group),
            LinkChoice::Earlier { roots } if at.row < *roots => None,
            LinkChoice::Earlier { .. } => Some(key.below(at.row, at.row.max(1))),
            LinkChoice::Digit(odometer) => Some(self.digit(at, odometer)),
            LinkChoice::Within { shared, parent_link } => {
                let group = self.follow(at, *shared)?;
                let parent = &self.plan.tables[at.table.links[link].parent];
                let LinkChoice::Grouped(grouping) = &parent.links[*parent_link].choice else { return None };
                let count = grouping.count(group);
                (count > 0).then(|| grouping.row_of(group, key.below(at.row, count)))
            }
        }
    }

    fn route(&self, at: At<'p>, router: &Router) -> Option<usize> {
        let mut node = &router.nodes[0];
        loop {
            let column = &at.table.columns[node.column];
            let target = match &node.split {
                Split::Range(parts) => self.scalar_at(at, column).and_then(|value| {
                    let after = parts.partition_point(|(low, _, _)| *low <= value);
                    parts.get(after.checked_sub(1)?).filter(|(_, high, _)| value < *high).map(|part| part.2)
                }),
                Split::List(parts) => {
                    let mut cell = Vec::with_capacity(32);
                    self.write(at, column, &mut cell);
                    parts.iter().find(|(value, _)| **value == *cell).map(|part| part.1)
                }
            };
            match target.or(node.default)? {
                RouterTarget::Leaf(leaf) => return Some(leaf),
                RouterTarget::Node(next) => node = &router.nodes[next],
            }
        }
    }
}

/// Which of the column's values a row gets.
fn draw(column: &ColumnPlan, row: u64) -> u64 {
    match column.draw {
        Draw::Row => row,
        Draw::Uniform { distinct } => column.key.number(DRAW).below(row, distinct),
        Draw::Zipf(zipf) => zipf.rank(column.key.number(DRAW).fraction(row)),
    }
}

/// How many integers from `low` to `high`; at most 2^64 - 1.
fn span(low: i64, high: i64) -> u64 {
    high.wrapping_sub(low) as u64 + u64::from(high.wrapping_sub(low) as u64 != u64::MAX)
}

fn source_width(source: &ScalarSource) -> i64 {
    match source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => high.saturating_sub(*low),
        ScalarSource::After { mean } => mean.saturating_mul(2),
        ScalarSource::Listed { values, .. } => {
            let low = values.iter().copied().min().unwrap_or(0);
            values.iter().copied().max().unwrap_or(0).saturating_sub(low)
        }
        ScalarSource::Sequence { .. } | ScalarSource::Ordinal { .. } | ScalarSource::Digit { .. } => i64::MAX / 4,
    }
}

/// A value in step with its row's number.
fn placed(key: Key, source: &ScalarSource, index: u64) -> i64 {
    let ScalarSource::Placed { low, high, rows, stray, growth, descending, unique } = source else { return 0 };
    let rows = (*rows).max(1);
    let index = index % rows;
    if *unique {
        let range = high.saturating_sub(*low).max(0) as u128;
        let start = range * u128::from(index) / u128::from(rows);
        let next = range * u128::from(index + 1) / u128::from(rows);
        let step = (next - start).max(1) as u64;
        return low.saturating_add(start as i64).saturating_add(key.below(index, step) as i64);
    }
    let bits = key.at(index);
    let mut share = (index as f64 + fraction(bits)) / rows as f64;
    if *stray > 0.0 {
        share += stray * (2.0 * fraction(key.number(STRAY).at(index)) - 1.0);
        // Reflected at both ends, so that no heap of values forms there.
        share = share.abs();
        share = if share > 1.0 { 2.0 - share } else { share };
        share = share.clamp(0.0, 1.0);
    }
    if *growth > 0.0 {
        share = share.powf(1.0 / (1.0 + growth));
    }
    if *descending {
        share = 1.0 - share;
    }
    low.saturating_add((high.saturating_sub(*low) as f64 * share) as i64).min(*high)
}

fn write_text(key: Key, text: &Text, index: u64, out: &mut Vec<u8>) {
    let start = encode::begin(out);
    if let Some(version) = text.version {
        out.push(version);
    }
    let body = out.len();
    match &text.source {
        TextSource::Registered(generator) => {
            let number = text.unique.map(|order| order.apply(index));
            let mut cell = Cell { stream: key.stream(index), number, locale: text.locale };
            (generator.write)(&mut cell, out);
            generators::limit(out, body, text, if generator.numbers_itself { None } else { number });
        }
        TextSource::Pattern(pattern) => {
            let number = text.unique.map(|order| order.apply(index));
            pattern.write(key.stream(index), number, out);
        }
    }
    match text.case {
        Case::AsIs => {}
        Case::Lower => out[body..].make_ascii_lowercase(),
        Case::Upper => out[body..].make_ascii_uppercase(),
    }
    encode::end(out, start);
}
