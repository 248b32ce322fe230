//! Unique constraints: either one of the columns has a value of its own in every row, or the columns together count
//! like the digits of an odometer. No set of used values is ever kept.

use std::collections::BTreeSet;

use super::Resolver;
use super::key_columns::{
    capacity, counts_already, make_unique, narrow_past_excluded, preference, set_digit, space_out,
};
use super::key_units::{Unit, grains_of, is_computed, units_of};
use super::partial_keys::keep_rows_out;
use super::table::TableDraft;
use super::variants::has_null;
use crate::schema::Index;
use crate::seed::check::Atom;
use crate::seed::describe::header;
use crate::seed::distribution::{Grouping, Order};
use crate::seed::infer::values::source_range;
use crate::seed::plan::{
    Counter, Draw, End, Generator, GroupDigit, LinkChoice, Nulls, Odometer, ScalarSource,
};
use crate::seed::random::Permutation;
use crate::seed::spec::RowsSpec;

/// A key that cannot be met, and what it shares with one that was.
struct Conflict {
    what: String,
    units: BTreeSet<Unit>,
    /// The key that was met, which shares some of its units.
    met: Option<BTreeSet<Unit>>,
    /// A column that could have more values.
    column: Option<String>,
}

impl Conflict {
    fn common(&self) -> Option<BTreeSet<Unit>> {
        let met = self.met.as_ref()?;
        Some(met.intersection(&self.units).copied().collect())
    }
}

/// What keys in each other's way have in common, solved before them.
enum Shared {
    /// Unique by itself.
    Unique(BTreeSet<Unit>),
    /// The first digits of one count, which the rest of each key goes on with.
    Counted {
        common: BTreeSet<Unit>,
        rests: [BTreeSet<Unit>; 2],
    },
}

/// Whether keys in each other's way may be met by what they have in common.
#[derive(Clone, Copy)]
enum Sharing {
    Nothing,
    Common,
}

impl<'a> Resolver<'a> {
    pub(super) fn plan_keys(&mut self, draft: &mut TableDraft<'a>) {
        let table = draft.table;
        // A partition's own unique index holds for its rows alone: met where it is met for all.
        let parts = self.schema.tables.iter().filter(|part| {
            part.partition_of
                .as_ref()
                .is_some_and(|of| of.root == table.oid)
        });
        let of_parts = parts
            .flat_map(|part| &part.indexes)
            .filter(|index| index.parent.is_none());
        let mut indexes: Vec<&Index> = table
            .indexes
            .iter()
            .chain(of_parts)
            .filter(|index| index.unique)
            .collect();
        indexes.sort_by_key(|index| (index.keys.len(), !index.primary, index.name.clone()));
        self.count_sequences(draft);
        let indexes = self.count_pairs(draft, indexes);
        for unit in indexes
            .iter()
            .flat_map(|index| units_of(draft, index))
            .collect::<BTreeSet<_>>()
        {
            if let Unit::Column(column) = unit {
                narrow_past_excluded(draft, column);
            }
        }
        for index in &indexes {
            keep_apart_by_units(draft, index);
        }
        let (before, notes) = (draft.clone(), self.plan.notes.len());
        let mut failed = self.solve_all(draft, &indexes, &[]);
        if !failed.is_empty() {
            let kept_out = self.solve_without_partial(&before, &indexes, Sharing::Nothing);
            let solved = kept_out.or_else(|| {
                *draft = before.clone();
                self.plan.notes.truncate(notes);
                failed = self.solve_sharing(draft, &indexes);
                // Rows lost to a key of some rows only: better none of the rows has it.
                let lost = !failed.is_empty() || draft.rows < before.rows;
                lost.then(|| self.solve_without_partial(&before, &indexes, Sharing::Common))
                    .flatten()
            });
            if let Some(kept_out) = solved {
                self.plan.notes.truncate(notes);
                *draft = kept_out;
                failed.clear();
            }
        }
        let header = header(&table.name);
        for Conflict { what, column, .. } in failed {
            let more = column.map(|column| {
                format!(
                    ", or more values under [{header}.columns]: `{column} = {{ values = [\"…\"] }}`"
                )
            });
            let remedy = format!(
                "write fewer `rows = …` under [{header}]{}",
                more.unwrap_or_default()
            );
            self.refuse(&table.name, what, remedy);
        }
    }

