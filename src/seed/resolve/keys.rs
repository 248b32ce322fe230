//! Unique constraints: either one of the columns has a value of its own in every row, or the columns together count
//! like the digits of an odometer. No set of used values is ever kept.

use std::collections::BTreeSet;

use super::Resolver;
use super::key_columns::{capacity, make_unique, narrow_past_excluded, preference, space_out};
use super::key_digits::{Digits, chain, counting};
use super::key_facts::{
    columns_of, is_overfull, is_pair, is_unique, names_of, never_null, null_in_every_way,
};
use super::key_units::{Unit, grains_of, is_computed, units_of};
use super::partial_keys::keep_rows_out;
use super::table::TableDraft;
use crate::schema::Index;
use crate::seed::describe::header;
use crate::seed::plan::{Counter, Generator, LinkChoice, Nulls, ScalarSource};
use crate::seed::random::Permutation;
use crate::seed::spec::RowsSpec;

/// A key that cannot be met, and what it shares with one that was.
struct Conflict {
    what: String,
    pub(super) units: BTreeSet<Unit>,
    /// The key that was met, which shares some of its units.
    met: Option<BTreeSet<Unit>>,
    /// A column that could have more values.
    pub(super) column: Option<String>,
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
            shared = shared.saturating_mul(self.size_of(draft, *unit, Digits::Several)?);
        }
        let mut most = u64::MAX;
        for rest in rests {
            let mut size = shared;
            for unit in rest {
                size = size.saturating_mul(self.size_of(draft, *unit, Digits::Several)?);
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

    /// Solves the parts that keys share, and returns those that could be.
    fn solve_shared(
        &mut self,
        draft: &mut TableDraft<'a>,
        shared: &[Shared],
    ) -> Vec<BTreeSet<Unit>> {
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
        solved
    }

    /// Solves every key, the shared parts of keys first; says which ones cannot be.
    fn solve_all(
        &mut self,
        draft: &mut TableDraft<'a>,
        indexes: &[&Index],
        shared: &[Shared],
    ) -> Vec<Conflict> {
        let mut failed = Vec::new();
        let mut solved = self.solve_shared(draft, shared);
        for index in indexes {
            let units = self.telling_apart(draft, index);
            if index.nulls_not_distinct
                && let Some(rest) = self.told_apart_without_nulls(draft, &units)
            {
                solved.push(rest);
                continue;
            }
            if index.nulls_not_distinct || is_computed(draft, index) {
                require_values(draft, &units);
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
                    failed.push(conflict(draft, index, units, &reason, &solved));
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

/// Columns of a key that NULLs would not keep apart always have values, but for those that are NULL in every row anyway.
fn require_values(draft: &mut TableDraft<'_>, units: &BTreeSet<Unit>) {
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

/// Why a key cannot be met, with the key that it shares columns with and the column that could be left free.
fn conflict(
    draft: &TableDraft<'_>,
    index: &Index,
    units: BTreeSet<Unit>,
    reason: &str,
    solved: &[BTreeSet<Unit>],
) -> Conflict {
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
    let column = free.map(|column| crate::seed::describe::key(&draft.columns[column].column.name));
    Conflict {
        what,
        units,
        met,
        column,
    }
}
