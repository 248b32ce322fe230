//! What a spec says of one column: its values, its range, its generator, its order.

use super::Resolver;
use super::columns::{is_opaque, is_time, letters, sequence, table_locale, uniform};
use super::table::{Draft, TableDraft};
use crate::schema::QualifiedName;
use crate::seed::curve::Growth;
use crate::seed::describe::{header, key};
use crate::seed::distribution::stray_for_correlation;
use crate::seed::generators::regex::Pattern;
use crate::seed::generators::{self, Locale};
use crate::seed::infer::values::{choice_of, pattern_text, source_range};
use crate::seed::plan::{
    Case, Choice, Draw, Generator, Quantiles, ScalarSource, Text, TextSource, Weights,
};
use crate::seed::spec::{ColumnSpec, Place};
use crate::seed::types::{ScalarEncoding, TypeClass, literal};
use crate::seed::wishes;
use crate::source::nearest;

/// Generators that a spec can name besides the registered text generators.
pub(in crate::seed) const PLAIN: &[&str] = &[
    "integer",
    "number",
    "decimal",
    "timestamp",
    "date",
    "time",
    "sequence",
    "regex",
    "uuid",
    "boolean",
    "json",
    "bytes",
    "inet",
];

impl<'a> Resolver<'a> {
    pub(super) fn obey_spec(
        &mut self,
        table: &TableDraft<'_>,
        draft: &mut Draft<'_>,
        spec: &ColumnSpec,
    ) {
        let constants = match (&spec.values, &spec.value) {
            (Some(values), _) => Some(values.clone()),
            (None, Some(value)) => Some(vec![(value.clone(), 1.0)]),
            (None, None) => None,
        };
        if let Some(values) = constants {
            self.obey_values(draft, spec, values);
        } else if let Some(place) = &spec.generator {
            self.named_generator(table, draft, spec, place);
        }
    }

