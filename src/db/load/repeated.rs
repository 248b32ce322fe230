//! Rows that repeat a unique key although they were planned not to: removed where no other row can point to them, so that one
//! constraint costs some rows and not the table.

use crate::db::connect::Session;
use crate::schema::{Index, KeyPart, Schema, Table, quote_identifier};

/// Whether a foreign key points to the table's rows: none of them may go then.
pub(super) fn is_referenced(schema: &Schema, table: &Table) -> bool {
    let root = schema.root_of(table).oid;
    let mut keys = schema.tables.iter().flat_map(|other| &other.foreign_keys);
    keys.any(|key| {
        let referenced = schema.table_by_oid(key.references);
        referenced.is_some_and(|referenced| schema.root_of(referenced).oid == root)
    })
}

/// Keeps the first row of each key of a unique index, in the order of the file, and returns how many rows it removed.
///
/// # Errors
/// What the server refused.
pub(super) async fn remove(
    session: &Session,
    table: &Table,
    index: &Index,
) -> Result<u64, tokio_postgres::Error> {
    session.client().execute(&removal(table, index), &[]).await
}

fn removal(table: &Table, index: &Index) -> String {
    let keys: Vec<String> = index
        .keys
        .iter()
        .map(|key| match &key.part {
            KeyPart::Column(name) => quote_identifier(name),
            KeyPart::Expression(text) => format!("({text})"),
        })
        .collect();
    let mut conditions: Vec<String> = index
        .predicate
        .iter()
        .map(|predicate| format!("({predicate})"))
        .collect();
    if !index.nulls_not_distinct {
        conditions.extend(keys.iter().map(|key| format!("{key} IS NOT NULL")));
    }
    let filter = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let name = table.name.sql();
    format!(
        "DELETE FROM ONLY {name} WHERE ctid IN (SELECT place FROM (SELECT ctid AS place, row_number() OVER \
         (PARTITION BY {} ORDER BY ctid) AS number FROM ONLY {name}{filter}) AS numbered WHERE number > 1)",
        keys.join(", ")
    )
}
