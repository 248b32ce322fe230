//! Whether an index that exists already does what a candidate would do. An index is its whole definition: what differs in
//! the place of NULLs, the operator class or the collation is another index.

use crate::schema::{Index, IndexKey, KeyPart, Schema, Table};

use super::super::{IndexSpec, KeySpec, Method, bare};

/// Whether an existing index has the candidate's keys as its first ones, in the same or the reverse direction.
pub(in crate::advise) fn serves(schema: &Schema, candidate: &IndexSpec) -> bool {
    let Some(table) = schema.table_by_oid(candidate.table_oid) else {
        return false;
    };
    let mut indexes = table.indexes.iter();
    indexes.any(|index| covers(index, candidate) || finds_one_row(table, index, candidate))
}

/// Whether a unique index is a candidate's beginning: it finds one row at most, and further columns neither narrow nor
/// order that.
fn finds_one_row(table: &Table, index: &Index, candidate: &IndexSpec) -> bool {
    let is_complete = index.valid && index.unique && index.predicate.is_none();
    let never_null = |key: &IndexKey| match &key.part {
        KeyPart::Column(name) => table.column(name).is_some_and(|column| column.not_null),
        KeyPart::Expression(_) => false,
    };
    let beginning = candidate.keys.get(..index.keys.len());
    is_complete
        && candidate.method == Method::Btree
        && candidate.include.is_empty()
        && is_of_method(index, Method::Btree)
        && index.keys.iter().all(never_null)
        && beginning.is_some_and(|keys| leads(index, keys))
}

/// Whether a hash index finds the rows that equal a candidate's only key.
pub(super) fn finds_equal(schema: &Schema, candidate: &IndexSpec) -> bool {
    let [key] = candidate.keys.as_slice() else {
        return false;
    };
    let Some(table) = schema.table_by_oid(candidate.table_oid) else {
        return false;
    };
    table.indexes.iter().any(|index| {
        index.valid
            && index.method == "hash"
            && index.predicate.is_none()
            && index.keys.iter().any(|other| key.part.is(&other.part))
    })
}

fn covers(index: &Index, candidate: &IndexSpec) -> bool {
    let same_rows =
        index.predicate.as_deref().map(bare) == candidate.predicate.as_deref().map(bare);
    if !index.valid || !same_rows || !is_of_method(index, candidate.method) {
        return false;
    }
    let stored = |name: &String| {
        index.include.contains(name) || index.key_columns().contains(&name.as_str())
    };
    if !candidate.include.iter().all(stored) {
        return false;
    }
    match candidate.method {
        // Every column of a GIN or GiST index can be searched alone.
        Method::Gin | Method::Gist => candidate
            .keys
            .iter()
            .all(|own| index.keys.iter().any(|other| holds(other, own))),
        Method::Btree | Method::Brin => leads(index, &candidate.keys),
    }
}

fn leads(index: &Index, keys: &[KeySpec]) -> bool {
    if index.keys.len() < keys.len() {
        return false;
    }
    let parts = keys.iter().zip(&index.keys);
    let forwards = |(own, other): (&KeySpec, &IndexKey)| {
        own.descending == other.descending && own.nulls_first() == other.nulls_first
    };
    let backwards = |(own, other): (&KeySpec, &IndexKey)| {
        own.descending != other.descending && own.nulls_first() != other.nulls_first
    };
    parts.clone().all(|(own, other)| holds(other, own))
        && (parts.clone().all(forwards) || parts.clone().all(backwards))
}

/// Whether an index's part has a candidate's values in the candidate's sense of equality and order.
fn holds(other: &IndexKey, own: &KeySpec) -> bool {
    own.part.is(&other.part)
        && own.operator_class == other.operator_class
        && own.collation == other.collation
}

/// A B-tree does what a BRIN index does.
fn is_of_method(index: &Index, method: Method) -> bool {
    index.method == method.as_str()
        || method == Method::Brin && index.method == Method::Btree.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::{NullsOrder, Part};

    fn key(name: &str) -> KeySpec {
        KeySpec::plain(Part::Column(name.to_owned()))
    }

    fn existing(keys: &[(&str, bool, bool)]) -> Index {
        let keys = keys.iter().map(|(name, descending, nulls_first)| IndexKey {
            descending: *descending,
            nulls_first: *nulls_first,
            ..IndexKey::column(name)
        });
        Index::btree(1, "i", keys.collect())
    }

    #[test]
    fn the_place_of_nulls_is_part_of_an_index() {
        let plain = existing(&[("at", false, false)]);
        let mut last = key("at");
        (last.descending, last.nulls) = (true, NullsOrder::Last);
        assert!(leads(&plain, &[key("at")]));
        assert!(!leads(&plain, std::slice::from_ref(&last)));
        assert!(leads(
            &existing(&[("at", true, false)]),
            std::slice::from_ref(&last)
        ));
        // Read from its end, NULLs that came first come last.
        assert!(leads(&existing(&[("at", false, true)]), &[last]));
    }

    #[test]
    fn several_keys_are_turned_together_or_not_at_all() {
        let index = existing(&[("a", false, false), ("b", true, true)]);
        let mut turned = key("a");
        turned.descending = true;
        assert!(leads(&index, &[turned.clone(), key("b")]));
        assert!(!leads(&index, &[key("a"), key("b")]));
        assert!(!leads(&index, &[turned, key("b"), key("c")]));
    }

    #[test]
    fn another_class_or_collation_is_another_index() {
        let mut index = existing(&[("name", false, false)]);
        let mut pattern = key("name");
        pattern.operator_class = Some("text_pattern_ops".to_owned());
        assert!(!leads(&index, &[pattern]));
        index.keys[0].collation = Some("C".to_owned());
        assert!(!leads(&index, &[key("name")]));
    }
}
