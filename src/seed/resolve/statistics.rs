//! What ANALYZE measured, as settings of the spec: common values, histograms, widths; and columns that are computed from other
//! columns.

use super::Resolver;
use super::table::{Draft, TableDraft};
use crate::schema::Table;
use crate::seed::distribution::stray_for_correlation;
use crate::seed::infer::values::choice_of;
use crate::seed::plan::{
    Case, Choice, Draw, Generator, Piece, Placement, ScalarSource, Text, TextSource, Weights,
};
use crate::seed::spec::{ColumnSpec, Place};
use crate::seed::types::{TypeClass, classify, literal};
use crate::source::nearest;

impl<'a> Resolver<'a> {
    /// `histogram`, `common`, `width`, `template`.
    pub(super) fn obey_statistics(
        &mut self,
        table: &TableDraft<'a>,
        draft: &mut Draft<'a>,
        spec: &ColumnSpec,
    ) {
        if let Some(bounds) = &spec.histogram {
            self.obey_histogram(table, draft, spec, bounds);
        }
        let mut keys = table.table.foreign_keys.iter();
        let is_key = keys.any(|key| key.columns.contains(&draft.column.name));
        // A key's shape is its link's.
        if let Some(shape) = spec.shape.as_ref().filter(|_| !is_key) {
            self.obey_shape(table.rows, draft, spec, shape);
        }
        if let Some(place) = &spec.template {
            self.obey_template(table.table, draft, place);
        }
        if let Some(width) = spec.width {
            match &mut draft.generator {
                Generator::Text(text) => text.width = width,
                Generator::Bytes { min, max } => (*min, *max) = (width / 2, width + width / 2),
                _ => self.errors.push(
                    spec.name
                        .error(format!(
                            "column {} has no width: it is neither text nor bytea",
                            draft.column.name
                        ))
                        .into(),
                ),
            }
        }
        if let Some(common) = &spec.common {
            self.obey_common(draft, spec, common);
        }
    }

    fn obey_histogram(
        &mut self,
        table: &TableDraft<'a>,
        draft: &mut Draft<'a>,
        spec: &ColumnSpec,
        bounds: &[String],
    ) {
        let no_value = |text: &str| {
            spec.name.error(format!(
                "\"{text}\" is no value of type {}",
                draft.column.data_type.name
            ))
        };
        match (&mut draft.generator, draft.class.base()) {
            (Generator::Scalar(scalar), _) => {
                let mut numbers = Vec::with_capacity(bounds.len());
                for text in bounds {
                    match literal::scalar(text, scalar.encoding) {
                        Some(number) => numbers.push(number),
                        None => self.errors.push(no_value(text).into()),
                    }
                }
                numbers.sort_unstable();
                let placed = spec
                    .correlation
                    .filter(|correlation| correlation.abs() >= 0.05)
                    .map(|correlation| Placement {
                        rows: table.rows,
                        stray: stray_for_correlation(correlation),
                        descending: correlation < 0.0,
                    });
                scalar.source = ScalarSource::Histogram {
                    bounds: numbers.into(),
                    placed,
                };
            }
            (Generator::Text(text), TypeClass::Text { .. }) => {
                text.source =
                    TextSource::Bounds(bounds.iter().map(|bound| bound.as_str().into()).collect());
            }
            _ => {
                let message = format!(
                    "column {} has no histogram: its type has no order here",
                    draft.column.name
                );
                self.errors.push(spec.name.error(message).into());
            }
        }
    }

    fn obey_common(&mut self, draft: &mut Draft<'a>, spec: &ColumnSpec, common: &[(String, f64)]) {
        let share: f64 = common.iter().map(|(_, share)| share).sum();
        let weights = Weights::new(&common.iter().map(|(_, share)| *share).collect::<Vec<_>>());
        if let Generator::Scalar(scalar) = &mut draft.generator {
            let values: Option<Box<[i64]>> = common
                .iter()
                .map(|(text, _)| literal::scalar(text, scalar.encoding))
                .collect();
            if let Some(values) = values {
                let rest = Box::new(scalar.source.clone());
                scalar.source = ScalarSource::Mixed {
                    values,
                    weights,
                    share,
                    rest,
                };
                return;
            }
        } else if choice_of(&draft.class, common).is_ok() {
            let cells = common
                .iter()
                .filter_map(|(text, _)| literal::cell(&draft.class, text))
                .collect();
            let choice = Choice {
                cells,
                weights,
                quantiles: None,
                unique: None,
                odometer: None,
            };
            let rest = Box::new(draft.generator.clone());
            draft.generator = Generator::Mixed {
                common: choice,
                share,
                rest,
            };
            return;
        }
        let message = format!(
            "one of `common` is no value of type {}",
            draft.column.data_type.name
        );
        self.errors.push(spec.name.error(message).into());
    }

