//! What was counted in samples, as parts of a profile: rounded, and without anything that is of fewer rows than a profile names.

use crate::profile::model::{Axis, Joint};
use crate::profile::remap::FEWEST_ROWS;

/// Parents that each step of a histogram of counts stands for, in the sample.
const PARENTS_A_STEP: usize = 20;
/// Steps of such a histogram.
const STEPS: usize = 20;
/// Columns with a weaker association (Cramér's V, less what chance gives) count as independent.
const WEAK: f64 = 0.1;
/// Combinations that are kept.
const CELLS: usize = 600;
/// Rows of a sample that show a combination.
const SEEN: i64 = 3;

/// Share of the parents without children, and the mean counts of equally many of the others from the fewest to the most, of the numbers of
/// children of some parents.
/// `parents` is how many there are in all. `None` of too few.
#[must_use]
pub fn fan_out(counts: &[i64], parents: f64) -> Option<(f64, Vec<f64>)> {
    let mut sorted: Vec<f64> = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| *count as f64)
        .collect();
    sorted.sort_by(f64::total_cmp);
    let steps = (sorted.len() / PARENTS_A_STEP).min(STEPS);
    if steps == 0 {
        return None;
    }
    let childless = 1.0 - sorted.len() as f64 / counts.len() as f64;
    let childless = if childless * parents < FEWEST_ROWS {
        0.0
    } else {
        childless
    };
    // Means of many parents: no number is a single one's.
    let mean = |step: usize| {
        let part = &sorted[step * sorted.len() / steps..(step + 1) * sorted.len() / steps];
        three_digits(part.iter().sum::<f64>() / part.len() as f64)
    };
    let children = (0..steps).map(mean).collect();
    Some((three_digits(childless), children))
}

/// The pages of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageSample {
    pub pages: i64,
    /// Mean number of different values on a page, and on as many rows taken anywhere.
    pub distinct: (f64, f64),
    /// The middle 80 % of the values of the median page in the order of all of them, and of as many rows taken anywhere.
    pub spread: (f64, f64),
}

/// Pages of a sample that take no more room than this many of them in the values' order are disjoint, as far as the sample shows.
const DISJOINT: f64 = 2.5;

/// How values lie on the pages of a table of so many: different ones, and how far they are apart. `None` of too few pages.
#[must_use]
pub fn locality(sample: &PageSample, of: f64) -> Option<(f64, f64)> {
    let PageSample {
        pages,
        distinct,
        spread,
    } = sample;
    if (*pages as f64) < FEWEST_ROWS || distinct.1 <= 0.0 || spread.1 <= 0.0 {
        return None;
    }
    let ratio = |(page, anywhere): &(f64, f64)| (page / anywhere).clamp(0.0, 1.0);
    let pages = *pages as f64;
    // Between two values of a page there may be those of pages that are not in the sample: where no two of its pages overlap, so
    // do no two of the table.
    let spread = match ratio(spread) {
        apart if apart * pages < DISJOINT => apart * pages / of.max(pages),
        apart => apart,
    };
    Some((two_digits(ratio(distinct)), two_digits(spread)))
}

