//! PostgreSQL's own catalogs, where a query reads them: their rows have values for its parameters as any table's have.

use std::collections::BTreeSet;

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::plan::Plan;
use crate::schema::{Column, DataType, QualifiedName, Schema, Table};

const CATALOG: &str = "pg_catalog";

/// The schema with the system's tables that a plan reads; `None` where it reads none, or they cannot be looked up.
pub(crate) async fn with_system_tables(
    client: &Client,
    schema: &Schema,
    plan: &Plan,
) -> Option<Schema> {
    let scanned = plan.table_scans().filter_map(|(_, node)| {
        let relation = node.relation.as_ref()?;
        let is_system = match relation.schema.as_deref() {
            Some(name) => name == CATALOG,
            None => relation.name.starts_with("pg_"),
        };
        is_system.then(|| relation.name.clone())
    });
    let names: BTreeSet<String> = scanned.collect();
    if names.is_empty() {
        return None;
    }
    let names: Vec<String> = names.into_iter().collect();
    const COLUMNS: &str = "SELECT c.oid, c.relname::pg_catalog.text, a.attname::pg_catalog.text, a.attnum, a.atttypid, \
         pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid \
         WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind = 'r' AND c.relname = ANY ($1) \
           AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.oid, a.attnum";
    let rows = client
        .query_typed(
            COLUMNS,
            &[(&names as &(dyn ToSql + Sync), Type::TEXT_ARRAY)],
        )
        .await
        .ok()?;
    let mut extended = schema.clone();
    for row in &rows {
        let oid: u32 = row.get(0);
        if extended.table_by_oid(oid).is_none() {
            extended.tables.push(empty_table(oid, row.get(1)));
        }
        let column = Column {
            name: row.get(2),
            number: row.get(3),
            data_type: DataType {
                oid: row.get(4),
                modifier: -1,
                name: row.get(5),
            },
            not_null: row.get(6),
            default: None,
            identity: None,
            generated: None,
            sequence: None,
            stats: None,
        };
        let tables = extended.tables.iter_mut();
        if let Some(table) = tables.rev().find(|table| table.oid == oid) {
            table.columns.push(column);
        }
    }
    Some(extended)
}

fn empty_table(oid: u32, name: &str) -> Table {
    Table::bare(oid, QualifiedName::new(CATALOG, name))
}
