//! What statistics cannot say and a sample of the rows can: how many children parents have, how values lie on pages, which values
//! of two columns occur together. Which of that is worth asking for, and what the answers mean. Pure: `db::profile` asks.

mod answers;

use std::collections::BTreeSet;

pub use self::answers::{PageSample, fan_out, joint, locality};
use super::model::{Axis, ColumnStatistics, Profile, TableStatistics};
use super::remap::{FEWEST_ROWS, Workload, named};
use crate::schema::{Index, KeyPart, QualifiedName, Schema, Table, TableKind};

/// Tables of fewer pages are read in one go by every plan: how their values lie makes no difference.
const FEW_PAGES: f64 = 50.0;
/// Bins for common values.
const MOST_COMMON: usize = 100;
/// Bins for all other values.
const RANGES: usize = 10;
/// A table without an index for it is read whole up to so many pages (32 MB).
const READ_WHOLE: f64 = 4_096.0;

/// One thing to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Where the answer belongs in [`Profile::tables`].
    pub at: usize,
    /// Rows that it is about: tasks of more are worth more.
    pub rows: f64,
    /// What is measured.
    pub what: Measure,
}

/// A table that is sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    pub table: QualifiedName,
    /// Its pages, with those of its partitions.
    pub pages: f64,
    /// Its rows, with those of its partitions.
    pub rows: f64,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// How many rows point to each row of a parent.
    Children {
        child: Sampled,
        column: String,
        parent: Sampled,
        referenced: String,
        /// How the children of a parent are found.
        access: Access,
    },
    /// How a column's values lie on pages.
    Pages { table: Sampled, column: String },
    /// Which values two columns have together; `types` are theirs.
    Together {
        table: Sampled,
        axes: [Axis; 2],
        types: [String; 2],
    },
}

/// How the children of some parents are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// By an index that begins with the column.
    Index,
    /// The table is read once.
    Whole,
    /// Neither is cheap enough.
    None,
}

impl Task {
    /// What a person calls it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.what {
            Measure::Children {
                child,
                column,
                parent,
                ..
            } => format!(
                "{} ({column}): how many rows each row of {} has",
                child.table, parent.table
            ),
            Measure::Pages { table, column } => {
                format!("{} ({column}): how values lie on pages", table.table)
            }
            Measure::Together { table, axes, .. } => format!(
                "{} ({}, {}): which values occur together",
                table.table, axes[0].column, axes[1].column
            ),
        }
    }
}

/// Everything that is worth asking for, the largest tables first.
#[must_use]
pub fn tasks(schema: &Schema, profile: &Profile, workload: &Workload) -> Vec<Task> {
    let finder = Finder {
        schema,
        profile,
        workload,
    };
    let mut tasks = Vec::new();
    for (at, statistics) in profile.tables.iter().enumerate() {
        let table = schema.table(Some(&statistics.schema), &statistics.name);
        let Some(table) = table.filter(|table| table.partition_of.is_none()) else {
            continue;
        };
        let Some(sampled) = finder
            .sampled(table)
            .filter(|found| found.rows >= FEWEST_ROWS)
        else {
            continue;
        };
        let rows = sampled.rows;
        let found = finder.measures(table, statistics, &sampled);
        tasks.extend(found.into_iter().map(|what| Task { at, rows, what }));
    }
    // A stable sort: of one table references come first, then columns together, then pages.
    tasks.sort_by(|one, other| other.rows.total_cmp(&one.rows));
    tasks
}

struct Finder<'a> {
    schema: &'a Schema,
    profile: &'a Profile,
    workload: &'a Workload,
}

