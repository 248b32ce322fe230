//! One column by itself: the spec's word first, then what its constraints say, then what its type and name suggest.

use super::Resolver;
use super::table::{Draft, TableDraft};
use crate::schema::{Column, KeyPart, PartitionStrategy, QualifiedName, Sequence};
use crate::seed::check::ColumnFacts;
use crate::seed::curve::Growth;
use crate::seed::describe::{header, key};
use crate::seed::distribution::stray_for_correlation;
use crate::seed::generators::regex::Pattern;
use crate::seed::generators::{self, Group, Locale};
use crate::seed::infer::constants::Known;
use crate::seed::infer::obey::{Origin, Value, obey};
use crate::seed::infer::values::{choice_of, pattern_text, scalar, source_range};
use crate::seed::infer::{self, names};
use crate::seed::plan::{
    Case, Choice, Draw, Generator, Nulls, Quantiles, Scalar, ScalarSource, Text, TextSource,
    Weights,
};
use crate::seed::spec::{ColumnSpec, Place};
use crate::seed::types::{ScalarEncoding, TypeClass, limits, literal};
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
    pub(super) fn plan_column(
        &mut self,
        table: &TableDraft<'a>,
        column: &'a Column,
        class: TypeClass,
        spec: Option<&'a ColumnSpec>,
    ) -> Draft<'a> {
        let key = table.key.derive(&column.name);
        let facts = table.facts.of(&column.name);
        let mut draft = Draft {
            column,
            nulls: null_share(table, column, &class, &facts, spec, key),
            class,
            spec,
            key,
            draw: Draw::Row,
            generator: Generator::Constant(Box::new([0xff; 4])),
            choices: None,
            facts,
            unique: false,
            fixed: false,
            arms: None,
            literals: None,
        };
        let named = std::slice::from_ref(&column.name);
        if matches!(draft.nulls, Nulls::Share { .. })
            && spec.is_none_or(|spec| spec.null.is_none())
            && self.is_part_of_a_reference(table.table, named)
        {
            draft.nulls = Nulls::Never;
        }
        let said = spec.is_some_and(is_said);
        let counted = column.identity.is_some() || column.sequence.is_some();
        let is_key = table
            .table
            .foreign_keys
            .iter()
            .any(|key| key.columns.contains(&column.name));
        if let (TypeClass::Scalar(encoding), true, false, false) =
            (draft.class.base(), counted, said, is_key)
        {
            draft.generator = sequence(*encoding, column, 1);
            if let (Generator::Scalar(scalar), Some(sequence)) =
                (&mut draft.generator, &column.sequence)
            {
                count_like(scalar, sequence);
            }
            if let Generator::Scalar(scalar) = &mut draft.generator {
                infer::obey::limits(scalar, &draft.facts, self.options.clock);
            }
            draft.unique = true;
            draft.fixed = true;
            draft.nulls = Nulls::Never;
            return draft;
        }
        let locale = table_locale(self, table);
        let context = infer::Context {
            schema: self.schema,
            table: table.table,
            rows: table.rows,
            locale,
            clock: self.options.clock,
        };
        match infer::generator(context, column, &draft.class) {
            Some(_)
                if let (TypeClass::Scalar(encoding), false) = (draft.class.base(), is_key)
                    && is_row_number(table, column, *encoding) =>
            {
                draft.generator = sequence(*encoding, column, 1);
            }
            Some(generator) => draft.generator = generator,
            None if !said && !is_key => self.unknown_type(table, &mut draft),
            None => {}
        }
        if let (true, Some(spec)) = (said, spec) {
            self.obey_spec(table, &mut draft, spec);
        }
        if let Some(spec) = spec {
            self.obey_range(&mut draft, spec, table.rows);
            self.obey_statistics(table, &mut draft, spec);
            draft.draw = infer::draw(spec.distinct, spec.skew, table.rows);
            self.obey_order(table, &mut draft, spec);
        }
        if !said && !is_key && spec.is_none_or(leaves_values_open) {
            self.enter_constants(table, &mut draft);
        }
        if !is_key {
            self.obey_constraints(table, &mut draft, context, said);
        }
        share_key(table, &mut draft);
        draft
    }

    /// What queries and indexes name is in the data, unless the column's values follow from something stricter.
    fn enter_constants(&self, table: &TableDraft<'a>, draft: &mut Draft<'a>) {
        if !is_free(table, draft) {
            return;
        }
        let mut known = Known::of(table.table, draft.column, &self.options.constants);
        if is_checked(table, draft) {
            known.leave_values();
        }
        if known.is_empty() {
            return;
        }
        let says_nulls = draft.spec.is_some_and(|spec| spec.null.is_some());
        if let (Nulls::Share { share, .. }, false) = (&mut draft.nulls, says_nulls) {
            *share = known.null_share(*share);
        }
        let (class, facts, clock) = (&draft.class, &draft.facts, self.options.clock);
        if let Some(listed) = known.enter(draft.column, class, facts, clock, &mut draft.generator) {
            draft.choices = Some(listed);
        }
    }

    fn obey_constraints(
        &mut self,
        table: &TableDraft<'a>,
        draft: &mut Draft<'a>,
        context: infer::Context<'_>,
        said: bool,
    ) {
        let by = if said { Origin::Spec } else { Origin::Inferred };
        let folds = folds_case(table, &draft.column.name);
        let mut value = Value {
            generator: draft.generator.clone(),
            choices: draft.choices.clone(),
        };
        match obey(context, &draft.class, &draft.facts, by, folds, &mut value) {
            Ok(()) => (draft.generator, draft.choices) = (value.generator, value.choices),
            Err(reason) => {
                let name = &draft.column.name;
                match draft.spec.filter(|_| said) {
                    Some(spec) => self.errors.push(
                        spec.name
                            .error(format!(
                                "column {name} cannot meet its CHECK constraints: {reason}"
                            ))
                            .into(),
                    ),
                    None => self.refuse(
                        &table.table.name,
                        format!("column {name} cannot meet its CHECK constraints: {reason}"),
                        values_line(&table.table.name, name),
                    ),
                }
            }
        }
    }

    fn unknown_type(&mut self, table: &TableDraft<'_>, draft: &mut Draft<'_>) {
        if draft.column.not_null {
            let name = &draft.column.name;
            self.refuse(
                &table.table.name,
                format!(
                    "column {name} has type {}, for which there is no generator",
                    draft.column.data_type.name
                ),
                values_line(&table.table.name, name),
            );
        }
        draft.nulls = Nulls::Always;
    }

    fn obey_spec(&mut self, table: &TableDraft<'_>, draft: &mut Draft<'_>, spec: &ColumnSpec) {
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
        match Pattern::new(&text.text, folds_case(table, &draft.column.name)) {
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
    fn obey_range(&mut self, draft: &mut Draft<'_>, spec: &ColumnSpec, rows: u64) {
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
        let growth = spec.growth.and_then(Growth::new);
        let placed = spec
            .correlation
            .filter(|correlation| correlation.abs() >= 0.05);
        scalar.source = match (placed, &scalar.source) {
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
        };
    }
}

impl<'a> Resolver<'a> {
    /// A correlation beside a list or a number of different values: neither of these bends to it.
    fn obey_order(&mut self, table: &TableDraft<'a>, draft: &mut Draft<'a>, spec: &ColumnSpec) {
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
fn values_line(table: &QualifiedName, column: &str) -> String {
    format!(
        "write `{} = {{ values = [\"…\"] }}` under [{}.columns]",
        key(column),
        header(table)
    )
}

/// Whether only the server can read the type's text form.
fn is_opaque(class: &TypeClass) -> bool {
    !matches!(
        class,
        TypeClass::Scalar(_)
            | TypeClass::Text { .. }
            | TypeClass::Enum(_)
            | TypeClass::Json { .. }
            | TypeClass::Uuid
    )
}

/// Whether a spec that does not say what the values are leaves their range and number open, too.
fn leaves_values_open(spec: &ColumnSpec) -> bool {
    spec.common.is_none()
        && spec.distinct.is_none()
        && spec.skew.is_none()
        && spec.min.is_none()
        && spec.max.is_none()
}

/// Whether some rows may have a value because somebody asks for it: no key and no list of its own.
fn is_free(table: &TableDraft<'_>, draft: &Draft<'_>) -> bool {
    let name = &draft.column.name;
    let is_listed = matches!(
        draft.class.base(),
        TypeClass::Enum(_) | TypeClass::Scalar(ScalarEncoding::Bool)
    ) || !draft.facts.lists.is_empty();
    let mentions = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == name)
    };
    let in_unique = table
        .table
        .indexes
        .iter()
        .filter(|index| index.unique)
        .any(|index| {
            let in_key = index.keys.iter().any(|key| match &key.part {
                KeyPart::Column(column) => column == name,
                KeyPart::Expression(text) => mentions(text),
            });
            in_key || index.predicate.as_deref().is_some_and(mentions)
        });
    let in_partition_key = table.table.partition_key.as_ref().is_some_and(|key| {
        key.parts.iter().any(|part| match part {
            KeyPart::Column(column) => column == name,
            KeyPart::Expression(text) => mentions(text),
        })
    });
    !is_listed && !in_unique && !in_partition_key && table.table.exclusions.is_empty()
}

/// Whether a CHECK of the table or of the column's domain says something of a column.
fn is_checked(table: &TableDraft<'_>, draft: &Draft<'_>) -> bool {
    let mentions = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == draft.column.name)
    };
    let checks = &table.table.checks;
    matches!(draft.class, TypeClass::Domain { .. })
        || checks.iter().any(|check| mentions(&check.expression))
}

