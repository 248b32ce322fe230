//! How one column becomes unique: by a value of its own in every row, or as one digit of a composite key.

use super::table::TableDraft;
use crate::seed::expression::Relation;
use crate::seed::generators::TextGenerator;
use crate::seed::generators::regex::{Letters, Pattern};
use crate::seed::generators::structured::ADDRESSES;
use crate::seed::infer::obey::limit;
use crate::seed::infer::values::{enter, pattern_text, source_range};
use crate::seed::plan::{
    Bound, Choice, Counter, Draw, Generator, JsonShape, Odometer, Scalar, ScalarSource, Side, Text,
    TextSource, Weights,
};
use crate::seed::random::{Key, Permutation};
use crate::seed::types::ScalarEncoding;

/// Makes a column unique where it can be; says whether it could.
pub(super) fn unique_column(draft: &mut TableDraft<'_>, column: usize) -> bool {
    let can = draft.columns[column].unique
        || (!draft.columns[column].fixed && capacity(draft, column) >= draft.rows);
    if can && !draft.columns[column].unique {
        make_unique(draft, column);
    }
    can
}

/// Makes a column show a digit.
pub(super) fn set_digit(draft: &mut TableDraft<'_>, column: usize, odometer: Odometer) {
    let column = &mut draft.columns[column];
    column.fixed = true;
    column.draw = Draw::Row;
    match &mut column.generator {
        Generator::Scalar(scalar) if is_time(scalar) || scalar.grain > 1 => {
            scalar.source = spread_digit(scalar, odometer);
        }
        Generator::Scalar(scalar) => {
            let (low, _) = source_range(scalar);
            let until = None;
            scalar.source = match (&scalar.source, odometer.counter) {
                (ScalarSource::Listed { values, .. }, _) => {
                    // The list's order is the digit's.
                    let mut sorted = values.to_vec();
                    sorted.sort_unstable();
                    sorted.dedup();
                    match sorted.windows(2).all(|pair| pair[1] == pair[0] + 1) {
                        true => ScalarSource::Digit {
                            low: sorted[0],
                            until,
                            odometer,
                        },
                        false => ScalarSource::Digit {
                            low,
                            until,
                            odometer,
                        },
                    }
                }
                (_, Counter::Link(link)) if odometer.divisor == 1 && odometer.size > 1000 => {
                    ScalarSource::Ordinal { link, start: low }
                }
                _ => ScalarSource::Digit {
                    low,
                    until,
                    odometer,
                },
            };
        }
        Generator::Choice(choice) => choice.odometer = Some(odometer),
        _ => {}
    }
}

/// A time or a date out of a range.
fn is_time(scalar: &Scalar) -> bool {
    let is_range = matches!(
        scalar.source,
        ScalarSource::Range { .. } | ScalarSource::LowHeavy { .. } | ScalarSource::Placed { .. }
    );
    is_range
        && matches!(
            scalar.encoding,
            ScalarEncoding::Timestamp | ScalarEncoding::Date
        )
}

/// Measurements of one sensor lie over all of the time, and not within as many microseconds as there are measurements.
fn spread_digit(scalar: &Scalar, odometer: Odometer) -> ScalarSource {
    let (low, high) = source_range(scalar);
    let grain = scalar.grain.max(1);
    // The type's own steps, so that values of neighbouring digits are not rounded to the same one.
    let past = low.rem_euclid(grain);
    let low = if past == 0 {
        low
    } else {
        low.saturating_add(grain - past).min(high)
    };
    ScalarSource::Digit {
        low,
        until: Some(high.max(low)),
        odometer,
    }
}

/// Values of a time or a date are at least so many microseconds apart, or the same.
pub(super) fn space_out(draft: &mut TableDraft<'_>, column: usize, micros: i64) {
    const DAY: i64 = 86_400_000_000;
    let planned = &mut draft.columns[column];
    let Generator::Scalar(scalar) = &mut planned.generator else {
        return;
    };
    let grain = match scalar.encoding {
        ScalarEncoding::Timestamp => micros,
        ScalarEncoding::Date => (micros / DAY).max(1),
        _ => return,
    };
    if !planned.fixed {
        scalar.grain = scalar.grain.max(grain);
    }
}

