//! Which values a distribution offers (hot, typical, rare, absent) and how a value is written for the way in which it is
//! compared. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::db::explain::{TypeInfo, TypeKind};
use crate::plan::condition::Quantifier;
use crate::schema::ColumnStats;

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
        let top_share = stats.most_common.first().map_or(0.0, |(_, share)| *share);
        let common = stats.most_common.iter().map(|(value, _)| value.clone()).collect();
        Some(Self { common, others: stats.histogram.clone(), top_share })
    }

    /// From a sample's values.
    pub(super) fn of_sample<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all = 0;
        for value in values {
            *counts.entry(value).or_default() += 1;
            all += 1;
        }
        let mut repeated: Vec<(&str, usize)> = counts.iter().filter(|(_, n)| **n > 1).map(|(v, n)| (*v, *n)).collect();
        repeated.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut others: Vec<String> = counts.iter().filter(|(_, n)| **n == 1).map(|(v, _)| (*v).to_owned()).collect();
        others.sort_by(|a, b| compare(a, b));
        let top_share = repeated.first().map_or(0.0, |(_, count)| *count as f64 / f64::from(all.max(1)));
        Self { common: repeated.into_iter().map(|(value, _)| value.to_owned()).collect(), others, top_share }
    }

    /// The value of a rank; `None` where the data has none, for `Absent` always.
    pub(super) fn value(&self, rank: Rank) -> Option<&str> {
        let found = match rank {
            Rank::Hot => self.common.first(),
            Rank::Typical => {
                let from = if self.others.is_empty() { &self.common } else { &self.others };
                from.get(from.len() / 2)
            }
            Rank::Rare => self.others.first().or(self.common.last()),
            Rank::Absent => None,
        };
        found.map(String::as_str)
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

/// Orders text forms by number where both are numbers.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}

/// A value that no row has: past the largest of `known`, or one that nobody would write.
pub(super) fn absent(kind: TypeKind, known: &[&str]) -> Option<String> {
    let largest = known.iter().copied().max_by(|a, b| compare(a, b));
    match kind {
        TypeKind::Integer => match largest.and_then(|value| value.parse::<i64>().ok()) {
            // Past the sequence, within the type where the values are.
            Some(value) => Some((value + (value / 50).clamp(1, 1_000_000_000)).to_string()),
            None => Some("1000000007".to_owned()),
        },
        TypeKind::Number => Some("-987654.25".to_owned()),
        TypeKind::Text => Some("pgproof-absent".to_owned()),
        TypeKind::Uuid => Some("00000000-0000-4000-8000-00000000dead".to_owned()),
        TypeKind::Date | TypeKind::Timestamp => Some("2222-02-22".to_owned()),
        TypeKind::Network => Some("203.0.113.77".to_owned()),
        TypeKind::Boolean
        | TypeKind::Time
        | TypeKind::Interval
        | TypeKind::Json
        | TypeKind::Enum
        | TypeKind::TsQuery
        | TypeKind::TsVector
        | TypeKind::Bytea
        | TypeKind::Other => None,
    }
}

/// A value of the type where the value decides nothing.
pub(super) fn any_of_type(info: &TypeInfo) -> Option<String> {
    let value = match info.kind {
        TypeKind::Boolean => "true",
        TypeKind::Integer | TypeKind::Number => "1",
        TypeKind::Text => "text",
        TypeKind::Date | TypeKind::Timestamp => "2025-01-01",
        TypeKind::Time => "12:00",
        TypeKind::Interval => "30 days",
        TypeKind::Uuid => "00000000-0000-4000-8000-000000000001",
        TypeKind::Json => "{}",
        TypeKind::Network => "192.0.2.1",
        TypeKind::Enum => info.labels.as_ref()?.first()?,
        TypeKind::TsQuery | TypeKind::TsVector => "text",
        TypeKind::Bytea => "\\x00",
        TypeKind::Other => return None,
    };
    Some(if info.element.is_some() { array(&[value.to_owned()]) } else { value.to_owned() })
}

/// How a value of the table's side is written as the parameter. `more` = further values, for arrays.
pub(super) fn written(
    value: &str,
    rank: Rank,
    with: &ComparedWith,
    info: &TypeInfo,
    more: &[String],
) -> Option<String> {
    let operator = with.operator.as_str();
    match with.wrap {
        Wrap::Words => return word(value),
        Wrap::Distance => return distance(rank, info),
        Wrap::Element => return elements(value).into_iter().next(),
        Wrap::Middle => return Some(fragment(value, if rank == Rank::Hot { 2 } else { 4 })),
        Wrap::Prefix => return Some(fragment(value, if rank == Rank::Hot { 1 } else { 3 })),
        Wrap::Same => {}
    }
    match operator {
        "~~" | "~~*" => Some(format!("{}%", fragment(value, if rank == Rank::Hot { 1 } else { 3 }))),
        "~" | "~*" => Some(format!("^{}", fragment(value, if rank == Rank::Hot { 1 } else { 3 }))),
        "@@" => word(value),
        "@>" if info.kind == TypeKind::Json => json_part(value),
        "?" => json_key(value),
        "?|" | "?&" => json_key(value).map(|key| array(&[key])),
        _ if with.quantifier != Quantifier::One && info.element.is_some() => {
            let mut values = vec![value.to_owned()];
            values.extend(more.iter().filter(|other| *other != value).cloned());
            values.truncate(if rank == Rank::Absent { 1 } else { 5 });
            Some(array(&values))
        }
        _ => Some(value.to_owned()),
    }
}

fn distance(rank: Rank, info: &TypeInfo) -> Option<String> {
    let days = match rank {
        Rank::Hot => "365",
        Rank::Typical => "30",
        Rank::Rare | Rank::Absent => "1",
    };
    match info.kind {
        TypeKind::Interval => Some(format!("{days} days")),
        TypeKind::Integer | TypeKind::Number => Some(days.to_owned()),
        _ => any_of_type(info),
    }
}

/// The first characters that mean nothing in a pattern.
fn fragment(value: &str, length: usize) -> String {
    value.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '@' | '.' | '-')).take(length).collect()
}

