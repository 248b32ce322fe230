//! Which of the parent's rows a foreign key may reference. A key for which there is none is NULL; where it must not be NULL, its
//! table has no rows.

use super::Resolver;
use super::links::Key;
use super::stricter::Stricter;
use super::table::TableDraft;
use crate::seed::check::Atom;
use crate::seed::plan::{Fill, Generator, Nulls};
use crate::seed::types::{TypeClass, literal};
use crate::seed::wishes;

impl<'a> Resolver<'a> {
    /// Parent rows that a list of one of the key's columns allows, or what else is said of them there: those of a subtype,
    /// or those that a stricter domain takes; empty for all.
    pub(super) fn allowed_parents(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        key: &Key<'_>,
    ) -> Box<[u64]> {
        if key.parent >= index {
            return Box::default();
        }
        if let Some(constant) = &key.constant {
            let holds = |cell: &[u8]| *cell == *constant.cell;
            let rows = self.rows_where(key.parent, constant.position, holds);
            return rows.unwrap_or_default();
        }
        let mut columns = key.columns.iter().zip(&key.positions);
        let listed = columns.clone().find_map(|(column, position)| {
            let planned = &draft.columns[*column];
            let said = planned
                .spec
                .and_then(wishes::values)
                .map(|said| said.into_iter().map(|(value, _)| value).collect());
            said.or_else(|| planned.facts.lists.first().cloned())
                .map(|list| (*column, *position, list))
        });
        if let Some((column, position, list)) = listed {
            let class = &draft.columns[column].class;
            let cells: Vec<Box<[u8]>> = list
                .iter()
                .filter_map(|text| literal::cell(class, text))
                .collect();
            let rows = self.rows_where(key.parent, position, |cell| {
                cells.iter().any(|other| **other == *cell)
            });
            let Some(only) = rows else {
                return Box::default();
            };
            if only.is_empty() && !cells.is_empty() {
                self.point_nowhere(index, draft, key, column);
            }
            return only;
        }
        let stricter = columns.find_map(|(column, position)| {
            let planned = &draft.columns[*column];
            Stricter::of(&planned.facts, &planned.class)
                .map(|stricter| (*column, *position, stricter))
        });
        let Some((column, position, stricter)) = stricter else {
            return Box::default();
        };
        let Some(only) = self.rows_where(key.parent, position, |cell| stricter.takes(cell)) else {
            return Box::default();
        };
        if only.is_empty() && !self.require(draft, key, column, position) {
            self.point_nowhere(index, draft, key, column);
        }
        only
    }

    /// Has the next pass make the column that is pointed to as this one has to be, where it makes it at all.
    fn require(
        &mut self,
        draft: &TableDraft<'a>,
        key: &Key<'_>,
        column: usize,
        position: usize,
    ) -> bool {
        let parent = &self.plan.tables[key.parent];
        let Some(of) = parent
            .columns
            .get(position)
            .filter(|of| matches!(of.generator, Generator::Text(_)))
        else {
            return false;
        };
        let (own, to, said) = (
            &draft.columns[column].column.name,
            &of.name,
            self.specs.get(&parent.oid),
        );
        let said = said.is_some_and(|spec| spec.columns.iter().any(|said| said.name.text == *to));
        let at = (parent.oid, to.clone());
        if !self.may_require
            || said
            || parent.fill == Fill::Keep
            || self.requirements.contains_key(&at)
        {
            return false;
        }
        let renamed = |atom: &Atom| match atom {
            Atom::Matches {
                column,
                pattern,
                negated,
            } if column == own => Some(Atom::Matches {
                column: to.clone(),
                pattern: pattern.clone(),
                negated: *negated,
            }),
            Atom::Part {
                column,
                part,
                pattern,
                negated,
            } if column == own => {
                let (part, pattern) = (part.clone(), pattern.clone());
                Some(Atom::Part {
                    column: to.clone(),
                    part,
                    pattern,
                    negated: *negated,
                })
            }
            Atom::Length { column, min, max } if column == own => Some(Atom::Length {
                column: to.clone(),
                min: *min,
                max: *max,
            }),
            Atom::Lower { column } if column == own => Some(Atom::Lower { column: to.clone() }),
            Atom::Upper { column } if column == own => Some(Atom::Upper { column: to.clone() }),
            _ => None,
        };
        let atoms: Vec<Atom> = draft.facts.atoms.iter().filter_map(renamed).collect();
        let is_required = !atoms.is_empty();
        self.requirements.extend(is_required.then_some((at, atoms)));
        is_required
    }

    /// None of the parent's rows is taken here: the key is NULL, or the table has no rows.
    fn point_nowhere(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        key: &Key<'_>,
        column: usize,
    ) {
        let parent = &self.plan.tables[key.parent];
        let (name, rows) = (&draft.columns[column].column.name, parent.rows);
        let why = format!(
            "what {name} allows is in none of the {rows} rows of {}",
            parent.name
        );
        if self.leave_null(draft, key, &why) {
            return;
        }
        if self.is_count_asked(draft) {
            let what = format!("foreign key {} cannot be met: {why}", key.key.name);
            self.refuse(
                &draft.table.name,
                what,
                super::leave_empty(&draft.table.name),
            );
            return;
        }
        (draft.rows, self.plan.tables[index].rows) = (0, 0);
        self.plan
            .notes
            .push(format!("{}: no rows, because {why}", draft.table.name));
    }

    /// A key asks for nothing where one of its columns (all of them, with MATCH FULL) is NULL; says so in a note.
    pub(super) fn leave_null(
        &mut self,
        draft: &mut TableDraft<'a>,
        key: &Key<'_>,
        why: &str,
    ) -> bool {
        let own_key = draft.table.primary_key();
        let can = |column: &usize| {
            let planned = &draft.columns[*column];
            let domain = matches!(planned.class, TypeClass::Domain { not_null: true, .. });
            let free = !planned.column.not_null && !domain && planned.facts.null != Some(false);
            free && !own_key.contains(&planned.column.name.as_str())
        };
        let columns: Vec<usize> = match key.key.match_full {
            true if key.columns.iter().all(can) => key.columns.clone(),
            true => Vec::new(),
            false => key.columns.iter().copied().find(can).into_iter().collect(),
        };
        for column in &columns {
            (draft.columns[*column].nulls, draft.columns[*column].fixed) = (Nulls::Always, true);
        }
        let names: Vec<&str> = columns
            .iter()
            .map(|column| draft.columns[*column].column.name.as_str())
            .collect();
        if !columns.is_empty() {
            let (table, names) = (&draft.table.name, names.join(", "));
            self.plan.notes.push(format!(
                "{table}: {names} is NULL in every row, because {why}"
            ));
        }
        !columns.is_empty()
    }

    /// A key that is not understood is NULL where it may be.
    pub(super) fn can_leave_open(&mut self, draft: &mut TableDraft<'a>, key: &Key<'_>) -> bool {
        let why = format!(
            "foreign key {} shares a column with another one in a way that is not understood",
            key.key.name
        );
        !key.key.match_full && self.leave_null(draft, key, &why)
    }
}
