//! Distributions from a profile: single values and ranges between bounds of a histogram, with their correlation.

use super::Resolver;
use super::links::Key;
use super::measured::{Filled, decides, fan_out, merged, stretches, with_parents, without_noise};
use super::table::{Draft, TableDraft};
use crate::seed::plan::{
    Generator, Link, LinkChoice, NumberPart, ScalarSource, Shape, TextPart, TextSource,
};
use crate::seed::random::Permutation;
use crate::seed::spec::{ColumnSpec, ShapePart, ShapeSpec};
use crate::seed::types::{TypeClass, literal};

impl<'a> Resolver<'a> {
    /// A column's values as a profile describes them.
    pub(super) fn obey_shape(
        &mut self,
        rows: u64,
        draft: &mut Draft<'a>,
        spec: &ColumnSpec,
        shape: &ShapeSpec,
    ) {
        let correlation = shape.correlation.unwrap_or(0.0);
        let filled = Filled {
            key: draft.key.derive("stretches"),
            rows,
            present: 1.0,
        };
        let laid_out = |gauss: f64| stretches(filled, shape.measured.locality, gauss).map(Box::new);
        let made = match (&mut draft.generator, draft.class.base()) {
            (Generator::Scalar(scalar), _) => {
                let encoding = scalar.encoding;
                numbers(shape, rows, |text| literal::scalar(text, encoding)).map(|parts| {
                    let mut shape = Shape::new(parts, rows, correlation);
                    shape.quantiles.stretches = laid_out(shape.quantiles.gauss);
                    scalar.source = ScalarSource::Shape(Box::new(shape));
                })
            }
            (Generator::Text(text), TypeClass::Text { max_chars, .. }) => {
                let parts = texts(shape, rows, *max_chars);
                let mut shape = Shape::new(parts, rows, correlation);
                shape.quantiles.stretches = laid_out(shape.quantiles.gauss);
                (text.source, text.width) = (TextSource::Shape(Box::new(shape)), 0);
                Some(())
            }
            _ => None,
        };
        if made.is_none() {
            let message = format!(
                "values of type {} have no distribution here",
                draft.column.data_type.name
            );
            self.errors.push(spec.name.error(message).into());
        }
    }

    /// How many children each parent has, by the parents' row numbers. Values that count rows keep their parents' order;
    /// of others only the frequencies are known.
    pub(super) fn shape_of_key(
        &self,
        draft: &TableDraft<'a>,
        key: &Key<'_>,
        link: &Link,
    ) -> Option<LinkChoice> {
        let [column] = key.columns.as_slice() else {
            return None;
        };
        let shape = draft.columns[*column].spec?.shape.as_deref()?;
        let parents = i64::try_from(link.parent_rows).ok()?;
        if parents < 2 {
            return None;
        }
        let fan_out = fan_out(shape, link);
        let locality = shape.measured.locality;
        // A parent's children lie together, and the parents in no order.
        let is_grouped = fan_out.is_some() && locality.is_some_and(|found| found.is_by_group());
        let counts_rows = shape.parents.filter(|known| *known >= 1.0 && !is_grouped);
        let parts = match counts_rows {
            Some(known) => {
                let scale = parents as f64 / known;
                let row = |text: &str| {
                    let number: f64 = text.parse().ok()?;
                    Some((((number - 1.0) * scale) as i64).clamp(0, parents))
                };
                numbers(shape, draft.rows, row)?
            }
            None => scattered(shape, link),
        };
        let parts = match &shape.measured.fan_out {
            None => parts,
            // Another column's bins are those of the parts as they are.
            Some((childless, _)) if decides(draft, *column) => with_parents(parts, *childless),
            Some((childless, counts)) => {
                let most = counts.last().copied().unwrap_or(0.0);
                with_parents(merged(without_noise(parts, draft.rows, most)), *childless)
            }
        };
        let correlation = shape.correlation.filter(|_| counts_rows.is_some());
        let mut made = Shape::new(parts, draft.rows, correlation.unwrap_or(0.0));
        let filled = Filled {
            key: link.key.derive("stretches"),
            rows: draft.rows,
            present: 1.0 - link.null_share,
        };
        made.quantiles.stretches = match &fan_out {
            None => None,
            Some(_) if is_grouped => Some(filled.by_group(locality)),
            Some(_) => Some(filled.counted(locality, made.quantiles.gauss)),
        }
        .map(Box::new);
        Some(LinkChoice::Shape {
            shape: Box::new(made),
            fan_out: fan_out.map(Box::new),
        })
    }
}

/// `rows` is the table's number of rows; those with NULL make no difference that counts.
fn numbers(
    shape: &ShapeSpec,
    rows: u64,
    number: impl Fn(&str) -> Option<i64>,
) -> Option<Vec<(NumberPart, f64, f64)>> {
    let ends = |part: &ShapePart| {
        let low = number(&part.low)?;
        let high = part.high.as_deref().map_or(Some(low), &number)?;
        Some((low, high.max(low)))
    };
    let ends: Vec<(i64, i64)> = shape.parts.iter().map(ends).collect::<Option<_>>()?;
    let width = |(low, high): &(i64, i64)| (high.saturating_sub(*low) as f64).max(1.0);
    let widths: Vec<f64> = ends.iter().map(width).collect();
    let level = level(shape, &widths);
    let parts = shape.parts.iter().zip(ends).zip(&widths);
    let parts: Vec<_> = parts
        .map(|((part, (low, high)), width)| {
            let (distinct, seen) = match (&part.high, part.distinct) {
                (None, _) => (1, 1.0),
                (Some(_), None) => (0, *width),
                (Some(_), Some(_)) => {
                    let seen = level.min(*width);
                    let domain = domain(seen, part.share * rows as f64).min(*width);
                    (domain.round() as u64, domain)
                }
            };
            let number = NumberPart {
                low,
                high,
                distinct,
            };
            (number, part.share, seen)
        })
        .collect();
    (!parts.is_empty()).then_some(parts)
}

