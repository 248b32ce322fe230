//! What is drawn from: the tables of which ANALYZE reads a sample, with all their values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{DRAWN_VALUES, KEPT, Play};
use crate::db::lab::outlook::OutlookError;
use crate::db::lab::{Asked, LabError, Laboratory, Planner, distribution};
use crate::db::profile;
use crate::lab::lottery::{Distribution, ROWS_OF_TARGET, Sample};
use crate::lab::unstable::DecidingColumn;
use crate::plan::Plan;
use crate::profile::model::{ColumnStatistics, TableStatistics};
use crate::progress::Unit;
use crate::schema::{Schema, Table, quote_identifier};
use crate::seed::random::Key;

/// A table of which ANALYZE reads a sample.
#[derive(Debug)]
pub(super) struct Urn {
    /// What is drawn is written into a copy of this.
    now: TableStatistics,
    /// OID of the table, or of the partitioned one.
    root: u32,
    /// Rows of a sample.
    sample: u64,
    pub(super) columns: Vec<UrnColumn>,
}

#[derive(Debug)]
pub(super) struct UrnColumn {
    now: ColumnStatistics,
    target: u32,
    distribution: Distribution,
    key: Key,
}

/// Everything that is drawn from.
#[derive(Debug)]
pub(super) struct Urns {
    pub(super) tables: Vec<Urn>,
}

/// Statistics targets by table (schema and name) and column, and the default one.
struct Targets {
    default: u32,
    own: BTreeMap<(String, String, String), u32>,
}

async fn targets(laboratory: &Laboratory) -> Result<Targets, LabError> {
    const SQL: &str = "SELECT n.nspname::text, c.relname::text, a.attname::text, a.attstattarget::int4 \
         FROM pg_catalog.pg_attribute a \
         JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget >= 0 AND c.relkind IN ('r', 'p', 'm') \
           AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
    const DEFAULT: &str = "SELECT pg_catalog.current_setting('default_statistics_target')::int4";
    let client = laboratory.setter.client();
    let refused = |error| LabError::refused("read statistics targets", &error);
    let default = client
        .query_typed_one(DEFAULT, &[])
        .await
        .map_err(refused)?;
    let rows = client.query_typed(SQL, &[]).await.map_err(refused)?;
    let own = rows.iter().map(|row| {
        let target: i32 = row.get(3);
        ((row.get(0), row.get(1), row.get(2)), target.unsigned_abs())
    });
    Ok(Targets {
        default: default.get::<_, i32>(0).unsigned_abs(),
        own: own.collect(),
    })
}

/// `None` for a table that ANALYZE reads as a whole: its statistics are what they are.
async fn urn(
    laboratory: &Laboratory,
    (now, root): (TableStatistics, u32),
    targets: &Targets,
    words: &BTreeSet<String>,
    key: Key,
) -> Result<Option<Urn>, OutlookError> {
    let target_of = |column: &ColumnStatistics| {
        let name = (now.schema.clone(), now.name.clone(), column.column.clone());
        targets.own.get(&name).copied().unwrap_or(targets.default)
    };
    let largest = now.columns.iter().map(&target_of).max().unwrap_or(0);
    let sample = u64::from(largest) * ROWS_OF_TARGET;
    let own_rows = now.rows.unwrap_or(0.0);
    let Some(oid) = laboratory
        .relations
        .get(&(now.schema.clone(), now.name.clone()))
        .map(|relation| relation.oid)
    else {
        return Ok(None);
    };
    if own_rows <= sample as f64 {
        return Ok(None);
    }
    let mut columns = Vec::new();
    for column in &now.columns {
        let target = target_of(column);
        let known = laboratory.columns.get(&(oid, column.column.clone()));
        let is_countable =
            known.is_some_and(|known| distribution::is_countable(known, column.average_width));
        if target == 0 || !is_countable || !words.contains(&column.column) {
            continue;
        }
        laboratory.interrupt.check().map_err(LabError::from)?;
        let table = now.qualified_name();
        let client = laboratory.setter.client();
        let counted = distribution::count(client, &table, &column.column, column.inherited);
        let distribution = counted.await?;
        if distribution.rows() > sample {
            columns.push(UrnColumn {
                now: column.clone(),
                target,
                distribution,
                key: key
                    .derive(&table.sql())
                    .derive(&column.column)
                    .number(u64::from(column.inherited)),
            });
        }
    }
    Ok((!columns.is_empty()).then_some(Urn {
        now,
        root,
        sample,
        columns,
    }))
}

