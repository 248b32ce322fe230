//! Generated columns that are integer arithmetic over a row's other columns (`(id - 1) / 1000 + 1`), understood here so that
//! rows need not pass through the server twice. Only what is sure to mean the same on the server is taken: no overflow, no
//! division by zero, whatever the row. Everything else stays SQL.

use crate::seed::expression::{Arithmetic, Expression, Formula};
use crate::seed::plan::{ColumnPlan, Draw, Generator, ScalarSource};
use crate::seed::types::ScalarEncoding;

/// What a part of a formula can be: its type's bytes (2, 4, 8) and the numbers that come.
#[derive(Debug, Clone, Copy)]
struct Extent {
    bytes: u8,
    low: i64,
    high: i64,
}

impl Extent {
    fn fits(self) -> bool {
        let (low, high) = match self.bytes {
            2 => ScalarEncoding::Int2.limits(),
            4 => ScalarEncoding::Int4.limits(),
            _ => (i64::MIN, i64::MAX),
        };
        low <= self.low && self.high <= high
    }
}

/// An expression for a column laid out as `target`, over a table of `rows` rows with these columns; `None` where it is
/// not surely the same here and on the server.
#[must_use]
pub(super) fn formula(
    text: &str,
    target: ScalarEncoding,
    columns: &[ColumnPlan],
    rows: u64,
) -> Option<Formula> {
    let (formula, extent) = compile(&Expression::parse(text).ok()?, columns, rows)?;
    let assigned = Extent {
        bytes: bytes_of(target)?,
        ..extent
    };
    assigned.fits().then_some(formula)
}

fn bytes_of(encoding: ScalarEncoding) -> Option<u8> {
    match encoding {
        ScalarEncoding::Int2 => Some(2),
        ScalarEncoding::Int4 => Some(4),
        ScalarEncoding::Int8 => Some(8),
        ScalarEncoding::Bool
        | ScalarEncoding::Oid
        | ScalarEncoding::Float4 { .. }
        | ScalarEncoding::Float8 { .. }
        | ScalarEncoding::Numeric { .. }
        | ScalarEncoding::Money
        | ScalarEncoding::Date
        | ScalarEncoding::Time
        | ScalarEncoding::TimeTz
        | ScalarEncoding::Timestamp
        | ScalarEncoding::Interval => None,
    }
}

fn compile(
    expression: &Expression,
    columns: &[ColumnPlan],
    rows: u64,
) -> Option<(Formula, Extent)> {
    let (formula, extent) = match expression {
        Expression::Number(text) => {
            let value: i64 = text.parse().ok()?;
            let bytes = if i32::try_from(value).is_ok() { 4 } else { 8 };
            (
                Formula::Constant(value),
                Extent {
                    bytes,
                    low: value,
                    high: value,
                },
            )
        }
        Expression::Column(name) => {
            let index = columns.iter().position(|column| column.name == *name)?;
            (Formula::Column(index), extent_of(&columns[index], rows)?)
        }
        Expression::Prefix { operator, of } if operator == "-" => {
            let (inner, extent) = compile(of, columns, rows)?;
            let negated = Extent {
                low: extent.high.checked_neg()?,
                high: extent.low.checked_neg()?,
                ..extent
            };
            let sides = Box::new((Formula::Constant(0), inner));
            (Formula::Operation(Arithmetic::Subtract, sides), negated)
        }
        Expression::Infix {
            operator,
            left,
            right,
        } => {
            let operator = Arithmetic::of(operator)?;
            let (left, left_extent) = compile(left, columns, rows)?;
            let (right, right_extent) = compile(right, columns, rows)?;
            let extent = combined(operator, left_extent, right_extent)?;
            (
                Formula::Operation(operator, Box::new((left, right))),
                extent,
            )
        }
        _ => return None,
    };
    extent.fits().then_some((formula, extent))
}

fn combined(operator: Arithmetic, left: Extent, right: Extent) -> Option<Extent> {
    // A divisor may be of one sign only.
    let divides = matches!(operator, Arithmetic::Divide | Arithmetic::Remainder);
    if divides && right.low <= 0 && right.high >= 0 {
        return None;
    }
    let bytes = left.bytes.max(right.bytes);
    if operator == Arithmetic::Remainder {
        let most = right.low.checked_abs()?.max(right.high.checked_abs()?) - 1;
        let low = if left.low < 0 { -most } else { 0 };
        let high = if left.high > 0 { most } else { 0 };
        return Some(Extent { bytes, low, high });
    }
    // Monotonic in each side: the extremes lie at the corners.
    let corner = |left: i64, right: i64| operator.integers(left, right);
    let corners = [
        corner(left.low, right.low)?,
        corner(left.low, right.high)?,
        corner(left.high, right.low)?,
        corner(left.high, right.high)?,
    ];
    let (low, high) = corners
        .iter()
        .fold((i64::MAX, i64::MIN), |(low, high), at| {
            (low.min(*at), high.max(*at))
        });
    Some(Extent { bytes, low, high })
}

