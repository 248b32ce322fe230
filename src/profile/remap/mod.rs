//! From production's statistics to ones without a value of production: one strictly monotone, keyed map for each class of
//! columns that hold the same values. What stands in the repository stays; values of few rows lose their names in the histogram.
//! Pure: the order of texts is a server's to say, and is passed in.

mod anchors;
mod class;
mod common;
mod join_classes;
mod kind;
mod numbers;
mod random;
mod statements;
mod text;

use std::collections::{BTreeMap, BTreeSet};

pub(in crate::profile) use self::join_classes::{named, surrogate_key};
pub(in crate::profile) use self::kind::Unit;
pub use self::random::Key;

use self::class::{Class, Mapped, TextMap};
use self::join_classes::JoinClasses;
use self::kind::Kind;
use super::model::{
    Axis, ColumnStatistics, ExtendedStatistics, Joint, Probed, Profile, TableStatistics,
};
use crate::schema::{Schema, Table};
use crate::seed::types::classify;
use crate::sql::constants::{self, Constant};
use crate::sql::joins::{self, Join, NamedColumn};
use crate::sql::together;

/// Values of fewer rows than this have no name in a profile.
pub const FEWEST_ROWS: f64 = 20.0;

/// What the catalog's statements compare, join and use together.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// Constants: they are public.
    pub constants: Vec<Constant>,
    /// Columns that have to share a map.
    pub joins: Vec<Join>,
    /// For each statement the columns that its conditions are about.
    pub together: Vec<Vec<NamedColumn>>,
}

impl Workload {
    #[must_use]
    pub fn by<'s>(statements: impl Iterator<Item = &'s str> + Clone) -> Self {
        Self {
            constants: constants::of_all(statements.clone()),
            joins: joins::of_all(statements.clone()),
            together: together::of_all(statements),
        }
    }

    /// Adds which columns others join and use together. Their constants are no repository's, and stay out.
    pub fn add(&mut self, other: Self) {
        self.joins.extend(other.joins);
        self.together.extend(other.together);
    }
}

/// What decides a map, besides the values.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// Types, keys and constraints.
    pub schema: &'a Schema,
    /// What the catalog's statements compare.
    pub workload: &'a Workload,
    /// Decides everything random.
    pub key: &'a Key,
}

/// The columns of a profile, sorted into classes that share a map.
pub struct Remap<'a> {
    profile: &'a Profile,
    basis: Basis<'a>,
    classes: BTreeMap<usize, Class>,
    columns: JoinClasses,
    /// Places in the server's order.
    ranks: BTreeMap<String, usize>,
    mapped: BTreeMap<usize, Mapped>,
}

impl<'a> Remap<'a> {
    /// Sorts the columns.
    #[must_use]
    pub fn new(profile: &'a Profile, basis: Basis<'a>) -> Self {
        let columns = JoinClasses::of(basis.schema, &basis.workload.joins);
        let mut remap = Self {
            profile,
            basis,
            classes: BTreeMap::new(),
            columns,
            ranks: BTreeMap::new(),
            mapped: BTreeMap::new(),
        };
        let anchors = anchors::of(basis.schema, &basis.workload.constants);
        for statistics in &profile.tables {
            let Some(table) = remap.table(statistics) else {
                continue;
            };
            for column in &statistics.columns {
                remap.add(table, statistics, column, &anchors);
            }
        }
        for class in remap.classes.values_mut() {
            class.finish(profile.day - Profile::DAY);
        }
        remap
    }

