//! Makes a generator obey what a CHECK says about its column alone.

use super::Context;
use super::values::{choice_of, enter, pattern_text, ranked, source_range};
use crate::calendar::days_from_civil;
use crate::seed::check::ColumnFacts;
use crate::seed::check::linear::NOW;
use crate::seed::check::matcher::Matcher;
use crate::seed::clock::Clock;
use crate::seed::expression::Relation;
use crate::seed::generators::regex::{Letters, Pattern};
use crate::seed::plan::{
    Bound, Case, ColumnPlan, Generator, JsonShape, Scalar, ScalarSource, Side, Text,
};
use crate::seed::random::Key;
use crate::seed::types::binary::DAY;
use crate::seed::types::{ScalarEncoding, TypeClass, literal};

/// Where a generator comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The spec: it is narrowed, not replaced.
    Spec,
    /// Names and types.
    Inferred,
}

/// A generator, and the list that it draws from where it draws from one.
#[derive(Debug, Clone)]
pub struct Value {
    /// How the value is made.
    pub generator: Generator,
    /// Text forms and weights.
    pub choices: Option<Vec<(String, f64)>>,
}

/// Narrows or replaces a generator. `letters` says whether texts must differ in more than case.
///
/// # Errors
/// What the generator cannot do, in words.
pub fn obey(
    context: Context<'_>,
    class: &TypeClass,
    facts: &ColumnFacts,
    said: Origin,
    letters: Letters,
    value: &mut Value,
) -> Result<(), String> {
    lists(class, facts, said, value)?;
    match &mut value.generator {
        Generator::Scalar(scalar) => {
            limits(scalar, facts, context.clock);
            if scalar.hard.0 > scalar.hard.1 {
                return Err("its limits leave no value".to_owned());
            }
        }
        Generator::Text(text) => {
            lengths(text, facts)?;
            if let TypeClass::Text {
                fixed: true,
                max_chars,
                ..
            } = class.base()
                && facts.patterns.iter().any(|(_, negated)| !negated)
            {
                // Blanks that fill it up are part of what a pattern sees.
                text.min_chars = *max_chars;
            }
            if said == Origin::Inferred && !facts.patterns.is_empty() && value.choices.is_none() {
                value.generator = matching(context, class, facts, letters, text)?;
            }
        }
        Generator::Bytes { min, max } => {
            if let Some((least, most)) = facts.length {
                *min = (*min).clamp(least, most);
                *max = (*max).clamp(least.max(*min), most);
            }
        }
        Generator::Json { shape, .. } => json(shape, facts),
        Generator::Array {
            element, min, max, ..
        } => {
            if let Some((least, most)) = facts.items {
                *min = (*min).max(least);
                *max = (*max).max(*min).min(most);
                *min = (*min).min(*max);
            }
            if let TypeClass::Array { element: of, .. } = class.base() {
                elements(context, of, facts, element, (min, max))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Elements that an array may have, and those that it must have: an array of the latter alone.
fn elements(
    context: Context<'_>,
    class: &TypeClass,
    facts: &ColumnFacts,
    element: &mut ColumnPlan,
    (min, max): (&mut u32, &mut u32),
) -> Result<(), String> {
    let inner = ColumnFacts {
        lists: facts.only_elements.clone(),
        excluded: facts.no_elements.clone(),
        ..ColumnFacts::default()
    };
    if let [only] = facts.contains.as_slice() {
        let generator = choice_of(class, &[(only.clone(), 1.0)]);
        element.generator = generator.map_err(|text| format!("\"{text}\" is no element"))?;
        (*min, *max) = ((*min).max(1), (*max).max(1));
        return Ok(());
    }
    if inner.lists.is_empty() && inner.excluded.is_empty() {
        return Ok(());
    }
    let mut value = Value {
        generator: element.generator.clone(),
        choices: None,
    };
    lists(class, &inner, Origin::Inferred, &mut value)?;
    if let Generator::Scalar(scalar) = &mut value.generator {
        limits(scalar, &inner, context.clock);
    }
    element.generator = value.generator;
    Ok(())
}

/// Lists: the values that all of them allow.
fn lists(
    class: &TypeClass,
    facts: &ColumnFacts,
    said: Origin,
    value: &mut Value,
) -> Result<(), String> {
    if let TypeClass::Enum(labels) = class.base()
        && value.choices.is_none()
    {
        value.choices = Some(ranked(labels));
    }
    let is_bool = matches!(class.base(), TypeClass::Scalar(ScalarEncoding::Bool));
    let restricted =
        !facts.lists.is_empty() || !facts.excluded.is_empty() || !facts.limits.is_empty();
    if !restricted {
        return Ok(());
    }
    let base = match (&value.choices, facts.lists.first()) {
        (Some(choices), _) => choices.clone(),
        (None, Some(list)) if said == Origin::Inferred || is_bool => ranked(list),
        (None, _) => return Ok(()),
    };
    let normal = |text: &str| match (is_bool, text) {
        (true, "t" | "1") => "true".to_owned(),
        (true, "f" | "0") => "false".to_owned(),
        (_, text) => text.to_owned(),
    };
    let allowed: Vec<(String, f64)> = base
        .iter()
        .filter(|(text, _)| facts.allows(&normal(text)))
        .cloned()
        .collect();
    if allowed.is_empty() {
        return Err(match said {
            Origin::Spec => "none of the values in the spec is allowed".to_owned(),
            Origin::Inferred => "no value is allowed".to_owned(),
        });
    }
    if allowed.len() < base.len() || value.choices.is_none() {
        // A list that the class cannot encode (of ranges, say) stays as it was: the server has the last word.
        if let Ok(generator) = choice_of(class, &allowed) {
            value.generator = generator;
            value.choices = Some(allowed);
        }
    }
    Ok(())
}

/// Limits, exclusions and grain of a number.
pub(crate) fn limits(scalar: &mut Scalar, facts: &ColumnFacts, clock: Clock) {
    for (relation, constant) in &facts.limits {
        let parsed = if constant == NOW {
            now(scalar.encoding, *relation, clock)
        } else {
            bound(constant, *relation, scalar)
        };
        if let Some(value) = parsed {
            limit(scalar, *relation, value);
        }
    }
    let encoding = scalar.encoding;
    for value in facts
        .excluded
        .iter()
        .filter_map(|text| literal::scalar(text, encoding))
    {
        let (low, high) = source_range(scalar);
        if value == low {
            limit(scalar, Relation::Greater, value);
        } else if value == high {
            limit(scalar, Relation::Less, value);
        }
    }
    if let Some(unit) = &facts.grain {
        scalar.grain = scalar.grain.max(grain(scalar.encoding, unit));
    }
    enter(scalar);
    step_over(scalar, facts);
}

/// Values left out of the middle of the range: the next one is taken.
fn step_over(scalar: &mut Scalar, facts: &ColumnFacts) {
    let (low, high) = source_range(scalar);
    if scalar.grain != 1
        || matches!(
            scalar.source,
            ScalarSource::Listed { .. } | ScalarSource::Sequence { .. }
        )
    {
        return;
    }
    let encoding = scalar.encoding;
    let mut values: Vec<i64> = facts
        .excluded
        .iter()
        .filter_map(|text| literal::scalar(text, encoding))
        .collect();
    // In this order a value that is stepped onto is stepped over as well.
    values.sort_unstable();
    values.retain(|value| low < *value && *value < high);
    let bound = |value| Bound {
        side: Side::Differs,
        offset: value,
        terms: Box::default(),
    };
    scalar.bounds.extend(values.into_iter().map(bound));
}

/// A constant with more digits than the column has rounds towards the inside.
fn bound(constant: &str, relation: Relation, scalar: &Scalar) -> Option<i64> {
    let value = literal::scalar(constant, scalar.encoding)?;
    let rounded_down =
        constant
            .trim_end_matches('0')
            .split_once('.')
            .is_some_and(|(_, fraction)| {
                fraction.len() > usize::from(scalar.encoding.decimals())
                    && !constant.starts_with('-')
            });
    Some(match relation {
        // x > 0.001 with two digits: x >= 0.01, that is more than 0.
        Relation::Less if rounded_down => value + 1,
        Relation::GreaterOrEqual if rounded_down => value + 1,
        _ => value,
    })
}

/// The time of the check: data ends before the day of the load, and what must lie in the future lies far there.
fn now(encoding: ScalarEncoding, relation: Relation, clock: Clock) -> Option<i64> {
    let days = match relation {
        Relation::Less | Relation::LessOrEqual | Relation::NotEqual | Relation::Equal => {
            clock.today()
        }
        Relation::Greater | Relation::GreaterOrEqual => days_from_civil(2090, 1, 1),
    };
    match encoding {
        ScalarEncoding::Date => Some(days),
        ScalarEncoding::Timestamp => Some(days * DAY),
        _ => None,
    }
}

pub(crate) fn limit(scalar: &mut Scalar, relation: Relation, value: i64) {
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

fn grain(encoding: ScalarEncoding, unit: &str) -> i64 {
    let micros = match unit {
        "second" => 1_000_000,
        "minute" => 60_000_000,
        "hour" => 3_600_000_000,
        "day" => DAY,
        // 2000-01-01 was a Saturday: weeks begin two days later. Left to the server to judge.
        other => return literal::scalar(other, encoding).unwrap_or(1).max(1),
    };
    match encoding {
        ScalarEncoding::Date => 1,
        _ => micros,
    }
}

fn lengths(text: &mut Text, facts: &ColumnFacts) -> Result<(), String> {
    if let Some((min, max)) = facts.length {
        text.min_chars = text.min_chars.max(min);
        if max != u32::MAX {
            text.max_chars = if text.max_chars == 0 {
                max
            } else {
                text.max_chars.min(max)
            };
        }
        if text.max_chars > 0 && text.min_chars > text.max_chars {
            return Err(format!(
                "it must have {} characters and holds {}",
                text.min_chars, text.max_chars
            ));
        }
    }
    if facts.excluded.iter().any(String::is_empty) {
        text.min_chars = text.min_chars.max(1);
    }
    match (facts.lower, facts.upper) {
        (true, _) => text.case = Case::Lower,
        (false, true) => text.case = Case::Upper,
        (false, false) => {}
    }
    Ok(())
}

/// Keeps the text generator where its texts match already, else makes texts of one of the patterns.
fn matching(
    context: Context<'_>,
    class: &TypeClass,
    facts: &ColumnFacts,
    letters: Letters,
    current: &Text,
) -> Result<Generator, String> {
    let wanted = Wanted::of(facts);
    if wanted.are_met_by(current) {
        return Ok(Generator::Text(current.clone()));
    }
    let TypeClass::Text { version, .. } = class.base() else {
        return Ok(Generator::Text(current.clone()));
    };
    let limits = (current.min_chars, current.max_chars);
    let letters = match current.case {
        Case::AsIs => letters,
        Case::Lower | Case::Upper => Letters::AnyCase,
    };
    for Candidate { pattern, is_whole } in candidates(facts) {
        // What a part must not be is mostly a number.
        let compiled = match facts.parts.is_empty() {
            true => Pattern::with_length(&pattern, letters, limits),
            false => Pattern::without_digits(&pattern, letters, limits),
        };
        let Ok(compiled) = compiled else { continue };
        // Too short, or few texts, where it may go on.
        if is_whole
            && (compiled.max_chars < limits.0 || compiled.cardinality < 16)
            && !pattern.contains('$')
        {
            continue;
        }
        let Generator::Text(mut text) = pattern_text(compiled, *version, context.locale) else {
            continue;
        };
        text.case = current.case;
        if wanted.are_met_by(&text) {
            return Ok(Generator::Text(text));
        }
    }
    let patterns: Vec<&str> = facts
        .patterns
        .iter()
        .map(|(pattern, _)| pattern.as_str())
        .collect();
    Err(format!(
        "no text was found that fits {}",
        patterns.join(" and ")
    ))
}

/// What texts must match, and must not.
struct Wanted {
    whole: Vec<(Matcher, bool)>,
    parts: Vec<WantedPart>,
}

/// Of a part of a text.
struct WantedPart {
    part: Matcher,
    pattern: Matcher,
    negated: bool,
}

impl Wanted {
    fn of(facts: &ColumnFacts) -> Self {
        let whole = facts.patterns.iter();
        let parts = facts.parts.iter();
        Self {
            whole: whole
                .filter_map(|(pattern, negated)| Some((Matcher::new(pattern)?, *negated)))
                .collect(),
            parts: parts
                .filter_map(|(part, pattern, negated)| {
                    Some(WantedPart {
                        part: Matcher::new(part)?,
                        pattern: Matcher::new(pattern)?,
                        negated: *negated,
                    })
                })
                .collect(),
        }
    }

    /// Whether the first texts of a generator are all as they must be.
    fn are_met_by(&self, text: &Text) -> bool {
        (0..64_u64).all(|index| {
            let mut cell = Vec::new();
            crate::seed::evaluate::write_text(Key::new(index), text, index, &mut cell);
            let body = cell
                .get(4 + usize::from(text.version.is_some())..)
                .unwrap_or_default();
            let shown = String::from_utf8_lossy(body);
            let is_as_wanted = |wanted: &WantedPart| {
                let part = wanted.part.part(&shown);
                part.is_none_or(|part| wanted.pattern.finds(part) != wanted.negated)
            };
            self.whole
                .iter()
                .all(|(matcher, negated)| matcher.finds(&shown) != *negated)
                && self.parts.iter().all(is_as_wanted)
        })
    }
}

/// A pattern that texts are made by and tried.
struct Candidate {
    pattern: String,
    /// One of the constraints' own.
    is_whole: bool,
}

/// The constraints' own patterns, then combinations of them, then what many constraints allow.
fn candidates(facts: &ColumnFacts) -> impl Iterator<Item = Candidate> {
    let own = facts
        .patterns
        .iter()
        .filter(|(_, negated)| !negated)
        .map(|(pattern, _)| pattern.as_str());
    // A pattern with an open end stands for all that goes on after it.
    let longer = own
        .clone()
        .filter(|one| !one.contains('$'))
        .map(|one| format!("(?:{one})[a-z0-9]{{6}}[a-z0-9]*"));
    // One says how a text begins, the other one how it ends.
    let begins = own
        .clone()
        .filter(|one| one.starts_with('^') && !one.ends_with('$'));
    let ends = own
        .clone()
        .filter(|one| one.ends_with('$') && !one.starts_with('^'));
    let framed = begins.flat_map(move |begin| {
        ends.clone()
            .map(move |end| format!("(?:{begin})[a-z0-9]{{6,12}}(?:{end})"))
    });
    let last = ["[a-z]{6,12}", "[0-9]{6}"].map(str::to_owned);
    let made = longer.chain(framed).chain(last).map(|pattern| Candidate {
        pattern,
        is_whole: false,
    });
    own.map(|pattern| Candidate {
        pattern: pattern.to_owned(),
        is_whole: true,
    })
    .chain(made)
}

fn json(shape: &mut JsonShape, facts: &ColumnFacts) {
    let (min, max) = facts.items.unwrap_or((0, 4));
    match facts.json_type.as_deref() {
        Some("array") => {
            *shape = JsonShape::Array {
                min,
                max: max.min(min + 4),
            }
        }
        Some("string") => *shape = JsonShape::Text,
        Some("number") => *shape = JsonShape::Number,
        Some("boolean") => *shape = JsonShape::Bool,
        _ if facts.items.is_some() => {
            *shape = JsonShape::Array {
                min,
                max: max.min(min + 4),
            }
        }
        _ => {}
    }
    if let JsonShape::Object { keys, .. } | JsonShape::Numbered { keys, .. } = shape {
        let mut all = keys.to_vec();
        all.extend(facts.json_keys.iter().cloned());
        all.dedup();
        *keys = all.into();
    }
}
