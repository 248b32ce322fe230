//! Foreign keys: which parent row each row points to.

use std::collections::BTreeSet;

use super::Resolver;
use super::key_values::{Constant, generated_constant};
use super::link_choice::Parents;
use super::own_children::key_back;
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::schema::{ForeignKey, Index, KeyPart, Schema, Table};
use crate::seed::describe::header;
use crate::seed::distribution::Order;
use crate::seed::plan::{Draw, Generator, Link, LinkChoice, Nulls};
use crate::seed::spec::RowsSpec;
use crate::seed::types::{classify, literal};
use crate::seed::wishes;

/// Share of rows without a parent, where they may have none.
pub(super) const WITHOUT_PARENT: f64 = 0.05;

/// Foreign keys (table, name) of a table that others reference by a composite key which includes them: to find a row of
/// such a table under a given parent, its rows must be grouped by it.
pub(super) fn shared_keys(schema: &Schema) -> BTreeSet<(u32, String)> {
    let mut shared = BTreeSet::new();
    let mut open: Vec<(&Table, Vec<&String>)> = Vec::new();
    for table in &schema.tables {
        let composite = |key: &&ForeignKey| key.columns.len() > 1;
        for key in table.foreign_keys.iter().filter(composite) {
            let others = table
                .foreign_keys
                .iter()
                .filter(|other| other.name != key.name);
            let overlaps = others
                .into_iter()
                .any(|other| other.columns.iter().any(|c| key.columns.contains(c)));
            let Some(parent) = schema
                .table_by_oid(key.references)
                .map(|parent| schema.root_of(parent))
            else {
                continue;
            };
            if let Some(back) = key_back(schema, table, key) {
                shared.insert((parent.oid, back.name.clone()));
            }
            if !overlaps {
                continue;
            }
            open.push((parent, key.referenced_columns.iter().collect()));
        }
    }
    while let Some((table, columns)) = open.pop() {
        for key in &table.foreign_keys {
            let wanted = || {
                key.columns
                    .iter()
                    .zip(&key.referenced_columns)
                    .filter(|(from, _)| columns.contains(from))
            };
            if wanted().next().is_none() || !shared.insert((table.oid, key.name.clone())) {
                continue;
            }
            // A subtype's rows are grouped as its supertype's are.
            let subtype = table
                .indexes
                .iter()
                .any(|index| is_unique_within(index, &key.columns));
            let above = schema
                .table_by_oid(key.references)
                .map(|above| schema.root_of(above));
            open.extend(
                above
                    .filter(|_| subtype)
                    .map(|above| (above, wanted().map(|(_, to)| to).collect())),
            );
        }
    }
    shared
}

/// Columns (table, name) that foreign keys point to; a partition's count as its root's.
pub(super) fn referenced(schema: &Schema) -> BTreeSet<(u32, &String)> {
    let keys = schema.tables.iter().flat_map(|table| &table.foreign_keys);
    keys.filter_map(|key| {
        Some((
            schema.root_of(schema.table_by_oid(key.references)?).oid,
            key,
        ))
    })
    .flat_map(|(oid, key)| {
        key.referenced_columns
            .iter()
            .map(move |column| (oid, column))
    })
    .collect()
}

/// A foreign key resolved to positions.
pub(super) struct Key<'k> {
    pub(super) key: &'k ForeignKey,
    /// Referencing columns.
    pub(super) columns: Vec<usize>,
    /// Index of the parent's plan.
    pub(super) parent: usize,
    /// Referenced columns, as positions in the parent's plan.
    pub(super) positions: Vec<usize>,
    /// What a referenced column has to hold: the table's own column is generated, and always that.
    pub(super) constant: Option<Constant>,
}

