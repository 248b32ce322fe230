//! Which values a distribution offers (hot, typical, rare, absent) and how a value is written for the way in which it is
//! compared. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::db::explain::{TypeInfo, TypeKind};
use crate::plan::condition::Quantifier;
use crate::schema::ColumnStats;

use super::patterns::{after, before, fragment, prefix};
use super::uses::{ComparedWith, Wrap};

/// Which value of a distribution is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Rank {
    Hot,
    Typical,
    Rare,
    Absent,
}

impl Rank {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Typical => "typical",
            Self::Rare => "rare",
            Self::Absent => "absent",
        }
    }
}

/// What is known of an expression's values.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Distribution {
    /// Most common first; only values that are more common than others.
    common: Vec<String>,
    /// The other values, in order.
    others: Vec<String>,
    /// Share of rows of the most common one.
    pub(super) top_share: f64,
}

impl Distribution {
    /// From what ANALYZE found of a column.
    pub(super) fn of_stats(stats: &ColumnStats) -> Option<Self> {
        if stats.most_common.is_empty() && stats.histogram.is_empty() {
            return None;
        }
        // Where no value is more common than others, each has as much of the rows.
        let even_share = match stats.distinct {
            distinct if distinct > 0.0 => 1.0 / distinct,
            _ => 0.0,
        };
        let top_share = stats
            .most_common
            .first()
            .map_or(0.0, |(_, share)| *share)
            .max(even_share);
        let common = stats
            .most_common
            .iter()
            .map(|(value, _)| value.clone())
            .collect();
        Some(Self {
            common,
            others: stats.histogram.clone(),
            top_share,
        })
    }

    /// From a sample's values.
    pub(super) fn of_sample<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all = 0;
        for value in values {
            *counts.entry(value).or_default() += 1;
            all += 1;
        }
        let mut repeated: Vec<(&str, usize)> = counts
            .iter()
            .filter(|(_, n)| **n > 1)
            .map(|(v, n)| (*v, *n))
            .collect();
        repeated.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut others: Vec<String> = counts
            .iter()
            .filter(|(_, n)| **n == 1)
            .map(|(v, _)| (*v).to_owned())
            .collect();
        others.sort_by(|a, b| compare(a, b));
        let top_share = repeated
            .first()
            .map_or(0.0, |(_, count)| *count as f64 / f64::from(all.max(1)));
        Self {
            common: repeated
                .into_iter()
                .map(|(value, _)| value.to_owned())
                .collect(),
            others,
            top_share,
        }
    }

    /// The value of a rank; `None` where the data has none, for `Absent` always.
    pub(super) fn value(&self, rank: Rank) -> Option<&str> {
        let found = match rank {
            Rank::Hot => self.common.first(),
            Rank::Typical => {
                let from = if self.others.is_empty() {
                    &self.common
                } else {
                    &self.others
                };
                from.get(from.len() / 2)
            }
            Rank::Rare => self.others.first().or(self.common.last()),
            Rank::Absent => None,
        };
        found.map(String::as_str)
    }

    /// With values that do not depend on what ANALYZE happened to sample: the most frequent one where it was counted, the
    /// others from a sample that is the same for the same data.
    pub(super) fn steady(mut self, counted: Vec<String>, sorted: &[&str]) -> Self {
        if !counted.is_empty() {
            let number = self.common.len();
            self.common = counted.into_iter().take(number).collect();
        }
        let mut others: Vec<String> = sorted.iter().map(|value| (*value).to_owned()).collect();
        others.dedup();
        others.retain(|value| !self.common.contains(value));
        if !others.is_empty() {
            self.others = others;
        }
        self
    }

    /// Every value that is known by name.
    pub(super) fn known(&self) -> impl Iterator<Item = &str> {
        self.common.iter().chain(&self.others).map(String::as_str)
    }

    /// Whether it has values of different frequency.
    pub(super) fn is_skewed(&self) -> bool {
        !self.common.is_empty()
    }
}

/// Numbers by what they are, before texts, which follow by their characters: one order for all, whatever a column holds. Of two
/// numbers that a float does not tell apart whole ones are compared as they are.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(one), Ok(other)) => one
            .total_cmp(&other)
            .then_with(|| a.parse::<i128>().ok().cmp(&b.parse::<i128>().ok())),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// A value that no row has: past the largest of `known`, or one that nobody would write.
