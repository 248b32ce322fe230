//! A profile as wishes of the seed spec: rows, NULLs, common values, histograms, widths, correlation and children for each parent.
//! What the spec says itself stays its word; where it says something else than the profile, a note tells. Pure.

mod column;
mod disagree;
mod measured;

use std::collections::{BTreeMap, BTreeSet};

use self::column::{Asked, wishes};
use super::model::{ColumnStatistics, Profile, TableStatistics};
use crate::schema::{ForeignKey, KeyPart, Schema, Table, TableKind};
use crate::seed::clock::Clock;
use crate::seed::resolve::{SeedError, find_table};
use crate::seed::spec::{Place, RowsSpec, Spec, TableSpec};
use crate::source::Source;

/// A spec with a profile's wishes in it.
#[derive(Debug)]
pub struct Twin {
    /// The spec's own words and, where it has none, the profile's.
    pub spec: Spec,
    /// Where the two disagree, and what could not be asked.
    pub notes: Vec<String>,
    /// The profile's wishes by the place that their errors name.
    wishes: Vec<Wish>,
}

/// Where a wish went in the spec.
#[derive(Debug)]
struct Wish {
    table: usize,
    /// The table's name, as errors have it.
    name: String,
    column: String,
    /// Some of it is asked for still.
    is_alive: bool,
}

/// Tables that only one side has, where the profile is of a schema with other columns.
fn of_another_schema(schema: &Schema, profile: &Profile) -> Option<String> {
    let digest = profile.schema.as_ref()?;
    if *digest == schema.digest() {
        return None;
    }
    let is_known = |table: &&Table| {
        let mut known = profile.tables.iter();
        known.any(|known| known.schema == table.name.schema && known.name == table.name.name)
    };
    let whole = schema
        .tables
        .iter()
        .filter(|table| table.partition_of.is_none());
    let missing: Vec<String> = whole
        .filter(|table| !is_known(table))
        .map(|table| table.name.to_string())
        .collect();
    let missing = match missing.as_slice() {
        [] => String::new(),
        names => format!("; it knows nothing of {}", names.join(", ")),
    };
    Some(format!(
        "the profile is of another version of the schema than the migrations make{missing}: what it does not know is made as without it"
    ))
}

/// What errors name as their file.
const FILE: &str = "the profile";

impl Twin {
    /// Adds a profile to a spec. `clock` is the day to which its times are moved.
    #[must_use]
    pub fn of(schema: &Schema, spec: &Spec, profile: &Profile, clock: Clock) -> Self {
        let mut twin = Self {
            spec: spec.clone(),
            notes: Vec::new(),
            wishes: Vec::new(),
        };
        let source = Source::new(FILE, "");
        twin.notes.extend(of_another_schema(schema, profile));
        for table in &schema.tables {
            let found = profile
                .tables
                .iter()
                .find(|known| known.schema == table.name.schema && known.name == table.name.name);
            if let (Some(statistics), None) = (found, &table.partition_of) {
                let one = OneTable {
                    schema,
                    profile,
                    table,
                    statistics,
                    source: &source,
                    days: clock.today() - profile.day,
                };
                twin.add(&one);
            }
        }
        twin
    }

    fn add(&mut self, one: &OneTable<'_>) {
        let known = self.spec.tables.iter().position(|table| {
            find_table(one.schema, &table.name.text).is_some_and(|found| found.oid == one.table.oid)
        });
        let at = known.unwrap_or_else(|| {
            self.spec.tables.push(TableSpec {
                name: one.place(&one.table.name.to_string(), 0),
                rows: None,
                locale: None,
                keep: None,
                columns: Vec::new(),
            });
            self.spec.tables.len() - 1
        });
        let said = &mut self.spec.tables[at];
        let rows = one.rows();
        if let Some(rows) = rows {
            match &said.rows {
                None => said.rows = Some(RowsSpec::Count(rows as u64)),
                Some(own) => self
                    .notes
                    .extend(disagree::rows(&one.table.name, own, rows)),
            }
        }
        for column in &one.table.columns {
            let Some(statistics) = one.column(&column.name) else {
                continue;
            };
            let said = &mut self.spec.tables[at];
            if let Some(own) = said.columns.iter().find(|own| own.name.text == column.name) {
                let notes = disagree::column(&one.table.name, own, statistics, rows);
                self.notes.extend(notes);
                continue;
            }
            let place = one.place(&column.name, self.wishes.len());
            let asked = Asked {
                one,
                column,
                statistics,
                rows: rows.unwrap_or(0.0),
            };
            if let Some(wish) = wishes(&asked, place) {
                said.columns.push(wish);
                self.wishes.push(Wish {
                    table: at,
                    name: one.table.name.to_string(),
                    column: column.name.clone(),
                    is_alive: true,
                });
            }
        }
    }

