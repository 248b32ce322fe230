//! A class of columns that share a map: what is known of their values, and the map.

use std::collections::{BTreeMap, BTreeSet};

use super::common;
use super::kind::{Kind, Unit, limits};
use super::numbers::spread;
use super::random::{Key, Stream};
use super::text::{self, Alphabet};
use super::unmapped;
use crate::profile::model::{ColumnStatistics, ElementStatistics};
use crate::schema::DataType;
use crate::seed::types::TypeClass;

/// How texts are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextMap {
    ByClass,
    Plain,
}

/// Columns that share a map.
#[derive(Debug, Default)]
pub(super) struct Class {
    /// Of the first column: what the random numbers are drawn for.
    pub(super) label: Option<String>,
    /// Text forms of all values and elements.
    pub(super) values: BTreeSet<String>,
    /// Text forms of the repository's constants.
    pub(super) anchors: BTreeSet<String>,
    kind: Option<Kind>,
    limits: Option<(i64, i64)>,
    /// Columns of different kinds were joined.
    is_mixed: bool,
    keys: Option<RowNumbers>,
    /// By how many days its times are moved.
    moved_days: i64,
}

/// Keys that count rows.
#[derive(Debug)]
struct RowNumbers {
    rows: f64,
    /// Of the key itself.
    bounds: Vec<i64>,
}

/// A class's map.
#[derive(Debug)]
pub(super) enum Mapped {
    /// Every value stays.
    Same,
    Values(BTreeMap<String, String>),
    /// None of them; and why.
    Without(String),
}

impl Mapped {
    pub(super) fn value(&self, text: &str) -> Option<String> {
        match self {
            Self::Same => Some(text.to_owned()),
            Self::Values(values) => values.get(text).cloned(),
            Self::Without(_) => None,
        }
    }
}

impl Class {
    /// Adds a column's values.
    pub(super) fn add(
        &mut self,
        type_class: &TypeClass,
        data_type: &DataType,
        column: &ColumnStatistics,
    ) {
        let elements = column
            .elements
            .iter()
            .flat_map(|elements| &elements.most_common);
        let elements: Vec<&str> = elements.map(|(text, _)| text.as_str()).collect();
        let own = column.most_common.iter().map(|(text, _)| text.as_str());
        let own: Vec<&str> = own
            .chain(column.histogram.iter().map(String::as_str))
            .collect();
        let kind = Kind::of(type_class, own.iter().chain(&elements).copied());
        let mapped = match &kind {
            Kind::List(_) => elements,
            Kind::Public | Kind::Scalar(_) | Kind::Text(_) | Kind::Other(_) => own,
        };
        self.values.extend(mapped.into_iter().map(str::to_owned));
        if let Kind::Scalar(unit) = kind {
            let (least, most) = limits(type_class, data_type, unit);
            let known = self.limits.unwrap_or((i64::MIN, i64::MAX));
            self.limits = Some((known.0.max(least), known.1.min(most)));
        }
        self.kind = Some(match self.kind.take() {
            None => kind,
            Some(known) => match (&known, &kind) {
                // As many digits as the finest column has.
                (Kind::Scalar(Unit::Number(one)), Kind::Scalar(Unit::Number(other))) => {
                    Kind::Scalar(Unit::Number(*one.max(other)))
                }
                _ => {
                    self.is_mixed |= known != kind;
                    known
                }
            },
        });
    }

    /// The class has a key that means nothing but the row.
    pub(super) fn number_rows(&mut self, rows: Option<f64>, column: &ColumnStatistics) {
        let number = |text: &String| Unit::Number(0).number(text);
        let bounds: Vec<i64> = column.histogram.iter().filter_map(number).collect();
        if let (Some(rows), Some(Kind::Scalar(Unit::Number(0))), true) =
            (rows, &self.kind, bounds.len() > 1)
        {
            self.keys = Some(RowNumbers { rows, bounds });
        }
    }