/// What two columns have together, of how many rows of a sample fell into each pair of bins. `rows` is how many the table has.
/// `None` where they are independent, as far as the sample shows.
#[must_use]
pub fn joint(axes: &[Axis; 2], counts: &[(usize, usize, i64)], rows: f64) -> Option<Joint> {
    let total: i64 = counts.iter().map(|(.., count)| count).sum();
    let total = total as f64;
    let margin = |bin: fn(&(usize, usize, i64)) -> usize| {
        let mut margin = vec![0.0; counts.iter().map(bin).max().map_or(0, |most| most + 1)];
        for cell in counts {
            margin[bin(cell)] += cell.2 as f64 / total;
        }
        margin
    };
    let (one, other) = (margin(|cell| cell.0), margin(|cell| cell.1));
    let bins = |margin: &[f64]| margin.iter().filter(|share| **share > 0.0).count() as f64;
    let (of_one, of_other) = (bins(&one), bins(&other));
    if of_one < 2.0 || of_other < 2.0 {
        return None;
    }
    let square: f64 = counts
        .iter()
        .map(|(a, b, count)| (*count as f64 / total).powi(2) / (one[*a] * other[*b]))
        .sum::<f64>()
        - 1.0;
    let by_chance = (of_one - 1.0) * (of_other - 1.0) / total;
    let strength = ((square - by_chance).max(0.0) / (of_one.min(of_other) - 1.0)).sqrt();
    if strength < WEAK {
        return None;
    }
    let kept = counts
        .iter()
        .filter(|(.., count)| *count >= SEEN && *count as f64 / total * rows >= FEWEST_ROWS);
    let mut cells: Vec<(usize, usize, f64)> = kept
        .map(|(a, b, count)| (*a, *b, *count as f64 / total))
        .collect();
    let surprise = |(a, b, share): &(usize, usize, f64)| (share - one[*a] * other[*b]).abs();
    cells.sort_by(|left, right| surprise(right).total_cmp(&surprise(left)));
    cells.truncate(CELLS);
    cells.sort_by_key(|(a, b, _)| (*a, *b));
    cells
        .iter_mut()
        .for_each(|cell| cell.2 = three_digits(cell.2));
    Some(Joint {
        axes: axes.clone(),
        cells,
    })
}

fn two_digits(number: f64) -> f64 {
    rounded(number, 2)
}

fn three_digits(number: f64) -> f64 {
    rounded(number, 3)
}

/// So many significant digits.
fn rounded(number: f64, digits: usize) -> f64 {
    let places = digits - 1;
    format!("{number:.places$e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_a_histogram_without_single_parents() {
        let mut counts: Vec<i64> = (0..400).map(|parent| 1 + parent / 100).collect();
        counts.extend([0; 100]);
        counts.push(987_654);
        let (childless, children) = fan_out(&counts, 50_000.0).unwrap();
        assert!((childless - 0.2).abs() < 0.001, "{childless}");
        assert_eq!((children.len(), children[0], children[18]), (20, 1.0, 4.0));
        // The one large parent is one of a step.
        assert!(children[19] < 60_000.0, "{children:?}");
        assert_eq!(fan_out(&[1; 19], 50_000.0), None);
        // Too few parents without children to say how many.
        assert_eq!(fan_out(&counts[..450], 60.0).unwrap().0, 0.0);
    }

    #[test]
    fn independent_columns_have_nothing_together() {
        let axis = |column: &str| Axis {
            column: column.to_owned(),
            common: vec!["a".to_owned(), "b".to_owned()],
            bounds: Vec::new(),
        };
        let axes = [axis("one"), axis("other")];
        let even = [(0, 0, 600), (0, 1, 400), (1, 0, 590), (1, 1, 410)];
        assert_eq!(joint(&axes, &even, 1e6), None);
        let tied = [(0, 0, 900), (0, 1, 100), (1, 0, 2), (1, 1, 998)];
        let found = joint(&axes, &tied, 1e6).unwrap();
        assert_eq!(found.cells, [(0, 0, 0.45), (0, 1, 0.05), (1, 1, 0.499)]);
        // Two hundred rows in all: a tenth of half of them is too few to name.
        let found = joint(&axes, &tied, 200.0).unwrap();
        assert_eq!(found.cells, [(0, 0, 0.45), (1, 1, 0.499)]);
    }

    #[test]
    fn pages_are_compared_with_rows_from_anywhere() {
        let sample = PageSample {
            pages: 200,
            distinct: (4.0, 80.0),
            spread: (0.016, 0.8),
        };
        assert_eq!(locality(&sample, 1e4), Some((0.05, 0.02)));
        assert_eq!(locality(&PageSample { pages: 5, ..sample }, 1e4), None);
        let sorted = PageSample {
            spread: (0.004, 0.8),
            ..sample
        };
        assert_eq!(locality(&sorted, 1e4), Some((0.05, 0.0001)));
    }
}
