//! A column's statistics as its keys of the spec.

use super::OneTable;
use crate::profile::model::ColumnStatistics;
use crate::profile::remap::{Unit, surrogate_key};
use crate::schema::Column;
use crate::seed::spec::{ColumnSpec, MeasuredShape, Place, ShapePart, ShapeSpec};
use crate::seed::types::{ScalarEncoding, TypeClass, classify};

/// Whose wishes are asked for.
pub(super) struct Asked<'a> {
    pub(super) one: &'a OneTable<'a>,
    pub(super) column: &'a Column,
    pub(super) statistics: &'a ColumnStatistics,
    pub(super) rows: f64,
}

/// Where less than this share of the values is not among the most common ones, these are all.
const ALL: f64 = 0.995;

/// What the profile asks of a column; `None` where that is nothing.
pub(super) fn wishes(asked: &Asked<'_>, place: Place) -> Option<ColumnSpec> {
    let Asked {
        one,
        column,
        statistics,
        ..
    } = asked;
    let is_counted = column.identity.is_some() || column.sequence.is_some();
    if column.generated.is_some() || is_counted {
        return None;
    }
    let class = classify(one.schema, &column.data_type);
    let mut wish = ColumnSpec::new(place);
    if !column.not_null {
        wish.null = Some(f64::from(statistics.null_fraction));
    }
    if one.is_repeated(&column.name) {
        return None;
    }
    if one.is_in_wider_key(&column.name) {
        return Some(wish);
    }
    if let Some((parent, rows)) = one.parent(&column.name) {
        let of_key = |key: &crate::schema::ForeignKey| key.columns == [column.name.clone()];
        let referenced = one.table.foreign_keys.iter().find(|key| of_key(key));
        let counts_rows = referenced.is_some_and(|key| {
            key.referenced_columns.first().map(String::as_str) == surrogate_key(one.schema, parent)
        });
        let shape = asked.shape(&class, rows.filter(|_| counts_rows));
        wish.shape = shape.map(|shape| asked.with_measures(&class, shape));
        return Some(wish);
    }
    if one.is_in_unique_key(&column.name) {
        wish.width = asked.width(&class);
        return Some(wish);
    }
    let shares: f32 = statistics.most_common.iter().map(|(_, share)| share).sum();
    let present = 1.0 - statistics.null_fraction;
    let is_list = !statistics.most_common.is_empty()
        && statistics.histogram.is_empty()
        && (is_closed(&class) || f64::from(shares / present.max(1e-6)) >= ALL);
    // Of columns that depend on each other the places in their order are needed, as far as their type has one.
    let is_joint = one.is_joint(&column.name) && Order::of(&class).is_some();
    if is_list && !is_joint {
        let values = statistics.most_common.iter();
        let values = values.map(|(text, share)| (asked.moved(&class, text), f64::from(*share)));
        wish.values = Some(values.collect());
        wish.correlation = statistics.correlation.map(f64::from);
    } else if let Some(shape) = Some(&class)
        .filter(|class| matches!(class.base(), TypeClass::Scalar(_) | TypeClass::Text { .. }))
        .and_then(|class| asked.shape(class, None))
    {
        wish.shape = Some(asked.with_measures(&class, shape));
    } else {
        wish.width = asked.width(&class);
    }
    Some(wish)
}

/// Whether the type itself lists its values.
fn is_closed(class: &TypeClass) -> bool {
    matches!(
        class.base(),
        TypeClass::Enum(_) | TypeClass::Scalar(ScalarEncoding::Bool)
    )
}

