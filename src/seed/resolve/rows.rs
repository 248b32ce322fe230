//! How many rows each table gets.

use super::roles::{self, Role};
use super::{DefaultRows, Resolver};
use crate::schema::{ForeignKey, Index, KeyPart, Table, TableKind};
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::spec::{Place, RowsSpec};

/// A table with fewer rows at scale 1 is a list of something (warehouses, categories) that does not grow with the rest.
pub(super) const LOOKUP_ROWS: u64 = 1000;

impl Resolver<'_> {
    /// Makes an empty plan for every table, with its rows.
    pub(super) fn plan_rows(&mut self) {
        for index in 0..self.ordered.len() {
            let table = self.ordered[index];
            let stored = self
                .stored
                .get(&table.oid)
                .filter(|stored| stored.count > 0);
            let (rows, fill) = match stored {
                Some(stored) => (stored.count, Fill::Keep),
                None if self.options.left_empty.contains(&table.oid) => (0, Fill::Generate),
                None if self.has_no_partition(table) => {
                    self.plan.notes.push(format!(
                        "{}: no rows, because it has no partition that could hold them",
                        table.name
                    ));
                    (0, Fill::Generate)
                }
                None => (self.rows_of(table), Fill::Generate),
            };
            let rows = self
                .limits
                .get(&table.oid)
                .map_or(rows, |limit| rows.min(*limit));
            self.plan.tables.push(TablePlan {
                oid: table.oid,
                name: table.name.clone(),
                rows,
                there: 0,
                fill,
                kept_where: Vec::new(),
                columns: Vec::new(),
                links: Vec::new(),
                leaves: Vec::new(),
                router: None,
                variants: None,
                opaque_checks: Vec::new(),
                involved: false,
                expressions: Vec::new(),
                width: 0,
                stored_width: 0,
                index_width: 0,
                index_entries: Default::default(),
                chosen: None,
            });
        }
    }

    /// A partitioned table without a partition.
    fn has_no_partition(&self, table: &Table) -> bool {
        let holds = |part: &Table| {
            part.kind == TableKind::Ordinary
                && part
                    .partition_of
                    .as_ref()
                    .is_some_and(|of| of.root == table.oid)
        };
        table.kind == TableKind::Partitioned && !self.schema.tables.iter().any(holds)
    }

    fn rows_of(&mut self, table: &Table) -> u64 {
        let overridden = self.options.table_rows.get(&table.name.name).or_else(|| {
            self.options
                .table_rows
                .get(&format!("{}.{}", table.name.schema, table.name.name))
        });
        if let Some(rows) = overridden {
            return *rows;
        }
        // What the spec leaves empty stays so: its constraints may not be met.
        let left_empty = self
            .specs
            .get(&table.oid)
            .is_some_and(|spec| matches!(spec.rows, Some(RowsSpec::Count(0))));
        if let Some(rows) = self.options.all_rows.filter(|_| !left_empty) {
            return self.at_most_parents(table, rows);
        }
        let scaled = |rows: u64| match rows {
            ..LOOKUP_ROWS => rows,
            rows => (rows as f64 * self.options.scale).ceil() as u64,
        };
        match self
            .specs
            .get(&table.oid)
            .and_then(|spec| spec.rows.clone())
        {
            Some(RowsSpec::Count(rows)) => scaled(rows),
            Some(RowsSpec::Per {
                table: parent,
                mean,
                ..
            }) => self.rows_per_parent(table, &parent, mean),
            None => {
                let rows = match self.options.default_rows {
                    DefaultRows::Fixed(rows) => (rows as f64 * self.options.scale).ceil() as u64,
                    DefaultRows::ByRole(factor) => self.by_role(table, factor),
                    DefaultRows::Fitted(_) | DefaultRows::Asked(_) => self.by_role(table, 1.0),
                };
                self.at_most_parents(table, rows)
            }
        }
    }

    /// `rows = { per = "parent", mean = 3 }`: no rows, and a mistake, where the table does not reference such a parent.
    fn rows_per_parent(&mut self, table: &Table, parent: &Place, mean: f64) -> u64 {
        let found = super::find_table(self.schema, &parent.text);
        let linked = found.filter(|found| {
            table.foreign_keys.iter().any(|key| {
                self.schema
                    .table_by_oid(key.references)
                    .is_some_and(|referenced| self.schema.root_of(referenced).oid == found.oid)
            })
        });
        match (found, linked) {
            (None, _) => {
                let error = parent.error(format!("there is no table {}", parent.text));
                self.errors
                    .push(match super::nearest_table(self.schema, &parent.text) {
                        Some(near) => error.help(format!("did you mean `{near}`?")).into(),
                        None => error.into(),
                    });
                self.misread.insert(table.oid);
                0
            }
            (Some(_), None) => {
                let error = parent
                    .error(format!(
                        "table {} has no foreign key to {}",
                        table.name, parent.text
                    ))
                    .help("`per` names a table that this one references");
                self.errors.push(error.into());
                self.misread.insert(table.oid);
                0
            }
            (Some(_), Some(linked)) => {
                let parent_rows = self
                    .index
                    .get(&linked.oid)
                    .and_then(|parent| self.plan.tables.get(*parent))
                    .map_or(LOOKUP_ROWS, |parent| parent.rows);
                (parent_rows as f64 * mean).round() as u64
            }
        }
    }

    /// As many as tables of its role have; what follows from a parent's rows has their scale already.
    fn by_role(&self, table: &Table, factor: f64) -> u64 {
        /// However small the dataset, a table has so many rows where its role has more.
        const LEAST: f64 = 20.0;
        /// Rows of things of their own, and the most that any table has for each of them.
        const THINGS: f64 = 20_000.0;
        const MOST_EACH: u64 = 2_000;
        let parents: Vec<u64> = table
            .foreign_keys
            .iter()
            .filter(|key| key.references != table.oid)
            .filter_map(|key| {
                let parent = self.schema.table_by_oid(key.references)?;
                let at = *self.index.get(&self.schema.root_of(parent).oid)?;
                let parent = self.plan.tables.get(at)?;
                let is_list = matches!(
                    roles::role_of(self.ordered[at], roles::Parents::None),
                    Role::List(_)
                );
                (parent.rows > 0 && !is_list).then_some(parent.rows)
            })
            .collect();
        let scale = factor * self.options.scale;
        // Where things are as few as they get, what is below them gets fewer instead.
        let shrunk = (THINGS * scale / LEAST).min(1.0);
        let scaled = |rows: f64| (rows * scale).max(LEAST.min(rows)).ceil() as u64;
        let kind = if parents.is_empty() {
            roles::Parents::None
        } else {
            roles::Parents::Some
        };
        match roles::role_of(table, kind) {
            Role::List(rows) => rows,
            Role::Entity(rows) => scaled(rows),
            Role::Child(each) => {
                let most = parents.iter().copied().max().unwrap_or(1);
                // Children of children of children: a long chain ends in no more than so many for each thing.
                let limit = scaled(THINGS).saturating_mul(MOST_EACH);
                let rows = most as f64 * each;
                let rows = (rows * shrunk).max(LEAST.min(rows));
                (rows.ceil() as u64).min(limit)
            }
        }
    }

    /// A foreign key that is unique and never NULL allows one child a parent.
    fn at_most_parents(&mut self, table: &Table, rows: u64) -> u64 {
        let mut rows = rows;
        let declared =
            |key: &&ForeignKey| !self.inferred.keys.contains(&(table.oid, key.name.clone()));
        for key in table.foreign_keys.iter().filter(declared) {
            let unique = table
                .indexes
                .iter()
                .any(|index| is_unique_within(index, &key.columns));
            let parent = self
                .schema
                .table_by_oid(key.references)
                .map(|parent| self.schema.root_of(parent).oid);
            let parent_rows = parent
                .and_then(|oid| self.index.get(&oid))
                .and_then(|at| self.plan.tables.get(*at));
            let needed = key
                .columns
                .iter()
                .all(|name| table.column(name).is_some_and(|column| column.not_null));
            if let Some(parent) =
                parent_rows.filter(|parent| needed && (unique || parent.rows == 0))
            {
                if rows > 0 && needed && parent.rows == 0 {
                    let (name, parent) = (&key.name, &parent.name);
                    let note = format!(
                        "{}: no rows, because foreign key {name} needs one of {parent}, which has none",
                        table.name
                    );
                    self.plan.notes.push(note);
                    return 0;
                }
                rows = rows.min(parent.rows);
            }
        }
        rows
    }
}

/// A unique index over these columns or some of them.
pub(super) fn is_unique_within(index: &Index, columns: &[String]) -> bool {
    index.unique
        && !index.keys.is_empty()
        && index.keys.iter().all(|key| match &key.part {
            KeyPart::Column(name) => columns.contains(name),
            KeyPart::Expression(_) => false,
        })
}
