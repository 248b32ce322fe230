//! What psql runs around the rows: one transaction, constraints where they cannot hold in between put last, sequences
//! after the rows.

use std::io::{self, Write};

use super::{FileFormat, file_name};
use crate::schema::{ForeignKey, Schema, Table, quote_identifier};
use crate::seed::SeedPlan;
use crate::seed::plan::{Fill, TablePlan};

/// Before the rows.
pub(super) fn begin(schema: &Schema, plan: &SeedPlan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "-- Rows made by pgproof, for a database with this schema and empty tables: psql -f <this file>")?;
    writeln!(out, "\\set ON_ERROR_STOP on\nBEGIN;\nSET CONSTRAINTS ALL DEFERRED;")?;
    for (table, key) in forward_keys(schema, plan) {
        writeln!(out, "ALTER TABLE {} DROP CONSTRAINT {};", table.name.sql(), quote_identifier(&key.name))?;
    }
    writeln!(out)
}

/// After the rows.
pub(super) fn end(schema: &Schema, plan: &SeedPlan, out: &mut dyn Write) -> io::Result<()> {
    for (table, key) in forward_keys(schema, plan) {
        let name = quote_identifier(&key.name);
        writeln!(out, "ALTER TABLE {} ADD CONSTRAINT {name} {};", table.name.sql(), key.definition)?;
    }
    for table in plan.tables.iter().filter(|table| table.fill == Fill::Generate) {
        let Some(table) = schema.table_by_oid(table.oid) else { continue };
        for column in &table.columns {
            let Some(sequence) = &column.sequence else { continue };
            writeln!(
                out,
                "SELECT setval('{}', greatest((SELECT max({})::bigint FROM {}), 1));",
                sequence.sql().replace('\'', "''"),
                quote_identifier(&column.name),
                table.name.sql()
            )?;
        }
    }
    writeln!(out, "COMMIT;\nANALYZE;")
}

/// `COPY … FROM stdin;`
pub(super) fn copy_head(table: &TablePlan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "COPY {} ({}) FROM stdin;", table.name.sql(), columns(table))
}

/// The script that loads files which lie beside it.
pub(super) fn of_files(schema: &Schema, plan: &SeedPlan, format: FileFormat, out: &mut dyn Write) -> io::Result<()> {
    begin(schema, plan, out)?;
    let options = match format {
        FileFormat::Binary => "FORMAT binary",
        FileFormat::Csv | FileFormat::Sql => "FORMAT csv, HEADER true",
    };
    for table in plan.tables.iter().filter(|table| table.fill == Fill::Generate && table.rows > 0) {
        let file = file_name(table, format).replace('\'', "''");
        writeln!(out, "\\copy {} ({}) FROM '{file}' WITH ({options})", table.name.sql(), columns(table))?;
    }
    end(schema, plan, out)
}

fn columns(table: &TablePlan) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quote_identifier(&column.name)).collect();
    names.join(", ")
}

/// Keys that are checked at once and point to rows that come later: of a table to itself, and within a cycle.
fn forward_keys<'s>(schema: &'s Schema, plan: &SeedPlan) -> Vec<(&'s Table, &'s ForeignKey)> {
    let mut found = Vec::new();
    for (index, planned) in plan.tables.iter().enumerate().filter(|(_, table)| table.fill == Fill::Generate) {
        let Some(table) = schema.table_by_oid(planned.oid) else { continue };
        for key in table.foreign_keys.iter().filter(|key| !key.deferrable) {
            let parent = schema.table_by_oid(key.references).map(|parent| schema.root_of(parent).oid);
            // A row of the table itself is there at the end of the COPY, when the key is checked.
            if parent.and_then(|oid| plan.table_index(oid)).is_some_and(|parent| parent > index) {
                found.push((table, key));
            }
        }
    }
    found
}