/// Which column is made unique first: those whose values are many and mean nothing.
pub(super) fn preference(generator: &Generator) -> u32 {
    match generator {
        Generator::Uuid => 0,
        Generator::Text(_) => 1,
        Generator::Bytes { .. } | Generator::Mac { .. } | Generator::Inet { .. } => 2,
        Generator::Scalar(scalar) if matches!(scalar.source, ScalarSource::Placed { .. }) => 3,
        Generator::Scalar(scalar) if matches!(scalar.source, ScalarSource::Listed { .. }) => 12,
        Generator::Scalar(_) => 10,
        _ => 20,
    }
}

/// A digit of a key that was solved before.
pub(super) fn counts_already(draft: &TableDraft<'_>, column: usize) -> bool {
    match &draft.columns[column].generator {
        Generator::Scalar(scalar) => {
            matches!(
                scalar.source,
                ScalarSource::Digit { .. }
                    | ScalarSource::Ordinal { .. }
                    | ScalarSource::Slot { .. }
            )
        }
        Generator::Choice(choice) => choice.odometer.is_some(),
        _ => false,
    }
}

/// How many different values a column can have; 0 where it cannot be told.
pub(super) fn capacity(draft: &TableDraft<'_>, column: usize) -> u64 {
    match &draft.columns[column].generator {
        Generator::Uuid => u64::MAX,
        Generator::Text(text) => match &text.source {
            TextSource::Pattern(pattern) => pattern.told_apart().cardinality,
            TextSource::Registered(_) if text.max_chars > 0 && text.max_chars < 12 => {
                36_u64.saturating_pow(text.max_chars)
            }
            TextSource::Registered(_) | TextSource::Bounds(_) => u64::MAX,
            TextSource::Shape(_) => 0,
            TextSource::Template(_) => 0,
        },
        Generator::Bytes { min, .. } => 1_u64.checked_shl(min * 8).unwrap_or(u64::MAX),
        Generator::Mac { .. } => 1 << 40,
        Generator::Inet { .. } => ADDRESSES,
        Generator::Scalar(scalar) => match &scalar.source {
            ScalarSource::Sequence { start, step } => {
                let room = if *step < 0 {
                    start.saturating_sub(scalar.hard.0)
                } else {
                    scalar.hard.1.saturating_sub(*start)
                };
                (room / step.saturating_abs().max(1)).max(0) as u64 + 1
            }
            ScalarSource::Listed { values, .. } => values.len() as u64,
            ScalarSource::Range { .. }
            | ScalarSource::LowHeavy { .. }
            | ScalarSource::Placed { .. } => {
                let written = draft.columns[column]
                    .spec
                    .is_some_and(|spec| spec.min.is_some() || spec.max.is_some());
                let (low, high) = if written {
                    source_range(scalar)
                } else {
                    (source_range(scalar).0, scalar.hard.1)
                };
                let grain = scalar.grain.max(1).unsigned_abs();
                (high.saturating_sub(low) as u64 / grain).saturating_add(u64::from(grain == 1))
            }
            ScalarSource::Ordinal { .. }
            | ScalarSource::Digit { .. }
            | ScalarSource::After { .. }
            | ScalarSource::Mixed { .. }
            | ScalarSource::Histogram { .. }
            | ScalarSource::Shape(_)
            | ScalarSource::Slot { .. } => 0,
        },
        Generator::Choice(choice) => choice.cells.len() as u64,
        Generator::Range { .. } => u64::MAX,
        Generator::Json {
            shape: JsonShape::Object { .. } | JsonShape::Numbered { .. },
            ..
        } => u64::MAX,
        Generator::Array { element, max, .. } if *max > 0 => match &element.generator {
            Generator::Uuid | Generator::Mac { .. } => u64::MAX,
            Generator::Text(text) => match &text.source {
                TextSource::Registered(_) if text.max_chars == 0 => u64::MAX,
                _ => 0,
            },
            Generator::Scalar(scalar) => match &scalar.source {
                ScalarSource::Range { low, .. } | ScalarSource::LowHeavy { low, .. } => {
                    scalar.hard.1.saturating_sub(*low).max(0) as u64 / ELEMENTS
                }
                _ => 0,
            },
            _ => 0,
        },
        _ => 0,
    }
}

