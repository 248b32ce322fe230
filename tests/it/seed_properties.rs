//! Whatever the settings: every value within them. Settings are random; a plan is made of them and its rows are read back.

use std::collections::{BTreeMap, BTreeSet};

use pgproof::schema::Schema;
use pgproof::seed::chunks::Chunks;
use pgproof::seed::evaluate::RowWriter;
use pgproof::seed::generators::ALL;
use pgproof::seed::types::classify;
use pgproof::seed::types::text;
use pgproof::seed::{Evaluator, Options, SeedPlan, resolve, spec};
use pgproof::source::Source;
use proptest::prelude::*;

use crate::seed_plans::things;

const ROWS: u64 = 600;
const INTEGER: (u32, &str, i32) = (23, "integer", -1);
const TEXT: (u32, &str, i32) = (25, "text", -1);

fn planned(schema: &Schema, column: &str, seed: u64, rows: u64) -> SeedPlan {
    let source = Source::new(
        "seeds/things.toml",
        format!("[tables.things.columns]\nv = {{ {column} }}\n"),
    );
    let spec = spec::parse(&[source]).unwrap_or_else(|errors| panic!("{column}: {errors:?}"));
    let options = Options {
        seed,
        all_rows: Some(rows),
        ..Options::default()
    };
    resolve(schema, &spec, &options, &BTreeMap::new())
        .unwrap_or_else(|errors| panic!("{column}: {errors:?}"))
}

/// What the column holds, as the server would print it.
fn values(schema: &Schema, plan: &SeedPlan) -> Vec<Option<String>> {
    let evaluator = Evaluator::new(plan);
    let data_type = &plan.tables[0].columns[1].data_type;
    let class = classify(schema, data_type);
    let shown = |row| {
        let (mut cell, mut again, mut shown) = (Vec::new(), Vec::new(), String::new());
        evaluator.write_cell(0, 1, row, &mut cell);
        evaluator.write_cell(0, 1, row, &mut again);
        assert_eq!(cell, again, "row {row} twice");
        text::write(&cell, &class, data_type.oid, &mut shown).then_some(shown)
    };
    (0..plan.tables[0].rows).map(shown).collect()
}

fn made(
    column_type: (u32, &str, i32),
    not_null: bool,
    unique: bool,
    column: &str,
    seed: u64,
) -> Vec<Option<String>> {
    let schema = things(column_type, not_null, unique, None);
    let plan = planned(&schema, column, seed, ROWS);
    values(&schema, &plan)
}

fn different<T: Ord>(values: impl IntoIterator<Item = T>) -> usize {
    values.into_iter().collect::<BTreeSet<_>>().len()
}

/// A share of so many rows, give or take five standard deviations.
fn assert_share(count: usize, rows: usize, share: f64) {
    let (expected, deviation) = (
        rows as f64 * share,
        (rows as f64 * share * (1.0 - share)).sqrt(),
    );
    assert!(
        (count as f64 - expected).abs() <= 5.0 * deviation + 1.0,
        "{count} of {rows}, not {share}"
    );
}

/// What is written row by row is what the evaluator says of each cell: of all tables, the first so many rows.
pub(crate) fn assert_written_as_evaluated(plan: &SeedPlan, most: u64) {
    let evaluator = Evaluator::new(plan);
    for (index, table) in plan.tables.iter().enumerate() {
        let writer = RowWriter::new(plan, index);
        for row in 0..table.rows.min(most) {
            let (mut evaluated, mut written) = (Vec::new(), Vec::new());
            evaluator.write_row(index, row, &mut evaluated);
            writer.write(row, &mut written);
            assert!(
                evaluated == written,
                "row {row} of {}: {evaluated:x?} and {written:x?}",
                table.name
            );
        }
    }
}