    /// Takes back the wishes that errors are about. `false` where none of them is about a wish.
    pub fn give_up(&mut self, errors: &[SeedError]) -> bool {
        let mut given_up: BTreeSet<usize> = BTreeSet::new();
        for error in errors {
            match error {
                SeedError::Spec(error) if error.source_file.path.as_os_str() == FILE => {
                    given_up.insert(error.span.start);
                }
                SeedError::Unsolvable { table, what, .. } => {
                    given_up.extend(self.wishes_of(table, what));
                }
                SeedError::Spec(_) | SeedError::Unsettled | SeedError::UnknownTable { .. } => {}
            }
        }
        let mut lost: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for at in given_up {
            let Some(wish) = self.wishes.get_mut(at).filter(|wish| wish.is_alive) else {
                continue;
            };
            wish.is_alive = false;
            let columns = &mut self.spec.tables[wish.table].columns;
            columns.retain(|column| column.name.text != wish.column);
            lost.entry(wish.table)
                .or_default()
                .push(wish.column.clone());
        }
        for (table, columns) in &lost {
            let table = &self.spec.tables[*table].name.text;
            self.notes.push(format!(
                "{table}: a constraint does not allow what the profile says of {}",
                columns.join(", ")
            ));
        }
        !lost.is_empty()
    }

    /// Those of a table that a message names, or all of them.
    fn wishes_of(&self, table: &str, what: &str) -> Vec<usize> {
        let is_of = |wish: &Wish| wish.is_alive && wish.name == table;
        let wishes = self.wishes.iter().enumerate();
        let all: Vec<(usize, &Wish)> = wishes.filter(|(_, wish)| is_of(wish)).collect();
        let words: BTreeSet<&str> = what
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let named = all
            .iter()
            .filter(|(_, wish)| words.contains(wish.column.as_str()));
        let named: Vec<usize> = named.map(|(at, _)| *at).collect();
        match named.is_empty() {
            true => all.into_iter().map(|(at, _)| at).collect(),
            false => named,
        }
    }
}

/// A table with its statistics.
struct OneTable<'a> {
    schema: &'a Schema,
    profile: &'a Profile,
    table: &'a Table,
    statistics: &'a TableStatistics,
    source: &'a Source,
    /// By which its times are moved.
    days: i64,
}

impl OneTable<'_> {
    fn place(&self, text: &str, at: usize) -> Place {
        Place {
            text: text.to_owned(),
            source: self.source.clone(),
            span: at..at,
        }
    }

    /// Its own, or its partitions'.
    fn rows(&self) -> Option<f64> {
        if self.table.kind == TableKind::Ordinary {
            return self.statistics.rows;
        }
        let parts = self.schema.tables.iter().filter(|part| {
            let of = part.partition_of.as_ref();
            of.is_some_and(|of| of.root == self.table.oid) && part.kind == TableKind::Ordinary
        });
        let rows: Vec<f64> = parts
            .filter_map(|part| {
                let mut known = self.profile.tables.iter();
                known
                    .find(|known| known.schema == part.name.schema && known.name == part.name.name)?
                    .rows
            })
            .collect();
        match rows.is_empty() {
            true => self.statistics.rows,
            false => Some(rows.iter().sum()),
        }
    }

    fn column(&self, name: &str) -> Option<&ColumnStatistics> {
        let is_parent = self.table.kind == TableKind::Partitioned;
        self.statistics
            .column(name, is_parent)
            .or_else(|| self.statistics.column(name, !is_parent))
    }

    /// The table that a foreign key of this column alone points to.
    fn parent(&self, column: &str) -> Option<(&Table, Option<f64>)> {
        let mut keys = self.table.foreign_keys.iter();
        let key = keys.find(|key| key.columns.len() == 1 && key.columns[0] == column)?;
        let parent = self
            .schema
            .root_of(self.schema.table_by_oid(key.references)?);
        let mut known = self.profile.tables.iter();
        let known = known
            .find(|known| known.schema == parent.name.schema && known.name == parent.name.name);
        Some((parent, known.and_then(|known| known.rows)))
    }

    /// Whether a foreign key of several columns has it: that key decides.
    fn is_in_wider_key(&self, column: &str) -> bool {
        let mut keys = self.table.foreign_keys.iter();
        keys.any(|key| key.columns.len() > 1 && key.columns.iter().any(|own| own == column))
    }

    /// Whether a row that another key points to has the same reference, which is then repeated: an order's tenant is its
    /// customer's.
    fn is_repeated(&self, column: &str) -> bool {
        let own = |key: &&ForeignKey| key.columns == [column];
        let Some(key) = self.table.foreign_keys.iter().find(own) else {
            return false;
        };
        let mut others = self
            .table
            .foreign_keys
            .iter()
            .filter(|other| other.name != key.name);
        others.any(|other| {
            let parent = self.schema.table_by_oid(other.references);
            let keys = parent.into_iter().flat_map(|parent| &parent.foreign_keys);
            let mut same = keys.filter(own);
            same.any(|theirs| theirs.references == key.references)
        })
    }

    fn is_in_unique_key(&self, column: &str) -> bool {
        let names = |part: &KeyPart| match part {
            KeyPart::Column(name) => name == column,
            KeyPart::Expression(text) => text.contains(column),
        };
        let mut unique = self.table.indexes.iter().filter(|index| index.unique);
        unique.any(|index| index.keys.iter().any(|key| names(&key.part)))
    }
}

#[cfg(test)]
mod tests;