    /// Solves every key. Of two that are in each other's way what they share is made unique; where that costs rows, both count
    /// together by it.
    fn solve_sharing(&mut self, draft: &mut TableDraft<'a>, indexes: &[&Index]) -> Vec<Conflict> {
        let (before, notes) = (draft.clone(), self.plan.notes.len());
        let mut shared: Vec<Shared> = Vec::new();
        let mut failed = self.solve_all(draft, indexes, &shared);
        for _ in 0..indexes.len() {
            let Some((conflict, common)) = failed
                .first()
                .and_then(|conflict| Some((conflict, conflict.common()?)))
            else {
                break;
            };
            let met = conflict.met.clone().unwrap_or_default();
            let rest = |units: &BTreeSet<Unit>| units.difference(&common).copied().collect();
            let counted = Shared::Counted {
                rests: [rest(&met), rest(&conflict.units)],
                common: common.clone(),
            };
            let unique = Shared::Unique(common);
            let known = |other: &Shared| matches!((other, &unique), (Shared::Unique(one), Shared::Unique(other)) if one == other);
            if shared.iter().any(known) {
                break;
            }
            let mut tried = Vec::new();
            for way in [counted, unique] {
                shared.push(way);
                let mut again = before.clone();
                self.plan.notes.truncate(notes);
                let left = self.solve_all(&mut again, indexes, &shared);
                let added = self.plan.notes.split_off(notes);
                tried.extend(shared.pop().map(|way| (way, again, left, added)));
            }
            // The way that leaves fewer keys open, and of those the one with more rows; the last of equals.
            let best = tried
                .into_iter()
                .max_by_key(|(_, again, left, _)| (std::cmp::Reverse(left.len()), again.rows));
            let Some((way, again, left, added)) = best else {
                break;
            };
            shared.push(way);
            self.plan.notes.extend(added);
            (*draft, failed) = (again, left);
        }
        failed
    }

    /// One count for two keys: what they share is its first digits, and the rest of each goes on from there.
    fn count_together(
        &mut self,
        draft: &mut TableDraft<'a>,
        common: &BTreeSet<Unit>,
        rests: &[BTreeSet<Unit>; 2],
    ) -> Result<(), String> {
        let mut shared = 1_u64;
        for unit in common {
            shared = shared.saturating_mul(self.size_of(draft, *unit, false)?);
        }
        let mut most = u64::MAX;
        for rest in rests {
            let mut size = shared;
            for unit in rest {
                size = size.saturating_mul(self.size_of(draft, *unit, false)?);
            }
            most = most.min(size);
        }
        self.lower_rows(
            draft,
            most,
            &format!("its columns have {most} combinations"),
        )?;
        let order = Permutation::new(draft.key.derive("together"), most.max(1));
        let counter = Counter::Rows(order);
        let common: Vec<Unit> = common.iter().copied().collect();
        self.assign_digits(draft, &common, counter, 1);
        for rest in rests {
            let rest: Vec<Unit> = rest.iter().copied().collect();
            self.assign_digits(draft, &rest, counter, shared);
        }
        Ok(())
    }

