//! What a profile asks, on a schema of one table.

use std::path::PathBuf;

use super::*;
use crate::profile::model::{Axis, Joint};
use crate::schema::{Column, DataType, QualifiedName, ServerVersion};
use crate::seed::spec;

fn schema() -> Schema {
    let column = |number: i16, name: &str, oid: u32, type_name: &str| Column {
        name: name.to_owned(),
        number,
        data_type: DataType {
            oid,
            modifier: -1,
            name: type_name.to_owned(),
        },
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        stats: None,
    };
    let table = Table {
        columns: vec![
            column(1, "total", 23, "integer"),
            column(2, "placed", 1082, "date"),
            column(3, "status", 25, "text"),
        ],
        ..Table::bare(1, QualifiedName::new("public", "orders"))
    };
    Schema {
        server: ServerVersion(150_018),
        tables: vec![table],
        materialized_views: Vec::new(),
        types: Vec::new(),
    }
}

fn profile() -> Profile {
    let column = |name: &str, common: &[(&str, f32)], histogram: &[&str]| ColumnStatistics {
        column: name.to_owned(),
        null_fraction: 0.1,
        distinct: -1.0,
        correlation: Some(0.3),
        most_common: common
            .iter()
            .map(|(text, share)| ((*text).to_owned(), *share))
            .collect(),
        histogram: histogram.iter().map(|text| (*text).to_owned()).collect(),
        ..ColumnStatistics::default()
    };
    Profile {
        server_major: 15,
        day: Profile::DAY,
        tables: vec![TableStatistics {
            schema: "public".to_owned(),
            name: "orders".to_owned(),
            rows: Some(5_000.0),
            columns: vec![
                column("total", &[("50", 0.3)], &["1", "40", "60", "900"]),
                column("placed", &[], &["2000-01-01", "2000-12-30"]),
                column("status", &[("open", 0.6), ("paid", 0.3)], &[]),
            ],
            ..TableStatistics::default()
        }],
        ..Profile::default()
    }
}

#[test]
fn a_profile_becomes_wishes_and_the_spec_keeps_its_word() {
    let text = "[tables.orders.columns]\nstatus = { values = [\"new\"], null = 0.5 }\n";
    let said = spec::parse(&[Source::new("seeds/a.toml", text)]).unwrap();
    let clock = Clock::parse("2026-11-30").unwrap();
    let twin = Twin::of(&schema(), &said, &profile(), clock);
    let [orders] = twin.spec.tables.as_slice() else {
        panic!("{:?}", twin.spec);
    };
    assert_eq!(orders.rows, Some(RowsSpec::Count(5_000)));
    let column = |name: &str| {
        orders
            .columns
            .iter()
            .find(|column| column.name.text == name)
            .unwrap()
    };
    assert_eq!(column("status").null, Some(0.5));
    assert_eq!(
        twin.notes,
        ["orders: the spec says null = 0.5 of status, the profile 0.1"]
    );
    let total = column("total").shape.as_ref().unwrap();
    let lows: Vec<&str> = total.parts.iter().map(|part| part.low.as_str()).collect();
    assert_eq!(lows, ["1", "40", "50", "60"]);
    let placed = column("placed").shape.as_ref().unwrap();
    // The last day of the profile is the profile's own day, and that becomes the dataset's.
    assert_eq!(placed.parts[0].high.as_deref(), Some("2026-11-30"));
}

#[test]
fn what_a_constraint_does_not_allow_is_given_up_once() {
    let mut twin = Twin::of(&schema(), &Spec::default(), &profile(), Clock::default());
    let error = SeedError::Unsolvable {
        table: "orders".to_owned(),
        what: "column total cannot meet its CHECK constraints".to_owned(),
        remedy: String::new(),
    };
    assert!(twin.give_up(std::slice::from_ref(&error)));
    let names = |twin: &Twin| -> Vec<String> {
        twin.spec.tables[0]
            .columns
            .iter()
            .map(|column| column.name.text.clone())
            .collect()
    };
    assert_eq!(names(&twin), ["placed", "status"]);
    assert!(twin.notes[0].contains("orders") && twin.notes[0].ends_with("total"));
    // Nothing of it is asked any more: the table's other wishes go, then there is none.
    assert!(twin.give_up(std::slice::from_ref(&error)));
    assert!(names(&twin).is_empty());
    assert!(!twin.give_up(&[error]));
    let other =
        crate::source::SourceError::new(&Source::new(PathBuf::from("seeds/a.toml"), ""), 0..0, "x");
    assert!(!twin.give_up(&[SeedError::Spec(other)]));
}

#[test]
fn of_two_columns_that_depend_on_each_other_one_follows() {
    let mut profile = profile();
    let axis = |column: &str, common: &[&str], bounds: &[&str]| Axis {
        column: column.to_owned(),
        common: common.iter().map(|text| (*text).to_owned()).collect(),
        bounds: bounds.iter().map(|text| (*text).to_owned()).collect(),
    };
    let orders = &mut profile.tables[0];
    // The date follows the rows more than the status, so it is the status that follows the date; and nothing follows the status.
    orders.columns[1].correlation = Some(0.9);
    orders.probed.joints = vec![
        Joint {
            axes: [
                axis("status", &["open", "paid"], &[]),
                axis("placed", &[], &["2000-06-01"]),
            ],
            cells: vec![(0, 1, 0.4)],
        },
        Joint {
            axes: [
                axis("status", &["open", "paid"], &[]),
                axis("total", &["50"], &["40"]),
            ],
            cells: vec![(0, 0, 0.2)],
        },
    ];
    let clock = Clock::parse("2026-11-30").unwrap();
    let twin = Twin::of(&schema(), &Spec::default(), &profile, clock);
    let shape = |name: &str| {
        let mut columns = twin.spec.tables[0].columns.iter();
        let found = columns.find(|column| column.name.text == name).unwrap();
        found.shape.clone().unwrap()
    };
    let status = shape("status").measured.given.clone().unwrap();
    assert_eq!(status.column, "placed");
    assert_eq!(
        (&status.other_bins[..], &status.bins[..]),
        (&[0][..], &[0, 1][..])
    );
    assert_eq!(status.cells, [(1, 0, 0.4)]);
    assert_eq!(shape("placed").measured.given, None);
    assert_eq!(shape("total").measured.given, None);
}
