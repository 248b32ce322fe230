//! A catalog planned at growing sizes, and the sizes at which its plans change: a grid over all of them, then halves of the
//! steps between whose ends a plan differs. Executes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, LabError, Laboratory, Planner};
use crate::db::explain::ExplainError;
use crate::lab::change::PlanChange;
use crate::lab::outlook::{SizedChange, grid, is_one_size};
use crate::lab::scale::Growth;
use crate::plan::Plan;
use crate::plan::shape::shape;
use crate::profile::model::TableStatistics;
use crate::progress::{Progress, Unit};
use crate::schema::Schema;

/// Why a catalog could not be planned.
#[derive(Debug, thiserror::Error)]
pub enum OutlookError {
    /// The laboratory.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The server, while it planned.
    #[error(transparent)]
    Server(#[from] ExplainError),
}

/// A plan at a size.
#[derive(Debug, Clone)]
struct Planned {
    factor: f64,
    plan: Plan,
    shape: String,
}

/// What became of a run's plan.
#[derive(Debug, Clone)]
pub struct Course {
    /// Which run.
    pub asked: Asked,
    /// At the size of now.
    pub now: Plan,
    /// At the largest size.
    pub then: Option<Plan>,
    /// From the smallest on; sizes are factors here.
    pub changes: Vec<SizedChange>,
}

/// Plans runs at sizes from 1 to `most` times the rows of the statistics.
///
/// # Errors
/// [`OutlookError`].
pub async fn courses(
    laboratory: &mut Laboratory,
    planner: &mut Planner<'_>,
    (schema, tables): (&Schema, &[TableStatistics]),
    most: f64,
    progress: &Progress,
) -> Result<Vec<Course>, OutlookError> {
    let sizes = grid(most);
    let task = progress.task(
        "Planning at growing sizes",
        Unit::Steps,
        Some(sizes.len() as u64),
    );
    let growth = Growth::of(schema, tables);
    let mut walk = Walk {
        laboratory,
        planner,
        growth: &growth,
        schema,
    };
    let asked = walk.planner.asked();
    let mut seen: BTreeMap<Asked, Vec<Planned>> = BTreeMap::new();
    // The largest size first: its files are made once, and only shortened afterwards.
    for factor in sizes.iter().rev() {
        walk.set(*factor, None).await?;
        for found in walk.plan_all(&asked, *factor).await? {
            seen.entry(found.0).or_default().insert(0, found.1);
        }
        task.advance(1);
    }
    let changes = walk.changes(&seen, &task).await?;
    let mut courses = Vec::new();
    for (asked, planned) in seen {
        let (Some(first), Some(last)) = (planned.first(), planned.last()) else {
            continue;
        };
        courses.push(Course {
            asked,
            now: first.plan.clone(),
            then: (last.factor == most).then(|| last.plan.clone()),
            changes: changes.get(&asked).cloned().unwrap_or_default(),
        });
    }
    Ok(courses)
}

/// A step between two sizes and the runs whose plans differ at its ends.
struct Step {
    low: f64,
    high: f64,
    runs: Vec<(Asked, Planned, Planned)>,
}

struct Walk<'w, 'q> {
    laboratory: &'w mut Laboratory,
    planner: &'w mut Planner<'q>,
    growth: &'w Growth<'w>,
    schema: &'w Schema,
}

impl Walk<'_, '_> {
    /// Sets statistics; only those of the tables that are named, where they are.
    async fn set(&mut self, factor: f64, only: Option<&BTreeSet<u32>>) -> Result<(), LabError> {
        let scaled = self.growth.scaled_only(factor, |table| {
            let root = self.schema.root_of(table).oid;
            only.is_none_or(|only| only.contains(&root))
        });
        self.laboratory.set(&scaled.tables).await
    }

