//! The columns of a unique key as the digits of a count: how many values each has, and which part of a row's number it shows.

use std::collections::BTreeSet;

use super::Resolver;
use super::key_columns::{capacity, counts_already, set_digit};
use super::key_facts::{driver_of, names_of};
use super::key_units::Unit;
use super::table::TableDraft;
use crate::seed::distribution::{Grouping, Order};
use crate::seed::infer::values::source_range;
use crate::seed::plan::{Counter, Generator, GroupDigit, LinkChoice, Odometer, ScalarSource};
use crate::seed::random::Permutation;
use crate::seed::spec::RowsSpec;

/// How many digits a count has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// The whole number is this column's.
    One,
    Several,
}

impl Digits {
    fn of(count: usize) -> Self {
        if count == 1 { Self::One } else { Self::Several }
    }
}

impl<'a> Resolver<'a> {
    pub(super) fn odometer(
        &mut self,
        draft: &mut TableDraft<'a>,
        units: &BTreeSet<Unit>,
    ) -> Result<(), String> {
        let Some(driver) = driver_of(draft, units) else {
            return self.free_odometer(draft, units);
        };
        let mut rest: Vec<Unit> = units
            .iter()
            .copied()
            .filter(|unit| *unit != Unit::Link(driver))
            .collect();
        within_last(draft, &mut rest);
        let mut limit = 1_u64;
        for unit in &rest {
            limit = limit.saturating_mul(self.size_of(draft, *unit, Digits::of(rest.len()))?);
        }
        let parents = draft.links[driver].parent_rows.max(1);
        if draft.rows > parents.saturating_mul(limit) {
            self.ask_for_even_groups(draft, &rest);
        }
        let why = format!(
            "{} has {parents} rows and each allows {limit}",
            names_of(draft, Unit::Link(driver)).join(", ")
        );
        self.lower_rows(draft, parents.saturating_mul(limit), &why)?;
        if matches!(&draft.links[driver].choice, LinkChoice::Grouped(grouping) if grouping.most() <= limit)
        {
            draft.links[driver].null_share = 0.0;
            self.assign_digits(draft, &rest, Counter::Link(driver), 1);
            return Ok(());
        }
        let (skew, order) = match draft.links[driver].choice {
            LinkChoice::Grouped(_) => self.grouped_knobs(draft),
            LinkChoice::Skewed { .. } => {
                let spec = draft.link_columns[driver]
                    .iter()
                    .find_map(|column| draft.columns[*column].spec);
                (
                    spec.and_then(|spec| spec.skew).unwrap_or(0.5),
                    Order::Scattered,
                )
            }
            _ => (0.0, Order::Scattered),
        };
        let link = &mut draft.links[driver];
        let Some(grouping) = Grouping::new(link.key, parents, draft.rows, skew, order, limit)
        else {
            return Err(why);
        };
        link.choice = LinkChoice::Grouped(grouping);
        link.null_share = 0.0;
        self.assign_digits(draft, &rest, Counter::Link(driver), 1);
        Ok(())
    }

    /// Where the smallest group of a tenant's rows sets a limit, the next pass divides the rows among the tenants evenly.
    fn ask_for_even_groups(&mut self, draft: &TableDraft<'a>, digits: &[Unit]) {
        for unit in digits {
            let Unit::Link(link) = unit else { continue };
            let LinkChoice::Within {
                parent_link,
                ref down,
                ..
            } = draft.links[*link].choice
            else {
                continue;
            };
            let top = match down.last() {
                Some((table, link)) => self.plan.tables[*table].links[*link].parent,
                None => draft.links[*link].parent,
            };
            if let Some(name) = self.link_keys[top].get(parent_link) {
                self.even.insert((self.plan.tables[top].oid, name.clone()));
            }
        }
    }

    fn grouped_knobs(&self, draft: &TableDraft<'a>) -> (f64, Order) {
        match self
            .specs
            .get(&draft.table.oid)
            .and_then(|spec| spec.rows.as_ref())
        {
            Some(RowsSpec::Per { skew, order, .. }) => (
                *skew,
                order.unwrap_or(if *skew > 0.0 {
                    Order::Scattered
                } else {
                    Order::ByGroup
                }),
            ),
            _ => (0.0, Order::ByGroup),
        }
    }

    /// No foreign key among the columns: all rows are one group.
    fn free_odometer(
        &mut self,
        draft: &mut TableDraft<'a>,
        units: &BTreeSet<Unit>,
    ) -> Result<(), String> {
        let mut rest: Vec<Unit> = units.iter().copied().collect();
        within_last(draft, &mut rest);
        let mut size = 1_u64;
        for unit in &rest {
            size = size.saturating_mul(self.size_of(draft, *unit, Digits::Several)?);
        }
        self.lower_rows(
            draft,
            size,
            &format!("its columns have {size} combinations"),
        )?;
        let order = Permutation::new(draft.key.derive("combinations"), size.max(1));
        self.assign_digits(draft, &rest, Counter::Rows(order), 1);
        Ok(())
    }

