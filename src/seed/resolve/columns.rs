//! One column by itself: the spec's word first, then what its constraints say, then what its type and name suggest.

use super::Resolver;
use super::table::{Draft, TableDraft};
use crate::schema::Column;
use crate::seed::check::facts::{Operand, Relation};
use crate::seed::distribution::stray_for_correlation;
use crate::seed::encode::{DAY, ScalarEncoding, days_from_civil};
use crate::seed::generators::regex::Pattern;
use crate::seed::generators::{self, Group, Locale};
use crate::seed::infer::types::{TypeClass, limits};
use crate::seed::infer::{self, FROM_YEAR, TO_YEAR, cell_of, names};
use crate::seed::literal;
use crate::seed::plan::{Case, Choice, Draw, Generator, Nulls, Scalar, ScalarSource, Text, TextSource, Weights};
use crate::seed::spec::{ColumnSpec, Place};
use crate::source::nearest;

/// Generators that a spec can name besides the registered text generators.
const PLAIN: &[&str] = &[
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
        let mut draft = Draft {
            column,
            class,
            spec,
            key,
            nulls: null_share(table, column, spec, key),
            draw: Draw::Row,
            generator: Generator::Constant(Box::new([0xff; 4])),
            unique: false,
            fixed: false,
        };
        let said = spec.is_some_and(|s| s.generator.is_some() || s.values.is_some() || s.value.is_some());
        let counted = column.identity.is_some() || column.sequence.is_some();
        let is_key = table.table.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
        if let (TypeClass::Scalar(encoding), true, false, false) = (draft.class.base(), counted, said, is_key) {
            draft.generator = sequence(*encoding, column, 1);
            draft.unique = true;
            draft.fixed = true;
            draft.nulls = Nulls::Never;
            return draft;
        }
        let locale = table_locale(self, table);
        let context = infer::Context { schema: self.schema, table: table.table, rows: table.rows, locale };
        if let Some(inferred) = infer::generator(context, column, &draft.class) {
            draft.generator = inferred.generator;
            draft.draw = inferred.draw;
        } else if !said && !is_key {
            self.unknown_type(table, &mut draft);
        }
        if said {
            if let Some(spec) = spec {
                self.obey_spec(table, &mut draft, spec);
            }
        } else {
            obey_lists(table, &mut draft);
        }
        if let Some(spec) = spec {
            self.obey_range(&mut draft, spec, table.rows);
            draft.draw = infer::draw(spec.distinct, spec.skew, table.rows);
        }
        obey_limits(table, &mut draft);
        share_key(table, &mut draft);
        draft
    }

    fn unknown_type(&mut self, table: &TableDraft<'_>, draft: &mut Draft<'_>) {
        if draft.column.not_null {
            let name = &draft.column.name;
            self.refuse(
                &table.table.name,
                format!("column {name} has type {}, for which there is no generator", draft.column.data_type.name),
                format!("write `{name} = {{ values = [\"…\"] }}` under [tables.{}.columns]", table.table.name),
            );
        }
        draft.nulls = Nulls::Always;
    }

    fn obey_spec(&mut self, table: &TableDraft<'_>, draft: &mut Draft<'_>, spec: &ColumnSpec) {
        if let Some(values) = &spec.values {
            match choice_of(&draft.class, values) {
                Ok(generator) => draft.generator = generator,
                Err(text) => self.errors.push(
                    spec.name.error(format!("\"{text}\" is no value of type {}", draft.column.data_type.name)).into(),
                ),
            }
        } else if let Some(value) = &spec.value {
            match literal_cell(&draft.class, value) {
                Some(cell) => draft.generator = Generator::Constant(cell),
                None => self.errors.push(
                    spec.name.error(format!("\"{value}\" is no value of type {}", draft.column.data_type.name)).into(),
                ),
            }
        } else if let Some(place) = &spec.generator {
            self.named_generator(table, draft, spec, place);
        }
    }

    fn named_generator(&mut self, table: &TableDraft<'_>, draft: &mut Draft<'_>, spec: &ColumnSpec, place: &Place) {
        let name = place.text.as_str();
        let locale = table_locale(self, table);
        let made = match (name, draft.class.base()) {
            ("regex", TypeClass::Text { version, max_chars, .. }) => {
                self.pattern(table, draft, spec, place, *version, *max_chars, locale)
            }
            ("integer" | "number" | "decimal", TypeClass::Scalar(encoding)) if !is_time(*encoding) => {
                uniform(&draft.generator)
            }
            ("timestamp" | "date" | "time", TypeClass::Scalar(encoding)) if is_time(*encoding) => {
                uniform(&draft.generator)
            }
            ("sequence", TypeClass::Scalar(encoding)) => {
                let start = spec.min.as_ref().and_then(|(text, _)| literal::scalar(text, *encoding)).unwrap_or(1);
                draft.unique = true;
                Some(sequence(*encoding, draft.column, start))
            }
            ("uuid", TypeClass::Uuid)
            | ("boolean", TypeClass::Scalar(ScalarEncoding::Bool))
            | ("json", TypeClass::Json { .. })
            | ("bytes", TypeClass::Bytes)
            | ("inet" | "ipv4", TypeClass::Inet { .. }) => Some(draft.generator.clone()),
            (_, TypeClass::Text { version, max_chars, .. }) => generators::find(name).map(|generator| {
                Generator::Text(Text {
                    source: TextSource::Registered(generator),
                    version: *version,
                    min_chars: 0,
                    max_chars: *max_chars,
                    unique: None,
                    locale,
                    case: Case::AsIs,
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
        let known: Vec<&str> =
            generators::ALL.iter().map(|generator| generator.name).chain(PLAIN.iter().copied()).collect();
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
            self.errors.push(place.error("the generator \"regex\" needs a `pattern`").into());
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
                self.errors.push(text.error(format!("not a usable pattern: {error}")).into());
                None
            }
        }
    }

    /// `min`, `max`, `from`, `to`, `correlation`, `growth`.
    fn obey_range(&mut self, draft: &mut Draft<'_>, spec: &ColumnSpec, rows: u64) {
        if spec.min.is_none() && spec.max.is_none() && spec.correlation.is_none() && spec.growth.is_none() {
            return;
        }
        let Generator::Scalar(scalar) = &mut draft.generator else {
            if let Some((_, place)) = spec.min.as_ref().or(spec.max.as_ref()) {
                let message = format!("column {} has no range: it is no number, date or time", draft.column.name);
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
                    place.error(format!("\"{text}\" is no value of type {}", draft.column.data_type.name)).into(),
                ),
            }
        }
        if low > high {
            let place = spec.max.as_ref().or(spec.min.as_ref()).map_or(&spec.name, |(_, place)| place);
            self.errors.push(place.error("the range is empty: its end lies before its beginning").into());
            return;
        }
        let growth = spec.growth.unwrap_or(0.0);
        let placed = spec.correlation.filter(|correlation| correlation.abs() >= 0.05);
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
            (None, ScalarSource::Placed { stray, growth: inferred, descending, unique, .. })
                if spec.generator.is_none() && spec.correlation.is_none() =>
            {
                ScalarSource::Placed {
                    low,
                    high,
                    rows,
                    stray: *stray,
                    growth: spec.growth.unwrap_or(*inferred),
                    descending: *descending,
                    unique: *unique,
                }
            }
            (None, ScalarSource::LowHeavy { exponent, .. }) if spec.generator.is_none() => {
                ScalarSource::LowHeavy { low, high, exponent: *exponent }
            }
            (None, _) => ScalarSource::Range { low, high, unique: None },
        };
    }
}

