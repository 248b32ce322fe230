//! The numbers that make a plan another one, found by planning with mixtures of two profiles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::outlook::OutlookError;
use super::{Asked, LabError, Laboratory, Planner};
use crate::db::explain::quote_literal;
use crate::lab::change::PlanChange;
use crate::lab::why::{Mixture, Pair, smallest};
use crate::plan::Plan;
use crate::plan::shape::shape;
use crate::progress::{Progress, Unit};
use crate::schema::quote_identifier;

/// A run whose plan differs between the profiles.
#[derive(Debug, Clone)]
pub struct Flipped {
    /// Which run.
    pub asked: Asked,
    /// From the plan of before to that of after.
    pub change: PlanChange,
    /// The smallest set of differences that brings it, as indexes of the pair's.
    pub culprits: Vec<usize>,
    /// How often it was planned for that.
    pub plans: usize,
}

/// Every run whose plan flips, with what flips it.
///
/// # Errors
/// [`OutlookError`].
pub async fn flipped(
    laboratory: &mut Laboratory,
    planner: &mut Planner<'_>,
    pair: &Pair<'_>,
    progress: &Progress,
) -> Result<Vec<Flipped>, OutlookError> {
    let settable = settable(laboratory).await?;
    let asked = planner.asked();
    let all: Vec<usize> = (0..pair.count()).collect();
    let mut bench = Bench {
        laboratory,
        planner,
        settable,
    };
    let before = bench.plans(&asked, &pair.mixture(&[])).await?;
    let after = bench.plans(&asked, &pair.mixture(&all)).await?;
    let task = progress.task(
        "Looking for what flips plans",
        Unit::Steps,
        Some(asked.len() as u64),
    );
    let mut found = Vec::new();
    for (asked, old) in &before {
        task.advance(1);
        let Some(new) = after.get(asked) else {
            continue;
        };
        let Some(change) = PlanChange::between(old, new) else {
            continue;
        };
        let (wanted, mut plans) = (shape(new), 2);
        let culprits = smallest(pair.count(), async |taken: &[usize]| {
            plans += 1;
            let planned = bench.plan(*asked, &pair.mixture(taken)).await?;
            Ok::<_, OutlookError>(planned.is_some_and(|plan| shape(&plan) == wanted))
        });
        let culprits = culprits.await?;
        found.push(Flipped {
            asked: *asked,
            change,
            culprits,
            plans,
        });
    }
    Ok(found)
}

struct Bench<'b, 'q> {
    laboratory: &'b mut Laboratory,
    planner: &'b mut Planner<'q>,
    /// Settings that a session may change.
    settable: BTreeSet<String>,
}

impl Bench<'_, '_> {
    async fn plans(
        &mut self,
        asked: &[Asked],
        mixture: &Mixture,
    ) -> Result<BTreeMap<Asked, Plan>, OutlookError> {
        self.laboratory.set(&mixture.tables).await?;
        let settings = self.settings(mixture);
        let mut plans = BTreeMap::new();
        for asked in asked {
            if let Some(plan) = self
                .planner
                .plan_with(self.laboratory, *asked, &settings)
                .await?
            {
                plans.insert(*asked, plan);
            }
        }
        Ok(plans)
    }

    async fn plan(
        &mut self,
        asked: Asked,
        mixture: &Mixture,
    ) -> Result<Option<Plan>, OutlookError> {
        Ok(self.plans(&[asked], mixture).await?.remove(&asked))
    }

    fn settings(&self, mixture: &Mixture) -> String {
        let mut sql = String::new();
        for (name, value) in mixture
            .settings
            .iter()
            .filter(|(name, _)| self.settable.contains(*name))
        {
            // Writing to a string cannot fail.
            let _ = write!(
                sql,
                "SET LOCAL {} = {};",
                quote_identifier(name),
                quote_literal(value)
            );
        }
        sql
    }
}

async fn settable(laboratory: &Laboratory) -> Result<BTreeSet<String>, LabError> {
    const SQL: &str = "SELECT name FROM pg_catalog.pg_settings WHERE context IN ('user', 'superuser') \
                       AND name <> 'plan_cache_mode'";
    let rows = laboratory.session().client().query_typed(SQL, &[]).await;
    let rows = rows.map_err(|error| LabError::refused("read the settings", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
