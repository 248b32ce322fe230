//! The parts of a range in which a number may lie where some parts are missing: a partition key whose partitions leave
//! gaps, some of them only beside certain values of another column.

/// Where a number may lie. Its source makes numbers of one stretch from `start` on, as long as the shortest case; a case
/// stretches them over its parts, so that what differed still differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// The first number of the source's stretch.
    pub start: i64,
    /// How many numbers the stretch has.
    pub room: u64,
    /// The least and the greatest number of all parts.
    pub ends: (i64, i64),
    /// The first one whose conditions hold is taken.
    pub cases: Box<[Case]>,
}

/// Parts, and the values of other columns beside which they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// All of them.
    pub conditions: Box<[Condition]>,
    /// From the first (included) to the second (excluded), in order.
    pub parts: Box<[(i64, i64)]>,
}

/// A column (its index in the table) and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub column: usize,
    pub values: Allowed,
}

/// Values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Allowed {
    /// This cell, with its length.
    Cell(Box<[u8]>),
    /// None of these.
    NoneOf(Box<[Box<[u8]>]>),
    /// From the first (included) to the second (excluded).
    Between(i64, i64),
}

impl Case {
    /// How many numbers its parts have.
    #[must_use]
    pub fn room(&self) -> u64 {
        let rooms = self.parts.iter();
        rooms.fold(0, |sum: u64, (low, high)| {
            sum.saturating_add(high.saturating_sub(*low).max(0) as u64)
        })
    }

    /// The number at this place, counted over all parts.
    #[must_use]
    pub fn at(&self, place: u64) -> i64 {
        let mut left = place;
        for (low, high) in &self.parts {
            let room = high.saturating_sub(*low).max(0) as u64;
            if left < room {
                return low.saturating_add_unsigned(left);
            }
            left -= room;
        }
        self.parts.last().map_or(0, |(_, high)| high - 1)
    }
}

impl Domain {
    /// Where the source's number comes to lie in a case.
    #[must_use]
    pub fn place(&self, case: &Case, number: i64) -> i64 {
        let offset = number.saturating_sub(self.start).max(0) as u64;
        let offset = offset.min(self.room.saturating_sub(1));
        let stretched = u128::from(offset) * u128::from(case.room()) / u128::from(self.room.max(1));
        case.at(stretched as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stretched_over_the_parts_and_stay_apart() {
        let case = Case {
            conditions: Box::default(),
            parts: Box::new([(10, 13), (20, 22), (40, 47)]),
        };
        let domain = Domain {
            start: 10,
            room: 8,
            ends: (10, 46),
            cases: Box::default(),
        };
        assert_eq!(case.room(), 12);
        let placed: Vec<i64> = (10..18).map(|number| domain.place(&case, number)).collect();
        assert_eq!(placed, [10, 11, 20, 21, 41, 42, 44, 45]);
        assert_eq!(
            domain.place(&case, 1000),
            45,
            "what lies past the stretch is its last"
        );
    }
}
