//! The lottery that every ANALYZE is: statistics drawn again and again from all values of the tables, the catalog planned with each
//! draw, and each distinct plan executed once. Works on a laboratory with rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::outlook::OutlookError;
use super::{Asked, LabError, Laboratory, Planner, distribution};
use crate::db::explain::ExplainError;
use crate::db::profile;
use crate::db::prove::measurement;
use crate::finding::Measurement;
use crate::lab::change::PlanChange;
use crate::lab::lottery::{Distribution, ROWS_OF_TARGET, Sample};
use crate::lab::unstable::{DecidingColumn, PlanOfDraws, SteadyTarget, Unstable};
use crate::lab::why::{Pair, smallest};
use crate::plan::Plan;
use crate::plan::shape::shape;
use crate::profile::model::{ColumnStatistics, Profile, TableStatistics};
use crate::progress::{Progress, Unit};
use crate::schema::{Schema, Table, quote_identifier};
use crate::seed::random::Key;
use crate::units::Millis;

/// Statistics targets that are tried to end a lottery; PostgreSQL takes no larger one.
const TARGETS: [u32; 4] = [300, 1000, 3000, 10_000];
/// So many values are drawn for each of them at most: larger samples differ less, and fewer of them say as much.
const DRAWN_VALUES: u64 = 10_000_000;
/// So many draws are kept, to be beside the ones with a larger target.
const KEPT: usize = 20;
/// The rarest of more plans than this are not executed.
const PLANS: usize = 6;
/// A plan that takes so much longer than the best one is no remedy.
const AS_GOOD: f64 = 1.5;

/// How a lottery is played.
#[derive(Debug, Clone, Copy)]
pub struct Play<'a> {
    /// How often statistics are drawn.
    pub draws: u64,
    /// What the draws hang on: the same seed gives the same ones.
    pub seed: u64,
    /// When an execution is cancelled.
    pub timeout: Millis,
    /// The tables.
    pub schema: &'a Schema,
    /// Events.
    pub progress: &'a Progress,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Runs that were planned with each draw.
    pub planned: usize,
    /// Columns whose statistics a sample decides.
    pub columns: usize,
    /// Runs with more than one plan.
    pub unstable: Vec<Unstable>,
}

/// Draws, plans, executes, and looks for the columns that decide and for a target that ends it.
///
/// # Errors
/// [`OutlookError`].
pub async fn play(
    laboratory: &mut Laboratory,
    planner: &mut Planner<'_>,
    how: Play<'_>,
) -> Result<Outcome, OutlookError> {
    let asked = planner.asked();
    let urns = Arc::new(Urns::read(laboratory, planner, &asked, &how).await?);
    let asked: Vec<Asked> = asked
        .into_iter()
        .filter(|asked| urns.decide_of(planner, *asked, how.schema))
        .collect();
    let mut game = Game {
        laboratory,
        planner,
        urns,
        kept: Vec::new(),
        how,
    };
    let seen = game.draw_and_plan(&asked).await?;
    let task = how.progress.task(
        "Running the plans of unstable queries",
        Unit::Steps,
        Some(seen.len() as u64),
    );
    let mut unstable = Vec::new();
    for (asked, plans) in seen {
        task.advance(1);
        unstable.extend(game.looked_into(asked, plans).await?);
    }
    Ok(Outcome {
        planned: asked.len(),
        columns: game.urns.tables.iter().map(|urn| urn.columns.len()).sum(),
        unstable,
    })
}

/// A plan that draws gave.
#[derive(Debug, Clone)]
struct Seen {
    plan: Plan,
    shape: String,
    draws: u64,
    /// The first draw that gave it.
    first: u64,
}

struct Game<'g, 'q> {
    laboratory: &'g mut Laboratory,
    planner: &'g mut Planner<'q>,
    urns: Arc<Urns>,
    /// The first draws.
    kept: Vec<Vec<TableStatistics>>,
    how: Play<'g>,
}

