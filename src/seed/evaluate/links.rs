//! Which parent row a row points to, and its place among its siblings.

use super::{At, Evaluator, NULL};
use crate::seed::distribution::{self, Place};
use crate::seed::plan::{Counter, End, Link, LinkChoice, Odometer, Pair, fractions};
use crate::seed::random::Permutation;

impl<'p> Evaluator<'p> {
    pub(super) fn place(&self, at: At<'p>, link: usize) -> Option<Place> {
        match &at.table.links[link].choice {
            LinkChoice::Grouped(grouping) => Some(grouping.place(at.row)),
            LinkChoice::Uniform
            | LinkChoice::Skewed { .. }
            | LinkChoice::OneToOne(_)
            | LinkChoice::Earlier { .. }
            | LinkChoice::Previous { .. }
            | LinkChoice::EarlierWithin { .. }
            | LinkChoice::Listed { .. }
            | LinkChoice::Shape { .. }
            | LinkChoice::Digit(_)
            | LinkChoice::Pair(_)
            | LinkChoice::Within { .. } => None,
        }
    }

    /// The row's place in the group that it is counted in.
    pub(super) fn count(&self, at: At<'p>, counter: Counter) -> Place {
        let of_all = |ordinal, count| Place {
            group: 0,
            ordinal,
            count,
        };
        match counter {
            Counter::Link(link) => self
                .place(at, link)
                .unwrap_or_else(|| of_all(at.row, at.table.rows)),
            Counter::Rows(order) => of_all(order.apply(at.row), order.size()),
            Counter::Row => of_all(at.row, at.table.rows),
        }
    }

    pub(super) fn digit(&self, at: At<'p>, odometer: &Odometer) -> u64 {
        let Place {
            group,
            ordinal: number,
            count,
        } = self.count(at, odometer.counter);
        if odometer.skew > 0.0 {
            let fraction = odometer.key.number(u64::MAX).fraction(group);
            let rank =
                distribution::distinct_rank(odometer.size, odometer.skew, number, count, fraction);
            return Permutation::new(odometer.key, odometer.size).apply(rank);
        }
        let digit = number / odometer.divisor % odometer.size;
        Permutation::new(odometer.key.number(group), odometer.size).apply(digit)
    }

    /// The digit among as many as the row's group needs, and how many those are.
    pub(super) fn digit_of_group(&self, at: At<'p>, odometer: &Odometer) -> (u64, u64) {
        let Place {
            group,
            ordinal: number,
            count,
        } = self.count(at, odometer.counter);
        let size = count
            .div_ceil(odometer.divisor)
            .clamp(1, odometer.size.max(1));
        let order = Permutation::new(odometer.key.number(group), size);
        (order.apply(number / odometer.divisor % size), size)
    }

    pub(super) fn follow(&self, at: At<'p>, link: usize) -> Option<u64> {
        let planned = &at.table.links[link];
        let mut row = self.follow_any(at, planned)?;
        if !planned.only.is_empty() {
            row = planned.only[(row % planned.only.len() as u64) as usize];
        }
        while planned.skip.binary_search(&row).is_ok() {
            row = (row + 1) % planned.parent_rows;
        }
        Some(row)
    }

    fn follow_any(&self, at: At<'p>, planned: &Link) -> Option<u64> {
        if planned.parent_rows == 0
            || (planned.null_share > 0.0
                && !planned.knows_its_nulls()
                && planned.key.number(NULL).fraction(at.row) < planned.null_share)
        {
            return None;
        }
        let Some(other) = planned.avoid else {
            return self.choose(at, planned, planned.parent_rows);
        };
        match self.follow(at, other) {
            None => self.choose(at, planned, planned.parent_rows),
            Some(avoided) if matches!(planned.choice, LinkChoice::Within { .. }) => {
                self.within(at, planned, Some(avoided))
            }
            // One parent fewer to choose from; the avoided one is stepped over.
            Some(avoided) => {
                let chosen =
                    self.choose(at, planned, planned.parent_rows.saturating_sub(1).max(1))?;
                let stepped = if chosen >= avoided {
                    chosen + 1
                } else {
                    chosen
                };
                (stepped < planned.parent_rows).then_some(stepped)
            }
        }
    }