/// All rows at once, and the same in pieces.
fn assert_chunks_equal_the_whole(plan: &SeedPlan, cuts: &[u64]) {
    let generated = |rows| {
        let mut bytes = Vec::new();
        let mut chunks = Chunks::new(plan, 0, rows);
        while let Some(chunk) = chunks.next(Vec::new).unwrap() {
            bytes.extend_from_slice(&chunk.bytes);
        }
        bytes
    };
    let rows = plan.tables[0].rows;
    assert_written_as_evaluated(plan, rows);
    let mut ends: Vec<u64> = cuts
        .iter()
        .map(|cut| cut % (rows + 1))
        .chain([rows])
        .collect();
    ends.sort_unstable();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let pieces: Vec<u8> = starts
        .zip(&ends)
        .flat_map(|(start, end)| generated(start..*end))
        .collect();
    assert!(
        pieces == generated(0..rows),
        "pieces {ends:?} differ from the whole"
    );
}

/// A bound and a width of numbers that the type holds.
fn range(limit: i64) -> impl Strategy<Value = (i64, i64)> {
    (-limit..limit, prop_oneof![0..50_i64, 0..limit])
        .prop_map(move |(low, width)| (low, (low + width).min(limit)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integers_stay_within_bounds((low, high) in range(2_000_000_000), skew in 0.0_f64..1.5, seed: u64) {
        let column = format!("generator = \"integer\", min = {low}, max = {high}, skew = {skew:.2}");
        for value in made(INTEGER, true, false, &column, seed) {
            let value: i64 = value.unwrap().parse().unwrap();
            prop_assert!((low..=high).contains(&value), "{value} outside {low}..={high}");
        }
    }

    #[test]
    fn decimals_stay_within_bounds((low, high) in range(9_999_999), scale in 0_i32..5, seed: u64) {
        let modifier = 4 + ((7 + scale) << 16) + scale;
        let column = format!("generator = \"decimal\", min = {low}, max = {high}");
        for value in made((1700, "numeric", modifier), true, false, &column, seed) {
            let value = value.unwrap();
            let digits = value.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            prop_assert_eq!(digits, scale as usize, "{}", value);
            let value: f64 = value.parse().unwrap();
            prop_assert!(low as f64 <= value && value <= high as f64, "{value} outside {low}..={high}");
        }
    }

    #[test]
    fn times_stay_within_bounds(from in 0_i64..20_000, days in 1_i64..5_000, correlation in -1.0_f64..1.0, growth in 0.0_f64..3.0, seed: u64) {
        let date = |day: i64| {
            let mut shown = String::new();
            let mut cell = Vec::new();
            pgproof::seed::types::ScalarEncoding::Date.write(day, &mut cell);
            let class = pgproof::seed::types::TypeClass::Scalar(pgproof::seed::types::ScalarEncoding::Date);
            assert!(text::write(&cell, &class, 1082, &mut shown));
            shown
        };
        let (from, to) = (date(from), date(from + days));
        let column = format!(
            "generator = \"timestamp\", from = \"{from}\", to = \"{to}\", correlation = {correlation:.2}, growth = {growth:.2}"
        );
        for value in made((1114, "timestamp without time zone", -1), true, false, &column, seed) {
            let value = value.unwrap();
            // Dates of four digits' years sort as text.
            prop_assert!(from.as_str() <= value.as_str() && value.as_str() <= format!("{to} 00:00:00").as_str(), "{value} outside {from}..{to}");
        }
    }

    #[test]
    fn unique_integers_differ((low, high) in range(1_000_000_000), seed: u64) {
        let column = format!("generator = \"integer\", min = {low}, max = {high}");
        let found = made(INTEGER, true, true, &column, seed);
        // Where the range holds fewer, there are as many rows as it holds.
        prop_assert_eq!(found.len() as i64, (high - low + 1).min(ROWS as i64));
        for value in &found {
            let value: i64 = value.as_ref().unwrap().parse().unwrap();
            prop_assert!((low..=high).contains(&value));
        }
        prop_assert_eq!(different(&found), found.len());
    }

    #[test]
    fn nulls_have_their_share(share in 0.0_f64..1.0, seed: u64) {
        let column = format!("generator = \"integer\", min = 1, max = 9, null = {share:.3}");
        let nulls = made(INTEGER, false, false, &column, seed).iter().filter(|value| value.is_none()).count();
        assert_share(nulls, ROWS as usize, share);
        let never = made(INTEGER, true, false, &column, seed);
        prop_assert!(never.iter().all(Option::is_some), "the column is NOT NULL");
    }

    #[test]
    fn there_are_no_more_different_values_than_asked(distinct in 1_u64..400, skew in prop_oneof![Just(0.0), 0.2_f64..1.4], at in 0..ALL.len(), seed: u64) {
        let generator = ALL[at].name;
        let column = format!("generator = \"{generator}\", distinct = {distinct}, skew = {skew:.2}");
        let found = different(made(TEXT, true, false, &column, seed));
        prop_assert!(found as u64 <= distinct, "{found} different values of {generator} instead of {distinct}");
    }

    #[test]
    fn there_are_as_many_different_numbers_as_asked(distinct in 1_u64..400, spare in 0_u64..300, seed: u64) {
        let numbers = format!("generator = \"integer\", min = 7, max = {}, distinct = {distinct}", 6 + distinct + spare);
        let found = different(made(INTEGER, true, false, &numbers, seed)) as u64;
        prop_assert_eq!(found, distinct.min(ROWS));
        let numbers = format!("generator = \"integer\", min = 1, max = {distinct}, distinct = {}", distinct + 1 + spare);
        let found = different(made(INTEGER, true, false, &numbers, seed)) as u64;
        prop_assert!(found <= distinct, "the range holds {distinct}");
    }

    #[test]
    fn lists_are_obeyed(weights in prop::collection::vec(0_u32..100, 1..12), seed: u64) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let sum: u32 = weights.iter().sum();
        let list: Vec<String> = weights.iter().enumerate().map(|(at, weight)| format!("value{at} = {weight}")).collect();
        let found = made(TEXT, true, false, &format!("values = {{ {} }}", list.join(", ")), seed);
        let mut counts = vec![0; weights.len()];
        for value in &found {
            let at: usize = value.as_ref().unwrap().strip_prefix("value").unwrap().parse().unwrap();
            counts[at] += 1;
        }
        for (count, weight) in counts.iter().zip(&weights) {
            assert_share(*count, found.len(), f64::from(*weight) / f64::from(sum));
        }
    }

    #[test]
    fn texts_fit_their_column(at in 0..ALL.len(), max in 1_u32..60, unique: bool, width in prop_oneof![Just(0_u32), 1_u32..200], seed: u64) {
        let width = if width == 0 { String::new() } else { format!(", width = {width}") };
        let column = format!("generator = \"{}\"{width}", ALL[at].name);
        let found = made((1043, "character varying", max as i32 + 4), true, unique, &column, seed);
        for value in &found {
            let value = value.as_ref().unwrap();
            prop_assert!(value.chars().count() <= max as usize, "{value:?} is longer than {max}");
            prop_assert!(!value.contains('\0'));
        }
        if unique {
            prop_assert_eq!(different(&found), found.len());
        }
    }

    #[test]
    fn texts_match_their_pattern(pieces in prop::collection::vec(piece(), 1..6), seed: u64) {
        let pattern = pieces.concat();
        let matcher = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        let quoted = toml_string(&pattern);
        for value in made(TEXT, true, false, &format!("generator = \"regex\", pattern = {quoted}"), seed) {
            let value = value.unwrap();
            prop_assert!(matcher.is_match(&value), "{value:?} is not {pattern}");
        }
        // The same as a CHECK, and unique: with something between its parts, so that no text can be read in two ways.
        let apart = pieces.join("_");
        let matcher = regex::Regex::new(&format!("^(?:{apart})$")).unwrap();
        let check = format!("(v ~ '^{apart}$'::text)");
        let schema = things(TEXT, true, true, Some(&check));
        let options = Options { seed, all_rows: Some(100), ..Options::default() };
        let plan = resolve(&schema, &pgproof::seed::Spec::default(), &options, &BTreeMap::new()).unwrap();
        let found = values(&schema, &plan);
        for value in &found {
            prop_assert!(matcher.is_match(value.as_ref().unwrap()), "{value:?} is not {check}");
        }
        prop_assert_eq!(different(&found), found.len(), "{}", check);
    }

    #[test]
    fn histograms_hold_their_bounds(mut bounds in prop::collection::vec(-1_000_000_i64..1_000_000, 2..20), seed: u64) {
        bounds.sort_unstable();
        let list: Vec<String> = bounds.iter().map(|bound| format!("\"{bound}\"")).collect();
        let found = made(INTEGER, true, false, &format!("histogram = [{}]", list.join(", ")), seed);
        let (first, last) = (bounds[0], bounds[bounds.len() - 1]);
        let numbers: Vec<i64> = found.iter().map(|value| value.as_ref().unwrap().parse().unwrap()).collect();
        prop_assert!(numbers.iter().all(|number| (first..=last).contains(number)));
        let middle = bounds[bounds.len() / 2];
        let below = numbers.iter().filter(|number| **number < middle).count();
        // As many rows below a bound as buckets below it, where no two bounds are the same.
        if different(&bounds) == bounds.len() {
            let share = (bounds.len() / 2) as f64 / (bounds.len() - 1) as f64;
            prop_assert!((below as f64 / numbers.len() as f64 - share).abs() < 0.12, "{below} below {middle}, {share}");
        }
    }

    #[test]
    fn common_values_have_their_shares(share in 0.01_f64..0.9, seed: u64) {
        let column = format!("generator = \"integer\", min = 1000, max = 999999, common = {{ \"7\" = {share:.3} }}");
        let found = made(INTEGER, true, false, &column, seed);
        let common = found.iter().flatten().filter(|value| *value == "7").count();
        assert_share(common, found.len(), share);
    }

    #[test]
    fn pieces_equal_the_whole(cuts in prop::collection::vec(any::<u64>(), 0..6), rows in 1_u64..400, seed: u64) {
        let plan = planned(&things(TEXT, false, false, None), "generator = \"sentence\", null = 0.2", seed, rows);
        assert_chunks_equal_the_whole(&plan, &cuts);
        let realistic = crate::seed_plans::realistic(rows);
        assert_chunks_equal_the_whole(&realistic, &cuts);
    }
}

/// A part of a regular expression that PostgreSQL and Rust read the same way.
fn piece() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        Just("[a-z]".to_owned()),
        Just("[A-Z0-9]".to_owned()),
        Just("[0-9]".to_owned()),
        Just("\\d".to_owned()),
        Just("[^a-y_]".to_owned()),
        Just("(foo|bar|qux)".to_owned()),
        Just("(x[0-9]|y)".to_owned()),
        Just("ab".to_owned()),
        Just("-".to_owned()),
        Just("\\.".to_owned()),
    ];
    let times = prop_oneof![
        Just(String::new()),
        Just("?".to_owned()),
        Just("+".to_owned()),
        Just("*".to_owned()),
        (1_u32..4).prop_map(|n| format!("{{{n}}}")),
        (0_u32..3, 3_u32..6).prop_map(|(n, m)| format!("{{{n},{m}}}")),
    ];
    (atom, times).prop_map(|(atom, times)| {
        if atom == "ab" {
            format!("(ab){times}")
        } else {
            format!("{atom}{times}")
        }
    })
}

fn toml_string(text: &str) -> String {
    format!("'{text}'")
}