    /// `"{first_name}.{last_name}@example.com"`.
    fn obey_template(&mut self, table: &'a Table, draft: &mut Draft<'a>, place: &Place) {
        let TypeClass::Text {
            version, max_chars, ..
        } = draft.class.base()
        else {
            let message = format!(
                "a template makes text, column {} is of type {}",
                draft.column.name, draft.column.data_type.name
            );
            self.errors.push(place.error(message).into());
            return;
        };
        let (version, max_chars) = (*version, *max_chars);
        let mut pieces = Vec::new();
        let mut rest = place.text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            pieces.push(Piece::Text(before.into()));
            let Some((name, after)) = after.split_once('}') else {
                self.errors
                    .push(place.error("a `{` of the template is not closed").into());
                return;
            };
            let Some(piece) = self.piece(table, &draft.column.name, name, place) else {
                return;
            };
            pieces.push(piece);
            rest = after;
        }
        pieces.push(Piece::Text(rest.into()));
        draft.generator = Generator::Text(Text {
            source: TextSource::Template(pieces.into()),
            version,
            min_chars: 0,
            max_chars,
            unique: None,
            locale: self.options.locale,
            case: Case::AsIs,
            width: 0,
        });
    }

    fn piece(&mut self, table: &'a Table, own: &str, name: &str, place: &Place) -> Option<Piece> {
        let spec = self.specs.get(&table.oid).copied();
        let written: Vec<_> = super::table::written_columns(self.schema, table, spec).collect();
        // Templates of templates would have to be made in an order; none is needed.
        let made_so = |name: &str| {
            spec.is_some_and(|spec| {
                spec.columns
                    .iter()
                    .any(|c| c.name.text == name && c.template.is_some())
            })
        };
        match written.iter().position(|column| column.name == name) {
            Some(column) if name != own && !made_so(name) => {
                let class = classify(self.schema, &written[column].data_type);
                Some(Piece::Column {
                    column,
                    class,
                    type_oid: written[column].data_type.oid,
                })
            }
            Some(_) => {
                self.errors.push(
                    place
                        .error(format!(
                            "a template cannot be made of {name}, which has one itself"
                        ))
                        .into(),
                );
                None
            }
            None => {
                let error = place.error(format!(
                    "table {} has no column {name} to make a template of",
                    table.name
                ));
                let near = nearest(name, written.iter().map(|column| column.name.as_str()));
                self.errors.push(match near {
                    Some(near) => error.help(format!("did you mean {{{near}}}?")).into(),
                    None => error.into(),
                });
                None
            }
        }
    }

    /// `depends-on`, when all columns are known: what depends on something that depends on it cannot be made.
    pub(super) fn plan_dependence(&mut self, draft: &mut TableDraft<'a>) {
        for column in 0..draft.columns.len() {
            let Some(spec) = draft.columns[column].spec else {
                continue;
            };
            let Some(place) = &spec.depends_on else {
                continue;
            };
            let Some(other) = draft.position(&place.text) else {
                let error = place.error(format!(
                    "table {} has no column {}",
                    draft.table.name, place.text
                ));
                self.errors.push(error.into());
                continue;
            };
            let circle =
                other == column || matches!(draft.columns[other].draw, Draw::Dependent { .. });
            if circle {
                let message = format!("{} depends on another column itself", place.text);
                self.errors.push(place.error(message).into());
                continue;
            }
            let distinct = spec.distinct.unwrap_or(draft.rows.max(1));
            draft.columns[column].draw = Draw::Dependent {
                column: other,
                distinct,
            };
        }
    }
}
