//! What a column should hold when nobody said it: by its type, its name and its table's name.

pub mod constants;
mod documents;
pub mod names;
pub mod obey;
pub mod stages;
pub mod values;

use super::check::{Facts as ColumnFactsSource, alternatives};
use super::clock::Clock;
use super::curve::{Curve, Growth};
use super::expression::Expression;
use super::generators::regex::{Letters, Pattern};
use super::generators::{self, Locale};
use super::plan::{
    Case, Choice, ColumnPlan, Draw, Generator, JsonShape, Nulls, Scalar, ScalarSource, Text,
    TextSource, Weights,
};
use super::random::Key;
use super::ranks::Ranks;
use super::types::binary::{self, DAY};
use crate::calendar::days_from_civil;
use crate::schema::{Column, Schema, Table};
use crate::seed::types::{self, ScalarEncoding, TypeClass};
use names::Meaning;
use obey::{Origin, Value};

/// Where a column stands.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// For user types.
    pub schema: &'a Schema,
    /// For its name.
    pub table: &'a Table,
    /// Rows of the table.
    pub rows: u64,
    /// Names and places.
    pub locale: &'static Locale,
    /// The dataset's "now".
    pub clock: Clock,
}

/// The generator for a column of this class, by its name. `None` for types that have none.
#[must_use]
pub fn generator(context: Context<'_>, column: &Column, class: &TypeClass) -> Option<Generator> {
    Some(match class {
        TypeClass::Scalar(encoding) => Generator::Scalar(scalar(context, column, *encoding)),
        TypeClass::Text {
            version,
            max_chars,
            fixed,
        } => Generator::Text(text(context, column, *version, *max_chars, *fixed)),
        TypeClass::Enum(labels) => enumeration(labels),
        TypeClass::Uuid => Generator::Uuid,
        TypeClass::Inet { cidr } => Generator::Inet {
            cidr: *cidr,
            unique: None,
        },
        TypeClass::Mac { bytes } => Generator::Mac { bytes: *bytes },
        TypeClass::Bytes => match names::digest_bytes(&column.name) {
            Some(bytes) => Generator::Bytes {
                min: bytes,
                max: bytes,
            },
            None => Generator::Bytes { min: 8, max: 64 },
        },
        TypeClass::Bits { min, max } => Generator::Bits {
            min: *min,
            max: *max,
        },
        TypeClass::Geometry(figure) => Generator::Geometry(*figure),
        TypeClass::TextSearch => Generator::TextSearch,
        TypeClass::TextQuery => Generator::TextQuery,
        TypeClass::Pairs => Generator::Pairs,
        TypeClass::System(kind) => Generator::System(*kind),
        TypeClass::Json { binary } => Generator::Json {
            binary: *binary,
            shape: JsonShape::Object {
                keys: Box::default(),
                members: Box::default(),
            },
        },
        TypeClass::Array {
            element,
            element_type,
        } => {
            let element = part(context, column, element, "element")?;
            Generator::Array {
                element: Box::new(element),
                element_type: *element_type,
                min: 0,
                max: 4,
            }
        }
        TypeClass::Composite(fields) => {
            let fields = fields
                .iter()
                .map(|(name, oid, class)| {
                    part(context, column, class, name).map(|plan| (*oid, plan))
                })
                .collect::<Option<Vec<_>>>()?;
            Generator::Composite { fields }
        }
        TypeClass::Range {
            subtype,
            multirange,
        } => {
            let TypeClass::Scalar(encoding) = *subtype.base() else {
                return None;
            };
            let low = Box::new(part(context, column, subtype, "low")?);
            let width = range_width(encoding);
            if *multirange {
                Generator::Multirange {
                    low,
                    encoding,
                    width,
                }
            } else {
                Generator::Range {
                    low,
                    encoding,
                    width,
                }
            }
        }
        TypeClass::Domain { base, checks, .. } => {
            let generator = generator(context, column, base)?;
            obey_domain(context, base, checks, generator)
        }
        TypeClass::Unknown(_) => return None,
    })
}

