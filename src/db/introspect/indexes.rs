//! Indexes and the parts of their keys.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::Build;
use crate::schema::{Index, IndexKey, KeyPart};
use crate::units::Bytes;

pub(super) fn add(build: &mut Build, rows: &[Row], key_rows: &[Row]) {
    let mut parts = read_parts(key_rows);
    for row in rows {
        let oid: u32 = row.get("oid");
        let Parts { keys, include } = parts.remove(&oid).unwrap_or_default();
        let bytes: i64 = row.get("bytes");
        let Some(table) = build.table(row) else {
            continue;
        };
        table.indexes.push(Index {
            oid,
            name: row.get("name"),
            method: row.get("method"),
            keys,
            include,
            unique: row.get("is_unique"),
            nulls_not_distinct: row.get("nulls_not_distinct"),
            primary: row.get("is_primary"),
            constraint: row.get("constraint_name"),
            deferrable: row.get("is_deferrable"),
            predicate: row.get("predicate"),
            valid: row.get("is_valid"),
            definition: row.get("definition"),
            bytes: Bytes(u64::try_from(bytes).unwrap_or(0)),
            parent: row.get("parent"),
        });
    }
}

#[derive(Default)]
struct Parts {
    keys: Vec<IndexKey>,
    include: Vec<String>,
}

fn read_parts(rows: &[Row]) -> BTreeMap<u32, Parts> {
    let mut parts: BTreeMap<u32, Parts> = BTreeMap::new();
    for row in rows {
        let entry = parts.entry(row.get("index_oid")).or_default();
        let column: Option<String> = row.get("column_name");
        let included: bool = row.get("included");
        let part = match column {
            Some(name) if included => {
                entry.include.push(name);
                continue;
            }
            Some(name) => KeyPart::Column(name),
            None => KeyPart::Expression(
                row.get::<_, Option<String>>("expression")
                    .unwrap_or_default(),
            ),
        };
        entry.keys.push(IndexKey {
            part,
            descending: row.get("descending"),
            nulls_first: row.get("nulls_first"),
            operator_class: row.get("operator_class"),
            collation: row.get("collation"),
        });
    }
    parts
}