pub(super) fn absent(info: &TypeInfo, known: &[&str]) -> Option<String> {
    let largest = known.iter().copied().max_by(|a, b| compare(a, b));
    match info.kind {
        TypeKind::Integer => {
            let limit = largest_of(info);
            let past = match largest.and_then(|value| value.parse::<i64>().ok()) {
                // Past the sequence, within the type.
                Some(value) => value.saturating_add((value / 50).clamp(1, 1_000_000_000)),
                None => 1_000_000_007,
            };
            let value = past.min(limit).to_string();
            (!known.contains(&value.as_str())).then_some(value)
        }
        // Small, so that a cast to numeric(3, 2) does not refuse it.
        TypeKind::Number => ["-0.25", "-0.75", "-1.25"]
            .into_iter()
            .find(|v| !is_known(v, known))
            .map(str::to_owned),
        TypeKind::Text => Some("pgproof-absent".to_owned()),
        TypeKind::Uuid => Some("00000000-0000-4000-8000-00000000dead".to_owned()),
        TypeKind::Date | TypeKind::Timestamp => Some("2222-02-22".to_owned()),
        TypeKind::Network => Some("203.0.113.77".to_owned()),
        // As long as the others are: a digest's length is often checked.
        TypeKind::Bytea => {
            let length = known
                .first()
                .map_or(8, |value| value.len().saturating_sub(2) / 2);
            let value = format!("\\x{}", "9e".repeat(length.max(4)));
            (!known.contains(&value.as_str())).then_some(value)
        }
        TypeKind::Boolean
        | TypeKind::Time
        | TypeKind::Interval
        | TypeKind::Json
        | TypeKind::Enum
        | TypeKind::TsQuery
        | TypeKind::TsVector
        | TypeKind::Other => None,
    }
}

fn is_known(number: &str, known: &[&str]) -> bool {
    known.iter().any(|other| compare(number, other).is_eq())
}

/// The largest value of an integer type (of its elements, for an array).
fn largest_of(info: &TypeInfo) -> i64 {
    match info.element.as_deref().unwrap_or(&info.name) {
        "smallint" => i64::from(i16::MAX),
        "integer" => i64::from(i32::MAX),
        _ => i64::MAX,
    }
}

/// A value of the type where the value decides nothing.
pub(super) fn any_of_type(info: &TypeInfo) -> Option<String> {
    let value = match info.kind {
        TypeKind::Boolean => "true",
        TypeKind::Integer | TypeKind::Number => "1",
        // Where it is read as a number or made into an interval, it can be.
        TypeKind::Text => "1",
        TypeKind::Date | TypeKind::Timestamp => "2025-01-01",
        TypeKind::Time => "12:00",
        TypeKind::Interval => "30 days",
        TypeKind::Uuid => "00000000-0000-4000-8000-000000000001",
        TypeKind::Json => "{}",
        TypeKind::Network => "192.0.2.1",
        TypeKind::Enum => info.labels.as_ref()?.first()?,
        TypeKind::TsQuery | TypeKind::TsVector => "text",
        TypeKind::Bytea => "\\x00",
        TypeKind::Other => {
            let name = info.element.as_deref().unwrap_or(&info.name);
            super::mend::of_type(name)?.first()?
        }
    };
    Some(if info.element.is_some() {
        array(&[value.to_owned()])
    } else {
        value.to_owned()
    })
}

/// What a parameter is a part of: where the table's side holds many values in one, each is a value of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PartOf {
    /// A tsvector's lexemes, a text's words.
    Words,
    /// An array's elements.
    Elements,
    /// An object's pairs, each as an object; an array's elements as arrays.
    JsonPairs,
    /// An object's keys.
    JsonKeys,
}

/// Which part of the table's value a parameter is; `None` where it is the whole.
pub(super) fn part_of(with: &ComparedWith, info: &TypeInfo) -> Option<PartOf> {
    match (with.wrap, with.operator.as_str()) {
        (Wrap::Same, "@?" | "@@") if info.name == "jsonpath" => Some(PartOf::JsonPairs),
        (Wrap::Words, _) | (Wrap::Same, "@@") => Some(PartOf::Words),
        (Wrap::Element, _) => Some(PartOf::Elements),
        (Wrap::Same, "@>") if info.kind == TypeKind::Json => Some(PartOf::JsonPairs),
        (Wrap::Same, "@>" | "&&") if info.element.is_some() => Some(PartOf::Elements),
        (Wrap::Same, "?" | "?|" | "?&") => Some(PartOf::JsonKeys),
        (
            Wrap::Same
            | Wrap::Middle
            | Wrap::Prefix
            | Wrap::Before(_)
            | Wrap::After(_)
            | Wrap::Distance
            | Wrap::Span,
            _,
        ) => None,
    }
}

impl PartOf {
    /// The parts of one value.
    pub(super) fn split(self, value: &str) -> Vec<String> {
        match self {
            Self::Words => words(value),
            Self::Elements => elements(value),
            Self::JsonPairs => json_pairs(value),
            Self::JsonKeys => json_keys(value),
        }
    }
}