/// Whether the spec says what the values are.
fn is_said(spec: &ColumnSpec) -> bool {
    spec.generator.is_some()
        || spec.values.is_some()
        || spec.value.is_some()
        || spec.histogram.is_some()
        || spec.shape.is_some()
        || spec.template.is_some()
        || spec.expression.is_some()
}

/// When a column is NULL if nobody says otherwise.
fn null_share(
    table: &TableDraft<'_>,
    column: &Column,
    class: &TypeClass,
    facts: &ColumnFacts,
    spec: Option<&ColumnSpec>,
    key: crate::seed::random::Key,
) -> Nulls {
    let key = key.derive("null");
    if facts.null == Some(true) {
        return Nulls::Always;
    }
    let in_primary_key = table.table.primary_key().contains(&column.name.as_str());
    let in_range_key = table.table.partition_key.as_ref().is_some_and(|key| {
        key.strategy != PartitionStrategy::List
            && key.parts.contains(&KeyPart::Column(column.name.clone()))
    });
    let of_domain = matches!(class, TypeClass::Domain { not_null: true, .. });
    if column.not_null || of_domain || in_primary_key || in_range_key || facts.null == Some(false) {
        return Nulls::Never;
    }
    let share = spec
        .and_then(|spec| spec.null)
        .unwrap_or_else(|| usual_null_share(column, class));
    match share {
        share if share <= 0.0 => Nulls::Never,
        share if share >= 1.0 => Nulls::Always,
        share => Nulls::Share { share, key },
    }
}