impl Finder<'_> {
    fn statistics(&self, table: &Table) -> Option<&TableStatistics> {
        let mut tables = self.profile.tables.iter();
        tables.find(|known| known.schema == table.name.schema && known.name == table.name.name)
    }

    fn sampled(&self, table: &Table) -> Option<Sampled> {
        let of = |table: &Table| {
            let known = self.statistics(table)?;
            Some((known.pages as f64, known.rows?))
        };
        let (pages, rows) = match table.kind {
            TableKind::Partitioned => {
                let leaves = self.schema.tables.iter().filter(|part| {
                    let whole = part.partition_of.as_ref().map(|part| part.root);
                    whole == Some(table.oid) && part.kind == TableKind::Ordinary
                });
                leaves
                    .filter_map(of)
                    .fold((0.0, 0.0), |sum, found| (sum.0 + found.0, sum.1 + found.1))
            }
            TableKind::Ordinary => of(table)?,
            _ => return None,
        };
        Some(Sampled {
            table: table.name.clone(),
            pages,
            rows,
        })
    }

    fn measures(
        &self,
        table: &Table,
        statistics: &TableStatistics,
        sampled: &Sampled,
    ) -> Vec<Measure> {
        let mut found: Vec<Measure> = self
            .references(table)
            .into_iter()
            .filter_map(|(column, parent, referenced)| {
                self.children(table, sampled, column, (parent, referenced))
            })
            .collect();
        let column = |name: &str| -> Option<&ColumnStatistics> {
            let is_whole = table.kind == TableKind::Partitioned;
            statistics.column(name, is_whole)
        };
        for (one, other) in self.pairs(table) {
            let axes = column(&one).zip(column(&other));
            let axes = axes.and_then(|(one, other)| {
                Some([axis(one, sampled.rows)?, axis(other, sampled.rows)?])
            });
            let type_of = |name: &str| Some(table.column(name)?.data_type.name.clone());
            if let (Some(axes), Some(one), Some(other)) = (axes, type_of(&one), type_of(&other)) {
                found.push(Measure::Together {
                    table: sampled.clone(),
                    axes,
                    types: [one, other],
                });
            }
        }
        if sampled.pages >= FEW_PAGES {
            let columns = self.searched(table).into_iter();
            let ordered = columns
                .filter(|name| column(name).is_some_and(|known| known.correlation.is_some()));
            found.extend(ordered.map(|column| Measure::Pages {
                table: sampled.clone(),
                column,
            }));
        }
        found
    }

    fn children(
        &self,
        table: &Table,
        sampled: &Sampled,
        column: String,
        (parent, referenced): (&Table, String),
    ) -> Option<Measure> {
        let parent = self.sampled(parent)?;
        let access = if table
            .indexes
            .iter()
            .any(|index| begins_with(index, &column))
        {
            Access::Index
        } else if sampled.pages <= READ_WHOLE {
            Access::Whole
        } else {
            Access::None
        };
        (parent.rows >= FEWEST_ROWS).then(|| Measure::Children {
            child: sampled.clone(),
            column,
            parent,
            referenced,
            access,
        })
    }

    /// References of one column: those of foreign keys, and those that joins of the catalog show.
    fn references(&self, table: &Table) -> Vec<(String, &Table, String)> {
        let mut found: Vec<(String, &Table, String)> = Vec::new();
        let mut add = |column: &String, parent: u32, referenced: &String| {
            let parent = self.schema.table_by_oid(parent);
            let Some(parent) = parent.map(|parent| self.schema.root_of(parent)) else {
                return;
            };
            let is_known = found
                .iter()
                .any(|(known, to, _)| known == column && to.oid == parent.oid);
            let is_own = parent.oid == table.oid && column == referenced;
            if !is_known && !is_own && !is_unique(table, column) {
                found.push((column.clone(), parent, referenced.clone()));
            }
        };
        for key in &table.foreign_keys {
            if let ([column], [referenced]) = (&key.columns[..], &key.referenced_columns[..]) {
                add(column, key.references, referenced);
            }
        }
        for [one, other] in &self.workload.joins {
            let (Some(one), Some(other)) = (named(self.schema, one), named(self.schema, other))
            else {
                continue;
            };
            for (child, parent) in [(one, other), (other, one)] {
                let to = self.schema.table_by_oid(parent.0);
                if child.0 == table.oid && to.is_some_and(|to| is_unique(to, parent.1)) {
                    add(child.1, parent.0, parent.1);
                }
            }
        }
        found
    }

    /// Columns of a table that one statement has conditions on.
    fn pairs(&self, table: &Table) -> BTreeSet<(String, String)> {
        let mut pairs = BTreeSet::new();
        for columns in &self.workload.together {
            let own: BTreeSet<&String> = columns
                .iter()
                .filter_map(|column| named(self.schema, column))
                .filter(|(oid, name)| *oid == table.oid && !is_unique(table, name))
                .map(|(_, name)| name)
                .collect();
            for one in &own {
                let others = own.iter().filter(|other| *other > one);
                pairs.extend(others.map(|other| ((*one).clone(), (*other).clone())));
            }
        }
        pairs
    }

    /// Columns that statements search by, or an index begins with; not those whose values are all different and come in the
    /// rows' order anyway.
    fn searched(&self, table: &Table) -> BTreeSet<String> {
        let workload = self.workload.together.iter().flatten();
        let workload = workload.filter_map(|column| named(self.schema, column));
        let mut found: BTreeSet<String> = workload
            .filter(|(oid, _)| *oid == table.oid)
            .map(|(_, name)| name.clone())
            .collect();
        let leading = table.indexes.iter().filter_map(|index| leading(index));
        found.extend(leading.cloned());
        found.retain(|name| !is_unique(table, name));
        found
    }
}

fn leading(index: &Index) -> Option<&String> {
    match &index.keys.first()?.part {
        KeyPart::Column(name) => Some(name),
        KeyPart::Expression(_) => None,
    }
}

fn begins_with(index: &Index, column: &String) -> bool {
    let is_usable = index.valid && index.predicate.is_none();
    is_usable && matches!(index.method.as_str(), "btree" | "hash") && leading(index) == Some(column)
}

fn is_unique(table: &Table, column: &str) -> bool {
    let mut indexes = table.indexes.iter();
    indexes.any(|index| {
        let is_only = index.keys.len() == 1 && leading(index).is_some_and(|name| name == column);
        index.unique && index.predicate.is_none() && is_only
    })
}

/// The bins of a column: its common values, without those of few rows, and what lies between some bounds of its histogram.
fn axis(column: &ColumnStatistics, rows: f64) -> Option<Axis> {
    let common = column.most_common.iter();
    let common = common.filter(|(_, share)| f64::from(*share) * rows >= FEWEST_ROWS);
    let common: Vec<String> = common
        .take(MOST_COMMON)
        .map(|(text, _)| text.clone())
        .collect();
    let last = column.histogram.len().saturating_sub(1);
    let bounds = (1..RANGES).filter_map(|at| column.histogram.get(at * last / RANGES));
    let mut bounds: Vec<String> = bounds.filter(|_| last >= RANGES).cloned().collect();
    bounds.dedup();
    let bins = common.len() + bounds.len() + usize::from(last > 0);
    (bins > 1).then(|| Axis {
        column: column.column.clone(),
        common,
        bounds,
    })
}