/// A domain's own conditions, as far as they are understood; the server has the last word.
fn obey_domain(
    context: Context<'_>,
    base: &TypeClass,
    checks: &[crate::schema::Check],
    generator: Generator,
) -> Generator {
    let mut facts = ColumnFactsSource::default();
    for check in checks {
        if let Ok(expression) = Expression::parse(&check.expression)
            && let Some(first) = alternatives(&expression, false).into_iter().next()
        {
            facts.atoms.extend(first);
        }
    }
    let mut value = Value {
        generator,
        choices: None,
    };
    let kept = value.clone();
    match obey::obey(
        context,
        base,
        &facts.of("value"),
        Origin::Inferred,
        Letters::AsTheyAre,
        &mut value,
    ) {
        Ok(()) => value.generator,
        Err(_) => kept.generator,
    }
}

/// A value inside a value: an element, a field, a bound.
fn part(
    context: Context<'_>,
    column: &Column,
    class: &TypeClass,
    name: &str,
) -> Option<ColumnPlan> {
    let inner = Column {
        name: if name == "element" || name == "low" {
            column.name.clone()
        } else {
            name.to_owned()
        },
        ..column.clone()
    };
    let generator = generator(context, &inner, class)?;
    Some(ColumnPlan {
        name: inner.name,
        data_type: column.data_type.clone(),
        key: Key::new(0)
            .derive(&context.table.name.to_string())
            .derive(&column.name)
            .derive(name),
        nulls: Nulls::Never,
        draw: Draw::Row,
        generator,
        choices: None,
        arms: None,
    })
}

fn range_width(encoding: ScalarEncoding) -> i64 {
    match encoding {
        ScalarEncoding::Timestamp => 7 * DAY,
        ScalarEncoding::Date => 30,
        _ => 100,
    }
}

fn enumeration(labels: &[String]) -> Generator {
    let ranked = values::ranked(labels);
    let cells = ranked
        .iter()
        .map(|(label, _)| binary::cell(label.as_bytes()))
        .collect();
    let weights: Vec<f64> = ranked.iter().map(|(_, weight)| *weight).collect();
    Generator::Choice(Choice {
        cells,
        weights: Weights::new(&weights),
        quantiles: None,
        unique: None,
        odometer: None,
    })
}

fn scalar(context: Context<'_>, column: &Column, encoding: ScalarEncoding) -> Scalar {
    let unit = types::binary::power_of_ten(encoding.decimals()) as i64;
    let hard = types::limits(encoding, &column.data_type);
    // What must differ from row to row is not of a short list.
    let of_key = || {
        let is_it = |key: &crate::schema::IndexKey| matches!(&key.part, crate::schema::KeyPart::Column(name) if *name == column.name);
        context
            .table
            .indexes
            .iter()
            .any(|index| index.unique && index.keys.iter().any(is_it))
    };
    let meaning = match names::meaning(&column.name) {
        Meaning::HttpStatus if of_key() => Meaning::Other,
        meaning => meaning,
    };
    let range = |low: i64, high: i64| ScalarSource::Range {
        low,
        high,
        unique: None,
    };
    let low_heavy = |low: i64, high: i64| ScalarSource::LowHeavy {
        low,
        high,
        curve: Curve::power(2.5),
    };
    let source = match encoding {
        ScalarEncoding::Bool => ScalarSource::Listed {
            values: Box::new([0, 1]),
            weights: Weights::new(names::falsehood(&column.name)),
        },
        ScalarEncoding::Timestamp => time_source(&column.name, context, DAY),
        ScalarEncoding::Date => time_source(&column.name, context, 1),
        ScalarEncoding::Time | ScalarEncoding::TimeTz => range(0, DAY - 1),
        ScalarEncoding::Interval => low_heavy(0, 30 * DAY),
        ScalarEncoding::Oid => range(1, 100_000),
        ScalarEncoding::Int2
        | ScalarEncoding::Int4
        | ScalarEncoding::Int8
        | ScalarEncoding::Money
        | ScalarEncoding::Float4 { .. }
        | ScalarEncoding::Float8 { .. }
        | ScalarEncoding::Numeric { .. } => number(meaning, encoding, unit, context.clock),
    };
    Scalar {
        grain: types::grain(encoding, &column.data_type),
        ..values::scalar(encoding, clamp(source, hard), hard)
    }
}

