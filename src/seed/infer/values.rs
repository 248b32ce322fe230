//! Constants, lists and ranges as generators work with them.

use super::cell_of;
use super::types::TypeClass;
use crate::seed::encode::{self, ScalarEncoding};
use crate::seed::generators::Locale;
use crate::seed::generators::regex::Pattern;
use crate::seed::literal;
use crate::seed::plan::{Case, Choice, Generator, Scalar, ScalarSource, Text, TextSource, Weights};

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
        .map(|(text, _)| literal_cell(class, text).ok_or_else(|| text.clone()))
        .collect::<Result<_, _>>()?;
    Ok(Generator::Choice(Choice {
        cells,
        weights,
        quantiles: None,
        unique: None,
        odometer: None,
    }))
}

/// A constant's cell; `None` where the text is no value of the class.
#[must_use]
pub fn literal_cell(class: &TypeClass, text: &str) -> Option<Box<[u8]>> {
    let mut cell = Vec::new();
    match class.base() {
        TypeClass::Scalar(encoding) => encoding.write(literal::scalar(text, *encoding)?, &mut cell),
        TypeClass::Text {
            version, max_chars, ..
        } => {
            if *max_chars > 0 && text.chars().count() > *max_chars as usize {
                return None;
            }
            let start = encode::begin(&mut cell);
            cell.extend(version);
            cell.extend_from_slice(text.as_bytes());
            encode::end(&mut cell, start);
        }
        TypeClass::Enum(labels) => {
            return labels
                .iter()
                .any(|label| label == text)
                .then(|| cell_of(text.as_bytes()));
        }
        TypeClass::Json { binary } => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
            let start = encode::begin(&mut cell);
            cell.extend(binary.then_some(1));
            cell.extend_from_slice(text.as_bytes());
            encode::end(&mut cell, start);
        }
        TypeClass::Uuid => {
            let digits: String = text.chars().filter(|c| *c != '-').collect();
            let value = u128::from_str_radix(&digits, 16)
                .ok()
                .filter(|_| digits.len() == 32)?;
            encode::fixed(&mut cell, value.to_be_bytes());
        }
        TypeClass::Array {
            element,
            element_type,
        } => {
            let items = array_items(text)?;
            let start = encode::begin(&mut cell);
            crate::seed::generators::structured::array_header(
                items.len() as u64,
                *element_type,
                &mut cell,
            );
            for item in &items {
                cell.extend_from_slice(&literal_cell(element, item)?);
            }
            encode::end(&mut cell, start);
        }
        TypeClass::Inet { cidr: false } => inet(text, &mut cell)?,
        TypeClass::Inet { cidr: true }
        | TypeClass::Mac { .. }
        | TypeClass::Bytes
        | TypeClass::Bits { .. }
        | TypeClass::Geometry(_)
        | TypeClass::TextSearch
        | TypeClass::TextQuery
        | TypeClass::Pairs
        | TypeClass::System(_)
        | TypeClass::Composite(_)
        | TypeClass::Range { .. }
        | TypeClass::Domain { .. }
        | TypeClass::Unknown(_) => return None,
    }
    Some(cell.into())
}

/// An address without a mask.
fn inet(text: &str, cell: &mut Vec<u8>) -> Option<()> {
    let start = encode::begin(cell);
    match text.parse().ok()? {
        core::net::IpAddr::V4(address) => {
            cell.extend_from_slice(&[2, 32, 0, 4]);
            cell.extend_from_slice(&address.octets());
        }
        core::net::IpAddr::V6(address) => {
            cell.extend_from_slice(&[3, 128, 0, 16]);
            cell.extend_from_slice(&address.octets());
        }
    }
    encode::end(cell, start);
    Some(())
}

/// The elements of `{a,"b c"}`; one dimension.
pub(crate) fn array_items(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    let mut chars = inner.chars().peekable();
    while chars.peek().is_some() {
        let mut item = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        loop {
            match chars.next() {
                Some('\\') => item.extend(chars.next()),
                Some('"') if quoted => {
                    chars.next_if_eq(&',');
                    break;
                }
                Some(',') if !quoted => break,
                Some('{' | '}') if !quoted => return None,
                Some(c) => item.push(c),
                None if quoted => return None,
                None => break,
            }
        }
        items.push(item);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_in_text_form() {
        assert_eq!(
            array_items("{a,\"b, c\",\"d\\\"e\"}"),
            Some(vec!["a".into(), "b, c".into(), "d\"e".into()])
        );
        assert_eq!(array_items("{}"), Some(Vec::new()));
        assert_eq!(array_items("{{a}}"), None);
    }
}
