//! Values of few rows: they lose their names, and their rows go into the histogram.

use super::FEWEST_ROWS;
use crate::profile::model::{ColumnStatistics, CommonCombination, ExtendedStatistics};

/// Most common values and histogram.
pub(super) struct Named {
    pub(super) most_common: Vec<(String, f32)>,
    pub(super) histogram: Vec<String>,
}

/// Bounds of a histogram that is made of rare values.
const BOUNDS: usize = 101;

/// Keeps values of [`FEWEST_ROWS`] rows and more, and public ones. Where `order` knows the values, the others become part of the
/// histogram with their share of the rows.
pub(super) fn without_rare(
    column: &ColumnStatistics,
    rows: f64,
    is_public: impl Fn(&str) -> bool,
    order: impl Fn(&str) -> Option<i64>,
) -> Named {
    let keeps =
        |(text, share): &&(String, f32)| is_public(text) || f64::from(*share) * rows >= FEWEST_ROWS;
    let (kept, rare): (Vec<_>, Vec<_>) = column.most_common.iter().partition(keeps);
    let most_common: Vec<(String, f32)> = kept.into_iter().cloned().collect();
    let histogram = match rare.is_empty() {
        true => column.histogram.clone(),
        false => with_rare(column, &rare, order).unwrap_or_else(|| column.histogram.clone()),
    };
    Named {
        most_common,
        histogram,
    }
}

/// The histogram of the rows that it stands for and of the rare values' rows.
fn with_rare(
    column: &ColumnStatistics,
    rare: &[&(String, f32)],
    order: impl Fn(&str) -> Option<i64>,
) -> Option<Vec<String>> {
    let common: f32 = column.most_common.iter().map(|(_, share)| share).sum();
    let left = f64::from((1.0 - column.null_fraction - common).max(0.0));
    let of_bound = left / column.histogram.len().max(1) as f64;
    let bounds = column.histogram.iter().map(|text| (text, of_bound));
    let rare = rare.iter().map(|(text, share)| (text, f64::from(*share)));
    let mut weighted: Vec<(i64, &String, f64)> = bounds
        .chain(rare)
        .map(|(text, share)| Some((order(text)?, text, share)))
        .collect::<Option<_>>()?;
    weighted.sort_by_key(|(place, ..)| *place);
    weighted.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.2 += next.2;
        }
        is_same
    });
    let total: f64 = weighted.iter().map(|(.., share)| share).sum();
    // A single value is all that lies between two bounds.
    if let [(_, only, _)] = weighted[..] {
        return Some(vec![only.clone(); 2]);
    }
    // A value with many rows stands at several bounds.
    let count = BOUNDS;
    let mut found = Vec::with_capacity(count);
    let (mut at, mut passed) = (0, weighted[0].2);
    for bound in 0..count {
        let wanted = total * bound as f64 / (count - 1) as f64;
        while passed < wanted && at + 1 < weighted.len() {
            at += 1;
            passed += weighted[at].2;
        }
        found.push(weighted[at].1.clone());
    }
    // The last bound is the greatest value, however light.
    if let (Some(last), Some((_, greatest, _))) = (found.last_mut(), weighted.last()) {
        *last = (*greatest).clone();
    }
    Some(found)
}

/// Combinations of enough rows whose values are all mapped; values of the rare ones stay where they are.
pub(super) fn remapped_combinations(
    extended: &ExtendedStatistics,
    rows: f64,
    value: impl Fn(usize, &str) -> Option<String>,
) -> Vec<CommonCombination> {
    let remapped = |combination: &CommonCombination| {
        let values = combination.values.iter().enumerate();
        let values = values.map(|(part, text)| match text {
            None => Some(None),
            Some(text) => value(part, text).map(Some),
        });
        Some(CommonCombination {
            values: values.collect::<Option<_>>()?,
            frequency: f64::from(three_digits(combination.frequency as f32)),
            base_frequency: f64::from(three_digits(combination.base_frequency as f32)),
        })
    };
    let combinations = extended.most_common.iter();
    let frequent = combinations.filter(|combination| combination.frequency * rows >= FEWEST_ROWS);
    frequent.filter_map(remapped).collect()
}

/// A share with three significant digits.
pub(super) fn three_digits(share: f32) -> f32 {
    format!("{share:.2e}").parse().unwrap_or(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_values_go_into_the_histogram() {
        let column = ColumnStatistics {
            most_common: vec![("5".into(), 0.5), ("9".into(), 0.1), ("1".into(), 0.1)],
            histogram: vec!["2".into(), "3".into(), "12".into()],
            ..ColumnStatistics::default()
        };
        let order = |text: &str| text.parse().ok();
        let named = without_rare(&column, 100.0, |_| false, order);
        assert_eq!(named.most_common, [("5".to_owned(), 0.5)]);
        assert_eq!(named.histogram.len(), BOUNDS);
        let mut values = named.histogram.clone();
        values.dedup();
        assert_eq!(values, ["1", "2", "3", "9", "12"]);
        assert_eq!(named.histogram.first().map(String::as_str), Some("1"));
        assert_eq!(named.histogram.last().map(String::as_str), Some("12"));
        let public = without_rare(&column, 100.0, |text| text == "9", order);
        assert_eq!(public.most_common.len(), 2);
        assert!((three_digits(0.123_456) - 0.123).abs() < 1e-9);
        assert!((three_digits(0.000_033_333) - 0.000_033_3).abs() < 1e-9);
    }
}
