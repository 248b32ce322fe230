//! A query whose plan hangs on the sample that ANALYZE happens to draw: its plans, how often each came, and what each took.

use serde::{Deserialize, Serialize};

use super::change::PlanChange;
use crate::finding::Measurement;
use crate::run_id::RunId;
use crate::units::Millis;

/// One of the plans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanOfDraws {
    /// Draws in which it was chosen.
    pub draws: u64,
    /// What it took on the dataset; `None` where it was not run, or did not finish.
    pub taken: Option<Measurement>,
    /// The time after which it was cancelled, where it was.
    pub cancelled: Option<Millis>,
    /// From the most frequent plan to this one; `None` of that one itself.
    pub change: Option<PlanChange>,
}

/// A column whose sample decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidingColumn {
    /// Quoted where it has to be.
    pub table: String,
    /// Quoted where it has to be.
    pub column: String,
    /// Its statistics target now.
    pub target: u32,
}

/// A statistics target with which the plan is always the same one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteadyTarget {
    /// `SET STATISTICS` of the deciding columns.
    pub target: u32,
    /// How often it was drawn to see that.
    pub draws: u64,
    /// What the plan takes that is chosen then.
    pub taken: Measurement,
}

/// One query with one set of values that got more than one plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unstable {
    /// The query's name.
    pub query: String,
    /// What its values stand for.
    pub run: RunId,
    /// How often statistics were drawn.
    pub draws: u64,
    /// Most frequent first.
    pub plans: Vec<PlanOfDraws>,
    /// What differs between a sample that gives the most frequent plan and one that gives another, in words: the smallest set.
    pub differences: Vec<String>,
    /// The columns of these differences.
    pub columns: Vec<DecidingColumn>,
    /// `None` where none was found.
    pub steady: Option<SteadyTarget>,
}

impl Unstable {
    /// The plan that took least, and the one that took most; `None` where fewer than two were run.
    #[must_use]
    pub fn extremes(&self) -> Option<(&PlanOfDraws, &PlanOfDraws)> {
        let best = self.best()?;
        let weight = |plan: &&PlanOfDraws| {
            plan.taken
                .as_ref()
                .map_or(f64::INFINITY, |taken| taken.time_ms.0)
        };
        let run = self
            .plans
            .iter()
            .filter(|plan| plan.taken.is_some() || plan.cancelled.is_some());
        let worst = run.max_by(|a, b| weight(a).total_cmp(&weight(b)))?;
        (!std::ptr::eq(best, worst)).then_some((best, worst))
    }

    /// Whether the plans take so different amounts that it is worth to know why.
    #[must_use]
    pub fn differs(&self) -> bool {
        const FACTOR: f64 = 1.5;
        let Some((best, worst)) = self.extremes() else {
            return false;
        };
        let (Some(few), Some(many)) = (&best.taken, &worst.taken) else {
            return worst.cancelled.is_some();
        };
        let pages = |taken: &Measurement| (taken.blocks.0 + taken.temp_blocks.0) as f64;
        many.time_ms.0 >= few.time_ms.0 * FACTOR && many.time_ms.0 - few.time_ms.0 >= 1.0
            || pages(many) >= pages(few) * FACTOR + 100.0
    }

    fn best(&self) -> Option<&PlanOfDraws> {
        let run = self.plans.iter().filter(|plan| plan.taken.is_some());
        run.min_by(|a, b| {
            let time = |plan: &PlanOfDraws| {
                plan.taken
                    .as_ref()
                    .map_or(f64::INFINITY, |taken| taken.time_ms.0)
            };
            time(a).total_cmp(&time(b))
        })
    }
}