/// When a column is NULL if nobody says otherwise.
fn null_share(
    table: &TableDraft<'_>,
    column: &Column,
    spec: Option<&ColumnSpec>,
    key: crate::seed::random::Key,
) -> Nulls {
    let key = key.derive("null");
    let facts = &table.facts;
    if facts.null.contains(&column.name) {
        return Nulls::Always;
    }
    let in_primary_key = table.table.primary_key().contains(&column.name.as_str());
    if column.not_null || in_primary_key || facts.not_null.contains(&column.name) {
        return Nulls::Never;
    }
    let share = spec.and_then(|spec| spec.null).unwrap_or(if names::is_seldom(&column.name) { 0.9 } else { 0.05 });
    match share {
        share if share <= 0.0 => Nulls::Never,
        share if share >= 1.0 => Nulls::Always,
        share => Nulls::Share { share, key },
    }
}

fn table_locale(resolver: &mut Resolver<'_>, table: &TableDraft<'_>) -> &'static Locale {
    let written = resolver.specs.get(&table.table.oid).and_then(|spec| spec.locale.as_ref());
    let Some((name, place)) = written else { return resolver.options.locale };
    Locale::find(name).unwrap_or_else(|| {
        let known: Vec<_> = Locale::names().collect();
        let error =
            place.error(format!("there is no locale \"{name}\"")).help(format!("locales are {}", known.join(", ")));
        if !resolver.errors.iter().any(|other| matches!(other, super::SeedError::Spec(other) if *other == error)) {
            resolver.errors.push(error.into());
        }
        resolver.options.locale
    })
}