    /// Digits of a count, from a divisor on.
    pub(super) fn assign_digits(
        &self,
        draft: &mut TableDraft<'a>,
        rest: &[Unit],
        counter: Counter,
        mut divisor: u64,
    ) {
        let digits = if divisor == 1 {
            Digits::of(rest.len())
        } else {
            Digits::Several
        };
        for (at, unit) in rest.iter().enumerate() {
            let size = self.size_of(draft, *unit, digits).unwrap_or(1);
            let key = match unit {
                Unit::Column(column) => draft.columns[*column].key.derive("digit"),
                Unit::Link(link) => draft.links[*link].key.derive("digit"),
            };
            let mut odometer = Odometer {
                counter,
                divisor,
                size,
                key,
                skew: 0.0,
            };
            match unit {
                Unit::Link(link)
                    if matches!(draft.links[*link].choice, LinkChoice::Within { .. }) =>
                {
                    let is_last = at + 1 == rest.len();
                    if let LinkChoice::Within { digit, .. } = &mut draft.links[*link].choice {
                        *digit = Some(GroupDigit {
                            counter,
                            divisor,
                            size: if is_last { u64::MAX } else { size },
                        });
                    }
                }
                Unit::Link(link) => {
                    if let (LinkChoice::Skewed { .. }, Digits::One, Counter::Link(_)) =
                        (&draft.links[*link].choice, digits, counter)
                    {
                        let spec = draft.link_columns[*link]
                            .iter()
                            .find_map(|column| draft.columns[*column].spec);
                        odometer.skew = spec.and_then(|spec| spec.skew).unwrap_or(0.0);
                    }
                    draft.links[*link].choice = LinkChoice::Digit(odometer);
                }
                Unit::Column(column) => set_digit(draft, *column, odometer),
            }
            divisor = divisor.saturating_mul(size);
        }
    }

    pub(super) fn size_of(
        &self,
        draft: &TableDraft<'a>,
        unit: Unit,
        digits: Digits,
    ) -> Result<u64, String> {
        match unit {
            Unit::Link(link) => match draft.links[link].choice {
                LinkChoice::Uniform | LinkChoice::Skewed { .. } | LinkChoice::Grouped(_) => {
                    // One fewer where another link's parent is stepped over.
                    Ok((draft.links[link].parent_rows
                        - u64::from(draft.links[link].avoid.is_some()))
                    .max(1))
                }
                LinkChoice::Within {
                    parent_link,
                    ref down,
                    digit: None,
                    ..
                } => {
                    let grouping =
                        self.plan
                            .grouping_within(draft.links[link].parent, parent_link, down);
                    let avoided = u64::from(draft.links[link].avoid.is_some());
                    grouping
                        .map(|grouping| grouping.least().saturating_sub(avoided).max(1))
                        .ok_or_else(|| "the referenced rows are not grouped".to_owned())
                }
                // A digit of another key would no longer count there.
                LinkChoice::Digit(_)
                | LinkChoice::OneToOne(_)
                | LinkChoice::Earlier { .. }
                | LinkChoice::Previous { .. }
                | LinkChoice::EarlierWithin { .. }
                | LinkChoice::Pair(_)
                | LinkChoice::Listed { .. }
                | LinkChoice::Shape { .. }
                | LinkChoice::Within { digit: Some(_), .. } => Err(format!(
                    "the foreign key over {} is bound already",
                    names_of(draft, unit).join(", ")
                )),
            },
            Unit::Column(column) if counts_already(draft, column) => Err(format!(
                "column {} counts within another key already",
                draft.columns[column].column.name
            )),
            Unit::Column(column) => match &draft.columns[column].generator {
                // Counted from its lowest value on, as far as the type goes.
                Generator::Scalar(scalar)
                    if digits == Digits::One
                        && !matches!(scalar.source, ScalarSource::Listed { .. }) =>
                {
                    let (low, _) = source_range(scalar);
                    Ok(scalar.hard.1.saturating_sub(low).max(0) as u64)
                }
                _ => match capacity(draft, column) {
                    0 => Err(format!(
                        "column {} cannot count",
                        draft.columns[column].column.name
                    )),
                    size => Ok(size),
                },
            },
        }
    }
}

/// A key's units without the columns whose values are no numbers of any kind (arrays, say); `None` where there are no
/// such columns, or nothing else.
pub(super) fn counting(draft: &TableDraft<'_>, units: &BTreeSet<Unit>) -> Option<BTreeSet<Unit>> {
    let counts = |unit: &&Unit| match unit {
        Unit::Column(column) => {
            // Documents and arrays are unique as a whole, or not at all.
            let whole = matches!(
                draft.columns[*column].generator,
                Generator::Json { .. } | Generator::Array { .. }
            );
            !whole && (counts_already(draft, *column) || capacity(draft, *column) > 0)
        }
        Unit::Link(_) => true,
    };
    let counting: BTreeSet<Unit> = units.iter().filter(counts).copied().collect();
    (!counting.is_empty() && counting.len() < units.len()).then_some(counting)
}

/// Links whose number of parents differs from group to group are the last digits: the last one takes all of them, those
/// before it as many as the smallest group has.
fn within_last(draft: &TableDraft<'_>, digits: &mut [Unit]) {
    let within = |unit: &Unit| matches!(unit, Unit::Link(link) if matches!(draft.links[*link].choice, LinkChoice::Within { .. }));
    digits.sort_by_key(|unit| within(unit));
}

/// A table's key to itself, where it is a tree, becomes a list: each row has its own.
pub(super) fn chain(draft: &mut TableDraft<'_>, units: &BTreeSet<Unit>) -> bool {
    let tree = |unit: &Unit| match unit {
        Unit::Link(link) if matches!(draft.links[*link].choice, LinkChoice::Earlier { .. }) => {
            Some(*link)
        }
        _ => None,
    };
    // Where a column can tell the rows apart, the tree stays one.
    if units.iter().any(|unit| matches!(unit, Unit::Column(_))) {
        return false;
    }
    let Some(link) = units.iter().find_map(tree) else {
        return false;
    };
    let ring = matches!(draft.links[link].choice, LinkChoice::Earlier { roots: 0 });
    draft.links[link].choice = LinkChoice::Previous { ring };
    true
}