/// A number's source by what it means; `unit` is one in the column's units.
fn number(meaning: Meaning, encoding: ScalarEncoding, unit: i64, clock: Clock) -> ScalarSource {
    /// Coordinates without a fraction are stored in ten-millionths of a degree.
    const E7: i64 = 10_000_000;
    // A type of many digits after the point holds few before it here.
    let times = |number: i64, unit: i64| number.saturating_mul(unit);
    let degree = if matches!(encoding, ScalarEncoding::Int4 | ScalarEncoding::Int8) {
        E7
    } else {
        unit
    };
    let range = |low: i64, high: i64| ScalarSource::Range {
        low,
        high,
        unique: None,
    };
    let low_heavy = |low: i64, high: i64| ScalarSource::LowHeavy {
        low,
        high,
        curve: Curve::power(2.5),
    };
    match meaning {
        Meaning::Cents => low_heavy(100, 50_000),
        Meaning::Money => low_heavy(unit, times(500, unit)),
        Meaning::Quantity => low_heavy(unit, times(100, unit)),
        Meaning::Small => range(0, times(50, unit)),
        Meaning::Rating => range(unit, times(5, unit)),
        Meaning::Percent => range(0, times(100, unit)),
        Meaning::Share | Meaning::Flag => range(0, unit),
        Meaning::Rate => range(0, times(25, unit)),
        Meaning::Age => range(times(18, unit), times(90, unit)),
        Meaning::Year => range(times(1980, unit), times(clock.year(), unit)),
        Meaning::Month => range(unit, times(12, unit)),
        Meaning::Latitude => range(times(-90, degree), times(90, degree)),
        Meaning::Longitude => range(times(-180, degree), times(180, degree)),
        Meaning::Bytes => low_heavy(times(100, unit), times(5_000_000, unit)),
        Meaning::Duration { per_second } => {
            low_heavy(unit, (times(3600, unit)).saturating_mul(per_second.min(10)))
        }
        Meaning::Between(low, high) => range(times(low, unit), times(high, unit)),
        Meaning::HttpStatus => ScalarSource::Listed {
            values: [200, 201, 204, 301, 304, 400, 401, 404, 500]
                .map(|code| times(code, unit))
                .into(),
            weights: Weights::new(&[0.7, 0.06, 0.04, 0.03, 0.05, 0.04, 0.02, 0.05, 0.01]),
        },
        Meaning::Key => range(unit, times(100_000, unit)),
        Meaning::Other => low_heavy(0, times(1000, unit)),
    }
}

/// Brings an inferred source within what the type holds.
fn clamp(source: ScalarSource, (least, most): (i64, i64)) -> ScalarSource {
    match source {
        ScalarSource::Range { low, high, unique } => ScalarSource::Range {
            low: low.clamp(least, most),
            high: high.clamp(least, most),
            unique,
        },
        ScalarSource::LowHeavy { low, high, curve } => ScalarSource::LowHeavy {
            low: low.clamp(least, most),
            high: high.clamp(least, most),
            curve,
        },
        other => other,
    }
}

/// Times: a row's own time of making runs with the rows, others lie anywhere. `day` is a day in the column's units.
fn time_source(name: &str, context: Context<'_>, day: i64) -> ScalarSource {
    let at = |year| days_from_civil(year, 1, 1) * day;
    let clock = context.clock;
    if names::is_birth(name) {
        return ScalarSource::Range {
            low: at(1945),
            high: at(2007),
            unique: None,
        };
    }
    if names::is_creation(name) {
        return ScalarSource::Placed {
            low: clock.begin() * day,
            high: clock.end() * day - 1,
            rows: context.rows,
            stray: super::distribution::stray_for_correlation(0.999),
            growth: Growth::new(0.5),
            descending: false,
            unique: false,
        };
    }
    if names::is_future(name) {
        return ScalarSource::Range {
            low: (clock.end() - YEAR) * day,
            high: clock.future_end() * day - 1,
            unique: None,
        };
    }
    ScalarSource::Range {
        low: clock.begin() * day,
        high: clock.end() * day - 1,
        unique: None,
    }
}

/// Of what is yet to come, what came within this many days is there still.
const YEAR: i64 = 365;

