//! Columns that repeat their parent's: an order's tenant is its customer's. A row takes the value of the row that it points to;
//! of further parents with the same column it points to one with the same value.

use std::collections::{BTreeMap, BTreeSet};

use super::Resolver;
use super::is_seeded;
use super::links::Key;
use super::references::{Origin, Reference, is_described, is_limited, key_of};
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::schema::{Column, ForeignKey, Index, KeyPart, Schema, Table};
use crate::seed::distribution::Grouping;
use crate::seed::infer::names::{is_role, singular, words};
use crate::seed::plan::{Draw, Generator, LinkChoice, Nulls};
use crate::seed::spec::{ColumnSpec, TableSpec};

/// A column of a foreign key and the table that it is in.
type OfTable = (u32, String);

/// References over two columns, the repeated one and a parent's key: rows of the same tenant are pointed to where there are any.
#[derive(Debug, Clone, Default)]
pub(super) struct Within {
    /// (table, name of the reference).
    wishes: BTreeSet<(u32, String)>,
    /// Columns that they choose the row for.
    chosen: BTreeSet<OfTable>,
}

impl Within {
    /// What was inferred of this kind.
    pub(super) fn of(references: &[Reference]) -> Self {
        let within = || {
            references
                .iter()
                .filter(|reference| reference.origin == Origin::Repeated)
        };
        Self {
            wishes: within()
                .map(|reference| (reference.table, reference.key.name.clone()))
                .collect(),
            chosen: within()
                .filter_map(|reference| {
                    Some((reference.table, reference.key.columns.get(1)?.clone()))
                })
                .collect(),
        }
    }

    /// Whether a reference is one of them.
    pub(super) fn is_wish(&self, table: u32, key: &ForeignKey) -> bool {
        self.wishes.contains(&(table, key.name.clone()))
    }

    /// Whether a key is planned after the column that others repeat: one of them, or what it chooses the row for.
    pub(super) fn follows(&self, table: u32, key: &ForeignKey) -> bool {
        let is_chosen = |name: &String| self.chosen.contains(&(table, name.clone()));
        self.is_wish(table, key) || key.columns.iter().any(is_chosen)
    }
}

/// References to further parents of the same tenant, for tables that have several or whose own children need them.
pub(super) fn within(schema: &Schema, specs: &BTreeMap<u32, &TableSpec>) -> Vec<Reference> {
    let search = Search { schema, specs };
    let mut grouped: BTreeSet<OfTable> = BTreeSet::new();
    loop {
        let found = search.wishes(&grouped);
        let known = grouped.len();
        // A table whose rows are looked for by tenant takes no tenant from a parent: its own parents are looked for.
        grouped.extend(found.iter().filter_map(|reference| {
            let column = reference.key.referenced_columns.first()?;
            Some((reference.key.references, column.clone()))
        }));
        if grouped.len() == known {
            return found;
        }
    }
}

struct Search<'a> {
    schema: &'a Schema,
    specs: &'a BTreeMap<u32, &'a TableSpec>,
}

impl<'a> Search<'a> {
    fn wishes(&self, grouped: &BTreeSet<OfTable>) -> Vec<Reference> {
        let mut found: Vec<Reference> = Vec::new();
        for table in self.schema.tables.iter().filter(|table| is_seeded(table)) {
            let mut shared: Vec<&ForeignKey> = table
                .foreign_keys
                .iter()
                .filter(|key| key.columns.len() == 1 && self.may_repeat(table, key))
                .collect();
            // A project before its organization: what has the same project has the same organization.
            shared.sort_by_key(|key| {
                let others = table.foreign_keys.iter();
                let above = self.schema.table_by_oid(key.references);
                let says = above.map_or(0, |above| {
                    others
                        .filter(|other| above.column(&other.columns[0]).is_some())
                        .count()
                });
                std::cmp::Reverse(says)
            });
            let is_free =
                |key: &&&ForeignKey| !grouped.contains(&(table.oid, key.columns[0].clone()));
            let leads: Vec<&str> = shared
                .iter()
                .filter(is_free)
                .filter_map(|key| Some(lead(self.schema, table, key)?.name.as_str()))
                .collect();
            for key in shared {
                for other in &table.foreign_keys {
                    let is_known = found.iter().any(|one| {
                        one.table == table.oid
                            && other
                                .columns
                                .iter()
                                .any(|name| one.key.columns.get(1) == Some(name))
                    });
                    if is_known
                        || leads.contains(&other.name.as_str())
                        || !self.can_be_within(table, key, other)
                    {
                        continue;
                    }
                    let Some(parent) = root(self.schema, other.references) else {
                        continue;
                    };
                    let name = key.columns[0].as_str();
                    found.push(Reference {
                        table: table.oid,
                        key: key_of(
                            table,
                            &[name, &other.columns[0]],
                            parent,
                            &[name, &other.referenced_columns[0]],
                        ),
                        origin: Origin::Repeated,
                    });
                }
            }
        }
        found
    }

