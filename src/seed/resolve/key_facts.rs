//! What is known of the columns and links that a unique key is made of.

use std::collections::BTreeSet;

use super::key_units::{Unit, units_of};
use super::table::TableDraft;
use super::variants::has_null;
use crate::seed::check::Atom;
use crate::seed::plan::{Draw, End, Generator, LinkChoice, Nulls};

/// Columns that a constraint makes NULL by turns, so that there is no row in which all of these have a value.
pub(super) fn null_in_every_way(
    draft: &TableDraft<'_>,
    columns: &BTreeSet<usize>,
) -> BTreeSet<usize> {
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

pub(super) fn columns_of(draft: &TableDraft<'_>, unit: Unit) -> Vec<usize> {
    match unit {
        Unit::Column(column) => vec![column],
        Unit::Link(link) => draft.link_columns[link].clone(),
    }
}

pub(super) fn names_of<'d>(draft: &'d TableDraft<'_>, unit: Unit) -> Vec<&'d str> {
    columns_of(draft, unit)
        .into_iter()
        .map(|column| draft.columns[column].column.name.as_str())
        .collect()
}

pub(super) fn never_null(draft: &mut TableDraft<'_>, unit: Unit) {
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

pub(super) fn is_unique(draft: &TableDraft<'_>, unit: Unit) -> bool {
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
pub(super) fn is_overfull(draft: &TableDraft<'_>, unit: Unit) -> bool {
    let Unit::Link(link) = unit else { return false };
    let needed = |column: &usize| matches!(draft.columns[*column].nulls, Nulls::Never);
    matches!(draft.links[link].choice, LinkChoice::OneToOne(_))
        && draft.links[link].parent_rows < draft.rows
        && draft.link_columns[link].iter().all(needed)
}

/// Both links of an unordered pair: every row has its own pair.
pub(super) fn is_pair(draft: &TableDraft<'_>, units: &BTreeSet<Unit>) -> bool {
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
pub(super) fn driver_of(draft: &TableDraft<'_>, units: &BTreeSet<Unit>) -> Option<usize> {
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