fn text(
    context: Context<'_>,
    column: &Column,
    version: Option<u8>,
    max_chars: u32,
    fixed: bool,
) -> Text {
    let by_name = match names::text_generator(&column.name, &context.table.name.name) {
        Some(generator) if generator.name == "kind" && is_of_an_id(context.table, column) => {
            generators::find("class_name")
        }
        // Somebody with an address of his own has a name.
        Some(generator)
            if generator.name == "words" && column.name == "name" && is_somebody(context.table) =>
        {
            generators::find("full_name")
        }
        // Half a document is none.
        Some(generator) if generator.name == "json_text" && (1..200).contains(&max_chars) => None,
        found => found,
    };
    let source = match (by_name, max_chars) {
        // Of the types with a version byte only ltree is text of our making: labels joined by dots.
        _ if version.is_some() => {
            match Pattern::new(r"[a-z]{3,8}(\.[a-z]{3,8}){1,3}", Letters::AsTheyAre) {
                Ok(pattern) => TextSource::Pattern(Box::new(pattern)),
                Err(_) => TextSource::Registered(&generators::lorem::WORD),
            }
        }
        // As long as a UUID, and called an identifier.
        (Some(generator), 36)
            if let Some(uuid) = generators::find("uuid").filter(|_| generator.name == "id") =>
        {
            TextSource::Registered(uuid)
        }
        (Some(generator), 0) => TextSource::Registered(generator),
        (Some(generator), max) if !fixed && generator.width <= max => {
            TextSource::Registered(generator)
        }
        (Some(generator), max) if let Some(code) = generators::code_of(generator, max) => {
            TextSource::Registered(code)
        }
        // Part of a digest is one of the column's own length.
        (Some(generator), max) if is_digest(generator.name) && generator.width > max => digits(max),
        // A code of the column's own length.
        (Some(generator), max) if generator.width <= max && generator.width * 2 > max => {
            TextSource::Registered(generator)
        }
        (_, max) if max > 0 && (fixed || max <= 4) => code_pattern(max),
        (_, max) if (5..=12).contains(&max) => TextSource::Registered(&generators::lorem::WORD),
        (Some(generator), _) => TextSource::Registered(generator),
        (None, _) => TextSource::Registered(&generators::lorem::WORDS),
    };
    Text {
        source,
        version,
        min_chars: 0,
        max_chars,
        unique: None,
        locale: context.locale,
        case: Case::AsIs,
        width: 0,
    }
}

/// A table of people by its columns: a mail address, a street, a telephone.
fn is_somebody(table: &Table) -> bool {
    let of_somebody = |column: &Column| {
        let last = names::words(&column.name).pop().unwrap_or_default();
        matches!(
            last.as_str(),
            "email"
                | "mail"
                | "phone"
                | "mobile"
                | "street"
                | "birthday"
                | "birthdate"
                | "dob"
                | "password"
        )
    };
    table.columns.iter().any(of_somebody)
}

fn is_digest(generator: &str) -> bool {
    matches!(
        generator,
        "hash" | "sha256" | "sha1" | "md5" | "token" | "checksum" | "id"
    )
}

/// Hexadecimal digits.
fn digits(length: u32) -> TextSource {
    match Pattern::new(
        &format!("[0-9a-f]{{{}}}", length.max(1)),
        Letters::AsTheyAre,
    ) {
        Ok(pattern) => TextSource::Pattern(Box::new(pattern)),
        Err(_) => TextSource::Registered(&generators::lorem::WORD),
    }
}

/// `record_type` beside a `record_id` that is no foreign key: what the id is of.
fn is_of_an_id(table: &Table, column: &Column) -> bool {
    let Some(what) = column.name.strip_suffix("_type") else {
        return false;
    };
    let id = format!("{what}_id");
    let foreign = table
        .foreign_keys
        .iter()
        .any(|key| key.columns.contains(&id));
    table.column(&id).is_some() && !foreign
}

/// Capital letters; hexadecimal where it is long enough to be a digest.
fn code_pattern(length: u32) -> TextSource {
    let pattern = if length >= 32 {
        format!("[0-9a-f]{{{length}}}")
    } else {
        format!("[A-Z]{{{length}}}")
    };
    match Pattern::new(&pattern, Letters::AsTheyAre) {
        Ok(pattern) => TextSource::Pattern(Box::new(pattern)),
        Err(_) => TextSource::Registered(&generators::lorem::WORD),
    }
}

/// A column drawn from fewer values, some more often than others.
#[must_use]
pub fn draw(distinct: Option<u64>, skew: Option<f64>, rows: u64) -> Draw {
    match (distinct, skew) {
        (None, None) => Draw::Row,
        (Some(distinct), None) => Draw::Uniform { distinct },
        (distinct, Some(skew)) => Draw::Zipf(Ranks::zipf(distinct.unwrap_or(rows.max(1)), skew)),
    }
}
