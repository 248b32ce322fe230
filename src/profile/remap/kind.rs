//! What a column's values are to the map, and their text form as numbers and back.

use crate::schema::DataType;
use crate::seed::types::binary::DAY;
use crate::seed::types::{Digits, ScalarEncoding, TypeClass, literal, text};

use super::text::Alphabet;

/// How values of a column are mapped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Truth values and labels of enum types, which the schema has.
    Public,
    Scalar(Unit),
    Text(Alphabet),
    /// Only its elements have an order that can be kept.
    List(Box<Kind>),
    /// None of its values can be mapped.
    Other(String),
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::profile) enum Unit {
    /// Scaled by ten to the power of this.
    Number(u8),
    Money,
    Day,
    Microsecond,
    TimeOfDay,
    Duration,
}

impl Unit {
    /// Whether it is a moment, which shifts with the day on which the profile was read.
    pub(in crate::profile) fn is_moment(self) -> bool {
        match self {
            Self::Day | Self::Microsecond => true,
            Self::Number(_) | Self::Money | Self::TimeOfDay | Self::Duration => false,
        }
    }

    /// So many days, in this unit.
    pub(in crate::profile) fn days(self, days: i64) -> i64 {
        match self {
            Self::Day => days,
            Self::Microsecond | Self::TimeOfDay | Self::Duration => days.saturating_mul(DAY),
            Self::Number(_) | Self::Money => 0,
        }
    }

    fn encoding(self) -> ScalarEncoding {
        match self {
            Self::Number(decimals) => ScalarEncoding::Numeric { decimals },
            Self::Money => ScalarEncoding::Money,
            Self::Day => ScalarEncoding::Date,
            Self::Microsecond => ScalarEncoding::Timestamp,
            Self::TimeOfDay => ScalarEncoding::Time,
            Self::Duration => ScalarEncoding::Interval,
        }
    }

    /// A value as a number; `None` where it is none: `infinity`, `NaN`.
    pub(in crate::profile) fn number(self, text: &str) -> Option<i64> {
        literal::scalar(text, self.encoding())
    }

    /// A number as the type prints it.
    pub(in crate::profile) fn text(self, number: i64) -> String {
        match self {
            Self::Number(decimals) => decimal(number, decimals),
            Self::Money => format!("${}", decimal(number, 2)),
            Self::Day => printed(number, text::date),
            Self::Microsecond => printed(number, text::timestamp),
            Self::TimeOfDay => printed(number.rem_euclid(DAY), text::time_of_day),
            Self::Duration => {
                let sign = if number < 0 { "-" } else { "" };
                let (days, time) = (number.abs() / DAY, number.abs() % DAY);
                let time = printed(time, text::time_of_day);
                format!("{sign}{days} days {sign}{time}")
            }
        }
    }
}

impl Kind {
    /// A column's, whose values are `texts`.
    pub(super) fn of<'t>(class: &TypeClass, texts: impl Iterator<Item = &'t str>) -> Self {
        match class.base() {
            TypeClass::Scalar(encoding) => Self::of_scalar(*encoding, texts),
            TypeClass::Enum(_) => Self::Public,
            TypeClass::Text { version: None, .. } => Self::Text(Alphabet::Words),
            TypeClass::Uuid | TypeClass::Bytes => Self::Text(Alphabet::Hexadecimal),
            TypeClass::Array { element, .. } => Self::List(Box::new(Self::of(element, texts))),
            TypeClass::TextSearch => Self::List(Box::new(Self::Text(Alphabet::Words))),
            other => Self::Other(word(other)),
        }
    }

    fn of_scalar<'t>(encoding: ScalarEncoding, texts: impl Iterator<Item = &'t str>) -> Self {
        Self::Scalar(match encoding {
            ScalarEncoding::Bool => return Self::Public,
            ScalarEncoding::Oid => return Self::Other("oid".to_owned()),
            ScalarEncoding::TimeTz => return Self::Other("time with time zone".to_owned()),
            ScalarEncoding::Int2 | ScalarEncoding::Int4 | ScalarEncoding::Int8 => Unit::Number(0),
            ScalarEncoding::Float4 { .. }
            | ScalarEncoding::Float8 { .. }
            | ScalarEncoding::Numeric { .. } => Unit::Number(decimals(texts)),
            ScalarEncoding::Money => Unit::Money,
            ScalarEncoding::Date => Unit::Day,
            ScalarEncoding::Timestamp => Unit::Microsecond,
            ScalarEncoding::Time => Unit::TimeOfDay,
            ScalarEncoding::Interval => Unit::Duration,
        })
    }

    /// What is mapped: a list's elements, or the values.
    pub(super) fn element(&self) -> &Self {
        match self {
            Self::List(element) => element,
            other => other,
        }
    }
}