    fn obey_values(
        &mut self,
        draft: &mut Draft<'_>,
        spec: &ColumnSpec,
        values: Vec<(String, f64)>,
    ) {
        if let Some((text, _)) = values.iter().find(|(text, _)| !draft.facts.allows(text)) {
            let message = format!(
                "\"{text}\" is not allowed by a CHECK constraint of column {}",
                draft.column.name
            );
            self.errors.push(spec.name.error(message).into());
            return;
        }
        match choice_of(&draft.class, &values) {
            Ok(generator) => {
                draft.generator = generator;
                draft.choices = Some(values);
            }
            // Types whose text form only the server can read.
            Err(_) if is_opaque(draft.class.base()) => {
                let weights =
                    Weights::new(&values.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
                let cells = vec![[0xff_u8; 4].into(); values.len()].into();
                draft.generator = Generator::Choice(Choice {
                    cells,
                    weights,
                    quantiles: None,
                    unique: None,
                    odometer: None,
                });
                draft.literals = Some(values.into_iter().map(|(text, _)| text).collect());
            }
            Err(text) => self.errors.push(
                spec.name
                    .error(format!(
                        "\"{text}\" is no value of type {}",
                        draft.column.data_type.name
                    ))
                    .into(),
            ),
        }
    }

    fn named_generator(
        &mut self,
        table: &TableDraft<'_>,
        draft: &mut Draft<'_>,
        spec: &ColumnSpec,
        place: &Place,
    ) {
        let name = place.text.as_str();
        let locale = table_locale(self, table);
        let made = match (name, draft.class.base()) {
            (
                "regex",
                TypeClass::Text {
                    version, max_chars, ..
                },
            ) => self.pattern(table, draft, spec, place, *version, *max_chars, locale),
            ("integer" | "number" | "decimal", TypeClass::Scalar(encoding))
                if !is_time(*encoding) =>
            {
                uniform(&draft.generator)
            }
            ("timestamp" | "date" | "time", TypeClass::Scalar(encoding)) if is_time(*encoding) => {
                uniform(&draft.generator)
            }
            ("sequence", TypeClass::Scalar(encoding)) => {
                let start = spec
                    .min
                    .as_ref()
                    .and_then(|(text, _)| literal::scalar(text, *encoding))
                    .unwrap_or(1);
                draft.unique = true;
                Some(sequence(*encoding, draft.column, start))
            }
            ("uuid", TypeClass::Uuid)
            | ("boolean", TypeClass::Scalar(ScalarEncoding::Bool))
            | ("json", TypeClass::Json { .. })
            | ("bytes", TypeClass::Bytes)
            | ("inet" | "ipv4", TypeClass::Inet { .. }) => Some(draft.generator.clone()),
            (
                _,
                TypeClass::Text {
                    version, max_chars, ..
                },
            ) => generators::find(name).map(|generator| {
                Generator::Text(Text {
                    source: TextSource::Registered(generator),
                    version: *version,
                    min_chars: 0,
                    max_chars: *max_chars,
                    unique: None,
                    locale,
                    case: Case::AsIs,
                    width: 0,
                })
            }),
            _ => None,
        };
        match made {
            Some(generator) => draft.generator = generator,
            // The pattern said what is wrong itself.
            None if name == "regex" && matches!(draft.class.base(), TypeClass::Text { .. }) => {}
            None => self.unknown_generator(draft, place),
        }
    }

    fn unknown_generator(&mut self, draft: &Draft<'_>, place: &Place) {
        let name = place.text.as_str();
        let known: Vec<&str> = generators::ALL
            .iter()
            .map(|generator| generator.name)
            .chain(PLAIN.iter().copied())
            .collect();
        let error = if known.contains(&name) {
            place.error(format!(
                "the generator \"{name}\" does not make values of type {} (column {})",
                draft.column.data_type.name, draft.column.name
            ))
        } else {
            let error = place.error(format!("there is no generator \"{name}\""));
            match nearest(name, known.iter().copied()) {
                Some(near) => error.help(format!("did you mean \"{near}\"?")),
                None => error.help(format!("generators are {}", known.join(", "))),
            }
        };
        self.errors.push(error.into());
    }

    #[allow(clippy::too_many_arguments)]
    fn pattern(
        &mut self,
        table: &TableDraft<'_>,
        draft: &Draft<'_>,
        spec: &ColumnSpec,
        place: &Place,
        version: Option<u8>,
        max_chars: u32,
        locale: &'static Locale,
    ) -> Option<Generator> {
        let Some(text) = &spec.pattern else {
            self.errors.push(
                place
                    .error("the generator \"regex\" needs a `pattern`")
                    .into(),
            );
            return None;
        };
        match Pattern::new(&text.text, letters(table, &draft.column.name)) {
            Ok(pattern) if max_chars > 0 && pattern.max_chars > max_chars => {
                let longest = pattern.max_chars;
                self.errors.push(
                    text.error(format!(
                        "the pattern makes texts of {longest} characters, column {} holds {max_chars}",
                        draft.column.name
                    ))
                    .into(),
                );
                None
            }
            Ok(pattern) => Some(pattern_text(pattern, version, locale)),
            Err(error) => {
                self.errors
                    .push(text.error(format!("not a usable pattern: {error}")).into());
                None
            }
        }
    }

    /// `min`, `max`, `from`, `to`, `correlation`, `growth`.
    pub(super) fn obey_range(&mut self, draft: &mut Draft<'_>, spec: &ColumnSpec, rows: u64) {
        let listed = wishes::values(spec).is_some();
        if spec.min.is_none()
            && spec.max.is_none()
            && (spec.correlation.is_none() || listed)
            && spec.growth.is_none()
        {
            return;
        }
        let Generator::Scalar(scalar) = &mut draft.generator else {
            if let Some((_, place)) = spec.min.as_ref().or(spec.max.as_ref()) {
                let message = format!(
                    "column {} has no range: it is no number, date or time",
                    draft.column.name
                );
                self.errors.push(place.error(message).into());
            }
            return;
        };
        let (mut low, mut high) = source_range(scalar);
        for (bound, target) in [(&spec.min, &mut low), (&spec.max, &mut high)] {
            let Some((text, place)) = bound else { continue };
            match literal::scalar(text, scalar.encoding) {
                Some(value) => *target = value,
                None => self.errors.push(
                    place
                        .error(format!(
                            "\"{text}\" is no value of type {}",
                            draft.column.data_type.name
                        ))
                        .into(),
                ),
            }
        }
        if low > high {
            let place = spec
                .max
                .as_ref()
                .or(spec.min.as_ref())
                .map_or(&spec.name, |(_, place)| place);
            self.errors.push(
                place
                    .error("the range is empty: its end lies before its beginning")
                    .into(),
            );
            return;
        }
        scalar.source = within(&scalar.source, spec, (low, high), rows);
    }
}

impl<'a> Resolver<'a> {
    /// A correlation beside a list or a number of different values: neither of these bends to it.
    pub(super) fn obey_order(
        &mut self,
        table: &TableDraft<'a>,
        draft: &mut Draft<'a>,
        spec: &ColumnSpec,
    ) {
        let Some(correlation) = spec.correlation else {
            return;
        };
        if let Some(mut values) = wishes::values(spec) {
            sort(&draft.class, &mut values);
            let cells: Option<Box<[Box<[u8]>]>> = values
                .iter()
                .map(|(text, _)| literal::cell(&draft.class, text))
                .collect();
            let Some(cells) = cells else { return };
            let weights: Vec<f64> = values.iter().map(|(_, weight)| *weight).collect();
            let (quantiles, had) = Quantiles::new(&weights, table.rows, correlation);
            if (had - correlation).abs() > 0.01 {
                self.plan.notes.push(format!(
                    "{}: {} cannot have a correlation of {correlation} with these shares, which are kept: {had:.2} is the least",
                    table.table.name, draft.column.name
                ));
            }
            draft.generator = Generator::Choice(Choice {
                cells,
                weights: Weights::new(&weights),
                quantiles: Some(Box::new(quantiles)),
                unique: None,
                odometer: None,
            });
            draft.choices = Some(values);
            draft.draw = Draw::Row;
            return;
        }
        let (Some(distinct), None) = (spec.distinct, spec.skew) else {
            return;
        };
        if let Generator::Scalar(scalar) = &mut draft.generator
            && let (low, high) = source_range(scalar)
            && high.saturating_sub(low) as u64 >= distinct
            && let ScalarSource::Placed {
                rows,
                stray,
                descending,
                unique,
                ..
            } = &mut scalar.source
        {
            (*rows, *stray, *descending, *unique) = (distinct, 0.0, false, true);
            let quantiles = Quantiles::even(distinct, table.rows, correlation);
            draft.draw = Draw::Following {
                quantiles: Box::new(quantiles),
                distinct,
            };
        }
    }
}

/// Values in the order that their type has.
fn sort(class: &TypeClass, values: &mut [(String, f64)]) {
    match class.base() {
        TypeClass::Scalar(encoding) => {
            values.sort_by_key(|(text, _)| literal::scalar(text, *encoding));
        }
        TypeClass::Enum(labels) => {
            values.sort_by_key(|(text, _)| labels.iter().position(|label| label == text));
        }
        _ => values.sort_by(|left, right| left.0.cmp(&right.0)),
    }
}

/// The line that gives a column values.
pub(super) fn values_line(table: &QualifiedName, column: &str) -> String {
    format!(
        "write `{} = {{ values = [\"…\"] }}` under [{}.columns]",
        key(column),
        header(table)
    )
}

/// A source of numbers between two bounds, in the order and with the growth that the spec asks for, else as it was inferred.
fn within(
    source: &ScalarSource,
    spec: &ColumnSpec,
    (low, high): (i64, i64),
    rows: u64,
) -> ScalarSource {
    let growth = spec.growth.and_then(Growth::new);
    let placed = spec
        .correlation
        .filter(|correlation| correlation.abs() >= 0.05);
    match (placed, source) {
        (Some(correlation), _) => ScalarSource::Placed {
            low,
            high,
            rows,
            stray: stray_for_correlation(correlation),
            growth,
            descending: correlation < 0.0,
            unique: false,
        },
        (
            None,
            ScalarSource::Placed {
                stray,
                growth: inferred,
                descending,
                unique,
                ..
            },
        ) if spec.generator.is_none() && spec.correlation.is_none() => ScalarSource::Placed {
            low,
            high,
            rows,
            stray: *stray,
            growth: spec.growth.map_or_else(|| inferred.clone(), Growth::new),
            descending: *descending,
            unique: *unique,
        },
        (None, ScalarSource::LowHeavy { curve, .. }) if spec.generator.is_none() => {
            ScalarSource::LowHeavy {
                low,
                high,
                curve: curve.clone(),
            }
        }
        (None, _) => ScalarSource::Range {
            low,
            high,
            unique: None,
        },
    }
}