/// Columns of one person (one place) draw from one stream; a prefix (`billing_`) tells several persons apart.
fn share_key(table: &TableDraft<'_>, draft: &mut Draft<'_>) {
    let Generator::Text(Text { source: TextSource::Registered(generator), .. }) = &draft.generator else { return };
    let group = match generator.group {
        Group::Alone => return,
        Group::Person => "person",
        Group::Place => "place",
    };
    let words = names::words(&draft.column.name);
    let prefix = (0..words.len())
        .find(|start| generator.columns.contains(&words[*start..].join("_").as_str()))
        .map_or(String::new(), |start| words[..start].join("_"));
    draft.key = table.key.derive(group).derive(&prefix);
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
    let Generator::Scalar(scalar) = generator else { return None };
    let (low, high) = source_range(scalar);
    Some(Generator::Scalar(Scalar { source: ScalarSource::Range { low, high, unique: None }, ..scalar.clone() }))
}

fn sequence(encoding: ScalarEncoding, column: &Column, start: i64) -> Generator {
    let unit = crate::seed::encode::power_of_ten(encoding.decimals()) as i64;
    Generator::Scalar(Scalar {
        encoding,
        source: ScalarSource::Sequence { start: start * unit, step: unit },
        hard: limits(encoding, &column.data_type),
        bounds: Vec::new(),
    })
}

pub(super) fn pattern_text(pattern: Pattern, version: Option<u8>, locale: &'static Locale) -> Generator {
    Generator::Text(Text {
        source: TextSource::Pattern(Box::new(pattern)),
        version,
        min_chars: 0,
        max_chars: 0,
        unique: None,
        locale,
        case: Case::AsIs,
    })
}

/// A unique index over `lower(column)`, or a case-insensitive type: texts must differ in more than case.
pub(super) fn folds_case(table: &TableDraft<'_>, column: &str) -> bool {
    table.table.indexes.iter().filter(|index| index.unique).any(|index| {
        index.keys.iter().any(|key| match &key.part {
            crate::schema::KeyPart::Expression(text) => {
                text.contains(column) && (text.contains("lower(") || text.contains("upper("))
            }
            crate::schema::KeyPart::Column(_) => false,
        })
    }) || table.table.column(column).is_some_and(|column| column.data_type.name.ends_with("citext"))
}

/// From where to where a source goes.
pub(super) fn source_range(scalar: &Scalar) -> (i64, i64) {
    match &scalar.source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => (*low, *high),
        ScalarSource::Listed { values, .. } => {
            (values.iter().copied().min().unwrap_or(0), values.iter().copied().max().unwrap_or(0))
        }
        ScalarSource::Sequence { .. } | ScalarSource::Ordinal { .. } | ScalarSource::Digit { .. } => scalar.hard,
        ScalarSource::After { .. } => match scalar.encoding {
            ScalarEncoding::Date => (days_from_civil(FROM_YEAR, 1, 1), days_from_civil(TO_YEAR, 1, 1) - 1),
            _ => (days_from_civil(FROM_YEAR, 1, 1) * DAY, days_from_civil(TO_YEAR, 1, 1) * DAY - 1),
        },
    }
}

