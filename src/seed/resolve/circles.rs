//! Foreign keys that close a cycle of values: a key whose columns include the key that it references makes a value follow from
//! itself (a scope's main login method, where the method's key contains the scope). Each such key is NULL where it can be.

use std::collections::BTreeSet;

use super::Resolver;
use super::table::TableDraft;
use crate::schema::ForeignKey;
use crate::seed::plan::{Generator, LinkChoice, Nulls};

/// A column of the plan: table and position.
type At = (usize, usize);

impl<'a> Resolver<'a> {
    /// Foreign keys (table, name) of which one has to give way in each circle of values: those that point to a table that
    /// is filled later.
    pub(super) fn circle(&self) -> Vec<(u32, String)> {
        let mut done: BTreeSet<At> = BTreeSet::new();
        let mut found = BTreeSet::new();
        for table in 0..self.plan.tables.len() {
            for column in 0..self.plan.tables[table].columns.len() {
                let mut path: Vec<At> = Vec::new();
                let mut at = Some((table, column));
                while let Some(step) = at.filter(|step| !done.contains(step)) {
                    if let Some(start) = path.iter().position(|other| *other == step) {
                        found.extend(
                            path[start..]
                                .iter()
                                .filter_map(|step| self.key_forward(*step)),
                        );
                        break;
                    }
                    path.push(step);
                    at = self.parent_of(step).map(|(_, parent)| parent);
                }
                done.extend(path);
            }
        }
        found
            .into_iter()
            .filter(|key| !self.open.contains(key))
            .collect()
    }

    /// The link that a column follows, and the column at its end; a tree's rows lead to ever earlier ones, and end.
    fn parent_of(&self, (table, column): At) -> Option<(usize, At)> {
        let planned = &self.plan.tables[table];
        let Generator::Parent {
            link,
            table: parent,
            column,
            ..
        } = planned.columns.get(column)?.generator
        else {
            return None;
        };
        match planned.links.get(link)?.choice {
            LinkChoice::Earlier { .. }
            | LinkChoice::Previous { .. }
            | LinkChoice::EarlierWithin { .. } => None,
            LinkChoice::Uniform
            | LinkChoice::Skewed { .. }
            | LinkChoice::OneToOne(_)
            | LinkChoice::Grouped(_)
            | LinkChoice::Listed { .. }
            | LinkChoice::Shape { .. }
            | LinkChoice::Digit(_)
            | LinkChoice::Pair(_)
            | LinkChoice::Within { .. } => Some((link, (parent, column))),
        }
    }

    fn key_forward(&self, at: At) -> Option<(u32, String)> {
        let (link, (parent, _)) = self.parent_of(at)?;
        let name = self.link_keys[at.0].get(link)?;
        (parent >= at.0).then(|| (self.plan.tables[at.0].oid, name.clone()))
    }

    /// Makes one column of a key NULL in every row: enough for the key to ask for nothing.
    pub(super) fn leave_open(
        &mut self,
        draft: &mut TableDraft<'a>,
        key: &ForeignKey,
        columns: &[usize],
    ) {
        let can = |column: &&usize| {
            !draft.columns[**column].fixed && draft.columns[**column].nulls != Nulls::Never
        };
        let open: Vec<usize> = columns.iter().filter(can).copied().collect();
        let enough = if key.match_full {
            open.len() == columns.len()
        } else {
            !open.is_empty()
        };
        if !enough {
            self.refuse(
                &draft.table.name,
                format!(
                    "foreign key {} ({}) gets its values from rows that get theirs from it",
                    key.name,
                    key.columns.join(", ")
                ),
                super::leave_empty(&draft.table.name),
            );
        }
        if enough {
            let names: Vec<&str> = open
                .iter()
                .map(|column| draft.columns[*column].column.name.as_str())
                .collect();
            let (are, names) = (
                if names.len() == 1 { "is" } else { "are" },
                names.join(", "),
            );
            self.plan.notes.push(format!(
                "{}: {names} {are} NULL in every row, for foreign key {} gets its values from rows that get theirs from it",
                draft.table.name, key.name
            ));
        }
        for column in open {
            draft.columns[column].nulls = Nulls::Always;
            draft.columns[column].fixed = true;
        }
    }
}