impl Asked<'_> {
    /// Of texts whose values are not known, the width is.
    fn width(&self, class: &TypeClass) -> Option<u32> {
        let has_width = matches!(class.base(), TypeClass::Text { .. } | TypeClass::Bytes);
        // A length of one byte precedes short texts.
        has_width.then(|| self.statistics.average_width.saturating_sub(1).max(1))
    }

    /// A value on the day of the dataset, where it is a time that counts from the profile's day.
    pub(super) fn moved(&self, class: &TypeClass, text: &str) -> String {
        let unit = match class.base() {
            TypeClass::Scalar(ScalarEncoding::Date) => Unit::Day,
            TypeClass::Scalar(ScalarEncoding::Timestamp) => Unit::Microsecond,
            _ => return text.to_owned(),
        };
        match unit.number(text) {
            Some(number) if !self.statistics.is_anchored => {
                unit.text(number.saturating_add(unit.days(self.one.days)))
            }
            Some(_) | None => text.to_owned(),
        }
    }

    /// The most common values among the bounds of the histogram, in order.
    pub(super) fn shape(&self, class: &TypeClass, parents: Option<f64>) -> Option<ShapeSpec> {
        let statistics = self.statistics;
        let present = f64::from(1.0 - statistics.null_fraction).max(1e-6);
        let order = Order::of(class)?;
        let common = statistics.most_common.iter();
        let mut common: Vec<(&str, f64)> = common
            .map(|(text, share)| (text.as_str(), f64::from(*share) / present))
            .collect();
        if common.is_empty() && statistics.histogram.len() < 2 {
            return None;
        }
        common.sort_by(|one, other| order.compare(one.0, other.0));
        let named: f64 = common.iter().map(|(_, share)| share).sum();
        let bins = statistics.histogram.len().saturating_sub(1);
        let share = (1.0 - named).max(0.0) / bins.max(1) as f64;
        // Of a foreign key all parents between two bounds have children: ANALYZE counts too few where they are uneven.
        let is_key = self.one.parent(&self.column.name).is_some();
        let distinct = match is_key {
            true => None,
            false => self.distinct_of_bin(common.len(), bins, named),
        };
        let value = |text: &str| self.moved(class, text);
        let mut parts = Vec::with_capacity(common.len() + bins);
        let mut common = common.into_iter().peekable();
        let single = |text: &str, share| ShapePart {
            low: value(text),
            high: None,
            share,
            distinct: None,
        };
        for pair in statistics.histogram.windows(2) {
            while let Some((text, share)) =
                common.next_if(|(text, _)| order.compare(text, &pair[0]).is_le())
            {
                parts.push(single(text, share));
            }
            parts.push(match pair[0] == pair[1] {
                true => single(&pair[0], share),
                false => ShapePart {
                    low: value(&pair[0]),
                    high: Some(value(&pair[1])),
                    share,
                    distinct,
                },
            });
        }
        parts.extend(common.map(|(text, share)| single(text, share)));
        Some(ShapeSpec {
            parts,
            correlation: statistics.correlation.map(f64::from),
            parents,
            measured: MeasuredShape::default(),
        })
    }

    /// Different values between two bounds, where ANALYZE counted fewer than the rows have room for.
    fn distinct_of_bin(&self, common: usize, bins: usize, named: f64) -> Option<f64> {
        let present = self.rows * f64::from(1.0 - self.statistics.null_fraction);
        let all = match f64::from(self.statistics.distinct) {
            0.0 => return None,
            share @ ..0.0 => -share * self.rows,
            count => count,
        };
        let left = (all - common as f64).max(1.0);
        let rows_left = present * (1.0 - named);
        // Close to one value a row they need no count of their own.
        (left < rows_left * 0.9).then(|| (left / bins.max(1) as f64).max(1.0))
    }
}

/// How values of a class are compared.
pub(super) enum Order {
    Number(ScalarEncoding),
    Bytes,
}

impl Order {
    pub(super) fn of(class: &TypeClass) -> Option<Self> {
        match class.base() {
            TypeClass::Scalar(encoding) => Some(Self::Number(*encoding)),
            TypeClass::Text { version: None, .. } | TypeClass::Uuid => Some(Self::Bytes),
            _ => None,
        }
    }

    pub(super) fn compare(&self, one: &str, other: &str) -> std::cmp::Ordering {
        match self {
            // As finely as any type counts.
            Self::Number(encoding) => {
                let encoding = match encoding {
                    ScalarEncoding::Numeric { .. }
                    | ScalarEncoding::Float4 { .. }
                    | ScalarEncoding::Float8 { .. } => ScalarEncoding::Numeric { decimals: 6 },
                    other => *other,
                };
                let number = |text| crate::seed::types::literal::scalar(text, encoding);
                number(one).cmp(&number(other))
            }
            Self::Bytes => one.cmp(other),
        }
    }
}
