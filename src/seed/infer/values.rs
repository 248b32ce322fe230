//! Constants, lists and ranges as generators work with them.

use crate::seed::generators::Locale;
use crate::seed::generators::regex::Pattern;
use crate::seed::plan::{Case, Choice, Generator, Scalar, ScalarSource, Text, TextSource, Weights};
use crate::seed::types::{ScalarEncoding, TypeClass, literal};

/// A scalar without bounds or grain.
#[must_use]
pub fn scalar(encoding: ScalarEncoding, source: ScalarSource, hard: (i64, i64)) -> Scalar {
    Scalar {
        encoding,
        source,
        hard,
        grain: 1,
        bounds: Vec::new(),
        domain: None,
    }
}

/// Values with the first ones more often, as a spec writes them: in the order of their texts, with weights of three digits.
/// Read back, it makes the same rows.
#[must_use]
pub fn ranked(texts: &[String]) -> Vec<(String, f64)> {
    let weight = |at: usize| (1000.0 / ((at + 1) as f64).sqrt()).round() / 1000.0;
    let mut ranked: Vec<(String, f64)> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| (text.clone(), weight(at)))
        .collect();
    ranked.sort_by(|left, right| left.0.cmp(&right.0));
    ranked
}

/// Texts of a pattern.
#[must_use]
pub fn pattern_text(pattern: Pattern, version: Option<u8>, locale: &'static Locale) -> Generator {
    Generator::Text(Text {
        source: TextSource::Pattern(Box::new(pattern)),
        version,
        min_chars: 0,
        max_chars: 0,
        unique: None,
        locale,
        case: Case::AsIs,
        width: 0,
    })
}

/// From where to where a source goes.
#[must_use]
pub fn source_range(scalar: &Scalar) -> (i64, i64) {
    match &scalar.source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => (*low, *high),
        ScalarSource::Listed { values, .. } => (
            values.iter().copied().min().unwrap_or(0),
            values.iter().copied().max().unwrap_or(0),
        ),
        ScalarSource::Mixed { rest, .. } => source_range(&Scalar {
            source: (**rest).clone(),
            ..scalar.clone()
        }),
        ScalarSource::Histogram { bounds, .. } => (
            bounds.first().copied().unwrap_or(0),
            bounds.last().copied().unwrap_or(0),
        ),
        ScalarSource::Shape(shape) => (
            shape.parts.first().map_or(0, |part| part.low),
            shape.parts.last().map_or(0, |part| part.high),
        ),
        ScalarSource::Sequence { .. }
        | ScalarSource::Ordinal { .. }
        | ScalarSource::Digit { .. }
        | ScalarSource::Slot { .. } => scalar.hard,
        ScalarSource::After { range, .. } => *range,
    }
}

/// Brings a source within the hard limits; one that lies outside is moved next to them.
pub fn enter(scalar: &mut Scalar) {
    let (least, most) = scalar.hard;
    match &mut scalar.source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => {
            let width = high.saturating_sub(*low);
            if *low > most || *high < least {
                *low = if *low > most {
                    most.saturating_sub(width).max(least)
                } else {
                    least
                };
                *high = low.saturating_add(width).min(most);
            }
            *low = (*low).max(least);
            *high = (*high).min(most).max(*low);
        }
        ScalarSource::Sequence { start, .. } => *start = (*start).max(least).min(most),
        ScalarSource::Listed { .. }
        | ScalarSource::Mixed { .. }
        | ScalarSource::Histogram { .. }
        | ScalarSource::Shape(_)
        | ScalarSource::Ordinal { .. }
        | ScalarSource::Digit { .. }
        | ScalarSource::After { .. }
        | ScalarSource::Slot { .. } => {}
    }
}

/// Values and weights in the class's own form; `Err` with the first text that is none.
///
/// # Errors
/// The text that is no value of the class.
pub fn choice_of(class: &TypeClass, values: &[(String, f64)]) -> Result<Generator, String> {
    let weights = Weights::new(&values.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
    if let TypeClass::Scalar(encoding) = class.base() {
        let values: Box<[i64]> = values
            .iter()
            .map(|(text, _)| literal::scalar(text, *encoding).ok_or_else(|| text.clone()))
            .collect::<Result<_, _>>()?;
        return Ok(Generator::Scalar(scalar(
            *encoding,
            ScalarSource::Listed { values, weights },
            encoding.limits(),
        )));
    }
    let cells = values
        .iter()
        .map(|(text, _)| literal::cell(class, text).ok_or_else(|| text.clone()))
        .collect::<Result<_, _>>()?;
    Ok(Generator::Choice(Choice {
        cells,
        weights,
        quantiles: None,
        unique: None,
        odometer: None,
    }))
}
