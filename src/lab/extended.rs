//! Extended statistics in the form in which `pg_statistic_ext_data` keeps them (`mvdistinct.c`, `dependencies.c`). Combinations of
//! common values are not among them: their form holds the values themselves.

use crate::profile::model::{Dependency, DistinctCombinations, ExtendedStatistics};

const DISTINCT_MAGIC: u32 = 0xA352_BFA4;
const DEPENDENCIES_MAGIC: u32 = 0xB454_9A2C;
/// The one type that there is of either.
const BASIC: u32 = 1;

/// The numbers of the parts of a statistics object: columns by theirs, expressions from -1 down.
#[must_use]
pub fn part_numbers(columns: &[i16], expressions: usize) -> Vec<i16> {
    let expressions =
        (1..=expressions).map(|number| i16::try_from(number).map_or(i16::MIN, |number| -number));
    columns.iter().copied().chain(expressions).collect()
}

/// A `pg_ndistinct`, without its length; `None` where there is nothing to say, or a part that is not known.
#[must_use]
pub fn distinct_bytes(statistics: &ExtendedStatistics, numbers: &[i16]) -> Option<Vec<u8>> {
    let items = &statistics.distinct;
    let mut bytes = header(DISTINCT_MAGIC, items.len())?;
    for DistinctCombinations { parts, distinct } in items {
        bytes.extend(distinct.to_ne_bytes());
        bytes.extend(i32::try_from(parts.len()).ok()?.to_ne_bytes());
        for part in parts {
            bytes.extend(numbers.get(*part)?.to_ne_bytes());
        }
    }
    Some(bytes)
}

/// A `pg_dependencies`, without its length.
#[must_use]
pub fn dependency_bytes(statistics: &ExtendedStatistics, numbers: &[i16]) -> Option<Vec<u8>> {
    let items = &statistics.dependencies;
    let mut bytes = header(DEPENDENCIES_MAGIC, items.len())?;
    for Dependency { from, to, degree } in items {
        bytes.extend(degree.to_ne_bytes());
        bytes.extend(i16::try_from(from.len() + 1).ok()?.to_ne_bytes());
        for part in from.iter().chain([to]) {
            bytes.extend(numbers.get(*part)?.to_ne_bytes());
        }
    }
    Some(bytes)
}

fn header(magic: u32, items: usize) -> Option<Vec<u8>> {
    let count = u32::try_from(items).ok().filter(|count| *count > 0)?;
    Some(
        [magic, BASIC, count]
            .into_iter()
            .flat_map(u32::to_ne_bytes)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_the_servers_numbers() {
        assert_eq!(part_numbers(&[2, 5], 2), [2, 5, -1, -2]);
        let statistics = ExtendedStatistics {
            distinct: vec![DistinctCombinations {
                parts: vec![0, 2],
                distinct: 7.0,
            }],
            ..ExtendedStatistics::default()
        };
        let bytes = distinct_bytes(&statistics, &[2, 5, -1]).unwrap();
        assert_eq!(bytes.len(), 12 + 8 + 4 + 2 * 2);
        assert_eq!(
            distinct_bytes(&statistics, &[2, 5]),
            None,
            "a part is not known"
        );
        assert_eq!(
            dependency_bytes(&statistics, &[2, 5, -1]),
            None,
            "there are none"
        );
    }
}
