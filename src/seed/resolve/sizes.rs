//! How large tables become on disk, and the scale that brings them to a size.

use std::collections::BTreeMap;

use super::passes::{Inferred, Learned};
use super::{DefaultRows, Options, Refusal, Resolver, StoredRows};
use crate::schema::{Index, KeyPart, Schema, Table, TableKind};
use crate::seed::Evaluator;
use crate::seed::plan::{
    ColumnPlan, Fill, Generator, IndexEntries, ScalarSource, SeedPlan, TablePlan,
};
use crate::seed::spec::Spec;
use crate::units::Bytes;

/// Rows whose width is measured.
const SAMPLE: u64 = 64;
/// A tuple's header without its NULL bitmap, its line pointer, a page, and the page's header (`htup_details.h`, `bufpage.h`).
const HEADER: u32 = 23;
const LINE_POINTER: u32 = 4;
const PAGE: u32 = 8192;
const PAGE_HEADER: u32 = 24;
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
            let types: Vec<&str> = table
                .columns
                .iter()
                .map(|column| column.data_type.name.as_str())
                .collect();
            table.stored_width = stored_width(&columns, &types);
            let planned = &*table;
            let index_width = index_width(introspected, |name| {
                let column = planned.column_index(name)?;
                Some(KeyColumn {
                    width: *columns.get(column)?,
                    is_repeated: is_repeated(planned, column),
                })
            });
            table.index_width = index_width;
            table.index_entries = index_entries(introspected, table);
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

/// What a row takes of its table's pages: its values one after the other, each aligned as its type is (`typalign`).
fn stored_width(widths: &[u32], types: &[&str]) -> u32 {
    /// What is larger is compressed or moved away, as far as it can be (`heaptoast.h`).
    const TOASTED: u32 = 2032;
    let bitmap = (widths.len() as u32).div_ceil(8);
    let header = (HEADER + bitmap).next_multiple_of(8);
    let values = widths.iter().zip(types).fold(0, |at: u32, (width, name)| {
        let (align, bytes) = match *name {
            "smallint" => (2, *width),
            "integer" | "date" | "real" | "oid" => (4, *width),
            "bigint" | "double precision" | "money" | "interval" => (8, *width),
            name if name.starts_with("timestamp") || name.starts_with("time") => (8, *width),
            // A digit count, a weight and a sign go with a number on the wire.
            name if name.starts_with("numeric") => (1, width.saturating_sub(5)),
            "boolean" | "uuid" => (1, *width),
            name => match stored_bytes(name, *width) {
                long @ 127.. => (4, long + 4),
                short => (1, short + 1),
            },
        };
        at.next_multiple_of(align) + bytes
    });
    let tuple = header + values.next_multiple_of(8) + LINE_POINTER;
    match (PAGE - PAGE_HEADER) / tuple {
        _ if tuple > TOASTED => tuple,
        0 => tuple,
        rows => PAGE.div_ceil(rows),
    }
}

/// What a value without a fixed size takes, without its length. A document's members have an entry each for key and value, and
/// numbers are aligned (`jsonb.h`): measured on documents as they are made here.
fn stored_bytes(type_name: &str, width: u32) -> u32 {
    match type_name {
        "jsonb" => width.saturating_mul(7) / 5,
        _ => width,
    }
}

/// A column of an index key.
struct KeyColumn {
    width: u32,
    /// Whether many rows have one value: a B-tree keeps it once for them all.
    is_repeated: bool,
}

/// Whether a column has far fewer values than rows, as far as its generator shows.
fn is_repeated(table: &TablePlan, column: usize) -> bool {
    const ROWS_OF_ONE: u64 = 4;
    match &table.columns[column].generator {
        Generator::Parent { link, .. } => {
            let parents = table.links[*link].parent_rows.max(1);
            table.rows / parents >= ROWS_OF_ONE
        }
        Generator::Choice(choice) => table.rows / (choice.cells.len() as u64).max(1) >= ROWS_OF_ONE,
        Generator::Scalar(scalar) => match &scalar.source {
            ScalarSource::Listed { values, .. } => {
                table.rows / (values.len() as u64).max(1) >= ROWS_OF_ONE
            }
            _ => false,
        },
        _ => false,
    }
}

