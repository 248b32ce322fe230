//! Foreign keys, CHECKs and exclusions. NOT NULL is a column's property, whatever form the server gives it.

use tokio_postgres::Row;

use super::Build;
use crate::schema::{Check, Exclusion, ForeignKey, KeyPart, QualifiedName};

/// Needs the indexes: an exclusion's parts are its index's.
pub(super) fn add(build: &mut Build, rows: &[Row]) {
    for row in rows {
        let Some(table) = build.table(row) else {
            continue;
        };
        let name: String = row.get("name");
        match row.get("kind") {
            "f" => table.foreign_keys.extend(foreign_key(name, row)),
            "c" => table.checks.push(Check {
                name,
                expression: row.get("expression"),
                validated: row.get("validated"),
            }),
            "x" => {
                let oid: u32 = row.get("index_oid");
                let operators: Vec<String> = row.get("operators");
                let index = table.indexes.iter().find(|index| index.oid == oid);
                let keys = index.map(|index| index.keys.as_slice()).unwrap_or_default();
                let parts: Vec<(KeyPart, String)> = keys
                    .iter()
                    .map(|key| key.part.clone())
                    .zip(operators)
                    .collect();
                let predicate = index.and_then(|index| index.predicate.clone());
                table.exclusions.push(Exclusion {
                    name,
                    parts,
                    predicate,
                });
            }
            _ => {}
        }
    }
}

/// `None` where the referenced table went away in between two queries.
fn foreign_key(name: String, row: &Row) -> Option<ForeignKey> {
    let schema: Option<String> = row.get("referenced_schema");
    let table: Option<String> = row.get("referenced_name");
    Some(ForeignKey {
        name,
        columns: row.get("columns"),
        references: row.get("referenced_oid"),
        referenced_table: QualifiedName::new(schema?, table?),
        referenced_columns: row.get("referenced_columns"),
        match_full: row.get("match_full"),
        deferrable: row.get("is_deferrable"),
        validated: row.get("validated"),
        definition: row.get("definition"),
    })
}