    async fn plan_all(
        &mut self,
        asked: &[Asked],
        factor: f64,
    ) -> Result<Vec<(Asked, Planned)>, OutlookError> {
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            if let Some(plan) = self.planner.plan(self.laboratory, *asked).await? {
                let shape = shape(&plan);
                found.push((
                    *asked,
                    Planned {
                        factor,
                        plan,
                        shape,
                    },
                ));
            }
        }
        Ok(found)
    }

    /// The changes of every run, by halving the steps between sizes.
    async fn changes(
        &mut self,
        seen: &BTreeMap<Asked, Vec<Planned>>,
        task: &crate::progress::Task,
    ) -> Result<BTreeMap<Asked, Vec<SizedChange>>, OutlookError> {
        let mut left = steps(seen);
        let mut changes: BTreeMap<Asked, Vec<SizedChange>> = BTreeMap::new();
        while let Some(step) = left.pop() {
            if is_one_size(step.low, step.high) {
                for (asked, low, high) in step.runs {
                    if let Some(change) = PlanChange::between(&low.plan, &high.plan) {
                        changes.entry(asked).or_default().push(SizedChange {
                            rows: step.high,
                            cost: high.plan.root().estimate.total_cost,
                            change,
                        });
                    }
                }
                continue;
            }
            task.doing(format!(
                "between {:.1} and {:.1} times the rows",
                step.low, step.high
            ));
            let middle = (step.low * step.high).sqrt();
            let roots = self.read_by(&step.runs);
            self.set(middle, Some(&roots)).await?;
            let asked: Vec<Asked> = step.runs.iter().map(|run| run.0).collect();
            let planned: BTreeMap<Asked, Planned> =
                self.plan_all(&asked, middle).await?.into_iter().collect();
            left.extend(halves(step, middle, &planned));
        }
        for found in changes.values_mut() {
            found.sort_by(|a, b| a.rows.total_cmp(&b.rows));
        }
        Ok(changes)
    }

    /// The tables that runs read; of partitions the whole.
    fn read_by(&self, runs: &[(Asked, Planned, Planned)]) -> BTreeSet<u32> {
        let plans = runs
            .iter()
            .flat_map(|(_, low, high)| [&low.plan, &high.plan]);
        let relations =
            plans.flat_map(|plan| plan.nodes.iter().filter_map(|node| node.relation.as_ref()));
        let tables = relations.filter_map(|relation| {
            self.schema
                .table(relation.schema.as_deref(), &relation.name)
        });
        let roots: BTreeSet<u32> = tables.map(|table| self.schema.root_of(table).oid).collect();
        if roots.is_empty() {
            self.growth.growing()
        } else {
            roots
        }
    }
}

/// The steps of the grid at whose ends plans differ.
fn steps(seen: &BTreeMap<Asked, Vec<Planned>>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (asked, planned) in seen {
        for pair in planned.windows(2) {
            let [low, high] = pair else {
                continue;
            };
            if low.shape == high.shape {
                continue;
            }
            let run = (*asked, low.clone(), high.clone());
            match steps
                .iter_mut()
                .find(|step| step.low == low.factor && step.high == high.factor)
            {
                Some(step) => step.runs.push(run),
                None => steps.push(Step {
                    low: low.factor,
                    high: high.factor,
                    runs: vec![run],
                }),
            }
        }
    }
    steps
}

/// The halves of a step whose ends differ, for each of its runs.
fn halves(step: Step, middle: f64, planned: &BTreeMap<Asked, Planned>) -> Vec<Step> {
    let mut lower = Step {
        low: step.low,
        high: middle,
        runs: Vec::new(),
    };
    let mut upper = Step {
        low: middle,
        high: step.high,
        runs: Vec::new(),
    };
    for (asked, low, high) in step.runs {
        let Some(between) = planned.get(&asked) else {
            continue;
        };
        if between.shape != low.shape {
            lower.runs.push((asked, low, between.clone()));
        }
        if between.shape != high.shape {
            upper.runs.push((asked, between.clone(), high));
        }
    }
    [lower, upper]
        .into_iter()
        .filter(|step| !step.runs.is_empty())
        .collect()
}
