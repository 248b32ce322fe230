//! Rows that are there before seeding: lookup tables that migrations filled. They are read so that foreign keys can
//! point to them, and never changed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;

use super::connect::{Session, describe};
use crate::schema::{Schema, Table, quote_identifier};
use crate::seed::SeedPlan;
use crate::seed::plan::Generator;
use crate::seed::resolve::{StoredRows, is_seeded};
use crate::seed::types::binary::HEADER;
use crate::source::SourceError;

/// Rows beyond this many are there, but nothing points to them.
const MOST: usize = 100_000;
/// Tables asked for in one query.
const BATCH: usize = 200;

/// Every seeded table that holds rows.
pub(crate) async fn rows(
    session: &Session,
    schema: &Schema,
) -> Result<BTreeMap<u32, StoredRows>, tokio_postgres::Error> {
    let tables: Vec<&Table> = schema
        .tables
        .iter()
        .filter(|table| is_seeded(table))
        .collect();
    let referenced = referenced_columns(schema);
    let mut stored = BTreeMap::new();
    for batch in tables.chunks(BATCH) {
        let questions: Vec<String> = batch
            .iter()
            .map(|table| {
                format!(
                    "SELECT {}::pg_catalog.oid WHERE EXISTS (SELECT FROM {})",
                    table.oid,
                    table.name.sql()
                )
            })
            .collect();
        for row in session
            .client()
            .query(&questions.join(" UNION ALL "), &[])
            .await?
        {
            let oid: u32 = row.get(0);
            if let Some(table) = batch.iter().find(|table| table.oid == oid) {
                let columns = referenced.get(&oid).cloned().unwrap_or_default();
                stored.insert(oid, table_rows(session, table, &columns).await?);
            }
        }
    }
    Ok(stored)
}

/// The columns that foreign keys point to, by table.
fn referenced_columns(schema: &Schema) -> BTreeMap<u32, BTreeSet<String>> {
    let mut referenced: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for key in schema.tables.iter().flat_map(|table| &table.foreign_keys) {
        let Some(parent) = schema.table_by_oid(key.references) else {
            continue;
        };
        referenced
            .entry(schema.root_of(parent).oid)
            .or_default()
            .extend(key.referenced_columns.iter().cloned());
    }
    // References that no foreign key declares lead to primary keys.
    for table in schema.tables.iter().filter(|table| is_seeded(table)) {
        if let [only] = table.primary_key()[..] {
            referenced
                .entry(table.oid)
                .or_default()
                .insert(only.to_owned());
        }
    }
    referenced
}

async fn table_rows(
    session: &Session,
    table: &Table,
    columns: &BTreeSet<String>,
) -> Result<StoredRows, tokio_postgres::Error> {
    let names: Vec<String> = columns.iter().map(|name| quote_identifier(name)).collect();
    let keys: Vec<String> = table
        .primary_key()
        .into_iter()
        .map(quote_identifier)
        .collect();
    let order = if keys.is_empty() {
        String::new()
    } else {
        format!(" ORDER BY {}", keys.join(", "))
    };
    let sql = format!(
        "COPY (SELECT {} FROM {}{order} LIMIT {MOST}) TO STDOUT (FORMAT binary)",
        names.join(", "),
        table.name.sql()
    );
    let bytes = copy_out(session, &sql).await?;
    let mut cells: Vec<Vec<Box<[u8]>>> = vec![Vec::new(); columns.len()];
    let count = split(&bytes, &mut cells);
    Ok(StoredRows {
        count,
        cells: columns.iter().cloned().zip(cells).collect(),
    })
}

/// Lets the server read constants that only it can read, and puts their cells into the plan.
///
/// # Errors
/// The constants that are no values of their type, each with its table's index and at its place in the spec.
pub(crate) async fn read_literals(
    session: &Session,
    plan: &mut SeedPlan,
) -> Result<(), Vec<(usize, SourceError)>> {
    let mut errors = Vec::new();
    for literal in std::mem::take(&mut plan.literals) {
        let texts: Vec<String> = literal
            .texts
            .iter()
            .map(|text| format!("'{}'", text.replace('\'', "''")))
            .collect();
        let sql = format!(
            "COPY (SELECT v::{} FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) WITH ORDINALITY AS u(v, at) ORDER BY at) \
             TO STDOUT (FORMAT binary)",
            literal.type_name,
            texts.join(", ")
        );
        let mut cells = vec![Vec::new()];
        match copy_out(session, &sql).await {
            Ok(bytes) => {
                split(&bytes, &mut cells);
            }
            Err(error) => {
                errors.push((literal.table, literal.place.error(describe(&error))));
                continue;
            }
        }
        let column = &mut plan.tables[literal.table].columns[literal.column];
        if let (Generator::Choice(choice), Some(cells)) = (&mut column.generator, cells.pop()) {
            choice.cells = cells.into();
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

async fn copy_out(session: &Session, sql: &str) -> Result<Vec<u8>, tokio_postgres::Error> {
    let mut stream = Box::pin(session.client().copy_out(sql).await?);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

/// Cuts COPY BINARY data into cells by column.
fn split(bytes: &[u8], cells: &mut [Vec<Box<[u8]>>]) -> u64 {
    let mut rest = bytes.get(HEADER.len()..).unwrap_or_default();
    let mut rows = 0;
    while let Some((fields, mut row)) = rest
        .split_first_chunk::<2>()
        .filter(|(fields, _)| **fields != [0xff; 2])
    {
        for column in 0..usize::from(u16::from_be_bytes(*fields)) {
            let Some(length) = row.first_chunk::<4>() else {
                return rows;
            };
            let length = u32::try_from(i32::from_be_bytes(*length)).unwrap_or(0) as usize + 4;
            let Some((cell, after)) = row.split_at_checked(length) else {
                return rows;
            };
            if let Some(column) = cells.get_mut(column) {
                column.push(cell.into());
            }
            row = after;
        }
        rest = row;
        rows += 1;
    }
    rows
}