    fn table(&self, statistics: &TableStatistics) -> Option<&'a Table> {
        self.basis
            .schema
            .table(Some(&statistics.schema), &statistics.name)
    }

    fn add(
        &mut self,
        table: &Table,
        statistics: &TableStatistics,
        column: &ColumnStatistics,
        anchors: &anchors::Anchors,
    ) {
        let Some(at) = self.columns.class(table.oid, &column.column) else {
            return;
        };
        let Some(described) = table.column(&column.column) else {
            return;
        };
        let type_class = classify(self.basis.schema, &described.data_type);
        let class = self.classes.entry(at).or_default();
        class.add(&type_class, &described.data_type, column);
        // Combinations have values that the column's own statistics may lack.
        for extended in &statistics.extended {
            let part = extended
                .parts
                .iter()
                .position(|part| *part == column.column);
            let part = part.filter(|part| *part < extended.columns);
            let combinations = extended.most_common.iter();
            let values =
                combinations.filter_map(|combination| combination.values.get(part?)?.as_ref());
            class.values.extend(values.cloned());
        }
        class.label = class
            .label
            .take()
            .or_else(|| Some(format!("{}.{}", table.name, column.column)));
        let key = (table.oid, column.column.clone());
        class
            .anchors
            .extend(anchors.get(&key).into_iter().flatten().cloned());
        if join_classes::surrogate_key(self.basis.schema, table) == Some(column.column.as_str()) {
            class.number_rows(statistics.rows, column);
        }
    }

    /// Texts whose order has to be known before anything is mapped, each once.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let texts = self.classes.values().filter(|class| class.is_text());
        let mut found: BTreeSet<String> = BTreeSet::new();
        for class in texts {
            found.extend(class.values.iter().cloned());
            found.extend(class.anchors.iter().cloned());
        }
        found.into_iter().collect()
    }

    /// Maps every class. `sorted` is [`Self::texts`] in the server's order. What is returned are texts, each list in the order
    /// that the server has to agree with.
    pub fn map(&mut self, sorted: &[String]) -> Vec<(usize, Vec<String>)> {
        let ranks = sorted.iter().enumerate();
        self.ranks = ranks.map(|(at, text)| (text.clone(), at)).collect();
        self.map_classes(None, TextMap::ByClass)
    }

    /// Maps classes again, with texts of letters and digits that every collation orders alike.
    pub fn map_plainly(&mut self, classes: &[usize]) -> Vec<(usize, Vec<String>)> {
        self.map_classes(Some(classes), TextMap::Plain)
    }

    /// Leaves the values of classes out.
    pub fn give_up(&mut self, classes: &[usize]) {
        for class in classes {
            let why = "no order of texts suits the server's collation".to_owned();
            self.mapped.insert(*class, Mapped::Without(why));
        }
    }

    fn map_classes(&mut self, only: Option<&[usize]>, texts: TextMap) -> Vec<(usize, Vec<String>)> {
        let mut orders = Vec::new();
        for (at, class) in &self.classes {
            if only.is_some_and(|only| !only.contains(at)) {
                continue;
            }
            let mapped = class.map(self.basis.key, &self.ranks, texts);
            if class.is_text()
                && let Mapped::Values(values) = &mapped
            {
                let mut order: Vec<(&usize, &String)> = values
                    .iter()
                    .filter_map(|(text, new)| Some((self.ranks.get(text)?, new)))
                    .collect();
                order.sort();
                let order = order.into_iter().map(|(_, new)| new.clone());
                orders.push((*at, order.collect()));
            }
            self.mapped.insert(*at, mapped);
        }
        orders
    }

    /// The profile with mapped values, and a sentence about each column that lost its own.
    #[must_use]
    pub fn finish(&self) -> Profile {
        let mut not_read = self.profile.not_read.clone();
        let tables = self.profile.tables.iter();
        let tables = tables
            .map(|table| self.remapped_table(table, &mut not_read))
            .collect();
        let (statements, left_out) = statements::without_constants(&self.profile.statements);
        not_read.extend(left_out);
        not_read.sort();
        not_read.dedup();
        Profile {
            server_major: self.profile.server_major,
            schema: Some(self.basis.schema.digest()),
            day: Profile::DAY + (self.profile.day - Profile::DAY).rem_euclid(7),
            settings: self.profile.settings.clone(),
            tables,
            statements,
            not_read,
        }
    }

    fn remapped_table(
        &self,
        statistics: &TableStatistics,
        not_read: &mut Vec<String>,
    ) -> TableStatistics {
        let table = self.table(statistics);
        let name = statistics.qualified_name();
        let mut lost: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut columns = Vec::with_capacity(statistics.columns.len());
        for column in &statistics.columns {
            let class = table.and_then(|table| self.columns.class(table.oid, &column.column));
            let class = class.and_then(|at| Some((self.classes.get(&at)?, self.mapped.get(&at)?)));
            let rows = statistics.rows.unwrap_or(0.0);
            let (column, why) = match class {
                Some((class, mapped)) => class.remapped(column, mapped, &self.ranks, rows),
                None => (
                    class::without_values(column),
                    Some("the schema has no such column".into()),
                ),
            };
            if let Some(why) = why {
                lost.entry(why).or_default().push(column.column.clone());
            }
            columns.push(column);
        }
        not_read.extend(lost.into_iter().map(|(why, mut columns)| {
            columns.dedup();
            format!("{name} ({}): {why}", columns.join(", "))
        }));
        let mut indexes = statistics.indexes.clone();
        for index in &mut indexes {
            let had_values = index.expressions.iter().any(ColumnStatistics::has_values);
            if had_values {
                let index = &index.name;
                not_read.push(format!(
                    "{name}, index {index}: values of expressions are not mapped"
                ));
            }
            for expression in &mut index.expressions {
                *expression = class::without_values(expression);
            }
        }
        let extended = statistics.extended.iter();
        TableStatistics {
            columns,
            indexes,
            probed: self.remapped_probe(&statistics.probed, table),
            extended: extended
                .map(|extended| self.remapped_extended(statistics, table, extended, not_read))
                .collect(),
            ..statistics.clone()
        }
    }

    /// Bins of columns that depend on each other are values like any other; all else are counts.
    fn remapped_probe(&self, probed: &Probed, table: Option<&Table>) -> Probed {
        let axis = |axis: &Axis| -> Option<Axis> {
            let at = self.columns.class(table?.oid, &axis.column)?;
            let mapped = self.mapped.get(&at)?;
            let values = |texts: &[String]| -> Option<Vec<String>> {
                texts.iter().map(|text| mapped.value(text)).collect()
            };
            Some(Axis {
                column: axis.column.clone(),
                common: values(&axis.common)?,
                bounds: values(&axis.bounds)?,
            })
        };
        let joints = probed.joints.iter().filter_map(|joint| {
            let [one, other] = &joint.axes;
            Some(Joint {
                axes: [axis(one)?, axis(other)?],
                cells: joint.cells.clone(),
            })
        });
        Probed {
            joints: joints.collect(),
            ..probed.clone()
        }
    }

    fn remapped_extended(
        &self,
        statistics: &TableStatistics,
        table: Option<&Table>,
        extended: &ExtendedStatistics,
        not_read: &mut Vec<String>,
    ) -> ExtendedStatistics {
        let rows = statistics.rows.unwrap_or(0.0);
        let value = |part: usize, value: &str| -> Option<String> {
            let name = extended
                .parts
                .get(part)
                .filter(|_| part < extended.columns)?;
            let at = self.columns.class(table?.oid, name)?;
            self.mapped.get(&at)?.value(value)
        };
        let mut remapped = extended.clone();
        remapped.most_common = common::remapped_combinations(extended, rows, value);
        for expression in &mut remapped.expressions {
            *expression = class::without_values(expression);
        }
        let lost = extended.most_common.len() - remapped.most_common.len();
        if lost > 0 {
            let all = extended.most_common.len();
            not_read.push(format!(
                "{}, statistics {}: {lost} of {all} combinations are of fewer than {FEWEST_ROWS} rows, or have values that are \
                 not mapped",
                statistics.qualified_name(),
                extended.name
            ));
        }
        remapped
    }
}

/// What of a class can be mapped at all.
fn unmapped(kind: &Kind) -> Option<String> {
    match kind.element() {
        Kind::Public | Kind::Scalar(_) | Kind::Text(_) => None,
        Kind::List(_) => Some("values of lists of lists are not mapped".to_owned()),
        Kind::Other(name) => Some(format!("values of type {name} are not mapped")),
    }
}