/// How many different values each range has, so that all of them together have as many as the shape says: a narrow range has no
/// more than there are numbers in it.
fn level(shape: &ShapeSpec, widths: &[f64]) -> f64 {
    let ranges = shape.parts.iter().zip(widths);
    let mut widths: Vec<f64> = ranges
        .clone()
        .filter(|(part, _)| part.distinct.is_some())
        .map(|(_, width)| *width)
        .collect();
    let mut left: f64 = ranges.filter_map(|(part, _)| part.distinct).sum();
    widths.sort_by(f64::total_cmp);
    let mut level = 0.0;
    for (at, width) in widths.iter().enumerate() {
        let each = left / (widths.len() - at) as f64;
        level = each;
        if each <= *width {
            break;
        }
        left -= width;
    }
    level
}

/// Of how many equally frequent values `seen` come in so many rows: the d with d (1 - exp(-rows / d)) = seen.
fn domain(seen: f64, rows: f64) -> f64 {
    const MANY: f64 = 1e9;
    if seen >= rows * 0.99 {
        return MANY;
    }
    let found = |domain: f64| domain * (1.0 - (-rows / domain).exp());
    let (mut low, mut high) = (seen.max(1.0), MANY);
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        match found(middle) < seen {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// Single values at parents anywhere, the rest for all parents alike.
fn scattered(shape: &ShapeSpec, link: &Link) -> Vec<(NumberPart, f64, f64)> {
    let order = Permutation::new(link.key.derive("shape"), link.parent_rows.max(1));
    let parents = i64::try_from(link.parent_rows).unwrap_or(i64::MAX);
    let (mut parts, mut rest) = (Vec::new(), 0.0);
    for part in &shape.parts {
        match part.high {
            Some(_) => rest += part.share,
            None => {
                let next = parts.len() as u64 % link.parent_rows.max(1);
                let row = i64::try_from(order.apply(next)).unwrap_or(0);
                let number = NumberPart {
                    low: row,
                    high: row,
                    distinct: 1,
                };
                parts.push((number, part.share, 1.0));
            }
        }
    }
    if rest > 0.0 {
        let number = NumberPart {
            low: 0,
            high: parents,
            distinct: 0,
        };
        parts.push((number, rest, parents as f64));
    }
    parts
}

fn texts(shape: &ShapeSpec, rows: u64, max_chars: u32) -> Vec<(TextPart, f64, f64)> {
    /// Letters that tell texts apart where nothing says how many there are.
    const MANY: f64 = 1e6;
    let part = |part: &ShapePart| {
        let Some(high) = &part.high else {
            let text = TextPart {
                low: part.low.as_str().into(),
                prefix: part.low.len(),
                letters: 0,
                distinct: 1,
            };
            return (text, part.share, 1.0);
        };
        let seen = part
            .distinct
            .map_or(MANY, |distinct| distinct.round().max(1.0));
        let wanted = domain(seen, part.share * rows as f64).min(MANY);
        let mut prefix = 0;
        for (low, high) in part.low.chars().zip(high.chars()) {
            // The first character that differs is the lower bound's.
            prefix += low.len_utf8();
            if low != high {
                break;
            }
        }
        let chars = |text: &str| u32::try_from(text.chars().count()).unwrap_or(0);
        let behind = chars(&part.low[prefix..]);
        let mut letters = wanted.ln().div_euclid(26_f64.ln()) as u32 + 1;
        letters = letters.max(behind);
        if max_chars > 0 {
            letters = letters.min(max_chars.saturating_sub(chars(&part.low[..prefix])));
        }
        let distinct = wanted.min(26_f64.powi(i32::try_from(letters).unwrap_or(12).min(12)));
        let text = TextPart {
            low: part.low.as_str().into(),
            prefix,
            letters,
            distinct: distinct as u64,
        };
        (text, part.share, distinct)
    };
    shape.parts.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::spec::MeasuredShape;

    #[test]
    fn narrow_ranges_have_no_more_values_than_numbers() {
        let part = |low: &str, high: &str| ShapePart {
            low: low.to_owned(),
            high: Some(high.to_owned()),
            share: 0.5,
            distinct: Some(50.0),
        };
        let shape = ShapeSpec {
            parts: vec![part("0", "10"), part("10", "1000")],
            correlation: None,
            parents: None,
            measured: MeasuredShape::default(),
        };
        assert!((level(&shape, &[10.0, 990.0]) - 90.0).abs() < 1e-9);
        let parts = numbers(&shape, 1_000_000, |text| text.parse().ok()).unwrap();
        let distinct: Vec<u64> = parts.iter().map(|(part, ..)| part.distinct).collect();
        assert_eq!(distinct, [10, 90]);
    }

    #[test]
    fn values_that_come_by_chance_need_a_larger_domain() {
        let found = domain(144.0, 200.0);
        assert!(
            (found * (1.0 - (-200.0 / found).exp()) - 144.0).abs() < 0.1,
            "{found}"
        );
        assert!((domain(50.0, 1e6) - 50.0).abs() < 0.1);
        assert!(domain(200.0, 200.0) > 1e8);
    }
}