impl<'a> Resolver<'a> {
    pub(super) fn plan_links(&mut self, index: usize, draft: &mut TableDraft<'a>) {
        let table = draft.table;
        let mut keys: Vec<&ForeignKey> = table.foreign_keys.iter().collect();
        // What the spec counts by comes first, then the keys that say most.
        // A table's key to itself follows those that it shares columns with.
        keys.sort_by_key(|key| {
            let own = key.references == table.oid;
            let grouping = self.grouping_of(draft, key).is_some();
            let nullable = key
                .columns
                .iter()
                .any(|name| table.column(name).is_some_and(|column| !column.not_null));
            (
                own,
                !grouping && self.inferred.within.follows(table.oid, key),
                self.repeated(draft, key).is_some(),
                !grouping,
                nullable,
                std::cmp::Reverse(key.columns.len()),
                // What a unique key counts by groups the rows; who made them is looked for within the group.
                !tells_rows_apart(table, key),
            )
        });
        for key in keys {
            if self.is_given_up(draft.table, key) {
                continue;
            }
            let is_wish = self.inferred.within.is_wish(table.oid, key);
            let Some(key) = self.resolve_key(index, draft, key) else {
                continue;
            };
            if is_wish {
                self.plan_within(index, draft, &key);
                continue;
            }
            if self.plan_own_child(index, draft, &key) {
                continue;
            }
            let taken: Vec<usize> = key
                .columns
                .iter()
                .copied()
                .filter(|column| draft.columns[*column].fixed)
                .collect();
            if self.open.contains(&(table.oid, key.key.name.clone())) {
                self.leave_open(draft, key.key, &key.columns);
                continue;
            }
            // MATCH SIMPLE: a column that is NULL in every row is enough.
            if !key.key.match_full
                && taken
                    .iter()
                    .any(|column| draft.columns[*column].nulls == Nulls::Always)
            {
                continue;
            }
            if taken.is_empty() && self.repeat(draft, &key) {
                continue;
            }
            match taken.len() {
                0 if self.plan_enumeration(draft, &key) => {}
                0 => self.plan_link(index, draft, &key),
                taken_count if taken_count == key.columns.len() => self.check_implied(draft, &key),
                _ => self.plan_shared(index, draft, &key, &taken),
            }
        }
        self.tell_apart(draft);
    }

    /// A reference that only a name suggests, and that has nothing to point to.
    fn is_given_up(&self, table: &Table, key: &ForeignKey) -> bool {
        let id = (table.oid, key.name.clone());
        let own = key.references == table.oid;
        let parent = self
            .schema
            .table_by_oid(key.references)
            .map(|parent| self.schema.root_of(parent).oid)
            .and_then(|oid| self.index.get(&oid));
        let empty = parent.is_none_or(|at| self.plan.tables[*at].rows == 0);
        let suggested = key.name.ends_with(" (not declared)");
        suggested && (self.open.contains(&id) || (empty && !own))
    }