    /// When all columns are known: `ahead` is by how many days the profile's own day lies before the real one.
    pub(super) fn finish(&mut self, ahead: i64) {
        if let Some(Kind::Scalar(unit)) = self.kind
            && unit.is_moment()
        {
            let is_time = |text: &String| unit.number(text).is_some();
            let is_anchored = self.anchors.iter().any(is_time);
            self.moved_days = if is_anchored {
                0
            } else {
                -(ahead - ahead.rem_euclid(7))
            };
        }
    }

    pub(super) fn is_text(&self) -> bool {
        self.kind
            .as_ref()
            .is_some_and(|kind| matches!(kind.element(), Kind::Text(Alphabet::Words)))
    }

    pub(super) fn map(&self, key: &Key, ranks: &BTreeMap<String, usize>, texts: TextMap) -> Mapped {
        let Some(kind) = &self.kind else {
            return Mapped::Same;
        };
        if let Some(why) = unmapped(kind) {
            return Mapped::Without(why);
        }
        if self.is_mixed {
            return Mapped::Without("columns of different types share their values".to_owned());
        }
        let mut stream = key.stream(self.label.as_deref().unwrap_or_default());
        match kind.element() {
            Kind::Public => Mapped::Same,
            Kind::Scalar(unit) => self.map_numbers(*unit, &mut stream),
            Kind::Text(alphabet) => self.map_texts(*alphabet, ranks, texts, &mut stream),
            Kind::List(_) | Kind::Other(_) => Mapped::Same,
        }
    }

    fn map_numbers(&self, unit: Unit, stream: &mut Stream) -> Mapped {
        let numbers: BTreeSet<i64> = self
            .values
            .iter()
            .filter_map(|text| unit.number(text))
            .collect();
        let sorted: Vec<i64> = numbers.into_iter().collect();
        let mut anchors: BTreeSet<i64> = self
            .anchors
            .iter()
            .filter_map(|text| unit.number(text))
            .collect();
        if !unit.is_moment() {
            anchors.insert(0);
        }
        let limits = self.limits.unwrap_or((i64::MIN, i64::MAX));
        let mapped = match &self.keys {
            Some(keys) => keys.numbered(&sorted, limits),
            None if unit.is_moment() && anchors.is_empty() => {
                let step = step(&sorted, unit);
                let coarse: Vec<i64> = sorted.iter().map(|value| value.div_euclid(step)).collect();
                let moved = spread(
                    &coarse,
                    &anchors,
                    (i64::MIN / step, i64::MAX / step),
                    stream,
                );
                let days = unit.days(self.moved_days);
                moved
                    .iter()
                    .map(|value| (value * step).saturating_add(days))
                    .collect()
            }
            None => spread(&sorted, &anchors, limits, stream),
        };
        let new = |text: &String| match unit.number(text) {
            // `infinity` and `NaN` are nobody's.
            None => Some(text.clone()),
            Some(number) => {
                let at = sorted.binary_search(&number).ok()?;
                Some(unit.text(*mapped.get(at)?))
            }
        };
        let values = self.values.iter();
        Mapped::Values(
            values
                .filter_map(|text| Some((text.clone(), new(text)?)))
                .collect(),
        )
    }

    fn map_texts(
        &self,
        alphabet: Alphabet,
        ranks: &BTreeMap<String, usize>,
        texts: TextMap,
        stream: &mut Stream,
    ) -> Mapped {
        let mut all: Vec<String> = self.values.union(&self.anchors).cloned().collect();
        all.sort_by_key(|text| ranks.get(text));
        let by_class = match texts {
            TextMap::ByClass => text::by_class(&all, &self.anchors, alphabet, stream),
            TextMap::Plain => None,
        };
        let mapped = match (by_class, alphabet) {
            (Some(mapped), _) => mapped,
            (None, Alphabet::Words) => text::plain(&all, &self.anchors, stream),
            (None, Alphabet::Hexadecimal) => {
                return Mapped::Without("its values leave no room for others".to_owned());
            }
        };
        Mapped::Values(all.into_iter().zip(mapped).collect())
    }