    /// Whether nothing else says what the column holds.
    fn may_repeat(&self, table: &Table, key: &ForeignKey) -> bool {
        let said = self.specs.get(&table.oid).and_then(|spec| {
            spec.columns
                .iter()
                .find(|said| said.name.text == key.columns[0])
        });
        let limited = table
            .column(&key.columns[0])
            .is_none_or(|column| is_limited(table, column));
        !limited
            && !is_of_people(key)
            && key.references != table.oid
            && !said.is_some_and(says_otherwise)
    }

    /// Whether another key can point to a row with the same value.
    fn can_be_within(&self, table: &Table, key: &ForeignKey, other: &ForeignKey) -> bool {
        let ([name], [chosen]) = (key.columns.as_slice(), other.columns.as_slice()) else {
            return false;
        };
        let both = |composite: &ForeignKey| {
            composite.columns.len() > 1 && composite.columns.contains(chosen)
        };
        let is_said = self.specs.get(&table.oid).is_some_and(|spec| {
            let said = spec.columns.iter().find(|said| said.name.text == *chosen);
            said.is_some_and(|said| is_described(said) || said.values.is_some())
        });
        let (Some(own), Some(column), Some(parent)) = (
            table.column(name),
            table.column(chosen),
            root(self.schema, other.references),
        ) else {
            return false;
        };
        let theirs = parent.column(name);
        let counts = table
            .indexes
            .iter()
            .any(|index| is_over_keys(table, index, chosen));
        chosen != name
            && !table.foreign_keys.iter().any(both)
            && !is_said
            && !counts
            && !is_limited(table, column)
            && parent.oid != table.oid
            && parent.oid != key.references
            && theirs.is_some_and(|theirs| theirs.not_null)
            && (own.not_null || !column.not_null)
            && has_same_key(parent, key)
    }
}

/// What a spec writes of a column whose value is its own.
fn says_otherwise(said: &ColumnSpec) -> bool {
    said.references.is_some() || is_described(said)
}

/// Who did something is another matter than whose it is: a comment's author is not the post's.
fn is_of_people(key: &ForeignKey) -> bool {
    words(&key.referenced_table.name)
        .last()
        .is_some_and(|noun| is_role(&singular(noun)))
}

fn root(schema: &Schema, oid: u32) -> Option<&Table> {
    schema.table_by_oid(oid).map(|table| schema.root_of(table))
}

/// Whether a table has the same foreign key, by the same name.
fn has_same_key(parent: &Table, key: &ForeignKey) -> bool {
    parent.foreign_keys.iter().any(|theirs| {
        theirs.references == key.references
            && theirs.columns == key.columns
            && theirs.referenced_columns == key.referenced_columns
    })
}

/// The first foreign key to a row that has this key's column itself, by the same name, so that a row always has its value.
fn lead<'k>(schema: &'k Schema, table: &'k Table, key: &ForeignKey) -> Option<&'k ForeignKey> {
    let [name] = key.columns.as_slice() else {
        return None;
    };
    let column = table.column(name)?;
    let mut others = table.foreign_keys.iter();
    others.find(|other| {
        other.name != key.name
            && other.references != table.oid
            && !other.columns.contains(name)
            && has_column(schema, other, key, column)
            && is_always_there(table, other, column)
            && !tells_apart(table, key, other)
    })
}