    pub(super) fn resolve_key<'k>(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        key: &'k ForeignKey,
    ) -> Option<Key<'k>> {
        let schema = self.schema;
        let columns: Vec<usize> = key
            .columns
            .iter()
            .filter_map(|name| draft.position(name))
            .collect();
        // A generated column that references something: the server has the last word, where it is no constant.
        let generated = generated_constant(draft, key);
        if columns.len() != key.columns.len() && (generated.is_none() || columns.len() != 1) {
            return None;
        }
        let parent_table = schema
            .table_by_oid(key.references)
            .map(|table| schema.root_of(table))?;
        let Some(&parent) = self.index.get(&parent_table.oid) else {
            self.refuse(
                &draft.table.name,
                format!(
                    "foreign key {} references {}, which is not seeded",
                    key.name, parent_table.name
                ),
                super::leave_empty(&draft.table.name),
            );
            return None;
        };
        let written: Vec<&str> = super::table::written_columns(
            schema,
            parent_table,
            self.specs.get(&parent_table.oid).copied(),
        )
        .map(|column| column.name.as_str())
        .collect();
        let positions: Option<Vec<usize>> = key
            .referenced_columns
            .iter()
            .map(|name| written.iter().position(|other| other == name))
            .collect();
        let Some(mut positions) = positions else {
            self.leave_unreferenced(draft, key, &columns, parent_table);
            return None;
        };
        let both = parent > index && reference_each_other(draft.table, key, parent_table);
        let constant = match generated {
            Some((at, text)) => {
                let position = positions.remove(at);
                let of_parent = parent_table.column(&key.referenced_columns[at])?;
                let class = classify(schema, &of_parent.data_type);
                let cell = literal::cell(&class, &text)?;
                Some(Constant { position, cell })
            }
            None => None,
        };
        (!both).then_some(Key {
            key,
            columns,
            parent,
            positions,
            constant,
        })
    }

    /// A key to a generated column, whose values are not known: a column that may be NULL is, and else the table is refused.
    fn leave_unreferenced(
        &mut self,
        draft: &mut TableDraft<'a>,
        key: &ForeignKey,
        columns: &[usize],
        parent_table: &Table,
    ) {
        let open = columns.iter().find(|column| {
            let planned = &draft.columns[**column];
            !planned.column.not_null && !planned.fixed
        });
        if let Some(&column) = open {
            let planned = &mut draft.columns[column];
            (planned.nulls, planned.fixed) = (Nulls::Always, true);
            self.plan.notes.push(format!(
                "{}: {} is NULL in every row, because foreign key {} references a generated column of {}",
                draft.table.name, planned.column.name, key.name, parent_table.name
            ));
            return;
        }
        self.refuse(
            &draft.table.name,
            format!(
                "foreign key {} references a generated column of {}",
                key.name, parent_table.name
            ),
            super::leave_empty(&draft.table.name),
        );
    }

    fn plan_link(&mut self, index: usize, draft: &mut TableDraft<'a>, key: &Key<'_>) {
        if key.parent != index && self.plan.tables[key.parent].rows == 0 {
            let why = format!(
                "foreign key {} points to {}, which has no rows",
                key.key.name, self.ordered[key.parent].name
            );
            if draft.rows > 0 && self.leave_null(draft, key, &why) {
                return;
            }
        }
        let only = self.allowed_parents(index, draft, key);
        let only = self
            .distinct_parents(index, draft, key, &only)
            .unwrap_or(only);
        // Nowhere to point to: nothing is asked of a key that is NULL.
        if key
            .columns
            .iter()
            .any(|column| draft.columns[*column].nulls == Nulls::Always)
        {
            return;
        }
        if !only.is_empty()
            && draft
                .table
                .indexes
                .iter()
                .any(|index| is_unique_within(index, &key.key.columns))
        {
            let allowed = only.len() as u64;
            let why = format!(
                "its constraints allow {allowed} rows of {}",
                self.ordered[key.parent].name
            );
            if let Err(reason) = self.lower_rows(draft, allowed, &why) {
                let what = format!("foreign key {} cannot be met: {reason}", key.key.name);
                let remedy = format!(
                    "write fewer `rows = …` under [{}]",
                    header(&draft.table.name)
                );
                self.refuse(&draft.table.name, what, remedy);
            }
        }
        let listed = !only.is_empty();
        let mut link = self.link_of(index, draft, key, only);
        let in_key = |index: &Index| {
            let of_key = |part: &KeyPart| matches!(part, KeyPart::Column(name) if key.key.columns.contains(name));
            index.unique && index.keys.iter().any(|part| of_key(&part.part))
        };
        let free = matches!(link.choice, LinkChoice::Uniform | LinkChoice::Skewed { .. });
        if listed
            && free
            && !draft.table.indexes.iter().any(in_key)
            && let Some(shares) = self.said_shares(draft, key)
        {
            (link.choice, link.only) = (shares, Box::default());
            link.parent_rows = self.plan.tables[key.parent].rows;
        } else if free
            && !listed
            && !draft.table.indexes.iter().any(in_key)
            && let Some(shape) = self.shape_of_key(draft, key, &link)
        {
            link.choice = shape;
        } else {
            self.note_unobeyed_weights(draft, key);
        }
        self.attach(index, draft, key, link);
    }

    pub(super) fn attach(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        key: &Key<'_>,
        link: Link,
    ) {
        let link_index = draft.links.len();
        let optional = link.null_share > 0.0
            || matches!(link.choice, LinkChoice::Earlier { roots } if roots > 0)
            || matches!(link.choice, LinkChoice::OneToOne(order) if order.size() > link.parent_rows)
            || matches!(
                link.choice,
                LinkChoice::Previous { ring: false }
                    | LinkChoice::EarlierWithin { .. }
                    | LinkChoice::Within { .. }
            );
        draft.links.push(link);
        self.link_keys[index].push(key.key.name.clone());
        draft.link_columns.push(key.columns.clone());
        for (column, position) in key.columns.iter().zip(&key.positions) {
            let recode = self.recode(&draft.columns[*column].class, key.parent, *position);
            let column = &mut draft.columns[*column];
            if column.fixed {
                continue;
            }
            column.generator = Generator::Parent {
                link: link_index,
                table: key.parent,
                column: *position,
                recode,
            };
            column.draw = Draw::Row;
            // What the spec says of a key still tells which kinds of rows there are.
            let said = column.spec.and_then(wishes::values);
            column.choices = said;
            column.fixed = true;
            let nullable = column.nulls != Nulls::Never;
            column.nulls = if optional && nullable {
                Nulls::WithLink(link_index)
            } else {
                Nulls::Never
            };
        }
    }

    pub(super) fn link_of(
        &mut self,
        index: usize,
        draft: &TableDraft<'a>,
        key: &Key<'_>,
        only: Box<[u64]>,
    ) -> Link {
        let (table, parent) = (draft.table, key.parent);
        let self_reference = parent == index;
        let parent_rows = match only.len() as u64 {
            0 if self_reference => draft.rows,
            0 => self.plan.tables[parent].rows,
            allowed => allowed,
        };
        let link_key = draft.key.derive("link").derive(&key.key.columns.join(","));
        let spec = key
            .columns
            .iter()
            .find_map(|column| draft.columns[*column].spec);
        // MATCH SIMPLE: one NULL is enough; MATCH FULL: all or none.
        let can_be_null = |column: &usize| draft.columns[*column].nulls != Nulls::Never;
        let nullable = if key.key.match_full {
            key.columns.iter().all(can_be_null)
        } else {
            key.columns.iter().any(can_be_null)
        };
        let null_share = match (nullable, spec.and_then(|spec| spec.null)) {
            (false, _) => 0.0,
            (true, Some(share)) => share,
            (true, None) if self_reference => 0.0,
            (true, None) if self.is_part_of_a_reference(table, &key.key.columns) => 0.0,
            // A key over several columns of which some are never NULL has no other source of values for those.
            (true, None) if !key.columns.iter().all(can_be_null) => 0.0,
            (true, None) => WITHOUT_PARENT,
        };
        let choice = self.choice_of(
            draft,
            key,
            &Parents {
                rows: parent_rows,
                key: link_key,
                self_reference,
                nullable,
            },
        );
        Link {
            parent,
            parent_rows,
            key: link_key,
            choice,
            null_share,
            avoid: None,
            skip: Box::default(),
            only,
        }
    }

    /// Whether keys of several columns point to one of these: a row with NULL there is one that no row can point to.
    pub(super) fn is_part_of_a_reference(&self, table: &Table, columns: &[String]) -> bool {
        let mut keys = self
            .schema
            .tables
            .iter()
            .flat_map(|other| &other.foreign_keys);
        keys.any(|key| {
            let referenced = &key.referenced_columns;
            key.references == table.oid
                && referenced.len() > 1
                && referenced.iter().any(|name| columns.contains(name))
        })
    }

    /// The skew and order of `rows = { per = … }`, where this key is the one that it names.
    pub(super) fn grouping_of(
        &self,
        draft: &TableDraft<'a>,
        key: &ForeignKey,
    ) -> Option<(f64, Order)> {
        let spec = self.specs.get(&draft.table.oid)?;
        let Some(RowsSpec::Per {
            table,
            column,
            skew,
            order,
            ..
        }) = &spec.rows
        else {
            return None;
        };
        let named = super::find_table(self.schema, &table.text)?;
        let referenced = self.schema.table_by_oid(key.references)?;
        let fits = self.schema.root_of(referenced).oid == named.oid
            && column
                .as_ref()
                .is_none_or(|column| key.columns.contains(&column.text));
        // The first key to that parent is meant where the spec does not say.
        let first = draft
            .table
            .foreign_keys
            .iter()
            .find(|other| other.references == key.references)?;
        let order = order.unwrap_or(if *skew > 0.0 {
            Order::Scattered
        } else {
            Order::ByGroup
        });
        (fits && (column.is_some() || first.name == key.name)).then_some((*skew, order))
    }
}

/// Whether a unique index holds a column of this key that is no other key's.
fn tells_rows_apart(table: &Table, key: &ForeignKey) -> bool {
    let is_own = |name: &String| {
        let mut others = table.foreign_keys.iter();
        key.columns.contains(name)
            && !others.any(|other| other.name != key.name && other.columns.contains(name))
    };
    let indexes = table.indexes.iter().filter(|index| index.unique);
    let mut parts = indexes.flat_map(|index| &index.keys);
    parts.any(|part| matches!(&part.part, KeyPart::Column(name) if is_own(name)))
}

/// Whether two tables' primary keys reference each other: then the table that comes first leads, and has no link.
fn reference_each_other(table: &Table, key: &ForeignKey, parent: &Table) -> bool {
    let own_key = table.primary_key();
    let mut columns = key.columns.iter();
    columns.all(|column| own_key.contains(&column.as_str()))
        && parent
            .foreign_keys
            .iter()
            .any(|back| back.references == table.oid && back.columns == key.referenced_columns)
}
