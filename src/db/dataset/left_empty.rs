//! Tables whose rows cannot be made: they and their children stay empty, each with its reason and the line of the spec that
//! mends it, and everything else is filled.

use std::collections::BTreeMap;

use super::{DatasetError, DatasetTable, Drafted};
use crate::db::connect::{DatabaseUrl, Session};
use crate::db::introspect;
use crate::db::load::LoadError;
use crate::interrupt::Interrupt;
use crate::schema::{Schema, Table};
use crate::seed::describe::header;
use crate::seed::{Options, SeedError};
use crate::source::Source;

/// A table whose rows the server refused while they were loaded.
#[derive(Debug, Clone)]
pub(super) struct Unloadable {
    table: String,
    what: String,
}

impl std::fmt::Display for Unloadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "table {}: {}", self.table, self.what)
    }
}

impl Unloadable {
    /// The table that ended a load, where the rows are at fault and not the server.
    pub(super) fn of(error: &DatasetError) -> Option<Self> {
        let (table, what) = match error {
            DatasetError::Load(LoadError::Rows {
                table,
                reason,
                fault: None,
            }) => (table, format!("its rows were refused: {reason}")),
            DatasetError::Load(LoadError::Constraint {
                table,
                object,
                reason,
                fault: None,
            }) => (table, format!("its rows do not meet {object}: {reason}")),
            _ => return None,
        };
        Some(Self {
            table: table.clone(),
            what,
        })
    }

    fn refusal(&self, schema: &Schema) -> Option<SeedError> {
        let table = schema.root_of(named(schema, &self.table)?);
        let header = header(&table.name);
        Some(SeedError::Unsolvable {
            table: table.name.to_string(),
            what: self.what.clone(),
            remedy: format!(
                "write `values` or a `generator` that fit for its columns under [{header}.columns], or `rows = 0` under [{header}]"
            ),
        })
    }
}

fn named<'s>(schema: &'s Schema, name: &str) -> Option<&'s Table> {
    schema
        .tables
        .iter()
        .find(|table| table.name.to_string() == name)
}

/// Plans every table that can be filled. The result's errors are those of the tables that stay empty.
///
/// # Errors
/// [`DatasetError`]: among others a mistake of the spec, and constraints that cannot be met where no table would have a row.
pub(super) async fn plan(
    url: &DatabaseUrl,
    specs: &[Source],
    options: &Options,
    unloadable: &[Unloadable],
    interrupt: &Interrupt,
) -> Result<Drafted, DatasetError> {
    let mut options = options.clone();
    let mut refused = Vec::new();
    if !unloadable.is_empty() {
        let session = Session::open(url, interrupt).await?;
        let schema = introspect::schema(&session).await?;
        session.close().await;
        refused.extend(unloadable.iter().filter_map(|table| table.refusal(&schema)));
        leave_empty(&mut options, &schema, &refused);
    }
    loop {
        let mut drafted = super::draft(url, specs, &options, interrupt).await?;
        if drafted.errors.is_empty() {
            let is_filled = drafted.plan.tables.iter().any(|table| table.rows > 0);
            if !refused.is_empty() && !is_filled {
                return Err(DatasetError::Plan(refused));
            }
            drafted.errors = refused;
            return Ok(drafted);
        }
        let (unsolvable, mistakes): (Vec<SeedError>, Vec<SeedError>) =
            drafted.errors.drain(..).partition(SeedError::is_of_a_table);
        let known = options.left_empty.len();
        leave_empty(&mut options, &drafted.schema, &unsolvable);
        let is_solved = mistakes.is_empty() && options.left_empty.len() > known;
        refused.extend(unsolvable);
        if !is_solved {
            refused.extend(mistakes);
            return Err(DatasetError::Plan(refused));
        }
    }
}

fn leave_empty(options: &mut Options, schema: &Schema, errors: &[SeedError]) {
    let tables = errors
        .iter()
        .filter_map(|error| named(schema, error.table()?));
    options
        .left_empty
        .extend(tables.map(|table| schema.root_of(table).oid));
}

/// Keeps with each table that stays empty why it does.
pub(super) fn mark(tables: &mut [DatasetTable], refused: &[SeedError]) {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for error in refused {
        if let SeedError::Unsolvable {
            table,
            what,
            remedy,
        } = error
        {
            let reason = format!("{what}; {remedy}");
            let known = reasons.entry(table).or_default();
            if !known.contains(&reason) {
                known.push(reason);
            }
        }
    }
    for table in tables {
        let reasons = reasons.get(table.name.as_str());
        table.left_empty = reasons.map(|reasons| reasons.join("; "));
    }
}