impl Game<'_, '_> {
    /// Every run that got more than one plan, with its plans, the most frequent first.
    async fn draw_and_plan(
        &mut self,
        asked: &[Asked],
    ) -> Result<Vec<(Asked, Vec<Seen>)>, OutlookError> {
        let draws = self.how.draws;
        let task = self
            .how
            .progress
            .task("Drawing statistics", Unit::Steps, Some(draws));
        let mut seen: Vec<Vec<Seen>> = vec![Vec::new(); asked.len()];
        let mut outlines: Vec<BTreeMap<String, usize>> = vec![BTreeMap::new(); asked.len()];
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        // The next draw is made while the server plans with this one.
        let mut next = self.urns.begin(0);
        for draw in 0..draws {
            let tables = next
                .await
                .map_err(|_| LabError::from(crate::interrupt::Interrupted))?;
            next = self.urns.begin(draw + 1);
            self.laboratory.set_statistics(&tables).await?;
            let found = self.planner.outlines(self.laboratory, asked).await?;
            for (at, outline) in found.into_iter().enumerate() {
                let Some(outline) = outline else {
                    continue;
                };
                if let Some(known) = outlines[at].get(&outline) {
                    seen[at][*known].draws += 1;
                    continue;
                }
                let Some(plan) = self.planner.plan(self.laboratory, asked[at]).await? else {
                    continue;
                };
                let shape = shape(&plan);
                let known = seen[at].iter().position(|seen| seen.shape == shape);
                let known = known.unwrap_or_else(|| {
                    seen[at].push(Seen {
                        plan,
                        shape,
                        draws: 0,
                        first: draw,
                    });
                    seen[at].len() - 1
                });
                seen[at][known].draws += 1;
                outlines[at].insert(outline, known);
            }
            if self.kept.len() < KEPT {
                self.kept.push(tables);
            }
            task.advance(1);
        }
        let several = asked.iter().copied().zip(seen);
        let several = several.filter(|(_, plans)| plans.len() > 1);
        Ok(several
            .map(|(asked, mut plans)| {
                plans.sort_by_key(|seen| std::cmp::Reverse(seen.draws));
                (asked, plans)
            })
            .collect())
    }

    /// Executes the plans of a run and says what decides between them.
    async fn looked_into(
        &mut self,
        asked: Asked,
        seen: Vec<Seen>,
    ) -> Result<Option<Unstable>, OutlookError> {
        let Some(run) = self.planner.run(asked) else {
            return Ok(None);
        };
        let id = run.id.clone();
        let mut plans = Vec::with_capacity(seen.len());
        for (at, of) in seen.iter().enumerate() {
            let (taken, cancelled) = if at < PLANS {
                self.laboratory
                    .set_statistics(&self.urns.draw(of.first))
                    .await?;
                self.taken(asked).await?
            } else {
                (None, None)
            };
            plans.push(PlanOfDraws {
                draws: of.draws,
                taken,
                cancelled,
                change: PlanChange::between(&seen[0].plan, &of.plan),
            });
        }
        let mut unstable = Unstable {
            query: self.planner.query(asked).to_owned(),
            run: id,
            draws: self.how.draws,
            plans,
            differences: Vec::new(),
            columns: Vec::new(),
            steady: None,
        };
        if let Some((best, worst)) = unstable.extremes().filter(|_| unstable.differs()) {
            let place = |plan: &PlanOfDraws| {
                unstable
                    .plans
                    .iter()
                    .position(|other| std::ptr::eq(other, plan))
                    .unwrap_or(0)
            };
            let (best, worst) = (place(best), place(worst));
            self.explain(asked, (&seen[best], &seen[worst]), &mut unstable)
                .await?;
            self.end(asked, &seen, &mut unstable).await?;
        }
        Ok(Some(unstable))
    }