    /// Chooses among the first `parents` rows.
    fn choose(&self, at: At<'p>, link: &Link, parents: u64) -> Option<u64> {
        match &link.choice {
            LinkChoice::Uniform => Some(link.key.below(at.row, parents)),
            LinkChoice::Skewed { ranks, order } => {
                let row = order.apply(ranks.draw(link.key.at(at.row)));
                Some(with_children(if row < parents { row } else { 0 }))
            }
            // Of more rows than parents only as many have one.
            LinkChoice::OneToOne(order) => {
                Some(order.apply(at.row)).filter(|row| *row < link.parent_rows)
            }
            LinkChoice::Grouped(grouping) => Some(grouping.place(at.row).group),
            LinkChoice::Earlier { roots } if at.row < *roots => None,
            LinkChoice::Earlier { .. } => Some(link.key.below(at.row, at.row.max(1))),
            LinkChoice::Previous { ring } => match at.row.checked_sub(1) {
                Some(previous) => Some(previous),
                None => ring.then(|| at.table.rows.saturating_sub(1)),
            },
            LinkChoice::EarlierWithin { shared } => {
                let LinkChoice::Grouped(grouping) = &at.table.links[*shared].choice else {
                    return None;
                };
                let place = grouping.place(at.row);
                (place.ordinal > 0)
                    .then(|| grouping.row_of(place.group, link.key.below(at.row, place.ordinal)))
            }
            LinkChoice::Listed { weights, rows } => {
                let of_kind = rows.get(weights.draw(link.key.at(at.row)))?;
                of_kind
                    .get(
                        link.key
                            .derive("of kind")
                            .below(at.row, of_kind.len() as u64) as usize,
                    )
                    .copied()
            }
            LinkChoice::Shape { shape, .. } if shape.quantiles.is_absent(at.row) => None,
            LinkChoice::Shape { shape, fan_out } => {
                let (place, chance) = fractions(link.key, at.row);
                // Where children are counted, a row that strayed within its place would be another parent's.
                let place = if fan_out.is_some() { 0.5 } else { place };
                let (part, inside) = shape.pick(at.row, place, chance)?;
                let row = match fan_out.as_ref().filter(|_| part.high > part.low) {
                    Some(fan_out) => fan_out.parent(part, inside),
                    None => part.at(inside),
                };
                let row = u64::try_from(row).unwrap_or(0);
                Some(row.min(parents.saturating_sub(1)))
            }
            LinkChoice::Digit(odometer) => Some(self.digit(at, odometer)),
            LinkChoice::Pair(of) => {
                let (low, high) = self.ordered_pair(link.parent, of, at.row);
                Some(match of.end {
                    End::Least => low,
                    End::Most => high,
                })
            }
            LinkChoice::Within { .. } => self.within(at, link, None),
        }
    }

    fn ordered_pair(&self, parent: usize, of: &Pair, row: u64) -> (u64, u64) {
        let (low, high) = pair(&of.order, row);
        let cell = |column: usize, row: u64| {
            let mut cell = Vec::with_capacity(24);
            self.write_cell(parent, column, row, &mut cell);
            // What follows the length.
            cell.split_off(4.min(cell.len()))
        };
        match of.by {
            Some(column) if cell(column, low) > cell(column, high) => (high, low),
            _ => (low, high),
        }
    }

    /// A row of the group that the other foreign key leads to, and not the avoided one.
    fn within(&self, at: At<'p>, link: &Link, avoided: Option<u64>) -> Option<u64> {
        let LinkChoice::Within {
            path,
            under,
            parent_link,
            down,
            digit,
        } = &link.choice
        else {
            return None;
        };
        let (mut table, mut group) = (at.table, at.row);
        for link in path {
            group = self.follow(At { table, row: group }, *link)?;
            table = &self.plan.tables[table.links[*link].parent];
        }
        group = self.subtypes(under.iter(), group);
        let grouping = self.plan.grouping_within(link.parent, *parent_link, down)?;
        let only = self.plan.only_within(link.parent, *parent_link, down);
        if !only.is_empty() {
            group = only.binary_search(&group).ok()? as u64;
        }
        // One fewer to choose from; the avoided one is stepped over.
        let avoided = avoided
            .filter(|_| down.is_empty())
            .map(|row| grouping.place(row))
            .filter(|place| place.group == group)
            .map(|place| place.ordinal);
        let count = grouping
            .count(group)
            .saturating_sub(u64::from(avoided.is_some()));
        let pick = match digit {
            _ if count == 0 => return None,
            None => link.key.below(at.row, count),
            Some(digit) => {
                let counted = self.count(at, digit.counter);
                Permutation::new(link.key.number(counted.group), count)
                    .apply(counted.ordinal / digit.divisor % digit.size.min(count))
            }
        };
        let pick = pick + u64::from(avoided.is_some_and(|avoided| pick >= avoided));
        let top = grouping.row_of(group, pick);
        Some(self.subtypes(down.iter().rev(), top))
    }

    /// From a supertype's row to the row of its subtype that has its key, and on to that one's.
    fn subtypes<'s>(&self, tables: impl Iterator<Item = &'s (usize, usize)>, row: u64) -> u64 {
        tables.fold(row, |row, (table, link)| {
            match &self.plan.tables[*table].links[*link].choice {
                LinkChoice::OneToOne(order) => order.invert(row),
                _ => row,
            }
        })
    }
}

/// The row, or its neighbour: one parent in fifty has no children, the same one for every table, so that what looks for such
/// parents (NOT EXISTS, LEFT JOIN … IS NULL) finds some however many children there are, and one of them can be deleted.
fn with_children(row: u64) -> u64 {
    const CHILDLESS: u64 = 50;
    row - u64::from(row % CHILDLESS == CHILDLESS - 1)
}

/// The `order`ed number's pair `(low, high)` with `low < high`: number = high * (high - 1) / 2 + low.
fn pair(order: &Permutation, row: u64) -> (u64, u64) {
    let number = order.apply(row % order.size().max(1));
    let mut high = ((1.0 + (1.0 + 8.0 * number as f64).sqrt()) / 2.0) as u64;
    while high > 1 && high * (high - 1) / 2 > number {
        high -= 1;
    }
    while (high + 1) * high / 2 <= number {
        high += 1;
    }
    (number - high * (high - 1) / 2, high)
}
