//! Tables by the names that people write, and which of them seeding looks at.

use std::collections::{BTreeMap, BTreeSet};

use super::{Options, SeedError};
use crate::schema::{Schema, Table, TableKind};
use crate::seed::spec::{Spec, TableSpec};
use crate::source::nearest;

/// Tables whose rows tools keep for themselves.
const BOOKKEEPING: &[&str] = &[
    "_sqlx_migrations",
    "schema_migrations",
    "ar_internal_metadata",
    "flyway_schema_history",
    "__diesel_schema_migrations",
    "goose_db_version",
    "alembic_version",
    "django_migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "_prisma_migrations",
    "refinery_schema_history",
    "databasechangelog",
    "databasechangeloglock",
    "atlas_schema_revisions",
    "gorp_migrations",
    "__efmigrationshistory",
    "typeorm_metadata",
];

/// Whether seeding looks at a table at all: not foreign ones, not partitions (their root does), not migration tools'.
#[must_use]
pub fn is_seeded(table: &Table) -> bool {
    let bookkeeping = BOOKKEEPING.contains(&table.name.name.to_ascii_lowercase().as_str());
    match table.kind {
        TableKind::Ordinary | TableKind::Partitioned => {
            table.partition_of.is_none() && !bookkeeping
        }
        TableKind::Foreign => false,
    }
}

/// A table by the name that a person wrote: `orders` or `shop.orders`.
pub(crate) fn find_table<'s>(schema: &'s Schema, name: &str) -> Option<&'s Table> {
    schema
        .table(None, name)
        .or_else(|| {
            name.split_once('.')
                .and_then(|(namespace, name)| schema.table(Some(namespace), name))
        })
        .filter(|table| table.partition_of.is_none())
}

pub(super) fn nearest_table(schema: &Schema, name: &str) -> Option<String> {
    nearest(
        name,
        schema
            .tables
            .iter()
            .filter(|t| is_seeded(t))
            .map(|table| table.name.name.as_str()),
    )
    .map(str::to_owned)
}

pub(super) fn match_specs<'a>(
    schema: &Schema,
    spec: &'a Spec,
    errors: &mut Vec<SeedError>,
    misread: &mut BTreeSet<u32>,
) -> BTreeMap<u32, &'a TableSpec> {
    let mut specs = BTreeMap::new();
    for table_spec in &spec.tables {
        let name = &table_spec.name;
        let Some(table) = find_table(schema, &name.text) else {
            let error = name.error(format!("there is no table {}", name.text));
            let error = match nearest_table(schema, &name.text) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            };
            errors.push(error.into());
            continue;
        };
        for column in &table_spec.columns {
            if table.column(&column.name.text).is_none() {
                let error = column.name.error(format!(
                    "table {} has no column {}",
                    table.name, column.name.text
                ));
                let error = match nearest(
                    &column.name.text,
                    table.columns.iter().map(|c| c.name.as_str()),
                ) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                };
                errors.push(error.into());
                misread.insert(table.oid);
            }
        }
        specs.insert(table.oid, table_spec);
    }
    specs
}

pub(super) fn check_table_rows(schema: &Schema, options: &Options, errors: &mut Vec<SeedError>) {
    for name in options.table_rows.keys() {
        if find_table(schema, name).is_none() {
            errors.push(SeedError::UnknownTable {
                name: name.clone(),
                near: nearest_table(schema, name),
            });
        }
    }
}