/// Every row was made at some time, few were deleted.
fn usual_null_share(column: &Column, class: &TypeClass) -> f64 {
    let made = matches!(
        class.base(),
        TypeClass::Scalar(ScalarEncoding::Timestamp | ScalarEncoding::Date)
    ) && names::is_creation(&column.name);
    if made {
        0.0
    } else if names::is_seldom(&column.name) {
        0.9
    } else {
        0.05
    }
}

fn table_locale(resolver: &mut Resolver<'_>, table: &TableDraft<'_>) -> &'static Locale {
    let written = resolver
        .specs
        .get(&table.table.oid)
        .and_then(|spec| spec.locale.as_ref());
    let Some((name, place)) = written else {
        return resolver.options.locale;
    };
    Locale::find(name).unwrap_or_else(|| {
        let known: Vec<_> = Locale::names().collect();
        let error = place
            .error(format!("there is no locale \"{name}\""))
            .help(format!("locales are {}", known.join(", ")));
        if !resolver
            .errors
            .iter()
            .any(|other| matches!(other, super::SeedError::Spec(other) if *other == error))
        {
            resolver.errors.push(error.into());
        }
        resolver.options.locale
    })
}

/// Columns of one person draw from one stream; a prefix (`billing_`) tells several persons apart.
fn share_key(table: &TableDraft<'_>, draft: &mut Draft<'_>) {
    let Generator::Text(Text {
        source: TextSource::Registered(generator),
        ..
    }) = &draft.generator
    else {
        return;
    };
    let prefix = names::before(&draft.column.name);
    match generator.group {
        // Places agree once all of the row's columns are known: `super::places`.
        Group::Alone | Group::Place | Group::PlaceToo => {}
        Group::Person => draft.key = table.key.derive("person").derive(&prefix),
    }
}

