//! A column's statistics as a row of pg_statistic. Which slot holds what: `catalog/pg_statistic.h`.

use std::fmt::Write as _;

use tokio_postgres::Row;

use crate::db::explain::quote_literal;
use crate::profile::model::ColumnStatistics;

/// What the catalogs say of a column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) relation: u32,
    number: i16,
    pub(super) name: String,
    data_type: u32,
    modifier: i32,
    collation: u32,
    delimiter: String,
    is_text_search: bool,
    equal: Option<u32>,
    less: Option<u32>,
    element: Option<Element>,
    range: u32,
}

/// The elements of an array's type.
#[derive(Debug, Clone)]
struct Element {
    data_type: u32,
    delimiter: String,
    equal: Option<u32>,
}

/// `stakind`.
#[derive(Debug, Clone, Copy)]
enum Kind {
    MostCommon = 1,
    Histogram = 2,
    Correlation = 3,
    MostCommonElements = 4,
    ElementCounts = 5,
    RangeLengths = 6,
    RangeBounds = 7,
}

/// One of the five slots.
struct Slot {
    kind: Kind,
    operator: u32,
    collation: u32,
    numbers: Vec<f32>,
    /// An array's literal and its elements' type and modifier.
    values: Option<(String, u32, i32)>,
}

const TEXT: u32 = 25;
const TEXT_EQUAL: u32 = 98;
const DEFAULT_COLLATION: u32 = 100;
const FLOAT8: u32 = 701;
const FLOAT8_LESS: u32 = 672;
const SLOTS: usize = 5;

impl Column {
    /// Of a row of `columns.sql`.
    pub(super) fn of(row: &Row) -> Self {
        let element = row
            .get::<_, Option<u32>>("element")
            .map(|data_type| Element {
                data_type,
                delimiter: row.get("element_delimiter"),
                equal: row.get("element_equal"),
            });
        Self {
            relation: row.get("relation"),
            number: row.get("number"),
            name: row.get("name"),
            data_type: row.get("type"),
            modifier: row.get("modifier"),
            collation: row.get("collation"),
            delimiter: row.get("delimiter"),
            is_text_search: row.get("is_text_search"),
            equal: row.get("equal"),
            less: row.get("less"),
            element,
            range: row.get("range"),
        }
    }

    /// Whether ANALYZE sorts its values.
    pub(super) fn is_ordered(&self) -> bool {
        self.less.is_some() && self.equal.is_some()
    }

    /// The statement that takes its statistics away.
    pub(super) fn delete(&self, inherited: bool) -> String {
        format!(
            "DELETE FROM pg_catalog.pg_statistic WHERE starelid = {} AND staattnum = {} AND stainherit = {inherited};",
            self.relation, self.number
        )
    }

    /// The statement that sets its statistics, where it has none.
    pub(super) fn insert(&self, statistics: &ColumnStatistics) -> String {
        let slots = self.slots(statistics);
        let mut sql = format!(
            "INSERT INTO pg_catalog.pg_statistic VALUES ({}, {}, {}, {}, {}, {}",
            self.relation,
            self.number,
            statistics.inherited,
            statistics.null_fraction,
            statistics.average_width,
            statistics.distinct
        );
        // Each of these is a row's five columns; writing to a string cannot fail.
        let columns: [fn(&Slot) -> String; 5] = [
            |slot| (slot.kind as i16).to_string(),
            |slot| slot.operator.to_string(),
            |slot| slot.collation.to_string(),
            numbers,
            values,
        ];
        for (at, column) in columns.into_iter().enumerate() {
            let empty = if at < 3 { "0" } else { "NULL" };
            for slot in 0..SLOTS {
                let value = slots.get(slot).map_or_else(|| empty.to_owned(), column);
                let _ = write!(sql, ", {value}");
            }
        }
        sql.push_str(");");
        sql
    }

