//! Distributions from a profile: single values and ranges between bounds of a histogram, with their correlation.

use super::Resolver;
use super::links::Key;
use super::table::{Draft, TableDraft};
use crate::seed::infer::types::TypeClass;
use crate::seed::literal;
use crate::seed::plan::{
    Generator, Link, LinkChoice, NumberPart, ScalarSource, Shape, TextPart, TextSource,
};
use crate::seed::random::Permutation;
use crate::seed::spec::{ColumnSpec, ShapePart, ShapeSpec};

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
        let made = match (&mut draft.generator, draft.class.base()) {
            (Generator::Scalar(scalar), _) => {
                let encoding = scalar.encoding;
                numbers(shape, |text| literal::scalar(text, encoding)).map(|parts| {
                    let shape = Shape::new(parts, rows, correlation);
                    scalar.source = ScalarSource::Shape(Box::new(shape));
                })
            }
            (Generator::Text(text), TypeClass::Text { max_chars, .. }) => {
                let parts = texts(shape, *max_chars);
                let shape = Shape::new(parts, rows, correlation);
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
        let parts = match shape.parents {
            Some(known) if known >= 1.0 => {
                let scale = parents as f64 / known;
                let row = |text: &str| {
                    let number: f64 = text.parse().ok()?;
                    Some((((number - 1.0) * scale) as i64).clamp(0, parents))
                };
                numbers(shape, row)?
            }
            _ => scattered(shape, link),
        };
        let correlation = shape.correlation.filter(|_| shape.parents.is_some());
        let shape = Shape::new(parts, draft.rows, correlation.unwrap_or(0.0));
        Some(LinkChoice::Shape(Box::new(shape)))
    }
}

fn numbers(
    shape: &ShapeSpec,
    number: impl Fn(&str) -> Option<i64>,
) -> Option<Vec<(NumberPart, f64, f64)>> {
    let part = |part: &ShapePart| {
        let low = number(&part.low)?;
        let high = part.high.as_deref().map_or(Some(low), &number)?.max(low);
        let distinct = match part.high {
            None => 1.0,
            // More different numbers than there are do not exist.
            Some(_) => {
                let all = (high.saturating_sub(low) as f64).max(1.0);
                part.distinct
                    .map_or(all, |distinct| distinct.round().clamp(1.0, all))
            }
        };
        let number = NumberPart {
            low,
            high,
            distinct: match part.distinct {
                Some(_) => distinct as u64,
                None => 0,
            },
        };
        Some((number, part.share, distinct))
    };
    let parts: Vec<_> = shape.parts.iter().map(part).collect::<Option<_>>()?;
    (!parts.is_empty()).then_some(parts)
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

fn texts(shape: &ShapeSpec, max_chars: u32) -> Vec<(TextPart, f64, f64)> {
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
        let wanted = part
            .distinct
            .map_or(MANY, |distinct| distinct.round().max(1.0));
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