/// Numbers that a column's type can hold, in its unit.
pub(super) fn limits(class: &TypeClass, data_type: &DataType, unit: Unit) -> (i64, i64) {
    let TypeClass::Scalar(encoding) = class.base() else {
        return (i64::MIN, i64::MAX);
    };
    let power = |digits: u32| 10_i64.saturating_pow(digits.min(18));
    match (encoding, unit) {
        (ScalarEncoding::Int2 | ScalarEncoding::Int4, _) => encoding.limits(),
        (ScalarEncoding::Numeric { .. }, Unit::Number(decimals)) => {
            let Some(digits) = Digits::of_modifier(data_type.modifier) else {
                return (i64::MIN, i64::MAX);
            };
            let whole = u32::try_from(digits.precision - digits.scale).unwrap_or(0);
            let most = power(whole + u32::from(decimals)) - 1;
            (-most, most)
        }
        (ScalarEncoding::Time, _) => (0, DAY),
        _ => (i64::MIN, i64::MAX),
    }
}

/// The most digits behind the point that fit into a number with all the others.
fn decimals<'t>(texts: impl Iterator<Item = &'t str>) -> u8 {
    let (mut most, mut whole) = (0, 1);
    for text in texts {
        let (before, after) = text.split_once('.').unwrap_or((text, ""));
        let (after, exponent) = after.split_once('e').unwrap_or((after, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let digits = i32::try_from(after.len()).unwrap_or(0) - exponent;
        most = most.max(digits);
        whole = whole.max(i32::try_from(before.len()).unwrap_or(18) + exponent.max(0));
    }
    u8::try_from(most.min(17 - whole).max(0)).unwrap_or(0)
}

fn decimal(number: i64, decimals: u8) -> String {
    let digits = usize::from(decimals);
    let sign = if number < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", number.unsigned_abs(), width = digits + 1);
    match text.split_at(text.len() - digits) {
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

fn printed(number: i64, print: fn(i64, &mut String)) -> String {
    let mut out = String::new();
    print(number, &mut out);
    out
}

/// A class in a sentence.
fn word(class: &TypeClass) -> String {
    match class {
        TypeClass::Json { .. } => "json",
        TypeClass::Inet { .. } => "inet",
        TypeClass::Mac { .. } => "macaddr",
        TypeClass::Bits { .. } => "bit",
        TypeClass::Range { .. } => "range",
        TypeClass::Composite(_) => "composite",
        TypeClass::Pairs => "hstore",
        TypeClass::Geometry(_) => "geometric",
        TypeClass::Unknown(name) => name,
        _ => "this",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_they_are_read() {
        let cases = [
            (Unit::Number(0), "-42"),
            (Unit::Number(2), "-0.05"),
            (Unit::Number(2), "1234.50"),
            (Unit::Day, "1987-02-28"),
            (Unit::Day, "2000-03-01"),
            (Unit::Day, "2024-02-29"),
            (Unit::Microsecond, "1999-12-31 23:59:59.5"),
            (Unit::TimeOfDay, "07:30:00"),
        ];
        for (unit, text) in cases {
            let number = unit.number(text).unwrap();
            assert_eq!(unit.text(number), text, "{unit:?}");
        }
        let spent = Unit::Duration.number("3 days 04:05:06").unwrap();
        assert_eq!(
            Unit::Duration.number(&Unit::Duration.text(spent)),
            Some(spent)
        );
        assert_eq!(decimals(["1.25", "17", "3.5e-05"].into_iter()), 6);
        assert_eq!(decimals(["123456789012345.25"].into_iter()), 2);
    }
}
