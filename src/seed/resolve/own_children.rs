//! Tables that reference one of their own children: a login method references a configuration, which references that method.
//! The children are grouped by their parent, and each parent references one of its group.

use super::Resolver;
use super::links::Key;
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::schema::{ForeignKey, Schema, Table};
use crate::seed::plan::{LinkChoice, Nulls};

/// A link to children that are planned later.
#[derive(Debug, Clone)]
pub(super) struct OwnChild {
    table: usize,
    link: usize,
    /// The children's key to their parent.
    back: String,
}

/// The children's key to their parent, where a key says that the row which it names is one of its row's own children.
pub(super) fn key_back<'s>(
    schema: &'s Schema,
    table: &Table,
    key: &ForeignKey,
) -> Option<&'s ForeignKey> {
    let children = schema
        .table_by_oid(key.references)
        .map(|children| schema.root_of(children))?;
    let needed = key
        .columns
        .iter()
        .all(|name| table.column(name).is_some_and(|column| column.not_null));
    let back = |back: &&ForeignKey| {
        let to = schema
            .table_by_oid(back.references)
            .map(|to| schema.root_of(to).oid);
        let same = |(from, to): (&String, &String)| {
            key.columns
                .iter()
                .zip(&key.referenced_columns)
                .any(|(own, theirs)| own == to && theirs == from)
        };
        to == Some(table.oid)
            && back.columns.len() < key.columns.len()
            && back.columns.iter().zip(&back.referenced_columns).all(same)
            && !children
                .indexes
                .iter()
                .any(|index| is_unique_within(index, &back.columns))
    };
    children
        .foreign_keys
        .iter()
        .find(back)
        .filter(|_| needed && children.oid != table.oid)
}

impl<'a> Resolver<'a> {
    /// Plans a key to one of the row's own children; `false` where it is none, or its columns are others' already.
    pub(super) fn plan_own_child(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        key: &Key<'_>,
    ) -> bool {
        let Some(back) = key_back(self.schema, draft.table, key.key) else {
            return false;
        };
        let pairs = key
            .columns
            .iter()
            .copied()
            .zip(key.positions.iter().copied());
        let (columns, positions): (Vec<usize>, Vec<usize>) = pairs
            .filter(|(column, _)| {
                !back
                    .referenced_columns
                    .contains(&draft.columns[*column].column.name)
            })
            .unzip();
        if columns.is_empty() || columns.iter().any(|column| draft.columns[*column].fixed) {
            return false;
        }
        // Each row has a child: there are as many of them at least.
        let children = self.plan.tables[key.parent].rows;
        let why = format!(
            "{} has {children} rows, of which each has its own",
            self.ordered[key.parent].name
        );
        if self.lower_rows(draft, children, &why).is_err() {
            return false;
        }
        let key = Key {
            key: key.key,
            columns,
            parent: key.parent,
            positions,
            constant: None,
        };
        let mut link = self.link_of(index, draft, &key, Box::default());
        link.null_share = 0.0;
        link.choice = LinkChoice::Within {
            path: Box::default(),
            under: Box::default(),
            parent_link: usize::MAX,
            down: Box::default(),
            digit: None,
        };
        let at = draft.links.len();
        self.attach(index, draft, &key, link);
        key.columns
            .iter()
            .for_each(|column| draft.columns[*column].nulls = Nulls::Never);
        self.own_children.push(OwnChild {
            table: index,
            link: at,
            back: back.name.clone(),
        });
        if key.parent < index {
            let LinkChoice::Within { parent_link, .. } = &mut draft.links[at].choice else {
                return true;
            };
            match self.grouping_link(key.parent, &back.name) {
                Some(found) => *parent_link = found,
                None => self.refuse_own_child(index, &back.name),
            }
            self.own_children.pop();
        }
        true
    }

    /// Which link of a planned table groups its rows by this key.
    fn grouping_link(&self, table: usize, key: &str) -> Option<usize> {
        let link = self.link_keys[table].iter().position(|name| name == key)?;
        matches!(
            self.plan.tables[table].links.get(link)?.choice,
            LinkChoice::Grouped(_)
        )
        .then_some(link)
    }

    fn refuse_own_child(&mut self, table: usize, back: &str) {
        let name = self.ordered[table].name.clone();
        let what = format!(
            "its rows name one of their own children, and those are not grouped by foreign key {back}"
        );
        self.refuse(&name, what, super::leave_empty(&name));
    }

    /// Children have been planned: their parents' links lead to them.
    pub(super) fn join_own_children(&mut self, children: usize) {
        for own in std::mem::take(&mut self.own_children) {
            if self.plan.tables[own.table].links[own.link].parent != children {
                self.own_children.push(own);
                continue;
            }
            match self.grouping_link(children, &own.back) {
                Some(found) => {
                    if let LinkChoice::Within { parent_link, .. } =
                        &mut self.plan.tables[own.table].links[own.link].choice
                    {
                        *parent_link = found;
                    }
                }
                None => self.refuse_own_child(own.table, &own.back),
            }
        }
    }
}
