//! What tells the rows of a unique index apart: columns, and foreign keys as a whole.

use std::collections::BTreeSet;

use super::Resolver;
use super::key_columns::capacity;
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::schema::{ForeignKey, Index, KeyPart};
use crate::seed::check::Expression;
use crate::seed::plan::Generator;

/// What varies as one: a column, or all columns of a foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Column(usize),
    Link(usize),
}

/// Columns of an index, also those inside expressions, as what varies together.
pub(super) fn units_of(draft: &TableDraft<'_>, index: &Index) -> BTreeSet<Unit> {
    let units =
        columns_of(draft, index)
            .into_iter()
            .map(|column| match &draft.columns[column].generator {
                Generator::Parent { link, .. } => Unit::Link(*link),
                _ => Unit::Column(column),
            });
    units.collect()
}

/// Columns of an index, also those inside expressions.
fn columns_of(draft: &TableDraft<'_>, index: &Index) -> Vec<usize> {
    let mut names: Vec<String> = Vec::new();
    for key in &index.keys {
        match &key.part {
            KeyPart::Column(name) => match draft
                .table
                .column(name)
                .and_then(|column| column.generated.as_ref())
            {
                // A generated column is unique where what it is made of is.
                Some(generated) => {
                    if let Ok(expression) = Expression::parse(generated) {
                        expression.columns(&mut names);
                    }
                }
                None => names.push(name.clone()),
            },
            KeyPart::Expression(text) => match Expression::parse(text) {
                // `(version IS NOT NULL)`: the same for all rows, of which there is one.
                Ok(Expression::IsNull { .. }) | Err(_) => {}
                Ok(expression) => expression.columns(&mut names),
            },
        }
    }
    names
        .iter()
        .filter_map(|name| draft.position(name))
        .collect()
}

impl Resolver<'_> {
    /// What tells an index's rows apart: a foreign key of which it holds some columns only (a tenant, of a row of the
    /// tenant's) does not, where the others can alone.
    pub(super) fn telling_apart(&self, draft: &TableDraft<'_>, index: &Index) -> BTreeSet<Unit> {
        let units = units_of(draft, index);
        let columns = columns_of(draft, index);
        let named = |name: &String| {
            columns
                .iter()
                .any(|column| draft.columns[*column].column.name == *name)
        };
        let whole = |unit: &Unit| {
            let Unit::Link(link) = unit else { return true };
            let of_link = &draft.link_columns[*link];
            let is_its = |key: &&ForeignKey| {
                let positions: Option<Vec<usize>> = key
                    .columns
                    .iter()
                    .map(|name| draft.position(name))
                    .collect();
                positions.as_ref() == Some(of_link)
            };
            let Some(key) = draft.table.foreign_keys.iter().find(is_its) else {
                return true;
            };
            let pairs = key
                .columns
                .iter()
                .zip(&key.referenced_columns)
                .filter(|(own, _)| named(own));
            let referenced: Vec<String> = pairs.map(|(_, to)| to.clone()).collect();
            let parent = self.schema.table_by_oid(key.references);
            referenced.len() == key.columns.len()
                || parent.is_none_or(|parent| {
                    parent
                        .indexes
                        .iter()
                        .any(|index| is_unique_within(index, &referenced))
                })
        };
        let strong: BTreeSet<Unit> = units.iter().filter(|unit| whole(unit)).copied().collect();
        let alone = |unit: &Unit| match unit {
            Unit::Column(column) => {
                !draft.columns[*column].fixed && capacity(draft, *column) >= draft.rows
            }
            Unit::Link(_) => false,
        };
        if strong.len() < units.len() && strong.iter().any(alone) {
            strong
        } else {
            units
        }
    }
}