fn is_time(encoding: ScalarEncoding) -> bool {
    matches!(
        encoding,
        ScalarEncoding::Date
            | ScalarEncoding::Time
            | ScalarEncoding::TimeTz
            | ScalarEncoding::Timestamp
            | ScalarEncoding::Interval
    )
}

/// An inferred scalar with all values of its range alike.
fn uniform(generator: &Generator) -> Option<Generator> {
    let Generator::Scalar(scalar) = generator else {
        return None;
    };
    let (low, high) = source_range(scalar);
    Some(Generator::Scalar(Scalar {
        source: ScalarSource::Range {
            low,
            high,
            unique: None,
        },
        ..scalar.clone()
    }))
}

/// A column's numbers are those that its sequence would give, as far as both go.
fn count_like(scalar: &mut Scalar, sequence: &Sequence) {
    let unit = crate::seed::types::binary::power_of_ten(scalar.encoding.decimals()) as i64;
    let scaled = |value: i64| value.saturating_mul(unit);
    scalar.hard = (
        scalar.hard.0.max(scaled(sequence.least)),
        scalar.hard.1.min(scaled(sequence.most)),
    );
    scalar.source = ScalarSource::Sequence {
        start: scaled(sequence.start),
        step: scaled(sequence.step),
    };
}

/// A whole number that is a primary key by itself: programs number rows as they make them, with or without a sequence
/// of the column's own.
fn is_row_number(table: &TableDraft<'_>, column: &Column, encoding: ScalarEncoding) -> bool {
    let whole = matches!(
        encoding,
        ScalarEncoding::Int2
            | ScalarEncoding::Int4
            | ScalarEncoding::Int8
            | ScalarEncoding::Numeric { decimals: 0 }
    );
    let is_column = |part: &KeyPart| matches!(part, KeyPart::Column(name) if *name == column.name);
    let mut indexes = table.table.indexes.iter().filter(|index| index.primary);
    whole && indexes.any(|index| matches!(&index.keys[..], [key] if is_column(&key.part)))
}

fn sequence(encoding: ScalarEncoding, column: &Column, start: i64) -> Generator {
    let unit = crate::seed::types::binary::power_of_ten(encoding.decimals()) as i64;
    let source = ScalarSource::Sequence {
        start: start * unit,
        step: unit,
    };
    Generator::Scalar(scalar(
        encoding,
        source,
        limits(encoding, &column.data_type),
    ))
}

/// A unique index over `lower(column)`, or a case-insensitive type: texts must differ in more than case.
pub(super) fn folds_case(table: &TableDraft<'_>, column: &str) -> bool {
    table
        .table
        .indexes
        .iter()
        .filter(|index| index.unique)
        .any(|index| {
            index.keys.iter().any(|key| match &key.part {
                crate::schema::KeyPart::Expression(text) => {
                    text.contains(column) && (text.contains("lower(") || text.contains("upper("))
                }
                crate::schema::KeyPart::Column(_) => false,
            })
        })
        || table
            .table
            .column(column)
            .is_some_and(|column| column.data_type.name.ends_with("citext"))
}