/// An array's elements are numbered by the row times this (see the evaluator): what has a value of its own for each
/// number makes arrays that differ in every element.
const ELEMENTS: u64 = 64;

/// Gives every row its own value; the capacity was checked.
pub(super) fn make_unique(draft: &mut TableDraft<'_>, column: usize) {
    let rows = draft.rows.max(1);
    let column = &mut draft.columns[column];
    column.draw = Draw::Row;
    column.unique = true;
    let key = column.key.derive("unique");
    let written = column
        .spec
        .is_some_and(|spec| spec.min.is_some() || spec.max.is_some());
    match &mut column.generator {
        Generator::Text(text) => make_text_unique(text, key, rows),
        Generator::Scalar(scalar) => {
            let wanted = Unique { key, rows, written };
            if let Some(listed) = make_number_unique(scalar, &wanted) {
                column.generator = listed;
            }
        }
        Generator::Inet { unique, .. } => *unique = Some(Permutation::new(key, ADDRESSES)),
        Generator::Choice(choice) => {
            choice.unique = Some(Permutation::new(key, choice.cells.len() as u64));
        }
        Generator::Json {
            shape: shape @ JsonShape::Object { .. },
            ..
        } => {
            if let JsonShape::Object { keys, members } = shape {
                *shape = JsonShape::Numbered {
                    keys: std::mem::take(keys),
                    members: std::mem::take(members),
                };
            }
        }
        Generator::Array {
            element, min, max, ..
        } => {
            (*min, *max) = ((*min).max(1), (*max).max(1));
            match &mut element.generator {
                Generator::Text(text) => {
                    make_text_unique(text, key, rows.saturating_mul(ELEMENTS));
                }
                Generator::Scalar(scalar) => {
                    let (start, _) = source_range(scalar);
                    scalar.source = ScalarSource::Sequence { start, step: 1 };
                }
                _ => {}
            }
        }
        Generator::Range { low, .. } | Generator::Multirange { low, .. } => {
            if let Generator::Scalar(scalar) = &mut low.generator {
                let (from, _) = source_range(scalar);
                scalar.source = ScalarSource::Sequence {
                    start: from,
                    step: 1,
                };
            }
        }
        _ => {}
    }
}

/// What a unique column's values are made of.
struct Unique {
    key: Key,
    rows: u64,
    /// The spec says from where to where they go.
    written: bool,
}

/// The generator that takes the number's place, where one does.
fn make_number_unique(scalar: &mut Scalar, wanted: &Unique) -> Option<Generator> {
    let (low, high) = source_range(scalar);
    match &mut scalar.source {
        ScalarSource::Placed { unique, high, .. } if scalar.grain <= 1 => {
            // Room for every row, one unit apart.
            *high = (*high)
                .max(low.saturating_add(wanted.rows as i64))
                .min(scalar.hard.1);
            *unique = true;
        }
        ScalarSource::Listed { values, .. } => {
            // One value a row, in the list's order.
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            let unique = Some(Permutation::new(wanted.key, sorted.len() as u64));
            if let [low, .., high] = sorted[..]
                && (high - low) as usize == sorted.len() - 1
            {
                scalar.source = ScalarSource::Range { low, high, unique };
            } else {
                let cells = sorted
                    .iter()
                    .map(|value| cell(scalar.encoding, *value))
                    .collect();
                let weights = Weights::default();
                return Some(Generator::Choice(Choice {
                    cells,
                    weights,
                    quantiles: None,
                    unique,
                    odometer: None,
                }));
            }
        }
        ScalarSource::Sequence { .. } => {}
        // Values of their own would be rounded to the same one.
        _ if scalar.grain > 1 => {
            let odometer = Odometer {
                counter: Counter::Rows(Permutation::new(wanted.key, wanted.rows)),
                divisor: 1,
                size: wanted.rows,
                key: wanted.key,
                skew: 0.0,
            };
            scalar.source = spread_digit(scalar, odometer);
        }
        source => {
            let room = (high.saturating_sub(low) as u64).saturating_add(1);
            let high = if room >= wanted.rows || wanted.written {
                high
            } else {
                low.saturating_add(wanted.rows as i64 - 1)
            };
            let size = (high.saturating_sub(low) as u64).saturating_add(1);
            *source = ScalarSource::Range {
                low,
                high,
                unique: Some(Permutation::new(wanted.key, size)),
            };
        }
    }
    None
}