    /// Solves every key, the shared parts of keys first; says which ones cannot be.
    fn solve_all(
        &mut self,
        draft: &mut TableDraft<'a>,
        indexes: &[&Index],
        shared: &[Shared],
    ) -> Vec<Conflict> {
        let mut failed = Vec::new();
        let mut solved: Vec<BTreeSet<Unit>> = Vec::new();
        for shared in shared {
            match shared {
                Shared::Unique(units) => {
                    if self.solve(draft, units).is_ok() {
                        solved.push(units.clone());
                    }
                }
                Shared::Counted { common, rests } => {
                    let before = draft.clone();
                    if self.count_together(draft, common, rests).is_ok() {
                        solved.extend(rests.iter().map(|rest| common | rest));
                    } else {
                        *draft = before;
                    }
                }
            }
        }
        for index in indexes {
            let units = self.telling_apart(draft, index);
            if index.nulls_not_distinct
                && let Some(rest) = self.told_apart_without_nulls(draft, &units)
            {
                solved.push(rest);
                continue;
            }
            if index.nulls_not_distinct || is_computed(draft, index) {
                let columns: BTreeSet<usize> = units
                    .iter()
                    .flat_map(|unit| columns_of(draft, *unit))
                    .collect();
                let free = null_in_every_way(draft, &columns);
                let is_needed = |column: &usize| !free.contains(column);
                let needed = units
                    .iter()
                    .filter(|unit| columns_of(draft, **unit).iter().all(is_needed));
                for unit in needed.copied().collect::<Vec<Unit>>() {
                    never_null(draft, unit);
                    draft.needed.extend(columns_of(draft, unit));
                }
            }
            let overfull = units.len() == 1 && units.iter().any(|unit| is_overfull(draft, *unit));
            if (!overfull && units.iter().any(|unit| is_unique(draft, *unit)))
                || is_pair(draft, &units)
                || solved.iter().any(|known| known.is_subset(&units))
            {
                continue;
            }
            let before = draft.clone();
            match self.solve_index(draft, index, &units) {
                Ok(()) => solved.push(units),
                Err(reason) => {
                    *draft = before;
                    let columns: Vec<&str> = units
                        .iter()
                        .flat_map(|unit| names_of(draft, *unit))
                        .collect();
                    let what = format!(
                        "unique index {} ({}) cannot be met: {reason}",
                        index.name,
                        columns.join(", ")
                    );
                    let shares = |other: &&BTreeSet<Unit>| {
                        let common = other.intersection(&units).count();
                        common > 0 && common < units.len()
                    };
                    let met = solved.iter().find(shares).cloned();
                    let free = units.iter().find_map(|unit| match unit {
                        Unit::Column(column) if !draft.columns[*column].fixed => Some(*column),
                        Unit::Column(_) | Unit::Link(_) => None,
                    });
                    let column = free.map(|column| {
                        crate::seed::describe::key(&draft.columns[column].column.name)
                    });
                    failed.push(Conflict {
                        what,
                        units,
                        met,
                        column,
                    });
                }
            }
        }
        failed
    }