    /// What an execution took, warmed up, or when it was cancelled.
    async fn taken(
        &mut self,
        asked: Asked,
    ) -> Result<(Option<Measurement>, Option<Millis>), OutlookError> {
        let timeout = self.how.timeout;
        for is_last in [false, true] {
            match self.planner.run_once(self.laboratory, asked, timeout).await {
                Ok(explained) if is_last => return Ok((Some(measurement(&explained)), None)),
                Ok(_) => {}
                Err(ExplainError::TimedOut) => return Ok((None, Some(timeout))),
                // What the server refuses to execute has no measurement.
                Err(
                    ExplainError::Refused(_) | ExplainError::Unsafe { .. } | ExplainError::NoPlan,
                ) => {
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok((None, None))
    }

    /// The smallest set of numbers that makes the one plan the other.
    async fn explain(
        &mut self,
        asked: Asked,
        (usual, other): (&Seen, &Seen),
        unstable: &mut Unstable,
    ) -> Result<(), OutlookError> {
        let own = self.urns.of(self.planner, asked, self.how.schema);
        let profile = |draw| Profile {
            tables: own.iter().map(|at| self.urns.drawn(*at, draw)).collect(),
            ..Profile::default()
        };
        let (before, after) = (profile(usual.first), profile(other.first));
        let pair = Pair::new(&before, &after);
        let (laboratory, planner) = (&mut *self.laboratory, &mut *self.planner);
        let culprits = smallest(pair.count(), async |taken: &[usize]| {
            let mixture = pair.mixture(taken);
            laboratory.set_statistics(&mixture.tables).await?;
            let planned = planner.plan(laboratory, asked).await?;
            Ok::<_, OutlookError>(planned.is_some_and(|plan| shape(&plan) == other.shape))
        });
        let culprits = culprits.await?;
        unstable.differences = culprits.iter().map(|at| pair.words(*at)).collect();
        let mut columns: Vec<DecidingColumn> = Vec::new();
        for (table, column) in culprits.iter().filter_map(|at| pair.column(*at)) {
            let deciding = DecidingColumn {
                table: table.qualified_name().sql(),
                column: quote_identifier(column),
                target: self.urns.target(table, column),
            };
            if !columns.contains(&deciding) {
                columns.push(deciding);
            }
        }
        unstable.columns = columns;
        Ok(())
    }

    /// Looks for the least statistics target of the deciding columns with which every draw gives one plan, and a good one.
    async fn end(
        &mut self,
        asked: Asked,
        seen: &[Seen],
        unstable: &mut Unstable,
    ) -> Result<(), OutlookError> {
        let Some(now) = unstable.columns.iter().map(|column| column.target).max() else {
            return Ok(());
        };
        let deciding = self.urns.deciding(&unstable.columns);
        let own = self.urns.of(self.planner, asked, self.how.schema);
        for target in TARGETS.into_iter().filter(|target| *target > now) {
            let draws = self.urns.draws_of(&deciding, target, &self.how);
            let Some(steady) = self.steady(asked, (&own, &deciding), target, draws).await? else {
                continue;
            };
            let taken = self.taken_by(asked, &steady, seen, unstable).await?;
            unstable.steady = taken.map(|taken| SteadyTarget {
                target,
                draws,
                taken,
            });
            return Ok(());
        }
        Ok(())
    }

    /// The shape of the plan that every draw with a larger target of the deciding columns gives; `None` where there are several.
    async fn steady(
        &mut self,
        asked: Asked,
        (own, deciding): (&[usize], &[(usize, usize)]),
        target: u32,
        draws: u64,
    ) -> Result<Option<String>, OutlookError> {
        let mut steady: Option<String> = None;
        for draw in 0..draws {
            let beside = &self.kept[draw as usize % self.kept.len().max(1)];
            let mut tables: Vec<(usize, TableStatistics)> =
                own.iter().map(|at| (*at, beside[*at].clone())).collect();
            for (table, column) in deciding {
                let number = self.how.draws + draw;
                let drawn = self
                    .urns
                    .drawn_column(*table, *column, number, Some(target));
                if let Some((_, statistics)) = tables.iter_mut().find(|(at, _)| at == table) {
                    statistics.columns[*column] = drawn;
                }
            }
            let tables: Vec<TableStatistics> = tables.into_iter().map(|(_, table)| table).collect();
            self.laboratory.set_statistics(&tables).await?;
            let plan = self.planner.plan(self.laboratory, asked).await?;
            let Some(found) = plan.map(|plan| shape(&plan)) else {
                return Ok(None);
            };
            if steady.get_or_insert_with(|| found.clone()) != &found {
                return Ok(None);
            }
        }
        Ok(steady)
    }

    /// What the plan takes that is always chosen now; `None` where it is not as good as the best.
    async fn taken_by(
        &mut self,
        asked: Asked,
        steady: &str,
        seen: &[Seen],
        unstable: &Unstable,
    ) -> Result<Option<Measurement>, OutlookError> {
        let known = seen.iter().position(|seen| seen.shape == steady);
        let taken = match known.and_then(|at| unstable.plans.get(at)) {
            Some(plan) => plan.taken.clone(),
            // The statistics of the last draw are set: it is executed with them.
            None => self.taken(asked).await?.0,
        };
        let best = unstable
            .extremes()
            .and_then(|(best, _)| best.taken.as_ref().map(|taken| taken.time_ms.0));
        Ok(taken.filter(|taken| best.is_none_or(|best| taken.time_ms.0 <= best * AS_GOOD)))
    }
}

/// A table of which ANALYZE reads a sample.
#[derive(Debug)]
struct Urn {
    /// What is drawn is written into a copy of this.
    now: TableStatistics,
    /// OID of the table, or of the partitioned one.
    root: u32,
    /// Rows of a sample.
    sample: u64,
    columns: Vec<UrnColumn>,
}

#[derive(Debug)]
struct UrnColumn {
    now: ColumnStatistics,
    target: u32,
    distribution: Distribution,
    key: Key,
}

/// Everything that is drawn from.
#[derive(Debug)]
struct Urns {
    tables: Vec<Urn>,
}

impl Urns {
    /// Counts the values of the columns that plans name, in the tables that are larger than a sample.
    async fn read(
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
    fn of(&self, planner: &Planner<'_>, asked: Asked, schema: &Schema) -> Vec<usize> {
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
    fn decide_of(&self, planner: &Planner<'_>, asked: Asked, schema: &Schema) -> bool {
        !self.of(planner, asked, schema).is_empty()
    }

    /// Draws on another thread.
    fn begin(self: &Arc<Self>, draw: u64) -> tokio::task::JoinHandle<Vec<TableStatistics>> {
        let urns = Arc::clone(self);
        tokio::task::spawn_blocking(move || urns.draw(draw))
    }

    /// The statistics of a draw.
    fn draw(&self, draw: u64) -> Vec<TableStatistics> {
        (0..self.tables.len())
            .map(|at| self.drawn(at, draw))
            .collect()
    }

    /// The same of one table.
    fn drawn(&self, at: usize, draw: u64) -> TableStatistics {
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
    fn drawn_column(
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
    fn deciding(&self, columns: &[DecidingColumn]) -> Vec<(usize, usize)> {
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
    fn draws_of(&self, deciding: &[(usize, usize)], target: u32, how: &Play<'_>) -> u64 {
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

    fn target(&self, table: &TableStatistics, column: &str) -> u32 {
        let urn = self
            .tables
            .iter()
            .find(|urn| (&urn.now.schema, &urn.now.name) == (&table.schema, &table.name));
        let column = urn.and_then(|urn| urn.columns.iter().find(|own| own.now.column == column));
        column.map_or(0, |column| column.target)
    }
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