    fn slots(&self, of: &ColumnStatistics) -> Vec<Slot> {
        let mut slots = Vec::new();
        let values = |texts: &mut dyn Iterator<Item = &String>| {
            Some((
                literal(texts, &self.delimiter),
                self.data_type,
                self.modifier,
            ))
        };
        let slot = |kind, operator, numbers, values| Slot {
            kind,
            operator,
            collation: self.collation,
            numbers,
            values,
        };
        if let Some(equal) = self.equal.filter(|_| !of.most_common.is_empty()) {
            let shares = of.most_common.iter().map(|(_, share)| *share).collect();
            let common = values(&mut of.most_common.iter().map(|(value, _)| value));
            slots.push(slot(Kind::MostCommon, equal, shares, common));
        }
        if let Some(less) = self.less {
            if of.histogram.len() > 1 {
                let bounds = values(&mut of.histogram.iter());
                slots.push(slot(Kind::Histogram, less, Vec::new(), bounds));
            }
            if let Some(correlation) = of.correlation {
                slots.push(slot(Kind::Correlation, less, vec![correlation], None));
            }
        }
        self.add_elements(of, &mut slots);
        self.add_ranges(of, &mut slots);
        slots.truncate(SLOTS);
        slots
    }

    fn add_elements(&self, of: &ColumnStatistics, slots: &mut Vec<Slot>) {
        let Some(elements) = &of.elements else {
            return;
        };
        let (data_type, delimiter, equal, collation) = match (&self.element, self.is_text_search) {
            (_, true) => (TEXT, ",", TEXT_EQUAL, DEFAULT_COLLATION),
            (Some(element), false) => match element.equal {
                Some(equal) => (
                    element.data_type,
                    element.delimiter.as_str(),
                    equal,
                    self.collation,
                ),
                None => return,
            },
            (None, false) => return,
        };
        if !elements.most_common.is_empty() {
            let mut shares: Vec<f32> = elements
                .most_common
                .iter()
                .map(|(_, share)| *share)
                .collect();
            shares.extend(&elements.frequency_bounds);
            let texts = &mut elements.most_common.iter().map(|(value, _)| value);
            slots.push(Slot {
                kind: Kind::MostCommonElements,
                operator: equal,
                collation,
                numbers: shares,
                values: Some((literal(texts, delimiter), data_type, -1)),
            });
        }
        if !elements.counts.is_empty() {
            slots.push(Slot {
                kind: Kind::ElementCounts,
                operator: equal,
                collation,
                numbers: elements.counts.clone(),
                values: None,
            });
        }
    }

    fn add_ranges(&self, of: &ColumnStatistics, slots: &mut Vec<Slot>) {
        let Some(ranges) = &of.ranges else {
            return;
        };
        if ranges.lengths.len() > 1 || ranges.empty_fraction.is_some() {
            slots.push(Slot {
                kind: Kind::RangeLengths,
                operator: FLOAT8_LESS,
                collation: 0,
                numbers: ranges.empty_fraction.into_iter().collect(),
                values: Some((literal(&mut ranges.lengths.iter(), ","), FLOAT8, -1)),
            });
        }
        if ranges.bounds.len() > 1 {
            slots.push(Slot {
                kind: Kind::RangeBounds,
                operator: 0,
                collation: 0,
                numbers: Vec::new(),
                values: Some((literal(&mut ranges.bounds.iter(), ","), self.range, -1)),
            });
        }
    }
}

fn numbers(slot: &Slot) -> String {
    if slot.numbers.is_empty() {
        return "NULL".to_owned();
    }
    let numbers: Vec<String> = slot.numbers.iter().map(f32::to_string).collect();
    format!("'{{{}}}'", numbers.join(","))
}

fn values(slot: &Slot) -> String {
    match &slot.values {
        Some((literal, data_type, modifier)) => format!(
            "pg_catalog.array_in({}, {data_type}, {modifier})",
            quote_literal(literal)
        ),
        None => "NULL".to_owned(),
    }
}

/// An array's text form; every element quoted.
fn literal(values: &mut dyn Iterator<Item = &String>, delimiter: &str) -> String {
    let mut text = String::from("{");
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push_str(delimiter);
        }
        text.push('"');
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_quoted() {
        let texts = [
            "a,b".to_owned(),
            r#"say "hi" \o/"#.to_owned(),
            String::new(),
        ];
        assert_eq!(
            literal(&mut texts.iter(), ","),
            r#"{"a,b","say \"hi\" \\o/",""}"#
        );
    }
}
