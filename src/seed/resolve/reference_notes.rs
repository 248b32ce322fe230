//! What a plan says of the references that no foreign key declares.

use super::references::{Origin, Reference};
use crate::schema::Schema;

/// The notes that tell of them, by whose word they are.
pub(super) fn notes(schema: &Schema, references: &[Reference]) -> Vec<String> {
    let by_names = "references that no foreign key declares, taken from names and types";
    let by_joins = "references that no foreign key declares, taken from the joins of queries";
    [(Origin::Named, by_names), (Origin::Joined, by_joins)]
        .into_iter()
        .filter_map(|(origin, told)| note(schema, references, origin, told))
        .collect()
}

fn note(schema: &Schema, references: &[Reference], origin: Origin, told: &str) -> Option<String> {
    const SHOWN: usize = 6;
    let inferred: Vec<String> = references
        .iter()
        .filter(|reference| reference.origin == origin)
        .filter_map(|reference| {
            let table = schema.table_by_oid(reference.table)?;
            Some(format!(
                "{}.{} → {}.{}",
                table.name,
                reference.key.columns.join(", "),
                reference.key.referenced_table,
                reference.key.referenced_columns.join(", ")
            ))
        })
        .collect();
    if inferred.is_empty() {
        return None;
    }
    let more = inferred.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = inferred.iter().take(SHOWN).map(String::as_str).collect();
    Some(format!(
        "{told}: {}{}; `references = \"none\"` in a column's spec says otherwise",
        shown.join(", "),
        if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        }
    ))
}