/// A lexeme of a tsvector's text form, or a word of any text.
fn word(value: &str) -> Option<String> {
    let words = value.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| word.chars().any(char::is_alphabetic))
        .max_by_key(|word| word.chars().count().min(8))
        .map(str::to_owned)
}

/// One key of an object with its value: what a containment query asks for.
fn json_part(value: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(value).ok()?;
    match value {
        serde_json::Value::Object(object) => {
            let scalar = object.iter().find(|(_, part)| !part.is_object() && !part.is_array() && !part.is_null());
            let (key, part) = scalar.or_else(|| object.iter().next())?;
            let mut one = serde_json::Map::new();
            one.insert(key.clone(), part.clone());
            Some(serde_json::Value::Object(one).to_string())
        }
        serde_json::Value::Array(items) => {
            Some(serde_json::Value::Array(items.into_iter().take(1).collect()).to_string())
        }
        other => Some(other.to_string()),
    }
}

fn json_key(value: &str) -> Option<String> {
    match serde_json::from_str(value).ok()? {
        serde_json::Value::Object(object) => object.keys().next().cloned(),
        serde_json::Value::Array(items) => items.first().and_then(|item| item.as_str().map(str::to_owned)),
        _ => None,
    }
}

/// An array literal.
pub(super) fn array(values: &[String]) -> String {
    let quoted = values.iter().map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

/// The elements of a one-dimensional array's text form.
pub(super) fn elements(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
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

    #[test]
    fn ranks_of_a_distribution() {
        let stats = ColumnStats {
            most_common: vec![("7".to_owned(), 0.2), ("8".to_owned(), 0.01)],
            histogram: ["1", "50", "100"].map(str::to_owned).to_vec(),
            ..ColumnStats::default()
        };
        let found = Distribution::of_stats(&stats).unwrap();
        let values = [Rank::Hot, Rank::Typical, Rank::Rare, Rank::Absent].map(|rank| found.value(rank));
        assert_eq!(values, [Some("7"), Some("50"), Some("1"), None]);
        let sample = Distribution::of_sample(["b", "a", "b", "c", "10", "9"].into_iter());
        assert_eq!((sample.value(Rank::Hot), sample.value(Rank::Rare)), (Some("b"), Some("9")));
        assert_eq!(Distribution::of_sample(["x", "y"].into_iter()).value(Rank::Hot), None);
    }

    #[test]
    fn parts_of_values() {
        assert_eq!(word("'chair':2 'steel':1").as_deref(), Some("steel"));
        assert_eq!(json_part(r#"{"tags": [1], "color": "red"}"#).as_deref(), Some(r#"{"color":"red"}"#));
        assert_eq!(elements(r#"{a,"b c","d\"e"}"#), ["a", "b c", "d\"e"]);
        assert_eq!(array(&["a".to_owned(), "d\"e".to_owned()]), r#"{"a","d\"e"}"#);
        assert_eq!(absent(TypeKind::Integer, &["5", "1000"]).as_deref(), Some("1020"));
    }
}