    /// Keys that are in each other's way, with rows kept out of those that hold for some rows only: where no row is lost.
    fn solve_without_partial(
        &mut self,
        before: &TableDraft<'a>,
        indexes: &[&Index],
        sharing: Sharing,
    ) -> Option<TableDraft<'a>> {
        let mut draft = before.clone();
        let kept_out = |index: &Index, draft: &mut TableDraft<'a>| {
            index
                .predicate
                .as_ref()
                .is_some_and(|predicate| keep_rows_out(draft, predicate))
        };
        let rest: Vec<&Index> = indexes
            .iter()
            .copied()
            .filter(|index| !kept_out(index, &mut draft))
            .collect();
        let notes = self.plan.notes.len();
        let failed = match sharing {
            _ if rest.len() == indexes.len() => return None,
            Sharing::Nothing => self.solve_all(&mut draft, &rest, &[]),
            Sharing::Common => self.solve_sharing(&mut draft, &rest),
        };
        self.plan.notes.truncate(notes);
        (failed.is_empty() && draft.rows == before.rows).then_some(draft)
    }

    /// Where NULLs are equal in a key, its columns that may be NULL stay so if the rest of the key tells the rows apart without
    /// costing one: `UNIQUE NULLS NOT DISTINCT (email, deleted_at)` must not leave a table in which every row is deleted.
    fn told_apart_without_nulls(
        &mut self,
        draft: &mut TableDraft<'a>,
        units: &BTreeSet<Unit>,
    ) -> Option<BTreeSet<Unit>> {
        let may_be_null = |unit: &Unit| match unit {
            Unit::Column(column) => draft.columns[*column].nulls != Nulls::Never,
            Unit::Link(link) => draft.links[*link].null_share > 0.0,
        };
        let rest: BTreeSet<Unit> = units
            .iter()
            .filter(|unit| !may_be_null(unit))
            .copied()
            .collect();
        if rest.is_empty() || rest.len() == units.len() {
            return None;
        }
        if rest.iter().any(|unit| is_unique(draft, *unit)) {
            return Some(rest);
        }
        let (mut solved, notes) = (draft.clone(), self.plan.notes.len());
        if self.solve(&mut solved, &rest).is_ok() && solved.rows == draft.rows {
            *draft = solved;
            return Some(rest);
        }
        self.plan.notes.truncate(notes);
        None
    }

    /// A key of some rows only (a partial index) that would cost rows holds for none of them, where that can be.
    fn solve_index(
        &mut self,
        draft: &mut TableDraft<'a>,
        index: &Index,
        units: &BTreeSet<Unit>,
    ) -> Result<(), String> {
        let Some(predicate) = &index.predicate else {
            return self.solve(draft, units);
        };
        let (mut solved, notes) = (draft.clone(), self.plan.notes.len());
        let result = self.solve(&mut solved, units);
        if (result.is_err() || solved.rows < draft.rows) && keep_rows_out(draft, predicate) {
            self.plan.notes.truncate(notes);
            return Ok(());
        }
        *draft = solved;
        result
    }

    /// A sequence ends where its type does.
    fn count_sequences(&mut self, draft: &mut TableDraft<'a>) {
        for column in 0..draft.columns.len() {
            let Generator::Scalar(scalar) = &draft.columns[column].generator else {
                continue;
            };
            if !matches!(scalar.source, ScalarSource::Sequence { .. }) {
                continue;
            }
            let most = capacity(draft, column);
            let name = draft.columns[column].column.name.clone();
            if let Err(reason) =
                self.lower_rows(draft, most, &format!("column {name} counts to {most}"))
            {
                self.refuse(
                    &draft.table.name,
                    format!("column {name} cannot count its rows: {reason}"),
                    format!(
                        "write fewer `rows = …` under [{}]",
                        header(&draft.table.name)
                    ),
                );
            }
        }
    }

    fn solve(&mut self, draft: &mut TableDraft<'a>, units: &BTreeSet<Unit>) -> Result<(), String> {
        let linked = units.iter().any(|unit| matches!(unit, Unit::Link(_)));
        let mut columns: Vec<usize> = units
            .iter()
            .filter_map(|unit| match unit {
                Unit::Column(column) => Some(*column),
                Unit::Link(_) => None,
            })
            .collect();
        columns.sort_by_key(|column| preference(&draft.columns[*column].generator));
        for &column in &columns {
            let wide = preference(&draft.columns[column].generator) < 10;
            if !draft.columns[column].fixed
                && (units.len() == 1 || wide || !linked)
                && capacity(draft, column) >= draft.rows
            {
                make_unique(draft, column);
                return Ok(());
            }
        }
        match (units.len(), units.first()) {
            (1, Some(Unit::Column(column))) => {
                let capacity = capacity(draft, *column);
                // As many NULLs as one likes: values for the first rows.
                if capacity > 0
                    && capacity < draft.rows
                    && !matches!(draft.columns[*column].nulls, Nulls::Never)
                {
                    make_unique(draft, *column);
                    draft.columns[*column].nulls = Nulls::From { row: capacity };
                    return Ok(());
                }
                self.lower_rows(
                    draft,
                    capacity,
                    &format!(
                        "column {} has {capacity} values",
                        draft.columns[*column].column.name
                    ),
                )?;
                make_unique(draft, *column);
                Ok(())
            }
            (1, Some(Unit::Link(link))) => match &draft.links[*link].choice {
                // A row belongs to one group: unique within its group is unique.
                LinkChoice::Within {
                    path, digit: None, ..
                } => match path[..] {
                    [group] => self.odometer(
                        draft,
                        &[Unit::Link(group), Unit::Link(*link)].into_iter().collect(),
                    ),
                    _ => Err("the foreign key shares a column with another one".to_owned()),
                },
                _ => self.one_to_one(draft, *link),
            },
            // What cannot count is left out where the others tell the rows apart without it.
            _ if let Some(counting) = counting(draft, units) => self.solve(draft, &counting),
            _ => match self.odometer(draft, units) {
                Ok(()) => Ok(()),
                // A tree's siblings, say: a number that no row shares is a place among them too.
                Err(reason) => {
                    if chain(draft, units) {
                        return Ok(());
                    }
                    let free = |column: &usize| {
                        !draft.columns[*column].fixed && capacity(draft, *column) >= draft.rows
                    };
                    let column = columns.into_iter().find(free).ok_or(reason)?;
                    make_unique(draft, column);
                    Ok(())
                }
            },
        }
    }

    fn one_to_one(&mut self, draft: &mut TableDraft<'a>, link: usize) -> Result<(), String> {
        let parents = draft.links[link].parent_rows;
        self.lower_rows(
            draft,
            parents,
            &format!("the referenced table has {parents} rows"),
        )?;
        let link = &mut draft.links[link];
        link.choice = LinkChoice::OneToOne(Permutation::new(link.key, parents.max(1)));
        Ok(())
    }

    /// Fewer rows than asked for, said in a note; an error where the spec asked for them.
    pub(super) fn lower_rows(
        &mut self,
        draft: &mut TableDraft<'a>,
        most: u64,
        why: &str,
    ) -> Result<(), String> {
        if draft.rows <= most {
            return Ok(());
        }
        if self.is_count_asked(draft) || most == 0 {
            return Err(format!("{why}, {} rows are wanted", draft.rows));
        }
        self.plan.notes.push(format!(
            "{}: {most} rows instead of {}, because {why}",
            draft.table.name, draft.rows
        ));
        draft.rows = most;
        Ok(())
    }

    /// Whether the spec names the number of a table's rows, and not only what a scale makes of it.
    pub(super) fn is_count_asked(&self, draft: &TableDraft<'a>) -> bool {
        let spec = self.specs.get(&draft.table.oid);
        spec.is_some_and(|spec| matches!(spec.rows, Some(RowsSpec::Count(_))))
            && self.options.all_rows.is_none()
            && self.options.scale == 1.0
    }

    fn odometer(
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
            limit = limit.saturating_mul(self.size_of(draft, *unit, rest.len() == 1)?);
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
            size = size.saturating_mul(self.size_of(draft, *unit, false)?);
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
    fn assign_digits(
        &self,
        draft: &mut TableDraft<'a>,
        rest: &[Unit],
        counter: Counter,
        mut divisor: u64,
    ) {
        let alone = rest.len() == 1 && divisor == 1;
        for (at, unit) in rest.iter().enumerate() {
            let size = self.size_of(draft, *unit, alone).unwrap_or(1);
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
                    if let (LinkChoice::Skewed { .. }, true, Counter::Link(_)) =
                        (&draft.links[*link].choice, alone, counter)
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

    fn size_of(&self, draft: &TableDraft<'a>, unit: Unit, alone: bool) -> Result<u64, String> {
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
                | LinkChoice::Shape(_)
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
                    if alone && !matches!(scalar.source, ScalarSource::Listed { .. }) =>
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

/// Times that a key cuts off to days or months lie that far apart, where no other column of the key has a value for each row.
fn keep_apart_by_units(draft: &mut TableDraft<'_>, index: &Index) {
    let grains = grains_of(draft, index);
    let is_cut = |column: usize| grains.iter().any(|(cut, _)| *cut == column);
    let told_apart = units_of(draft, index).into_iter().any(|unit| match unit {
        Unit::Column(column) => {
            !is_cut(column)
                && !draft.columns[column].fixed
                && preference(&draft.columns[column].generator) < 10
                && capacity(draft, column) >= draft.rows
        }
        Unit::Link(_) => false,
    });
    if !told_apart {
        for (column, micros) in grains {
            space_out(draft, column, micros);
        }
    }
}

/// A key's units without the columns whose values are no numbers of any kind (arrays, say); `None` where there are no
/// such columns, or nothing else.
fn counting(draft: &TableDraft<'_>, units: &BTreeSet<Unit>) -> Option<BTreeSet<Unit>> {
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
fn chain(draft: &mut TableDraft<'_>, units: &BTreeSet<Unit>) -> bool {
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

/// Columns that a constraint makes NULL by turns, so that there is no row in which all of these have a value.
fn null_in_every_way(draft: &TableDraft<'_>, columns: &BTreeSet<usize>) -> BTreeSet<usize> {
    let by_turns = draft.choices.iter().filter(|choice| {
        choice
            .alternatives
            .iter()
            .all(|atoms| has_null(draft, columns, atoms))
    });
    let nulls = by_turns
        .flat_map(|choice| choice.alternatives.iter().flatten())
        .filter_map(|atom| match atom {
            Atom::Null {
                column,
                negated: false,
            } => draft.position(column),
            _ => None,
        });
    nulls.filter(|column| columns.contains(column)).collect()
}

fn columns_of(draft: &TableDraft<'_>, unit: Unit) -> Vec<usize> {
    match unit {
        Unit::Column(column) => vec![column],
        Unit::Link(link) => draft.link_columns[link].clone(),
    }
}

fn names_of<'d>(draft: &'d TableDraft<'_>, unit: Unit) -> Vec<&'d str> {
    columns_of(draft, unit)
        .into_iter()
        .map(|column| draft.columns[column].column.name.as_str())
        .collect()
}

fn never_null(draft: &mut TableDraft<'_>, unit: Unit) {
    match unit {
        // A key that can point nowhere is NULL in every row: the rest of the index tells the rows apart.
        Unit::Column(column)
            if draft.columns[column].fixed && draft.columns[column].nulls == Nulls::Always => {}
        Unit::Column(column) => draft.columns[column].nulls = Nulls::Never,
        Unit::Link(link) => {
            draft.links[link].null_share = 0.0;
            for column in draft.link_columns[link].clone() {
                draft.columns[column].nulls = Nulls::Never;
            }
        }
    }
}

fn is_unique(draft: &TableDraft<'_>, unit: Unit) -> bool {
    match unit {
        Unit::Column(column) => {
            let draft = &draft.columns[column];
            draft.unique || (matches!(draft.generator, Generator::Uuid) && draft.draw == Draw::Row)
        }
        Unit::Link(link) => matches!(
            draft.links[link].choice,
            LinkChoice::OneToOne(_) | LinkChoice::Previous { .. }
        ),
    }
}

/// Fewer parents than rows, all of which need one of their own.
fn is_overfull(draft: &TableDraft<'_>, unit: Unit) -> bool {
    let Unit::Link(link) = unit else { return false };
    let needed = |column: &usize| matches!(draft.columns[*column].nulls, Nulls::Never);
    matches!(draft.links[link].choice, LinkChoice::OneToOne(_))
        && draft.links[link].parent_rows < draft.rows
        && draft.link_columns[link].iter().all(needed)
}

/// Both links of an unordered pair: every row has its own pair.
fn is_pair(draft: &TableDraft<'_>, units: &BTreeSet<Unit>) -> bool {
    let has = |end: End| {
        let is_end = |link: usize| matches!(draft.links[link].choice, LinkChoice::Pair(pair) if pair.end == end);
        units
            .iter()
            .any(|unit| matches!(unit, Unit::Link(link) if is_end(*link)))
    };
    has(End::Least) && has(End::Most)
}

/// The link that groups the rows: the one that the spec made so, else the one that most keys share, whose others count
/// within it side by side; else the one with most parents.
fn driver_of(draft: &TableDraft<'_>, units: &BTreeSet<Unit>) -> Option<usize> {
    units
        .iter()
        .filter_map(|unit| match unit {
            Unit::Link(link) => Some(*link),
            Unit::Column(_) => None,
        })
        .filter(|link| {
            draft.links[*link].avoid.is_none()
                && matches!(
                    draft.links[*link].choice,
                    LinkChoice::Grouped(_) | LinkChoice::Uniform | LinkChoice::Skewed { .. }
                )
        })
        .max_by_key(|link| {
            (
                matches!(draft.links[*link].choice, LinkChoice::Grouped(_)),
                keys_with(draft, Unit::Link(*link)),
                draft.links[*link].parent_rows,
            )
        })
}

/// How many unique keys of several parts a unit is in.
fn keys_with(draft: &TableDraft<'_>, unit: Unit) -> usize {
    let units = draft
        .table
        .indexes
        .iter()
        .filter(|index| index.unique)
        .map(|index| units_of(draft, index));
    units
        .filter(|units| units.len() > 1 && units.contains(&unit))
        .count()
}