/// How a value of the table's side (or a part of one) is written as the parameter. `sample` = such values, in order.
pub(super) fn written(
    value: &str,
    rank: Rank,
    with: &ComparedWith,
    info: &TypeInfo,
    sample: &[&str],
) -> Option<String> {
    let is_array = info.element.is_some();
    match with.wrap {
        Wrap::Distance => return distance(rank, info),
        Wrap::Span => return Some(format!("{} days", days(rank))),
        Wrap::Words | Wrap::Element => return Some(value.to_owned()),
        Wrap::Middle => return Some(fragment(value, rank, sample)),
        Wrap::Prefix => return Some(prefix(value, rank, sample)),
        Wrap::Before(mark) => return Some(before(value, mark, rank, sample)),
        Wrap::After(mark) => return Some(after(value, mark)),
        Wrap::Same => {}
    }
    match with.operator.as_str() {
        "<>" => Some(another(value, is_array, info, sample)),
        "@?" if info.name == "jsonpath" => {
            json_path(value).map(|(key, value)| format!("$.{key} ? (@ == {value})"))
        }
        "@@" if info.name == "jsonpath" => {
            json_path(value).map(|(key, value)| format!("$.{key} == {value}"))
        }
        "~~" | "~~*" => Some(format!("{}%", prefix(value, rank, sample))),
        "~" | "~*" => Some(format!("^{}", prefix(value, rank, sample))),
        "@>" | "&&" | "?|" | "?&" if is_array => Some(array(&[value.to_owned()])),
        _ if with.quantifier != Quantifier::One && is_array => {
            let mut values = vec![value.to_owned()];
            if rank != Rank::Absent {
                values.extend(
                    spread(sample)
                        .filter(|other| *other != value)
                        .map(str::to_owned),
                );
            }
            values.truncate(5);
            Some(array(&values))
        }
        // The list of a subquery or of a join: `unnest($1)`.
        _ if is_array && !value.starts_with('{') => Some(array(&[value.to_owned()])),
        // Arithmetic around the parameter: it is not of the column's kind.
        _ if !fits(info.kind, value) => distance(rank, info),
        _ => Some(value.to_owned()),
    }
}

/// For what is left out: a value that other rows have, so that the row at hand stays in.
fn another(value: &str, is_array: bool, info: &TypeInfo, sample: &[&str]) -> String {
    const MOST: usize = 3;
    let mut others: Vec<String> = spread(sample)
        .filter(|other| *other != value)
        .map(str::to_owned)
        .collect();
    others.truncate(MOST);
    if is_array {
        return array(&others);
    }
    let other = others.into_iter().next();
    other
        .or_else(|| absent(info, &[value]))
        .unwrap_or_else(|| value.to_owned())
}

/// Values from all over a sample.
fn spread<'a>(sample: &[&'a str]) -> impl Iterator<Item = &'a str> {
    let mut values = sample.to_vec();
    values.dedup();
    let step = (values.len() / 5).max(1);
    values.into_iter().step_by(step)
}

/// Whether a text can be a value of a kind at all.
fn fits(kind: TypeKind, value: &str) -> bool {
    match kind {
        TypeKind::Integer => value.parse::<i64>().is_ok(),
        TypeKind::Number => value.parse::<f64>().is_ok(),
        TypeKind::Date | TypeKind::Timestamp => {
            value.contains("infinity")
                || value.starts_with(|c: char| c.is_ascii_digit()) && value.contains('-')
        }
        TypeKind::Interval => {
            !value.contains('-') || value.contains("day") || value.contains("mon")
        }
        TypeKind::Uuid => value.len() == 36,
        TypeKind::Boolean
        | TypeKind::Text
        | TypeKind::Time
        | TypeKind::Json
        | TypeKind::Network
        | TypeKind::Enum
        | TypeKind::TsQuery
        | TypeKind::TsVector
        | TypeKind::Bytea
        | TypeKind::Other => true,
    }
}

fn days(rank: Rank) -> &'static str {
    match rank {
        Rank::Hot => "365",
        Rank::Typical => "30",
        Rank::Rare | Rank::Absent => "1",
    }
}

fn distance(rank: Rank, info: &TypeInfo) -> Option<String> {
    let days = days(rank);
    match info.kind {
        TypeKind::Interval => Some(format!("{days} days")),
        TypeKind::Integer | TypeKind::Number => Some(days.to_owned()),
        _ => any_of_type(info),
    }
}

/// Lexemes of a tsvector's text form, or the words of any text.
fn words(value: &str) -> Vec<String> {
    let words = value.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| word.chars().any(char::is_alphabetic) && word.len() > 1)
        .map(str::to_owned)
        .collect()
}