fn cell(encoding: ScalarEncoding, value: i64) -> Box<[u8]> {
    let mut cell = Vec::new();
    encoding.write(value, &mut cell);
    cell.into()
}

fn make_text_unique(text: &mut Text, key: crate::seed::random::Key, rows: u64) {
    if let TextSource::Pattern(pattern) = &mut text.source {
        **pattern = pattern.told_apart();
    }
    let size = match &text.source {
        TextSource::Pattern(pattern) => pattern.cardinality,
        TextSource::Registered(_)
        | TextSource::Bounds(_)
        | TextSource::Shape(_)
        | TextSource::Template(_) => rows,
    };
    let digits = rows.ilog10() + 1;
    if let TextSource::Registered(generator) = &text.source
        && text.max_chars > 0
        && (text.max_chars < digits + 3
            || (generator.numbers_itself && text.max_chars < room_for(generator, digits)))
    {
        // The number would not fit behind the text: a code of the column's own length.
        let length = text.max_chars.min(12);
        if let Ok(pattern) = Pattern::new(&format!("[0-9A-Z]{{{length}}}"), Letters::AsTheyAre) {
            let unique = Some(Permutation::new(key, pattern.cardinality));
            let (version, max_chars) = (text.version, text.max_chars);
            if let Generator::Text(made) = pattern_text(pattern, version, text.locale) {
                *text = Text {
                    unique,
                    max_chars,
                    case: text.case,
                    ..made
                };
            }
            return;
        }
    }
    text.unique = Some(Permutation::new(key, size));
}

/// Characters of a text that holds its number: digests and identifiers have one length, other texts grow with it.
fn room_for(generator: &TextGenerator, digits: u32) -> u32 {
    let has_one_length = matches!(
        generator.name,
        "hex" | "md5" | "sha1" | "sha512" | "uuid" | "id" | "base64" | "code"
    );
    if has_one_length {
        generator.width
    } else {
        generator.width + digits + 8
    }
}

/// Values that a CHECK leaves out of the middle of a range are stepped over, which would make two rows alike: a column of
/// a key takes the larger side of them instead.
pub(super) fn narrow_past_excluded(draft: &mut TableDraft<'_>, column: usize) {
    let Generator::Scalar(scalar) = &mut draft.columns[column].generator else {
        return;
    };
    let is_constant = |bound: &Bound| bound.side == Side::Differs && bound.terms.is_empty();
    let excluded: Vec<i64> = scalar
        .bounds
        .iter()
        .filter(|bound| is_constant(bound))
        .map(|bound| bound.offset)
        .collect();
    scalar.bounds.retain(|bound| !is_constant(bound));
    for value in excluded {
        let (low, high) = source_range(scalar);
        if low <= value && value <= high {
            let keep_lower = value.saturating_sub(low) >= high.saturating_sub(value);
            limit(
                scalar,
                if keep_lower {
                    Relation::Less
                } else {
                    Relation::Greater
                },
                value,
            );
            enter(scalar);
        }
    }
}
