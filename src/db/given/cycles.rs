//! Foreign keys that point to tables which are filled later. One that can be deferred waits for the end of the
//! transaction; one that can be NULL is NULL at first and set when its parent is there.

use crate::schema::{ForeignKey, Schema, Table};
use crate::seed::SeedPlan;
use crate::seed::plan::{Fill, TablePlan};

use super::GivenError;

/// Columns that stay NULL until the second pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Index in the plan.
    pub table: usize,
    /// Indexes in the table's columns.
    pub columns: Vec<usize>,
    /// The primary key's, likewise: finds the rows again.
    pub key: Vec<usize>,
}

/// What needs a second pass.
///
/// # Errors
/// [`GivenError::Cycle`] for a foreign key that allows neither.
pub(super) fn break_cycles(schema: &Schema, plan: &SeedPlan) -> Result<Vec<Broken>, GivenError> {
    let mut broken: Vec<Broken> = Vec::new();
    for (at, planned) in plan
        .tables
        .iter()
        .enumerate()
        .filter(|(_, table)| table.fill == Fill::Generate)
    {
        let Some(table) = schema.table_by_oid(planned.oid) else {
            continue;
        };
        for key in table
            .foreign_keys
            .iter()
            .filter(|key| !key.deferrable && is_ahead(schema, plan, at, key))
        {
            let late = second_pass(schema, table, planned, (at, key));
            let late = late.ok_or_else(|| GivenError::Cycle {
                key: key.name.clone(),
                table: table.name.clone(),
            })?;
            match broken.iter_mut().find(|other| other.table == at) {
                Some(other) => other.columns.extend(late.columns),
                None => broken.push(late),
            }
        }
    }
    for late in &mut broken {
        late.columns.sort_unstable();
        late.columns.dedup();
    }
    Ok(broken)
}

/// The parent is filled after the child. A table's own rows are checked at the end of its COPY.
fn is_ahead(schema: &Schema, plan: &SeedPlan, child: usize, key: &ForeignKey) -> bool {
    let parent = schema
        .table_by_oid(key.references)
        .and_then(|parent| plan.table_index(schema.root_of(parent).oid));
    parent.is_some_and(|parent| parent > child && plan.tables[parent].fill == Fill::Generate)
}

/// `None` where the columns cannot be NULL or the rows cannot be found again.
fn second_pass(
    schema: &Schema,
    table: &Table,
    planned: &TablePlan,
    (at, key): (usize, &ForeignKey),
) -> Option<Broken> {
    let nullable = |name: &&String| {
        table
            .column(name)
            .is_some_and(|column| !column.not_null && column.default.is_none())
    };
    let names: Vec<&String> = key.columns.iter().filter(nullable).collect();
    // What other keys point to has to be there with its row, where something else of this key can be NULL.
    let unreferenced = |name: &&&String| !schema.is_referenced(table, name);
    let free: Vec<&String> = names.iter().filter(unreferenced).copied().collect();
    let chosen = if free.is_empty() || key.match_full {
        names
    } else {
        free
    };
    // One NULL is enough for MATCH SIMPLE; MATCH FULL requires all.
    let columns: Vec<usize> = chosen
        .into_iter()
        .filter_map(|name| planned.column_index(name))
        .collect();
    let enough = if key.match_full {
        columns.len() == key.columns.len()
    } else {
        !columns.is_empty()
    };
    let primary: Vec<usize> = table
        .primary_key()
        .iter()
        .filter_map(|name| planned.column_index(name))
        .collect();
    let found = !primary.is_empty() && primary.len() == table.primary_key().len();
    (enough && found).then_some(Broken {
        table: at,
        columns,
        key: primary,
    })
}