/// What a row costs in indexes: one that begins with a number that counts the rows gets them in order.
fn index_entries(introspected: &Table, table: &TablePlan) -> IndexEntries {
    let mut entries = IndexEntries::default();
    let indexes = introspected.indexes.iter().filter(|index| index.oid != 0);
    for index in indexes {
        let columns: Option<Vec<&ColumnPlan>> = index
            .keys
            .iter()
            .map(|key| match &key.part {
                KeyPart::Column(name) => Some(&table.columns[table.column_index(name)?]),
                KeyPart::Expression(_) => None,
            })
            .collect();
        let is_ordered = |column: &&ColumnPlan| match &column.generator {
            Generator::Scalar(scalar) => matches!(scalar.source, ScalarSource::Sequence { .. }),
            _ => false,
        };
        let is_text = |column: &&ColumnPlan| {
            let name = column.data_type.name.as_str();
            ["text", "char", "citext", "name"]
                .iter()
                .any(|kind| name.contains(kind))
        };
        match columns {
            Some(columns) if index.method == "btree" && columns.first().is_some_and(is_ordered) => {
                entries.ordered += 1;
            }
            Some(columns) if index.method == "btree" && !columns.iter().any(is_text) => {
                entries.numbers += 1;
            }
            Some(_) if index.method == "btree" => entries.texts += 1,
            // An expression's value is computed, and GIN and GiST have entries of their own.
            Some(_) | None => entries.texts += 2,
        }
    }
    entries
}

