//! `planning-overhead`: planning the query takes longer than running it.

use super::context::{QueryContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::run::Outcome;
use crate::run_id::RunId;
use crate::units::Millis;

const FACTOR: Threshold = Threshold {
    rule: RuleId::PlanningOverhead,
    key: "factor",
    unit: ThresholdUnit::Ratio,
    default: 1.0,
    about: "planning over execution",
};
const MIN_TIME: Threshold = Threshold {
    rule: RuleId::PlanningOverhead,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 5.0,
    about: "planning time below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::PlanningOverhead,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "planning the query takes longer than running it",
    condition: "The fastest planning of a parameter set took factor times its slowest execution, and at least min-time.",
    why: "Planning is paid with every execution that is not prepared. Many joins and many partitions make it long.",
    advice: "Prepare the statement, name the partition key, join fewer tables, or lower join_collapse_limit.",
    bad: "SELECT … FROM a JOIN b … JOIN l …;          -- twelve tables, one row",
    good: "PREPARE q AS SELECT …; EXECUTE q(1);       -- planned once",
    thresholds: &[FACTOR, MIN_TIME],
    check: Check::Query(check),
};

fn check(context: &QueryContext<'_>) -> Vec<Finding> {
    let mut worst: Option<(&RunId, f64, f64)> = None;
    for run in context.runs.runs.iter().filter(|run| !run.is_generic()) {
        let Outcome::Completed { samples } = &run.outcome else {
            continue;
        };
        let planning = samples
            .iter()
            .map(|sample| sample.planning.0)
            .fold(f64::INFINITY, f64::min);
        let execution = samples
            .iter()
            .map(|sample| sample.execution.0)
            .fold(0.0, f64::max);
        let heavy = planning.is_finite()
            && planning >= context.limit(&MIN_TIME)
            && planning > execution * context.limit(&FACTOR);
        if heavy && worst.is_none_or(|(_, so_far, _)| planning > so_far) {
            worst = Some((&run.id, planning, execution));
        }
    }
    let Some((id, planning, execution)) = worst else {
        return Vec::new();
    };
    let evidence = Evidence {
        run: Some(id.clone()),
        ..Evidence::default()
    }
    .with("planning_ms", Quantity::Millis(Millis(planning)))
    .with("time_ms", Quantity::Millis(Millis(execution)));
    let words = Words {
        message: format!("planning takes {}, running it {}", Millis(planning), Millis(execution)),
        why: "Planning is paid with every execution that is not prepared.".to_owned(),
        advice: "Prepare the statement, name the partition key in it, join fewer tables, or lower join_collapse_limit."
            .to_owned(),
    };
    vec![context.finding(RuleId::PlanningOverhead, Severity::Warning, evidence, words)]
}
