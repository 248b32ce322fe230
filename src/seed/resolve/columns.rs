//! One column by itself: the spec's word first, then what its constraints say, then what its type and name suggest.

use super::Resolver;
use super::column_knobs::values_line;
use super::table::{Draft, TableDraft};
use crate::schema::{Column, KeyPart, PartitionStrategy, Sequence, Table};
use crate::seed::check::ColumnFacts;
use crate::seed::generators::regex::Letters;
use crate::seed::generators::{Group, Locale};
use crate::seed::infer::constants::Known;
use crate::seed::infer::obey::{Origin, Value, obey};
use crate::seed::infer::values::{scalar, source_range};
use crate::seed::infer::{self, names};
use crate::seed::plan::{Draw, Generator, Nulls, Scalar, ScalarSource, Text, TextSource};
use crate::seed::spec::ColumnSpec;
use crate::seed::types::{ScalarEncoding, TypeClass, limits};

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
        let is_key = is_in_a_foreign_key(table.table, column);
        if let (TypeClass::Scalar(encoding), true, false, false) =
            (draft.class.base(), counted, said, is_key)
        {
            let encoding = *encoding;
            self.count_rows(&mut draft, encoding);
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

    /// An identity, or a column with a sequence: numbered as its sequence does.
    fn count_rows(&self, draft: &mut Draft<'a>, encoding: ScalarEncoding) {
        draft.generator = sequence(encoding, draft.column, 1);
        if let (Generator::Scalar(scalar), Some(sequence)) =
            (&mut draft.generator, &draft.column.sequence)
        {
            count_like(scalar, sequence);
        }
        if let Generator::Scalar(scalar) = &mut draft.generator {
            infer::obey::limits(scalar, &draft.facts, self.options.clock);
        }
        draft.unique = true;
        draft.fixed = true;
        draft.nulls = Nulls::Never;
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
        let letters = letters(table, &draft.column.name);
        let mut value = Value {
            generator: draft.generator.clone(),
            choices: draft.choices.clone(),
        };
        match obey(context, &draft.class, &draft.facts, by, letters, &mut value) {
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
}

/// Whether only the server can read the type's text form.
pub(super) fn is_opaque(class: &TypeClass) -> bool {
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

pub(super) fn table_locale(resolver: &mut Resolver<'_>, table: &TableDraft<'_>) -> &'static Locale {
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

pub(super) fn is_time(encoding: ScalarEncoding) -> bool {
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
pub(super) fn uniform(generator: &Generator) -> Option<Generator> {
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

pub(super) fn sequence(encoding: ScalarEncoding, column: &Column, start: i64) -> Generator {
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
pub(super) fn letters(table: &TableDraft<'_>, column: &str) -> Letters {
    let folds = table
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
            .is_some_and(|column| column.data_type.name.ends_with("citext"));
    if folds {
        Letters::AnyCase
    } else {
        Letters::AsTheyAre
    }
}

fn is_in_a_foreign_key(table: &Table, column: &Column) -> bool {
    let mut keys = table.foreign_keys.iter();
    keys.any(|key| key.columns.contains(&column.name))
}