/// The numbers that a column can hold; `None` where it is no integer made here.
fn extent_of(column: &ColumnPlan, rows: u64) -> Option<Extent> {
    let Generator::Scalar(scalar) = &column.generator else {
        return None;
    };
    let bytes = bytes_of(scalar.encoding)?;
    if column.arms.is_some() {
        return None;
    }
    let (low, high) = match &scalar.source {
        ScalarSource::Sequence { start, step } => {
            let counted = match &column.draw {
                Draw::Row => rows,
                Draw::Uniform { distinct }
                | Draw::Every { distinct, .. }
                | Draw::Following { distinct, .. }
                | Draw::Dependent { distinct, .. } => *distinct,
                Draw::Zipf(_) => return None,
            };
            let last = i64::try_from(counted)
                .ok()?
                .checked_sub(1)?
                .max(0)
                .checked_mul(*step)?
                .checked_add(*start)?;
            (last.min(*start), last.max(*start))
        }
        // Not brought within limits.
        ScalarSource::Slot { .. } => return None,
        ScalarSource::Range { low, high, .. } if scalar.grain == 1 => {
            (*low.max(&scalar.hard.0), *high.min(&scalar.hard.1))
        }
        ScalarSource::Range { .. }
        | ScalarSource::Ordinal { .. }
        | ScalarSource::LowHeavy { .. }
        | ScalarSource::Placed { .. }
        | ScalarSource::Listed { .. }
        | ScalarSource::Mixed { .. }
        | ScalarSource::Histogram { .. }
        | ScalarSource::Shape(_)
        | ScalarSource::Digit { .. }
        | ScalarSource::After { .. } => scalar.hard,
    };
    // What other columns bound may leave the limits where two of them contradict each other.
    (scalar.bounds.is_empty() && low <= high).then_some(Extent { bytes, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::DataType;
    use crate::seed::plan::{Nulls, Scalar};
    use crate::seed::random::Key;

    fn column(name: &str, encoding: ScalarEncoding, source: ScalarSource) -> ColumnPlan {
        let scalar = Scalar {
            encoding,
            source,
            hard: encoding.limits(),
            grain: 1,
            bounds: Vec::new(),
            domain: None,
        };
        ColumnPlan {
            name: name.to_owned(),
            data_type: DataType {
                oid: 23,
                modifier: -1,
                name: "integer".to_owned(),
            },
            key: Key::new(1),
            nulls: Nulls::Never,
            draw: Draw::Row,
            generator: Generator::Scalar(scalar),
            choices: None,
            arms: None,
        }
    }

    fn columns() -> Vec<ColumnPlan> {
        let range = |low, high| ScalarSource::Range {
            low,
            high,
            unique: None,
        };
        vec![
            column(
                "id",
                ScalarEncoding::Int4,
                ScalarSource::Sequence { start: 1, step: 1 },
            ),
            column("price", ScalarEncoding::Int4, range(-7, 5)),
            column(
                "any",
                ScalarEncoding::Int4,
                range(i64::from(i32::MIN), i64::from(i32::MAX)),
            ),
        ]
    }

    fn value(text: &str, id: i64, price: i64) -> Option<i64> {
        let formula = super::formula(text, ScalarEncoding::Int4, &columns(), 1000)?;
        formula.value(&|index| [Some(id), Some(price), None][index])
    }

    #[test]
    fn means_what_the_server_means() {
        assert_eq!(value("(id - 1) / 100 + 1", 250, 0), Some(3));
        assert_eq!(
            value("id - 1 - 2 * 3", 10, 0),
            Some(3),
            "operators of one rank go from the left"
        );
        assert_eq!(
            value("-price / 2 + id % 4", 7, -5),
            Some(5),
            "rounded towards zero"
        );
        assert_eq!(value("price % 3", 0, -5), Some(-2), "the dividend's sign");
        assert_eq!(value("any % 10", 1, 1), None, "NULL where a column is");
    }

    #[test]
    fn leaves_to_the_server_what_could_fail() {
        for text in [
            "any + 1",
            "any * any",
            "id / price",
            "id % 0",
            "id / 2.0",
            "abs(id)",
            "missing + 1",
            "id * 3000000",
            "-any",
        ] {
            assert_eq!(
                formula(text, ScalarEncoding::Int4, &columns(), 1000),
                None,
                "{text}"
            );
        }
        assert_eq!(
            formula("id * 100", ScalarEncoding::Int2, &columns(), 1000),
            None,
            "does not fit smallint"
        );
        assert!(formula("any % 10", ScalarEncoding::Int4, &columns(), 1000).is_some());
    }
}