/// Values and weights in the class's own form; `Err` with the first text that is none.
fn choice_of(class: &TypeClass, values: &[(String, f64)]) -> Result<Generator, String> {
    let weights = Weights::new(&values.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
    if let TypeClass::Scalar(encoding) = class.base() {
        let values: Box<[i64]> = values
            .iter()
            .map(|(text, _)| literal::scalar(text, *encoding).ok_or_else(|| text.clone()))
            .collect::<Result<_, _>>()?;
        return Ok(Generator::Scalar(Scalar {
            encoding: *encoding,
            source: ScalarSource::Listed { values, weights },
            hard: encoding.limits(),
            bounds: Vec::new(),
        }));
    }
    let cells = values
        .iter()
        .map(|(text, _)| literal_cell(class, text).ok_or_else(|| text.clone()))
        .collect::<Result<_, _>>()?;
    Ok(Generator::Choice(Choice { cells, weights, unique: None, odometer: None }))
}

/// A constant's cell; `None` where the text is no value of the class.
pub(super) fn literal_cell(class: &TypeClass, text: &str) -> Option<Box<[u8]>> {
    let mut cell = Vec::new();
    match class.base() {
        TypeClass::Scalar(encoding) => encoding.write(literal::scalar(text, *encoding)?, &mut cell),
        TypeClass::Text { version, max_chars, .. } => {
            if *max_chars > 0 && text.chars().count() > *max_chars as usize {
                return None;
            }
            let start = crate::seed::encode::begin(&mut cell);
            cell.extend(version);
            cell.extend_from_slice(text.as_bytes());
            crate::seed::encode::end(&mut cell, start);
        }
        TypeClass::Enum(labels) => return labels.iter().any(|label| label == text).then(|| cell_of(text.as_bytes())),
        TypeClass::Json { binary } => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
            let start = crate::seed::encode::begin(&mut cell);
            cell.extend(binary.then_some(1));
            cell.extend_from_slice(text.as_bytes());
            crate::seed::encode::end(&mut cell, start);
        }
        TypeClass::Uuid => {
            let digits: String = text.chars().filter(|c| *c != '-').collect();
            let value = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
            crate::seed::encode::fixed(&mut cell, value.to_be_bytes());
        }
        TypeClass::Inet { .. }
        | TypeClass::Mac { .. }
        | TypeClass::Bytes
        | TypeClass::Bits { .. }
        | TypeClass::Geometry(_)
        | TypeClass::TextSearch
        | TypeClass::Array { .. }
        | TypeClass::Composite(_)
        | TypeClass::Range { .. }
        | TypeClass::Domain { .. }
        | TypeClass::Unknown(_) => return None,
    }
    Some(cell.into())
}

/// Lists, patterns and json types of CHECKs.
fn obey_lists(table: &TableDraft<'_>, draft: &mut Draft<'_>) {
    let name = &draft.column.name;
    let mut lists = table.facts.lists.iter().filter(|(column, _)| column == name);
    if let Some((_, first)) = lists.next() {
        let rest: Vec<_> = lists.collect();
        let weights = |rank: usize| 1.0 / ((rank + 1) as f64).sqrt();
        let values: Vec<(String, f64)> = first
            .iter()
            .filter(|value| rest.iter().all(|(_, list)| list.contains(value)))
            .enumerate()
            .map(|(rank, value)| (value.clone(), weights(rank)))
            .collect();
        if let Ok(generator) = choice_of(&draft.class, &values) {
            draft.generator = generator;
        }
        return;
    }
    if let Some((_, pattern)) = table.facts.patterns.iter().find(|(column, _)| column == name)
        && let TypeClass::Text { version, .. } = draft.class.base()
        && let Ok(pattern) = Pattern::new(pattern, folds_case(table, name))
    {
        draft.generator = pattern_text(pattern, *version, Locale::default_locale());
        return;
    }
    if let Some((_, json_type)) = table.facts.json.iter().find(|(column, _)| column == name) {
        let document = match json_type.as_str() {
            "array" => "[]",
            "string" => "\"\"",
            "number" => "0",
            "boolean" => "true",
            _ => return,
        };
        if let Some(cell) = literal_cell(&draft.class, document) {
            draft.generator = Generator::Constant(cell);
        }
    }
}

