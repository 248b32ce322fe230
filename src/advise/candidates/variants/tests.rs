//! Which keys are worth building, at the limits of what their conditions keep.

use super::*;
use crate::advise::candidates::order::Order;
use crate::schema::{Column, ColumnStats, DataType, QualifiedName, Table, TableStats};
use crate::units::{Bytes, Pages};

/// A table of 10,000 rows whose column `at` follows the order of the rows so far.
fn table(pages: u64, correlation: f64) -> Table {
    let at = Column {
        name: "at".to_owned(),
        number: 1,
        data_type: DataType {
            oid: 20,
            modifier: -1,
            name: "bigint".to_owned(),
        },
        not_null: true,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        stats: Some(ColumnStats {
            null_fraction: 0.0,
            distinct: -1.0,
            most_common: Vec::new(),
            histogram: Vec::new(),
            correlation: Some(correlation),
            average_width: 8,
        }),
    };
    Table {
        columns: vec![at],
        stats: TableStats {
            rows: Some(10_000.0),
            pages: Pages(pages),
            bytes: Bytes(0),
        },
        ..Table::bare(1, QualifiedName::new("public", "events"))
    }
}

fn key(name: &str) -> KeySpec {
    KeySpec::plain(Part::Column(name.to_owned()))
}

fn term(name: &str, share: f64) -> Term {
    Term {
        key: key(name),
        selectivity: Some(share),
        constant: None,
    }
}

/// The keys of an access by equality, as names.
fn keys(equal: &[(&str, f64)]) -> Vec<String> {
    let table = table(100, 0.0);
    let access = Access {
        equal: equal
            .iter()
            .map(|(name, share)| term(name, *share))
            .collect(),
        ..Access::bare(&table)
    };
    let name = |key: &KeySpec| match &key.part {
        Part::Column(name) | Part::Expression(name) => name.clone(),
    };
    let joined = |keys: &Vec<KeySpec>| keys.iter().map(name).collect::<Vec<_>>().join(" ");
    keys_of(&access).iter().map(joined).collect()
}

#[test]
fn a_hundred_rows_need_no_second_column() {
    assert_eq!(keys(&[("a", 0.01), ("b", 0.1)]), ["a"]);
    assert_eq!(keys(&[("a", 0.0101), ("b", 0.1)]), ["a b"]);
}

#[test]
fn what_keeps_more_than_half_is_no_key_beside_others() {
    assert_eq!(keys(&[("a", 0.1), ("b", 0.5)]), ["a b"]);
    assert_eq!(keys(&[("a", 0.1), ("b", 0.501)]), ["a"]);
}

#[test]
fn what_keeps_more_than_a_fifth_is_no_reason_for_an_index() {
    assert_eq!(keys(&[("a", 0.2)]), ["a"]);
    assert_eq!(keys(&[("a", 0.201)]), Vec::<String>::new());
}

#[test]
fn a_constant_that_keeps_a_quarter_makes_a_partial_index() {
    let table = table(100, 0.0);
    let predicate = |share| {
        let constant = Term {
            constant: Some("state = 'open'".to_owned()),
            ..term("state", share)
        };
        let access = Access {
            equal: vec![constant, term("a", 0.1)],
            ..Access::bare(&table)
        };
        let index = btree(table.name.clone(), 1, vec![key("a"), key("state")]);
        partial(&access, &index).and_then(|index| index.predicate)
    };
    assert_eq!(predicate(0.25), Some("(state = 'open')".to_owned()));
    assert_eq!(predicate(0.251), None);
}

#[test]
fn leaving_rows_out_pays_where_a_quarter_is_left() {
    let table = table(100, 0.0);
    let number = |share| {
        let left_out = Term {
            constant: Some("state <> 'done'".to_owned()),
            ..term("state", share)
        };
        let access = Access {
            left_out: vec![left_out],
            ..Access::bare(&table)
        };
        leaving_out(&access).len()
    };
    assert_eq!((number(0.25), number(0.251)), (2, 0));
}

#[test]
fn a_partner_of_a_fifth_of_the_rows_drives_a_join() {
    let table = table(100, 0.0);
    let number = |share| {
        let access = Access {
            joined: vec![term("parent", 0.001)],
            driven_by: Some(share),
            ..Access::bare(&table)
        };
        keys_of(&access).len()
    };
    assert_eq!((number(0.2), number(0.201)), (2, 0));
}

#[test]
fn a_brin_index_is_for_a_large_table_in_order() {
    let follows = |pages, correlation| {
        let table = table(pages, correlation);
        follows_the_table(&Access::bare(&table), &term("at", 0.1))
    };
    assert!(follows(2_000, 0.95) && follows(2_000, -0.95));
    assert!(!follows(1_999, 0.95));
    assert!(!follows(2_000, 0.949));
}

#[test]
fn keys_have_four_parts_at_most() {
    let four = ["a", "b", "c", "d"].map(key);
    assert_eq!(joined(&[&four]), four);
    assert_eq!(joined(&[&four, &[key("e")]]), four);
    let table = table(100, 0.0);
    let number = |names: &[&str]| {
        let order = Order {
            keys: names.iter().map(|name| key(name)).collect(),
            wanted: Wanted::First,
        };
        let access = Access {
            order: Some(order),
            ..Access::bare(&table)
        };
        keys_of(&access).len()
    };
    assert_eq!(number(&["a", "b", "c", "d"]), 1);
    assert_eq!(number(&["a", "b", "c", "d", "e"]), 0);
}

#[test]
fn an_or_has_two_to_four_sides() {
    let table = table(100, 0.0);
    let beside = |names: &[&str]| {
        let access = Access {
            alternatives: names.iter().map(|name| term(name, 0.01)).collect(),
            ..Access::bare(&table)
        };
        together(&access, |_| false).map(|index| index.beside.len())
    };
    assert_eq!(beside(&["a"]), None);
    assert_eq!(beside(&["a", "b"]), Some(1));
    assert_eq!(beside(&["a", "b", "c", "d"]), Some(3));
    assert_eq!(beside(&["a", "b", "c", "d", "e"]), None);
}