/// Whether the row that a key points to has this column: by the same foreign key, or as the row that is referenced itself.
fn has_column(schema: &Schema, other: &ForeignKey, key: &ForeignKey, column: &Column) -> bool {
    root(schema, other.references).is_some_and(|parent| {
        let is_home = parent.oid == key.references && key.referenced_columns == key.columns;
        parent
            .column(&column.name)
            .is_some_and(|theirs| theirs.not_null || !column.not_null)
            && (is_home || has_same_key(parent, key))
    })
}

fn is_always_there(table: &Table, other: &ForeignKey, column: &Column) -> bool {
    let mut names = other.columns.iter();
    !column.not_null || names.all(|name| table.column(name).is_some_and(|column| column.not_null))
}

/// Whether a unique key needs the column to differ among rows of one parent.
fn tells_apart(table: &Table, key: &ForeignKey, other: &ForeignKey) -> bool {
    let both: Vec<String> = other.columns.iter().chain(&key.columns).cloned().collect();
    table.indexes.iter().any(|index| {
        (is_unique_within(index, &both) && !is_unique_within(index, &other.columns))
            || counts_by(table, index, &key.columns[0], other)
    })
}

/// Whether a unique index over foreign keys alone counts by this column, and does not hold the other key: a value that comes
/// with the other key's row could not count.
fn counts_by(table: &Table, index: &Index, name: &str, other: &ForeignKey) -> bool {
    is_over_keys(table, index, name)
        && !other.columns.iter().all(|column| {
            index
                .keys
                .iter()
                .any(|key| key.part == KeyPart::Column(column.clone()))
        })
}

/// Whether a unique index is over this column and other foreign keys' alone.
fn is_over_keys(table: &Table, index: &Index, name: &str) -> bool {
    let columns: Vec<&String> = index
        .keys
        .iter()
        .filter_map(|key| match &key.part {
            KeyPart::Column(name) => Some(name),
            KeyPart::Expression(_) => None,
        })
        .collect();
    let references = |column: &&String| {
        let mut keys = table.foreign_keys.iter();
        keys.any(|key| key.columns.contains(column))
    };
    index.unique
        && columns.len() == index.keys.len()
        && columns.iter().any(|column| *column == name)
        && columns.iter().all(references)
}