/// What a containment query asks for, one thing each.
fn json_pairs(value: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str(value) else {
        return Vec::new();
    };
    match value {
        serde_json::Value::Object(object) => {
            let scalars = object
                .into_iter()
                .filter(|(_, part)| !part.is_object() && !part.is_array() && !part.is_null());
            scalars
                .map(|pair| serde_json::Value::Object([pair].into_iter().collect()).to_string())
                .collect()
        }
        serde_json::Value::Array(items) => items
            .into_iter()
            .map(|item| serde_json::Value::Array(vec![item]).to_string())
            .collect(),
        other => vec![other.to_string()],
    }
}

/// Key and value of an object with one pair, as a path writes them.
fn json_path(pair: &str) -> Option<(String, String)> {
    let serde_json::Value::Object(object) = serde_json::from_str(pair).ok()? else {
        return None;
    };
    let (key, value) = object.into_iter().next()?;
    Some((
        serde_json::Value::String(key).to_string(),
        value.to_string(),
    ))
}

fn json_keys(value: &str) -> Vec<String> {
    match serde_json::from_str(value) {
        Ok(serde_json::Value::Object(object)) => object.keys().cloned().collect(),
        Ok(serde_json::Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// An array literal.
pub(super) fn array(values: &[String]) -> String {
    let quoted = values
        .iter()
        .map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

/// The elements of a one-dimensional array's text form.
pub(super) fn elements(text: &str) -> Vec<String> {
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let mut found = Vec::new();
    let mut current = String::new();
    let (mut quoted, mut escaped, mut any) = (false, false, false);
    for c in inner.chars() {
        any = true;
        match c {
            _ if escaped => {
                current.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => found.push(std::mem::take(&mut current)),
            _ => current.push(c),
        }
    }
    if any {
        found.push(current);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Identifiers in hexadecimal are numbers now and then: `12e4`, `inf`.
    #[test]
    fn values_have_one_order_whatever_they_look_like() {
        let values = [
            "9",
            "10",
            "1a",
            "12e4",
            "nan",
            "inf",
            "-1",
            "-0",
            "0",
            "0.5",
            "",
            "a",
            "9007199254740993",
            "9007199254740992",
            "9007199254740992.0",
            "2026-01-01",
            "10 ",
            "٣",
        ];
        for a in values {
            for b in values {
                assert_eq!(compare(a, b), compare(b, a).reverse(), "{a:?}, {b:?}");
                for c in values {
                    if compare(a, b).is_le() && compare(b, c).is_le() {
                        assert!(compare(a, c).is_le(), "{a:?}, {b:?}, {c:?}");
                    }
                }
            }
        }
        assert!(compare("9007199254740992", "9007199254740993").is_lt());
        assert!(compare("9", "10").is_lt() && compare("10", "1a").is_lt());
    }

    #[test]
    fn ranks_of_a_distribution() {
        let stats = ColumnStats {
            most_common: vec![("7".to_owned(), 0.2), ("8".to_owned(), 0.01)],
            histogram: ["1", "50", "100"].map(str::to_owned).to_vec(),
            ..ColumnStats::default()
        };
        let found = Distribution::of_stats(&stats).unwrap();
        let values =
            [Rank::Hot, Rank::Typical, Rank::Rare, Rank::Absent].map(|rank| found.value(rank));
        assert_eq!(values, [Some("7"), Some("50"), Some("1"), None]);
        let sample = Distribution::of_sample(["b", "a", "b", "c", "10", "9"].into_iter());
        assert_eq!(
            (sample.value(Rank::Hot), sample.value(Rank::Rare)),
            (Some("b"), Some("9"))
        );
        assert_eq!(
            Distribution::of_sample(["x", "y"].into_iter()).value(Rank::Hot),
            None
        );
    }

    #[test]
    fn parts_of_values() {
        assert_eq!(words("'chair':2 'steel':1"), ["chair", "steel"]);
        assert_eq!(
            json_pairs(r#"{"tags": [1], "color": "red", "size": 3}"#),
            [r#"{"color":"red"}"#, r#"{"size":3}"#]
        );
        assert_eq!(elements(r#"{a,"b c","d\"e"}"#), ["a", "b c", "d\"e"]);
        assert_eq!(
            array(&["a".to_owned(), "d\"e".to_owned()]),
            r#"{"a","d\"e"}"#
        );
        let integer = |name: &str| TypeInfo {
            oid: 0,
            name: name.to_owned(),
            kind: TypeKind::Integer,
            labels: None,
            element: None,
        };
        assert_eq!(
            absent(&integer("bigint"), &["5", "1000"]).as_deref(),
            Some("1020")
        );
        assert_eq!(absent(&integer("smallint"), &[]).as_deref(), Some("32767"));
        assert_eq!(absent(&integer("smallint"), &["32767"]), None);
    }
}