/// Ranges, exclusions, lengths and case of CHECKs.
fn obey_limits(table: &TableDraft<'_>, draft: &mut Draft<'_>) {
    let name = draft.column.name.as_str();
    let facts = &table.facts;
    match &mut draft.generator {
        Generator::Scalar(scalar) => {
            for comparison in facts.comparisons.iter().filter(|comparison| comparison.left == name) {
                let Operand::Constant(text) = &comparison.right else { continue };
                if let Some(value) = literal::scalar(text, scalar.encoding) {
                    limit(scalar, comparison.relation, value);
                }
            }
            for (_, values) in facts.excluded.iter().filter(|(column, _)| column == name) {
                let encoding = scalar.encoding;
                for value in values.iter().filter_map(|text| literal::scalar(text, encoding)) {
                    let (low, _) = source_range(scalar);
                    if value == low {
                        limit(scalar, Relation::Greater, value);
                    }
                }
            }
            enter(scalar);
        }
        Generator::Choice(choice) => {
            let excluded: Vec<_> = facts
                .excluded
                .iter()
                .filter(|(column, _)| column == name)
                .flat_map(|(_, values)| values)
                .filter_map(|text| literal_cell(&draft.class, text))
                .collect();
            if !excluded.is_empty() {
                let cells: Box<[_]> = choice.cells.iter().filter(|cell| !excluded.contains(cell)).cloned().collect();
                if cells.len() < choice.cells.len() {
                    choice.weights = Weights::new(&vec![1.0; cells.len()]);
                    choice.cells = cells;
                }
            }
        }
        Generator::Text(text) => {
            for (_, min, max) in facts.lengths.iter().filter(|(column, ..)| column == name) {
                text.min_chars = text.min_chars.max(*min);
                if *max != u32::MAX {
                    text.max_chars = if text.max_chars == 0 { *max } else { text.max_chars.min(*max) };
                }
            }
            if facts.lower.iter().any(|column| column == name) {
                text.case = Case::Lower;
            }
            if facts.upper.iter().any(|column| column == name) {
                text.case = Case::Upper;
            }
        }
        _ => {}
    }
}

fn limit(scalar: &mut Scalar, relation: Relation, value: i64) {
    match relation {
        Relation::Less => scalar.hard.1 = scalar.hard.1.min(value.saturating_sub(1)),
        Relation::LessOrEqual => scalar.hard.1 = scalar.hard.1.min(value),
        Relation::Greater => scalar.hard.0 = scalar.hard.0.max(value.saturating_add(1)),
        Relation::GreaterOrEqual => scalar.hard.0 = scalar.hard.0.max(value),
        Relation::Equal => {
            scalar.hard.0 = scalar.hard.0.max(value);
            scalar.hard.1 = scalar.hard.1.min(value);
        }
        Relation::NotEqual => {}
    }
}

/// Brings a source within the hard limits; one that lies outside is moved next to them.
pub(super) fn enter(scalar: &mut Scalar) {
    let (least, most) = scalar.hard;
    match &mut scalar.source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => {
            let width = high.saturating_sub(*low);
            if *low > most || *high < least {
                *low = if *low > most { most.saturating_sub(width).max(least) } else { least };
                *high = low.saturating_add(width).min(most);
            }
            *low = (*low).max(least);
            *high = (*high).min(most).max(*low);
        }
        ScalarSource::Sequence { .. }
        | ScalarSource::Listed { .. }
        | ScalarSource::Ordinal { .. }
        | ScalarSource::Digit { .. }
        | ScalarSource::After { .. } => {}
    }
}