/// The tables that a plan reads; of partitions the whole.
fn read_by<'s>(plan: &Plan, schema: &'s Schema) -> impl Iterator<Item = &'s Table> {
    let relations = plan.nodes.iter().filter_map(|node| node.relation.as_ref());
    let tables: Vec<&Table> = relations
        .filter_map(|relation| schema.table(relation.schema.as_deref(), &relation.name))
        .map(|table| schema.root_of(table))
        .collect();
    tables.into_iter()
}

/// Every name in the conditions, keys and groups of a plan as EXPLAIN prints it; what is only returned decides nothing.
fn add_words(explained: &serde_json::Value, words: &mut BTreeSet<String>) {
    match explained {
        serde_json::Value::Object(fields) => {
            let decide = fields.iter().filter(|(name, _)| *name != "Output");
            for (_, value) in decide {
                add_words(value, words);
            }
        }
        serde_json::Value::Array(values) => {
            for value in values {
                add_words(value, words);
            }
        }
        serde_json::Value::String(text) => {
            let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
            let plain = text.split(|letter| !is_part(letter));
            // A quoted name may have any letter.
            let quoted = text.split('"');
            words.extend(
                plain
                    .chain(quoted)
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned),
            );
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

impl Urns {
    /// Counts the values of the columns that plans name, in the tables that are larger than a sample.
    pub(super) async fn read(
        laboratory: &Laboratory,
        planner: &Planner<'_>,
        asked: &[Asked],
        how: &Play<'_>,
    ) -> Result<Self, OutlookError> {
        let mut roots = BTreeSet::new();
        let mut words = BTreeSet::new();
        for run in asked.iter().filter_map(|asked| planner.run(*asked)) {
            roots.extend(read_by(&run.plan, how.schema).map(|table| table.oid));
            add_words(&run.explain_json, &mut words);
        }
        // Values of large tables are sorted.
        let memory = laboratory
            .setter
            .client()
            .batch_execute("SET work_mem = '128MB'");
        let memory = memory.await;
        memory.map_err(|error| LabError::refused("set the memory of sorts", &error))?;
        let statistics = profile::read(&laboratory.setter).await;
        let statistics = statistics.map_err(|error| LabError::Refused {
            action: "read the statistics",
            reason: error.to_string(),
            fault: error.fault,
        })?;
        let targets = targets(laboratory).await?;
        let wanted: Vec<(TableStatistics, u32)> = statistics
            .tables
            .into_iter()
            .filter_map(|table| {
                let known = how.schema.table(Some(&table.schema), &table.name)?;
                let root = how.schema.root_of(known).oid;
                roots.contains(&root).then_some((table, root))
            })
            .collect();
        let task = how.progress.task(
            "Counting the values of columns",
            Unit::Steps,
            Some(wanted.len() as u64),
        );
        let key = Key::new(how.seed).derive("analyze");
        let mut tables = Vec::new();
        for (now, root) in wanted {
            tables.extend(urn(laboratory, (now, root), &targets, &words, key).await?);
            task.advance(1);
        }
        Ok(Self { tables })
    }

    /// The urns of the tables that a run reads.
    pub(super) fn of(&self, planner: &Planner<'_>, asked: Asked, schema: &Schema) -> Vec<usize> {
        let Some(run) = planner.run(asked) else {
            return Vec::new();
        };
        let roots: BTreeSet<u32> = read_by(&run.plan, schema).map(|table| table.oid).collect();
        let urns = self.tables.iter().enumerate();
        urns.filter(|(_, urn)| roots.contains(&urn.root))
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether a sample has a word in a run's plan.
    pub(super) fn decide_of(&self, planner: &Planner<'_>, asked: Asked, schema: &Schema) -> bool {
        !self.of(planner, asked, schema).is_empty()
    }

    /// Draws on another thread.
    pub(super) fn begin(
        self: &Arc<Self>,
        draw: u64,
    ) -> tokio::task::JoinHandle<Vec<TableStatistics>> {
        let urns = Arc::clone(self);
        tokio::task::spawn_blocking(move || urns.draw(draw))
    }

    /// The statistics of a draw.
    pub(super) fn draw(&self, draw: u64) -> Vec<TableStatistics> {
        (0..self.tables.len())
            .map(|at| self.drawn(at, draw))
            .collect()
    }

    /// The same of one table.
    pub(super) fn drawn(&self, at: usize, draw: u64) -> TableStatistics {
        let urn = &self.tables[at];
        let columns = 0..urn.columns.len();
        TableStatistics {
            columns: columns
                .map(|column| self.drawn_column(at, column, draw, None))
                .collect(),
            indexes: Vec::new(),
            extended: Vec::new(),
            ..urn.now.clone()
        }
    }

    /// The same of one column, with the target that it has or with a larger one.
    pub(super) fn drawn_column(
        &self,
        table: usize,
        column: usize,
        draw: u64,
        raised: Option<u32>,
    ) -> ColumnStatistics {
        let urn = &self.tables[table];
        let column = &urn.columns[column];
        let target = raised.unwrap_or(column.target);
        let sample = Sample {
            rows: urn.sample.max(u64::from(target) * ROWS_OF_TARGET),
            target: target as usize,
        };
        column
            .distribution
            .draw(&column.now, sample, &mut column.key.stream(draw))
    }

    /// Table and place of columns.
    pub(super) fn deciding(&self, columns: &[DecidingColumn]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (at, urn) in self.tables.iter().enumerate() {
            let table = urn.now.qualified_name().sql();
            for (place, own) in urn.columns.iter().enumerate() {
                let name = quote_identifier(&own.now.column);
                let is_it =
                    |column: &DecidingColumn| column.table == table && column.column == name;
                if columns.iter().any(is_it) {
                    found.push((at, place));
                }
            }
        }
        found
    }

    /// How often columns are drawn with a larger target: a sample of all rows is always the same.
    pub(super) fn draws_of(&self, deciding: &[(usize, usize)], target: u32, how: &Play<'_>) -> u64 {
        let sample = u64::from(target) * ROWS_OF_TARGET;
        let rows = |(table, column): &(usize, usize)| {
            self.tables[*table].columns[*column].distribution.rows()
        };
        let values: u64 = deciding.iter().map(|place| rows(place).min(sample)).sum();
        let most = (DRAWN_VALUES / values.max(1)).max(5).min(how.draws);
        if deciding.iter().all(|place| rows(place) <= sample) {
            most.min(KEPT as u64)
        } else {
            most
        }
    }

    pub(super) fn target(&self, table: &TableStatistics, column: &str) -> u32 {
        let urn = self
            .tables
            .iter()
            .find(|urn| (&urn.now.schema, &urn.now.name) == (&table.schema, &table.name));
        let column = urn.and_then(|urn| urn.columns.iter().find(|own| own.now.column == column));
        column.map_or(0, |column| column.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_conditions_are_found_and_those_of_output_are_not() {
        let explained = serde_json::json!({
            "Plan": {"Output": ["o.note"], "Filter": "(o.\"Due Date\" > now())", "Plans": [{"Sort Key": ["o.placed"]}]}
        });
        let mut words = BTreeSet::new();
        add_words(&explained, &mut words);
        let has = |name: &str| words.contains(name);
        assert_eq!(
            (has("Due Date"), has("placed"), has("note")),
            (true, true, false)
        );
    }
}