impl<'a> Resolver<'a> {
    /// The foreign key to a row from which this key's value is taken.
    pub(super) fn repeated<'k>(
        &self,
        draft: &TableDraft<'k>,
        key: &ForeignKey,
    ) -> Option<&'k ForeignKey>
    where
        'a: 'k,
    {
        let [name] = key.columns.as_slice() else {
            return None;
        };
        let table = draft.table;
        let column = table.column(name)?;
        let said = draft
            .position(name)
            .and_then(|at| draft.columns[at].spec)
            .is_some_and(says_otherwise);
        let counted = self.grouping_of(draft, key).is_some()
            || self.shared_keys.contains(&(table.oid, key.name.clone()));
        // A constraint may want one key or the other.
        let limited = is_limited(table, column);
        if is_of_people(key) || said || counted || limited || key.references == table.oid {
            return None;
        }
        lead(self.schema, table, key)
    }

    /// Takes a key's value from the row that another key points to; `false` where that row does not have it.
    pub(super) fn repeat(&mut self, draft: &mut TableDraft<'a>, key: &Key<'_>) -> bool {
        let Some(other) = self.repeated(draft, key.key) else {
            return false;
        };
        let names: Vec<Option<usize>> = other
            .columns
            .iter()
            .map(|name| draft.position(name))
            .collect();
        let is_its =
            |columns: &Vec<usize>| columns.iter().map(|at| Some(*at)).collect::<Vec<_>>() == names;
        let Some(link) = draft.link_columns.iter().position(is_its) else {
            return false;
        };
        let (parent, name) = (draft.links[link].parent, &key.key.columns[0]);
        let optional = draft.links[link].null_share > 0.0
            || draft.link_columns[link]
                .iter()
                .any(|column| draft.columns[*column].nulls != Nulls::Never);
        let Some(position) = self.plan.tables[parent].column_index(name) else {
            return false;
        };
        let of = &self.plan.tables[parent].columns[position];
        let leads_there = key
            .positions
            .first()
            .is_some_and(|at| self.comes_from((parent, position), (key.parent, *at)));
        let nullable = draft.columns[key.columns[0]].nulls != Nulls::Never;
        if !leads_there || ((optional || of.nulls != Nulls::Never) && !nullable) {
            return false;
        }
        let recode = self.recode(&draft.columns[key.columns[0]].class, parent, position);
        let column = &mut draft.columns[key.columns[0]];
        column.generator = Generator::Parent {
            link,
            table: parent,
            column: position,
            recode,
        };
        // NULLs that the spec asks for stay.
        let asked = column.spec.is_some_and(|spec| spec.null.is_some());
        if !asked {
            column.nulls = Nulls::Never;
        }
        (column.draw, column.fixed) = (Draw::Row, true);
        self.repeats.push(format!(
            "{}.{name} of {}",
            draft.table.name,
            other.columns.join(", ")
        ));
        true
    }

    /// Whether a planned column's values are those of another one, however many keys lie between them.
    fn comes_from(&self, column: (usize, usize), home: (usize, usize)) -> bool {
        /// More tables than any chain of parents has.
        const HOPS: usize = 32;
        let above = |(table, column): &(usize, usize)| {
            let planned = self.plan.tables.get(*table)?.columns.get(*column)?;
            match planned.generator {
                Generator::Parent { table, column, .. } => Some((table, column)),
                _ => None,
            }
        };
        std::iter::successors(Some(column), above)
            .take(HOPS)
            .any(|at| at == home)
    }

    /// Points to a row with the same value; where there may be none, the key is planned like any other.
    pub(super) fn plan_within(&mut self, index: usize, draft: &mut TableDraft<'a>, key: &Key<'_>) {
        let &[shared, chosen] = key.columns.as_slice() else {
            return;
        };
        let is_open = draft.columns[shared].fixed && !draft.columns[chosen].fixed;
        if !is_open || key.parent >= index || !self.allowed_parents(index, draft, key).is_empty() {
            return;
        }
        let Some(choice) = self.path_to(draft, key, &[shared]) else {
            return;
        };
        let LinkChoice::Within {
            parent_link, down, ..
        } = &choice
        else {
            return;
        };
        let has_rows = self
            .plan
            .grouping_within(key.parent, *parent_link, down)
            .is_some_and(Grouping::covers_all);
        let is_free = self
            .plan
            .only_within(key.parent, *parent_link, down)
            .is_empty();
        if !has_rows || !is_free {
            return;
        }
        let mut link = self.link_of(index, draft, key, Box::default());
        link.choice = choice;
        if draft.columns[chosen].nulls != Nulls::Never {
            let said = draft.columns[chosen].spec.and_then(|spec| spec.null);
            link.null_share = said.unwrap_or(super::links::WITHOUT_PARENT);
        }
        self.attach(index, draft, key, link);
        self.repeats.push(format!(
            "{}.{} of {}",
            draft.table.name, key.key.columns[0], key.key.columns[1]
        ));
    }

    /// What is told of columns that repeat others, as one note.
    pub(super) fn note_repeats(&mut self) {
        const SHOWN: usize = 6;
        if self.repeats.is_empty() {
            return;
        }
        let shown = self.repeats.iter().take(SHOWN).cloned();
        let shown = shown.collect::<Vec<_>>().join("; ");
        let more = match self.repeats.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.plan.notes.push(format!(
            "columns that are the same in a row and in the row that it points to: {shown}{more}; `references` in a \
             column's spec, or what it holds, says otherwise"
        ));
    }
}