    /// A column's statistics with mapped values, and why it has none if so.
    pub(super) fn remapped(
        &self,
        column: &ColumnStatistics,
        mapped: &Mapped,
        ranks: &BTreeMap<String, usize>,
        rows: f64,
    ) -> (ColumnStatistics, Option<String>) {
        let mut remapped = without_values(column);
        let is_moment = matches!(&self.kind, Some(Kind::Scalar(unit)) if unit.is_moment());
        remapped.is_anchored = is_moment && self.moved_days == 0;
        let Some(kind) = &self.kind else {
            return (remapped, None);
        };
        if let Mapped::Without(why) = mapped {
            return (remapped, column.has_values().then(|| why.clone()));
        }
        if let Kind::List(_) = kind {
            remapped.elements = column
                .elements
                .as_ref()
                .map(|elements| self.remapped_elements(elements, mapped, rows));
            let lost = !column.most_common.is_empty() || !column.histogram.is_empty();
            return (
                remapped,
                lost.then(|| "whole lists are not mapped, their elements are".to_owned()),
            );
        }
        let order = |text: &str| match kind {
            Kind::Scalar(unit) => unit.number(text),
            Kind::Text(Alphabet::Words) => i64::try_from(*ranks.get(text)?).ok(),
            Kind::Public | Kind::Text(Alphabet::Hexadecimal) | Kind::List(_) | Kind::Other(_) => {
                None
            }
        };
        let is_public = |text: &str| *kind == Kind::Public || self.anchors.contains(text);
        let named = common::without_rare(column, rows, is_public, order);
        let value = |text: &String| mapped.value(text);
        let common = named.most_common.into_iter();
        remapped.most_common = common
            .filter_map(|(text, share)| Some((value(&text)?, common::three_digits(share))))
            .collect();
        remapped.histogram = named.histogram.iter().filter_map(value).collect();
        (remapped, None)
    }

    fn remapped_elements(
        &self,
        elements: &ElementStatistics,
        mapped: &Mapped,
        rows: f64,
    ) -> ElementStatistics {
        let frequent = elements.most_common.iter();
        let frequent = frequent.filter(|(text, share)| {
            self.anchors.contains(text) || f64::from(*share) * rows >= super::FEWEST_ROWS
        });
        ElementStatistics {
            most_common: frequent
                .filter_map(|(text, share)| {
                    Some((mapped.value(text)?, common::three_digits(*share)))
                })
                .collect(),
            frequency_bounds: elements
                .frequency_bounds
                .iter()
                .map(|one| common::three_digits(*one))
                .collect(),
            counts: elements.counts.clone(),
        }
    }
}

impl RowNumbers {
    /// A value's place among the key's bounds, times the rows; strictly ascending.
    fn numbered(&self, sorted: &[i64], limits: (i64, i64)) -> Vec<i64> {
        let bins = (self.bounds.len() - 1) as f64;
        let mut next = 1;
        let mut found = Vec::with_capacity(sorted.len());
        for value in sorted {
            let after = self.bounds.partition_point(|bound| bound <= value);
            let place = match after.checked_sub(1) {
                None => 0.0,
                Some(at) if at + 1 == self.bounds.len() => at as f64,
                Some(at) => {
                    let (low, high) = (self.bounds[at], self.bounds[at + 1]);
                    at as f64 + (value - low) as f64 / (high - low).max(1) as f64
                }
            };
            let ideal = 1.0 + place / bins * (self.rows - 1.0).max(0.0);
            let number = (ideal.round() as i64).max(next).min(limits.1);
            found.push(number);
            next = number.saturating_add(1);
        }
        found
    }
}

/// The unit that all values are whole multiples of: days, seconds, or what the type has.
fn step(sorted: &[i64], unit: Unit) -> i64 {
    let steps = [unit.days(1), unit.days(1) / 86_400];
    let is_whole = |step: &i64| *step > 1 && sorted.iter().all(|value| value % step == 0);
    steps.into_iter().find(is_whole).unwrap_or(1)
}

/// Shares, widths and correlation alone.
pub(super) fn without_values(column: &ColumnStatistics) -> ColumnStatistics {
    ColumnStatistics {
        column: column.column.clone(),
        inherited: column.inherited,
        null_fraction: common::three_digits(column.null_fraction),
        average_width: column.average_width,
        distinct: column.distinct,
        correlation: column.correlation.map(common::three_digits),
        ..ColumnStatistics::default()
    }
}
