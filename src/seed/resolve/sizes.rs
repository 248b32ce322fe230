//! How large tables become on disk, and the scale that brings them to a size.

use std::collections::BTreeMap;

use super::{DefaultRows, Options, Refusal, Resolver, StoredRows};
use crate::schema::{KeyPart, Schema, Table};
use crate::seed::Evaluator;
use crate::seed::plan::{Fill, SeedPlan};
use crate::seed::spec::Spec;
use crate::units::Bytes;

/// Rows whose width is measured.
const SAMPLE: u64 = 64;
/// A tuple's header with its line pointer and a share of the page's (`htup_details.h`, `bufpage.h`).
const TUPLE: u32 = 24 + 4 + 1;
/// A cell's length in COPY BINARY.
const LENGTH: u64 = 4;
/// An index tuple's header with its line pointer (`itup.h`).
const INDEX_TUPLE: u32 = 8 + 4;

impl Resolver<'_> {
    /// Measures what a row takes, on a sample of rows.
    pub(super) fn measure_widths(&mut self) {
        for index in 0..self.plan.tables.len() {
            let table = &self.plan.tables[index];
            let sample = table.rows.min(SAMPLE);
            if table.fill == Fill::Keep || sample == 0 {
                continue;
            }
            let columns = column_widths(&self.plan, index, sample);
            let introspected = self.ordered[index];
            let table = &mut self.plan.tables[index];
            table.width = columns.iter().fold(2, |sum, width| sum + width + 4);
            // Lengths are shorter on disk, values are aligned.
            table.stored_width = columns.iter().fold(TUPLE, |sum, width| sum + width + 2);
            table.index_width = index_width(introspected, |name| {
                table
                    .column_index(name)
                    .and_then(|column| columns.get(column))
                    .copied()
                    .unwrap_or(8)
            });
        }
    }
}

/// Bytes of each column's average cell, without its length.
fn column_widths(plan: &SeedPlan, table: usize, sample: u64) -> Vec<u32> {
    let evaluator = Evaluator::new(plan);
    // Rows of the whole table: the first ones may be shorter.
    let step = (plan.tables[table].rows / sample).max(1);
    let mut cell = Vec::new();
    let columns = 0..plan.tables[table].columns.len();
    columns
        .map(|column| {
            cell.clear();
            (0..sample).for_each(|row| evaluator.write_cell(table, column, row * step, &mut cell));
            let bytes = (cell.len() as u64 / sample).saturating_sub(LENGTH);
            u32::try_from(bytes).unwrap_or(u32::MAX / 4)
        })
        .collect()
}

/// All indexes' share of a row; pages are nine tenths full (`BTREE_DEFAULT_FILLFACTOR`).
fn index_width(table: &Table, width: impl Fn(&str) -> u32) -> u32 {
    let tuple = |keys: u32| (INDEX_TUPLE + keys.next_multiple_of(8)) * 10 / 9;
    table
        .indexes
        .iter()
        .map(|index| {
            let keys = index.keys.iter().map(|key| match &key.part {
                KeyPart::Column(name) => width(name),
                KeyPart::Expression(_) => 16,
            });
            tuple(
                keys.chain(index.include.iter().map(|name| width(name)))
                    .sum(),
            )
        })
        .sum()
}

/// Options with the factor of the roles' rows at which tables and indexes come to about `bytes`. What the spec counts is
/// left as it is, and counts towards them.
pub(super) fn fitted(
    bytes: u64,
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &BTreeMap<u32, StoredRows>,
) -> Options {
    /// Widths are measured on few rows: they hardly depend on how many there are.
    const FIRST: f64 = 0.001;
    const STEPS: usize = 12;
    const CLOSE: f64 = 0.03;
    let at = |factor: f64| Options {
        default_rows: DefaultRows::ByRole(factor),
        ..options.clone()
    };
    // References that names suggest make children of what would be things of their own.
    let (mut mistakes, mut misread) = (Vec::new(), Default::default());
    let specs = super::match_specs(schema, spec, &mut mistakes, &mut misread);
    let references = super::references::undeclared(schema, &specs, stored, &mut mistakes);
    let with_references = super::references::with(schema, &references);
    let counted = |table: &Table| {
        let qualified = format!("{}.{}", table.name.schema, table.name.name);
        specs
            .get(&table.oid)
            .is_some_and(|spec| spec.rows.is_some())
            || options.table_rows.contains_key(&table.name.name)
            || options.table_rows.contains_key(&qualified)
            || stored.get(&table.oid).is_some_and(|rows| rows.count > 0)
    };
    let mut seeded = schema.tables.iter().filter(|table| super::is_seeded(table));
    if options.all_rows.is_some() || seeded.all(counted) {
        return at(1.0);
    }
    let measured = match super::at_scale(schema, spec, &at(FIRST), stored) {
        Ok(plan) => plan,
        Err(refusal) => refusal.sound,
    };
    let widths: BTreeMap<u32, u64> = measured
        .tables
        .iter()
        .map(|table| {
            let width = table.stored_width.saturating_add(table.index_width);
            (table.oid, u64::from(width.max(60)))
        })
        .collect();
    // Rows at other factors are counted without a plan.
    let size = |factor: f64| -> f64 {
        let options = at(factor);
        let mut resolver =
            Resolver::new(&with_references, spec, &options, stored, Default::default());
        resolver.plan_rows();
        let made = resolver
            .plan
            .tables
            .iter()
            .filter(|table| table.fill == Fill::Generate);
        made.map(|table| table.rows as f64 * widths.get(&table.oid).copied().unwrap_or(60) as f64)
            .sum()
    };
    let mut factor: f64 = 0.1;
    for _ in 0..STEPS {
        let ratio = bytes as f64 / size(factor).max(1.0);
        if (ratio - 1.0).abs() < CLOSE {
            break;
        }
        // Children of children grow with their parents alone, so sizes follow the factor nearly in proportion.
        factor = (factor * ratio).clamp(1e-6, MOST_FACTOR);
    }
    at(factor)
}

/// A schema of few tables is not blown up: its people are ten million at most.
const MOST_FACTOR: f64 = 100.0;

/// Plans at the scale at which tables and indexes come to about `target` bytes.
pub(super) fn towards(
    target: u64,
    options: &Options,
    plan: impl Fn(&Options) -> Result<SeedPlan, Box<Refusal>>,
) -> Result<SeedPlan, Box<Refusal>> {
    const STEPS: usize = 8;
    const CLOSE: f64 = 0.02;
    let mut options = options.clone();
    let mut found = plan(&options)?;
    for _ in 0..STEPS {
        let factor = target as f64 / found.stored_bytes().max(1) as f64;
        let scale = (options.scale * factor).clamp(1e-6, 1e7);
        if (factor - 1.0).abs() < CLOSE || scale == options.scale {
            break;
        }
        options.scale = scale;
        found = plan(&options)?;
    }
    let bytes = found.stored_bytes();
    if (bytes as f64 / target as f64 - 1.0).abs() > 0.1 {
        found.notes.push(format!(
            "the tables come to {} and not to {}: lists of fewer than 1000 rows keep their size, and keys set limits",
            Bytes(bytes),
            Bytes(target)
        ));
    }
    Ok(found)
}
