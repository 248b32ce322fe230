//! What psql runs around the rows: one transaction, constraints where they cannot hold in between put last, sequences
//! after the rows.

use std::io::{self, Write};

use super::FileFormat;
use crate::schema::{ForeignKey, Schema, Table, quote_identifier};
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::{SeedPlan, staging};

/// Before the rows.
pub(super) fn begin(schema: &Schema, plan: &SeedPlan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "-- Rows made by pgproof, for a database with this schema and empty tables: psql -f <this file>, in its folder"
    )?;
    writeln!(
        out,
        "\\set ON_ERROR_STOP on\n\\o /dev/null\nBEGIN;\nSET CONSTRAINTS ALL DEFERRED;"
    )?;
    for (table, key) in forward_keys(schema, plan) {
        writeln!(
            out,
            "ALTER TABLE {} DROP CONSTRAINT {};",
            table.name.sql(),
            quote_identifier(&key.name)
        )?;
    }
    // Rows that triggers add take numbers that no row has.
    for table in plan
        .tables
        .iter()
        .filter(|table| table.fill == Fill::Generate)
    {
        let columns = schema
            .table_by_oid(table.oid)
            .map(|table| table.columns.as_slice())
            .unwrap_or_default();
        for column in columns {
            if let (Some(sequence), Some(last)) =
                (&column.sequence, table.last_counted(&column.name))
            {
                writeln!(
                    out,
                    "SELECT setval('{}', {last});",
                    sequence.name.sql().replace('\'', "''")
                )?;
            }
        }
    }
    writeln!(out, "\\o\n")
}

/// After the rows.
pub(super) fn end(schema: &Schema, plan: &SeedPlan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\\o /dev/null")?;
    for (table, key) in forward_keys(schema, plan) {
        let name = quote_identifier(&key.name);
        writeln!(
            out,
            "ALTER TABLE {} ADD CONSTRAINT {name} {};",
            table.name.sql(),
            key.definition
        )?;
    }
    for table in plan
        .tables
        .iter()
        .filter(|table| table.fill == Fill::Generate)
    {
        let Some(table) = schema.table_by_oid(table.oid) else {
            continue;
        };
        for column in &table.columns {
            let Some(sequence) = &column.sequence else {
                continue;
            };
            let last = sequence.last_of(&column.name, &table.name);
            writeln!(
                out,
                "{};",
                sequence.set_to_farther(&last, &sequence.start.to_string())
            )?;
        }
    }
    // Index-only scans depend on the visibility map.
    writeln!(out, "\\o\nCOMMIT;\nVACUUM (ANALYZE);")
}

/// What a table's rows follow: `COPY … FROM stdin;`.
pub(super) fn before_rows(table: &TablePlan, out: &mut dyn Write) -> io::Result<()> {
    let columns = columns(table);
    let target = if is_staged(table) {
        stage(table, &columns, out)?
    } else {
        table.name.sql()
    };
    writeln!(out, "COPY {target} ({columns}) FROM stdin;")
}

/// What follows a table's rows.
pub(super) fn after_rows(table: &TablePlan, out: &mut dyn Write) -> io::Result<()> {
    unstage(is_staged(table), table, out)
}

/// Whether the server has columns to compute.
fn is_staged(table: &TablePlan) -> bool {
    table.is_staged()
}

fn unstage(staged: bool, table: &TablePlan, out: &mut dyn Write) -> io::Result<()> {
    if staged {
        writeln!(
            out,
            "{};",
            staging::insert(table, &table.name.sql(), &columns(table))
        )?;
    }
    writeln!(out)
}

/// Makes the temporary table that the rows go to first.
fn stage(table: &TablePlan, columns: &str, out: &mut dyn Write) -> io::Result<String> {
    writeln!(out, "{};", staging::make(table, columns))?;
    Ok(staging::STAGE.to_owned())
}

/// The script that loads files which lie beside it.
pub(super) fn of_files(
    schema: &Schema,
    plan: &SeedPlan,
    out: &mut dyn Write,
    file: impl Fn(usize) -> (String, FileFormat),
) -> io::Result<()> {
    begin(schema, plan, out)?;
    for (index, table) in plan.tables.iter().enumerate() {
        if table.fill == Fill::Keep || table.rows == 0 {
            continue;
        }
        let (name, format) = file(index);
        let options = match format {
            FileFormat::Binary => "FORMAT binary",
            FileFormat::Csv | FileFormat::Sql | FileFormat::Parquet => "FORMAT csv, HEADER true",
        };
        let columns = columns(table);
        // psql reads \copy from one line. Without a list the server takes all columns that it does not generate.
        let whole = schema.table_by_oid(table.oid).is_some_and(|known| {
            let stored = known
                .columns
                .iter()
                .filter(|column| column.generated.is_none());
            stored
                .map(|column| &column.name)
                .eq(table.columns.iter().map(|column| &column.name))
        });
        let broken = |text: &str| text.contains(['\n', '\r']);
        let staged = is_staged(table) || broken(&table.name.sql()) || (broken(&columns) && !whole);
        let (target, listed) = match staged {
            // The temporary table has these columns and no others.
            true => (stage(table, &columns, out)?, String::new()),
            false if broken(&columns) => (table.name.sql(), String::new()),
            false => (table.name.sql(), format!(" ({columns})")),
        };
        writeln!(
            out,
            "\\copy {target}{listed} FROM '{}' WITH ({options})",
            name.replace('\'', "''")
        )?;
        unstage(staged, table, out)?;
    }
    end(schema, plan, out)
}

fn columns(table: &TablePlan) -> String {
    let names: Vec<String> = table
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    names.join(", ")
}

/// Keys that are checked at once and point to rows that come later: of a table to itself, and within a cycle.
fn forward_keys<'s>(schema: &'s Schema, plan: &SeedPlan) -> Vec<(&'s Table, &'s ForeignKey)> {
    let mut found = Vec::new();
    for (index, planned) in plan
        .tables
        .iter()
        .enumerate()
        .filter(|(_, table)| table.fill == Fill::Generate)
    {
        let Some(table) = schema.table_by_oid(planned.oid) else {
            continue;
        };
        for key in table.foreign_keys.iter().filter(|key| !key.deferrable) {
            let parent = schema
                .table_by_oid(key.references)
                .map(|parent| schema.root_of(parent).oid);
            // A row of the table itself is there at the end of the COPY, when the key is checked.
            if parent
                .and_then(|oid| plan.table_index(oid))
                .is_some_and(|parent| parent > index)
            {
                found.push((table, key));
            }
        }
    }
    found
}