/// All indexes' share of a row; pages are nine tenths full (`BTREE_DEFAULT_FILLFACTOR`).
fn index_width(table: &Table, column: impl Fn(&str) -> Option<KeyColumn>) -> u32 {
    /// A row's place in a posting list, with its share of the key (`nbtdedup.c`).
    const POSTING: u32 = 8;
    let tuple = |keys: u32| (INDEX_TUPLE + keys.next_multiple_of(8)) * 10 / 9;
    let width = |name: &str| column(name).map_or(8, |column| column.width);
    let is_posted = |index: &Index| match &index.keys[..] {
        [only] if !index.unique && index.include.is_empty() => match &only.part {
            KeyPart::Column(name) => column(name).is_some_and(|column| column.is_repeated),
            KeyPart::Expression(_) => false,
        },
        _ => false,
    };
    table
        .indexes
        .iter()
        // Keys that rows are planned by, and that are no index.
        .filter(|index| index.oid != 0)
        .map(|index| {
            if is_posted(index) {
                return POSTING;
            }
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

/// Options with the factor of the roles' rows at which tables and indexes come to about `bytes` at scale 1; `scale` multiplies
/// those as it multiplies all else. What the spec counts is left as it is, and counts towards them; `None` where it counts
/// every table.
pub(super) fn fitted(
    bytes: u64,
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &BTreeMap<u32, StoredRows>,
) -> Option<Options> {
    /// Widths are measured on few rows: they hardly depend on how many there are.
    const FIRST: f64 = 0.001;
    let at = |factor: f64| Options {
        default_rows: DefaultRows::ByRole(factor),
        scale: 1.0,
        ..options.clone()
    };
    // References that names suggest make children of what would be things of their own.
    let (mut mistakes, mut misread) = (Vec::new(), Default::default());
    let specs = super::match_specs(schema, spec, &mut mistakes, &mut misread);
    let references = super::references::undeclared(schema, &specs, stored, options, &mut mistakes);
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
        return None;
    }
    let measured = match super::at_scale(schema, spec, &at(FIRST), stored) {
        Ok(plan) => plan,
        Err(refusal) => refusal.sound,
    };
    let widths = widths(&measured);
    let empty = empty_bytes(schema) as f64;
    // Rows at other factors are counted without a plan.
    let size = |factor: f64| -> f64 {
        let options = at(factor);
        let mut resolver = Resolver::new(
            &with_references,
            spec,
            &options,
            stored,
            Learned::nothing(Inferred::default()),
        );
        resolver.plan_rows();
        let made = resolver
            .plan
            .tables
            .iter()
            .filter(|table| table.fill == Fill::Generate);
        let rows = made
            .map(|table| table.rows as f64 * widths.get(&table.oid).copied().unwrap_or(32) as f64);
        empty + rows.sum::<f64>()
    };
    let most = match options.default_rows {
        DefaultRows::Asked(_) => MOST_FACTOR * 1e4,
        DefaultRows::Fixed(_) | DefaultRows::ByRole(_) | DefaultRows::Fitted(_) => MOST_FACTOR,
    };
    let factor = factor_of(bytes, most, size);
    Some(Options {
        scale: options.scale,
        ..at(factor)
    })
}

/// Bytes that a row of each table takes, with its entries in the indexes.
fn widths(measured: &SeedPlan) -> BTreeMap<u32, u64> {
    measured
        .tables
        .iter()
        .map(|table| {
            let width = table.stored_width.saturating_add(table.index_width);
            (table.oid, u64::from(width.max(32)))
        })
        .collect()
}

/// The factor, up to `most`, at which the size is about `bytes`.
fn factor_of(bytes: u64, most: f64, size: impl Fn(f64) -> f64) -> f64 {
    const STEPS: usize = 40;
    const CLOSE: f64 = 0.03;
    // Sizes grow with the factor, nearly in proportion but where tables are as small as they get.
    let (mut low, mut high) = (LEAST_FACTOR, most);
    let mut factor: f64 = 0.1;
    for _ in 0..STEPS {
        let ratio = bytes as f64 / size(factor).max(1.0);
        if (ratio - 1.0).abs() < CLOSE || high / low < 1.0 + CLOSE / 10.0 {
            break;
        }
        if ratio > 1.0 {
            low = factor;
        } else {
            high = factor;
        }
        let next = factor * ratio;
        factor = if low < next && next < high {
            next
        } else {
            (low * high).sqrt()
        };
    }
    factor
}

/// What relations take before they hold more than a page: the first page of each, an index's meta page, a table's maps.
fn empty_bytes(schema: &Schema) -> u64 {
    let stored = schema
        .tables
        .iter()
        .filter(|table| table.kind == TableKind::Ordinary);
    stored
        .map(|table| u64::from(PAGE) * (4 + 2 * table.indexes.len() as u64))
        .sum()
}

/// Every table has its least rows at this one.
const LEAST_FACTOR: f64 = 1e-6;

/// A schema of few tables is not blown up: its people are ten million at most.
const MOST_FACTOR: f64 = 100.0;

/// The note that tells of a size that was asked for and not reached: lists keep their size, and so does what the spec counts.
pub(super) fn missed(target: u64, schema: &Schema, plan: &SeedPlan, scale: f64) -> Option<String> {
    const NOISE: f64 = 0.15;
    let bytes = plan.stored_bytes().saturating_add(empty_bytes(schema));
    let target = target as f64 * scale;
    let is_near = (bytes as f64 / target.max(1.0) - 1.0).abs() <= NOISE;
    (!is_near).then(|| {
        format!(
            "the tables and indexes come to {} and not to target-size = {}: `rows = …` of a seed spec, --rows, lists and keys \
             have the last word; scale or --target-size changes what the spec counts, too",
            Bytes(bytes),
            Bytes(target as u64)
        )
    })
}

/// Plans at the scale at which tables and indexes come to about `target` bytes.
pub(super) fn towards(
    target: u64,
    schema: &Schema,
    options: &Options,
    plan: impl Fn(&Options) -> Result<SeedPlan, Box<Refusal>>,
) -> Result<SeedPlan, Box<Refusal>> {
    const STEPS: usize = 8;
    const CLOSE: f64 = 0.02;
    let mut options = options.clone();
    let mut found = plan(&options)?;
    let empty = empty_bytes(schema);
    let size = |plan: &SeedPlan| plan.stored_bytes().saturating_add(empty);
    for _ in 0..STEPS {
        let factor = target as f64 / size(&found).max(1) as f64;
        let scale = (options.scale * factor).clamp(1e-6, 1e7);
        if (factor - 1.0).abs() < CLOSE || scale == options.scale {
            break;
        }
        options.scale = scale;
        found = plan(&options)?;
    }
    let bytes = size(&found);
    if (bytes as f64 / target as f64 - 1.0).abs() > 0.1 {
        found.notes.push(format!(
            "the tables come to {} and not to {}: lists of fewer than 1000 rows keep their size, and keys set limits",
            Bytes(bytes),
            Bytes(target)
        ));
    }
    Ok(found)
}
