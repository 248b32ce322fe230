//! Whether an index that exists already does what a candidate would do.

use crate::schema::{Index, Schema};

use super::super::{IndexSpec, KeySpec, Method, bare};

/// Whether an existing index has the candidate's keys as its first ones, in the same or the reverse direction.
pub(super) fn serves(schema: &Schema, candidate: &IndexSpec) -> bool {
    let Some(table) = schema.table_by_oid(candidate.table_oid) else {
        return false;
    };
    table.indexes.iter().any(|index| covers(index, candidate))
}

fn covers(index: &Index, candidate: &IndexSpec) -> bool {
    let same_rows =
        index.predicate.as_deref().map(bare) == candidate.predicate.as_deref().map(bare);
    if !index.valid
        || !same_rows
        || !is_of_method(index, candidate.method)
        || index.keys.len() < candidate.keys.len()
    {
        return false;
    }
    let parts = candidate.keys.iter().zip(&index.keys);
    if !parts
        .clone()
        .all(|(own, other)| own.part.is(&other.part) && own.operator_class == other.operator_class)
    {
        return false;
    }
    let stored = |name: &String| {
        index.include.contains(name) || index.key_columns().contains(&name.as_str())
    };
    if !candidate.include.iter().all(stored) {
        return false;
    }
    // One key part can be read from either end; several only where all agree or all are turned.
    let turned: Vec<bool> = parts
        .map(|(own, other)| is_descending(own) != other.descending)
        .collect();
    candidate.keys.len() == 1
        || turned.iter().all(|turned| !turned)
        || turned.iter().all(|turned| *turned)
}

/// A B-tree does what a BRIN index does.
fn is_of_method(index: &Index, method: Method) -> bool {
    index.method == method.as_str()
        || method == Method::Brin && index.method == Method::Btree.as_str()
}

fn is_descending(key: &KeySpec) -> bool {
    key.descending
}
