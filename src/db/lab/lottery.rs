//! The lottery that every ANALYZE is: statistics drawn again and again from all values of the tables, the catalog planned with each
//! draw, and each distinct plan executed once. Works on a laboratory with rows.

mod urns;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::outlook::OutlookError;
use super::{Asked, LabError, Laboratory, Planner};
use crate::db::explain::ExplainError;
use crate::db::prove::measurement;
use crate::finding::Measurement;
use crate::lab::change::PlanChange;
use crate::lab::unstable::{DecidingColumn, PlanOfDraws, SteadyTarget, Unstable};
use crate::lab::why::{Pair, smallest};
use crate::plan::Plan;
use crate::plan::shape::shape;
use crate::profile::model::{Profile, TableStatistics};
use crate::progress::{Progress, Unit};
use crate::schema::{Schema, quote_identifier};
use crate::units::Millis;
use urns::Urns;

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
